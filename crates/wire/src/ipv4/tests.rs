use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const SRC: Addr = Addr::v4([192, 0, 2, 1]);
const DST: Addr = Addr::v4([192, 0, 2, 2]);
const HEAD: Head = Head { src: SRC, dst: DST, protocol: 6, ttl: 64, tos: 0xb8 };

fn fix_checksum(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    if let Some(header) = packet.get_mut(..header).filter(|h| h.len() >= 12) {
        header[10..12].fill(0);
        let c = Sum::new().add(header).finish().to_be_bytes();
        header[10..12].copy_from_slice(&c);
    }
}

/// A packet with an option area of a multiple of 4 octets.
fn packet(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut p = HEAD.emit((options.len() + payload.len()) as u16).to_vec();
    p[0] += (options.len() / 4) as u8;
    p.extend_from_slice(options);
    p.extend_from_slice(payload);
    fix_checksum(&mut p);
    p
}

fn fragment(offset_units: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut p = packet(&[], payload);
    p[6..8].copy_from_slice(&(offset_units | if more { 0x2000 } else { 0 }).to_be_bytes());
    fix_checksum(&mut p);
    p
}

fn error(bytes: &[u8]) -> DropReason {
    Packet::parse(bytes).unwrap_err()
}

#[test]
fn what_is_emitted_parses() {
    let bytes = packet(&[], b"hello");
    let p = Packet::parse(&bytes).unwrap();
    assert_eq!((p.src, p.dst, p.protocol, p.ttl, p.tos), (SRC, DST, 6, 64, 0xb8));
    assert_eq!((p.header, p.payload), (&bytes[..20], &b"hello"[..]));
    // RFC 6864 4.1: an atomic datagram.
    assert_eq!((p.id, p.frag_offset, p.more_fragments, p.dont_fragment), (0, 0, false, true));
    // A header from the outside: RFC 1071 over it gives zero; a field of it differs, the sum differs.
    assert_eq!(Sum::new().add(&bytes[..20]).finish(), 0);
    assert_eq!(bytes[2..4], [0, 25]);
}

#[test]
fn the_longest_packet() {
    let bytes = packet(&[], &[7; 65_515]);
    assert_eq!(Packet::parse(&bytes).unwrap().payload.len(), 65_515);
    assert_eq!(HEAD.emit(u16::MAX)[2..4], [0xff, 0xff]);
}

#[test]
fn octets_behind_the_total_length_are_cut() {
    let mut bytes = packet(&[1, 1, 1, 1], b"abc");
    bytes.extend_from_slice(&[0; 19]);
    assert_eq!(Packet::parse(&bytes).unwrap().payload, b"abc");
}

/// SECURITY D6: every combination of header length, total length and octets at hand around the borders.
#[test]
fn lengths_that_contradict_each_other() {
    for header_words in 0..16u8 {
        for total in 0..=64u16 {
            for at_hand in 0..=64 {
                let mut bytes = HEAD.emit(0).to_vec();
                bytes.resize(64, 1);
                bytes[0] = 0x40 | header_words;
                bytes[2..4].copy_from_slice(&total.to_be_bytes());
                fix_checksum(&mut bytes);
                let got = Packet::parse(&bytes[..at_hand]).map(|p| (p.header.len(), p.payload.len()));
                let header = usize::from(header_words) * 4;
                let want = if at_hand == 0 {
                    Err(DropReason::Truncated)
                } else if header < 20 {
                    Err(DropReason::BadIpHeader)
                } else if at_hand < 20 {
                    Err(DropReason::Truncated)
                } else if usize::from(total) < header {
                    Err(DropReason::BadIpHeader)
                } else if usize::from(total) > at_hand {
                    Err(DropReason::Truncated)
                } else {
                    Ok((header, usize::from(total) - header))
                };
                assert_eq!(got, want, "header {header}, total {total}, at hand {at_hand}");
            }
        }
    }
}

#[test]
fn only_version_4() {
    for version in (0..16).filter(|v| *v != 4) {
        let mut bytes = packet(&[], b"");
        bytes[0] = version << 4 | 5;
        fix_checksum(&mut bytes);
        assert_eq!(error(&bytes), DropReason::BadIpHeader);
    }
}

#[test]
fn any_changed_bit_fails_the_checksum() {
    let good = packet(&[1, 1, 1, 1], b"x");
    for bit in 8 * 4..8 * 24 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(error(&bytes), DropReason::BadIpChecksum, "bit {bit}");
    }
}

/// SECURITY F7: every option kind with every length, alone and behind a NOP.
#[test]
fn every_option_kind_and_length() {
    for kind in 0..=255u8 {
        for len in 0..=255u8 {
            for start in [0, 1] {
                let mut area = [1u8; 40];
                area[start] = kind;
                area[start + 1] = len;
                let want = match kind {
                    0 => Ok(()),
                    131 | 137 => Err(DropReason::SourceRoute),
                    // Both octets are then options of their own; the second is followed by ones as its body.
                    1 => check_options(&area[start + 1..]),
                    _ if len < 2 || start + usize::from(len) > 40 => Err(DropReason::BadIpHeader),
                    _ => Ok(()),
                };
                let bytes = packet(&area, b"tcp");
                let got = Packet::parse(&bytes).map(|p| assert_eq!(p.payload, b"tcp"));
                assert_eq!(got, want, "kind {kind} length {len} at {start}");
            }
        }
    }
}

#[test]
fn source_routes_behind_other_options() {
    assert_eq!(error(&packet(&[148, 4, 0, 0, 131, 7, 4, 1, 2, 3, 4, 0], b"")), DropReason::SourceRoute);
    assert_eq!(error(&packet(&[1, 137, 3, 4], b"")), DropReason::SourceRoute);
    // Behind the end of the list nothing counts.
    assert!(Packet::parse(&packet(&[0, 131, 7, 4], b"")).is_ok());
    // A kind in the last octet has no length.
    assert_eq!(error(&packet(&[1, 1, 1, 68], b"")), DropReason::BadIpHeader);
}

/// MUST-50: record route, timestamp, router alert and unknown kinds pass.
#[test]
fn unknown_options_are_ignored() {
    for area in [[7, 7, 4, 0, 0, 0, 0, 0], [68, 8, 5, 0, 0, 0, 0, 0], [148, 4, 0, 0, 222, 4, 9, 9]] {
        assert_eq!(Packet::parse(&packet(&area, b"tcp")).unwrap().payload, b"tcp");
    }
}

/// SECURITY F3, F6.
#[test]
fn fragments_have_sane_shapes() {
    let table = [
        (0, true, 8, true),
        (0, true, 16, true),
        (0, true, 0, false),
        (0, true, 7, false),
        (0, true, 12, false),
        (1, true, 8, true),
        (1, true, 9, false),
        (1, false, 0, false),
        (1, false, 1, true),
        (185, false, 13, true),
        // Header and data end at 65,535 octets at most.
        (8189, false, 3, true),
        (8189, false, 4, false),
        (8191, false, 1480, false),
        (8191, true, 8, false),
    ];
    for (offset, more, len, fits) in table {
        let bytes = fragment(offset, more, &[1; 1480][..len]);
        match Packet::parse(&bytes) {
            Ok(p) => {
                assert!(fits, "{offset} {more} {len}");
                assert_eq!((p.frag_offset, p.more_fragments, p.dont_fragment), (offset * 8, more, false));
            }
            Err(reason) => {
                assert_eq!((fits, reason), (false, DropReason::BadFragment), "{offset} {more} {len}")
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), lie: bool) {
        let _ = Packet::parse(&bytes);
        // Again with what a random packet hardly ever has right.
        let len = bytes.len() as u8;
        if let Some(b) = bytes.first_mut() {
            *b = 0x40 | *b & 15;
            if lie && len > 4 {
                bytes[2..4].copy_from_slice(&[0, len]);
            }
            fix_checksum(&mut bytes);
        }
        if let Ok(p) = Packet::parse(&bytes) {
            prop_assert!(p.header.len() >= 20 && p.header.len() + p.payload.len() <= bytes.len());
        }
    }

    #[test]
    fn heads_come_back(src: [u8; 4], dst: [u8; 4], protocol: u8, ttl: u8, tos: u8, len in 0u16..200) {
        let head = Head { src: Addr::v4(src), dst: Addr::v4(dst), protocol, ttl, tos };
        let mut bytes = head.emit(len).to_vec();
        bytes.resize(20 + usize::from(len), 0);
        let p = Packet::parse(&bytes).unwrap();
        prop_assert_eq!((p.src, p.dst, p.protocol, p.ttl, p.tos), (head.src, head.dst, protocol, ttl, tos));
        prop_assert_eq!(p.payload.len(), usize::from(len));
    }
}
