use std::time::Duration;

use synfin_tcp::Quirks;

use super::{number, run, words};
use crate::profile::Profile;

#[test]
fn words_keep_quotes_and_sums_together() {
    assert_eq!(words("sysctl -q a=\"1 2 $((3 * 4))\" b"), ["sysctl", "-q", "a=1 2 $((3 * 4))", "b"]);
    assert_eq!(number("$((15*1024*1024))"), Some(15 << 20));
    assert_eq!(number("0x3"), Some(3));
}

#[test]
fn settings_reach_the_stack() {
    let mut p = Profile::linux();
    let command = "./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 /proc/sys/net/ipv4/tcp_fin_timeout=5\n\
                   sysctl -q net.ipv4.tcp_rmem=\"4096 540000 $((15*1024*1024))\" net.ipv4.tcp_retries2=4 > /dev/null 2>&1\n\
                   echo 1 > /proc/sys/net/ipv4/tcp_rfc1337";
    run(command, &mut p).unwrap();
    assert!(!p.tcp.timestamps && !p.tcp.quirks.has(Quirks::RST_ENDS_TIME_WAIT));
    assert_eq!((p.tcp.fin_wait_2, p.tcp.r2), (Duration::from_secs(5), 4));
    // Buffers begin with the second size; what they may grow to decides the scale.
    assert_eq!((p.tcp.recv_buffer, p.tcp.recv_wscale()), (540_000, 8));
    assert!(p.notes.is_empty());
}

#[test]
fn the_usual_defaults_are_known_by_name() {
    for name in ["./defaults.sh", "../common/defaults.sh", "../../common/defaults.sh\n"] {
        let mut p = Profile::linux();
        run(name, &mut p).unwrap();
        assert_eq!((p.tcp.recv_wscale(), p.tcp.syn_retries), (8, 5));
        assert!(p.notes.iter().any(|n| n.contains("tcp_pacing_ss_ratio")), "what is not modelled is said");
    }
}

#[test]
fn nothing_is_skipped_silently() {
    for command in [
        "rm -rf x",
        "sysctl -q net.ipv4.no_such_thing=1",
        "sysctl -q net.core.somaxconn=1",
        "nstat | grep X",
        "sysctl -q net.ipv4.tcp_retries2=many",
        "ip route add 1.2.3.4 dev tun0",
        "tc qdisc delete dev tun0 root",
    ] {
        assert!(run(command, &mut Profile::linux()).is_err(), "{command}");
    }
    run("/tmp/sysctl_restore_${PPID}.sh", &mut Profile::linux()).unwrap();
}

#[test]
fn sleeping_takes_time() {
    let pause = run("sleep 1.25\nsleep 2", &mut Profile::linux()).unwrap();
    assert_eq!(pause, Duration::from_millis(3250));
    assert!(run("sleep for ever", &mut Profile::linux()).is_err());
}
