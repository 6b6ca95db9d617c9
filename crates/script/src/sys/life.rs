//! How connections begin and end: connect, shutdown, close.

use synfin_net::{ConnectError, ConnectOpts};
use synfin_tcp::{Shutdown, State};
use synfin_wire::{Endpoint, Tuple};

use super::{Called, Fd, Kind, Op, OpKind, Ret, Sock, Sys, World, arg, at_once, int, socket_address};
use crate::ast::Call;

impl Sys {
    pub(super) fn connect(&mut self, world: &mut World<'_>, call: &Call) -> Called<Op> {
        let fd = int(call, 0)?;
        let to = match socket_address(arg(call, 1)?)? {
            Some(to) => to,
            None => Some(Endpoint::new(world.addrs.remote, world.addrs.connect_port)),
        };
        let Some(sock) = self.sock_mut(fd) else { return Ok(at_once(self.no_socket(fd))) };
        let Some(to) = to else {
            // AF_UNSPEC: the socket is as new.
            let mut fresh = Sock::new(sock.v6, sock.nonblock, Kind::Fresh, sock.opts.clone());
            if let Kind::Conn(id) = sock.kind
                && let Some(handle) = world.stack.conn(world.now, id)
            {
                let quiet = matches!(handle.get().state(), State::Closed | State::TimeWait | State::LastAck);
                fresh.pending = (!quiet).then_some("ECONNRESET");
                handle.abort();
            }
            *sock = fresh;
            return Ok(at_once(Ret::ok(0)));
        };
        let nonblock = sock.nonblock;
        match sock.kind {
            Kind::Listening(_) => return Ok(at_once(Ret::err("EISCONN"))),
            Kind::Conn(_) if sock.connect_told => return Ok(at_once(Ret::err("EISCONN"))),
            Kind::Conn(id) => {
                let opening = world
                    .stack
                    .conn(world.now, id)
                    .is_some_and(|h| matches!(h.get().state(), State::SynSent | State::SynReceived));
                if opening && nonblock {
                    return Ok(at_once(Ret::err("EALREADY")));
                }
            }
            Kind::Fresh => {
                sock.opts.prepare(world.profile, world.stack.tcp_config_mut());
                let id = match world.stack.connect(world.now, to, ConnectOpts { local: sock.bound }) {
                    Ok(id) => id,
                    Err(why) => return Ok(at_once(Ret::err(connect_errno(why)))),
                };
                if let Some(mut handle) = world.stack.conn(world.now, id) {
                    sock.opts.apply(world.profile, &mut handle);
                }
                sock.kind = Kind::Conn(id);
                self.current = Some(fd);
            }
        }
        let deadline =
            self.sock(fd).and_then(|s| s.opts.send_timeout).map(|t| (world.now + t, Ret::err("EINPROGRESS")));
        Ok(Op { kind: OpKind::Connect { fd }, nonblock, deadline, wanted: 0 })
    }

    /// Whether a connect() has come to its end.
    pub(super) fn connected(&mut self, world: &mut World<'_>, fd: i64) -> Option<Ret> {
        let Some(id) = self.conn_id(fd) else { return Some(Ret::err("EBADF")) };
        let readiness = world.stack.conn(world.now, id).map(|h| h.readiness())?;
        if readiness.connected {
            self.sock_mut(fd)?.connect_told = true;
            return Some(Ret::ok(0));
        }
        readiness.closed?;
        let errno = self.take_error(world, fd).unwrap_or("ECONNABORTED");
        let sock = self.sock_mut(fd)?;
        sock.kind = Kind::Fresh;
        sock.error_told = false;
        Some(Ret::err(errno))
    }

    pub(super) fn close(&mut self, world: &mut World<'_>, fd: i64) -> Op {
        let Some(gone) = self.fds.remove(&fd) else { return at_once(Ret::err("EBADF")) };
        for other in self.fds.values_mut() {
            if let Fd::Epoll(set) = other {
                set.forget(fd);
            }
        }
        if let Fd::Sock(sock) = gone {
            match sock.kind {
                Kind::Fresh => {}
                Kind::Listening(id) => world.stack.close_listener(world.now, id),
                Kind::Conn(id) => {
                    let Some(handle) = world.stack.conn(world.now, id) else { return at_once(Ret::ok(0)) };
                    let (tuple, linger) = (*handle.get().tuple(), handle.get().linger());
                    handle.close();
                    if let Some(time) = linger.filter(|t| !t.is_zero()) {
                        // socket(7): close() waits until all was taken, or the time is over, blocking or not.
                        let deadline = Some((world.now + time, Ret::ok(0)));
                        return Op { kind: OpKind::Close { tuple }, nonblock: false, deadline, wanted: 0 };
                    }
                }
            }
        }
        at_once(Ret::ok(0))
    }

    pub(super) fn shutdown(&mut self, world: &mut World<'_>, fd: i64, how: i64) -> Called<Ret> {
        let how = match how {
            0 => Shutdown::Read,
            1 => Shutdown::Write,
            2 => Shutdown::Both,
            _ => return Ok(Ret::err("EINVAL")),
        };
        let Some(sock) = self.sock_mut(fd) else { return Ok(self.no_socket(fd)) };
        match sock.kind {
            Kind::Fresh => Ok(Ret::err("ENOTCONN")),
            Kind::Listening(id) => {
                if how != Shutdown::Write {
                    world.stack.close_listener(world.now, id);
                    sock.kind = Kind::Fresh;
                }
                Ok(Ret::ok(0))
            }
            Kind::Conn(id) => {
                let Some(mut handle) = world.stack.conn(world.now, id) else {
                    return Ok(Ret::err("ENOTCONN"));
                };
                match handle.get().state() {
                    State::Closed | State::TimeWait => return Ok(Ret::err("ENOTCONN")),
                    State::SynSent => {
                        handle.abort();
                        if let Some(sock) = self.sock_mut(fd) {
                            sock.kind = Kind::Fresh;
                            sock.pending = Some("ECONNRESET");
                        }
                        return Ok(Ret::ok(0));
                    }
                    _ => handle.shutdown(how),
                }
                drop(handle);
                if let Some(sock) = self.sock_mut(fd) {
                    sock.shut_read |= how != Shutdown::Write;
                    sock.shut_write |= how != Shutdown::Read;
                }
                Ok(Ret::ok(0))
            }
        }
    }
}

/// Whether nothing of a closed connection waits for its peer any more.
pub(super) fn closed_for_good(world: &World<'_>, tuple: &Tuple) -> bool {
    let mut waits = false;
    world.stack.for_each_record(&mut |t, state| {
        waits |= t == tuple && matches!(state, State::FinWait1 | State::Closing | State::LastAck);
    });
    !waits
}

fn connect_errno(why: ConnectError) -> &'static str {
    match why {
        ConnectError::InvalidRemote | ConnectError::NoRoute => "ENETUNREACH",
        ConnectError::NotOurs | ConnectError::NoPort => "EADDRNOTAVAIL",
        ConnectError::InUse => "EADDRINUSE",
        ConnectError::Limit => "ENOMEM",
    }
}
