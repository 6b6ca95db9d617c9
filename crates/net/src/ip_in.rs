//! An IP packet arrives: is it for us, is it whole, whose is it.

use alloc::vec::Vec;

use synfin_link::{ChecksumFact, RxFrame, RxMeta};
use synfin_wire::icmp::Missing;
use synfin_wire::{Addr, DropReason, Instant, ipv4, ipv6};

use crate::Stack;
use crate::frag::{FragKey, MoreFragments};
use crate::route::Destination;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_V6: u8 = 58;
/// IPv6 "no next header": nothing follows, and nobody misses anything.
const NOTHING: u8 = 59;

/// Which way a packet came.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    /// From the device: anybody may have sent it.
    Device,
    /// We sent it to ourselves.
    Ourselves,
}

/// What an IP packet, or several fragments together, brought.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    /// Where the packet names its protocol.
    pub(crate) protocol_at: u16,
    pub(crate) payload: &'a [u8],
    pub(crate) meta: RxMeta,
    pub(crate) via: Via,
    /// The packet as it came, for ICMP errors to quote; `None` if it was put together from fragments.
    pub(crate) packet: Option<&'a [u8]>,
}

/// A part of a datagram.
struct Fragment<'a> {
    src: Addr,
    dst: Addr,
    protocol: u8,
    id: u32,
    offset: u16,
    more: bool,
    payload: &'a [u8],
}

/// What the IP header says.
enum Ip<'a> {
    Whole(Datagram<'a>),
    Part(Fragment<'a>),
}

impl Stack {
    /// Takes one IP packet.
    pub fn on_packet(&mut self, now: Instant, frame: RxFrame<'_>) {
        self.env.advance(now);
        self.packet_in(frame, Via::Device);
    }

    /// Packets that we sent to ourselves since the last time arrive; their answers wait for the next time.
    pub(crate) fn take_looped(&mut self) {
        for _ in 0..self.looped.len() {
            let Some((packet, meta)) = self.looped.pop() else { return };
            self.packet_in(RxFrame { bytes: &packet, meta }, Via::Ourselves);
            self.looped.recycle(packet);
        }
    }

    fn packet_in(&mut self, frame: RxFrame<'_>, via: Via) {
        if let Err(why) = self.ip_in(frame, via) {
            self.env.counters.count_drop(why);
        }
    }

    // With `parse`: otherwise what the header says goes through memory between the two.
    #[inline(always)]
    fn ip_in(&mut self, frame: RxFrame<'_>, via: Via) -> Result<(), DropReason> {
        match parse(frame, via)? {
            // A connection that the segment belongs to has proved its addresses already.
            Ip::Whole(d) if d.protocol == TCP => self.tcp_in(&d),
            Ip::Whole(d) => {
                self.check_addresses(d.src, d.dst, frame.meta, via)?;
                self.datagram_in(&d)
            }
            Ip::Part(f) => {
                self.check_addresses(f.src, f.dst, frame.meta, via)?;
                let whole = self.fragment_in(&f)?;
                let (protocol, payload) = if f.src.is_v4() {
                    (f.protocol, whole.as_slice())
                } else {
                    ipv6::upper_layer(f.protocol, &whole)?
                };
                // Nobody summed over the whole of it.
                let meta = RxMeta { checksum: ChecksumFact::Unchecked, gro: None, ..frame.meta };
                let Fragment { src, dst, .. } = f;
                self.datagram_in(&Datagram {
                    src,
                    dst,
                    protocol,
                    protocol_at: 0,
                    payload,
                    meta,
                    via,
                    packet: None,
                })
            }
        }
    }

    /// RFC 9293 MUST-57 and MUST-63, RFC 1122 3.2.1.3, 3.3.6: from one host to this one alone.
    pub(crate) fn check_addresses(
        &self,
        src: Addr,
        dst: Addr,
        meta: RxMeta,
        via: Via,
    ) -> Result<(), DropReason> {
        match self.routes.destination(dst) {
            Destination::Ours if meta.link_broadcast => return Err(DropReason::BroadcastDestination),
            Destination::Ours => {}
            Destination::Many => return Err(DropReason::BroadcastDestination),
            Destination::Other => return Err(DropReason::NotOurs),
        }
        // Source and destination equal: TCP says more precisely what is wrong with it.
        if via == Via::Device && src != dst && !self.routes.is_valid_source(src) {
            return Err(DropReason::MartianSource);
        }
        Ok(())
    }

    /// Takes one fragment; returns the datagram's payload once it is whole.
    fn fragment_in(&mut self, f: &Fragment<'_>) -> Result<Vec<u8>, DropReason> {
        check_header_fragment(f)?;
        let key = FragKey { src: f.src, dst: f.dst, protocol: f.protocol, id: f.id };
        let more = if f.more { MoreFragments::Follow } else { MoreFragments::Last };
        let whole = self.fragments.push(self.env.now, key, f.offset, more, f.payload)?;
        whole.ok_or(DropReason::FragmentHeld)
    }

    fn datagram_in(&mut self, d: &Datagram<'_>) -> Result<(), DropReason> {
        match d.protocol {
            TCP => self.tcp_in(d),
            _ if d.via == Via::Device && d.src == d.dst => Err(DropReason::MartianSource),
            ICMP if d.src.is_v4() => self.icmp_in(d),
            ICMP_V6 if !d.src.is_v4() => self.icmp_in(d),
            NOTHING if !d.src.is_v4() => Err(DropReason::UnknownProtocol),
            UDP => {
                self.unreachable(d, Missing::Port);
                Err(DropReason::UnknownProtocol)
            }
            _ => {
                self.unreachable(d, Missing::Protocol { at: d.protocol_at });
                Err(DropReason::UnknownProtocol)
            }
        }
    }
}

// For every packet, at one place.
#[inline(always)]
fn parse(frame: RxFrame<'_>, via: Via) -> Result<Ip<'_>, DropReason> {
    let RxFrame { bytes, meta } = frame;
    let packet = Some(bytes);
    if bytes.first().is_some_and(|first| first >> 4 == 6) {
        let ipv6::Packet { src, dst, protocol, protocol_at, fragment, payload, .. } =
            ipv6::Packet::parse(bytes)?;
        return Ok(match fragment {
            Some(ipv6::Fragment { id, offset, more }) => {
                Ip::Part(Fragment { src, dst, protocol, id, offset, more, payload })
            }
            None => Ip::Whole(Datagram { src, dst, protocol, protocol_at, payload, meta, via, packet }),
        });
    }
    let p = ipv4::Packet::parse(bytes)?;
    let ipv4::Packet { src, dst, protocol, payload, .. } = p;
    if p.more_fragments || p.frag_offset > 0 {
        let (id, offset, more) = (u32::from(p.id), p.frag_offset, p.more_fragments);
        return Ok(Ip::Part(Fragment { src, dst, protocol, id, offset, more, payload }));
    }
    // The protocol's place in an IPv4 header.
    Ok(Ip::Whole(Datagram { src, dst, protocol, protocol_at: 9, payload, meta, via, packet }))
}

/// The first fragment has to hold all headers, and none of them may be overwritten by the second (RFC 1858 4,
/// RFC 3128, RFC 7112 5).
fn check_header_fragment(f: &Fragment<'_>) -> Result<(), DropReason> {
    if f.offset > 0 {
        // Within the TCP header.
        let inside = f.protocol == TCP && f.offset < 20;
        return if inside { Err(DropReason::BadFragment) } else { Ok(()) };
    }
    let (protocol, payload) = if f.src.is_v4() {
        (f.protocol, f.payload)
    } else {
        ipv6::upper_layer(f.protocol, f.payload).map_err(|_| DropReason::BadFragment)?
    };
    let needed = match (protocol, payload) {
        (TCP, [_, _, _, _, _, _, _, _, _, _, _, _, offset, ..]) => usize::from(offset >> 4) * 4,
        (TCP, _) => 20,
        _ => 0,
    };
    if payload.len() < needed { Err(DropReason::BadFragment) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
