use core::time::Duration;

use synfin_tcp::{Config, Quirks, State};
use synfin_wire::{Flags, Head, OptionsOut, Seq, Timestamps};

use crate::testkit::*;
use crate::{ConnId, ConnectError, ConnectOpts, ListenerId, StackConfig};

/// A connection that we closed first: its peer's FIN at `isn + 1`, acknowledged. Returns our SND.NXT.
fn rest(rig: &mut Rig, l: ListenerId, from: u16, isn: u32) -> (ConnId, Seq) {
    let (id, iss) = rig.accept(l, from, isn);
    rig.stack.conn(rig.now, id).unwrap().shutdown(synfin_tcp::Shutdown::Write);
    let ours = rig.one();
    assert_eq!((ours.seq, ours.has(Flags::FIN)), (iss + 1, true));
    rig.send(from, 80, &fin(isn + 1, iss + 2), &[]);
    let last = rig.one();
    assert_eq!((last.seq, last.ack), (iss + 2, Some(Seq::new(isn + 2))));
    (id, iss + 2)
}

fn close(rig: &mut Rig, id: ConnId) {
    rig.stack.conn(rig.now, id).unwrap().close();
}

#[test]
fn two_msl_and_nothing_is_left() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (id, _) = rest(&mut rig, l, 4000, 100);
    assert_eq!(rig.stack.census().time_wait, 1);
    assert_eq!(rig.stack.census().connections, 1);
    close(&mut rig, id);
    assert_eq!(rig.stack.census().connections, 0);
    assert!(rig.stack.conn(rig.now, id).is_none());
    let end = rig.now + Duration::from_secs(60);
    assert_eq!(rig.stack.poll_timeout(), end);
    let seen = rig.record();
    rig.wait(Duration::from_millis(59_999));
    assert_eq!(rig.stack.census().time_wait, 1);
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.stack.census().time_wait, 0);
    let over = Seen::State(State::TimeWait, State::Closed, synfin_tcp::Trigger::TimeWaitOver);
    assert_eq!(*seen.lock().unwrap(), [over, Seen::Closed(synfin_tcp::CloseReason::Done)]);
    assert!(rig.stack.poll_timeout().is_never());
}

/// RFC 9293 3.10.7.4: the repeated FIN is acknowledged and 2 MSL start again; other records keep their order.
#[test]
fn a_repeated_fin_restarts() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (_, nxt) = rest(&mut rig, l, 4000, 100);
    rig.wait(Duration::from_secs(10));
    rest(&mut rig, l, 4001, 100);
    rig.wait(Duration::from_secs(10));
    rig.send(4000, 80, &fin(101, nxt), &[]);
    let again = rig.one();
    assert_eq!((again.seq, again.ack, again.flags), (nxt, Some(Seq::new(102)), Flags::ACK));
    rig.wait(Duration::from_secs(49));
    assert_eq!(rig.stack.census().time_wait, 2);
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.stack.census().time_wait, 1);
    rig.wait(Duration::from_secs(10));
    assert_eq!(rig.stack.census().time_wait, 0);
}

/// RFC 1337: a RST does not end TIME_WAIT; profile linux lets it.
#[test]
fn a_reset_is_ignored() {
    for (quirks, left) in [(Quirks::NONE, 1), (Quirks::RST_ENDS_TIME_WAIT, 0)] {
        let mut rig = Rig::with(StackConfig { tcp: Config { quirks, ..Config::default() }, ..config() });
        let l = rig.listen(80);
        rest(&mut rig, l, 4000, 100);
        rig.send(4000, 80, &rst(102), &[]);
        rig.silence();
        assert_eq!(rig.stack.census().time_wait, left);
    }
}

/// RFC 6191, RFC 9293 MAY-2: a SYN beyond the old numbers opens anew, with an ISS beyond ours.
#[test]
fn a_new_syn_reopens() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (old, nxt) = rest(&mut rig, l, 4000, 100);
    // Not new: answered from the record, which stays.
    rig.send(4000, 80, &syn(101), &[]);
    assert_eq!(rig.one().flags, Flags::ACK);
    assert_eq!(rig.stack.census().time_wait, 1);
    let seen = rig.record();
    rig.send(4000, 80, &syn(5000), &[]);
    let sa = rig.one();
    assert_eq!((sa.ack, sa.has(Flags::SYN)), (Some(Seq::new(5001)), true));
    assert!(sa.seq.after(nxt));
    let reopened = Seen::State(State::TimeWait, State::SynReceived, synfin_tcp::Trigger::RcvSyn);
    assert!(seen.lock().unwrap().contains(&reopened));
    let census = rig.stack.census();
    assert_eq!((census.time_wait, census.half_open), (0, 1));
    rig.send(4000, 80, &ack(5001, sa.seq + 1), b"new");
    assert_eq!(rig.stack.accept_queue(l), 1);
    // The old connection's husk is its own still; letting it go hurts nobody.
    rig.stack.conn(rig.now, old).unwrap().abort();
    assert_eq!(rig.stack.census().connections, 1);
    rig.send(4000, 80, &ack(5004, sa.seq + 1), b"more");
    let acks = rig.wait(Duration::from_millis(500));
    assert_eq!(acks.last().unwrap().ack, Some(Seq::new(5008)));
}

#[test]
fn a_new_syn_in_profile_linux() {
    let quirks = Quirks::TIME_WAIT_REUSE_ISS;
    let mut rig = Rig::with(StackConfig { tcp: Config { quirks, ..Config::default() }, ..config() });
    let l = rig.listen(80);
    let (_, nxt) = rest(&mut rig, l, 4000, 100);
    rig.send(4000, 80, &syn(5000), &[]);
    assert_eq!(rig.one().seq, nxt + 65_537);
}

/// Without a listener the SYN is answered with an ACK.
#[test]
fn a_new_syn_without_listener() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (_, nxt) = rest(&mut rig, l, 4000, 100);
    rig.stack.close_listener(rig.now, l);
    rig.send(4000, 80, &syn(5000), &[]);
    let a = rig.one();
    assert_eq!((a.seq, a.ack, a.flags), (nxt, Some(Seq::new(102)), Flags::ACK));
    assert_eq!(rig.stack.census().time_wait, 1);
}

#[test]
fn the_oldest_makes_room() {
    let mut rig = Rig::with(StackConfig { max_time_wait: 2, ..config() });
    let l = rig.listen(80);
    for port in 4000..4003 {
        let (id, _) = rest(&mut rig, l, port, 100);
        close(&mut rig, id);
    }
    assert_eq!(rig.stack.census().time_wait, 2);
    let closed = |rig: &mut Rig, port| {
        rig.send(port, 80, &ack(102, Seq::new(1)), &[]);
        rig.sent().iter().any(|s| s.has(Flags::RST))
    };
    assert_eq!([4000, 4001, 4002].map(|port| closed(&mut rig, port)), [true, false, false]);
}

#[test]
fn no_room_at_all() {
    let mut rig = Rig::with(StackConfig { max_time_wait: 0, ..config() });
    let l = rig.listen(80);
    let (id, _) = rest(&mut rig, l, 4000, 100);
    close(&mut rig, id);
    assert_eq!(rig.stack.census(), crate::Census { listeners: 1, ..crate::Census::default() });
    rig.send(4000, 80, &ack(102, Seq::new(1)), &[]);
    assert!(rig.one().has(Flags::RST));
}

/// ABORT in TIME_WAIT: the record goes; as Linux does it, it stays.
#[test]
fn abort() {
    for (quirks, left) in [(Quirks::NONE, 0), (Quirks::ABORT_KEEPS_TIME_WAIT, 1)] {
        let mut rig = Rig::with(StackConfig { tcp: Config { quirks, ..Config::default() }, ..config() });
        let l = rig.listen(80);
        let (id, _) = rest(&mut rig, l, 4000, 100);
        rig.stack.conn(rig.now, id).unwrap().abort();
        rig.silence();
        let census = rig.stack.census();
        assert_eq!((census.time_wait, census.connections), (left, 0));
    }
}

/// RFC 6191's idea for active opens: the pair is free again after a second if timestamps tell old from new.
#[test]
fn active_open_takes_a_resting_pair_over() {
    for (ts, wait, expect) in
        [(true, 1, None), (true, 0, Some(ConnectError::InUse)), (false, 30, Some(ConnectError::InUse))]
    {
        let mut rig = Rig::new();
        let opts = ConnectOpts { local: Some(us(5000)) };
        let id = rig.stack.connect(rig.now, peer(80), opts).unwrap();
        let iss = rig.one().seq;
        let clock = |val| {
            let ts = ts.then_some(Timestamps { val, ecr: 0 });
            OptionsOut { ts, ..OptionsOut::default() }
        };
        let sa = Head { opts: clock(1), flags: Flags::SYN, ..ack(100, iss + 1) };
        rig.send(80, 5000, &sa, &[]);
        close(&mut rig, id);
        rig.sent();
        rig.send(80, 5000, &Head { opts: clock(2), ..fin(101, iss + 2) }, &[]);
        rig.sent();
        assert_eq!(rig.stack.census().time_wait, 1);
        rig.wait(Duration::from_secs(wait));
        let again = rig.stack.connect(rig.now, peer(80), opts);
        assert_eq!(again.err(), expect);
        if expect.is_none() {
            assert!(rig.one().seq.after(iss + 2));
            assert_eq!(rig.stack.census().time_wait, 0);
        }
    }
}
