//! The async listener.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::task::{Context, Poll};

use synfin_net::ListenOpts;
use synfin_rt::Slot;

use super::TcpStream;
use crate::Net;
use crate::error::unsupported;
use crate::listener::Listener;
use crate::socket::Socket;
use crate::waiting::Waiting;

/// A listener for async programs. Dropping it closes it: connections that nobody accepted are reset.
#[derive(Debug)]
pub struct TcpListener {
    listener: Listener,
}

impl TcpListener {
    /// Listens on an address of `net`. Port 0 picks a free port; `0.0.0.0` listens on every IPv4 address, `::` on
    /// every address. Several addresses are tried in turn. Does not wait; it is async only to look like tokio's.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`; `NetworkDown` if the stack has ended.
    pub async fn bind(net: &Net, addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with(net, addr, ListenOpts::default())
    }

    /// As [`TcpListener::bind`], with queue lengths and what happens when they overflow; not async.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn bind_with(net: &Net, addr: impl ToSocketAddrs, opts: ListenOpts) -> io::Result<TcpListener> {
        Ok(TcpListener { listener: Listener::bind(net, addr, opts)? })
    }

    /// Where this listens.
    ///
    /// # Errors
    /// None.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.listener.local_addr())
    }

    /// Waits for a connection. Cancel safe: no connection is lost.
    ///
    /// # Errors
    /// `NetworkDown` if the stack has ended.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut ticket = self.listener.ticket();
        let result = poll_fn(|cx| self.listener.poll_accept(Waiting::Ticket(&mut ticket, cx.waker()))).await;
        result.map(with_peer)
    }

    /// As [`TcpListener::accept`]. Only the last task that polled is woken.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let waiting = Waiting::Slot(Slot::READER, cx.waker());
        self.listener.poll_accept(waiting).map_ok(with_peer)
    }

    /// Not implemented for listeners: set the stack's time to live, or that of each stream.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn set_ttl(&self, _ttl: u32) -> io::Result<()> {
        Err(unsupported("a listener has no time to live of its own"))
    }

    /// Not implemented for listeners.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn ttl(&self) -> io::Result<u32> {
        Err(unsupported("a listener has no time to live of its own"))
    }
}

fn with_peer(socket: Socket) -> (TcpStream, SocketAddr) {
    let peer = socket.peer_addr();
    (TcpStream::new(socket), peer)
}
