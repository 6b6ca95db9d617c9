//! System calls as a program on Linux sees them, over the stack: descriptors, blocking, errno.

use std::collections::BTreeMap;
use std::time::Duration;

use synfin_net::{ConnId, ListenError, ListenOpts, ListenerId, Stack, SynOverflow};
use synfin_tcp::{CloseReason, Readiness, State};
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

use crate::ast::{Call, Expr};
use crate::consts::number;
use crate::profile::Profile;
use crate::tcpinfo::{self, Fields};
use crate::trace::Trace;

mod chrono;
mod files;
mod io;
mod life;
mod opts;
mod poll;
mod room;
mod zerocopy;

use io::{Reading, Writing};
pub use io::{control_wrong, message, message_out, vector};
use opts::Opts;
use poll::EpollSet;
pub use poll::{epoll_wrong, poll_items, poll_wrong};
use zerocopy::ZeroCopy;

/// What a call works on.
pub(crate) struct World<'a> {
    pub stack: &'a mut Stack,
    pub now: Instant,
    pub profile: &'a Profile,
    pub trace: &'a Trace,
    pub addrs: &'a Addresses,
}

/// Who talks to whom in a script.
#[derive(Copy, Clone, Debug)]
pub struct Addresses {
    /// The sockets' address.
    pub local: Addr,
    /// The address that packets of the script come from.
    pub remote: Addr,
    /// Where `bind(3, ..., ...)` binds to.
    pub bind_port: u16,
    /// Where `connect(3, ..., ...)` connects to.
    pub connect_port: u16,
}

/// Something that a call returned through its arguments, and that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What it is.
    pub what: String,
    /// What the script wants.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl Wrong {
    /// Nothing if the two are the same.
    pub fn unless_same(what: &str, expected: String, actual: String) -> Vec<Wrong> {
        if expected == actual { Vec::new() } else { vec![Wrong { what: what.into(), expected, actual }] }
    }
}

/// What a call hands out through its arguments.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Handed {
    /// Nothing.
    #[default]
    Nothing,
    /// Octets that were received.
    Octets(Vec<u8>),
    /// The value of a socket option, or the answer of an ioctl.
    Value(Value),
    /// `revents` of each descriptor that was polled, in order.
    Revents(Vec<i64>),
    /// Descriptors and what happened on them: epoll.
    Events(Vec<(i64, i64)>),
}

/// A value of a socket option or of an ioctl.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// An int.
    Number(i64),
    /// SO_LINGER: `None` is off; whole seconds count.
    Linger(Option<Duration>),
    /// A name, without a zero at its end.
    Text(&'static str),
    /// SO_ERROR: the name of an errno, if there is one.
    Error(Option<&'static str>),
}

/// What a call returned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ret {
    pub value: i64,
    pub errno: Option<&'static str>,
    pub wrong: Vec<Wrong>,
    pub handed: Handed,
}

impl Ret {
    pub fn ok(value: i64) -> Ret {
        Ret { value, ..Ret::default() }
    }

    pub fn err(errno: &'static str) -> Ret {
        Ret { value: -1, errno: Some(errno), ..Ret::default() }
    }

    /// The call succeeded; this is what it handed out.
    pub fn handing(value: i64, what: &str, expected: String, actual: String) -> Ret {
        let wrong = Wrong::unless_same(what, expected, actual);
        Ret { value, wrong, ..Ret::default() }
    }

    /// With what it hands out.
    pub fn with(self, handed: Handed) -> Ret {
        Ret { handed, ..self }
    }
}

/// A call that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    kind: OpKind,
    nonblock: bool,
    /// When it gives up, and what it returns then.
    deadline: Option<(Instant, Ret)>,
    /// The descriptor that the script expects to get.
    wanted: i64,
}

#[derive(Clone, Debug)]
enum OpKind {
    Accept {
        fd: i64,
        nonblock: bool,
        from: Option<Endpoint>,
    },
    Connect {
        fd: i64,
    },
    Read(Reading),
    Write(Writing),
    /// close() that waits for the peer to take everything.
    Close {
        tuple: Tuple,
    },
    SendFile {
        file: i64,
        write: Writing,
    },
    Splice {
        from: i64,
        to: i64,
        len: usize,
    },
    Poll {
        items: Expr,
    },
    EpollWait {
        fd: i64,
        expected: Expr,
        max: usize,
    },
    Ready(Ret),
}

/// How far a call is.
pub(crate) enum Progress {
    Done(Ret),
    Waits(Op),
}

/// What a descriptor stands for.
#[derive(Debug)]
enum Fd {
    Sock(Box<Sock>),
    Epoll(EpollSet),
    /// Octets in a pipe; both ends share the number of the read end.
    PipeRead(Vec<u8>),
    PipeWrite(i64),
    /// A file without end: what of it was read.
    File(u64),
}

/// A socket.
#[derive(Debug)]
struct Sock {
    v6: bool,
    kind: Kind,
    nonblock: bool,
    bound: Option<Endpoint>,
    opts: Opts,
    /// The error that ended the connection was told.
    error_told: bool,
    /// connect() has returned 0.
    connect_told: bool,
    /// Octets that the program has read and written.
    read: u32,
    written: u32,
    /// The urgent octet was taken out of the stream.
    urgent_taken: bool,
    /// The last thing written ended a record.
    record_ended: bool,
    zero_copy: ZeroCopy,
    /// A write found no room.
    no_space: bool,
    chrono: chrono::Chrono,
    /// The program is told of this error next, whatever became of the connection.
    pending: Option<&'static str>,
    /// Directions that were shut down.
    shut_read: bool,
    shut_write: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Kind {
    Fresh,
    Listening(ListenerId),
    Conn(ConnId),
}

/// Where the octets come from that a program writes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Octets {
    /// Each tells its place in the stream: scripts do not say them.
    #[default]
    Numbered,
    /// The program gives them: [`Sys::set_text`].
    Given,
}

/// All descriptors of a script.
#[derive(Debug, Default)]
pub(crate) struct Sys {
    octets: Octets,
    fds: BTreeMap<i64, Fd>,
    /// The socket that became a connection last: the one that code asks about.
    current: Option<i64>,
    /// What was asked for, and has no effect here.
    notes: Vec<String>,
}

/// What can be understood of a call; the error says why it cannot.
pub type Called<T> = Result<T, String>;

/// The argument at place `i`.
///
/// # Errors
/// There are fewer.
pub fn arg(call: &Call, i: usize) -> Called<&Expr> {
    call.args.get(i).ok_or_else(|| format!("{} needs {} arguments at least", call.name, i + 1))
}

/// The number that stands at place `i`.
///
/// # Errors
/// None stands there.
pub fn int(call: &Call, i: usize) -> Called<i64> {
    number(arg(call, i)?)
}

/// The number of octets that stands at place `i`.
///
/// # Errors
/// None stands there, or one that is beyond reason.
pub fn length(call: &Call, i: usize) -> Called<usize> {
    let n = int(call, i)?;
    // More than this in one call is a slip of the pen, and would cost that much memory.
    usize::try_from(n).ok().filter(|n| *n <= 1 << 30).ok_or_else(|| format!("length {n}"))
}

/// A call that is over as soon as it begins.
fn at_once(ret: Ret) -> Op {
    Op { kind: OpKind::Ready(ret), nonblock: true, deadline: None, wanted: 0 }
}

impl Sys {
    /// No descriptors yet.
    pub fn new(octets: Octets) -> Sys {
        Sys { octets, ..Sys::default() }
    }

    /// Begins a call. It may be over at once: [`Sys::attempt`] tells.
    ///
    /// # Errors
    /// The call, or what it asks for, does not exist here.
    pub fn begin(&mut self, world: &mut World<'_>, call: &Call) -> Called<Op> {
        let wanted = number(&call.result).ok().filter(|n| *n >= 0).unwrap_or_else(|| self.free_fd());
        let ret = match call.name.as_str() {
            "socket" => self.socket(call, wanted)?,
            "bind" => self.bind(world, call)?,
            "listen" => self.listen(world, call)?,
            "close" => return Ok(self.close(world, int(call, 0)?)),
            "open" => {
                self.fds.insert(wanted, Fd::File(0));
                Ret::ok(wanted)
            }
            "shutdown" => self.shutdown(world, int(call, 0)?, int(call, 1)?)?,
            "fcntl" => self.fcntl(call)?,
            "ioctl" => self.ioctl(world, call)?,
            "setsockopt" => self.setsockopt(world, call)?,
            "getsockopt" => self.getsockopt(world, call)?,
            "epoll_create" | "epoll_create1" => {
                self.fds.insert(wanted, Fd::Epoll(EpollSet::default()));
                Ret::ok(wanted)
            }
            "epoll_ctl" => self.epoll_ctl(call)?,
            "pipe" => self.pipe(call)?,
            _ => return self.begin_waiting(world, call, wanted),
        };
        Ok(at_once(ret))
    }

    /// Calls that can wait.
    fn begin_waiting(&mut self, world: &mut World<'_>, call: &Call, wanted: i64) -> Called<Op> {
        let fd = int(call, 0);
        let plain = |kind| Op { kind, nonblock: false, deadline: None, wanted };
        let mut op = match call.name.as_str() {
            "accept" => plain(OpKind::Accept { fd: fd?, nonblock: false, from: named_peer(call) }),
            "accept4" => {
                let nonblock = int(call, 3)? & 0o4000 != 0;
                plain(OpKind::Accept { fd: fd?, nonblock, from: named_peer(call) })
            }
            "connect" => return self.connect(world, call),
            "read" => plain(io::read_op(fd?, length(call, 2)?, 0).null(arg(call, 1)?)),
            "recv" | "recvfrom" => {
                plain(io::read_op(fd?, length(call, 2)?, int(call, 3)?).null(arg(call, 1)?))
            }
            "readv" => plain(io::read_op(fd?, io::vector(arg(call, 1)?)?, 0)),
            "sendfile" => return self.begin_sendfile(call, wanted),
            "recvmsg" => plain(io::recvmsg(fd?, arg(call, 1)?, int(call, 2)?)?),
            "write" => plain(self.write_op(fd?, length(call, 2)?, 0)?.null(arg(call, 1)?)),
            "send" | "sendto" => {
                plain(self.write_op(fd?, length(call, 2)?, int(call, 3)?)?.null(arg(call, 1)?))
            }
            "writev" => plain(self.write_op(fd?, io::vector(arg(call, 1)?)?, 0)?),
            "sendmsg" => plain(self.sendmsg(fd?, arg(call, 1)?, int(call, 2)?)?),
            "splice" => plain(OpKind::Splice { from: fd?, to: int(call, 2)?, len: length(call, 4)? }),
            "poll" => return self.begin_poll(world, call, wanted),
            "epoll_wait" => return self.begin_epoll_wait(world, call, wanted),
            other => return Err(format!("system call {other} is not supported")),
        };
        let flags = match call.name.as_str() {
            "recv" | "recvfrom" | "send" | "sendto" => int(call, 3)?,
            "recvmsg" | "sendmsg" => int(call, 2)?,
            _ => 0,
        };
        if let OpKind::Accept { fd, .. }
        | OpKind::Read(Reading { fd, .. })
        | OpKind::Write(Writing { fd, .. }) = &op.kind
            && let Some(sock) = self.sock(*fd)
        {
            op.nonblock = sock.nonblock || flags & MSG_DONTWAIT != 0;
            let timeout = if matches!(op.kind, OpKind::Write(_)) {
                sock.opts.send_timeout
            } else {
                sock.opts.recv_timeout
            };
            op.deadline = timeout.map(|t| (world.now + t, Ret::err("EAGAIN")));
        }
        Ok(op)
    }

    /// Goes on with a call; a call that may not wait gives up with EAGAIN.
    pub fn attempt(&mut self, world: &mut World<'_>, mut op: Op) -> Called<Progress> {
        let done = match &mut op.kind {
            OpKind::Ready(ret) => Some(ret.clone()),
            OpKind::Accept { fd, nonblock, from } => {
                let (fd, nonblock) = (*fd, *nonblock);
                self.accept(world, fd, nonblock, *from, op.wanted)
            }
            OpKind::Connect { fd } => {
                let fd = *fd;
                self.connected(world, fd)
            }
            OpKind::Read(reading) => self.read(world, reading, op.nonblock)?,
            OpKind::Write(writing) => self.write(world, writing, !op.nonblock),
            OpKind::SendFile { file, write } => self.send_file(world, *file, write),
            OpKind::Close { tuple } => life::closed_for_good(world, tuple).then(|| Ret::ok(0)),
            OpKind::Splice { from, to, len } => self.splice(world, *from, *to, *len)?,
            OpKind::Poll { items } => self.poll(world, items)?,
            OpKind::EpollWait { fd, expected, max } => self.epoll_wait(world, *fd, expected, *max)?,
        };
        if let Some(ret) = done {
            return Ok(Progress::Done(ret));
        }
        let over = op.deadline.as_ref().is_some_and(|(at, _)| *at <= world.now);
        if !over && !op.nonblock {
            return Ok(Progress::Waits(op));
        }
        // What was done until then counts.
        let ret = match op.kind {
            OpKind::Write(Writing { done, .. }) | OpKind::SendFile { write: Writing { done, .. }, .. }
                if done > 0 =>
            {
                Ret::ok(done as i64)
            }
            OpKind::Read(reading) if !reading.got.is_empty() => reading.finish(),
            OpKind::Connect { .. } if op.nonblock => Ret::err("EINPROGRESS"),
            _ => match op.deadline {
                Some((_, ret)) if over => ret,
                _ => Ret::err("EAGAIN"),
            },
        };
        Ok(Progress::Done(ret))
    }

    /// The octets of a call that writes; without effect where octets are numbered.
    pub fn set_text(&self, op: &mut Op, octets: &[u8]) {
        if let (OpKind::Write(writing), Octets::Given) = (&mut op.kind, self.octets) {
            writing.text = Some(octets.to_vec());
        }
    }

    /// Something that was asked for has no effect here.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What was asked for, and has no effect here.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn free_fd(&self) -> i64 {
        (3..).find(|fd| !self.fds.contains_key(fd)).unwrap_or(i64::MAX)
    }

    fn sock(&self, fd: i64) -> Option<&Sock> {
        match self.fds.get(&fd) {
            Some(Fd::Sock(sock)) => Some(sock),
            _ => None,
        }
    }

    fn sock_mut(&mut self, fd: i64) -> Option<&mut Sock> {
        match self.fds.get_mut(&fd) {
            Some(Fd::Sock(sock)) => Some(sock),
            _ => None,
        }
    }

    fn conn_id(&self, fd: i64) -> Option<ConnId> {
        match self.sock(fd)?.kind {
            Kind::Conn(id) => Some(id),
            _ => None,
        }
    }

    /// EBADF or ENOTSOCK for a descriptor that is no socket.
    fn no_socket(&self, fd: i64) -> Ret {
        Ret::err(if self.fds.contains_key(&fd) { "ENOTSOCK" } else { "EBADF" })
    }

    fn socket(&mut self, call: &Call, wanted: i64) -> Called<Ret> {
        let v6 = arg(call, 0)? == &Expr::Word("AF_INET6".into());
        let kind = int(call, 1)?;
        let protocol = int(call, 2)?;
        if kind & 0xf != 1 || !matches!(protocol, 0 | 6) {
            return Err(format!("only TCP sockets are supported, not {}", arg(call, 1)?));
        }
        let nonblock = kind & 0o4000 != 0;
        self.fds.insert(wanted, Fd::Sock(Box::new(Sock::new(v6, nonblock, Kind::Fresh, Opts::default()))));
        Ok(Ret::ok(wanted))
    }

    fn bind(&mut self, world: &World<'_>, call: &Call) -> Called<Ret> {
        let fd = int(call, 0)?;
        let at = match socket_address(arg(call, 1)?)? {
            Some(Some(at)) => at,
            Some(None) => return Ok(Ret::err("EAFNOSUPPORT")),
            None => Endpoint::new(world.addrs.local, world.addrs.bind_port),
        };
        if self.sock(fd).is_none() {
            return Ok(self.no_socket(fd));
        }
        let ours = at.addr.is_unspecified() || world.stack.addrs().iter().any(|c| c.addr == at.addr);
        if !ours {
            return Ok(Ret::err("EADDRNOTAVAIL"));
        }
        let reuse = self.sock(fd).is_some_and(|s| s.opts.reuse);
        let mut connected = false;
        world.stack.for_each_record(&mut |t, _| connected |= t.local.port == at.port);
        let taken = self.fds.iter().any(|(other, f)| match f {
            Fd::Sock(s) if *other != fd && s.bound == Some(at) && at.port != 0 => {
                !(s.opts.reuse && reuse) || matches!(s.kind, Kind::Listening(_))
            }
            _ => false,
        });
        let Some(sock) = self.sock_mut(fd) else { return Ok(Ret::err("EBADF")) };
        if sock.bound.is_some() || sock.kind != Kind::Fresh {
            return Ok(Ret::err("EINVAL"));
        }
        if taken || (connected && !reuse) {
            return Ok(Ret::err("EADDRINUSE"));
        }
        sock.bound = Some(at);
        Ok(Ret::ok(0))
    }

    fn listen(&mut self, world: &mut World<'_>, call: &Call) -> Called<Ret> {
        let (fd, backlog) = (int(call, 0)?, int(call, 1)?);
        let Some(sock) = self.sock_mut(fd) else { return Ok(self.no_socket(fd)) };
        match sock.kind {
            Kind::Listening(_) => return Ok(Ret::ok(0)),
            Kind::Conn(_) => return Ok(Ret::err("EINVAL")),
            Kind::Fresh => {}
        }
        sock.opts.prepare(world.profile, world.stack.tcp_config_mut());
        let backlog = u32::try_from(backlog).unwrap_or(4096).min(4096);
        let overflow = if world.profile.cookies { SynOverflow::Cookie } else { SynOverflow::Drop };
        let opts = ListenOpts {
            backlog: backlog.saturating_add(world.profile.backlog_extra),
            syn_overflow: overflow,
            ..ListenOpts::default()
        };
        let unspecified = Endpoint::new(world.addrs.local.unspecified_like(), 0);
        match world.stack.listen(sock.bound.unwrap_or(unspecified), opts) {
            Ok(id) => {
                sock.kind = Kind::Listening(id);
                Ok(Ret::ok(0))
            }
            Err(ListenError::InUse | ListenError::NoPort) => Ok(Ret::err("EADDRINUSE")),
            Err(ListenError::NotOurs) => Ok(Ret::err("EADDRNOTAVAIL")),
        }
    }

    /// `from`: the address that the script names.
    fn accept(
        &mut self,
        world: &mut World<'_>,
        fd: i64,
        nonblock: bool,
        from: Option<Endpoint>,
        wanted: i64,
    ) -> Option<Ret> {
        let Some(sock) = self.sock(fd) else { return Some(self.no_socket(fd)) };
        let Kind::Listening(listener) = sock.kind else { return Some(Ret::err("EINVAL")) };
        let (v6, opts) = (sock.v6, sock.opts.clone());
        let (id, peer) = world.stack.accept(world.now, listener)?;
        if let Some(mut handle) = world.stack.conn(world.now, id) {
            opts.apply(world.profile, &mut handle);
        }
        let mut accepted = Sock::new(v6, nonblock, Kind::Conn(id), opts);
        accepted.connect_told = true;
        self.fds.insert(wanted, Fd::Sock(Box::new(accepted)));
        self.current = Some(wanted);
        match from.filter(|from| *from != peer.remote) {
            Some(from) => Some(Ret::handing(wanted, "address", from.to_string(), peer.remote.to_string())),
            None => Some(Ret::ok(wanted)),
        }
    }

    fn fcntl(&mut self, call: &Call) -> Called<Ret> {
        let (fd, command) = (int(call, 0)?, int(call, 1)?);
        let Some(sock) = self.sock_mut(fd) else { return Ok(self.no_socket(fd)) };
        match command {
            F_GETFL => Ok(Ret::ok(2 | if sock.nonblock { 0o4000 } else { 0 })),
            F_SETFL => {
                sock.nonblock = int(call, 2)? & 0o4000 != 0;
                Ok(Ret::ok(0))
            }
            // Descriptor flags: closing on exec changes nothing here.
            F_GETFD => Ok(Ret::ok(0)),
            F_SETFD => Ok(Ret::ok(0)),
            other => Err(format!("fcntl command {other} is not supported")),
        }
    }

    fn pipe(&mut self, call: &Call) -> Called<Ret> {
        let Expr::Array(ends) = arg(call, 0)? else { return Err("pipe needs [a, b]".into()) };
        let [read, write] = ends.as_slice() else { return Err("pipe needs [a, b]".into()) };
        let (read, write) = (number(read)?, number(write)?);
        self.fds.insert(read, Fd::PipeRead(Vec::new()));
        self.fds.insert(write, Fd::PipeWrite(read));
        Ok(Ret::ok(0))
    }

    /// The errno of what ended a connection, once.
    fn take_error(&mut self, world: &mut World<'_>, fd: i64) -> Option<&'static str> {
        if let Some(errno) = self.sock_mut(fd)?.pending.take() {
            return Some(errno);
        }
        let id = self.conn_id(fd)?;
        if self.sock(fd)?.error_told {
            return None;
        }
        let handle = world.stack.conn(world.now, id)?;
        let (reason, tuple) = (handle.readiness().closed?, *handle.get().tuple());
        let errno = close_errno(world.trace, reason, &tuple)?;
        drop(handle);
        self.sock_mut(fd)?.error_told = true;
        Some(errno)
    }

    /// Whether a descriptor is a socket of IPv6, and who its peer is.
    pub fn peer(&self, world: &mut World<'_>, fd: i64) -> Option<(bool, Option<Endpoint>)> {
        let v6 = self.sock(fd)?.v6;
        let handle = self.conn_id(fd).and_then(|id| world.stack.conn(world.now, id));
        Some((v6, handle.map(|h| h.get().tuple().remote)))
    }

    /// What can be done with a connection, and its state.
    fn ready(&self, world: &mut World<'_>, id: ConnId) -> Option<(Readiness, State)> {
        world.stack.conn(world.now, id).map(|h| (h.readiness(), h.get().state()))
    }

    /// Fields of the connection that code asks about: the one that was opened or accepted last.
    pub fn tcp_info(&self, world: &mut World<'_>) -> Option<Fields> {
        self.tcp_info_of(world, self.current?)
    }

    /// Fields of a descriptor's connection.
    pub fn tcp_info_of(&self, world: &mut World<'_>, fd: i64) -> Option<Fields> {
        let id = self.conn_id(fd)?;
        let mss = synfin_net_mss(world);
        let handle = world.stack.conn(world.now, id)?;
        let (info, tuple) = (handle.info(), *handle.get().tuple());
        drop(handle);
        let mut fields = tcpinfo::fields(&info, mss, &tuple, world);
        let [busy, window, buffer] = self.sock(fd)?.chrono.micros(world.now);
        fields.extend([
            ("tcpi_busy_time", busy),
            ("tcpi_rwnd_limited", window),
            ("tcpi_sndbuf_limited", buffer),
        ]);
        Some(fields)
    }

    /// When a waiting call gives up on its own.
    pub fn deadline(op: &Op) -> Instant {
        op.deadline.as_ref().map_or(Instant::NEVER, |(at, _)| *at)
    }
}

/// What our side takes as the largest segment: MTU less headers.
fn synfin_net_mss(world: &World<'_>) -> u16 {
    let headers = if world.addrs.local.is_v4() { 40 } else { 60 };
    world.trace.mtu().saturating_sub(headers)
}

const F_GETFD: i64 = 1;
const F_SETFD: i64 = 2;
const F_GETFL: i64 = 3;
const F_SETFL: i64 = 4;
const MSG_DONTWAIT: i64 = 0x40;

impl Sock {
    fn new(v6: bool, nonblock: bool, kind: Kind, opts: Opts) -> Sock {
        Sock {
            v6,
            kind,
            nonblock,
            bound: None,
            opts,
            error_told: false,
            connect_told: false,
            read: 0,
            written: 0,
            urgent_taken: false,
            record_ended: false,
            pending: None,
            zero_copy: ZeroCopy::default(),
            no_space: false,
            chrono: chrono::Chrono::default(),
            shut_read: false,
            shut_write: false,
        }
    }
}

/// The address that a script expects accept() to hand out, if it names one.
fn named_peer(call: &Call) -> Option<Endpoint> {
    socket_address(call.args.get(1)?).ok().flatten().flatten()
}

/// `...` is `None`; AF_UNSPEC is `Some(None)`.
///
/// # Errors
/// It is no address, or of a family that is not known.
pub fn socket_address(expr: &Expr) -> Called<Option<Option<Endpoint>>> {
    let Some(family) = expr.field("sa_family") else {
        return match expr {
            Expr::Ellipsis => Ok(None),
            other => Err(format!("not an address: {other}")),
        };
    };
    if number(family)? == 0 {
        return Ok(Some(None));
    }
    let applied = |name: &str| match expr.field(name) {
        Some(Expr::Apply(_, args)) => args.first().cloned(),
        Some(other) => Some(other.clone()),
        None => None,
    };
    let port = applied("sin_port").map_or(Ok(0), |p| number(&p))?;
    let port = u16::try_from(port).map_err(|_| format!("port {port}"))?;
    let addr = match applied("sin_addr").or_else(|| applied("sin6_addr")) {
        Some(Expr::Text(text)) => {
            text.parse::<std::net::IpAddr>().map_err(|_| format!("address {text}"))?.into()
        }
        Some(Expr::Word(w)) if w == "INADDR_ANY" => Addr::V4_UNSPECIFIED,
        other => return Err(format!("address {other:?}")),
    };
    Ok(Some(Some(Endpoint::new(addr, port))))
}

/// The errno of an end; RST in CLOSE_WAIT is EPIPE, as on Linux. An end in peace has none.
fn close_errno(trace: &Trace, reason: CloseReason, tuple: &Tuple) -> Option<&'static str> {
    match reason {
        CloseReason::Done => None,
        CloseReason::Reset if trace.closed_from(tuple) == Some(State::CloseWait) => Some("EPIPE"),
        CloseReason::Reset => Some("ECONNRESET"),
        // Only the SYN itself is refused; a crossing open is reset.
        CloseReason::Refused if trace.closed_from(tuple) == Some(State::SynReceived) => Some("ECONNRESET"),
        CloseReason::Refused => Some(trace.icmp_errno().unwrap_or("ECONNREFUSED")),
        CloseReason::TimedOut => Some(trace.icmp_errno().unwrap_or("ETIMEDOUT")),
        CloseReason::Unreachable => Some(trace.icmp_errno().unwrap_or("EHOSTUNREACH")),
        CloseReason::Aborted | CloseReason::FinWait2Expired => Some("ECONNABORTED"),
        CloseReason::StackLimit | CloseReason::ZeroWindow => Some("ENOMEM"),
        _ => Some("EIO"),
    }
}

/// Whole seconds, as an option's value.
fn seconds(n: i64) -> Option<Duration> {
    u64::try_from(n).ok().map(Duration::from_secs)
}
