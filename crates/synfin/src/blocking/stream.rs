//! The blocking stream.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use synfin_net::ConnectOpts;
use synfin_tcp::{Info, Keepalive, SoftError};

use crate::Net;
use crate::error::invalid;
use crate::listener::each_addr;
use crate::options::stream_options;
use crate::socket::Socket;
use crate::waiting::{Waiting, block};

/// A connection whose calls block. Dropping its last clone closes it; see the crate's page for how.
pub struct TcpStream {
    shared: Arc<Shared>,
}

/// What all clones share.
struct Shared {
    socket: Socket,
    nonblocking: AtomicBool,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

#[derive(Default)]
struct Timeout(Mutex<Option<Duration>>);

impl Timeout {
    fn get(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(invalid("a timeout cannot be zero"));
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Shared { socket, .. } = self;
        let Ok(Some(linger)) = socket.look(|conn| conn.linger()) else { return };
        // Text that nobody will read resets the connection, and zero aborts it: there is nothing to wait for.
        if linger.is_zero() || matches!(socket.poll_peek(Waiting::Not, &mut [0]), Poll::Ready(Ok(1))) {
            return;
        }
        if socket.shutdown(synfin_tcp::Shutdown::Write).is_ok() {
            let mut ticket = socket.ticket();
            block(Some(linger), |waker| socket.poll_drained(Waiting::Ticket(&mut ticket, waker)));
        }
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.socket.fmt(f)
    }
}

impl TcpStream {
    pub(super) fn new(socket: Socket) -> TcpStream {
        TcpStream {
            shared: Arc::new(Shared {
                socket,
                nonblocking: AtomicBool::new(false),
                read_timeout: Timeout::default(),
                write_timeout: Timeout::default(),
            }),
        }
    }

    fn socket(&self) -> &Socket {
        &self.shared.socket
    }

    /// Opens a connection from `net`. Several addresses are tried in turn; a host name is looked up by the system.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `InvalidInput` for an address that
    /// nobody can connect to; `NetworkDown` if the stack has ended.
    pub fn connect(net: &Net, addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each_addr(addr, |addr| connect(net, addr, ConnectOpts::default(), None))
    }

    /// As [`TcpStream::connect`] to one address, and gives up after `timeout`.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; `TimedOut` also when `timeout` has passed, `InvalidInput` if it is zero.
    pub fn connect_timeout(net: &Net, addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(invalid("a timeout cannot be zero"));
        }
        connect(net, *addr, ConnectOpts::default(), Some(timeout))
    }

    /// As [`TcpStream::connect`] to one address, from an address and port of one's choice. Port 0 and an unspecified
    /// address leave the choice to the stack.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; `AddrNotAvailable` if `from` is not an address of `net`, `AddrInUse`.
    pub fn connect_from(net: &Net, from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
        connect(net, to, ConnectOpts { local: Some(from.into()) }, None)
    }

    /// Another handle to the same connection.
    ///
    /// # Errors
    /// None.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream { shared: Arc::clone(&self.shared) })
    }

    /// Closes one or both directions: writing with FIN; reading so that what arrives is acknowledged and discarded.
    /// Calls that block in other threads return.
    ///
    /// # Errors
    /// `NotConnected` if the connection is no more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(match how {
            Shutdown::Read => synfin_tcp::Shutdown::Read,
            Shutdown::Write => synfin_tcp::Shutdown::Write,
            Shutdown::Both => synfin_tcp::Shutdown::Both,
        })
    }

    /// As a read, but the octets stay.
    ///
    /// # Errors
    /// As a read.
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.wait(&self.shared.read_timeout, |waiting| self.socket().poll_peek(waiting, into))
    }

    /// As a write, and the last octet taken is marked urgent (RFC 9293 3.8.5; RFC 6093 advises new programs not to).
    ///
    /// # Errors
    /// As a write.
    pub fn write_urgent(&self, data: &[u8]) -> io::Result<usize> {
        self.wait(&self.shared.write_timeout, |waiting| self.socket().poll_write_urgent(waiting, data))
    }

    /// How long a read waits; `None` for as long as it takes.
    ///
    /// # Errors
    /// None.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.read_timeout.get())
    }

    /// Sets how long a read waits before it fails with `WouldBlock`. All clones share this.
    ///
    /// # Errors
    /// `InvalidInput`: zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.read_timeout.set(timeout)
    }

    /// How long a write waits; `None` for as long as it takes.
    ///
    /// # Errors
    /// None.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.write_timeout.get())
    }

    /// Sets how long a write waits before it fails with `WouldBlock`. All clones share this.
    ///
    /// # Errors
    /// `InvalidInput`: zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.write_timeout.set(timeout)
    }

    /// Whether calls fail with `WouldBlock` rather than wait. All clones share this.
    ///
    /// # Errors
    /// None.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    stream_options!();

    fn wait(
        &self,
        timeout: &Timeout,
        mut poll: impl FnMut(Waiting<'_, '_>) -> Poll<io::Result<usize>>,
    ) -> io::Result<usize> {
        if self.shared.nonblocking.load(Ordering::Relaxed) {
            return match poll(Waiting::Not) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let mut ticket = self.socket().ticket();
        block(timeout.get(), |waker: &Waker| poll(Waiting::Ticket(&mut ticket, waker)))
            .unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }
}

fn connect(net: &Net, to: SocketAddr, opts: ConnectOpts, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let socket = Socket::connect(net, to, opts)?;
    {
        let mut ticket = socket.ticket();
        block(timeout, |waker| socket.poll_connected(Waiting::Ticket(&mut ticket, waker)))
            .unwrap_or_else(|| Err(ErrorKind::TimedOut.into()))?;
    }
    Ok(TcpStream::new(socket))
}

impl Read for &TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait(&self.shared.read_timeout, |waiting| self.socket().poll_read(waiting, into))
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.wait(&self.shared.write_timeout, |waiting| self.socket().poll_write(waiting, data))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.wait(&self.shared.write_timeout, |waiting| self.socket().poll_write_vectored(waiting, slices))
    }

    /// Does nothing: octets are sent as soon as TCP allows.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self).read(into)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
