//! What the application calls (RFC 9293 3.9.1, 3.10.2 to 3.10.5).

use super::{Bits, Connection, Readiness, Shutdown, Verdict};
use crate::error::{CloseReason, ReadError, WriteError};
use crate::state::{State, Trigger};
use crate::{Cx, Quirks};

impl Connection {
    /// What the application can do now.
    pub fn readiness(&self) -> Readiness {
        let eof = self.bits.has(Bits::PEER_FIN) || self.bits.has(Bits::SHUT_READ);
        let over = self.closed.is_some() || self.state == State::TimeWait;
        let cannot_write = self.bits.has(Bits::FIN_QUEUED) || over;
        Readiness {
            readable: self.recv.readable() > 0 || eof || over,
            writable: cannot_write
                || (self.bits.has(Bits::CONNECTED)
                    && !self.bits.has(Bits::STARVED)
                    && self.send.len() < self.send_limit),
            connected: self.bits.has(Bits::CONNECTED),
            drained: over
                || (self.send.is_empty()
                    && self.log.is_empty()
                    && (!self.bits.has(Bits::FIN_QUEUED) || self.bits.has(Bits::FIN_SENT))),
            urgent: self.bits.has(Bits::URG_RECEIVING),
            closed: self.closed,
        }
    }

    /// Queues octets; returns how many fitted.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, cx: &mut Cx<'_>, data: &[u8]) -> Result<usize, WriteError> {
        if let Some(reason) = self.closed.filter(|r| *r != CloseReason::Done) {
            return Err(WriteError::Closed(reason));
        }
        if self.bits.has(Bits::FIN_QUEUED) || !self.state.sends() {
            return Err(WriteError::Closing);
        }
        if data.is_empty() {
            return Ok(0);
        }
        self.check_app_limited();
        let n = self.send.write(cx.pool, data, self.send_limit);
        if n == 0 && self.send.len() < self.send_limit {
            self.bits.set(Bits::STARVED);
        }
        if n == 0 { Err(WriteError::WouldBlock) } else { Ok(n as usize) }
    }

    /// As [`Connection::write`], and the last octet taken is marked urgent (RFC 9293 3.8.5).
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write_urgent(&mut self, cx: &mut Cx<'_>, data: &[u8]) -> Result<usize, WriteError> {
        let n = self.write(cx, data)?;
        if n > 0 {
            self.snd.up = self.queue_end();
            self.bits.set(Bits::URG_SENDING);
        }
        Ok(n)
    }

    /// Takes octets in order; `Ok(0)` is the end of the peer's stream (or an empty `into`).
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, cx: &mut Cx<'_>, into: &mut [u8]) -> Result<usize, ReadError> {
        let n = self.recv.read(cx.pool, into);
        if n > 0 {
            if self.bits.has(Bits::URG_RECEIVING) && self.unread_start().at_or_after(self.rcv.up) {
                self.bits.clear(Bits::URG_RECEIVING);
            }
            self.consider_window_update();
            return Ok(n);
        }
        if into.is_empty() { Ok(0) } else { self.end_of_stream() }
    }

    /// As [`Connection::read`], but the octets stay.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn peek(&self, into: &mut [u8]) -> Result<usize, ReadError> {
        match self.recv.peek(into) {
            0 if !into.is_empty() => self.end_of_stream(),
            n => Ok(n),
        }
    }

    /// Nothing is left to read: why.
    fn end_of_stream(&self) -> Result<usize, ReadError> {
        match self.closed {
            _ if self.bits.has(Bits::PEER_FIN) => Ok(0),
            Some(reason) => Err(ReadError::Closed(reason)),
            None if self.bits.has(Bits::SHUT_READ) => Ok(0),
            None => Err(ReadError::WouldBlock),
        }
    }

    /// Number of the first octet that was not read. Only meaningful before the peer's FIN is taken.
    pub(super) fn unread_start(&self) -> synfin_wire::Seq {
        self.rcv.nxt - self.recv.readable() - u32::from(self.bits.has(Bits::PEER_FIN))
    }

    /// Octets up to the urgent mark that were not read yet (RFC 9293 MUST-33).
    pub fn urgent(&self) -> Option<u32> {
        let left = self.rcv.up.dist(self.unread_start());
        (self.bits.has(Bits::URG_RECEIVING) && left > 0).then_some(left as u32)
    }

    /// Whether urgent text appeared, or its end advanced, since the last call (RFC 9293 MUST-32).
    pub fn take_urgent_news(&mut self) -> bool {
        self.bits.take(Bits::URG_NEWS)
    }

    /// Closes one or both directions for the application; the record stays with it (RFC 9293 3.10.4, 3.6).
    pub fn shutdown(&mut self, cx: &mut Cx<'_>, how: Shutdown) -> Verdict {
        if matches!(how, Shutdown::Read | Shutdown::Both) && !self.bits.has(Bits::SHUT_READ) {
            self.bits.set(Bits::SHUT_READ);
            if !cx.cfg.quirks.has(Quirks::SHUT_READ_KEEPS) {
                self.recv.discard(cx.pool, u32::MAX);
                self.consider_window_update();
            }
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            return self.close_ours(cx, false);
        }
        Verdict::Keep
    }

    /// CLOSE (RFC 9293 3.10.4): our FIN follows the last octet.
    fn close_ours(&mut self, cx: &mut Cx<'_>, full: bool) -> Verdict {
        if self.bits.has(Bits::FIN_QUEUED) {
            return Verdict::Keep;
        }
        match self.state {
            State::SynSent => return self.end(cx, Trigger::Close, CloseReason::Aborted),
            State::SynReceived => {
                self.bits.set(Bits::FIN_QUEUED);
                // With text queued, or where shutdown waits for the handshake, FIN follows once open.
                let waits = !full && cx.cfg.quirks.has(Quirks::SHUTDOWN_WAITS_FOR_OPEN);
                if self.send.is_empty() && !waits {
                    self.close_before_open(cx);
                }
            }
            State::Established | State::CloseWait => {
                self.bits.set(Bits::FIN_QUEUED);
                self.step(cx, Trigger::Close);
            }
            _ => {}
        }
        Verdict::Keep
    }

    /// FIN_WAIT_1 from a crossing SYN_RCVD: FIN goes at once, the SYN stays unacknowledged before it.
    fn close_before_open(&mut self, cx: &mut Cx<'_>) {
        self.step(cx, Trigger::Close);
        self.bits.set(Bits::CONNECTED);
    }

    /// The application lets go: full close. Unread text, or text that arrives later, resets (RFC 2525 2.17); with
    /// linger zero it aborts. The connection is an orphan from here on.
    pub fn close(&mut self, cx: &mut Cx<'_>) -> Verdict {
        if self.linger == Some(0) {
            return self.abort(cx);
        }
        self.bits.set(Bits::ORPHAN);
        let unread = self.recv.readable() > 0;
        let late = matches!(self.state, State::Closing | State::LastAck)
            && cx.cfg.quirks.has(Quirks::UNREAD_RESETS_LATE_STATES);
        let resets = self.state.receives() || self.state == State::CloseWait || late;
        if unread && resets {
            return self.abort(cx);
        }
        self.recv.clear(cx.pool);
        if self.state == State::FinWait2 {
            self.timers.fin_wait_2 = cx.now + cx.cfg.fin_wait_2;
        }
        self.close_ours(cx, true)
    }

    /// ABORT (RFC 9293 3.10.5): RST in [`Cx::reply`] where the state asks for one.
    pub fn abort(&mut self, cx: &mut Cx<'_>) -> Verdict {
        self.bits.set(Bits::ORPHAN);
        self.recv.clear(cx.pool);
        match self.state {
            State::Closed | State::TimeWait | State::Listen => Verdict::Keep,
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => {
                cx.reply = Some(self.abort_head(cx));
                self.end(cx, Trigger::Abort, CloseReason::Aborted)
            }
            State::Closing | State::LastAck if cx.cfg.quirks.has(Quirks::UNREAD_RESETS_LATE_STATES) => {
                cx.reply = Some(self.abort_head(cx));
                self.end(cx, Trigger::Abort, CloseReason::Aborted)
            }
            State::SynSent | State::Closing | State::LastAck => {
                self.end(cx, Trigger::Abort, CloseReason::Aborted)
            }
        }
    }

    /// Nobody holds this connection any more: after `Gone` or `Linger` it can be freed.
    pub fn is_orphan(&self) -> bool {
        self.bits.has(Bits::ORPHAN)
    }

    /// Gives all buffers back to the pool; call before dropping the record.
    pub fn release(&mut self, cx: &mut Cx<'_>) {
        self.send.clear(cx.pool);
        self.recv.clear(cx.pool);
    }
}
