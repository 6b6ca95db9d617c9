use synfin_wire::icmp::{Message, Notice};
use synfin_wire::{Addr, Endpoint, Flags, Seq, Tuple, ipv4, ipv6};

use super::{InSegment, Parsed, icmp_packet, parse, read_options, write_options};
use crate::ast::{IcmpSpec, IpSpec, Opt};
use crate::seq::Flow;

fn tuple(v6: bool) -> Tuple {
    let end = |n: u8, port| {
        let addr = if v6 {
            let mut o = [0; 16];
            (o[0], o[15]) = (0xfd, n);
            Addr::v6(o)
        } else {
            Addr::v4([10, 0, 0, n])
        };
        Endpoint::new(addr, port)
    };
    Tuple { local: end(1, 8080), remote: end(2, 4000) }
}

#[test]
fn what_is_built_is_read_back() {
    for v6 in [false, true] {
        // From the peer's side what the script injects is what its own stack sends.
        let segment = InSegment {
            tuple: tuple(v6).flipped(),
            flags: Flags::SYN.with(Flags::AE),
            seq: Seq::new(5),
            ack: Seq::new(6),
            win: 7,
            urg: 8,
            opts: vec![Opt::Mss(1000), Opt::Nop, Opt::Wscale(3)],
            text: b"abc".to_vec(),
        };
        let ip = IpSpec { ttl: Some(9), tos: Some(0x10), ..IpSpec::default() };
        let Parsed::Tcp(out) = parse(&segment.packet(&ip).unwrap()) else { panic!() };
        assert_eq!((out.tuple, out.seq, out.ack), (tuple(v6), Seq::new(5), Seq::new(6)));
        assert_eq!((out.flags, out.win, out.urg), (segment.flags, 7, 8));
        assert_eq!((out.opts, out.text), (segment.opts, segment.text));
        assert_eq!((out.ttl, out.tos), (9, 0x10));
    }
}

#[test]
fn options_survive_both_ways() {
    let opts = vec![
        Opt::Nop,
        Opt::SackOk,
        Opt::Nop,
        Opt::Sack(vec![(1, 2)]),
        Opt::Ts { val: 3, ecr: 4 },
        Opt::Fo(vec![1, 2]),
        Opt::FoExp(vec![]),
        Opt::AccEcn(174, vec![1, 2]),
        Opt::Other(77, vec![9]),
    ];
    let mut read = read_options(&write_options(&opts));
    while read.last() == Some(&Opt::Eol) {
        read.pop();
    }
    assert_eq!(read, opts);
    // A length that lies ends the list.
    assert_eq!(read_options(&[2, 9, 1]), [Opt::Other(2, vec![9, 1])]);
}

#[test]
fn icmp_errors_are_what_the_stack_reads() {
    let spec = |kind: &str, code: Option<&str>, mtu| IcmpSpec {
        kind: kind.into(),
        code: code.map(Into::into),
        mtu,
        quoted: Some((1, 1000)),
    };
    let mut flow = Flow::new(tuple(false), Seq::new(1));
    flow.learn_ours(0, Seq::new(500));
    let packet =
        icmp_packet(&spec("unreachable", Some("frag_needed"), Some(1200)), &flow, &IpSpec::default());
    let packet = packet.unwrap();
    let ip = ipv4::Packet::parse(&packet).unwrap();
    let Ok(Message::TcpError { notice, seq, src_port, .. }) = Message::parse_v4(ip.payload) else { panic!() };
    assert_eq!((notice, seq, src_port), (Notice::TooBig { mtu: 1200 }, Seq::new(501), 8080));

    let flow = Flow::new(tuple(true), Seq::new(1));
    let packet = icmp_packet(&spec("packet_too_big", None, Some(1300)), &flow, &IpSpec::default()).unwrap();
    let ip = ipv6::Packet::parse(&packet).unwrap();
    let message = Message::parse_v6(ip.src, ip.dst, ip.payload);
    let Ok(Message::TcpError { notice, .. }) = message else { panic!() };
    assert_eq!(notice, Notice::TooBig { mtu: 1300 });
    assert!(icmp_packet(&spec("nonsense", None, None), &flow, &IpSpec::default()).is_err());
}
