use alloc::vec::Vec;

use synfin_tcp::{Config, SoftError, State};
use synfin_wire::checksum::Sum;
use synfin_wire::{Flags, Head, ipv4, ipv6};

use super::*;
use crate::testkit::*;
use crate::{ConnectOpts, StackConfig};

/// An ICMPv4 message in a packet.
fn v4(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut m = alloc::vec![kind, code, 0, 0];
    m.extend_from_slice(rest);
    let sum = Sum::new().add(&m).finish();
    m[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(PEER, US, 1, &m)
}

fn v6(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut m = alloc::vec![kind, code, 0, 0];
    m.extend_from_slice(rest);
    let sum = Sum::pseudo(PEER6, US6, 58, m.len() as u32).add(&m).finish();
    m[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(PEER6, US6, 58, &m)
}

/// An error about the packet `quoted`, of which it holds `len` octets.
fn error(kind: u8, code: u8, quoted: &[u8], len: usize) -> Vec<u8> {
    let mut rest = alloc::vec![0; 4];
    rest.extend_from_slice(&quoted[..len.min(quoted.len())]);
    v4(kind, code, &rest)
}

#[test]
fn echo() {
    let mut rig = Rig::new();
    rig.packet(&v4(8, 0, b"\0\x01\0\x02hello"));
    let out = rig.packets();
    let p = ipv4::Packet::parse(&out[0]).unwrap();
    assert_eq!((p.src, p.dst, p.protocol), (US, PEER, 1));
    assert_eq!(Sum::new().add(p.payload).finish(), 0);
    assert_eq!((&p.payload[..2], &p.payload[4..]), (&[0, 0][..], &b"\0\x01\0\x02hello"[..]));
    rig.packet(&v6(128, 0, b"\0\x01\0\x02hello"));
    let out = rig.packets();
    let p = ipv6::Packet::parse(&out[0]).unwrap();
    assert_eq!((p.src, p.dst, p.protocol), (US6, PEER6, 58));
    assert_eq!(Sum::pseudo(US6, PEER6, 58, p.payload.len() as u32).add(p.payload).finish(), 0);
    assert_eq!((&p.payload[..2], &p.payload[4..]), (&[129, 0][..], &b"\0\x01\0\x02hello"[..]));
}

#[test]
fn echo_is_limited_and_not_for_many() {
    let mut rig = Rig::new();
    let request = v4(8, 0, &[0; 12]);
    let mut to_all = request.clone();
    to_all[16..20].copy_from_slice(&[10, 9, 0, 255]);
    to_all[10..12].fill(0);
    let sum = Sum::new().add(&to_all[..20]).finish();
    to_all[10..12].copy_from_slice(&sum.to_be_bytes());
    rig.packet(&to_all);
    rig.broadcast(&request);
    rig.silence();
    for _ in 0..1000 {
        rig.packet(&request);
    }
    assert_eq!(rig.packets().len(), 50);
    assert_eq!(rig.drops(DropReason::RateLimited), 950);
}

/// RFC 1122 3.2.2.1, 4.1.3.1; RFC 4443 3.1, 3.4.
#[test]
fn unreachable_port_and_protocol() {
    let mut rig = Rig::new();
    let udp = ip(PEER, US, 17, &[0x10, 0, 0, 53, 0, 8, 0, 0]);
    rig.packet(&udp);
    rig.packet(&ip(PEER, US, 132, &[0; 20]));
    let out = rig.packets();
    let kinds: Vec<_> = out
        .iter()
        .map(|p| {
            let p = ipv4::Packet::parse(p).unwrap();
            assert_eq!(Sum::new().add(p.payload).finish(), 0);
            (p.payload[0], p.payload[1])
        })
        .collect();
    assert_eq!(kinds, [(3, 3), (3, 2)]);
    assert_eq!(ipv4::Packet::parse(&out[0]).unwrap().payload[8..], udp);
    rig.packet(&ip(PEER6, US6, 17, &[0x10, 0, 0, 53, 0, 8, 0, 0]));
    rig.packet(&ip(PEER6, US6, 132, &[0; 2000]));
    let out = rig.packets();
    let p = ipv6::Packet::parse(&out[0]).unwrap();
    assert_eq!(p.payload[..2], [1, 4]);
    let p = ipv6::Packet::parse(&out[1]).unwrap();
    // Parameter problem, unrecognised next header, which stands at octet 6; 1280 octets in all.
    assert_eq!(
        (&p.payload[..8][..2], &p.payload[4..8], out[1].len()),
        (&[4, 1][..], &[0, 0, 0, 6][..], 1280)
    );
    assert_eq!(rig.drops(DropReason::UnknownProtocol), 4);
}

/// RFC 1122 3.2.2: what must not cause an error (SECURITY I7).
#[test]
fn no_error_about() {
    let mut rig = Rig::new();
    let udp = ip(PEER, US, 17, &[0x10, 0, 0, 53, 0, 8, 0, 0]);
    // An error, a broadcast, a fragment, a source that is no host.
    rig.packet(&error(3, 3, &udp, 28));
    rig.broadcast(&udp);
    let mut part = udp.clone();
    part[6] = 0x20;
    part[10..12].fill(0);
    let sum = Sum::new().add(&part[..20]).finish();
    part[10..12].copy_from_slice(&sum.to_be_bytes());
    rig.packet(&part);
    rig.packet(&ip(Addr::v4([224, 0, 0, 1]), US, 17, &[0; 8]));
    rig.packet(&ip(US, US, 17, &[0; 8]));
    assert_eq!(rig.packets().len(), 0);
    for _ in 0..100_000 {
        rig.packet(&udp);
    }
    // At most 50 at once; how many exactly is blurred.
    let told = rig.packets().len();
    assert!((20..=50).contains(&told), "{told}");
}

fn connect(rig: &mut Rig) -> (crate::ConnId, Vec<u8>) {
    let id = rig.stack.connect(rig.now, peer(80), ConnectOpts::default()).unwrap();
    let syn = rig.packets().remove(0);
    (id, syn)
}

/// RFC 5927 4, 5.2: only an error about our SYN counts; a hard one ends the open, a soft one is noted.
#[test]
fn errors_about_our_syn() {
    let mut rig = Rig::new();
    let (id, syn) = connect(&mut rig);
    let mut other = syn.clone();
    other[24] ^= 1;
    rig.packet(&error(3, 3, &other, 28));
    assert_eq!(rig.drops(DropReason::IcmpUnmatched), 1);
    let mut elsewhere = syn.clone();
    elsewhere[20] ^= 1;
    rig.packet(&error(3, 3, &elsewhere, 28));
    assert_eq!(rig.drops(DropReason::IcmpUnmatched), 2);
    rig.packet(&error(3, 3, &syn, 27));
    assert_eq!(rig.drops(DropReason::BadIcmp), 1);
    rig.packet(&error(3, 1, &syn, 28));
    assert_eq!(rig.state(id), State::SynSent);
    let soft = rig.stack.conn(rig.now, id).unwrap().configure(|c, _| c.take_soft_error());
    assert_eq!(soft, Some(SoftError::HostUnreachable));
    rig.events();
    rig.packet(&error(3, 3, &syn, 28));
    assert_eq!(rig.state(id), State::Closed);
    assert_eq!(rig.events(), [crate::SocketEvent::Connection(id)]);
    assert_eq!(rig.stack.conn(rig.now, id).unwrap().readiness().closed, Some(CloseReason::Refused));
    assert!(rig.stack.poll_timeout().is_never());
}

/// Profile linux, I1.
#[test]
fn errors_about_our_syn_in_profile_linux() {
    let mut rig = Rig::with(StackConfig { tcp: Config::linux(), ..config() });
    let (id, syn) = connect(&mut rig);
    rig.packet(&error(3, 1, &syn, 28));
    assert_eq!(rig.state(id), State::Closed);
}

/// RFC 5927 5.2: once open, nothing that ICMP says ends a connection.
#[test]
fn errors_about_an_open_connection() {
    let mut rig = Rig::new();
    let (id, syn) = connect(&mut rig);
    let s = Sent::parse(&syn);
    rig.send(80, s.src.port, &Head { flags: Flags::SYN, ..ack(300, s.seq + 1) }, &[]);
    rig.sent();
    rig.stack.conn(rig.now, id).unwrap().write(b"text").unwrap();
    let data = rig.packets().remove(0);
    for (kind, code) in [(3, 0), (3, 2), (3, 3), (3, 13), (11, 0), (12, 0), (4, 0)] {
        rig.packet(&error(kind, code, &data, 28));
        assert_eq!(rig.state(id), State::Established);
    }
}

/// The half-open record, by profile (docs/profiles.md).
#[test]
fn errors_about_our_syn_ack() {
    for (tcp, kind, code, left) in [
        (Config::default(), 3, 3, 0),
        (Config::default(), 3, 1, 1),
        (Config::default(), 4, 0, 1),
        (Config::linux(), 3, 3, 1),
        (Config::linux(), 3, 13, 1),
        (Config::linux(), 3, 1, 0),
        (Config::linux(), 11, 0, 0),
    ] {
        let mut rig = Rig::with(StackConfig { tcp, ..config() });
        rig.listen(80);
        rig.send(4000, 80, &syn(100), &[]);
        let syn_ack = rig.packets().remove(0);
        let mut other = syn_ack.clone();
        other[27] ^= 1;
        rig.packet(&error(kind, code, &other, 28));
        assert_eq!(rig.stack.census().half_open, 1);
        rig.packet(&error(kind, code, &syn_ack, 28));
        assert_eq!(rig.stack.census().half_open, left, "{kind} {code}");
    }
}

#[test]
fn packet_too_big_lowers_the_segment_size() {
    let mut rig = Rig::new();
    let (id, syn) = connect(&mut rig);
    let s = Sent::parse(&syn);
    let mut opts = full_syn(0, 5).opts;
    opts.ts = None;
    rig.send(80, s.src.port, &Head { flags: Flags::SYN, opts, ..ack(300, s.seq + 1) }, &[]);
    rig.sent();
    rig.stack.conn(rig.now, id).unwrap().write(&[1; 1460]).unwrap();
    let data = rig.packets().remove(0);
    assert_eq!(data.len(), 1500);
    let mut rest = alloc::vec![0, 0, 4, 0xb0];
    rest.extend_from_slice(&data[..28]);
    rig.packet(&v4(3, 4, &rest));
    let again: Vec<usize> = rig.packets().iter().map(Vec::len).collect();
    assert_eq!(again[0], 1200);
}
