//! HyStart++ (RFC 9406): leaving the first slow start when round-trip times say that a queue builds, before it overflows.
//!
//! Times are whole microseconds.

use core::time::Duration;

use synfin_wire::Seq;

use super::{Ack, Limit, Window};

/// MIN_RTT_THRESH
const MIN_RTT_THRESH: u32 = 4_000;
/// MAX_RTT_THRESH
const MAX_RTT_THRESH: u32 = 16_000;
/// MIN_RTT_DIVISOR
const MIN_RTT_DIVISOR: u32 = 8;
/// N_RTT_SAMPLE
const N_RTT_SAMPLE: u8 = 8;
/// CSS_GROWTH_DIVISOR
const CSS_GROWTH_DIVISOR: u32 = 4;
/// CSS_ROUNDS
const CSS_ROUNDS: u8 = 5;
/// A minimum of a round without a sample.
const INFINITY: u32 = u32::MAX;

/// Where the slow start is (RFC 9406 4.2).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
enum Phase {
    /// No acknowledgement came yet: no round runs.
    Unbegun,
    /// The window doubles in each round.
    Standard,
    /// Conservative Slow Start: a quarter of that, to see whether the delay stays.
    Css {
        /// cssBaselineMinRtt
        baseline: u32,
        /// Rounds completed, the one in which the phase began counted whole.
        rounds: u8,
    },
}

/// State of the first slow start.
#[derive(Copy, Clone, Debug, Hash)]
pub struct HyStart {
    /// windowEnd: the round lasts until this is acknowledged.
    window_end: Seq,
    /// lastRoundMinRTT
    last_round_min: u32,
    /// currentRoundMinRTT
    round_min: u32,
    /// rttSampleCount
    samples: u8,
    phase: Phase,
}

impl Default for HyStart {
    fn default() -> HyStart {
        HyStart {
            window_end: Seq::default(),
            last_round_min: INFINITY,
            round_min: INFINITY,
            samples: 0,
            phase: Phase::Unbegun,
        }
    }
}

impl HyStart {
    /// One acknowledgement of the first slow start: grows cwnd, and sets ssthresh to it where the slow start is over.
    pub fn on_ack(&mut self, w: &mut Window, ack: &Ack) {
        if self.phase == Phase::Unbegun {
            self.phase = Phase::Standard;
            self.window_end = ack.nxt;
        }
        if ack.limit == Limit::Cwnd {
            let counted = ack.acked.min(ack.most);
            w.cwnd = w.cwnd.saturating_add(match self.phase {
                Phase::Css { .. } => counted / CSS_GROWTH_DIVISOR,
                _ => counted,
            });
        }
        if let Some(rtt) = ack.rtt {
            self.take_sample(micros(rtt));
        }
        if ack.una.at_or_after(self.window_end) {
            self.end_round(w, ack.nxt);
        }
    }

    fn take_sample(&mut self, rtt: u32) {
        self.round_min = self.round_min.min(rtt);
        self.samples = self.samples.saturating_add(1);
        if self.samples < N_RTT_SAMPLE {
            return;
        }
        match self.phase {
            Phase::Css { baseline, .. } => {
                // The delay went away again: it was no queue of ours.
                if self.round_min < baseline {
                    self.phase = Phase::Standard;
                }
            }
            _ => {
                let thresh = (self.last_round_min / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                // Never with a last minimum of infinity: no sample reaches it.
                if self.round_min >= self.last_round_min.saturating_add(thresh) {
                    self.phase = Phase::Css { baseline: self.round_min, rounds: 0 };
                }
            }
        }
    }

    fn end_round(&mut self, w: &mut Window, nxt: Seq) {
        self.window_end = nxt;
        self.last_round_min = self.round_min;
        self.round_min = INFINITY;
        self.samples = 0;
        if let Phase::Css { rounds, .. } = &mut self.phase {
            *rounds += 1;
            if *rounds >= CSS_ROUNDS {
                w.ssthresh = w.cwnd;
            }
        }
    }
}

/// Whole microseconds, at most a little more than an hour.
fn micros(d: Duration) -> u32 {
    synfin_wire::time::micros(d).min(INFINITY - 1)
}

#[cfg(test)]
mod tests;
