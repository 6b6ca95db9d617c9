//! IPv4 headers (RFC 791).

use crate::{Addr, DropReason};

/// A checked view of one IPv4 packet.
#[derive(Copy, Clone, Debug)]
pub struct Packet<'a> {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// DSCP and ECN octet.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Fragment offset in octets.
    pub frag_offset: u16,
    /// More fragments follow.
    pub more_fragments: bool,
    /// Don't fragment.
    pub dont_fragment: bool,
    /// The header with its options, as it arrived (ICMP errors quote it).
    pub header: &'a [u8],
    /// What the header's total length leaves.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks version, lengths, header checksum and options; octets behind the total length are cut off.
    ///
    /// # Errors
    /// `Truncated`, `BadIpHeader`, `BadIpChecksum` or `SourceRoute`.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, DropReason> {
        todo!("{bytes:?}")
    }
}

/// Header fields of a packet to be sent. No options, never fragmented: DF set, identification 0 (RFC 6864 4.1).
#[derive(Copy, Clone, Debug)]
pub struct Head {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// DSCP and ECN octet.
    pub tos: u8,
}

impl Head {
    /// Octets of the header.
    pub const LEN: usize = 20;

    /// The header, checksum included, for a payload of `payload_len` octets (at most 65,515).
    pub fn emit(&self, payload_len: u16) -> [u8; Head::LEN] {
        todo!("{payload_len}")
    }
}
