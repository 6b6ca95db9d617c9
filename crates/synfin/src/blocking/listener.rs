//! The blocking listener.

use std::io;
use std::iter::FusedIterator;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use synfin_net::ListenOpts;

use super::TcpStream;
use crate::Net;
use crate::error::unsupported;
use crate::listener::Listener;
use crate::waiting::{Waiting, block};

/// A listener whose calls block. Dropping its last clone closes it: connections that nobody accepted are reset.
#[derive(Debug)]
pub struct TcpListener {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listener: Listener,
    nonblocking: AtomicBool,
}

impl TcpListener {
    /// Listens on an address of `net`. Port 0 picks a free port; `0.0.0.0` listens on every IPv4 address, `::` on
    /// every address. Several addresses are tried in turn.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`; `NetworkDown` if the stack has ended.
    pub fn bind(net: &Net, addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with(net, addr, ListenOpts::default())
    }

    /// As [`TcpListener::bind`], with queue lengths and what happens when they overflow.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn bind_with(net: &Net, addr: impl ToSocketAddrs, opts: ListenOpts) -> io::Result<TcpListener> {
        let listener = Listener::bind(net, addr, opts)?;
        Ok(TcpListener { shared: Arc::new(Shared { listener, nonblocking: AtomicBool::new(false) }) })
    }

    /// Where this listens.
    ///
    /// # Errors
    /// None.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.listener.local_addr())
    }

    /// Another handle to the same listener.
    ///
    /// # Errors
    /// None.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener { shared: Arc::clone(&self.shared) })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// `WouldBlock` if non-blocking and none waits; `NetworkDown` if the stack has ended.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let Shared { listener, nonblocking } = &*self.shared;
        let mut ticket = listener.ticket();
        let socket = block(None, |waker| {
            listener.poll_accept(match nonblocking.load(Ordering::Relaxed) {
                true => Waiting::Not,
                false => Waiting::Ticket(&mut ticket, waker),
            })
        })
        .unwrap_or(Err(io::ErrorKind::WouldBlock.into()))?;
        let peer = socket.peer_addr();
        Ok((TcpStream::new(socket), peer))
    }

    /// The connections that come, one after the other; never ends.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Whether [`TcpListener::accept`] fails with `WouldBlock` rather than wait. All clones share this.
    ///
    /// # Errors
    /// None.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    /// An error that happened in the background: there are none.
    ///
    /// # Errors
    /// None.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
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

/// The iterator of [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
