//! Steps six to eight: urgent pointer, text, FIN (RFC 9293 3.10.7.4).

use core::time::Duration;

use synfin_wire::{DropReason, Flags, Head, Instant, OptionsOut, SackBlock, Segment, Seq, Timestamps};

use super::input::Trimmed;
use super::{Bits, Connection, Verdict};
use crate::Cx;
use crate::config::Quirks;
use crate::error::CloseReason;
use crate::event::Why;
use crate::recv::pace::Arrival;
use crate::state::{State, Trigger};

/// RFC 9293 MUST-40: below half a second, whatever the settings say.
const LONGEST_DELAY: Duration = Duration::from_millis(490);

impl Connection {
    /// Urgent pointer, text and FIN of a segment whose ACK was taken.
    pub(super) fn take_text_and_fin(
        &mut self,
        cx: &mut Cx<'_>,
        seg: &Segment<'_>,
        part: &Trimmed<'_>,
    ) -> Verdict {
        if !self.state.receives() {
            if !seg.payload.is_empty() || seg.ctl.fin() {
                // Behind the peer's FIN there is nothing: say where we are and ignore it.
                self.ack_now(Why::DupAck);
                cx.dropped(&self.tuple, DropReason::AfterFin);
            }
            return Verdict::Keep;
        }
        // A segment at the very edge, where a profile lets it in, brings no news of what lies behind.
        let at_edge = self.rcv_wnd() > 0 && seg.seq == self.rcv.adv;
        if let Some(up) = seg.urg.filter(|_| !at_edge) {
            self.take_urgent(seg.seq, up);
        }
        if self.resets_after_close(cx, part) {
            return self.reset_after_close(cx, seg);
        }
        if part.tell {
            self.ack_now(Why::DupAck);
        }
        if !part.text.is_empty() {
            self.take_text(cx, seg, part);
        } else if !seg.payload.is_empty() && part.tell {
            cx.dropped(&self.tuple, DropReason::ZeroWindow);
        }
        if part.fin && part.fin_at.after(self.rcv.nxt) {
            self.recv.hold_fin(part.fin_at.since(self.rcv.nxt));
            self.ack_now(Why::DupAck);
        }
        if (part.fin && part.fin_at == self.rcv.nxt) || self.recv.fin_due() {
            return self.take_fin(cx);
        }
        Verdict::Keep
    }

    /// We closed both ways and nobody will read: text, or a FIN behind a gap, resets (RFC 9293 SHLD-3, RFC 2525 2.17).
    pub(super) fn resets_after_close(&self, cx: &Cx<'_>, part: &Trimmed<'_>) -> bool {
        let nobody = self.bits.has(Bits::ORPHAN)
            || (self.bits.has(Bits::SHUT_READ) && cx.cfg.quirks.has(Quirks::SHUT_READ_KEEPS));
        let closed = nobody && matches!(self.state, State::FinWait1 | State::FinWait2);
        closed && (!part.text.is_empty() || (part.fin && part.fin_at != self.rcv.nxt))
    }

    pub(super) fn reset_after_close(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Verdict {
        cx.dropped(&self.tuple, DropReason::AfterClose);
        // SEG.ACK is exact for the peer even when our text is in flight.
        let mut head = super::input::reset_for(seg);
        if self.bits.has(Bits::TS_OK) {
            let ts = Timestamps { val: self.ts_now(cx.now), ecr: self.rcv.ts_recent };
            head.opts = OptionsOut { ts: Some(ts), ..OptionsOut::default() };
        }
        cx.reply = Some(head);
        // Whoever still holds the connection is told.
        let held = !self.bits.has(Bits::ORPHAN);
        self.end(cx, Trigger::Abort, if held { CloseReason::Reset } else { CloseReason::Aborted })
    }

    /// RFC 9293 3.8.5, RFC 6093: the pointer names the octet after the urgent text.
    fn take_urgent(&mut self, seq: Seq, up: u16) {
        let up = seq + u32::from(up);
        let ahead = up.after(self.unread_start());
        if ahead && (!self.bits.has(Bits::URG_RECEIVING) || up.after(self.rcv.up)) {
            self.rcv.up = up;
            self.bits.set(Bits::URG_RECEIVING);
            self.bits.set(Bits::URG_NEWS);
        }
    }

    /// Text that lies in the window.
    pub(super) fn take_text(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>, part: &Trimmed<'_>) {
        let ahead = part.start.since(self.rcv.nxt);
        let (next_before, had_gap) = (self.rcv.nxt, self.recv.has_gap());
        let taken = self.recv.take(cx.pool, ahead, part.text, usize::from(cx.cfg.max_ranges));
        self.rcv.nxt += taken.advanced;
        if self.rcv.nxt.after(self.rcv.adv) {
            self.rcv.adv = self.rcv.nxt;
        }
        if taken.refused > 0 {
            cx.dropped(&self.tuple, DropReason::ReassemblyLimit);
        }
        // RFC 2883 4: the first part that came twice, in order or behind a gap.
        let twice = if seg.seq.before(part.start) {
            Some((seg.seq, part.start))
        } else {
            taken.doubled.map(|(a, b)| (next_before + a, next_before + b))
        };
        if let Some((left, right)) = twice.filter(|_| cx.cfg.dsack && !seg.ctl.syn()) {
            self.dsack = Some(SackBlock { left, right });
        }
        if self.bits.has(Bits::SHUT_READ) && !cx.cfg.quirks.has(Quirks::SHUT_READ_KEEPS) {
            self.recv.discard(cx.pool, u32::MAX);
        }
        let one = seg.gro.map_or(part.text.len(), |g| usize::from(g.get()));
        self.rcv.seen_mss =
            self.rcv.seen_mss.max(u16::try_from(one).unwrap_or(u16::MAX)).min(self.rcv.our_mss);
        self.rcv.unacked = self.rcv.unacked.saturating_add(part.text.len() as u32);
        let adaptive = cx.cfg.quirks.has(Quirks::ADAPTIVE_ACKS);
        if adaptive {
            self.learn_pace(cx, seg, one as u32);
        }
        // RFC 5681 4.2: at once when something is missing, was missing, or for every second full segment.
        if ahead > 0 || had_gap || taken.refused > 0 {
            self.ack_now(Why::DupAck);
        } else if adaptive {
            self.acknowledge_in_time(cx);
        } else if cx.cfg.delayed_ack.is_zero()
            || self.rcv.unacked >= 2 * u32::from(self.rcv.seen_mss.max(cx.cfg.min_mss))
        {
            self.ack_now(Why::Ack);
        } else {
            let due = cx.now + cx.cfg.delayed_ack.min(LONGEST_DELAY);
            self.timers.delayed_ack = self.timers.delayed_ack.min(due);
        }
    }

    /// What a segment of text tells about its sender.
    fn learn_pace(&mut self, cx: &Cx<'_>, seg: &Segment<'_>, len: u32) {
        let options = if self.bits.has(Bits::TS_OK) { 12 } else { 0 };
        let pushed = seg.psh || seg.ctl.fin();
        let rto = self.rto.current(cx.cfg);
        let (wnd, most) = (self.rcv_wnd(), self.rcv.our_mss);
        if self.pace.on_text(cx.now, Arrival { len, options, pushed }, wnd, most, rto) {
            self.resize_window(len, options);
        }
        self.grow_window(len);
    }

    /// What came in order is acknowledged now, or when the pace says ([`Quirks::ADAPTIVE_ACKS`]).
    fn acknowledge_in_time(&mut self, cx: &Cx<'_>) {
        let unacked = self.rcv.nxt.since(self.rcv.last_ack_sent);
        let grows = unacked > u32::from(self.pace.segment) && self.window_keeps_up();
        if self.pace.at_once(unacked, grows) {
            self.ack_now(Why::Ack);
            return;
        }
        let delay = self.pace.delay(self.rto.srtt());
        let due = cx.now + delay;
        if self.timers.delayed_ack <= cx.now + delay / 4 {
            // One that is due soon anyway need not wait.
            self.ack_now(Why::Ack);
        } else {
            self.timers.delayed_ack = self.timers.delayed_ack.min(due);
        }
    }

    /// The peer's FIN is next in order: it takes one number and ends its stream.
    fn take_fin(&mut self, cx: &mut Cx<'_>) -> Verdict {
        self.rcv.nxt += 1;
        if self.rcv.nxt.after(self.rcv.adv) {
            self.rcv.adv = self.rcv.nxt;
        }
        self.bits.set(Bits::PEER_FIN);
        self.recv.forget_held();
        let opens_answer = matches!(self.state, State::Established | State::SynReceived);
        let adaptive = cx.cfg.quirks.has(Quirks::ADAPTIVE_ACKS);
        if adaptive {
            self.pace.on_fin(opens_answer);
        }
        if opens_answer && adaptive && !self.bits.has(Bits::ACK_NOW) {
            self.acknowledge_in_time(cx);
        } else {
            self.ack_now(Why::Ack);
        }
        self.step(cx, Trigger::RcvFin);
        if self.state == State::TimeWait {
            return self.rest(cx);
        }
        self.timers.fin_wait_2 = Instant::NEVER;
        Verdict::Keep
    }

    /// A whole segment that is old: report it as duplicate (RFC 2883 4).
    pub(super) fn note_duplicate(&mut self, cx: &Cx<'_>, seg: &Segment<'_>) {
        let len = seg.payload.len() as u32;
        if cx.cfg.quirks.has(Quirks::ADAPTIVE_ACKS) && len > 0 && seg.seq.before(self.rcv.nxt) {
            self.pace.disorder(self.rcv_wnd());
        }
        let told = cx.cfg.dsack && self.bits.has(Bits::SACK_OK);
        if len > 0 && told && (seg.seq + len).at_or_before(self.rcv.nxt) {
            self.dsack = Some(SackBlock { left: seg.seq, right: seg.seq + len });
        }
    }

    /// The RST of ABORT: `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>`.
    pub(super) fn abort_head(&self, cx: &Cx<'_>) -> Head {
        let ts = self
            .bits
            .has(Bits::TS_OK)
            .then(|| Timestamps { val: self.ts_now(cx.now), ecr: self.rcv.ts_recent });
        Head {
            seq: self.snd.nxt,
            ack: Some(self.rcv.nxt),
            flags: Flags::RST,
            opts: OptionsOut { ts, ..OptionsOut::default() },
            ..Head::default()
        }
    }
}
