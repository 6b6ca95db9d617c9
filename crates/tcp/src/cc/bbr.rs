//! BBR version 3 (draft-ietf-ccwg-bbr) in integers: a model of the path, made of the highest delivery rate and the least
//! round-trip time, decides how fast and how much is sent.
//!
//! Rates are octets per second, volumes octets, times microseconds, gains per cent. The names are the draft's. Section
//! numbers are those of the draft as of its chapter "Detailed Algorithm" (5).

use alloc::boxed::Box;
use core::time::Duration;

use synfin_wire::{Instant, Seq};

use super::{Ack, Algorithm, Congestion, Lost, Owner, Start, Window, initial_window};

mod control;
mod path;
mod probe_bw;
mod probe_rtt;

/// No bound yet, for volumes.
const INFINITY: u32 = u32::MAX;
/// BBR.LossThresh, per cent.
const LOSS_THRESH: u64 = 2;
/// BBRStartupFullLossCnt
const STARTUP_FULL_LOSS_CNT: u8 = 6;
/// BBR.ExtraAckedFilterLen in rounds.
const EXTRA_ACKED_FILTER_LEN: usize = 10;

/// BBR.Beta = 0.7
fn beta(n: u64) -> u64 {
    n / 10 * 7 + n % 10 * 7 / 10
}

/// A volume, cut to 32 bits.
fn volume(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(INFINITY)
}

/// BBR.state (5.1.1)
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum State {
    Startup,
    Drain,
    ProbeBwDown,
    ProbeBwCruise,
    ProbeBwRefill,
    ProbeBwUp,
    ProbeRtt,
}

impl State {
    /// IsInAProbeBWState()
    fn probes_bw(self) -> bool {
        use State::{ProbeBwCruise, ProbeBwDown, ProbeBwRefill, ProbeBwUp};
        matches!(self, ProbeBwDown | ProbeBwCruise | ProbeBwRefill | ProbeBwUp)
    }

    /// IsProbingBW(): sending more than before, on purpose.
    fn accelerates(self) -> bool {
        matches!(self, State::Startup | State::ProbeBwRefill | State::ProbeBwUp)
    }

    /// BBR.pacing_gain in per cent (5.6.1).
    fn pacing_gain(self) -> u64 {
        match self {
            State::Startup => 277,
            State::Drain => 50,
            State::ProbeBwDown => 90,
            State::ProbeBwUp => 125,
            State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeRtt => 100,
        }
    }

    /// BBR.cwnd_gain in per cent (5.6.1).
    fn cwnd_gain(self) -> u64 {
        match self {
            State::ProbeBwUp => 225,
            State::ProbeRtt => 50,
            _ => 200,
        }
    }
}

/// BBR.ack_phase: what the acknowledgements of now say about bandwidth probing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum AckPhase {
    /// Nothing.
    Init,
    /// The pipe is being filled.
    Refilling,
    /// More was sent; no acknowledgement of it yet.
    ProbeStarting,
    /// How it went.
    ProbeFeedback,
    /// The rest of that.
    ProbeStopping,
}

/// What one ACK says (RS).
#[derive(Copy, Clone, Debug)]
struct Sample {
    now: Instant,
    mss: u32,
    /// RS.delivery_rate; 0: none.
    delivery_rate: u64,
    /// RS.delivered
    delivered: u32,
    newly_acked: u32,
    /// RS.rtt in microseconds.
    rtt: Option<u32>,
    app_limited: bool,
    prior_delivered: u64,
    tx_in_flight: u32,
    lost: u32,
}

/// BBR's rule. Its model comes into being with the first text.
#[derive(Clone, Debug, Default)]
pub struct Bbr {
    model: Option<Box<Model>>,
}

/// All that BBR knows.
#[derive(Clone, Debug)]
struct Model {
    state: State,
    // Connection state as last told (C).
    delivered: u64,
    inflight: u32,
    sack: bool,
    in_recovery: bool,
    /// Also on the ACK that ends it.
    was_in_recovery: bool,
    /// A loss was seen since the last recovery was over: what was before it is saved.
    loss_episode: bool,
    /// Filled cwnd in this round, in the one before (C.is_cwnd_limited).
    cwnd_limited: (bool, bool),
    random: u64,

    // Rounds (5.5.1).
    next_round_delivered: u64,
    round_start: bool,
    round_count: u32,

    // Control parameters (5.6).
    pacing_rate: u64,
    has_rtt: bool,
    prior_cwnd: u32,
    idle_restart: bool,

    // Rate model (5.5.2 to 5.5.6).
    /// BBR.max_bw_filter: the cycle before, this cycle.
    max_bw_filter: [u64; 2],
    bw_shortterm: u64,
    bw: u64,
    bw_latest: u64,

    // Volume model (5.5.7 to 5.5.10).
    min_rtt: u32,
    min_rtt_stamp: Instant,
    inflight_longterm: u32,
    inflight_shortterm: u32,
    inflight_latest: u32,
    extra_acked_interval_start: Instant,
    extra_acked_delivered: u64,
    /// BBR.extra_acked_filter: the most of each of the last rounds.
    extra_acked_filter: [u32; EXTRA_ACKED_FILTER_LEN],

    // Losses (5.5.10).
    is_loss_in_round: bool,
    loss_round_start: bool,
    loss_round_delivered: u64,
    /// Separate ranges lost in this round, and where the last one ended.
    loss_ranges: u8,
    loss_end: Option<Seq>,

    // Startup and Drain (5.3.1, 5.3.2).
    full_bw_reached: bool,
    full_bw_now: bool,
    full_bw: u64,
    full_bw_count: u8,
    drain_start_round: u32,

    // ProbeBW (5.3.3).
    ack_phase: AckPhase,
    is_bw_probe_sample: bool,
    bw_probe_up_acked: u32,
    probe_up_acked_per_inc: u32,
    bw_probe_up_rounds: u8,
    rounds_since_probe_up: u32,
    bw_probe_wait: Duration,
    cycle_stamp: Instant,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,

    // ProbeRTT (5.3.4).
    probe_rtt_min_delay: u32,
    probe_rtt_min_stamp: Instant,
    probe_rtt_expired: bool,
    probe_rtt_round_done: bool,
    probe_rtt_done_stamp: Option<Instant>,
    /// What is sent between these amounts of delivered octets says nothing about the rate.
    held_back: (u64, u64),

    // Undo (5.5.11).
    undo_state: Option<State>,
    undo_bw_shortterm: u64,
    undo_inflight_shortterm: u32,
    undo_inflight_longterm: u32,
}

impl Model {
    /// OnInit() (5.2.1). The randomness comes from the initial sequence number, which nobody can guess.
    fn new(now: Instant, srtt: Duration, mss: u32, seed: Seq) -> Model {
        let mut m = Model {
            state: State::Startup,
            delivered: 0,
            inflight: 0,
            sack: true,
            in_recovery: false,
            was_in_recovery: false,
            loss_episode: false,
            cwnd_limited: (false, false),
            random: ((u64::from(seed.raw()) << 32) ^ now.nanos()) | 1,
            next_round_delivered: 0,
            round_start: false,
            round_count: 0,
            pacing_rate: 0,
            has_rtt: false,
            prior_cwnd: 0,
            idle_restart: false,
            max_bw_filter: [0; 2],
            bw_shortterm: u64::MAX,
            bw: 0,
            bw_latest: 0,
            min_rtt: if srtt.is_zero() { INFINITY } else { path::micros(srtt) },
            min_rtt_stamp: now,
            inflight_longterm: INFINITY,
            inflight_shortterm: INFINITY,
            inflight_latest: 0,
            extra_acked_interval_start: now,
            extra_acked_delivered: 0,
            extra_acked_filter: [0; EXTRA_ACKED_FILTER_LEN],
            is_loss_in_round: false,
            loss_round_start: false,
            loss_round_delivered: 0,
            loss_ranges: 0,
            loss_end: None,
            full_bw_reached: false,
            full_bw_now: false,
            full_bw: 0,
            full_bw_count: 0,
            drain_start_round: 0,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: INFINITY,
            bw_probe_up_rounds: 0,
            rounds_since_probe_up: 0,
            bw_probe_wait: Duration::ZERO,
            cycle_stamp: now,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            probe_rtt_min_delay: INFINITY,
            probe_rtt_min_stamp: now,
            probe_rtt_expired: false,
            probe_rtt_round_done: false,
            probe_rtt_done_stamp: None,
            held_back: (1, 0),
            undo_state: None,
            undo_bw_shortterm: 0,
            undo_inflight_shortterm: 0,
            undo_inflight_longterm: 0,
        };
        m.init_pacing_rate(srtt, mss);
        m
    }

    /// UpdateOnACK() (5.2.3).
    fn update(&mut self, w: &mut Window, rs: &Sample) {
        self.update_latest_delivery_signals(rs);
        self.update_congestion_signals(w, rs);
        self.update_ack_aggregation(w, rs);
        self.check_full_bw_reached(rs);
        self.check_startup_done(rs);
        self.check_drain_done(rs);
        self.update_probe_bw_cycle_phase(w, rs);
        self.update_min_rtt(rs);
        self.check_probe_rtt(w, rs);
        self.advance_latest_delivery_signals(rs);
        self.bound_bw_for_model();
        self.set_pacing_rate(self.state.pacing_gain(), rs.mss);
        self.set_cwnd(w, rs);
        self.was_in_recovery = self.in_recovery;
        // Says whether the window still doubles.
        w.ssthresh = if self.full_bw_reached { control::min_pipe_cwnd(rs.mss) } else { u32::MAX };
    }

    /// EnterStartup() (5.3.1.1).
    fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    /// ResetFullBW() (5.3.1.2).
    fn reset_full_bw(&mut self) {
        self.full_bw = 0;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// CheckFullBWReached() (5.3.1.2): three rounds without a quarter more.
    fn check_full_bw_reached(&mut self, rs: &Sample) {
        if self.full_bw_now || !self.round_start || rs.app_limited || rs.delivery_rate == 0 {
            return;
        }
        if rs.delivery_rate >= self.full_bw.saturating_add(self.full_bw / 4) {
            self.reset_full_bw();
            self.full_bw = rs.delivery_rate;
            return;
        }
        self.full_bw_count += 1;
        self.full_bw_now = self.full_bw_count >= 3;
        if self.full_bw_now {
            self.full_bw_reached = true;
        }
    }

    /// CheckStartupDone() (5.3.1.1, 5.3.1.3).
    fn check_startup_done(&mut self, rs: &Sample) {
        self.check_startup_high_loss(rs);
        if self.loss_round_start {
            self.loss_ranges = 0;
        }
        if self.state == State::Startup && self.full_bw_reached {
            self.enter_drain();
        }
    }

    /// CheckStartupHighLoss() (5.3.1.3): a whole round of recovery with too much lost in too many places; without SACK,
    /// any loss.
    fn check_startup_high_loss(&mut self, rs: &Sample) {
        if self.full_bw_reached || self.state != State::Startup || !self.was_in_recovery {
            return;
        }
        let round = self.loss_round_start
            && self.loss_ranges >= STARTUP_FULL_LOSS_CNT
            && self.is_inflight_too_high(rs.lost, rs.tx_in_flight);
        if round || !self.sack {
            self.leave_startup_by_congestion(rs.mss);
        }
    }

    /// What follows from too much loss in Startup (5.3.1.3).
    fn leave_startup_by_congestion(&mut self, mss: u32) {
        self.undo_state = Some(State::Startup);
        self.full_bw_now = true;
        self.full_bw_reached = true;
        self.inflight_longterm = self.bdp(mss).max(self.inflight_latest);
        self.enter_drain();
    }

    /// EnterDrain() (5.3.2).
    fn enter_drain(&mut self) {
        self.state = State::Drain;
        self.drain_start_round = self.round_count;
    }

    /// CheckDrainDone() (5.3.2).
    fn check_drain_done(&mut self, rs: &Sample) {
        if self.state == State::Drain
            && (self.inflight <= self.inflight_at(self.bw, 100, rs.mss)
                || self.round_count > self.drain_start_round + 3)
        {
            self.start_probe_bw_down(rs.now);
        }
    }
}

impl Bbr {
    fn model(&mut self, now: Instant, srtt: Duration, mss: u32, seed: Seq) -> &mut Model {
        self.model.get_or_insert_with(|| Box::new(Model::new(now, srtt, mss, seed)))
    }
}

impl Algorithm for Bbr {
    fn name(&self) -> &'static str {
        "bbr"
    }

    /// Everything happens with the sample.
    fn on_ack(&mut self, _: &mut Window, _: &Ack) {}

    fn on_sample(&mut self, w: &mut Window, ack: &Ack) {
        let Some(rate) = ack.rate else { return };
        let mss = ack.mss.max(1);
        let m = self.model(ack.now, ack.srtt, mss, ack.una);
        let rs = m.take_sample(ack, &rate, mss);
        m.update(w, &rs);
    }

    fn on_lost(&mut self, w: &mut Window, lost: &Lost) {
        if let Some(m) = &mut self.model {
            m.handle_lost_packet(w, lost);
        }
    }

    fn on_congestion(&mut self, w: &mut Window, what: Congestion, _: u32, mss: u32, now: Instant) {
        let Some(m) = &mut self.model else { return };
        match what {
            // OnEnterFastRecovery() (5.6.4.4).
            Congestion::Loss => m.enter_recovery(w),
            Congestion::Mark => m.handle_mark(w, mss.max(1), now),
        }
    }

    fn on_timeout(&mut self, w: &mut Window, _: u32, _: u32, _: Instant) {
        // OnEnterRTO() (5.6.4.4); one segment, which the connection sees to.
        if let Some(m) = &mut self.model {
            m.enter_recovery(w);
        }
    }

    fn on_recovered(&mut self, w: &mut Window) {
        if let Some(m) = &mut self.model {
            m.leave_recovery();
            m.restore_cwnd(w);
        }
    }

    fn on_undo(&mut self, w: &mut Window, before: Window) {
        w.cwnd = w.cwnd.max(before.cwnd);
        if let Some(m) = &mut self.model {
            m.leave_recovery();
            m.handle_spurious_loss_detection(w);
        }
    }

    fn on_start(&mut self, w: &mut Window, start: &Start) {
        let mss = start.mss.max(1);
        let m = self.model(start.now, start.srtt, mss, start.nxt);
        m.inflight = 0;
        if start.app_limited {
            m.handle_restart_from_idle(w, start.now, mss);
        }
    }

    fn owner(&self) -> Owner {
        Owner::Rule
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.model.as_ref().map(|m| m.pacing_rate)
    }

    fn copy(&self) -> Box<dyn Algorithm> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
