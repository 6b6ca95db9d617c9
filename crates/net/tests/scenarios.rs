//! The scenario checks Q1 to Q24: sequences of segments, most of them figures of RFC 9293, RFC 1337 and RFC 5961, with
//! the states of both ends.

mod rig;

use rig::*;
use synfin_link::RxFrame;
use synfin_net::ConnectOpts;
use synfin_tcp::{CloseReason, ReadError, State};
use synfin_wire::{DropReason, Endpoint, Tuple};

/// The states that a connection went through, the last one included.
fn path(r: &mut Rig) -> Vec<State> {
    let mut path = Vec::new();
    for (_, seen) in r.seen() {
        if let Seen::State(from, to) = seen {
            if path.last() != Some(&from) {
                path.push(from);
            }
            path.push(to);
        }
    }
    path
}

use State::*;

#[test]
fn q01_three_way_handshake() {
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    let lines = shuttle(&mut a, &mut b);
    assert_eq!(lines, ["A SYN seq=-1", "B SYN,ACK seq=-1 ack=0", "A ACK seq=0 ack=0"]);
    assert_eq!(path(&mut a), [Closed, SynSent, Established]);
    assert_eq!(path(&mut b), [Closed, Listen, SynReceived, Established]);
}

/// Both ends call connect at once; both SYNs are out.
fn both_open() -> (Rig, Rig, Out, Out) {
    let (mut a, mut b) = two_hosts();
    let (at_a, at_b) = (Endpoint::new(v4(1), 4000), Endpoint::new(v4(2), 80));
    let syn_a = a.connect_with(at_b, ConnectOpts { local: Some(at_a) }).expect("connect");
    let syn_b = b.connect_with(at_a, ConnectOpts { local: Some(at_b) }).expect("connect");
    (a, b, syn_a, syn_b)
}

#[test]
fn q02_simultaneous_open() {
    let (mut a, mut b, syn_a, syn_b) = both_open();
    carry(&syn_a, &mut b);
    carry(&syn_b, &mut a);
    let lines = shuttle(&mut a, &mut b);
    assert!(lines.iter().all(|l| !l.contains("RST")), "{lines:?}");
    for r in [&mut a, &mut b] {
        assert_eq!(path(r), [Closed, SynSent, SynReceived, Established]);
        assert_eq!(r.stack.census().connections, 1);
    }
}

#[test]
fn q03_simultaneous_open_with_a_lost_syn_ack() {
    let (mut a, mut b, syn_a, syn_b) = both_open();
    carry(&syn_a, &mut b);
    carry(&syn_b, &mut a);
    // B's SYN,ACK is lost, A's arrives.
    let _lost = b.pump();
    for o in a.pump() {
        carry(&o, &mut b);
    }
    let lines = shuttle_for(&mut a, &mut b, s(10));
    assert!(lines.iter().all(|l| !l.contains("RST")), "{lines:?}");
    for r in [&mut a, &mut b] {
        assert_eq!(path(r), [Closed, SynSent, SynReceived, Established], "{lines:?}");
    }
}

#[test]
fn q04_an_old_duplicate_syn() {
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    let syn = a.pump().remove(0);
    // An old SYN of the same pair arrives first.
    let old = Seg::new().flags("S").seq(-1).no_ack().packet(&Side { peer_iss: 90, ..b.peer(4000).clone() });
    b.stack.on_packet(b.now, RxFrame::plain(&old));
    let sa = b.pump().remove(0);
    assert_eq!(sa.raw_ack, Some(91));
    a.stack.on_packet(a.now, RxFrame::plain(&sa.bytes));
    assert_eq!(a.state(), SynSent);
    let rst = a.pump().remove(0);
    assert!(rst.has('R') && rst.raw_seq == 91 && rst.raw_ack.is_none());
    carry(&rst, &mut b);
    assert_eq!((b.state(), b.stack.census().half_open), (Closed, 0));
    none(&b.pump());
    // The new SYN arrives after all.
    carry(&syn, &mut b);
    shuttle(&mut a, &mut b);
    assert_eq!((a.state(), b.state()), (Established, Established));
    assert_eq!(path(&mut a), [Closed, SynSent, Established]);
}

#[test]
fn q05_half_open_connection_is_discovered() {
    let (mut a, mut b) = two_connected();
    // A forgets everything, and opens anew from the same port.
    let before = a.now;
    a = Rig::host(1, synfin_link::Caps::plain(1500), |_| {});
    for r in [&mut a, &mut b] {
        r.advance(before + s(1) - r.now);
    }
    call(&mut a, &b);
    let syn = a.pump().remove(0);
    b.stack.on_packet(b.now, RxFrame::plain(&syn.bytes));
    let ack = b.pump();
    let ack = one(&ack);
    assert!(ack.has('A') && !ack.has('S') && !ack.has('R'), "{}", ack.brief());
    a.stack.on_packet(a.now, RxFrame::plain(&ack.bytes));
    let rst = a.pump();
    assert!(one(&rst).has('R') && Some(rst[0].raw_seq) == ack.raw_ack);
    b.stack.on_packet(b.now, RxFrame::plain(&rst[0].bytes));
    assert_eq!((b.state(), b.closed()), (Closed, Some(CloseReason::Reset)));
    // A's next SYN connects.
    shuttle_for(&mut a, &mut b, s(4));
    assert_eq!((a.state(), b.state()), (Established, Established));
}

#[test]
fn q06_text_for_a_closed_end_resets_its_sender() {
    let (a, mut b) = two_connected();
    let mut fresh = Rig::host(1, synfin_link::Caps::plain(1500), |_| {});
    drop(a);
    let outs = b.write(&text(10));
    fresh.stack.on_packet(fresh.now, RxFrame::plain(&one(&outs).bytes));
    let rst = fresh.pump();
    assert!(one(&rst).has('R') && Some(rst[0].raw_seq) == outs[0].raw_ack && rst[0].raw_ack.is_none());
    b.stack.on_packet(b.now, RxFrame::plain(&rst[0].bytes));
    assert_eq!((b.state(), b.closed()), (Closed, Some(CloseReason::Reset)));
}

#[test]
fn q07_an_old_duplicate_syn_between_two_listeners() {
    let (mut a, mut b) = two_hosts();
    a.stack.listen(Endpoint::new(v4(1), 4000), synfin_net::ListenOpts::default()).expect("listen");
    b.listen();
    let old = Seg::new().flags("S").seq(-1).no_ack().packet(b.peer(4000));
    b.stack.on_packet(b.now, RxFrame::plain(&old));
    let lines = shuttle(&mut a, &mut b);
    assert_eq!(lines.len(), 2, "SYN,ACK and RST: {lines:?}");
    for r in [&a, &b] {
        let census = r.stack.census();
        assert_eq!((census.half_open, census.connections, census.listeners), (0, 0, 1));
    }
}

#[test]
fn q08_normal_close() {
    let (mut a, mut b) = two_connected();
    path(&mut a);
    path(&mut b);
    a.shutdown().iter().for_each(|o| carry(o, &mut b));
    shuttle(&mut a, &mut b);
    assert_eq!((a.state(), b.state()), (FinWait2, CloseWait));
    b.shutdown().iter().for_each(|o| carry(o, &mut a));
    shuttle_for(&mut a, &mut b, s(61));
    assert_eq!(path(&mut a), [Established, FinWait1, FinWait2, TimeWait, Closed]);
    assert_eq!(path(&mut b), [Established, CloseWait, LastAck, Closed]);
}

#[test]
fn q09_simultaneous_close() {
    let (mut a, mut b) = two_connected();
    path(&mut a);
    path(&mut b);
    let (fin_a, fin_b) = (a.shutdown().remove(0), b.shutdown().remove(0));
    carry(&fin_a, &mut b);
    carry(&fin_b, &mut a);
    shuttle(&mut a, &mut b);
    assert_eq!((a.state(), b.state()), (TimeWait, TimeWait));
    shuttle_for(&mut a, &mut b, s(61));
    for r in [&mut a, &mut b] {
        assert_eq!(path(r), [Established, FinWait1, Closing, TimeWait, Closed]);
    }
}

#[test]
fn q10_fin_with_the_ack_of_ours() {
    let mut r = Rig::in_state(FinWait1);
    path(&mut r);
    expect(&r.send(Seg::new().flags("F").ack(1)), &["ACK seq=1 ack=1"]);
    assert_eq!(r.state(), TimeWait);
    assert_eq!(*path(&mut r).last().expect("states"), TimeWait);
}

#[test]
fn q11_the_last_ack_is_lost() {
    let (mut a, mut b) = two_connected();
    a.shutdown().iter().for_each(|o| carry(o, &mut b));
    shuttle(&mut a, &mut b);
    b.shutdown().iter().for_each(|o| carry(o, &mut a));
    let lost = a.pump();
    expect(&lost, &["ACK seq=1 ack=1"]);
    assert_eq!((a.state(), b.state()), (TimeWait, LastAck));
    let start = a.now;
    let lines = shuttle_for(&mut a, &mut b, s(5));
    assert_eq!(lines, ["B FIN,ACK seq=0 ack=1", "A ACK seq=1 ack=1"]);
    assert_eq!(b.state(), Closed);
    // 2 MSL began again with the repeated FIN, which came after one RTO of one second.
    let rest = start + s(60) - a.now;
    shuttle_for(&mut a, &mut b, rest);
    assert_eq!(a.state(), TimeWait);
    shuttle_for(&mut a, &mut b, s(2));
    assert_eq!(a.state(), Closed);
}

#[test]
fn q12_time_wait_is_not_assassinated() {
    // RFC 1337 figure 1: an old duplicate draws an ACK, whose answer is a RST.
    let mut r = Rig::in_state(TimeWait);
    expect(&r.send(Seg::new().seq(-100).text(b"old").ack(1)), &["ACK seq=1 ack=1"]);
    none(&r.send(Seg::new().flags("R").seq(1).no_ack()));
    none(&r.send(Seg::new().flags("R").seq(1)));
    assert_eq!(r.state(), TimeWait);
}

/// Every packet between the two is changed on the way, so that each end finds the other's numbers unacceptable.
fn shuttle_rewritten(a: &mut Rig, b: &mut Rig, d: std::time::Duration, by: u32) -> usize {
    let end = a.now + d;
    let mut carried = 0;
    while a.now < end {
        for from_a in [true, false] {
            let (from, to) = if from_a { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            for o in from.pump() {
                carried += 1;
                let mut segment = o.bytes[20..].to_vec();
                segment[4..8].copy_from_slice(&o.raw_seq.wrapping_add(by).to_be_bytes());
                let (src, dst) = (o.tuple.local.addr, o.tuple.remote.addr);
                packet::fill_checksum(src, dst, 6, &mut segment, 16);
                to.stack.on_packet(to.now, RxFrame::plain(&packet::ip(src, dst, 6, &segment)));
            }
        }
        // A round trip of a millisecond.
        let next = a.now + ms(1);
        for r in [&mut *a, &mut *b] {
            let d = next - r.now;
            r.stack.on_timeout(next);
            r.now += d;
        }
        assert!(carried < 100_000, "an ACK storm");
    }
    carried
}

#[test]
fn q13_an_exchange_of_unacceptable_acks_is_limited() {
    let (mut a, mut b) = two_connected();
    // An ACK below the window starts it; from then on both ends find each other out of step.
    let start = Seg::new().seq(-1000).packet(a.side());
    a.stack.on_packet(a.now, RxFrame::plain(&start));
    let carried = shuttle_rewritten(&mut a, &mut b, s(10), 1_000_000);
    // One per 500 ms and end, and the first of each.
    assert!((2..=2 * 21 + 2).contains(&carried), "{carried} in ten seconds");
    assert_eq!((a.state(), b.state()), (Established, Established));
}

#[test]
fn q14_rst_out_of_order_then_exact() {
    let mut r = Rig::established(PLAIN);
    expect(&r.send(Seg::new().flags("R").seq(100)), &["ACK seq=0 ack=0"]);
    assert_eq!(r.state(), Established);
    none(&r.send(Seg::new().flags("R").seq(0)));
    assert_eq!((r.state(), r.closed()), (Closed, Some(CloseReason::Reset)));
}

#[test]
fn q15_blind_syn_anywhere() {
    let mut r = Rig::established(PLAIN);
    let mut answers = 0;
    for seq in (-70_000..140_000).step_by(7) {
        answers += r.send(Seg::new().flags("S").no_ack().seq(seq)).len();
        r.side().nxt = 0;
    }
    assert_eq!(r.state(), Established);
    assert_eq!(answers, 1, "all within one interval of the limit");
    none(&r.send(Seg::new().seq(0).text(b"alive")));
    assert_eq!(r.read(9).as_deref(), Ok(&b"alive"[..]));
}

#[test]
fn q16_connecting_to_oneself() {
    let mut r = Rig::new();
    let at = Endpoint::new(v4(2), 7777);
    let id = r.stack.connect(r.now, at, ConnectOpts { local: Some(at) }).expect("connect");
    r.speak_for(Tuple { local: at, remote: at }).id = Some(id);
    none(&r.pump());
    assert_eq!(path(&mut r), [Closed, SynSent, SynReceived, Established]);
    none(&r.write(b"hello"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"hello"[..]));
    none(&r.shutdown());
    none(&r.advance(s(70)));
    assert_eq!((r.state(), r.read(9)), (Closed, Ok(vec![])));
}

#[test]
fn q17_fin_with_the_ack_of_the_handshake() {
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    r.send(syn);
    let mut outs = r.send(Seg::new().flags("F"));
    outs.extend(r.advance(ms(499)));
    expect(&outs, &["ACK seq=0 ack=1"]);
    assert_eq!(r.state(), CloseWait);
    let l = r.listener.expect("listening");
    let id = r.stack.accept(r.now, l).expect("a connection").0;
    r.side().id = Some(id);
    assert_eq!(r.read(9), Ok(vec![]));
}

#[test]
fn q18_close_in_syn_received() {
    let mut r = Rig::in_state(SynReceived);
    expect(&r.shutdown(), &["FIN,ACK seq=0 ack=0"]);
    assert_eq!(r.state(), FinWait1);
    none(&r.send(Seg::new().ack(0)));
    assert_eq!(r.state(), FinWait1);
    none(&r.send(Seg::new().ack(1)));
    assert_eq!(r.state(), FinWait2);
}

#[test]
fn q19_close_with_unsent_text_and_a_closed_window() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(&text(3 * 1460)));
    none(&r.shutdown());
    assert_eq!(r.state(), FinWait1);
    // Probes, and never a FIN before the text.
    let outs = r.advance(s(4));
    assert!(outs.len() == 2 && outs.iter().all(|o| !o.has('F') && !o.text.is_empty()), "{}", lines(&outs));
    let mut outs = r.send(Seg::new().ack(0).wnd(2000));
    for _ in 0..4 {
        outs.extend(r.send(Seg::new().wnd(2000)));
        outs.extend(r.advance(ms(300)));
    }
    let fin: Vec<&Out> = outs.iter().filter(|o| o.has('F')).collect();
    assert!(!fin.is_empty(), "{}", lines(&outs));
    assert!(fin.iter().all(|o| o.seq + o.text.len() as i32 == 4380), "{}", lines(&outs));
    r.send(Seg::new().ack(4381));
    assert_eq!(r.state(), FinWait2);
}

#[test]
fn q20_text_and_fin_beyond_the_window() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 1000);
    r.accept_peer(PLAIN);
    let stream = text(1400);
    let outs = r.send(Seg::new().text(&stream).flags("F"));
    expect(&outs, &["ACK seq=0 ack=1000"]);
    assert_eq!(r.state(), Established);
    assert_eq!(r.read(2000).as_deref(), Ok(&stream[..1000]));
    r.pump();
    let mut outs = r.send(Seg::new().seq(1000).text(&stream[1000..]).flags("F"));
    outs.extend(r.advance(ms(499)));
    expect(&outs, &["ACK seq=0 ack=1401"]);
    assert_eq!(r.state(), CloseWait);
    assert_eq!(r.read(2000).as_deref(), Ok(&stream[1000..]));
    assert_eq!(r.read(2000), Ok(vec![]));
    // A FIN exactly at the edge needs no room.
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 1000);
    r.accept_peer(PLAIN);
    expect(&r.send(Seg::new().text(&stream[..1000]).flags("F")), &["ACK seq=0 ack=1001"]);
    assert_eq!(r.state(), CloseWait);
}

/// Both ends in TIME_WAIT after closing at once.
fn both_in_time_wait() -> (Rig, Rig) {
    let (mut a, mut b) = two_connected();
    let (fin_a, fin_b) = (a.shutdown().remove(0), b.shutdown().remove(0));
    carry(&fin_a, &mut b);
    carry(&fin_b, &mut a);
    shuttle(&mut a, &mut b);
    assert_eq!((a.state(), b.state()), (TimeWait, TimeWait));
    (a, b)
}

#[test]
fn q21_two_ends_in_time_wait_do_not_answer_each_other() {
    // An ACK in range is dropped.
    let (mut a, mut b) = both_in_time_wait();
    let iss = b.side().peer_iss;
    let side = Side { iss: b.sides[&b.at].iss, peer_iss: iss, ..b.side().clone() };
    let again = Seg::new().seq(1).ack(1).packet(&side);
    b.stack.on_packet(b.now, RxFrame::plain(&again));
    assert_eq!(shuttle(&mut a, &mut b).len(), 0);
    // One out of range gets an answer whose numbers are in range, and that is all.
    for r in [&mut a, &mut b] {
        r.advance(s(1));
    }
    let wrong = Seg::new().seq(1).ack(1000).packet(&side);
    b.stack.on_packet(b.now, RxFrame::plain(&wrong));
    assert_eq!(shuttle(&mut a, &mut b).len(), 1);
}

/// A SYN in TIME_WAIT: how the old connection and the SYN stand to timestamps, and whether it opens a new one.
fn reuse(old_ts: bool, ts: Option<i32>, seq: i32, accepted: bool) {
    let mut r = Rig::in_state_with(TimeWait, if old_ts { TS } else { PLAIN });
    let recent = r.side().peer_clock;
    r.advance(s(1));
    let mut syn = Seg::new().flags("S").no_ack().seq(seq).options(&[2, 4, 5, 180]);
    if let Some(d) = ts {
        syn = syn.ts(recent.wrapping_add(d as u32), 0);
    }
    let outs = r.send(syn);
    let case = format!("old timestamps {old_ts}, new {ts:?}, number {seq}: {}", lines(&outs));
    if accepted {
        assert!(one(&outs).has('S') && outs[0].has('A'), "{case}");
        assert_eq!(r.state(), SynReceived, "{case}");
        let iss = r.side().iss;
        // The handshake completes; an old segment of the first connection is rejected by its number or timestamp.
        let ack = Seg::new().seq(seq + 1).ack(0);
        r.side().ts = outs[0].ts.is_some();
        none(&r.send(ack));
        assert_eq!(r.state(), Established, "{case}");
        let mut old = Seg::new().seq(-50).text(b"old").ack(0);
        if r.side().ts {
            old = old.ts(recent.wrapping_sub(10), 0);
        }
        r.side().iss = iss;
        r.send(old);
        let l = r.listener.expect("listening");
        let id = r.stack.accept(r.now, l).expect("a connection").0;
        r.side().id = Some(id);
        assert_eq!(r.read(9), Err(ReadError::WouldBlock), "{case}");
    } else {
        assert_eq!(one(&outs).brief(), "ACK seq=1 ack=1", "{case}");
        assert_eq!(r.state(), TimeWait, "{case}");
    }
}

#[test]
fn q22_time_wait_is_reused_by_the_rules() {
    // The peer's FIN had number 0.
    reuse(true, Some(1), -1000, true);
    reuse(true, Some(1), 1000, true);
    reuse(true, Some(0), 1, true);
    reuse(true, Some(0), 0, false);
    reuse(true, Some(0), -1000, false);
    reuse(true, Some(-1), 1000, false);
    reuse(true, None, 1, true);
    reuse(true, None, 0, false);
    reuse(false, Some(1), -1000, true);
    reuse(false, Some(1), 1000, true);
    reuse(false, None, 1, true);
    reuse(false, None, 0, false);
    reuse(false, None, -1000, false);
}

#[test]
fn q22_without_a_listener_nothing_is_reused() {
    let mut r = Rig::connected(PLAIN);
    r.bring_to(TimeWait);
    let outs = r.send(Seg::new().flags("S").no_ack().seq(1000));
    expect(&outs, &["ACK seq=1 ack=1"]);
    assert_eq!(r.state(), TimeWait);
}

#[test]
fn q23_the_peer_repeats_its_syn() {
    let mut r = Rig::new();
    let l = r.listen();
    let mut answers = 0;
    for _ in 0..4 {
        let syn = r.syn(PLAIN);
        let outs = r.send(syn);
        assert!(outs.iter().all(|o| o.brief() == "SYN,ACK seq=-1 ack=0"), "{}", lines(&outs));
        answers += outs.len();
    }
    // One for the first, at most one for each repetition, all the same, and one connection.
    assert!((1..=4).contains(&answers));
    assert_eq!(r.stack.census().half_open, 1);
    none(&r.send(Seg::new()));
    assert_eq!((r.stack.accept_queue(l), r.state()), (1, Established));
    assert_eq!(r.drops(DropReason::Duplicate), 3);
}

#[test]
fn q24_abort_in_each_state() {
    let table = [
        (SynSent, false),
        (SynReceived, true),
        (Established, true),
        (FinWait1, true),
        (FinWait2, true),
        (CloseWait, true),
        (Closing, false),
        (LastAck, false),
        (TimeWait, false),
    ];
    for (state, resets) in table {
        let mut r = Rig::in_state(state);
        let nxt = if matches!(state, FinWait1 | FinWait2) { 1 } else { 0 };
        let outs = r.abort();
        if resets {
            assert!(one(&outs).has('R') && outs[0].seq == nxt, "{state}: {}", lines(&outs));
        } else {
            assert!(outs.is_empty(), "{state}: {}", lines(&outs));
        }
        assert_eq!(r.state(), Closed, "{state}");
        none(&r.advance(s(600)));
        let census = r.stack.census();
        assert_eq!((census.connections, census.time_wait, census.half_open), (0, 0, 0), "{state}");
    }
}
