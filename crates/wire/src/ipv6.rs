//! IPv6 headers and extension headers (RFC 8200).

use crate::{Addr, DropReason};

/// The fragment header's facts (RFC 8200 4.5).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification.
    pub id: u32,
    /// Offset in octets.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
}

/// A checked view of one IPv6 packet behind its extension headers.
#[derive(Copy, Clone, Debug)]
pub struct Packet<'a> {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol of `payload`: the last next-header value of the chain.
    pub protocol: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// The fragment header, if the chain had one; `payload` is then what follows it.
    pub fragment: Option<Fragment>,
    /// What follows the chain.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks lengths and walks the extension headers (at most 8, at most 256 octets; a routing header with segments left is refused).
    ///
    /// # Errors
    /// `Truncated`, `BadIpHeader` or `BadExtensionHeader`.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, DropReason> {
        todo!("{bytes:?}")
    }
}

/// Header fields of a packet to be sent; no extension headers.
#[derive(Copy, Clone, Debug)]
pub struct Head {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Next header.
    pub protocol: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow: u32,
}

impl Head {
    /// Octets of the header.
    pub const LEN: usize = 40;

    /// The header for a payload of `payload_len` octets.
    pub fn emit(&self, payload_len: u16) -> [u8; Head::LEN] {
        todo!("{payload_len}")
    }
}
