//! One connection from SYN_SENT to LAST_ACK: its variables and its public face.

use core::time::Duration;

use synfin_wire::icmp::Notice;
use synfin_wire::{DropReason, Head, Instant, Segment, Seq, Tuple};

use crate::bytes::Slices;
use crate::error::{CloseReason, ReadError, SoftError, WriteError};
use crate::event::Why;
use crate::state::State;
use crate::syn::SynRecord;
use crate::timewait::TimeWait;
use crate::{Config, Cx, Keepalive};

/// How a call ended for the record itself. The stack alone edits its tables.
#[must_use]
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Go on.
    Keep,
    /// TIME_WAIT: out of the demultiplexer, this small record in. The connection itself stays as a husk until its
    /// application lets it go (unread text may wait in it).
    Linger(TimeWait),
    /// CLOSED: out of the demultiplexer. A husk stays as above. A last RST may wait in [`Cx::reply`].
    Gone(CloseReason),
}

/// What a device and the fair queue allow one segment to be.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TxLimits {
    /// Octets of IP payload (TCP header and text) that one packet may hold without device segmentation.
    pub mtu_payload: u16,
    /// Most octets of text that the device cuts into segments itself; 0 if it does not.
    pub max_gso: u32,
}

/// One segment to be sent: a header, and text that stays in the send buffer.
#[derive(Clone, Debug)]
pub struct Transmit<'a> {
    /// The header.
    pub head: Head,
    /// The text.
    pub payload: Slices<'a>,
    /// Octets of text.
    pub len: u32,
    /// Text octets per segment if the device has to cut, else 0.
    pub gso: u16,
    /// Why it is sent.
    pub why: Why,
}

/// Which half of the connection the application closes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// No more reading: what arrives is acknowledged and discarded.
    Read,
    /// No more writing: FIN after the last octet.
    Write,
    /// Both.
    Both,
}

/// What the application can do now.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Readiness {
    /// A read would not block: text, end of stream or an error waits.
    pub readable: bool,
    /// A write would not block: room in the send buffer, or an error waits.
    pub writable: bool,
    /// The handshake is complete (stays set).
    pub connected: bool,
    /// All that was written, FIN included if closed, is acknowledged.
    pub drained: bool,
    /// Urgent octets are ahead of the reader.
    pub urgent: bool,
    /// The record is closed; nothing more will happen.
    pub closed: Option<CloseReason>,
}

/// A copy of what a connection knows about itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Info {
    /// State.
    pub state: State,
    /// SND.UNA
    pub snd_una: Seq,
    /// SND.NXT
    pub snd_nxt: Seq,
    /// SND.WND in octets.
    pub snd_wnd: u32,
    /// RCV.NXT
    pub rcv_nxt: Seq,
    /// RCV.WND in octets.
    pub rcv_wnd: u32,
    /// Initial sequence numbers: ours, the peer's.
    pub iss: Seq,
    /// The peer's initial sequence number.
    pub irs: Seq,
    /// Effective send MSS in octets, options already subtracted.
    pub mss: u16,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Duration,
    /// Round-trip time variation.
    pub rttvar: Duration,
    /// Retransmission timeout, backoff included.
    pub rto: Duration,
    /// Congestion window in octets.
    pub cwnd: u32,
    /// Slow start threshold in octets.
    pub ssthresh: u32,
    /// Octets sent and not acknowledged.
    pub flight: u32,
    /// Octets waiting in the send buffer, sent or not.
    pub send_queue: u32,
    /// Octets in order that the application has not read.
    pub recv_queue: u32,
    /// Segments retransmitted so far.
    pub retransmits: u32,
    /// Consecutive timeouts without an answer.
    pub backoff: u8,
    /// Timestamps, SACK in use.
    pub timestamps: bool,
    /// SACK in use.
    pub sack: bool,
    /// Window scale shifts: ours, the peer's.
    pub wscale: (u8, u8),
    /// The last soft error, if any.
    pub soft_error: Option<SoftError>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub(crate) tuple: Tuple,
    pub(crate) state: State,
}

impl Connection {
    /// Active open: SYN_SENT. `our_mss` is what our side takes (interface MTU less headers).
    pub fn open(tuple: Tuple, iss: Seq, ts_offset: u32, our_mss: u16, cx: &mut Cx<'_>) -> Connection {
        todo!("{tuple} {iss} {ts_offset} {our_mss} {}", cx.now.nanos())
    }

    /// Passive open completed: ESTABLISHED is reached when the completing segment goes through
    /// [`Connection::on_segment`], which the caller does next.
    pub fn promote(rec: &SynRecord, cx: &mut Cx<'_>) -> Connection {
        todo!("{rec:?} {}", cx.now.nanos())
    }

    /// A segment for this 4-tuple arrived (RFC 9293 3.10.7).
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        todo!("{seg:?} {}", cx.now.nanos())
    }

    /// [`Connection::poll_timeout`] has passed. May be called early: nothing happens then.
    pub fn on_timeout(&mut self, cx: &mut Cx<'_>) -> Verdict {
        todo!("{}", cx.now.nanos())
    }

    /// An ICMP error that quotes this 4-tuple and `seq` (RFC 5927 checks happen here).
    ///
    /// # Errors
    /// `IcmpUnmatched` if the quoted number is not in flight.
    pub fn on_icmp(&mut self, cx: &mut Cx<'_>, notice: Notice, seq: Seq) -> Result<Verdict, DropReason> {
        todo!("{notice:?} {seq} {}", cx.now.nanos())
    }

    /// The next segment to send, if any. Committed on return: ask the sink for room first.
    pub fn poll_transmit(&mut self, cx: &mut Cx<'_>, lim: TxLimits) -> Option<Transmit<'_>> {
        todo!("{lim:?} {}", cx.now.nanos())
    }

    /// Whether [`Connection::poll_transmit`] may have something; cheap.
    pub fn wants_transmit(&self) -> bool {
        todo!()
    }

    /// When [`Connection::on_timeout`] wants to be called; [`Instant::NEVER`] if never.
    pub fn poll_timeout(&self) -> Instant {
        todo!()
    }

    /// What the application can do now.
    pub fn readiness(&self) -> Readiness {
        todo!()
    }

    /// Queues octets; returns how many fitted.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, cx: &mut Cx<'_>, data: &[u8]) -> Result<usize, WriteError> {
        todo!("{data:?} {}", cx.now.nanos())
    }

    /// As [`Connection::write`], and the last octet taken is marked urgent (RFC 9293 3.8.5).
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write_urgent(&mut self, cx: &mut Cx<'_>, data: &[u8]) -> Result<usize, WriteError> {
        todo!("{data:?} {}", cx.now.nanos())
    }

    /// Takes octets in order; `Ok(0)` is the end of the peer's stream (or an empty `into`).
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, cx: &mut Cx<'_>, into: &mut [u8]) -> Result<usize, ReadError> {
        todo!("{into:?} {}", cx.now.nanos())
    }

    /// As [`Connection::read`], but the octets stay.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn peek(&self, into: &mut [u8]) -> Result<usize, ReadError> {
        todo!("{into:?}")
    }

    /// Octets up to the urgent mark that were not read yet (RFC 9293 MUST-33).
    pub fn urgent(&self) -> Option<u32> {
        todo!()
    }

    /// Closes one or both directions for the application; the record stays with it (RFC 9293 3.10.4, 3.6).
    pub fn shutdown(&mut self, cx: &mut Cx<'_>, how: Shutdown) -> Verdict {
        todo!("{how:?} {}", cx.now.nanos())
    }

    /// The application lets go: full close. Unread text, or text that arrives later, resets (RFC 2525 2.17); with
    /// linger zero it aborts. The connection is an orphan from here on.
    pub fn close(&mut self, cx: &mut Cx<'_>) -> Verdict {
        todo!("{}", cx.now.nanos())
    }

    /// ABORT (RFC 9293 3.10.5): RST in [`Cx::reply`] where the state asks for one.
    pub fn abort(&mut self, cx: &mut Cx<'_>) -> Verdict {
        todo!("{}", cx.now.nanos())
    }

    /// Nobody holds this connection any more: after `Gone` or `Linger` it can be freed.
    pub fn is_orphan(&self) -> bool {
        todo!()
    }

    /// Gives all buffers back to the pool; call before dropping the record.
    pub fn release(&mut self, cx: &mut Cx<'_>) {
        todo!("{}", cx.now.nanos())
    }

    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// A copy of everything worth showing.
    pub fn info(&self) -> Info {
        todo!()
    }

    /// Nagle's algorithm off (`true`) or on (RFC 9293 MUST-17).
    pub fn set_nodelay(&mut self, on: bool) {
        todo!("{on}")
    }

    /// Whether Nagle's algorithm is off.
    pub fn nodelay(&self) -> bool {
        todo!()
    }

    /// Keepalive on with these times (`None`: off), RFC 9293 MUST-24, MUST-27.
    pub fn set_keepalive(&mut self, cx: &Cx<'_>, times: Option<Keepalive>) {
        todo!("{times:?} {}", cx.now.nanos())
    }

    /// Keepalive times if it is on.
    pub fn keepalive(&self) -> Option<Keepalive> {
        todo!()
    }

    /// R2 as a time (RFC 9293 MUST-21, RFC 5482): `None` means the default retry limits, `Some(Duration::MAX)` never.
    pub fn set_user_timeout(&mut self, cx: &Cx<'_>, timeout: Option<Duration>) {
        todo!("{timeout:?} {}", cx.now.nanos())
    }

    /// The user timeout.
    pub fn user_timeout(&self) -> Option<Duration> {
        todo!()
    }

    /// What [`Connection::close`] does: `Some(zero)` aborts; other values only bound how long a blocking close waits.
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        todo!("{linger:?}")
    }

    /// The linger time.
    pub fn linger(&self) -> Option<Duration> {
        todo!()
    }

    /// Largest receive buffer in octets. Growing takes effect at once; shrinking never takes back what was offered.
    pub fn set_recv_buffer(&mut self, octets: u32) {
        todo!("{octets}")
    }

    /// Largest receive buffer in octets.
    pub fn recv_buffer(&self) -> u32 {
        todo!()
    }

    /// Largest send buffer in octets.
    pub fn set_send_buffer(&mut self, octets: u32) {
        todo!("{octets}")
    }

    /// Largest send buffer in octets.
    pub fn send_buffer(&self) -> u32 {
        todo!()
    }

    /// Time to live or hop limit of this connection's packets.
    pub fn set_ttl(&mut self, ttl: u8) {
        todo!("{ttl}")
    }

    /// Time to live or hop limit.
    pub fn ttl(&self) -> u8 {
        todo!()
    }

    /// Diffserv code point, 0 to 63 (RFC 9293 MUST-48).
    pub fn set_dscp(&mut self, dscp: u8) {
        todo!("{dscp}")
    }

    /// The traffic class octet: DSCP and ECN bits.
    pub fn tos(&self) -> u8 {
        todo!()
    }

    /// Takes the last soft error (RFC 9293 SHLD-25).
    pub fn take_soft_error(&mut self) -> Option<SoftError> {
        todo!()
    }
}

/// The effective settings that a new record starts from.
#[allow(dead_code, reason = "skeleton")]
fn unused(_: &Config) {}
