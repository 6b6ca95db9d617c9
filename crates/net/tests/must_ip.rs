//! RFC 9293 MUST-47 to 57 and 63: IP below and ICMP (sections 3.9.1.8, 3.9.1.9, 3.9.2).

mod rig;

use rig::*;
use synfin_link::{Caps, RxMeta};
use synfin_tcp::{SoftError, State};
use synfin_wire::{Addr, DropReason};

#[test]
fn must_47_soft_errors_are_reported() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    none(&r.icmp(3, 1, 0, 0));
    assert_eq!(r.count_seen(&Seen::Soft(SoftError::HostUnreachable)), 1);
    assert_eq!(r.handle().configure(|c, _| c.take_soft_error()), Some(SoftError::HostUnreachable));
    assert_eq!(r.handle().configure(|c, _| c.take_soft_error()), None);
    r.advance(s(8));
    assert_eq!(r.count_seen(&Seen::Soft(SoftError::Retransmitting)), 1);
    assert_eq!(r.handle().configure(|c, _| c.take_soft_error()), Some(SoftError::Retransmitting));
}

#[test]
fn must_48_the_application_sets_diffserv() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_dscp(46));
    let mut outs = r.write(b"x");
    outs.extend(r.advance(s(4)));
    none(&r.send(Seg::new().text(b"y")));
    outs.extend(r.advance(s(1)));
    outs.extend(r.shutdown());
    outs.extend(r.send(Seg::new().text(b"z").flags("F")));
    outs.extend(r.send(Seg::new().seq(1).flags("F")));
    assert!(outs.len() >= 6, "{}", lines(&outs));
    assert!(outs.iter().all(|o| o.tos == 46 << 2), "{}", lines(&outs));
}

#[test]
fn must_49_time_to_live_is_configurable() {
    for v6 in [false, true] {
        let mut r = Rig::with(|c| c.tcp.ttl = 5);
        if v6 {
            r.use_v6();
        }
        let mut outs = vec![r.connect()];
        let sa = r.syn_ack(PLAIN);
        outs.extend(r.send(sa));
        outs.extend(r.write(b"text"));
        outs.extend(r.abort());
        outs.extend(r.send(Seg::new().text(b"for nobody")));
        assert!(outs.last().is_some_and(|o| o.has('R')));
        assert!(outs.iter().all(|o| o.ttl == 5), "{}", lines(&outs));
    }
    let mut r = Rig::established(PLAIN);
    assert_eq!(r.write(b"x")[0].ttl, 64);
    r.handle().configure(|c, _| c.set_ttl(9));
    assert_eq!(r.shutdown()[0].ttl, 9);
}

#[test]
fn must_50_unknown_ip_options_are_ignored() {
    let mut r = Rig::established(PLAIN);
    let tcp = Seg::new().text(b"hello").octets(r.side());
    let packet = packet::ip_with(v4(1), v4(2), 6, &[0x9e, 6, 1, 2, 3, 4, 1, 0], &tcp);
    r.inject(&packet);
    assert_eq!(r.read(9).as_deref(), Ok(&b"hello"[..]));
}

#[test]
fn must_53_source_routed_packets_are_dropped_by_policy() {
    // MUST-51 to 53 are about IPv4 source routes. None is ever sent, and RFC 7126 4.3, 4.4 advise to drop what has one.
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN).octets(r.side());
    for kind in [0x83, 0x89] {
        let packet = packet::ip_with(v4(1), v4(2), 6, &[kind, 7, 8, 10, 9, 0, 7, 0], &syn);
        none(&r.inject(&packet));
    }
    assert_eq!(r.drops(DropReason::SourceRoute), 2);
    assert_eq!(r.stack.census().half_open, 0);
}

#[test]
fn must_54_icmp_errors_go_to_their_connection() {
    let mut r = Rig::established(PLAIN);
    let a = r.at;
    r.write(b"hello");
    r.peer(4001);
    r.accept_peer(PLAIN);
    let b = r.at;
    r.write(b"hello");
    r.speak_for(a);
    none(&r.icmp(3, 1, 0, 0));
    assert_eq!(r.info().soft_error, Some(SoftError::HostUnreachable));
    r.speak_for(b);
    assert_eq!(r.info().soft_error, None);
    // In flight are 0 to 4; anything else is not about us.
    for seq in [-1, 5, 6, 1000, -1000] {
        none(&r.icmp(3, 1, 0, seq));
        assert_eq!(r.info().soft_error, None, "quoting {seq}");
    }
    let mut other = r.side().clone();
    other.tuple.remote.port = 4002;
    let packet = packet::icmp_error(&other, 3, 1, 0, 0);
    none(&r.inject(&packet));
    assert_eq!(r.info().soft_error, None);
    assert_eq!(r.drops(DropReason::IcmpUnmatched), 6);
    none(&r.icmp(3, 1, 0, 4));
    assert_eq!(r.info().soft_error, Some(SoftError::HostUnreachable));
}

#[test]
fn must_55_source_quench_is_dropped_silently() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    let before = r.info();
    none(&r.icmp(4, 0, 0, 0));
    assert_eq!(r.info(), before);
    assert_eq!(r.state(), State::Established);
    assert!(!r.seen().iter().any(|(_, s)| matches!(s, Seen::Soft(_))));
}

#[test]
fn must_56_soft_icmp_errors_do_not_abort() {
    for (kind, code) in [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0), (12, 1)] {
        let mut r = Rig::established(PLAIN);
        r.write(b"hello");
        none(&r.icmp(kind, code, 0, 0));
        assert_eq!(r.state(), State::Established, "{kind}/{code}");
        let mut r = Rig::new();
        r.connect();
        none(&r.icmp(kind, code, 0, -1));
        assert_eq!(r.state(), State::SynSent, "{kind}/{code}");
    }
    for (kind, code) in [(1, 0), (1, 3), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)] {
        let mut r = Rig::v6();
        r.accept_peer(PLAIN);
        r.write(b"hello");
        none(&r.icmp(kind, code, 0, 0));
        assert_eq!(r.state(), State::Established, "v6 {kind}/{code}");
        assert!(r.info().soft_error.is_some(), "v6 {kind}/{code}");
    }
}

#[test]
fn must_57_segments_to_many_are_dropped_silently() {
    let mut r = Rig::new();
    r.listen();
    let all_nodes = Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let many = [
        Addr::v4([10, 9, 0, 255]),
        Addr::v4([255; 4]),
        Addr::v4([224, 0, 0, 1]),
        Addr::v4([239, 9, 9, 9]),
        all_nodes,
    ];
    for dst in many {
        let mut side = r.side().clone();
        side.tuple.local.addr = dst;
        side.tuple.remote.addr = if dst.is_v4() { v4(1) } else { v6(1) };
        for seg in [Seg::new().flags("S").no_ack(), Seg::new(), Seg::new().text(b"x")] {
            none(&r.inject(&seg.packet(&side)));
        }
    }
    assert_eq!(r.drops(DropReason::BroadcastDestination), 15);
    // A broadcast of the link with our address in it.
    let syn = r.syn(PLAIN);
    let packet = r.packet(&syn);
    none(&r.inject_as(&packet, RxMeta { link_broadcast: true, ..RxMeta::default() }));
    assert_eq!(r.stack.census().half_open, 0);
    assert_eq!(one(&r.inject(&packet)).brief(), "SYN,ACK seq=-1 ack=0");
}

#[test]
fn must_63_segments_from_invalid_sources_are_ignored() {
    let mut r = Rig::host(2, Caps::plain(1500), |_| {});
    r.listen();
    let bad = [
        Addr::V4_UNSPECIFIED,
        Addr::v4([0, 1, 2, 3]),
        Addr::v4([255; 4]),
        Addr::v4([10, 9, 0, 255]),
        Addr::v4([224, 0, 0, 1]),
        Addr::v4([127, 0, 0, 1]),
        Addr::v4([240, 0, 0, 1]),
        v4(2),
        Addr::V6_UNSPECIFIED,
        Addr::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]),
        v6(2),
    ];
    for src in bad {
        let mut side = r.side().clone();
        side.tuple.remote.addr = src;
        side.tuple.local.addr = if src.is_v4() { v4(2) } else { v6(2) };
        for port in [PORT, 81] {
            side.tuple.local.port = port;
            for seg in [Seg::new().flags("S").no_ack(), Seg::new(), Seg::new().text(b"x")] {
                none(&r.inject(&seg.packet(&side)));
            }
        }
    }
    let census = r.stack.census();
    assert_eq!((census.half_open, census.connections), (0, 0));
    assert_eq!(r.drops(DropReason::MartianSource), 72);
}
