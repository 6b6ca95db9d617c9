//! Step five: what an acceptable ACK field does (RFC 9293 3.10.7.4).

use core::time::Duration;

use synfin_wire::{Instant, SackBlock, Segment, Seq};

use super::{Bits, Connection, SendTimer, Verdict};
use crate::Cx;
use crate::cc::{Ack, Limit, Rate};
use crate::config::Quirks;
use crate::error::CloseReason;
use crate::recovery::rack::Echo;
use crate::send::log::Delivery;
use crate::state::{State, Trigger};

/// A timestamp echo older than this is taken for a forgery rather than a sample.
const ECHO_LIMIT_MS: u32 = 120_000;

/// What an ACK field and its SACK blocks say about what is in flight.
pub(super) struct News {
    /// SEG.ACK
    pub ack: Seq,
    /// SND.UNA moved.
    pub advanced: bool,
    /// What arrived at the peer.
    pub delivery: Delivery,
    /// Without SACK: a duplicate ACK (RFC 5681 2).
    pub duplicate: bool,
    /// A range that arrived twice (RFC 2883).
    pub dsack: Option<SackBlock>,
    /// The timestamp that the segment echoes.
    pub echo: Option<Echo>,
    /// Round-trip time, if this acknowledgement gave one.
    pub rtt: Option<Duration>,
    /// What limited the sender when the acknowledged octets were sent.
    pub limit: Limit,
}

impl Connection {
    /// Our SYN was acknowledged: the connection opens.
    pub(super) fn take_ack_of_syn(&mut self, cx: &mut Cx<'_>, ack: Seq) {
        self.bits.set(Bits::CONNECTED);
        self.bits.clear(Bits::SYN_DUE);
        self.snd.una = self.iss + 1;
        self.snd.wl2 = ack;
        self.delivered = 1;
        let mss = u32::from(self.snd.mss);
        let rtt = cx.now.since(self.timers.stalled_since);
        if self.syn_retries == 0 {
            // A record made from a SYN cookie knows of no time.
            if !rtt.is_zero() {
                self.rack.sample(rtt, cx.now);
                self.take_sample(rtt);
            }
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
            self.advance_una(cx, ack, &mut Delivery::default());
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
        } else {
            self.check_app_limited();
            if let Some(news) = self.gather(cx, seg, ack, wnd) {
                self.digest(cx, &news);
            }
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
                if self.bits.has(Bits::ORPHAN) && cx.cfg.fin_wait_2.is_zero() {
                    // Nobody waits for the peer's FIN: it is told.
                    cx.reply = Some(super::reset_for(seg));
                    return Some(self.end(cx, Trigger::Abort, CloseReason::FinWait2Expired));
                }
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
        self.timers.first_try = Instant::NEVER;
        // The peer answered every probe: they are no tries of what is sent now (RFC 9293 MUST-37, RFC 6298 5.5).
        self.rto.forgive();
        if self.bits.take(Bits::PROBED) && !self.log.is_empty() {
            // What was probed with, or shrunk away, was refused: it goes again with what follows.
            self.log.mark_all_lost();
            self.bits.set(Bits::RETRANSMIT_NOW);
        }
        self.restart_send_timer(cx);
    }

    /// Takes from the log what the segment acknowledges. `None`: it is no news at all.
    fn gather(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>, ack: Seq, wnd_before: u32) -> Option<News> {
        let una = self.snd.una;
        let advanced = ack.after(una);
        let sack = self.bits.has(Bits::SACK_OK) && seg.opts.has_sack();
        if !advanced && !sack && self.log.is_empty() {
            return None;
        }
        let echo = seg.opts.ts.filter(|ts| self.bits.has(Bits::TS_OK) && ts.ecr != 0);
        let echo = echo.map(|ts| Echo { ecr: ts.ecr, offset: self.ts_offset });
        let mut news = News {
            ack,
            advanced,
            delivery: Delivery::default(),
            duplicate: false,
            dsack: None,
            echo,
            rtt: None,
            limit: if una.before(self.limited_until) { Limit::Cwnd } else { Limit::Other },
        };
        let fack = self.log.fack();
        if advanced {
            self.advance_una(cx, ack, &mut news.delivery);
            news.rtt = self.round_trip(cx, &news);
        }
        if sack {
            news.dsack = self.take_sack(seg, una, &mut news.delivery);
        } else if ack == una {
            news.duplicate = self.count_duplicate(seg, wnd_before, &mut news.delivery);
        }
        if let (Some(start), Some(fack)) = (news.delivery.lowest_once, fack)
            && start.before(fack)
        {
            self.rack.reordered(start, fack, u32::from(self.snd.mss));
        }
        Some(news)
    }

    /// Moves SND.UNA.
    fn advance_una(&mut self, cx: &mut Cx<'_>, ack: Seq, delivery: &mut Delivery) {
        let acked = ack.since(self.snd.una);
        if acked >= u32::from(self.snd.mss) {
            self.proven_mss = self.proven_mss.max(self.snd.mss);
        }
        // Progress disproves the claim that our segments are too big (RFC 5927 7.2).
        self.claimed_mtu = 0;
        let fin = self.bits.has(Bits::FIN_SENT) && ack == self.snd.nxt;
        let octets = acked - u32::from(fin);
        self.send.acked(cx.pool, octets);
        // With the FIN: what the peer sent before it saw the FIN is no forgery.
        self.snd.acked = self.snd.acked.saturating_add(acked);
        self.snd.una = ack;
        if self.bits.has(Bits::URG_SENDING) && ack.at_or_after(self.snd.up) {
            self.bits.clear(Bits::URG_SENDING);
        }
        self.timers.stalled_since = cx.now;
        self.timers.first_try = Instant::NEVER;
        self.bits.clear(Bits::STARVED);
        if self.timers.send_kind == SendTimer::Persist {
            // A closed window doubled the interval, not the path.
            self.rto.forgive();
        } else {
            self.rto.answered();
        }
        self.log.ack(ack, delivery);
    }

    /// The round-trip time of an acknowledgement that moved SND.UNA (RFC 6298 3, RFC 7323 4.1).
    fn round_trip(&mut self, cx: &Cx<'_>, news: &News) -> Option<Duration> {
        let rtt = match news.delivery.sample {
            Some(sent) => cx.now.since(sent),
            None => {
                let age = self.ts_now(cx.now).wrapping_sub(news.echo?.ecr);
                (age < ECHO_LIMIT_MS).then(|| Duration::from_millis(u64::from(age.max(1))))?
            }
        };
        self.rack.sample(rtt, cx.now);
        // One sample per round trip keeps RFC 6298's gains meaningful (RFC 7323 4.1).
        if news.ack.at_or_after(self.sample_at) {
            self.take_sample(rtt);
            self.sample_at = self.snd.nxt;
        }
        Some(rtt)
    }

    fn take_sample(&mut self, rtt: Duration) {
        self.rto.sample(rtt);
        self.bits.set(Bits::SAMPLED);
    }

    /// RFC 5681 2: a duplicate ACK brings no text, no flags, no window change and the greatest number so far, and something
    /// is in flight. Without SACK only: with it, what arrived is told.
    fn count_duplicate(&mut self, seg: &Segment<'_>, wnd_before: u32, delivery: &mut Delivery) -> bool {
        let pure = seg.seq_len() == 0 && u32::from(seg.wnd) << self.snd.wscale == wnd_before;
        if !pure || self.log.is_empty() || self.bits.has(Bits::SACK_OK) || self.snd.wnd == 0 {
            return false;
        }
        self.dup_acks = self.dup_acks.saturating_add(1);
        // Forged duplicates inflate no further than what was in flight when recovery began (RFC 5681 3.2 step 4).
        let recovering = self.bits.has(Bits::RECOVERY);
        let most = if recovering { self.recover.since(self.snd.una) } else { self.log.flight() };
        delivery.octets += self.log.count_dup_ack(u32::from(self.snd.mss), most);
        true
    }

    /// SACK blocks into the log; blocks that were never possible are ignored. Returns a D-SACK (RFC 2883 4). `una` is
    /// SND.UNA from before this segment.
    fn take_sack(&mut self, seg: &Segment<'_>, una: Seq, delivery: &mut Delivery) -> Option<SackBlock> {
        let ack = seg.ack?;
        let mut blocks = seg.opts.sack().filter(|b| b.left.before(b.right));
        let mut dsack = None;
        if let Some(first) = blocks.clone().next() {
            let second = seg.opts.sack().nth(1);
            let inside =
                second.is_some_and(|s| first.left.at_or_after(s.left) && first.right.at_or_before(s.right));
            // Held against the ACK beside it: ACKs may have changed places on the way (RFC 2883 5).
            let old = first.right.at_or_before(ack) && first.right.after(self.ack_floor());
            if old || (inside && first.right.at_or_before(self.snd.nxt)) {
                dsack = blocks.next();
                self.dsacks = self.dsacks.saturating_add(1);
                if old
                    && first.right.at_or_before(una)
                    && let Some(e) = &mut self.episode
                    && first.right.after(e.start)
                {
                    e.duplicate(first.right.since(first.left).div_ceil(u32::from(self.snd.mss)));
                }
            }
        }
        for b in blocks {
            if b.left.at_or_after(self.snd.una) && b.right.at_or_before(self.snd.nxt) {
                self.log.sack(b, delivery);
            }
        }
        dsack
    }

    /// Tells the rule of the window about newly delivered octets.
    pub(super) fn grow(&mut self, cx: &Cx<'_>, news: &News) {
        // RFC 3465 2.3: one segment per ACK in the slow start that follows a timeout.
        let after_timeout = self.bits.has(Bits::AFTER_TIMEOUT) && self.cc.window.slow_start();
        if !after_timeout {
            self.bits.clear(Bits::AFTER_TIMEOUT);
        }
        let ack = self.as_ack(cx, news, None);
        self.cc.on_ack(&ack);
    }

    /// What a rule is told about an acknowledgement.
    pub(super) fn as_ack(&self, cx: &Cx<'_>, news: &News, rate: Option<Rate>) -> Ack {
        let mss = u32::from(self.snd.mss);
        let limit = u32::from(cx.cfg.slow_start_limit);
        let after_timeout = self.bits.has(Bits::AFTER_TIMEOUT);
        let most = if after_timeout && limit != u32::from(u8::MAX) { 1 } else { limit };
        Ack {
            now: cx.now,
            acked: news.delivery.octets,
            most: most.saturating_mul(mss),
            mss,
            limit: if self.bits.has(Bits::LOSS) { Limit::Cwnd } else { news.limit },
            rtt: news.rtt,
            srtt: self.rto.srtt(),
            min_rtt: self.rack.min_rtt(),
            una: self.snd.una,
            nxt: self.snd.nxt,
            flight: self.log.flight(),
            rate,
        }
    }
}
