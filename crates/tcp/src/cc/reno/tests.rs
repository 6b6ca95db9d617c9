use core::time::Duration;

use super::*;
use crate::cc::{Choice, Control, initial_window};
use synfin_wire::Seq;

const MSS: u32 = 1000;

fn ack(acked: u32, limit: Limit) -> Ack {
    Ack {
        now: Instant::ZERO,
        acked,
        most: 8 * MSS,
        mss: MSS,
        limit,
        rtt: None,
        srtt: Duration::ZERO,
        min_rtt: Duration::ZERO,
        una: Seq::new(0),
        nxt: Seq::new(0),
        flight: 0,
        rate: None,
    }
}

fn control() -> Control {
    Control::new(Choice::Reno, MSS)
}

/// X-IW10
#[test]
fn initial_window_by_rfc_6928() {
    assert_eq!([1460, 9000, 100].map(initial_window), [14_600, 18_000, 1_000]);
}

/// MUST-19
#[test]
fn slow_start_doubles_then_one_segment_per_round() {
    let mut c = control();
    for _ in 0..10 {
        c.on_ack(&ack(MSS, Limit::Cwnd));
    }
    assert_eq!(c.cwnd(), 20_000);
    c.on_congestion(Congestion::Loss, 20_000, MSS, Instant::ZERO);
    assert_eq!(c.ssthresh(), 10_000);
    c.window.cwnd = c.ssthresh();
    for _ in 0..10 {
        c.on_ack(&ack(MSS, Limit::Cwnd));
    }
    assert_eq!(c.cwnd(), 11_000);
}

/// RFC 5681 3.1: an ACK that passes ssthresh counts beyond it for congestion avoidance only.
#[test]
fn slow_start_ends_at_ssthresh() {
    let mut c = control();
    c.window.ssthresh = 12_000;
    c.on_ack(&ack(4 * MSS, Limit::Cwnd));
    assert_eq!(c.cwnd(), 12_000);
    for _ in 0..4 {
        c.on_ack(&ack(2 * MSS, Limit::Cwnd));
    }
    assert_eq!(c.cwnd(), 12_000, "2 + 8 of 12 segments acknowledged");
    c.on_ack(&ack(2 * MSS, Limit::Cwnd));
    assert_eq!(c.cwnd(), 13_000);
}

#[test]
fn timeout_keeps_one_segment_and_half_the_flight() {
    let mut c = control();
    c.on_timeout(9_000, MSS, true, Instant::ZERO);
    assert_eq!((c.cwnd(), c.ssthresh()), (MSS, 4_500));
    c.on_timeout(1_000, MSS, false, Instant::ZERO);
    assert_eq!((c.cwnd(), c.ssthresh()), (MSS, 4_500), "a repeated timeout does not halve again");
    c.on_ack(&Ack { most: MSS, ..ack(4 * MSS, Limit::Cwnd) });
    assert_eq!(c.cwnd(), 2 * MSS, "RFC 3465 2.3: L is one segment after a timeout");
}

/// SECURITY R1: many ACKs for one segment open no more than one would.
#[test]
fn ack_division_gains_nothing() {
    let (mut one, mut many) = (control(), control());
    one.on_ack(&ack(MSS, Limit::Cwnd));
    for _ in 0..MSS {
        many.on_ack(&ack(1, Limit::Cwnd));
    }
    assert_eq!(one.cwnd(), many.cwnd());
}

#[test]
fn an_application_limited_window_does_not_grow() {
    let mut c = control();
    c.on_ack(&ack(MSS, Limit::Other));
    assert_eq!(c.cwnd(), initial_window(MSS));
}

#[test]
fn a_mistaken_congestion_is_taken_back() {
    let mut c = control();
    let before = c.window;
    c.on_congestion(Congestion::Loss, 10_000, MSS, Instant::ZERO);
    c.window.cwnd = c.ssthresh();
    c.on_undo(before);
    assert_eq!(c.window, before);
}
