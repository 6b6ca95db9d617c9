use super::*;
use synfin_wire::SackBlock;

const BASE: Seq = Seq::new(u32::MAX - 3000);
const MSS: u32 = 1000;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `n` segments, one per millisecond from 0 on.
fn flight(n: u32) -> SentLog {
    let mut log = SentLog::default();
    (0..n).for_each(|i| log.push(BASE + i * MSS, MSS, MSS as u16, at(u64::from(i))));
    log
}

fn sack(log: &mut SentLog, from: u32, to: u32) -> Delivery {
    let mut d = Delivery::default();
    log.sack(SackBlock { left: BASE + from * MSS, right: BASE + to * MSS }, &mut d);
    d
}

/// A path of 100 ms.
fn rack() -> Rack {
    let mut r = Rack::default();
    r.sample(ms(100), at(0));
    r
}

/// RFC 8985 3.4: one SACKed segment starts a wait of min_RTT / 4; nothing is lost before.
#[test]
fn a_quarter_of_the_round_trip_is_granted_for_reordering() {
    let (mut r, mut log) = (rack(), flight(4));
    r.deliver(&sack(&mut log, 3, 4), None, at(103));
    assert_eq!(r.rtt(), ms(100));
    assert_eq!(r.find_lost(&mut log, false, ms(100), at(103)), (0, Some(at(127))));
    assert_eq!(r.find_lost(&mut log, false, ms(100), at(127)), (3 * MSS, None));
}

/// RFC 8985 6.2 step 4: three SACKed segments prove the loss at once while no reordering was seen.
#[test]
fn three_sacked_segments_need_no_wait() {
    let (mut r, mut log) = (rack(), flight(4));
    r.deliver(&sack(&mut log, 1, 4), None, at(103));
    assert_eq!(r.find_lost(&mut log, false, ms(100), at(103)), (MSS, None));
}

#[test]
fn after_reordering_numbers_prove_nothing() {
    let (mut r, mut log) = (rack(), flight(8));
    r.deliver(&sack(&mut log, 4, 8), None, at(107));
    r.reordered(BASE + MSS, BASE + 4 * MSS, MSS);
    assert_eq!((r.reordering(), r.reordering_seen()), (3, true));
    let (lost, wait) = r.find_lost(&mut log, true, ms(100), at(107));
    assert_eq!((lost, wait), (0, Some(at(128))), "the last of them left at 3 ms");
    r.reordered(BASE, BASE + 6 * MSS, MSS);
    assert_eq!(r.reordering(), 6);
}

/// RFC 8985 6.2 step 4: each round with a D-SACK widens the window by a quarter, up to SRTT; sixteen recoveries narrow it.
#[test]
fn duplicates_widen_the_window() {
    let mut r = rack();
    r.reordered(BASE, BASE + MSS, MSS);
    let wnd = |r: &Rack| r.reo_wnd(false, 0, ms(100));
    assert_eq!(wnd(&r), ms(25));
    r.duplicated(BASE, BASE + 5 * MSS);
    r.duplicated(BASE + 4 * MSS, BASE + 9 * MSS);
    assert_eq!(wnd(&r), ms(50), "once per round");
    r.duplicated(BASE + 5 * MSS, BASE + 9 * MSS);
    assert_eq!(wnd(&r), ms(75));
    for round in 2..9 {
        r.duplicated(BASE + 5 * round * MSS, BASE + 5 * (round + 1) * MSS);
    }
    assert_eq!(wnd(&r), ms(100), "SRTT is the limit");
    (0..15).for_each(|_| r.recovered());
    assert_eq!(wnd(&r), ms(100));
    r.recovered();
    assert_eq!(wnd(&r), ms(25));
}

/// RFC 8985 6.2 step 2: an acknowledgement that cannot be of the retransmission is ignored.
#[test]
fn ambiguous_deliveries_are_ignored() {
    let (mut r, mut log) = (rack(), flight(2));
    log.mark_first_lost(MSS);
    log.retransmitted(BASE, MSS, MSS as u16, at(200));
    let mut early = log.clone();
    r.deliver(&sack(&mut early, 0, 1), None, at(250));
    assert_eq!(r.rtt(), Duration::ZERO, "50 ms after the repetition, and the path takes 100");
    let mut echoed = log.clone();
    r.deliver(&sack(&mut echoed, 0, 1), Some(Echo { ecr: 199, offset: 0 }), at(350));
    assert_eq!(r.rtt(), Duration::ZERO, "the echo is older than the repetition");
    r.deliver(&sack(&mut log, 0, 1), Some(Echo { ecr: 200, offset: 0 }), at(350));
    assert_eq!(r.rtt(), ms(150));
}

#[test]
fn the_least_round_trip_time_is_forgotten_after_a_while() {
    let mut r = rack();
    r.sample(ms(150), at(1000));
    assert_eq!(r.min_rtt(), ms(100));
    r.sample(ms(150), at(300_001));
    assert_eq!(r.min_rtt(), ms(150));
    r.sample(Duration::ZERO, at(300_002));
    assert_eq!(r.min_rtt(), ms(150), "zero says nothing");
}

/// Before any sample only numbers count: time would call everything lost.
#[test]
fn without_a_sample_nothing_is_lost_by_time() {
    let (mut r, mut log) = (Rack::default(), flight(5));
    r.deliver(&sack(&mut log, 2, 3), None, at(2));
    assert_eq!(r.find_lost(&mut log, false, Duration::ZERO, at(500)), (0, None));
    r.deliver(&sack(&mut log, 3, 5), None, at(500));
    assert_eq!(r.find_lost(&mut log, false, Duration::ZERO, at(500)), (2 * MSS, None), "three are proof");
}
