//! The async stream.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use synfin_net::ConnectOpts;
use synfin_rt::{Slot, Want};
use synfin_tcp::{Info, Keepalive, Shutdown, SoftError};

use super::{Interest, OwnedReadHalf, OwnedWriteHalf, ReadHalf, Ready, WriteHalf};
use crate::Net;
use crate::error::invalid;
use crate::options::stream_options;
use crate::socket::Socket;
use crate::waiting::Waiting;

/// A connection for async programs. Dropping it closes it; see the crate's page for how.
pub struct TcpStream {
    socket: Socket,
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl TcpStream {
    pub(super) fn new(socket: Socket) -> TcpStream {
        TcpStream { socket }
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Opens a connection from `net`. Several addresses are tried in turn. A host name is looked up by the system,
    /// which blocks: give an address where that matters.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `InvalidInput` for an address that
    /// nobody can connect to; `NetworkDown` if the stack has ended.
    pub async fn connect(net: &Net, addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = invalid("that stands for no address");
        for addr in addr.to_socket_addrs()? {
            match connect(net, addr, ConnectOpts::default()).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// As [`TcpStream::connect`] to one address, from an address and port of one's choice. Port 0 and an unspecified
    /// address leave the choice to the stack.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; `AddrNotAvailable` if `from` is not an address of `net`, `AddrInUse`.
    pub async fn connect_from(net: &Net, from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
        connect(net, to, ConnectOpts { local: Some(from.into()) }).await
    }

    /// Two halves that borrow the stream.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf::new(self), WriteHalf::new(self))
    }

    /// Two halves that share the stream. Dropping the write half closes our direction; the connection is closed
    /// when both are gone.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf::new(Arc::clone(&stream)), OwnedWriteHalf::new(stream))
    }

    /// Waits until any of this can be done, or the connection has ended. Cancel safe.
    ///
    /// # Errors
    /// `NetworkDown` if the stack has ended.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let mut ticket = self.socket.ticket();
        poll_fn(|cx| self.socket.poll_ready(Waiting::Ticket(&mut ticket, cx.waker()), interest.want()))
            .await
            .map(Ready::new)
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    /// `NetworkDown` if the stack has ended.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    /// `NetworkDown` if the stack has ended.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// As [`TcpStream::readable`]. Shares its place with `poll_read` and `poll_peek`: the last of them is woken.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(Waiting::Slot(Slot::READER, cx.waker()), Want::READ).map_ok(drop)
    }

    /// As [`TcpStream::writable`]. Shares its place with `poll_write`: the last of them is woken.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(Waiting::Slot(Slot::WRITER, cx.waker()), Want::WRITE).map_ok(drop)
    }

    /// Reads without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as a read.
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        at_once(self.socket.poll_read(Waiting::Not, into))
    }

    /// Writes without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as a write.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        at_once(self.socket.poll_write(Waiting::Not, data))
    }

    /// Writes without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as a write.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.socket.poll_write_vectored(Waiting::Not, slices))
    }

    /// As a read, but the octets stay. Cancel safe.
    ///
    /// # Errors
    /// As a read.
    pub async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut ticket = self.socket.ticket();
        poll_fn(|cx| self.socket.poll_peek(Waiting::Ticket(&mut ticket, cx.waker()), into)).await
    }

    /// As a read, but the octets stay. Shares its place with `poll_read`: the last of them is woken.
    pub fn poll_peek(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let waiting = Waiting::Slot(Slot::READER, cx.waker());
        let n = ready!(self.socket.poll_peek(waiting, into.initialize_unfilled()))?;
        into.advance(n);
        Poll::Ready(Ok(n))
    }

    /// As a write, and the last octet taken is marked urgent (RFC 9293 3.8.5; RFC 6093 advises new programs not to).
    /// Cancel safe: nothing was written then.
    ///
    /// # Errors
    /// As a write.
    pub async fn write_urgent(&self, data: &[u8]) -> io::Result<usize> {
        let mut ticket = self.socket.ticket();
        poll_fn(|cx| self.socket.poll_write_urgent(Waiting::Ticket(&mut ticket, cx.waker()), data)).await
    }

    stream_options!();

    pub(super) fn read(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let waiting = Waiting::Slot(Slot::READER, cx.waker());
        let n = ready!(self.socket.poll_read(waiting, into.initialize_unfilled()))?;
        into.advance(n);
        Poll::Ready(Ok(()))
    }

    pub(super) fn write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(Waiting::Slot(Slot::WRITER, cx.waker()), data)
    }

    pub(super) fn write_vectored(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_write_vectored(Waiting::Slot(Slot::WRITER, cx.waker()), slices)
    }

    /// FIN after the last octet; nothing to be done for a connection that has ended.
    pub(super) fn close_write(&self) -> io::Result<()> {
        match self.socket.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

fn at_once(poll: Poll<io::Result<usize>>) -> io::Result<usize> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

async fn connect(net: &Net, to: SocketAddr, opts: ConnectOpts) -> io::Result<TcpStream> {
    let socket = Socket::connect(net, to, opts)?;
    poll_fn(|cx| socket.poll_connected(Waiting::Slot(Slot::WRITER, cx.waker()))).await?;
    Ok(TcpStream::new(socket))
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.read(cx, into)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Ready at once: octets are sent as soon as TCP allows.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends FIN after the last octet; does not wait for it.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.close_write())
    }
}
