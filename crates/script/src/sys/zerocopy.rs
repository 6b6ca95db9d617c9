//! MSG_ZEROCOPY: when the octets of a call are not needed any more, the error queue of the socket says so.

use std::collections::VecDeque;

use super::{Called, Ret, Sys, World, Wrong};
use crate::ast::Expr;
use crate::consts::number;

/// Linux's numbers: the origin of a message in the error queue, and that the octets were copied all the same.
const ORIGIN: i64 = 5;
const COPIED: i64 = 1;
const MSG_ERRQUEUE: i64 = 0x2000;

/// Calls that asked for it.
#[derive(Debug, Default)]
pub(super) struct ZeroCopy {
    next: u32,
    /// Number of a call, and the place in the stream where its octets end.
    calls: VecDeque<(u32, u32)>,
    /// First and last of consecutive calls that are over.
    over: VecDeque<(u32, u32)>,
}

impl ZeroCopy {
    /// A call has queued its octets: they end at `end`.
    pub fn began(&mut self, end: u32) {
        self.calls.push_back((self.next, end));
        self.next = self.next.wrapping_add(1);
    }

    /// The octets before `acked` were taken by the peer.
    fn settle(&mut self, acked: u32) {
        while let Some((id, end)) = self.calls.front().copied()
            && acked.wrapping_sub(end) as i32 >= 0
        {
            self.calls.pop_front();
            match self.over.back_mut() {
                Some((_, last)) if last.wrapping_add(1) == id => *last = id,
                _ => self.over.push_back((id, id)),
            }
        }
    }

    /// Whether something is to be told.
    pub fn speaks(&self) -> bool {
        !self.over.is_empty()
    }
}

impl Sys {
    /// What was acknowledged meanwhile.
    pub(super) fn settle_zero_copy(&mut self, world: &mut World<'_>) {
        let waiting: Vec<i64> = self.fds.keys().copied().collect();
        for fd in waiting {
            if self.sock(fd).is_none_or(|s| s.zero_copy.calls.is_empty()) {
                continue;
            }
            let info = self.conn_id(fd).and_then(|id| world.stack.conn(world.now, id)).map(|h| h.info());
            if let (Some(sock), Some(info)) = (self.sock_mut(fd), info) {
                sock.zero_copy.settle(sock.written.wrapping_sub(info.send_queue));
            }
        }
    }

    /// recvmsg() from the error queue.
    pub(super) fn read_errors(&mut self, fd: i64, flags: Option<i64>, control: Option<&Expr>) -> Called<Ret> {
        let Some((first, last)) = self.sock_mut(fd).and_then(|s| s.zero_copy.over.pop_front()) else {
            return Ok(Ret::err("EAGAIN"));
        };
        let mut ret = Ret::ok(0);
        if let Some(flags) = flags {
            let (wanted, came) = (format!("{flags:#x}"), format!("{MSG_ERRQUEUE:#x}"));
            ret.wrong.extend(Wrong::unless_same("msg_flags", wanted, came));
        }
        let Some(Expr::Array(messages)) = control else { return Ok(ret) };
        let told = [
            ("ee_errno", 0),
            ("ee_origin", ORIGIN),
            ("ee_type", 0),
            ("ee_code", COPIED),
            ("ee_info", i64::from(first)),
            ("ee_data", i64::from(last)),
        ];
        for data in messages.iter().filter_map(|m| m.field("cmsg_data")) {
            for (name, came) in told {
                match data.field(name) {
                    None | Some(Expr::Ellipsis) => {}
                    Some(wanted) => {
                        let wanted = number(wanted)?.to_string();
                        ret.wrong.extend(Wrong::unless_same(name, wanted, came.to_string()));
                    }
                }
            }
        }
        Ok(ret)
    }
}
