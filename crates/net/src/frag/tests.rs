use alloc::vec;
use alloc::vec::Vec;

use super::MoreFragments::{Follow, Last};
use super::*;
use crate::key::tests::Random;

const SECOND: Duration = Duration::from_secs(1);
const BAD: Result<Option<Vec<u8>>, DropReason> = Err(DropReason::BadFragment);
const LIMIT: Result<Option<Vec<u8>>, DropReason> = Err(DropReason::FragmentLimit);

fn key(id: u32) -> FragKey {
    FragKey { src: Addr::v4([10, 0, 0, 2]), dst: Addr::v4([10, 0, 0, 1]), protocol: 6, id }
}

fn from(source: u32, id: u32) -> FragKey {
    FragKey { src: Addr::v4(source.to_be_bytes()), ..key(id) }
}

fn reassembly() -> Reassembly {
    Reassembly::new(FragLimits::default())
}

/// Charges agree with what is held, and the maps with each other.
fn check(r: &Reassembly) {
    assert_eq!(r.memory, r.datagrams.values().map(Datagram::cost).sum::<usize>());
    assert!(r.memory <= r.limits.memory);
    assert_eq!(r.by_age.len(), r.datagrams.len());
    assert!(r.by_age.iter().all(|(age, key)| r.datagrams[key].age == *age));
    let mut sources: BTreeMap<Addr, usize> = BTreeMap::new();
    for (key, datagram) in &r.datagrams {
        *sources.entry(key.src).or_default() += datagram.cost();
    }
    assert_eq!(sources, r.sources);
    assert!(r.sources.values().all(|cost| *cost <= r.limits.per_source));
}

#[test]
fn fragments_in_any_order_make_the_datagram() {
    let whole: Vec<u8> = (0..4000_u32).map(|i| i as u8).collect();
    let pieces: Vec<(usize, usize)> = vec![(0, 1480), (1480, 2960), (2960, 4000)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut r = reassembly();
        for (nth, which) in order.into_iter().enumerate() {
            let (start, end) = pieces[which];
            let more = if end == 4000 { Last } else { Follow };
            let got = r.push(Instant::ZERO, key(1), start as u16, more, &whole[start..end]);
            assert_eq!(got, Ok((nth == 2).then(|| whole.clone())));
            check(&r);
        }
        assert_eq!((r.memory(), r.next()), (0, Instant::NEVER));
    }
}

#[test]
fn the_largest_datagram_passes() {
    let mut r = reassembly();
    let whole = vec![5; 65_535];
    assert_eq!(r.push(Instant::ZERO, key(1), 65_528, Last, &whole[..7]), Ok(None));
    for offset in (0..65_528).step_by(1280) {
        let len = 1280.min(65_528 - offset);
        let got = r.push(Instant::ZERO, key(1), offset as u16, Follow, &whole[..len]).unwrap();
        assert_eq!(got.is_some(), offset + len == 65_528);
        assert!(got.is_none_or(|got| got == whole));
    }
    assert_eq!(r.memory(), 0);
}

/// Random pieces, in random order, with duplicates, overlaps and contradictions, against a list of pieces.
#[test]
fn behaves_like_a_list_of_pieces() {
    let (mut wholes, mut deaths) = (0, 0);
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let content: Vec<u8> = (0..400).map(|_| random.next() as u8).collect();
        let length = 8 * (2 + random.below(4) as usize) + random.below(9) as usize;
        let mut r = reassembly();
        let mut model: Vec<(usize, Vec<u8>, MoreFragments)> = Vec::new();
        let mut dead = false;
        for _ in 0..random.below(40) {
            let start = 8 * random.below(length as u64 / 8 + 1) as usize;
            let mut end = (start + 8 * (1 + random.below(2) as usize)).min(length);
            let mut more = if end == length { Last } else { Follow };
            let mut octets = content[start..end].to_vec();
            match random.below(60) {
                0 => octets.push(1),
                1 => octets[..].iter_mut().take(1).for_each(|o| *o ^= 1),
                2 => more = if more == Last { Follow } else { Last },
                3 => octets.extend([0; 8]),
                _ => {}
            }
            end = start + octets.len();
            let got = r.push(Instant::ZERO, key(9), start as u16, more, &octets);
            check(&r);
            // The model, naively: every octet of every piece.
            let malformed = octets.is_empty() || (more == Follow && !octets.len().is_multiple_of(8));
            let atomic = start == 0 && more == Last;
            if malformed || (dead && !atomic) {
                assert_eq!(got, BAD, "seed {seed}");
                continue;
            }
            if atomic {
                assert_eq!(got, Ok(Some(octets)), "seed {seed}");
                continue;
            }
            let piece = (start, octets, more);
            if model.contains(&piece) {
                assert_eq!(got, Ok(None), "seed {seed}");
                continue;
            }
            let clash = model.iter().any(|(s, o, m)| {
                let e = s + o.len();
                (*s < end && start < e) || (*m == Last && end >= e) || (more == Last && e >= end)
            });
            if clash {
                assert_eq!(got, BAD, "seed {seed}");
                (dead, deaths) = (true, deaths + 1);
                continue;
            }
            model.push(piece);
            model.sort_by_key(|(s, ..)| *s);
            let reach =
                model.iter().fold(0, |reach, (s, o, _)| if *s == reach { s + o.len() } else { reach });
            let whole = model.iter().any(|(s, o, m)| *m == Last && s + o.len() == reach);
            let joined: Vec<u8> = model.iter().flat_map(|(_, o, _)| o.iter().copied()).collect();
            assert_eq!(got, Ok(whole.then_some(joined)), "seed {seed}");
            if whole {
                wholes += 1;
                model.clear();
            }
        }
    }
    assert!(
        wholes > 1000 && deaths > 1000,
        "{wholes} wholes and {deaths} deaths are too few to tell anything"
    );
}

/// SECURITY F1: every way in which a second piece can lie over a first one of 16..40.
#[test]
fn f1_any_overlap_kills_the_datagram() {
    for start in (0..48_u16).step_by(8) {
        for end in (start + 8..=64).step_by(8) {
            let mut r = reassembly();
            assert_eq!(r.push(Instant::ZERO, key(1), 16, Follow, &[1; 24]), Ok(None));
            let got = r.push(Instant::ZERO, key(1), start, Follow, &vec![2; usize::from(end - start)]);
            let apart = end <= 16 || start >= 40;
            assert_eq!(got, if apart { Ok(None) } else { BAD }, "{start}..{end}");
            if !apart {
                // Dead: what would complete it is dropped too, and the memory is free but for the memory of it.
                assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[1; 16]), BAD);
                assert_eq!(r.push(Instant::ZERO, key(1), 40, Last, &[1; 8]), BAD);
                assert_eq!(r.memory(), DATAGRAM_COST);
                check(&r);
                // After its time, the identification is new again.
                let later = Instant::ZERO + TIMEOUT_V4;
                assert_eq!(r.push(later, key(1), 0, Follow, &[1; 16]), Ok(None));
            }
        }
    }
}

#[test]
fn f1_same_place_other_content_or_other_flag_is_an_overlap() {
    let mut r = reassembly();
    let _ = r.push(Instant::ZERO, key(1), 8, Follow, &[1; 8]);
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Follow, &[2; 8]), BAD);
    let _ = r.push(Instant::ZERO, key(2), 8, Follow, &[1; 8]);
    assert_eq!(r.push(Instant::ZERO, key(2), 8, Last, &[1; 8]), BAD);
    let _ = r.push(Instant::ZERO, key(3), 8, Last, &[1; 8]);
    assert_eq!(r.push(Instant::ZERO, key(3), 8, Follow, &[1; 8]), BAD);
}

#[test]
fn contradictory_ends_kill_the_datagram() {
    // (first piece, second piece): two ends; a piece past the end; an end before a piece.
    for (first, second) in [((8, Last), (16, Last)), ((8, Last), (16, Follow)), ((16, Follow), (8, Last))] {
        let mut r = reassembly();
        assert_eq!(r.push(Instant::ZERO, key(1), first.0, first.1, &[1; 8]), Ok(None));
        assert_eq!(r.push(Instant::ZERO, key(1), second.0, second.1, &[1; 8]), BAD);
    }
}

/// SECURITY F3.
#[test]
fn f3_nothing_past_65535_octets() {
    let mut r = reassembly();
    assert_eq!(r.push(Instant::ZERO, key(1), 65_528, Last, &[0; 1480]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 65_528, Last, &[0; 8]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 65_528, Last, &[0; 7]), Ok(None));
    assert_eq!(r.push(Instant::ZERO, key(2), 8, Last, &vec![0; 70_000]), BAD);
}

/// SECURITY F4: 10^6 first fragments from everywhere.
#[test]
fn f4_a_flood_takes_no_more_than_the_limit_and_others_pass() {
    let mut r = reassembly();
    let mut now = Instant::ZERO;
    for i in 0..1_000_000_u32 {
        now += Duration::from_micros(1);
        let got = r.push(now, from(i.wrapping_mul(2_654_435_761), i), 0, Follow, &[0; 1000]);
        assert_eq!(got, Ok(None));
        assert!(r.memory() <= r.limits.memory);
        if i % 100_000 == 0 {
            check(&r);
            assert_eq!(r.push(now, key(i), 0, Follow, &[1; 8]), Ok(None));
            assert_eq!(r.push(now, key(i), 8, Last, &[2; 1]), Ok(Some(vec![1, 1, 1, 1, 1, 1, 1, 1, 2])));
        }
    }
    r.expire(now + 31 * SECOND);
    assert_eq!((r.memory(), r.datagrams.len(), r.sources.len()), (0, 0, 0));
}

#[test]
fn f4_one_source_cannot_take_it_all() {
    let mut r = reassembly();
    let mut held = 0;
    for id in 0..10_000 {
        match r.push(Instant::ZERO, key(id), 0, Follow, &[0; 1000]) {
            Ok(None) => held += 1,
            other => assert_eq!(other, LIMIT),
        }
    }
    assert_eq!(held, (512 << 10) / (DATAGRAM_COST + PART_COST + 1000));
    check(&r);
    assert_eq!(r.push(Instant::ZERO, from(77, 1), 0, Follow, &[0; 1000]), Ok(None));
}

#[test]
fn f4_few_fragments_per_datagram() {
    let mut r = reassembly();
    for i in 0..MAX_PARTS as u16 {
        assert_eq!(r.push(Instant::ZERO, key(1), 16 * i, Follow, &[0; 8]), Ok(None));
    }
    assert_eq!(r.push(Instant::ZERO, key(1), 16 * MAX_PARTS as u16, Follow, &[0; 8]), LIMIT);
    assert_eq!(r.memory(), DATAGRAM_COST);
}

#[test]
fn f4_a_datagram_larger_than_the_memory_is_given_up() {
    let mut r = Reassembly::new(FragLimits { memory: 2000, per_source: 10_000 });
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[0; 3000]), LIMIT);
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[0; 1000]), Ok(None));
    assert_eq!(r.push(Instant::ZERO, key(1), 1000, Follow, &[0; 1000]), LIMIT);
    assert_eq!(r.memory(), 0);
    check(&r);
}

#[test]
fn f4_unfinished_datagrams_are_given_up_in_time() {
    let v6 = FragKey { src: Addr::v6([0x20; 16]), dst: Addr::v6([0x21; 16]), protocol: 6, id: 1 };
    for (key, timeout) in [(key(1), 30), (v6, 60)] {
        let mut r = reassembly();
        let start = Instant::from_millis(777);
        assert_eq!(r.push(start, key, 0, Follow, &[1; 8]), Ok(None));
        // Later fragments do not prolong it.
        assert_eq!(r.push(start + 20 * SECOND, key, 16, Follow, &[1; 8]), Ok(None));
        assert_eq!(r.next(), start + timeout * SECOND);
        r.expire(r.next() - Duration::from_nanos(1));
        assert_eq!(r.datagrams.len(), 1);
        r.expire(r.next());
        assert_eq!((r.datagrams.len(), r.memory()), (0, 0));
    }
}

/// SECURITY F5: nothing is joined that differs in any part of the key.
#[test]
fn f5_every_part_of_the_key_counts() {
    let base = key(1);
    let mut others = [base; 4];
    others[0].src = Addr::v4([10, 0, 0, 3]);
    others[1].dst = Addr::v4([10, 0, 0, 9]);
    others[2].protocol = 17;
    others[3].id = 2;
    let mut r = reassembly();
    assert_eq!(r.push(Instant::ZERO, base, 0, Follow, &[1; 8]), Ok(None));
    for other in others {
        assert_eq!(r.push(Instant::ZERO, other, 8, Last, &[1; 8]), Ok(None));
    }
    assert!(matches!(r.push(Instant::ZERO, base, 8, Last, &[1; 8]), Ok(Some(_))));
}

/// SECURITY F6.
#[test]
fn f6_malformed_fragments_are_dropped_and_harm_nothing() {
    let mut r = reassembly();
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[1; 8]), Ok(None));
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Follow, &[]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Last, &[]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Follow, &[1; 7]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 9, Last, &[1; 8]), BAD);
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[1; 8]), Ok(None), "an exact duplicate is ignored");
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Last, &[3]), Ok(Some(vec![1, 1, 1, 1, 1, 1, 1, 1, 3])));
}

#[test]
fn an_atomic_fragment_passes_beside_others_of_its_name() {
    let mut r = reassembly();
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Follow, &[1; 8]), Ok(None));
    assert_eq!(r.push(Instant::ZERO, key(1), 0, Last, &[7; 3]), Ok(Some(vec![7; 3])));
    assert_eq!(r.push(Instant::ZERO, key(1), 8, Last, &[1]), Ok(Some(vec![1; 9])));
}
