//! Calls of a script as calls of the system: descriptors, arguments, and what comes back.

use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketFlags, SocketType,
};
use rustix::pipe::{PipeFlags, SpliceFlags};
use synfin_script::Setup;
use synfin_script::ast::{Call, Expr};
use synfin_script::call::{
    Called, Wrong, arg, control_wrong, epoll_wrong, int, length, message, message_out, number, octets,
    poll_items, poll_wrong, socket_address, value, vector,
};
use synfin_script::host::{Fields, Micros, Returned};
use synfin_script::setup::Family;
use synfin_sockopt::{Queue, SockOpt};
use synfin_wire::Endpoint;

use crate::caller::Work;
use crate::{address, info};

mod option;

/// Room for control messages.
const CONTROL: usize = 256;
const MSG_PEEK: i64 = 2;
const MSG_OOB: i64 = 1;
const MSG_TRUNC: i64 = 0x20;
const MSG_FASTOPEN: i64 = 0x2000_0000;

/// What a call of the system gave back.
pub(crate) struct Answer {
    value: Result<i64, i32>,
    out: Out,
}

/// What came with it.
enum Out {
    Nothing,
    Opened(OwnedFd),
    Pipe(OwnedFd, OwnedFd),
    Octets(Vec<u8>),
    /// With its flags, and what TCP_CM_INQ told.
    Message(Vec<u8>, i64, Option<i64>),
    Told(Vec<i64>),
    Events(Vec<(i64, i64)>),
    Number(i64),
    Value(Vec<u8>),
}

/// How an answer is looked at.
pub(crate) enum Judge {
    Plain,
    /// It is a new descriptor, of a socket of this family if told.
    Opened {
        wanted: i64,
        v6: Option<bool>,
        connection: bool,
    },
    Pipe {
        read: i64,
        write: i64,
    },
    Read {
        fd: i64,
        flags: i64,
    },
    Message {
        fd: i64,
        flags: i64,
        msg_flags: Option<i64>,
        control: Option<Expr>,
    },
    Written {
        fd: i64,
    },
    Poll {
        items: Expr,
    },
    Epoll {
        expected: Expr,
    },
    Number {
        expected: Expr,
    },
    Option {
        expected: Expr,
        len: Expr,
    },
}

/// A call with everything that it needs.
pub(crate) enum Prepared {
    Work(Work, Judge),
    /// There is nothing to be asked of the system.
    AtOnce(Returned),
}

/// What a number of the script stands for.
struct Entry {
    fd: Arc<OwnedFd>,
    /// A socket, of IPv6 or not.
    v6: Option<bool>,
    /// Octets of either stream that have passed.
    read: u32,
    written: u32,
}

/// All descriptors of a script.
pub(crate) struct Calls {
    setup: Setup,
    fds: BTreeMap<i64, Entry>,
    /// The socket that became a connection last.
    current: Option<i64>,
    /// Urgent text came in: a read may leave out an octet.
    urgent: bool,
    /// The congestion control of new sockets, where the namespace cannot have it as its default.
    congestion: Option<String>,
}

fn returned(at: Micros, value: i64, errno: Option<i32>) -> Returned {
    Returned { at, value, errno: errno.map(errno_name), wrong: Vec::new() }
}

/// `EAGAIN`
fn errno_name(number: i32) -> String {
    format!("{:?}", Errno::from_raw(number))
}

fn plain(value: Result<i64, rustix::io::Errno>) -> Answer {
    with(value, Out::Nothing)
}

fn with(value: Result<i64, rustix::io::Errno>, out: Out) -> Answer {
    Answer { value: value.map_err(rustix::io::Errno::raw_os_error), out }
}

fn nothing(result: Result<(), rustix::io::Errno>) -> Answer {
    plain(result.map(|()| 0))
}

fn count(result: Result<usize, rustix::io::Errno>) -> Answer {
    plain(result.map(|n| n as i64))
}

fn opened(result: Result<OwnedFd, rustix::io::Errno>) -> Answer {
    match result {
        Ok(fd) => with(Ok(0), Out::Opened(fd)),
        Err(errno) => plain(Err(errno)),
    }
}

fn system(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

fn work(call: impl FnOnce() -> Answer + Send + 'static, judge: Judge) -> Called<Prepared> {
    Ok(Prepared::Work(Box::new(call), judge))
}

fn ready(value: i64, errno: &str) -> Called<Prepared> {
    Ok(Prepared::AtOnce(Returned { at: 0, value, errno: Some(errno.into()), wrong: Vec::new() }))
}

fn bits(number: i64) -> Called<u32> {
    u32::try_from(number).map_err(|_| format!("flags {number}"))
}

impl Calls {
    pub fn new(setup: &Setup) -> Calls {
        Calls { setup: setup.clone(), fds: BTreeMap::new(), current: None, urgent: false, congestion: None }
    }

    pub fn set_congestion(&mut self, name: Option<String>) {
        self.congestion = name;
    }

    /// Reads may leave out an octet from now on if this segment has an urgent pointer.
    pub fn note_urgent(&mut self, packet: &[u8]) {
        let head = if packet.first().is_some_and(|b| b >> 4 == 4) { 20 } else { 40 };
        self.urgent |= packet.get(head + 13).is_some_and(|flags| flags & 0x20 != 0);
    }

    /// Whoever still waits on a socket waits no longer.
    pub fn wake_all(&mut self) {
        for entry in self.fds.values().filter(|e| e.v6.is_some()) {
            // One that is not connected has nobody who waits.
            let _ = rustix::net::shutdown(&*entry.fd, Shutdown::Both);
        }
        self.fds.clear();
    }

    /// What the kernel knows of the connection that was opened or accepted last.
    pub fn info(&self) -> Fields {
        match self.current.and_then(|fd| self.fds.get(&fd)) {
            Some(entry) => info::fields(entry.fd.as_fd()),
            None => Fields::new(),
        }
    }

    fn free(&self) -> i64 {
        (3..).find(|n| !self.fds.contains_key(n)).unwrap_or(3)
    }

    /// A call, ready to be made.
    ///
    /// # Errors
    /// It, or what it asks for, is not known here.
    pub fn prepare(&mut self, call: &Call) -> Called<Prepared> {
        let wanted = number(&call.result).ok().filter(|n| *n >= 0).unwrap_or_else(|| self.free());
        match call.name.as_str() {
            "socket" => return self.socket(call, wanted),
            "epoll_create" | "epoll_create1" => {
                let judge = Judge::Opened { wanted, v6: None, connection: false };
                return work(|| opened(epoll::create(epoll::CreateFlags::CLOEXEC)), judge);
            }
            "open" => {
                let judge = Judge::Opened { wanted, v6: None, connection: false };
                return work(|| opened(memfd_create("file", MemfdFlags::CLOEXEC)), judge);
            }
            "pipe" => return self.pipe(call),
            "poll" => return self.poll(call),
            _ => {}
        }
        let number = int(call, 0)?;
        let Some(entry) = self.fds.get(&number) else { return ready(-1, "EBADF") };
        let (fd, v6) = (Arc::clone(&entry.fd), entry.v6);
        let v6_socket = v6.unwrap_or(false);
        match call.name.as_str() {
            "bind" => {
                let at = self.address(arg(call, 1)?, true)?;
                let Some(at) = at else { return ready(-1, "EAFNOSUPPORT") };
                let at = address::socket_address(at, v6_socket);
                work(move || nothing(rustix::net::bind(&*fd, &at)), Judge::Plain)
            }
            "listen" => {
                let backlog = int(call, 1)?;
                let backlog = i32::try_from(backlog).map_err(|_| format!("backlog {backlog}"))?;
                work(move || nothing(rustix::net::listen(&*fd, backlog)), Judge::Plain)
            }
            "accept" | "accept4" => {
                let flags = if call.name == "accept4" { int(call, 3)? } else { 0 };
                let flags = SocketFlags::from_bits_retain(bits(flags)?) | SocketFlags::CLOEXEC;
                let judge = Judge::Opened { wanted, v6, connection: true };
                work(move || opened(rustix::net::accept_with(&*fd, flags)), judge)
            }
            "connect" => {
                let Some(to) = self.address(arg(call, 1)?, false)? else {
                    return work(move || nothing(rustix::net::connect_unspec(&*fd)), Judge::Plain);
                };
                let to = address::socket_address(to, v6_socket);
                self.current = Some(number);
                work(move || nothing(rustix::net::connect(&*fd, &to)), Judge::Plain)
            }
            "close" => {
                // Its last owner closes it.
                drop(fd);
                let Some(entry) = self.fds.remove(&number) else { return ready(-1, "EBADF") };
                work(move || close(entry.fd), Judge::Plain)
            }
            "shutdown" => {
                let how = match int(call, 1)? {
                    0 => Shutdown::Read,
                    1 => Shutdown::Write,
                    2 => Shutdown::Both,
                    _ => return ready(-1, "EINVAL"),
                };
                work(move || nothing(rustix::net::shutdown(&*fd, how)), Judge::Plain)
            }
            "fcntl" => fcntl(call, fd),
            "ioctl" => ioctl(call, fd),
            "setsockopt" => option::set(call, fd),
            "getsockopt" => option::get(call, fd),
            "epoll_ctl" => self.epoll_ctl(call, fd),
            "epoll_wait" => epoll_wait(call, fd),
            "splice" => self.splice(call, fd),
            "sendfile" => self.sendfile(call, number, fd),
            _ => self.transfer(call, number, fd),
        }
    }

    fn socket(&self, call: &Call, wanted: i64) -> Called<Prepared> {
        let domain = match arg(call, 0)? {
            Expr::Ellipsis => match self.setup.family {
                Family::V4 => 2,
                Family::V6 | Family::Mapped => 10,
            },
            other => number(other)?,
        };
        let (kind, protocol) = (bits(int(call, 1)?)?, bits(int(call, 2)?)?);
        let family = u16::try_from(domain).map_err(|_| format!("family {domain}"))?;
        let flags = SocketFlags::from_bits_retain(kind & !0xf) | SocketFlags::CLOEXEC;
        let congestion = self.congestion.clone();
        let judge = Judge::Opened { wanted, v6: Some(domain == 10), connection: false };
        let make = move || {
            let protocol = std::num::NonZeroU32::new(protocol).map(Protocol::from_raw);
            let (family, kind) = (AddressFamily::from_raw(family), SocketType::from_raw(kind & 0xf));
            let socket = rustix::net::socket_with(family, kind, flags, protocol);
            if let (Ok(socket), Some(name)) = (&socket, congestion)
                && let Some(option) = SockOpt::named("SOL_TCP", "TCP_CONGESTION")
                && let Err(error) = option.set(socket.as_fd(), name.as_bytes())
            {
                return Answer { value: Err(system(error)), out: Out::Nothing };
            }
            opened(socket)
        };
        work(make, judge)
    }

    fn pipe(&mut self, call: &Call) -> Called<Prepared> {
        let Expr::Array(ends) = arg(call, 0)? else { return Err("pipe needs [a, b]".into()) };
        let [read, write] = ends.as_slice() else { return Err("pipe needs [a, b]".into()) };
        let judge = Judge::Pipe { read: number(read)?, write: number(write)? };
        let make = || match rustix::pipe::pipe_with(PipeFlags::CLOEXEC) {
            Ok((read, write)) => with(Ok(0), Out::Pipe(read, write)),
            Err(errno) => plain(Err(errno)),
        };
        work(make, judge)
    }

    fn poll(&self, call: &Call) -> Called<Prepared> {
        let items = arg(call, 0)?.clone();
        let mut asked = Vec::new();
        for (fd, events) in poll_items(&items)? {
            let entry = self.fds.get(&fd).ok_or_else(|| format!("descriptor {fd} is not open"))?;
            let events = u16::try_from(events).map_err(|_| format!("events {events}"))?;
            asked.push((Arc::clone(&entry.fd), PollFlags::from_bits_retain(events)));
        }
        let timeout = timeout(int(call, 2)?);
        let ask = move || {
            let mut fds: Vec<_> = asked.iter().map(|(fd, events)| PollFd::new(&**fd, *events)).collect();
            let value = poll(&mut fds, timeout.as_ref());
            let told = fds.iter().map(|fd| i64::from(fd.revents().bits())).collect();
            with(value.map(|n| n as i64), Out::Told(told))
        };
        work(ask, Judge::Poll { items })
    }

    fn epoll_ctl(&self, call: &Call, epoll: Arc<OwnedFd>) -> Called<Prepared> {
        let (what, number) = (int(call, 1)?, int(call, 2)?);
        let Some(entry) = self.fds.get(&number) else { return ready(-1, "EBADF") };
        let fd = Arc::clone(&entry.fd);
        let events = match what {
            2 => EventFlags::empty(),
            _ => {
                let events = arg(call, 3)?.field("events").ok_or("events to watch")?;
                EventFlags::from_bits_retain(bits(synfin_script::call::number(events)?)?)
            }
        };
        let act = move || {
            let data = EventData::new_u64(number.cast_unsigned());
            nothing(match what {
                1 => epoll::add(&*epoll, &*fd, data, events),
                2 => epoll::delete(&*epoll, &*fd),
                _ => epoll::modify(&*epoll, &*fd, data, events),
            })
        };
        work(act, Judge::Plain)
    }

    fn splice(&self, call: &Call, from: Arc<OwnedFd>) -> Called<Prepared> {
        let (to, len, flags) = (int(call, 2)?, length(call, 4)?, bits(int(call, 5)?)?);
        let Some(entry) = self.fds.get(&to) else { return ready(-1, "EBADF") };
        let to = Arc::clone(&entry.fd);
        let flags = SpliceFlags::from_bits_retain(flags);
        work(move || count(rustix::pipe::splice(&*from, None, &*to, None, len, flags)), Judge::Plain)
    }

    /// A file of a script holds whatever is to be sent of it.
    fn sendfile(&mut self, call: &Call, number: i64, fd: Arc<OwnedFd>) -> Called<Prepared> {
        let (file, len) = (int(call, 1)?, length(call, 3)?);
        let Some(entry) = self.fds.get(&file) else { return ready(-1, "EBADF") };
        let file = Arc::clone(&entry.fd);
        self.transmit(number, len, move |octets| {
            rustix::io::pwrite(&*file, octets, 0)?;
            rustix::fs::sendfile(&*fd, &*file, Some(&mut 0), octets.len())
        })
    }

    /// Calls that move octets.
    fn transfer(&mut self, call: &Call, fd_number: i64, fd: Arc<OwnedFd>) -> Called<Prepared> {
        let flags = match call.name.as_str() {
            "recv" | "recvfrom" | "send" | "sendto" => int(call, 3)?,
            "recvmsg" | "sendmsg" => int(call, 2)?,
            _ => 0,
        };
        let read = || Judge::Read { fd: fd_number, flags };
        let (receive, transmit) =
            (RecvFlags::from_bits_retain(bits(flags)?), SendFlags::from_bits_retain(bits(flags)?));
        match call.name.as_str() {
            "read" => {
                let len = length(call, 2)?;
                work(move || received(len, |into| rustix::io::read(&*fd, into)), read())
            }
            "recv" | "recvfrom" => {
                let len = length(call, 2)?;
                let from = move |into: &mut [u8]| rustix::net::recv(&*fd, into, receive).map(|(n, _)| n);
                work(move || received(len, from), read())
            }
            "readv" => {
                let len = vector(arg(call, 1)?)?;
                let from = move |into: &mut [u8]| rustix::io::readv(&*fd, &mut [IoSliceMut::new(into)]);
                work(move || received(len, from), read())
            }
            "recvmsg" => {
                let expected = arg(call, 1)?;
                let (len, msg_flags) = message(expected)?;
                let control = expected.field("msg_control").cloned();
                let room = if control.is_some() { CONTROL } else { 0 };
                let judge = Judge::Message { fd: fd_number, flags, msg_flags, control };
                work(move || received_message(&fd, len, receive, room), judge)
            }
            "write" => {
                self.transmit(fd_number, length(call, 2)?, move |octets| rustix::io::write(&*fd, octets))
            }
            "writev" => self.transmit(fd_number, vector(arg(call, 1)?)?, move |octets| {
                rustix::io::writev(&*fd, &[IoSlice::new(octets)])
            }),
            "send" => self.transmit(fd_number, length(call, 2)?, move |octets| {
                rustix::net::send(&*fd, octets, transmit)
            }),
            "sendto" => {
                let (to, v6) =
                    (arg(call, 4)?.clone(), self.fds.get(&fd_number).is_some_and(|e| e.v6 == Some(true)));
                let to = self.destination(&to, flags, v6)?;
                self.transmit(fd_number, length(call, 2)?, move |octets| match to {
                    Some(to) => rustix::net::sendto(&*fd, octets, transmit, &to),
                    None => rustix::net::send(&*fd, octets, transmit),
                })
            }
            "sendmsg" => {
                let len = message_out(arg(call, 1)?)?;
                let v6 = self.fds.get(&fd_number).is_some_and(|e| e.v6 == Some(true));
                let to = self.destination(&Expr::Ellipsis, flags, v6)?;
                self.transmit(fd_number, len, move |octets| {
                    let (parts, mut control) = ([IoSlice::new(octets)], SendAncillaryBuffer::default());
                    match to {
                        Some(to) => rustix::net::sendmsg_addr(&*fd, &to, &parts, &mut control, transmit),
                        None => rustix::net::sendmsg(&*fd, &parts, &mut control, transmit),
                    }
                })
            }
            other => Err(format!("system call {other} is not supported")),
        }
    }

    /// Where text goes: named by the script, or by its peer's address if the socket has still to be opened.
    fn destination(&mut self, to: &Expr, flags: i64, v6: bool) -> Called<Option<std::net::SocketAddr>> {
        let opens = flags & MSG_FASTOPEN != 0;
        match to {
            Expr::Ellipsis if !opens => Ok(None),
            Expr::Word(_) | Expr::Int(_) => Ok(None),
            to => Ok(self.address(to, false)?.map(|at| address::socket_address(at, v6))),
        }
    }

    /// Text whose octets tell their place in the stream.
    fn transmit(
        &mut self,
        number: i64,
        len: usize,
        send: impl FnOnce(&[u8]) -> rustix::io::Result<usize> + Send + 'static,
    ) -> Called<Prepared> {
        let entry = self.fds.get(&number);
        if entry.is_some_and(|e| e.v6.is_some()) && self.current.is_none() {
            // Text may open a connection (RFC 7413).
            self.current = Some(number);
        }
        let octets = octets(entry.map_or(0, |e| e.written), len);
        work(move || count(send(&octets)), Judge::Written { fd: number })
    }

    /// Looks at what a call gave back.
    ///
    /// # Errors
    /// The script expects something that is not understood.
    pub fn judge(&mut self, judge: Judge, answer: Answer, at: Micros) -> Called<Returned> {
        let value = match answer.value {
            Ok(value) => value,
            Err(errno) => return Ok(returned(at, -1, Some(errno))),
        };
        let mut ret = returned(at, value, None);
        match (judge, answer.out) {
            (Judge::Opened { wanted, v6, connection }, Out::Opened(fd)) => {
                self.open(wanted, fd, v6);
                ret.value = wanted;
                if connection {
                    self.current = Some(wanted);
                }
            }
            (Judge::Pipe { read, write }, Out::Pipe(from, to)) => {
                self.open(read, from, None);
                self.open(write, to, None);
            }
            (Judge::Read { fd, flags }, Out::Octets(octets)) => {
                ret.wrong = self.octets_wrong(fd, flags, value, &octets);
            }
            (Judge::Message { fd, flags, msg_flags, control }, Out::Message(octets, told, left)) => {
                ret.wrong = self.octets_wrong(fd, flags, value, &octets);
                if let Some(expected) = msg_flags {
                    let show = |flags| format!("{flags:#x}");
                    ret.wrong.extend(Wrong::unless_same("msg_flags", show(expected), show(told)));
                }
                if let Some(expected) = control {
                    ret.wrong.extend(control_wrong(&expected, left)?);
                }
            }
            (Judge::Written { fd }, _) => {
                if let Some(entry) = self.fds.get_mut(&fd) {
                    entry.written = entry.written.wrapping_add(value as u32);
                }
            }
            (Judge::Poll { items }, Out::Told(told)) if value > 0 => ret.wrong = poll_wrong(&items, &told)?,
            (Judge::Epoll { expected }, Out::Events(told)) if value > 0 => {
                ret.wrong = epoll_wrong(&expected, &told)?;
            }
            (Judge::Number { expected }, Out::Number(told)) if expected != Expr::Ellipsis => {
                ret.wrong = Wrong::unless_same("value", number(&expected)?.to_string(), told.to_string());
            }
            (Judge::Option { expected, len }, Out::Value(told)) => {
                ret.wrong = option::wrong(&expected, &len, &told)?;
            }
            _ => {}
        }
        Ok(ret)
    }

    fn open(&mut self, number: i64, fd: OwnedFd, v6: Option<bool>) {
        self.fds.insert(number, Entry { fd: Arc::new(fd), v6, read: 0, written: 0 });
    }

    /// Octets of a stream have to be those of their place in it. Where urgent text has come in, one may be left out.
    fn octets_wrong(&mut self, fd: i64, flags: i64, value: i64, got: &[u8]) -> Vec<Wrong> {
        let Some(entry) = self.fds.get_mut(&fd) else { return Vec::new() };
        if entry.v6.is_none() || flags & MSG_OOB != 0 {
            return Vec::new();
        }
        let peeks = flags & MSG_PEEK != 0;
        let place =
            entry.read.wrapping_add(if peeks { option::peeked_from(&entry.fd, got.len()) } else { 0 });
        // With MSG_TRUNC they are thrown away, and only their number is told.
        let mut right = flags & MSG_TRUNC != 0 || got == octets(place, got.len());
        if !right && self.urgent {
            let skipped = entry.read.wrapping_add(1);
            right = got == octets(skipped, got.len());
            entry.read = skipped;
        }
        if !peeks {
            entry.read = entry.read.wrapping_add(value as u32);
        }
        let shown = if right { "those that were sent" } else { "others" };
        Wrong::unless_same("octets read", "those that were sent".into(), shown.into())
    }

    /// `...` is where the script's own sockets are, or its peer; `None` is no address at all.
    fn address(&self, expr: &Expr, own: bool) -> Called<Option<Endpoint>> {
        let addrs = &self.setup.addrs;
        let usual = match own {
            true => Endpoint::new(addrs.local, addrs.bind_port),
            false => Endpoint::new(addrs.remote, addrs.connect_port),
        };
        Ok(socket_address(expr)?.unwrap_or(Some(usual)))
    }
}

fn close(fd: Arc<OwnedFd>) -> Answer {
    let Some(fd) = Arc::into_inner(fd) else { return plain(Ok(0)) };
    match nix::unistd::close(fd) {
        Ok(()) => plain(Ok(0)),
        Err(errno) => Answer { value: Err(errno as i32), out: Out::Nothing },
    }
}

fn fcntl(call: &Call, fd: Arc<OwnedFd>) -> Called<Prepared> {
    const GET: i64 = 3;
    const SET: i64 = 4;
    match int(call, 1)? {
        GET => {
            let get = move || plain(rustix::fs::fcntl_getfl(&*fd).map(|flags| i64::from(flags.bits())));
            work(get, Judge::Plain)
        }
        SET => {
            let flags = OFlags::from_bits_retain(bits(int(call, 2)?)?);
            work(move || nothing(rustix::fs::fcntl_setfl(&*fd, flags)), Judge::Plain)
        }
        other => Err(format!("fcntl command {other} is not supported")),
    }
}

fn ioctl(call: &Call, fd: Arc<OwnedFd>) -> Called<Prepared> {
    let names = [
        ("SIOCINQ", Queue::In),
        ("SIOCOUTQ", Queue::Out),
        ("SIOCOUTQNSD", Queue::NotSent),
        ("SIOCATMARK", Queue::AtMark),
    ];
    let request = int(call, 1)?;
    let which = names.into_iter().find(|(name, _)| value(name) == Some(request));
    let Some((_, which)) = which else { return Err(format!("ioctl {request:#x} is not supported")) };
    let ask = move || match synfin_sockopt::queue(fd.as_fd(), which) {
        Ok(n) => with(Ok(0), Out::Number(i64::from(n))),
        Err(error) => Answer { value: Err(system(error)), out: Out::Nothing },
    };
    work(ask, Judge::Number { expected: arg(call, 2)?.single().clone() })
}

fn epoll_wait(call: &Call, epoll: Arc<OwnedFd>) -> Called<Prepared> {
    let (expected, max) = (arg(call, 1)?.clone(), length(call, 2)?.min(1024));
    let timeout = timeout(int(call, 3)?);
    let wait = move || {
        let mut events = Vec::with_capacity(max);
        let value = epoll::wait(&*epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref());
        let told = events.iter().map(|e: &epoll::Event| {
            // Copied: the kernel packs them without alignment.
            let (data, flags) = (e.data, e.flags);
            (data.u64().cast_signed(), i64::from(flags.bits()))
        });
        let told = told.collect();
        with(value.map(|n| n as i64), Out::Events(told))
    };
    work(wait, Judge::Epoll { expected })
}

/// Milliseconds; less than 0 is for ever, which is as long as a script may take.
fn timeout(ms: i64) -> Option<Timespec> {
    const FOR_EVER: i64 = 3_600_000;
    let ms = if ms < 0 { FOR_EVER } else { ms };
    Some(Timespec { tv_sec: ms / 1000, tv_nsec: (ms % 1000) * 1_000_000 })
}

fn received(len: usize, receive: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>) -> Answer {
    let mut into = vec![0; len];
    let got = receive(&mut into);
    into.truncate(got.unwrap_or(0));
    with(got.map(|n| n as i64), Out::Octets(into))
}

/// `room`: octets for control messages.
fn received_message(fd: &OwnedFd, len: usize, flags: RecvFlags, room: usize) -> Answer {
    const SOL_TCP: i32 = 6;
    const TCP_CM_INQ: i32 = 36;
    let (mut into, mut control) = (vec![0; len], vec![0; room]);
    let mut parts = [IoSliceMut::new(&mut into)];
    let flags = MsgFlags::from_bits_retain(flags.bits().cast_signed());
    let got = recvmsg::<()>(fd.as_raw_fd(), &mut parts, (room > 0).then_some(&mut control), flags);
    let (bytes, told, left) = match got {
        Ok(message) => {
            let left = message.cmsgs().ok().and_then(|mut all| {
                all.find_map(|c| match c {
                    ControlMessageOwned::Unknown(m)
                        if (m.cmsg_header.cmsg_level, m.cmsg_header.cmsg_type) == (SOL_TCP, TCP_CM_INQ) =>
                    {
                        m.data_bytes.first_chunk().map(|n| i64::from(i32::from_ne_bytes(*n)))
                    }
                    _ => None,
                })
            });
            (message.bytes, i64::from(message.flags.bits()), left)
        }
        Err(errno) => return Answer { value: Err(errno as i32), out: Out::Nothing },
    };
    into.truncate(bytes);
    with(Ok(bytes as i64), Out::Message(into, told, left))
}
