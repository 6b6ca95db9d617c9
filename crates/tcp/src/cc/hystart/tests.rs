use super::*;
use synfin_wire::Instant;

const MSS: u32 = 1000;

/// A slow start: the sender always fills its window.
struct Rig {
    hystart: HyStart,
    w: Window,
    una: Seq,
    nxt: Seq,
}

impl Rig {
    fn new() -> Rig {
        let iss = Seq::new(0xFFFF_F000);
        let w = Window { cwnd: 10 * MSS, ssthresh: u32::MAX };
        Rig { hystart: HyStart::default(), w, una: iss, nxt: iss + 10 * MSS }
    }

    fn ack(&mut self, acked: u32, rtt_us: Option<u64>, limit: Limit) {
        self.una += acked;
        let ack = Ack {
            now: Instant::ZERO,
            acked,
            most: 8 * MSS,
            mss: MSS,
            limit,
            rtt: rtt_us.map(Duration::from_micros),
            srtt: Duration::ZERO,
            min_rtt: Duration::ZERO,
            una: self.una,
            nxt: self.nxt,
            flight: self.nxt.since(self.una),
            rate: None,
        };
        self.hystart.on_ack(&mut self.w, &ack);
        self.nxt = self.nxt.later(self.una + self.w.cwnd);
    }

    /// The rest of a round: this many acknowledgements, with a round-trip time.
    fn round(&mut self, acks: u32, rtt_us: Option<u64>) {
        let end = if self.hystart.phase == Phase::Unbegun { self.nxt } else { self.hystart.window_end };
        for left in (1..=acks).rev() {
            self.ack(end.since(self.una) / left, rtt_us, Limit::Cwnd);
        }
        assert_eq!((self.una, self.hystart.samples), (end, 0), "the round is over");
    }

    fn css(&self) -> bool {
        matches!(self.hystart.phase, Phase::Css { .. })
    }
}

/// After a round at `last` ms, whether eight samples of `now` ms lead to CSS.
fn leaves(last_us: u64, now_us: u64, samples: u32) -> bool {
    let mut r = Rig::new();
    r.round(8, Some(last_us));
    assert!(!r.css(), "one round alone says nothing");
    for _ in 0..samples {
        r.ack(MSS / 10, Some(now_us), Limit::Cwnd);
    }
    r.css()
}

/// RFC 9406 4.2: RttThresh is an eighth of the last minimum, between 4 and 16 ms.
#[test]
fn threshold() {
    for (last, now, css) in [
        (100_000, 112_500, true),
        (100_000, 112_400, false),
        (10_000, 14_000, true),
        (10_000, 13_999, false),
        (32_000, 36_000, true),
        (128_000, 144_000, true),
        (200_000, 216_000, true),
        (200_000, 215_999, false),
    ] {
        assert_eq!(leaves(last, now, 8), css, "{last} {now}");
    }
}

/// RFC 9406 4.3: N_RTT_SAMPLE
#[test]
fn seven_samples_prove_nothing() {
    assert!(!leaves(100_000, 300_000, 7));
    assert!(leaves(100_000, 300_000, 8));
}

/// The first round has nothing to compare with, however slow.
#[test]
fn first_round_never_ends_slow_start() {
    let mut r = Rig::new();
    for i in 0..9 {
        r.ack(MSS, Some(1000 + 100_000 * i), Limit::Cwnd);
    }
    assert!(!r.css());
    assert_eq!(r.w.cwnd, 19 * MSS);
}

/// RFC 9406 4.2: the window doubles, and grows by a quarter of that in CSS.
#[test]
fn growth() {
    let mut r = Rig::new();
    r.round(10, Some(50_000));
    assert_eq!(r.w.cwnd, 20 * MSS);
    r.ack(15 * MSS, Some(50_000), Limit::Cwnd);
    assert_eq!(r.w.cwnd, 28 * MSS, "L = 8 segments per acknowledgement");
    let mut r = Rig::new();
    r.round(10, Some(50_000));
    let before = r.w.cwnd;
    for _ in 0..8 {
        r.ack(MSS, Some(80_000), Limit::Cwnd);
    }
    assert!(r.css());
    assert_eq!(r.w.cwnd, before + 8 * MSS, "the eighth sample comes after its growth");
    r.ack(8 * MSS, Some(80_000), Limit::Cwnd);
    assert_eq!(r.w.cwnd, before + 10 * MSS);
}

/// RFC 9406 4.2: a minimum below the baseline was jitter; slow start goes on.
#[test]
fn css_is_left_when_the_delay_goes_away() {
    let mut r = Rig::new();
    r.round(8, Some(100_000));
    r.round(8, Some(130_000));
    assert!(r.css());
    for i in 0..8 {
        assert!(r.css(), "sample {i}");
        r.ack(MSS / 10, Some(129_000), Limit::Cwnd);
    }
    assert!(!r.css());
    assert_eq!(r.w.ssthresh, u32::MAX);
    let before = r.w.cwnd;
    r.ack(MSS, None, Limit::Cwnd);
    assert_eq!(r.w.cwnd, before + MSS);
}

/// RFC 9406 4.3: CSS_ROUNDS, the partial first one among them.
#[test]
fn five_rounds_of_css_end_slow_start() {
    let mut r = Rig::new();
    r.round(8, Some(100_000));
    for round in 1..=5 {
        assert_eq!(r.w.ssthresh, u32::MAX, "before the end of round {round}");
        r.round(8, Some(130_000));
    }
    assert_eq!(r.w.ssthresh, r.w.cwnd);
}

/// A round without a sample leaves nothing to compare with.
#[test]
fn no_samples_no_exit() {
    let mut r = Rig::new();
    r.round(8, Some(100_000));
    r.round(8, None);
    for _ in 0..8 {
        r.ack(MSS / 10, Some(500_000), Limit::Cwnd);
    }
    assert!(!r.css());
}

/// An application that does not fill the window gives samples and no growth.
#[test]
fn application_limited_rounds_do_not_grow() {
    let mut r = Rig::new();
    for _ in 0..8 {
        r.ack(MSS, Some(100_000), Limit::Other);
    }
    assert_eq!(r.w.cwnd, 10 * MSS);
    assert_eq!(r.hystart.round_min, 100_000);
}

#[test]
fn extreme_times_do_not_overflow() {
    let mut r = Rig::new();
    r.round(8, Some(u64::MAX / 1000));
    r.round(8, Some(u64::MAX / 1000));
    r.round(8, Some(0));
    r.round(8, Some(0));
    r.round(8, Some(u64::MAX / 1000));
    assert!(r.w.cwnd > 10 * MSS);
}
