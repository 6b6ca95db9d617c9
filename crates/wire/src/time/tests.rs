use std::format;

use super::*;

#[test]
fn units_agree() {
    let t = Instant::from_millis(1_500);
    assert_eq!((t.nanos(), t.micros(), t.millis()), (1_500_000_000, 1_500_000, 1_500));
    assert_eq!(t, Instant::from_micros(1_500_000));
    assert_eq!(t, Instant::from_nanos(1_500_000_000));
    assert_eq!(Instant::from_nanos(1_999_999).millis(), 1);
    assert_eq!(Instant::default(), Instant::ZERO);
}

#[test]
fn arithmetic_saturates_at_both_ends() {
    let t = Instant::from_millis(10);
    assert_eq!(t + Duration::from_millis(5), Instant::from_millis(15));
    assert_eq!(t - Duration::from_millis(11), Instant::ZERO);
    assert_eq!(t + Duration::MAX, Instant::NEVER);
    assert_eq!(Instant::NEVER + Duration::from_nanos(1), Instant::NEVER);
    assert_eq!(t - Duration::MAX, Instant::ZERO);
    assert_eq!(Instant::from_millis(u64::MAX), Instant::NEVER);
    assert_eq!(Instant::from_micros(u64::MAX), Instant::NEVER);
    let mut u = t;
    u += Duration::from_millis(1);
    assert_eq!(u - t, Duration::from_millis(1));
    assert_eq!(t - u, Duration::ZERO);
    assert_eq!(u.since(t), Duration::from_millis(1));
}

#[test]
fn never_is_last_and_says_so() {
    assert!(Instant::NEVER.is_never() && !Instant::ZERO.is_never());
    assert!(Instant::from_nanos(u64::MAX - 1) < Instant::NEVER);
    assert_eq!(format!("{:?}", Instant::NEVER), "never");
    assert_eq!(format!("{:?}", Instant::from_nanos(1_000_002_999)), "1.000002s");
}
