use alloc::vec::Vec;
use std::collections::BTreeMap;

use super::*;
use crate::key::tests::Random;
use synfin_wire::{Addr, Endpoint};

fn demux() -> Demux {
    Demux::new(Key::new([7; 16]))
}

fn v4(client: u32, port: u16) -> Tuple {
    Tuple {
        local: Endpoint::new(Addr::v4([10, 0, 0, 1]), 80),
        remote: Endpoint::new(Addr::v4(client.to_be_bytes()), port),
    }
}

/// The longest way from home in any table, and how many slots there are.
fn shape(demux: &Demux) -> (usize, usize) {
    let tables = [Some(&demux.table), demux.leaving.as_ref().map(|l| &l.table)];
    let mut longest = 0;
    let mut slots = 0;
    for table in tables.into_iter().flatten() {
        slots += table.slots.len();
        for at in 0..table.slots.len() {
            let entry = table.get(at);
            if !entry.is_empty() {
                longest = longest.max(table.distance(entry, at));
            }
        }
    }
    (longest, slots)
}

/// Tuples whose hashes the test chooses, against a map. `spread` is how many different hashes occur.
fn against_a_map(seed: u64, spread: u64, most: usize, steps: usize) {
    let mut random = Random::new(seed);
    let mut demux = demux();
    let mut model: BTreeMap<u32, TupleHash> = BTreeMap::new();
    let mut values: Vec<u32> = Vec::new();
    let mut fresh = 0;
    let mut growing = true;
    for step in 0..steps {
        growing = if values.is_empty() { true } else { growing && values.len() < most };
        let insert = random.below(8) < if growing { 6 } else { 2 };
        if insert {
            // Spread over the whole range, since the high bits count.
            let hash = TupleHash((random.below(spread) as u32).wrapping_mul(0x9e37_79b9));
            demux.insert(hash, fresh);
            model.insert(fresh, hash);
            values.push(fresh);
            fresh += 1;
        } else if !values.is_empty() {
            let at = random.below(values.len() as u64) as usize;
            let value = values[at];
            let hash = model[&value];
            if random.below(4) == 0 {
                assert!(demux.replace(hash, value, fresh), "seed {seed} step {step}");
                model.insert(fresh, hash);
                values[at] = fresh;
                fresh += 1;
            } else {
                assert!(demux.remove(hash, value), "seed {seed} step {step}");
                values.swap_remove(at);
            }
            model.remove(&value);
            assert_eq!(demux.get(hash, |v| v == value), None, "seed {seed} step {step}");
            assert!(!demux.remove(hash, value) && !demux.replace(hash, value, 0), "seed {seed} step {step}");
        }
        assert_eq!(demux.len(), model.len());
        if !values.is_empty() {
            let value = values[random.below(values.len() as u64) as usize];
            assert_eq!(demux.get(model[&value], |v| v == value), Some(value), "seed {seed} step {step}");
        }
        if step % 997 == 0 {
            for (&value, &hash) in &model {
                assert_eq!(demux.get(hash, |v| v == value), Some(value), "seed {seed} step {step}");
            }
        }
    }
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..20 {
        against_a_map(seed, u64::from(u32::MAX), 40, 3_000);
        against_a_map(seed, u64::from(u32::MAX), 5_000, 30_000);
    }
}

#[test]
fn behaves_like_a_map_when_hashes_collide() {
    for seed in 0..20 {
        against_a_map(seed, 1, 100, 2_000);
        against_a_map(seed, 30, 300, 5_000);
    }
}

#[test]
fn a_colliding_hash_is_told_apart_by_the_tuple() {
    let mut demux = demux();
    let hash = demux.hash(&v4(1, 1));
    demux.insert(hash, 5);
    demux.insert(hash, 6);
    assert_eq!(demux.get(hash, |v| v == 6), Some(6));
    assert_eq!(demux.get(hash, |v| v == 5), Some(5));
    assert_eq!(demux.get(hash, |_| false), None);
}

#[test]
fn every_part_of_the_tuple_and_the_key_counts() {
    let base = v4(0x0102_0304, 1000);
    let [mut a, mut b, mut c, mut d] = [base; 4];
    a.local.addr = Addr::v4([10, 0, 0, 2]);
    b.local.port = 81;
    c.remote.addr = Addr::v4([1, 2, 3, 5]);
    d.remote.port = 1001;
    let demux = demux();
    let others = [a, b, c, d, base.flipped()];
    assert!(others.iter().all(|t| demux.hash(t) != demux.hash(&base)));
    assert_ne!(Demux::new(Key::new([8; 16])).hash(&base), demux.hash(&base));
}

/// SECURITY C15: 100,000 tuples chosen to collide under plain sums and exclusive ors of the tuple's words, the usual
/// unkeyed hashes, are spread like any others.
#[test]
fn tuples_that_collide_without_a_key_stay_apart() {
    let mut demux = demux();
    let mut tuples = Vec::new();
    for i in 0..100_000_u32 {
        let (high, low) = ((i >> 8) as u16, i as u8);
        // address + port and address ^ port are the same for all.
        let port = 0x4000 | u16::from(low);
        let addr = 0x0a00_0000 | u32::from(high) << 16 | (0x4000 | u32::from(low));
        let tuple = v4(addr, port);
        assert_eq!((addr & 0xffff) ^ u32::from(port), 0);
        demux.insert(demux.hash(&tuple), i);
        tuples.push(tuple);
    }
    let mut compared = 0;
    for (i, tuple) in tuples.iter().enumerate() {
        let found = demux.get(demux.hash(tuple), |v| {
            compared += 1;
            tuples[v as usize] == *tuple
        });
        assert_eq!(found, Some(i as u32));
    }
    assert!(compared < 100_100, "{compared} tuples compared for 100,000 lookups");
    let (longest, _) = shape(&demux);
    assert!(longest < 64, "{longest} slots from home");
}

#[test]
fn memory_follows_the_number_of_tuples() {
    let mut demux = demux();
    assert_eq!(shape(&demux).1, 0);
    for i in 0..100_000 {
        demux.insert(demux.hash(&v4(i, 1)), i);
        let (before, now) =
            (demux.leaving.as_ref().map_or(0, |l| l.table.slots.len()), demux.table.slots.len());
        assert!(demux.len() * 8 <= now * 7, "{} of {now}", demux.len());
        assert!(now <= 64.max(demux.len() * 16 / 7 + 16) && before <= now);
    }
    for i in 0..100_000 {
        assert!(demux.remove(demux.hash(&v4(i, 1)), i));
        let slots = demux.table.slots.len();
        assert!(slots <= 1024.max(demux.len() * 32), "{slots} slots for {}", demux.len());
    }
    assert_eq!(shape(&demux).1, demux.table.slots.len());
    assert!(demux.table.slots.len() <= 1 << KEEP_BITS);
}

/// Growing may not stop the world: a change moves at most STEP entries.
#[test]
fn a_change_moves_few_entries() {
    let mut demux = demux();
    let mut left_before = 0;
    for i in 0..50_000 {
        demux.insert(demux.hash(&v4(i, 9)), i);
        let left = demux.leaving.as_ref().map_or(0, |l| l.left);
        let moved = if left > left_before { i as usize - left } else { left_before - left };
        assert!(moved <= STEP, "{moved} entries moved at once");
        left_before = left;
    }
}
