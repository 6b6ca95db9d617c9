use core::time::Duration;

use synfin_tcp::{CloseReason, WriteError};
use synfin_wire::{DropReason, Flags, Head};

use super::*;
use crate::testkit::*;
use crate::{SocketEvent, StackConfig};

fn connect(rig: &mut Rig, to: Endpoint) -> Result<ConnId, ConnectError> {
    rig.stack.connect(rig.now, to, ConnectOpts::default())
}

fn from(addr: Addr, port: u16) -> ConnectOpts {
    ConnectOpts { local: Some(Endpoint::new(addr, port)) }
}

#[test]
fn three_segments_open() {
    let mut rig = Rig::new();
    let id = connect(&mut rig, peer(80)).unwrap();
    let s = rig.one();
    assert_eq!((s.src.addr, s.dst, s.ack, s.flags), (US, peer(80), None, Flags::SYN));
    assert!(s.src.port >= 32_768 && s.mss == Some(1460) && s.sack && s.ts.is_some() && s.wscale.is_some());
    assert_eq!(rig.state(id), State::SynSent);
    let sa = Head { flags: Flags::SYN, opts: full_syn(0, 9).opts, ..ack(300, s.seq + 1) };
    rig.send(80, s.src.port, &sa, &[]);
    let a = rig.one();
    assert_eq!((a.seq, a.ack, a.flags), (s.seq + 1, Some(Seq::new(301)), Flags::ACK));
    assert_eq!(rig.events(), [SocketEvent::Connection(id)]);
    assert_eq!(rig.state(id), State::Established);
    assert!(rig.stack.conn(rig.now, id).unwrap().readiness().connected);
}

#[test]
fn ipv6() {
    let mut rig = Rig::new();
    let to = Endpoint::new(PEER6, 80);
    let id = connect(&mut rig, to).unwrap();
    let s = rig.one();
    assert_eq!((s.src.addr, s.dst, s.mss), (US6, to, Some(1440)));
    let sa = packet(to, s.src, &Head { flags: Flags::SYN, ..ack(300, s.seq + 1) }, &[]);
    rig.packet(&sa);
    rig.one();
    assert_eq!(rig.state(id), State::Established);
}

/// RFC 9293 MUST-46.
#[test]
fn impossible_remotes() {
    let mut rig = Rig::new();
    let v4 = |o| Endpoint::new(Addr::v4(o), 80);
    let all_nodes = Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let bad = [
        peer(0),
        v4([0; 4]),
        v4([255; 4]),
        v4([224, 0, 0, 1]),
        // Our own network's broadcast address.
        v4([10, 9, 0, 255]),
        Endpoint::new(Addr::V6_UNSPECIFIED, 80),
        Endpoint::new(all_nodes, 80),
    ];
    for to in bad {
        assert_eq!(connect(&mut rig, to), Err(ConnectError::InvalidRemote), "{to}");
    }
    rig.silence();
    assert_eq!(rig.stack.census().connections, 0);
}

#[test]
fn local_addresses() {
    let mut rig = Rig::new();
    let mut try_from = |opts| rig.stack.connect(rig.now, peer(80), opts);
    assert_eq!(try_from(from(PEER, 0)), Err(ConnectError::NotOurs));
    assert_eq!(try_from(from(US6, 0)), Err(ConnectError::NotOurs));
    let explicit = try_from(from(US, 5000)).unwrap();
    assert_eq!(try_from(from(US, 5000)), Err(ConnectError::InUse));
    assert!(try_from(from(Addr::V6_UNSPECIFIED, 5001)).is_ok());
    assert!(try_from(from(Addr::V4_UNSPECIFIED, 5002)).is_ok());
    assert_eq!(rig.stack.conn(rig.now, explicit).unwrap().get().tuple().local, us(5000));
    let six = Endpoint::new(PEER6, 80);
    assert_eq!(rig.stack.connect(rig.now, six, from(Addr::V4_UNSPECIFIED, 0)), Err(ConnectError::NotOurs));
    let cfg = StackConfig { addrs: alloc::vec![crate::Cidr { addr: US, prefix: 24 }], ..config() };
    assert_eq!(connect(&mut Rig::with(cfg), six), Err(ConnectError::NoRoute));
}

#[test]
fn ports_run_out_per_remote_endpoint() {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: 40_000..=40_003, ..config() });
    // Not taken from its listener.
    rig.listen(40_000);
    let mut ports: alloc::vec::Vec<u16> = (0..3)
        .map(|_| {
            let id = connect(&mut rig, peer(80)).unwrap();
            rig.stack.conn(rig.now, id).unwrap().get().tuple().local.port
        })
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [40_001, 40_002, 40_003]);
    assert_eq!(connect(&mut rig, peer(80)), Err(ConnectError::NoPort));
    assert!(connect(&mut rig, peer(81)).is_ok());
}

#[test]
fn no_range_no_port() {
    #[expect(clippy::reversed_empty_ranges, reason = "the point of this test")]
    let mut rig = Rig::with(StackConfig { ephemeral_ports: 5..=4, ..config() });
    assert_eq!(connect(&mut rig, peer(80)), Err(ConnectError::NoPort));
    assert!(rig.stack.connect(rig.now, peer(80), from(US, 5000)).is_ok());
}

#[test]
fn connection_limit() {
    let mut rig = Rig::with(StackConfig { max_connections: 1, ..config() });
    let id = connect(&mut rig, peer(80)).unwrap();
    assert_eq!(connect(&mut rig, peer(80)), Err(ConnectError::Limit));
    rig.stack.conn(rig.now, id).unwrap().close();
    assert!(connect(&mut rig, peer(80)).is_ok());
}

#[test]
fn refused() {
    let mut rig = Rig::new();
    let id = connect(&mut rig, peer(80)).unwrap();
    let s = rig.one();
    let r = Head { flags: Flags::RST, ..ack(0, s.seq + 1) };
    rig.send(80, s.src.port, &r, &[]);
    assert_eq!(rig.events(), [SocketEvent::Connection(id)]);
    let mut handle = rig.stack.conn(rig.now, id).unwrap();
    assert_eq!(handle.readiness().closed, Some(CloseReason::Refused));
    assert_eq!(handle.write(b"x"), Err(WriteError::Closed(CloseReason::Refused)));
    handle.close();
    assert!(rig.stack.conn(rig.now, id).is_none());
    assert_eq!(rig.stack.census(), crate::Census::default());
}

/// The peer never answers: 8 SYNs, and the end after 183 s (RFC 9293 MUST-23).
#[test]
fn nobody_answers() {
    let mut rig = Rig::new();
    let start = rig.now;
    let id = connect(&mut rig, peer(80)).unwrap();
    let mut syns = rig.sent().len();
    while rig.stack.conn(rig.now, id).unwrap().readiness().closed.is_none() {
        syns += rig.wait(Duration::from_secs(1)).len();
        assert!(rig.now.since(start).as_secs() < 200);
    }
    assert_eq!((syns, rig.now.since(start).as_secs()), (8, 183));
    let closed = rig.stack.conn(rig.now, id).unwrap().readiness().closed;
    assert_eq!(closed, Some(CloseReason::TimedOut));
    assert!(rig.stack.poll_timeout().is_never());
}

/// Both ends of the connection are the same endpoint; it opens as two that cross.
#[test]
fn a_connection_to_itself() {
    let mut rig = Rig::new();
    let id = rig.stack.connect(rig.now, us(5000), from(US, 5000)).unwrap();
    let seen = rig.record();
    assert_eq!(rig.packets().len(), 0);
    assert_eq!(rig.state(id), State::Established);
    let states: alloc::vec::Vec<_> =
        seen.lock().unwrap().iter().filter(|s| matches!(s, Seen::State(..))).cloned().collect();
    assert_eq!(
        states,
        [
            Seen::State(State::SynSent, State::SynReceived, Trigger::RcvSyn),
            Seen::State(State::SynReceived, State::Established, Trigger::RcvAckOfSyn),
        ]
    );
    let mut handle = rig.stack.conn(rig.now, id).unwrap();
    assert_eq!(handle.write(b"note to self"), Ok(12));
    drop(handle);
    assert_eq!(rig.packets().len(), 0);
    let mut buf = [0; 20];
    let mut handle = rig.stack.conn(rig.now, id).unwrap();
    assert_eq!(handle.read(&mut buf), Ok(12));
    handle.close();
    rig.packets();
    rig.wait(Duration::from_secs(61));
    assert_eq!(rig.stack.census(), crate::Census::default());
    // From outside nobody can take part.
    rig.packet(&packet(us(5000), us(5000), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::Land), 1);
}

/// A client and a server on the same stack, IPv4 and IPv6: nothing reaches the device.
#[test]
fn a_connection_to_our_own_listener() {
    for addr in [US, US6] {
        let mut rig = Rig::new();
        let l = rig.stack.listen(Endpoint::new(addr, 80), ListenOpts::default()).unwrap();
        let client = connect(&mut rig, Endpoint::new(addr, 80)).unwrap();
        assert_eq!(rig.packets().len(), 0);
        let (server, tuple) = rig.stack.accept(rig.now, l).unwrap();
        assert_eq!(tuple.remote.addr, addr);
        let data: alloc::vec::Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let (mut sent, mut got) = (0, alloc::vec::Vec::new());
        for _ in 0..1000 {
            if sent < data.len() {
                sent += rig.stack.conn(rig.now, client).unwrap().write(&data[sent..]).unwrap_or(0);
            }
            rig.packets();
            let mut buf = [0; 65_536];
            if let Ok(n) = rig.stack.conn(rig.now, server).unwrap().read(&mut buf) {
                got.extend_from_slice(&buf[..n]);
            }
            rig.wait(Duration::from_millis(1));
        }
        assert!(got == data, "{} of {}", got.len(), data.len());
    }
}

#[test]
fn stale_names_find_nothing() {
    let mut rig = Rig::new();
    let id = connect(&mut rig, peer(80)).unwrap();
    rig.stack.conn(rig.now, id).unwrap().abort();
    let next = connect(&mut rig, peer(80)).unwrap();
    assert_eq!(next.index, id.index);
    assert!(rig.stack.conn(rig.now, id).is_none());
    assert!(rig.stack.conn(rig.now, next).is_some());
    // A connection that waits for accept is not the application's yet.
    let l = rig.listen(80);
    rig.sent();
    rig.open(4000, 80, 100);
    let waiting = ConnId { index: 1, ..next };
    assert!(rig.stack.conn(rig.now, waiting).is_none());
    rig.stack.close_listener(rig.now, l);
}
