//! The model of the path (5.5): rounds, rate, aggregation, and what losses say about all of them.

use core::time::Duration;

use synfin_wire::Instant;
use synfin_wire::time::nanos;

use super::{EXTRA_ACKED_FILTER_LEN, INFINITY, LOSS_THRESH, Model, Sample, State, beta, volume};
use crate::cc::{Ack, Limit, Lost, Rate, Window};

/// Whole microseconds, below [`INFINITY`].
pub(super) fn micros(d: Duration) -> u32 {
    volume(nanos(d) / 1000).min(INFINITY - 1)
}

impl Model {
    /// What the connection says, as RS.
    pub(super) fn take_sample(&mut self, ack: &Ack, rate: &Rate, mss: u32) -> Sample {
        self.delivered = rate.total_delivered;
        self.inflight = rate.inflight;
        self.sack = rate.sack;
        self.cwnd_limited.0 |= ack.limit == Limit::Cwnd;
        if !self.has_rtt && !ack.srtt.is_zero() {
            self.has_rtt = true;
            if self.bw == 0 {
                self.init_pacing_rate(ack.srtt, mss);
            }
        }
        // ProbeRTT marks what it sends as limited (5.3.4.3).
        let (from, until) = self.held_back;
        let held_back = (from..=until).contains(&rate.prior_delivered);
        let ns = nanos(rate.interval);
        Sample {
            now: ack.now,
            mss,
            delivery_rate: (u64::from(rate.delivered) * 1_000_000_000).checked_div(ns).unwrap_or(0),
            delivered: rate.delivered,
            newly_acked: rate.newly_delivered,
            rtt: ack.rtt.map(micros),
            app_limited: rate.app_limited || held_back,
            prior_delivered: rate.prior_delivered,
            tx_in_flight: rate.tx_in_flight,
            lost: rate.lost,
        }
    }

    /// StartRound() (5.5.1).
    pub(super) fn start_round(&mut self) {
        self.next_round_delivered = self.delivered;
    }

    /// UpdateRound() (5.5.1).
    fn update_round(&mut self, rs: &Sample) {
        self.round_start = rs.prior_delivered >= self.next_round_delivered;
        if self.round_start {
            self.start_round();
            self.round_count = self.round_count.wrapping_add(1);
            self.rounds_since_probe_up = self.rounds_since_probe_up.saturating_add(1);
            self.cwnd_limited = (false, self.cwnd_limited.0);
        }
    }

    /// C.is_cwnd_limited
    pub(super) fn is_cwnd_limited(&self) -> bool {
        self.cwnd_limited.0 || self.cwnd_limited.1
    }

    /// BBR.max_bw (5.5.3): the best of this cycle and the one before.
    pub(super) fn max_bw(&self) -> u64 {
        self.max_bw_filter[0].max(self.max_bw_filter[1])
    }

    /// UpdateMaxBw() (5.5.5).
    fn update_max_bw(&mut self, rs: &Sample) {
        self.update_round(rs);
        if rs.delivery_rate > 0 && (rs.delivery_rate >= self.max_bw() || !rs.app_limited) {
            self.max_bw_filter[1] = self.max_bw_filter[1].max(rs.delivery_rate);
        }
    }

    /// AdvanceMaxBwFilter() (5.5.6). A cycle without a sample leaves the old one.
    pub(super) fn advance_max_bw_filter(&mut self) {
        if self.max_bw_filter[1] != 0 {
            self.max_bw_filter = [self.max_bw_filter[1], 0];
        }
    }

    /// UpdateACKAggregation() (5.5.9).
    pub(super) fn update_ack_aggregation(&mut self, w: &Window, rs: &Sample) {
        let interval = nanos(rs.now.since(self.extra_acked_interval_start)) / 1000;
        let mut expected = self.bw.saturating_mul(interval) / 1_000_000;
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_interval_start = rs.now;
            expected = 0;
        }
        self.extra_acked_delivered += u64::from(rs.newly_acked);
        let extra = volume(self.extra_acked_delivered - expected).min(w.cwnd);
        if let Some(slot) =
            self.extra_acked_filter.get_mut(self.round_count as usize % EXTRA_ACKED_FILTER_LEN)
        {
            *slot = if self.round_start { extra } else { extra.max(*slot) };
        }
    }

    /// BBR.extra_acked: of this round in Startup, of ten later (5.5.9).
    pub(super) fn extra_acked(&self) -> u32 {
        let all = &self.extra_acked_filter;
        if self.full_bw_reached {
            return all.iter().copied().max().unwrap_or(0);
        }
        all.get(self.round_count as usize % EXTRA_ACKED_FILTER_LEN).copied().unwrap_or(0)
    }

    /// UpdateLatestDeliverySignals() (5.5.10.3).
    pub(super) fn update_latest_delivery_signals(&mut self, rs: &Sample) {
        self.loss_round_start = false;
        self.bw_latest = self.bw_latest.max(rs.delivery_rate);
        self.inflight_latest = self.inflight_latest.max(rs.delivered);
        if rs.prior_delivered >= self.loss_round_delivered {
            self.loss_round_delivered = self.delivered;
            self.loss_round_start = true;
        }
    }

    /// AdvanceLatestDeliverySignals() (5.5.10.3).
    pub(super) fn advance_latest_delivery_signals(&mut self, rs: &Sample) {
        if self.loss_round_start {
            self.bw_latest = rs.delivery_rate;
            self.inflight_latest = rs.delivered;
        }
    }

    /// ResetCongestionSignals() (5.5.10.3).
    pub(super) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    /// UpdateCongestionSignals(), AdaptLowerBoundsFromCongestion() (5.5.10.3): once per round of losses.
    pub(super) fn update_congestion_signals(&mut self, w: &Window, rs: &Sample) {
        self.update_max_bw(rs);
        if !self.loss_round_start {
            return;
        }
        if self.is_loss_in_round && !self.state.accelerates() {
            // InitLowerBounds()
            if self.bw_shortterm == u64::MAX {
                self.bw_shortterm = self.max_bw();
            }
            if self.inflight_shortterm == INFINITY {
                self.inflight_shortterm = w.cwnd;
            }
            // LossLowerBounds()
            self.bw_shortterm = self.bw_latest.max(beta(self.bw_shortterm));
            let kept = volume(beta(u64::from(self.inflight_shortterm)));
            self.inflight_shortterm = self.inflight_latest.max(kept);
        }
        self.is_loss_in_round = false;
        // A round after a loss that has begun no recovery: it was repaired without.
        self.loss_episode &= self.in_recovery;
    }

    /// ResetShortTermModel() (5.5.10.3).
    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = u64::MAX;
        self.inflight_shortterm = INFINITY;
    }

    /// BoundBWForModel() (5.5.10.3).
    pub(super) fn bound_bw_for_model(&mut self) {
        self.bw = self.max_bw().min(self.bw_shortterm);
    }

    /// IsInflightTooHigh() (5.5.10.2).
    pub(super) fn is_inflight_too_high(&self, lost: u32, tx_in_flight: u32) -> bool {
        u64::from(lost) * 100 > u64::from(tx_in_flight) * LOSS_THRESH || (lost > 0 && !self.sack)
    }

    /// NoteLoss() (5.5.10.2).
    fn note_loss(&mut self, w: &Window, total_delivered: u64) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = total_delivered;
        }
        self.is_loss_in_round = true;
        self.save_state_upon_loss(w);
    }

    /// HandleLostPacket() (5.5.10.2).
    pub(super) fn handle_lost_packet(&mut self, w: &mut Window, lost: &Lost) {
        self.delivered = self.delivered.max(lost.total_delivered);
        self.note_loss(w, lost.total_delivered);
        if self.loss_end != Some(lost.seq) {
            self.loss_ranges = self.loss_ranges.saturating_add(1);
        }
        self.loss_end = Some(lost.seq + lost.len);
        if !self.is_bw_probe_sample || !self.is_inflight_too_high(lost.lost, lost.tx_in_flight) {
            return;
        }
        self.handle_inflight_too_high(w, inflight_at_loss(lost), lost.app_limited, lost.mss.max(1), lost.now);
    }

    /// A mark is congestion (chapter on ECN); the draft leaves the response open. Ours is that of a loss above the
    /// threshold while probing, and of any loss otherwise.
    pub(super) fn handle_mark(&mut self, w: &mut Window, mss: u32, now: Instant) {
        self.note_loss(w, self.delivered);
        if self.state == State::Startup {
            self.leave_startup_by_congestion(mss);
        } else if self.is_bw_probe_sample {
            self.handle_inflight_too_high(w, self.inflight, false, mss, now);
        }
    }

    /// OnEnterFastRecovery(), OnEnterRTO() (5.6.4.4).
    pub(super) fn enter_recovery(&mut self, w: &Window) {
        self.save_cwnd(w);
        self.save_state_upon_loss(w);
        self.in_recovery = true;
        self.was_in_recovery = true;
    }

    /// Recovery is over, for better or for worse.
    pub(super) fn leave_recovery(&mut self) {
        self.in_recovery = false;
        self.loss_episode = false;
    }

    /// SaveStateUponLoss() (5.5.11.1): once, with the first loss of what may become one recovery. The draft saves again
    /// when recovery begins, and would then undo to what the losses before have changed.
    fn save_state_upon_loss(&mut self, w: &Window) {
        if self.loss_episode {
            return;
        }
        self.loss_episode = true;
        self.save_cwnd(w);
        self.undo_state = None;
        self.undo_bw_shortterm = self.bw_shortterm;
        self.undo_inflight_shortterm = self.inflight_shortterm;
        self.undo_inflight_longterm = self.inflight_longterm;
    }

    /// HandleSpuriousLossDetection() (5.5.11.2).
    pub(super) fn handle_spurious_loss_detection(&mut self, w: &mut Window) {
        self.restore_cwnd(w);
        self.is_loss_in_round = false;
        self.reset_full_bw();
        self.bw_shortterm = self.bw_shortterm.max(self.undo_bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo_inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo_inflight_longterm);
        match self.undo_state.take() {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_bw_reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::ProbeBwUp) if !matches!(self.state, State::ProbeBwUp | State::ProbeRtt) => {
                self.start_probe_bw_refill();
            }
            _ => {}
        }
        self.bound_bw_for_model();
    }
}

/// InflightAtLoss() (5.5.10.2): how much was in flight when the losses passed the threshold, within the segment.
pub(super) fn inflight_at_loss(lost: &Lost) -> u32 {
    let inflight_prev = u64::from(lost.tx_in_flight.saturating_sub(lost.len));
    let lost_prev = u64::from(lost.lost.saturating_sub(lost.len));
    let lost_prefix = (LOSS_THRESH * inflight_prev).saturating_sub(100 * lost_prev) / (100 - LOSS_THRESH);
    volume(inflight_prev + lost_prefix)
}

/// The seed's next number (xorshift): spread, not secret.
pub(super) fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
