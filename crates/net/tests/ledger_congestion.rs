//! Rules of congestion control that docs/rfc-ledger names and no other test shows: RFC 5681. They hold for every
//! controller.

mod rig;

use rig::*;
use synfin_tcp::cc::Choice;

/// An established connection with ten full segments in flight and as much again in the queue.
fn ten_in_flight(offer: Offer) -> Rig {
    let mut r = Rig::established(offer);
    assert_eq!(r.write(&text(29_200)).len(), 10);
    r
}

/// Segments in `outs` that were never sent before.
fn new_ones(outs: &[Out]) -> usize {
    outs.iter().filter(|o| o.seq >= 14_600).count()
}

#[test]
fn l_5681_3_1_the_threshold_begins_as_high_as_any_window() {
    let mut r = Rig::established(Offer { wscale: Some(14), ..WIDE });
    assert!(r.info().ssthresh >= 1 << 30, "{:?}", r.info());
}

#[test]
fn l_5681_3_1_the_handshake_leaves_the_window_alone() {
    let mut r = Rig::connected(WIDE);
    let opened = r.info().cwnd;
    let mut passive = Rig::established(WIDE);
    assert_eq!((opened, passive.info().cwnd), (14_600, 14_600));
    // Nor do acknowledgements of nothing new.
    r.send(Seg::new().text(b"text"));
    r.send(Seg::new());
    assert_eq!(r.info().cwnd, opened);
}

#[test]
fn l_5681_3_2_limited_transmit_leaves_the_window_alone() {
    let mut r = ten_in_flight(WIDE);
    let cwnd = r.info().cwnd;
    for _ in 0..2 {
        assert_eq!(new_ones(&r.send(Seg::new().ack(0))), 1);
        assert_eq!(r.info().cwnd, cwnd);
    }
}

#[test]
fn l_5681_3_2_with_sack_a_duplicate_without_news_lets_nothing_out() {
    let mut r = ten_in_flight(SACK);
    for _ in 0..10 {
        none(&r.send(Seg::new().ack(0)));
    }
    // Nor does the same block again.
    let seg = Seg::new().ack(0).sack(r.side(), &[(1460, 2920)]);
    assert_eq!(new_ones(&r.send(seg.clone())), 1);
    for _ in 0..10 {
        none(&r.send(seg.clone()));
    }
    assert_eq!(r.info().retransmits, 0);
}

#[test]
fn l_5681_3_2_duplicates_let_new_segments_out_during_recovery() {
    // Without SACK: one segment has left the network per duplicate, so from half of the flight on one may enter.
    let mut r = ten_in_flight(WIDE);
    let mut sent = 0;
    for _ in 0..9 {
        let outs = r.send(Seg::new().ack(0));
        assert!(outs.len() <= 1, "{}", lines(&outs));
        sent += new_ones(&outs);
    }
    assert!((2..=7).contains(&sent), "{sent} new segments");
    assert_eq!(r.info().retransmits, 1);
    // However many come, no more goes out than was in flight (RFC 5681 3.2 step 4).
    for _ in 0..100 {
        sent += new_ones(&r.send(Seg::new().ack(0)));
    }
    assert!(sent <= 10, "{sent} new segments");
}

#[test]
fn l_5681_4_3_a_round_of_recovery_sends_no_more_than_the_flight_allows() {
    // The first of ten is lost; nine blocks come back. Congestion control takes away at least 3 of 10 (CUBIC keeps 0.7,
    // NewReno 0.5); the retransmission and limited transmit are part of what goes.
    let mut r = ten_in_flight(SACK);
    let mut sent = 0;
    for n in 2..=10 {
        let seg = Seg::new().ack(0).sack(r.side(), &[(1460, n * 1460)]);
        sent += r.send(seg).len();
    }
    assert!((2..=8).contains(&sent), "{sent} segments in a round");
    let info = r.info();
    assert!(info.ssthresh <= 14_600 * 7 / 10 + 2 * 1460, "{info:?}");
    // Everything arrived: the window is the threshold at most, and grows by a segment a round.
    r.side().rcv = info.snd_nxt.since(info.snd_una) as i32;
    r.send(Seg::new());
    let after = r.info();
    assert!(after.cwnd <= after.ssthresh.max(info.ssthresh), "{after:?}");
}

#[test]
fn l_5681_3_2_an_acknowledgement_of_new_text_begins_the_count_anew() {
    let mut r = ten_in_flight(WIDE);
    for end in 1..=5 {
        let ack = end * 1460;
        r.send(Seg::new().ack(ack));
        for _ in 0..2 {
            r.send(Seg::new().ack(ack));
        }
    }
    assert_eq!(r.info().retransmits, 0, "never three in a row");
}

#[test]
fn l_6675_5_1_after_a_timeout_no_recovery_begins_below_what_was_sent() {
    // Recovery, and in it a timeout: everything counts as lost.
    let mut r = ten_in_flight(SACK);
    let seg = Seg::new().ack(0).sack(r.side(), &[(1460, 5 * 1460)]);
    r.send(seg);
    assert!(r.info().retransmits >= 1);
    let outs = r.advance(s(3));
    assert_eq!(outs.first().map(|o| o.seq), Some(0), "{}", lines(&outs));
    let after = r.info();
    assert_eq!(after.cwnd, 1460);
    // Blocks about the octets that were in flight then are old news: the window does not fall again.
    for n in 6..=10 {
        let seg = Seg::new().ack(1460).sack(r.side(), &[(2 * 1460, n * 1460)]);
        r.send(seg);
        let info = r.info();
        assert!(info.ssthresh >= after.ssthresh && info.cwnd >= after.cwnd, "{info:?}");
    }
}

#[test]
fn l_5681_2_old_acknowledgements_are_no_duplicates() {
    // The network brings older ACKs late: they name less than the greatest one received.
    let mut r = ten_in_flight(WIDE);
    r.send(Seg::new().ack(4 * 1460));
    for ack in [1, 1, 2, 2, 2, 3, 3, 3, 3] {
        none(&r.send(Seg::new().ack(ack * 1460)));
    }
    assert_eq!(r.info().retransmits, 0);
}

#[test]
fn l_5681_3_2_the_threshold_is_half_of_what_was_in_flight() {
    let mut r = Rig::with(|c| c.tcp.congestion_control = Choice::Reno);
    r.accept_peer(WIDE);
    assert_eq!(r.write(&text(29_200)).len(), 10);
    for _ in 0..3 {
        r.send(Seg::new().ack(0));
    }
    // Not of the two segments that limited transmit sent.
    assert_eq!((r.info().ssthresh, r.info().retransmits), (14_600 / 2, 1));
    assert_eq!(r.info().flight, 14_600 + 2 * 1460);
}
