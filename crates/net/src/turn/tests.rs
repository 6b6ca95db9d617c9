use core::num::NonZeroU16;

use synfin_link::{Caps, Gso, TxChecksum};
use synfin_tcp::Shutdown;
use synfin_wire::checksum::Sum;
use synfin_wire::{Addr, Endpoint, Flags, Head, OptionsOut, Seq};

use crate::testkit::*;
use crate::{ConnId, More, StackConfig};

/// A peer whose window is 1 MB.
fn wide(rig: &mut Rig, l: crate::ListenerId, from: u16) -> (ConnId, Seq) {
    let opts = OptionsOut { mss: Some(1460), wscale: Some(10), ..OptionsOut::default() };
    rig.send(from, 80, &Head { opts, ..syn(100) }, &[]);
    let iss = rig.one().seq;
    rig.send(from, 80, &ack(101, iss + 1), &[]);
    let (id, _) = rig.stack.accept(rig.now, l).unwrap();
    (id, iss)
}

fn write(rig: &mut Rig, id: ConnId, octets: usize) {
    let data = alloc::vec![7; octets];
    assert_eq!(rig.stack.conn(rig.now, id).unwrap().write(&data), Ok(octets));
}

#[test]
fn one_segment_each_in_turn() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let ids = [4000, 4001, 4002].map(|port| wide(&mut rig, l, port).0);
    ids.into_iter().for_each(|id| write(&mut rig, id, 3 * 1460));
    let order: alloc::vec::Vec<u16> = rig.sent().iter().map(|s| s.dst.port).collect();
    assert_eq!(order, [4000, 4001, 4002, 4000, 4001, 4002, 4000, 4001, 4002]);
}

#[test]
fn budget_and_room_end_a_turn_and_nothing_is_lost() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (id, iss) = wide(&mut rig, l, 4000);
    write(&mut rig, id, 1460 * 4);
    let (now, wire) = (rig.now, &mut rig.wire);
    assert_eq!(rig.stack.poll_transmit(now, 0, wire), More::Pending);
    assert_eq!(rig.stack.poll_transmit(now, 1, wire), More::Pending);
    wire.room = 3;
    assert_eq!(rig.stack.poll_transmit(now, 64, wire), More::Pending);
    assert_eq!(wire.packets.len(), 3);
    wire.room = 64;
    assert_eq!(rig.stack.poll_transmit(now, 64, wire), More::Done);
    let starts: alloc::vec::Vec<u32> =
        wire.packets.drain(..).map(|(p, _)| Sent::parse(&p).seq.since(iss + 1)).collect();
    assert_eq!(starts, [0, 1460, 2920, 4380]);
    // Answers wait for room too.
    rig.wire.room = 0;
    rig.send(4001, 9, &syn(1), &[]);
    assert_eq!(rig.stack.poll_transmit(now, 64, &mut rig.wire), More::Pending);
    rig.wire.room = 1;
    assert!(rig.one().has(Flags::RST));
}

/// Checksum and cutting left to the device: the field holds the folded sum of the pseudo-header.
#[test]
fn offload() {
    let caps = Caps { mtu: 1500, max_gso: 65_535, tx_checksum: true };
    let mut rig = Rig::on(config(), caps);
    let l = rig.listen(80);
    // Parsed without their checksums here.
    let raw = |rig: &mut Rig| {
        let (now, wire) = (rig.now, &mut rig.wire);
        assert_eq!(rig.stack.poll_transmit(now, 64, wire), More::Done);
        wire.packets.drain(..).collect::<alloc::vec::Vec<_>>()
    };
    let opts = OptionsOut { mss: Some(1460), wscale: Some(10), ..OptionsOut::default() };
    rig.send(4000, 80, &Head { opts, ..syn(100) }, &[]);
    let (sa, meta) = raw(&mut rig).remove(0);
    assert_eq!(meta.gso, None);
    assert_eq!(meta.checksum, Some(TxChecksum { start: 20, offset: 16 }));
    let field = u16::from_be_bytes([sa[36], sa[37]]);
    assert_eq!(field, Sum::pseudo(US, PEER, 6, sa.len() as u32 - 20).partial());
    let iss = Seq::new(u32::from_be_bytes([sa[24], sa[25], sa[26], sa[27]]));
    rig.send(4000, 80, &ack(101, iss + 1), &[]);
    let (id, _) = rig.stack.accept(rig.now, l).unwrap();
    write(&mut rig, id, 14_600);
    let (data, meta) = raw(&mut rig).remove(0);
    assert_eq!(meta.gso, Some(Gso { size: NonZeroU16::new(1460).unwrap() }));
    assert_eq!(data.len(), 40 + 14_600);
    assert!(data[40..].iter().all(|&o| o == 7));
    // What the device does: sum from `start`, store at `start + offset`.
    let mut done = data.clone();
    let sum = Sum::new().add(&done[20..]).finish();
    done[36..38].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(Sent::parse(&done).text.len(), 14_600);
}

#[test]
fn ip_header_fields() {
    let mut rig = Rig::new();
    let to = Endpoint::new(PEER6, 80);
    let a = rig.stack.connect(rig.now, to, crate::ConnectOpts::default()).unwrap();
    rig.stack.conn(rig.now, a).unwrap().configure(|c, _| {
        c.set_ttl(7);
        c.set_dscp(46);
    });
    let first = rig.packets().remove(0);
    let again = rig.wait(core::time::Duration::from_secs(1));
    assert_eq!(again.len(), 1);
    assert_eq!(first[7], 7);
    let class = (first[0] & 15) << 4 | first[1] >> 4;
    assert_eq!(class, 46 << 2);
    let label = |p: &[u8]| (u32::from(p[1]) & 15) << 16 | u32::from(p[2]) << 8 | u32::from(p[3]);
    assert_ne!(label(&first), 0);
    // Another connection, another label.
    rig.stack.connect(rig.now, to, crate::ConnectOpts::default()).unwrap();
    assert_ne!(label(&rig.packets()[0]), label(&first));
    let v4 = Endpoint::new(Addr::v4([10, 9, 0, 77]), 80);
    rig.stack.connect(rig.now, v4, crate::ConnectOpts::default()).unwrap();
    let p = rig.packets().remove(0);
    assert_eq!((p[8], p[1], &p[4..8]), (64, 0, &[0, 0, 0x40, 0][..]));
}

/// RFC 2525 2.17, SECURITY C7: beyond the limit on orphans close() resets.
#[test]
fn orphan_limit() {
    let mut rig = Rig::with(StackConfig { max_orphans: 2, ..config() });
    let l = rig.listen(80);
    for (port, expect) in [(4000, Flags::FIN), (4001, Flags::FIN), (4002, Flags::RST)] {
        let (id, _) = wide(&mut rig, l, port);
        rig.stack.conn(rig.now, id).unwrap().close();
        assert!(rig.one().has(expect));
    }
    let census = rig.stack.census();
    assert_eq!((census.orphans, census.connections), (2, 2));
    // They end by themselves.
    rig.wait(core::time::Duration::from_secs(600));
    assert_eq!(rig.stack.census(), crate::Census { listeners: 1, ..crate::Census::default() });
}

/// Aborts of our own are not held back by the limit on resets for strays.
#[test]
fn many_aborts() {
    let mut rig = Rig::new();
    let l = rig.listen_with(80, crate::ListenOpts { backlog: 1000, ..crate::ListenOpts::default() });
    for port in 4000..4500 {
        rig.open(port, 80, 100);
    }
    rig.stack.close_listener(rig.now, l);
    assert_eq!(rig.sent().iter().filter(|s| s.has(Flags::RST)).count(), 500);
}

#[test]
fn a_handle_schedules_what_it_made_due() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (id, iss) = wide(&mut rig, l, 4000);
    rig.events();
    write(&mut rig, id, 10);
    assert_eq!(rig.one().text.len(), 10);
    assert!(!rig.stack.poll_timeout().is_never());
    rig.stack.conn(rig.now, id).unwrap().shutdown(Shutdown::Write);
    assert!(rig.one().has(Flags::FIN));
    // Acknowledged, and closed by the peer: news, once.
    rig.send(4000, 80, &fin(101, iss + 12), &[]);
    assert_eq!(rig.events(), [crate::SocketEvent::Connection(id)]);
    assert_eq!(rig.events(), []);
}
