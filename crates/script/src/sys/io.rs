//! Reading and writing, in all their forms. Octets are checked: each tells its place in the stream.

use synfin_tcp::{ReadError, State, WriteError};

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
const MSG_EOR: i64 = 0x80;
const MSG_ERRQUEUE: i64 = 0x2000;
const MSG_MORE: i64 = 0x8000;
const MSG_ZEROCOPY: i64 = 0x400_0000;

/// A call that reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub fd: i64,
    len: usize,
    flags: i64,
    /// Flags that the script expects in the message.
    msg_flags: Option<i64>,
    /// Control messages that the script expects.
    control: Option<Expr>,
    /// There is no buffer to read into.
    null: bool,
    pub got: Vec<u8>,
    wrong: Vec<Wrong>,
}

/// A call that writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Writing {
    pub fd: i64,
    pub len: usize,
    pub done: usize,
    pub urgent: bool,
    /// More text was announced (MSG_MORE).
    pub more: bool,
    /// A record ends with it (MSG_EOR).
    pub ends_record: bool,
    /// The program wants to know when its octets are free (MSG_ZEROCOPY).
    pub zero_copy: bool,
    /// There is no buffer to write from.
    pub null: bool,
    /// It had to wait: a little room is not enough to wake it.
    pub waited: bool,
    /// The octets, if the program gives them.
    pub text: Option<Vec<u8>>,
}

pub(super) fn read_op(fd: i64, len: usize, flags: i64) -> OpKind {
    OpKind::Read(Reading { fd, len, flags, ..Reading::default() })
}

impl OpKind {
    /// With the argument that stands for the buffer.
    pub fn null(mut self, buffer: &Expr) -> OpKind {
        let none = *buffer == Expr::Word("NULL".into()) || *buffer == Expr::Int(0);
        match &mut self {
            OpKind::Read(r) => r.null = none,
            OpKind::Write(w) => w.null = none,
            _ => {}
        }
        self
    }
}

impl Reading {
    /// The call returns what it has got.
    pub fn finish(self) -> Ret {
        let mut ret = Ret::ok(self.got.len() as i64).with(Handed::Octets(self.got));
        ret.wrong = self.wrong;
        ret
    }
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

/// Octets in all buffers of a message to be sent.
///
/// # Errors
/// It is no message, or has parts that are not supported.
pub fn message_out(expr: &Expr) -> Called<usize> {
    match expr.field("msg_control") {
        Some(control) => Err(format!("control messages are not supported: {control}")),
        None => Ok(message(expr)?.0),
    }
}

/// Octets in all buffers of a message, and its flags if it names them.
///
/// # Errors
/// It is no message.
pub fn message(expr: &Expr) -> Called<(usize, Option<i64>)> {
    let iov = expr.field("msg_iov").ok_or("a message without msg_iov")?;
    let flags = expr.field("msg_flags").map(number).transpose()?;
    Ok((vector(iov)?, flags))
}

/// Control messages that came and the script does not expect. `left`: TCP_CM_INQ, octets that can still be read.
///
/// # Errors
/// It expects a control message that is not known.
pub fn control_wrong(expected: &Expr, left: Option<i64>) -> Called<Vec<Wrong>> {
    let Expr::Array(messages) = expected else { return Ok(Vec::new()) };
    let mut wrong = Vec::new();
    for message in messages {
        if message.field("cmsg_type") != Some(&Expr::Word("TCP_CM_INQ".into())) {
            return Err(format!("control messages are not supported: {message}"));
        }
        let expected = number(message.field("cmsg_data").ok_or("a control message without data")?)?;
        let actual = left.map_or("none".into(), |n| n.to_string());
        wrong.extend(Wrong::unless_same("TCP_CM_INQ", expected.to_string(), actual));
    }
    Ok(wrong)
}

pub(super) fn recvmsg(fd: i64, msg: &Expr, flags: i64) -> Called<OpKind> {
    let (len, msg_flags) = message(msg)?;
    let control = msg.field("msg_control").cloned();
    Ok(OpKind::Read(Reading { fd, len, flags, msg_flags, control, ..Reading::default() }))
}

impl Sys {
    pub(super) fn write_op(&mut self, fd: i64, len: usize, flags: i64) -> Called<OpKind> {
        // A flag that would change what is sent must not be ignored; copying or not is nobody's business.
        let known = MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ZEROCOPY | MSG_MORE | MSG_EOR;
        if flags & !known != 0 {
            return Err(format!("flags {:#x} of a send are not supported", flags & !known));
        }
        let zero_copy = flags & MSG_ZEROCOPY != 0;
        let (urgent, more) = (flags & MSG_OOB != 0, flags & MSG_MORE != 0);
        let ends_record = flags & MSG_EOR != 0;
        Ok(OpKind::Write(Writing { fd, len, urgent, more, ends_record, zero_copy, ..Writing::default() }))
    }

    pub(super) fn sendmsg(&mut self, fd: i64, msg: &Expr, flags: i64) -> Called<OpKind> {
        self.write_op(fd, message_out(msg)?, flags)
    }

    pub(super) fn read(
        &mut self,
        world: &mut World<'_>,
        reading: &mut Reading,
        nonblock: bool,
    ) -> Called<Option<Ret>> {
        let Reading { fd, len, flags, .. } = *reading;
        let known = MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL | MSG_ERRQUEUE;
        if flags & !known != 0 {
            return Err(format!("flags {:#x} of a receive are not supported", flags & !known));
        }
        if let Some(Fd::PipeRead(held)) = self.fds.get_mut(&fd) {
            let n = held.len().min(len);
            let octets: Vec<u8> = held.drain(..n).collect();
            return Ok((n > 0).then(|| Ret::ok(n as i64).with(Handed::Octets(octets))));
        }
        let Some(sock) = self.sock(fd) else { return Ok(Some(self.no_socket(fd))) };
        if flags & MSG_ERRQUEUE != 0 {
            return self.read_errors(fd, reading.msg_flags, reading.control.as_ref()).map(Some);
        }
        let Kind::Conn(id) = sock.kind else {
            return Ok(Some(Ret::err(self.take_error(world, fd).unwrap_or("ENOTCONN"))));
        };
        if sock.pending.is_some()
            && world.stack.conn(world.now, id).is_some_and(|h| h.info().recv_queue == 0)
            && let Some(errno) = self.take_error(world, fd)
        {
            return Ok(Some(Ret::err(errno)));
        }
        if flags & MSG_OOB != 0 {
            return Ok(self.read_urgent(world, fd, len, flags));
        }
        if reading.null && len > 0 && flags & MSG_TRUNC == 0 {
            let info = world.stack.conn(world.now, id).map(|h| h.info());
            if info.is_some_and(|i| i.recv_queue > 0) {
                return Ok(Some(Ret::err("EFAULT")));
            }
        }
        let Some(mut ret) = self.read_enough(world, reading, nonblock) else { return Ok(None) };
        if ret.value >= 0 {
            self.judge_message(world, reading, &mut ret)?;
        }
        Ok(Some(ret))
    }

    /// Reads on until there is as much as the call asks for.
    fn read_enough(&mut self, world: &mut World<'_>, reading: &mut Reading, nonblock: bool) -> Option<Ret> {
        let Reading { fd, len, flags, .. } = *reading;
        let lowat = self.sock(fd)?.opts.recv_lowat.unwrap_or(1);
        let peek = flags & MSG_PEEK != 0;
        let all = flags & MSG_WAITALL != 0;
        let enough = if all { len } else { len.min(lowat) };
        if !peek && !nonblock && !reading.got.is_empty() && lowat > 1 {
            // A reader that sleeps is woken when so much has come since.
            let handle = world.stack.conn(world.now, self.conn_id(fd)?)?;
            if (handle.info().recv_queue as usize) < lowat && !ended(&handle) {
                return None;
            }
        }
        if peek && !nonblock {
            let handle = world.stack.conn(world.now, self.conn_id(fd)?)?;
            if (handle.info().recv_queue as usize) < enough && !ended(&handle) {
                return None;
            }
        }
        loop {
            match self.read_stream(world, fd, len - reading.got.len(), flags) {
                Some(ret) if ret.value < 0 && !reading.got.is_empty() => {
                    // The error is told next time.
                    if let Some(sock) = self.sock_mut(fd) {
                        sock.error_told = false;
                    }
                    return Some(std::mem::take(reading).finish());
                }
                Some(ret) if ret.value <= 0 && reading.got.is_empty() => return Some(ret),
                Some(ret) => {
                    reading.wrong.extend(ret.wrong);
                    if let Handed::Octets(octets) = &ret.handed {
                        reading.got.extend(octets);
                    }
                    let over = ret.value == 0 || peek || nonblock || reading.got.len() >= enough;
                    if over {
                        return Some(reading.clone().finish());
                    }
                }
                None => return None,
            }
        }
    }

    /// Flags and control messages that come with what was read.
    fn judge_message(&self, world: &mut World<'_>, reading: &Reading, ret: &mut Ret) -> Called<()> {
        if let Some(expected) = reading.msg_flags.filter(|f| *f != 0) {
            let (expected, actual) = (format!("{expected:#x}"), "0".to_string());
            ret.wrong.push(Wrong { what: "msg_flags".into(), expected, actual });
        }
        let Some(control) = &reading.control else { return Ok(()) };
        ret.wrong.extend(control_wrong(control, self.left_to_read(world, reading.fd))?);
        Ok(())
    }

    /// TCP_INQ: how much is left, if the socket wants to know.
    pub fn left_to_read(&self, world: &mut World<'_>, fd: i64) -> Option<i64> {
        let wants = self.sock(fd)?.opts.tell_queue;
        let left = self.conn_id(fd).and_then(|id| world.stack.conn(world.now, id)).map_or(0, |h| {
            // The end of the stream counts as one more.
            i64::from(h.info().recv_queue) + i64::from(ended(&h) && h.info().recv_queue == 0)
        });
        wants.then_some(left)
    }

    fn read_stream(&mut self, world: &mut World<'_>, fd: i64, len: usize, flags: i64) -> Option<Ret> {
        let id = self.conn_id(fd)?;
        let sock = self.sock_mut(fd)?;
        let mut handle = world.stack.conn(world.now, id)?;
        let queued = handle.info().recv_queue as usize;
        let mut most = len.min(queued);
        if sock.opts.urgent_inline {
            // It begins a read of its own.
            if let Some(n) = handle.get().urgent().filter(|n| *n > 1) {
                most = most.min(n as usize - 1);
            }
        } else {
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
        let peeking = flags & MSG_PEEK != 0;
        let offset = if peeking { sock.opts.peek_offset.unwrap_or(0) } else { 0 };
        if offset > 0 && offset >= queued {
            return if ended(&handle) { Some(Ret::ok(0)) } else { None };
        }
        let most = if offset > 0 { (most + offset).min(queued) } else { most };
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
        into.drain(..offset.min(taken));
        let taken = into.len();
        let expected = seq::octets(sock.read.wrapping_add(offset as u32), taken);
        match (&mut sock.opts.peek_offset, peeking) {
            (Some(at), true) => *at += taken,
            (Some(at), false) => *at = at.saturating_sub(taken),
            _ => {}
        }
        if !peeking {
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
        writing: &mut Writing,
        blocking: bool,
    ) -> Option<Ret> {
        let Writing { fd, len, urgent, more, ends_record, null, .. } = *writing;
        if let Some(Fd::PipeWrite(read_end)) = self.fds.get(&fd) {
            let read_end = *read_end;
            if let Some(Fd::PipeRead(held)) = self.fds.get_mut(&read_end) {
                let n = len.min(PIPE.saturating_sub(held.len()));
                let given = writing.text.as_ref().and_then(|t| t.get(..n)).unwrap_or_default();
                held.extend(given);
                held.extend(std::iter::repeat_n(0, n - given.len()));
                return (n > 0 || len == 0).then(|| Ret::ok(n as i64));
            }
            return Some(Ret::err("EPIPE"));
        }
        if self.sock(fd).is_none() {
            return Some(self.no_socket(fd));
        }
        let Some(id) = self.conn_id(fd) else {
            return Some(Ret::err(self.take_error(world, fd).unwrap_or("EPIPE")));
        };
        if self.sock(fd)?.pending.is_some()
            && let Some(errno) = self.take_error(world, fd)
        {
            return Some(Ret::err(errno));
        }
        loop {
            let room = self.room_for(world, fd, writing.waited)?;
            let sock = self.sock_mut(fd)?;
            let mut handle = world.stack.conn(world.now, id)?;
            let readiness = handle.readiness();
            if !readiness.connected && readiness.closed.is_none() {
                handle.configure(|conn, _| conn.expect_text(blocking));
                return None;
            }
            let able = readiness.closed.is_none() && !sock.shut_write;
            if able && null && len > 0 {
                return Some(Ret::err("EFAULT"));
            }
            if able && room == 0 && len > 0 {
                sock.no_space = true;
                writing.waited = true;
                return None;
            }
            writing.waited = false;
            // What ended the connection is told before anything else.
            let most = len.saturating_sub(writing.done).min(room);
            let made;
            let data = match &writing.text {
                Some(text) => text.get(writing.done..).map_or(&[][..], |t| t.get(..most).unwrap_or(t)),
                None => {
                    made = seq::octets(sock.written, most);
                    &made
                }
            };
            let result = if urgent { handle.write_urgent(data) } else { handle.write(data) };
            match result {
                Ok(n) => {
                    writing.done += n;
                    sock.written = sock.written.wrapping_add(n as u32);
                    sock.record_ended = false;
                    if writing.done >= len {
                        sock.record_ended = ends_record;
                        if writing.zero_copy && sock.opts.zero_copy && len > 0 {
                            sock.zero_copy.began(sock.written);
                        }
                        handle.configure(|conn, _| {
                            conn.set_more(more);
                            if ends_record {
                                conn.end_record();
                            }
                        });
                        return Some(Ret::ok(writing.done as i64));
                    }
                }
                Err(WriteError::WouldBlock) => {
                    writing.waited = true;
                    return None;
                }
                Err(_) if writing.done > 0 => return Some(Ret::ok(writing.done as i64)),
                Err(_) => {
                    drop(handle);
                    return Some(Ret::err(self.take_error(world, fd).unwrap_or("EPIPE")));
                }
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
                        let (len, text) = (octets.len(), Some(octets.clone()));
                        Ok(self.write(world, &mut Writing { fd: to, len, text, ..Writing::default() }, false))
                    }
                    _ => Ok(Some(ret)),
                }
            }
            (Some(Fd::PipeRead(held)), Some(Fd::Sock(_))) => {
                let len = held.len().min(len);
                let octets = held.get(..len).unwrap_or_default().to_vec();
                let text = (self.octets == Octets::Given).then_some(octets);
                let mut writing = Writing { fd: to, len, text, ..Writing::default() };
                let ret = self.write(world, &mut writing, false);
                let done = writing.done;
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
        let inline = self.sock(fd).is_some_and(|s| s.opts.urgent_inline);
        let Some(handle) = world.stack.conn(world.now, id) else { return Ok(Ret::err("EINVAL")) };
        let info = handle.info();
        // Our FIN counts as one octet until it is acknowledged; before the handshake nothing counts.
        let fin = u32::from(matches!(info.state, State::FinWait1 | State::Closing | State::LastAck));
        let open = !matches!(info.state, State::SynSent | State::SynReceived);
        let queued = if open { info.send_queue + fin } else { 0 };
        let value = match command {
            // The urgent octet and what is behind it do not count where it is not part of the stream.
            SIOCINQ => match handle.get().urgent() {
                Some(n) if !inline && n <= info.recv_queue => n - 1,
                _ => info.recv_queue,
            },
            SIOCOUTQ => queued,
            SIOCOUTQNSD => queued.saturating_sub(info.snd_nxt.since(info.snd_una)),
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
    handle.readiness().closed.is_some()
        || matches!(
            handle.get().state(),
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait | State::Closed
        )
}
