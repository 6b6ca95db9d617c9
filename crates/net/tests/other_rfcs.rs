//! Requirements of other RFCs that touch connections, under the names of the requirements list (X-...).
//!
//! Not in this version, hence without a test: RACK-TLP (RFC 8985), PRR (RFC 6937), packetization-layer path MTU
//! discovery (RFC 4821, 8899), ECN (RFC 3168), authentication (RFC 5925). X-5961-1 to 3 are the
//! state table's vectors (`vectors.rs`) and the B rows of `attacks.rs`.

mod rig;

use rig::*;
use synfin_link::Caps;
use synfin_tcp::cc::Choice;
use synfin_tcp::{ReadError, State};
use synfin_wire::DropReason;

// --- RFC 5961 ----------------------------------------------------------------------------------------------------

#[test]
fn x_5961_4_challenge_acks_are_limited_per_connection() {
    let mut r = Rig::established(PLAIN);
    let a = r.at;
    r.peer(4001);
    r.accept_peer(PLAIN);
    let b = r.at;
    r.speak_for(a);
    let mut answers = 0;
    for n in 0..1000 {
        answers += r.send(Seg::new().flags("R").seq(1 + n)).len();
        r.side().nxt = 0;
        answers += r.advance(ms(1)).len();
    }
    assert!((1..=3).contains(&answers), "{answers} in a second");
    assert_eq!(r.state(), State::Established);
    // Another connection's budget is its own.
    r.speak_for(b);
    expect(&r.send(Seg::new().flags("R").seq(9)), &["ACK seq=0 ack=0"]);
}

#[test]
fn x_5961_4_the_limit_is_tunable() {
    let mut r = Rig::with(|c| c.tcp.challenge_interval = s(5));
    r.accept_peer(PLAIN);
    let mut answers = 0;
    for _ in 0..100 {
        answers += r.send(Seg::new().flags("R").seq(1)).len();
        r.side().nxt = 0;
        r.advance(ms(100));
    }
    assert_eq!(answers, 2);
}

// --- RFC 7323 ----------------------------------------------------------------------------------------------------

#[test]
fn x_7323_1_window_scale_is_for_both_or_none() {
    // A shift above 14 counts as 14.
    for shift in [15, 100, 255] {
        let mut r = Rig::established(Offer { wscale: Some(shift), ..WIDE });
        assert_eq!(r.info().wscale.1, 14);
        assert_eq!(r.info().snd_wnd, 65_535 << 14);
    }
    // The peer does not scale: neither do we, though we offered.
    let mut r = Rig::new();
    assert!(r.connect().wscale.is_some());
    let sa = r.syn_ack(Offer { wnd: 1000, ..PLAIN });
    r.send(sa);
    assert_eq!(r.info().wscale, (0, 0));
    assert_eq!(r.info().snd_wnd, 1000);
    // The window of a SYN is not scaled even when both scale.
    let mut r = Rig::new();
    r.connect();
    let sa = r.syn_ack(Offer { wnd: 1000, wscale: Some(7), ..PLAIN });
    let ack = r.send(sa);
    assert_eq!(r.info().snd_wnd, 1000);
    // Ours is from then on.
    let shift = r.info().wscale.0;
    assert!(shift > 0);
    assert_eq!(u32::from(one(&ack).wnd), r.info().rcv_wnd >> shift);
    // A listener answers with the option only who offered it, and ignores it outside of a SYN.
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    assert_eq!(one(&r.send(syn)).wscale, None);
    none(&r.send(Seg::new().wnd(1000).options(&[3, 3, 7, 0])));
    let l = r.listener.expect("listening");
    let id = r.stack.accept(r.now, l).expect("a connection").0;
    r.side().id = Some(id);
    assert_eq!(r.info().snd_wnd, 1000);
}

#[test]
fn x_7323_2_timestamps_on_every_segment() {
    let mut r = Rig::connected(TS);
    let mut outs = r.write(&text(3000));
    outs.extend(r.send(Seg::new().text(b"x")));
    outs.extend(r.advance(s(10)));
    outs.extend(r.send(Seg::new().seq(-5).text(b"old")));
    outs.extend(r.shutdown());
    outs.extend(r.send(Seg::new().flags("F")));
    assert!(outs.len() > 6);
    assert!(outs.iter().all(|o| o.ts.is_some()), "{}", lines(&outs));
    // TIME_WAIT too.
    r.advance(s(1));
    let outs = r.send(Seg::new().flags("F").seq(1));
    assert!(one(&outs).ts.is_some());
    // What has none is dropped silently and ends nothing.
    let mut r = Rig::established(TS);
    none(&r.send(Seg::new().text(b"none").no_ts()));
    none(&r.advance(s(1)));
    assert_eq!(r.read(9), Err(ReadError::WouldBlock));
    assert_eq!((r.state(), r.drops(DropReason::NoTimestamp)), (State::Established, 1));
    // RST needs none (5.2).
    none(&r.send(Seg::new().flags("R").seq(0).no_ts()));
    assert_eq!(r.state(), State::Closed);
}

/// A connection whose TS.Recent is just below `first`.
fn with_timestamps() -> (Rig, u32) {
    let mut r = Rig::established(TS);
    let base = r.side().peer_clock;
    r.advance(s(1));
    (r, base)
}

#[test]
fn x_7323_3_ts_recent_in_the_example_with_delayed_acks() {
    // RFC 7323 4.3, first example: the ACK echoes the earliest segment that it acknowledges.
    let (mut r, base) = with_timestamps();
    none(&r.send(Seg::new().text(b"A").ts(base + 1, 0)));
    none(&r.send(Seg::new().text(b"B").ts(base + 2, 0)));
    none(&r.send(Seg::new().text(b"C").ts(base + 3, 0)));
    let outs = r.advance(s(1));
    assert_eq!((one(&outs).ack, outs[0].ts.map(|t| t.1)), (Some(3), Some(base + 1)));
}

#[test]
fn x_7323_3_ts_recent_in_the_example_with_a_hole() {
    // RFC 7323 4.3, second example: every segment is acknowledged.
    let (mut r, base) = with_timestamps();
    let part = |n: i32, val| Seg::new().seq(n * 100).text(&text(100)).ts(base + val, 0);
    let echo = |outs: &[Out]| one(outs).ts.map(|t| t.1 - base);
    r.send(part(0, 1));
    assert_eq!(echo(&r.advance(ms(100))), Some(1));
    assert_eq!(echo(&r.send(part(2, 3))), Some(1));
    assert_eq!(echo(&r.send(part(1, 2))), Some(2));
    assert_eq!(echo(&r.send(part(4, 5))), Some(2));
    assert_eq!(echo(&r.send(part(3, 4))), Some(4));
}

#[test]
fn x_7323_4_paws_rejects_what_is_older() {
    let (mut r, base) = with_timestamps();
    none(&r.send(Seg::new().text(b"a").ts(base + 100, 0)));
    r.advance(s(1));
    // Older by one, by half the number space: acknowledged, not taken.
    for val in [base + 99, base, base.wrapping_sub(1 << 30), (base + 101).wrapping_sub(1 << 31)] {
        let outs = r.send(Seg::new().seq(1).text(b"old").ts(val, 0));
        expect(&outs, &["ACK seq=0 ack=1"]);
        assert_eq!(outs[0].ts.map(|t| t.1), Some(base + 100), "TS.Recent stays");
    }
    assert_eq!(r.drops(DropReason::Paws), 4);
    // Equal and newer ones pass.
    r.side().nxt = 1;
    none(&r.send(Seg::new().text(b"b").ts(base + 100, 0)));
    assert_eq!(r.read(9).as_deref(), Ok(&b"ab"[..]));
    // After 24 days of silence the old value means nothing (5.5).
    r.advance(s(24 * 24 * 3600 + 10));
    none(&r.send(Seg::new().text(b"c").ts(base, 0)));
    assert_eq!(r.read(9).as_deref(), Ok(&b"c"[..]));
}

#[test]
fn x_7323_5_only_acks_of_new_text_give_a_sample() {
    let mut r = Rig::connected(Offer { rtt: ms(50), ..TS });
    let before = r.info();
    r.advance(s(60));
    let echo = r.side().echo;
    let clock = r.side().peer_clock;
    none(&r.send(Seg::new().wnd(9000).ts(clock, echo)));
    r.send(Seg::new().text(b"text without news for us").ts(clock, echo));
    assert_eq!((r.info().srtt, r.info().rto), (before.srtt, before.rto));
}

#[test]
fn x_7323_6_what_was_offered_is_honoured() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 1 << 20);
    r.accept_peer(Offer { wscale: Some(7), sack: true, ..PLAIN });
    let shift = r.info().wscale.0;
    assert!(shift > 0);
    // A segment of a size that is no multiple of the scale, and its ACK: an edge.
    r.send(Seg::new().text(&text(1001)));
    let outs = r.advance(ms(100));
    let edge = 1001 + (i32::from(one(&outs).wnd) << shift);
    // More odd segments: later windows are rounded down.
    r.send(Seg::new().text(&text(3)));
    r.advance(ms(100));
    r.send(Seg::new().text(&text(1)));
    r.advance(ms(100));
    // The last octet of the first offer is still taken.
    let outs = r.send(Seg::new().seq(edge - 1).text(b"!"));
    assert_eq!(one(&outs).sacked(r.side()), [(edge - 1, edge)]);
}

// --- RFC 2018, 2883 ----------------------------------------------------------------------------------------------

#[test]
fn x_sack_1_the_most_recent_block_comes_first() {
    for (offer, most) in [(SACK, 4), (Offer { ts: true, ..SACK }, 3)] {
        let mut r = Rig::established(offer);
        let part = |n: i32| Seg::new().seq(n * 500).text(&text(500));
        // RFC 2018 section 4, case 2: the first of eight is lost, the others arrive in order: one growing block.
        for n in 1..8 {
            let outs = r.send(part(n));
            assert_eq!(one(&outs).sacked(r.side()), [(500, (n + 1) * 500)]);
        }
        expect(&r.send(part(0)), &["ACK seq=0 ack=4000"]);
        // Case 3: every second one is lost.
        let mut blocks: Vec<(i32, i32)> = Vec::new();
        for n in [9, 11, 13, 15, 17] {
            let outs = r.send(part(n));
            blocks.insert(0, (n * 500, (n + 1) * 500));
            blocks.truncate(most);
            assert_eq!(one(&outs).sacked(r.side()), blocks, "{}", lines(&outs));
        }
        // One in the middle arrives: its neighbours become one block, and that is the latest.
        let outs = r.send(part(12));
        assert_eq!(one(&outs).sacked(r.side())[0], (11 * 500, 14 * 500));
        assert_eq!(one(&outs).ack, Some(4000));
    }
}

#[test]
fn x_sack_1_duplicates_are_reported_first() {
    let part = |n: i32| Seg::new().seq(n * 500).text(&text(500));
    // RFC 2883 4.1.1: a duplicate of what is acknowledged.
    let mut r = Rig::established(SACK);
    r.send(part(0));
    r.send(part(1));
    let outs = r.send(part(0));
    assert_eq!((one(&outs).ack, one(&outs).sacked(r.side())), (Some(1000), vec![(0, 500)]));
    // It is said once.
    r.send(part(2));
    assert!(r.advance(ms(100)).iter().all(|o| o.sack.is_empty()));
    // 4.1.2: a duplicate of what is held: first the duplicate, then the block that holds it.
    let mut r = Rig::established(SACK);
    r.send(part(1));
    r.send(part(2));
    let outs = r.send(part(1));
    assert_eq!(one(&outs).sacked(r.side()), [(500, 1000), (500, 1500)]);
}

#[test]
fn x_sack_1_nothing_without_agreement() {
    let mut r = Rig::established(WIDE);
    let outs = r.send(Seg::new().seq(500).text(&text(500)));
    assert!(one(&outs).sack.is_empty());
}

#[test]
fn x_sack_2_the_receiver_may_renege() {
    let mut r = Rig::established(SACK);
    assert_eq!(r.write(&text(7300)).len(), 5);
    let seg = Seg::new().ack(0).sack(r.side(), &[(1460, 7300)]);
    r.send(seg);
    // The peer forgets it all: after the timeout everything is sent again.
    let mut seen = vec![false; 7300];
    let mut outs = r.advance(s(2));
    for _ in 0..20 {
        for o in &outs {
            seen[o.seq as usize..o.seq as usize + o.text.len()].fill(true);
        }
        let got = seen.iter().position(|s| !s).unwrap_or(7300) as i32;
        outs = r.send(Seg::new().ack(got));
        outs.extend(r.advance(s(1)));
    }
    assert!(seen.iter().all(|s| *s));
    assert_eq!(r.info().flight, 0);
}

// --- RFC 6298 ----------------------------------------------------------------------------------------------------

#[test]
fn x_6298_1_the_timer_runs_while_something_is_in_flight() {
    let mut r = Rig::established(PLAIN);
    // (5.2) all acknowledged: off.
    r.write(b"x");
    none(&r.send(Seg::new()));
    none(&r.advance(s(600)));
    // (5.1) running since the first segment, not restarted by the second; (5.3) restarted by an ACK of new text.
    r.nodelay();
    let start = r.now;
    r.write(b"1");
    r.advance(ms(600));
    r.write(b"2");
    let outs = r.advance(ms(500));
    assert_eq!((outs[0].seq, Rig::times(&outs, start)[0]), (1, 1000));
    let mut r = Rig::established(PLAIN);
    r.nodelay();
    r.write(b"1");
    r.advance(ms(600));
    r.write(b"2");
    none(&r.send(Seg::new().ack(1)));
    let start = r.now;
    // (2.2) the first sample is 600 ms: 600 + 4 * 300.
    let outs = r.advance(s(2));
    assert_eq!((one(&outs).seq, Rig::times(&outs, start)[0]), (1, 1800));
    // (5.4) the earliest first, (5.5) twice as long after it.
    let outs = r.advance(s(4));
    assert_eq!((one(&outs).seq, Rig::times(&outs, start)[0]), (1, 1800 + 3600));
}

#[test]
fn x_6298_1_text_starts_with_three_seconds_after_a_syn_timeout() {
    // (5.7)
    let mut r = Rig::new();
    r.connect();
    r.advance(s(2));
    let sa = r.syn_ack(PLAIN);
    r.send(sa);
    r.write(b"x");
    let start = r.now;
    let outs = r.advance(s(4));
    assert_eq!(Rig::times(&outs, start), [3000]);
}

#[test]
fn x_8961_every_timeout_backs_off() {
    let mut r = Rig::established(WIDE);
    r.write(&text(14_600));
    let mut rto = r.info().rto;
    for n in 0..5 {
        r.advance(rto);
        let info = r.info();
        assert_eq!(info.cwnd, 1460, "timeout {n}");
        assert_eq!(info.rto, (rto * 2).min(s(60)), "timeout {n}");
        rto = info.rto;
    }
}

// --- RFC 5681, 6582, 6675, 3042, 6928 ----------------------------------------------------------------------------

#[test]
fn x_iw10_the_initial_window() {
    for (mss, want) in [(1460, 14_600), (9000, 18_000), (100, 1000), (536, 5360)] {
        let mut r = Rig::host(2, Caps::plain(9040), |_| {});
        r.accept_peer(Offer { mss: Some(mss), ..WIDE });
        assert_eq!(r.info().cwnd, want, "MSS {mss}");
        let sent: usize = r.write(&text(50_000)).iter().map(|o| o.text.len()).sum();
        assert_eq!(sent, want as usize, "MSS {mss}");
    }
    // One SYN timeout leaves it, more do not.
    for (wait, want) in [(s(2), 14_600), (s(4), 1460)] {
        let mut r = Rig::new();
        r.connect();
        r.advance(wait);
        let sa = r.syn_ack(WIDE);
        r.send(sa);
        assert_eq!(r.info().cwnd, want, "after {wait:?}");
    }
}

/// An established connection with ten full segments in flight.
fn ten_in_flight(offer: Offer) -> Rig {
    let mut r = Rig::established(offer);
    assert_eq!(r.write(&text(29_200)).len(), 10);
    r
}

#[test]
fn x_5681_1_three_duplicates_retransmit_fast() {
    let mut r = Rig::with(|c| c.tcp.congestion_control = Choice::Reno);
    r.accept_peer(WIDE);
    assert_eq!(r.write(&text(29_200)).len(), 10);
    // Limited transmit (RFC 3042): a new segment for each of the first two.
    expect(&r.send(Seg::new().ack(0)), &["ACK seq=14600 ack=0 len=1460"]);
    expect(&r.send(Seg::new().ack(0)), &["ACK seq=16060 ack=0 len=1460"]);
    let outs = r.send(Seg::new().ack(0));
    assert_eq!(outs[0].brief(), "ACK seq=0 ack=0 len=1460", "{}", lines(&outs));
    // FlightSize / 2; what limited transmit sent does not count for it (RFC 5681 3.2 (2)).
    let half = r.info().ssthresh;
    assert!((14_600 / 2..=17_520 / 2).contains(&half), "{half}");
    // All repaired: cwnd is the threshold or less (RFC 6582 3.2 step 3).
    r.side().rcv = 17_520;
    r.send(Seg::new());
    assert!(r.info().cwnd <= half + 1460, "{:?}", r.info());
}

#[test]
fn x_5681_1_what_is_no_duplicate_counts_for_none() {
    let mut r = ten_in_flight(WIDE);
    // With text, with a new window, with a FIN to come: not duplicates in the sense of RFC 5681 2.
    for n in 0..5 {
        r.send(Seg::new().ack(0).text(b"text"));
        let outs = r.send(Seg::new().ack(0).wnd(60_000 - n));
        assert!(outs.iter().all(|o| o.seq != 0 || o.text.is_empty()), "{}", lines(&outs));
    }
    assert_eq!(r.info().retransmits, 0);
}

#[test]
fn x_5681_1_restart_after_idling() {
    let mut r = Rig::with(|c| c.tcp.send_buffer = 1 << 20);
    r.accept_peer(WIDE);
    for _ in 0..20 {
        let room = 250_000 - r.info().send_queue as usize;
        r.write(&text(room));
        r.send(Seg::new());
    }
    while r.info().send_queue > 0 {
        r.send(Seg::new());
    }
    assert!(r.info().cwnd > 30_000);
    // Longer than an RTO without sending: min(IW, cwnd) (RFC 5681 4.1).
    r.advance(s(30));
    let sent: usize = r.write(&text(60_000)).iter().map(|o| o.text.len()).sum();
    assert_eq!(sent, 14_600);
}

#[test]
fn x_rec_1_newreno_repairs_one_hole_per_partial_ack() {
    // Segments 0, 3 and 6 of ten are lost; no SACK.
    let mut r = ten_in_flight(WIDE);
    let mut repaired = Vec::new();
    for _ in 0..7 {
        let outs = r.send(Seg::new().ack(0));
        repaired.extend(outs.iter().filter(|o| o.seq < 14_600).map(|o| o.seq / 1460));
    }
    for ack in [3, 6] {
        let outs = r.send(Seg::new().ack(ack * 1460));
        repaired.extend(outs.iter().filter(|o| o.seq < 14_600).map(|o| o.seq / 1460));
    }
    assert_eq!(repaired, [0, 3, 6]);
    assert_eq!(r.stack.counters().timeouts, 0);
    r.side().rcv = r.info().snd_nxt.raw().wrapping_sub(r.sides[&r.at].iss.wrapping_add(1)) as i32;
    r.send(Seg::new());
    assert_eq!(r.info().retransmits, 3);
}

#[test]
fn x_rec_1_sack_repairs_exactly_what_was_lost() {
    // Every loss pattern of ten segments that leaves enough behind to see it.
    for lost in 1u32..(1 << 6) {
        let mut r = ten_in_flight(SACK);
        let mut got = [false; 20];
        let mut retransmitted = Vec::new();
        let mut wire: Vec<i32> = (0..10).filter(|n| lost >> n & 1 == 0).collect();
        let mut rounds = 0;
        while !got.iter().all(|g| *g) {
            rounds += 1;
            assert!(rounds < 200, "pattern {lost:b} never ends");
            assert!(!wire.is_empty(), "pattern {lost:b}: nothing on the way");
            let n = wire.remove(0);
            got[n as usize] = true;
            let ack = got.iter().position(|g| !g).unwrap_or(20) as i32;
            let blocks: Vec<(i32, i32)> = {
                let mut b: Vec<(i32, i32)> = Vec::new();
                for i in ack..20 {
                    if got[i as usize] {
                        match b.last_mut() {
                            Some(last) if last.1 == i * 1460 => last.1 += 1460,
                            _ => b.push((i * 1460, (i + 1) * 1460)),
                        }
                    }
                }
                // The block with the latest arrival first.
                let at = b.iter().position(|(l, r)| (*l..*r).contains(&(n * 1460))).unwrap_or(0);
                if at < b.len() {
                    b[..=at].rotate_right(1);
                }
                b.truncate(4);
                b
            };
            let mut seg = Seg::new().ack(ack * 1460);
            if !blocks.is_empty() {
                seg = seg.sack(r.side(), &blocks);
            }
            for o in r.send(seg) {
                assert_eq!((o.seq % 1460, o.text.len()), (0, 1460));
                let n = o.seq / 1460;
                if n < 10 && lost >> n & 1 == 1 || got[n as usize] {
                    retransmitted.push(n as u32);
                }
                wire.push(n);
            }
            let info = r.info();
            assert!(info.flight <= 29_200);
        }
        let want: Vec<u32> = (0..6).filter(|n| lost >> n & 1 == 1).collect();
        assert_eq!(retransmitted, want, "pattern {lost:b}");
        assert_eq!(r.stack.counters().timeouts, 0, "pattern {lost:b}");
    }
}

// --- RFC 1191, 8201 ----------------------------------------------------------------------------------------------

#[test]
fn x_pmtu_packet_too_big_lowers_the_segment_size() {
    for (v6, kind, code, full, small) in [(false, 3, 4, 1460, 1360), (true, 2, 0, 1440, 1340)] {
        let mut r = Rig::new();
        if v6 {
            r.use_v6();
        }
        r.accept_peer(WIDE);
        let outs = r.write(&text(5 * full));
        assert!(outs.iter().all(|o| o.text.len() == full));
        let cwnd = r.info().cwnd;
        // Nothing as large was ever acknowledged: believed at once, and what is in flight goes again.
        let mut outs = r.icmp(kind, code, 1400, 0);
        outs.extend(r.advance(ms(10)));
        assert!(outs[0].seq == 0 && outs.iter().all(|o| o.text.len() <= small), "{}", lines(&outs));
        assert_eq!(outs[0].text.len(), small);
        // Not a sign of congestion: as many segments as before (RFC 5681 3.1).
        let info = r.info();
        assert_eq!((info.cwnd / small as u32, usize::from(info.mss)), (cwnd / full as u32, small));
    }
}

#[test]
fn x_pmtu_impossible_sizes_do_no_harm() {
    // Larger than now: ignored. Smaller than any path has: the floor.
    for (mtu, want) in
        [(1500, 1460), (9000, 1460), (65_535, 1460), (67, 512), (1, 512), (552, 512), (600, 560)]
    {
        let mut r = Rig::established(WIDE);
        r.write(&text(14_600));
        r.icmp(3, 4, mtu, 0);
        assert_eq!(r.info().mss, want, "MTU {mtu}");
    }
    // An old router that says nothing: a smaller one of the usual sizes (RFC 1191 7.1).
    let mut r = Rig::established(WIDE);
    r.write(&text(14_600));
    r.icmp(3, 4, 0, 0);
    assert!((512..1460).contains(&r.info().mss), "{}", r.info().mss);
    // IPv6: less than 1280 is ignored or taken for 1280.
    for mtu in [0, 1, 600, 1279] {
        let mut r = Rig::v6();
        r.accept_peer(WIDE);
        r.write(&text(14_600));
        r.icmp(2, 0, mtu, 0);
        assert!([1440, 1220].contains(&r.info().mss), "MTU {mtu}: {}", r.info().mss);
    }
}
