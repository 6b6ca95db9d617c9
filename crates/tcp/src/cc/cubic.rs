//! CUBIC (RFC 9438) in integers.
//!
//! Windows are octets, as everywhere here. W_est and cwnd carry 32 more bits below the octet, so that the small steps of
//! many acknowledgements add up. Time runs in ticks of 2^-20 s, just below a microsecond. t and K are each less than a
//! tick too short, the curve itself is cut to whole octets: W_cubic(t) is off by at most 3 C (t - K)^2 MSS 2^-20 + 1
//! octets. That is 2 octets at an MSS of 1,460 within 20 s of the plateau.

use alloc::boxed::Box;
use core::time::Duration;

use synfin_wire::Instant;
use synfin_wire::time::nanos;

use super::hystart::HyStart;
use super::reno::slow_start;
use super::{Ack, Algorithm, Congestion, Limit, Window};

/// log2 of the ticks of a second.
const TICK_BITS: u32 = 20;
/// C = 0.4 = 2 / 5 segments per second cubed (RFC 9438 5.1).
const C: (u32, u32) = (2, 5);
/// beta_cubic (RFC 9438 4.6).
const BETA: (u64, u64) = (7, 10);
/// (1 + beta_cubic) / 2 (RFC 9438 4.7).
const CONVERGE: (u64, u64) = (17, 20);
/// alpha_cubic = 3 (1 - beta_cubic) / (1 + beta_cubic) (RFC 9438 4.3).
const ALPHA: (u64, u64) = (9, 17);

/// CUBIC's rule. Its state comes into being when an acknowledgement could move the window.
#[derive(Clone, Debug, Default)]
pub struct Cubic {
    state: Option<Box<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    start: HyStart,
    curve: Curve,
    /// The window and the curve from before the last congestion (RFC 9438 4.9.2).
    undo: Option<(Window, Curve)>,
}

/// What lasts from one congestion to the next (RFC 9438 4.1.2).
#[derive(Copy, Clone, Debug, Default)]
struct Curve {
    /// W_max; 0 while undefined.
    w_max: u32,
    /// cwnd_prior
    cwnd_prior: u32,
    /// The congestion avoidance stage, once it began.
    stage: Option<Stage>,
}

/// A stage of congestion avoidance.
#[derive(Copy, Clone, Debug)]
struct Stage {
    /// t up to `last`, without the time when cwnd was not the limit; nanoseconds.
    t: u64,
    /// When the last acknowledgement arrived.
    last: Instant,
    /// Nothing was in flight then.
    drained: bool,
    /// K in ticks.
    k: u32,
    /// W_est in units of 2^-32 octets.
    w_est: u64,
    /// What cwnd holds beyond whole octets, in units of 2^-32.
    fraction: u32,
}

/// `n` times a ratio.
fn times(n: u32, (num, den): (u64, u64)) -> u32 {
    u32::try_from(u64::from(n) * num / den).unwrap_or(u32::MAX)
}

/// Nanoseconds to ticks.
fn ticks(ns: u64) -> u64 {
    // 2^20 / 10^9 = 2^11 / 5^9. Beyond a hundred days nothing changes any more.
    ns.saturating_mul(1 << 11) / 1_953_125
}

/// The largest integer whose cube is at most `n` < 2^96.
fn cube_root(n: u128) -> u32 {
    let mut root: u128 = 0;
    for bit in (0..32).rev() {
        let next = root | 1 << bit;
        if next * next * next <= n {
            root = next;
        }
    }
    root as u32
}

impl Stage {
    /// Congestion avoidance begins (RFC 9438 4.2). `w_max` is at least cwnd.
    fn begin(cwnd: u32, w_max: u32, mss: u32, now: Instant) -> Stage {
        // K = cbrt((W_max - cwnd_epoch) / C), in segments and seconds (Figure 2).
        let rise = u128::from(w_max - cwnd) * u128::from(C.1);
        let k = cube_root((rise << (3 * TICK_BITS)) / u128::from(mss * C.0));
        Stage { t: 0, last: now, drained: false, k, w_est: u64::from(cwnd) << 32, fraction: 0 }
    }

    /// Brings t up to date.
    fn pass(&mut self, ack: &Ack) {
        let mut passed = ack.now.since(self.last);
        if self.drained {
            // Nothing was in flight, and what came since took a round trip: the rest was idle time.
            passed = passed.min(ack.srtt);
        }
        if ack.limit == Limit::Cwnd {
            self.t = self.t.saturating_add(nanos(passed));
        }
        self.last = ack.now;
        self.drained = ack.flight == 0;
    }

    /// W_cubic in octets, `ahead` from now (Figure 1).
    fn w_cubic(&self, w_max: u32, mss: u32, ahead: Duration) -> u64 {
        let t = ticks(self.t.saturating_add(nanos(ahead)));
        let k = u64::from(self.k);
        // From an hour on, the curve is steeper than any window can follow.
        let off = u128::from(t.abs_diff(k).min(u64::from(u32::MAX)));
        let cube = (off * off * off * u128::from(mss * C.0)) >> (3 * TICK_BITS);
        let rise = cube as u64 / u64::from(C.1);
        let w_max = u64::from(w_max);
        if t < k { w_max.saturating_sub(rise) } else { w_max + rise }
    }
}

impl Curve {
    /// One acknowledgement in congestion avoidance, for this many octets.
    fn avoid(&mut self, w: &mut Window, ack: &Ack, acked: u32) {
        let mss = ack.mss.clamp(1, u32::from(u16::MAX));
        let stage = match &mut self.stage {
            Some(stage) => stage,
            None if ack.limit == Limit::Other => return,
            None => {
                // RFC 9438 4.8, 4.10: no W_max, or one that was passed, puts the plateau here.
                self.w_max = self.w_max.max(w.cwnd);
                self.stage.insert(Stage::begin(w.cwnd, self.w_max, mss, ack.now))
            }
        };
        stage.pass(ack);
        if ack.limit == Limit::Other || w.cwnd == 0 {
            return;
        }
        let cwnd = u64::from(w.cwnd);
        // The share of the window that was acknowledged, in units of 2^-32.
        let share = (u64::from(acked).min(cwnd) << 32) / cwnd;
        // RFC 9438 4.3: alpha_cubic, or 1 once W_est is where ssthresh was last set.
        let alpha = if stage.w_est >> 32 >= u64::from(self.cwnd_prior) { (1, 1) } else { ALPHA };
        let step = u64::from(mss) * share * alpha.0 / alpha.1;
        stage.w_est = stage.w_est.saturating_add(step);
        let w_est = (stage.w_est >> 32) as u32;
        if stage.w_cubic(self.w_max, mss, Duration::ZERO) < u64::from(w_est) {
            // RFC 9438 4.3: the Reno-friendly region.
            w.cwnd = w.cwnd.max(w_est);
            return;
        }
        // RFC 9438 4.2, 4.4, 4.5: at most half a window per round trip.
        let target = stage.w_cubic(self.w_max, mss, ack.srtt).clamp(cwnd, cwnd + cwnd / 2);
        let step = (target - cwnd) * share + u64::from(stage.fraction);
        stage.fraction = step as u32;
        w.cwnd = w.cwnd.saturating_add((step >> 32) as u32);
    }

    /// Congestion: W_max, cwnd_prior and ssthresh (RFC 9438 4.6, 4.7). cwnd was the limit whenever it grew, so that it
    /// stands for what was in flight.
    fn reduce(&mut self, w: &mut Window, mss: u32) {
        let mss = mss.max(1);
        // Fast convergence; less than a segment is no sign that somebody else needs room.
        let shrinking = w.cwnd / mss < self.w_max / mss;
        self.w_max = if shrinking { times(w.cwnd, CONVERGE) } else { w.cwnd };
        self.cwnd_prior = w.cwnd;
        self.stage = None;
        w.ssthresh = times(w.cwnd, BETA).max(mss.saturating_mul(2));
    }
}

impl Cubic {
    fn state(&mut self) -> &mut State {
        self.state.get_or_insert_default()
    }
}

impl Algorithm for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn on_ack(&mut self, w: &mut Window, ack: &Ack) {
        if self.state.is_none() && ack.limit == Limit::Other {
            return;
        }
        let state = self.state();
        let mut acked = ack.acked;
        if w.slow_start() {
            state.curve.stage = None;
            if w.ssthresh == u32::MAX {
                state.start.on_ack(w, ack);
                if w.ssthresh != u32::MAX {
                    // RFC 9438 4.10: without a loss W_max is undefined.
                    state.curve = Curve { w_max: 0, cwnd_prior: w.cwnd, stage: None };
                }
                return;
            }
            if ack.limit == Limit::Other {
                return;
            }
            acked = slow_start(w, ack);
            if acked == 0 {
                return;
            }
        }
        state.curve.avoid(w, ack, acked);
    }

    fn on_congestion(&mut self, w: &mut Window, what: Congestion, _: u32, mss: u32, _: Instant) {
        let state = self.state();
        state.undo = Some((*w, state.curve));
        let least = times(w.cwnd, BETA).max(mss);
        state.curve.reduce(w, mss);
        if what == Congestion::Mark && least < w.ssthresh {
            // RFC 9438 4.6: marks bring cwnd, not ssthresh, down to one segment.
            w.cwnd = w.cwnd.min(least);
        }
    }

    fn on_timeout(&mut self, w: &mut Window, _: u32, mss: u32, _: Instant) {
        let state = self.state();
        state.undo = Some((*w, state.curve));
        state.curve.reduce(w, mss);
        // RFC 9438 4.8: the plateau of the next stage is where it begins.
        state.curve.w_max = 0;
    }

    fn on_idle(&mut self, _: Duration) {
        if let Some(state) = &mut self.state {
            // The window begins anew from its initial size.
            state.start = HyStart::default();
            state.curve.stage = None;
        }
    }

    fn on_undo(&mut self, w: &mut Window, before: Window) {
        if w.cwnd >= before.cwnd {
            // RFC 9438 4.9.2: long past; what was learned since is newer.
            return;
        }
        *w = before;
        let state = self.state();
        state.curve = match state.undo.take() {
            Some((window, curve)) if window == before => curve,
            // More than one reduction is taken back: the plateau is where the first found the window.
            _ => Curve { w_max: before.cwnd, cwnd_prior: before.cwnd, stage: None },
        };
    }

    fn copy(&self) -> Box<dyn Algorithm> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
