//! What random cases found once, each as small as it can be told.

use std::time::Duration;

use synfin_link::Caps;
use synfin_net::Census;
use synfin_tcp::State;
use synfin_wire::DropReason;

use crate::rig::packet::ip;
use crate::rig::{Offer, PLAIN, Rig, Seg, WIDE, expect, none, one, s, text, v4};

/// The number farthest behind RCV.NXT: a little more, and it lies before it.
const ANTIPODE: i32 = i32::MIN + 1;

#[test]
fn an_icmp_error_fits_the_device() {
    let mut r = Rig::host(2, Caps::plain(300), |_| {});
    let outs = r.inject(&ip(v4(1), v4(2), 17, &[0; 1000]));
    assert_eq!(one(&outs).brief(), "ICMP 3/3");
    assert_eq!(one(&outs).bytes.len(), 300);
}

#[test]
fn the_longest_linger_time_is_capped() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_linger(Some(Duration::MAX)));
    assert_eq!(r.handle().get().linger(), Some(s(65_535)));
}

#[test]
fn a_peer_can_be_silent_for_any_time_but_not_behind_an_application_that_left() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_user_timeout(Some(Duration::MAX)));
    r.write(b"hello");
    // More timeouts than an octet counts.
    r.advance(s(300 * 60));
    assert_eq!(r.closed(), None);
    r.close();
    r.advance(s(3600));
    assert_eq!(r.stack.census(), Census { listeners: 1, ..Census::default() });
}

#[test]
fn a_segment_from_the_other_side_of_the_number_space_is_outside() {
    for state in [State::Established, State::TimeWait] {
        let mut r = Rig::in_state(state);
        r.send(Seg::new().seq(ANTIPODE).text(&[7; 100]));
        // Old or beyond: it is as far from either.
        assert_eq!(r.drops(DropReason::OutOfWindow) + r.drops(DropReason::Duplicate), 1, "{state:?}");
    }
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    r.send(syn);
    r.send(Seg::new().seq(ANTIPODE).ack(0).text(&[7; 100]));
    assert_eq!((r.state(), r.drops(DropReason::OutOfWindow)), (State::SynReceived, 1));
}

#[test]
fn a_buffer_of_one_octet_opens_again() {
    let mut r = Rig::with(|cfg| cfg.tcp.recv_buffer = 1);
    r.accept_peer(PLAIN);
    let outs = r.send(Seg::new().text(b"a"));
    let outs = if outs.is_empty() { r.advance(s(1)) } else { outs };
    assert_eq!(one(&outs).wnd, 0);
    assert_eq!(r.read(10), Ok(b"a".to_vec()));
    let outs = r.pump();
    assert_eq!((one(&outs).ack, one(&outs).wnd), (Some(1), 1));
}

#[test]
fn a_buffer_below_the_unit_of_the_window_opens_again() {
    let mut r = Rig::with(|cfg| cfg.tcp.recv_buffer = 1 << 20);
    r.accept_peer(Offer { wscale: Some(0), ..WIDE });
    r.handle().configure(|c, _| c.set_recv_buffer(1));
    let mut last = 0;
    // All of the window that the handshake offered.
    for part in text(65_535).chunks(1460) {
        let mut outs = r.send(Seg::new().text(part));
        r.read(2000).expect("text");
        outs.extend(r.advance(s(1)));
        last = outs.last().expect("an ACK").wnd;
    }
    assert_eq!(last, 1, "one unit: 32 octets");
}

#[test]
fn what_our_syn_offered_is_not_taken_back() {
    let mut r = Rig::new();
    assert_eq!(r.connect().wnd, 65_535);
    r.handle().configure(|c, _| c.set_recv_buffer(100));
    let sa = r.syn_ack(PLAIN);
    let outs = r.send(sa);
    assert_eq!(one(&outs).wnd, 65_535);
    // Crossing: the SYN,ACK that goes out again.
    let mut r = Rig::in_state(State::SynReceived);
    r.handle().configure(|c, _| c.set_recv_buffer(100));
    let outs = r.advance(s(1));
    assert_eq!((one(&outs).has('S'), one(&outs).wnd), (true, 65_535));
}

#[test]
fn a_zero_window_does_not_keep_the_syn_from_going_again() {
    let mut r = Rig::in_state_with(State::SynReceived, Offer { wnd: 0, ..PLAIN });
    r.shutdown();
    assert_eq!(r.state(), State::FinWait1);
    let outs = r.advance(s(3));
    assert!(outs.len() > 1 && outs.iter().all(|o| o.brief() == "SYN,ACK seq=-1 ack=0"), "{outs:?}");
    expect(&r.send(Seg::new()), &["FIN,ACK seq=0 ack=0"]);
}

/// The persist timer of a window that was closed over 5 octets has run out, and no turn came yet.
fn probe_due(r: &mut Rig) {
    none(&r.send(Seg::new().ack(0).wnd(0)));
    r.now += s(2);
    r.stack.on_timeout(r.now);
}

#[test]
fn a_probe_that_goes_out_after_all_was_acknowledged_has_a_timer() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    r.try_write(b"more").expect("room");
    probe_due(&mut r);
    expect(&r.send(Seg::new().ack(5).wnd(0)), &["ACK seq=5 ack=0 len=1"]);
    assert!(!r.advance(s(60)).is_empty(), "probes go on");
}

#[test]
fn a_probe_that_was_due_before_the_fin_was_acknowledged_is_none() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    r.shutdown();
    probe_due(&mut r);
    none(&r.send(Seg::new().ack(6).wnd(0)));
    assert_eq!(r.state(), State::FinWait2);
    none(&r.advance(s(60)));
}

#[test]
fn a_reader_with_nothing_gets_text_whatever_the_pool_says() {
    let mut r = Rig::with(|cfg| cfg.max_buffer_memory = 0);
    r.accept_peer(PLAIN);
    r.send(Seg::new().text(b"abc"));
    assert_eq!(r.read(10), Ok(b"abc".to_vec()));
    // Behind a gap there is nothing to read: no memory for that.
    r.send(Seg::new().seq(10).text(b"klm"));
    assert_eq!(r.drops(DropReason::ReassemblyLimit), 1);
}
