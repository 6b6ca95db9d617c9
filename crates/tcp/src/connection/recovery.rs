//! Loss recovery: what is lost, how fast it is repaired, and whether it was lost at all (RFC 5681, 6582, 6675, 8985; undo
//! by RFC 3522, 3708, 5682; reduction by RFC 9937).

use alloc::boxed::Box;

use synfin_wire::{Instant, SackBlock};

use super::ack::News;
use super::{Bits, Connection, Phase, SendTimer};
use crate::Cx;
use crate::cc::{Congestion, Owner};
use crate::config::Quirks;
use crate::event::{Event, TimerKind};
use crate::recovery::episode::Episode;
use crate::send::log::DUP_THRESH;

impl Connection {
    /// Where loss recovery stands.
    pub fn phase(&self) -> Phase {
        if self.bits.has(Bits::LOSS) {
            Phase::Loss
        } else if self.bits.has(Bits::RECOVERY) {
            Phase::Recovery
        } else if self.bits.has(Bits::DISORDER) {
            Phase::Disorder
        } else {
            Phase::Open
        }
    }

    fn recovering(&self) -> bool {
        self.bits.has(Bits::RECOVERY) || self.bits.has(Bits::LOSS)
    }

    /// An acknowledgement was taken from the log: everything that follows from it.
    pub(super) fn digest(&mut self, cx: &mut Cx<'_>, news: &News) {
        let d = &news.delivery;
        let was_recovering = self.recovering();
        if news.advanced && !self.recovering() {
            self.dup_acks = 0;
        }
        self.delivered = self.delivered.wrapping_add(d.segments);
        // Behind a gap the peer goes on echoing what came before it (RFC 7323 4.3): that says nothing about what it SACKs.
        self.rack.deliver(d, news.echo.filter(|_| news.advanced), cx.now);
        if let Some(rates) = &mut self.rates {
            rates.on_delivery(d, cx.now);
        }
        self.bits.clear(Bits::NEW_FIRST);
        if let Some(d) = news.dsack
            && !self.reports_tail_probe(d)
        {
            self.rack.duplicated(self.snd.una, self.snd.nxt);
        }
        self.judge_tail_probe(cx, news);
        if self.bits.has(Bits::LOSS) {
            self.on_news_in_loss(cx, news);
        } else if self.bits.has(Bits::RECOVERY) {
            self.on_news_in_recovery(cx, news);
        } else if self.episode.is_some() {
            self.on_news_after_recovery(cx);
        }
        self.note_disorder();
        let over = was_recovering && !self.recovering();
        // What ends by itself is remembered for a while, what is taken back is not.
        let undone = over && self.episode.is_none();
        let (lost, reorder_at) = self.find_lost(cx, news);
        self.note_lost(cx, lost);
        if !self.recovering() && (lost > 0 || self.duplicates_prove_loss(news)) {
            self.enter_recovery(cx);
        }
        // RFC 9937: the window that recovery ends with is ssthresh.
        if !over || undone || cx.cfg.quirks.has(Quirks::RECOVERY_LIKE_LINUX) {
            self.steer(cx, news, lost);
        }
        self.sample_rate(cx, news, lost);
        if news.advanced {
            self.timers.rto_from = cx.now;
        }
        if news.advanced || d.octets > 0 || lost > 0 {
            self.arm_send_timer(cx, reorder_at);
        }
    }

    /// cwnd after an acknowledgement: reduced step by step, or grown.
    fn steer(&mut self, cx: &mut Cx<'_>, news: &News, lost: u32) {
        if self.bits.has(Bits::RECOVERY) {
            if news.delivery.octets > 0 {
                self.reduce(news.delivery.octets, news.advanced && lost == 0);
            }
        } else if news.advanced {
            self.grow(cx, news);
        }
    }

    fn reduce(&mut self, delivered: u32, safe: bool) {
        let (pipe, mss) = (self.log.pipe(), u32::from(self.snd.mss));
        if self.cc.owner() == Owner::Connection
            && let Some(e) = &mut self.episode
        {
            let w = &mut self.cc.window;
            w.cwnd = e.prr.on_ack(delivered, pipe, w.ssthresh, mss, safe).max(mss);
        }
    }

    /// What this acknowledgement shows to be lost, in octets; and when more will be.
    fn find_lost(&mut self, cx: &Cx<'_>, news: &News) -> (u32, Option<Instant>) {
        if !self.bits.has(Bits::SACK_OK) {
            // Partial ACK: the next hole is lost too (RFC 6582 3.2 step 3).
            let partial = self.bits.has(Bits::RECOVERY) && news.advanced && !self.log.is_empty();
            if !partial {
                return (0, None);
            }
            self.bits.set(Bits::RETRANSMIT_NOW);
            return (self.log.mark_first_lost(u32::from(self.snd.mss)), None);
        }
        self.ask_rack(cx)
    }

    fn ask_rack(&mut self, cx: &Cx<'_>) -> (u32, Option<Instant>) {
        let recovering = self.recovering();
        self.rack.find_lost(&mut self.log, recovering, self.rto.srtt(), cx.now)
    }

    /// Three duplicates without SACK (RFC 5681 3.2), and more is acknowledged than what an earlier recovery or timeout may
    /// have repeated (RFC 6582 3.2 step 2): its repetitions draw duplicates too.
    fn duplicates_prove_loss(&self, news: &News) -> bool {
        news.duplicate && u32::from(self.dup_acks) >= DUP_THRESH && self.snd.una.after(self.recover)
    }

    /// What congestion control takes for the amount outstanding (RFC 5681 equation 4).
    fn flight_size(&self, cx: &Cx<'_>) -> u32 {
        if cx.cfg.quirks.has(Quirks::CONGESTION_BY_CWND) {
            self.cc.cwnd()
        } else if self.bits.has(Bits::DISORDER) {
            // RFC 5681 3.2 step 2: not what limited transmit sent.
            self.disorder_at.dist(self.snd.una).max(0) as u32
        } else {
            self.log.flight()
        }
    }

    /// Whether delivery is out of order, and since when.
    fn note_disorder(&mut self) {
        if self.log.sacked() == 0 && self.dup_acks == 0 {
            self.bits.clear(Bits::DISORDER);
        } else if !self.bits.has(Bits::DISORDER) || self.snd.una.at_or_after(self.disorder_at) {
            // Also when all of that is acknowledged, and later text is out of order: this is another one.
            self.bits.set(Bits::DISORDER);
            self.disorder_at = self.snd.nxt;
        }
    }

    /// Fast retransmit and fast recovery begin (RFC 5681 3.2 steps 2, 3; RFC 8985 4).
    fn enter_recovery(&mut self, cx: &mut Cx<'_>) {
        let mss = u32::from(self.snd.mss);
        let outstanding = self.flight_size(cx);
        self.episode = Some(Box::new(Episode::new(self.cc.window, self.snd.una, outstanding)));
        self.cc.on_congestion(Congestion::Loss, outstanding, mss, cx.now);
        self.recover = self.snd.nxt;
        if !self.log.has_lost() {
            let lost = self.log.mark_first_lost(mss);
            self.note_lost(cx, lost);
        }
        self.tlp_end = None;
        self.bits.set(Bits::RECOVERY);
        self.bits.set(Bits::RETRANSMIT_NOW);
        self.timers.rto_from = cx.now;
    }

    /// The retransmission timer ran out (RFC 6298 5.4 to 5.6, RFC 5681 3.1, RFC 8985 6.3).
    pub(super) fn enter_loss(&mut self, cx: &mut Cx<'_>, first: bool) {
        let mss = u32::from(self.snd.mss);
        let fresh = !self.recovering();
        let before = match &self.episode {
            Some(e) if !fresh => e.before,
            _ => self.cc.window,
        };
        let outstanding = self.flight_size(cx);
        // Within fast recovery Linux has reduced already.
        let reduce = first && (fresh || !cx.cfg.quirks.has(Quirks::CONGESTION_BY_CWND));
        let mut episode = Episode::new(before, self.snd.una, outstanding);
        // RFC 5682 3.1 (1): not within another recovery.
        episode.frto = cx.cfg.frto && fresh;
        self.episode = Some(Box::new(episode));
        self.cc.on_timeout(outstanding, mss, reduce, cx.now);
        let lost = self.log.lost;
        self.log.mark_timed_out(self.rack.rtt(), cx.now);
        self.note_lost(cx, self.log.lost.saturating_sub(lost));
        // One segment beyond what may still be under way.
        self.cc.window.cwnd = self.log.pipe() + mss;
        self.recover = self.snd.nxt;
        self.tlp_end = None;
        self.calm();
        self.bits.set(Bits::LOSS);
        self.bits.set(Bits::AFTER_TIMEOUT);
        self.bits.set(Bits::RETRANSMIT_NOW);
    }

    fn on_news_in_recovery(&mut self, cx: &mut Cx<'_>, news: &News) {
        let Some(e) = &self.episode else { return self.leave_recovery() };
        let original = news.advanced && e.answers_original(news.echo);
        if original || e.all_duplicates() {
            return self.undo(cx);
        }
        let holds = !self.bits.has(Bits::SACK_OK) && cx.cfg.quirks.has(Quirks::RECOVERY_LIKE_LINUX);
        if self.snd.una.after(self.recover) || (self.snd.una == self.recover && !holds) {
            self.leave_recovery();
        }
    }

    fn on_news_in_loss(&mut self, cx: &mut Cx<'_>, news: &News) {
        let over = self.snd.una.at_or_after(self.recover);
        let sack = self.bits.has(Bits::SACK_OK);
        let may_send_new = self.unsent() > 0 && self.snd.nxt.before(self.snd.una + self.snd.wnd);
        let Some(e) = &mut self.episode else { return self.leave_recovery() };
        if news.advanced && (e.answers_original(news.echo) || e.all_duplicates()) {
            return self.undo(cx);
        }
        if e.frto {
            // RFC 5682 3.1 (3b): what was never sent again arrives, so the timeout came too early.
            // Without SACK what is acknowledged behind the repetition may have waited for it.
            let told = sack || !news.delivery.retransmitted;
            if told && news.delivery.lowest_once_end.is_some_and(|end| end.at_or_before(self.recover)) {
                return self.undo(cx);
            }
            if self.snd.nxt.after(self.recover) {
                // (3a): the new text arrived and the old did not.
                e.frto = !(news.delivery.sacked > 0 || news.duplicate);
            } else if news.advanced && !over {
                // (2b): two new segments before anything is repeated, if there are any.
                e.frto = may_send_new;
                if may_send_new {
                    self.recover = self.snd.nxt;
                    self.bits.set(Bits::NEW_FIRST);
                }
            }
        }
        if over {
            self.leave_recovery();
        }
    }

    /// D-SACKs may come when all is acknowledged already: for one round trip they are awaited (RFC 3708 2).
    fn on_news_after_recovery(&mut self, cx: &mut Cx<'_>) {
        let Some(e) = &self.episode else { return };
        if e.all_duplicates() {
            self.undo(cx);
        } else if e.over.is_none_or(|end| self.snd.una.after(end)) {
            self.episode = None;
        }
    }

    /// Everything that was in flight when it began is acknowledged.
    fn leave_recovery(&mut self) {
        if self.bits.has(Bits::RECOVERY) && self.cc.owner() == Owner::Connection {
            // RFC 9937 6: the reduction is complete.
            self.cc.window.cwnd = self.cc.window.ssthresh.max(u32::from(self.snd.mss));
        }
        self.cc.on_recovered();
        self.rack.recovered();
        let nxt = self.snd.nxt;
        if let Some(e) = &mut self.episode {
            e.over = Some(nxt);
        }
        self.calm();
    }

    /// Nothing was lost after all: the window comes back and what waited to be repeated is only late.
    fn undo(&mut self, cx: &mut Cx<'_>) {
        if let Some(e) = self.episode.take() {
            self.cc.on_undo(e.before);
        }
        self.log.forgive();
        self.rto.forgive();
        self.bits.clear(Bits::AFTER_TIMEOUT);
        self.calm();
        cx.emit(&self.tuple, || Event::Undone);
    }

    /// A recovery is over, or gives way to another: nothing of it is left in what is sent next.
    fn calm(&mut self) {
        self.dup_acks = 0;
        self.bits.clear(Bits::RECOVERY);
        self.bits.clear(Bits::LOSS);
        self.bits.clear(Bits::NEW_FIRST);
        self.bits.clear(Bits::RETRANSMIT_NOW);
    }

    /// RFC 8985 6.2: the reordering timer ran out.
    pub(super) fn on_reordering_timeout(&mut self, cx: &mut Cx<'_>) {
        cx.emit(&self.tuple, || Event::Timer(TimerKind::Reordering));
        let (lost, next) = self.ask_rack(cx);
        self.note_lost(cx, lost);
        if lost > 0 {
            if !self.recovering() {
                self.enter_recovery(cx);
            }
            if self.bits.has(Bits::RECOVERY) {
                self.reduce(u32::from(self.snd.mss), false);
            }
        }
        self.arm_send_timer(cx, next);
    }

    /// RFC 8985 7.3: the tail loss probe is due.
    pub(super) fn on_tail_probe_timeout(&mut self, cx: &mut Cx<'_>) {
        cx.emit(&self.tuple, || Event::Timer(TimerKind::TailLossProbe));
        self.bits.set(Bits::TLP_DUE);
        // No second one before another round-trip sample.
        self.bits.clear(Bits::SAMPLED);
        self.restart_send_timer(cx);
    }

    /// A D-SACK that only says that the tail loss probe was not needed.
    fn reports_tail_probe(&self, d: SackBlock) -> bool {
        self.bits.has(Bits::TLP_AGAIN) && self.tlp_end == Some(d.right)
    }

    /// RFC 8985 7.4: whether the probe repaired a loss.
    fn judge_tail_probe(&mut self, cx: &mut Cx<'_>, news: &News) {
        let Some(end) = self.tlp_end.filter(|end| news.ack.at_or_after(*end)) else { return };
        let reported = news.dsack.is_some_and(|d| d.right == end);
        let repeated = !news.advanced && news.delivery.octets == 0 && news.dsack.is_none();
        if !self.bits.has(Bits::TLP_AGAIN) || reported || (news.ack == end && repeated) {
            self.tlp_end = None;
        } else if news.ack.after(end) {
            self.tlp_end = None;
            // The probe repaired a single loss: that is congestion all the same.
            if self.cc.owner() == Owner::Rule {
                return self.note_lost(cx, u32::from(self.snd.mss));
            }
            let outstanding = self.flight_size(cx);
            self.cc.on_congestion(Congestion::Loss, outstanding, u32::from(self.snd.mss), cx.now);
            self.cc.window.cwnd = self.cc.window.ssthresh;
        }
    }

    /// Whether the timer of what is in flight may be a probe's (RFC 8985 7.2).
    fn may_probe_tail(&self, cx: &Cx<'_>) -> bool {
        cx.cfg.tail_loss_probe
            && self.bits.has(Bits::SACK_OK)
            && self.bits.has(Bits::SAMPLED)
            && self.tlp_end.is_none()
            && self.log.sacked() == 0
            && !self.log.has_lost()
            && !self.recovering()
    }

    /// RFC 6298 5.1, 5.3: the retransmission timer starts from now.
    pub(crate) fn restart_send_timer(&mut self, cx: &Cx<'_>) {
        self.timers.rto_from = cx.now;
        self.arm_send_timer(cx, None);
    }

    /// The one timer of what is in flight: reordering, tail loss probe, retransmission or persist (RFC 8985 8).
    pub(crate) fn arm_send_timer(&mut self, cx: &Cx<'_>, reorder_at: Option<Instant>) {
        let closed = self.snd.wnd == 0 && !cx.cfg.quirks.has(Quirks::PROBE_WITHOUT_TEXT);
        self.timers.send_kind = if closed { SendTimer::Persist } else { SendTimer::Retransmit };
        if self.log.is_empty() {
            self.timers.send = Instant::NEVER;
            return;
        }
        let rto_at = self.timers.rto_from + self.rto.current(cx.cfg);
        self.timers.send = rto_at;
        if self.snd.wnd == 0 {
            return;
        }
        if let Some(at) = reorder_at.filter(|at| *at < rto_at) {
            self.timers.send_kind = SendTimer::Reordering;
            self.timers.send = at;
        } else if self.may_probe_tail(cx) {
            // RFC 8985 7.2 TLP_calc_PTO.
            let wait = self.rto.srtt().saturating_mul(2);
            let slack = if self.log.is_single() { cx.cfg.max_ack_delay } else { cx.cfg.timer_slack };
            self.timers.send_kind = SendTimer::TailProbe;
            self.timers.send = (cx.now + wait + slack).min(rto_at);
        }
    }
}
