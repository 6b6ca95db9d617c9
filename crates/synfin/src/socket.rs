//! One connection, held by an application: what both families of streams are made of.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use synfin_net::{ConnId, ConnectOpts, Handle, SocketEvent};
use synfin_rt::{Host, Turn, Want};
use synfin_tcp::{CloseReason, Connection, Cx, Info, ReadError, Readiness, Shutdown, WriteError};
use synfin_wire::Tuple;

use crate::Net;
use crate::error;
use crate::waiting::{Ticket, Waiting, attempt};

/// A connection that an application holds. Dropping it closes the connection.
pub(crate) struct Socket {
    host: Host,
    id: ConnId,
    tuple: Tuple,
    /// The error that ended the connection was reported.
    reported: AtomicBool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.tuple.local)
            .field("remote", &self.tuple.remote)
            .finish()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.host.with(|turn| {
            if let Some(conn) = turn.conn(self.id) {
                conn.close();
            }
            turn.release(self.id);
            turn.kick();
        });
    }
}

fn would_block() -> io::Error {
    ErrorKind::WouldBlock.into()
}

impl Socket {
    /// A connection that was just taken from its listener or opened.
    pub(crate) fn hold(host: Host, turn: &mut Turn<'_>, id: ConnId, tuple: Tuple) -> Socket {
        turn.hold(id);
        Socket { host, id, tuple, reported: AtomicBool::new(false) }
    }

    /// Begins an active open.
    pub(crate) fn connect(net: &Net, to: SocketAddr, opts: ConnectOpts) -> io::Result<Socket> {
        net.host.with(|turn| {
            turn.open()?;
            let now = turn.now();
            let id = turn.stack().connect(now, to.into(), opts).map_err(error::connect)?;
            turn.kick();
            let tuple = turn.conn(id).map(|conn| *conn.get().tuple()).ok_or(ErrorKind::NotConnected)?;
            Ok(Socket::hold(net.host.clone(), turn, id, tuple))
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.tuple.local.into()
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.tuple.remote.into()
    }

    fn event(&self) -> SocketEvent {
        SocketEvent::Connection(self.id)
    }

    /// A place among those who wait for this connection.
    pub(crate) fn ticket(&self) -> Ticket<'_> {
        Ticket::new(&self.host, self.event())
    }

    fn conn<'t>(&self, turn: &'t mut Turn<'_>) -> io::Result<Handle<'t>> {
        let running = turn.running();
        match turn.conn(self.id) {
            Some(conn) => Ok(conn),
            None => Err(running.err().unwrap_or_else(|| ErrorKind::NotConnected.into())),
        }
    }

    /// The error that ended the connection, once.
    fn error_once(&self, reason: CloseReason) -> Option<io::Error> {
        let error = error::closed(reason)?;
        (!self.reported.swap(true, Ordering::Relaxed)).then_some(error)
    }

    fn read_result(&self, result: Result<usize, ReadError>) -> io::Result<usize> {
        match result {
            Ok(n) => Ok(n),
            Err(ReadError::WouldBlock) => Err(would_block()),
            Err(ReadError::Closed(reason)) => self.error_once(reason).map_or(Ok(0), Err),
        }
    }

    pub(crate) fn poll_read(&self, waiting: Waiting<'_, '_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        attempt(&self.host, self.event(), Want::READ, waiting, |turn| {
            let (result, wants_transmit) = {
                let mut conn = self.conn(turn)?;
                (conn.read(into), conn.get().wants_transmit())
            };
            // Reading may have opened the window far enough to tell the peer.
            if wants_transmit {
                turn.kick();
            }
            self.read_result(result)
        })
    }

    pub(crate) fn poll_peek(&self, waiting: Waiting<'_, '_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        attempt(&self.host, self.event(), Want::READ, waiting, |turn| {
            let result = self.conn(turn)?.peek(into);
            self.read_result(result)
        })
    }

    /// Octets queued by one of the stack's write calls.
    fn attempt_write(
        &self,
        waiting: Waiting<'_, '_>,
        write: impl FnOnce(&mut Handle<'_>) -> Result<usize, WriteError>,
    ) -> Poll<io::Result<usize>> {
        attempt(&self.host, self.event(), Want::WRITE, waiting, |turn| {
            turn.running()?;
            let result = write(&mut self.conn(turn)?);
            match result {
                Ok(n) => {
                    turn.kick();
                    Ok(n)
                }
                Err(WriteError::WouldBlock) => Err(would_block()),
                Err(WriteError::Closing) => Err(ErrorKind::BrokenPipe.into()),
                Err(WriteError::Closed(reason)) => {
                    Err(self.error_once(reason).unwrap_or_else(|| ErrorKind::BrokenPipe.into()))
                }
            }
        })
    }

    pub(crate) fn poll_write(&self, waiting: Waiting<'_, '_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.attempt_write(waiting, |conn| conn.write(data))
    }

    pub(crate) fn poll_write_urgent(&self, waiting: Waiting<'_, '_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.attempt_write(waiting, |conn| conn.write_urgent(data))
    }

    pub(crate) fn poll_write_vectored(
        &self,
        waiting: Waiting<'_, '_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|s| s.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.attempt_write(waiting, |conn| {
            let mut total = 0;
            for slice in slices.iter().filter(|s| !s.is_empty()) {
                match conn.write(slice) {
                    Ok(n) => {
                        total += n;
                        if n < slice.len() {
                            break;
                        }
                    }
                    Err(e) if total == 0 => return Err(e),
                    Err(_) => break,
                }
            }
            Ok(total)
        })
    }

    /// Ready when the handshake is complete, or has failed.
    pub(crate) fn poll_connected(&self, waiting: Waiting<'_, '_>) -> Poll<io::Result<()>> {
        attempt(&self.host, self.event(), Want::CONNECT, waiting, |turn| {
            let readiness = self.conn(turn)?.readiness();
            match readiness {
                Readiness { connected: true, .. } => Ok(()),
                Readiness { closed: Some(reason), .. } => {
                    Err(self.error_once(reason).unwrap_or_else(|| ErrorKind::NotConnected.into()))
                }
                _ => Err(would_block()),
            }
        })
    }

    /// Ready when the peer has acknowledged everything, or the connection has ended.
    pub(crate) fn poll_drained(&self, waiting: Waiting<'_, '_>) -> Poll<io::Result<()>> {
        attempt(&self.host, self.event(), Want::DRAIN, waiting, |turn| {
            let readiness = self.conn(turn)?.readiness();
            if readiness.drained || readiness.closed.is_some() { Ok(()) } else { Err(would_block()) }
        })
    }

    /// Ready when any of what is wanted can be done; returns all that can be, and the state.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_ready(
        &self,
        waiting: Waiting<'_, '_>,
        want: Want,
    ) -> Poll<io::Result<(Readiness, synfin_tcp::State)>> {
        attempt(&self.host, self.event(), want, waiting, |turn| {
            let conn = self.conn(turn)?;
            let readiness = conn.readiness();
            if want.met(&readiness) { Ok((readiness, conn.get().state())) } else { Err(would_block()) }
        })
    }

    /// Closes one or both directions.
    ///
    /// # Errors
    /// `NotConnected`: the connection is no more.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.host.with(|turn| {
            turn.running()?;
            {
                let mut conn = self.conn(turn)?;
                if conn.readiness().closed.is_some() {
                    return Err(ErrorKind::NotConnected.into());
                }
                conn.shutdown(how);
            }
            turn.kick();
            // Calls that wait in other threads or tasks are over now.
            turn.wake_all(self.id);
            Ok(())
        })
    }

    /// The error that ended the connection, if it was not reported yet.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.host.with(|turn| {
            let closed = self.conn(turn)?.readiness().closed;
            Ok(closed.and_then(|reason| self.error_once(reason)))
        })
    }

    /// Looks at the connection.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&Connection) -> R) -> io::Result<R> {
        self.host.with(|turn| Ok(f(self.conn(turn)?.get())))
    }

    /// What the connection knows about itself.
    pub(crate) fn info(&self) -> io::Result<Info> {
        self.host.with(|turn| Ok(self.conn(turn)?.configure(|conn, cx| conn.info(cx.cfg))))
    }

    /// Changes options of the connection.
    pub(crate) fn configure<R>(&self, f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> R) -> io::Result<R> {
        self.host.with(|turn| {
            let result = self.conn(turn)?.configure(f);
            turn.kick();
            turn.wake_all(self.id);
            Ok(result)
        })
    }
}
