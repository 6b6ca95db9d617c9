use super::*;

const MSS: u16 = 1000;
const RTO: Duration = Duration::from_millis(300);

fn at(ms: u64) -> Instant {
    Instant::from_millis(1_000 + ms)
}

/// A connection whose handshake is over: segments of up to 1,000 octets, a window of 60,000.
fn begun() -> Pace {
    let mut pace = Pace::default();
    pace.begin(MSS, 1460, 60_000);
    pace
}

fn text(pace: &mut Pace, ms: u64, len: u32) {
    pace.on_text(at(ms), Arrival { len, options: 0, pushed: false }, 60_000, 1460, RTO);
}

#[test]
fn the_first_sixteen_segments_are_acknowledged_at_once() {
    let mut pace = begun();
    for n in 0..16 {
        text(&mut pace, n * 10, 1000);
        assert!(pace.at_once(1000, false), "segment {n}");
        pace.on_ack_sent();
    }
    text(&mut pace, 160, 1000);
    assert!(!pace.at_once(1000, true), "one full segment");
    assert!(pace.at_once(1001, true), "more than one");
    assert!(!pace.at_once(1001, false), "the window has nothing new to tell");
}

#[test]
fn a_small_window_hurries_less() {
    let mut pace = begun();
    pace.on_text(at(0), Arrival { len: 1000, options: 0, pushed: false }, 8_000, 1460, RTO);
    let mut quick = 0;
    while pace.at_once(1000, false) {
        quick += 1;
        pace.owed = true;
        pace.on_ack_sent();
    }
    assert_eq!(quick, 4, "the window holds eight segments");
}

#[test]
fn an_answer_ends_the_hurry_until_the_delay_has_run_out_once() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    pace.on_ack_sent();
    pace.on_answer(at(5));
    text(&mut pace, 10, 1000);
    assert!(!pace.at_once(1000, true));
    assert_eq!(pace.delay(Duration::from_millis(100)), Duration::from_millis(40));
    pace.on_delay_over(RTO);
    assert!(pace.at_once(1000, true), "nobody answered: what is left of the hurry counts again");
}

#[test]
fn an_answer_after_a_while_is_none() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    pace.on_answer(at(41));
    assert!(!pace.in_pingpong());
}

#[test]
fn the_delay_follows_the_peer() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    assert_eq!(pace.ato(), Duration::from_millis(40));
    // Half the old one and the time since.
    text(&mut pace, 30, 1000);
    assert_eq!(pace.ato(), Duration::from_millis(50));
    // Text in quick succession brings it down to the least.
    text(&mut pace, 31, 1000);
    assert_eq!(pace.ato(), Duration::from_millis(45));
    // Bounded by the round trip.
    let mut slow = begun();
    for n in 0..6 {
        text(&mut slow, n * 39, 1000);
    }
    assert!(slow.ato() > Duration::from_millis(60));
    assert_eq!(slow.delay(Duration::from_millis(50)), Duration::from_millis(50));
    assert_eq!(slow.delay(Duration::from_millis(10)), Duration::from_millis(40));
}

#[test]
fn silence_beyond_the_rto_hurries_again() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    for _ in 0..16 {
        pace.owed = true;
        pace.on_ack_sent();
    }
    assert!(!pace.at_once(1000, false));
    text(&mut pace, 500, 1000);
    assert!(pace.at_once(1000, false));
}

#[test]
fn the_segment_size_is_learned() {
    let mut pace = begun();
    assert_eq!(pace.segment, 536);
    text(&mut pace, 0, 1000);
    assert_eq!(pace.segment, 1000);
    // A shorter one that looks full counts when it comes twice.
    text(&mut pace, 1, 700);
    assert_eq!(pace.segment, 1000);
    text(&mut pace, 2, 700);
    assert_eq!(pace.segment, 700);
    // Never larger than what our side takes.
    text(&mut pace, 3, 9000);
    assert_eq!(pace.segment, 1460);
}

#[test]
fn a_reader_tells_of_the_end_of_small_text() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    pace.on_ack_sent();
    pace.on_text(at(1), Arrival { len: 100, options: 0, pushed: true }, 60_000, 1460, RTO);
    assert!(pace.waits_for_reader());
    pace.set_quick(false);
    assert!(!pace.waits_for_reader(), "the answer tells");
    pace.on_text(at(2), Arrival { len: 100, options: 0, pushed: true }, 60_000, 1460, RTO);
    assert!(pace.waits_for_reader(), "twice is too much");
}

#[test]
fn disorder_makes_quick() {
    let mut pace = begun();
    text(&mut pace, 0, 1000);
    pace.set_quick(false);
    assert!(!pace.at_once(1000, true));
    pace.disorder(60_000);
    assert!(pace.at_once(1000, true));
}

/// What segments of this size leave of a buffer: a power of two, and a description, per segment.
#[test]
fn segments_with_their_overhead() {
    for (len, memory) in [(1000_u32, 2048 + 256), (1460, 2048 + 256), (536, 1024 + 256), (8960, 16_384 + 256)]
    {
        let fit = u64::from(len) * 270_000 / memory;
        let window = u64::from(window_for_segments(270_000, len, 0));
        // The ratio is kept in 256ths.
        assert!(window <= fit && fit - window <= 270_000 / 256 + 1, "{len}: {window} of {fit}");
    }
    assert_eq!(window_for_segments(0, 1000, 12), 1, "never closed for good");
    assert_eq!(window_for_segments(1 << 30, u32::MAX, 40), (1 << 22) * 255, "never more than nearly all");
}

#[test]
fn the_first_window_is_whole_segments_where_overhead_counts() {
    let linux = Config { quirks: Quirks::LINUX, ..Config::default() };
    assert_eq!(linux.first_window(131_072, 1460), 64_240);
    assert_eq!(linux.first_window(40_000, 1460), 18_980);
    assert_eq!(linux.first_window(2_000, 1460), 1_000, "less than a segment stays what it is");
    assert_eq!(Config::default().first_window(131_072, 1460), 131_072);
}
