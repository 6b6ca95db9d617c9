//! The half-open record: passive SYN_RCVD, without buffers (RFC 4987 3.3).

use synfin_wire::{DropReason, Flags, Head, Instant, OptionsOut, Segment, Seq, Timestamps, Tuple};

use crate::config::Quirks;
use crate::connection::{default_mss, limit_allows, paws_rejects, reset_for, syn_window};
use crate::event::{Event, TimerKind};
use crate::{CloseReason, Config, Cx, State, Trigger};

/// What a SYN offered and what was agreed; everything a connection needs to start from.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
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

impl SynOffer {
    /// What the options of a SYN and our settings agree on (RFC 7323 1.3, 2.3, 3.2; RFC 2018 2).
    pub fn of(seg: &Segment<'_>, tuple: &Tuple, cfg: &Config) -> SynOffer {
        SynOffer {
            peer_mss: seg
                .opts
                .mss
                .filter(|mss| *mss > 0 || !cfg.quirks.has(Quirks::MSS_ZERO_IS_NONE))
                .unwrap_or(default_mss(tuple)),
            peer_wscale: seg.opts.wscale.filter(|_| cfg.window_scaling).map(|s| s.min(14)),
            sack: seg.opts.sack_permitted && cfg.sack,
            ts_recent: seg.opts.ts.filter(|_| cfg.timestamps).map(|t| t.val),
        }
    }
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
    /// SYN,ACKs sent beyond the first because the timer ran out.
    pub(crate) retries: u8,
    pub(crate) sent: Instant,
    pub(crate) deadline: Instant,
    pub(crate) next_ac: Instant,
    /// The ACK came, and text is waited for.
    pub(crate) acked: bool,
}

// There may be as many as somebody sends SYNs.
const _: () = assert!(size_of::<SynRecord>() <= 96);

/// What the stack does with a half-open record after a segment or timeout.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HalfOpen {
    /// Nothing changes; an answer may wait in [`Cx::reply`].
    Stay,
    /// The handshake is complete: make it a [`crate::Connection`] and hand it this segment.
    Promote,
    /// Delete the record without telling the application (RFC 9293 MUST-11).
    Delete,
}

impl SynRecord {
    /// Answers a SYN (already checked by the listener): the record and, in [`Cx::reply`], the SYN,ACK.
    /// `our_mss` is what our side takes (interface MTU less headers). Text on the SYN is left for the peer to repeat.
    pub fn open(
        tuple: Tuple,
        seg: &Segment<'_>,
        iss: Seq,
        ts_offset: u32,
        our_mss: u16,
        cx: &mut Cx<'_>,
    ) -> SynRecord {
        let offer = SynOffer::of(seg, &tuple, cx.cfg);
        let rec = SynRecord::from_offer(tuple, iss, seg.seq, our_mss, seg.wnd, offer, ts_offset, cx);
        cx.reply = Some(rec.syn_ack(cx));
        rec
    }

    /// The record that a SYN,ACK with these numbers stands for, without sending one: what a valid SYN cookie proves.
    #[expect(clippy::too_many_arguments, reason = "the record's own fields, each from a different source")]
    pub fn from_offer(
        tuple: Tuple,
        iss: Seq,
        irs: Seq,
        our_mss: u16,
        peer_wnd: u16,
        offer: SynOffer,
        ts_offset: u32,
        cx: &Cx<'_>,
    ) -> SynRecord {
        let deadline = cx.now + cx.cfg.rto_initial;
        let our_mss = our_mss.min(cx.cfg.mss_limit);
        SynRecord {
            tuple,
            iss,
            irs,
            our_mss,
            peer_wnd,
            offer,
            ts_offset,
            retries: 0,
            sent: cx.now,
            deadline,
            next_ac: Instant::ZERO,
            acked: false,
        }
    }

    /// A segment for this 4-tuple arrived (RFC 9293 3.10.7.4, SYN-RECEIVED).
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> HalfOpen {
        cx.emit(&self.tuple, || Event::Received(seg));
        let quirks = cx.cfg.quirks;
        let rcv_nxt = self.irs + 1;
        let wnd = u32::from(self.window(cx.cfg));
        let good_ack = seg.ack == Some(self.iss + 1);
        if let Some(recent) = self.offer.ts_recent
            && !seg.ctl.rst()
        {
            match seg.opts.ts {
                None if !seg.ctl.syn() && !quirks.has(Quirks::TIMESTAMP_MAY_MISS) => {
                    return self.drop(cx, DropReason::NoTimestamp);
                }
                Some(ts) if paws_rejects(ts.val, recent, self.sent, cx.now, quirks) => {
                    self.duplicate_ack(cx, seg);
                    return self.drop(cx, DropReason::Paws);
                }
                _ => {}
            }
        }
        if !seg.ctl.rst() {
            if seg.ctl.syn() && seg.ack.is_none() && seg.seq == self.irs {
                // The peer's SYN again: our SYN,ACK was lost. The timer keeps its pace (RFC 9293 3.10.7.4 note).
                if let (Some(recent), Some(ts)) = (self.offer.ts_recent.as_mut(), seg.opts.ts) {
                    // The echo names the SYN that is answered (RFC 7323 4.3).
                    *recent = ts.val;
                }
                if !quirks.has(Quirks::DUPLICATE_SYN_LIMITED) || limit_allows(&mut self.next_ac, cx) {
                    cx.reply = Some(self.syn_ack(cx));
                }
                return self.drop(cx, DropReason::Duplicate);
            }
            if seg.ack.is_some() && !good_ack {
                // An ACK for something never sent: a stale peer is told at once (RFC 9293 3.5.2 group 2).
                cx.reply = Some(reset_for(seg));
                return self.drop(cx, DropReason::AckTooNew);
            }
        }
        let len = if seg.ctl.rst() { 0 } else { seg.seq_len() };
        let inside = match len {
            0 => seg.seq.within(rcv_nxt, wnd) || (wnd == 0 && seg.seq == rcv_nxt),
            _ => {
                let last = seg.seq + (len - 1);
                seg.seq.within(rcv_nxt, wnd)
                    || last.within(rcv_nxt, wnd)
                    || (rcv_nxt.within(seg.seq, len) && last.at_or_after(rcv_nxt + wnd))
            }
        };
        if !inside {
            if !seg.ctl.rst() {
                self.duplicate_ack(cx, seg);
            }
            return self.drop(cx, DropReason::OutOfWindow);
        }
        if seg.ctl.rst() {
            if seg.seq == rcv_nxt {
                return self.delete(cx, Trigger::RcvRst, CloseReason::Reset);
            }
            self.limited_ack(cx);
            return self.drop(cx, DropReason::RstNotExact);
        }
        if seg.ctl.syn() {
            if quirks.has(Quirks::SYN_RCVD_SYN_RESETS) && seg.seq != self.irs {
                cx.reply = Some(reset_for(seg));
                return self.delete(cx, Trigger::RcvRst, CloseReason::Reset);
            }
            if seg.seq.within(rcv_nxt, wnd) {
                // RFC 9293 3.10.7.4 fourth: back to LISTEN, nothing is sent.
                return self.delete(cx, Trigger::RcvRst, CloseReason::Reset);
            }
            self.limited_ack(cx);
            return self.drop(cx, DropReason::SynInWindow);
        }
        if seg.ack.is_none() {
            return self.drop(cx, DropReason::NoAck);
        }
        if self.retries < cx.cfg.defer_accept && seg.seq_len() == 0 {
            self.acked = true;
            return self.drop(cx, DropReason::NotForThisState);
        }
        HalfOpen::Promote
    }

    /// The deadline passed: the SYN,ACK goes out again or the record goes away.
    pub fn on_timeout(&mut self, cx: &mut Cx<'_>) -> HalfOpen {
        if cx.now < self.deadline {
            return HalfOpen::Stay;
        }
        cx.emit(&self.tuple, || Event::Timer(TimerKind::Retransmit));
        let deferred = self.acked && cx.cfg.defer_accept > self.retries;
        if self.retries >= cx.cfg.syn_ack_retries && !deferred {
            return self.delete(cx, Trigger::Timeout, CloseReason::TimedOut);
        }
        self.retries += 1;
        let rto = cx.cfg.rto_initial.saturating_mul(1 << self.retries.min(16)).min(cx.cfg.rto_max);
        self.sent = cx.now;
        self.deadline = cx.now + rto;
        // Whoever acknowledged is asked again only when the waiting for text ends.
        if !deferred || self.retries >= cx.cfg.defer_accept {
            cx.counters.retransmits += 1;
            cx.reply = Some(self.syn_ack(cx));
        }
        HalfOpen::Stay
    }

    /// When [`SynRecord::on_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Instant {
        self.deadline
    }

    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// Our initial sequence number: ICMP errors about our SYN,ACK quote it.
    pub fn iss(&self) -> Seq {
        self.iss
    }

    /// SYN,ACKs sent again so far.
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// The SYN,ACK of this record as it would be sent now.
    pub fn syn_ack(&self, cx: &Cx<'_>) -> Head {
        Head {
            seq: self.iss,
            ack: Some(self.irs + 1),
            wnd: self.window(cx.cfg),
            flags: Flags::SYN,
            opts: OptionsOut {
                mss: Some(self.our_mss),
                wscale: self.offer.peer_wscale.map(|_| cx.cfg.recv_wscale()),
                sack_permitted: self.offer.sack,
                ts: self.timestamps(cx),
                ..OptionsOut::default()
            },
            ..Head::default()
        }
    }

    /// The window that the SYN,ACK offers.
    fn window(&self, cfg: &Config) -> u16 {
        let options = if self.offer.ts_recent.is_some() { 12 } else { 0 };
        syn_window(cfg.first_window(cfg.recv_buffer, self.our_mss.saturating_sub(options)))
    }

    fn timestamps(&self, cx: &Cx<'_>) -> Option<Timestamps> {
        let ecr = self.offer.ts_recent?;
        Some(Timestamps { val: (cx.now.millis() as u32).wrapping_add(self.ts_offset), ecr })
    }

    fn ack(&self, cx: &Cx<'_>) -> Head {
        let wnd = self.window(cx.cfg);
        Head {
            seq: self.iss + 1,
            ack: Some(self.irs + 1),
            wnd: if self.offer.peer_wscale.is_some() { wnd >> cx.cfg.recv_wscale() } else { wnd },
            opts: OptionsOut { ts: self.timestamps(cx), ..OptionsOut::default() },
            ..Head::default()
        }
    }

    /// As for a connection: limited, but not for text or FIN (RFC 5961 7).
    fn duplicate_ack(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) {
        if seg.seq_len() > 0 && !seg.ctl.syn() {
            cx.reply = Some(self.ack(cx));
        } else {
            self.limited_ack(cx);
        }
    }

    fn limited_ack(&mut self, cx: &mut Cx<'_>) {
        if limit_allows(&mut self.next_ac, cx) {
            cx.reply = Some(self.ack(cx));
        }
    }

    fn drop(&self, cx: &mut Cx<'_>, why: DropReason) -> HalfOpen {
        cx.dropped(&self.tuple, why);
        HalfOpen::Stay
    }

    fn delete(&self, cx: &mut Cx<'_>, by: Trigger, reason: CloseReason) -> HalfOpen {
        cx.emit(&self.tuple, || Event::State { from: State::SynReceived, to: State::Closed, by });
        cx.emit(&self.tuple, || Event::Closed(reason));
        HalfOpen::Delete
    }
}
