//! Reading and writing, in all their forms. Octets are checked: each tells its place in the stream.

use synfin_tcp::{ReadError, WriteError};

use super::{Called, Fd, Handed, Kind, Octets, OpKind, Ret, Sys, Value, World, Wrong};
use crate::ast::{Call, Expr};
use crate::consts::number;
use crate::seq;
use crate::sys::{arg, int};

/// Octets that a pipe holds.
const PIPE: usize = 65_536;
const MSG_OOB: i64 = 1;
const MSG_PEEK: i64 = 2;
const MSG_TRUNC: i64 = 0x20;
const MSG_DONTWAIT: i64 = 0x40;
const MSG_WAITALL: i64 = 0x100;
const MSG_NOSIGNAL: i64 = 0x4000;
const MSG_ZEROCOPY: i64 = 0x400_0000;

pub(super) fn read_op(fd: i64, len: usize, flags: i64) -> OpKind {
    OpKind::Read { fd, len, flags, msg_flags: None }
}

/// Octets in all buffers of `[{..., 10}, {..., 20}]`.
///
/// # Errors
/// It is no list of buffers.
pub fn vector(expr: &Expr) -> Called<usize> {
    let Expr::Array(items) = expr else { return Err(format!("not a list of buffers: {expr}")) };
    let mut sum = 0;
    for item in items {
        let len = match item {
            Expr::Struct(fields) => {
                item.field("iov_len").or(fields.get(1).map(|f| &f.value)).ok_or("a buffer without length")?
            }
            other => return Err(format!("not a buffer: {other}")),
        };
        sum += usize::try_from(number(len)?).ok().filter(|n| *n <= 1 << 30).ok_or("length of a buffer")?;
    }
    Ok(sum)
}

/// Octets in all buffers of a message, and its flags if it names them.
///
/// # Errors
/// It is no message, or has parts that are not supported.
pub fn message(expr: &Expr) -> Called<(usize, Option<i64>)> {
    if let Some(control) = expr.field("msg_control") {
        return Err(format!("control messages are not supported: {control}"));
    }
    let iov = expr.field("msg_iov").ok_or("a message without msg_iov")?;
    let flags = expr.field("msg_flags").map(number).transpose()?;
    Ok((vector(iov)?, flags))
}

pub(super) fn recvmsg(fd: i64, msg: &Expr, flags: i64) -> Called<OpKind> {
    let (len, msg_flags) = message(msg)?;
    Ok(OpKind::Read { fd, len, flags, msg_flags })
}

impl Sys {
    pub(super) fn write_op(&mut self, fd: i64, len: usize, flags: i64) -> Called<OpKind> {
        // A flag that would change what is sent must not be ignored; copying or not is nobody's business.
        let other = flags & !(MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ZEROCOPY);
        if other != 0 {
            return Err(format!("flags {other:#x} of a send are not supported"));
        }
        if flags & MSG_ZEROCOPY != 0 {
            self.note("MSG_ZEROCOPY is not modelled".into());
        }
        Ok(OpKind::Write { fd, len, done: 0, urgent: flags & MSG_OOB != 0, text: None })
    }

    pub(super) fn sendmsg(&mut self, fd: i64, msg: &Expr, flags: i64) -> Called<OpKind> {
        self.write_op(fd, message(msg)?.0, flags)
    }

    pub(super) fn read(
        &mut self,
        world: &mut World<'_>,
        fd: i64,
        len: usize,
        flags: i64,
        msg_flags: Option<i64>,
    ) -> Called<Option<Ret>> {
        let known = MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL;
        if flags & !known != 0 {
            return Err(format!("flags {:#x} of a receive are not supported", flags & !known));
        }
        if let Some(Fd::PipeRead(held)) = self.fds.get_mut(&fd) {
            let n = held.len().min(len);
            let octets: Vec<u8> = held.drain(..n).collect();
            return Ok((n > 0).then(|| Ret::ok(n as i64).with(Handed::Octets(octets))));
        }
        let Some(sock) = self.sock(fd) else { return Ok(Some(self.no_socket(fd))) };
        let Kind::Conn(_) = sock.kind else { return Ok(Some(Ret::err("ENOTCONN"))) };
        let mut ret = if flags & MSG_OOB != 0 {
            self.read_urgent(world, fd, len, flags)
        } else {
            self.read_stream(world, fd, len, flags)
        };
        if let (Some(ret), Some(expected)) = (&mut ret, msg_flags)
            && ret.value >= 0
            && expected != 0
        {
            let (expected, actual) = (format!("{expected:#x}"), "0".to_string());
            ret.wrong.push(Wrong { what: "msg_flags".into(), expected, actual });
        }
        Ok(ret)
    }

    fn read_stream(&mut self, world: &mut World<'_>, fd: i64, len: usize, flags: i64) -> Option<Ret> {
        let id = self.conn_id(fd)?;
        let sock = self.sock_mut(fd)?;
        let mut handle = world.stack.conn(world.now, id)?;
        let queued = handle.info().recv_queue as usize;
        // The whole length, unless the stream ends before.
        let all = flags & MSG_WAITALL != 0 && flags & MSG_PEEK == 0;
        let readiness = handle.readiness();
        if all && queued < len && !(readiness.readable && ended(&handle)) {
            return None;
        }
        let mut most = len.min(queued);
        if !sock.opts.urgent_inline {
            // The octet before the mark is not part of the stream (Linux without SO_OOBINLINE); a read stops there.
            match handle.get().urgent() {
                Some(1) if queued > 0 => {
                    let mut octet = [0];
                    if flags & MSG_PEEK == 0 && handle.read(&mut octet).is_ok() {
                        sock.read = sock.read.wrapping_add(1);
                    }
                    sock.urgent_taken = false;
                    most = len.min(queued - 1);
                    if most == 0 && len > 0 && !ended(&handle) {
                        return None;
                    }
                }
                Some(n) => most = most.min(n as usize - 1),
                None => {}
            }
        }
        let mut into = vec![0; most.max(usize::from(len > 0))];
        let got = if flags & MSG_PEEK != 0 { handle.peek(&mut into) } else { handle.read(&mut into) };
        let taken = match got {
            Ok(n) => n,
            Err(ReadError::WouldBlock) => return None,
            Err(ReadError::Closed(_)) => {
                drop(handle);
                return Some(self.take_error(world, fd).map_or(Ret::ok(0), Ret::err));
            }
        };
        into.truncate(taken);
        let expected = seq::octets(sock.read, taken);
        if flags & MSG_PEEK == 0 {
            sock.read = sock.read.wrapping_add(taken as u32);
        }
        let mut ret = Ret::ok(taken as i64);
        if into != expected {
            ret.wrong.push(Wrong {
                what: "octets read".into(),
                expected: "those that were sent".into(),
                actual: "others".into(),
            });
        }
        Some(ret.with(Handed::Octets(into)))
    }

    /// MSG_OOB: the one octet before the mark.
    fn read_urgent(&mut self, world: &mut World<'_>, fd: i64, len: usize, flags: i64) -> Option<Ret> {
        let id = self.conn_id(fd)?;
        let sock = self.sock_mut(fd)?;
        let handle = &mut world.stack.conn(world.now, id)?;
        let Some(ahead) = handle.get().urgent().filter(|_| !sock.opts.urgent_inline && !sock.urgent_taken)
        else {
            return Some(Ret::err("EINVAL"));
        };
        if handle.info().recv_queue < ahead {
            return Some(Ret::err("EAGAIN"));
        }
        let mut before = vec![0; ahead as usize];
        let _ = handle.peek(&mut before);
        let place = sock.read.wrapping_add(ahead - 1);
        let right = before.last() == Some(&seq::octet(place));
        if flags & MSG_PEEK == 0 {
            sock.urgent_taken = true;
        }
        let shown = if right { "the octet sent" } else { "another octet" };
        let octets: Vec<u8> = before.last().copied().into_iter().take(len).collect();
        let ret = Ret::handing(octets.len() as i64, "urgent octet", "the octet sent".into(), shown.into());
        Some(ret.with(Handed::Octets(octets)))
    }

    pub(super) fn write(
        &mut self,
        world: &mut World<'_>,
        fd: i64,
        len: usize,
        done: &mut usize,
        urgent: bool,
        text: Option<&[u8]>,
    ) -> Option<Ret> {
        if let Some(Fd::PipeWrite(read_end)) = self.fds.get(&fd) {
            let read_end = *read_end;
            if let Some(Fd::PipeRead(held)) = self.fds.get_mut(&read_end) {
                let n = len.min(PIPE.saturating_sub(held.len()));
                let given = text.and_then(|t| t.get(..n)).unwrap_or_default();
                held.extend(given);
                held.extend(std::iter::repeat_n(0, n - given.len()));
                return (n > 0 || len == 0).then(|| Ret::ok(n as i64));
            }
            return Some(Ret::err("EPIPE"));
        }
        if self.sock(fd).is_none() {
            return Some(self.no_socket(fd));
        }
        let Some(id) = self.conn_id(fd) else { return Some(Ret::err("EPIPE")) };
        loop {
            let sock = self.sock_mut(fd)?;
            let mut handle = world.stack.conn(world.now, id)?;
            let readiness = handle.readiness();
            if !readiness.connected && readiness.closed.is_none() {
                return None;
            }
            // What ended the connection is told before anything else.
            let made;
            let data = match text {
                Some(text) => text.get(*done..).unwrap_or_default(),
                None => {
                    made = seq::octets(sock.written, len.saturating_sub(*done).min(1 << 20));
                    &made
                }
            };
            let result = if urgent { handle.write_urgent(data) } else { handle.write(data) };
            drop(handle);
            match result {
                Ok(n) => {
                    *done += n;
                    sock.written = sock.written.wrapping_add(n as u32);
                    if *done >= len {
                        return Some(Ret::ok(*done as i64));
                    }
                }
                Err(WriteError::WouldBlock) => return None,
                Err(_) if *done > 0 => return Some(Ret::ok(*done as i64)),
                Err(_) => return Some(Ret::err(self.take_error(world, fd).unwrap_or("EPIPE"))),
            }
        }
    }

    pub(super) fn splice(
        &mut self,
        world: &mut World<'_>,
        from: i64,
        to: i64,
        len: usize,
    ) -> Called<Option<Ret>> {
        match (self.fds.get(&from), self.fds.get(&to)) {
            (Some(Fd::Sock(_)), Some(Fd::PipeWrite(_))) => {
                let Some(ret) = self.read_stream(world, from, len, 0) else { return Ok(None) };
                match &ret.handed {
                    Handed::Octets(octets) if ret.value > 0 => {
                        Ok(self.write(world, to, octets.len(), &mut 0, false, Some(octets)))
                    }
                    _ => Ok(Some(ret)),
                }
            }
            (Some(Fd::PipeRead(held)), Some(Fd::Sock(_))) => {
                let n = held.len().min(len);
                let mut done = 0;
                let octets = held.get(..n).unwrap_or_default().to_vec();
                let text = (self.octets == Octets::Given).then_some(octets.as_slice());
                let ret = self.write(world, to, n, &mut done, false, text);
                if let Some(Fd::PipeRead(held)) = self.fds.get_mut(&from) {
                    held.drain(..done.min(held.len()));
                }
                Ok(ret.or((done > 0).then(|| Ret::ok(done as i64))))
            }
            _ => Err("splice between these descriptors is not supported".into()),
        }
    }

    pub(super) fn ioctl(&mut self, world: &mut World<'_>, call: &Call) -> Called<Ret> {
        const SIOCOUTQ: i64 = 0x5411;
        const SIOCINQ: i64 = 0x541b;
        const SIOCATMARK: i64 = 0x8905;
        const SIOCOUTQNSD: i64 = 0x894b;
        let (fd, command) = (int(call, 0)?, int(call, 1)?);
        if self.sock(fd).is_none() {
            return Ok(self.no_socket(fd));
        }
        let Some(id) = self.conn_id(fd) else { return Ok(Ret::err("EINVAL")) };
        let Some(handle) = world.stack.conn(world.now, id) else { return Ok(Ret::err("EINVAL")) };
        let info = handle.info();
        let value = match command {
            SIOCINQ => info.recv_queue,
            SIOCOUTQ => info.send_queue,
            SIOCOUTQNSD => info.send_queue.saturating_sub(info.flight),
            SIOCATMARK => u32::from(handle.get().urgent() == Some(1)),
            other => return Err(format!("ioctl {other:#x} is not supported")),
        };
        let ret = match arg(call, 2)?.single() {
            Expr::Ellipsis => Ret::ok(0),
            expected => Ret::handing(0, "value", number(expected)?.to_string(), value.to_string()),
        };
        Ok(ret.with(Handed::Value(Value::Number(value.into()))))
    }
}

/// Nothing will be added to what is queued.
fn ended(handle: &synfin_net::Handle<'_>) -> bool {
    use synfin_tcp::State;
    handle.readiness().closed.is_some()
        || matches!(
            handle.get().state(),
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait | State::Closed
        )
}
