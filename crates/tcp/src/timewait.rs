//! TIME_WAIT: enough to answer a repeated FIN and to judge a new SYN (RFC 9293 3.10.7.4, RFC 6191, RFC 1337).

use synfin_wire::{DropReason, Instant, Segment, Seq, Tuple};

use crate::Cx;

/// What is left of a connection that closed first.
#[derive(Clone, Debug)]
pub struct TimeWait {
    pub(crate) tuple: Tuple,
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    /// As offered last, in octets.
    pub(crate) rcv_wnd: u32,
    /// Lowest acceptable SEG.ACK (RFC 5961 5).
    pub(crate) ack_floor: Seq,
    pub(crate) rcv_wscale: u8,
    /// TS.Recent if timestamps were in use.
    pub(crate) ts_recent: Option<u32>,
    /// When TS.Recent was taken: it means nothing after 24 days (RFC 7323 5.5).
    pub(crate) ts_recent_at: Instant,
    pub(crate) ts_offset: u32,
    pub(crate) expires: Instant,
    pub(crate) last_answer: Instant,
}

/// What the stack does with a TIME_WAIT record after a segment.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing changes; an answer may wait in [`Cx::reply`].
    Stay,
    /// As `Stay`, and 2 MSL start again: move the record to the end of the expiry queue.
    Restart,
    /// A SYN that may open a new connection (RFC 6191): if a listener takes it, replace the record; the new ISS must
    /// lie after `floor`. If none does, call [`TimeWait::refuse`].
    Reopen {
        /// Old SND.NXT.
        floor: Seq,
    },
    /// The record is no more (profile linux).
    Delete,
    /// The segment was of no use.
    Drop(DropReason),
}

impl TimeWait {
    /// A segment for this 4-tuple arrived.
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Rest {
        todo!("{seg:?} {}", cx.now.nanos())
    }

    /// A SYN that could have reopened found no listener: answer it with an ACK.
    pub fn refuse(&mut self, cx: &mut Cx<'_>) {
        todo!("{}", cx.now.nanos())
    }

    /// When the record may go.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// Whether an active open of the same pair may take this record over now: timestamps were in use and at least
    /// one second has passed since the last segment (RFC 6191 idea). The new ISS must lie after `floor`.
    pub fn reusable(&self, now: Instant, cx_cfg: &crate::Config) -> Option<Seq> {
        let since = now.since(self.expires - cx_cfg.time_wait());
        (self.ts_recent.is_some() && since.as_secs() >= 1).then_some(self.snd_nxt)
    }
}
