//! ICMP (RFC 792, 1191) and ICMPv6 (RFC 4443) messages that a TCP host needs.

use crate::checksum::Sum;
use crate::{Addr, DropReason, Seq, ipv4, ipv6};

/// What an ICMP error says about a path or peer, independent of the IP version (RFC 5461 2).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Network, host unreachable and the like: transient, "soft".
    Unreachable {
        /// ICMP type as received.
        kind: u8,
        /// ICMP code as received.
        code: u8,
    },
    /// Protocol or port unreachable, administratively refused: "hard".
    Refused {
        /// ICMP type as received.
        kind: u8,
        /// ICMP code as received.
        code: u8,
    },
    /// Packet too big / fragmentation needed; the next hop's MTU (0 if an old router did not say).
    TooBig {
        /// Next-hop MTU in octets.
        mtu: u32,
    },
    /// Time exceeded.
    TimeExceeded {
        /// ICMP code as received.
        code: u8,
    },
    /// Parameter problem.
    ParameterProblem {
        /// ICMP code as received.
        code: u8,
    },
    /// Source quench: always ignored (RFC 9293 MUST-55).
    SourceQuench,
}

/// A received ICMP message.
#[derive(Copy, Clone, Debug)]
pub enum Message<'a> {
    /// Echo request: everything behind type, code and checksum is to be sent back.
    EchoRequest {
        /// Identifier, sequence number and data.
        body: &'a [u8],
    },
    /// An error about a TCP segment that we are said to have sent.
    TcpError {
        /// What happened.
        notice: Notice,
        /// Source of the quoted packet: must be ours.
        src: Addr,
        /// Source port of the quoted segment.
        src_port: u16,
        /// Destination of the quoted packet.
        dst: Addr,
        /// Destination port of the quoted segment.
        dst_port: u16,
        /// Sequence number of the quoted segment.
        seq: Seq,
    },
    /// Anything else that is well-formed: ignored.
    Other,
}

/// Octets of the offending packet that an ICMPv4 error quotes at most: 576 in all (RFC 1812 4.3.2.3).
pub const QUOTE_V4: usize = 576 - 20 - 8;
/// Octets of the offending packet that an ICMPv6 error quotes at most: 1280 in all (RFC 4443 2.4(c)).
pub const QUOTE_V6: usize = 1280 - 40 - 8;

const PROTOCOL_ICMP_V6: u8 = 58;
const PROTOCOL_TCP: u8 = 6;

impl<'a> Message<'a> {
    /// Reads an ICMPv4 message, checksum included.
    ///
    /// # Errors
    /// `BadIcmp`.
    pub fn parse_v4(bytes: &'a [u8]) -> Result<Message<'a>, DropReason> {
        if Sum::new().add(bytes).finish() != 0 {
            return Err(DropReason::BadIcmp);
        }
        let (&[kind, code, _, _], body) = bytes.split_first_chunk().ok_or(DropReason::BadIcmp)?;
        let (&[_, _, m0, m1], quote) = body.split_first_chunk().ok_or(DropReason::BadIcmp)?;
        let notice = match (kind, code) {
            (8, 0) => return Ok(Message::EchoRequest { body }),
            // RFC 1191 4: the low half of what was unused is the next hop's MTU.
            (3, 4) => Notice::TooBig { mtu: u32::from(u16::from_be_bytes([m0, m1])) },
            // RFC 1122 4.2.3.9: hard errors; prohibited (9, 10, 13) is what ICMPv6 1/1 means, see RFC 5927 5.1.
            (3, 2 | 3 | 9 | 10 | 13) => Notice::Refused { kind, code },
            (3, _) => Notice::Unreachable { kind, code },
            (4, _) => Notice::SourceQuench,
            (11, _) => Notice::TimeExceeded { code },
            (12, _) => Notice::ParameterProblem { code },
            _ => return Ok(Message::Other),
        };
        // A quote is cut: neither its total length nor its checksum can be asked for (RFC 1122 3.2.2).
        let (fixed, header_len) = ipv4::fixed(quote).map_err(|_| DropReason::BadIcmp)?;
        let &[_, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = fixed;
        // Only a first fragment holds ports.
        if u16::from_be_bytes([f0, f1]) & 0x1fff != 0 {
            return Err(DropReason::BadIcmp);
        }
        let segment = quote.get(header_len..).ok_or(DropReason::BadIcmp)?;
        tcp_error(notice, Addr::v4([s0, s1, s2, s3]), Addr::v4([d0, d1, d2, d3]), protocol, segment)
    }

    /// Reads an ICMPv6 message, checksum with pseudo-header included.
    ///
    /// # Errors
    /// `BadIcmp`.
    pub fn parse_v6(src: Addr, dst: Addr, bytes: &'a [u8]) -> Result<Message<'a>, DropReason> {
        if sum_v6(src, dst, bytes.len()).add(bytes).finish() != 0 {
            return Err(DropReason::BadIcmp);
        }
        let (&[kind, code, _, _], body) = bytes.split_first_chunk().ok_or(DropReason::BadIcmp)?;
        let (&word, quote) = body.split_first_chunk().ok_or(DropReason::BadIcmp)?;
        let notice = match (kind, code) {
            (128, 0) => return Ok(Message::EchoRequest { body }),
            // RFC 4443 3.1: codes 5 and 6 are subsets of code 1, prohibited.
            (1, 1 | 4 | 5 | 6) => Notice::Refused { kind, code },
            (1, _) => Notice::Unreachable { kind, code },
            // RFC 4443 3.2: the code is ignored.
            (2, _) => Notice::TooBig { mtu: u32::from_be_bytes(word) },
            (3, _) => Notice::TimeExceeded { code },
            (4, _) => Notice::ParameterProblem { code },
            _ => return Ok(Message::Other),
        };
        let ip = ipv6::Fixed::parse(quote).map_err(|_| DropReason::BadIcmp)?;
        // An IPv4-mapped address would name a connection over IPv4.
        if ip.src.is_v4() || ip.dst.is_v4() {
            return Err(DropReason::BadIcmp);
        }
        // What we send has no extension headers, so nothing else of ours can be quoted.
        tcp_error(notice, ip.src, ip.dst, ip.next, ip.rest)
    }
}

/// Takes ports and sequence number from the first 8 octets of a quoted segment (RFC 792: at least that many come).
fn tcp_error(
    notice: Notice,
    src: Addr,
    dst: Addr,
    protocol: u8,
    segment: &[u8],
) -> Result<Message<'_>, DropReason> {
    if protocol != PROTOCOL_TCP {
        return Ok(Message::Other);
    }
    let Some(&[s0, s1, d0, d1, q0, q1, q2, q3]) = segment.first_chunk() else {
        return Err(DropReason::BadIcmp);
    };
    Ok(Message::TcpError {
        notice,
        src,
        src_port: u16::from_be_bytes([s0, s1]),
        dst,
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: Seq::new(u32::from_be_bytes([q0, q1, q2, q3])),
    })
}

fn sum_v6(src: Addr, dst: Addr, len: usize) -> Sum {
    Sum::pseudo(src, dst, PROTOCOL_ICMP_V6, u32::try_from(len).unwrap_or(u32::MAX))
}

/// The first 4 octets of an ICMPv4 echo reply; `body` follows them as it came in the request (RFC 792).
pub fn echo_reply_v4(body: &[u8]) -> [u8; 4] {
    let [c0, c1] = Sum::new().add(body).finish().to_be_bytes();
    [0, 0, c0, c1]
}

/// The first 4 octets of an ICMPv6 echo reply from `src` to `dst`; `body` follows them as it came in the request (RFC 4443 4.2).
pub fn echo_reply_v6(src: Addr, dst: Addr, body: &[u8]) -> [u8; 4] {
    let sum = sum_v6(src, dst, body.len().saturating_add(4)).add(&[129, 0]).add(body);
    let [c0, c1] = sum.finish().to_be_bytes();
    [129, 0, c0, c1]
}

/// What a host does not have, in an error that it sends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No protocol of the packet's number (RFC 1122 3.2.2.1).
    Protocol {
        /// Where the packet names the protocol, in octets from its start ([`crate::ipv6::Packet::protocol_at`]);
        /// ICMPv4 does not say it.
        at: u16,
    },
    /// Nobody at the port.
    Port,
}

/// The first 8 octets of an ICMPv4 destination unreachable, 3/2 or 3/3; `quoted`, the start of the offending packet
/// (at most [`QUOTE_V4`] octets), follows them.
pub fn unreachable_v4(missing: Missing, quoted: &[u8]) -> [u8; 8] {
    let code = match missing {
        Missing::Protocol { .. } => 2,
        Missing::Port => 3,
    };
    let [c0, c1] = Sum::new().add(&[3, code]).add(quoted).finish().to_be_bytes();
    [3, code, c0, c1, 0, 0, 0, 0]
}

/// The first 8 octets of an ICMPv6 error from `src` to `dst`: parameter problem 4/1 for a protocol, destination
/// unreachable 1/4 for a port (RFC 4443 3.1, 3.4); `quoted`, the start of the offending packet (at most
/// [`QUOTE_V6`] octets), follows them.
pub fn unreachable_v6(src: Addr, dst: Addr, missing: Missing, quoted: &[u8]) -> [u8; 8] {
    let (kind, code, at) = match missing {
        Missing::Protocol { at } => (4, 1, at),
        Missing::Port => (1, 4, 0),
    };
    let [p0, p1] = at.to_be_bytes();
    let sum = sum_v6(src, dst, quoted.len().saturating_add(8)).add(&[kind, code, p0, p1]).add(quoted);
    let [c0, c1] = sum.finish().to_be_bytes();
    [kind, code, c0, c1, 0, 0, p0, p1]
}

#[cfg(test)]
mod tests;
