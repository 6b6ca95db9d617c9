//! Rules about timestamps, window scale and SACK that docs/rfc-ledger names and no other test shows: RFC 7323, RFC 2018,
//! RFC 2883.

mod rig;

use rig::*;
use synfin_tcp::{Quirks, Shutdown, State};
use synfin_wire::DropReason;

// --- RFC 7323 ----------------------------------------------------------------------------------------------------

#[test]
fn l_7323_2_2_the_offer_to_scale_is_made_with_a_shift_of_zero_too() {
    // A small buffer needs no scaling of ours; the peer's window may be scaled all the same.
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 20_000);
    assert_eq!(r.connect().wscale, Some(0));
    let sa = r.syn_ack(Offer { wnd: 1000, wscale: Some(7), ..PLAIN });
    let ack = r.send(sa);
    assert_eq!(r.info().wscale, (0, 7));
    // Our own window is not shifted, the peer's is.
    assert_eq!(u32::from(one(&ack).wnd), r.info().rcv_wnd);
    r.send(Seg::new().wnd(1000));
    assert_eq!(r.info().snd_wnd, 1000 << 7);
}

#[test]
fn l_7323_2_2_without_window_scaling_none_is_offered_and_none_answered() {
    let mut r = Rig::with(|c| c.tcp.window_scaling = false);
    assert_eq!(r.connect().wscale, None);
    let mut r = Rig::with(|c| c.tcp.window_scaling = false);
    r.listen();
    let syn = r.syn(Offer { wscale: Some(7), ..PLAIN });
    assert_eq!(one(&r.send(syn)).wscale, None);
    none(&r.send(Seg::new().wnd(1000)));
    let l = r.listener.expect("listening");
    let id = r.stack.accept(r.now, l).expect("a connection").0;
    r.side().id = Some(id);
    assert_eq!((r.info().wscale, r.info().snd_wnd), ((0, 0), 1000));
}

#[test]
fn l_7323_3_2_the_echo_of_a_syn_is_zero() {
    let mut r = Rig::new();
    let syn = r.connect();
    assert_eq!(syn.ts.map(|(_, ecr)| ecr), Some(0));
    // With ACK it is what the peer said.
    let clock = r.side().peer_clock;
    let sa = r.syn_ack(TS);
    r.side().ts = true;
    let outs = r.send(sa);
    assert_eq!(one(&outs).ts.map(|(_, ecr)| ecr), Some(clock));
}

#[test]
fn l_7323_3_2_the_echo_of_a_segment_without_ack_is_ignored() {
    // A crossing SYN with an echo, although it acknowledges nothing: no sample comes of it.
    let mut r = Rig::new();
    let ours = r.connect().ts.expect("timestamps").0;
    r.advance(ms(400));
    let clock = r.side().peer_clock;
    let syn = Seg::new().flags("S").seq(-1).no_ack().wnd(8000).options(&[2, 4, 5, 180]).ts(clock, ours);
    assert_eq!(one(&r.send(syn)).brief(), "SYN,ACK seq=-1 ack=0");
    assert_eq!(r.info().srtt, ms(0));
    assert_eq!(r.state(), State::SynReceived);
}

#[test]
fn l_7323_3_2_a_syn_without_timestamps_is_answered_without() {
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    assert_eq!(one(&r.send(syn)).ts, None);
    r.peer(4001);
    let syn = r.syn(TS);
    assert!(one(&r.send(syn)).ts.is_some());
}

#[test]
fn l_7323_3_2_timestamps_that_were_not_agreed_are_ignored() {
    let mut r = Rig::established(PLAIN);
    // Newer, then older: neither is remembered or judged.
    for (n, val) in [5_000_000, 1_000, u32::MAX, 7].into_iter().enumerate() {
        let outs = r.send(Seg::new().text(&[n as u8]).ts(val, 99));
        assert_eq!(r.read(9), Ok(vec![n as u8]));
        assert!(outs.iter().all(|o| o.ts.is_none()), "{}", lines(&outs));
    }
    assert_eq!(r.drops(DropReason::Paws), 0);
}

#[test]
fn l_7323_4_2_one_sample_per_round_trip() {
    // Five segments of one round, acknowledged one by one and later and later: what counts is the first.
    let mut r = Rig::connected(Offer { rtt: ms(100), ..TS });
    r.nodelay();
    r.write(&text(5 * 1000));
    r.advance(ms(100));
    let echo = r.side().echo;
    let before = r.info();
    r.send(Seg::new().ack(1000).ts(2_000_000, echo));
    let after = r.info();
    assert_ne!((before.srtt, before.rttvar), (after.srtt, after.rttvar), "a sample");
    for n in 2..5 {
        r.advance(ms(50));
        r.send(Seg::new().ack(n * 1000).ts(2_000_000, echo));
        assert_eq!((r.info().srtt, r.info().rttvar), (after.srtt, after.rttvar), "none from segment {n}");
    }
}

#[test]
fn l_7323_5_2_a_reset_by_the_application_carries_a_timestamp() {
    let mut r = Rig::established(TS);
    let clock = r.side().peer_clock;
    let outs = r.abort();
    let rst = one(&outs);
    assert!(rst.has('R'));
    assert_eq!(rst.ts.map(|(_, ecr)| ecr), Some(clock));
    // And none where none was agreed.
    assert_eq!(one(&Rig::established(PLAIN).abort()).ts, None);
}

#[test]
fn l_7323_5_2_a_reset_is_not_judged_by_its_timestamp() {
    // Far too old, and yet exact: it resets.
    let mut r = Rig::established(TS);
    let clock = r.side().peer_clock;
    none(&r.send(Seg::new().flags("R").seq(0).ts(clock.wrapping_sub(1_000_000), 0)));
    assert_eq!(r.state(), State::Closed);
    // Far too new, and not exact: it leaves nothing behind.
    let mut r = Rig::established(TS);
    let clock = r.side().peer_clock;
    let outs = r.send(Seg::new().flags("R").seq(100).ts(clock.wrapping_add(1 << 30), 0));
    assert_eq!(one(&outs).ts.map(|(_, ecr)| ecr), Some(clock), "TS.Recent stays");
    r.side().nxt = 0;
    none(&r.send(Seg::new().seq(0).text(b"honest").ts(clock, 0)));
    assert_eq!(r.read(9).as_deref(), Ok(&b"honest"[..]));
}

#[test]
fn l_7323_5_2_what_is_remembered_never_goes_back() {
    // Where Linux lets a timestamp pass that is older by one, it is not remembered: many of them make no path backwards.
    let mut r = Rig::with(|c| c.tcp.quirks = Quirks::PAWS_TOLERATES_ONE);
    r.accept_peer(TS);
    let recent = r.side().peer_clock;
    for n in 0..5u8 {
        none(&r.send(Seg::new().text(&[n]).ts(recent.wrapping_sub(1), 0)));
        let outs = r.advance(ms(50));
        assert_eq!(one(&outs).ts.map(|(_, ecr)| ecr), Some(recent), "segment {n}");
    }
    assert_eq!(r.read(9), Ok(vec![0, 1, 2, 3, 4]));
    let outs = r.send(Seg::new().text(b"old").ts(recent.wrapping_sub(2), 0));
    expect(&outs, &["ACK seq=0 ack=5"]);
    assert_eq!(r.drops(DropReason::Paws), 1);
}

// --- RFC 2018, 2883 ----------------------------------------------------------------------------------------------

#[test]
fn l_2018_4_every_segment_that_leaves_a_gap_open_says_so() {
    let mut r = Rig::established(SACK);
    r.send(Seg::new().seq(500).text(&text(500)));
    let held = vec![(500, 1000)];
    // Text and FIN of ours carry the block too.
    assert_eq!(one(&r.write(b"question")).sacked(r.side()), held);
    let outs = r.send(Seg::new().seq(0));
    none(&outs);
    r.handle().shutdown(Shutdown::Write);
    let outs = r.pump();
    assert!(one(&outs).has('F'));
    assert_eq!(outs[0].sacked(r.side()), held);
    // So does the ACK of a segment that failed the sequence test.
    r.advance(s(1));
    let outs = r.send(Seg::new().seq(-10).text(b"old"));
    assert_eq!(one(&outs).sacked(r.side()).last(), Some(&(500, 1000)));
    // Filled: nothing is left to report.
    let outs = r.send(Seg::new().seq(0).text(&text(500)));
    assert_eq!((one(&outs).ack, outs[0].sack.len()), (Some(1000), 0));
}

#[test]
fn l_2018_8_what_was_reported_is_kept_when_nothing_more_fits() {
    // Two ranges and no more: a third is refused, the two stay reported and are delivered in the end.
    let mut r = Rig::with(|c| c.tcp.max_ranges = 2);
    r.accept_peer(SACK);
    let stream = text(3000);
    let part = |n: i32| Seg::new().seq(n * 500).text(&stream[n as usize * 500..(n as usize + 1) * 500]);
    r.send(part(1));
    r.send(part(3));
    let outs = r.send(part(5));
    assert_eq!(one(&outs).sacked(r.side()), [(1500, 2000), (500, 1000)]);
    assert_eq!(r.drops(DropReason::ReassemblyLimit), 1);
    for n in [0, 2, 4, 5] {
        r.send(part(n));
    }
    assert_eq!(r.read(9000), Ok(stream.clone()));
}

#[test]
fn l_2883_4_1_2_the_duplicate_comes_before_the_block_above_it() {
    let part = |n: i32| Seg::new().seq(n * 500).text(&text(500));
    let mut r = Rig::established(SACK);
    r.send(part(0));
    r.send(part(1));
    let outs = r.send(part(3));
    assert_eq!(one(&outs).sacked(r.side()), [(1500, 2000)]);
    let outs = r.send(part(0));
    assert_eq!((one(&outs).ack, one(&outs).sacked(r.side())), (Some(1000), vec![(0, 500), (1500, 2000)]));
    // Another duplicate, another report; without one, none.
    let outs = r.send(part(1));
    assert_eq!(one(&outs).sacked(r.side()), [(500, 1000), (1500, 2000)]);
    let outs = r.send(part(5));
    assert_eq!(one(&outs).sacked(r.side()), [(2500, 3000), (1500, 2000)]);
}

#[test]
fn l_2883_4_2_parts_that_came_twice_are_reported_too() {
    let stream = text(4000);
    let open = || {
        let mut r = Rig::established(SACK);
        r.send(Seg::new().seq(0).text(&stream[..1000]));
        r.advance(ms(100));
        r
    };
    let part = |from: i32, to: i32| Seg::new().seq(from).text(&stream[from as usize..to as usize]);
    let answer = |r: &mut Rig, seg: Seg| {
        let outs = r.send(seg);
        (one(&outs).ack, one(&outs).sacked(r.side()))
    };
    // Example 4: half of the segment is new, and fills the gap.
    let mut r = open();
    assert_eq!(answer(&mut r, part(2000, 2500)), (Some(1000), vec![(2000, 2500)]));
    assert_eq!(answer(&mut r, part(1000, 1500)), (Some(1500), vec![(2000, 2500)]));
    assert_eq!(answer(&mut r, part(1000, 2000)), (Some(2500), vec![(1000, 1500)]));
    assert_eq!(r.read(9000).as_deref(), Ok(&stream[..2500]));
    // Example 5: two parts came twice; the first is told.
    let mut r = open();
    assert_eq!(answer(&mut r, part(3000, 3500)), (Some(1000), vec![(3000, 3500)]));
    assert_eq!(answer(&mut r, part(1000, 1500)), (Some(1500), vec![(3000, 3500)]));
    assert_eq!(answer(&mut r, part(2000, 2500)), (Some(1500), vec![(2000, 2500), (3000, 3500)]));
    assert_eq!(answer(&mut r, part(1000, 2500)), (Some(2500), vec![(1000, 1500), (3000, 3500)]));
    // Example 6: the same above the acknowledgement; the block that holds it all comes second.
    let mut r = open();
    assert_eq!(answer(&mut r, part(3500, 4000)), (Some(1000), vec![(3500, 4000)]));
    assert_eq!(answer(&mut r, part(1500, 2000)), (Some(1000), vec![(1500, 2000), (3500, 4000)]));
    r.send(part(2500, 3000));
    assert_eq!(
        answer(&mut r, part(1500, 3000)),
        (Some(1000), vec![(1500, 2000), (1500, 3000), (3500, 4000)])
    );
}
