use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::tcp::Ports;
use crate::{Head, OptionsOut, SackBlock, Seq, icmp};

const A: Addr = Addr::v4([10, 9, 0, 1]);
const B: Addr = Addr::v4([10, 9, 0, 2]);
const A6: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const B6: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

fn ip(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    if src.is_v4() {
        [&ipv4::Head { src, dst, protocol, ttl: 64, tos: 0 }.emit(len)[..], payload].concat()
    } else {
        let head = ipv6::Head { src, dst, protocol, hop_limit: 64, traffic_class: 0, flow: 0 };
        [&head.emit(len)[..], payload].concat()
    }
}

fn tcp(src: Addr, dst: Addr, head: Head, text: &[u8]) -> Vec<u8> {
    let mut buf = [0; Head::MAX_LEN];
    let len = head.emit(Ports { src: 4000, dst: 80 }, &mut buf);
    let mut segment = [&buf[..len], text].concat();
    let sum = Sum::pseudo(src, dst, 6, segment.len() as u32).add(&segment).finish();
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(src, dst, 6, &segment)
}

fn line(bytes: &[u8]) -> String {
    Line(bytes).to_string()
}

#[test]
fn a_syn_with_its_options() {
    let opts = OptionsOut {
        mss: Some(1460),
        wscale: Some(7),
        sack_permitted: true,
        ts: Some(Timestamps { val: 1, ecr: 0 }),
        ..Default::default()
    };
    let head = Head { seq: Seq::new(1), wnd: 64240, flags: Flags::SYN, opts, ..Default::default() };
    assert_eq!(
        line(&tcp(A, B, head, b"")),
        "10.9.0.1:4000 > 10.9.0.2:80 SYN seq=1 win=64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7>"
    );
    assert_eq!(
        line(&tcp(A6, B6, Head { opts: OptionsOut::default(), ..head }, b"")),
        "[fd00::1]:4000 > [fd00::2]:80 SYN seq=1 win=64240"
    );
}

#[test]
fn text_urgent_sack_and_every_flag() {
    let mut opts = OptionsOut { sack_len: 2, ..Default::default() };
    opts.sack[0] = SackBlock { left: Seq::new(10), right: Seq::new(20) };
    opts.sack[1] = SackBlock { left: Seq::new(30), right: Seq::new(u32::MAX) };
    let head = Head {
        seq: Seq::new(u32::MAX),
        ack: Some(Seq::new(7)),
        wnd: 0,
        flags: Flags(0x1cf),
        urg: Some(3),
        opts,
    };
    assert_eq!(
        line(&tcp(A, B, head, b"hello")),
        "10.9.0.1:4000 > 10.9.0.2:80 SYN,FIN,RST,PSH,ACK,URG,ECE,CWR,AE seq=4294967295 ack=7 win=0 len=5 urg=3 \
         <sack 10:20,sack 30:4294967295>"
    );
    assert_eq!(line(&tcp(A, B, Head::default(), b"")), "10.9.0.1:4000 > 10.9.0.2:80 none seq=0 win=0");
}

#[test]
fn bad_packets_say_what_is_bad() {
    let good = tcp(A, B, Head { ack: Some(Seq::new(1)), ..Default::default() }, b"x");
    assert_eq!(line(&[]), "0 octets: shorter than its headers say");
    assert_eq!(line(&good[..30]), "30 octets: shorter than its headers say");
    assert_eq!(line(&[0x12; 40]), "40 octets: malformed IP header");
    let mut bad = good.clone();
    bad[8] ^= 1;
    assert_eq!(line(&bad), "41 octets: wrong IP header checksum");
    let mut bad = good.clone();
    bad[40] ^= 1;
    assert_eq!(line(&bad), "10.9.0.1:4000 > 10.9.0.2:80 ACK seq=0 ack=1 win=0 len=1 [wrong TCP checksum]");
    let mut bad = good.clone();
    bad[32] = 0x40;
    assert_eq!(line(&bad), "10.9.0.1 > 10.9.0.2 TCP: malformed TCP header");
}

#[test]
fn a_checksum_left_to_the_device_is_not_wrong() {
    let mut bytes = tcp(A, B, Head::default(), b"x");
    let partial = Sum::pseudo(A, B, 6, 21).partial().to_be_bytes();
    bytes[36..38].copy_from_slice(&partial);
    assert_eq!(line(&bytes), "10.9.0.1:4000 > 10.9.0.2:80 none seq=0 win=0 len=1");
}

#[test]
fn icmp_messages() {
    let body = [0, 1, 0, 2, 9, 9];
    let mut request = [&icmp::echo_reply_v4(&body)[..], &body].concat();
    assert_eq!(line(&ip(A, B, 1, &request)), "10.9.0.1 > 10.9.0.2 ICMP type=0 code=0 len=10");
    request[0] = 8;
    assert_eq!(
        line(&ip(A, B, 1, &request)),
        "10.9.0.1 > 10.9.0.2 ICMP len=10: malformed or unsupported ICMP"
    );
    request[2] = request[2].wrapping_sub(8);
    assert_eq!(line(&ip(A, B, 1, &request)), "10.9.0.1 > 10.9.0.2 ICMP echo request len=6");

    let quote = tcp(A, B, Head { seq: Seq::new(5), ..Default::default() }, b"");
    let port = [&icmp::unreachable_v4(icmp::Missing::Port, &quote)[..], &quote].concat();
    assert_eq!(
        line(&ip(B, A, 1, &port)),
        "10.9.0.2 > 10.9.0.1 ICMP port unreachable about 10.9.0.1:4000 > 10.9.0.2:80 seq=5"
    );
    let quote = tcp(A6, B6, Head::default(), b"");
    let missing = icmp::Missing::Protocol { at: 6 };
    let problem = [&icmp::unreachable_v6(B6, A6, missing, &quote)[..], &quote].concat();
    assert_eq!(
        line(&ip(B6, A6, 58, &problem)),
        "fd00::2 > fd00::1 ICMPv6 parameter problem (code 1) about [fd00::1]:4000 > [fd00::2]:80 seq=0"
    );
}

#[test]
fn notices_have_names() {
    for (notice, text) in [
        (Notice::Refused { kind: 3, code: 2 }, "protocol unreachable"),
        (Notice::Refused { kind: 3, code: 3 }, "port unreachable"),
        (Notice::Refused { kind: 1, code: 4 }, "port unreachable"),
        (Notice::Refused { kind: 3, code: 13 }, "administratively prohibited"),
        (Notice::Refused { kind: 1, code: 1 }, "administratively prohibited"),
        (Notice::Unreachable { kind: 3, code: 1 }, "unreachable (3/1)"),
        (Notice::TooBig { mtu: 1280 }, "packet too big, mtu=1280"),
        (Notice::TimeExceeded { code: 0 }, "time exceeded (code 0)"),
        (Notice::SourceQuench, "source quench"),
    ] {
        assert_eq!(notice.to_string(), text);
    }
}

#[test]
fn fragments_and_other_protocols() {
    assert_eq!(line(&ip(A, B, 17, b"12345678")), "10.9.0.1 > 10.9.0.2 protocol=17 len=8");
    // ICMP of the other IP version is just a number.
    assert_eq!(line(&ip(A, B, 58, b"12345678")), "10.9.0.1 > 10.9.0.2 protocol=58 len=8");
    let fragment = [6, 0, 0, 9, 0, 0, 0, 7, 1, 1, 1, 1, 1, 1, 1, 1];
    assert_eq!(
        line(&ip(A6, B6, 44, &fragment)),
        "fd00::1 > fd00::2 fragment id=7 offset=8 len=8 more protocol=6"
    );
    let mut v4 = ip(A, B, 6, b"12345678");
    v4[6] = 0;
    v4[7] = 2;
    v4[10..12].fill(0);
    let sum = Sum::new().add(&v4[..20]).finish().to_be_bytes();
    v4[10..12].copy_from_slice(&sum);
    assert_eq!(line(&v4), "10.9.0.1 > 10.9.0.2 fragment id=0 offset=16 len=8 protocol=6");
}

proptest! {
    #[test]
    fn every_packet_is_one_line(bytes in prop::collection::vec(any::<u8>(), 0..120), protocol: u8) {
        for packet in [bytes.clone(), ip(A, B, protocol, &bytes), ip(A6, B6, protocol, &bytes), ip(A, B, 6, &bytes), ip(A6, B6, 58, &bytes)] {
            let text = line(&packet);
            prop_assert!(!text.is_empty() && !text.contains('\n'));
        }
    }
}
