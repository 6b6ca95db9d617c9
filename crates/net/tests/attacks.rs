//! Attacks on opening, blind injection and dishonest peers, by the rows C, B and R of the security list. Rows that a
//! requirement's test covers already are named in docs/attacks.md.

mod rig;

use std::collections::BTreeSet;
use std::time::Duration;

use rig::*;
use synfin_net::{ConnectOpts, ListenOpts};
use synfin_tcp::{CloseReason, ReadError, State};
use synfin_wire::{Addr, DropReason, Endpoint};

fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 32) as u32
}

// --- C: opening, exhausting the server ---------------------------------------------------------------------------

/// A listener with room for `syn_queue` half-open records that a flood has filled.
fn flooded(syn_queue: u32, flood: u32) -> Rig {
    let mut r = Rig::new();
    r.listen_with(ListenOpts { syn_queue, ..ListenOpts::default() });
    let mut side = r.side().clone();
    for n in 0..flood {
        let [_, b, c, d] = n.to_be_bytes();
        side.tuple.remote = Endpoint::new(Addr::v4([20, b, c, d]), 1024 + (n % 60_000) as u16);
        let syn = Seg::new().flags("S").no_ack().packet(&side);
        assert!(r.inject(&syn).iter().all(|o| o.has('S') && o.has('A')), "no RST for a SYN without room");
    }
    r
}

#[test]
fn c01_syn_flood_takes_no_more_than_its_limit() {
    let mut r = flooded(128, 100_000);
    let census = r.stack.census();
    assert_eq!((census.half_open, census.connections, census.buffers), (128, 0, 0));
    // A real client gets through by its cookie.
    let l = r.listener.expect("listening");
    let syn = r.syn(SACK);
    expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
    none(&r.send(Seg::new().text(b"hello")));
    let (id, _) = r.stack.accept(r.now, l).expect("the real client");
    r.side().id = Some(id);
    assert_eq!(r.read(9).as_deref(), Ok(&b"hello"[..]));
}

#[test]
fn c02_cookies_cannot_be_forged_or_replayed() {
    // While nothing overflowed no cookie is believed.
    let mut r = Rig::new();
    r.listen();
    assert!(one(&r.send(Seg::new())).has('R'));
    // Guesses: a chance of one in 2^24 each.
    let mut r = flooded(1, 2);
    let mut seed = 1;
    for _ in 0..20_000 {
        r.side().iss = random(&mut seed);
        r.send(Seg::new());
    }
    assert_eq!(r.stack.census().connections, 0);
    // A cookie is for its own 4-tuple...
    let cookie = |r: &mut Rig| {
        r.advance(s(1));
        let syn = r.syn(PLAIN);
        expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
        r.side().iss
    };
    let mut r = flooded(1, 2);
    let iss = cookie(&mut r);
    r.peer(4001).iss = iss;
    assert!(one(&r.send(Seg::new())).has('R'));
    // ... and its time: more than two ticks of 64 s later it is worth nothing.
    r.peer(4000);
    let ack = r.packet(&Seg::new());
    r.advance(s(3 * 64));
    assert!(one(&r.inject(&ack)).has('R'));
    assert_eq!(r.stack.census().connections, 0);
}

#[test]
fn c03_cookies_keep_the_options() {
    let all = Offer { wscale: Some(9), sack: true, ts: true, mss: Some(1400), ..WIDE };
    let open = |offer: Offer| {
        let mut r = flooded(1, 2);
        r.advance(s(1));
        r.accept_peer(offer);
        r
    };
    let mut r = open(all);
    let info = r.info();
    assert!(info.timestamps && info.sack);
    assert_eq!(info.wscale.1, 9);
    assert!(info.mss <= 1400 - 12 && info.mss > 1200, "from the table: {}", info.mss);
    assert_eq!(info.snd_wnd, 65_535 << 9);
    r.write(&text(5000));
    r.send(Seg::new().text(b"both ways"));
    assert_eq!(r.read(99).as_deref(), Ok(&b"both ways"[..]));
    // Without timestamps there is no place for them: neither side uses them.
    let mut r = open(Offer { ts: false, ..all });
    let info = r.info();
    assert!(!info.timestamps && !info.sack);
    assert_eq!((info.wscale, info.snd_wnd), ((0, 0), 65_535));
}

#[test]
fn c04_a_spoofed_syn_reflects_little() {
    let mut r = Rig::new();
    r.listen();
    let syn = r.syn(TS);
    let size = r.packet(&syn).len();
    let mut outs = r.send(syn);
    outs.extend(r.advance(s(600)));
    assert!(outs.len() <= 6, "{}", lines(&outs));
    assert!(outs.iter().all(|o| o.bytes.len() <= size + 8), "not an amplifier: {}", lines(&outs));
    assert_eq!(r.stack.census().half_open, 0);
    // The victim's RST ends it.
    let syn = r.syn(TS);
    r.send(syn);
    none(&r.send(Seg::new().flags("R").seq(0).no_ack()));
    none(&r.advance(s(600)));
}

#[test]
fn c05_connections_have_a_limit() {
    let mut r = Rig::with(|c| c.max_connections = 5);
    for port in 4000..4005 {
        r.peer(port);
        r.accept_peer(PLAIN);
    }
    r.peer(4005);
    let syn = r.syn(PLAIN);
    r.send(syn);
    r.send(Seg::new());
    assert_eq!(r.stack.census().connections, 5);
    let to = Endpoint::new(v4(1), 9);
    assert_eq!(r.stack.connect(r.now, to, ConnectOpts::default()), Err(synfin_net::ConnectError::Limit));
    // The others live.
    r.peer(4003);
    none(&r.send(Seg::new().text(b"alive")));
    assert_eq!(r.read(9).as_deref(), Ok(&b"alive"[..]));
}

/// `n` peers that take nothing, each with 64 kB written for it; how many writes found too little memory.
fn hoarders(r: &mut Rig, n: u16) -> usize {
    let mut refused = 0;
    for port in 4000..4000 + n {
        r.peer(port);
        r.accept_peer(PLAIN);
        none(&r.send(Seg::new().wnd(0)));
        refused += usize::from(r.try_write(&text(64_000)) != Ok(64_000));
    }
    refused
}

/// Lets time pass; the peers answer every probe and stay closed. Returns the RSTs that went out.
fn hold_on(r: &mut Rig, seconds: u64) -> usize {
    let mut resets = 0;
    for _ in 0..seconds {
        for o in r.advance(s(1)) {
            if o.has('R') {
                resets += 1;
                continue;
            }
            r.speak_for(o.tuple);
            none(&r.send(Seg::new().ack(0).wnd(0)));
        }
    }
    resets
}

#[test]
fn c06_zero_window_peers_hold_memory_only_up_to_a_limit() {
    let limit = 8 << 20;
    let mut r = Rig::with(|c| c.max_buffer_memory = limit);
    let refused = hoarders(&mut r, 1000);
    // Who has nothing queued gets one chunk even then, so that every connection makes progress.
    let most = limit + 1000 * synfin_tcp::bytes::CHUNK;
    assert!(refused > 0 && r.stack.census().buffers <= most, "{refused} {:?}", r.stack.census());
    // After a minute of it the probes of some end in a RST, until memory is no longer scarce; the others go on.
    assert_eq!(hold_on(&mut r, 50), 0);
    let resets = hold_on(&mut r, 250);
    let mut ended = 0;
    for port in 4000..5000 {
        r.peer(port);
        match r.closed() {
            None => {}
            Some(CloseReason::ZeroWindow) => ended += 1,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(resets, ended);
    assert!((1..1000).contains(&ended), "{ended}");
    assert!(r.stack.census().buffers < limit, "{:?}", r.stack.census());
    let before = r.stack.census();
    assert_eq!((hold_on(&mut r, 300), r.stack.census()), (0, before), "peace");
    // A newcomer finds memory.
    r.peer(3000);
    r.accept_peer(PLAIN);
    assert!(!r.write(&text(64_000)).is_empty());
}

#[test]
fn c06_the_policy_on_zero_windows_can_be_switched_off() {
    let mut r = Rig::with(|c| {
        c.max_buffer_memory = 1 << 20;
        c.tcp.zero_window_limit = None;
    });
    assert!(hoarders(&mut r, 100) > 0);
    let before = r.stack.census();
    assert_eq!((hold_on(&mut r, 3600), r.stack.census()), (0, before));
    // A user timeout counts zero-window time only for who asked for it.
    r.peer(4000);
    r.handle().configure(|c, _| c.set_user_timeout(Some(s(100))));
    r.advance(s(200));
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
}

#[test]
fn c06_a_zero_window_lasts_while_memory_does() {
    let mut r = Rig::new();
    assert_eq!(hoarders(&mut r, 1), 0);
    assert_eq!(hold_on(&mut r, 24 * 3600), 0);
    assert_eq!((r.state(), r.info().send_queue), (State::Established, 64_000));
}

#[test]
fn c07_orphans_are_given_up_earlier_and_limited() {
    let mut r = Rig::established(PLAIN);
    r.write(b"unanswered");
    r.close();
    // Eight retries: 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 s, and the last wait.
    r.advance(s(182));
    assert_eq!(r.stack.census().orphans, 1);
    r.advance(s(70));
    assert_eq!((r.stack.census().orphans, r.stack.census().connections), (0, 0));
    // More than the limit: reset.
    let mut r = Rig::with(|c| c.max_orphans = 3);
    for port in 4000..4005 {
        r.peer(port);
        r.accept_peer(PLAIN);
        r.write(b"unanswered");
        let outs = r.close();
        assert_eq!(outs.iter().any(|o| o.has('R')), port >= 4003, "{}", lines(&outs));
    }
    assert_eq!(r.stack.census().orphans, 3);
}

#[test]
fn c08_fin_wait_2_of_an_orphan_ends() {
    let mut r = Rig::established(PLAIN);
    r.close();
    none(&r.send(Seg::new()));
    assert_eq!(r.state(), State::FinWait2);
    none(&r.advance(s(60) - ms(1)));
    assert_eq!(r.state(), State::FinWait2);
    none(&r.advance(ms(2)));
    assert_eq!((r.state(), r.stack.census().connections), (State::Closed, 0));
    // With somebody who still reads there is no limit.
    let mut r = Rig::in_state(State::FinWait2);
    none(&r.advance(s(24 * 3600)));
    assert_eq!(r.state(), State::FinWait2);
}

#[test]
fn c09_time_wait_has_a_limit() {
    let mut r = Rig::with(|c| c.max_time_wait = 100);
    for port in 2000..3000 {
        r.peer(port);
        r.accept_peer(PLAIN);
        r.close();
        none(&r.send(Seg::new()));
        r.send(Seg::new().flags("F"));
        assert!(r.stack.census().time_wait <= 100);
    }
    let census = r.stack.census();
    assert_eq!((census.time_wait, census.connections), (100, 0));
    // The oldest went first.
    r.peer(2000);
    assert_eq!(r.state(), State::Closed);
    r.peer(2999);
    assert_eq!(r.state(), State::TimeWait);
}

#[test]
fn c10_land() {
    let mut r = Rig::new();
    r.listen();
    let mut side = r.side().clone();
    side.tuple.remote = side.tuple.local;
    for seg in [Seg::new().flags("S").no_ack(), Seg::new(), Seg::new().flags("R")] {
        none(&r.inject(&seg.packet(&side)));
    }
    assert_eq!(r.drops(DropReason::Land), 3);
    assert_eq!(r.stack.census().half_open, 0);
}

#[test]
fn c12_split_handshake() {
    // The server answers the SYN with a SYN of its own: the simultaneous open of Q2, one connection, right directions.
    let mut r = Rig::new();
    r.connect();
    let syn = r.syn(PLAIN);
    expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
    none(&r.send(Seg::new().ack(0)));
    assert_eq!((r.state(), r.stack.census().connections), (State::Established, 1));
    expect(&r.write(b"request"), &["ACK seq=0 ack=0 len=7"]);
    r.send(Seg::new().text(b"answer"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"answer"[..]));
}

#[test]
fn c13_odd_flags_at_a_listener() {
    let mut r = Rig::new();
    let l = r.listen();
    for letters in ["", "F", "FPU", "SF", "SR", "R", "SFR", "P", "U"] {
        none(&r.send(Seg::new().seq(-1).flags(letters).no_ack()));
        none(&r.send(Seg::new().seq(-1).flags(letters).no_ack().text(b"text")));
    }
    assert_eq!(r.stack.census().half_open, 0);
    // Text on a SYN reaches nobody before the handshake is complete.
    let syn = r.syn(PLAIN).text(b"early");
    expect(&r.send(syn), &["SYN,ACK seq=-1 ack=0"]);
    assert_eq!((r.stack.accept_queue(l), r.stack.census().connections), (0, 0));
    r.side().nxt = 0;
    none(&r.send(Seg::new().text(b"early")));
    let (id, _) = r.stack.accept(r.now, l).expect("a connection");
    r.side().id = Some(id);
    assert_eq!(r.read(99).as_deref(), Ok(&b"early"[..]));
}

#[test]
fn c14_half_open_records_are_apart() {
    let mut r = Rig::new();
    r.listen();
    for port in [4000, 4001] {
        r.peer(port);
        let syn = r.syn(PLAIN);
        r.send(syn);
    }
    r.peer(4000);
    none(&r.send(Seg::new().flags("R").seq(0)));
    assert_eq!(r.state(), State::Closed);
    r.peer(4001);
    assert_eq!(r.state(), State::SynReceived);
    none(&r.send(Seg::new()));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn c16_ports_tell_nothing() {
    let mut r = Rig::new();
    let mut port = |n: u32| {
        let [_, b, c, d] = n.to_be_bytes();
        let to = Endpoint::new(Addr::v4([20, b, c, d]), 443);
        r.connect_with(to, ConnectOpts::default()).expect("connect").tuple.local.port
    };
    let ports: Vec<u16> = (0..4000).map(&mut port).collect();
    assert!(ports.iter().all(|p| *p >= 32_768));
    // Uniform over 16 parts of the range: 250 each, standard deviation 15.
    for part in 0..16u16 {
        let n = ports.iter().filter(|p| (**p - 32_768) / 2048 == part).count();
        assert!((160..=340).contains(&n), "part {part}: {n}");
    }
    // The next peer's port does not follow from the last one's.
    let steps: BTreeSet<u16> = ports.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    assert!(steps.len() > 3500, "{}", steps.len());
}

// --- B: blind injection ------------------------------------------------------------------------------------------

#[test]
fn b01_rst_everywhere_but_at_the_exact_number() {
    let mut r = Rig::established(PLAIN);
    let mut answers = 0;
    let mut seq = 1i64;
    while seq < 1 << 32 {
        answers += r.send(Seg::new().flags("R").no_ack().seq(seq as i32)).len();
        r.side().nxt = 0;
        seq += 32_767;
    }
    assert_eq!(r.state(), State::Established);
    assert!(answers <= 1);
    none(&r.send(Seg::new().flags("R").no_ack().seq(0)));
    assert_eq!(r.state(), State::Closed);
}

#[test]
fn b02_and_b03_blind_syn_text_and_fin() {
    let mut r = Rig::established(PLAIN);
    expect(&r.send(Seg::new().flags("S").no_ack().seq(1000)), &["ACK seq=0 ack=0"]);
    let mut seed = 5;
    for _ in 0..10_000 {
        r.advance(ms(1));
        // In the window, with an ACK field by chance: SND.UNA = SND.NXT here, so one number in 2^32 fits.
        let ack = random(&mut seed) as i32 | 1;
        let seg = Seg::new().seq((random(&mut seed) % 60_000) as i32).ack(ack).text(b"forged").flags("F");
        r.send(seg);
        r.side().nxt = 0;
    }
    assert_eq!((r.state(), r.read(9)), (State::Established, Err(ReadError::WouldBlock)));
    assert_eq!(r.handle().get().held_octets(), 0);
}

#[test]
fn b05_the_answer_limit_is_no_side_channel() {
    // What the attacker's own connection hears does not depend on the victim's.
    let heard = |probe_victim: bool| {
        let mut r = Rig::established(PLAIN);
        let victim = r.at;
        r.peer(4001);
        r.accept_peer(PLAIN);
        let attacker = r.at;
        if probe_victim {
            r.speak_for(victim);
            for n in 0..200 {
                r.send(Seg::new().flags("R").seq(n + 1));
            }
        }
        r.speak_for(attacker);
        let mut heard = 0;
        for n in 0..100 {
            heard += r.send(Seg::new().flags("R").seq(n + 1)).len();
            r.advance(ms(5));
        }
        heard
    };
    assert_eq!(heard(false), heard(true));
}

#[test]
fn b09_timestamps_cannot_be_poisoned() {
    let mut r = Rig::established(TS);
    let clock = r.side().peer_clock;
    let far = clock + (1 << 30);
    // Outside the window; in the window but not next; next, but with an impossible ACK field.
    r.send(Seg::new().seq(100_000).text(b"x").ts(far, 0));
    r.send(Seg::new().seq(500).text(b"x").ts(far, 0));
    r.send(Seg::new().seq(0).ack(77).text(b"x").ts(far, 0));
    r.side().nxt = 0;
    r.advance(s(1));
    r.send(Seg::new().seq(0).text(b"honest"));
    assert_eq!(r.read(6).as_deref(), Ok(&b"honest"[..]));
    assert_eq!(r.drops(DropReason::Paws), 0);
}

#[test]
fn b10_the_window_cannot_be_forged() {
    let mut r = Rig::established(PLAIN);
    r.write(&text(1000));
    r.send(Seg::new().text(b"x"));
    assert_eq!(r.info().snd_wnd, 8000);
    // Older numbers; beyond the range.
    r.send(Seg::new().seq(0).ack(1000).wnd(0));
    r.send(Seg::new().seq(1).ack(999).wnd(0));
    r.send(Seg::new().seq(1).ack(1001).wnd(0));
    r.send(Seg::new().seq(70_000).ack(1000).wnd(0));
    assert_eq!(r.info().snd_wnd, 8000);
    // Even exact: the probes find out.
    r.send(Seg::new().seq(1).ack(1000).wnd(0));
    none(&r.write(&text(2000)));
    assert_eq!(r.advance(s(1)).len(), 1);
    let outs = r.send(Seg::new().ack(1000).wnd(8000));
    assert!(!outs.is_empty());
}

#[test]
fn b12_identification_is_no_counter() {
    let mut r = Rig::established(PLAIN);
    r.nodelay();
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        for o in r.write(b"x") {
            ids.insert([o.bytes[4], o.bytes[5]]);
        }
        r.send(Seg::new());
    }
    // RFC 6864: atomic datagrams (DF, checked by the rig) need none.
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), [[0, 0]]);
}

#[test]
fn b13_timestamps_do_not_tell_the_uptime() {
    let mut r = Rig::new();
    let mut first = |port: u16| {
        let opts = ConnectOpts { local: Some(Endpoint::new(v4(2), port)) };
        let syn = r.connect_with(Endpoint::new(v4(1), 80), opts).expect("connect");
        r.abort();
        syn.ts.expect("timestamps").0
    };
    let all: BTreeSet<u32> = (1000..1100).map(&mut first).collect();
    assert_eq!(all.len(), 100);
    let spread = all.last().unwrap_or(&0) - all.first().unwrap_or(&0);
    assert!(spread > 1 << 30, "{spread}");
    // The same pair goes on rising, as RFC 6191 needs.
    let before = first(1000);
    r.advance(s(1));
    let opts = ConnectOpts { local: Some(Endpoint::new(v4(2), 1000)) };
    let syn = r.connect_with(Endpoint::new(v4(1), 80), opts).expect("connect");
    assert_eq!(syn.ts.map(|t| t.0.wrapping_sub(before)), Some(1000));
}

#[test]
fn b14_a_war_of_resets_is_limited() {
    // A middlebox answers each of our challenges with another RST that is not exact.
    let mut r = Rig::established(PLAIN);
    let mut answers = 0;
    let mut outs = r.send(Seg::new().flags("R").seq(1));
    for _ in 0..10_000 {
        answers += outs.len();
        outs = r.send(Seg::new().flags("R").seq(1));
        outs.extend(r.advance(ms(1)));
    }
    assert!(answers <= 21, "{answers} in ten seconds");
    // Outgoing RSTs are limited too: 100 per second.
    let mut r = Rig::new();
    let mut resets = 0;
    for n in 0..10_000 {
        r.peer(1024 + n);
        resets += r.send(Seg::new()).len();
        r.advance(Duration::from_micros(100));
    }
    assert!((100..=201).contains(&resets), "{resets} in a second");
}

// --- R: dishonest peers ------------------------------------------------------------------------------------------

#[test]
fn r01_ack_division() {
    let cwnd_after = |acks: &[i32]| {
        let mut r = Rig::established(WIDE);
        r.write(&text(14_600));
        for a in acks {
            r.send(Seg::new().ack(*a));
        }
        r.info().cwnd
    };
    let divided: Vec<i32> = (1..=1460).collect();
    assert!(cwnd_after(&divided) <= cwnd_after(&[1460]));
}

#[test]
fn r02_forged_duplicate_acks() {
    for offer in [WIDE, SACK] {
        let mut r = Rig::established(offer);
        let before: usize = r.write(&text(100_000)).iter().map(|o| o.text.len()).sum();
        let mut sent = 0;
        for _ in 0..1000 {
            sent += r.send(Seg::new().ack(0)).iter().map(|o| o.text.len()).sum::<usize>();
        }
        // At most what was in flight once more, plus the retransmission.
        assert!(sent <= before + 3 * 1460, "{offer:?}: {sent} after {before}");
        assert!(r.info().flight <= 2 * 14_600 + 1460, "{:?}", r.info());
    }
}

#[test]
fn r03_optimistic_acks() {
    let mut r = Rig::established(WIDE);
    r.write(&text(100_000));
    let info = r.info();
    // Never sent: a challenge, nothing else.
    expect(&r.send(Seg::new().ack(14_601)), &["ACK seq=14600 ack=0"]);
    let after = r.info();
    assert_eq!((after.snd_una, after.cwnd, after.flight), (info.snd_una, info.cwnd, info.flight));
}

#[test]
fn r04_and_r05_sack_of_every_second_tiny_segment() {
    let mut r = Rig::with(|c| c.tcp.send_buffer = 64 * 1024);
    r.accept_peer(Offer { mss: Some(48), wscale: Some(7), ..SACK });
    r.write(&text(64 * 1024));
    for _ in 0..40 {
        let rcv = r.side().rcv;
        let flight = r.info().flight as i32;
        // All in flight is SACKed in every second segment, four blocks at a time.
        let first = rcv - flight;
        let mut at = first + 48;
        while at + 48 * 8 < rcv {
            let blocks: Vec<(i32, i32)> = (0..4).map(|n| (at + 96 * n, at + 96 * n + 48)).collect();
            let seg = Seg::new().ack(first).sack(r.side(), &blocks);
            r.send(seg);
            at += 96 * 4;
        }
        r.send(Seg::new());
    }
    assert!(r.stack.census().buffers <= 128 * 1024, "{:?}", r.stack.census());
    while r.info().send_queue > 0 {
        r.send(Seg::new());
    }
    assert_eq!(r.info().flight, 0);
}

#[test]
fn r06_tiny_segment_sizes() {
    for (mss, ts) in [(0, false), (1, false), (8, false), (47, false), (0, true), (12, true), (48, true)] {
        let mut r = Rig::established(Offer { mss: Some(mss), ts, ..WIDE });
        let mut got = r.write(&text(1000)).iter().map(|o| o.text.len()).collect::<Vec<_>>();
        while r.info().send_queue > 0 {
            got.extend(r.send(Seg::new()).iter().map(|o| o.text.len()));
            assert!(got.len() < 200, "{got:?}");
        }
        assert_eq!(got.iter().sum::<usize>(), 1000);
        // The floor of 48 less timestamps.
        let floor = if ts { 36 } else { 48 };
        assert!(got[..got.len() - 1].iter().all(|n| *n >= floor), "MSS {mss}: {got:?}");
    }
}

#[test]
fn r07_bogus_sack_blocks() {
    let mut r = Rig::established(SACK);
    r.write(&text(14_600));
    let mut seed = 9;
    let borders =
        [i32::MIN, -1_000_000, -1, 0, 1, 1459, 1460, 7300, 14_599, 14_600, 14_601, 1_000_000, i32::MAX];
    let before = r.info();
    // Reversed, empty, before SND.UNA, beyond SND.NXT.
    for (left, right) in
        [(7300, 1460), (1460, 1460), (-2920, -1460), (14_600, 16_060), (-1, 1460), (0, 14_601)]
    {
        let seg = Seg::new().ack(0).sack(r.side(), &[(left, right)]);
        r.send(seg);
    }
    assert_eq!((r.info().flight, r.info().retransmits), (before.flight, 0));
    for _ in 0..20_000 {
        let mut pick = || borders[random(&mut seed) as usize % borders.len()];
        let blocks = [(pick(), pick()), (pick(), pick()), (pick(), pick())];
        let seg = Seg::new().ack(0).sack(r.side(), &blocks);
        r.send(seg);
        assert!(r.info().flight <= 29_200, "{:?}", r.info());
    }
    // And it still works.
    r.advance(s(2));
    while r.info().send_queue > 0 {
        r.send(Seg::new());
    }
    assert_eq!(r.info().flight, 0);
}

#[test]
fn r10_a_huge_window_takes_no_memory() {
    let mut r = Rig::established(Offer { wscale: Some(14), ..WIDE });
    let mut queued = 0;
    while let Ok(n) = r.try_write(&text(65_536)) {
        queued += n;
    }
    assert_eq!(queued, 256 * 1024);
    assert!(r.stack.census().buffers <= 300 * 1024);
}

#[test]
fn r13_a_window_that_trickles() {
    // One octet of window at a time: no more than one small segment per override interval.
    let mut r = Rig::established(PLAIN);
    r.write(&text(20_000));
    let mut outs = Vec::new();
    for _ in 0..1000 {
        outs.extend(r.send(Seg::new().wnd(1)));
        outs.extend(r.advance(ms(1)));
    }
    assert!(outs.len() <= 11, "{} segments in a second{}", outs.len(), lines(&outs[..5]));
}
