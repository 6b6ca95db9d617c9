use super::*;

const MSS: u32 = 1000;

/// RFC 6937 4, example 1: twenty segments in flight, the first is lost, no limited transmit, half of the window is left.
#[test]
fn one_loss_of_twenty_halves_the_rate_over_the_round() {
    let mut prr = Prr::new(20 * MSS);
    let (mut pipe, mut sent) = (19 * MSS, 0);
    // Each of the 19 that arrive is SACKed; the third makes recovery begin, with the loss marked.
    pipe -= 2 * MSS;
    for n in 3..=19 {
        pipe -= MSS;
        let delivered = if n == 3 { 3 * MSS } else { MSS };
        let cwnd = prr.on_ack(delivered, pipe, 10 * MSS, MSS, false);
        while pipe + MSS <= cwnd {
            pipe += MSS;
            sent += 1;
            prr.sent(MSS);
        }
    }
    // Half of what was delivered, and the window is where it should be.
    assert_eq!(sent, 10, "19 of 20 delivered: ten may go");
    assert_eq!(pipe, 10 * MSS);
}

/// RFC 6937 4, example 2: after heavy loss the window is refilled by what was delivered, one more where it is safe.
#[test]
fn below_the_threshold_it_refills_no_faster_than_slow_start() {
    let mut prr = Prr::new(20 * MSS);
    let cwnd = prr.on_ack(MSS, 4 * MSS, 10 * MSS, MSS, false);
    assert_eq!(cwnd, 5 * MSS, "one delivered, one sent");
    prr.sent(MSS);
    let cwnd = prr.on_ack(MSS, 4 * MSS, 10 * MSS, MSS, true);
    assert_eq!(cwnd, 6 * MSS, "one delivered on safe progress, two sent");
    prr.sent(2 * MSS);
    assert_eq!(prr.on_ack(20 * MSS, 4 * MSS, 10 * MSS, MSS, true), 10 * MSS, "never beyond the threshold");
}

/// A flight below ssthresh, because the window was not filled: never more leaves than arrived.
#[test]
fn a_small_flight_does_not_inflate() {
    for flight in [0, 1, MSS] {
        let mut prr = Prr::new(flight);
        let cwnd = prr.on_ack(MSS, 10 * MSS, 5 * MSS, MSS, true);
        assert_eq!(cwnd, 11 * MSS, "one delivered, one sent");
    }
}

#[test]
fn the_first_retransmission_always_goes() {
    let mut prr = Prr::new(20 * MSS);
    assert_eq!(prr.on_ack(0, 19 * MSS, 10 * MSS, MSS, false), 20 * MSS);
    prr.sent(MSS);
    assert_eq!(prr.on_ack(0, 20 * MSS, 10 * MSS, MSS, false), 20 * MSS, "then as much as was delivered");
}

#[test]
fn extremes_do_not_overflow() {
    let mut prr = Prr::new(0);
    for _ in 0..3 {
        assert!(prr.on_ack(u32::MAX, u32::MAX, u32::MAX / 2, 65_535, true) >= u32::MAX / 2);
        prr.sent(u32::MAX);
    }
}
