//! ProbeRTT (5.3.4) and the least round-trip time; restart from idle (5.4).

use core::time::Duration;

use synfin_wire::Instant;

use super::{AckPhase, Model, Sample, State};
use crate::cc::Window;

/// BBR.MinRTTFilterLen
const MIN_RTT_FILTER_LEN: Duration = Duration::from_secs(10);
/// BBR.ProbeRTTInterval
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
/// BBR.ProbeRTTDuration
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);

impl Model {
    /// UpdateMinRTT() (5.3.4.3).
    pub(super) fn update_min_rtt(&mut self, rs: &Sample) {
        self.probe_rtt_expired = rs.now > self.probe_rtt_min_stamp + PROBE_RTT_INTERVAL;
        if let Some(rtt) = rs.rtt
            && (rtt < self.probe_rtt_min_delay || self.probe_rtt_expired)
        {
            self.probe_rtt_min_delay = rtt;
            self.probe_rtt_min_stamp = rs.now;
        }
        let min_rtt_expired = rs.now > self.min_rtt_stamp + MIN_RTT_FILTER_LEN;
        if self.probe_rtt_min_delay < self.min_rtt || min_rtt_expired {
            self.min_rtt = self.probe_rtt_min_delay;
            self.min_rtt_stamp = self.probe_rtt_min_stamp;
        }
    }

    /// CheckProbeRTT() (5.3.4.3).
    pub(super) fn check_probe_rtt(&mut self, w: &mut Window, rs: &Sample) {
        if self.state != State::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            self.state = State::ProbeRtt;
            self.save_cwnd(w);
            self.probe_rtt_done_stamp = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round();
            self.held_back.0 = self.delivered;
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(w, rs);
        }
        if rs.delivered > 0 {
            self.idle_restart = false;
        }
    }

    /// HandleProbeRTT() (5.3.4.3).
    fn handle_probe_rtt(&mut self, w: &mut Window, rs: &Sample) {
        // MarkConnectionAppLimited()
        self.held_back.1 = self.delivered + u64::from(self.inflight);
        if self.probe_rtt_done_stamp.is_none() {
            if self.inflight <= self.probe_rtt_cwnd(rs.mss) {
                self.probe_rtt_done_stamp = Some(rs.now + PROBE_RTT_DURATION);
                self.probe_rtt_round_done = false;
                self.start_round();
            }
            return;
        }
        self.probe_rtt_round_done |= self.round_start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(w, rs.now);
        }
    }

    /// CheckProbeRTTDone(), ExitProbeRTT() (5.3.4.3, 5.3.4.4).
    fn check_probe_rtt_done(&mut self, w: &mut Window, now: Instant) {
        if self.probe_rtt_done_stamp.is_none_or(|done| now <= done) {
            return;
        }
        self.probe_rtt_min_stamp = now;
        self.restore_cwnd(w);
        self.reset_short_term_model();
        if self.full_bw_reached {
            self.start_probe_bw_down(now);
            self.start_probe_bw_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// HandleRestartFromIdle() (5.4.1).
    pub(super) fn handle_restart_from_idle(&mut self, w: &mut Window, now: Instant, mss: u32) {
        self.idle_restart = true;
        self.extra_acked_interval_start = now;
        if self.state.probes_bw() {
            self.set_pacing_rate(100, mss);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(w, now);
        }
    }
}
