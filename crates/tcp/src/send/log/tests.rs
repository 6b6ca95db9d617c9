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
        log.push(BASE + i * 1000, 1000, Instant::from_millis(u64::from(i)));
    }
    log
}

#[test]
fn a_hole_below_three_sacked_segments_is_lost_once() {
    let mut log = ten_segments();
    log.sack(block(1000, 3000));
    assert!(!log.mark_lost_below_sacked(1000), "two segments above prove nothing");
    log.sack(block(3000, 4000));
    assert!(log.mark_lost_below_sacked(1000));
    assert_eq!(log.next_lost(), Some((BASE, 1000, false)));
    assert_eq!(log.pipe(), 6000);
    log.retransmitted(BASE, 1000, Instant::from_millis(50));
    assert_eq!((log.next_lost(), log.pipe()), (None, 7000));
    assert!(!log.mark_lost_below_sacked(1000), "a retransmission is not lost by the same news");
}

#[test]
fn karn_takes_no_sample_from_what_was_sent_twice() {
    let mut log = ten_segments();
    assert_eq!(log.ack(BASE + 2000).sent, Some(Instant::from_millis(1)));
    log.mark_first_lost(1000);
    log.retransmitted(BASE + 2000, 1000, Instant::from_millis(99));
    assert_eq!(log.ack(BASE + 4000), Acked { sent: None, retransmitted: true });
}

#[test]
fn super_segments_split_where_sack_cuts_them() {
    let mut log = SentLog::default();
    log.push(BASE, 10_000, Instant::ZERO);
    assert_eq!(log.sack(block(1000, 5000)), 4000);
    assert!(log.mark_lost_below_sacked(1000));
    assert_eq!(log.next_lost(), Some((BASE, 1000, false)));
    assert_eq!(sums(&log), (10_000, 4000, 1000));
}

proptest! {
    /// Against one mark per octet.
    #[test]
    fn sums_equal_the_octets(ops in prop::collection::vec((0u8..5, 0u32..4000, 1u32..900), 1..60)) {
        let mut log = SentLog::default();
        let mut octets: std::vec::Vec<u8> = std::vec::Vec::new(); // 0 flying, 1 SACKed, 2 lost
        let mut una = 0usize;
        for i in 0..8 { log.push(BASE + i * 500, 500, Instant::ZERO); octets.extend([0; 500]); }
        for (op, at, len) in ops {
            let (a, b) = ((at as usize).max(una), ((at + len) as usize).min(octets.len()));
            match op {
                0 if a < b => { log.sack(block(a as u32, b as u32)); octets[a..b].fill(1); }
                1 if (at as usize) > una && at as usize <= octets.len() => { una = at as usize; log.ack(BASE + at); }
                2 => { log.mark_all_lost(); octets[una..].fill(2); }
                3 => if let Some((seq, n, _)) = log.next_lost() {
                    let s = seq.since(BASE) as usize;
                    prop_assert!(octets[s..s + n as usize].iter().all(|o| *o == 2));
                    prop_assert!(octets[una..s].iter().all(|o| *o != 2), "not the first lost");
                    let n = n.min(len);
                    log.retransmitted(seq, n, Instant::ZERO);
                    octets[s..s + n as usize].fill(0);
                },
                _ => { let n = octets.len() as u32; log.push(BASE + n, len, Instant::ZERO); octets.extend(std::vec![0; len as usize]); }
            }
            let count = |k: u8| octets[una..].iter().filter(|o| **o == k).count() as u32;
            prop_assert_eq!(sums(&log), ((octets.len() - una) as u32, count(1), count(2)));
        }
    }
}

#[test]
fn blocks_of_single_octets_cannot_make_the_log_grow_without_end() {
    let mut log = SentLog::default();
    log.push(BASE, 60_000, Instant::ZERO);
    let sacked: u32 = (1..30_000).map(|i| log.sack(block(2 * i, 2 * i + 1))).sum();
    assert!(log.entries.len() <= 64 + 60_000 / 64 + 2, "{} entries", log.entries.len());
    assert_eq!(sums(&log), (60_000, sacked, 0));
    // Whole entries count all the same.
    assert_eq!(log.sack(block(0, 60_000)), 60_000 - sacked);
    assert_eq!(sums(&log), (60_000, 60_000, 0));
}
