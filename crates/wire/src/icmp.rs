//! ICMP (RFC 792, 1191) and ICMPv6 (RFC 4443) messages that a TCP host needs.

use crate::{Addr, DropReason, Seq};

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

impl<'a> Message<'a> {
    /// Reads an ICMPv4 message, checksum included.
    ///
    /// # Errors
    /// `BadIcmp`.
    pub fn parse_v4(bytes: &'a [u8]) -> Result<Message<'a>, DropReason> {
        todo!("{bytes:?}")
    }

    /// Reads an ICMPv6 message, checksum with pseudo-header included.
    ///
    /// # Errors
    /// `BadIcmp`.
    pub fn parse_v6(src: Addr, dst: Addr, bytes: &'a [u8]) -> Result<Message<'a>, DropReason> {
        todo!("{src} {dst} {bytes:?}")
    }
}
