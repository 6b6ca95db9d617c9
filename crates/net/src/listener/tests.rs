use core::time::Duration;

use synfin_tcp::{Config, Quirks, State};
use synfin_wire::{DropReason, Flags, Seq};

use super::*;
use crate::testkit::*;
use crate::{AcceptOverflow, ListenError, SocketEvent, StackConfig, SynOverflow};

fn opts(backlog: u32, syn_queue: u32) -> ListenOpts {
    ListenOpts { backlog, syn_queue, syn_overflow: SynOverflow::Drop, ..ListenOpts::default() }
}

#[test]
fn the_most_specific_address_wins() {
    let mut l = Listeners::new();
    let port = |addr| Endpoint::new(addr, 80);
    let both = l.insert(port(Addr::V6_UNSPECIFIED), ListenOpts::default());
    assert_eq!((l.find(port(US)), l.find(port(US6))), (Some(both), Some(both)));
    let v4 = l.insert(port(Addr::V4_UNSPECIFIED), ListenOpts::default());
    assert_eq!((l.find(port(US)), l.find(port(US6))), (Some(v4), Some(both)));
    let exact = l.insert(port(US), ListenOpts::default());
    assert_eq!((l.find(port(US)), l.find(port(PEER))), (Some(exact), Some(v4)));
    l.remove(exact);
    l.remove(both);
    assert_eq!((l.find(port(US)), l.find(port(US6))), (Some(v4), None));
    assert_eq!(l.find(Endpoint::new(US, 81)), None);
}

/// RFC 9293 MUST-41.
#[test]
fn one_listener_per_endpoint() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    assert_eq!(rig.stack.listen(us(80), ListenOpts::default()), Err(ListenError::InUse));
    assert_eq!(rig.stack.listen(peer(80), ListenOpts::default()), Err(ListenError::NotOurs));
    let any = rig.stack.listen(us(0), ListenOpts::default()).unwrap();
    let at = rig.stack.listener_endpoint(any).unwrap();
    assert!(at.addr == US && at.port >= 32_768, "{at}");
    rig.stack.close_listener(rig.now, l);
    assert_eq!(rig.stack.listener_endpoint(l), None);
    assert!(rig.stack.listen(us(80), ListenOpts::default()).is_ok());
}

#[test]
fn no_port_left_to_listen_on() {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: 40_000..=40_001, ..config() });
    rig.listen(0);
    rig.listen(0);
    assert_eq!(rig.stack.listen(us(0), ListenOpts::default()), Err(ListenError::NoPort));
}

#[test]
fn accept_takes_connections_in_order_and_events_name_each_once() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    for port in 4000..4003 {
        rig.open(port, 80, 100);
    }
    assert_eq!(rig.events(), [SocketEvent::Listener(l)]);
    assert_eq!(rig.stack.accept_queue(l), 3);
    for port in 4000..4003 {
        let (id, tuple) = rig.stack.accept(rig.now, l).unwrap();
        assert_eq!(tuple.remote.port, port);
        // Others wait still; and the connection itself is news.
        let events = rig.events();
        assert_eq!(events.contains(&SocketEvent::Listener(l)), port < 4002);
        assert!(events.contains(&SocketEvent::Connection(id)));
        assert_eq!(rig.state(id), State::Established);
    }
    assert_eq!(rig.stack.accept(rig.now, l), None);
}

#[test]
fn syn_queue_full_drops_silently() {
    let mut rig = Rig::new();
    let l = rig.listen_with(80, opts(8, 3));
    for port in 4000..4010 {
        rig.send(port, 80, &syn(100), &[]);
    }
    assert_eq!(rig.sent().len(), 3);
    assert_eq!(rig.drops(DropReason::SynQueueFull), 7);
    let stats = rig.stack.listener_stats(l).unwrap();
    assert_eq!((stats.half_open, stats.syn_overflows, stats.cookies_sent), (3, 7, 0));
    // A place gets free.
    rig.send(4000, 80, &rst(101), &[]);
    rig.send(4009, 80, &syn(100), &[]);
    assert_eq!(rig.sent().len(), 1);
}

#[test]
fn half_open_limit_of_the_stack() {
    let mut rig = Rig::with(StackConfig { max_half_open: 2, ..config() });
    rig.listen_with(80, opts(8, 100));
    rig.listen_with(81, opts(8, 100));
    for (from, to) in [(4000, 80), (4001, 81), (4002, 80), (4003, 81)] {
        rig.send(from, to, &syn(100), &[]);
    }
    assert_eq!(rig.sent().len(), 2);
    assert_eq!(rig.stack.census().half_open, 2);
}

/// Ignored: the handshake completes when there is room again; new SYNs are dropped meanwhile.
#[test]
fn accept_queue_full_ignores() {
    let mut rig = Rig::new();
    let l = rig.listen_with(80, opts(1, 8));
    rig.send(4000, 80, &syn(100), &[]);
    rig.send(4001, 80, &syn(100), &[]);
    let sa: alloc::vec::Vec<Sent> = rig.sent();
    rig.send(4000, 80, &ack(101, sa[0].seq + 1), &[]);
    rig.send(4001, 80, &ack(101, sa[1].seq + 1), &[]);
    rig.send(4002, 80, &syn(100), &[]);
    rig.silence();
    assert_eq!(rig.drops(DropReason::AcceptQueueFull), 2);
    assert_eq!((rig.stack.accept_queue(l), rig.stack.census().half_open), (1, 1));
    assert!(rig.stack.accept(rig.now, l).is_some());
    // The SYN,ACK comes again, and so does its ACK.
    let again = rig.wait(Duration::from_secs(1));
    assert_eq!((again.len(), again[0].seq), (1, sa[1].seq));
    rig.send(4001, 80, &ack(101, sa[1].seq + 1), &[]);
    assert_eq!(rig.stack.accept_queue(l), 1);
    assert_eq!(rig.stack.listener_stats(l).unwrap().accept_overflows, 2);
}

#[test]
fn accept_queue_full_resets() {
    let mut rig = Rig::new();
    let l = rig.listen_with(80, ListenOpts { accept_overflow: AcceptOverflow::Reset, ..opts(1, 8) });
    rig.open(4000, 80, 100);
    let iss = rig.open(4001, 80, 100);
    let r = rig.one();
    assert_eq!((r.dst.port, r.flags, r.seq), (4001, Flags::RST, iss + 1));
    assert_eq!((rig.stack.accept_queue(l), rig.stack.census().half_open), (1, 0));
}

#[test]
fn connection_limit_keeps_the_record_waiting() {
    let mut rig = Rig::with(StackConfig { max_connections: 1, ..config() });
    let l = rig.listen(80);
    rig.open(4000, 80, 100);
    rig.open(4001, 80, 100);
    assert_eq!((rig.drops(DropReason::StackLimit), rig.stack.accept_queue(l)), (1, 1));
    assert_eq!(rig.stack.census().half_open, 1);
}

/// Half-open records go silently and the next ACK meets CLOSED; un-accepted connections are reset.
#[test]
fn closing_a_listener() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (kept, _) = rig.accept(l, 3999, 1);
    let done = rig.open(4000, 80, 100);
    rig.send(4001, 80, &syn(100), &[]);
    let half = rig.one().seq;
    rig.stack.close_listener(rig.now, l);
    let r = rig.one();
    assert_eq!((r.dst.port, r.seq), (4000, done + 1));
    assert!(r.has(Flags::RST));
    let census = rig.stack.census();
    assert_eq!((census.half_open, census.connections, census.listeners, census.orphans), (0, 1, 0, 0));
    rig.send(4001, 80, &ack(101, half + 1), &[]);
    let r = rig.one();
    assert_eq!((r.flags, r.seq), (Flags::RST, half + 1));
    assert_eq!(rig.state(kept), State::Established);
    assert_eq!(rig.events().iter().filter(|e| matches!(e, SocketEvent::Listener(_))).count(), 0);
}

/// docs/profiles.md, `LISTENER_CLOSE_KEEPS_HALF_OPEN`.
#[test]
fn closing_a_listener_in_profile_linux() {
    let quirks = Quirks::NONE.with(Quirks::LISTENER_CLOSE_KEEPS_HALF_OPEN);
    let mut rig = Rig::with(StackConfig { tcp: Config { quirks, ..Config::default() }, ..config() });
    let l = rig.listen(80);
    rig.send(4000, 80, &syn(100), &[]);
    let iss = rig.one().seq;
    rig.stack.close_listener(rig.now, l);
    rig.send(4000, 80, &syn(100), &[]);
    rig.silence();
    assert_eq!(rig.stack.census().half_open, 1);
    rig.send(4000, 80, &ack(101, iss + 1), &[]);
    assert_eq!((rig.one().flags, rig.stack.census().half_open), (Flags::RST, 0));
    // Without an ACK, its timer takes it.
    let l = rig.listen(80);
    rig.send(4000, 80, &syn(100), &[]);
    rig.sent();
    rig.stack.close_listener(rig.now, l);
    assert_eq!(rig.wait(Duration::from_secs(70)), []);
    assert_eq!(rig.stack.census().half_open, 0);
}

/// A connection that ends before it is accepted is accepted nevertheless, and says so.
#[test]
fn reset_while_waiting_for_accept() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    rig.open(4000, 80, 100);
    rig.send(4000, 80, &rst(101), &[]);
    let (id, _) = rig.stack.accept(rig.now, l).unwrap();
    let handle = rig.stack.conn(rig.now, id).unwrap();
    assert_eq!(handle.readiness().closed, Some(synfin_tcp::CloseReason::Reset));
    handle.close();
    assert_eq!(rig.stack.census().connections, 0);
}

/// RFC 6528: each pair of endpoints has its own number space; a later open of the same pair lies further on.
#[test]
fn initial_sequence_numbers() {
    let mut rig = Rig::new();
    rig.listen(80);
    let iss = |rig: &mut Rig, port| {
        rig.send(port, 80, &syn(100), &[]);
        let seq = rig.one().seq;
        rig.send(port, 80, &rst(101), &[]);
        seq
    };
    let first = iss(&mut rig, 4000);
    let other = iss(&mut rig, 4001);
    rig.now += Duration::from_secs(1);
    assert_eq!(iss(&mut rig, 4000), first + 250_000);
    assert!(other.dist(first).unsigned_abs() > 1000);
    assert_ne!(first, Seq::new(0));
}
