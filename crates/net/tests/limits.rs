//! Every limit of docs/limits.md that no attack's test reaches already: it is set, and reached.

mod rig;

use rig::*;
use synfin_link::{Caps, RxFrame};
use synfin_net::{AcceptOverflow, ConnectError, ConnectOpts, FragLimits, ListenOpts, SynOverflow};
use synfin_tcp::{CloseReason, Quirks, State};
use synfin_wire::{Addr, DropReason, Endpoint};

fn with_ports<T>(r: &mut Rig, ports: std::ops::Range<u16>, mut each: impl FnMut(&mut Rig) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for port in ports {
        r.peer(port);
        all.push(each(r));
    }
    all
}

fn syn_is_answered(r: &mut Rig) -> bool {
    let syn = r.syn(PLAIN);
    r.send(syn).iter().any(|o| o.has('S'))
}

// --- the stack ---------------------------------------------------------------------------------------------------

#[test]
fn max_half_open_counts_all_listeners_together() {
    let mut r = Rig::with(|c| c.max_half_open = 5);
    let drop = ListenOpts { syn_overflow: SynOverflow::Drop, ..ListenOpts::default() };
    r.listen_with(drop);
    r.stack.listen(Endpoint::new(v4(2), 81), drop).expect("port 81");
    assert_eq!(with_ports(&mut r, 4000..4003, syn_is_answered), [true; 3]);
    let answered: Vec<bool> = (4000..4004)
        .map(|port| {
            let (local, remote) = (Endpoint::new(v4(2), 81), Endpoint::new(v4(1), port));
            r.speak_for(synfin_wire::Tuple { local, remote });
            syn_is_answered(&mut r)
        })
        .collect();
    assert_eq!(answered, [true, true, false, false]);
    assert_eq!((r.stack.census().half_open, r.drops(DropReason::SynQueueFull)), (5, 2));
}

#[test]
fn max_buffer_memory_bounds_what_waits_behind_gaps() {
    let limit = 16 * 4096;
    let mut r = Rig::with(|c| c.max_buffer_memory = limit);
    with_ports(&mut r, 4000..4010, |r| {
        r.accept_peer(SACK);
        for n in 0..15 {
            r.send(Seg::new().seq(1 + n * 4096).text(&text(1000)));
        }
        assert!(r.stack.census().buffers <= limit);
    });
    assert!(r.drops(DropReason::ReassemblyLimit) > 100);
    // In order, one chunk is there for each: nobody starves.
    with_ports(&mut r, 4000..4010, |r| {
        r.send(Seg::new().seq(0).text(b"!"));
        assert_eq!(r.read(1).as_deref(), Ok(&b"!"[..]));
    });
    assert!(r.stack.census().buffers <= limit + 10 * 4096);
}

#[test]
fn fragments_have_limits_that_can_be_set() {
    let fragments = FragLimits { memory: 40_000, per_source: 10_000 };
    let mut r = Rig::with(|c| c.fragments = fragments);
    r.accept_peer(PLAIN);
    let part = |source: u8, id: u16| {
        let mut p = packet::ip(v4(source), v4(2), 6, &text(1480));
        p[4..8].copy_from_slice(&[(id >> 8) as u8, id as u8, 0x20, 0]);
        p[20 + 12] = 0x50;
        p[10..12].fill(0);
        let sum = packet::internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        p
    };
    let take = |r: &mut Rig, p: &[u8]| r.stack.on_packet(r.now, RxFrame::plain(p));
    // A fragment costs its 1480 octets and 576 of overhead: four of one source.
    for id in 0..10 {
        take(&mut r, &part(7, id));
    }
    assert_eq!((r.drops(DropReason::FragmentHeld), r.drops(DropReason::FragmentLimit)), (4, 6));
    // Nineteen of all: the oldest make room, so that new ones always find some.
    for source in 10..60 {
        take(&mut r, &part(source, 1));
    }
    assert_eq!(r.drops(DropReason::FragmentLimit), 6);
    // The first source's are long forgotten: it has its share again.
    take(&mut r, &part(7, 100));
    assert_eq!(r.drops(DropReason::FragmentLimit), 6);
}

#[test]
fn answers_that_wait_have_a_limit() {
    let mut r = Rig::with(|c| {
        c.max_answers = 7;
        c.rst_rate = 1000;
    });
    for port in 2000..2050 {
        r.peer(port);
        let stray = r.hold(Seg::new());
        r.stack.on_packet(r.now, RxFrame::plain(&stray));
    }
    assert_eq!(r.pump().len(), 7);
    assert_eq!(r.drops(DropReason::RateLimited), 43);
}

#[test]
fn packets_to_ourselves_have_a_limit() {
    let mut r = Rig::with(|c| c.max_looped = 2);
    let l = r.listen();
    let us = Endpoint::new(v4(2), PORT);
    let id = r.stack.connect(r.now, us, ConnectOpts::default()).expect("connect");
    none(&r.pump());
    let (peer, _) = r.stack.accept(r.now, l).expect("the other end");
    // Far more segments than two at a time: they wait, and none is lost.
    let sent = text(100_000);
    assert_eq!(r.stack.conn(r.now, id).expect("here").write(&sent), Ok(sent.len()));
    let mut got = Vec::new();
    for _ in 0..100_000 {
        none(&r.advance(ms(1)));
        let mut part = vec![0; 100_000];
        if let Ok(n) = r.stack.conn(r.now, peer).expect("here").read(&mut part) {
            got.extend_from_slice(&part[..n]);
        }
        if got.len() == sent.len() {
            break;
        }
    }
    assert!(got == sent, "{} octets", got.len());
    assert_eq!(r.stack.counters().retransmits, 0);
}

#[test]
fn icmp_rate_limits_echo_replies() {
    let mut r = Rig::with(|c| c.icmp_rate = 20);
    let mut echo = vec![8, 0, 0, 0, 0, 1, 0, 1];
    packet::fill_checksum(v4(1), v4(2), 1, &mut echo, 2);
    let echo = packet::ip(v4(1), v4(2), 1, &echo);
    let mut replies = 0;
    for _ in 0..2000 {
        replies += r.inject(&echo).len();
        r.advance(ms(1));
    }
    // 20 at once, 20 in each of two seconds.
    assert!((55..=61).contains(&replies), "{replies}");
}

#[test]
fn ephemeral_ports_run_out_for_one_peer_only() {
    let mut r = Rig::with(|c| c.ephemeral_ports = 40_000..=40_003);
    let to = |n| Endpoint::new(v4(n), 80);
    for _ in 0..4 {
        r.connect_with(to(1), ConnectOpts::default()).expect("a port");
    }
    assert_eq!(r.stack.connect(r.now, to(1), ConnectOpts::default()), Err(ConnectError::NoPort));
    r.connect_with(to(3), ConnectOpts::default()).expect("a port towards another");
}

// --- a listener --------------------------------------------------------------------------------------------------

#[test]
fn backlog_and_what_happens_beyond_it() {
    for (accept_overflow, reset) in [(AcceptOverflow::Ignore, false), (AcceptOverflow::Reset, true)] {
        let mut r = Rig::new();
        let l = r.listen_with(ListenOpts { backlog: 3, accept_overflow, ..ListenOpts::default() });
        // All have their SYN,ACK before the queue is full.
        assert_eq!(with_ports(&mut r, 4000..4006, syn_is_answered), [true; 6]);
        let resets = with_ports(&mut r, 4000..4006, |r| r.send(Seg::new()).iter().any(|o| o.has('R')));
        assert_eq!(resets, [false, false, false, reset, reset, reset]);
        assert_eq!(r.stack.accept_queue(l), 3);
        assert_eq!(r.stack.listener_stats(l).expect("a listener").accept_overflows, 3);
        // Room again: who was ignored gets in with its next segment.
        assert!(r.stack.accept(r.now, l).is_some());
        r.peer(4003);
        r.send(Seg::new().text(b"?"));
        assert_eq!(r.stack.accept_queue(l), if reset { 2 } else { 3 });
    }
}

#[test]
fn a_burst_within_the_queues_needs_no_retry() {
    let mut r = Rig::new();
    let opts = ListenOpts { backlog: 4096, syn_queue: 8192, ..ListenOpts::default() };
    let l = r.listen_with(opts);
    assert!(with_ports(&mut r, 4000..5000, syn_is_answered).into_iter().all(|answered| answered));
    with_ports(&mut r, 4000..5000, |r| none(&r.send(Seg::new())));
    assert_eq!(r.stack.accept_queue(l), 1000);
    let stats = r.stack.listener_stats(l).expect("a listener");
    assert_eq!((stats.syn_overflows, stats.accept_overflows, stats.cookies_sent), (0, 0, 0));
}

#[test]
fn syn_queue_of_one_listener_leaves_the_others_alone() {
    let mut r = Rig::new();
    let small = ListenOpts { syn_queue: 2, syn_overflow: SynOverflow::Drop, ..ListenOpts::default() };
    r.listen_with(small);
    r.stack.listen(Endpoint::new(v4(2), 81), ListenOpts::default()).expect("port 81");
    assert_eq!(with_ports(&mut r, 4000..4004, syn_is_answered), [true, true, false, false]);
    let (local, remote) = (Endpoint::new(v4(2), 81), Endpoint::new(v4(1), 4000));
    r.speak_for(synfin_wire::Tuple { local, remote });
    assert!(syn_is_answered(&mut r));
}

// --- a connection ------------------------------------------------------------------------------------------------

#[test]
fn send_buffer_and_receive_buffer_hold_no_more() {
    let mut r = Rig::with(|c| {
        c.tcp.send_buffer = 5000;
        c.tcp.recv_buffer = 6000;
    });
    r.accept_peer(Offer { wnd: 0, ..PLAIN });
    assert_eq!(r.try_write(&text(9000)), Ok(5000));
    let mut sent = 0;
    for _ in 0..10 {
        r.send(Seg::new().seq(sent).text(&text(1000)));
        sent = (sent + 1000).min(6000);
    }
    assert_eq!((r.info().recv_queue, r.info().rcv_wnd), (6000, 0));
}

#[test]
fn buffers_of_nothing_count_as_one_octet() {
    let mut r = Rig::with(|c| {
        c.tcp.send_buffer = 0;
        c.tcp.recv_buffer = 0;
    });
    r.accept_peer(PLAIN);
    assert_eq!(r.try_write(b"ab"), Ok(1));
    let sent = r.pump();
    assert_eq!(one(&sent).text, b"a");
    let (mut got, mut at) = (Vec::new(), 0);
    for _ in 0..20 {
        r.send(Seg::new().seq(at).text(&b"hello"[at as usize..]));
        got.extend(r.read(9).unwrap_or_default());
        at = got.len() as i32;
        r.advance(s(1));
        if at == 5 {
            break;
        }
    }
    assert_eq!(got, b"hello");
}

#[test]
fn max_ranges_bounds_what_is_remembered_behind_gaps() {
    let mut r = Rig::with(|c| c.tcp.max_ranges = 10);
    r.accept_peer(SACK);
    for n in 0..50 {
        r.send(Seg::new().seq(1 + 100 * n).text(b"x"));
    }
    assert_eq!(r.handle().get().held_octets(), 10);
    assert_eq!(r.drops(DropReason::ReassemblyLimit), 40);
}

#[test]
fn ranges_cost_less_than_what_they_hold() {
    // However many may be set: 64 for each chunk of octets, and one chunk's worth more.
    let mut r = Rig::established(SACK);
    for n in 0..20_000 {
        r.send(Seg::new().seq(1 + 2 * n).text(b"x"));
    }
    let chunks = r.stack.census().buffers / synfin_tcp::bytes::CHUNK;
    let ranges = r.handle().get().held_octets() as usize;
    assert!(
        chunks >= 1 && ranges <= synfin_tcp::recv::RANGES_PER_CHUNK * (chunks + 1),
        "{ranges} in {chunks}"
    );
}

#[test]
fn text_beyond_the_window_cannot_pile_up() {
    // Profile linux takes one segment beyond the edge whole while nothing waits to be read.
    let mut r = Rig::with(|c| {
        c.tcp.quirks = Quirks::BEYOND_EDGE_TAKEN;
        c.tcp.recv_buffer = 2000;
    });
    r.accept_peer(PLAIN);
    let mut at = 0;
    for _ in 0..100 {
        r.send(Seg::new().seq(at).text(&text(3000)));
        at = r.info().recv_queue as i32;
    }
    assert_eq!(at, 3000);
}

#[test]
fn a_challenge_interval_of_zero_is_no_storm() {
    // A connection to itself: each challenge would be answered by the next.
    let mut r = Rig::with(|c| c.tcp.challenge_interval = ms(0));
    let us = Endpoint::new(v4(2), PORT);
    let id = r.stack.connect(r.now, us, ConnectOpts { local: Some(us) }).expect("connect");
    none(&r.advance(s(1)));
    let handle = r.stack.conn(r.now, id).expect("here");
    assert_eq!(handle.info().state, State::Established);
    drop(handle);
    let mut rig_of_others = Rig::with(|c| c.tcp.challenge_interval = ms(0));
    rig_of_others.accept_peer(PLAIN);
    let mut answers = 0;
    for n in 0..1000 {
        answers += rig_of_others.send(Seg::new().flags("R").seq(n + 1)).len();
    }
    // No time has passed: one.
    assert_eq!(answers, 1);
}

#[test]
fn retries_have_limits() {
    // A SYN: seven times more by default.
    let mut r = Rig::with(|c| c.tcp.syn_retries = 2);
    r.connect();
    assert_eq!(r.advance(s(600)).len(), 2);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
    // A SYN,ACK.
    let mut r = Rig::with(|c| c.tcp.syn_ack_retries = 2);
    r.listen();
    assert!(syn_is_answered(&mut r));
    assert_eq!(r.advance(s(600)).len(), 2);
    assert_eq!(r.stack.census().half_open, 0);
    // Text: R2, but at least 100 s.
    let mut r = Rig::with(|c| c.tcp.r2 = 7);
    r.accept_peer(PLAIN);
    r.write(b"unanswered");
    assert_eq!(r.advance(s(3600)).len(), 7);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
    // Probes that nobody answers.
    let mut r = Rig::with(|c| c.tcp.persist_retries = 3);
    r.accept_peer(PLAIN);
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(b"waits"));
    assert_eq!(r.advance(s(3600)).len(), 3);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
    // Keepalives.
    let mut r = Rig::established(PLAIN);
    let times = synfin_tcp::Keepalive { idle: s(10), interval: s(1), probes: 3 };
    r.handle().configure(|c, cx| c.set_keepalive(cx, Some(times)));
    assert_eq!(r.advance(s(3600)).len(), 3);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
}

#[test]
fn a_reset_in_last_ack_tells_of_text_that_may_be_lost() {
    let end = |acked: i32| {
        let mut r = Rig::in_state(State::CloseWait);
        r.write(b"text");
        r.shutdown();
        assert_eq!(r.state(), State::LastAck);
        none(&r.send(Seg::new().ack(acked)));
        none(&r.send(Seg::new().flags("R").no_ack()));
        r.closed()
    };
    assert_eq!(end(0), Some(CloseReason::Reset));
    assert_eq!(end(3), Some(CloseReason::Reset));
    // All text has arrived; only our FIN is under way.
    assert_eq!(end(4), Some(CloseReason::Done));
}

// --- fixed -------------------------------------------------------------------------------------------------------

#[test]
fn a_cookie_lives_for_two_ticks() {
    let mut r = Rig::new();
    let l = r.listen_with(ListenOpts { syn_queue: 0, ..ListenOpts::default() });
    for (wait, good) in [(s(100), true), (s(200), false)] {
        r.peer(4000 + u16::from(good));
        assert!(syn_is_answered(&mut r));
        none(&r.advance(wait));
        r.send(Seg::new());
        assert_eq!(r.stack.accept(r.now, l).is_some(), good, "after {wait:?}");
    }
}

#[test]
fn timers_are_a_millisecond_apart() {
    let mut r = Rig::host(2, Caps::plain(1500), |c| c.tcp.rto_min = ms(0));
    r.accept_peer(PLAIN);
    r.write(b"x");
    let start = r.now;
    let outs = r.advance(s(1));
    let times = Rig::times(&outs, start);
    assert!(times.windows(2).all(|w| w[1] > w[0]), "{times:?}");
}

#[test]
fn a_source_alone_cannot_use_up_all_fragment_memory() {
    let mut r = Rig::new();
    r.accept_peer(PLAIN);
    let mut p = packet::ip(Addr::v4([20, 0, 0, 1]), v4(2), 6, &text(1480));
    p[20 + 12] = 0x50;
    for id in 0..2000u16 {
        p[4..8].copy_from_slice(&[(id >> 8) as u8, id as u8, 0x20, 0]);
        p[10..12].fill(0);
        let sum = packet::internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        r.stack.on_packet(r.now, RxFrame::plain(&p));
    }
    // 512 KiB in pieces of 2,056 octets.
    assert_eq!(r.drops(DropReason::FragmentHeld), 255);
}
