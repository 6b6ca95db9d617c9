use super::*;
use proptest::prelude::*;

const BASE: Seq = Seq::new(u32::MAX - 2_000);

fn sums(log: &SentLog) -> (u32, u32, u32) {
    (log.total, log.sacked, log.lost)
}

fn block(a: u32, b: u32) -> SackBlock {
    SackBlock { left: BASE + a, right: BASE + b }
}

fn ten_segments() -> SentLog {
    let mut log = SentLog::default();
    for i in 0..10 {
        log.push(BASE + i * 1000, 1000, 1000, Instant::from_millis(u64::from(i)));
    }
    log
}

/// 100 ms of round-trip time, and `reo` for reordering.
fn settle(reo: u64) -> Duration {
    Duration::from_millis(100 + reo)
}

fn sack(log: &mut SentLog, a: u32, b: u32) -> Delivery {
    let mut d = Delivery::default();
    log.sack(block(a, b), &mut d);
    d
}

fn ack(log: &mut SentLog, a: u32) -> Delivery {
    let mut d = Delivery::default();
    log.ack(BASE + a, &mut d);
    d
}

#[test]
fn what_was_sent_before_the_latest_delivery_is_lost_after_its_time() {
    let mut log = ten_segments();
    let d = sack(&mut log, 3000, 4000);
    let latest = d.once.expect("a segment sent once");
    assert_eq!((latest.at, d.octets, d.segments), (Instant::from_millis(3), 1000, 1));
    // Segments 0, 1, 2 left at 0, 1, 2 ms. With 10 ms of grace segment 0 is lost from 110 ms on.
    assert_eq!(
        log.find_lost(latest, settle(10), Instant::from_millis(109)),
        (0, Some(Instant::from_millis(112)))
    );
    assert_eq!(
        log.find_lost(latest, settle(10), Instant::from_millis(111)),
        (2000, Some(Instant::from_millis(112)))
    );
    assert_eq!(log.find_lost(latest, settle(10), Instant::from_millis(112)), (1000, None));
    assert_eq!((log.next_lost(), log.pipe()), (Some((BASE, 1000, false)), 6000));
    log.retransmitted(BASE, 1000, 1000, Instant::from_millis(112));
    assert_eq!(
        log.find_lost(latest, settle(10), Instant::from_millis(900)),
        (0, None),
        "sent after the latest delivery"
    );
}

/// RFC 8985 3.3: a retransmission can be found lost again.
#[test]
fn a_lost_retransmission_is_found_by_a_later_one() {
    let mut log = ten_segments();
    let latest = sack(&mut log, 2000, 10_000).once.expect("delivered");
    assert_eq!(log.find_lost(latest, settle(0), Instant::from_millis(110)).0, 2000);
    log.retransmitted(BASE, 1000, 1000, Instant::from_millis(110));
    log.retransmitted(BASE + 1000, 1000, 1000, Instant::from_millis(111));
    let again = sack(&mut log, 1000, 2000).again.expect("the second retransmission arrived");
    assert_eq!(log.find_lost(again, settle(0), Instant::from_millis(211)), (1000, None));
    assert_eq!(log.next_lost(), Some((BASE, 1000, false)));
}

#[test]
fn equal_times_are_told_apart_by_numbers() {
    let mut log = SentLog::default();
    (0..4).for_each(|i| log.push(BASE + i * 1000, 1000, 1000, Instant::ZERO));
    let latest = sack(&mut log, 1000, 2000).once.expect("delivered");
    assert_eq!(
        log.find_lost(latest, settle(0), Instant::from_millis(100)),
        (1000, None),
        "only what lies before"
    );
}

#[test]
fn a_timeout_spares_what_was_sent_lately() {
    let mut log = ten_segments();
    log.mark_timed_out(settle(0), Instant::from_millis(104));
    assert_eq!(log.lost, 5000, "sent 100 ms ago or longer");
    // The oldest is lost however late it was sent.
    let mut log = ten_segments();
    log.mark_timed_out(settle(0), Instant::from_millis(10));
    assert_eq!(log.lost, 1000);
}

/// RFC 2018 8
#[test]
fn a_timeout_forgets_sack_if_the_receiver_reneged() {
    let mut log = ten_segments();
    sack(&mut log, 1000, 3000);
    log.mark_timed_out(settle(0), Instant::from_millis(900));
    assert_eq!(sums(&log), (10_000, 2000, 8000), "an honest receiver is believed");
    ack(&mut log, 1000);
    assert!(log.is_reneged());
    log.mark_timed_out(settle(0), Instant::from_millis(1900));
    assert_eq!(sums(&log), (9000, 0, 9000));
}

#[test]
fn karn_takes_no_sample_from_what_was_sent_twice() {
    let mut log = ten_segments();
    assert_eq!(ack(&mut log, 2000).sample, Some(Instant::from_millis(1)));
    log.mark_first_lost(1000);
    log.retransmitted(BASE + 2000, 1000, 1000, Instant::from_millis(99));
    let d = ack(&mut log, 4000);
    assert_eq!((d.sample, d.retransmitted, d.octets), (None, true, 2000));
    assert_eq!(d.lowest_once, Some(BASE + 3000));
}

#[test]
fn super_segments_split_where_sack_cuts_them() {
    let mut log = SentLog::default();
    log.push(BASE, 10_000, 1000, Instant::ZERO);
    let d = sack(&mut log, 1000, 5000);
    assert_eq!((d.octets, d.segments, log.segments_sacked()), (4000, 4, 4));
    assert_eq!(log.find_lost(d.once.expect("delivered"), settle(0), Instant::from_millis(100)).0, 1000);
    assert_eq!(log.next_lost(), Some((BASE, 1000, false)));
    assert_eq!(sums(&log), (10_000, 4000, 1000));
    assert_eq!(log.census(), Census { out: 10, sacked: 4, lost: 1, retransmitted: 0 });
}

/// RFC 9937: without SACK each duplicate delivers a segment, and the acknowledgement that follows the rest.
#[test]
fn duplicates_are_counted_once() {
    let mut log = ten_segments();
    assert_eq!((0..3).map(|_| log.count_dup_ack(1000, 10_000)).sum::<u32>(), 3000);
    assert_eq!(log.pipe(), 7000);
    assert_eq!(ack(&mut log, 4000).octets, 1000);
    assert_eq!(log.pipe(), 6000);
}

#[test]
fn the_last_segment_goes_again_as_a_probe() {
    let mut log = SentLog::default();
    log.push(BASE, 2500, 1000, Instant::ZERO);
    assert_eq!(log.last_again(1000, Instant::from_millis(7)), Some((BASE + 1500, 1000)));
    assert_eq!(log.pipe(), 2500);
    let d = sack(&mut log, 1500, 2500);
    assert_eq!(d.again, Some(Sending { at: Instant::from_millis(7), end: BASE + 2500, again: true }));
}

/// Nothing searches the order of sendings where there is no SACK: it must not grow for ever.
#[test]
fn sendings_do_not_pile_up_without_sack() {
    let mut log = SentLog::default();
    log.push(BASE, 1000, 1000, Instant::ZERO);
    for i in 0..1000 {
        log.push(BASE + i * 1000 + 1000, 1000, 1000, Instant::ZERO);
        log.mark_first_lost(1000);
        log.retransmitted(BASE + i * 1000, 1000, 1000, Instant::ZERO);
        ack(&mut log, i * 1000 + 1000);
        assert!(log.again.is_empty());
    }
}

proptest! {
    /// Against one mark per octet.
    #[test]
    fn sums_equal_the_octets(ops in prop::collection::vec((0u8..5, 0u32..4000, 1u32..900), 1..60)) {
        let mut log = SentLog::default();
        let mut octets: std::vec::Vec<u8> = std::vec::Vec::new(); // 0 flying, 1 SACKed, 2 lost
        let mut una = 0usize;
        for i in 0..8 { log.push(BASE + i * 500, 500, 500, Instant::ZERO); octets.extend([0; 500]); }
        for (op, at, len) in ops {
            let (a, b) = ((at as usize).max(una), ((at + len) as usize).min(octets.len()));
            match op {
                0 if a < b => { sack(&mut log, a as u32, b as u32); octets[a..b].fill(1); }
                1 if (at as usize) > una && at as usize <= octets.len() => { una = at as usize; ack(&mut log, at); }
                2 => { log.mark_all_lost(); octets[una..].fill(2); }
                3 => if let Some((seq, n, _)) = log.next_lost() {
                    let s = seq.since(BASE) as usize;
                    prop_assert!(octets[s..s + n as usize].iter().all(|o| *o == 2));
                    prop_assert!(octets[una..s].iter().all(|o| *o != 2), "not the first lost");
                    let n = n.min(len);
                    log.retransmitted(seq, n, 500, Instant::ZERO);
                    octets[s..s + n as usize].fill(0);
                },
                _ => { let n = octets.len() as u32; log.push(BASE + n, len, 500, Instant::ZERO); octets.extend(std::vec![0; len as usize]); }
            }
            let count = |k: u8| octets[una..].iter().filter(|o| **o == k).count() as u32;
            prop_assert_eq!(sums(&log), ((octets.len() - una) as u32, count(1), count(2)));
        }
    }
}

#[test]
fn blocks_of_single_octets_cannot_make_the_log_grow_without_end() {
    let mut log = SentLog::default();
    log.push(BASE, 60_000, 1000, Instant::ZERO);
    let sacked: u32 = (1..30_000).map(|i| sack(&mut log, 2 * i, 2 * i + 1).octets).sum();
    assert!(log.entries.len() <= 64 + 60_000 / 64 + 2, "{} entries", log.entries.len());
    assert_eq!(sums(&log), (60_000, sacked, 0));
    // Whole entries count all the same.
    assert_eq!(sack(&mut log, 0, 60_000).octets, 60_000 - sacked);
    assert_eq!(sums(&log), (60_000, 60_000, 0));
}
