use super::*;

const MSS: u32 = 1000;

/// X-IW10
#[test]
fn initial_window_by_rfc_6928() {
    assert_eq!([1460, 9000, 100].map(initial_window), [14_600, 18_000, 1_000]);
}

/// MUST-19
#[test]
fn slow_start_doubles_then_one_segment_per_round() {
    let mut r = Reno::new(MSS);
    for _ in 0..10 {
        r.on_ack(MSS, MSS, Limit::Cwnd);
    }
    assert_eq!(r.cwnd(), 20_000);
    r.on_loss(20_000, MSS);
    assert_eq!((r.cwnd(), r.ssthresh()), (10_000, 10_000));
    for _ in 0..10 {
        r.on_ack(MSS, MSS, Limit::Cwnd);
    }
    assert_eq!(r.cwnd(), 11_000);
}

#[test]
fn timeout_keeps_one_segment_and_half_the_flight() {
    let mut r = Reno::new(MSS);
    r.on_timeout(9_000, MSS, true);
    assert_eq!((r.cwnd(), r.ssthresh()), (MSS, 4_500));
    r.on_timeout(1_000, MSS, false);
    assert_eq!((r.cwnd(), r.ssthresh()), (MSS, 4_500), "a repeated timeout does not halve again");
    r.on_ack(4 * MSS, MSS, Limit::Cwnd);
    assert_eq!(r.cwnd(), 2 * MSS, "RFC 3465 2.3: L is one segment after a timeout");
}

/// SECURITY R1: many ACKs for one segment open no more than one would.
#[test]
fn ack_division_gains_nothing() {
    let (mut one, mut many) = (Reno::new(MSS), Reno::new(MSS));
    one.on_ack(MSS, MSS, Limit::Cwnd);
    for _ in 0..MSS {
        many.on_ack(1, MSS, Limit::Cwnd);
    }
    assert_eq!(one.cwnd(), many.cwnd());
}

#[test]
fn an_application_limited_window_does_not_grow() {
    let mut r = Reno::new(MSS);
    r.on_ack(MSS, MSS, Limit::Other);
    assert_eq!(r.cwnd(), initial_window(MSS));
}
