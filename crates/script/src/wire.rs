//! Packets as bytes: what a script injects is built here, what the stack sends is read here.

use synfin_wire::checksum::Sum;
use synfin_wire::{Addr, Flags, Seq, Tuple, ipv4, ipv6};

use crate::ast::{EcnSpec, IcmpSpec, IpSpec, Opt};
use crate::seq::Flow;

pub(crate) const TCP: u8 = 6;
const ICMP_V4: u8 = 1;
const ICMP_V6: u8 = 58;
/// The magic number of experimental Fast Open (RFC 7413 appendix A.1).
const FOEXP_MAGIC: [u8; 2] = [0xf9, 0x89];
const EXPERIMENT: u8 = 254;

/// A TCP packet that the stack sent, numbers as on the wire.
#[derive(Clone, Debug)]
pub(crate) struct OutSegment {
    pub tuple: Tuple,
    pub tos: u8,
    pub ttl: u8,
    pub flags: Flags,
    pub seq: Seq,
    pub ack: Seq,
    pub win: u16,
    pub urg: u16,
    /// SACK blocks and timestamps as on the wire.
    pub opts: Vec<Opt>,
    pub text: Vec<u8>,
}

/// What the stack sent, or why it is none of our business.
pub(crate) enum Parsed {
    Tcp(OutSegment),
    /// Another protocol.
    Other,
    /// Not a packet at all, or one with wrong checksums.
    Broken(String),
}

/// Whether a packet carries a segment right behind its IP header.
pub(crate) fn is_tcp(packet: &[u8]) -> bool {
    let place = match packet.first().map(|b| b >> 4) {
        Some(4) => 9,
        Some(6) => 6,
        _ => return false,
    };
    packet.get(place) == Some(&TCP)
}

/// Reads a packet of the stack and checks its checksums.
pub(crate) fn parse(packet: &[u8]) -> Parsed {
    let v4 = packet.first().is_some_and(|b| b >> 4 == 4);
    let (src, dst, protocol, tos, ttl, payload) = if v4 {
        match ipv4::Packet::parse(packet) {
            Ok(p) => (p.src, p.dst, p.protocol, p.tos, p.ttl, p.payload),
            Err(why) => return Parsed::Broken(why.to_string()),
        }
    } else {
        match ipv6::Packet::parse(packet) {
            Ok(p) => (p.src, p.dst, p.protocol, p.traffic_class, p.hop_limit, p.payload),
            Err(why) => return Parsed::Broken(why.to_string()),
        }
    };
    if protocol != TCP {
        return Parsed::Other;
    }
    if Sum::pseudo(src, dst, TCP, payload.len() as u32).add(payload).finish() != 0 {
        return Parsed::Broken("wrong TCP checksum".into());
    }
    let Some((head, rest)) = payload.split_first_chunk::<20>() else {
        return Parsed::Broken("TCP header cut".into());
    };
    let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, off, flags, w0, w1, _, _, u0, u1] = head;
    let options = usize::from(off >> 4).saturating_mul(4).checked_sub(20);
    let Some((options, text)) = options.and_then(|n| rest.split_at_checked(n)) else {
        return Parsed::Broken("TCP data offset".into());
    };
    let endpoint = |addr, hi, lo| synfin_wire::Endpoint::new(addr, u16::from_be_bytes([hi, lo]));
    Parsed::Tcp(OutSegment {
        tuple: Tuple { local: endpoint(src, s0, s1), remote: endpoint(dst, d0, d1) },
        tos,
        ttl,
        flags: Flags(u16::from(flags) | u16::from(off & 1) << 8),
        seq: Seq::new(u32::from_be_bytes([q0, q1, q2, q3])),
        ack: Seq::new(u32::from_be_bytes([a0, a1, a2, a3])),
        win: u16::from_be_bytes([w0, w1]),
        urg: u16::from_be_bytes([u0, u1]),
        opts: read_options(options),
        text: text.to_vec(),
    })
}

/// Every option in its place, padding too.
fn read_options(mut area: &[u8]) -> Vec<Opt> {
    let mut opts = Vec::new();
    while let Some((&kind, rest)) = area.split_first() {
        match kind {
            0 => {
                opts.push(Opt::Eol);
                area = rest;
                continue;
            }
            1 => {
                opts.push(Opt::Nop);
                area = rest;
                continue;
            }
            _ => {}
        }
        let body = rest
            .split_first()
            .and_then(|(len, rest)| usize::from(*len).checked_sub(2).and_then(|n| rest.split_at_checked(n)));
        let Some((body, next)) = body else {
            opts.push(Opt::Other(kind, rest.to_vec()));
            break;
        };
        opts.push(read_option(kind, body));
        area = next;
    }
    opts
}

fn read_option(kind: u8, body: &[u8]) -> Opt {
    let words = |body: &[u8]| -> Vec<u32> {
        body.as_chunks::<4>().0.iter().map(|w| u32::from_be_bytes(*w)).collect()
    };
    match (kind, body) {
        (2, [a, b]) => Opt::Mss(u16::from_be_bytes([*a, *b])),
        (3, [shift]) => Opt::Wscale(*shift),
        (4, []) => Opt::SackOk,
        (5, blocks) if blocks.len() % 8 == 0 => {
            let pairs = words(blocks);
            Opt::Sack(pairs.as_chunks::<2>().0.iter().map(|[l, r]| (*l, *r)).collect())
        }
        (8, _) if body.len() == 8 => match words(body).as_slice() {
            [val, ecr] => Opt::Ts { val: *val, ecr: *ecr },
            _ => Opt::Other(kind, body.to_vec()),
        },
        (19, digest) => Opt::Md5(digest.to_vec()),
        (34, cookie) => Opt::Fo(cookie.to_vec()),
        (EXPERIMENT, [a, b, cookie @ ..]) if [*a, *b] == FOEXP_MAGIC => Opt::FoExp(cookie.to_vec()),
        (172 | 174, counters) if counters.len() % 3 == 0 => Opt::AccEcn(
            kind,
            counters.as_chunks::<3>().0.iter().map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c])).collect(),
        ),
        _ => Opt::Other(kind, body.to_vec()),
    }
}

/// Options to bytes, nothing added but what fills the last word up.
pub(crate) fn write_options(opts: &[Opt]) -> Vec<u8> {
    let mut out = Vec::new();
    for opt in opts {
        let (kind, body): (u8, Vec<u8>) = match opt {
            Opt::Eol => {
                out.push(0);
                continue;
            }
            Opt::Nop => {
                out.push(1);
                continue;
            }
            Opt::Mss(n) => (2, n.to_be_bytes().to_vec()),
            Opt::Wscale(n) => (3, vec![*n]),
            Opt::SackOk => (4, vec![]),
            Opt::Sack(blocks) => {
                (5, blocks.iter().flat_map(|(l, r)| [l.to_be_bytes(), r.to_be_bytes()]).flatten().collect())
            }
            Opt::Ts { val, ecr } => (8, [val.to_be_bytes(), ecr.to_be_bytes()].concat()),
            Opt::Md5(digest) => (19, digest.clone()),
            Opt::Fo(cookie) => (34, cookie.clone()),
            Opt::FoExp(cookie) => (EXPERIMENT, [&FOEXP_MAGIC[..], cookie].concat()),
            Opt::AccEcn(kind, counters) => {
                let low = |c: &u32| c.to_be_bytes().into_iter().skip(1).collect::<Vec<_>>();
                (*kind, counters.iter().flat_map(low).collect())
            }
            Opt::Other(kind, body) => (*kind, body.clone()),
        };
        out.push(kind);
        out.push(u8::try_from(body.len() + 2).unwrap_or(u8::MAX));
        out.extend(body);
    }
    while out.len() % 4 != 0 {
        out.push(0);
    }
    out
}

/// A segment to be injected, numbers as on the wire.
pub(crate) struct InSegment {
    pub tuple: Tuple,
    pub flags: Flags,
    pub seq: Seq,
    pub ack: Seq,
    pub win: u16,
    pub urg: u16,
    pub opts: Vec<Opt>,
    pub text: Vec<u8>,
}

impl InSegment {
    /// The whole packet, from the peer to the stack.
    pub fn packet(&self, ip: &IpSpec) -> Result<Vec<u8>, String> {
        let (src, dst) = (self.tuple.remote, self.tuple.local);
        let options = write_options(&self.opts);
        if options.len() > 40 {
            return Err(format!("{} octets of options do not fit", options.len()));
        }
        let words = ((20 + options.len()) / 4) as u8;
        let mut tcp = Vec::with_capacity(60 + self.text.len());
        tcp.extend(src.port.to_be_bytes());
        tcp.extend(dst.port.to_be_bytes());
        tcp.extend(self.seq.raw().to_be_bytes());
        tcp.extend(self.ack.raw().to_be_bytes());
        tcp.push(words << 4 | (self.flags.0 >> 8) as u8 & 1);
        tcp.push(self.flags.0 as u8);
        tcp.extend(self.win.to_be_bytes());
        tcp.extend([0, 0]);
        tcp.extend(self.urg.to_be_bytes());
        tcp.extend(options);
        tcp.extend(&self.text);
        let sum = Sum::pseudo(src.addr, dst.addr, TCP, tcp.len() as u32).add(&tcp).finish().to_be_bytes();
        if let Some(field) = tcp.get_mut(16..18) {
            field.copy_from_slice(&sum);
        }
        ip_packet(src.addr, dst.addr, TCP, ip, &tcp)
    }
}

/// An IP packet around `payload`.
fn ip_packet(src: Addr, dst: Addr, protocol: u8, ip: &IpSpec, payload: &[u8]) -> Result<Vec<u8>, String> {
    let room = usize::from(u16::MAX) - 40;
    let len = u16::try_from(payload.len()).ok().filter(|n| usize::from(*n) <= room);
    let Some(len) = len else { return Err(format!("{} octets do not fit a packet", payload.len())) };
    let tos = ip.tos.unwrap_or(0)
        | match ip.ecn {
            EcnSpec::Unsaid | EcnSpec::None => 0,
            EcnSpec::Ect1 => 1,
            EcnSpec::Ect0 | EcnSpec::Ect01 => 2,
            EcnSpec::Ce => 3,
        };
    let ttl = ip.ttl.unwrap_or(255);
    let mut packet = if dst.is_v4() {
        ipv4::Head { src, dst, protocol, ttl, tos }.emit(len).to_vec()
    } else {
        let flow = ip.flow.unwrap_or(0);
        ipv6::Head { src, dst, protocol, hop_limit: ttl, traffic_class: tos, flow }.emit(len).to_vec()
    };
    packet.extend_from_slice(payload);
    Ok(packet)
}

/// An ICMP error about a segment of the stack.
pub(crate) fn icmp_packet(spec: &IcmpSpec, flow: &Flow, ip: &IpSpec) -> Result<Vec<u8>, String> {
    let (local, remote) = (flow.tuple.local, flow.tuple.remote);
    let v4 = local.addr.is_v4();
    let (kind, code) = icmp_numbers(spec, v4).ok_or_else(|| {
        format!(
            "no ICMP{} message '{} {}'",
            if v4 { "" } else { "v6" },
            spec.kind,
            spec.code.as_deref().unwrap_or("")
        )
    })?;
    let (first, len) = spec.quoted.unwrap_or((0, 0));
    let mut quoted = Vec::new();
    quoted.extend(local.port.to_be_bytes());
    quoted.extend(remote.port.to_be_bytes());
    quoted.extend(flow.our_to_wire(first).raw().to_be_bytes());
    let mut quote = ip_packet(local.addr, remote.addr, TCP, &IpSpec::default(), &quoted)?;
    // The length field tells the whole segment, of which only the start is quoted.
    let whole = u16::try_from(len.saturating_add(20)).unwrap_or(u16::MAX);
    quote = if v4 {
        let head =
            ipv4::Head { src: local.addr, dst: remote.addr, protocol: TCP, ttl: 64, tos: 0 }.emit(whole);
        [&head[..], quote.get(ipv4::Head::LEN..).unwrap_or_default()].concat()
    } else {
        let head = ipv6::Head {
            src: local.addr,
            dst: remote.addr,
            protocol: TCP,
            hop_limit: 64,
            traffic_class: 0,
            flow: 0,
        }
        .emit(whole);
        [&head[..], quote.get(ipv6::Head::LEN..).unwrap_or_default()].concat()
    };
    let mtu = spec.mtu.unwrap_or(0).to_be_bytes();
    let mut message = vec![kind, code, 0, 0];
    message.extend(mtu);
    message.extend(quote);
    let sum =
        if v4 { Sum::new() } else { Sum::pseudo(remote.addr, local.addr, ICMP_V6, message.len() as u32) };
    let field = sum.add(&message).finish().to_be_bytes();
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&field);
    }
    ip_packet(remote.addr, local.addr, if v4 { ICMP_V4 } else { ICMP_V6 }, ip, &message)
}

/// Type and code (RFC 792, 1122 3.2.2.1, 1812 5.2.7.1; RFC 4443).
fn icmp_numbers(spec: &IcmpSpec, v4: bool) -> Option<(u8, u8)> {
    const V4_UNREACHABLE: [&str; 16] = [
        "net_unreachable",
        "host_unreachable",
        "protocol_unreachable",
        "port_unreachable",
        "frag_needed",
        "source_route_failed",
        "net_unknown",
        "host_unknown",
        "source_host_isolated",
        "net_prohibited",
        "host_prohibited",
        "net_unreachable_for_tos",
        "host_unreachable_for_tos",
        "packet_filtered",
        "precedence_violation",
        "precedence_cutoff",
    ];
    const V6_UNREACHABLE: [&str; 7] = [
        "no_route",
        "admin_prohibited",
        "not_neighbour",
        "address_unreachable",
        "port_unreachable",
        "failed_policy",
        "reject_route",
    ];
    let code = spec.code.as_deref();
    let place = |names: &[&str]| match code {
        None => Some(0),
        Some(word) => match names.iter().position(|n| *n == word) {
            Some(at) => u8::try_from(at).ok(),
            None => word.parse().ok(),
        },
    };
    if v4 {
        return match spec.kind.as_str() {
            "unreachable" | "3" => Some((3, place(&V4_UNREACHABLE)?)),
            "source_quench" | "4" => Some((4, place(&[])?)),
            "redirect" | "5" => Some((5, place(&[])?)),
            "time_exceeded" | "11" => Some((11, place(&["exc_ttl", "exc_fragtime"])?)),
            "parameter_problem" | "12" => Some((12, place(&[])?)),
            other => Some((other.parse().ok()?, place(&[])?)),
        };
    }
    match spec.kind.as_str() {
        // What IPv4 says with a code, IPv6 says with a type.
        "unreachable" if code == Some("frag_needed") || code == Some("packet_too_big") => Some((2, 0)),
        "unreachable" if code == Some("host_unreachable") => Some((1, 3)),
        "unreachable" if code == Some("net_unreachable") => Some((1, 0)),
        "unreachable" => Some((1, place(&V6_UNREACHABLE)?)),
        "packet_too_big" => Some((2, 0)),
        "time_exceeded" => Some((3, place(&["exc_hopcount", "exc_fragtime"])?)),
        "parameter_problem" => Some((4, place(&[])?)),
        other => Some((other.parse().ok()?, place(&[])?)),
    }
}

#[cfg(test)]
mod tests;
