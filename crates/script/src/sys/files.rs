//! Files as a source of octets: sendfile.

use super::{Called, Fd, Op, OpKind, Ret, Sys, World, int, length};
use crate::ast::Call;
use crate::sys::io::Writing;

impl Sys {
    /// sendfile(out, in, offset, count)
    pub(super) fn begin_sendfile(&mut self, call: &Call, wanted: i64) -> Called<Op> {
        let (fd, file, len) = (int(call, 0)?, int(call, 1)?, length(call, 3)?);
        let nonblock = self.sock(fd).is_some_and(|s| s.nonblock);
        let write = Writing { fd, len, ..Writing::default() };
        Ok(Op { kind: OpKind::SendFile { file, write }, nonblock, deadline: None, wanted })
    }

    pub(super) fn send_file(&mut self, world: &mut World<'_>, file: i64, write: &mut Writing) -> Option<Ret> {
        if !matches!(self.fds.get(&file), Some(Fd::File(_))) {
            return Some(Ret::err(if self.fds.contains_key(&file) { "EINVAL" } else { "EBADF" }));
        }
        let before = write.done;
        let ret = self.write(world, write, false);
        if let Some(Fd::File(at)) = self.fds.get_mut(&file) {
            *at += (write.done - before) as u64;
        }
        ret
    }
}
