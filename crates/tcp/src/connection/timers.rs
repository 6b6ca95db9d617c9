//! Timers: what each does when its time has come. None of them sends: they make sending due.

use core::time::Duration;

use synfin_wire::Instant;

use super::{Bits, Connection, SendTimer, Verdict};
use crate::error::{CloseReason, SoftError};
use crate::event::{Event, TimerKind, Why};
use crate::state::{State, Trigger};
use crate::{Config, Cx, Quirks};

/// RFC 9293 SHLD-11: text is repeated for at least 100 s before the connection is given up.
const R2_AT_LEAST: Duration = Duration::from_secs(100);

/// How long so many doublings of the shortest RTO take, each no longer than the longest one.
fn doublings(tries: u8, cfg: &Config) -> Duration {
    let times = core::iter::successors(Some(cfg.rto_min), |t| Some(t.saturating_mul(2).min(cfg.rto_max)));
    times.take(usize::from(tries) + 1).fold(Duration::ZERO, Duration::saturating_add)
}

impl Connection {
    /// When [`Connection::on_timeout`] wants to be called; [`Instant::NEVER`] if never.
    #[inline]
    pub fn poll_timeout(&self) -> Instant {
        let t = &self.timers;
        t.send.min(t.delayed_ack).min(t.fin_wait_2).min(self.user_deadline()).min(self.keepalive_deadline())
    }

    /// Something of ours waits for an acknowledgement or a window.
    fn waiting(&self) -> bool {
        !self.timers.send.is_never() && self.timers.send_kind != SendTimer::SwsOverride
    }

    /// User timeout (RFC 9293 3.9.1.1, RFC 5482 3): runs while something waits.
    fn user_deadline(&self) -> Instant {
        if matches!(self.user_timeout, 0 | u32::MAX) || !self.waiting() {
            return Instant::NEVER;
        }
        let since = match self.bits.has(Bits::FIRST_TRY) {
            false => self.timers.stalled_since,
            true if self.timers.first_try.is_never() => return Instant::NEVER,
            true => self.timers.first_try,
        };
        since + Duration::from_millis(u64::from(self.user_timeout))
    }

    /// Keepalive (RFC 9293 MUST-26): only when nothing waits and nothing was heard.
    fn keepalive_deadline(&self) -> Instant {
        let Some(k) = &self.keepalive else { return Instant::NEVER };
        let runs = matches!(self.state, State::Established | State::FinWait2 | State::CloseWait);
        if !runs || self.waiting() {
            return Instant::NEVER;
        }
        k.since + k.times.idle + k.times.interval.saturating_mul(u32::from(k.probes))
    }

    /// [`Connection::poll_timeout`] has passed. May be called early: nothing happens then.
    pub fn on_timeout(&mut self, cx: &mut Cx<'_>) -> Verdict {
        if matches!(self.state, State::Closed | State::TimeWait) {
            return Verdict::Keep;
        }
        if self.user_deadline() <= cx.now {
            return self.give_up(cx, TimerKind::User);
        }
        if self.timers.fin_wait_2 <= cx.now {
            cx.emit(&self.tuple, || Event::Timer(TimerKind::FinWait2));
            return self.end(cx, Trigger::Timeout, CloseReason::FinWait2Expired);
        }
        if self.timers.send <= cx.now {
            if self.timers.send_kind != SendTimer::SwsOverride
                && self.bits.has(Bits::CONNECTED)
                && self.syn_acked()
                && self.snd.wnd == 0
                && !cx.cfg.quirks.has(Quirks::PROBE_WITHOUT_TEXT)
            {
                // The window closed over what is in flight: probe it (RFC 9293 MUST-35).
                self.timers.send_kind = SendTimer::Persist;
            }
            let verdict = match self.timers.send_kind {
                SendTimer::Retransmit => self.on_retransmission_timeout(cx),
                SendTimer::Persist => self.on_persist(cx),
                SendTimer::TailProbe => {
                    self.on_tail_probe_timeout(cx);
                    Verdict::Keep
                }
                SendTimer::Reordering => {
                    self.on_reordering_timeout(cx);
                    Verdict::Keep
                }
                SendTimer::SwsOverride => {
                    cx.emit(&self.tuple, || Event::Timer(TimerKind::SwsOverride));
                    self.timers.send = Instant::NEVER;
                    self.bits.set(Bits::SMALL_OK);
                    Verdict::Keep
                }
            };
            if !matches!(verdict, Verdict::Keep) {
                return verdict;
            }
        }
        if self.keepalive_deadline() <= cx.now
            && let Some(k) = &mut self.keepalive
        {
            let resets = cx.cfg.quirks.has(Quirks::KEEPALIVE_RESETS);
            let silence = cx.now.since(k.since);
            let over = match self.user_timeout {
                0 | u32::MAX => k.probes >= k.times.probes,
                _ if !resets => k.probes >= k.times.probes,
                ms => k.probes > 0 && silence >= Duration::from_millis(u64::from(ms)),
            };
            if over {
                if resets {
                    cx.reply = Some(self.abort_head(cx));
                }
                return self.give_up(cx, TimerKind::Keepalive);
            }
            k.probes = k.probes.saturating_add(1);
            cx.emit(&self.tuple, || Event::Timer(TimerKind::Keepalive));
            self.bits.set(Bits::KEEPALIVE_DUE);
        }
        if self.timers.delayed_ack <= cx.now {
            cx.emit(&self.tuple, || Event::Timer(TimerKind::DelayedAck));
            self.timers.delayed_ack = Instant::NEVER;
            self.pace.on_delay_over(self.rto.current(cx.cfg));
            self.ack_now(Why::Ack);
        }
        Verdict::Keep
    }

    /// Something is sent again, or a window is probed.
    fn note_try(&mut self, cx: &Cx<'_>) {
        self.timers.first_try = self.timers.first_try.min(cx.now);
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, timer: TimerKind) -> Verdict {
        cx.emit(&self.tuple, || Event::Timer(timer));
        self.end(cx, Trigger::Timeout, CloseReason::TimedOut)
    }

    /// Whether the application's limit takes the place of the retry limits. "Never" does not outlive the application.
    fn bounded_by_time(&self) -> bool {
        match self.user_timeout {
            0 => false,
            u32::MAX => !self.bits.has(Bits::ORPHAN),
            _ => true,
        }
    }

    /// R2 as a number of tries; the application's own limit is a time and replaces it (RFC 9293 MUST-21).
    fn tries_exhausted(&self, cx: &Cx<'_>, tries: u8, text: bool) -> bool {
        if self.bounded_by_time() {
            return false;
        }
        let cfg = cx.cfg;
        if text && cfg.quirks.has(Quirks::LIMITS_FROM_FIRST_TRY) {
            // The receiver of a closed window may take its time.
            let closed = self.snd.wnd == 0 && !self.bits.has(Bits::ORPHAN);
            let limit = if self.bits.has(Bits::ORPHAN) { cfg.orphan_retries } else { cfg.r2 };
            let first = self.timers.first_try;
            return !closed && !first.is_never() && cx.now.since(first) >= doublings(limit, cfg);
        }
        if self.bits.has(Bits::ORPHAN) {
            return tries >= cfg.orphan_retries;
        }
        let linear = if self.state == State::SynSent { cfg.syn_linear } else { 0 };
        let limit = if text { cfg.r2 } else { cfg.syn_retries.saturating_add(linear) };
        tries >= limit && (!text || cx.now.since(self.timers.stalled_since) >= R2_AT_LEAST)
    }

    /// RFC 6298 5.4 to 5.6, RFC 9293 3.8.3.
    fn on_retransmission_timeout(&mut self, cx: &mut Cx<'_>) -> Verdict {
        cx.emit(&self.tuple, || Event::Timer(TimerKind::Retransmit));
        cx.counters.timeouts += 1;
        let open = self.bits.has(Bits::CONNECTED);
        let tries = if open { self.rto.tries() } else { self.syn_retries };
        if self.tries_exhausted(cx, tries, open) {
            return self.end(cx, Trigger::Timeout, CloseReason::TimedOut);
        }
        if tries.saturating_add(1) == cx.cfg.r1 {
            self.soft_error = Some(SoftError::Retransmitting);
            cx.emit(&self.tuple, || Event::SoftError(SoftError::Retransmitting));
        }
        let first = self.rto.tries() == 0;
        if self.state != State::SynSent || tries >= cx.cfg.syn_linear {
            self.rto.back_off();
        } else {
            self.rto.tried();
        }
        self.timers.rto_from = cx.now;
        self.timers.send = cx.now + self.rto.current(cx.cfg);
        self.note_try(cx);
        if !open {
            self.syn_retries = self.syn_retries.saturating_add(1);
            self.bits.set(Bits::SYN_DUE);
            return Verdict::Keep;
        }
        if !self.syn_acked() {
            // FIN_WAIT_1 from a crossing open: the SYN,ACK is still owed.
            self.bits.set(Bits::SYN_DUE);
        }
        self.apply_claimed_mtu(cx);
        self.enter_loss(cx, first);
        Verdict::Keep
    }

    /// RFC 9293 3.8.6.1: probes that are answered never count (MUST-37), unanswered ones do (RFC 6429 4).
    fn on_persist(&mut self, cx: &mut Cx<'_>) -> Verdict {
        cx.emit(&self.tuple, || Event::Timer(TimerKind::Persist));
        // The standard keeps it open for ever, but not at the expense of everybody else (RFC 6429 3).
        let waited = cx.now.since(self.timers.stalled_since);
        if cx.pool.scarce() && cx.cfg.zero_window_limit.is_some_and(|limit| waited >= limit) {
            cx.reply = Some(self.abort_head(cx));
            return self.end(cx, Trigger::Abort, CloseReason::ZeroWindow);
        }
        let limit = if self.bits.has(Bits::ORPHAN) { cx.cfg.orphan_retries } else { cx.cfg.persist_retries };
        if self.probes >= limit && !self.bounded_by_time() {
            return self.end(cx, Trigger::Timeout, CloseReason::TimedOut);
        }
        self.probes = self.probes.saturating_add(1);
        self.note_try(cx);
        self.rto.back_off();
        self.timers.send = cx.now + self.rto.current(cx.cfg).min(cx.cfg.persist_max);
        self.bits.set(Bits::PROBE_DUE);
        Verdict::Keep
    }
}
