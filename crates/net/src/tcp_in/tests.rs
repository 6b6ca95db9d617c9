use synfin_tcp::Config;

use crate::StackConfig;
use crate::testkit::*;

use super::*;

const CLOSED: u16 = 9;

/// RFC 9293 3.10.7.1: with ACK, the RST takes its number from it; without, it acknowledges what came.
#[test]
fn closed_port_resets() {
    let mut rig = Rig::new();
    rig.send(4000, CLOSED, &ack(100, Seq::new(7777)), b"hello");
    let r1 = rig.one();
    assert_eq!((r1.seq, r1.ack, r1.flags), (Seq::new(7777), None, Flags::RST));
    assert_eq!((r1.src, r1.dst), (us(CLOSED), peer(4000)));
    let r0 = |seq: u32, head: Head, text: &[u8], expect: u32| {
        let mut rig = Rig::new();
        rig.send(4000, CLOSED, &Head { seq: Seq::new(seq), ..head }, text);
        let got = rig.one();
        assert_eq!((got.seq, got.ack), (Seq::new(0), Some(Seq::new(expect))));
        assert_eq!(got.flags, Flags::RST.with(Flags::ACK));
    };
    r0(100, syn(0), &[], 101);
    r0(100, Head::default(), b"abc", 103);
    r0(100, Head { flags: Flags::SYN.with(Flags::FIN), ..Head::default() }, &[0; 100], 202);
    r0(u32::MAX, syn(0), &[], 0);
    assert_eq!(rig.drops(DropReason::NoConnection), 1);
}

/// RFC 7323 3.2: the answer copies the clock of the segment that it answers.
#[test]
fn reset_echoes_the_timestamp() {
    let mut rig = Rig::new();
    rig.send(4000, CLOSED, &full_syn(1, 0xabcd), &[]);
    assert_eq!(rig.one().ts, Some(Timestamps { val: 0, ecr: 0xabcd }));
}

#[test]
fn never_a_reset_for_a_reset() {
    let mut rig = Rig::new();
    rig.send(4000, CLOSED, &rst(5), &[]);
    rig.send(4000, CLOSED, &Head { flags: Flags::RST.with(Flags::SYN), ..ack(5, Seq::new(9)) }, &[]);
    rig.listen(80);
    rig.send(4000, 80, &rst(5), &[]);
    rig.silence();
    assert_eq!(rig.drops(DropReason::RstIgnored), 3);
}

#[test]
fn resets_are_rate_limited_and_recover() {
    let mut rig = Rig::new();
    let flood = |rig: &mut Rig| {
        for i in 0..1000 {
            rig.send(4000, CLOSED, &syn(i), &[]);
        }
        rig.sent().len()
    };
    // At most 100 at once and 50 in half a second; how many exactly is blurred.
    let first = flood(&mut rig);
    assert!((40..=100).contains(&first), "{first}");
    assert_eq!(rig.drops(DropReason::RateLimited), 1000 - first as u64);
    rig.now += core::time::Duration::from_millis(500);
    let second = flood(&mut rig);
    assert!((20..=50).contains(&second), "{second}");
}

#[test]
fn the_reply_queue_is_bounded() {
    let mut rig = Rig::with(StackConfig { rst_rate: 100_000, ..config() });
    for i in 0..2000 {
        rig.send(4000, CLOSED, &syn(i), &[]);
    }
    assert_eq!(rig.sent().len(), 1024);
    assert_eq!(rig.drops(DropReason::RateLimited), 976);
}

#[test]
fn checks_before_any_record() {
    let mut rig = Rig::new();
    rig.listen(80);
    // Checksum (RFC 9293 MUST-3), unless the device vouches for it.
    let mut bad = packet(peer(4000), us(80), &syn(1), &[]);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    rig.packet(&bad);
    assert_eq!(rig.drops(DropReason::BadTcpChecksum), 1);
    rig.silence();
    rig.trusted(&bad);
    assert!(rig.one().has(Flags::SYN.with(Flags::ACK)));
    // Lengths.
    let whole = segment(peer(4000), us(80), &syn(1), &[]);
    rig.packet(&ip(PEER, US, 6, &whole[..19]));
    assert_eq!(rig.drops(DropReason::Truncated), 1);
    for offset in [0, 4, 7, 15] {
        let mut cut = whole.clone();
        cut[12] = offset << 4;
        rig.packet(&ip(PEER, US, 6, &cut));
    }
    assert_eq!(rig.drops(DropReason::BadTcpHeader), 4);
    // Ports.
    rig.send(0, 80, &syn(1), &[]);
    rig.send(4001, 0, &syn(1), &[]);
    assert_eq!(rig.drops(DropReason::PortZero), 2);
    rig.silence();
    assert_eq!(rig.stack.census().half_open, 1);
}

#[test]
fn port_zero_is_answered_in_profile_linux() {
    let mut rig = Rig::with(StackConfig { tcp: Config::linux(), ..config() });
    rig.listen(80);
    rig.send(0, 80, &syn(1), &[]);
    assert!(rig.one().has(Flags::SYN));
    rig.send(4001, 0, &syn(1), &[]);
    assert!(rig.one().has(Flags::RST));
}

/// SECURITY C10.
#[test]
fn land() {
    let mut rig = Rig::new();
    rig.listen(80);
    rig.packet(&packet(us(80), us(80), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::Land), 1);
    rig.packet(&packet(us(81), us(80), &syn(1), &[]));
    assert_eq!(rig.drops(DropReason::MartianSource), 1);
    rig.silence();
    assert_eq!(rig.stack.census().half_open, 0);
}

/// RFC 9293 3.10.7.2; docs/differences.md N5, N6.
#[test]
fn listen_answers_only_syns() {
    let mut rig = Rig::new();
    rig.listen(80);
    rig.send(4000, 80, &ack(100, Seq::new(7777)), &[]);
    let r1 = rig.one();
    assert_eq!((r1.seq, r1.ack, r1.flags), (Seq::new(7777), None, Flags::RST));
    rig.send(4000, 80, &Head { flags: Flags::SYN.with(Flags::FIN), ..Head::default() }, &[]);
    assert_eq!(rig.drops(DropReason::SynFin), 1);
    rig.send(4000, 80, &Head { flags: Flags::FIN, ..Head::default() }, b"x");
    rig.send(4000, 80, &Head::default(), b"x");
    assert_eq!(rig.drops(DropReason::NotForThisState), 2);
    rig.silence();
    rig.send(4000, 80, &syn(100), b"early text");
    let sa = rig.one();
    assert_eq!((sa.ack, sa.flags), (Some(Seq::new(101)), Flags::SYN.with(Flags::ACK)));
}

#[test]
fn the_probe_sees_a_passive_open_once_and_in_order() {
    let mut rig = Rig::new();
    let seen = rig.record();
    rig.listen(80);
    let iss = rig.open(4000, 80, 100);
    use Seen::{Received, State as To};
    let expect = [
        To(State::Closed, State::Listen, Trigger::Listen),
        Received,
        To(State::Listen, State::SynReceived, Trigger::RcvSyn),
        Seen::Sent(Flags::SYN.with(Flags::ACK), Why::Open),
        Received,
        To(State::SynReceived, State::Established, Trigger::RcvAckOfSyn),
    ];
    assert_eq!(*seen.lock().unwrap(), expect);
    seen.lock().unwrap().clear();
    rig.send(4001, 9, &syn(1), &[]);
    rig.sent();
    rig.send(4000, 80, &rst(101), &[]);
    let expect = [
        Received,
        Seen::Dropped(DropReason::NoConnection),
        Seen::Sent(Flags::RST.with(Flags::ACK), Why::ResetReply),
        Received,
        To(State::Established, State::Closed, Trigger::RcvRst),
        Seen::Closed(CloseReason::Reset),
    ];
    assert_eq!(*seen.lock().unwrap(), expect);
    let _ = iss;
}

/// RFC 9293 3.10.7.4 for passive SYN_RCVD: a RST ends the record, and the listener goes on.
#[test]
fn reset_returns_to_listen() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    rig.send(4000, 80, &syn(100), &[]);
    rig.send(4001, 80, &syn(100), &[]);
    assert_eq!(rig.sent().len(), 2);
    rig.send(4000, 80, &rst(101), &[]);
    rig.silence();
    // The other entry stays (MUST-11, SECURITY C14).
    assert_eq!((rig.stack.census().half_open, rig.stack.accept_queue(l)), (1, 0));
    rig.accept(l, 4000, 900);
}

/// TIMERS: SYN,ACK at 0, 1, 3, 7, 15, 31 s; the record goes at 63 s, and a late ACK meets a RST.
#[test]
fn half_open_records_are_retried_and_released() {
    let mut rig = Rig::new();
    rig.listen(80);
    let start = rig.now;
    rig.send(4000, 80, &syn(100), &[]);
    let first = rig.one();
    let mut at = alloc::vec::Vec::new();
    while rig.stack.census().half_open == 1 {
        for again in rig.wait(core::time::Duration::from_millis(500)) {
            assert_eq!((again.seq, again.ack, again.flags), (first.seq, first.ack, first.flags));
            at.push(rig.now.since(start).as_millis().div_ceil(1000));
        }
    }
    assert_eq!(at, [1, 3, 7, 15, 31]);
    assert_eq!(rig.now.since(start).as_secs(), 63);
    assert!(rig.stack.poll_timeout().is_never());
    rig.send(4000, 80, &ack(101, first.seq + 1), b"late");
    assert_eq!(rig.one().flags, Flags::RST);
}

/// The connection of the segment before is tried first: it must be the right one, and reachable from outside.
#[test]
fn the_last_connection_is_no_short_cut_past_the_checks() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let isses = [4000, 4001].map(|port| rig.open(port, 80, 100));
    let ids = [(); 2].map(|()| rig.stack.accept(rig.now, l).expect("both are open").0);
    let mut text = [0; 8];
    for i in 0..4u32 {
        for (which, port) in [(0, 4000), (1, 4001)] {
            let from = packet(peer(port), us(80), &ack(101 + i, isses[which] + 1), b"x");
            rig.broadcast(&from);
            assert_eq!(rig.drops(DropReason::BroadcastDestination), u64::from(2 * i) + which as u64 + 1);
            rig.packet(&from);
            let got = rig.stack.conn(rig.now, ids[which]).and_then(|mut c| c.read(&mut text).ok());
            assert_eq!(got, Some(1));
        }
    }
    // Ended: the slot is no longer meant, though the husk has the same name.
    rig.send(4001, 80, &rst(105), &[]);
    rig.send(4001, 80, &ack(105, isses[1] + 1), b"late");
    assert!(rig.sent().iter().any(|s| s.flags == Flags::RST));
}

/// A connection of ours to ourselves is out of the device's reach.
#[test]
fn no_segment_from_outside_for_a_looped_connection() {
    let mut cfg = config();
    let second = synfin_wire::Addr::v4([10, 9, 0, 3]);
    cfg.addrs.push(crate::Cidr { addr: second, prefix: 24 });
    let mut rig = Rig::with(cfg);
    let l = rig.listen(80);
    let at = crate::ConnectOpts { local: Some(Endpoint::new(second, 7000)) };
    let id = rig.stack.connect(rig.now, us(80), at).expect("nothing is in the way");
    rig.silence();
    assert!(rig.stack.accept(rig.now, l).is_some());
    let info = rig.stack.conn(rig.now, id).expect("it is open").info();
    let head = ack(info.rcv_nxt.raw(), info.snd_nxt);
    rig.packet(&packet(us(80), Endpoint::new(second, 7000), &head, b"forged"));
    assert_eq!(rig.drops(DropReason::MartianSource), 1);
    assert_eq!(rig.stack.conn(rig.now, id).expect("it is open").info().recv_queue, 0);
}
