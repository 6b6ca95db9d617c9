use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::cc::tests::link::{Flow, Link, MSS, link};
use crate::cc::{Choice, Control, Limit, Rate, Rule};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn model(c: &Control) -> &Model {
    let Rule::Bbr(Bbr { model: Some(m) }) = &c.rule else { panic!("no model") };
    m
}

fn model_mut(c: &mut Control) -> &mut Model {
    let Rule::Bbr(Bbr { model: Some(m) }) = &mut c.rule else { panic!("no model") };
    m
}

fn bdp(link: &Link) -> u64 {
    link.rate * link.rtt.as_millis() as u64 / 1000
}

fn flow(link: Link) -> Flow {
    Flow::new(Choice::Bbr, link)
}

fn state(f: &Flow) -> State {
    model(&f.cc).state
}

/// A flow that has got so far.
fn flow_in(link: Link, wanted: State) -> Flow {
    let mut f = flow(link);
    f.run(ms(1));
    assert!(f.run_until(Duration::from_secs(30), |f| state(f) == wanted), "never in {wanted:?}");
    f
}

fn per_cent(part: u64, whole: u64) -> u64 {
    part * 100 / whole
}

/// Paths that differ by three orders of magnitude, with buffers that Startup does not overflow.
fn paths() -> [Link; 6] {
    [
        link(10, 40, 200),
        link(100, 100, 200),
        link(1000, 10, 200),
        link(1, 200, 200),
        link(10, 40, 400),
        link(20, 300, 200),
    ]
}

/// "Exiting STARTUP on Bandwidth Plateau": the rate is found within 2 %, in rounds that grow with its logarithm.
#[test]
fn startup_finds_the_rate() {
    for l in paths() {
        let mut f = flow(l);
        f.run(ms(1));
        assert!(f.run_until(Duration::from_secs(60), |f| state(f) == State::Drain), "{l:?}");
        let m = model(&f.cc);
        let found = per_cent(m.max_bw(), l.rate);
        assert!((98..=102).contains(&found), "{l:?}: {found} %");
        assert!(m.full_bw_now && m.full_bw_reached && m.full_bw_count == 3);
        let doublings = (bdp(&l) / u64::from(initial_window(MSS)) + 1).ilog2();
        assert!(m.round_count <= doublings + 6, "{l:?}: {} rounds", m.round_count);
        assert_eq!(f.cc.ssthresh(), 4 * MSS, "the window doubles no more");
    }
}

/// 5.3.1.1: in Startup the queue stays below what cwnd_gain leaves: a bandwidth-delay product and what is aggregated.
#[test]
fn startup_bounds_its_queue() {
    let l = link(50, 50, 1000);
    let mut f = flow(l);
    f.run_watching(ms(5000), |_| {});
    assert!(f.queue <= bdp(&l) * 3 / 2, "{} of {}", f.queue, bdp(&l));
    assert_eq!(f.lost, 0);
}

/// "Exiting STARTUP on Loss When Application-Limited"
#[test]
fn startup_ends_on_losses() {
    let l = Link { loss: 50_000, ..link(100, 100, 100) };
    let mut f = flow(l);
    f.app_rate = Some(l.rate / 2);
    f.run(ms(1));
    assert!(f.run_until(ms(4000), |f| state(f) != State::Startup));
    let m = model(&f.cc);
    assert!(m.full_bw_now && m.full_bw_reached);
    assert_eq!((m.state, m.undo_state), (State::Drain, Some(State::Startup)));
    assert!(m.inflight_longterm < INFINITY && m.inflight_longterm >= m.bdp(MSS));
}

/// "Never Exiting PROBE_UP (or STARTUP) When Application-Limited With No Loss"
#[test]
fn application_limited_rounds_are_no_plateau() {
    let l = link(100, 40, 100);
    let mut f = flow(l);
    f.app_rate = Some(l.rate / 10);
    f.run_watching(ms(4900), |f| {
        assert!(f.now <= Instant::from_millis(10_000) || state(f) == State::Startup);
    });
    let mut f = flow_in(l, State::ProbeBwUp);
    f.app_rate = Some(l.rate / 10);
    f.run(ms(100));
    f.run_watching(ms(1500), |f| assert_eq!(state(f), State::ProbeBwUp));
}

/// "Exiting DRAIN Based on Inflight"
#[test]
fn drain_ends_when_the_queue_is_gone() {
    for l in paths() {
        let mut f = flow_in(l, State::Drain);
        assert_eq!(model(&f.cc).state.pacing_gain(), 50);
        assert!(f.run_until(ms(5000), |f| state(f) != State::Drain));
        let m = model(&f.cc);
        // The queue may be short enough for a cruise at once.
        assert!(matches!(m.state, State::ProbeBwDown | State::ProbeBwCruise));
        let most = m.inflight_at(m.bw, 100, MSS);
        assert!(m.inflight <= most || m.round_count > m.drain_start_round + 3, "{l:?}");
    }
}

/// "Exiting DRAIN Based on Time"
#[test]
fn drain_ends_after_three_rounds() {
    let mut f = flow_in(link(10, 40, 400), State::Drain);
    let m = model_mut(&mut f.cc);
    // What the path holds is a tenth of what was thought.
    m.min_rtt /= 10;
    m.min_rtt_stamp = f.now;
    m.max_bw_filter = [0, m.max_bw() * 2];
    let start = m.drain_start_round;
    assert!(f.run_until(ms(5000), |f| state(f) != State::Drain));
    assert_eq!(model(&f.cc).round_count, start + 4);
}

/// ProbeBW: the link is used, and the queue is short for most of the time.
#[test]
fn steady_state_uses_the_link() {
    for l in paths() {
        let mut f = flow_in(l, State::ProbeBwCruise);
        f.run(l.rtt * 10);
        let used = f.run(Duration::from_secs(30));
        assert!(used >= 90, "{l:?}: {used} %");
        let rate = model(&f.cc).max_bw();
        assert!((95..=105).contains(&per_cent(rate, l.rate)), "{l:?}: {rate}");
    }
}

/// The phases follow each other in the order of the draft's diagram, and each of them comes.
#[test]
fn the_cycle() {
    let mut f = flow_in(link(10, 40, 100), State::ProbeBwDown);
    let mut seen = alloc::vec![State::ProbeBwDown];
    f.run_watching(Duration::from_secs(60), |f| {
        if seen.last() != Some(&state(f)) {
            seen.push(state(f));
        }
    });
    for pair in seen.windows(2) {
        let [from, to] = pair else { continue };
        let follows = match from {
            State::ProbeBwDown => matches!(to, State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeRtt),
            State::ProbeBwCruise => matches!(to, State::ProbeBwRefill | State::ProbeRtt),
            State::ProbeBwRefill => matches!(to, State::ProbeBwUp | State::ProbeRtt),
            State::ProbeBwUp => matches!(to, State::ProbeBwDown | State::ProbeRtt),
            // Down for the clock only, then at once Cruise (5.3.4.4).
            State::ProbeRtt => *to == State::ProbeBwCruise,
            State::Startup | State::Drain => false,
        };
        assert!(follows, "{from:?} to {to:?}");
    }
    for wanted in [State::ProbeBwUp, State::ProbeBwRefill, State::ProbeBwCruise, State::ProbeRtt] {
        let times = seen.iter().filter(|s| **s == wanted).count();
        assert!(times >= 5, "{wanted:?} {times} times in a minute");
    }
}

/// "Exiting PROBE_UP on Bandwidth Plateau"
#[test]
fn probe_up_ends_on_a_plateau() {
    let mut f = flow_in(link(10, 40, 300), State::ProbeBwUp);
    let round = model(&f.cc).round_count;
    assert!(f.run_until(ms(3000), |f| state(f) != State::ProbeBwUp));
    let m = model(&f.cc);
    assert_eq!((m.state, m.full_bw_now, m.prev_probe_too_high), (State::ProbeBwDown, true, false));
    assert!(m.round_count - round >= 3);
    assert_eq!(m.inflight_longterm, INFINITY);
}

/// "Exiting PROBE_UP on Loss", "Handling Loss During PROBE_UP After inflight_longterm is Set"; the precaution that follows
/// (5.3.3.4.2).
#[test]
fn probe_up_ends_on_losses() {
    let mut f = flow_in(link(50, 40, 300), State::ProbeBwUp);
    f.run(ms(40));
    f.link.loss = 100_000;
    assert!(f.run_until(ms(1000), |f| state(f) != State::ProbeBwUp));
    let m = model(&f.cc);
    assert_eq!((m.state, m.undo_state), (State::ProbeBwDown, Some(State::ProbeBwUp)));
    assert!(m.prev_probe_too_high && !m.is_bw_probe_sample);
    let longterm = m.inflight_longterm;
    assert!(longterm < INFINITY && u64::from(longterm) >= beta(u64::from(m.bdp(MSS))));
    f.link.loss = 0;
    assert!(f.run_until(ms(5000), |f| state(f) == State::ProbeBwUp));
    assert!(f.run_until(ms(1000), |f| state(f) == State::ProbeBwDown));
    let m = model(&f.cc);
    assert!(m.prev_probe_precautionary && !m.prev_probe_too_high, "as soon as the old bound is reached");
    // It went well: at once again, without a cruise.
    let mut cruised = false;
    assert!(f.run_until(ms(1000), |f| {
        cruised |= state(f) == State::ProbeBwCruise;
        state(f) == State::ProbeBwRefill
    }));
    assert!(f.run_until(ms(2000), |f| model(&f.cc).inflight_longterm > longterm), "and the bound rises");
}

/// "Exiting PROBE_DOWN on Inflight"
#[test]
fn probe_down_ends_when_drained() {
    let mut f = flow_in(link(10, 40, 100), State::ProbeBwUp);
    assert!(f.run_until(ms(3000), |f| state(f) == State::ProbeBwDown));
    assert_eq!(model(&f.cc).state.pacing_gain(), 90);
    assert!(f.run_until(ms(3000), |f| state(f) != State::ProbeBwDown));
    let m = model(&f.cc);
    assert_eq!(m.state, State::ProbeBwCruise);
    assert!(m.inflight <= m.inflight_with_headroom(MSS) && m.inflight <= m.inflight_at(m.max_bw(), 100, MSS));
}

/// "Exiting PROBE_DOWN After Max Time"
#[test]
fn probe_down_ends_in_time() {
    let mut f = flow_in(link(50, 40, 1000), State::ProbeBwUp);
    assert!(f.run_until(ms(3000), |f| state(f) == State::ProbeBwDown));
    let start = f.now;
    model_mut(&mut f.cc).probe_rtt_min_stamp = start;
    f.link.rate = f.link.rate * 6 / 10;
    assert!(f.run_until(ms(4000), |f| state(f) != State::ProbeBwDown));
    assert_eq!(state(&f), State::ProbeBwRefill);
    let waited = f.now.since(start);
    assert!(waited >= ms(2000) && waited <= ms(3100), "{waited:?}");
}

/// 5.3.3.5: a probe comes at the latest after 2 to 3 s, and after as many rounds as Reno would take; who waits how long
/// differs from seed to seed.
#[test]
fn probes_come_in_time() {
    let mut f = flow_in(link(10, 40, 100), State::ProbeBwDown);
    let (mut ups, mut was, mut waits) = (0, state(&f), Vec::new());
    f.run_watching(Duration::from_secs(30), |f| {
        if state(f) == State::ProbeBwUp && was != State::ProbeBwUp {
            ups += 1;
        }
        if was != state(f) && state(f) == State::ProbeBwDown {
            waits.push(model(&f.cc).bw_probe_wait);
        }
        was = state(f);
    });
    // 35 packets fill the path: 35 rounds of 40 ms are shorter than 2 s.
    assert!((10..=22).contains(&ups), "{ups} probes");
    assert!(waits.iter().all(|w| *w >= ms(2000) && *w <= ms(3000)), "{waits:?}");
    waits.dedup();
    assert!(waits.len() > 3);
}

/// "Entering and Exiting PROBE_RTT"
#[test]
fn probe_rtt_every_five_seconds() {
    let l = link(10, 40, 100);
    let mut f = flow_in(l, State::ProbeRtt);
    let since = f.now.since(model(&f.cc).probe_rtt_min_stamp);
    assert!(since < ms(5) || since > ms(5000), "{since:?}");
    let entered = f.now;
    assert!(f.run_until(ms(1000), |f| model(&f.cc).probe_rtt_done_stamp.is_some()));
    assert!(u64::from(f.inflight()) <= bdp(&l) * 55 / 100);
    assert!(f.run_until(ms(1000), |f| state(f) != State::ProbeRtt));
    assert_eq!(state(&f), State::ProbeBwCruise);
    let took = f.now.since(entered);
    assert!(took >= ms(200) && took < ms(420), "{took:?}");
    assert!(model(&f.cc).min_rtt < 43_000, "the queue was empty: {}", model(&f.cc).min_rtt);
    assert!(u64::from(f.cc.cwnd()) > bdp(&l), "cwnd is back");
    let out = f.now;
    assert!(f.run_until(ms(7000), |f| state(f) == State::ProbeRtt));
    assert!(f.now.since(out) >= ms(5000), "{:?}", f.now.since(out));
}

/// What is sent in ProbeRTT is no sample of the rate (5.3.4.3).
#[test]
fn probe_rtt_does_not_lower_the_rate() {
    let l = link(10, 40, 100);
    let mut f = flow_in(l, State::ProbeRtt);
    f.run_watching(ms(3000), |f| assert!(per_cent(model(&f.cc).max_bw(), l.rate) >= 97));
}

/// "Skipping PROBE_RTT Due to Application-Limited Sending", and 5.4: restart at exactly BBR.bw.
#[test]
fn idleness_stands_for_probe_rtt() {
    let l = link(10, 40, 100);
    let mut f = flow_in(l, State::ProbeBwCruise);
    f.pause(Duration::from_secs(20), l.rate / 2);
    f.run(ms(200));
    let cwnd = f.cc.cwnd();
    assert!(f.run_until(Duration::from_secs(25), |f| model(&f.cc).idle_restart));
    let m = model(&f.cc);
    assert_eq!(m.pacing_rate, m.bw * 99 / 100);
    assert_eq!(f.cc.cwnd(), cwnd, "left as it is");
    f.run_watching(ms(1000), |f| assert_ne!(state(f), State::ProbeRtt));
    assert!(!model(&f.cc).idle_restart);
}

/// The connection leaves cwnd alone after idling: the rule owns it.
#[test]
fn idle_does_not_shrink_the_window() {
    let mut f = flow_in(link(100, 100, 100), State::ProbeBwCruise);
    let cwnd = f.cc.cwnd();
    f.cc.on_idle(MSS, Duration::from_secs(60), 31);
    assert_eq!((f.cc.cwnd(), f.cc.owner()), (cwnd, Owner::Rule));
}

/// "Entering and Exiting PROBE_RTT During STARTUP"
#[test]
fn probe_rtt_in_startup_returns_there() {
    let l = link(100, 100, 100);
    let mut f = flow(l);
    f.app_rate = Some(l.rate / 10);
    f.run(ms(1));
    assert!(f.run_until(ms(7000), |f| state(f) == State::ProbeRtt));
    assert!(!model(&f.cc).full_bw_reached);
    assert!(f.run_until(ms(2000), |f| state(f) != State::ProbeRtt));
    assert_eq!(state(&f), State::Startup);
}

/// "Achieving Expected ... Bandwidth on a Link With Aggregation"
#[test]
fn aggregation_is_paid_for_by_the_window() {
    let l = Link { slot: ms(30), ..link(20, 20, 300) };
    let mut f = flow(l);
    f.run(ms(1));
    assert!(f.run_until(ms(10_000), |f| state(f) == State::Drain));
    assert!((95..=105).contains(&per_cent(model(&f.cc).max_bw(), l.rate)));
    f.run(ms(1000));
    assert!(f.run(ms(10_000)) >= 90);
    let m = model(&f.cc);
    assert!(u64::from(m.extra_acked()) >= l.rate * 10 / 1000, "{}", m.extra_acked());
    assert!(u64::from(f.cc.cwnd()) > 2 * bdp(&l));
}

/// "Correctly Managing Sub-Packet BDPs"
#[test]
fn four_packets_are_the_least() {
    let l = Link { rate: 8_000, rtt: ms(10), ..link(1, 10, 100) };
    let mut f = flow_in(l, State::ProbeBwCruise);
    f.run_watching(Duration::from_secs(20), |f| assert!(f.cc.cwnd() >= 4 * MSS));
    assert!(f.run(Duration::from_secs(20)) >= 90);
    let rate = f.cc.pacing_rate().unwrap();
    assert!((85..=130).contains(&per_cent(rate, l.rate)), "{rate}");
}

/// 64 kbit/s over half a second: the first window alone fills the path for two seconds.
#[test]
fn a_modem() {
    let l = Link { rate: 8_000, ..link(1, 500, 500) };
    let mut f = flow(l);
    assert!(f.run(Duration::from_secs(60)) >= 95);
    assert!(model(&f.cc).full_bw_reached);
    assert_eq!(f.lost, 0);
}

/// "Increasing Bandwidth 10x": found within two probes.
#[test]
fn ten_times_the_bandwidth() {
    let mut f = flow_in(link(10, 40, 100), State::ProbeBwCruise);
    f.run(ms(3000));
    f.link = link(100, 40, 100);
    let start = f.now;
    let goal = f.link.rate * 9 / 10;
    assert!(f.run_until(Duration::from_secs(30), |f| model(&f.cc).max_bw() >= goal));
    assert!(f.now.since(start) < Duration::from_secs(10), "{:?}", f.now.since(start));
    f.run(ms(2000));
    assert!(f.run(ms(5000)) >= 85);
}

/// "Decreasing Bandwidth 10x": the losses bring the short-term model down, two cycles the rate.
#[test]
fn a_tenth_of_the_bandwidth() {
    let mut f = flow_in(link(100, 40, 50), State::ProbeBwCruise);
    f.run(ms(1000));
    f.link = link(10, 40, 100);
    f.run(ms(1500));
    let m = model(&f.cc);
    assert!(m.bw < f.link.rate * 4, "three losing rounds: {} of {}", m.bw, f.link.rate);
    f.run(Duration::from_secs(10));
    let rate = model(&f.cc).max_bw();
    assert!((95..=110).contains(&per_cent(rate, f.link.rate)), "{rate}");
    assert!(f.run(ms(10_000)) >= 90);
}

/// A buffer of a fifth of the path: probing must not live by losses.
#[test]
fn shallow_buffers() {
    let l = link(100, 40, 20);
    let mut f = flow_in(l, State::ProbeBwCruise);
    f.run(ms(1000));
    let (lost, delivered) = (f.lost, f.delivered);
    let used = f.run(Duration::from_secs(20));
    assert!(used >= 88, "{used} %");
    let share = (f.lost - lost) * 1000 / (f.delivered - delivered);
    assert!(share <= 10, "{share} lost in a thousand");
}

/// Random losses below the threshold of 2 %: between two probes the short-term model gives up a little in each round with a
/// loss. Where fewer than fifty packets fill the path, a single loss passes the threshold and ends a probe.
#[test]
fn one_per_cent_of_loss() {
    for (l, least) in [(link(10, 40, 100), 60), (link(100, 100, 100), 80), (link(50, 20, 100), 60)] {
        let l = Link { loss: 10_000, ..l };
        let mut f = flow(l);
        f.run(ms(3000));
        let used = f.run(Duration::from_secs(30));
        assert!(used >= least, "{l:?}: {used} %");
    }
    let l = Link { loss: 10_000, ..link(100, 100, 100) };
    let mut cubic = Flow::new(Choice::Cubic, l);
    cubic.run(ms(3000));
    assert!(cubic.run(Duration::from_secs(30)) < 20);
}

/// "Handling Application-Limited Sending During PROBE_REFILL"
#[test]
fn a_lazy_application_does_not_lower_the_rate() {
    let l = link(10, 40, 100);
    let mut f = flow_in(l, State::ProbeBwRefill);
    let rate = model(&f.cc).max_bw();
    f.app_rate = Some(l.rate / 5);
    assert!(f.run_until(ms(1000), |f| state(f) == State::ProbeBwUp));
    f.run(ms(1000));
    assert!(model(&f.cc).max_bw() >= rate * 98 / 100);
}

fn lost_packet(f: &Flow, n: u32, share: u32) -> Lost {
    Lost {
        now: f.now,
        seq: Seq::new(n * 10 * MSS),
        len: MSS,
        mss: MSS,
        tx_in_flight: 100 * MSS,
        lost: share * MSS,
        app_limited: false,
        total_delivered: f.delivered,
    }
}

/// "Handling Spurious Fast Recovery", "Handling Spurious RTO Recovery": a probe that ended for nothing is begun again, and
/// the bounds are what they were.
#[test]
fn an_undone_recovery_leaves_no_trace() {
    for timeout in [false, true] {
        let mut f = flow_in(link(50, 40, 300), State::ProbeBwUp);
        f.run(ms(10));
        let before = f.cc.window;
        for n in 1..=5 {
            f.cc.on_lost(&lost_packet(&f, n, n));
        }
        assert_eq!(state(&f), State::ProbeBwDown);
        assert!(model(&f.cc).inflight_longterm < INFINITY);
        if timeout {
            f.cc.on_timeout(before.cwnd, MSS, true, f.now);
            assert_eq!(f.cc.cwnd(), MSS);
        } else {
            f.cc.on_congestion(Congestion::Loss, before.cwnd, MSS, f.now);
        }
        f.cc.on_undo(before);
        let m = model(&f.cc);
        assert_eq!(
            (m.state, m.inflight_longterm, m.bw_shortterm),
            (State::ProbeBwRefill, INFINITY, u64::MAX)
        );
        assert!(f.cc.cwnd() >= before.cwnd);
    }
}

/// The same in Startup.
#[test]
fn an_undone_recovery_returns_to_startup() {
    let mut f = flow(link(100, 100, 100));
    f.run(ms(250));
    assert_eq!(state(&f), State::Startup);
    let before = f.cc.window;
    f.link.loss = 200_000;
    assert!(f.run_until(ms(2000), |f| state(f) == State::Drain));
    f.link.loss = 0;
    f.cc.on_undo(before);
    let m = model(&f.cc);
    assert_eq!((m.state, m.full_bw_reached, m.undo_state), (State::Startup, false, None));
}

/// 5.5.10.2: how much of a burst was fine.
#[test]
fn inflight_at_loss_is_where_the_threshold_was_passed() {
    let burst = |tx_in_flight, len, lost| {
        let l = Lost { tx_in_flight, len, lost, ..lost_packet(&flow(link(1, 1, 100)), 1, 1) };
        path::inflight_at_loss(&l)
    };
    // (0.02 * 900 - 0) / 0.98 = 18.4 of the burst that was lost whole.
    assert_eq!(burst(1000, 100, 100), 918);
    // Already above it.
    assert_eq!(burst(1000, 100, 150), 900);
    assert_eq!(burst(10, 100, 5), 0);
}

/// 5.6.4.4: one segment after a timeout, then growing again; all of it back at the end of the recovery.
#[test]
fn timeout_and_recovery() {
    let mut f = flow_in(link(10, 40, 300), State::ProbeBwCruise);
    let before = f.cc.cwnd();
    f.cc.on_timeout(before, MSS, true, f.now);
    assert_eq!(f.cc.cwnd(), MSS);
    f.cc.on_recovered();
    assert_eq!(f.cc.cwnd(), before);
}

/// CE marks are congestion (chapter on ECN): Startup ends, a probe ends, a cruise slows down.
#[test]
fn marks_are_congestion() {
    let mut f = flow(link(100, 100, 100));
    f.run(ms(250));
    f.cc.on_congestion(Congestion::Mark, 0, MSS, f.now);
    assert_eq!(state(&f), State::Drain);
    let mut f = flow_in(link(10, 40, 300), State::ProbeBwUp);
    f.run(ms(5));
    f.cc.on_congestion(Congestion::Mark, 0, MSS, f.now);
    assert_eq!(state(&f), State::ProbeBwDown);
    let mut f = flow_in(link(10, 40, 300), State::ProbeBwCruise);
    f.cc.on_congestion(Congestion::Mark, 0, MSS, f.now);
    f.run(ms(100));
    assert!(model(&f.cc).bw_shortterm < u64::MAX);
}

/// 5.6.2: the first segments go at 2.77 initial windows per round trip, or per millisecond if that is unknown.
#[test]
fn first_pace() {
    let start = |srtt| Start { now: Instant::ZERO, mss: MSS, srtt, nxt: Seq::new(1), app_limited: false };
    let mut c = Control::new(Choice::Bbr, MSS);
    assert_eq!(c.pacing_rate(), None);
    c.on_start(&start(ms(100)));
    assert_eq!(c.pacing_rate(), Some(14_600 * 10 * 277 / 100));
    assert_eq!(c.send_quantum(MSS), Some(2 * MSS));
    let mut c = Control::new(Choice::Bbr, MSS);
    c.on_start(&start(Duration::ZERO));
    assert_eq!(c.pacing_rate(), Some(14_600 * 1000 * 277 / 100));
    assert_eq!(c.send_quantum(MSS), Some(40_442));
}

/// The same seed, the same flow; another seed, other waits.
#[test]
fn deterministic() {
    let run = |seed| {
        let mut c = Control::new(Choice::Bbr, MSS);
        let nxt = Seq::new(seed);
        c.on_start(&Start { now: Instant::ZERO, mss: MSS, srtt: ms(10), nxt, app_limited: false });
        model_mut(&mut c).start_probe_bw_down(Instant::ZERO);
        model(&c).bw_probe_wait
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn beta_does_not_overflow() {
    assert_eq!([0, 9, 10, 15, 1000].map(beta), [0, 6, 7, 10, 700]);
    assert!(beta(u64::MAX) > u64::MAX / 10 * 6);
}

proptest! {
    /// Any calls in any order with any numbers: no overflow, and a window and a pace that can send.
    #[test]
    fn survives_anything(
        mss in 1_u32..65_536,
        events in prop::collection::vec((0_u8..12, any::<u32>(), any::<u32>(), 0_u64..400_000_000_000_000), 1..80),
    ) {
        let mut c = Control::new(Choice::Bbr, mss);
        let mut now = Instant::ZERO;
        let mut total: u64 = 0;
        let mut before = c.window;
        for (what, a, b, ns) in events {
            now += Duration::from_nanos(ns);
            let time = Duration::from_nanos(ns / 3);
            let seq = Seq::new(a);
            match what {
                0 => c.on_congestion(Congestion::Loss, a, mss, now),
                1 => c.on_congestion(Congestion::Mark, a, mss, now),
                2 => {
                    before = c.window;
                    c.on_timeout(a, mss, b % 2 == 0, now);
                }
                3 => c.on_undo(before),
                4 => c.on_recovered(),
                5 => {
                    let app_limited = b % 2 == 0;
                    c.on_start(&Start { now, mss, srtt: time, nxt: seq, app_limited });
                }
                6 => c.on_lost(&Lost {
                    now,
                    seq,
                    len: b,
                    mss,
                    tx_in_flight: a,
                    lost: b,
                    app_limited: b % 3 == 0,
                    total_delivered: total,
                }),
                _ => {
                    total += u64::from(a);
                    let rate = Rate {
                        delivered: a,
                        interval: if b % 5 == 0 { Duration::ZERO } else { time },
                        newly_delivered: a,
                        inflight: b,
                        sack: b % 7 != 0,
                        app_limited: b % 3 == 0,
                        prior_delivered: total - u64::from(a),
                        total_delivered: total,
                        tx_in_flight: b,
                        lost: b / 40,
                        newly_lost: 0,
                    };
                    c.on_sample(&Ack {
                        now,
                        acked: a,
                        most: u32::MAX,
                        mss,
                        limit: if b % 2 == 0 { Limit::Cwnd } else { Limit::Other },
                        rtt: (a % 3 != 0).then_some(time),
                        srtt: time,
                        min_rtt: time,
                        una: seq,
                        nxt: seq + b,
                        flight: b,
                        rate: Some(rate),
                    });
                    prop_assert!(c.cwnd() >= 4 * mss);
                }
            }
            prop_assert!(c.cwnd() >= mss);
            prop_assert!(c.pacing_rate().is_none_or(|r| r > 0));
        }
    }
}
