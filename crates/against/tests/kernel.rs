//! Scripts against the kernel of this machine, where it can be done; else the reason is printed.

use std::path::Path;

use synfin_against::Linux;
use synfin_script::{Against, Command, FailureKind, Options, Outcome, Verdict, parse};

/// Whether namespaces and devices can be made here.
fn possible() -> bool {
    match std::thread::spawn(|| Linux.prepare()).join() {
        Ok(Ok(())) => true,
        Ok(Err(why)) => {
            println!("skipped: {why}");
            false
        }
        Err(_) => panic!("making a namespace panicked"),
    }
}

fn command(files: &str) -> Command {
    let args = format!("--against linux --retry 5 {files}");
    Command::parse(args.split_whitespace().map(str::to_string)).unwrap()
}

/// Scripts of the project that take well under a second, of every kind.
const QUICK: [&str; 12] = [
    "call-blocking-accept",
    "call-blocking-read",
    "call-epoll",
    "call-errors",
    "call-peek-and-vectors",
    "call-poll-timeout",
    "call-splice",
    "mission-01-three-segments",
    "mission-20-abort",
    "must-15-default-mss-v6",
    "must-48-dscp",
    "rfc5961-rst-not-exact",
];

#[test]
fn the_kernel_passes_quick_scripts() {
    if !possible() {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform");
    for extra in ["", "--ip_version=ipv4-mapped-ipv6"] {
        // What is about IPv6 says so itself.
        let names = QUICK.iter().filter(|name| extra.is_empty() || !name.ends_with("v6"));
        let files: Vec<String> =
            names.map(|name| folder.join(name).with_extension("pkt").display().to_string()).collect();
        let outcomes = command(&format!("{extra} {}", files.join(" "))).run_against(&Linux);
        let failed: Vec<String> = outcomes.iter().filter(|o| !o.passed()).map(Outcome::to_string).collect();
        assert!(failed.is_empty(), "{extra}\n{}", failed.join("\n"));
    }
}

fn run(text: &str) -> Outcome {
    let script = parse(text, "t.pkt").unwrap();
    let mut options = Options::new(synfin_script::Profile::linux());
    options.least_tolerance = 50_000;
    Linux.run(&script, &options)
}

const OPEN: &str = "
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 8000 <mss 1000>
   +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 8000
   +0 accept(3, ..., ...) = 4
";

#[test]
fn what_the_kernel_does_otherwise_is_a_failure() {
    if !possible() {
        return;
    }
    let wrong = [
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1", "another length"),
        ("+0 write(4, ..., 10) = 10\n+.3 > P. 1:11(10) ack 1", "the segment came too early"),
        ("+0 > . 1:1(0) ack 1", "no segment was sent"),
        ("+0 write(9, ..., 10) = 10", "write returned something else"),
        ("+0 read(4, ..., 10) = 10", "the call would wait"),
        ("+0...0.3 read(4, ..., 10) = 10", "the call does not return"),
        ("+0 %{ assert tcpi_unacked == 1 }%", "the assertion does not hold"),
        ("+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0", "getsockopt: value differs"),
        ("+0 poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1", "poll: revents of 4 differs"),
    ];
    for (text, what) in wrong {
        // A busy machine may be too late for anything: then nothing is known.
        let outcome = (0..5).map(|_| run(&format!("{OPEN}{text}"))).find(|o| !is_late(o));
        let Some(Outcome { verdict: Verdict::Fail(failure), .. }) = outcome else {
            panic!("{text}: passed or late")
        };
        assert_eq!(failure.what, what, "{text}");
    }
}

fn is_late(outcome: &Outcome) -> bool {
    matches!(&outcome.verdict, Verdict::Fail(failure) if failure.kind == FailureKind::Late)
}

#[test]
fn settings_and_commands_act_in_the_scripts_own_namespace() {
    if !possible() {
        return;
    }
    let before = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_timestamps").unwrap();
    let text = "
`sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0
 ip route show | grep -q 192.0.2.0/24`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
   +0 > S 0:0(0) <mss 1460,nop,wscale 7>
   +0 `sysctl -q net.ipv4.tcp_sack=1`
   +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
   +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 connect(4, ..., ...) = -1 EINPROGRESS (Operation now in progress)
   +0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7>
";
    let outcome = (0..5).map(|_| run(text)).find(|o| !is_late(o));
    assert!(
        outcome.as_ref().is_some_and(Outcome::passed),
        "{}",
        outcome.map_or(String::new(), |o| o.to_string())
    );
    assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/tcp_timestamps").unwrap(), before);
    let outcome = run("`sysctl -q net.ipv4.no_such_setting=1`\n0 close(3) = -1 EBADF");
    assert!(outcome.failed());
    let outcome = run("`exit 3`\n0 close(3) = -1 EBADF");
    assert!(outcome.to_string().contains("command failed"), "{outcome}");
}
