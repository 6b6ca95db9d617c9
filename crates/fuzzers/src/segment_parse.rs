//! Target `segment_parse`: octets as IP, TCP and ICMP, read and shown; headers written and read back.

use synfin_wire::checksum::Sum;
use synfin_wire::icmp::{Message, Missing, echo_reply_v4, echo_reply_v6, unreachable_v4, unreachable_v6};
use synfin_wire::tcp::Ports;
use synfin_wire::text::Line;
use synfin_wire::{
    Addr, Flags, Head, OptionsIn, OptionsOut, SackBlock, Segment, Seq, Timestamps, ipv4, ipv6,
};

use crate::host::host;
use crate::input::Input;
use crate::packets::{internet_checksum, repair, transport_checksum};

/// Runs one input.
pub fn run(data: &[u8]) {
    let Some((how, octets)) = data.split_first() else { return };
    match how % 4 {
        0 => packet(octets),
        1 => segment(octets),
        2 => written(&mut Input::new(octets)),
        _ => checksums(octets),
    }
}

/// As an IP packet: with its checksums as they are, and made right.
fn packet(octets: &[u8]) {
    let mut repaired = octets.to_vec();
    repair(&mut repaired);
    for p in [octets, &repaired] {
        assert!(!Line(p).to_string().is_empty());
        if let Ok(v4) = ipv4::Packet::parse(p) {
            assert_eq!(internet_checksum(v4.header), 0, "a header with a wrong checksum is taken");
            assert!(v4.header.len() + v4.payload.len() <= p.len());
            above(v4.src, v4.dst, v4.protocol, v4.payload);
        }
        if let Ok(v6) = ipv6::Packet::parse(p) {
            assert!(!v6.src.is_v4() && !v6.dst.is_v4(), "IPv4 addresses in an IPv6 header");
            assert_eq!(p[usize::from(v6.protocol_at)], v6.protocol, "where the protocol stands");
            assert!(p.ends_with(v6.payload) || p.len() > 40 + v6.payload.len());
            if v6.fragment.is_none() {
                above(v6.src, v6.dst, v6.protocol, v6.payload);
            }
        }
    }
    for next in [0, 6, 43, 44, 60] {
        if let Ok((protocol, rest)) = ipv6::upper_layer(next, octets) {
            assert!(octets.ends_with(rest) && !matches!(protocol, 43 | 44 | 60));
        }
    }
}

/// What an IP packet carries.
fn above(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) {
    match protocol {
        6 => segment(payload),
        1 if Message::parse_v4(payload).is_ok() => assert_eq!(internet_checksum(payload), 0),
        58 if Message::parse_v6(src, dst, payload).is_ok() => {
            assert_eq!(
                transport_checksum(src, dst, 58, payload),
                0,
                "an ICMPv6 message with a wrong checksum is taken"
            );
        }
        _ => {}
    }
}

/// A segment means what its octets say; written again from what was read it reads the same.
fn segment(octets: &[u8]) {
    let Ok((ports, seg)) = Segment::parse(octets) else {
        let header = octets.get(12).map_or(0, |o| usize::from(o >> 4) * 4);
        assert!(octets.len() < 20 || header < 20 || header > octets.len(), "a good segment is refused");
        return;
    };
    let header = usize::from(octets[12] >> 4) * 4;
    assert_eq!(seg.payload, &octets[header..], "text");
    assert!(seg.count() >= 1 && seg.to_string().contains("seq="));
    same_options(&seg.opts, &octets[20..header]);
    // RST wins over SYN and FIN; the header itself keeps every flag but those that follow from its fields.
    let mut opts = OptionsOut {
        mss: seg.opts.mss,
        wscale: seg.opts.wscale,
        sack_permitted: seg.opts.sack_permitted,
        ts: seg.opts.ts,
        ..OptionsOut::default()
    };
    for (slot, block) in opts.sack.iter_mut().zip(seg.opts.sack()) {
        *slot = block;
        opts.sack_len += 1;
    }
    let flags = seg.flags.without(Flags::ACK).without(Flags::URG);
    let head = Head { seq: seg.seq, ack: seg.ack, wnd: seg.wnd, flags, urg: seg.urg, opts };
    read_back(&head, ports, seg.payload);
}

/// Writes a header and reads it.
fn read_back(head: &Head, ports: Ports, text: &[u8]) {
    let mut out = [0xaa; Head::MAX_LEN];
    let len = head.emit(ports, &mut out);
    assert_eq!(len, head.len());
    assert!(len.is_multiple_of(4) && (20..=60).contains(&len), "{len} octets of header");
    let mut octets = out[..len].to_vec();
    octets.extend_from_slice(text);
    let (there, seg) = Segment::parse(&octets).expect("what was written can be read");
    assert_eq!(there, ports);
    assert_eq!(
        (seg.seq, seg.ack, seg.wnd, seg.urg, seg.flags),
        (head.seq, head.ack, head.wnd, head.urg, head.all_flags())
    );
    assert_eq!((seg.opts.mss, seg.opts.wscale, seg.opts.ts), (head.opts.mss, head.opts.wscale, head.opts.ts));
    assert_eq!(seg.opts.sack_permitted, head.opts.sack_permitted);
    let blocks: Vec<SackBlock> = seg.opts.sack().collect();
    let wanted = &head.opts.sack[..usize::from(head.opts.sack_len).min(4)];
    assert!(wanted.starts_with(&blocks), "blocks are the first of those given");
    // RFC 2018 3: as many as fit into 40 octets beside the rest.
    assert!(
        blocks.len() == wanted.len() || len + 8 > 60 - 4 * usize::from(blocks.is_empty()),
        "a block would fit"
    );
    assert_eq!(seg.payload, text);
}

/// The options by the plainest reading of RFC 9293 3.1: first occurrence of each kind, up to the first malformed one.
fn same_options(read: &OptionsIn<'_>, area: &[u8]) {
    let (mut mss, mut wscale, mut permitted, mut ts, mut sack) = (None, None, false, None, Vec::new());
    let word = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]);
    let mut at = 0;
    while at < area.len() && area[at] != 0 {
        if area[at] == 1 {
            at += 1;
            continue;
        }
        let len = area.get(at + 1).map_or(0, |len| usize::from(*len));
        if len < 2 || at + len > area.len() {
            break;
        }
        let body = &area[at + 2..at + len];
        match (area[at], body.len()) {
            (2, 2) => mss = mss.or(Some(u16::from_be_bytes([body[0], body[1]]))),
            (3, 1) => wscale = wscale.or(Some(body[0])),
            (4, 0) => permitted = true,
            (5, n) if n >= 8 && n % 8 == 0 && !sack.is_empty() => {}
            (5, n) if n >= 8 && n % 8 == 0 => {
                let block = |b: &[u8]| SackBlock { left: Seq::new(word(b)), right: Seq::new(word(&b[4..])) };
                sack.extend(body.chunks(8).map(block));
            }
            (8, 8) => ts = ts.or(Some(Timestamps { val: word(body), ecr: word(&body[4..]) })),
            (2..=5 | 8, _) => break,
            _ => {}
        }
        at += len;
    }
    assert_eq!(
        (read.mss, read.wscale, read.sack_permitted, read.ts),
        (mss, wscale, permitted, ts),
        "{area:?}"
    );
    assert_eq!(read.sack().collect::<Vec<_>>(), sack, "{area:?}");
}

/// Headers from the input, written and read back.
fn written(u: &mut Input<'_>) {
    let which = u.octet();
    let ports = Ports { src: u.half(), dst: u.half() };
    let mut opts = OptionsOut {
        mss: (which & 1 != 0).then(|| u.half()),
        wscale: (which & 2 != 0).then(|| u.octet()),
        sack_permitted: which & 4 != 0,
        ts: (which & 8 != 0).then(|| Timestamps { val: u.word(), ecr: u.word() }),
        sack_len: u.octet() % 6,
        ..OptionsOut::default()
    };
    for block in &mut opts.sack {
        *block = SackBlock { left: Seq::new(u.word()), right: Seq::new(u.word()) };
    }
    let head = Head {
        seq: Seq::new(u.word()),
        ack: (which & 16 != 0).then(|| Seq::new(u.word())),
        wnd: u.half(),
        flags: Flags(u.half() & 0x1ff).without(Flags::ACK).without(Flags::URG),
        urg: (which & 32 != 0).then(|| u.half()),
        opts,
    };
    let body = u.octets(200);
    read_back(&head, ports, body);
    let (tos, ttl, flow) = (u.octet(), u.octet(), u.word());
    let len = body.len() as u16;
    let v4 = ipv4::Head { src: host(4, 1), dst: host(4, 2), protocol: 6, ttl, tos };
    let mut p = v4.emit(len).to_vec();
    p.extend_from_slice(body);
    let read = ipv4::Packet::parse(&p).expect("what was written can be read");
    assert_eq!((read.src, read.dst, read.protocol, read.ttl, read.tos), (v4.src, v4.dst, 6, ttl, tos));
    assert_eq!((read.payload, read.dont_fragment, read.more_fragments), (body, true, false));
    let v6 = ipv6::Head {
        src: host(6, 1),
        dst: host(6, 2),
        protocol: 6,
        hop_limit: ttl,
        traffic_class: tos,
        flow,
    };
    let mut p = v6.emit(len).to_vec();
    p.extend_from_slice(body);
    let Ok(read) = ipv6::Packet::parse(&p) else {
        return assert!(body.is_empty(), "what was written can be read");
    };
    assert_eq!(
        (read.src, read.dst, read.protocol, read.hop_limit, read.traffic_class),
        (v6.src, v6.dst, 6, ttl, tos)
    );
    assert_eq!(read.payload, body);
    messages(&v6, body);
}

/// ICMP messages that we send carry right checksums.
fn messages(v6: &ipv6::Head, body: &[u8]) {
    let (src, dst) = (v6.src, v6.dst);
    let four: [(u8, Vec<u8>); 2] =
        [(1, echo_reply_v4(body).to_vec()), (58, echo_reply_v6(src, dst, body).to_vec())];
    let missing = [Missing::Port, Missing::Protocol { at: 6 }];
    let eight = missing.into_iter().flat_map(|m| {
        [(1, unreachable_v4(m, body).to_vec()), (58, unreachable_v6(src, dst, m, body).to_vec())]
    });
    for (protocol, mut message) in four.into_iter().chain(eight) {
        message.extend_from_slice(body);
        assert_eq!(transport_checksum(src, dst, protocol, &message), 0, "protocol {protocol}: {message:?}");
    }
}

/// Sums of any slices, cut anywhere, against the sum of words.
fn checksums(octets: &[u8]) {
    let want = internet_checksum(octets);
    assert_eq!(Sum::new().add(octets).finish(), want);
    let Some((cut, _)) = octets.split_first() else { return };
    let parts: Vec<&[u8]> = octets.chunks(usize::from(*cut) % 67 + 1).collect();
    assert_eq!(Sum::new().add_all(&parts).finish(), want, "in parts of {}", usize::from(*cut) % 67 + 1);
    for (src, dst) in [(host(4, 1), host(4, 2)), (host(6, 1), host(6, 2))] {
        let sum = Sum::pseudo(src, dst, 6, octets.len() as u32).add(octets);
        assert_eq!(sum.finish(), transport_checksum(src, dst, 6, octets));
        assert_eq!(sum.partial(), !sum.finish());
    }
}
