use super::*;
use link::{Flow, Link, MSS, link};

pub(crate) mod link;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn names() {
    for choice in Choice::ALL {
        assert_eq!(Choice::by_name(choice.name()), Some(choice));
        assert_eq!(Control::new(choice, MSS).rule().name(), choice.name());
    }
    assert_eq!(Choice::by_name("vegas"), None);
}

/// A connection that does nothing pays for a window and a word.
#[test]
fn small_while_idle() {
    assert!(size_of::<Control>() <= 24, "{}", size_of::<Control>());
}

/// A rule from outside is asked, and the window stays.
#[test]
fn rules_can_change() {
    let mut c = Control::new(Choice::Reno, MSS);
    c.window.cwnd = 77 * MSS;
    c.follow(Choice::Bbr);
    assert_eq!((c.cwnd(), c.owner(), c.rule().name()), (77 * MSS, Owner::Rule, "bbr"));
    c.follow_own(Box::new(Reno::default()));
    assert_eq!((c.cwnd(), c.owner(), c.clone().rule().name()), (77 * MSS, Owner::Connection, "reno"));
}

/// draft-ietf-ccwg-bbr 5.6.3
#[test]
fn quantum() {
    for (rate, want) in [(1000, 2920), (2_920_001, 2920), (10_000_000, 10_000), (u64::MAX, 65_536)] {
        assert_eq!(send_quantum(rate, 1460), want);
    }
}

/// RFC 9438 5.2: with a buffer of one bandwidth-delay product CUBIC fills the link, whatever its length.
#[test]
fn cubic_fills_links() {
    for l in [link(10, 40, 100), link(100, 100, 100), link(500, 10, 100), link(10, 1, 100)] {
        let mut f = Flow::new(Choice::Cubic, l);
        f.run(secs(5));
        let used = f.run(secs(20));
        assert!(used >= 95, "{l:?}: {used} %");
    }
}

/// RFC 9438 1: after losses on a long path CUBIC is back long before Reno.
#[test]
fn cubic_is_faster_than_reno_on_long_paths() {
    let run = |choice| {
        let mut f = Flow::new(choice, Link { loss: 50, ..link(100, 100, 50) });
        f.run(secs(5));
        f.run(secs(60))
    };
    let (cubic, reno) = (run(Choice::Cubic), run(Choice::Reno));
    assert!(cubic > reno + 10, "{cubic} % and {reno} %");
}

/// RFC 9406: the queue is noticed before the buffer overflows; Reno doubles into it.
#[test]
fn hystart_spares_the_buffer() {
    let run = |choice| {
        let mut f = Flow::new(choice, link(100, 40, 200));
        let used = f.run(secs(4));
        (f.lost, used)
    };
    let ((with, used), (without, _)) = (run(Choice::Cubic), run(Choice::Reno));
    assert!(with * 2 < without, "{with} octets lost, {without} without");
    assert!(used >= 85, "{used} %");
}

/// Random losses on short paths: CUBIC keeps what Reno keeps (RFC 9438 4.3).
#[test]
fn cubic_is_no_worse_than_reno_on_short_paths() {
    let run = |choice| {
        let mut f = Flow::new(choice, Link { loss: 3000, ..link(100, 10, 100) });
        f.run(secs(5));
        f.run(secs(60))
    };
    let (cubic, reno) = (run(Choice::Cubic), run(Choice::Reno));
    assert!(cubic * 100 >= reno * 95, "{cubic} % and {reno} %");
}
