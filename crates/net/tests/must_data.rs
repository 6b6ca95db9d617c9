//! RFC 9293 MUST-17, 30 to 40, 58 to 62 and 66: text, urgent text, windows, acknowledgements (sections 3.7.4, 3.8.5,
//! 3.8.6, 3.9.1.2, 3.10.7.4).

mod rig;

use rig::*;
use synfin_net::SocketEvent;
use synfin_tcp::State;

#[test]
fn must_17_nagle_can_be_turned_off() {
    let mut r = Rig::established(PLAIN);
    expect(&r.write(&text(100)), &["ACK seq=0 ack=0 len=100"]);
    none(&r.write(&text(10)));
    none(&r.advance(ms(900)));
    expect(&r.send(Seg::new()), &["ACK seq=100 ack=0 len=10"]);
    r.nodelay();
    expect(&r.write(&text(10)), &["ACK seq=110 ack=0 len=10"]);
    assert!(r.handle().get().nodelay());
}

#[test]
fn must_30_urgent_text_is_supported() {
    let mut r = Rig::established(PLAIN);
    let outs = r.write_urgent(&text(10));
    expect(&outs, &["ACK,URG seq=0 ack=0 len=10"]);
    assert_eq!(outs[0].urg, Some(10));
    // Behind the urgent text nothing is urgent.
    none(&r.send(Seg::new()));
    expect(&r.write(b"x"), &["ACK seq=10 ack=0 len=1"]);
    assert!(!r.handle().readiness().urgent);
    r.send(Seg::new().text(&text(10)).urg(10));
    assert!(r.handle().readiness().urgent);
}

#[test]
fn must_31_urgent_text_of_any_length() {
    const N: usize = 100_000;
    let mut r = Rig::established(WIDE);
    let mut outs = r.write_urgent(&text(N));
    while r.info().send_queue > 0 {
        outs.extend(r.send(Seg::new()));
    }
    assert_eq!(outs.iter().map(|o| o.text.len()).sum::<usize>(), N);
    for o in &outs {
        assert_eq!(o.urg, Some((N as i32 - o.seq).min(65_535) as u16), "{}", o.brief());
    }
    // Received: in urgent mode until the last octet is read.
    let mut r = Rig::established(WIDE);
    let stream = text(N);
    for (i, part) in stream.chunks(1000).enumerate() {
        let left = N - i * 1000;
        r.send(Seg::new().text(part).urg(left.min(65_535) as u16));
        assert!(r.handle().readiness().urgent);
        // The end as far as the pointers told.
        let end = (i * 1000 + left.min(65_535)).min(N);
        assert_eq!(r.handle().get().urgent(), Some((end - i * 1000) as u32));
        assert_eq!(r.read(1000).as_deref(), Ok(part));
    }
    assert!(!r.handle().readiness().urgent);
    assert_eq!(r.handle().get().urgent(), None);
}

/// Whether the application is told to look at its connection.
fn told(r: &mut Rig) -> bool {
    let id = r.id();
    let mut told = false;
    while let Some(event) = r.stack.poll_event() {
        told |= event == SocketEvent::Connection(id);
    }
    told
}

#[test]
fn must_32_urgent_text_is_announced() {
    let mut r = Rig::established(PLAIN);
    told(&mut r);
    // Ahead of the read point, without any text yet.
    r.send(Seg::new().urg(10));
    assert!(told(&mut r), "urgent text appears");
    assert!(r.handle().readiness().urgent);
    r.send(Seg::new().urg(10));
    assert!(!told(&mut r), "the same pointer again");
    r.send(Seg::new().urg(20));
    assert!(told(&mut r), "the pointer advances");
    assert_eq!(r.handle().get().urgent(), Some(20));
}

#[test]
fn must_33_how_much_urgent_text_remains() {
    let mut r = Rig::established(PLAIN);
    assert_eq!(r.handle().get().urgent(), None);
    r.send(Seg::new().text(&text(15)).urg(10));
    assert_eq!(r.handle().get().urgent(), Some(10));
    r.read(4).expect("text");
    assert_eq!(r.handle().get().urgent(), Some(6));
    r.read(6).expect("text");
    assert_eq!(r.handle().get().urgent(), None);
    assert!(!r.handle().readiness().urgent);
    assert_eq!(r.read(9).map(|t| t.len()), Ok(5));
}

/// Three full segments in flight that fill the window, and 5000 octets more in the queue.
fn full_window() -> Rig {
    let mut r = Rig::established(Offer { wnd: 4380, ..PLAIN });
    assert_eq!(r.write(&text(9380)).len(), 3);
    r
}

#[test]
fn must_34_a_shrinking_window_is_survived() {
    let mut r = full_window();
    none(&r.send(Seg::new().ack(0).wnd(1000)));
    none(&r.write(b"more"));
    none(&r.send(Seg::new().ack(0).wnd(0)));
    none(&r.send(Seg::new().ack(0).wnd(4379)));
    assert_eq!(r.info().snd_wnd, 4379);
    let outs = r.send(Seg::new().ack(0).wnd(7300));
    expect(&outs, &["ACK seq=4380 ack=0 len=1460", "ACK seq=5840 ack=0 len=1460"]);
}

#[test]
fn must_35_a_window_shrunk_to_zero_is_probed() {
    let mut r = full_window();
    let start = r.now;
    none(&r.send(Seg::new().ack(0).wnd(0)));
    let outs = r.advance(s(16));
    assert_eq!(Rig::times(&outs, start), [1000, 3000, 7000, 15_000]);
    assert!(outs.iter().all(|o| o.seq == 0 && !o.text.is_empty()), "{}", lines(&outs));
    // The peer opens: what it never took is sent again, then the rest.
    let mut got = 0;
    let mut outs = r.send(Seg::new().ack(0).wnd(8000));
    while !outs.is_empty() {
        got = got.max(outs.iter().map(|o| o.seq + o.text.len() as i32).max().unwrap_or(0));
        outs = r.send(Seg::new().wnd(8000));
    }
    assert_eq!(got, 9380);
    assert_eq!(r.info().send_queue, 0);
}

#[test]
fn must_36_a_zero_window_is_probed() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(&text(3000)));
    let start = r.now;
    let outs = r.advance(s(4));
    assert_eq!(Rig::times(&outs, start), [1000, 3000]);
    assert!(outs.iter().all(|o| o.seq == 0 && !o.text.is_empty()), "{}", lines(&outs));
    // The answer opens the window: sending goes on with what the peer wants.
    let outs = r.send(Seg::new().ack(0).wnd(8000));
    let sent: usize = outs.iter().map(|o| o.text.len()).sum();
    assert_eq!((outs[0].seq, sent >= 2920), (0, true), "{}", lines(&outs));
}

#[test]
fn must_37_a_zero_window_may_last() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(&text(3000)));
    let mut probes = 0;
    let end = r.now + s(24 * 3600);
    while r.now < end {
        for o in r.advance(s(30)) {
            assert_eq!(o.seq, 0);
            probes += 1;
            none(&r.send(Seg::new().ack(0).wnd(0)));
        }
    }
    assert_eq!(r.state(), State::Established);
    // At most a minute apart.
    assert!(probes >= 24 * 60, "{probes}");
}

#[test]
fn must_38_sender_avoids_silly_windows() {
    let mut r = Rig::established(PLAIN);
    // Five segments and 700 octets that do not fill one, and are not half of the largest window either.
    let outs = r.write(&text(13_000));
    assert_eq!(outs.iter().map(|o| o.text.len()).collect::<Vec<_>>(), [1460; 5]);
    none(&r.send(Seg::new().wnd(0)));
    let mut outs = Vec::new();
    for n in 1..=14 {
        outs.extend(r.advance(ms(1)));
        outs.extend(r.send(Seg::new().wnd(100 * n)));
    }
    none(&outs);
    expect(&r.send(Seg::new().wnd(1500)), &["ACK seq=7300 ack=0 len=1460"]);
    // Where nothing else will come, the override timer ends the wait (0.1 to 1 s).
    none(&r.send(Seg::new().wnd(500)));
    let start = r.now;
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=8760 ack=0 len=500"]);
    assert!((100..=1000).contains(&Rig::times(&outs, start)[0]), "{:?}", Rig::times(&outs, start));
}

#[test]
fn must_38_half_of_the_largest_window_is_enough() {
    let mut r = Rig::established(Offer { wnd: 1000, ..PLAIN });
    // The largest window is smaller than a segment: half of it may go.
    expect(&r.write(&text(3000)), &["ACK seq=0 ack=0 len=1000"]);
    none(&r.send(Seg::new().wnd(499)));
    expect(&r.send(Seg::new().wnd(500)), &["ACK seq=1000 ack=0 len=500"]);
}

#[test]
fn must_39_receiver_avoids_silly_windows() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 8192);
    r.accept_peer(PLAIN);
    let mut last = Vec::new();
    for part in text(8192).chunks(1024) {
        last = r.send(Seg::new().text(part));
    }
    last.extend(r.advance(ms(100)));
    assert_eq!(last.last().map(|o| (o.ack, o.wnd)), Some((Some(8192), 0)));
    // min(half of the buffer, a segment) = 1460 octets.
    for n in 1..1460 {
        r.read(1).expect("text");
        none(&r.pump());
        if n % 100 == 0 {
            // Nor does an ACK for another reason tell of less.
            let outs = r.send(Seg::new().text(b"x").seq(8192));
            assert_eq!(one(&outs).wnd, 0, "after {n} octets");
        }
    }
    r.read(1).expect("text");
    let outs = r.pump();
    expect(&outs, &["ACK seq=0 ack=8192"]);
    assert_eq!(outs[0].wnd, 1460);
}

#[test]
fn must_40_an_ack_waits_less_than_half_a_second() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().text(b"x")));
    let start = r.now;
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=0 ack=1"]);
    assert!(Rig::times(&outs, start)[0] < 500);
}

#[test]
fn must_58_acks_are_combined() {
    let mut r = Rig::established(PLAIN);
    let stream = text(14_600);
    let outs = r.send_batch(stream.chunks(1460).map(|c| Seg::new().text(c)).collect());
    assert!((1..=5).contains(&outs.len()), "{}", lines(&outs));
    assert_eq!(outs.last().and_then(|o| o.ack), Some(14_600));
}

#[test]
fn must_59_all_queued_segments_are_processed_before_the_ack() {
    let mut r = Rig::established(PLAIN);
    let part = |n| Seg::new().seq(n * 100).text(&text(100));
    let outs = r.send_batch(vec![part(1), part(0), part(2)]);
    expect(&outs, &["ACK seq=0 ack=300"]);
}

#[test]
fn must_60_text_is_never_kept_for_ever() {
    let mut r = Rig::established(PLAIN);
    expect(&r.write(b"a"), &["ACK seq=0 ack=0 len=1"]);
    none(&r.write(b"b"));
    expect(&r.send(Seg::new()), &["ACK seq=1 ack=0 len=1"]);
}

#[test]
fn must_61_psh_on_the_last_segment() {
    let mut r = Rig::established(PLAIN);
    r.nodelay();
    let outs = r.write(&text(3 * 1460 + 10));
    let psh: Vec<bool> = outs.iter().map(|o| o.has('P')).collect();
    assert_eq!(psh, [false, false, false, true], "{}", lines(&outs));
}

#[test]
fn must_62_the_urgent_pointer_names_the_octet_after() {
    let mut r = Rig::established(PLAIN);
    r.write(&text(1000));
    none(&r.send(Seg::new()));
    let outs = r.write_urgent(b"12345");
    let o = one(&outs);
    assert_eq!((o.seq, o.urg), (1000, Some(5)));
    // Text in front of the urgent octets: the pointer still counts from SEG.SEQ.
    let mut r = Rig::established(PLAIN);
    r.write(b"in flight");
    r.try_write(b"ordinary").expect("room");
    r.write_urgent(b"!");
    let outs = r.send(Seg::new());
    assert!(outs.iter().chain(&r.pump()).all(|o| o.urg.map(|u| o.seq + i32::from(u)) == Some(18)));
}

/// ES with RCV.WND = 0: the application reads nothing.
fn zero_window() -> Rig {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 2000);
    r.accept_peer(PLAIN);
    r.send(Seg::new().text(&text(1000)));
    r.send(Seg::new().text(&text(1000)));
    r.advance(ms(100));
    assert_eq!(r.info().rcv_wnd, 0);
    r
}

#[test]
fn must_66_rst_and_urg_at_a_zero_window() {
    let mut r = zero_window();
    none(&r.send(Seg::new().flags("R")));
    assert_eq!(r.state(), State::Closed);

    let mut r = zero_window();
    let outs = r.send(Seg::new().seq(2000).text(b"u").urg(1));
    expect(&outs, &["ACK seq=0 ack=2000"]);
    assert_eq!(outs[0].wnd, 0);
    assert!(r.handle().readiness().urgent);
    assert_eq!(r.read(9000).map(|t| t.len()), Ok(2000));
}
