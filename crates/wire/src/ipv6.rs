//! IPv6 headers and extension headers (RFC 8200).

use crate::ipv4::fragment_fits;
use crate::{Addr, DropReason};

/// Most extension headers that are walked.
const MAX_HEADERS: usize = 8;
/// Most octets of extension headers that are walked.
const MAX_CHAIN: usize = 256;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

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
    /// The fragment header, if this is a part of a datagram; `payload` is then what follows it, and `protocol` may
    /// be another extension header ([`upper_layer`] goes on once the datagram is whole). `None` for an atomic
    /// fragment (RFC 6946): it is whole, and its chain was walked to the end.
    pub fragment: Option<Fragment>,
    /// Where `protocol` stands, in octets from the start of the packet (an ICMPv6 parameter problem points there).
    pub protocol_at: u16,
    /// What follows the chain.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks lengths and walks the extension headers (at most 8, at most 256 octets; a routing header with segments left is refused).
    ///
    /// # Errors
    /// `Truncated`, `BadIpHeader`, `BadExtensionHeader` or `BadFragment`; `MartianSource` or `NotOurs` for an
    /// IPv4-mapped source or destination, which must not be taken for IPv4's.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, DropReason> {
        let Fixed { src, dst, next, hop_limit, traffic_class, payload_len, rest } = Fixed::parse(bytes)?;
        if src.is_v4() {
            return Err(DropReason::MartianSource);
        }
        if dst.is_v4() {
            return Err(DropReason::NotOurs);
        }
        // A length of 0 belongs to jumbograms (RFC 2675), which are not for us, or to a packet without content.
        if payload_len == 0 {
            return Err(DropReason::BadIpHeader);
        }
        let rest = rest.get(..usize::from(payload_len)).ok_or(DropReason::Truncated)?;
        let mut chain = Chain { next, next_at: 6, rest, headers: 0, used: 0, fragments: Fragments::Allowed };
        let fragment = chain.walk(Place::FixedHeader)?;
        Ok(Packet {
            src,
            dst,
            protocol: chain.next,
            hop_limit,
            traffic_class,
            fragment,
            protocol_at: chain.next_at,
            payload: chain.rest,
        })
    }
}

/// Walks the extension headers of a reassembled datagram, whose first header is of kind `next`. Returns the upper layer's protocol and packet.
///
/// # Errors
/// `Truncated` or `BadExtensionHeader`; a further fragment header is one too many.
pub fn upper_layer(next: u8, bytes: &[u8]) -> Result<(u8, &[u8]), DropReason> {
    let mut chain =
        Chain { next, next_at: 0, rest: bytes, headers: 0, used: 0, fragments: Fragments::Refused };
    chain.walk(Place::Later)?;
    Ok((chain.next, chain.rest))
}

/// The fixed header, its payload length not judged.
pub(crate) struct Fixed<'a> {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) next: u8,
    hop_limit: u8,
    traffic_class: u8,
    payload_len: u16,
    pub(crate) rest: &'a [u8],
}

impl<'a> Fixed<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Fixed<'a>, DropReason> {
        if bytes.first().is_some_and(|first| first >> 4 != 6) {
            return Err(DropReason::BadIpHeader);
        }
        let (head, rest) = bytes.split_first_chunk::<{ Head::LEN }>().ok_or(DropReason::Truncated)?;
        let &[first, second, _, _, l0, l1, next, hop_limit, ref addresses @ ..] = head;
        let [src, dst] = addresses.as_chunks::<16>().0 else { return Err(DropReason::Truncated) };
        Ok(Fixed {
            src: Addr::v6(*src),
            dst: Addr::v6(*dst),
            next,
            hop_limit,
            traffic_class: first << 4 | second >> 4,
            payload_len: u16::from_be_bytes([l0, l1]),
            rest,
        })
    }
}

/// Which header the walk stands behind: hop-by-hop options are only allowed right behind the IPv6 header.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Place {
    FixedHeader,
    Later,
}

/// A walk along the extension headers.
struct Chain<'a> {
    /// Kind of the header at the start of `rest`, and where that is written, in octets from the packet's start.
    next: u8,
    next_at: u16,
    rest: &'a [u8],
    /// Headers and octets walked.
    headers: usize,
    used: usize,
    /// Whether a fragment header may come.
    fragments: Fragments,
}

/// Whether a fragment header may come in a chain: one at most.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Fragments {
    Allowed,
    Refused,
}

impl<'a> Chain<'a> {
    /// Goes on to the upper layer's header or to what a fragment header hides. RFC 8200 4: headers in any order
    /// and number are to be coped with; the bounds are ours, against endless chains.
    fn walk(&mut self, mut place: Place) -> Result<Option<Fragment>, DropReason> {
        // Every turn ends the walk or advances, which is bounded.
        loop {
            match self.next {
                HOP_BY_HOP if place == Place::FixedHeader => check_options(self.step()?)?,
                DESTINATION_OPTIONS => check_options(self.step()?)?,
                // RFC 8200 4.4: unknown routing types are skipped when no segments are left; type 0 with
                // segments left is the amplifier that RFC 5095 took out, other types are not ours to route.
                ROUTING => {
                    let [_, 0, ..] = self.step()? else { return Err(DropReason::BadExtensionHeader) };
                }
                FRAGMENT if self.fragments == Fragments::Allowed => {
                    self.fragments = Fragments::Refused;
                    if let Some(fragment) = self.fragment()? {
                        return Ok(Some(fragment));
                    }
                }
                HOP_BY_HOP | FRAGMENT => return Err(DropReason::BadExtensionHeader),
                _ => return Ok(None),
            }
            place = Place::Later;
        }
    }

    /// Takes one header with a length octet off; returns what follows its length octet.
    fn step(&mut self) -> Result<&'a [u8], DropReason> {
        let &[next, units, ..] = self.rest else { return Err(DropReason::Truncated) };
        let header = self.advance(next, 8 + 8 * usize::from(units))?;
        header.get(2..).ok_or(DropReason::Truncated)
    }

    /// Takes `len` octets off.
    fn advance(&mut self, next: u8, len: usize) -> Result<&'a [u8], DropReason> {
        self.headers += 1;
        self.used += len;
        if self.headers > MAX_HEADERS || self.used > MAX_CHAIN {
            return Err(DropReason::BadExtensionHeader);
        }
        let (header, rest) = self.rest.split_at_checked(len).ok_or(DropReason::Truncated)?;
        self.next = next;
        // `used` is at most 256 here.
        self.next_at = (Head::LEN + self.used - len) as u16;
        self.rest = rest;
        Ok(header)
    }

    /// Takes a fragment header off; `None` if the fragment is the whole datagram (RFC 6946).
    fn fragment(&mut self) -> Result<Option<Fragment>, DropReason> {
        let Some(&[next, _, o0, o1, i0, i1, i2, i3]) = self.rest.first_chunk() else {
            return Err(DropReason::Truncated);
        };
        self.advance(next, 8)?;
        let word = u16::from_be_bytes([o0, o1]);
        let (offset, more) = (word & 0xfff8, word & 1 != 0);
        if offset == 0 && !more {
            return Ok(None);
        }
        // RFC 8200 4.5: whole units of 8 octets but in the last fragment, 65,535 octets in all.
        if !fragment_fits(offset, more, self.rest.len(), 0) {
            return Err(DropReason::BadFragment);
        }
        Ok(Some(Fragment { id: u32::from_be_bytes([i0, i1, i2, i3]), offset, more }))
    }
}

/// Walks hop-by-hop or destination options. RFC 8200 4.2: an unknown option says in its two highest bits whether
/// it may be skipped. We know none but padding; the jumbo payload (RFC 2675) is among the refused.
fn check_options(mut area: &[u8]) -> Result<(), DropReason> {
    loop {
        area = match area {
            [] => return Ok(()),
            [0, rest @ ..] => rest,
            [kind, len, rest @ ..] if kind >> 6 == 0 => {
                rest.get(usize::from(*len)..).ok_or(DropReason::BadExtensionHeader)?
            }
            _ => return Err(DropReason::BadExtensionHeader),
        };
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
    #[inline]
    pub fn emit(&self, payload_len: u16) -> [u8; Head::LEN] {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow & 0xf_ffff;
        let [v0, v1, v2, v3] = first.to_be_bytes();
        let [l0, l1] = payload_len.to_be_bytes();
        let mut head = [0; Head::LEN];
        head[..8].copy_from_slice(&[v0, v1, v2, v3, l0, l1, self.protocol, self.hop_limit]);
        head[8..24].copy_from_slice(self.src.octets());
        head[24..].copy_from_slice(self.dst.octets());
        head
    }
}

#[cfg(test)]
mod tests;
