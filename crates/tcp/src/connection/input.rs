//! A segment arrives (RFC 9293 3.10.7): named steps in the RFC's order. Inputs change state, they never emit.

use core::time::Duration;

use synfin_wire::{Control, DropReason, Flags, Head, Instant, OptionsOut, Segment, Seq, Timestamps};

use super::{Bits, Connection, Verdict};
use crate::Cx;
use crate::config::Quirks;
use crate::error::CloseReason;
use crate::event::{Event, Why};
use crate::state::{State, Trigger};
use crate::syn::SynOffer;

/// RFC 7323 5.5: TS.Recent means nothing after 24 days.
const TS_RECENT_LIFE_MS: u64 = 24 * 24 * 3600 * 1000;
/// Least time between two limited ACKs, whatever the settings say.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// `val < recent` in timestamp arithmetic, and recent is not too old to judge (RFC 7323 5.3 R1, 5.5).
pub(crate) fn paws_rejects(val: u32, recent: u32, taken: Instant, now: Instant, quirks: Quirks) -> bool {
    let recent = if quirks.has(Quirks::PAWS_TOLERATES_ONE) { recent.wrapping_sub(1) } else { recent };
    Seq::new(val).before(Seq::new(recent)) && now.millis().saturating_sub(taken.millis()) <= TS_RECENT_LIFE_MS
}

/// The RST that answers `seg` where nothing accepts it (RFC 9293 3.5.2 group 1; timestamp as RFC 7323 3.2 allows).
pub fn reset_for(seg: &Segment<'_>) -> Head {
    let ts = seg.opts.ts.map(|t| Timestamps { val: 0, ecr: t.val });
    let opts = OptionsOut { ts, ..OptionsOut::default() };
    match seg.ack {
        Some(ack) => Head { seq: ack, flags: Flags::RST, opts, ..Head::default() },
        None => Head { ack: Some(seg.seq + seg.seq_len()), flags: Flags::RST, opts, ..Head::default() },
    }
}

/// The part of a segment that lies in the receive window.
pub(super) struct Trimmed<'a> {
    /// Text that is new and fits.
    pub text: &'a [u8],
    /// Number of its first octet.
    pub start: Seq,
    /// The FIN fits; its number is `fin_at`.
    pub fin: bool,
    /// Number that a FIN of this segment has.
    pub fin_at: Seq,
    /// Something was refused at the right edge or a zero window: the peer is told at once.
    pub tell: bool,
}

/// How the sequence test ended (RFC 9293 3.4, table 6).
enum SeqTest {
    Inside,
    /// Zero window, segment at RCV.NXT with text or FIN: ACK, RST and URG are still judged (MUST-66).
    ZeroWindow,
    Outside,
}

impl Connection {
    /// A segment for this 4-tuple arrived (RFC 9293 3.10.7).
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        // A passive open hands over the segment that completed it: the half-open record has told the probe of it.
        if self.state != State::SynReceived || self.bits.has(Bits::ACTIVE) {
            cx.emit(&self.tuple, || Event::Received(seg));
        }
        let verdict = match self.state {
            State::Established if self.is_next(cx, seg) => self.take_next(cx, seg),
            State::SynSent => self.in_syn_sent(cx, seg),
            State::Closed | State::Listen | State::TimeWait => {
                cx.dropped(&self.tuple, DropReason::NotForThisState);
                Verdict::Keep
            }
            _ => self.in_other_states(cx, seg),
        };
        self.heard(cx.now);
        // Whoever waited for more text waits no longer than the peer.
        self.bits.clear(Bits::MORE);
        verdict
    }

    /// The peer is there.
    #[inline]
    fn heard(&mut self, now: Instant) {
        if let Some(k) = &mut self.keepalive {
            k.since = now;
            k.probes = 0;
        }
    }

    /// Whether a segment in ESTABLISHED is what nearly all are: exactly next in order, wholly in the window, with a good
    /// ACK and nothing that needs a second look. It passes every test of [`Connection::in_other_states`].
    #[inline]
    fn is_next(&self, cx: &Cx<'_>, seg: &Segment<'_>) -> bool {
        let stamped = !self.bits.has(Bits::TS_OK)
            || seg.opts.ts.is_some_and(|ts| {
                let (recent, taken) = (self.rcv.ts_recent, self.rcv.ts_recent_at);
                !paws_rejects(ts.val, recent, taken, cx.now, cx.cfg.quirks)
            });
        seg.ctl == Control::None
            && seg.urg.is_none()
            && seg.seq == self.rcv.nxt
            && seg.payload.len() as u32 <= self.rcv_wnd()
            && seg.ack.is_some_and(|ack| ack.at_or_after(self.snd.una) && ack.at_or_before(self.snd.nxt))
            && !self.recv.has_gap()
            && stamped
    }

    /// What remains to be done for such a segment: ACK, timestamp, text.
    fn take_next(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        if let Some(ack) = seg.ack
            && let Some(verdict) = self.take_ack(cx, seg, ack)
        {
            return verdict;
        }
        self.update_ts_recent(cx, seg);
        if !seg.payload.is_empty() {
            let fin_at = seg.seq + seg.payload.len() as u32;
            let all = Trimmed { text: seg.payload, start: seg.seq, fin: false, fin_at, tell: false };
            self.take_text(cx, seg, &all);
        }
        Verdict::Keep
    }

    fn drop_segment(&mut self, cx: &mut Cx<'_>, why: DropReason) -> Verdict {
        cx.dropped(&self.tuple, why);
        Verdict::Keep
    }

    /// RFC 9293 3.10.7.3.
    fn in_syn_sent(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        // First: the ACK bit. "<= SND.NXT" rather than "=": a SYN with text may be acknowledged in part.
        if let Some(ack) = seg.ack
            && (ack.at_or_before(self.iss) || ack.after(self.snd.nxt))
        {
            if !seg.ctl.rst() {
                cx.reply = Some(reset_for(seg));
            }
            return self.drop_segment(cx, DropReason::AckTooNew);
        }
        // Second: RST counts only with a good ACK.
        if seg.ctl.rst() {
            return if seg.ack.is_some() {
                self.end(cx, Trigger::RcvRst, CloseReason::Refused)
            } else {
                self.drop_segment(cx, DropReason::RstIgnored)
            };
        }
        // Fifth, moved up: neither SYN nor RST.
        if !seg.ctl.syn() {
            return self.drop_segment(cx, DropReason::NotForThisState);
        }
        // Fourth: SYN.
        self.take_peer_syn(seg.seq, &SynOffer::of(seg, &self.tuple, cx.cfg), cx);
        self.snd.wnd = u32::from(seg.wnd);
        self.snd.max_wnd = self.snd.wnd;
        self.snd.wl1 = seg.seq;
        let Some(ack) = seg.ack else {
            // Both opened at once: answer with SYN,ACK under the same ISS. Text on the SYN comes again (RFC 9293 3.5).
            self.step(cx, Trigger::RcvSyn);
            self.bits.set(Bits::SYN_DUE);
            return Verdict::Keep;
        };
        self.step(cx, Trigger::RcvSynAck);
        self.take_ack_of_syn(cx, ack);
        let text_follows = self.bits.take(Bits::WRITER) || self.pace.in_pingpong();
        if text_follows && cx.cfg.quirks.has(Quirks::ADAPTIVE_ACKS) {
            self.pace.disorder(self.rcv_wnd());
            self.timers.delayed_ack = cx.now + crate::recv::pace::ATO_MAX;
        } else {
            self.ack_now(Why::Ack);
        }
        // There only a peer that took all the text of our SYN may answer with text.
        let fast = self.snd.nxt != self.iss + 1 && ack == self.snd.nxt && !seg.ctl.fin();
        if cx.cfg.quirks.has(Quirks::SYN_ACK_TEXT_IGNORED) && !fast {
            return Verdict::Keep;
        }
        // "continue at the sixth step": text and FIN that ride on the SYN,ACK.
        let trimmed = self.trim(seg, seg.seq + 1, false, false);
        self.take_text_and_fin(cx, seg, &trimmed)
    }

    /// RFC 9293 3.10.7.4.
    fn in_other_states(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        if let Some(v) = self.check_timestamp(cx, seg) {
            return v;
        }
        let mut seg = *seg;
        let mut must_ack = false;
        if self.state == State::SynReceived {
            match self.check_crossing(cx, &mut seg) {
                Crossing::Done => return Verdict::Keep,
                Crossing::OursAcked => must_ack = true,
                Crossing::GoOn => {}
            }
        }
        let zero_window = match self.sequence_test(cx, &seg) {
            SeqTest::Inside => false,
            SeqTest::ZeroWindow => true,
            SeqTest::Outside => return self.outside_window(cx, &seg),
        };
        if seg.ctl.rst() {
            return self.take_rst(cx, &seg);
        }
        // Fourth: SYN on a connection that has one (RFC 5961 4). SYN_RCVD by active open alike.
        if seg.ctl.syn() {
            self.challenge(cx);
            return self.drop_segment(cx, DropReason::SynInWindow);
        }
        if !zero_window && self.drops_beyond_edge(cx, &seg) {
            self.duplicate_ack(cx, &seg);
            return self.drop_segment(cx, DropReason::OutOfWindow);
        }
        let in_order = !zero_window && seg.seq.at_or_before(self.rcv.nxt) && self.state.receives();
        if in_order && self.recv.readable() == 0 && cx.cfg.quirks.has(Quirks::BEYOND_EDGE_TAKEN) {
            // The offer grows by what the peer sent beyond it, as if it had been made; by one segment until it is read.
            self.rcv.adv = self.rcv.adv.later(seg.seq + seg.payload.len() as u32);
        }
        let trimmed = self.trim(&seg, seg.seq, zero_window, must_ack);
        // Fifth: ACK.
        let Some(ack) = seg.ack else {
            if zero_window && !cx.cfg.quirks.has(Quirks::NO_ACK_BIT_SILENT) {
                self.challenge(cx);
            }
            return self.drop_segment(cx, DropReason::NoAck);
        };
        if self.state == State::SynReceived {
            if !(ack.after(self.snd.una) && ack.at_or_before(self.snd.nxt)) {
                cx.reply = Some(reset_for(&seg));
                return self.drop_segment(cx, DropReason::AckTooNew);
            }
            self.step(cx, Trigger::RcvAckOfSyn);
            self.snd.wl1 = seg.seq;
            self.snd.wl2 = ack;
            self.snd.wnd = u32::from(seg.wnd) << self.snd.wscale;
            self.snd.max_wnd = self.snd.max_wnd.max(self.snd.wnd);
            self.take_ack_of_syn(cx, ack);
        } else {
            let any_ack = cx.cfg.quirks.has(Quirks::AFTER_CLOSE_ANY_ACK) && self.state == State::FinWait2;
            if any_ack && self.resets_after_close(cx, &trimmed) {
                return self.reset_after_close(cx, &seg);
            }
            if let Some(v) = self.check_ack_range(cx, ack) {
                return v;
            }
            if let Some(verdict) = self.take_ack(cx, &seg, ack) {
                return verdict;
            }
        }
        self.update_ts_recent(cx, &seg);
        self.take_text_and_fin(cx, &seg, &trimmed)
    }

    /// Steps 0a and 0b: timestamps before anything else (RFC 7323 3.2, 5.3 R1). RST is exempt.
    fn check_timestamp(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Option<Verdict> {
        if !self.bits.has(Bits::TS_OK) || seg.ctl.rst() {
            return None;
        }
        match seg.opts.ts {
            // A SYN goes on: it gets its challenge ACK (RFC 5961 4 is a MUST).
            None if seg.ctl.syn() || cx.cfg.quirks.has(Quirks::TIMESTAMP_MAY_MISS) => None,
            None => Some(self.drop_segment(cx, DropReason::NoTimestamp)),
            Some(ts)
                if paws_rejects(ts.val, self.rcv.ts_recent, self.rcv.ts_recent_at, cx.now, cx.cfg.quirks) =>
            {
                self.duplicate_ack(cx, seg);
                Some(self.drop_segment(cx, DropReason::Paws))
            }
            Some(_) => None,
        }
    }

    /// RFC 7323 4.3 (2): the segment that holds Last.ACK.sent brings TS.Recent forward, never back (5.2), whatever a
    /// profile lets pass.
    fn update_ts_recent(&mut self, cx: &Cx<'_>, seg: &Segment<'_>) {
        if self.bits.has(Bits::TS_OK)
            && let Some(ts) = seg.opts.ts
            && seg.seq.at_or_before(self.rcv.last_ack_sent)
            && !paws_rejects(ts.val, self.rcv.ts_recent, self.rcv.ts_recent_at, cx.now, Quirks::NONE)
        {
            self.rcv.ts_recent = ts.val;
            self.rcv.ts_recent_at = cx.now;
        }
    }

    /// Segments of a crossing open, before the sequence test: the peer's SYN again, its SYN,ACK, a bad ACK.
    fn check_crossing(&mut self, cx: &mut Cx<'_>, seg: &mut Segment<'_>) -> Crossing {
        if seg.ctl.rst() {
            return Crossing::GoOn;
        }
        let good_ack = seg.ack.is_some_and(|a| a.after(self.snd.una) && a.at_or_before(self.snd.nxt));
        if seg.ctl.syn() && seg.seq == self.irs {
            if seg.ack.is_none() {
                // The peer's SYN again: our SYN,ACK was lost. The timer keeps its pace.
                if cx.cfg.quirks.has(Quirks::CROSSED_SYN_BARE_ACK) {
                    self.challenge(cx);
                } else {
                    self.bits.set(Bits::SYN_DUE);
                }
                cx.dropped(&self.tuple, DropReason::Duplicate);
                return Crossing::Done;
            }
            if seg.seq_len() == 1 && seg.ack == Some(self.snd.nxt) && self.bits.has(Bits::ACTIVE) {
                // Figure 7, line 6: the crossing SYN,ACK fails the sequence test only by its SYN (RFC 9293 A.2).
                seg.ctl = Control::None;
                seg.seq += 1;
                return Crossing::OursAcked;
            }
        }
        let seq_first = cx.cfg.quirks.has(Quirks::SEQ_BEFORE_ACK) && self.bits.has(Bits::ACTIVE);
        // Both edges count as inside there.
        let end = seg.seq + seg.seq_len();
        let outside = end.before(self.rcv.nxt) || seg.seq.after(self.rcv.adv);
        let judged = !(seq_first && outside);
        // RFC 9293 3.5.2 group 2: an ACK for something never sent. A SYN gets its challenge ACK instead (step 4).
        if seg.ack.is_some() && !good_ack && !seg.ctl.syn() && judged {
            cx.reply = Some(reset_for(seg));
            cx.dropped(&self.tuple, DropReason::AckTooNew);
            return Crossing::Done;
        }
        Crossing::GoOn
    }

    /// RFC 9293 3.4 table 6, with the whole-window segment accepted too.
    fn sequence_test(&self, cx: &Cx<'_>, seg: &Segment<'_>) -> SeqTest {
        let wnd = self.rcv_wnd();
        let nxt = self.rcv.nxt;
        // A RST is judged by its number alone, whatever text it carries (RFC 9293 SHLD-2).
        let len = if seg.ctl.rst() { 0 } else { seg.seq_len() };
        let edge = cx.cfg.quirks.has(Quirks::RIGHT_EDGE_INSIDE) && !seg.ctl.rst() && seg.seq == nxt + wnd;
        let inside = match (len, wnd) {
            (0, 0) => seg.seq == nxt,
            (0, _) => seg.seq.within(nxt, wnd) || edge,
            (_, 0) if seg.seq == nxt => return SeqTest::ZeroWindow,
            (_, 0) => false,
            _ => {
                let last = seg.seq + (len - 1);
                seg.seq.within(nxt, wnd)
                    || last.within(nxt, wnd)
                    || (nxt.within(seg.seq, len) && last.at_or_after(nxt + wnd))
                    || edge
            }
        };
        if inside { SeqTest::Inside } else { SeqTest::Outside }
    }

    /// Profile linux: text beyond the right edge while octets or a FIN wait unread costs the segment its whole effect.
    fn drops_beyond_edge(&self, cx: &Cx<'_>, seg: &Segment<'_>) -> bool {
        let waits = self.recv.readable() > 0 || self.bits.has(Bits::PEER_FIN);
        cx.cfg.quirks.has(Quirks::BEYOND_EDGE_DROPS_ALL)
            && waits
            && seg.ack.is_some()
            && (seg.seq + seg.payload.len() as u32).after(self.rcv.adv)
    }

    /// The sequence test failed: an ACK tells the peer where we are (RFC 9293 3.10.7.4 first), never for a RST.
    fn outside_window(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        if seg.ctl.rst() {
            let late = matches!(self.state, State::CloseWait | State::Closing | State::LastAck);
            if cx.cfg.quirks.has(Quirks::RST_AT_FIN_ACCEPTED) && late && seg.seq == self.rcv.nxt - 1 {
                return self.take_exact_rst(cx);
            }
            return self.drop_segment(cx, DropReason::OutOfWindow);
        }
        let len = seg.seq_len();
        if cx.cfg.quirks.has(Quirks::NO_ACK_BIT_SILENT) && seg.ack.is_none() && !seg.ctl.syn() {
            return self.drop_segment(cx, DropReason::OutOfWindow);
        }
        // An old segment that ends exactly at RCV.NXT still has a current ACK field: it spares a timeout when the
        // ACK of a FIN was lost in a simultaneous close (RFC 9293 A.2).
        let fin_at = seg.seq + seg.payload.len() as u32;
        let fin_next = cx.cfg.quirks.has(Quirks::ZERO_WINDOW_OLD_FIN_ACK)
            && self.rcv_wnd() == 0
            && seg.ctl.fin()
            && fin_at == self.rcv.nxt;
        if let Some(ack) = seg.ack
            && len > 0
            && !seg.ctl.syn()
            && (seg.seq + len == self.rcv.nxt || fin_next)
            && ack.after(self.snd.una)
            && ack.at_or_before(self.snd.nxt)
        {
            if self.state == State::SynReceived {
                if !self.bits.has(Bits::ACTIVE) {
                    self.duplicate_ack(cx, seg);
                    return self.drop_segment(cx, DropReason::Duplicate);
                }
                self.step(cx, Trigger::RcvAckOfSyn);
                self.take_ack_of_syn(cx, ack);
            } else {
                let closing = self.state == State::Closing;
                if !(closing && cx.cfg.quirks.has(Quirks::OLD_SEGMENT_SILENT_IN_CLOSING)) {
                    // Set before the ACK is taken: TIME_WAIT takes the pending answer over.
                    self.duplicate_ack(cx, seg);
                }
                if let Some(verdict) = self.take_ack(cx, seg, ack) {
                    return verdict;
                }
            }
        }
        self.note_duplicate(cx, seg);
        self.duplicate_ack(cx, seg);
        let old = (seg.seq + len).at_or_before(self.rcv.nxt);
        self.drop_segment(cx, if old { DropReason::Duplicate } else { DropReason::OutOfWindow })
    }

    /// Second: RST, exact or a challenge (RFC 5961 3).
    fn take_rst(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        if seg.seq != self.rcv.nxt {
            let sacked = cx.cfg.quirks.has(Quirks::RST_AT_SACK_ACCEPTED)
                && self.bits.has(Bits::SACK_OK)
                && self.recv.held().last().is_some_and(|(_, end)| self.rcv.nxt + *end == seg.seq);
            if !sacked {
                self.challenge(cx);
                return self.drop_segment(cx, DropReason::RstNotExact);
            }
        }
        self.take_exact_rst(cx)
    }

    fn take_exact_rst(&mut self, cx: &mut Cx<'_>) -> Verdict {
        let reason = match self.state {
            // Active origin: the peer refuses after all (RFC 9293 MUST-11).
            State::SynReceived => CloseReason::Refused,
            // The peer has finished, and all that was written has arrived: nothing is lost by this reset.
            State::Closing | State::LastAck if self.send.is_empty() => CloseReason::Done,
            _ => CloseReason::Reset,
        };
        self.end(cx, Trigger::RcvRst, reason)
    }

    /// Fifth, range of SEG.ACK (RFC 5961 5).
    fn check_ack_range(&mut self, cx: &mut Cx<'_>, ack: Seq) -> Option<Verdict> {
        let floor = self.ack_floor();
        // Positively: a number half the space away is neither before nor after anything.
        if ack.since(floor) <= self.snd.nxt.since(floor) {
            return None;
        }
        self.challenge(cx);
        let old = ack.before(floor);
        Some(self.drop_segment(cx, if old { DropReason::AckTooOld } else { DropReason::AckTooNew }))
    }

    /// Cuts text and FIN to the window. `text_at` is the number of the first text octet.
    fn trim<'a>(&self, seg: &Segment<'a>, text_at: Seq, zero_window: bool, tell: bool) -> Trimmed<'a> {
        let nxt = self.rcv.nxt;
        let right = self.rcv.adv;
        let fin_at = text_at + seg.payload.len() as u32;
        if zero_window {
            // A FIN needs no buffer: a bare one is taken, one behind text is refused with it.
            let fin = seg.ctl.fin() && seg.payload.is_empty();
            return Trimmed { text: &[], start: nxt, fin, fin_at, tell: true };
        }
        let start = text_at.later(nxt);
        let stop = fin_at.earlier(right);
        let text = if start.before(stop) {
            let (from, to) = (start.since(text_at) as usize, stop.since(text_at) as usize);
            seg.payload.get(from..to).unwrap_or_default()
        } else {
            &[]
        };
        // At the right edge too: the window counts octets of text.
        let fin = seg.ctl.fin() && (fin_at.within(nxt, self.rcv_wnd()) || fin_at == right);
        let all_gone = text.is_empty() && (!seg.payload.is_empty() || seg.ctl.fin()) && !fin;
        Trimmed { text, start, fin, fin_at, tell: tell || all_gone || (seg.ctl.fin() && !fin) }
    }

    /// Sends an ACK at the next turn.
    pub(super) fn ack_now(&mut self, why: Why) {
        if !self.bits.has(Bits::ACK_NOW) {
            self.ack_why = why;
        }
        self.bits.set(Bits::ACK_NOW);
    }

    /// An ACK for a segment that failed the sequence or timestamp test. Limited (RFC 5961 7), but not for text or FIN:
    /// they may be an honest retransmission whose ACK was lost.
    pub(super) fn duplicate_ack(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) {
        if seg.seq_len() > 0 && !seg.ctl.syn() {
            self.ack_now(Why::DupAck);
        } else {
            self.limited_ack(cx, Why::DupAck);
        }
    }

    /// A challenge ACK (RFC 5961 3, 4, 5): always limited.
    pub(super) fn challenge(&mut self, cx: &mut Cx<'_>) {
        self.limited_ack(cx, Why::Challenge);
    }

    fn limited_ack(&mut self, cx: &mut Cx<'_>, why: Why) {
        if limit_allows(&mut self.timers.next_ac, cx) {
            self.ack_now(why);
        }
    }
}

/// One budget per record, never one for all (RFC 5961 7; CVE-2016-5696).
pub(crate) fn limit_allows(next: &mut Instant, cx: &mut Cx<'_>) -> bool {
    if cx.now < *next {
        cx.counters.acks_limited += 1;
        return false;
    }
    // Never without a pause: a connection to itself would answer itself for ever.
    *next = cx.now + cx.cfg.challenge_interval.max(LEAST_INTERVAL);
    true
}

enum Crossing {
    Done,
    OursAcked,
    GoOn,
}

#[cfg(test)]
mod tests;
