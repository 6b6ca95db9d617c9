use super::*;

const MSS: u32 = 1000;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn delivery(octets: u32, sent: Instant, end: u32) -> Delivery {
    let once = Some(Sending { at: sent, end: Seq::new(end), again: false });
    Delivery { octets, once, ..Delivery::default() }
}

/// 4.1.1.2: ten segments sent at once, delivered at a segment per ms: the rate is the link's, not the burst's.
#[test]
fn ack_rate_bounds_the_send_rate() {
    let mut s = Sampler::new(at(0));
    for n in 0..10 {
        s.on_send(at(0), Seq::new((n + 1) * MSS), n * MSS, (n + 1) * MSS);
    }
    for n in 0..10 {
        let now = at(100 + u64::from(n));
        s.on_delivery(&delivery(MSS, at(0), (n + 1) * MSS), now);
        let r = s.sample(MSS, 0, (9 - n) * MSS, ms(100), true).unwrap();
        assert_eq!((r.delivered, r.interval), ((n + 1) * MSS, ms(100 + u64::from(n))));
        assert_eq!((r.prior_delivered, r.tx_in_flight), (0, (n + 1) * MSS));
    }
}

/// 4.1.1.2.3: acknowledgements that come together show no more than what was sent meanwhile.
#[test]
fn send_rate_bounds_the_ack_rate() {
    let mut s = Sampler::new(at(0));
    for n in 0..10_u32 {
        s.on_send(at(10 * u64::from(n)), Seq::new((n + 1) * MSS), n * MSS, (n + 1) * MSS);
    }
    s.on_delivery(&delivery(MSS, at(0), MSS), at(100));
    assert_eq!(s.sample(MSS, 0, 0, ms(1), true).unwrap().interval, ms(100));
    // The other nine at once, a millisecond later.
    s.on_delivery(&delivery(9 * MSS, at(90), 10 * MSS), at(101));
    let r = s.sample(9 * MSS, 0, 0, ms(1), true).unwrap();
    assert_eq!((r.delivered, r.interval), (10 * MSS, ms(101)));
}

/// A second flight starts from the delivery of the first; silence does not count.
#[test]
fn silence_is_left_out() {
    let mut s = Sampler::new(at(0));
    s.on_send(at(0), Seq::new(MSS), 0, MSS);
    s.on_delivery(&delivery(MSS, at(0), MSS), at(50));
    s.on_send(at(10_000), Seq::new(2 * MSS), 0, MSS);
    s.on_delivery(&delivery(MSS, at(10_000), 2 * MSS), at(10_050));
    let r = s.sample(MSS, 0, 0, ms(50), true).unwrap();
    assert_eq!((r.delivered, r.interval, r.prior_delivered, r.total_delivered), (MSS, ms(50), 1000, 2000));
}

/// 4.1.2.3: shorter than any round trip was: no rate.
#[test]
fn too_fast_is_no_rate() {
    let mut s = Sampler::new(at(0));
    s.on_send(at(0), Seq::new(MSS), 0, MSS);
    s.on_delivery(&delivery(MSS, at(0), MSS), at(40));
    assert_eq!(s.sample(MSS, 0, 0, ms(50), true).unwrap().interval, Duration::ZERO);
}

/// 4.1.1.3: what is sent in the bubble is marked until the bubble is delivered.
#[test]
fn application_limits() {
    let mut s = Sampler::new(at(0));
    s.on_send(at(0), Seq::new(MSS), 0, MSS);
    s.mark_app_limited(MSS);
    s.on_send(at(10), Seq::new(2 * MSS), MSS, 2 * MSS);
    s.on_delivery(&delivery(MSS, at(0), MSS), at(100));
    assert!(!s.sample(MSS, 0, 0, ms(1), true).unwrap().app_limited);
    assert!(s.is_app_limited());
    s.on_delivery(&delivery(MSS, at(10), 2 * MSS), at(110));
    assert!(s.sample(MSS, 0, 0, ms(1), true).unwrap().app_limited);
    assert!(!s.is_app_limited());
}

/// A part of a super-segment finds the account of the whole; so does the rest.
#[test]
fn super_segments() {
    let mut s = Sampler::new(at(0));
    s.on_send(at(0), Seq::new(10 * MSS), 0, 10 * MSS);
    s.on_send(at(5), Seq::new(20 * MSS), 10 * MSS, 20 * MSS);
    s.on_delivery(&delivery(4 * MSS, at(0), 4 * MSS), at(100));
    assert_eq!(s.sample(4 * MSS, 0, 0, ms(1), true).unwrap().delivered, 4 * MSS);
    s.on_delivery(&delivery(6 * MSS, at(0), 10 * MSS), at(101));
    assert_eq!(s.sample(6 * MSS, 0, 0, ms(1), true).unwrap().delivered, 10 * MSS);
    assert_eq!(s.sent.len(), 2);
}

/// What is older than the newest counts as delivered and gives no rate; the account of it is gone.
#[test]
fn late_arrivals() {
    let mut s = Sampler::new(at(0));
    for n in 0..4_u32 {
        s.on_send(at(u64::from(n)), Seq::new((n + 1) * MSS), n * MSS, (n + 1) * MSS);
    }
    s.on_delivery(&delivery(MSS, at(3), 4 * MSS), at(100));
    let lost = s.on_lost(at(100), Seq::new(0), 2 * MSS, MSS);
    assert_eq!((lost.lost, lost.tx_in_flight, lost.total_delivered), (2 * MSS, 4 * MSS, 1000));
    assert_eq!(s.sample(MSS, 2 * MSS, 0, ms(1), true).unwrap().lost, 2 * MSS);
    s.on_delivery(&delivery(MSS, at(0), MSS), at(101));
    let r = s.sample(MSS, 0, 0, ms(1), true).unwrap();
    assert_eq!((r.interval, r.total_delivered), (Duration::ZERO, 2000));
}

#[test]
fn nothing_delivered_no_sample() {
    let mut s = Sampler::new(at(0));
    s.on_delivery(&Delivery::default(), at(1));
    assert_eq!(s.sample(0, 0, 0, ms(1), true), None);
    assert_eq!(s.on_lost(at(1), Seq::new(1), MSS, MSS).tx_in_flight, MSS);
}
