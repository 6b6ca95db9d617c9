//! ProbeBW (5.3.3): the cycle of sending less, the same, and more.

use core::time::Duration;

use synfin_wire::Instant;

use super::path::next_random;
use super::{AckPhase, INFINITY, Model, Sample, State, beta, control, volume};
use crate::cc::Window;

impl Model {
    /// StartProbeBW_DOWN() (5.3.3.6).
    pub(super) fn start_probe_bw_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = INFINITY;
        self.pick_probe_wait();
        self.cycle_stamp = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round();
        self.state = State::ProbeBwDown;
    }

    /// StartProbeBW_CRUISE()
    pub(super) fn start_probe_bw_cruise(&mut self) {
        self.state = State::ProbeBwCruise;
    }

    /// StartProbeBW_REFILL()
    pub(super) fn start_probe_bw_refill(&mut self) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = State::ProbeBwRefill;
    }

    /// StartProbeBW_UP()
    fn start_probe_bw_up(&mut self, w: &Window, rs: &Sample) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round();
        self.reset_full_bw();
        self.full_bw = rs.delivery_rate;
        self.state = State::ProbeBwUp;
        self.raise_inflight_longterm_slope(w, rs.mss);
    }

    /// UpdateProbeBWCyclePhase()
    pub(super) fn update_probe_bw_cycle_phase(&mut self, w: &mut Window, rs: &Sample) {
        if !self.full_bw_reached || self.adapt_long_term_model(w, rs) {
            return;
        }
        if self.state == State::ProbeBwUp && self.is_time_to_go_down(w, rs) {
            self.prev_probe_too_high = false;
            self.start_probe_bw_down(rs.now);
            return;
        }
        match self.state {
            State::ProbeBwDown | State::ProbeBwCruise if self.is_time_to_probe_bw(w, rs) => {
                self.start_probe_bw_refill();
            }
            State::ProbeBwDown if self.is_time_to_cruise(rs.mss) => self.start_probe_bw_cruise(),
            State::ProbeBwRefill if self.round_start => {
                self.is_bw_probe_sample = true;
                self.start_probe_bw_up(w, rs);
            }
            _ => {}
        }
    }

    /// PickProbeWait() (5.3.3.5.3): 2 to 3 s, and up to a round less than Reno would take.
    fn pick_probe_wait(&mut self) {
        let random = next_random(&mut self.random);
        self.rounds_since_probe_up = (random & 1) as u32;
        self.bw_probe_wait = Duration::from_millis(2000 + (random >> 1) % 1001);
    }

    /// IsTimeToProbeBW() (5.3.3.5.3).
    fn is_time_to_probe_bw(&self, w: &Window, rs: &Sample) -> bool {
        let reno_rounds = (self.target_inflight(w, rs.mss) / rs.mss).min(63);
        rs.now > self.cycle_stamp + self.bw_probe_wait || self.rounds_since_probe_up >= reno_rounds
    }

    /// TargetInflight() (5.3.3.5.3).
    fn target_inflight(&self, w: &Window, mss: u32) -> u32 {
        self.bdp(mss).min(w.cwnd)
    }

    /// IsTimeToCruise()
    fn is_time_to_cruise(&self, mss: u32) -> bool {
        self.inflight <= self.inflight_with_headroom(mss)
            && self.inflight <= self.inflight_at(self.max_bw(), 100, mss)
    }

    /// IsTimeToGoDown()
    fn is_time_to_go_down(&mut self, w: &Window, rs: &Sample) -> bool {
        // Precautionary bandwidth probing (5.3.3.4.2). What was in flight before this ACK counts, to the last whole segment:
        // cwnd is bounded by the same limit, and after the ACK there is always less.
        let reached = self.inflight.saturating_add(rs.newly_acked).saturating_add(rs.mss);
        if self.prev_probe_too_high && reached > self.inflight_longterm {
            self.prev_probe_precautionary = true;
            return true;
        }
        if self.is_cwnd_limited() && w.cwnd >= self.inflight_longterm {
            // The rate is limited by our own bound: a plateau says nothing.
            self.reset_full_bw();
            self.full_bw = rs.delivery_rate;
            return false;
        }
        self.full_bw_now
    }

    /// InflightWithHeadroom()
    pub(super) fn inflight_with_headroom(&self, mss: u32) -> u32 {
        if self.inflight_longterm == INFINITY {
            return INFINITY;
        }
        // BBR.Headroom = 0.15
        let headroom = volume(u64::from(self.inflight_longterm) * 15 / 100).max(mss);
        self.inflight_longterm.saturating_sub(headroom).max(control::min_pipe_cwnd(mss))
    }

    /// RaiseInflightLongtermSlope(): one segment more in the first round, then two, four, ...
    fn raise_inflight_longterm_slope(&mut self, w: &Window, mss: u32) {
        let growth_this_round = 1_u32 << self.bw_probe_up_rounds.min(30);
        self.bw_probe_up_rounds = (self.bw_probe_up_rounds + 1).min(30);
        self.probe_up_acked_per_inc = (w.cwnd / growth_this_round).max(mss);
    }

    /// ProbeInflightLongtermUpward()
    fn probe_inflight_longterm_upward(&mut self, w: &Window, rs: &Sample) {
        if !self.is_cwnd_limited() || w.cwnd < self.inflight_longterm {
            return;
        }
        self.bw_probe_up_acked = self.bw_probe_up_acked.saturating_add(rs.newly_acked);
        if self.bw_probe_up_acked >= self.probe_up_acked_per_inc {
            let delta = self.bw_probe_up_acked / self.probe_up_acked_per_inc;
            self.bw_probe_up_acked -= delta * self.probe_up_acked_per_inc;
            self.inflight_longterm = self.inflight_longterm.saturating_add(delta.saturating_mul(rs.mss));
        }
        if self.round_start {
            self.raise_inflight_longterm_slope(w, rs.mss);
        }
    }

    /// AdaptLongTermModel(). Whether it has moved on to another state.
    fn adapt_long_term_model(&mut self, w: &Window, rs: &Sample) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round_start {
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round_start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            if self.state.probes_bw() {
                if !rs.app_limited {
                    self.advance_max_bw_filter();
                }
                if self.prev_probe_precautionary && !self.prev_probe_too_high {
                    // The cautious probe went well: now for as long as it takes (5.3.3.4.2).
                    self.start_probe_bw_refill();
                    return true;
                }
            }
        }
        if self.inflight_longterm == INFINITY || self.is_inflight_too_high(rs.lost, rs.tx_in_flight) {
            return false;
        }
        self.inflight_longterm = self.inflight_longterm.max(rs.tx_in_flight);
        if self.state == State::ProbeBwUp {
            self.probe_inflight_longterm_upward(w, rs);
        }
        false
    }

    /// HandleInflightTooHigh() (5.5.10.2).
    pub(super) fn handle_inflight_too_high(
        &mut self,
        w: &Window,
        tx_in_flight: u32,
        app_limited: bool,
        mss: u32,
        now: Instant,
    ) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !app_limited {
            let least = volume(beta(u64::from(self.target_inflight(w, mss))));
            self.inflight_longterm = tx_in_flight.max(least);
        }
        if self.state == State::ProbeBwUp {
            self.undo_state = Some(State::ProbeBwUp);
            self.start_probe_bw_down(now);
        }
    }
}
