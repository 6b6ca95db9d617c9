//! One listener, held by an application: what both families of listeners are made of.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::task::Poll;

use synfin_net::{ListenOpts, ListenerId, SocketEvent};
use synfin_rt::{Host, Want};
use synfin_wire::Endpoint;

use crate::Net;
use crate::error;
use crate::socket::Socket;
use crate::waiting::{Ticket, Waiting, attempt};

/// A listener that an application holds. Dropping it closes the listener.
pub(crate) struct Listener {
    host: Host,
    id: ListenerId,
    at: Endpoint,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("local", &self.at).finish()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.host.with(|turn| {
            // Whoever was not accepted is reset, unless the stack is in an unknown state.
            if turn.running().is_ok() {
                let now = turn.now();
                turn.stack().close_listener(now, self.id);
            }
            turn.release_listener(self.id);
            turn.kick();
        });
    }
}

impl Listener {
    pub(crate) fn bind(net: &Net, addr: impl ToSocketAddrs, opts: ListenOpts) -> io::Result<Listener> {
        each_addr(addr, |at| {
            net.host.with(|turn| {
                turn.open()?;
                let id = turn.stack().listen(at.into(), opts).map_err(error::listen)?;
                turn.hold_listener(id);
                let at = turn.stack().listener_endpoint(id).unwrap_or(at.into());
                Ok(Listener { host: net.host.clone(), id, at })
            })
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.at.into()
    }

    fn event(&self) -> SocketEvent {
        SocketEvent::Listener(self.id)
    }

    /// A place among those who wait for this listener.
    pub(crate) fn ticket(&self) -> Ticket<'_> {
        Ticket::new(&self.host, self.event())
    }

    pub(crate) fn poll_accept(&self, waiting: Waiting<'_, '_>) -> Poll<io::Result<Socket>> {
        attempt(&self.host, self.event(), Want::READ, waiting, |turn| {
            turn.open()?;
            let now = turn.now();
            match turn.stack().accept(now, self.id) {
                Some((id, tuple)) => Ok(Socket::hold(self.host.clone(), turn, id, tuple)),
                None => Err(ErrorKind::WouldBlock.into()),
            }
        })
    }
}

/// The first success among the addresses that `addr` stands for, or the last failure.
pub(crate) fn each_addr<T>(
    addr: impl ToSocketAddrs,
    mut f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = error::invalid("that stands for no address");
    for addr in addr.to_socket_addrs()? {
        match f(addr) {
            Ok(t) => return Ok(t),
            Err(e) => last = e,
        }
    }
    Err(last)
}
