//! The half-open record: passive SYN_RCVD, without buffers (RFC 4987 3.3).

use synfin_wire::{Head, Instant, Segment, Seq, Tuple};

use crate::Cx;

/// What a SYN offered and what was agreed; everything a connection needs to start from.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct SynOffer {
    /// The peer's MSS option, or the default for the IP version (RFC 9293 MUST-15).
    pub peer_mss: u16,
    /// The peer's window scale shift (capped at 14) if both sides scale.
    pub peer_wscale: Option<u8>,
    /// Both sides do SACK.
    pub sack: bool,
    /// Both sides do timestamps: the peer's last TSval.
    pub ts_recent: Option<u32>,
}

/// A half-open connection: a SYN was answered, nothing is confirmed.
#[derive(Clone, Debug)]
pub struct SynRecord {
    pub(crate) tuple: Tuple,
    pub(crate) iss: Seq,
    pub(crate) irs: Seq,
    /// Largest MSS that our side takes, and offered.
    pub(crate) our_mss: u16,
    pub(crate) peer_wnd: u16,
    pub(crate) offer: SynOffer,
    pub(crate) ts_offset: u32,
    /// RTO number: SYN,ACKs sent beyond the first.
    pub(crate) retries: u8,
    pub(crate) deadline: Instant,
    pub(crate) last_answer: Instant,
}

/// What the stack does with a half-open record after a segment or timeout.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HalfOpen {
    /// Nothing changes; an answer may wait in [`Cx::reply`].
    Stay,
    /// The handshake is complete: make it a [`crate::Connection`] and hand it this segment.
    Promote,
    /// Delete the record without telling anybody.
    Delete,
}

impl SynRecord {
    /// Answers a SYN (already checked by the listener): the record and, in [`Cx::reply`], the SYN,ACK.
    /// `our_mss` is what our side takes (interface MTU less headers).
    pub fn open(tuple: Tuple, seg: &Segment<'_>, iss: Seq, ts_offset: u32, our_mss: u16, cx: &mut Cx<'_>) -> SynRecord {
        todo!("{tuple} {seg:?} {iss} {ts_offset} {our_mss} {}", cx.now.nanos())
    }

    /// A segment for this 4-tuple arrived.
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> HalfOpen {
        todo!("{seg:?} {}", cx.now.nanos())
    }

    /// The deadline passed: the SYN,ACK goes out again or the record goes away.
    pub fn on_timeout(&mut self, cx: &mut Cx<'_>) -> HalfOpen {
        todo!("{}", cx.now.nanos())
    }

    /// When [`SynRecord::on_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Instant {
        self.deadline
    }

    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// The SYN,ACK of this record as it would be sent now.
    pub fn syn_ack(&self, cx: &Cx<'_>) -> Head {
        todo!("{}", cx.now.nanos())
    }
}
