//! RFC 9293 SHLD-1 to 31 and REC-1. Those that are missing here have their reason in docs/rfc-ledger.

mod rig;

use std::time::Duration;

use rig::*;
use synfin_link::Caps;
use synfin_net::{Cidr, ConnectOpts};
use synfin_tcp::{CloseReason, Keepalive, ReadError, SoftError, State};
use synfin_wire::Endpoint;

#[test]
fn shld_01_isn_depends_on_every_part_of_the_tuple() {
    let mut r = Rig::with(|c| c.addrs.push(Cidr { addr: v4(3), prefix: 24 }));
    let mut iss = |local, port, remote, remote_port| {
        let opts = ConnectOpts { local: Some(Endpoint::new(local, port)) };
        let syn = r.connect_with(Endpoint::new(remote, remote_port), opts).expect("connect");
        none(&r.abort());
        syn.raw_seq
    };
    let all = [
        iss(v4(2), 1000, v4(1), 80),
        iss(v4(3), 1000, v4(1), 80),
        iss(v4(2), 1001, v4(1), 80),
        iss(v4(2), 1000, v4(4), 80),
        iss(v4(2), 1000, v4(1), 81),
    ];
    for (i, a) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|b| a != b), "{all:?}");
    }
    // The same tuple at the same instant: the same number.
    assert_eq!(iss(v4(2), 1000, v4(1), 80), all[0]);
}

#[test]
fn shld_02_rst_with_text_is_accepted() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().flags("R").text(&text(20))));
    assert_eq!(r.state(), State::Closed);
    assert_eq!(r.read(100), Err(ReadError::Closed(CloseReason::Reset)));
}

#[test]
fn shld_03_close_resets_if_text_is_lost() {
    // Unread text at close().
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().text(&text(100)));
    let outs = r.close();
    assert!(one(&outs).has('R'), "{}", lines(&outs));
    assert_eq!(outs[0].seq, 0);
    assert_eq!(r.state(), State::Closed);
    // Text that arrives later.
    let mut r = Rig::established(PLAIN);
    expect(&r.close(), &["FIN,ACK seq=0 ack=0"]);
    expect(&r.send(Seg::new().text(&text(100))), &["RST seq=1"]);
    assert_eq!(r.state(), State::Closed);
    // Without either, FIN.
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().text(&text(100)));
    r.read(100).expect("text");
    r.advance(ms(100));
    expect(&r.close(), &["FIN,ACK seq=0 ack=100"]);
}

#[test]
fn shld_04_timestamps_shorten_time_wait() {
    let syn = |val| Seg::new().flags("S").no_ack().seq(0).options(&[2, 4, 5, 180]).ts(val, 0);
    let time_wait = || {
        let mut r = Rig::in_state_with(State::TimeWait, TS);
        let recent = r.side().peer_clock;
        (recent, {
            r.advance(s(1));
            r
        })
    };
    let (recent, mut r) = time_wait();
    assert_eq!(one(&r.send(syn(recent + 1))).brief(), "SYN,ACK seq=-1 ack=1");
    assert_eq!(r.state(), State::SynReceived);
    // As old as the last one and not beyond the FIN: an ACK, and TIME_WAIT goes on.
    let (recent, mut r) = time_wait();
    assert_eq!(one(&r.send(syn(recent))).brief(), "ACK seq=1 ack=1");
    assert_eq!(r.state(), State::TimeWait);
}

#[test]
fn shld_05_every_syn_carries_an_mss() {
    let mut r = Rig::new();
    assert!(r.connect().mss.is_some());
    assert!(r.advance(s(16)).iter().all(|o| o.mss == Some(1460)));
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(PLAIN);
    let mut outs = r.send(syn);
    outs.extend(r.advance(s(16)));
    assert!(outs.len() > 3 && outs.iter().all(|o| o.has('S') && o.mss == Some(1460)), "{}", lines(&outs));
}

#[test]
fn shld_07_nagle() {
    let mut r = Rig::established(PLAIN);
    r.write(b"0");
    for n in 1..=5u8 {
        none(&r.write(&[b'0' + n]));
    }
    let outs = r.send(Seg::new());
    expect(&outs, &["ACK seq=1 ack=0 len=5"]);
    assert_eq!(outs[0].text, b"12345");
}

#[test]
fn shld_08_ecn_is_not_agreed_to() {
    // Explicit congestion notification is not part of this version: it must not be promised either (RFC 3168 6.1.1).
    let mut r = Rig::new();
    assert!(!r.connect().has('E'));
    r.listen();
    r.peer(4001);
    let mut syn = r.syn(PLAIN);
    syn.letters.push_str("EC");
    let sa = r.send(syn);
    assert!(!one(&sa).has('E') && !sa[0].has('C'));
    assert_eq!(sa[0].tos & 3, 0);
}

#[test]
fn shld_09_and_10_the_application_hears_of_three_retransmissions() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    assert_eq!(r.advance(s(6)).len(), 2);
    assert_eq!(r.info().soft_error, None);
    assert_eq!(r.advance(s(2)).len(), 1);
    assert_eq!(r.info().soft_error, Some(SoftError::Retransmitting));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn shld_11_r2_is_at_least_100_seconds() {
    // However small the timeout is.
    let mut r = Rig::with(|c| {
        c.tcp.rto_min = ms(1);
        c.tcp.rto_max = s(1);
    });
    r.open(Offer { rtt: ms(5), ..PLAIN });
    r.write(b"x");
    r.advance(s(100) - ms(1));
    assert_eq!(r.state(), State::Established);
    r.advance(s(10));
    assert_eq!(r.state(), State::Closed);
    // With the default settings: 15 retransmissions and then some.
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    assert_eq!(r.advance(s(3600)).len(), 15);
}

#[test]
fn shld_12_a_keepalive_probe_has_no_text() {
    let mut r = Rig::established(PLAIN);
    r.write(&text(10));
    none(&r.send(Seg::new()));
    let k = Keepalive::default();
    r.handle().configure(|c, cx| c.set_keepalive(cx, Some(k)));
    expect(&r.advance(s(7201)), &["ACK seq=9 ack=0"]);
}

#[test]
fn shld_14_the_right_edge_never_moves_left() {
    for (seed, wscale) in [(1u64, None), (2, Some(7)), (3, None), (4, Some(2))] {
        let mut seed = seed;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let mut r = Rig::with(|c| c.tcp.recv_buffer = 100_000);
        r.accept_peer(Offer { wscale, sack: true, ..PLAIN });
        let shift = if wscale.is_some() { r.info().wscale.0 } else { 0 };
        // In a SYN the window is not scaled.
        let mut edge: i32 = 65_535;
        for _ in 0..3000 {
            let mut outs = Vec::new();
            match random(5) {
                0 => {
                    r.read(random(20_000) as usize + 1).ok();
                    outs.extend(r.pump());
                }
                1 => {
                    let size = 1000 + random(100_000) as u32;
                    r.handle().configure(|c, _| c.set_recv_buffer(size));
                    outs.extend(r.pump());
                }
                2 => outs.extend(r.advance(ms(random(50)))),
                3 => {
                    let nxt = r.info().rcv_nxt.raw().wrapping_sub(5001) as i32;
                    let ahead = random(4000) as i32;
                    outs.extend(r.send(Seg::new().seq(nxt + ahead).text(&text(700))));
                }
                _ => {
                    let nxt = r.info().rcv_nxt.raw().wrapping_sub(5001) as i32;
                    outs.extend(r.send(Seg::new().seq(nxt).text(&text(random(1460) as usize))));
                }
            }
            for o in outs {
                let new = o.ack.expect("ACK") + (i32::from(o.wnd) << shift);
                // The scale may round it down (RFC 7323 2.4): what was offered before is still honoured.
                assert!(new + (1 << shift) > edge, "edge {edge}, then {}", lines(&[o]));
                edge = edge.max(new);
            }
        }
    }
}

/// Three full segments in flight that filled the window.
fn full_window() -> Rig {
    let mut r = Rig::established(Offer { wnd: 4380, ..PLAIN });
    assert_eq!(r.write(&text(9380)).len(), 3);
    r
}

#[test]
fn shld_15_a_shrunk_window_gets_no_new_text() {
    let mut r = full_window();
    none(&r.send(Seg::new().ack(0).wnd(1000)));
    let nxt = r.info().snd_nxt;
    for _ in 0..10 {
        r.advance(s(2));
        r.send(Seg::new().ack(0).wnd(1000));
    }
    assert_eq!(r.info().snd_nxt, nxt);
}

#[test]
fn shld_16_a_shrunk_window_gets_what_lies_inside_again() {
    let mut r = full_window();
    none(&r.send(Seg::new().ack(0).wnd(1000)));
    expect(&r.advance(s(1)), &["ACK seq=0 ack=0 len=1000"]);
}

#[test]
fn shld_17_a_shrunk_window_alone_ends_nothing() {
    let mut r = full_window();
    r.send(Seg::new().ack(0).wnd(0));
    for _ in 0..120 {
        for _ in r.advance(s(30)) {
            none(&r.send(Seg::new().ack(0).wnd(0)));
        }
    }
    assert_eq!(r.state(), State::Established);
}

#[test]
fn shld_18_acks_are_delayed() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().text(&text(1460))));
    let start = r.now;
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=0 ack=1460"]);
    assert!((1..500).contains(&Rig::times(&outs, start)[0]));
    // It rides on text where there is some.
    none(&r.send(Seg::new().text(b"question")));
    expect(&r.write(b"answer"), &["ACK seq=0 ack=1468 len=6"]);
    none(&r.send(Seg::new()));
    none(&r.advance(s(1)));
}

#[test]
fn shld_19_every_second_full_segment_is_acked() {
    let mut r = Rig::established(PLAIN);
    for n in 1..=5 {
        none(&r.send(Seg::new().text(&text(1460))));
        let outs = r.send(Seg::new().text(&text(1460)));
        expect(&outs, &[&format!("ACK seq=0 ack={}", n * 2920)]);
        r.read(9000).expect("text");
        none(&r.pump());
    }
    // As many octets in small segments.
    let mut small = 0;
    while small < 2920 {
        small += 146;
        if !r.send(Seg::new().text(&text(146))).is_empty() {
            break;
        }
    }
    assert!(small <= 2920, "{small}");
}

#[test]
fn shld_20_error_reports_are_only_for_who_asks() {
    // Nothing is pushed: without a probe, and unless the application asks, a soft error tells nobody.
    let mut r = Rig::established(PLAIN);
    r.stack.set_probe(None);
    r.write(b"x");
    while r.stack.poll_event().is_some() {}
    none(&r.icmp(3, 1, 0, 0));
    r.advance(s(20));
    assert_eq!(r.stack.poll_event(), None);
}

#[test]
fn shld_21_and_22_diffserv_may_change_and_reaches_ip_unchanged() {
    for v6 in [false, true] {
        let mut r = Rig::new();
        if v6 {
            r.use_v6();
        }
        r.accept_peer(PLAIN);
        for dscp in [0, 1, 34, 46, 63] {
            r.handle().configure(|c, _| c.set_dscp(dscp));
            let outs = r.write(b"x");
            assert_eq!(one(&outs).tos, dscp << 2);
            none(&r.send(Seg::new()));
        }
    }
}

#[test]
fn shld_25_soft_icmp_errors_are_visible() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    none(&r.icmp(3, 1, 0, 0));
    assert_eq!(r.info().soft_error, Some(SoftError::HostUnreachable));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn shld_26_hard_icmp_errors_abort_an_opening() {
    for code in [2, 3] {
        let mut r = Rig::new();
        r.connect();
        none(&r.icmp(3, code, 0, -1));
        assert_eq!((r.state(), r.closed()), (State::Closed, Some(CloseReason::Refused)));
        // Once synchronised they are soft (RFC 5927 5.2).
        let mut r = Rig::established(PLAIN);
        r.write(b"x");
        none(&r.icmp(3, code, 0, 0));
        assert_eq!(r.info().soft_error, Some(SoftError::Refused));
        assert_eq!(r.state(), State::Established);
    }
    for code in [1, 4] {
        let mut r = Rig::v6();
        r.connect();
        none(&r.icmp(1, code, 0, -1));
        assert_eq!((r.state(), r.closed()), (State::Closed, Some(CloseReason::Refused)), "v6 1/{code}");
    }
}

#[test]
fn shld_27_pushed_writes_collapse() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    for _ in 0..3 {
        none(&r.write(&text(400)));
    }
    let outs = r.send(Seg::new());
    expect(&outs, &["ACK seq=1 ack=0 len=1200"]);
    assert!(outs[0].has('P'));
}

#[test]
fn shld_28_full_segments_when_possible() {
    let mut r = Rig::established(WIDE);
    let mut outs = Vec::new();
    for part in text(14_600).chunks(730) {
        outs.extend(r.write(part));
    }
    for _ in 0..20 {
        outs.extend(r.send(Seg::new()));
    }
    // The first write finds an idle connection and goes at once; from then on segments are full.
    let sizes: Vec<usize> = outs.iter().map(|o| o.text.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 14_600);
    let inner = &sizes[1..sizes.len() - 1];
    assert!(inner.iter().all(|n| *n == 1460), "{sizes:?}");
    let mut r = Rig::established(WIDE);
    assert!(r.write(&text(14_600)).iter().all(|o| o.text.len() == 1460));
}

#[test]
fn shld_29_and_30_zero_window_probes_begin_after_an_rto_and_back_off() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_user_timeout(Some(Duration::MAX)));
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(b"x"));
    let start = r.now;
    let outs = r.advance(s(400));
    let want = [1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363].map(|n| n * 1000);
    assert_eq!(Rig::times(&outs, start), want);
}

#[test]
fn shld_31_out_of_order_segments_are_held() {
    let mut r = Rig::established(PLAIN);
    expect(&r.send(Seg::new().seq(100).text(&text(200)[100..])), &["ACK seq=0 ack=0"]);
    assert_eq!(r.read(1), Err(ReadError::WouldBlock));
    expect(&r.send(Seg::new().seq(0).text(&text(100))), &["ACK seq=0 ack=200"]);
    assert_eq!(r.read(1000), Ok(text(200)));
}

#[test]
fn rec_1_windows_have_32_bits() {
    let mut r = Rig::host(2, Caps::plain(1500), |_| {});
    r.accept_peer(Offer { wscale: Some(14), ..WIDE });
    assert_eq!(r.info().snd_wnd, 65_535 << 14);
    // SND.UNA + SND.WND may pass 2^32.
    let outs = r.write(&text(14_600));
    assert_eq!(outs.len(), 10);
    none(&r.send(Seg::new()));
    assert_eq!(r.info().snd_wnd, 65_535 << 14);
}
