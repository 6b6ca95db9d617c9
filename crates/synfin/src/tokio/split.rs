//! Halves of a stream, for two tasks.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Interest, Ready, TcpStream};

/// The reading half of [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading half of [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of [`TcpStream::into_split`]. Dropping it closes our direction.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    on_drop: OnDrop,
}

/// What dropping a write half does.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum OnDrop {
    CloseWrite,
    Nothing,
}

impl<'a> ReadHalf<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        ReadHalf(stream)
    }
}

impl<'a> WriteHalf<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        WriteHalf(stream)
    }
}

impl OwnedReadHalf {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        OwnedReadHalf(stream)
    }

    fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Puts both halves of a stream together again.
    ///
    /// # Errors
    /// The halves are not of the same stream; they come back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        // There were two halves and no other owner.
        Arc::try_unwrap(self.0).map_err(|stream| {
            let other = OwnedWriteHalf { stream: Arc::clone(&stream), on_drop: OnDrop::CloseWrite };
            ReuniteError(OwnedReadHalf(stream), other)
        })
    }
}

impl OwnedWriteHalf {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        OwnedWriteHalf { stream, on_drop: OnDrop::CloseWrite }
    }

    fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Puts both halves of a stream together again.
    ///
    /// # Errors
    /// The halves are not of the same stream; they come back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }

    /// Drops this half without closing our direction.
    pub fn forget(mut self) {
        self.on_drop = OnDrop::Nothing;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::CloseWrite {
            // It fails only when the stack has ended: nobody is there to be told.
            let _ = self.stream.close_write();
        }
    }
}

impl ReadHalf<'_> {
    fn stream(&self) -> &TcpStream {
        self.0
    }
}

impl WriteHalf<'_> {
    fn stream(&self) -> &TcpStream {
        self.0
    }
}

/// Two halves that are not of the same stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of the same stream")
    }
}

impl std::error::Error for ReuniteError {}

macro_rules! both_halves {
    () => {
        /// See [`TcpStream::local_addr`].
        ///
        /// # Errors
        /// None.
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            self.stream().local_addr()
        }

        /// See [`TcpStream::peer_addr`].
        ///
        /// # Errors
        /// None.
        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            self.stream().peer_addr()
        }

        /// See [`TcpStream::ready`].
        ///
        /// # Errors
        /// See [`TcpStream::ready`].
        pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
            self.stream().ready(interest).await
        }
    };
}

macro_rules! read_half {
    ($half:ty) => {
        impl $half {
            both_halves!();

            /// See [`TcpStream::readable`].
            ///
            /// # Errors
            /// See [`TcpStream::readable`].
            pub async fn readable(&self) -> io::Result<()> {
                self.stream().readable().await
            }

            /// See [`TcpStream::try_read`].
            ///
            /// # Errors
            /// See [`TcpStream::try_read`].
            pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
                self.stream().try_read(into)
            }

            /// See [`TcpStream::peek`].
            ///
            /// # Errors
            /// See [`TcpStream::peek`].
            pub async fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.stream().peek(into).await
            }

            /// See [`TcpStream::poll_peek`].
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                into: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.stream().poll_peek(cx, into)
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                into: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.stream().read(cx, into)
            }
        }
    };
}

macro_rules! write_half {
    ($half:ty) => {
        impl $half {
            both_halves!();

            /// See [`TcpStream::writable`].
            ///
            /// # Errors
            /// See [`TcpStream::writable`].
            pub async fn writable(&self) -> io::Result<()> {
                self.stream().writable().await
            }

            /// See [`TcpStream::try_write`].
            ///
            /// # Errors
            /// See [`TcpStream::try_write`].
            pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
                self.stream().try_write(data)
            }

            /// See [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// See [`TcpStream::try_write_vectored`].
            pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                self.stream().try_write_vectored(slices)
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.stream().write(cx, data)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.stream().write_vectored(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Sends FIN after the last octet; does not wait for it.
            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.stream().close_write())
            }
        }
    };
}

read_half!(ReadHalf<'_>);
read_half!(OwnedReadHalf);
write_half!(WriteHalf<'_>);
write_half!(OwnedWriteHalf);
