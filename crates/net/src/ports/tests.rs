use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::*;
use crate::key::tests::Random;

const LOCAL: Addr = Addr::v4([10, 0, 0, 1]);

fn ports(range: RangeInclusive<u16>) -> Ports {
    Ports::new(&Key::new([3; 16]), range).unwrap()
}

fn remote(n: u32) -> Endpoint {
    Endpoint::new(Addr::v4((0x0b00_0000 + n).to_be_bytes()), 80)
}

#[test]
fn no_port_comes_twice_before_all_were_used() {
    for range in [1..=1, 5..=9, 50_000..=50_999, 1..=65_535] {
        let all: BTreeSet<u16> = range.clone().collect();
        let mut ports = ports(range);
        // Three rounds, so that the counter wraps.
        for _ in 0..3 {
            let seen: BTreeSet<u16> =
                all.iter().map(|_| ports.pick(LOCAL, remote(1), |_| false).unwrap()).collect();
            assert_eq!(seen, all);
        }
    }
}

#[test]
fn each_port_is_tried_once_and_the_free_one_found() {
    let range = 40_000..=41_234;
    let mut ports = ports(range.clone());
    for free in [40_000, 40_777, 41_234] {
        let mut tried = Vec::new();
        let got = ports.pick(LOCAL, remote(7), |p| {
            tried.push(p);
            p != free
        });
        assert_eq!(got, Some(free));
        let n = tried.len();
        assert_eq!(tried.iter().collect::<BTreeSet<_>>().len(), n);
    }
    let mut tried = BTreeSet::new();
    assert_eq!(ports.pick(LOCAL, remote(7), |p| tried.insert(p)), None);
    assert!(tried.into_iter().eq(range));
}

/// SECURITY C16: 10,000 connects to different peers.
#[test]
fn ports_for_different_peers_are_uniform() {
    let mut ports = ports(Ports::DEFAULT_RANGE);
    let mut cells = [0_i64; 64];
    for n in 0..10_000 {
        let port = ports.pick(LOCAL, remote(n), |_| false).unwrap();
        assert!(port >= 32_768);
        cells[usize::from(port - 32_768) / 512] += 1;
    }
    // Chi-square, 63 degrees of freedom: 115 is passed once in 10^4.
    let chi = 64 * cells.iter().map(|c| c * c).sum::<i64>() / 10_000 - 10_000;
    assert!(chi < 115, "chi-square {chi}");
}

/// SECURITY C16: what peer X sees says nothing of what peer Y sees.
#[test]
fn peers_are_not_correlated() {
    let mut ports = ports(Ports::DEFAULT_RANGE);
    let mut random = Random::new(9);
    // X watches its own ports while others connect at random between: its next port is always its last plus one, and
    // does not show how much went on elsewhere.
    let (x, mut last) = (remote(0), None);
    for _ in 0..1000 {
        for _ in 0..random.below(20) {
            ports.pick(LOCAL, remote(1 + random.below(500) as u32), |_| false);
        }
        let port = ports.pick(LOCAL, x, |_| false).unwrap();
        if let Some(last) = last {
            assert_eq!(port, if last == 65_535 { 32_768 } else { last + 1 });
        }
        last = Some(port);
    }
    // The distance between neighbours' ports is uniform too.
    let mut cells = [0_i64; 16];
    for n in 0..10_000 {
        let a = ports.pick(LOCAL, remote(100_000 + 2 * n), |_| false).unwrap();
        let b = ports.pick(LOCAL, remote(100_001 + 2 * n), |_| false).unwrap();
        cells[usize::from(a.wrapping_sub(b) % 32_768) / 2048] += 1;
    }
    let chi = 16 * cells.iter().map(|c| c * c).sum::<i64>() / 10_000 - 10_000;
    assert!(chi < 45, "chi-square {chi}: {cells:?}");
}

#[test]
fn every_part_of_the_destination_and_the_key_move_the_start() {
    let to = remote(1);
    let v6 = Endpoint::new(Addr::v6([0x20; 16]), 80);
    let first = |key: u8, local, remote| {
        Ports::new(&Key::new([key; 16]), Ports::DEFAULT_RANGE)
            .unwrap()
            .pick(local, remote, |_| false)
            .unwrap()
    };
    let starts: BTreeSet<u16> = [
        first(1, LOCAL, to),
        first(2, LOCAL, to),
        first(1, Addr::v4([10, 0, 0, 2]), to),
        first(1, LOCAL, Endpoint::new(to.addr, 81)),
        first(1, LOCAL, remote(2)),
        first(1, Addr::v6([0x21; 16]), v6),
    ]
    .into();
    assert_eq!(starts.len(), 6);
}

#[test]
fn impossible_ranges_are_refused() {
    let key = Key::new([3; 16]);
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is what is tested")]
    let empty = 10..=9;
    assert_eq!(Ports::new(&key, empty).err(), Some(BadPortRange));
    assert_eq!(Ports::new(&key, 0..=9).err(), Some(BadPortRange));
    assert!(Ports::new(&key, 65_535..=65_535).is_ok());
}
