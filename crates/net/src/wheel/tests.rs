use alloc::vec::Vec;
use std::collections::BTreeMap;

use super::*;
use crate::key::tests::Random;

const DAY_MS: u64 = 24 * 3600 * 1000;

fn ms(n: u64) -> Instant {
    Instant::from_millis(n)
}

/// All owners due at `now`.
fn drain(wheel: &mut Wheel, now: Instant) -> Vec<u32> {
    core::iter::from_fn(|| wheel.poll(now)).collect()
}

/// Structure: circular lists intact, each node in the list of its tick, bits right.
fn check(wheel: &Wheel) {
    let mut nodes = 0;
    for (list, &head) in wheel.heads.iter().enumerate() {
        if list < DUE {
            assert_eq!(wheel.occupied[list / SLOTS] >> (list % SLOTS) & 1 == 1, head != NIL, "list {list}");
        }
        let mut at = head;
        while at != NIL {
            nodes += 1;
            let node = wheel.nodes.at(at).unwrap();
            assert_eq!(wheel.list_of(node.tick()), list);
            assert_eq!(wheel.nodes.at(node.next).unwrap().prev, at);
            at = if node.next == head { NIL } else { node.next };
        }
    }
    assert_eq!(nodes, wheel.len());
}

struct Owner {
    timer: Option<TimerId>,
    at: Option<Instant>,
}

/// Random arming, moving, cancelling and passing of time, against a sorted map.
fn against_a_sorted_list(seed: u64, start: u64, reach: &[u64], steps: usize) {
    let mut random = Random::new(seed);
    let mut now = start;
    let mut wheel = Wheel::new(Instant::from_nanos(now));
    let mut owners: Vec<Owner> = (0..50).map(|_| Owner { timer: None, at: None }).collect();
    for step in 0..steps {
        let who = random.below(owners.len() as u64) as usize;
        let span = reach[random.below(reach.len() as u64) as usize];
        let owner = &mut owners[who];
        match random.below(8) {
            0..=4 => {
                let at = Instant::from_nanos(now.saturating_add(random.below(span)));
                owner.timer = wheel.arm(owner.timer, who as u32, at);
                owner.at = (!at.is_never()).then_some(at);
            }
            5 => {
                wheel.cancel(owner.timer, who as u32);
                (owner.timer, owner.at) = (None, None);
            }
            _ => {
                now = now.saturating_add(random.below(span) / 4);
                pass_time(&mut wheel, &mut owners, now, seed);
            }
        }
        assert_eq!(wheel.len(), owners.iter().filter(|o| o.at.is_some()).count(), "seed {seed} step {step}");
        let first = owners.iter().filter_map(|o| o.at).min();
        let limit = first.map(|at| at.nanos().div_ceil(NANOS_PER_TICK));
        match limit {
            Some(tick) => {
                assert!(wheel.next() <= ms(tick), "seed {seed} step {step}: {:?} late", wheel.next())
            }
            None => assert!(wheel.next().is_never(), "seed {seed} step {step}"),
        }
        if step % 100 == 0 {
            check(&wheel);
        }
    }
}

fn pass_time(wheel: &mut Wheel, owners: &mut [Owner], now: u64, seed: u64) {
    let mut last_tick = 0;
    let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
    for (who, owner) in owners.iter().enumerate() {
        let tick = owner.at.map(|at| at.nanos().div_ceil(NANOS_PER_TICK));
        if let Some(tick) = tick.filter(|t| *t <= now / NANOS_PER_TICK) {
            expected.insert(who as u32, tick);
        }
    }
    while let Some(who) = wheel.poll(Instant::from_nanos(now)) {
        let owner = &mut owners[who as usize];
        let at = owner.at.take().expect("armed");
        assert!(at.nanos() <= now, "seed {seed}: early");
        // The handle is left in place at times: a stale one must do no harm.
        if who % 2 == 0 {
            owner.timer = None;
        }
        let tick = expected.remove(&who).expect("due");
        assert!(tick >= last_tick, "seed {seed}: order");
        last_tick = tick;
    }
    assert!(expected.is_empty(), "seed {seed}: {expected:?} late");
}

#[test]
fn behaves_like_a_sorted_list() {
    let (us, second, day) = (1_000, 1_000_000_000, DAY_MS * NANOS_PER_TICK);
    for seed in 0..30 {
        against_a_sorted_list(seed, 0, &[100 * us, 5_000 * us], 4_000);
        against_a_sorted_list(seed, 1_753_000_000 * second, &[100 * us, second, 100 * second, day], 4_000);
        against_a_sorted_list(seed, 12_345, &[second, 40 * day, 4_000 * day], 4_000);
        // Up to the last instant there is.
        against_a_sorted_list(seed, u64::MAX - 4_000 * day, &[second, 400 * day, 8_000 * day], 4_000);
    }
}

#[test]
fn never_early_and_at_most_a_tick_late() {
    let mut wheel = Wheel::new(Instant::ZERO);
    let _ = wheel.arm(None, 7, Instant::from_nanos(1_000_001));
    assert_eq!(wheel.poll(Instant::from_nanos(1_000_001)), None);
    assert_eq!(wheel.poll(Instant::from_nanos(1_999_999)), None);
    assert_eq!(wheel.next(), ms(2));
    assert_eq!(wheel.poll(ms(2)), Some(7));
    assert!(wheel.is_empty() && wheel.next().is_never());
}

#[test]
fn order_of_expiry_is_by_tick_across_a_long_jump() {
    let mut wheel = Wheel::new(ms(5));
    let times = [3 * DAY_MS, 6, 70, 30 * DAY_MS, 5_000, 64, 65, 4_096, 800 * DAY_MS, 7_200_000];
    for (who, at) in times.iter().enumerate() {
        let _ = wheel.arm(None, who as u32, ms(*at));
    }
    let mut sorted = times;
    sorted.sort_unstable();
    let order: Vec<u64> =
        drain(&mut wheel, ms(1000 * DAY_MS)).iter().map(|who| times[*who as usize]).collect();
    assert_eq!(order, sorted);
}

#[test]
fn equal_ticks_expire_in_the_order_of_arming() {
    for at in [10, 100, 5_000, DAY_MS] {
        let mut wheel = Wheel::new(Instant::ZERO);
        (0..100).for_each(|who| _ = wheel.arm(None, who, ms(at)));
        assert!(drain(&mut wheel, ms(at)).into_iter().eq(0..100));
    }
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    let mut wheel = Wheel::new(ms(1000));
    let _ = wheel.arm(None, 1, ms(10));
    assert!(wheel.next() <= ms(1000));
    assert_eq!(wheel.poll(ms(1000)), Some(1));
}

#[test]
fn moving_keeps_the_handle_and_never_cancels() {
    let mut wheel = Wheel::new(Instant::ZERO);
    let timer = wheel.arm(None, 3, ms(50));
    assert_eq!(wheel.arm(timer, 3, ms(500)), timer);
    assert_eq!((wheel.len(), wheel.poll(ms(60))), (1, None));
    assert_eq!(wheel.arm(timer, 3, Instant::NEVER), None);
    assert_eq!((wheel.len(), wheel.poll(ms(600))), (0, None));
}

#[test]
fn a_stale_handle_touches_no_other_owner() {
    let mut wheel = Wheel::new(Instant::ZERO);
    let stale = wheel.arm(None, 1, ms(1));
    assert_eq!(wheel.poll(ms(1)), Some(1));
    let other = wheel.arm(None, 2, ms(5));
    assert_eq!(other, stale, "the node is used again");
    wheel.cancel(stale, 1);
    let mine = wheel.arm(stale, 1, ms(9));
    assert_ne!(mine, other);
    assert_eq!((wheel.poll(ms(9)), wheel.poll(ms(9)), wheel.poll(ms(9))), (Some(2), Some(1), None));
}

/// An idle loop that sleeps until `next` wakes at most once per level for one timer.
#[test]
fn waiting_for_next_does_not_spin() {
    for at in [1, 63, 64, 4_095, 200_000, 25 * DAY_MS, 700 * DAY_MS] {
        for start in [0, 61, 4_000, 262_143, 1_753_000_000_000] {
            let mut wheel = Wheel::new(ms(start));
            let _ = wheel.arm(None, 0, ms(start + at));
            let mut now = ms(start);
            let mut wakes = 0;
            while wheel.poll(now).is_none() {
                assert!(wheel.next() > now);
                now = wheel.next();
                wakes += 1;
            }
            assert!(now == ms(start + at) && wakes <= LEVELS, "{wakes} wakes for {at} ms");
        }
    }
}

#[test]
fn a_clock_that_goes_back_is_held() {
    let mut wheel = Wheel::new(ms(100));
    let _ = wheel.arm(None, 1, ms(300));
    assert_eq!(wheel.poll(ms(200)), None);
    assert_eq!(wheel.poll(ms(50)), None);
    let _ = wheel.arm(None, 2, ms(150));
    assert_eq!(drain(&mut wheel, ms(300)), [2, 1]);
}

#[test]
fn memory_goes_back() {
    let mut wheel = Wheel::new(Instant::ZERO);
    let timers: Vec<_> = (0..20_000).map(|who| wheel.arm(None, who, ms(u64::from(who) * 37))).collect();
    timers.iter().enumerate().step_by(2).for_each(|(who, t)| wheel.cancel(*t, who as u32));
    check(&wheel);
    assert_eq!(drain(&mut wheel, Instant::NEVER).len(), 10_000);
    assert!(wheel.is_empty());
    check(&wheel);
}
