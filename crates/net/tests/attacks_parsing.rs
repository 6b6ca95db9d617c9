//! Attacks by malformed packets, odd text, ICMP and fragments: rows D, I and F of the security list. Rows that a
//! requirement's test covers already are named in docs/attacks.md.

mod rig;

use rig::*;
use synfin_link::RxFrame;
use synfin_tcp::{ReadError, State};
use synfin_wire::DropReason;

fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 32) as u32
}

// --- D: parsing, text, urgent pointer ----------------------------------------------------------------------------

#[test]
fn d01_tiny_segments_out_of_order_are_bounded() {
    let mut r = Rig::with(|c| c.tcp.recv_buffer = 1 << 20);
    r.accept_peer(Offer { wscale: Some(7), ..SACK });
    // A gap before each octet. The window is what the SYN said until the first ACK.
    for n in 0..30_000 {
        r.send(Seg::new().seq(1 + 2 * n).text(b"x"));
    }
    assert!(r.handle().get().held_octets() <= 4096);
    assert!(r.drops(DropReason::ReassemblyLimit) > 0);
    assert!(r.stack.census().buffers <= 128 * 1024, "{:?}", r.stack.census());
    // Text in order is still taken.
    r.side().nxt = 0;
    for n in 0..10 {
        r.send(Seg::new().seq(n * 1000).text(&text(1000)));
    }
    let got = r.read(20_000).expect("text");
    assert!(got.len() >= 10_000, "{}", got.len());
}

#[test]
fn d02_tiny_segments_in_order_take_what_they_hold() {
    let mut r = Rig::established(PLAIN);
    let mut sent = 0;
    while sent < 50_000 {
        r.send(Seg::new().text(b"x"));
        sent += 1;
    }
    assert_eq!(r.info().recv_queue, 50_000);
    assert!(r.stack.census().buffers <= 50_000 + 2 * synfin_tcp::bytes::CHUNK);
}

#[test]
fn d03_the_first_octet_received_wins() {
    // Overlapping segments whose contents differ, in every relation: the model keeps what came first.
    for seed in 1..200 {
        let mut seed = seed;
        let mut r = Rig::established(SACK);
        let mut model: Vec<Option<u8>> = vec![None; 300];
        for content in 0..40u8 {
            let from = random(&mut seed) as usize % 250;
            let len = 1 + random(&mut seed) as usize % 50;
            r.send(Seg::new().seq(from as i32).text(&vec![content; len]));
            for place in &mut model[from..from + len] {
                place.get_or_insert(content);
            }
        }
        let want: Vec<u8> = model.iter().map_while(|m| *m).collect();
        let got = match r.read(1000) {
            Ok(got) => got,
            Err(ReadError::WouldBlock) => vec![],
            Err(e) => panic!("{e:?}"),
        };
        assert_eq!(got, want, "seed {seed}");
    }
    // What was delivered does not change either.
    let mut r = Rig::established(PLAIN);
    r.send(Seg::new().text(b"right"));
    r.send(Seg::new().seq(0).text(b"WRONG and more"));
    assert_eq!(r.read(99).as_deref(), Ok(&b"right and more"[..]));
}

#[test]
fn d04_urgent_pointers_of_every_kind() {
    let states = [
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];
    for state in states {
        for up in [0, 1, 9, 10, 11, 1000, 32_767, 32_768, 65_535] {
            for (letters, body) in [("", 10), ("F", 0), ("F", 10), ("S", 0), ("", 0)] {
                for seq in [-20, -5, 0, 5, 60_000] {
                    let mut r = Rig::in_state(state);
                    let seg = Seg::new().seq(seq).flags(letters).urg(up).text(&text(body));
                    r.send(seg);
                    if r.stack.conn(r.now, r.sides[&r.at].id.expect("connection")).is_none() {
                        continue;
                    }
                    let left = r.handle().get().urgent().unwrap_or(0);
                    assert!(left <= 60_000 + 65_535, "{state} up {up} seq {seq}: {left}");
                    r.read(3).ok();
                    r.read(100).ok();
                    let left = r.handle().get().urgent().unwrap_or(0);
                    assert!(left <= 60_000 + 65_535, "{state} up {up} seq {seq}: {left}");
                }
            }
        }
    }
    // Pointers that change while the application reads.
    let mut r = Rig::established(PLAIN);
    let mut seed = 3;
    let mut at = 0;
    for _ in 0..5000 {
        let n = random(&mut seed) as usize % 20;
        r.send(Seg::new().seq(at).text(&text(n)).urg(random(&mut seed) as u16));
        at += n as i32;
        r.read(random(&mut seed) as usize % 25 + 1).ok();
        assert!(r.handle().get().urgent().is_none_or(|u| (1..=2 * 65_535).contains(&u)));
    }
}

#[test]
fn d06_lengths_that_contradict_each_other() {
    let mut r = Rig::established(PLAIN);
    let good = r.packet(&Seg::new().text(&text(30)));
    for total in (0..=good.len() as u16 + 40).chain([65_535]) {
        for words in 0..16u8 {
            for cut in [0, 1, 19, 20, 21, 39, 40, 41, 59, good.len()] {
                let mut p = good.clone();
                p[2..4].copy_from_slice(&total.to_be_bytes());
                p[10..12].fill(0);
                let sum = packet::internet_checksum(&p[..20]);
                p[10..12].copy_from_slice(&sum.to_be_bytes());
                p[32] = words << 4;
                p.truncate(cut);
                r.inject(&p);
            }
        }
    }
    for v6_len in [0u16, 1, 19, 20, 49, 51, 65_535] {
        let mut r = Rig::v6();
        r.accept_peer(PLAIN);
        let mut p = r.packet(&Seg::new().text(&text(30)));
        p[4..6].copy_from_slice(&v6_len.to_be_bytes());
        r.inject(&p);
        assert_eq!(r.read(99), Err(ReadError::WouldBlock), "payload length {v6_len}");
    }
    // What is longer than its IP packet says is padding, as on Ethernet.
    let mut padded = good.clone();
    padded.extend([0; 6]);
    let mut r = Rig::established(PLAIN);
    let mut p = r.packet(&Seg::new().text(&text(30)));
    p.extend([0xaa; 6]);
    r.inject(&p);
    assert_eq!(r.read(99), Ok(text(30)));
}

#[test]
fn d07_checksums_of_all_zeros_and_ones() {
    // Text chosen so that the sum comes out as 0x0000: the field is then 0xffff or 0x0000, both of which are zero in
    // one's complement arithmetic.
    let mut r = Rig::established(PLAIN);
    let probe = Seg::new().text(&[0, 0]).octets(r.side());
    let sum = u16::from_be_bytes([probe[16], probe[17]]);
    let exact = Seg::new().text(&sum.to_be_bytes());
    let mut octets = exact.octets(r.side());
    assert_eq!([octets[16], octets[17]], [0, 0]);
    r.inject(&packet::ip(v4(1), v4(2), 6, &octets));
    assert_eq!(r.read(9), Ok(sum.to_be_bytes().to_vec()));
    // As negative zero.
    let mut r = Rig::established(PLAIN);
    octets[8..12].copy_from_slice(&r.side().iss.wrapping_add(1).to_be_bytes());
    packet::fill_checksum(v4(1), v4(2), 6, &mut octets, 16);
    assert_eq!([octets[16], octets[17]], [0, 0]);
    octets[16..18].fill(0xff);
    r.inject(&packet::ip(v4(1), v4(2), 6, &octets));
    assert_eq!(r.read(9), Ok(sum.to_be_bytes().to_vec()));
}

#[test]
fn d08_reserved_bits_and_unknown_flags_mean_nothing() {
    // All flag octets with all values of the reserved bits: the same outcome as without them.
    let outcome = |flags: u8, reserved: u8| {
        let mut r = Rig::established(PLAIN);
        let mut t = Seg::new().text(b"text").octets(r.side());
        t[12] |= reserved;
        t[13] = flags;
        packet::fill_checksum(v4(1), v4(2), 6, &mut t, 16);
        let mut outs = r.inject(&packet::ip(v4(1), v4(2), 6, &t));
        outs.extend(r.advance(ms(499)));
        let briefs: Vec<String> = outs.iter().map(Out::brief).collect();
        (briefs, r.state(), r.read(9))
    };
    for flags in 0..=255u8 {
        let plain = outcome(flags, 0);
        for reserved in 1..16 {
            assert_eq!(outcome(flags, reserved), plain, "flags {flags:#x}, reserved {reserved:#x}");
        }
        // ECE and CWR without ECN: nothing either.
        assert_eq!(outcome(flags & 0x3f, 0), plain, "flags {flags:#x}");
    }
}

#[test]
fn d09_one_fin_and_no_more() {
    // FINs anywhere, in any order: RCV.NXT moves over exactly one, the first that was held.
    for seed in 1..100 {
        let mut seed = seed;
        let mut r = Rig::established(SACK);
        let mut highest = 0;
        for _ in 0..60 {
            let seq = random(&mut seed) as i32 % 400;
            let n = random(&mut seed) as usize % 30;
            let letters = if random(&mut seed).is_multiple_of(3) { "F" } else { "" };
            let outs = r.send(Seg::new().seq(seq).text(&text(n)).flags(letters));
            for o in outs {
                let ack = o.ack.expect("ACK");
                assert!(ack >= highest, "seed {seed}");
                highest = ack;
            }
            if r.state() == State::CloseWait {
                break;
            }
        }
        if r.state() == State::CloseWait {
            let read = r.read(9000).expect("text").len() as i32;
            let nxt = r.info().rcv_nxt.raw().wrapping_sub(5001) as i32;
            assert_eq!(nxt, read + 1, "seed {seed}");
            r.send(Seg::new().seq(nxt).text(b"beyond").flags("F"));
            r.send(Seg::new().seq(nxt + 5).flags("F"));
            assert_eq!(r.info().rcv_nxt.raw().wrapping_sub(5001) as i32, nxt);
            assert_eq!((r.state(), r.read(9)), (State::CloseWait, Ok(vec![])));
        }
    }
}

#[test]
fn d10_numbers_wrap() {
    // The peer's numbers pass 2^32 in the middle of everything: SYN, text out of order, urgent pointer, FIN.
    for back in [0u32, 1, 2, 100, 150, 250, 1000] {
        let mut r = Rig::new();
        r.side().peer_iss = 0u32.wrapping_sub(back);
        r.accept_peer(SACK);
        let outs = r.send(Seg::new().seq(100).text(&text(200)[100..]));
        assert_eq!(one(&outs).sacked(r.side()), [(100, 200)]);
        r.send(Seg::new().seq(0).text(&text(100)).urg(150));
        assert_eq!(r.handle().get().urgent(), Some(150));
        assert_eq!(r.read(999), Ok(text(200)));
        r.send(Seg::new().seq(200).text(&text(999)).flags("F"));
        assert_eq!(r.read(9999), Ok(text(999)));
        assert_eq!(r.read(9), Ok(vec![]));
    }
}

#[test]
fn d13_the_window_does_not_grow_by_itself() {
    let mut r = Rig::established(PLAIN);
    let edge = 65_535;
    let mut sent = 0;
    while sent < edge {
        let n = 1460.min(edge - sent);
        for o in r.send(Seg::new().text(&text(n as usize))) {
            assert!(o.ack.expect("ACK") + i32::from(o.wnd) <= 256 * 1024);
        }
        sent += n;
    }
    // The application reads nothing: never more than the buffer is offered.
    r.advance(s(1));
    let info = r.info();
    assert!(info.recv_queue + info.rcv_wnd <= 256 * 1024, "{info:?}");
}

#[test]
fn d14_probes_and_keepalives_carry_nothing_foreign() {
    let mut r = Rig::established(PLAIN);
    none(&r.send(Seg::new().wnd(0)));
    none(&r.write(b"Q"));
    for o in r.advance(s(60)) {
        assert_eq!(o.text, b"Q");
    }
    // Padding of options and RSTs without text: checked by the rig on every segment.
}

#[test]
fn d15_forged_echoes_leave_the_timeout_in_bounds() {
    let mut r = Rig::established(TS);
    let mut seed = 11;
    for n in 0..200 {
        r.nodelay();
        r.write(b"x");
        r.advance(ms(10));
        let echo = match n % 6 {
            0 => 0,
            1 => u32::MAX,
            2 => r.side().echo.wrapping_add(1 << 31),
            3 => r.side().echo.wrapping_sub(1 << 30),
            4 => r.side().echo.wrapping_add(100_000),
            _ => random(&mut seed),
        };
        let clock = r.side().peer_clock;
        r.send(Seg::new().ts(clock, echo));
        let rto = r.info().rto;
        assert!((s(1)..=s(60)).contains(&rto), "{rto:?}");
    }
}

// --- I: ICMP -----------------------------------------------------------------------------------------------------

#[test]
fn i01_blind_hard_errors_do_nothing() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    for seq in [-1, 5, 1 << 20, i32::MIN] {
        for code in 0..16 {
            none(&r.icmp(3, code, 100, seq));
        }
    }
    let info = r.info();
    assert_eq!((info.state, info.soft_error, info.mss), (State::Established, None, 1460));
    // While opening too.
    let mut r = Rig::new();
    r.connect();
    none(&r.icmp(3, 3, 0, 0));
    none(&r.icmp(3, 3, 0, -2));
    assert_eq!(r.state(), State::SynSent);
}

#[test]
fn i03_packet_too_big_needs_a_reason() {
    // Nothing in flight: ignored.
    let mut r = Rig::established(WIDE);
    r.icmp(3, 4, 600, 0);
    r.icmp(3, 4, 600, -1);
    assert_eq!(r.info().mss, 1460);
    // Segments as large were acknowledged: the claim waits, and progress refutes it (RFC 5927 7.2).
    r.write(&text(5 * 1460));
    r.send(Seg::new());
    r.write(&text(5 * 1460));
    let flight = 5 * 1460;
    none(&r.icmp(3, 4, 600, flight));
    assert_eq!(r.info().mss, 1460);
    r.send(Seg::new());
    r.write(&text(1460));
    r.advance(s(1));
    assert_eq!(r.info().mss, 1460, "refuted before the timeout");
    // A real black hole: the timeout confirms it.
    let mut r = Rig::established(WIDE);
    r.write(&text(5 * 1460));
    r.send(Seg::new());
    r.write(&text(5 * 1460));
    r.icmp(3, 4, 600, flight);
    let outs = r.advance(s(1));
    assert_eq!(r.info().mss, 560);
    assert!(outs[0].text.len() <= 560, "{}", lines(&outs));
}

#[test]
fn i05_no_fragment_headers_in_ipv6() {
    let mut r = Rig::v6();
    r.accept_peer(WIDE);
    r.write(&text(14_400));
    let mut outs = r.icmp(2, 0, 600, 0);
    outs.extend(r.advance(s(2)));
    // The rig reads TCP behind the fixed header, or it would complain.
    assert!(outs.iter().all(|o| o.icmp.is_none() && o.bytes[6] == 6), "{}", lines(&outs));
    assert!(r.info().mss >= 1220);
}

#[test]
fn i06_garbled_quotes() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    let good = packet::icmp_error(r.side(), 3, 1, 0, 0);
    let mut seed = 17;
    for n in 0..20_000usize {
        let mut m = good[20..].to_vec();
        for _ in 0..1 + n % 3 {
            let at = random(&mut seed) as usize % m.len();
            m[at] = random(&mut seed) as u8;
        }
        m.truncate(m.len() - random(&mut seed) as usize % 30 * (n % 2));
        if m.len() >= 4 {
            packet::fill_checksum(v4(1), v4(2), 1, &mut m, 2);
        }
        // An echo request may come out of it, and is answered; or a smaller MTU, and what is in flight goes again.
        let outs = r.inject(&packet::ip(v4(1), v4(2), 1, &m));
        assert!(outs.iter().all(|o| o.brief() == "ICMP 0/0" || o.text == b"hello"), "{}", lines(&outs));
    }
    assert_eq!(r.state(), State::Established);
    // Another protocol, another host's packet, an error about an error.
    let (us, peer) = (v4(2), v4(1));
    let side = r.side().clone();
    let tcp = Seg::new().octets(&side)[..8].to_vec();
    let quote =
        |src, dst, protocol| packet::icmp_quoting(us, peer, 3, 1, 0, &packet::ip(src, dst, protocol, &tcp));
    let before = r.info();
    for packet in [quote(us, peer, 17), quote(v4(7), peer, 6), quote(us, v4(7), 6), quote(us, peer, 1)] {
        none(&r.inject(&packet));
    }
    assert_eq!(r.info().soft_error, before.soft_error);
}

#[test]
fn i07_icmp_errors_are_not_answered_and_limited() {
    let mut r = Rig::new();
    let udp = |src, dst| packet::ip(src, dst, 17, &[0, 7, 0, 7, 0, 8, 0, 0]);
    // An unknown port is told of.
    let outs = r.inject(&udp(v4(1), v4(2)));
    assert_eq!(one(&outs).brief(), "ICMP 3/3");
    // Forbidden: about errors, to many, from nobody in particular, about fragments that are not the first.
    let error = packet::icmp_quoting(v4(2), v4(1), 3, 3, 0, &udp(v4(2), v4(1)));
    none(&r.inject(&error));
    none(&r.inject(&udp(v4(1), synfin_wire::Addr::v4([10, 9, 0, 255]))));
    none(&r.inject(&udp(v4(1), synfin_wire::Addr::v4([224, 0, 0, 1]))));
    none(&r.inject(&udp(synfin_wire::Addr::V4_UNSPECIFIED, v4(2))));
    let mut fragment = udp(v4(1), v4(2));
    fragment[6..8].copy_from_slice(&[0, 3]);
    fragment[10..12].fill(0);
    let sum = packet::internet_checksum(&fragment[..20]);
    fragment[10..12].copy_from_slice(&sum.to_be_bytes());
    none(&r.inject(&fragment));
    // 1000 per second, 50 at once.
    let mut sent = 0;
    for _ in 0..100_000 {
        sent += r.inject(&udp(v4(1), v4(2))).len();
    }
    assert!(sent <= 50, "{sent}");
    r.advance(s(1));
    for _ in 0..100_000 {
        sent += r.inject(&udp(v4(1), v4(2))).len();
    }
    assert!(sent <= 100, "{sent}");
}

#[test]
fn i08_redirects_are_ignored() {
    let mut r = Rig::established(PLAIN);
    r.write(b"hello");
    let before = r.info();
    none(&r.icmp(5, 1, 0x0a09_0063, 0));
    assert_eq!(r.info(), before);
    let outs = r.advance(s(1));
    assert_eq!(one(&outs).tuple.remote.addr, v4(1));
}

// --- F: IP layer and fragments -----------------------------------------------------------------------------------

/// Parts of an IPv4 payload as fragments: `(offset in octets, more, octets)`.
fn fragment(id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut p = packet::ip(v4(1), v4(2), 6, payload);
    p[4..6].copy_from_slice(&id.to_be_bytes());
    let field = (offset / 8) as u16 | u16::from(more) << 13;
    p[6..8].copy_from_slice(&field.to_be_bytes());
    p[10..12].fill(0);
    let sum = packet::internet_checksum(&p[..20]);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p
}

/// An established connection and a segment of 100 octets for it.
fn with_segment() -> (Rig, Vec<u8>) {
    let mut r = Rig::established(PLAIN);
    let segment = Seg::new().text(&text(100)).octets(r.side());
    (r, segment)
}

#[test]
fn f01_overlapping_fragments_deliver_nothing() {
    // Whole, for comparison; in either order.
    for swap in [false, true] {
        let (mut r, seg) = with_segment();
        let mut parts = [fragment(1, 0, true, &seg[..64]), fragment(1, 64, false, &seg[64..])];
        if swap {
            parts.reverse();
        }
        for p in &parts {
            r.inject(p);
        }
        assert_eq!(r.read(999), Ok(text(100)));
    }
    // Every overlap of a second part with the first, before the rest arrives.
    for (from, to) in [(0, 64), (0, 72), (8, 56), (32, 64), (32, 96), (56, 80), (24, 120)] {
        let (mut r, seg) = with_segment();
        let mut evil = seg.clone();
        evil[60..].fill(b'!');
        r.inject(&fragment(1, 0, true, &seg[..64]));
        r.inject(&fragment(1, from, to < 120, &evil[from..to]));
        if to == 64 && from == 0 {
            // An exact duplicate is no overlap (RFC 5722 leaves it to us): the rest may complete it.
            continue;
        }
        r.inject(&fragment(1, 64, false, &seg[64..]));
        if from == 8 {
            // A part that begins within the TCP header is refused by itself (RFC 3128): nothing of it is used.
            assert_eq!(r.read(999), Ok(text(100)));
            continue;
        }
        assert_eq!(r.read(999), Err(ReadError::WouldBlock), "{from}..{to}");
    }
}

#[test]
fn f02_tiny_first_fragments_are_dropped() {
    let (mut r, seg) = with_segment();
    for cut in [8, 16] {
        r.inject(&fragment(cut as u16, 0, true, &seg[..cut]));
        r.inject(&fragment(cut as u16, cut, false, &seg[cut..]));
        assert_eq!(r.read(999), Err(ReadError::WouldBlock), "cut at {cut}");
    }
    assert!(r.drops(DropReason::BadFragment) >= 2);
}

#[test]
fn f03_ping_of_death() {
    let (mut r, _) = with_segment();
    none(&r.inject(&fragment(1, 8191 * 8, false, &[0; 1480])));
    assert!(r.drops(DropReason::BadFragment) > 0);
}

#[test]
fn f04_fragments_have_limits() {
    let (mut r, seg) = with_segment();
    let first = text(1480);
    let mut p = fragment(0, 0, true, &first);
    p[20 + 12] = 0x50;
    for n in 0..100_000u32 {
        // Other datagrams of many sources.
        let [_, b, c, d] = n.to_be_bytes();
        p[12..16].copy_from_slice(&[20, b, c, d]);
        p[10..12].fill(0);
        let sum = packet::internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        r.stack.on_packet(r.now, RxFrame::plain(&p));
    }
    assert!(r.drops(DropReason::FragmentHeld) > 0);
    // Other traffic passes, fragments too once the flood is over.
    r.inject(&packet::ip(v4(1), v4(2), 6, &seg));
    assert_eq!(r.read(999), Ok(text(100)));
    r.advance(s(120));
    let seg = Seg::new().seq(100).text(&text(100)).octets(r.side());
    r.inject(&fragment(9, 0, true, &seg[..64]));
    r.inject(&fragment(9, 64, false, &seg[64..]));
    assert_eq!(r.read(999), Ok(text(100)));
}

#[test]
fn f06_malformed_fragments() {
    // "More" with a length that is no multiple of 8, nothing in it, no end.
    let (mut r, seg) = with_segment();
    r.inject(&fragment(1, 0, true, &seg[..65]));
    r.inject(&fragment(2, 64, true, &[]));
    assert!(r.drops(DropReason::BadFragment) >= 2);
    r.inject(&fragment(3, 0, true, &seg[..64]));
    r.advance(s(120));
    r.inject(&fragment(3, 64, false, &seg[64..]));
    assert_eq!(r.read(999), Err(ReadError::WouldBlock), "too late");
    // An exact duplicate does no harm.
    let seg = Seg::new().text(&text(100)).octets(r.side());
    r.inject(&fragment(4, 0, true, &seg[..64]));
    r.inject(&fragment(4, 0, true, &seg[..64]));
    r.inject(&fragment(4, 64, false, &seg[64..]));
    assert_eq!(r.read(999), Ok(text(100)));
}

#[test]
fn f07_bad_ip_options() {
    let (mut r, seg) = with_segment();
    for kind in [0x07, 0x44, 0x83, 0x88, 0x89, 0x94, 0xff] {
        for len in 0..=44u8 {
            let mut options = vec![0; 40];
            options[0] = kind;
            options[1] = len;
            r.inject(&packet::ip_with(v4(1), v4(2), 6, &options, &seg));
        }
    }
    assert_eq!(r.state(), State::Established);
}

#[test]
fn f09_chains_of_extension_headers() {
    let mut r = Rig::v6();
    r.accept_peer(PLAIN);
    let chain = |headers: &[u8], segment: &[u8]| {
        let mut payload = Vec::new();
        for (i, _) in headers.iter().enumerate() {
            let next = headers.get(i + 1).copied().unwrap_or(6);
            payload.extend([next, 0, 1, 4, 0, 0, 0, 0]);
        }
        payload.extend(segment);
        packet::ip(v6(1), v6(2), headers[0], &payload)
    };
    // A few are fine: hop-by-hop, destination options.
    let seg = Seg::new().text(b"fine").octets(r.side());
    r.inject(&chain(&[0, 60], &seg));
    assert_eq!(r.read(9).as_deref(), Ok(&b"fine"[..]));
    // Many, or hop-by-hop again and again.
    r.side().nxt = 4;
    let seg = Seg::new().text(b"evil").octets(r.side());
    none(&r.inject(&chain(&[60; 100], &seg)));
    none(&r.inject(&chain(&[0; 150], &seg)));
    assert_eq!(r.read(9), Err(ReadError::WouldBlock));
    // Lengths that wrap or leave the packet.
    for len in [1, 31, 127, 254, 255] {
        let mut p = chain(&[60], &seg);
        p[41] = len;
        none(&r.inject(&p));
    }
    // A routing header of type 0 with segments left (RFC 5095).
    let mut p = chain(&[43], &seg);
    p[42] = 0;
    p[43] = 1;
    assert!(r.inject(&p).iter().all(|o| o.icmp.is_some()));
    assert_eq!(r.read(9), Err(ReadError::WouldBlock));
}

#[test]
fn g1_random_octets_do_no_harm() {
    let mut r = Rig::established(SACK);
    let mut seed = 23;
    for n in 0..50_000usize {
        let len = random(&mut seed) as usize % 120;
        let mut p: Vec<u8> = (0..len).map(|_| random(&mut seed) as u8).collect();
        if n % 2 == 0 && len > 40 {
            // Dressed up as a packet of our connection, with a good checksum.
            let good = r.packet(&Seg::new());
            let mut tcp = p[20..].to_vec();
            tcp[..4].copy_from_slice(&good[20..24]);
            packet::fill_checksum(v4(1), v4(2), 6, &mut tcp, 16);
            p = packet::ip(v4(1), v4(2), 6, &tcp);
        }
        r.inject(&p);
        if r.state() == State::Closed {
            r = Rig::established(SACK);
        }
    }
}
