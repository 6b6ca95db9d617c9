//! Segments of the peer to octets, octets of the stack to segments.

use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

use super::Side;

/// The Internet checksum, as slow and plain as RFC 1071 describes it.
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo(src: Addr, dst: Addr, protocol: u8, len: usize) -> Vec<u8> {
    let mut p = Vec::new();
    match (src.as_v4(), dst.as_v4()) {
        (Some(s), Some(d)) => {
            p.extend(s);
            p.extend(d);
            p.extend([0, protocol]);
            p.extend((len as u16).to_be_bytes());
        }
        _ => {
            p.extend(src.octets());
            p.extend(dst.octets());
            p.extend((len as u32).to_be_bytes());
            p.extend([0, 0, 0, protocol]);
        }
    }
    p
}

/// Sets the transport checksum that stands at `at`.
pub fn fill_checksum(src: Addr, dst: Addr, protocol: u8, segment: &mut [u8], at: usize) {
    segment[at..at + 2].fill(0);
    let mut all = if protocol == 1 { Vec::new() } else { pseudo(src, dst, protocol, segment.len()) };
    all.extend_from_slice(segment);
    let sum = internet_checksum(&all);
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// An IP packet without options or extension headers.
pub fn ip(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip_with(src, dst, protocol, &[], payload)
}

/// An IPv4 packet with these options (a multiple of 4 octets), or an IPv6 packet.
pub fn ip_with(src: Addr, dst: Addr, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    match (src.as_v4(), dst.as_v4()) {
        (Some(s), Some(d)) => {
            let header = 20 + options.len();
            p.extend([0x40 | (header / 4) as u8, 0]);
            p.extend(((header + payload.len()) as u16).to_be_bytes());
            p.extend([0, 7, 0x40, 0, 61, protocol, 0, 0]);
            p.extend(s);
            p.extend(d);
            p.extend(options);
            let sum = internet_checksum(&p);
            p[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {
            p.extend([0x60, 0, 0, 0]);
            p.extend((payload.len() as u16).to_be_bytes());
            p.extend([protocol, 61]);
            p.extend(src.octets());
            p.extend(dst.octets());
        }
    }
    p.extend(payload);
    p
}

/// A segment of the peer. Numbers are relative; what is not given continues the conversation.
#[derive(Clone, Debug, Default)]
pub struct Seg {
    pub seq: Option<i32>,
    pub ack: Option<i32>,
    pub without_ack: bool,
    pub wnd: Option<u16>,
    /// Letters of `SFRPUEC`; ACK is set by itself.
    pub letters: String,
    pub urg: u16,
    pub options: Vec<u8>,
    /// `Some(None)`: no timestamp although agreed.
    pub ts: Option<Option<(u32, u32)>>,
    pub text: Vec<u8>,
}

impl Seg {
    pub fn new() -> Seg {
        Seg::default()
    }
    pub fn seq(mut self, seq: i32) -> Seg {
        self.seq = Some(seq);
        self
    }
    pub fn ack(mut self, ack: i32) -> Seg {
        self.ack = Some(ack);
        self
    }
    pub fn no_ack(mut self) -> Seg {
        self.without_ack = true;
        self
    }
    pub fn wnd(mut self, wnd: u16) -> Seg {
        self.wnd = Some(wnd);
        self
    }
    /// Letters of `SFRPUEC`.
    pub fn flags(mut self, letters: &str) -> Seg {
        self.letters = letters.to_owned();
        self
    }
    pub fn urg(mut self, up: u16) -> Seg {
        self.letters.push('U');
        self.urg = up;
        self
    }
    /// Octets of options, padded to a multiple of 4 with EOL.
    pub fn options(mut self, octets: &[u8]) -> Seg {
        self.options = octets.to_vec();
        self
    }
    pub fn ts(mut self, val: u32, ecr: u32) -> Seg {
        self.ts = Some(Some((val, ecr)));
        self
    }
    pub fn no_ts(mut self) -> Seg {
        self.ts = Some(None);
        self
    }
    pub fn text(mut self, text: &[u8]) -> Seg {
        self.text = text.to_vec();
        self
    }
    /// SACK blocks, relative to the stack's stream.
    pub fn sack(mut self, side: &Side, blocks: &[(i32, i32)]) -> Seg {
        self.options.extend([1, 1, 5, 2 + 8 * blocks.len() as u8]);
        for (l, r) in blocks {
            for n in [l, r] {
                self.options.extend((side.iss.wrapping_add(1).wrapping_add(*n as u32)).to_be_bytes());
            }
        }
        self
    }

    pub fn seq_len(&self) -> u32 {
        self.text.len() as u32 + u32::from(self.letters.contains('S')) + u32::from(self.letters.contains('F'))
    }

    /// The TCP segment.
    pub fn octets(&self, side: &Side) -> Vec<u8> {
        let seq = side.peer_iss.wrapping_add(1).wrapping_add(self.seq.unwrap_or(side.nxt) as u32);
        let ack = side.iss.wrapping_add(1).wrapping_add(self.ack.unwrap_or(side.rcv) as u32);
        let mut options = self.options.clone();
        let syn_or_rst = self.letters.contains(['S', 'R']);
        let ts = self.ts.unwrap_or((side.ts && !syn_or_rst).then_some((side.peer_clock, side.echo)));
        if let Some((val, ecr)) = ts {
            options.extend([1, 1, 8, 10]);
            options.extend(val.to_be_bytes());
            options.extend(ecr.to_be_bytes());
        }
        options.resize(options.len().next_multiple_of(4), 0);
        let mut flags = if self.without_ack { 0 } else { 0x10 };
        for (letter, bit) in [('F', 1), ('S', 2), ('R', 4), ('P', 8), ('U', 32), ('E', 64), ('C', 128)] {
            if self.letters.contains(letter) {
                flags |= bit;
            }
        }
        let mut t = Vec::new();
        t.extend(side.tuple.remote.port.to_be_bytes());
        t.extend(side.tuple.local.port.to_be_bytes());
        t.extend(seq.to_be_bytes());
        t.extend(if self.without_ack { 0 } else { ack }.to_be_bytes());
        t.extend([(((20 + options.len()) / 4) << 4) as u8, flags]);
        t.extend(self.wnd.unwrap_or(side.wnd).to_be_bytes());
        t.extend([0, 0]);
        t.extend(self.urg.to_be_bytes());
        t.extend(options);
        t.extend(&self.text);
        fill_checksum(side.tuple.remote.addr, side.tuple.local.addr, 6, &mut t, 16);
        t
    }

    /// The IP packet.
    pub fn packet(&self, side: &Side) -> Vec<u8> {
        ip(side.tuple.remote.addr, side.tuple.local.addr, 6, &self.octets(side))
    }
}

/// A packet that the stack sent.
#[derive(Clone, Debug)]
pub struct Out {
    pub at: Instant,
    pub bytes: Vec<u8>,
    /// `local` is the stack's end.
    pub tuple: Tuple,
    pub raw_seq: u32,
    pub raw_ack: Option<u32>,
    /// Relative.
    pub seq: i32,
    /// Relative.
    pub ack: Option<i32>,
    pub wnd: u16,
    pub flags: u8,
    pub urg: Option<u16>,
    pub mss: Option<u16>,
    pub wscale: Option<u8>,
    pub sack_ok: bool,
    pub ts: Option<(u32, u32)>,
    /// SACK blocks, as they stand on the wire.
    pub sack: Vec<(u32, u32)>,
    pub text: Vec<u8>,
    pub ttl: u8,
    pub tos: u8,
    /// Type, code and the rest of an ICMP message.
    pub icmp: Option<Vec<u8>>,
}

fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

impl Out {
    /// Reads a packet and checks what every packet has to keep.
    pub fn read(at: Instant, p: &[u8]) -> Out {
        let line = Line(p);
        let (src, dst, protocol, ttl, tos, payload) = if p[0] >> 4 == 4 {
            assert_eq!(p[0], 0x45, "no IP options: {line}");
            assert_eq!(internet_checksum(&p[..20]), 0, "IP checksum: {line}");
            assert_eq!(usize::from(be16(p, 2)), p.len(), "IP length: {line}");
            assert_eq!(be16(p, 6) & 0x3fff, 0, "no fragments: {line}");
            assert_eq!(be16(p, 6) & 0x4000, 0x4000, "DF is set: {line}");
            let a = |i: usize| Addr::v4([p[i], p[i + 1], p[i + 2], p[i + 3]]);
            (a(12), a(16), p[9], p[8], p[1], &p[20..])
        } else {
            assert_eq!(usize::from(be16(p, 4)) + 40, p.len(), "IP length: {line}");
            let a = |i: usize| Addr::v6(core::array::from_fn(|n| p[i + n]));
            (a(8), a(24), p[6], p[7], (be16(p, 0) >> 4) as u8, &p[40..])
        };
        let mut summed = if protocol == 1 { Vec::new() } else { pseudo(src, dst, protocol, payload.len()) };
        summed.extend_from_slice(payload);
        assert_eq!(internet_checksum(&summed), 0, "transport checksum (MUST-2): {line}");
        let blank = Out {
            at,
            bytes: p.to_vec(),
            tuple: Tuple { local: Endpoint::new(src, 0), remote: Endpoint::new(dst, 0) },
            raw_seq: 0,
            raw_ack: None,
            seq: 0,
            ack: None,
            wnd: 0,
            flags: 0,
            urg: None,
            mss: None,
            wscale: None,
            sack_ok: false,
            ts: None,
            sack: Vec::new(),
            text: Vec::new(),
            ttl,
            tos,
            icmp: None,
        };
        if protocol != 6 {
            return Out { icmp: Some(payload.to_vec()), ..blank };
        }
        let t = payload;
        let head = usize::from(t[12] >> 4) * 4;
        assert!((20..=t.len()).contains(&head), "data offset: {line}");
        let flags = t[13];
        let mut o = Out {
            tuple: Tuple { local: Endpoint::new(src, be16(t, 0)), remote: Endpoint::new(dst, be16(t, 2)) },
            raw_seq: be32(t, 4),
            raw_ack: (flags & 0x10 != 0).then(|| be32(t, 8)),
            seq: be32(t, 4) as i32,
            ack: (flags & 0x10 != 0).then(|| be32(t, 8) as i32),
            wnd: be16(t, 14),
            flags,
            urg: (flags & 0x20 != 0).then(|| be16(t, 18)),
            text: t[head..].to_vec(),
            ..blank
        };
        o.read_options(&t[20..head]);
        assert_eq!(t[12] & 0xf, 0, "reserved bits are zero: {line}");
        if !o.has('S') {
            assert!(
                o.mss.is_none() && o.wscale.is_none() && !o.sack_ok,
                "SYN options elsewhere (MUST-65): {line}"
            );
        }
        if o.has('R') {
            assert!(o.text.is_empty(), "RST with text: {line}");
        }
        o
    }

    /// Every option but EOL and NOP has a length (MUST-68), padding is zero (MUST-69), none appears twice.
    fn read_options(&mut self, mut area: &[u8]) {
        let mut kinds = Vec::new();
        while let Some(&kind) = area.first() {
            if kind == 0 {
                assert!(area.iter().all(|b| *b == 0), "padding is zero (MUST-69): {}", Line(&self.bytes));
                return;
            }
            if kind == 1 {
                area = &area[1..];
                continue;
            }
            let len = usize::from(area[1]);
            assert!(!kinds.contains(&kind), "option {kind} twice: {}", Line(&self.bytes));
            kinds.push(kind);
            let body = &area[2..len];
            match (kind, body.len()) {
                (2, 2) => self.mss = Some(be16(body, 0)),
                (3, 1) => self.wscale = Some(body[0]),
                (4, 0) => self.sack_ok = true,
                (5, n) if n % 8 == 0 && n > 0 => {
                    self.sack = body.chunks(8).map(|b| (be32(b, 0), be32(b, 4))).collect();
                }
                (8, 8) => self.ts = Some((be32(body, 0), be32(body, 4))),
                other => panic!("an option that nobody asked for {other:?}: {}", Line(&self.bytes)),
            }
            area = &area[len..];
        }
    }

    /// Whether a flag of `SFRPAUEC` is set.
    pub fn has(&self, letter: char) -> bool {
        let bit = match letter {
            'F' => 1,
            'S' => 2,
            'R' => 4,
            'P' => 8,
            'A' => 16,
            'U' => 32,
            'E' => 64,
            'C' => 128,
            _ => panic!("flag {letter}"),
        };
        self.icmp.is_none() && self.flags & bit != 0
    }

    pub fn seq_len(&self) -> u32 {
        self.text.len() as u32 + u32::from(self.has('S')) + u32::from(self.has('F'))
    }

    /// SACK blocks relative to the peer's stream.
    pub fn sacked(&self, side: &Side) -> Vec<(i32, i32)> {
        let rel = |n: u32| n.wrapping_sub(side.peer_iss.wrapping_add(1)) as i32;
        self.sack.iter().map(|(l, r)| (rel(*l), rel(*r))).collect()
    }

    /// Flags (PSH left out), relative numbers, length: e.g. `FIN,ACK seq=0 ack=1`.
    pub fn brief(&self) -> String {
        if let Some(m) = &self.icmp {
            return format!("ICMP {}/{}", m[0], m[1]);
        }
        let names = [('S', "SYN"), ('F', "FIN"), ('R', "RST"), ('A', "ACK"), ('U', "URG")];
        let flags: Vec<&str> = names.iter().filter(|(c, _)| self.has(*c)).map(|(_, n)| *n).collect();
        let ack = self.ack.map_or(String::new(), |a| format!(" ack={a}"));
        let len = if self.text.is_empty() { String::new() } else { format!(" len={}", self.text.len()) };
        format!("{} seq={}{ack}{len}", flags.join(","), self.seq)
    }
}

/// Each packet in full, for messages.
pub fn lines(outs: &[Out]) -> String {
    outs.iter().map(|o| format!("\n    {:?} {}   {}", o.at, o.brief(), Line(&o.bytes))).collect()
}

/// Exactly these, in this order.
#[track_caller]
pub fn expect(outs: &[Out], want: &[&str]) {
    let got: Vec<String> = outs.iter().map(Out::brief).collect();
    assert!(got == want, "expected {want:#?}\n  got{}", lines(outs));
}

/// Nothing was sent.
#[track_caller]
pub fn none(outs: &[Out]) {
    expect(outs, &[]);
}

/// Exactly one packet.
#[track_caller]
pub fn one(outs: &[Out]) -> &Out {
    assert!(outs.len() == 1, "expected one packet, got{}", lines(outs));
    &outs[0]
}

/// An ICMP error of the peer (or of a router; it does not matter) that quotes a segment of the stack.
pub fn icmp_error(side: &Side, kind: u8, code: u8, word: u32, seq: i32) -> Vec<u8> {
    let mut quoted = Vec::new();
    quoted.extend(side.tuple.local.port.to_be_bytes());
    quoted.extend(side.tuple.remote.port.to_be_bytes());
    quoted.extend(side.iss.wrapping_add(1).wrapping_add(seq as u32).to_be_bytes());
    let (us, peer) = (side.tuple.local.addr, side.tuple.remote.addr);
    icmp_quoting(us, peer, kind, code, word, &ip(us, peer, 6, &quoted))
}

/// An ICMP message to `us` from `from` with this type, code, second word and body.
pub fn icmp_quoting(us: Addr, from: Addr, kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut m = vec![kind, code, 0, 0];
    m.extend(word.to_be_bytes());
    m.extend(body);
    let protocol = if us.is_v4() { 1 } else { 58 };
    fill_checksum(from, us, protocol, &mut m, 2);
    ip(from, us, protocol, &m)
}
