use super::*;
use proptest::prelude::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// MUST-18, X-6298-1
#[test]
fn first_sample_and_bounds() {
    let cfg = Config::default();
    let mut r = Rto::default();
    assert_eq!(r.base(&cfg), ms(1000), "2.1");
    r.sample(ms(1000));
    assert_eq!((r.srtt(), r.rttvar()), (ms(1000), ms(500)), "2.2");
    assert_eq!(r.base(&cfg), ms(3000), "2.2: SRTT + 4 RTTVAR");
    let mut fast = Rto::default();
    fast.sample(ms(10));
    assert_eq!(fast.base(&cfg), ms(1000), "2.4");
    let low = Config { rto_min: ms(200), ..Config::default() };
    assert_eq!(fast.base(&low), ms(200));
}

#[test]
fn doubles_up_to_the_cap_and_starts_at_three_seconds_after_a_lost_syn() {
    let cfg = Config::default();
    let mut r = Rto::default();
    let mut seen = std::vec::Vec::new();
    for _ in 0..8 {
        seen.push(r.current(&cfg).as_secs());
        r.back_off();
    }
    assert_eq!(seen, [1, 2, 4, 8, 16, 32, 60, 60], "5.5, 2.5");
    r.after_syn_timeout();
    assert_eq!(r.current(&cfg), ms(3000), "5.7");
    r.sample(ms(20));
    assert_eq!(r.current(&cfg), ms(1000));
}

proptest! {
    /// Against RFC 6298 in exact rational arithmetic (here: f64 with a tolerance of the integer rounding).
    #[test]
    fn follows_the_model(samples in prop::collection::vec(1_000u64..2_000_000, 1..200)) {
        let cfg = Config { rto_min: Duration::ZERO, rto_max: ms(1_000_000), ..Config::default() };
        let mut r = Rto::default();
        let (mut srtt, mut var) = (0.0f64, 0.0f64);
        for (i, us) in samples.iter().enumerate() {
            let x = *us as f64;
            if i == 0 { srtt = x; var = x / 2.0; } else {
                var = 0.75 * var + 0.25 * (srtt - x).abs();
                srtt = 0.875 * srtt + 0.125 * x;
            }
            r.sample(Duration::from_micros(*us));
            let want = srtt + (4.0 * var).max(1000.0);
            let got = r.base(&cfg).as_micros() as f64;
            prop_assert!((got - want).abs() <= 40.0, "sample {i}: got {got}, want {want}");
        }
    }
}
