//! Rows of the security list that need two stacks, many tries, or statistics; docs/attacks.md lists them all.

mod rig;

use std::collections::BTreeSet;

use rig::*;
use synfin_link::RxFrame;
use synfin_net::{ConnectOpts, SynOverflow};
use synfin_tcp::{CloseReason, ReadError, State};
use synfin_wire::{Addr, DropReason, Endpoint};

fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 32) as u32
}

/// A stranger's end, different for every `n`.
fn stranger(n: u32) -> Endpoint {
    let [_, b, c, d] = n.to_be_bytes();
    Endpoint::new(Addr::v4([20, b, c, d]), 1024 + (n % 60_000) as u16)
}

// --- C ---------------------------------------------------------------------------------------------------------------

#[test]
fn c01_a_million_syns_cost_no_memory() {
    for (overflow, answered) in [(SynOverflow::Cookie, true), (SynOverflow::Drop, false)] {
        let mut r = Rig::new();
        r.stack.set_probe(None);
        let opts = synfin_net::ListenOpts { syn_queue: 128, syn_overflow: overflow, ..Default::default() };
        r.listen_with(opts);
        let mut syn = {
            let syn = r.syn(SACK);
            r.packet(&syn)
        };
        let mut answers = 0;
        for n in 0..1_000_000u32 {
            // Another source each time: the checksums follow (RFC 1624).
            let at = stranger(n);
            syn[12..16].copy_from_slice(&at.addr.as_v4().expect("IPv4"));
            syn[20..22].copy_from_slice(&at.port.to_be_bytes());
            let meta =
                synfin_link::RxMeta { checksum: synfin_link::ChecksumFact::Trusted, ..Default::default() };
            syn[10..12].fill(0);
            let sum = packet::internet_checksum(&syn[..20]);
            syn[10..12].copy_from_slice(&sum.to_be_bytes());
            r.stack.on_packet(r.now, RxFrame { bytes: &syn, meta });
            if n % 256 == 255 {
                answers += r.pump().len();
            }
        }
        let census = r.stack.census();
        assert_eq!((census.half_open, census.connections, census.buffers), (128, 0, 0));
        assert_eq!(answers > 900_000, answered, "{answers}");
    }
}

#[test]
fn c11_text_on_a_syn_reaches_nobody_whatever_its_cookie() {
    // TCP Fast Open is not part of this version: option 34, with and without a cookie, is one that nobody knows.
    for option in [&[34, 2, 1, 1][..], &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1], &[254, 4, 0xf9, 0x89]] {
        let mut r = Rig::new();
        let l = r.listen();
        let sa = r.send(Seg::new().flags("S").seq(-1).no_ack().options(option).text(b"GET /"));
        // Not acknowledged, hence not taken.
        expect(&sa, &["SYN,ACK seq=-1 ack=0"]);
        assert_eq!((r.stack.accept_queue(l), r.stack.census().buffers), (0, 0));
    }
}

#[test]
fn c15_no_sources_can_be_chosen_that_collide() {
    use synfin_net::key::Key;
    // Addresses and ports whose sum is one and the same, as an unkeyed table would add them up.
    let octets = |n: u32| {
        let low = (n % 60_000) as u16;
        let [c, d] = (60_000 - low).to_be_bytes();
        let [_, _, _, b] = (n / 60_000).to_be_bytes();
        let [p, q] = (1024 + low).to_be_bytes();
        [10, 9, 0, 2, 20, b, c, d, 0, 80, p, q]
    };
    let buckets = |key: u8| {
        let key = Key::new([key; 16]);
        let places: Vec<u64> = (0..100_000).map(|n| key.sip13(&octets(n)) & 0x1_ffff).collect();
        places
    };
    let (one, other) = (buckets(1), buckets(2));
    // 100,000 thrown into 131,072: 1 - e^-0.763 of them are hit, 69,978 on average, standard deviation below 200.
    let hit = one.iter().collect::<BTreeSet<_>>().len();
    assert!((69_000..71_000).contains(&hit), "{hit}");
    // With another key elsewhere: what one stack teaches is worth nothing at the next.
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same < 20, "{same}");
    // The same addresses at a stack: each has its record.
    let mut r = Rig::new();
    r.listen_with(synfin_net::ListenOpts { syn_queue: 5000, ..Default::default() });
    for n in 0..5000 {
        let o = octets(n);
        let remote = Endpoint::new(Addr::v4([o[4], o[5], o[6], o[7]]), u16::from_be_bytes([o[10], o[11]]));
        r.speak_for(synfin_wire::Tuple { local: Endpoint::new(v4(2), PORT), remote });
        let syn = r.syn(PLAIN);
        r.send(syn);
    }
    assert_eq!(r.stack.census().half_open, 5000);
}

// --- B ---------------------------------------------------------------------------------------------------------------

/// Probes of each kind: all that the row asks for in a build without checks, fewer with them.
const PROBES: u32 = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 24 };

/// Sends `PROBES` copies of a segment at numbers all over the space, one a microsecond, none at RCV.NXT itself. Returns the
/// victim and the answers.
fn blind(seg: Seg) -> (Rig, usize) {
    let mut r = Rig::established(WIDE);
    r.write(b"in flight");
    r.stack.set_probe(None);
    let mut p = r.packet(&seg);
    let rcv_nxt = r.side().peer_iss.wrapping_add(1);
    let mut answers = 0;
    for n in 0..PROBES {
        let seq = n.wrapping_mul(0x9e37_79b1);
        if seq == rcv_nxt {
            continue;
        }
        p[24..28].copy_from_slice(&seq.to_be_bytes());
        p[28..32].copy_from_slice(&n.wrapping_mul(0x85eb_ca6b).to_be_bytes());
        let meta = synfin_link::RxMeta { checksum: synfin_link::ChecksumFact::Trusted, ..Default::default() };
        r.stack.on_packet(r.now, RxFrame { bytes: &p, meta });
        if n % 64 == 63 {
            r.now += std::time::Duration::from_micros(64);
            answers += r.pump().len();
        }
    }
    (r, answers)
}

/// One challenge in 500 ms, and one for who is first.
fn limited() -> usize {
    2 * (PROBES as usize / 1_000_000 + 1) + 1
}

#[test]
fn b01_blind_resets_at_random_numbers() {
    let (mut r, answers) = blind(Seg::new().flags("R").no_ack());
    assert!(answers <= limited(), "{answers}");
    assert_eq!((r.state(), r.read(9)), (State::Established, Err(ReadError::WouldBlock)));
}

#[test]
fn b02_blind_syns_at_random_numbers() {
    let (mut r, answers) = blind(Seg::new().flags("S").no_ack());
    assert!(answers <= limited(), "{answers}");
    assert_eq!((r.state(), r.read(9)), (State::Established, Err(ReadError::WouldBlock)));
}

#[test]
fn b03_blind_text_at_random_numbers() {
    let (mut r, answers) = blind(Seg::new().text(b"forged"));
    // What lies outside of the window may be an honest repetition, and is answered: one packet for one, and a smaller one.
    assert!(answers <= PROBES as usize, "{answers}");
    assert_eq!((r.state(), r.read(9)), (State::Established, Err(ReadError::WouldBlock)));
    assert_eq!(r.info().flight, 9);
    assert_eq!(r.handle().get().held_octets(), 0);
}

#[test]
fn b04_initial_numbers_tell_nothing_of_each_other() {
    let mut r = Rig::new();
    r.listen_with(synfin_net::ListenOpts { syn_queue: 0, ..Default::default() });
    r.stack.set_probe(None);
    let isn = synfin_net::isn::Isn::new(&synfin_net::key::Key::new([9; 16]));
    let tuple = |n: u32| synfin_wire::Tuple { local: Endpoint::new(v4(2), PORT), remote: stranger(n) };
    let all: Vec<u32> = (0..100_000).map(|n| isn.isn(r.now, &tuple(n)).raw()).collect();
    // Each bit is set in half of them (standard deviation 158), whatever its neighbours are.
    for bit in 0..32 {
        let ones = all.iter().filter(|i| **i >> bit & 1 == 1).count();
        assert!((49_000..51_000).contains(&ones), "bit {bit}: {ones}");
        let pairs = all.iter().filter(|i| (**i >> bit ^ **i >> ((bit + 1) % 32)) & 1 == 1).count();
        assert!((49_000..51_000).contains(&pairs), "bits {bit} and next: {pairs}");
    }
    // Nor do those of neighbouring tuples: their differences are as even.
    for bit in 0..32 {
        let ones = all.windows(2).filter(|w| w[1].wrapping_sub(w[0]) >> bit & 1 == 1).count();
        assert!((49_000..51_000).contains(&ones), "difference, bit {bit}: {ones}");
    }
    // Repeats: 100,000 of 2^32 share a value 1.2 times on average.
    assert!(all.iter().collect::<BTreeSet<_>>().len() > 99_980);
    // One tuple's numbers rise by the clock of 4 microseconds; another key gives others.
    let later = isn.isn(r.now + s(1), &tuple(0)).raw();
    assert_eq!(later.wrapping_sub(all[0]), 250_000);
    let restarted = synfin_net::isn::Isn::new(&synfin_net::key::Key::new([10; 16]));
    assert_ne!(restarted.isn(r.now, &tuple(0)).raw(), all[0]);
}

/// Two rigs with an open connection between them.
fn two() -> (Rig, Rig) {
    let (mut a, mut b) = (
        Rig::host(1, synfin_link::Caps::plain(1500), |_| {}),
        Rig::host(2, synfin_link::Caps::plain(1500), |_| {}),
    );
    let l = b.listen();
    let id = a.stack.connect(a.now, Endpoint::new(v4(2), PORT), ConnectOpts::default()).expect("a port");
    let tuple = *a.stack.conn(a.now, id).expect("here").get().tuple();
    a.speak_for(tuple).id = Some(id);
    b.speak_for(tuple.flipped());
    shuttle(&mut a, &mut b);
    let (id, _) = b.stack.accept(b.now, l).expect("a connection");
    b.side().id = Some(id);
    (a, b)
}

/// Time passes for both, in steps of a millisecond; what each sends reaches the other. Returns how many packets.
fn pass(a: &mut Rig, b: &mut Rig, millis: u64) -> usize {
    let mut carried = 0;
    for _ in 0..millis {
        carried += shuttle(a, b).len();
        a.advance(ms(1));
        b.advance(ms(1));
    }
    carried
}

#[test]
fn b06_a_bad_ack_to_each_side_starts_no_storm() {
    let (mut a, mut b) = two();
    for r in [&mut a, &mut b] {
        let bad = Seg::new().ack(1_000_000).packet(r.side());
        r.stack.on_packet(r.now, RxFrame::plain(&bad));
    }
    // Each challenge carries good numbers: the other side takes it, and that is the end of it.
    let carried = pass(&mut a, &mut b, 3000);
    assert!(carried <= 2, "{carried}");
    assert_eq!((a.state(), b.state()), (State::Established, State::Established));
}

#[test]
fn b11_what_was_recorded_before_the_numbers_wrapped_is_rejected() {
    let mut r = Rig::established(Offer { wscale: Some(14), sack: true, ..TS });
    let old = r.hold(Seg::new().text(&text(1000)));
    r.inject(&old);
    // 2^32 octets later the same numbers are in the window again: only the timestamp tells.
    let mut sent = 1000u64;
    r.stack.set_probe(None);
    let mut seg = r.packet(&Seg::new().text(&vec![7; 60_000]));
    let mut into = vec![0; 1 << 17];
    r.read(1000).expect("the recorded text");
    while sent < (1 << 32) - 30_000 {
        let start = (r.side().peer_iss.wrapping_add(1)).wrapping_add(sent as u32);
        seg[24..28].copy_from_slice(&start.to_be_bytes());
        if sent % (1 << 20) < 60_000 {
            r.advance(ms(1));
        }
        let clock = r.side().peer_clock.to_be_bytes();
        seg[20 + 20 + 4..20 + 20 + 8].copy_from_slice(&clock);
        let meta = synfin_link::RxMeta { checksum: synfin_link::ChecksumFact::Trusted, ..Default::default() };
        r.stack.on_packet(r.now, RxFrame { bytes: &seg, meta });
        let id = r.id();
        let got = r.stack.conn(r.now, id).expect("here").read(&mut into).unwrap_or(0);
        assert_eq!(got, 60_000, "after {sent}");
        sent += 60_000;
        r.pump();
    }
    let before = r.info().rcv_nxt;
    let drops = r.drops(DropReason::Paws);
    let outs = r.inject(&old);
    assert_eq!(r.drops(DropReason::Paws), drops + 1, "{}", lines(&outs));
    assert_eq!(r.info().rcv_nxt, before);
    assert_eq!(r.handle().get().held_octets(), 0);
}

// --- R ---------------------------------------------------------------------------------------------------------------

#[test]
fn r08_a_peer_that_reneges_gets_everything_again() {
    let mut r = Rig::established(SACK);
    let sent = text(8 * 1460);
    r.write(&sent);
    // All but the first is SACKed, then forgotten: nothing of it may be gone before it is acknowledged.
    let sack = Seg::new().ack(0).sack(r.side(), &[(1460, 8 * 1460)]);
    r.send(sack.clone());
    r.send(sack);
    assert_eq!(r.info().send_queue, 8 * 1460);
    let mut got = vec![None; sent.len()];
    // What the last acknowledgement of a round lets out gets lost here, so the timeout doubles each time.
    for _ in 0..400 {
        let outs = r.advance(s(1));
        for o in outs.iter().filter(|o| !o.text.is_empty()) {
            let at = o.seq as usize;
            for (place, octet) in got[at..at + o.text.len()].iter_mut().zip(&o.text) {
                *place = Some(*octet);
            }
        }
        let have = got.iter().take_while(|o| o.is_some()).count() as i32;
        r.send(Seg::new().ack(have));
        for o in r.pump() {
            let at = o.seq as usize;
            for (place, octet) in got[at..at + o.text.len()].iter_mut().zip(&o.text) {
                *place = Some(*octet);
            }
        }
        let have = got.iter().take_while(|o| o.is_some()).count() as i32;
        r.send(Seg::new().ack(have));
    }
    let got: Vec<u8> = got.into_iter().map(|o| o.expect("sent again")).collect();
    assert!(got == sent);
    assert_eq!((r.info().flight, r.info().send_queue), (0, 0));
}

#[test]
fn r14_ecn_bits_at_random_change_nothing() {
    // ECN is not agreed to in this version: whatever the bits say, the congestion window is that of a peer without them.
    let run = |letters: &[&str]| {
        let mut r = Rig::established(SACK);
        let mut seed = 3;
        let mut trace = Vec::new();
        for _ in 0..200 {
            r.write(&text(1460));
            let flags = letters[random(&mut seed) as usize % letters.len()];
            let outs = r.send(Seg::new().flags(flags));
            trace.push((outs.len(), r.info().cwnd, r.info().flight));
        }
        assert!(r.info().cwnd >= 1460);
        trace
    };
    assert_eq!(run(&["E", "C", "EC", ""]), run(&[""]));
}

// --- D ---------------------------------------------------------------------------------------------------------------

#[test]
fn d05_every_area_of_two_octets_and_bombs_of_forty() {
    let mut r = Rig::established(PLAIN);
    r.stack.set_probe(None);
    let mut p = r.packet(&Seg::new().options(&[1; 40]));
    let mut send = |r: &mut Rig, area: &[u8]| {
        p[40..80].fill(1);
        p[40..40 + area.len()].copy_from_slice(area);
        let mut tcp = p[20..].to_vec();
        packet::fill_checksum(v4(1), v4(2), 6, &mut tcp, 16);
        p[20..].copy_from_slice(&tcp);
        r.stack.on_packet(r.now, RxFrame::plain(&p));
    };
    for both in 0..=u16::MAX {
        send(&mut r, &both.to_be_bytes());
    }
    // At the very end of the area, too.
    for kind in 0..=255u8 {
        for len in 0..=45u8 {
            let mut area = [1; 40];
            area[38..].copy_from_slice(&[kind, len]);
            send(&mut r, &area);
            area = [kind; 40];
            area[1] = len;
            send(&mut r, &area);
        }
    }
    none(&r.pump());
    assert_eq!(r.state(), State::Established);
    r.side().nxt = 0;
    r.send(Seg::new().text(b"alive"));
    assert_eq!(r.read(9).as_deref(), Ok(&b"alive"[..]));
}

#[test]
fn d11_a_zero_window_takes_rst_and_acks_but_no_text() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 1000);
    r.accept_peer(PLAIN);
    r.send(Seg::new().text(&text(1000)));
    assert_eq!(r.info().rcv_wnd, 0);
    for n in 1..200 {
        r.send(Seg::new().seq(1000).text(b"no room").urg(n));
        r.side().nxt = 1000;
    }
    assert_eq!(r.info().recv_queue, 1000);
    assert_eq!(r.handle().get().held_octets(), 0);
    r.write(b"ours");
    assert_eq!(r.info().flight, 4);
    r.send(Seg::new().seq(1000).ack(4));
    assert_eq!(r.info().flight, 0);
    none(&r.send(Seg::new().seq(1001).flags("R").no_ack()));
    assert_eq!(r.state(), State::Established);
    none(&r.send(Seg::new().seq(1000).flags("R").no_ack()));
    assert_eq!(r.closed(), Some(CloseReason::Reset));
}

#[test]
fn d12_rst_with_anything_else_is_a_rst_at_its_number_alone() {
    for letters in ["R", "RS", "RF", "RSF", "RP", "RU"] {
        for (seq, ends) in [(0, true), (1, false), (-1, false), (100, false), (70_000, false)] {
            let mut r = Rig::established(PLAIN);
            r.send(Seg::new().flags(letters).seq(seq).text(b"reason of the reset"));
            assert_eq!(r.state() == State::Closed, ends, "{letters} at {seq}");
            assert!(r.read(99).is_err(), "its text is no text");
        }
    }
}

// --- I and F ---------------------------------------------------------------------------------------------------------

#[test]
fn i04_next_hop_sizes_of_every_kind_do_no_harm() {
    for mtu in [0, 1, 20, 40, 67, 68, 551, 552, 576, 1279, 1280, 1499, 1500, 9000, 65_535] {
        let mut r = Rig::established(WIDE);
        r.write(&text(10 * 1460));
        r.icmp(3, 4, mtu, 0);
        r.advance(s(3));
        let mss = r.info().mss;
        assert!((512..=1460).contains(&mss), "MTU {mtu}: MSS {mss}");
    }
}

#[test]
fn i09_the_limit_on_resets_cannot_be_counted() {
    // Somebody counts the RSTs that he gets in a second, in which the stack may have sent one to somebody else.
    let count = |key: u8, spoofed: bool| {
        let cfg = synfin_net::StackConfig {
            addrs: vec![synfin_net::Cidr { addr: v4(2), prefix: 24 }],
            ..synfin_net::StackConfig::default()
        };
        let secrets = synfin_net::Secrets(core::array::from_fn(|i| key.wrapping_mul(31) ^ i as u8));
        let mut r = Rig::new();
        r.stack = synfin_net::Stack::new(cfg, synfin_link::Caps::plain(1500), secrets);
        if spoofed {
            r.speak_for(synfin_wire::Tuple {
                local: Endpoint::new(v4(2), 81),
                remote: Endpoint::new(v4(7), 9),
            });
            assert!(one(&r.send(Seg::new())).has('R'));
        }
        let mut heard = 0;
        for port in 2000..2300 {
            r.peer(port);
            heard += r.send(Seg::new()).len();
        }
        heard
    };
    let (quiet, busy): (Vec<usize>, Vec<usize>) =
        (0..200).map(|key| (count(key, false), count(key.wrapping_add(101), true))).unzip();
    // The best threshold that there is for telling one from the other is right hardly more often than a coin.
    let best = (0..=101)
        .map(|t| quiet.iter().filter(|n| **n >= t).count() + busy.iter().filter(|n| **n < t).count())
        .max()
        .expect("a threshold");
    assert!(best < 260, "{best} of 400");
    assert!(quiet.iter().chain(&busy).all(|n| (30..=100).contains(n)));
}

#[test]
fn f05_our_packets_are_never_fragments() {
    let mut r = Rig::established(Offer { wscale: Some(7), ..SACK });
    let mut outs = r.write(&text(100_000));
    outs.extend(r.advance(s(5)));
    // "Don't fragment", no offset, no identification (RFC 6864): nothing that could be put together wrongly.
    assert!(outs.len() > 5 && outs.iter().all(|o| o.bytes[4..8] == [0, 0, 0x40, 0]));
}

#[test]
fn f08_martians_are_met_with_silence() {
    let bad = [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
        [10, 9, 0, 255],
        [10, 9, 0, 2],
    ];
    let mut r = Rig::new();
    r.listen();
    for src in bad {
        for letters in ["S", "", "R", "F"] {
            let mut side = r.side().clone();
            side.tuple.remote.addr = Addr::v4(src);
            none(&r.inject(&Seg::new().flags(letters).no_ack().packet(&side)));
        }
    }
    let mut r = Rig::v6();
    r.listen();
    for src in [Addr::V6_UNSPECIFIED, Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), v6(2)] {
        let mut side = r.side().clone();
        side.tuple.remote.addr = src;
        none(&r.inject(&Seg::new().flags("S").no_ack().packet(&side)));
    }
    assert_eq!(r.stack.census().half_open, 0);
}

#[test]
fn f10_tunnels_and_lengths_that_lie_are_not_opened() {
    let mut r = Rig::established(PLAIN);
    let inner = r.packet(&Seg::new().text(b"from within"));
    // IP in IP, IPv6 in IPv4, GRE.
    for protocol in [4, 41, 47] {
        let outs = r.inject(&packet::ip(v4(1), v4(2), protocol, &inner));
        assert!(outs.iter().all(|o| o.icmp.is_some()), "{}", lines(&outs));
    }
    // A total length beyond the packet, and below its header.
    for total in [0u16, 19, inner.len() as u16 + 1, u16::MAX] {
        let mut p = inner.clone();
        p[2..4].copy_from_slice(&total.to_be_bytes());
        p[10..12].fill(0);
        let sum = packet::internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        none(&r.inject(&p));
    }
    assert_eq!(r.read(99), Err(ReadError::WouldBlock));
}

#[test]
fn f11_unicast_inside_a_link_broadcast_is_met_with_silence() {
    let mut r = Rig::new();
    r.listen();
    let meta = synfin_link::RxMeta { link_broadcast: true, ..Default::default() };
    let syn = r.syn(PLAIN);
    let syn = r.packet(&syn);
    none(&r.inject_as(&syn, meta));
    let stray = Seg::new().packet(r.side());
    none(&r.inject_as(&stray, meta));
    assert_eq!(r.stack.census().half_open, 0);
}
