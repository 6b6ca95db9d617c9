//! What the articles describe, row by row, as far as two stacks or one stack and a hand-played peer can show it. Rows 12
//! (sockets, the Python pair), 20 (a killed process) and 25 (captures) need sockets, processes and files: crates/synfin
//! and crates/cli test them; lossy links over thousands of seeds and millions of lives are in crates/sim.

mod rig;

use rig::*;
use synfin_net::{AcceptOverflow, ListenOpts, SynOverflow};
use synfin_tcp::{CloseReason, Keepalive, ReadError, State, WriteError};
use synfin_wire::DropReason;

use State::*;

fn ack_of(o: &Out) -> u32 {
    o.raw_ack.expect("ACK")
}

#[test]
fn mission_01_three_segments_and_their_numbers() {
    // On both sides, in both versions of IP: SYN x; SYN,ACK y, x+1; ACK x+1, y+1.
    for v6 in [false, true] {
        let mut r = Rig::new();
        if v6 {
            r.use_v6();
        }
        let syn = r.connect();
        assert_eq!((syn.raw_ack, syn.text.len()), (None, 0));
        let sa = r.syn_ack(PLAIN);
        let ack = r.send(sa);
        let ack = one(&ack);
        let y = r.side().peer_iss;
        assert_eq!((ack.raw_seq, ack_of(ack)), (syn.raw_seq.wrapping_add(1), y + 1));
        // A bare ACK costs no number: text begins where it stood.
        assert_eq!(r.write(b"x")[0].raw_seq, ack.raw_seq);

        let mut r = Rig::new();
        if v6 {
            r.use_v6();
        }
        r.listen();
        let syn = r.syn(PLAIN);
        let sa = r.send(syn);
        let x = r.side().peer_iss;
        assert!(one(&sa).has('S') && ack_of(&sa[0]) == x + 1);
        none(&r.send(Seg::new()));
        assert_eq!(r.state(), Established);
    }
}

/// The states of both ends.
fn states(a: &Rig, b: &Rig) -> (State, State) {
    (a.state(), b.state())
}

#[test]
fn mission_02_states_of_both_ends() {
    let (mut a, mut b) = two_hosts();
    b.listen();
    assert_eq!(b.stack.census().listeners, 1);
    call(&mut a, &b);
    b.peer(4000);
    assert_eq!(states(&a, &b), (SynSent, Closed));
    a.pump().iter().for_each(|o| carry(o, &mut b));
    assert_eq!(states(&a, &b), (SynSent, SynReceived));
    b.pump().iter().for_each(|o| carry(o, &mut a));
    assert_eq!(states(&a, &b), (Established, SynReceived));
    a.pump().iter().for_each(|o| carry(o, &mut b));
    assert_eq!(states(&a, &b), (Established, Established));
}

#[test]
fn mission_03_initial_numbers_are_unpredictable_and_independent() {
    // Unpredictability: MUST-8, MUST-9 and SHLD-1. The two directions are numbered each for itself.
    let (mut a, mut b) = two_connected();
    let (iss_a, iss_b) = (a.side().iss, b.side().iss);
    assert_ne!(iss_a, iss_b);
    assert_eq!(a.info().irs.raw(), iss_b);
    assert_eq!(b.info().irs.raw(), iss_a);
}

#[test]
fn mission_04_syn_queue_and_accept_queue() {
    let mut r = Rig::new();
    let opts =
        ListenOpts { backlog: 2, syn_queue: 3, syn_overflow: SynOverflow::Drop, ..ListenOpts::default() };
    let l = r.listen_with(opts);
    // Three half-open records, the fourth SYN is dropped and counted.
    for port in 4000..4004 {
        r.peer(port);
        let syn = r.syn(PLAIN);
        assert_eq!(r.send(syn).len(), usize::from(port < 4003));
    }
    assert_eq!(r.stack.census().half_open, 3);
    assert_eq!(r.drops(DropReason::SynQueueFull), 1);
    // Two complete; the third finds the accept queue full, and stays half-open.
    for port in 4000..4003 {
        r.peer(port);
        none(&r.send(Seg::new()));
    }
    assert_eq!((r.stack.accept_queue(l), r.stack.census().half_open), (2, 1));
    assert_eq!(r.drops(DropReason::AcceptQueueFull), 1);
    // accept takes the oldest first, and makes room.
    assert_eq!(r.stack.accept(r.now, l).map(|(_, t)| t.remote.port), Some(4000));
    none(&r.send(Seg::new()));
    assert_eq!((r.stack.accept_queue(l), r.stack.census().half_open), (2, 0));
    // The other policy says no at once.
    let mut r = Rig::new();
    r.listen_with(ListenOpts { backlog: 1, accept_overflow: AcceptOverflow::Reset, ..ListenOpts::default() });
    for port in [4000, 4001] {
        r.peer(port);
        let syn = r.syn(PLAIN);
        r.send(syn);
    }
    r.peer(4000);
    none(&r.send(Seg::new()));
    r.peer(4001);
    expect(&r.send(Seg::new()), &["RST seq=0"]);
}

#[test]
fn mission_05_who_knows_what_and_the_stale_syn() {
    // After the first segment the server knows that the client can send; after the second the client knows that both
    // can do both; only the third tells the server that the client can receive. Until then it opens nothing.
    let mut r = Rig::new();
    let l = r.listen();
    let syn = r.syn(PLAIN);
    let sa = r.send(syn);
    assert_eq!(one(&sa).brief(), "SYN,ACK seq=-1 ack=0");
    assert_eq!((r.state(), r.stack.accept_queue(l), r.stack.census().connections), (SynReceived, 0, 0));
    // It was a stale SYN: the client never asked, and says so. Nothing was opened, nothing remains.
    none(&r.send(Seg::new().flags("R").seq(0).no_ack()));
    let census = r.stack.census();
    assert_eq!((census.half_open, census.connections, r.stack.accept_queue(l)), (0, 0, 0));
    // The client's side of the same story: a SYN,ACK that answers a stale SYN is reset, and the wait goes on.
    let mut r = Rig::new();
    r.connect();
    expect(&r.send(Seg::new().flags("S").seq(-1).ack(-91)), &["RST seq=-91"]);
    assert_eq!(r.state(), SynSent);
}

#[test]
fn mission_06_the_middle_two_are_merged() {
    // ACK of the client's SYN and the server's own SYN leave in one segment, at once.
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    let outs = r.send(syn);
    assert!(one(&outs).has('S') && outs[0].has('A'));
    // One segment is not enough: neither end has a connection after it (mission_05). Four would do as well: the peer
    // that splits its answer into ACK and SYN is understood.
    let mut r = Rig::new();
    r.connect();
    none(&r.send(Seg::new().seq(-1).ack(0)));
    assert_eq!(r.state(), SynSent);
    let syn = r.syn(PLAIN);
    expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
    none(&r.send(Seg::new().seq(0).ack(0)));
    assert_eq!(r.state(), Established);
}

#[test]
fn mission_07_the_first_segment_is_lost() {
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    let lost = a.pump();
    expect(&lost, &["SYN seq=-1"]);
    let census = b.stack.census();
    assert_eq!((census.half_open, census.connections), (0, 0), "the server holds nothing");
    let carried = shuttle_for(&mut a, &mut b, s(2));
    assert_eq!(carried, ["A SYN seq=-1", "B SYN,ACK seq=-1 ack=0", "A ACK seq=0 ack=0"]);
    assert_eq!(a.state(), Established);
}

#[test]
fn mission_08_the_second_segment_is_lost() {
    let mut r = Rig::new();
    r.listen();
    let start = r.now;
    let syn = r.syn(PLAIN);
    r.send(syn);
    assert_eq!(r.stack.census().half_open, 1);
    // Kept and repeated, in the end released.
    let outs = r.advance(s(62));
    assert_eq!(Rig::times(&outs, start), [1, 3, 7, 15, 31].map(|n| n * 1000));
    assert!(outs.iter().all(|o| o.brief() == "SYN,ACK seq=-1 ack=0"));
    assert_eq!(r.stack.census().half_open, 1);
    none(&r.advance(s(10)));
    assert_eq!(r.stack.census().half_open, 0);
    // Either end's repetition repairs it.
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    a.pump().iter().for_each(|o| carry(o, &mut b));
    let _lost = b.pump();
    shuttle_for(&mut a, &mut b, s(3));
    assert_eq!(a.state(), Established);
    assert_eq!(b.stack.census().connections, 1);
}

#[test]
fn mission_09_the_third_segment_is_lost() {
    // The client believes itself connected; its text completes the handshake.
    let (mut a, mut b) = two_hosts();
    let l = b.listen();
    call(&mut a, &b);
    a.pump().iter().for_each(|o| carry(o, &mut b));
    b.pump().iter().for_each(|o| carry(o, &mut a));
    let _lost = a.pump();
    assert_eq!((a.state(), b.stack.census().half_open), (Established, 1));
    a.write(b"hello").iter().for_each(|o| carry(o, &mut b));
    shuttle(&mut a, &mut b);
    assert_eq!(b.stack.accept_queue(l), 1);
    answer(&mut b);
    assert_eq!(b.read(9).as_deref(), Ok(&b"hello"[..]));
    // The record is gone before the client speaks: RST.
    for retries in [0, 2] {
        let mut r = Rig::with(|c| c.tcp.syn_ack_retries = retries);
        r.listen();
        let syn = r.syn(PLAIN);
        r.send(syn);
        assert_eq!(r.advance(s(300)).len(), usize::from(retries), "a settable number of repetitions");
        assert_eq!(r.stack.census().half_open, 0);
        expect(&r.send(Seg::new().text(b"hello").ack(0)), &["RST seq=0"]);
    }
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    a.pump().iter().for_each(|o| carry(o, &mut b));
    b.pump().iter().for_each(|o| carry(o, &mut a));
    let _lost = a.pump();
    for r in [&mut a, &mut b] {
        r.advance(s(300));
    }
    a.write(b"hello").iter().for_each(|o| carry(o, &mut b));
    b.pump().iter().for_each(|o| carry(o, &mut a));
    assert_eq!((a.state(), a.closed()), (Closed, Some(CloseReason::Reset)));
}

#[test]
fn mission_10_flags_numbers_and_repair() {
    // Text in any order, twice, and with losses: what is read is the stream.
    let stream = text(5000);
    let mut r = Rig::established(SACK);
    let mut order: Vec<usize> = (0..50).collect();
    let mut seed = 3u64;
    for i in (1..50).rev() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        order.swap(i, (seed >> 33) as usize % (i + 1));
    }
    let mut acked = 0;
    for n in order.iter().chain(&order[..20]) {
        let outs = r.send(Seg::new().seq(*n as i32 * 100).text(&stream[n * 100..][..100]).flags("P"));
        acked = outs.iter().filter_map(|o| o.ack).fold(acked, i32::max);
    }
    acked = r.advance(ms(100)).iter().filter_map(|o| o.ack).fold(acked, i32::max);
    // SEG.ACK names the next octet that is expected.
    assert_eq!(acked, 5000);
    assert_eq!(r.read(9000), Ok(stream));
    // SEG.ACK means nothing without the ACK bit.
    r.write(b"x");
    none(&r.send(Seg::new().seq(5000).no_ack()));
    assert_eq!(r.info().flight, 1);
    // Ours: lost text is sent again with the same number.
    let outs = r.advance(s(1));
    assert_eq!(one(&outs).brief(), "ACK seq=0 ack=5000 len=1");
    // Urgent: MUST-30 to 33; PSH: MUST-61.
}

#[test]
fn mission_11_rst_refuses_and_resets() {
    // A closed port.
    let mut r = Rig::new();
    let syn = r.syn(PLAIN);
    // There is no ISS here: the number is plainly 0, which is -1 beside an ISS of 0.
    expect(&r.send(syn), &["RST,ACK seq=-1 ack=0"]);
    // Nonsense: an ACK of what was never sent, while opening.
    let mut r = Rig::new();
    r.connect();
    expect(&r.send(Seg::new().ack(77)), &["RST seq=77"]);
    assert_eq!(r.state(), SynSent);
    // Refused.
    none(&r.send(Seg::new().flags("R").ack(0)));
    assert_eq!(r.closed(), Some(CloseReason::Refused));
    // A broken connection: the other end has forgotten it.
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    none(&r.send(Seg::new().flags("R").seq(0).no_ack()));
    assert_eq!(r.read(9), Err(ReadError::Closed(CloseReason::Reset)));
    assert_eq!(r.try_write(b"x"), Err(WriteError::Closed(CloseReason::Reset)));
}

#[test]
fn mission_13_keepalive_defaults() {
    let k = Keepalive::default();
    assert_eq!((k.idle, k.interval, k.probes), (s(7200), s(75), 10));
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, cx| c.set_keepalive(cx, Some(k)));
    let start = r.now;
    let outs = r.advance(s(7950) - ms(1));
    let want: Vec<u64> = (0..10).map(|n| (7200 + 75 * n) * 1000).collect();
    assert_eq!(Rig::times(&outs, start), want);
    assert_eq!(r.state(), Established);
    r.advance(ms(2));
    assert_eq!((r.state(), r.closed()), (Closed, Some(CloseReason::TimedOut)));
    // Every segment restarts it: MUST-26. Off unless asked for: MUST-25.
}

#[test]
fn mission_14_four_segments_and_their_numbers() {
    let (mut a, mut b) = two_connected();
    // The last octet of 1000 has number 999 (the first has 0): FIN 1000, its ACK 1001.
    a.write(&text(1000)).iter().for_each(|o| carry(o, &mut b));
    shuttle_for(&mut a, &mut b, s(1));
    let fin = a.shutdown();
    expect(&fin, &["FIN,ACK seq=1000 ack=0"]);
    carry(&fin[0], &mut b);
    b.read(2000).expect("text");
    let ack = b.pump();
    expect(&ack, &["ACK seq=0 ack=1001"]);
    carry(&ack[0], &mut a);
    let fin = b.shutdown();
    expect(&fin, &["FIN,ACK seq=0 ack=1001"]);
    carry(&fin[0], &mut a);
    let ack = a.pump();
    expect(&ack, &["ACK seq=1001 ack=1"]);
    carry(&ack[0], &mut b);
    assert_eq!(states(&a, &b), (TimeWait, Closed));
}

#[test]
fn mission_15_all_closing_states() {
    let (mut a, mut b) = two_connected();
    a.shutdown().iter().for_each(|o| carry(o, &mut b));
    assert_eq!(states(&a, &b), (FinWait1, CloseWait));
    b.pump().iter().for_each(|o| carry(o, &mut a));
    assert_eq!(states(&a, &b), (FinWait2, CloseWait));
    let fin = b.shutdown();
    assert_eq!(states(&a, &b), (FinWait2, LastAck));
    carry(&fin[0], &mut a);
    assert_eq!(states(&a, &b), (TimeWait, LastAck));
    a.pump().iter().for_each(|o| carry(o, &mut b));
    assert_eq!(states(&a, &b), (TimeWait, Closed));
    a.advance(s(61));
    assert_eq!(states(&a, &b), (Closed, Closed));
    // At once: CLOSING.
    let (mut a, mut b) = two_connected();
    let (fin_a, fin_b) = (a.shutdown(), b.shutdown());
    carry(&fin_a[0], &mut b);
    carry(&fin_b[0], &mut a);
    assert_eq!(states(&a, &b), (Closing, Closing));
    shuttle(&mut a, &mut b);
    assert_eq!(states(&a, &b), (TimeWait, TimeWait));
}

#[test]
fn mission_16_either_end_closes_first() {
    for server_first in [false, true] {
        let (mut a, mut b) = two_connected();
        let (first, second) = if server_first { (&mut b, &mut a) } else { (&mut a, &mut b) };
        first.shutdown().iter().for_each(|o| carry(o, second));
        shuttle(first, second);
        second.shutdown().iter().for_each(|o| carry(o, first));
        shuttle(first, second);
        assert_eq!(states(first, second), (TimeWait, Closed), "TIME_WAIT is with whoever closed first");
    }
}

#[test]
fn mission_17_half_close() {
    let (mut a, mut b) = two_connected();
    a.shutdown().iter().for_each(|o| carry(o, &mut b));
    shuttle(&mut a, &mut b);
    assert_eq!(a.try_write(b"no more"), Err(WriteError::Closing));
    // The other end goes on for as long as it wants.
    let stream = text(20_000);
    let mut read = Vec::new();
    for part in stream.chunks(1000) {
        b.write(part).iter().for_each(|o| carry(o, &mut a));
        shuttle_for(&mut a, &mut b, s(600));
        read.extend(a.read(9000).expect("text"));
    }
    assert_eq!(read, stream);
    assert_eq!(states(&a, &b), (FinWait2, CloseWait));
}

#[test]
fn mission_18_fin_is_the_end_of_file_after_all_text() {
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().seq(4).text(b"5678").flags("F"));
    assert_eq!(r.read(9), Err(ReadError::WouldBlock), "not before what precedes it");
    r.send(Seg::new().seq(0).text(b"1234"));
    assert_eq!(r.state(), CloseWait);
    assert_eq!(r.read(5).as_deref(), Ok(&b"12345"[..]));
    assert_eq!(r.read(9).as_deref(), Ok(&b"678"[..]));
    assert_eq!(r.read(9), Ok(vec![]));
    assert_eq!(r.read(9), Ok(vec![]));
}

#[test]
fn mission_19_fin_rides_on_text_and_merges_with_the_ack() {
    // FIN on the last text: close follows write at once.
    let mut r = Rig::established(PLAIN);
    r.try_write(b"bye").expect("room");
    expect(&r.shutdown(), &["FIN,ACK seq=0 ack=0 len=3"]);
    // Three segments: the passive side closes before its ACK has left.
    let mut r = Rig::established(PLAIN);
    let fin = r.hold(Seg::new().flags("F"));
    r.stack.on_packet(r.now, synfin_link::RxFrame::plain(&fin));
    expect(&r.shutdown(), &["FIN,ACK seq=0 ack=1"]);
    none(&r.send(Seg::new()));
    assert_eq!(r.state(), Closed);
    // Four: it closes when it likes.
    let mut r = Rig::established(PLAIN);
    let mut outs = r.send(Seg::new().flags("F"));
    outs.extend(r.advance(ms(499)));
    expect(&outs, &["ACK seq=0 ack=1"]);
    r.advance(s(60));
    expect(&r.shutdown(), &["FIN,ACK seq=0 ack=1"]);
}

#[test]
fn mission_20_letting_go_closes() {
    // What a process's end does to each of its sockets: close() of one that was written to, of one with unread text.
    let mut r = Rig::established(PLAIN);
    r.try_write(b"last words").expect("room");
    expect(&r.close(), &["FIN,ACK seq=0 ack=0 len=10"]);
    assert_eq!(r.stack.census().orphans, 1);
    none(&r.send(Seg::new()));
    expect(&r.send(Seg::new().flags("F")), &["ACK seq=11 ack=1"]);
    assert_eq!((r.state(), r.stack.census().orphans), (TimeWait, 0));
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().text(b"unread"));
    assert!(one(&r.close()).has('R'));
}

#[test]
fn mission_21_close_wait_is_a_program_that_does_not_close() {
    let mut r = Rig::new();
    for port in 4000..4020 {
        r.peer(port);
        r.accept_peer(PLAIN);
        r.send(Seg::new().flags("F"));
    }
    r.advance(s(24 * 3600));
    let mut waiting = 0;
    r.stack.for_each_record(&mut |_, state| waiting += usize::from(state == CloseWait));
    assert_eq!(waiting, 20, "for ever, since nobody calls close");
    for port in 4000..4020 {
        r.peer(port);
        r.close();
        none(&r.send(Seg::new()));
    }
    assert_eq!(r.stack.census().connections, 0);
}

#[test]
fn mission_22_time_wait_answers_the_repeated_fin() {
    let mut r = Rig::in_state(TimeWait);
    r.advance(s(40));
    expect(&r.send(Seg::new().flags("F").seq(0)), &["ACK seq=1 ack=1"]);
    none(&r.advance(s(59)));
    assert_eq!(r.state(), TimeWait, "the wait began anew");
    // Without TIME_WAIT the peer, who did nothing wrong, is reset.
    let mut r = Rig::with(|c| c.tcp.msl = s(0));
    r.accept_peer(PLAIN);
    r.shutdown();
    r.send(Seg::new());
    r.send(Seg::new().flags("F"));
    r.advance(ms(2));
    assert_eq!(r.state(), Closed);
    assert!(one(&r.send(Seg::new().flags("F").seq(0))).has('R'));
}

#[test]
fn mission_22_time_wait_outlives_old_segments() {
    // A segment of the first connection is late: text 0 to 99, which came in another copy.
    let closed_after_100 = |msl| {
        let mut r = Rig::with(|c| c.tcp.msl = msl);
        r.accept_peer(PLAIN);
        let late = r.hold(Seg::new().text(&text(100)));
        r.inject(&late);
        r.read(200).expect("text");
        r.shutdown();
        r.send(Seg::new());
        r.send(Seg::new().flags("F"));
        r.advance(ms(2));
        (r, late)
    };
    // With it: the same numbers cannot be used again so soon.
    let (mut r, _) = closed_after_100(s(30));
    let syn = r.syn(PLAIN);
    expect(&r.send(syn), &["ACK seq=1 ack=101"]);
    assert_eq!(r.state(), TimeWait);
    // Without it: a new connection between the same ports takes the old text for its own.
    let (mut r, late) = closed_after_100(s(0));
    r.accept_peer(PLAIN);
    // Its ACK field has to fit by chance; a peer that acknowledges nothing new is enough.
    let mut late = late[20..].to_vec();
    late[8..12].copy_from_slice(&r.side().iss.wrapping_add(1).to_be_bytes());
    packet::fill_checksum(v4(1), v4(2), 6, &mut late, 16);
    r.inject(&packet::ip(v4(1), v4(2), 6, &late));
    assert_eq!(r.read(200), Ok(text(100)), "text of another connection");
}

#[test]
fn mission_23_two_msl() {
    assert_eq!(synfin_tcp::Config::default().msl, s(30));
    for msl in [30, 60, 120] {
        let mut r = Rig::with(|c| c.tcp.msl = s(msl));
        r.accept_peer(PLAIN);
        r.bring_to(TimeWait);
        r.advance(s(2 * msl) - ms(1));
        assert_eq!(r.state(), TimeWait);
        r.advance(ms(1));
        assert_eq!(r.state(), Closed, "MSL {msl}");
    }
}

#[test]
fn mission_24_nothing_is_left() {
    let mut r = Rig::new();
    for life in 0..10_000u32 {
        r.peer(1024 + (life % 60_000) as u16);
        r.accept_peer(PLAIN);
        r.write(b"hello");
        r.send(Seg::new().text(b"byebye"));
        r.read(9).expect("text");
        match life % 3 {
            0 => {
                r.close();
                r.send(Seg::new().flags("F"));
            }
            1 => {
                r.send(Seg::new().flags("F"));
                r.close();
                r.send(Seg::new());
            }
            _ => {
                r.abort();
            }
        }
        r.sides.clear();
    }
    r.advance(s(61));
    let census = r.stack.census();
    assert_eq!((census.connections, census.half_open, census.time_wait, census.orphans), (0, 0, 0, 0));
    assert_eq!(census.buffers, 0);
}
