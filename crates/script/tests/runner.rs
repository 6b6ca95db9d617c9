//! What the runner itself does: times, waiting calls, refusals, words of a failure.

use synfin_script::{Failure, FailureKind, Leftover, Options, Outcome, Profile, Verdict, parse, run_with};

const OPEN: &str = "
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 8000 <mss 1000>
   +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 8000
   +0 accept(3, ..., ...) = 4
";

fn play_with(text: &str, change: impl FnOnce(&mut Options)) -> Outcome {
    let script = parse(text, "t.pkt").unwrap();
    let mut options = Options::new(Profile::linux());
    change(&mut options);
    run_with(&script, &options)
}

fn play(rest: &str) -> Outcome {
    play_with(&format!("{OPEN}{rest}"), |_| {})
}

fn failure(outcome: Outcome) -> Failure {
    match outcome.verdict {
        Verdict::Fail(f) => *f,
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_are_checked_with_tolerance() {
    // The retransmission comes 300 ms after the segment.
    let script =
        |at: &str| format!("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+{at} > P. 1:11(10) ack 1");
    assert!(play(&script(".3")).passed());
    // An eighth of the way is tolerated.
    assert!(play(&script(".33")).passed());
    let late = failure(play(&script(".25")));
    assert_eq!((late.what.as_str(), late.line), ("the segment came too late", 11));
    assert_eq!(failure(play(&script(".4"))).what, "the segment came too early");
    let wide = play_with(&format!("--tolerance_usecs=100000\n{OPEN}{}", script(".4")), |_| {});
    assert!(wide.passed(), "{wide}");
}

#[test]
fn a_failure_shows_both_sides_and_the_reason() {
    let f = failure(play("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1 win 5"));
    assert_eq!((f.kind, f.what.as_str()), (FailureKind::Differs, "another length"));
    assert_eq!(f.expected, "0.100000 > P. 1:12(11) ack 1 win 5");
    assert_eq!(f.actual, "0.100000 > P. 1:11(10) ack 1 win 64240   (New)");
    assert!(f.said.iter().any(|s| s.contains("Established")), "{:?}", f.said);
    let nothing = failure(play("+0 > . 1:1(0) ack 1"));
    assert_eq!((nothing.what.as_str(), nothing.actual.as_str()), ("no segment was sent", "nothing"));
}

#[test]
fn leftovers_matter_only_where_asked() {
    let text = format!("{OPEN}+0 write(4, ..., 10) = 10");
    assert!(play_with(&text, |_| {}).passed());
    let f = failure(play_with(&text, |o| o.leftover = Leftover::Refused));
    assert_eq!(f.what, "a segment that the script does not mention");
}

#[test]
fn a_call_that_waits_needs_a_time_to_return() {
    let f = failure(play("+0 read(4, ..., 10) = 10"));
    assert_eq!((f.what.as_str(), f.line), ("the call would wait", 9));
    let read = "+0...0.2 read(4, ..., 10) = 10\n";
    assert!(play(&format!("{read}+.2 < P. 1:11(10) ack 1 win 8000")).passed());
    let early = failure(play(&format!("{read}+.1 < P. 1:11(10) ack 1 win 8000")));
    assert_eq!((early.what.as_str(), early.line), ("the call returned at another time", 9));
    assert_eq!(failure(play(read)).what, "the call does not return");
    let late = failure(play(&format!("{read}+.4 < P. 1:11(10) ack 1 win 8000")));
    assert_eq!(late.what, "the call does not return");
}

#[test]
fn what_is_not_supported_is_a_failure_of_its_own_kind() {
    for text in [
        "+0 setsockopt(4, SOL_SOCKET, SO_NO_SUCH_THING, [1], 4) = 0",
        "+0 getsockopt(4, SOL_TCP, TCP_CC_INFO, ..., ...) = 0",
        "+0 `nstat | grep X`",
        "+0 %{ assert tcpi_no_such_field == 1 }%",
        "+0 < udp (10)",
        "+0 < gre: . 1:1(0) ack 1 win 8000",
        "+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 5",
        "+0 ioctl(4, 0x1234, [1]) = 0",
        "+0 fork() = 0",
    ] {
        let f = failure(play(text));
        assert_eq!((f.kind, f.line), (FailureKind::Unsupported, 9), "{text}: {}", f.what);
    }
}

#[test]
fn options_are_understood_or_refused() {
    assert!(play_with("--verbose\n--gateway_ip=1.2.3.4\n--mtu=1400", |_| {}).passed());
    for text in ["--no_such_option=1", "--mtu=many", "--ip_version=ipv5", "--tolerance_usecs=-1"] {
        let f = failure(play_with(text, |_| {}));
        assert_eq!((f.kind, f.line), (FailureKind::Script, 1), "{text}");
    }
    // What is said outside wins.
    let text = format!("--mtu=1500\n{OPEN}");
    let f = failure(play_with(&text, |o| o.extra.push(("mtu".into(), "1400".into()))));
    assert_eq!((f.what.as_str(), f.line), ("another options", 7));
}

#[test]
fn addresses_are_those_of_the_script() {
    for text in
        ["--ip_version=ipv6", "--ip_version=ipv4-mapped-ipv6", "--local_ip=10.0.0.7\n--remote_ip=10.0.0.9"]
    {
        let outcome = play_with(&format!("{text}\n{OPEN}"), |_| {});
        assert!(outcome.passed(), "{outcome}");
    }
}

#[test]
fn echoes_must_be_of_something() {
    let f = failure(play("+0 < . 1:1(0) ack 1 win 8000 <nop,nop,TS val 1 ecr 77>"));
    assert_eq!(f.kind, FailureKind::Script);
}

#[test]
fn time_does_not_run_backwards() {
    assert_eq!(failure(play("0.05 write(4, ..., 1) = 1")).kind, FailureKind::Script);
}

#[test]
fn notes_say_what_is_not_modelled() {
    let outcome = play_with(&format!("`sysctl -q net.ipv4.tcp_congestion_control=vegas`\n{OPEN}"), |_| {});
    assert!(outcome.passed());
    assert_eq!(outcome.notes, ["tcp_congestion_control=vegas is not modelled"]);
    let outcome = play(
        "+0 setsockopt(4, SOL_SOCKET, SO_PRIORITY, [4], 4) = 0\n+0 setsockopt(4, SOL_SOCKET, SO_MARK, [9], 4) = 0",
    );
    assert!(outcome.passed(), "{outcome}");
    assert_eq!(outcome.notes, ["SO_PRIORITY=4 is not modelled", "SO_MARK=9 is not modelled"]);
}

#[test]
fn settings_may_change_in_the_middle() {
    let again = "+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n+0 < R 1:1(0) win 0\n+0 `sysctl -q net.ipv4.tcp_sack=0`\n\
                 +0 < 6000 > 8080: S 0:0(0) win 8000 <mss 1000,sackOK>\n\
                 +0 > 8080 > 6000: S. 0:0(0) ack 1 <mss 1460>";
    let outcome = play(again);
    assert!(outcome.passed(), "{outcome}");
}

#[test]
fn octets_are_checked() {
    // A retransmission and its original bring the same octets whatever their cut.
    let outcome = play(
        "+0 < . 501:1001(500) ack 1 win 8000\n+0 > . 1:1(0) ack 1\n+0 < P. 1:701(700) ack 1 win 8000\n\
         +0 > . 1:1(0) ack 1001\n+0 read(4, ..., 2000) = 1000",
    );
    assert!(outcome.passed(), "{outcome}");
}
