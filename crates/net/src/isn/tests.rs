use alloc::vec::Vec;
use core::time::Duration;
use std::format;

use super::*;
use synfin_wire::{Addr, Endpoint};

const KEY: [u8; 16] = *b"sixteen octets k";

fn isn() -> Isn {
    Isn::new(&Key::new(KEY))
}

fn tuple(n: u32) -> Tuple {
    Tuple {
        local: Endpoint::new(Addr::v4([192, 0, 2, 1]), 443),
        remote: Endpoint::new(Addr::v4((0xc633_6400 | n >> 16).to_be_bytes()), n as u16),
    }
}

/// Chi-square over 16 cells must lie within what chance gives (15 degrees of freedom; 44.3 is passed once in 10^4).
fn looks_uniform(what: &str, cells: impl Iterator<Item = u32>) {
    let mut counts = [0_u64; 16];
    let mut n = 0;
    for cell in cells {
        counts[cell as usize] += 1;
        n += 1;
    }
    // Integers: 16 * sum(c^2) / n - n.
    let chi = (16 * counts.iter().map(|c| c * c).sum::<u64>()) as i64 / n - n;
    assert!(chi < 45, "{what}: chi-square {chi} of {counts:?}");
}

#[test]
fn must_8_the_clock_ticks_every_4_microseconds() {
    let (isn, t) = (isn(), tuple(1));
    for start in [0, 1_000, u64::from(u32::MAX) * 4] {
        let start = Instant::from_micros(start);
        let later = start + Duration::from_secs(1);
        assert_eq!(isn.isn(later, &t).since(isn.isn(start, &t)), 250_000);
        assert_eq!(isn.isn(start + Duration::from_micros(4), &t).since(isn.isn(start, &t)), 1);
    }
    // 2^32 ticks of 4 us later the same number comes again.
    assert_eq!(isn.isn(Instant::from_micros(4 << 32), &t), isn.isn(Instant::ZERO, &t));
}

#[test]
fn must_9_isns_of_different_tuples_look_random() {
    let isn = isn();
    let raw: Vec<u32> = (0..100_000).map(|n| isn.isn(Instant::ZERO, &tuple(n)).raw()).collect();
    for shift in (0..32).step_by(4) {
        looks_uniform("bits", raw.iter().map(|isn| isn >> shift & 15));
        looks_uniform("steps", raw.windows(2).map(|w| w[1].wrapping_sub(w[0]) >> shift & 15));
    }
    let mut distinct = raw;
    distinct.sort_unstable();
    distinct.dedup();
    // By the birthday rule about 1.2 of 100,000 numbers of 32 bits fall together.
    assert!(distinct.len() > 99_985);
}

#[test]
fn must_9_another_key_gives_other_numbers() {
    let other = Isn::new(&Key::new([1; 16]));
    let equal =
        (0..1000).filter(|n| isn().isn(Instant::ZERO, &tuple(*n)) == other.isn(Instant::ZERO, &tuple(*n)));
    assert_eq!(equal.count(), 0);
}

#[test]
fn must_9_debug_shows_no_key() {
    let text = format!("{:?}", isn());
    assert_eq!(text, "Isn { sequence: Key(secret), timestamp: Key(secret) }");
}

#[test]
fn shld_1_isn_is_the_clock_plus_siphash_of_the_tuple() {
    use siphasher::sip::SipHasher24;
    // The derived key, computed here from the definition with the crate's hasher alone.
    let parent = SipHasher24::new_with_key(&KEY);
    let label = parent.hash(b"initial sequence number");
    let mut key = [0; 16];
    key[..8].copy_from_slice(&parent.hash(&(label ^ 1).to_le_bytes()).to_le_bytes());
    key[8..].copy_from_slice(&parent.hash(&(label ^ 2).to_le_bytes()).to_le_bytes());
    let octets = [192, 0, 2, 1, 198, 51, 100, 0, 1, 187, 0, 9];
    let f = SipHasher24::new_with_key(&key).hash(&octets) as u32;
    let now = Instant::from_micros(4_000_003);
    assert_eq!(isn().isn(now, &tuple(9)).raw(), f.wrapping_add(1_000_000));
}

#[test]
fn shld_1_each_element_of_the_tuple_counts() {
    let base = tuple(5);
    let mut others = [base; 4];
    others[0].local.addr = Addr::v4([192, 0, 2, 2]);
    others[1].local.port += 1;
    others[2].remote.addr = Addr::v4([198, 51, 101, 0]);
    others[3].remote.port += 1;
    for other in others {
        assert_ne!(isn().isn(Instant::ZERO, &other), isn().isn(Instant::ZERO, &base));
        assert_ne!(isn().timestamp_offset(&other), isn().timestamp_offset(&base));
    }
}

/// SECURITY B13: two connections' timestamps differ by a random number; one tuple's stay monotone.
#[test]
fn timestamp_offsets_are_random_per_tuple_and_constant() {
    let isn = isn();
    let offsets: Vec<u32> = (0..100_000).map(|n| isn.timestamp_offset(&tuple(n))).collect();
    for shift in (0..32).step_by(4) {
        looks_uniform("offset", offsets.iter().map(|o| o >> shift & 15));
        looks_uniform("difference", offsets.windows(2).map(|w| w[1].wrapping_sub(w[0]) >> shift & 15));
    }
    assert_eq!(isn.timestamp_offset(&tuple(3)), offsets[3]);
    // The offset says nothing about the ISN: separate keys.
    let together =
        (0..1000).map(|n| isn.isn(Instant::ZERO, &tuple(n)).raw().wrapping_sub(offsets[n as usize]));
    looks_uniform("ISN minus offset", together.map(|d| d >> 28));
}
