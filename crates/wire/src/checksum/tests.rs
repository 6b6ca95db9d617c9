use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The definition: 16-bit big-endian words, the carry added at the other end, odd octets padded with zero.
fn naive(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0u16, |sum, w| {
        let word = u16::from_be_bytes([w[0], w.get(1).copied().unwrap_or(0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

/// The pseudo-headers as RFC 9293 3.1 and RFC 8200 8.1 draw them.
fn pseudo_bytes(src: Addr, dst: Addr, protocol: u8, len: u32) -> Vec<u8> {
    match (src.as_v4(), dst.as_v4()) {
        (Some(s), Some(d)) => {
            let len = (len as u16).to_be_bytes();
            [&s[..], &d[..], &[0, protocol], &len].concat()
        }
        _ => [&src.octets()[..], dst.octets(), &len.to_be_bytes(), &[0, 0, 0, protocol]].concat(),
    }
}

#[test]
fn example_of_rfc_1071() {
    let sum = Sum::new().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.partial(), 0xddf2);
    assert_eq!(sum.finish(), !0xddf2);
}

#[test]
fn the_two_zeros() {
    assert_eq!((Sum::new().partial(), Sum::new().finish()), (0, 0xffff));
    for n in [1, 2, 3, 8, 64, 100, 1 << 20] {
        assert_eq!(Sum::new().add(&vec![0; n]).partial(), 0, "{n} octets");
    }
    // A sum of something never folds to +0: 0xffff is the zero that has words in it.
    for bytes in [&[0xff, 0xff][..], &[0xff, 0xfe, 0, 1], &[0x80, 0, 0x7f, 0xff], &[0xff; 64], &[0xff; 1000]]
    {
        assert_eq!((Sum::new().add(bytes).partial(), Sum::new().add(bytes).finish()), (0xffff, 0));
    }
}

#[test]
fn a_megabyte_of_ones_does_not_overflow() {
    let ones = vec![0xff; 1 << 20];
    assert_eq!(Sum::new().add(&ones).add(&ones).add(&[0, 5]).partial(), 5);
}

#[test]
fn every_length_up_to_three_blocks() {
    let bytes: Vec<u8> = (0..200u32).map(|i| (i * 167 + 13) as u8).collect();
    for from in 0..8 {
        for to in from..bytes.len() {
            let part = &bytes[from..to];
            assert_eq!(Sum::new().add(part).partial(), naive(part), "{from}..{to}");
        }
    }
}

proptest! {
    #[test]
    fn equals_the_definition(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert_eq!(Sum::new().add(&bytes).partial(), naive(&bytes));
        prop_assert_eq!(Sum::new().add(&bytes).finish(), !naive(&bytes));
    }

    #[test]
    fn parts_of_any_length_add_up(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Sum::new().add_all(&slices).partial(), naive(&parts.concat()));
    }

    #[test]
    fn odd_parts_of_extremes(parts in prop::collection::vec(prop::collection::vec(prop::sample::select(&[0u8, 1, 0xff][..]), 0..70), 0..9)) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Sum::new().add_all(&slices).partial(), naive(&parts.concat()));
    }

    #[test]
    fn pseudo_headers(s6: [u8; 16], d6: [u8; 16], s4: [u8; 4], d4: [u8; 4], protocol in 1u8.., len: u32, text in prop::collection::vec(any::<u8>(), 0..100)) {
        for (src, dst, len) in [(Addr::v6(s6), Addr::v6(d6), len), (Addr::v4(s4), Addr::v4(d4), len & 0xffff)] {
            let all = [pseudo_bytes(src, dst, protocol, len), text.clone()].concat();
            prop_assert_eq!(Sum::pseudo(src, dst, protocol, len).add(&text).partial(), naive(&all));
        }
    }

    #[test]
    fn a_packet_with_its_checksum_sums_to_zero(mut bytes in prop::collection::vec(any::<u8>(), 2..200), flip: prop::sample::Index) {
        bytes[..2].fill(0);
        let c = Sum::new().add(&bytes).finish().to_be_bytes();
        bytes[..2].copy_from_slice(&c);
        prop_assert_eq!(Sum::new().add(&bytes).finish(), 0);
        let at = flip.index(bytes.len());
        bytes[at] ^= 0x10;
        prop_assert_ne!(Sum::new().add(&bytes).finish(), 0);
    }
}
