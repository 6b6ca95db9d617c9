use core::time::Duration;

use synfin_wire::{DropReason, Flags, Head, OptionsOut};

use super::*;
use crate::testkit::*;
use crate::{AcceptOverflow, ListenOpts, ListenerId};

fn opts(syn_queue: u32) -> ListenOpts {
    ListenOpts { syn_queue, ..ListenOpts::default() }
}

/// A listener whose SYN queue is full, so that every further SYN gets a cookie.
fn flooded(rig: &mut Rig) -> ListenerId {
    let l = rig.listen_with(80, opts(1));
    rig.send(3999, 80, &syn(1), &[]);
    rig.sent();
    l
}

fn answer(seq: u32, sa: &Sent) -> Head {
    let ts = sa.ts.map(|ts| Timestamps { val: ts.ecr + 10, ecr: ts.val });
    Head { opts: OptionsOut { ts, ..OptionsOut::default() }, ..ack(seq, sa.seq + 1) }
}

#[test]
fn a_cookie_becomes_a_connection_with_everything_agreed() {
    let mut rig = Rig::new();
    let l = flooded(&mut rig);
    rig.send(4000, 80, &full_syn(100, 5000), &[]);
    let sa = rig.one();
    assert_eq!((sa.ack, sa.mss, sa.sack), (Some(Seq::new(101)), Some(1460), true));
    assert!(sa.wscale.is_some() && sa.ts.is_some_and(|ts| ts.ecr == 5000));
    assert_eq!(rig.stack.census().half_open, 1);
    // The ACK brings text, which is taken at once.
    rig.send(4000, 80, &answer(101, &sa), b"hello");
    let (id, _) = rig.stack.accept(rig.now, l).unwrap();
    let mut handle = rig.stack.conn(rig.now, id).unwrap();
    let info = handle.info();
    assert!(info.sack && info.timestamps);
    assert_eq!((info.wscale.1, info.iss, info.irs), (7, sa.seq, Seq::new(100)));
    // Timestamps take 12 octets of each segment.
    assert_eq!(info.mss, 1460 - 12);
    assert_eq!(info.snd_wnd, 8000 << 7);
    let mut buf = [0; 10];
    assert_eq!(handle.read(&mut buf), Ok(5));
    drop(handle);
    let stats = rig.stack.listener_stats(l).unwrap();
    assert_eq!((stats.cookies_sent, stats.cookies_taken), (1, 1));
}

/// Without timestamps there is no place for scale and SACK: neither side may use them.
#[test]
fn without_timestamps_only_the_mss_survives() {
    let mut rig = Rig::new();
    let l = flooded(&mut rig);
    let mut head = full_syn(100, 0);
    head.opts.ts = None;
    head.opts.mss = Some(1400);
    rig.send(4000, 80, &head, &[]);
    let sa = rig.one();
    assert_eq!((sa.wscale, sa.sack, sa.ts), (None, false, None));
    rig.send(4000, 80, &answer(101, &sa), &[]);
    let (id, _) = rig.stack.accept(rig.now, l).unwrap();
    let info = rig.stack.conn(rig.now, id).unwrap().info();
    assert_eq!((info.mss, info.sack, info.timestamps, info.snd_wnd), (1360, false, false, 8000));
}

#[test]
fn the_mss_is_rounded_down() {
    let cookies = Cookies::new(&Key::new([3; 16]));
    let tuple = Tuple { local: us(80), remote: peer(4000) };
    let mss = |peer_mss| {
        let offer = SynOffer { peer_mss, ..SynOffer::default() };
        cookies.make(secs(10), &tuple, Seq::new(1), &offer).offer.peer_mss
    };
    assert_eq!([0, 48, 535, 536, 1459, 1460, 9000].map(mss), [48, 48, 48, 536, 1440, 1460, 8960]);
}

/// RFC 4987 3.6: a wrong cookie is an ACK for nothing, and gets its RST (RFC 9293 3.10.7.2).
#[test]
fn wrong_cookies_are_reset() {
    let mut rig = Rig::new();
    let l = flooded(&mut rig);
    rig.send(4000, 80, &full_syn(100, 5000), &[]);
    let sa = rig.one();
    let good = answer(101, &sa);
    let mut no_scale = good;
    no_scale.opts.ts = good.opts.ts.map(|ts| Timestamps { ecr: ts.ecr ^ 1, ..ts });
    let mut no_ts = good;
    no_ts.opts.ts = None;
    let wrong = [
        (4000, Head { ack: good.ack.map(|a| a + 1), ..good }),
        (4000, Head { seq: Seq::new(102), ..good }),
        (4001, good),
        (4000, no_scale),
        (4000, no_ts),
    ];
    for (port, head) in wrong {
        rig.send(port, 80, &head, &[]);
        let r = rig.one();
        assert_eq!((r.flags, Some(r.seq)), (Flags::RST, head.ack));
    }
    assert_eq!(rig.drops(DropReason::BadCookie), 5);
    assert_eq!(rig.stack.accept_queue(l), 0);
    rig.send(4000, 80, &good, &[]);
    assert_eq!(rig.stack.accept_queue(l), 1);
}

/// SECURITY C2: too old.
#[test]
fn cookies_expire() {
    for (ticks, valid) in [(0, true), (2, true), (3, false), (31, false), (32, false)] {
        let mut rig = Rig::new();
        let l = flooded(&mut rig);
        rig.send(4000, 80, &full_syn(100, 5000), &[]);
        let sa = rig.one();
        rig.now += Duration::from_secs(64) * ticks;
        // Cookies are still being sent, so it is the cookie's age that decides.
        rig.send(4007, 80, &full_syn(100, 5000), &[]);
        rig.sent();
        rig.send(4000, 80, &answer(101, &sa), &[]);
        assert_eq!(rig.stack.accept_queue(l) == 1, valid, "{ticks}");
    }
}

/// SECURITY C2: a listener that never overflowed, or not for a while, looks at no cookie.
#[test]
fn cookies_count_only_after_an_overflow() {
    let mut flooded_rig = Rig::new();
    flooded(&mut flooded_rig);
    flooded_rig.send(4000, 80, &full_syn(100, 5000), &[]);
    let sa = flooded_rig.one();
    // The same secrets, clock and pair: only the overflow is missing.
    let mut rig = Rig::new();
    let l = rig.listen_with(80, opts(1));
    rig.send(4000, 80, &answer(101, &sa), &[]);
    assert_eq!(rig.one().flags, Flags::RST);
    assert_eq!((rig.stack.accept_queue(l), rig.drops(DropReason::BadCookie)), (0, 0));
}

#[test]
fn guessing_finds_nothing() {
    let cookies = Cookies::new(&Key::new([3; 16]));
    let tuple = Tuple { local: us(80), remote: peer(4000) };
    let cfg = Config::default();
    let mut random: u64 = 99;
    let hits = (0..1 << 18)
        .filter(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let seg = Segment { ack: Some(Seq::new((random >> 32) as u32)), ..Segment::default() };
            cookies.check(secs(640), &tuple, &cfg, &seg).is_some()
        })
        .count();
    // 3 of 32 ticks, 1 in 2^24 each: 0.0015 expected.
    assert_eq!(hits, 0);
}

#[test]
fn the_stamp_is_never_ahead_of_the_clock() {
    for (bits, val) in [(0, 0), (63, 0), (63, 62), (63, 63), (1, 64), (63, u32::MAX), (63, 1 << 31)] {
        let cookie = Cookie { iss: Seq::new(0), offer: SynOffer::default(), ts_bits: bits };
        let stamp = cookie.stamp(val);
        assert_eq!(stamp & TS_MASK, bits);
        assert!(val.wrapping_sub(stamp) < 64, "{val} {stamp}");
    }
}

/// SECURITY C1: a flood of spoofed SYNs costs no memory, and an honest client still gets in.
#[test]
fn a_flood_does_not_lock_clients_out() {
    let mut rig = Rig::new();
    let l = rig.listen_with(80, opts(128));
    for i in 0..20_000u32 {
        let [a, b] = (i as u16).to_be_bytes();
        let spoofed = synfin_wire::Endpoint::new(synfin_wire::Addr::v4([20, 1, a, b]), 1025);
        rig.packet(&packet(spoofed, us(80), &syn(i), &[]));
        if i % 200 == 0 {
            rig.sent();
        }
    }
    rig.sent();
    assert_eq!(rig.stack.census().half_open, 128);
    rig.send(4000, 80, &full_syn(100, 5000), &[]);
    let sa = rig.one();
    rig.send(4000, 80, &answer(101, &sa), &[]);
    assert_eq!(rig.stack.accept_queue(l), 1);
    assert_eq!(rig.stack.census().connections, 1);
}

#[test]
fn a_full_accept_queue_holds_for_cookies_too() {
    let mut rig = Rig::new();
    let full = ListenOpts { backlog: 1, accept_overflow: AcceptOverflow::Reset, ..opts(0) };
    let l = rig.listen_with(80, full);
    for port in [4000, 4001] {
        rig.send(port, 80, &syn(100), &[]);
        let sa = rig.one();
        rig.send(port, 80, &answer(101, &sa), &[]);
        assert_eq!(rig.sent().len(), usize::from(port == 4001));
    }
    assert_eq!((rig.stack.accept_queue(l), rig.drops(DropReason::AcceptQueueFull)), (1, 1));
}
