use super::*;

use alloc::vec::Vec;

#[test]
fn same_seed_same_numbers() {
    let numbers = |seed| {
        let mut rng = Rng::new(seed);
        (0..100).map(|_| rng.next_u64()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert_ne!(Rng::part(1, 0).next_u64(), Rng::part(1, 1).next_u64());
    assert_ne!(Rng::part(1, 0).next_u64(), Rng::part(2, 0).next_u64());
}

#[test]
fn known_numbers() {
    // splitmix64 of state 0, and xoshiro256** from the state 1, 2, 3, 4: both as published by their authors.
    assert_eq!(scatter(0), 0xe220_a839_7b1d_cdaf);
    let mut rng = Rng([1, 2, 3, 4]);
    assert_eq!([(); 4].map(|()| rng.next_u64()), [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
}

#[test]
fn ranges_are_kept_and_filled() {
    let mut rng = Rng::new(3);
    let mut seen = [0u32; 10];
    for _ in 0..10_000 {
        seen[rng.below(10) as usize] += 1;
    }
    assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
    assert_eq!(rng.below(0), 0);
    assert!((0..1000).all(|_| (5..=7).contains(&rng.between(5, 7))));
    assert_eq!(rng.between(9, 3), 9);
    rng.between(0, u64::MAX);
    assert!((0..1000).all(|_| rng.span(Duration::from_nanos(3)) <= Duration::from_nanos(3)));
    assert_eq!(rng.pick(&[0u8; 0]), None);
}

#[test]
fn chances_are_as_likely_as_they_say() {
    let mut rng = Rng::new(4);
    let mut count = |p| (0..100_000).filter(|_| rng.chance(p)).count();
    assert_eq!(count(Ppm::NEVER), 0);
    assert_eq!(count(Ppm::ALWAYS), 100_000);
    let fifth = count(Ppm::percent(20));
    assert!((19_400..20_600).contains(&fifth), "{fifth}");
}

#[test]
fn fill_leaves_nothing_out() {
    let mut out = [0u8; 61];
    Rng::new(5).fill(&mut out);
    assert!(out.chunks(12).all(|c| c.iter().any(|&b| b != 0)));
}
