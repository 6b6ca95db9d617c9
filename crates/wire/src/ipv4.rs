//! IPv4 headers (RFC 791).

use crate::checksum::Sum;
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
    /// Checks version, lengths, header checksum, options and the shape of a fragment; octets behind the total length are cut off.
    ///
    /// # Errors
    /// `Truncated`, `BadIpHeader`, `BadIpChecksum`, `SourceRoute` or `BadFragment`.
    // For every segment, at one place: as a call of its own it would write its result to memory for the caller to read
    // back at once.
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, DropReason> {
        let (fixed, header_len) = fixed(bytes)?;
        let &[_, tos, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = fixed;
        let total = usize::from(u16::from_be_bytes([l0, l1]));
        if total < header_len {
            return Err(DropReason::BadIpHeader);
        }
        let packet = bytes.get(..total).ok_or(DropReason::Truncated)?;
        let (header, payload) = packet.split_at_checked(header_len).ok_or(DropReason::BadIpHeader)?;
        // RFC 1122 3.2.1.2: verify the checksum of every datagram.
        let options = header.get(Head::LEN..).unwrap_or_default();
        let sum = Sum::new().add_header(fixed);
        let sum = if options.is_empty() { sum } else { sum.add(options) };
        if sum.finish() != 0 {
            return Err(DropReason::BadIpChecksum);
        }
        if !options.is_empty() {
            check_options(options)?;
        }
        let flags = u16::from_be_bytes([f0, f1]);
        let frag_offset = (flags & 0x1fff) * 8;
        let more_fragments = flags & 0x2000 != 0;
        if (more_fragments || frag_offset > 0)
            && !fragment_fits(frag_offset, more_fragments, payload.len(), header_len)
        {
            return Err(DropReason::BadFragment);
        }
        Ok(Packet {
            src: Addr::v4([s0, s1, s2, s3]),
            dst: Addr::v4([d0, d1, d2, d3]),
            protocol,
            ttl,
            tos,
            id: u16::from_be_bytes([i0, i1]),
            frag_offset,
            more_fragments,
            dont_fragment: flags & 0x4000 != 0,
            header,
            payload,
        })
    }
}

/// The fixed part of a header and the length that it claims with options; the options need not be there.
pub(crate) fn fixed(bytes: &[u8]) -> Result<(&[u8; Head::LEN], usize), DropReason> {
    let &[first, ..] = bytes else { return Err(DropReason::Truncated) };
    let header_len = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_len < Head::LEN {
        return Err(DropReason::BadIpHeader);
    }
    Ok((bytes.first_chunk().ok_or(DropReason::Truncated)?, header_len))
}

/// Whether a fragment can be part of a datagram: it holds something, all but the last hold whole units of 8 octets
/// (RFC 791 3.2), and it ends within the 65,535 octets of the longest datagram.
pub(crate) fn fragment_fits(offset: u16, more: bool, len: usize, header_len: usize) -> bool {
    let end = usize::from(offset).saturating_add(len).saturating_add(header_len);
    len > 0 && (!more || len.is_multiple_of(8)) && end <= usize::from(u16::MAX)
}

/// Walks the options; unknown ones are ignored (RFC 9293 MUST-50).
fn check_options(mut area: &[u8]) -> Result<(), DropReason> {
    loop {
        area = match area {
            // End of option list.
            [] | [0, ..] => return Ok(()),
            // No operation.
            [1, rest @ ..] => rest,
            // Loose and strict source route: never followed (RFC 7126 4.3, 4.4).
            [131 | 137, ..] => return Err(DropReason::SourceRoute),
            [_, len, rest @ ..] => {
                let body = usize::from(*len).checked_sub(2).and_then(|n| rest.split_at_checked(n));
                body.ok_or(DropReason::BadIpHeader)?.1
            }
            [_] => return Err(DropReason::BadIpHeader),
        };
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
    #[inline]
    pub fn emit(&self, payload_len: u16) -> [u8; Head::LEN] {
        let [l0, l1] = payload_len.saturating_add(Head::LEN as u16).to_be_bytes();
        let &[.., s0, s1, s2, s3] = self.src.octets();
        let &[.., d0, d1, d2, d3] = self.dst.octets();
        let head = |c0, c1| {
            [
                0x45,
                self.tos,
                l0,
                l1,
                0,
                0,
                0x40,
                0,
                self.ttl,
                self.protocol,
                c0,
                c1,
                s0,
                s1,
                s2,
                s3,
                d0,
                d1,
                d2,
                d3,
            ]
        };
        let [c0, c1] = Sum::new().add_header(&head(0, 0)).finish().to_be_bytes();
        head(c0, c1)
    }
}

#[cfg(test)]
mod tests;
