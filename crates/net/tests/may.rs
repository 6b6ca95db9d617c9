//! The permissions of RFC 9293 (MAY-1 to 18) that are made use of, or whose refusal is visible.

mod rig;

use rig::*;
use synfin_link::Caps;
use synfin_net::ConnectOpts;
use synfin_tcp::{Keepalive, ReadError, Shutdown, State};
use synfin_wire::{DropReason, Endpoint};

#[test]
fn may_01_half_duplex_close_and_simplex_close() {
    // shutdown: we still read.
    let mut r = Rig::established(PLAIN);
    expect(&r.shutdown(), &["FIN,ACK seq=0 ack=0"]);
    none(&r.send(Seg::new()));
    none(&r.send(Seg::new().text(b"late")));
    assert_eq!(r.read(9).as_deref(), Ok(&b"late"[..]));
    assert_eq!(r.state(), State::FinWait2);
    // close: nobody reads any more.
    let mut r = Rig::established(PLAIN);
    r.close();
    none(&r.send(Seg::new()));
    expect(&r.send(Seg::new().text(b"late")), &["RST seq=1"]);
    // Only reading is closed: text is acknowledged and discarded.
    let mut r = Rig::established(PLAIN);
    r.handle().shutdown(Shutdown::Read);
    none(&r.send(Seg::new().text(b"late")));
    expect(&r.advance(ms(499)), &["ACK seq=0 ack=4"]);
    assert_eq!(r.read(9), Ok(vec![]));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn may_02_a_new_syn_is_accepted_in_time_wait() {
    let mut r = Rig::in_state(State::TimeWait);
    let old = r.side().clone();
    let nxt = old.iss.wrapping_add(2);
    // Beyond the number of the peer's FIN, which was 0.
    let sa = r.send(Seg::new().flags("S").no_ack().seq(1).options(&[2, 4, 5, 180]));
    let sa = one(&sa).clone();
    assert!(sa.has('S') && sa.has('A'));
    // Our new ISS lies beyond what was used.
    assert!(sa.raw_seq.wrapping_sub(nxt) as i32 > 0, "{} {}", sa.raw_seq, nxt);
    assert_eq!(r.stack.census().time_wait, 0);
    none(&r.send(Seg::new().seq(2).ack(0)));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn may_02_a_reopened_pair_rests_again_when_the_syn_was_old() {
    let mut r = Rig::in_state(State::TimeWait);
    let old = r.side().clone();
    let syn = Seg::new().flags("S").no_ack().seq(1).options(&[2, 4, 5, 180]);
    let sa = one(&r.send(syn.clone())).clone();
    assert!(sa.has('S') && sa.has('A'));
    assert_eq!((r.stack.census().time_wait, r.stack.census().half_open), (0, 1));
    // The peer knows nothing of this SYN: our answer gets its RST.
    none(&r.send(Seg::new().flags("R").seq(2).no_ack()));
    assert_eq!((r.stack.census().time_wait, r.stack.census().half_open), (1, 0));
    assert_eq!(r.state(), State::TimeWait);
    // The record answers as before: the peer's FIN again, with the old numbers.
    *r.side() = old;
    expect(&r.send(Seg::new().seq(0).flags("F")), &["ACK seq=1 ack=1"]);
    // And it lasts another 2 MSL.
    none(&r.advance(s(60) - ms(1)));
    assert_eq!(r.state(), State::TimeWait);
    r.advance(ms(2));
    assert_eq!((r.state(), r.stack.census().time_wait), (State::Closed, 0));
    // A handshake that completes leaves nothing of it.
    let mut r = Rig::in_state(State::TimeWait);
    r.send(syn);
    none(&r.send(Seg::new().seq(2).ack(0)));
    assert_eq!((r.state(), r.stack.census().time_wait), (State::Established, 0));
}

#[test]
fn may_03_the_mss_option_is_always_sent() {
    let mut r = Rig::host(2, Caps::plain(576), |_| {});
    assert_eq!(r.connect().mss, Some(536));
    let mut r = Rig::host(2, Caps::plain(1280), |_| {});
    r.use_v6();
    assert_eq!(r.connect().mss, Some(1220));
}

#[test]
fn may_05_keepalive_exists() {
    let mut r = Rig::established(PLAIN);
    let k = Keepalive { idle: s(10), interval: s(1), probes: 2 };
    r.handle().configure(|c, cx| c.set_keepalive(cx, Some(k)));
    expect(&r.advance(s(10)), &["ACK seq=-1 ack=0"]);
}

#[test]
fn may_06_a_keepalive_with_a_garbage_octet_is_answered() {
    let mut r = Rig::established(PLAIN);
    expect(&r.send(Seg::new().seq(-1).text(b"?")), &["ACK seq=0 ack=0"]);
    assert_eq!(r.read(9), Err(ReadError::WouldBlock));
}

#[test]
fn may_08_our_window_may_stay_closed_for_ever() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 2920);
    r.accept_peer(PLAIN);
    r.send(Seg::new().text(&text(1460)));
    r.send(Seg::new().text(&text(1460)));
    r.advance(ms(100));
    for _ in 0..100 {
        let outs = r.send(Seg::new().seq(2920).text(b"?"));
        expect(&outs, &["ACK seq=0 ack=2920"]);
        assert_eq!(outs[0].wnd, 0);
        none(&r.advance(s(60)));
    }
    assert_eq!(r.state(), State::Established);
}

#[test]
fn may_12_the_ack_range_protects_text() {
    let mut r = Rig::established(PLAIN);
    r.write(&text(1000));
    none(&r.send(Seg::new()));
    // 1000 octets were acknowledged: nothing older than the first of them was ever possible.
    r.advance(s(1));
    expect(&r.send(Seg::new().ack(-1).text(b"forged").seq(0)), &["ACK seq=1000 ack=0"]);
    assert_eq!(r.read(9), Err(ReadError::WouldBlock));
    assert_eq!(r.drops(DropReason::AckTooOld), 1);
    r.side().nxt = 0;
    none(&r.send(Seg::new().ack(0).text(b"old")));
    assert_eq!(r.read(9).as_deref(), Ok(&b"old"[..]));
    // No more than the largest window either.
    let mut r = Rig::established(Offer { wnd: 2000, ..PLAIN });
    for _ in 0..10 {
        r.write(&text(1000));
        none(&r.send(Seg::new()));
    }
    r.advance(s(1));
    expect(&r.send(Seg::new().ack(7999).text(b"forged").seq(0)), &["ACK seq=10000 ack=0"]);
    r.side().nxt = 0;
    none(&r.send(Seg::new().ack(8000).text(b"old")));
    assert_eq!(r.read(9).as_deref(), Ok(&b"old"[..]));
}

#[test]
fn may_13_every_out_of_order_segment_is_acked_at_once() {
    let mut r = Rig::established(SACK);
    for n in [2, 4, 6] {
        let outs = r.send(Seg::new().seq(n * 100).text(&text(100)));
        expect(&outs, &["ACK seq=0 ack=0"]);
        assert_eq!(outs[0].sacked(r.side())[0], (n * 100, n * 100 + 100));
    }
}

#[test]
fn may_16_small_writes_may_be_collected() {
    // There is no PUSH flag and no cork: Nagle's algorithm collects, and every write is pushed in its time.
    let mut r = Rig::established(PLAIN);
    r.write(b"1");
    none(&r.write(b"2"));
    none(&r.write(b"3"));
    let outs = r.send(Seg::new());
    expect(&outs, &["ACK seq=1 ack=0 len=2"]);
    assert!(outs[0].has('P'));
}

#[test]
fn may_17_psh_is_not_passed_up() {
    // Text is readable at once with and without it.
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().text(b"a").flags("P"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"a"[..]));
    r.send(Seg::new().text(b"b"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"b"[..]));
}

#[test]
fn may_02_an_active_open_takes_a_time_wait_pair_over_only_with_timestamps() {
    for (offer, wait, reusable) in [(TS, s(2), true), (TS, ms(500), false), (PLAIN, s(2), false)] {
        let mut r = Rig::in_state_with(State::TimeWait, offer);
        r.advance(wait);
        let (local, remote) = (r.at.local, r.at.remote);
        let opts = ConnectOpts { local: Some(local) };
        let outcome = r.stack.connect(r.now, Endpoint::new(remote.addr, remote.port), opts);
        assert_eq!(outcome.is_ok(), reusable, "{offer:?} after {wait:?}: {outcome:?}");
    }
}

/// CUBIC, the default: within MUST-19's bounds at the start and after a timeout, and its own share in between.
#[test]
fn may_18_another_congestion_control() {
    let mut r = Rig::with(|c| c.tcp.send_buffer = 1 << 20);
    r.accept_peer(WIDE);
    assert_eq!(r.info().cwnd, 14_600);
    assert_eq!(r.write(&text(200_000)).len(), 10);
    r.send(Seg::new().ack(1460));
    assert_eq!(r.info().cwnd, 14_600 + 1460);
    let cwnd = r.info().cwnd;
    expect(&r.advance(s(1)), &["ACK seq=1460 ack=0 len=1460"]);
    let info = r.info();
    assert_eq!((info.cwnd, info.ssthresh), (1460, cwnd * 7 / 10));
}
