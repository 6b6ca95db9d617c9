use core::time::Duration;

use synfin_wire::{DropReason, Endpoint, Flags};

use super::*;
use crate::testkit::*;

/// An IPv4 fragment of `payload`'s octets `from..to`.
fn fragment(payload: &[u8], protocol: u8, id: u16, from: usize, to: usize) -> Vec<u8> {
    let mut p = ip(PEER, US, protocol, &payload[from..to]);
    let more = if to < payload.len() { 0x2000 } else { 0 };
    p[4..6].copy_from_slice(&id.to_be_bytes());
    p[6..8].copy_from_slice(&((from as u16 / 8) | more).to_be_bytes());
    seal(&mut p);
    p
}

/// Computes an IPv4 header's checksum anew.
fn seal(p: &mut [u8]) {
    let len = usize::from(p[0] & 15) * 4;
    p[10..12].fill(0);
    let sum = synfin_wire::checksum::Sum::new().add(&p[..len]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// RFC 9293 MUST-57, MUST-63: never an answer to or from many.
#[test]
fn not_for_us_alone() {
    let mut rig = Rig::new();
    rig.listen(80);
    let to = |o| Endpoint::new(Addr::v4(o), 80);
    for dst in [[10, 9, 0, 255], [255; 4], [224, 0, 0, 1]] {
        rig.packet(&packet(peer(4000), to(dst), &syn(1), &[]));
    }
    rig.broadcast(&packet(peer(4000), us(80), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::BroadcastDestination), 4);
    rig.packet(&packet(peer(4000), to([10, 9, 0, 3]), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::NotOurs), 1);
    for src in [[0; 4], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4], [10, 9, 0, 255], [240, 0, 0, 1]] {
        let from = Endpoint::new(Addr::v4(src), 4000);
        rig.packet(&packet(from, us(80), &syn(1), &[]));
        rig.packet(&packet(from, us(9), &syn(1), &[]));
    }
    assert_eq!(rig.drops(DropReason::MartianSource), 12);
    let from = Endpoint::new(Addr::V6_UNSPECIFIED, 4000);
    rig.packet(&packet(from, Endpoint::new(US6, 9), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::MartianSource), 13);
    rig.silence();
}

#[test]
fn malformed_packets_are_counted() {
    let mut rig = Rig::new();
    let good = packet(peer(4000), us(9), &syn(1), &[]);
    rig.packet(&[]);
    rig.packet(&[0x50; 40]);
    let mut bad = good.clone();
    bad[8] ^= 1;
    rig.packet(&bad);
    assert_eq!(rig.drops(DropReason::BadIpChecksum), 1);
    for len in 0..good.len() {
        rig.packet(&good[..len]);
    }
    rig.silence();
    rig.packet(&good);
    assert!(rig.one().has(Flags::RST));
}

/// A segment in three fragments, in any order, is one segment; its checksum is verified over the whole.
#[test]
fn fragments_become_a_segment() {
    let text: Vec<u8> = (0..200).collect();
    let tcp = segment(peer(4000), us(80), &syn(100), &text);
    let cuts = [(0, 64), (64, 128), (128, tcp.len())];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut rig = Rig::new();
        rig.listen(80);
        for (i, cut) in order.into_iter().enumerate() {
            rig.silence();
            assert_eq!(rig.drops(DropReason::FragmentHeld), i as u64);
            rig.packet(&fragment(&tcp, 6, 7, cuts[cut].0, cuts[cut].1));
        }
        assert!(rig.one().has(Flags::SYN));
        assert!(rig.stack.poll_timeout() <= rig.now + Duration::from_secs(1));
    }
    // Trust in the parts is no trust in the whole.
    let mut rig = Rig::new();
    let mut bad = tcp.clone();
    bad[100] ^= 1;
    for (from, to) in cuts {
        rig.trusted(&fragment(&bad, 6, 7, from, to));
    }
    assert_eq!(rig.drops(DropReason::BadTcpChecksum), 1);
}

#[test]
fn ipv6_fragments_become_a_segment() {
    let mut rig = Rig::new();
    let text: Vec<u8> = (0..200).collect();
    let tcp = segment(Endpoint::new(PEER6, 4000), Endpoint::new(US6, 9), &syn(100), &text);
    let part = |from: usize, to: usize| {
        let more = u16::from(to < tcp.len());
        let [o0, o1] = (from as u16 | more).to_be_bytes();
        let mut payload = alloc::vec![6, 0, o0, o1, 0, 0, 0, 9];
        payload.extend_from_slice(&tcp[from..to]);
        ip(PEER6, US6, 44, &payload)
    };
    rig.packet(&part(64, tcp.len()));
    rig.silence();
    rig.packet(&part(0, 64));
    assert_eq!(rig.one().ack, Some(synfin_wire::Seq::new(301)));
}

/// A fragment alone gets no answer, ever; the unfinished datagram is forgotten in time.
#[test]
fn a_lone_fragment() {
    let mut rig = Rig::new();
    let tcp = segment(peer(4000), us(9), &syn(100), &[0; 200]);
    rig.packet(&fragment(&tcp, 6, 7, 0, 64));
    rig.packet(&fragment(&tcp, 6, 8, 64, tcp.len()));
    rig.packet(&fragment(&[0; 200], 17, 9, 64, 200));
    rig.silence();
    assert!(!rig.stack.poll_timeout().is_never());
    assert_eq!(rig.wait(Duration::from_secs(61)), []);
    assert!(rig.stack.poll_timeout().is_never());
}

/// SECURITY F2: the TCP header may not be split, nor overwritten from its middle.
#[test]
fn tiny_first_fragments() {
    let mut rig = Rig::new();
    let tcp = segment(peer(4000), us(9), &full_syn(100, 1), &[0; 200]);
    rig.packet(&fragment(&tcp, 6, 7, 0, 8));
    rig.packet(&fragment(&tcp, 6, 8, 0, 24));
    rig.packet(&fragment(&tcp, 6, 9, 8, 64));
    assert_eq!(rig.drops(DropReason::BadFragment), 3);
    rig.packet(&fragment(&tcp, 6, 10, 0, 48));
    assert_eq!(rig.drops(DropReason::FragmentHeld), 1);
}

#[test]
fn random_octets_never_panic() {
    let mut rig = Rig::new();
    rig.listen(80);
    rig.open(4000, 80, 100);
    let valid = [
        packet(peer(4000), us(80), &full_syn(5, 9), b"text"),
        packet(Endpoint::new(PEER6, 1), Endpoint::new(US6, 80), &full_syn(5, 9), b"text"),
        fragment(&segment(peer(4000), us(80), &syn(100), &[0; 200]), 6, 7, 0, 64),
        ip(
            PEER,
            US,
            1,
            &[3, 3, 0, 0, 0, 0, 0, 0, 69, 0, 0, 40, 0, 0, 0, 0, 0, 6, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1],
        ),
    ];
    let mut random: u64 = 1;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    for _ in 0..200_000 {
        let mut p = valid[next() % valid.len()].clone();
        for _ in 0..next() % 6 {
            let at = next() % p.len();
            p[at] = next() as u8;
        }
        p.truncate(p.len() - (next() % 20).min(p.len()) * (next() % 2));
        if next() % 2 == 0 && p.len() > 20 && p[0] == 0x45 {
            seal(&mut p);
        }
        rig.trusted(&p);
        rig.packets();
    }
}
