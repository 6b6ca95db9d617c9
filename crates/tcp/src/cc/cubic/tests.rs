use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cc::{Choice, Control};
use synfin_wire::Seq;

const MSS: u32 = 1000;

fn ack(now: Instant, acked: u32, rtt: Duration) -> Ack {
    Ack {
        now,
        acked,
        most: 8 * MSS,
        mss: MSS,
        limit: Limit::Cwnd,
        rtt: Some(rtt),
        srtt: rtt,
        min_rtt: rtt,
        una: Seq::new(0),
        nxt: Seq::new(1),
        flight: 1,
        rate: None,
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A connection in congestion avoidance after a loss at this window.
fn after_loss(cwnd: u32, mss: u32) -> Control {
    let mut c = Control::new(Choice::Cubic, mss);
    c.window = Window { cwnd, ssthresh: cwnd };
    c.on_congestion(Congestion::Loss, cwnd, mss, Instant::ZERO);
    c.window.cwnd = c.ssthresh();
    c
}

fn cubic(c: &Control) -> &State {
    let crate::cc::Rule::Cubic(Cubic { state: Some(state) }) = &c.rule else { panic!("no state") };
    state
}

/// The formulas of RFC 9438 in segments and seconds, in floating point, without any care for speed.
struct Model {
    cwnd: f64,
    w_max: f64,
    cwnd_prior: f64,
    epoch: f64,
    k: f64,
    w_est: f64,
}

impl Model {
    fn after_loss(cwnd: f64, w_max: f64, now: f64) -> Model {
        let left = cwnd * 0.7;
        Model {
            cwnd: left,
            w_max,
            cwnd_prior: cwnd,
            epoch: now,
            k: ((w_max - left) / 0.4).cbrt(),
            w_est: left,
        }
    }

    fn w_cubic(&self, t: f64) -> f64 {
        0.4 * (t - self.k).powi(3) + self.w_max
    }

    fn on_ack(&mut self, now: f64, rtt: f64, segments: f64) {
        let t = now - self.epoch;
        let alpha = if self.w_est >= self.cwnd_prior { 1.0 } else { 3.0 * 0.3 / 1.7 };
        self.w_est += alpha * segments / self.cwnd;
        if self.w_cubic(t) < self.w_est {
            self.cwnd = self.cwnd.max(self.w_est);
        } else {
            let target = self.w_cubic(t + rtt).max(self.cwnd).min(1.5 * self.cwnd);
            self.cwnd += (target - self.cwnd) / self.cwnd * segments;
        }
    }
}

/// Plays `rounds` round trips after a loss at `segments`; returns the greatest error in octets, how much of it may come
/// from one acknowledgement for which the two are on different sides of a border, and the last windows.
fn grow_beside_model(segments: u32, mss: u32, rtt: Duration, rounds: u32) -> (f64, f64, u32, f64) {
    let mut c = after_loss(segments * mss, mss);
    let mut now = Instant::from_millis(5);
    let mut model = Model::after_loss(f64::from(segments), f64::from(segments), now.nanos() as f64 / 1e9);
    let (mut worst, mut step) = (0.0_f64, 0.0_f64);
    for _ in 0..rounds {
        let acks = (c.cwnd() / mss).clamp(1, 200);
        let acked = c.cwnd() / acks;
        for _ in 0..acks {
            c.on_ack(&Ack { mss, ..ack(now, acked, rtt) });
            let was = model.cwnd;
            model.on_ack(now.nanos() as f64 / 1e9, rtt.as_secs_f64(), f64::from(acked) / f64::from(mss));
            step = step.max((model.cwnd - was) * f64::from(mss));
            worst = worst.max((f64::from(c.cwnd()) - model.cwnd * f64::from(mss)).abs());
            now += rtt / acks;
        }
        if c.cwnd() > 1 << 29 {
            break;
        }
    }
    (worst, step, c.cwnd(), model.cwnd)
}

/// Section 4.2 to 4.5: the curve over minutes, for paths from a LAN to a satellite. The error stays below a thousandth of
/// a segment and ten parts in a million.
#[test]
fn follows_the_formulas() {
    for (segments, mss, rtt, rounds) in [
        (10, 1460, 1, 5000),
        (20, 1460, 20, 3000),
        (40, 536, 200, 300),
        (100, 1460, 100, 300),
        (1000, 1460, 20, 1500),
        (1000, 1460, 100, 300),
        (8333, 1460, 100, 400),
        (80_000, 1460, 50, 600),
        (100_000, 1, 300, 400),
        (8, 65_535, 600, 100),
        (400, 8948, 5, 5000),
    ] {
        let (worst, _, cwnd, model) = grow_beside_model(segments, mss, ms(rtt), rounds);
        let grown = model / f64::from(segments);
        assert!(grown > 0.99, "{segments} {mss} {rtt}: only {grown} of the old window");
        let most = 2.0 + f64::from(mss) / 1000.0 + 1e-5 * f64::from(cwnd);
        assert!(worst <= most, "{segments} {mss} {rtt}: {worst} octets off at {cwnd}");
    }
}

proptest! {
    /// The same for any path.
    #[test]
    fn follows_the_formulas_anywhere(
        segments in 4_u32..50_000,
        mss in 1_u32..9000,
        rtt_us in 100_u64..1_000_000,
        rounds in 1_u32..60,
    ) {
        let (worst, step, cwnd, _) = grow_beside_model(segments, mss, Duration::from_micros(rtt_us), rounds);
        let most = 4.0 + step + f64::from(mss) / 1000.0 + 1e-5 * f64::from(cwnd);
        prop_assert!(worst <= most, "{} octets off at {}", worst, cwnd);
    }

    /// Any order of events at any size: no overflow, and the window stays one that can send.
    #[test]
    fn survives_anything(
        mss in 1_u32..65_536,
        cwnd in 1_u32..=1 << 30,
        events in prop::collection::vec((0_u8..7, any::<u32>(), 0_u64..400_000_000_000_000), 1..60),
    ) {
        let mut c = Control::new(Choice::Cubic, mss);
        c.window.cwnd = cwnd.max(mss);
        let mut now = Instant::ZERO;
        let mut before = c.window;
        for (what, octets, ns) in events {
            now += Duration::from_nanos(ns);
            let rtt = Duration::from_nanos(ns / 7 + 1);
            match what {
                0 => {
                    before = c.window;
                    c.on_congestion(Congestion::Loss, octets, mss, now);
                    prop_assert!(c.ssthresh() >= 2 * mss);
                    c.window.cwnd = c.ssthresh();
                }
                1 => c.on_congestion(Congestion::Mark, octets, mss, now),
                2 => {
                    before = c.window;
                    c.on_timeout(octets, mss, octets % 2 == 0, now);
                }
                3 => c.on_undo(before),
                4 => c.on_idle(mss, Duration::from_nanos(ns), 31),
                _ => {
                    let limit = if octets % 5 == 0 { Limit::Other } else { Limit::Cwnd };
                    let was = c.cwnd();
                    let una = Seq::new(octets);
                    let a = Ack { mss, limit, una, nxt: una + 1, most: 8 * mss, flight: octets % 3, ..ack(now, octets, rtt) };
                    c.on_ack(&a);
                    prop_assert!(c.cwnd() >= was);
                }
            }
            prop_assert!(c.cwnd() >= mss.min(cwnd));
        }
    }

    #[test]
    fn cube_root_is_the_largest(root in any::<u32>(), below in any::<u32>()) {
        let n = u128::from(root).pow(3);
        prop_assert_eq!(cube_root(n), root);
        let next = (u128::from(root) + 1).pow(3);
        prop_assert_eq!(cube_root((n + u128::from(below)).min(next - 1)), root);
    }
}

/// Section 4.2: K is the time from the loss to the old window: cbrt(0.3 * 1000 / 0.4) = 9.086 s for 1,000 segments.
#[test]
fn reaches_the_old_window_after_k() {
    let mut c = after_loss(1000 * MSS, MSS);
    let start = Instant::from_millis(100);
    let mut now = start;
    while c.cwnd() < 999 * MSS {
        for _ in 0..c.cwnd() / MSS {
            c.on_ack(&ack(now, MSS, ms(100)));
        }
        now += ms(100);
    }
    let k = cubic(&c).curve.stage.unwrap().k;
    assert!(k.abs_diff((9.0856 * f64::from(1 << TICK_BITS)) as u32) < 500, "{k}");
    // One segment below the plateau: cbrt(1 / 0.4) = 1.36 s early.
    let took = now.since(start);
    assert!(took > ms(7_500) && took < ms(7_900), "{took:?}");
}

/// Section 4.2: never more than half a window per round trip, however far the curve is ahead.
#[test]
fn target_is_bounded() {
    let mut c = after_loss(100 * MSS, MSS);
    c.on_ack(&ack(Instant::ZERO, MSS, ms(100)));
    let cwnd = c.cwnd();
    let mut now = Instant::from_millis(1_000_000);
    for _ in 0..cwnd / MSS {
        c.on_ack(&ack(now, MSS, ms(100)));
        now += Duration::from_micros(10);
    }
    // Each of the n steps is half of what it acknowledges.
    assert!(c.cwnd() <= cwnd + cwnd / 2, "{} of {cwnd}", c.cwnd());
    assert!(c.cwnd() > cwnd + cwnd / 2 - 2 * MSS, "{} of {cwnd}", c.cwnd());
}

/// Section 4.2: time in which the application was the limit is no part of t, and cwnd stays.
#[test]
fn application_limited_time_does_not_count() {
    let mut c = after_loss(200 * MSS, MSS);
    let mut now = Instant::from_millis(1);
    let mut rounds = |c: &mut Control, n: u32, limit: Limit, rtt: Duration| {
        for _ in 0..n * 10 {
            c.on_ack(&Ack { limit, ..ack(now, c.cwnd() / 10, ms(50)) });
            now += rtt / 10;
        }
        (c.cwnd(), cubic(c).curve.stage.unwrap().t)
    };
    let (full, t) = rounds(&mut c, 30, Limit::Cwnd, ms(50));
    assert_eq!(t, nanos(ms(30 * 50 - 5)));
    assert_eq!(rounds(&mut c, 10_000, Limit::Other, ms(50)), (full, t));
    let (grown, later) = rounds(&mut c, 1, Limit::Cwnd, ms(50));
    assert_eq!(later - t, nanos(ms(50)));
    assert!(grown > full && grown < full + 2 * MSS);
}

/// The same for silence that is no longer than the RTO, about which nobody tells: only the round trip in which the first
/// acknowledgement came counts.
#[test]
fn silence_counts_for_a_round_trip_at_most() {
    let run = |pause: Duration| {
        let mut c = after_loss(200 * MSS, MSS);
        let mut now = Instant::from_millis(1);
        for _ in 0..20 {
            let acks = c.cwnd() / MSS;
            for i in 0..acks {
                let flight = if i + 1 == acks { 0 } else { MSS };
                c.on_ack(&Ack { flight, ..ack(now, MSS, ms(50)) });
            }
            now += pause;
        }
        cubic(&c).curve.stage.unwrap().t
    };
    assert_eq!(run(ms(50)), 19 * 50_000_000);
    assert_eq!(run(ms(50)), run(ms(900)));
}

/// Section 4.3: on short paths CUBIC grows like AIMD(0.529, 0.7), and by a segment per round trip once it has come back
/// to where it was.
#[test]
fn reno_friendly_region() {
    let mut c = after_loss(20 * MSS, MSS);
    let mut now = Instant::ZERO;
    let mut round = |c: &mut Control| {
        let before = c.cwnd();
        for _ in 0..20 {
            c.on_ack(&ack(now, before / 20, ms(1)));
        }
        now += ms(1);
        c.cwnd() - before
    };
    // alpha_cubic is 9 / 17 of a segment; cwnd grows meanwhile, by at most 1 in 14.
    for _ in 0..5 {
        let grown = round(&mut c);
        assert!((490..=530).contains(&grown), "{grown}");
    }
    while c.cwnd() < 20 * MSS {
        round(&mut c);
    }
    for _ in 0..5 {
        let grown = round(&mut c);
        assert!((960..=1000).contains(&grown), "{grown}");
    }
}

/// Section 4.6
#[test]
fn multiplicative_decrease() {
    let c = after_loss(10 * MSS, MSS);
    assert_eq!((c.ssthresh(), cubic(&c).curve.cwnd_prior), (7 * MSS, 10 * MSS));
    let c = after_loss(2 * MSS, MSS);
    assert_eq!(c.ssthresh(), 2 * MSS, "at least two segments");
    let mut c = after_loss(2 * MSS, MSS);
    c.on_congestion(Congestion::Mark, 0, MSS, Instant::ZERO);
    assert_eq!((c.cwnd(), c.ssthresh()), (1400, 2 * MSS), "a mark brings cwnd below ssthresh");
    c.on_congestion(Congestion::Mark, 0, MSS, Instant::ZERO);
    c.on_congestion(Congestion::Mark, 0, MSS, Instant::ZERO);
    assert_eq!((c.cwnd(), c.ssthresh()), (MSS, 2 * MSS), "down to one segment");
}

/// Section 4.7: who loses below the last plateau makes room: W_max is 0.85 cwnd.
#[test]
fn fast_convergence() {
    let mut c = after_loss(100 * MSS, MSS);
    assert_eq!(cubic(&c).curve.w_max, 100 * MSS);
    c.window.cwnd = 80 * MSS;
    c.on_congestion(Congestion::Loss, 0, MSS, Instant::ZERO);
    assert_eq!((cubic(&c).curve.w_max, c.ssthresh()), (68 * MSS, 56 * MSS));
    c.window.cwnd = 90 * MSS;
    c.on_congestion(Congestion::Loss, 0, MSS, Instant::ZERO);
    assert_eq!(cubic(&c).curve.w_max, 90 * MSS);
}

/// Section 4.8: ssthresh is 0.7, the first stage afterwards has K = 0 and its plateau where it begins.
#[test]
fn after_a_timeout() {
    let mut c = after_loss(100 * MSS, MSS);
    c.window.cwnd = 100 * MSS;
    c.on_timeout(100 * MSS, MSS, true, Instant::ZERO);
    assert_eq!((c.cwnd(), c.ssthresh()), (MSS, 70 * MSS));
    let mut now = Instant::from_millis(1);
    while c.window.slow_start() {
        c.on_ack(&Ack { most: MSS, ..ack(now, MSS, ms(100)) });
        now += ms(2);
    }
    assert_eq!(c.cwnd(), 70 * MSS, "no HyStart++ in a later slow start");
    c.on_ack(&ack(now, MSS, ms(100)));
    let curve = cubic(&c).curve;
    assert_eq!((curve.w_max, curve.stage.unwrap().k), (70 * MSS, 0));
    assert_eq!(curve.stage.unwrap().w_est >> 32, u64::from(70 * MSS) + 7, "9/17 of 1/70 of a segment");
}

/// Section 4.9: a loss that was none leaves no trace, wherever on the curve it hit.
#[test]
fn spurious_loss_is_undone() {
    for timeout in [false, true] {
        let (mut hit, mut unhit) = (after_loss(300 * MSS, MSS), after_loss(300 * MSS, MSS));
        let mut now = Instant::from_millis(1);
        for round in 0..80 {
            if round == 40 {
                let before = hit.window;
                if timeout {
                    hit.on_timeout(before.cwnd, MSS, true, now);
                } else {
                    hit.on_congestion(Congestion::Loss, before.cwnd, MSS, now);
                    hit.window.cwnd = hit.ssthresh();
                }
                assert!(hit.cwnd() < before.cwnd);
                hit.on_undo(before);
                assert_eq!(hit.window, before);
            }
            for c in [&mut hit, &mut unhit] {
                for _ in 0..c.cwnd() / MSS {
                    c.on_ack(&ack(now, MSS, ms(50)));
                }
            }
            now += ms(50);
        }
        assert_eq!(hit.cwnd(), unhit.cwnd());
    }
}

/// Section 4.9.2: found out too late, nothing is restored.
#[test]
fn late_undo_changes_nothing() {
    let mut c = after_loss(100 * MSS, MSS);
    let before = c.window;
    c.on_congestion(Congestion::Loss, 0, MSS, Instant::ZERO);
    c.window.cwnd = before.cwnd;
    let now = c.window;
    c.on_undo(before);
    assert_eq!(c.window, now);
}

/// Two reductions taken back at once: the window is the first one's, and the next stage begins there.
#[test]
fn undo_of_two_reductions() {
    let mut c = after_loss(100 * MSS, MSS);
    let before = c.window;
    c.on_congestion(Congestion::Loss, 0, MSS, Instant::ZERO);
    c.window.cwnd = c.ssthresh();
    c.on_timeout(50 * MSS, MSS, true, Instant::ZERO);
    c.on_undo(before);
    assert_eq!(c.window, before);
    c.on_ack(&ack(Instant::ZERO, MSS, ms(100)));
    assert_eq!(cubic(&c).curve.stage.unwrap().k, 0);
}

/// An undone loss in the first slow start lets it go on, HyStart++ and all.
#[test]
fn undo_returns_to_the_first_slow_start() {
    let mut c = Control::new(Choice::Cubic, MSS);
    c.on_ack(&ack(Instant::ZERO, MSS, ms(100)));
    let before = c.window;
    c.on_congestion(Congestion::Loss, 0, MSS, Instant::ZERO);
    c.window.cwnd = c.ssthresh();
    c.on_undo(before);
    c.on_ack(&ack(Instant::ZERO, MSS, ms(100)));
    assert_eq!(c.cwnd(), before.cwnd + MSS);
    assert_eq!(c.ssthresh(), u32::MAX);
}

/// Section 4.10: HyStart++ leaves slow start without a loss: K = 0, the plateau is here, cwnd_prior too.
#[test]
fn hystart_hands_over() {
    let mut c = Control::new(Choice::Cubic, MSS);
    let mut una = Seq::new(7);
    let mut nxt = una + c.cwnd();
    let mut now = Instant::ZERO;
    for acks in 0..2_000 {
        let rtt = if acks < 100 { ms(100) } else { ms(150) };
        una += MSS;
        now += ms(1);
        c.on_ack(&Ack { una, nxt, ..ack(now, MSS, rtt) });
        nxt = nxt.later(una + c.cwnd());
        if !c.window.slow_start() {
            break;
        }
    }
    assert!(!c.window.slow_start(), "five rounds with the delay");
    assert_eq!(cubic(&c).curve.cwnd_prior, c.cwnd());
    c.on_ack(&ack(now, MSS, ms(150)));
    let curve = cubic(&c).curve;
    assert_eq!((curve.w_max, curve.stage.unwrap().k), (c.ssthresh(), 0));
}

/// RFC 5681 4.1 with Section 4.2: after a restart from idle the curve begins anew.
#[test]
fn restart_after_idle() {
    let mut c = after_loss(100 * MSS, MSS);
    let mut now = Instant::ZERO;
    for _ in 0..70 {
        c.on_ack(&ack(now, MSS, ms(100)));
    }
    c.on_idle(MSS, Duration::from_secs(100), 31);
    assert_eq!(c.cwnd(), 10 * MSS);
    now += Duration::from_secs(100);
    while c.window.slow_start() {
        c.on_ack(&ack(now, MSS, ms(100)));
    }
    c.on_ack(&ack(now, MSS, ms(100)));
    assert_eq!(cubic(&c).curve.stage.unwrap().t, 0);
}

/// A connection that never fills its window holds no state.
#[test]
fn idle_connections_cost_one_word() {
    assert_eq!(size_of::<Cubic>(), 8);
    let mut c = Control::new(Choice::Cubic, MSS);
    c.on_ack(&Ack { limit: Limit::Other, ..ack(Instant::ZERO, MSS, ms(1)) });
    c.on_idle(MSS, Duration::from_secs(1), 31);
    assert!(matches!(c.rule, crate::cc::Rule::Cubic(Cubic { state: None })));
}
