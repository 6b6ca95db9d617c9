use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const A4: Addr = Addr::v4([192, 0, 2, 1]);
const B4: Addr = Addr::v4([192, 0, 2, 2]);
const A6: Addr = Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const B6: Addr = Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
/// A router that writes the errors.
const R6: Addr = Addr::v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// Ports 4000 and 80, sequence number 0x01020304.
const TCP: [u8; 8] = [0x0f, 0xa0, 0, 80, 1, 2, 3, 4];

fn v4(head: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let mut m = [&head[..], &[0, 0], rest].concat();
    let c = Sum::new().add(&m).finish().to_be_bytes();
    m[2..4].copy_from_slice(&c);
    m
}

fn v6(head: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let mut m = [&head[..], &[0, 0], rest].concat();
    let c = Sum::pseudo(R6, A6, 58, m.len() as u32).add(&m).finish().to_be_bytes();
    m[2..4].copy_from_slice(&c);
    m
}

fn quote4(segment: &[u8]) -> Vec<u8> {
    let head = ipv4::Head { src: A4, dst: B4, protocol: 6, ttl: 3, tos: 0 };
    // Longer than what is quoted of it, as in life.
    [&head.emit(1460)[..], segment].concat()
}

fn quote6(segment: &[u8]) -> Vec<u8> {
    let head = ipv6::Head { src: A6, dst: B6, protocol: 6, hop_limit: 3, traffic_class: 0, flow: 0 };
    [&head.emit(1440)[..], segment].concat()
}

fn error4(kind: u8, code: u8, word: [u8; 4], quote: &[u8]) -> Vec<u8> {
    v4([kind, code], &[&word[..], quote].concat())
}

fn error6(kind: u8, code: u8, word: [u8; 4], quote: &[u8]) -> Vec<u8> {
    v6([kind, code], &[&word[..], quote].concat())
}

fn parse6(bytes: &[u8]) -> Result<Message<'_>, DropReason> {
    Message::parse_v6(R6, A6, bytes)
}

/// The notice of an error that must be about the quoted segment.
#[track_caller]
fn notice(message: Result<Message<'_>, DropReason>, from: Addr, to: Addr) -> Notice {
    let Ok(Message::TcpError { notice, src, src_port, dst, dst_port, seq }) = message else {
        panic!("{message:?}");
    };
    assert_eq!((src, src_port, dst, dst_port, seq), (from, 4000, to, 80, Seq::new(0x0102_0304)));
    notice
}

#[test]
fn types_and_codes_of_v4() {
    let q = quote4(&TCP);
    for code in 0..=255 {
        let got = notice(Message::parse_v4(&error4(3, code, [0, 0, 5, 0xdc], &q)), A4, B4);
        let want = match code {
            4 => Notice::TooBig { mtu: 1500 },
            2 | 3 | 9 | 10 | 13 => Notice::Refused { kind: 3, code },
            _ => Notice::Unreachable { kind: 3, code },
        };
        assert_eq!(got, want);
    }
    assert_eq!(notice(Message::parse_v4(&error4(4, 0, [0; 4], &q)), A4, B4), Notice::SourceQuench);
    assert_eq!(
        notice(Message::parse_v4(&error4(11, 1, [0; 4], &q)), A4, B4),
        Notice::TimeExceeded { code: 1 }
    );
    assert_eq!(
        notice(Message::parse_v4(&error4(12, 0, [9, 0, 0, 0], &q)), A4, B4),
        Notice::ParameterProblem { code: 0 }
    );
    // Redirects, echo replies, timestamps and the unassigned (SECURITY I8).
    for kind in (0..=255).filter(|k| ![3, 4, 8, 11, 12].contains(k)) {
        assert!(matches!(Message::parse_v4(&error4(kind, 0, [0; 4], &q)), Ok(Message::Other)), "{kind}");
    }
}

#[test]
fn types_and_codes_of_v6() {
    let q = quote6(&TCP);
    for code in 0..=255 {
        let got = notice(parse6(&error6(1, code, [0; 4], &q)), A6, B6);
        let want = match code {
            1 | 4 | 5 | 6 => Notice::Refused { kind: 1, code },
            _ => Notice::Unreachable { kind: 1, code },
        };
        assert_eq!(got, want);
    }
    assert_eq!(notice(parse6(&error6(2, 0, [0, 1, 0, 0], &q)), A6, B6), Notice::TooBig { mtu: 65_536 });
    assert_eq!(notice(parse6(&error6(2, 7, [0, 0, 5, 0], &q)), A6, B6), Notice::TooBig { mtu: 1280 });
    assert_eq!(notice(parse6(&error6(3, 0, [0; 4], &q)), A6, B6), Notice::TimeExceeded { code: 0 });
    assert_eq!(notice(parse6(&error6(4, 2, [0; 4], &q)), A6, B6), Notice::ParameterProblem { code: 2 });
    for kind in (0..=255).filter(|k| ![1, 2, 3, 4, 128].contains(k)) {
        assert!(matches!(parse6(&error6(kind, 0, [0; 4], &q)), Ok(Message::Other)), "{kind}");
    }
}

/// RFC 1191 4: the MTU is the low half of the word; an old router leaves it 0.
#[test]
fn mtu_of_v4_has_16_bits() {
    let q = quote4(&TCP);
    assert_eq!(
        notice(Message::parse_v4(&error4(3, 4, [0xff, 0xff, 0, 0], &q)), A4, B4),
        Notice::TooBig { mtu: 0 }
    );
    assert_eq!(
        notice(Message::parse_v4(&error4(3, 4, [0, 0, 0xff, 0xff], &q)), A4, B4),
        Notice::TooBig { mtu: 65_535 }
    );
}

#[test]
fn echo_requests_give_their_body() {
    let body = b"\x12\x34\x00\x01ping";
    let m = v4([8, 0], body);
    assert!(matches!(Message::parse_v4(&m), Ok(Message::EchoRequest { body: b }) if b == body));
    let m = v6([128, 0], body);
    assert!(matches!(parse6(&m), Ok(Message::EchoRequest { body: b }) if b == body));
    // Without identifier and sequence number it is none; with a code neither.
    assert_eq!(Message::parse_v4(&v4([8, 0], &body[..3])).unwrap_err(), DropReason::BadIcmp);
    assert_eq!(parse6(&v6([128, 0], &body[..3])).unwrap_err(), DropReason::BadIcmp);
    assert!(matches!(Message::parse_v4(&v4([8, 1], body)), Ok(Message::Other)));
    assert!(matches!(parse6(&v6([128, 1], body)), Ok(Message::Other)));
}

#[test]
fn checksums_are_verified() {
    for good in [v4([8, 0], b"1234"), error4(3, 3, [0; 4], &quote4(&TCP))] {
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Message::parse_v4(&bad).unwrap_err(), DropReason::BadIcmp);
        }
    }
    let good = error6(1, 4, [0; 4], &quote6(&TCP));
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(parse6(&bad).unwrap_err(), DropReason::BadIcmp);
    }
    // The pseudo-header counts in ICMPv6.
    assert_eq!(Message::parse_v6(R6, B6, &good).unwrap_err(), DropReason::BadIcmp);
}

/// SECURITY I6: 8 octets of TCP at least, and every shorter quote refused.
#[test]
fn short_quotes() {
    for len in 0..28 {
        assert_eq!(
            Message::parse_v4(&error4(3, 3, [0; 4], &quote4(&TCP)[..len])).unwrap_err(),
            DropReason::BadIcmp
        );
    }
    for len in 0..48 {
        assert_eq!(parse6(&error6(1, 4, [0; 4], &quote6(&TCP)[..len])).unwrap_err(), DropReason::BadIcmp);
    }
    let long = [&quote4(&TCP)[..], &[0; 500]].concat();
    notice(Message::parse_v4(&error4(3, 3, [0; 4], &long)), A4, B4);
    for len in 0..4 {
        assert_eq!(Message::parse_v4(&v4([3, 3], &[])[..len]).unwrap_err(), DropReason::BadIcmp);
        assert_eq!(parse6(&v6([1, 4], &[])[..len]).unwrap_err(), DropReason::BadIcmp);
    }
}

/// SECURITY I6: garbled headers, later fragments, other protocols, errors about errors.
#[test]
fn quotes_that_are_not_our_segments() {
    let with4 = |at: usize, value: u8| {
        let mut q = quote4(&TCP);
        q[at] = value;
        Message::parse_v4(&error4(3, 3, [0; 4], &q)).map(|m| matches!(m, Message::Other))
    };
    assert_eq!(with4(0, 0x65), Err(DropReason::BadIcmp));
    assert_eq!(with4(0, 0x44), Err(DropReason::BadIcmp));
    // Options that are not there.
    assert_eq!(with4(0, 0x4f), Err(DropReason::BadIcmp));
    assert_eq!(with4(7, 1), Err(DropReason::BadIcmp));
    for protocol in (0..=255).filter(|p| *p != 6) {
        assert_eq!(with4(9, protocol), Ok(true));
    }
    // A router changed TTL and DSCP after the checksum, or spoilt it: no matter.
    assert_eq!(with4(10, 0xee), Ok(false));
    assert_eq!(with4(8, 0), Ok(false));
    // The first fragment has the ports.
    assert_eq!(with4(6, 0x20), Ok(false));

    let with6 = |at: usize, value: u8| {
        let mut q = quote6(&TCP);
        q[at] = value;
        parse6(&error6(1, 4, [0; 4], &q)).map(|m| matches!(m, Message::Other))
    };
    assert_eq!(with6(0, 0x45), Err(DropReason::BadIcmp));
    for protocol in (0..=255).filter(|p| *p != 6) {
        assert_eq!(with6(6, protocol), Ok(true));
    }
}

#[test]
fn options_of_a_quoted_header_are_skipped() {
    let mut q = quote4(&[&[1, 1, 1, 0], &TCP[..]].concat());
    q[0] = 0x46;
    notice(Message::parse_v4(&error4(3, 3, [0; 4], &q)), A4, B4);
}

/// ICMPv6 must not speak about connections over IPv4.
#[test]
fn mapped_addresses_in_a_quote() {
    for (src, dst) in [(A4, B6), (A6, B4), (A4, B4)] {
        let head = ipv6::Head { src, dst, protocol: 6, hop_limit: 1, traffic_class: 0, flow: 0 };
        let q = [&head.emit(20)[..], &TCP].concat();
        assert_eq!(parse6(&error6(1, 4, [0; 4], &q)).unwrap_err(), DropReason::BadIcmp);
    }
}

#[test]
fn heads_of_answers() {
    let body = b"\x12\x34\x00\x01odd";
    let reply = [&echo_reply_v4(body)[..], body].concat();
    assert_eq!((reply[..2] == [0, 0], Sum::new().add(&reply).finish()), (true, 0));
    let reply = [&echo_reply_v6(A6, R6, body)[..], body].concat();
    assert_eq!(reply[..2], [129, 0]);
    assert_eq!(Sum::pseudo(A6, R6, 58, reply.len() as u32).add(&reply).finish(), 0);

    let q = quote4(&TCP);
    for (missing, code) in [(Missing::Protocol { at: 9 }, 2), (Missing::Port, 3)] {
        let m = [&unreachable_v4(missing, &q)[..], &q].concat();
        assert_eq!((m[..2] == [3, code], &m[4..8]), (true, &[0; 4][..]));
        assert_eq!(notice(Message::parse_v4(&m), A4, B4), Notice::Refused { kind: 3, code });
    }
    let q = quote6(&TCP);
    let m = [&unreachable_v6(R6, A6, Missing::Port, &q)[..], &q].concat();
    assert_eq!(notice(parse6(&m), A6, B6), Notice::Refused { kind: 1, code: 4 });
    let m = [&unreachable_v6(R6, A6, Missing::Protocol { at: 260 }, &q)[..], &q].concat();
    assert_eq!(m[4..8], [0, 0, 1, 4]);
    assert_eq!(notice(parse6(&m), A6, B6), Notice::ParameterProblem { code: 1 });
}

proptest! {
    #[test]
    fn random_bytes_never_panic(head: [u8; 2], kind in 0u8..13, bytes in prop::collection::vec(any::<u8>(), 0..120), cut: prop::sample::Index) {
        let _ = Message::parse_v4(&bytes);
        let _ = parse6(&bytes);
        for h in [head, [kind, 0]] {
            let _ = Message::parse_v4(&v4(h, &bytes));
            let _ = parse6(&v6(h, &bytes));
        }
        let (q4, q6) = (quote4(&bytes), quote6(&bytes));
        let _ = Message::parse_v4(&error4(kind, 0, [0; 4], &q4[..cut.index(q4.len())]));
        let _ = parse6(&error6(kind, 0, [0; 4], &q6[..cut.index(q6.len())]));
    }
}
