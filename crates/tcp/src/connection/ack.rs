//! Step five: what an acceptable ACK field does (RFC 9293 3.10.7.4, RFC 5681, 6582, 6675).

use core::time::Duration;

use synfin_wire::{Instant, Segment, Seq};

use super::{Bits, Connection, SendTimer, Verdict};
use crate::Cx;
use crate::cc::{Ack, Congestion, Limit};
use crate::config::Quirks;
use crate::error::CloseReason;
use crate::send::log::DUP_THRESH;
use crate::state::{State, Trigger};

/// A timestamp echo older than this is taken for a forgery rather than a sample.
const ECHO_LIMIT_MS: u32 = 120_000;

impl Connection {
    /// Our SYN was acknowledged: the connection opens.
    pub(super) fn take_ack_of_syn(&mut self, cx: &mut Cx<'_>, ack: Seq) {
        self.bits.set(Bits::CONNECTED);
        self.bits.clear(Bits::SYN_DUE);
        self.snd.una = self.iss + 1;
        self.snd.wl2 = ack;
        let mss = u32::from(self.snd.mss);
        if self.syn_retries == 0 {
            self.rto.sample(cx.now.since(self.timers.stalled_since));
        } else {
            self.rto.after_syn_timeout();
        }
        if self.syn_retries > 1 {
            self.cc.start_careful(mss);
        }
        self.sample_at = self.snd.nxt;
        // close() before the handshake was over: FIN goes now.
        if self.bits.has(Bits::FIN_QUEUED) {
            self.step(cx, Trigger::Close);
        }
        let past_syn = ack.since(self.iss + 1);
        if past_syn > 0 {
            self.advance_una(cx, ack);
        }
        self.restart_send_timer(cx);
    }

    /// An acceptable ACK in a synchronised state. `Some`: the record's life ended here.
    pub(super) fn take_ack(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>, ack: Seq) -> Option<Verdict> {
        let una = self.snd.una;
        self.probes = 0;
        let wnd = self.snd.wnd;
        let opened = self.update_window(cx, seg, ack);
        if !self.syn_acked() && ack.after(una) {
            // FIN_WAIT_1 entered from a crossing SYN_RCVD: the SYN is acknowledged first.
            self.take_ack_of_syn(cx, ack);
        } else if ack.after(una) {
            self.sample_rtt_and_advance(cx, seg, ack);
        } else if ack == una {
            self.count_duplicate(cx, seg, wnd);
        }
        if self.bits.has(Bits::SACK_OK) && seg.opts.has_sack() {
            self.take_sack(cx, seg);
        }
        if opened {
            self.window_opened(cx);
        }
        if !(self.bits.has(Bits::FIN_SENT) && self.snd.una == self.snd.nxt) {
            return None;
        }
        match self.state {
            State::FinWait1 => {
                self.step(cx, Trigger::RcvAckOfFin);
                if self.bits.has(Bits::ORPHAN) {
                    self.timers.fin_wait_2 = cx.now + cx.cfg.fin_wait_2;
                }
                None
            }
            State::Closing => {
                self.step(cx, Trigger::RcvAckOfFin);
                // Text on the segment that ends CLOSING is ignored; one ACK is harmless and tells where we are.
                Some(self.rest(cx))
            }
            State::LastAck => Some(self.end(cx, Trigger::RcvAckOfFin, CloseReason::Done)),
            _ => None,
        }
    }

    /// RFC 9293 3.10.7.4 window update. Also if SEG.ACK > SND.UNA: a new ACK is no old news, and WL1 alone would
    /// freeze the window after reordering. Returns whether a closed window opened.
    fn update_window(&mut self, cx: &Cx<'_>, seg: &Segment<'_>, ack: Seq) -> bool {
        let wnd = u32::from(seg.wnd) << self.snd.wscale;
        let newer = if cx.cfg.quirks.has(Quirks::WINDOW_UPDATE_RULE) {
            ack.after(self.snd.una)
                || self.snd.wl1.before(seg.seq)
                || (self.snd.wl1 == seg.seq && (wnd > self.snd.wnd || wnd == 0))
        } else {
            ack.after(self.snd.una)
                || self.snd.wl1.before(seg.seq)
                || (self.snd.wl1 == seg.seq && self.snd.wl2.at_or_before(ack))
        };
        if ack.before(self.snd.una) || !newer {
            return false;
        }
        let opened = self.snd.wnd == 0 && wnd > 0;
        self.snd.wnd = wnd;
        self.snd.max_wnd = self.snd.max_wnd.max(wnd);
        self.snd.wl1 = seg.seq;
        self.snd.wl2 = ack;
        opened
    }

    /// The window was closed and is open: probes give way to text.
    fn window_opened(&mut self, cx: &mut Cx<'_>) {
        self.bits.clear(Bits::PROBE_DUE);
        // The peer answered every probe: they are no tries of what is sent now (RFC 9293 MUST-37, RFC 6298 5.5).
        self.rto.answered();
        if self.bits.take(Bits::PROBED) && !self.log.is_empty() {
            // What was probed with, or shrunk away, was refused: it goes again with what follows.
            self.log.mark_all_lost();
            self.bits.set(Bits::RETRANSMIT_NOW);
        }
        self.timers.send_kind = SendTimer::Retransmit;
        self.timers.send =
            if self.log.is_empty() { Instant::NEVER } else { cx.now + self.rto.current(cx.cfg) };
    }

    /// RTT sample (RFC 6298 3, RFC 7323 4.1), congestion window, SND.UNA.
    fn sample_rtt_and_advance(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>, ack: Seq) {
        let una = self.snd.una;
        let acked = ack.since(una);
        let mss = u32::from(self.snd.mss);
        if acked >= mss {
            self.proven_mss = self.proven_mss.max(self.snd.mss);
        }
        if self.claimed_mtu != 0 {
            // Progress disproves the claim that our segments are too big (RFC 5927 7.2).
            self.claimed_mtu = 0;
        }
        let sent = self.advance_una(cx, ack);
        // One sample per round trip keeps RFC 6298's gains meaningful (RFC 7323 4.1).
        if ack.at_or_after(self.sample_at) {
            let rtt = match sent {
                Some(sent) => Some(cx.now.since(sent)),
                None if self.bits.has(Bits::TS_OK) => seg.opts.ts.and_then(|ts| {
                    let age = self.ts_now(cx.now).wrapping_sub(ts.ecr);
                    (ts.ecr != 0 && age < ECHO_LIMIT_MS).then(|| Duration::from_millis(u64::from(age.max(1))))
                }),
                None => None,
            };
            if let Some(rtt) = rtt {
                self.rto.sample(rtt);
                self.sample_at = self.snd.nxt;
            }
        }
        self.restart_send_timer(cx);
        if self.bits.has(Bits::RECOVERY) || self.bits.has(Bits::LOSS) {
            if ack.at_or_after(self.recover) {
                if self.bits.take(Bits::RECOVERY) {
                    self.end_of_recovery(mss);
                }
                self.bits.clear(Bits::LOSS);
                self.dup_acks = 0;
            } else if self.bits.has(Bits::RECOVERY) {
                if !self.bits.has(Bits::SACK_OK) {
                    // Partial ACK: the next hole is lost too (RFC 6582 3.2 step 3).
                    self.log.mark_first_lost(mss);
                }
                self.bits.set(Bits::RETRANSMIT_NOW);
            } else {
                self.grow(cx, acked, Limit::Cwnd);
            }
            return;
        }
        self.dup_acks = 0;
        let limit = if una.before(self.limited_until) { Limit::Cwnd } else { Limit::Other };
        self.grow(cx, acked, limit);
    }

    /// Tells the rule of the window about newly acknowledged octets.
    fn grow(&mut self, cx: &Cx<'_>, acked: u32, limit: Limit) {
        let mss = u32::from(self.snd.mss);
        // RFC 3465 2.3: one segment per ACK in the slow start that follows a timeout.
        let after_timeout = self.bits.has(Bits::AFTER_TIMEOUT) && self.cc.window.slow_start();
        if !after_timeout {
            self.bits.clear(Bits::AFTER_TIMEOUT);
        }
        let most = if after_timeout { 1 } else { u32::from(cx.cfg.slow_start_limit) };
        self.cc.on_ack(&Ack {
            now: cx.now,
            acked,
            most: most.saturating_mul(mss),
            mss,
            limit,
            rtt: None,
            srtt: self.rto.srtt(),
            min_rtt: Duration::ZERO,
            una: self.snd.una,
            nxt: self.snd.nxt,
            flight: self.log.flight(),
            rate: None,
        });
    }

    /// Recovery is over: no burst (RFC 6582 3.2 step 3, first option).
    fn end_of_recovery(&mut self, mss: u32) {
        let w = &mut self.cc.window;
        w.cwnd = w.ssthresh.min(self.log.flight().max(mss).saturating_add(mss)).max(mss);
    }

    /// Moves SND.UNA; returns when the newest acknowledged octets were sent, if they were sent once.
    fn advance_una(&mut self, cx: &mut Cx<'_>, ack: Seq) -> Option<Instant> {
        let fin = self.bits.has(Bits::FIN_SENT) && ack == self.snd.nxt;
        let octets = ack.since(self.snd.una) - u32::from(fin);
        self.send.acked(cx.pool, octets);
        // With the FIN: what the peer sent before it saw the FIN is no forgery.
        self.snd.acked = self.snd.acked.saturating_add(octets + u32::from(fin));
        self.snd.una = ack;
        if self.bits.has(Bits::URG_SENDING) && ack.at_or_after(self.snd.up) {
            self.bits.clear(Bits::URG_SENDING);
        }
        self.timers.stalled_since = cx.now;
        self.bits.clear(Bits::STARVED);
        self.rto.answered();
        self.log.ack(ack).sent
    }

    /// RFC 6298 5.2, 5.3.
    pub(crate) fn restart_send_timer(&mut self, cx: &Cx<'_>) {
        self.timers.send_kind = if self.snd.wnd == 0 { SendTimer::Persist } else { SendTimer::Retransmit };
        self.timers.send =
            if self.log.is_empty() { Instant::NEVER } else { cx.now + self.rto.current(cx.cfg) };
    }

    /// RFC 5681 2: a duplicate ACK brings no text, no flags, no window change, and something is in flight.
    fn count_duplicate(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>, wnd_before: u32) {
        let pure = seg.seq_len() == 0 && u32::from(seg.wnd) << self.snd.wscale == wnd_before;
        if !pure || self.log.is_empty() || self.bits.has(Bits::SACK_OK) || self.snd.wnd == 0 {
            return;
        }
        let mss = u32::from(self.snd.mss);
        self.dup_acks = self.dup_acks.saturating_add(1);
        // Forged duplicates inflate no further than what was in flight when recovery began (RFC 5681 3.2 step 4).
        let recovering = self.bits.has(Bits::RECOVERY);
        let most = if recovering { self.recover.since(self.snd.una) } else { self.log.flight() };
        self.log.count_dup_ack(mss, most);
        // RFC 6582 3.2 step 2: not for duplicates of what an earlier recovery or timeout already repeated.
        if u32::from(self.dup_acks) >= DUP_THRESH && self.snd.una.at_or_after(self.recover) {
            self.enter_recovery(cx);
        }
    }

    /// Scoreboard (RFC 6675 4, 5). Blocks that were never possible are ignored.
    fn take_sack(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) {
        let mut fresh = 0;
        for b in seg.opts.sack() {
            let known = b.left.before(b.right)
                && b.left.at_or_after(self.snd.una)
                && b.right.at_or_before(self.snd.nxt);
            if known {
                fresh += self.log.sack(b);
            }
        }
        if fresh == 0 {
            return;
        }
        self.dup_acks = self.dup_acks.saturating_add(1);
        if self.bits.has(Bits::LOSS) {
            return;
        }
        let lost = self.log.mark_lost_below_sacked(u32::from(self.snd.mss));
        if !self.bits.has(Bits::RECOVERY) && (lost || u32::from(self.dup_acks) >= DUP_THRESH) {
            self.enter_recovery(cx);
        }
    }

    /// Fast retransmit and fast recovery begin (RFC 5681 3.2 steps 2, 3; RFC 6675 5 step 4).
    fn enter_recovery(&mut self, cx: &mut Cx<'_>) {
        if self.bits.has(Bits::RECOVERY) || self.bits.has(Bits::LOSS) {
            return;
        }
        let mss = u32::from(self.snd.mss);
        self.cc.on_congestion(Congestion::Loss, self.log.flight(), mss, cx.now);
        self.cc.window.cwnd = self.cc.window.ssthresh;
        self.recover = self.snd.nxt;
        self.log.mark_first_lost(mss);
        self.bits.set(Bits::RECOVERY);
        self.bits.set(Bits::RETRANSMIT_NOW);
        self.restart_send_timer(cx);
    }
}
