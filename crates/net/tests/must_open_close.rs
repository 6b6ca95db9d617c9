//! RFC 9293 MUST-8 to 13 and 41 to 46: sequence numbers, opening, closing (sections 3.4.1, 3.5, 3.6, 3.9.1.1).

mod rig;

use rig::*;
use synfin_link::Caps;
use synfin_net::{Cidr, ConnectError, ConnectOpts, ListenError, ListenOpts, Secrets, Stack, StackConfig};
use synfin_tcp::{CloseReason, ReadError, State, WriteError};
use synfin_wire::{Addr, Endpoint, Instant};

/// The ISS of an active open from this port, aborted again.
fn iss(r: &mut Rig, port: u16) -> u32 {
    let opts = ConnectOpts { local: Some(Endpoint::new(v4(2), port)) };
    let syn = r.connect_with(Endpoint::new(v4(1), 4000), opts).expect("connect");
    none(&r.abort());
    syn.raw_seq
}

#[test]
fn must_08_isn_follows_a_clock() {
    let mut r = Rig::new();
    let first = iss(&mut r, 5555);
    r.advance(s(1));
    // A tick every 4 microseconds.
    let second = iss(&mut r, 5555);
    assert!(second.wrapping_sub(first).abs_diff(250_000) <= 1, "{first} {second}");
    // The clock goes round as the sequence space does.
    r.advance(s(5 * 3600));
    let third = iss(&mut r, 5555);
    let want = (5u64 * 3600 * 250_000) as u32;
    assert!(third.wrapping_sub(second).wrapping_sub(want) <= 1);
}

#[test]
fn must_09_isn_cannot_be_computed_from_outside() {
    let mut r = Rig::new();
    let numbers: Vec<u32> = (2000..4000).map(|port| iss(&mut r, port)).collect();
    // Each bit is set about half of the time: 1000 of 2000, standard deviation 22.
    for bit in 0..32 {
        let ones = numbers.iter().filter(|n| *n >> bit & 1 == 1).count();
        assert!((850..=1150).contains(&ones), "bit {bit}: {ones} of 2000");
    }
    // Neighbouring ports tell nothing of each other: no distance comes twice.
    let mut steps: Vec<u32> = numbers.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    steps.sort_unstable();
    steps.dedup();
    assert!(steps.len() > 1990, "{}", steps.len());
    // Another key, other numbers.
    let mut other = Rig::host(2, Caps::plain(1500), |_| {});
    let cfg = StackConfig { addrs: vec![Cidr { addr: v4(2), prefix: 24 }], ..StackConfig::default() };
    other.stack = Stack::new(cfg, Caps::plain(1500), Secrets([9; 64]));
    assert_ne!(iss(&mut other, 2000), numbers[0]);
    // And it is not shown.
    assert_eq!(format!("{:?}", Secrets([9; 64])), "Secrets(..)");
}

#[test]
fn must_10_simultaneous_open() {
    let mut r = Rig::new();
    r.connect();
    let syn = r.syn(PLAIN);
    expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
    assert_eq!(r.state(), State::SynReceived);
    let sa = r.syn_ack(PLAIN);
    let outs = r.send(sa);
    assert_eq!(r.state(), State::Established);
    expect(&outs, &["ACK seq=0 ack=0"]);
    // Text flows both ways.
    expect(&r.write(b"hi"), &["ACK seq=0 ack=0 len=2"]);
    r.send(Seg::new().text(b"ho"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"ho"[..]));
}

#[test]
fn must_11_syn_received_remembers_its_origin() {
    // Passive: back to LISTEN, nobody is told.
    let mut r = Rig::new();
    let l = r.listen();
    let syn = r.syn(PLAIN);
    r.send(syn);
    assert_eq!(r.state(), State::SynReceived);
    none(&r.send(Seg::new().flags("R").seq(0)));
    assert_eq!(r.state(), State::Closed);
    assert_eq!(r.stack.accept_queue(l), 0);
    assert!(r.stack.poll_event().is_none());
    r.accept_peer(PLAIN);
    // Active: refused.
    let mut r = Rig::in_state(State::SynReceived);
    none(&r.send(Seg::new().flags("R").seq(0)));
    assert_eq!(r.state(), State::Closed);
    assert_eq!(r.closed(), Some(CloseReason::Refused));
}

#[test]
fn must_12_the_application_learns_how_it_ended() {
    let mut r = Rig::established(PLAIN);
    assert_eq!(r.read(1), Err(ReadError::WouldBlock));
    r.send(Seg::new().flags("F"));
    assert_eq!(r.read(1), Ok(vec![]));

    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().flags("R"));
    assert_eq!(r.read(1), Err(ReadError::Closed(CloseReason::Reset)));
    assert_eq!(r.try_write(b"x"), Err(WriteError::Closed(CloseReason::Reset)));

    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_user_timeout(Some(s(5))));
    r.write(b"x");
    r.advance(s(20));
    assert_eq!(r.read(1), Err(ReadError::Closed(CloseReason::TimedOut)));
    assert_eq!(r.try_write(b"x"), Err(WriteError::Closed(CloseReason::TimedOut)));
}

#[test]
fn must_13_time_wait_lasts_two_msl() {
    for msl in [30, 120] {
        let time_wait = || {
            let mut r = Rig::with(|c| c.tcp.msl = s(msl));
            r.accept_peer(PLAIN);
            r.bring_to(State::TimeWait);
            r
        };
        // Not before, and then it is gone: a late segment meets CLOSED (the listener answers it as such).
        let mut r = time_wait();
        none(&r.advance(s(2 * msl) - ms(1)));
        assert_eq!(r.state(), State::TimeWait);
        none(&r.advance(ms(2)));
        assert_eq!(r.state(), State::Closed);
        assert_eq!(r.stack.census().time_wait, 0);
        expect(&r.send(Seg::new().flags("F").seq(0)), &["RST seq=1"]);
        // Until the end the peer's FIN is answered, and 2 MSL begin again.
        let mut r = time_wait();
        r.advance(s(2 * msl) - ms(1));
        expect(&r.send(Seg::new().flags("F").seq(0)), &["ACK seq=1 ack=1"]);
        none(&r.advance(s(2 * msl) - ms(1)));
        assert_eq!(r.state(), State::TimeWait);
        none(&r.advance(ms(2)));
        assert_eq!(r.state(), State::Closed);
    }
}

#[test]
fn must_41_passive_open_makes_a_record_or_fails() {
    let mut r = Rig::new();
    let at = Endpoint::new(v4(2), 80);
    let l = r.stack.listen(at, ListenOpts::default()).expect("first");
    assert_eq!(r.stack.listen(at, ListenOpts::default()), Err(ListenError::InUse));
    let syn = r.syn(PLAIN);
    r.send(syn);
    r.send(Seg::new());
    assert_eq!(r.stack.accept_queue(l), 1);
    // Open connections are no obstacle and are not touched.
    assert_eq!(r.stack.listen(at, ListenOpts::default()), Err(ListenError::InUse));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn must_42_listen_beside_syn_sent_and_syn_received() {
    let mut r = Rig::new();
    let opts = ConnectOpts { local: Some(Endpoint::new(v4(2), 80)) };
    r.connect_with(Endpoint::new(v4(1), 9999), opts).expect("connect");
    let sent = r.at;
    r.listen();
    // A half-open child of the listener is no obstacle to others.
    r.peer(4001);
    let syn = r.syn(PLAIN);
    r.send(syn);
    assert_eq!(r.state(), State::SynReceived);
    r.peer(4002);
    r.accept_peer(PLAIN);
    r.speak_for(sent);
    assert_eq!(r.state(), State::SynSent);
    let sa = r.syn_ack(PLAIN);
    r.send(sa);
    assert_eq!(r.state(), State::Established);
}

/// A host with two addresses in two networks.
fn two_homed() -> Rig {
    Rig::with(|c| c.addrs.push(Cidr { addr: Addr::v4([10, 8, 0, 2]), prefix: 16 }))
}

#[test]
fn must_43_open_takes_a_local_address() {
    let b = Addr::v4([10, 8, 0, 2]);
    let mut r = two_homed();
    let opts = ConnectOpts { local: Some(Endpoint::new(b, 0)) };
    let syn = r.connect_with(Endpoint::new(v4(1), 4000), opts).expect("connect");
    assert_eq!(syn.tuple.local.addr, b);
    // A listener at B does not answer for A.
    r.stack.listen(Endpoint::new(b, 80), ListenOpts::default()).expect("listen");
    r.peer(4001);
    let syn = r.syn(PLAIN);
    assert!(one(&r.send(syn)).has('R'));
    // An address that is not ours is an error.
    let not_ours = Endpoint::new(v4(99), 0);
    let to = Endpoint::new(v4(1), 4000);
    let opts = ConnectOpts { local: Some(not_ours) };
    assert_eq!(r.stack.connect(r.now, to, opts), Err(ConnectError::NotOurs));
    assert_eq!(r.stack.listen(Endpoint::new(v4(99), 81), ListenOpts::default()), Err(ListenError::NotOurs));
}

#[test]
fn must_44_the_source_address_is_chosen_before_the_first_syn() {
    let mut r = two_homed();
    for (to, from) in [(v4(1), v4(2)), (Addr::v4([10, 8, 7, 7]), Addr::v4([10, 8, 0, 2])), (v6(1), v6(2))] {
        let syn = r.connect_with(Endpoint::new(to, 4000), ConnectOpts::default()).expect("connect");
        assert_eq!(syn.tuple.local.addr, from, "towards {to}");
    }
}

#[test]
fn must_45_the_local_address_stays() {
    let mut r = two_homed();
    let b = Addr::v4([10, 8, 0, 2]);
    let opts = ConnectOpts { local: Some(Endpoint::new(b, 0)) };
    let syn = r.connect_with(Endpoint::new(v4(1), 4000), opts).expect("connect");
    let mut outs = vec![syn];
    let sa = r.syn_ack(PLAIN);
    outs.extend(r.send(sa));
    outs.extend(r.write(b"hello"));
    outs.extend(r.advance(s(4)));
    outs.extend(r.shutdown());
    outs.extend(r.send(Seg::new().flags("F")));
    assert!(outs.len() >= 5);
    assert!(outs.iter().all(|o| o.tuple.local.addr == b), "{}", lines(&outs));
}

#[test]
fn must_46_open_to_an_invalid_address_fails() {
    let mut r = Rig::new();
    let bad = [
        Addr::v4([255; 4]),
        Addr::v4([10, 9, 0, 255]),
        Addr::v4([224, 0, 0, 1]),
        Addr::v4([239, 1, 2, 3]),
        Addr::V4_UNSPECIFIED,
        Addr::V6_UNSPECIFIED,
        Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for addr in bad {
        let outcome = r.stack.connect(r.now, Endpoint::new(addr, 80), ConnectOpts::default());
        assert_eq!(outcome, Err(ConnectError::InvalidRemote), "{addr}");
    }
    let outcome = r.stack.connect(r.now, Endpoint::new(v4(1), 0), ConnectOpts::default());
    assert_eq!(outcome, Err(ConnectError::InvalidRemote));
    none(&r.pump());
    assert_eq!(r.stack.census().connections, 0);
    assert_eq!(r.stack.poll_timeout(), Instant::NEVER);
}
