//! Rules about opening that docs/rfc-ledger names and no other test shows: RFC 9293 MUST-46, 3.10.7.3, RFC 6056, RFC 4987.

mod rig;

use rig::*;
use synfin_net::{Cidr, ConnectError, ConnectOpts, ListenOpts, SynOverflow};
use synfin_tcp::{CloseReason, State};
use synfin_wire::{Addr, Endpoint};

#[test]
fn l_9293_3_10_7_3_what_waits_rides_on_the_last_segment_of_the_handshake() {
    let mut r = Rig::new();
    r.connect();
    assert_eq!(r.try_write(b"question"), Ok(8));
    none(&r.pump());
    let sa = r.syn_ack(PLAIN);
    expect(&r.send(sa), &["ACK seq=0 ack=0 len=8"]);
}

#[test]
fn l_9293_3_10_7_3_in_syn_sent_a_reset_counts_by_its_ack_field() {
    // There is no RCV.NXT yet: any sequence number will do (note N19), and nothing without the right ACK.
    for seq in [-1, 0, 77_777] {
        let mut r = Rig::new();
        r.connect();
        none(&r.send(Seg::new().flags("R").seq(seq).no_ack()));
        none(&r.send(Seg::new().flags("R").seq(seq).ack(-1)));
        none(&r.send(Seg::new().flags("R").seq(seq).ack(1)));
        assert_eq!(r.state(), State::SynSent);
        none(&r.send(Seg::new().flags("R").seq(seq).ack(0)));
        assert_eq!((r.state(), r.closed()), (State::Closed, Some(CloseReason::Refused)));
    }
}

#[test]
fn l_9293_must_46_nobody_can_be_reached_at_a_reserved_address() {
    // RFC 1122 3.2.1.3: such addresses must not appear outside of a host.
    let mut r = Rig::new();
    let loopback = Addr::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    for addr in [[127, 0, 0, 1], [127, 9, 9, 9], [0, 1, 2, 3], [240, 0, 0, 1]].map(Addr::v4) {
        let outcome = r.stack.connect(r.now, Endpoint::new(addr, 80), ConnectOpts::default());
        assert_eq!(outcome, Err(ConnectError::InvalidRemote), "{addr}");
    }
    let outcome = r.stack.connect(r.now, Endpoint::new(loopback, 80), ConnectOpts::default());
    assert_eq!(outcome, Err(ConnectError::InvalidRemote));
    none(&r.pump());
    // Unless it is ours: then nothing leaves the host.
    let home = Addr::v4([127, 0, 0, 1]);
    let mut r = Rig::with(|c| c.addrs.push(Cidr { addr: home, prefix: 8 }));
    let at = Endpoint::new(home, 80);
    r.stack.listen(at, ListenOpts::default()).expect("listen");
    r.stack.connect(r.now, at, ConnectOpts::default()).expect("connect");
    none(&r.pump());
    assert_eq!(r.stack.census().connections, 2);
}

#[test]
fn l_6056_3_2_the_port_of_a_listener_is_nobodys_ephemeral_port() {
    let mut r = Rig::with(|c| c.ephemeral_ports = 40_000..=40_003);
    let at = Endpoint::new(v4(2), 40_001);
    r.stack.listen(at, ListenOpts::default()).expect("a free port");
    let to = Endpoint::new(v4(1), 80);
    let mut ports: Vec<u16> = (0..3)
        .map(|_| r.connect_with(to, ConnectOpts::default()).expect("a free port").tuple.local.port)
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [40_000, 40_002, 40_003]);
    assert_eq!(r.stack.connect(r.now, to, ConnectOpts::default()), Err(ConnectError::NoPort));
}

/// The flow label of an IPv6 packet.
fn label(o: &Out) -> u32 {
    u32::from_be_bytes([0, o.bytes[1] & 15, o.bytes[2], o.bytes[3]])
}

#[test]
fn l_4987_4_the_syn_ack_has_the_flow_label_of_what_follows() {
    // From a half-open record, and from a cookie.
    for syn_queue in [1024, 0] {
        let mut r = Rig::v6();
        r.listen_with(ListenOpts { syn_queue, syn_overflow: SynOverflow::Cookie, ..ListenOpts::default() });
        let syn = r.syn(WIDE);
        let outs = r.send(syn);
        let first = label(one(&outs));
        assert_ne!(first, 0);
        none(&r.send(Seg::new()));
        let l = r.listener.expect("listening");
        let id = r.stack.accept(r.now, l).expect("a connection").0;
        r.side().id = Some(id);
        assert_eq!(label(one(&r.write(b"text"))), first);
        assert_eq!(r.stack.listener_stats(l).expect("listening").cookies_sent, u64::from(syn_queue == 0));
    }
}
