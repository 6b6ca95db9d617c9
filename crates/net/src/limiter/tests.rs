use alloc::vec::Vec;

use super::*;
use crate::key::tests::Random;

fn granted(limiter: &mut Limiter, at: impl Iterator<Item = u64>) -> usize {
    at.filter(|ns| limiter.take(Instant::from_nanos(*ns)) == Permit::Granted).count()
}

#[test]
fn burst_first_then_rate() {
    // SECURITY I7: 10^5 triggers in a second, ICMP at 1,000/s with a burst of 50.
    let mut icmp = Limiter::new(1000, 50);
    assert_eq!(granted(&mut icmp, (0..100_000).map(|i| 7 * SECOND + i * 10_000)), 50 + 999);
    // All at one instant: the burst and no more.
    let mut rst = Limiter::new(100, 100);
    assert_eq!(granted(&mut rst, (0..1000).map(|_| SECOND)), 100);
    assert_eq!(granted(&mut rst, (0..1000).map(|_| SECOND + 10_000_000)), 1);
}

/// In every span of time, no more than burst + rate * span; and no token that was due is refused.
#[test]
fn never_more_than_the_bound_and_never_less_than_due() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let (rate, burst) = (1 + random.below(5000) as u32, 1 + random.below(100) as u32);
        let mut limiter = Limiter::new(rate, burst);
        let mut now = random.below(SECOND * 1_000_000);
        let mut grants: Vec<u64> = Vec::new();
        for _ in 0..2000 {
            now += random.below(3 * SECOND / u64::from(rate));
            let permit = limiter.take(Instant::from_nanos(now));
            // Naive: refused exactly if it would break the bound for some span that ends now.
            let fits = grants.iter().rev().enumerate().all(|(more, start)| {
                (more as u64 + 2).saturating_sub(u64::from(burst)) * SECOND <= (now - start) * u64::from(rate)
            });
            assert_eq!(permit == Permit::Granted, fits, "seed {seed}");
            if permit == Permit::Granted {
                grants.push(now);
            }
        }
    }
}

#[test]
fn extremes() {
    let mut most = Limiter::new(u32::MAX, u32::MAX);
    assert_eq!(most.take(Instant::NEVER), Permit::Granted);
    assert_eq!(most.take(Instant::ZERO), Permit::Granted, "a clock that goes back is held");
    assert_eq!(granted(&mut Limiter::new(0, 2), 0..100), 2);
    assert_eq!(granted(&mut Limiter::new(1000, 0), (0..100).map(|s| s * SECOND)), 0);
}

/// The bound holds for blurred limits too, most of it is granted, and equal keys give equal answers.
#[test]
fn a_blurred_limit_grants_less_but_never_nothing() {
    let key = |n: u8| Key::new([n; 16]);
    for seed in 0..20 {
        let mut limiter = Limiter::blurred(1000, 50, key(seed));
        let n = granted(&mut limiter, (0..100_000).map(|i| 7 * SECOND + i * 10_000));
        assert!((550..=800).contains(&n), "{n}");
        let mut again = Limiter::blurred(1000, 50, key(seed));
        assert_eq!(granted(&mut again, (0..100_000).map(|i| 7 * SECOND + i * 10_000)), n);
        let mut one = Limiter::blurred(1, 1, key(seed));
        assert!(granted(&mut one, (0..100).map(|i| i * SECOND)) >= 30);
    }
}
