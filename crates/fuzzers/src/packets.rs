//! Packets that a peer may send, and packets that a stack has sent, read and summed the slow way.

use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Seq, Tuple};

/// FIN in the flag octet.
pub const FIN: u8 = 1;
/// SYN
pub const SYN: u8 = 2;
/// RST
pub const RST: u8 = 4;
/// PSH
pub const PSH: u8 = 8;
/// ACK
pub const ACK: u8 = 16;
/// URG
pub const URG: u8 = 32;

/// The Internet checksum, word by word as RFC 1071 1 describes it.
pub fn internet_checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|w| u64::from(w[0]) << 8 | u64::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum of a transport packet; ICMPv4 (protocol 1) has no pseudo-header.
pub fn transport_checksum(src: Addr, dst: Addr, protocol: u8, octets: &[u8]) -> u16 {
    let mut all = Vec::with_capacity(40 + octets.len());
    if protocol != 1 {
        match (src.as_v4(), dst.as_v4()) {
            (Some(s), Some(d)) => {
                all.extend(s);
                all.extend(d);
            }
            _ => {
                all.extend(src.octets());
                all.extend(dst.octets());
            }
        }
        all.extend((octets.len() as u32).to_be_bytes());
        all.extend([0, protocol]);
    }
    all.extend(octets);
    internet_checksum(&all)
}

/// Writes the transport checksum to the field at `at`, if the packet reaches so far.
pub fn fill_checksum(src: Addr, dst: Addr, protocol: u8, octets: &mut [u8], at: usize) {
    if octets.len() < at + 2 {
        return;
    }
    octets[at..at + 2].fill(0);
    let sum = transport_checksum(src, dst, protocol, octets);
    octets[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// An IP packet without options or extension headers.
pub fn ip(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = Vec::with_capacity(40 + payload.len());
    match (src.as_v4(), dst.as_v4()) {
        (Some(s), Some(d)) => {
            p.extend([0x45, 0]);
            p.extend(((20 + payload.len()) as u16).to_be_bytes());
            p.extend([0, 9, 0x40, 0, 60, protocol, 0, 0]);
            p.extend(s);
            p.extend(d);
            let sum = internet_checksum(&p);
            p[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {
            p.extend([0x60, 0, 0, 0]);
            p.extend((payload.len() as u16).to_be_bytes());
            p.extend([protocol, 60]);
            p.extend(src.octets());
            p.extend(dst.octets());
        }
    }
    p.extend(payload);
    p
}

/// A TCP segment in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// SEG.SEQ
    pub seq: u32,
    /// SEG.ACK, written whatever the flags say.
    pub ack: u32,
    /// Flag octet.
    pub flags: u8,
    /// SEG.WND, unscaled.
    pub wnd: u16,
    /// SEG.UP
    pub urg: u16,
    /// Octets of options; cut at 40, padded with zeros.
    pub options: Vec<u8>,
    /// Text.
    pub text: Vec<u8>,
}

impl Draft {
    /// The IP packet from `tuple.remote` to `tuple.local`.
    pub fn packet(mut self, tuple: &Tuple) -> Vec<u8> {
        self.options.truncate(40);
        self.options.resize(self.options.len().next_multiple_of(4), 0);
        let mut t = Vec::with_capacity(60 + self.text.len());
        t.extend(tuple.remote.port.to_be_bytes());
        t.extend(tuple.local.port.to_be_bytes());
        t.extend(self.seq.to_be_bytes());
        t.extend(self.ack.to_be_bytes());
        t.extend([(((20 + self.options.len()) / 4) << 4) as u8, self.flags]);
        t.extend(self.wnd.to_be_bytes());
        t.extend([0, 0]);
        t.extend(self.urg.to_be_bytes());
        t.extend(&self.options);
        t.extend(&self.text);
        fill_checksum(tuple.remote.addr, tuple.local.addr, 6, &mut t, 16);
        ip(tuple.remote.addr, tuple.local.addr, 6, &t)
    }
}

/// An ICMP message from `from` to `us`.
pub fn icmp(us: Addr, from: Addr, kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut m = vec![kind, code, 0, 0];
    m.extend(word.to_be_bytes());
    m.extend(body);
    let protocol = if us.is_v4() { 1 } else { 58 };
    fill_checksum(from, us, protocol, &mut m, 2);
    ip(from, us, protocol, &m)
}

/// Where a packet's transport header stands: source, destination, protocol, offset. Follows IPv6 extension headers.
fn transport(p: &[u8]) -> Option<(Addr, Addr, u8, usize)> {
    match p.first()? >> 4 {
        4 => {
            let head: &[u8; 20] = p.first_chunk()?;
            let at = usize::from(head[0] & 15) * 4;
            let a = |i: usize| Addr::v4([head[i], head[i + 1], head[i + 2], head[i + 3]]);
            (20..=p.len()).contains(&at).then(|| (a(12), a(16), head[9], at))
        }
        6 => {
            let head: &[u8; 40] = p.first_chunk()?;
            let a = |i: usize| Addr::v6(std::array::from_fn(|n| head[i + n]));
            let (mut protocol, mut at) = (head[6], 40);
            while matches!(protocol, 0 | 43 | 60) {
                let header = p.get(at..at + 2)?;
                (protocol, at) = (header[0], at + 8 + 8 * usize::from(header[1]));
            }
            Some((a(8), a(24), protocol, at))
        }
        _ => None,
    }
}

/// Makes every checksum right that can be found.
pub fn repair(p: &mut [u8]) {
    let Some((src, dst, protocol, at)) = transport(p) else { return };
    if p[0] >> 4 == 4 {
        p[10..12].fill(0);
        let sum = internet_checksum(&p[..at]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let field = match protocol {
        1 | 58 => 2,
        6 => 16,
        _ => return,
    };
    if let Some(octets) = p.get_mut(at..) {
        fill_checksum(src, dst, protocol, octets, field);
    }
}

/// The tuple (`local` is the destination) and where the TCP header stands, for a packet that holds a whole one.
pub fn tcp_of(p: &[u8]) -> Option<(Tuple, usize)> {
    let (src, dst, protocol, at) = transport(p)?;
    let head: &[u8; 20] = p.get(at..)?.first_chunk()?;
    let fragment = p[0] >> 4 == 4 && u16::from_be_bytes([p[6], p[7]]) & 0x3fff != 0;
    let port = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
    let tuple = Tuple { local: Endpoint::new(dst, port(2)), remote: Endpoint::new(src, port(0)) };
    (protocol == 6 && !fragment).then_some((tuple, at))
}

/// The sequence number of the first octet of text, and where it stands, for a packet that holds a whole TCP header.
pub fn text_of(p: &[u8]) -> Option<(Seq, usize)> {
    let (_, at) = tcp_of(p)?;
    let head: &[u8; 20] = p.get(at..)?.first_chunk()?;
    let text = at + usize::from(head[12] >> 4) * 4;
    let seq = Seq::new(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
    (text <= p.len()).then_some((seq + u32::from(head[13] & SYN != 0), text))
}

/// A TCP packet that a stack has sent.
#[derive(Clone, Debug)]
pub struct Out<'a> {
    /// `local` is the sender.
    pub tuple: Tuple,
    /// SEG.SEQ
    pub seq: u32,
    /// Flag octet.
    pub flags: u8,
    /// Text.
    pub text: &'a [u8],
}

/// Checks what every packet of a stack has to keep, whole and with its checksums; returns the segment if it is one.
pub fn check_out(p: &[u8]) -> Option<Out<'_>> {
    let line = Line(p);
    let Some((src, dst, protocol, at)) = transport(p) else { panic!("no IP packet: {line}") };
    if p[0] >> 4 == 4 {
        assert_eq!(at, 20, "no IP options: {line}");
        assert_eq!(internet_checksum(&p[..20]), 0, "IP checksum: {line}");
        assert_eq!(usize::from(u16::from_be_bytes([p[2], p[3]])), p.len(), "IP length: {line}");
        assert_eq!(u16::from_be_bytes([p[6], p[7]]), 0x4000, "DF, no fragment: {line}");
    } else {
        assert_eq!(at, 40, "no extension headers: {line}");
        assert_eq!(usize::from(u16::from_be_bytes([p[4], p[5]])) + 40, p.len(), "IP length: {line}");
    }
    assert!(matches!(protocol, 1 | 6 | 58), "protocol: {line}");
    let t = &p[at..];
    assert_eq!(transport_checksum(src, dst, protocol, t), 0, "transport checksum (RFC 9293 MUST-2): {line}");
    if protocol != 6 {
        return None;
    }
    let header = usize::from(t[12] >> 4) * 4;
    assert!((20..=t.len()).contains(&header), "data offset: {line}");
    let flags = t[13];
    check_options(&t[20..header], flags & SYN != 0, line);
    let text = &t[header..];
    assert!(flags & RST == 0 || text.is_empty(), "RST with text: {line}");
    assert!(!(flags & SYN != 0 && flags & (FIN | RST) != 0), "impossible flags: {line}");
    let port = |i: usize| u16::from_be_bytes([t[i], t[i + 1]]);
    let tuple = Tuple { local: Endpoint::new(src, port(0)), remote: Endpoint::new(dst, port(2)) };
    Some(Out { tuple, seq: u32::from_be_bytes([t[4], t[5], t[6], t[7]]), flags, text })
}

/// Known kinds with their lengths, none twice, those of a SYN nowhere else (RFC 9293 MUST-65, MUST-68, MUST-69).
fn check_options(mut area: &[u8], syn: bool, line: Line<'_>) {
    let mut seen = Vec::new();
    loop {
        area = match area {
            [] => return,
            [0, rest @ ..] => return assert!(rest.iter().all(|o| *o == 0), "padding: {line}"),
            [1, rest @ ..] => rest,
            [kind, len, rest @ ..] => {
                let known = match kind {
                    2 => *len == 4 && syn,
                    3 => *len == 3 && syn,
                    4 => *len == 2 && syn,
                    5 => matches!(len, 10 | 18 | 26 | 34),
                    8 => *len == 10,
                    _ => false,
                };
                assert!(known && !seen.contains(kind), "option {kind} of {len} octets: {line}");
                seen.push(*kind);
                &rest[usize::from(*len) - 2..]
            }
            [_] => panic!("half an option: {line}"),
        };
    }
}
