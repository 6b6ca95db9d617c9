//! Rules of loss recovery that docs/rfc-ledger names, seen from the peer: RFC 8985, 5682, 3522, 3708.

mod rig;

use std::time::Duration;

use rig::*;
use synfin_tcp::TimerKind;
use synfin_tcp::cc::Choice;

/// A path of 100 ms with SACK.
const FAR: Offer = Offer { rtt: Duration::from_millis(100), ..SACK };

/// Writes `n` full segments and lets them arrive.
fn under_way(r: &mut Rig, n: usize) {
    assert_eq!(r.write(&text(n * 1460)).len(), n);
    none(&r.advance(ms(100)));
}

fn sack(r: &mut Rig, ack: i32, blocks: &[(i32, i32)]) -> Vec<Out> {
    let blocks: Vec<(i32, i32)> = blocks.iter().map(|(a, b)| (a * 1460, b * 1460)).collect();
    let seg = Seg::new().ack(ack * 1460).sack(r.side(), &blocks);
    r.send(seg)
}

// --- RFC 8985 6: RACK ----------------------------------------------------------------------------------------------

#[test]
fn l_8985_6_2_a_timer_ends_the_wait_for_reordering() {
    let mut r = Rig::established(FAR);
    under_way(&mut r, 4);
    // The last of four arrived: a quarter of the round trip is granted to the others.
    let start = r.now;
    none(&sack(&mut r, 0, &[(3, 4)]));
    let outs = r.advance(ms(30));
    assert_eq!(outs.first().map(|o| o.seq), Some(0), "{}", lines(&outs));
    assert_eq!(Rig::times(&outs, start)[0], 25);
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::Reordering)), 1);
    // Had they come in time, nothing would have gone again.
    let mut r = Rig::established(FAR);
    under_way(&mut r, 4);
    none(&sack(&mut r, 0, &[(3, 4)]));
    none(&r.advance(ms(20)));
    none(&r.send(Seg::new().ack(4 * 1460)));
    none(&r.advance(s(2)));
    assert_eq!(r.info().retransmits, 0);
}

#[test]
fn l_8985_3_3_a_retransmission_that_is_lost_is_found_without_the_timer() {
    let mut r = Rig::established(FAR);
    r.write(&text(29_200));
    none(&r.advance(ms(100)));
    // The first of ten is lost.
    let mut outs = sack(&mut r, 0, &[(1, 10)]);
    assert_eq!(outs.iter().filter(|o| o.seq == 0).count(), 1, "{}", lines(&outs));
    assert!(outs.iter().any(|o| o.seq >= 14_600), "{}", lines(&outs));
    // So is its repetition: what was sent after it arrives (what went in the same burst proves nothing).
    outs = Vec::new();
    for _ in 0..2 {
        outs.extend(r.advance(ms(100)));
        let top = r.info().snd_nxt.since(r.info().snd_una) as i32 / 1460;
        outs.extend(sack(&mut r, 0, &[(1, top)]));
    }
    outs.extend(r.advance(ms(30)));
    assert_eq!(outs.iter().filter(|o| o.seq == 0).count(), 1, "{}", lines(&outs));
    assert_eq!(r.stack.counters().timeouts, 0);
}

/// The same with timestamps and nothing new to send: behind a gap the peer echoes what came before it (RFC 7323 4.3), which
/// says nothing about the repetitions that it SACKs.
#[test]
fn l_8985_6_2_an_old_echo_behind_a_gap_disproves_no_repetition() {
    const MSS: i32 = 1448;
    let mut r = Rig::established(Offer { ts: true, ..FAR });
    assert_eq!(r.write(&text(6 * MSS as usize)).len(), 6);
    let (clock, old) = (r.side().peer_clock, r.side().echo);
    none(&r.advance(ms(100)));
    let sacked = |r: &mut Rig, blocks: &[(i32, i32)]| {
        let seg = Seg::new().ack(0).ts(clock, old).sack(r.side(), blocks);
        r.send(seg)
    };
    // The first and the third are lost, and go again.
    let mut outs = sacked(&mut r, &[(MSS, 2 * MSS), (3 * MSS, 6 * MSS)]);
    outs.extend(r.advance(ms(100)));
    let again: Vec<i32> = outs.iter().map(|o| o.seq).collect();
    assert_eq!(again, [0, 2 * MSS], "{}", lines(&outs));
    // The third arrives this time, the first does not.
    let mut outs = sacked(&mut r, &[(MSS, 6 * MSS)]);
    outs.extend(r.advance(ms(50)));
    assert_eq!(outs.first().map(|o| o.seq), Some(0), "{}", lines(&outs));
    assert_eq!(r.stack.counters().timeouts, 0);
}

#[test]
fn l_8985_4_without_sack_numbers_count_and_not_times() {
    let mut r = Rig::established(Offer { rtt: ms(100), ..WIDE });
    under_way(&mut r, 4);
    r.send(Seg::new().ack(0));
    none(&r.advance(ms(800)));
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::Reordering)), 0);
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::TailLossProbe)), 0);
}

// --- RFC 8985 7: TLP -----------------------------------------------------------------------------------------------

#[test]
fn l_8985_7_2_the_probe_comes_after_two_round_trips() {
    // Several in flight: 2 SRTT. A lone one: the peer's delayed ACK is waited for too.
    for (n, want) in [(3, 200), (1, 400)] {
        let mut r = Rig::established(FAR);
        assert_eq!(r.write(&text(n * 1460)).len(), n);
        let start = r.now;
        let outs = r.advance(s(1));
        // Nothing new waits: the last segment once more (7.3).
        expect(&outs, &[&format!("ACK seq={} ack=0 len=1460", (n - 1) * 1460)]);
        assert_eq!(Rig::times(&outs, start), [want], "{n} segments");
        assert_eq!(r.count_seen(&Seen::Timer(TimerKind::TailLossProbe)), 1);
        // Then the retransmission timer, from the probe on (7.3): the first one that is not acknowledged.
        let outs = r.advance(s(1));
        assert_eq!(outs[0].seq, 0, "{}", lines(&outs));
        assert_eq!(Rig::times(&outs, start)[0], want + 1000);
    }
}

#[test]
fn l_8985_7_2_an_ack_of_new_text_starts_the_wait_anew() {
    let mut r = Rig::established(FAR);
    under_way(&mut r, 4);
    none(&r.send(Seg::new().ack(1460)));
    let start = r.now;
    let outs = r.advance(ms(300));
    expect(&outs, &["ACK seq=4380 ack=0 len=1460"]);
    assert_eq!(Rig::times(&outs, start), [200]);
}

#[test]
fn l_8985_7_2_without_a_measurement_there_is_no_probe() {
    // The SYN was repeated: no sample (Karn). The retransmission timer is soon enough.
    let mut r = Rig::new();
    r.connect();
    r.advance(s(2));
    let sa = r.syn_ack(SACK);
    r.send(sa);
    r.write(&text(1460));
    let outs = r.advance(s(10));
    assert!(outs.iter().all(|o| o.seq == 0), "{}", lines(&outs));
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::TailLossProbe)), 0);
}

#[test]
fn l_8985_7_3_new_text_goes_first_whatever_cwnd_says() {
    let mut r = Rig::established(FAR);
    // Ten fill the window, ten wait.
    assert_eq!(r.write(&text(29_200)).len(), 10);
    let outs = r.advance(ms(250));
    expect(&outs, &["ACK seq=14600 ack=0 len=1460"]);
    // The peer's window is a limit all the same.
    let mut r = Rig::established(Offer { wnd: 14_600, ..FAR });
    assert_eq!(r.write(&text(29_200)).len(), 10);
    expect(&r.advance(ms(250)), &["ACK seq=13140 ack=0 len=1460"]);
}

#[test]
fn l_8985_7_3_no_second_probe_before_another_measurement() {
    let mut r = Rig::established(FAR);
    r.write(&text(1460));
    assert_eq!(r.advance(ms(450)).len(), 1);
    // The ACK may be of either sending: no measurement.
    none(&r.send(Seg::new()));
    r.write(&text(1460));
    none(&r.advance(ms(900)));
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::TailLossProbe)), 1);
    // After one there may be a probe again.
    none(&r.send(Seg::new()));
    r.write(&text(1460));
    r.advance(ms(100));
    none(&r.send(Seg::new()));
    r.write(&text(1460));
    r.advance(s(3));
    assert_eq!(r.count_seen(&Seen::Timer(TimerKind::TailLossProbe)), 2);
}

#[test]
fn l_8985_7_4_a_probe_that_repaired_a_loss_lowers_the_window() {
    for reported in [false, true] {
        let mut r = Rig::established(FAR);
        under_way(&mut r, 3);
        // The third is lost, or its ACK.
        none(&r.send(Seg::new().ack(2920)));
        let before = r.info();
        expect(&r.advance(ms(450)), &["ACK seq=2920 ack=0 len=1460"]);
        if reported {
            // Both arrived: the peer says so.
            let seg = Seg::new().ack(4380).sack(r.side(), &[(2920, 4380)]);
            none(&r.send(seg));
        } else {
            none(&r.send(Seg::new().ack(4380)));
        }
        r.write(&text(1460));
        r.advance(ms(100));
        none(&r.send(Seg::new()));
        let after = r.info();
        if reported {
            assert_eq!(after.ssthresh, before.ssthresh);
        } else {
            assert!(after.ssthresh < before.cwnd && after.cwnd <= after.ssthresh + 1460, "{after:?}");
        }
    }
}

// --- responses that are taken back ----------------------------------------------------------------------------------

#[test]
fn l_5682_a_timeout_that_came_too_early_is_taken_back() {
    let mut r = Rig::established(Offer { rtt: ms(100), ..WIDE });
    assert_eq!(r.write(&text(29_200)).len(), 10);
    let before = r.info();
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=0 ack=0 len=1460"]);
    assert_eq!(r.info().cwnd, 1460);
    // The original arrived after all: new text before anything else is repeated (RFC 5682 3.1 (2b)).
    let outs = r.send(Seg::new().ack(1460));
    let seqs: Vec<i32> = outs.iter().map(|o| o.seq).collect();
    assert_eq!(seqs, [14_600, 16_060], "{}", lines(&outs));
    // What was sent once arrives: nothing was lost (3.1 (3b)).
    r.send(Seg::new().ack(2920));
    let after = r.info();
    assert!(after.cwnd >= before.cwnd && after.ssthresh >= before.ssthresh, "{after:?}");
    assert_eq!(after.retransmits, 1);
}

#[test]
fn l_5682_without_new_text_or_with_duplicates_a_timeout_stands() {
    let mut r = Rig::established(Offer { rtt: ms(100), ..WIDE });
    assert_eq!(r.write(&text(29_200)).len(), 10);
    r.advance(s(1));
    r.send(Seg::new().ack(1460));
    // The new text arrives, the old does not (3.1 (3a)).
    let outs = r.send(Seg::new().ack(1460));
    assert_eq!(outs.first().map(|o| o.seq), Some(1460), "{}", lines(&outs));
    assert!(r.info().ssthresh < 14_600);
}

#[test]
fn l_3522_an_echo_from_before_the_repetition_takes_the_response_back() {
    // BBR's window is its own.
    for choice in [Choice::Reno, Choice::Cubic] {
        let mut r = Rig::with(|c| c.tcp.congestion_control = choice);
        r.accept_peer(Offer { ts: true, ..FAR });
        r.write(&text(14_600));
        r.advance(ms(100));
        let echo = r.side().echo;
        let before = r.info();
        let outs = sack(&mut r, 0, &[(1, 4)]);
        assert!(outs.iter().any(|o| o.seq == 0), "{}", lines(&outs));
        assert!(r.info().ssthresh < before.ssthresh);
        // The original was only late: its ACK echoes what it carried.
        r.advance(ms(10));
        let clock = r.side().peer_clock;
        r.send(Seg::new().ack(4 * 1460).ts(clock, echo));
        let after = r.info();
        assert!(after.cwnd >= before.cwnd && after.ssthresh == before.ssthresh, "{choice:?} {after:?}");
    }
}

#[test]
fn l_3708_duplicates_of_all_that_was_repeated_take_the_response_back() {
    let mut r = Rig::established(FAR);
    r.write(&text(14_600));
    r.advance(ms(100));
    let before = r.info();
    sack(&mut r, 0, &[(1, 4)]);
    assert!(r.info().ssthresh < before.ssthresh);
    r.advance(ms(10));
    r.send(Seg::new().ack(4 * 1460));
    let seg = Seg::new().ack(4 * 1460).sack(r.side(), &[(0, 1460)]);
    r.send(seg);
    let after = r.info();
    assert!(after.cwnd >= before.cwnd && after.ssthresh == before.ssthresh, "{after:?}");
}

#[test]
fn l_2883_5_blocks_are_held_against_the_ack_beside_them() {
    // Two ACKs change places on the way: the older one's block is below SND.UNA by now, and yet no duplicate.
    let mut r = Rig::established(FAR);
    under_way(&mut r, 8);
    r.send(Seg::new().ack(5 * 1460));
    sack(&mut r, 3, &[(4, 5)]);
    assert_eq!(r.info().dsacks, 0);
    // Below the ACK beside it, it is one.
    sack(&mut r, 5, &[(3, 4)]);
    assert_eq!(r.info().dsacks, 1);
    // So is a block inside the one that follows.
    sack(&mut r, 5, &[(6, 7), (6, 8)]);
    assert_eq!(r.info().dsacks, 2);
}

#[test]
fn l_6582_3_2_repetitions_that_were_not_needed_start_no_recovery() {
    // Without SACK, after a timeout: what went again had arrived, and each copy draws a duplicate ACK.
    let mut r = Rig::with(|c| c.tcp.frto = false);
    r.accept_peer(Offer { rtt: ms(100), ..WIDE });
    assert_eq!(r.write(&text(29_200)).len(), 10);
    r.advance(s(1));
    r.send(Seg::new().ack(14_600));
    let before = r.info();
    for _ in 0..5 {
        r.send(Seg::new().ack(14_600));
    }
    let after = r.info();
    assert_eq!((after.retransmits, after.ssthresh), (before.retransmits, before.ssthresh));
    // Once more than that is acknowledged, duplicates count again.
    r.send(Seg::new().ack(14_600 + 1460));
    for _ in 0..3 {
        r.send(Seg::new().ack(14_600 + 1460));
    }
    assert_eq!(r.info().retransmits, before.retransmits + 1);
}
