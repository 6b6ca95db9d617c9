//! Control parameters (5.6): pacing rate and cwnd.

use core::time::Duration;

use super::{INFINITY, Model, Sample, State, initial_window, path, volume};
use crate::cc::{Window, send_quantum};

/// BBR.MinPipeCwnd
pub(super) fn min_pipe_cwnd(mss: u32) -> u32 {
    4 * mss
}

impl Model {
    /// InitPacingRate() (5.6.2).
    pub(super) fn init_pacing_rate(&mut self, srtt: Duration, mss: u32) {
        let rtt = if srtt.is_zero() { 1000 } else { path::micros(srtt).max(1) };
        let nominal_bandwidth = u64::from(initial_window(mss)) * 1_000_000 / u64::from(rtt);
        self.pacing_rate = (nominal_bandwidth * State::Startup.pacing_gain() / 100).max(u64::from(mss));
        self.has_rtt = !srtt.is_zero();
    }

    /// SetPacingRateWithGain() (5.6.2). Never below a segment per second.
    pub(super) fn set_pacing_rate(&mut self, gain: u64, mss: u32) {
        // BBR.PacingMarginPercent = 1
        let rate = self.bw.saturating_mul(gain * 99) / 10_000;
        if self.full_bw_reached || rate > self.pacing_rate {
            self.pacing_rate = rate.max(u64::from(mss));
        }
    }

    /// BDPMultiple() (5.6.4.2) of a rate, with a gain in per cent.
    fn bdp_multiple(&self, bw: u64, gain: u64, mss: u32) -> u32 {
        if self.min_rtt == INFINITY {
            return initial_window(mss);
        }
        let bdp = bw.saturating_mul(u64::from(self.min_rtt)) / 1_000_000;
        volume(bdp.saturating_mul(gain) / 100)
    }

    /// BBR.bdp
    pub(super) fn bdp(&self, mss: u32) -> u32 {
        self.bdp_multiple(self.bw, 100, mss)
    }

    /// QuantizationBudget(), UpdateOffloadBudget() (5.6.4.2, 5.5.8).
    fn quantization_budget(&self, inflight_cap: u32, mss: u32) -> u32 {
        let offload_budget = 3 * send_quantum(self.pacing_rate, mss);
        let cap = inflight_cap.max(offload_budget).max(min_pipe_cwnd(mss));
        if self.state == State::ProbeBwUp { cap.saturating_add(2 * mss) } else { cap }
    }

    /// Inflight() (5.6.4.2).
    pub(super) fn inflight_at(&self, bw: u64, gain: u64, mss: u32) -> u32 {
        self.quantization_budget(self.bdp_multiple(bw, gain, mss), mss)
    }

    /// UpdateMaxInflight() (5.6.4.2).
    fn max_inflight(&self, mss: u32) -> u32 {
        let cap = self.bdp_multiple(self.bw, self.state.cwnd_gain(), mss);
        self.quantization_budget(cap.saturating_add(self.extra_acked()), mss)
    }

    /// SaveCwnd() (5.6.4.4).
    pub(super) fn save_cwnd(&mut self, w: &Window) {
        let modulated = self.in_recovery || self.state == State::ProbeRtt;
        self.prior_cwnd = if modulated { self.prior_cwnd.max(w.cwnd) } else { w.cwnd };
    }

    /// RestoreCwnd() (5.6.4.4).
    pub(super) fn restore_cwnd(&mut self, w: &mut Window) {
        w.cwnd = w.cwnd.max(self.prior_cwnd);
    }

    /// ProbeRTTCwnd() (5.6.4.5).
    pub(super) fn probe_rtt_cwnd(&self, mss: u32) -> u32 {
        self.bdp_multiple(self.bw, State::ProbeRtt.cwnd_gain(), mss).max(min_pipe_cwnd(mss))
    }

    /// SetCwnd() (5.6.4.6).
    pub(super) fn set_cwnd(&mut self, w: &mut Window, rs: &Sample) {
        let max_inflight = self.max_inflight(rs.mss);
        let grown = w.cwnd.saturating_add(rs.newly_acked);
        if self.full_bw_reached {
            w.cwnd = grown.min(max_inflight);
        } else if w.cwnd < max_inflight || self.delivered < u64::from(initial_window(rs.mss)) {
            w.cwnd = grown;
        }
        w.cwnd = w.cwnd.max(min_pipe_cwnd(rs.mss));
        if self.state == State::ProbeRtt {
            w.cwnd = w.cwnd.min(self.probe_rtt_cwnd(rs.mss));
        }
        self.bound_cwnd_for_model(w, rs.mss);
    }

    /// BoundCwndForModel() (5.6.4.7).
    fn bound_cwnd_for_model(&self, w: &mut Window, mss: u32) {
        let cap = match self.state {
            State::ProbeBwDown | State::ProbeBwRefill | State::ProbeBwUp => self.inflight_longterm,
            State::ProbeBwCruise | State::ProbeRtt => self.inflight_with_headroom(mss),
            State::Startup | State::Drain => INFINITY,
        };
        w.cwnd = w.cwnd.min(cap.min(self.inflight_shortterm).max(min_pipe_cwnd(mss)));
    }
}
