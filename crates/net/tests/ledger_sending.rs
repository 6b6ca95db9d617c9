//! Rules about what is sent when that docs/rfc-ledger names and no other test shows: RFC 9293 MAY-15, MAY-16, MUST-40,
//! MUST-60.

mod rig;

use rig::*;

#[test]
fn l_9293_may_15_more_to_come_is_no_push() {
    let mut r = Rig::established(PLAIN);
    // Unpushed: it waits, although nothing is in flight.
    r.handle().configure(|c, _| c.set_more(true));
    none(&r.write(b"one "));
    // Pushed: it goes, with all that waited.
    r.handle().configure(|c, _| c.set_more(false));
    let outs = r.write(b"two");
    expect(&outs, &["ACK seq=0 ack=0 len=7"]);
    assert!(outs[0].has('P'));
}

#[test]
fn l_9293_may_16_a_cork_collects_small_writes() {
    let mut r = Rig::established(WIDE);
    r.nodelay();
    r.handle().configure(|c, _| c.set_cork(true));
    for _ in 0..3 {
        none(&r.write(&text(400)));
    }
    // What fills a segment goes.
    expect(&r.write(&text(400)), &["ACK seq=0 ack=0 len=1460"]);
    none(&r.send(Seg::new()));
    r.handle().configure(|c, _| c.set_cork(false));
    expect(&r.pump(), &["ACK seq=1460 ack=0 len=140"]);
}

#[test]
fn l_9293_must_60_not_even_a_cork_keeps_text_for_ever() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_cork(true));
    none(&r.write(b"last words"));
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=0 ack=0 len=10"]);
}

#[test]
fn l_9293_must_40_no_setting_delays_an_ack_for_half_a_second() {
    let mut r = Rig::with(|c| c.tcp.delayed_ack = s(3));
    r.accept_peer(PLAIN);
    none(&r.send(Seg::new().text(b"x")));
    let start = r.now;
    let outs = r.advance(s(5));
    expect(&outs, &["ACK seq=0 ack=1"]);
    assert!(Rig::times(&outs, start)[0] < 500, "{:?}", Rig::times(&outs, start));
}
