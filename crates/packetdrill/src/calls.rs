//! System calls with values of Rust: what C passed is already read, what it gets is written later.

use std::time::Duration;

use libc::c_int;
use synfin_script::ast::{Call, Expr, Field};
use synfin_script::sockets::{Handed, Reply};

use crate::address::{self, Given};
use crate::machine::{self, result};
use crate::numbers;
use crate::options;

/// Most octets of one read that are asked for at a time.
const MOST: usize = 1 << 30;

fn word(w: &str) -> Expr {
    Expr::Word(w.into())
}

fn int(n: impl Into<i64>) -> Expr {
    Expr::Int(n.into())
}

fn size(n: usize) -> Expr {
    Expr::Int(i64::try_from(n.min(MOST)).unwrap_or(i64::MAX))
}

fn call(name: &str, args: Vec<Expr>, result: Expr) -> Call {
    Call { name: name.into(), args, result, errno: None, note: None }
}

/// A call whose result is all there is.
fn plain(name: &str, args: Vec<Expr>) -> Result<c_int, c_int> {
    made(&machine::call(&call(name, args, Expr::Ellipsis), &[])?)
}

/// A result as C has it.
fn made(reply: &Reply) -> Result<c_int, c_int> {
    Ok(result(reply)?.try_into().unwrap_or(c_int::MAX))
}

/// A call that hands out a descriptor.
fn opening(name: &str, args: Vec<Expr>) -> Result<c_int, c_int> {
    let fd = machine::with(machine::Machine::reserve)??;
    let made = machine::call(&call(name, args, int(fd)), &[]).and_then(|reply| made(&reply));
    if made.is_err() {
        machine::with(|m| m.release(fd))?;
    }
    made
}

/// socket
pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Result<c_int, c_int> {
    let family = match domain {
        libc::AF_INET => "AF_INET",
        libc::AF_INET6 => "AF_INET6",
        _ => return Err(libc::EAFNOSUPPORT),
    };
    opening("socket", vec![word(family), int(kind), int(protocol)])
}

/// bind and connect.
pub(crate) fn to_address(name: &str, fd: c_int, given: Given) -> Result<c_int, c_int> {
    let at = match given {
        Given::At(at) => Some(at),
        Given::Unspecified => None,
        Given::Foreign => return Err(libc::EAFNOSUPPORT),
        Given::Short => return Err(libc::EINVAL),
    };
    if let (Some(at), "bind") = (at, name) {
        machine::with(|m| m.sockets.settle(at.addr))?;
    }
    plain(name, vec![int(fd), address::expr(at), Expr::Ellipsis])
}

/// listen, shutdown, and all with a descriptor and a number.
pub(crate) fn with_number(name: &str, fd: c_int, n: i64) -> Result<c_int, c_int> {
    plain(name, vec![int(fd), int(n)])
}

/// accept: the descriptor, and the peer as `struct sockaddr`.
pub(crate) fn accept(fd: c_int) -> Result<(c_int, Vec<u8>), c_int> {
    let new = opening("accept", vec![int(fd), Expr::Ellipsis, Expr::Ellipsis])?;
    let peer = machine::with(|m| m.sockets.peer(new.into()))?;
    let Some((v6, Some(peer))) = peer else { return Ok((new, Vec::new())) };
    Ok((new, address::write(v6, peer)))
}

/// close
pub(crate) fn close(fd: c_int) -> Result<c_int, c_int> {
    let done = plain("close", vec![int(fd)]);
    machine::with(|m| m.release(fd.into()))?;
    done
}

/// What a read asks for.
pub(crate) enum Read {
    Plain,
    Flags(c_int),
    /// recvmsg
    Message(c_int),
}

/// Octets that were read.
pub(crate) fn read(fd: c_int, len: usize, how: &Read) -> Result<Vec<u8>, c_int> {
    let call = match how {
        Read::Plain => call("read", vec![int(fd), Expr::Ellipsis, size(len)], Expr::Ellipsis),
        Read::Flags(flags) => {
            call("recv", vec![int(fd), Expr::Ellipsis, size(len), int(*flags)], Expr::Ellipsis)
        }
        Read::Message(flags) => call("recvmsg", vec![int(fd), message(len), int(*flags)], Expr::Ellipsis),
    };
    let reply = machine::call(&call, &[])?;
    result(&reply)?;
    match reply.handed {
        Handed::Octets(octets) => Ok(octets),
        _ => Ok(Vec::new()),
    }
}

/// TCP_INQ: how much is left after a read, for sockets that want to know (tcp(7)).
pub(crate) fn left_to_read(fd: c_int) -> Result<Option<c_int>, c_int> {
    let left = machine::with(|m| m.sockets.left_to_read(fd.into()))?;
    Ok(left.map(|n| n.try_into().unwrap_or(c_int::MAX)))
}

/// What a write asks for.
pub(crate) enum Write {
    Plain,
    Flags(c_int),
    /// sendmsg
    Message(c_int),
}

/// How many octets were written.
pub(crate) fn write(fd: c_int, text: &[u8], how: &Write) -> Result<isize, c_int> {
    let len = size(text.len());
    let call = match how {
        Write::Plain => call("write", vec![int(fd), Expr::Ellipsis, len], Expr::Ellipsis),
        Write::Flags(flags) => call("send", vec![int(fd), Expr::Ellipsis, len, int(*flags)], Expr::Ellipsis),
        Write::Message(flags) => {
            call("sendmsg", vec![int(fd), message(text.len()), int(*flags)], Expr::Ellipsis)
        }
    };
    Ok(result(&machine::call(&call, text)?)?.try_into().unwrap_or(isize::MAX))
}

/// A message with one buffer: how it is cut is the border's business.
fn message(len: usize) -> Expr {
    let field = |name: &str, value| Field { name: Some(name.into()), count: None, value };
    let buffer = Expr::Struct(vec![field("iov_base", Expr::Ellipsis), field("iov_len", size(len))]);
    Expr::Struct(vec![field("msg_iov", Expr::Array(vec![buffer]))])
}

/// Whether a descriptor can be written to: a bad address is noticed only after a bad descriptor.
pub(crate) fn exists(fd: c_int) -> Result<(), c_int> {
    let known = machine::with(|m| m.backing.contains_key(&fd.into()))?;
    if known { Ok(()) } else { Err(libc::EBADF) }
}

/// fcntl
pub(crate) fn fcntl(fd: c_int, command: c_int, arg: c_int) -> Result<c_int, c_int> {
    plain("fcntl", vec![int(fd), int(command), int(arg)])
}

/// ioctl: what it answers.
pub(crate) fn ioctl(fd: c_int, command: u32) -> Result<Option<c_int>, c_int> {
    let reply =
        machine::call(&call("ioctl", vec![int(fd), int(command), Expr::Ellipsis], Expr::Ellipsis), &[])?;
    result(&reply)?;
    match reply.handed {
        Handed::Value(synfin_script::sockets::Value::Number(n)) => {
            Ok(Some(n.try_into().unwrap_or(c_int::MAX)))
        }
        _ => Ok(None),
    }
}

/// The value of an option in memory.
pub(crate) fn getsockopt(fd: c_int, level: c_int, name: c_int) -> Result<Vec<u8>, c_int> {
    const TCP_CC_INFO: c_int = 26;
    const SO_MEMINFO: c_int = 55;
    match (level, name) {
        (libc::SOL_TCP, libc::TCP_INFO) => {
            exists(fd)?;
            let mut info = machine::tcp_info(fd.into())?.to_vec();
            if option(fd, "SO_ACCEPTCONN")? == 1 {
                const LISTEN: u8 = 10;
                info[0] = LISTEN;
            }
            return Ok(info);
        }
        // The stack's rules have nothing to tell.
        (libc::SOL_TCP, TCP_CC_INFO) => return exists(fd).map(|()| Vec::new()),
        (libc::SOL_SOCKET, SO_MEMINFO) => {
            let sizes = [0, option(fd, "SO_RCVBUF")?, 0, option(fd, "SO_SNDBUF")?, 0, 0, 0, 0, 0];
            return Ok(sizes.iter().flat_map(|n| n.to_ne_bytes()).collect());
        }
        _ => {}
    }
    let (level, name, _) = numbers::option(level, name).ok_or(libc::ENOPROTOOPT)?;
    match asked(fd, level, name)? {
        Handed::Value(value) => options::memory(&value),
        _ => Err(libc::ENOPROTOOPT),
    }
}

/// A socket-level option that is a number.
fn option(fd: c_int, name: &str) -> Result<u32, c_int> {
    match asked(fd, "SOL_SOCKET", name)? {
        Handed::Value(synfin_script::sockets::Value::Number(n)) => Ok(n.try_into().unwrap_or(0)),
        _ => Ok(0),
    }
}

fn asked(fd: c_int, level: &str, name: &str) -> Result<Handed, c_int> {
    let args = vec![int(fd), word(level), word(name), Expr::Ellipsis];
    let reply = machine::call(&call("getsockopt", args, Expr::Ellipsis), &[])?;
    result(&reply)?;
    Ok(reply.handed)
}

/// setsockopt
pub(crate) fn setsockopt(fd: c_int, level: c_int, name: c_int, value: &[u8]) -> Result<c_int, c_int> {
    exists(fd)?;
    let Some((level, word_of, shape)) = numbers::option(level, name) else {
        eprintln!("synfin: setsockopt: option {name} of level {level} is not known");
        return Err(libc::ENOPROTOOPT);
    };
    let value = options::argument(shape, level, value)?;
    plain("setsockopt", vec![int(fd), word(level), word(word_of), value, Expr::Ellipsis])
}

fn named(fields: &[(&str, i64)]) -> Expr {
    let field = |(name, n): &(&str, i64)| Field { name: Some((*name).into()), count: None, value: int(*n) };
    Expr::Struct(fields.iter().map(field).collect())
}

/// poll: `revents` of each descriptor, and how many have any.
pub(crate) fn poll(asked: &[(c_int, i16)], timeout: c_int) -> Result<(c_int, Vec<i16>), c_int> {
    // Negative numbers are skipped (poll(2)).
    let items: Vec<_> = asked.iter().filter(|(fd, _)| *fd >= 0).collect();
    let list = items.iter().map(|(fd, events)| named(&[("fd", (*fd).into()), ("events", (*events).into())]));
    let args = vec![Expr::Array(list.collect()), size(items.len()), int(timeout)];
    let reply = machine::call(&call("poll", args, Expr::Ellipsis), &[])?;
    let count = made(&reply)?;
    let told = match reply.handed {
        Handed::Revents(told) => told,
        _ => Vec::new(),
    };
    let mut told = told.into_iter();
    // Events of poll are bits of a short.
    let revents = asked.iter().map(|(fd, _)| if *fd < 0 { 0 } else { told.next().unwrap_or(0) as i16 });
    Ok((count, revents.collect()))
}

/// epoll_create
pub(crate) fn epoll_create(hint: c_int) -> Result<c_int, c_int> {
    if hint <= 0 {
        return Err(libc::EINVAL);
    }
    opening("epoll_create", vec![int(hint)])
}

/// epoll_ctl: `event` is what to watch for, and what to hand out then.
pub(crate) fn epoll_ctl(
    set: c_int,
    operation: c_int,
    fd: c_int,
    event: Option<(u32, u64)>,
) -> Result<c_int, c_int> {
    let (events, data) = match event {
        Some(event) => event,
        None if operation == libc::EPOLL_CTL_DEL => (0, 0),
        None => return Err(libc::EFAULT),
    };
    let watch = named(&[("events", events.into())]);
    let done = plain("epoll_ctl", vec![int(set), int(operation), int(fd), watch])?;
    let key = (set.into(), fd.into());
    machine::with(|m| match operation {
        libc::EPOLL_CTL_DEL => m.watches.remove(&key),
        _ => m.watches.insert(key, data),
    })?;
    Ok(done)
}

/// epoll_wait: what happened, each with what was left for it.
pub(crate) fn epoll_wait(set: c_int, most: c_int, timeout: c_int) -> Result<Vec<(u32, u64)>, c_int> {
    if most <= 0 {
        return Err(libc::EINVAL);
    }
    let args = vec![int(set), Expr::Ellipsis, int(most), int(timeout)];
    let reply = machine::call(&call("epoll_wait", args, Expr::Ellipsis), &[])?;
    result(&reply)?;
    let Handed::Events(told) = reply.handed else { return Ok(Vec::new()) };
    machine::with(|m| {
        let data = |fd: i64| m.watches.get(&(set.into(), fd)).copied().unwrap_or_default();
        // Events of epoll are bits of an unsigned int.
        told.into_iter().map(|(fd, events)| (events as u32, data(fd))).collect()
    })
}

/// pipe: the end to read from, the end to write to.
pub(crate) fn pipe() -> Result<[c_int; 2], c_int> {
    let (read, write) = machine::with(|m| Ok::<_, c_int>((m.reserve()?, m.reserve()?)))??;
    plain("pipe", vec![Expr::Array(vec![int(read), int(write)])])?;
    let number = |fd: i64| c_int::try_from(fd).map_err(|_| libc::EMFILE);
    Ok([number(read)?, number(write)?])
}

/// splice; places in files have no meaning for what we have.
pub(crate) fn splice(from: c_int, to: c_int, len: usize, flags: u32) -> Result<isize, c_int> {
    let args = vec![int(from), Expr::Ellipsis, int(to), Expr::Ellipsis, size(len), int(flags)];
    let reply = machine::call(&call("splice", args, Expr::Ellipsis), &[])?;
    Ok(result(&reply)?.try_into().unwrap_or(isize::MAX))
}

/// usleep
pub(crate) fn usleep(micros: u32) -> Result<c_int, c_int> {
    machine::sleep(Duration::from_micros(micros.into())).map(|()| 0)
}
