use std::format;

use super::*;
use synfin_wire::{Addr, Endpoint};

/// Seeded random numbers for the tests of this crate.
pub(crate) struct Random {
    key: Key,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        let [a, b, c, d, e, f, g, h] = seed.to_le_bytes();
        Random { key: Key::new([a, b, c, d, e, f, g, h, 1, 2, 3, 4, 5, 6, 7, 8]), drawn: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.drawn += 1;
        self.key.sip13(&self.drawn.to_le_bytes())
    }

    /// A number in `0..n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// The key 00 01 .. 0f of the SipHash paper.
fn paper_key() -> Key {
    Key::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
}

#[test]
fn sip24_is_the_published_function() {
    // Aumasson and Bernstein, "SipHash: a fast short-input PRF", appendix A.
    let message = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    assert_eq!(paper_key().sip24(&message), 0xa129_ca61_49be_45e5);
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(format!("{:?}", paper_key()), "Key(secret)");
}

#[test]
fn derived_keys_differ_from_each_other_and_from_their_parent() {
    let parent = paper_key();
    let outputs = [&parent, &parent.derive("a"), &parent.derive("b")].map(|k| k.sip24(b"x"));
    assert_ne!(outputs[0], outputs[1]);
    assert_ne!(outputs[0], outputs[2]);
    assert_ne!(outputs[1], outputs[2]);
    assert_eq!(parent.derive("a").sip24(b"x"), outputs[1], "the same purpose gives the same key");
}

#[test]
fn a_tuple_has_12_octets_for_ipv4_and_36_for_ipv6() {
    let v4 = Tuple {
        local: Endpoint::new(Addr::v4([1, 2, 3, 4]), 0x0506),
        remote: Endpoint::new(Addr::v4([7, 8, 9, 10]), 0x0b0c),
    };
    of_tuple(&v4, |o| assert_eq!(o, [1, 2, 3, 4, 7, 8, 9, 10, 5, 6, 11, 12]));
    let v6 =
        Tuple { local: Endpoint::new(Addr::v6([1; 16]), 1), remote: Endpoint::new(Addr::v6([2; 16]), 2) };
    let expected: std::vec::Vec<u8> = [[1; 16].as_slice(), &[2; 16], &[0, 1, 0, 2]].concat();
    of_tuple(&v6, |o| assert_eq!(o, expected));
}
