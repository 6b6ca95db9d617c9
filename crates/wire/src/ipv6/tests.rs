use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const SRC: Addr = Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const DST: Addr = Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

fn packet(next: u8, content: &[u8]) -> Vec<u8> {
    let head = Head { src: SRC, dst: DST, protocol: next, hop_limit: 64, traffic_class: 0xb8, flow: 0xabcde };
    [&head.emit(content.len() as u16)[..], content].concat()
}

/// An options header of `8 + 8 * units` octets that starts with `options` and goes on with Pad1.
fn options_header(next: u8, units: u8, options: &[u8]) -> Vec<u8> {
    let mut h = [&[next, units], options].concat();
    h.resize(8 + 8 * usize::from(units), 0);
    h
}

fn routing(next: u8, kind: u8, left: u8) -> Vec<u8> {
    [next, 0, kind, left, 0, 0, 0, 0].to_vec()
}

fn fragment(next: u8, offset: u16, more: bool) -> Vec<u8> {
    let [o0, o1] = (offset | u16::from(more)).to_be_bytes();
    [next, 0, o0, o1, 1, 2, 3, 4].to_vec()
}

fn error(bytes: &[u8]) -> DropReason {
    Packet::parse(bytes).unwrap_err()
}

fn error_with(next: u8, content: &[&[u8]]) -> DropReason {
    error(&packet(next, &content.concat()))
}

#[test]
fn what_is_emitted_parses() {
    let bytes = packet(6, b"hello");
    assert_eq!(bytes[..4], [0x6b, 0x8a, 0xbc, 0xde]);
    let p = Packet::parse(&bytes).unwrap();
    assert_eq!((p.src, p.dst, p.protocol, p.hop_limit, p.traffic_class), (SRC, DST, 6, 64, 0xb8));
    assert_eq!((p.fragment, p.payload, p.protocol_at), (None, &b"hello"[..], 6));
}

#[test]
fn a_flow_label_has_20_bits() {
    let head = Head { src: SRC, dst: DST, protocol: 6, hop_limit: 1, traffic_class: 0, flow: u32::MAX };
    assert_eq!(head.emit(0)[..4], [0x60, 0x0f, 0xff, 0xff]);
}

/// SECURITY D6, F10.
#[test]
fn lengths() {
    let bytes = packet(6, b"hello");
    assert_eq!(error(&[]), DropReason::Truncated);
    for at_hand in 1..bytes.len() {
        assert_eq!(error(&bytes[..at_hand]), DropReason::Truncated, "{at_hand}");
    }
    let longer = [&bytes[..], &[0; 14]].concat();
    assert_eq!(Packet::parse(&longer).unwrap().payload, b"hello");
    assert_eq!(error(&packet(6, b"")), DropReason::BadIpHeader);
    let mut jumbo = packet(HOP_BY_HOP, &options_header(6, 0, &[0xc2, 4, 0, 1, 0, 0]));
    assert_eq!(error(&jumbo), DropReason::BadExtensionHeader);
    jumbo[4..6].fill(0);
    assert_eq!(error(&jumbo), DropReason::BadIpHeader);
    for version in (0..16).filter(|v| *v != 6) {
        let mut bytes = bytes.clone();
        bytes[0] = version << 4;
        assert_eq!(error(&bytes), DropReason::BadIpHeader);
    }
}

/// SECURITY F8: an IPv4-mapped address on the wire must not reach IPv4's connections.
#[test]
fn mapped_addresses_are_refused() {
    let v4 = Addr::v4([10, 0, 0, 1]);
    for (src, dst, reason) in [(v4, DST, DropReason::MartianSource), (SRC, v4, DropReason::NotOurs)] {
        let head = Head { src, dst, protocol: 6, hop_limit: 64, traffic_class: 0, flow: 0 };
        assert_eq!(error(&[&head.emit(1)[..], b"x"].concat()), reason);
    }
}

#[test]
fn extension_headers_are_walked() {
    let content = [
        &options_header(DESTINATION_OPTIONS, 0, &[5, 2, 0, 0, 1, 0])[..],
        &options_header(ROUTING, 1, &[1, 12])[..],
        &routing(DESTINATION_OPTIONS, 0, 0),
        &options_header(6, 0, &[1, 4, 0, 0, 0, 0]),
        b"tcp",
    ]
    .concat();
    let bytes = packet(HOP_BY_HOP, &content);
    let p = Packet::parse(&bytes).unwrap();
    assert_eq!((p.protocol, p.payload, p.fragment), (6, &b"tcp"[..], None));
    assert_eq!(usize::from(p.protocol_at), 40 + 8 + 16 + 8);
    assert_eq!(bytes[usize::from(p.protocol_at)], 6);
}

/// ESP, authentication, no next header, mobility: not extension headers for us.
#[test]
fn other_protocols_end_the_chain() {
    for protocol in (0..=255).filter(|p| ![HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS].contains(p)) {
        let bytes = packet(DESTINATION_OPTIONS, &[&options_header(protocol, 0, &[])[..], b"rest"].concat());
        let p = Packet::parse(&bytes).unwrap();
        assert_eq!((p.protocol, p.payload), (protocol, &b"rest"[..]));
    }
}

/// SECURITY F9.
#[test]
fn chains_are_bounded() {
    let one = options_header(DESTINATION_OPTIONS, 0, &[]);
    let last = options_header(6, 0, &[]);
    for count in 0..300 {
        let content = [&one.repeat(count)[..], &last, b"tcp"].concat();
        let got = Packet::parse(&packet(DESTINATION_OPTIONS, &content)).map(|p| p.payload.len());
        assert_eq!(got, if count < 8 { Ok(3) } else { Err(DropReason::BadExtensionHeader) }, "{count}");
    }
    let content =
        [&one.repeat(7)[..], &options_header(FRAGMENT, 0, &[]), &fragment(6, 8, true), &[0; 8]].concat();
    assert_eq!(error_with(DESTINATION_OPTIONS, &[&content]), DropReason::BadExtensionHeader);
    for units in 0..=255u8 {
        let content = [&options_header(6, units, &[])[..], b"tcp"].concat();
        let got = Packet::parse(&packet(DESTINATION_OPTIONS, &content)).map(|p| p.payload.len());
        assert_eq!(got, if units < 32 { Ok(3) } else { Err(DropReason::BadExtensionHeader) }, "{units}");
    }
    // Each within the bound, not together.
    let content = [&options_header(60, 15, &[])[..], &options_header(60, 15, &[]), &last, b"tcp"].concat();
    assert_eq!(error_with(60, &[&content]), DropReason::BadExtensionHeader);
}

#[test]
fn headers_that_do_not_fit_the_packet() {
    for next in [HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS] {
        for len in 1..8 {
            assert_eq!(error_with(next, &[&[6, 0, 0, 0, 0, 0, 0, 0][..len]]), DropReason::Truncated);
        }
    }
    assert_eq!(
        error_with(DESTINATION_OPTIONS, &[&[6, 1, 0, 0, 0, 0, 0, 0], b"1234567"]),
        DropReason::Truncated
    );
}

#[test]
fn hop_by_hop_options_stand_first() {
    let h = options_header(HOP_BY_HOP, 0, &[]);
    assert_eq!(error_with(HOP_BY_HOP, &[&h, &h]), DropReason::BadExtensionHeader);
    assert_eq!(error_with(DESTINATION_OPTIONS, &[&h, &h]), DropReason::BadExtensionHeader);
}

/// RFC 5095 for type 0; nothing is routed on.
#[test]
fn routing_with_segments_left_is_refused() {
    for kind in 0..=255 {
        assert_eq!(error_with(ROUTING, &[&routing(6, kind, 1), b"tcp"]), DropReason::BadExtensionHeader);
        let bytes = packet(ROUTING, &[&routing(6, kind, 0)[..], b"tcp"].concat());
        assert_eq!(Packet::parse(&bytes).unwrap().payload, b"tcp");
    }
}

/// RFC 8200 4.2: the two highest bits of the kind.
#[test]
fn every_option_kind_and_length() {
    for header in [HOP_BY_HOP, DESTINATION_OPTIONS] {
        for kind in 0..=255u8 {
            for len in 0..=255u8 {
                let content = [&options_header(6, 1, &[kind, len])[..], b"tcp"].concat();
                // 14 octets of options; a Pad1 in front leaves `len` to be a kind with length 0.
                let fits = match kind {
                    0 => len < 64,
                    1..64 => len <= 12,
                    _ => false,
                };
                let got = Packet::parse(&packet(header, &content)).map(|p| p.payload.len());
                let want = if fits { Ok(3) } else { Err(DropReason::BadExtensionHeader) };
                assert_eq!(got, want, "kind {kind} length {len}");
            }
        }
    }
}

/// SECURITY F3, F6.
#[test]
fn fragments_have_sane_shapes() {
    let table = [
        (0, true, 8, true),
        (0, true, 0, false),
        (0, true, 9, false),
        (8, true, 8, true),
        (8, true, 7, false),
        (8, false, 0, false),
        (8, false, 1, true),
        (65_528, false, 7, true),
        (65_528, false, 8, false),
        (65_528, true, 8, false),
        (65_520, true, 8, true),
    ];
    for (offset, more, len, fits) in table {
        let content = [&fragment(DESTINATION_OPTIONS, offset, more)[..], &[9; 16][..len]].concat();
        let bytes = packet(FRAGMENT, &content);
        match Packet::parse(&bytes) {
            Ok(p) => {
                assert!(fits, "{offset} {more} {len}");
                // What a fragment carries is not looked at.
                assert_eq!((p.protocol, p.payload.len()), (DESTINATION_OPTIONS, len));
                assert_eq!(p.fragment, Some(Fragment { id: 0x0102_0304, offset, more }));
            }
            Err(reason) => {
                assert_eq!((fits, reason), (false, DropReason::BadFragment), "{offset} {more} {len}")
            }
        }
    }
}

/// RFC 6946: an atomic fragment is whole; a second fragment header is one too many.
#[test]
fn atomic_fragments() {
    let inner = options_header(6, 0, &[]);
    let bytes = packet(FRAGMENT, &[&fragment(DESTINATION_OPTIONS, 0, false)[..], &inner, b"tcp"].concat());
    let p = Packet::parse(&bytes).unwrap();
    assert_eq!((p.fragment, p.protocol, p.payload), (None, 6, &b"tcp"[..]));
    let twice = [&fragment(FRAGMENT, 0, false)[..], &fragment(6, 0, false), b"tcp"].concat();
    assert_eq!(error_with(FRAGMENT, &[&twice]), DropReason::BadExtensionHeader);
    let nested = [&fragment(FRAGMENT, 0, false)[..], &fragment(6, 8, true), &[0; 8]].concat();
    assert_eq!(error_with(FRAGMENT, &[&nested]), DropReason::BadExtensionHeader);
}

/// The two reserved bits beside M are ignored (RFC 8200 4.5).
#[test]
fn reserved_bits_of_the_fragment_header() {
    let bytes = packet(FRAGMENT, &[&[6, 0xff, 0, 14, 0, 0, 0, 7][..], &[0; 9]].concat());
    assert_eq!(
        (Packet::parse(&bytes).unwrap().fragment, bytes[43]),
        (Some(Fragment { id: 7, offset: 8, more: false }), 14)
    );
}

#[test]
fn the_chain_of_a_reassembled_datagram() {
    assert_eq!(upper_layer(6, b"tcp"), Ok((6, &b"tcp"[..])));
    let content = [&options_header(ROUTING, 0, &[])[..], &routing(6, 0, 0), b"tcp"].concat();
    assert_eq!(upper_layer(DESTINATION_OPTIONS, &content), Ok((6, &b"tcp"[..])));
    assert_eq!(upper_layer(FRAGMENT, &fragment(6, 0, false)), Err(DropReason::BadExtensionHeader));
    assert_eq!(upper_layer(HOP_BY_HOP, &options_header(6, 0, &[])), Err(DropReason::BadExtensionHeader));
    assert_eq!(upper_layer(ROUTING, &[]), Err(DropReason::Truncated));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        next in prop::sample::select(&[0u8, 6, 43, 44, 60][..]),
        mut content in prop::collection::vec(prop::sample::select(&[0u8, 1, 2, 6, 43, 44, 60, 255][..]), 0..400),
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = Packet::parse(&noise);
        content.extend_from_slice(&noise);
        let bytes = packet(next, &content);
        if let Ok(p) = Packet::parse(&bytes) {
            prop_assert_eq!(bytes[usize::from(p.protocol_at)], p.protocol);
            prop_assert!(p.payload.len() <= content.len());
        }
        let _ = upper_layer(next, &content);
    }
}
