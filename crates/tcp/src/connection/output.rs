//! The only place that emits: loss first, then probes, then new text and FIN, then a lone ACK.

use synfin_wire::{Flags, Head, OptionsOut, Seq, Timestamps};

use super::{Bits, Connection, SendTimer, Transmit, TxLimits, syn_window};
use crate::Cx;
use crate::config::Quirks;
use crate::event::{Event, Why};
use crate::recv::Vec4;
use crate::state::State;

/// A segment decided upon: what of the send queue, with which flags, and why.
struct Plan {
    seq: Seq,
    len: u32,
    fin: bool,
    why: Why,
}

impl Connection {
    /// Whether [`Connection::poll_transmit`] may have something; cheap.
    #[inline]
    pub fn wants_transmit(&self) -> bool {
        let due =
            Bits::ACK_NOW.0 | Bits::SYN_DUE.0 | Bits::PROBE_DUE.0 | Bits::KEEPALIVE_DUE.0 | Bits::TLP_DUE.0;
        self.bits.0 & due != 0
            || (self.bits.has(Bits::CONNECTED) && self.has_unsent())
            || self.bits.has(Bits::RETRANSMIT_NOW)
            || self.log.has_lost()
    }

    /// Text or FIN that was never sent.
    fn has_unsent(&self) -> bool {
        self.unsent() > 0 || (self.fin_pending() && !self.bits.has(Bits::FIN_SENT))
    }

    /// FIN belongs to the stream now: the state left the ones that can write.
    fn fin_pending(&self) -> bool {
        self.bits.has(Bits::FIN_QUEUED) && !self.state.sends() && self.state != State::Closed
    }

    /// The next segment to send, if any. Committed on return: ask the sink for room first.
    pub fn poll_transmit(&mut self, cx: &mut Cx<'_>, lim: TxLimits) -> Option<Transmit<'_>> {
        if matches!(self.state, State::Closed | State::TimeWait) {
            return None;
        }
        if self.bits.take(Bits::SYN_DUE) {
            return Some(self.transmit_syn(cx));
        }
        let seg_max = self.segment_max(lim);
        let plan = if self.bits.has(Bits::CONNECTED) {
            self.plan_retransmit(cx, seg_max, lim)
                .or_else(|| self.plan_probe(cx))
                .or_else(|| self.plan_tail_probe(cx, seg_max))
                .or_else(|| self.plan_new(cx, seg_max, lim))
        } else {
            None
        };
        match plan {
            Some(plan) => Some(self.transmit(cx, plan, seg_max)),
            None if self.bits.has(Bits::ACK_NOW) => {
                let why = self.ack_why;
                let seq = self.snd.nxt;
                Some(self.transmit(cx, Plan { seq, len: 0, fin: false, why }, seg_max))
            }
            None => None,
        }
    }

    /// Octets of text that one segment on the wire may hold.
    fn segment_max(&self, lim: TxLimits) -> u32 {
        let options = if self.bits.has(Bits::TS_OK) { 12 } else { 0 };
        let fits = lim.mtu_payload.saturating_sub(20 + options).max(8);
        // SACK blocks take room from the text beside them (RFC 6691 2).
        let sack = if self.bits.has(Bits::SACK_OK) && (self.recv.has_gap() || self.dsack.is_some()) {
            u32::from(self.sack().len.min(if options > 0 { 3 } else { 4 })) * 8 + 4
        } else {
            0
        };
        u32::from(self.snd.mss.min(fits)).saturating_sub(sack).max(8)
    }

    /// SYN or SYN,ACK (RFC 9293 3.10.1, 3.10.7.3).
    fn transmit_syn(&mut self, cx: &mut Cx<'_>) -> Transmit<'_> {
        let both = self.state != State::SynSent;
        let cfg = cx.cfg;
        let ts = (cfg.timestamps && (!both || self.bits.has(Bits::TS_OK)))
            .then(|| Timestamps { val: self.ts_now(cx.now), ecr: if both { self.rcv.ts_recent } else { 0 } });
        // What was offered before is not taken back (RFC 9293 SHLD-14), whatever became of the buffer.
        let wnd = syn_window(self.rcv.ssthresh.max(self.rcv_wnd()));
        self.rcv.adv = self.rcv.adv.later(self.rcv.nxt + u32::from(wnd));
        let head = Head {
            seq: self.iss,
            ack: both.then_some(self.rcv.nxt),
            wnd,
            flags: Flags::SYN,
            opts: OptionsOut {
                mss: Some(self.rcv.our_mss),
                // A crossing SYN,ACK offers what our SYN offered (RFC 7323 2.2).
                wscale: (cfg.window_scaling && (!both || self.rcv.wscale > 0 || self.snd.wscale > 0))
                    .then(|| cfg.recv_wscale()),
                sack_permitted: cfg.sack && (!both || self.bits.has(Bits::SACK_OK)),
                ts,
                ..OptionsOut::default()
            },
            ..Head::default()
        };
        if both {
            self.bits.clear(Bits::ACK_NOW);
        }
        let why = if self.syn_retries > 0 { Why::Timeout } else { Why::Open };
        self.timers.last_sent = cx.now;
        cx.emit(&self.tuple, || Event::Sent { head: &head, len: 0, gso: 0, why });
        Transmit { head, payload: self.send.slices(0, 0), len: 0, gso: 0, why }
    }

    /// What was lost goes first, within the peer's window and the congestion window (RFC 6675 5 (C), RFC 5681 4.3).
    fn plan_retransmit(&mut self, cx: &mut Cx<'_>, seg_max: u32, lim: TxLimits) -> Option<Plan> {
        let Some((seq, len, last)) = self.log.next_lost() else {
            self.bits.clear(Bits::RETRANSMIT_NOW);
            return None;
        };
        if self.bits.has(Bits::NEW_FIRST) {
            return None;
        }
        // RFC 9293 SHLD-16: what lies inside the window; beyond it the probes take over.
        let room = self.window_right().dist(seq).max(0) as u32;
        let forced = self.bits.has(Bits::RETRANSMIT_NOW);
        let free = self.cc.cwnd().saturating_sub(self.log.pipe());
        // Where a closed window is probed with all of the oldest segment, the window does not count for it.
        let whole = forced && seq == self.snd.una && cx.cfg.quirks.has(Quirks::PROBE_WITHOUT_TEXT);
        let room = if room == 0 && whole { len } else { room };
        if room == 0 || (!forced && free == 0) {
            return None;
        }
        let fin_at = self.queue_end();
        // A small last entry (a probe octet) is filled up with text that was not sent yet.
        let available = if last && len < seg_max { fin_at.since(seq).max(len) } else { len };
        let budget = if forced { seg_max } else { free.max(seg_max) };
        let most = self.segments_that_fit(budget.min(available).min(room), seg_max, lim);
        let fin_inside = self.bits.has(Bits::FIN_SENT) && (seq + most).after(fin_at);
        let text = if fin_inside { most - 1 } else { most };
        let end = seq + text;
        let first_fin =
            !self.bits.has(Bits::FIN_SENT) && end == fin_at && self.fin_pending() && self.fin_may_ride(end);
        let fin = fin_inside || first_fin;
        let taken = text + u32::from(fin);
        if first_fin {
            self.bits.set(Bits::FIN_SENT);
        }
        self.snd.nxt = self.snd.nxt.later(seq + taken);
        let before = self.before_text(cx);
        self.log.retransmitted(seq, taken, seg_max as u16, cx.now);
        self.after_text(cx, seq + taken, before);
        self.bits.clear(Bits::RETRANSMIT_NOW);
        self.count_retransmission(cx, taken, seg_max);
        if let Some(e) = &mut self.episode {
            e.repeat(taken.div_ceil(seg_max), cx.now);
        }
        if self.timers.send.is_never() || seq == self.snd.una {
            self.timers.rto_from = cx.now;
            let reorder_at = (self.timers.send_kind == SendTimer::Reordering).then_some(self.timers.send);
            self.arm_send_timer(cx, reorder_at);
        }
        let why = if self.bits.has(Bits::RECOVERY) { Why::FastRetransmit } else { Why::Timeout };
        Some(Plan { seq, len: text, fin, why })
    }

    /// A FIN behind text that is sent now: only if it lies in the window itself, or the window cannot matter.
    fn fin_may_ride(&self, at: Seq) -> bool {
        at.before(self.window_right())
    }

    /// Keepalive and zero-window probes.
    fn plan_probe(&mut self, cx: &mut Cx<'_>) -> Option<Plan> {
        if self.bits.take(Bits::KEEPALIVE_DUE) {
            // No text, the number before SND.NXT: unacceptable, hence answered (RFC 9293 SHLD-12).
            return Some(Plan { seq: self.snd.nxt - 1, len: 0, fin: false, why: Why::Keepalive });
        }
        if !self.bits.take(Bits::PROBE_DUE) {
            return None;
        }
        if self.log.is_empty() && !self.has_unsent() {
            // Since the timer ran out, all of it was acknowledged.
            return None;
        }
        if cx.cfg.quirks.has(Quirks::PROBE_WITHOUT_TEXT) {
            return Some(Plan { seq: self.snd.una - 1, len: 0, fin: false, why: Why::WindowProbe });
        }
        // One octet, or the FIN, at SND.UNA (RFC 9293 MUST-36).
        self.bits.set(Bits::PROBED);
        let seq = self.snd.una;
        let fin = seq == self.queue_end();
        if self.log.is_empty() {
            self.log.push(seq, 1, 1, cx.now);
            self.snd.nxt = seq + 1;
            if fin {
                self.bits.set(Bits::FIN_SENT);
            }
            if self.timers.send.is_never() {
                // What was in flight before was acknowledged meanwhile, and its timer stopped.
                self.restart_send_timer(cx);
            }
        } else {
            self.log.front_again();
            self.retransmits = self.retransmits.saturating_add(1);
        }
        Some(Plan { seq, len: u32::from(!fin), fin, why: Why::WindowProbe })
    }

    /// Right edge of the peer's window.
    #[inline]
    fn window_right(&self) -> Seq {
        self.snd.una + self.snd.wnd
    }

    /// New text and FIN, as windows, Nagle and silly-window avoidance allow (RFC 9293 3.7.4, 3.8.6.2.1).
    fn plan_new(&mut self, cx: &mut Cx<'_>, seg_max: u32, lim: TxLimits) -> Option<Plan> {
        if !self.has_unsent() {
            return None;
        }
        let unsent = self.unsent();
        let seq = self.snd.nxt;
        let fin = self.fin_pending();
        let usable = self.window_right().dist(seq).max(0) as u32;
        if self.log.is_empty() {
            self.restart_after_idle(cx);
        }
        let free = self.cc_room(seg_max);
        let record = self.record_left();
        let allowed = unsent.min(usable).min(free).min(record);
        if allowed == 0 && !(unsent == 0 && fin && usable > 0) {
            self.wait_for_window(cx, usable);
            return None;
        }
        let len = self.segments_that_fit(allowed, seg_max, lim);
        let ends = len == unsent;
        let full = len >= seg_max;
        // The rest of a record has nothing to wait for when other text follows.
        let record_ends = len == record && !ends;
        if !full && !record_ends && !self.small_segment_allowed(cx, len, ends, fin) {
            // RFC 9293 3.8.6.2.1: the override timer prevents a deadlock when nothing else will come.
            if self.log.is_empty() && self.timers.send.is_never() {
                self.timers.send_kind = SendTimer::SwsOverride;
                let rto = self.rto.current(cx.cfg);
                let waits_rto = cx.cfg.quirks.has(Quirks::HELD_TEXT_WAITS_RTO);
                self.timers.send = cx.now + if waits_rto { rto } else { cx.cfg.sws_override };
            }
            return None;
        }
        self.bits.clear(Bits::SMALL_OK);
        let end = seq + len;
        let fin = fin && ends && self.fin_may_ride(end);
        if len == 0 && !fin {
            self.wait_for_window(cx, 0);
            return None;
        }
        self.commit_new(cx, seg_max, len, fin);
        Some(Plan { seq, len, fin, why: Why::New })
    }

    /// RFC 5681 4.1: after idling longer than the RTO the window proves nothing.
    fn restart_after_idle(&mut self, cx: &Cx<'_>) {
        let idle = cx.now.since(self.timers.last_sent);
        let rto = self.rto.current(cx.cfg);
        if !cx.cfg.idle_restart || idle <= rto {
            return;
        }
        let halves = cx.cfg.quirks.has(Quirks::RECOVERY_LIKE_LINUX);
        let halvings = if halves { (idle.as_nanos() / rto.as_nanos().max(1)).min(31) as u32 } else { 31 };
        self.cc.on_idle(u32::from(self.snd.mss), idle, halvings);
    }

    /// `len` octets at SND.NXT, and FIN, go out for the first time.
    fn commit_new(&mut self, cx: &mut Cx<'_>, seg_max: u32, len: u32, fin: bool) {
        if self.log.is_empty() {
            self.timers.stalled_since = cx.now;
        }
        let taken = len + u32::from(fin);
        let before = self.before_text(cx);
        self.log.push(self.snd.nxt, taken, seg_max as u16, cx.now);
        self.snd.nxt += taken;
        self.after_text(cx, self.snd.nxt, before);
        if len < seg_max {
            self.snd.small = self.snd.nxt - u32::from(fin);
        }
        self.note_window_use(seg_max);
        if fin {
            self.bits.set(Bits::FIN_SENT);
        }
        match self.timers.send_kind {
            // RFC 6298 5.1: started if it does not run.
            _ if self.timers.send.is_never() => self.restart_send_timer(cx),
            SendTimer::Persist | SendTimer::SwsOverride => self.restart_send_timer(cx),
            // RFC 8985 7.2: the probe waits for what was sent last.
            SendTimer::TailProbe => self.arm_send_timer(cx, None),
            SendTimer::Retransmit | SendTimer::Reordering => {}
        }
    }

    fn count_retransmission(&mut self, cx: &mut Cx<'_>, octets: u32, seg_max: u32) {
        let segments = octets.div_ceil(seg_max.max(1)).max(1);
        self.retransmits = self.retransmits.saturating_add(segments);
        cx.counters.retransmits += u64::from(segments);
    }

    /// RFC 8985 7.3: a new segment if one fits the peer's window, whatever cwnd says; else the last one again.
    fn plan_tail_probe(&mut self, cx: &mut Cx<'_>, seg_max: u32) -> Option<Plan> {
        if !self.bits.take(Bits::TLP_DUE) || self.log.is_empty() {
            return None;
        }
        let unsent = self.unsent();
        let len = unsent.min(seg_max).min(self.record_left());
        let usable = self.window_right().dist(self.snd.nxt).max(0) as u32;
        if len > 0 && len <= usable {
            let seq = self.snd.nxt;
            let fin = self.fin_pending() && len == unsent && self.fin_may_ride(seq + len);
            self.commit_new(cx, seg_max, len, fin);
            self.bits.clear(Bits::TLP_AGAIN);
            self.tlp_end = Some(self.snd.nxt);
            return Some(Plan { seq, len, fin, why: Why::New });
        }
        let before = self.log.pipe();
        let (seq, taken) = self.log.last_again(seg_max, cx.now)?;
        self.after_text(cx, seq + taken, before);
        self.count_retransmission(cx, taken, seg_max);
        self.bits.set(Bits::TLP_AGAIN);
        self.tlp_end = Some(self.snd.nxt);
        let fin = self.bits.has(Bits::FIN_SENT);
        Some(Plan { seq, len: taken - u32::from(fin), fin, why: Why::TailLossProbe })
    }

    /// What is in flight now fills the congestion window, or half of it while it doubles: its acknowledgements may open
    /// the window further. Otherwise the window was no limit and proves nothing (the idea of RFC 7661 4.1).
    fn note_window_use(&mut self, seg_max: u32) {
        let (flight, cwnd) = (self.log.flight(), self.cc.cwnd());
        let slow_start = self.cc.window.slow_start();
        let used = if slow_start { flight.saturating_mul(2) } else { flight.saturating_add(seg_max) };
        if used >= cwnd {
            self.limited_until = self.snd.nxt;
        }
    }

    /// Octets that the congestion window leaves. Segments that duplicate ACKs or SACK blocks say have left the network
    /// are not in the pipe any more: the first two allow new ones (RFC 3042, RFC 6675 5 (3)).
    fn cc_room(&self, seg_max: u32) -> u32 {
        let room = self.cc.cwnd().saturating_sub(self.log.pipe());
        // Less than a segment of room while something is in flight waits for the next ACK.
        if room < seg_max && !self.log.is_empty() && room < self.unsent() { 0 } else { room }
    }

    /// A whole number of segments, as many as device and allowance take; a last short one only if it is all there is.
    fn segments_that_fit(&self, allowed: u32, seg_max: u32, lim: TxLimits) -> u32 {
        if allowed <= seg_max || lim.max_gso <= seg_max {
            return allowed.min(seg_max);
        }
        let most = allowed.min(lim.max_gso);
        most - most % seg_max
    }

    /// Whether a segment below full size may go (RFC 9293 3.8.6.2.1 (2), (3), (4); Nagle 3.7.4).
    fn small_segment_allowed(&self, cx: &Cx<'_>, len: u32, ends: bool, fin: bool) -> bool {
        if self.bits.has(Bits::SMALL_OK) {
            return true;
        }
        if ends {
            if fin || self.bits.has(Bits::URG_SENDING) {
                return true;
            }
            if self.bits.has(Bits::CORK) || self.bits.has(Bits::MORE) {
                return false;
            }
            let idle = self.log.is_empty()
                || (cx.cfg.quirks.has(Quirks::NAGLE_SMALL_ONLY) && self.snd.small.at_or_before(self.snd.una));
            return idle || self.bits.has(Bits::NODELAY);
        }
        len > 0 && len >= self.snd.max_wnd / 2
    }

    /// Octets from SND.NXT to the end of the record they belong to.
    fn record_left(&mut self) -> u32 {
        let Some(ends) = &mut self.records else { return u32::MAX };
        while ends.front().is_some_and(|end| end.at_or_before(self.snd.nxt)) {
            ends.pop_front();
        }
        match ends.front() {
            Some(end) => end.since(self.snd.nxt),
            None => {
                self.records = None;
                u32::MAX
            }
        }
    }

    /// Nothing may go because the window is closed: probe after one RTO (RFC 9293 SHLD-29).
    fn wait_for_window(&mut self, cx: &Cx<'_>, usable: u32) {
        if usable == 0 && self.snd.wnd == 0 && self.log.is_empty() && self.timers.send.is_never() {
            self.timers.send_kind = SendTimer::Persist;
            self.timers.send = cx.now + self.rto.current(cx.cfg).min(cx.cfg.persist_max);
            self.timers.stalled_since = cx.now;
        }
    }

    /// Builds the segment that was planned.
    fn transmit(&mut self, cx: &mut Cx<'_>, plan: Plan, seg_max: u32) -> Transmit<'_> {
        let Plan { seq, len, fin, why } = plan;
        let wnd = self.next_window();
        let end = seq + len;
        let mut flags = Flags::default();
        if fin {
            flags = flags.with(Flags::FIN);
        }
        let record_ends = self.records.as_ref().is_some_and(|ends| ends.contains(&end));
        if len > 0 && (end == self.queue_end() || record_ends || self.log.was_pushed(end)) {
            // RFC 9293 MUST-61: PSH on the last octet that is queued, or of a record; what was pushed stays so.
            flags = flags.with(Flags::PSH);
            self.log.note_push(end);
        }
        let sack = if self.bits.has(Bits::SACK_OK) { self.sack() } else { Vec4::default() };
        let head = Head {
            seq,
            ack: Some(self.rcv.nxt),
            wnd,
            flags,
            urg: self.urgent_pointer(seq),
            opts: OptionsOut {
                ts: self
                    .bits
                    .has(Bits::TS_OK)
                    .then(|| Timestamps { val: self.ts_now(cx.now), ecr: self.rcv.ts_recent }),
                sack: sack.blocks,
                sack_len: sack.len,
                ..OptionsOut::default()
            },
        };
        self.dsack = None;
        self.bits.clear(Bits::ACK_NOW);
        self.timers.delayed_ack = synfin_wire::Instant::NEVER;
        self.pace.on_ack_sent();
        self.rcv.last_ack_sent = self.rcv.nxt;
        self.rcv.unacked = 0;
        if len > 0 || fin {
            self.timers.last_sent = cx.now;
            self.pace.on_answer(cx.now);
            if let Some(e) = &mut self.episode {
                e.prr.sent(len + u32::from(fin));
            }
        }
        let gso = if len > seg_max { seg_max as u16 } else { 0 };
        cx.emit(&self.tuple, || Event::Sent { head: &head, len, gso, why });
        let at = if len > 0 { seq.since(self.queue_start()) } else { 0 };
        Transmit { head, payload: self.send.slices(at, len), len, gso, why }
    }

    /// RFC 9293 MUST-62, RFC 6093: distance to the octet after the urgent text, clipped while it is far.
    fn urgent_pointer(&self, seq: Seq) -> Option<u16> {
        let ahead = self.snd.up.dist(seq);
        (self.bits.has(Bits::URG_SENDING) && ahead > 0).then(|| u16::try_from(ahead).unwrap_or(u16::MAX))
    }

    /// SACK blocks: the duplicate first, then the latest arrivals (RFC 2883 4, RFC 2018 4).
    fn sack(&self) -> Vec4 {
        let mut out = Vec4::default();
        if let Some(d) = self.dsack {
            out.push(d);
        }
        self.recv.sack_blocks(self.rcv.nxt, &mut out);
        out
    }
}
