use super::*;

const BEFORE: Window = Window { cwnd: 10_000, ssthresh: u32::MAX };

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// RFC 3522 3.2: an echo from before the first repetition answers the original.
#[test]
fn echoes_tell_originals_from_repetitions() {
    let mut e = Episode::new(BEFORE, Seq::new(1), 10_000);
    let echo = |ecr| Some(Echo { ecr, offset: 7 });
    assert!(!e.answers_original(echo(0)), "nothing was repeated");
    e.repeat(1, at(500));
    assert!(e.answers_original(echo(506)));
    assert!(!e.answers_original(echo(507)), "the same millisecond may be either");
    assert!(!e.answers_original(None));
    // Later repetitions do not move the border; the timestamp may wrap.
    e.repeat(1, at(900));
    assert!(!e.answers_original(echo(600)));
    assert!(e.answers_original(echo(u32::MAX - 5)));
}

/// RFC 3708 2: every repetition has to be accounted for.
#[test]
fn duplicates_are_counted_against_repetitions() {
    let mut e = Episode::new(BEFORE, Seq::new(1), 10_000);
    assert!(!e.all_duplicates(), "nothing was repeated");
    e.repeat(2, at(1));
    e.duplicate(1);
    assert!(!e.all_duplicates());
    e.duplicate(1);
    assert!(e.all_duplicates());
    e.repeat(1, at(2));
    assert!(!e.all_duplicates());
    e.duplicate(5);
    assert!(e.all_duplicates());
}
