//! Packets on their way out. A script may expect as one packet what a device with segmentation offload would get as one;
//! the original program then fetches segments until there is enough text, and takes the flags of the last one. Linux sets
//! PSH on everything that is larger than a segment, so segments that are fetched for the same line carry it here.

use synfin_wire::{Flags, Tuple, ipv4, ipv6};

const TCP: u8 = 6;

/// The end of the segment that was fetched last, as long as nothing else was asked for since.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Last {
    tuple: Tuple,
    end: u32,
}

/// Marks a packet that goes on where the last one that was fetched ended.
pub(crate) fn hand_out(packet: &mut [u8], last: Option<Last>) -> Option<Last> {
    let (at, tuple) = segment(packet)?;
    let tcp = packet.get_mut(at..)?;
    let seq = u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?);
    let head = usize::from(tcp.get(12)? >> 4) * 4;
    let text = u32::try_from(tcp.len().checked_sub(head)?).ok()?;
    if text == 0 {
        return None;
    }
    if last == Some(Last { tuple, end: seq }) {
        push(tcp);
    }
    Some(Last { tuple, end: seq.wrapping_add(text) })
}

/// Where the segment begins, and whose it is.
fn segment(packet: &[u8]) -> Option<(usize, Tuple)> {
    let (src, dst, protocol, payload) = if packet.first()? >> 4 == 4 {
        let p = ipv4::Packet::parse(packet).ok()?;
        (p.src, p.dst, p.protocol, p.payload)
    } else {
        let p = ipv6::Packet::parse(packet).ok()?;
        (p.src, p.dst, p.protocol, p.payload)
    };
    let &[s0, s1, d0, d1, ..] = payload else { return None };
    let endpoint = |addr, hi, lo| synfin_wire::Endpoint::new(addr, u16::from_be_bytes([hi, lo]));
    let tuple = Tuple { local: endpoint(src, s0, s1), remote: endpoint(dst, d0, d1) };
    // The stack's packets end with their payload.
    (protocol == TCP).then_some((packet.len() - payload.len(), tuple))
}

/// Sets PSH and keeps the checksum right (RFC 1624 3: HC' = ~(~HC + ~m + m')).
fn push(tcp: &mut [u8]) {
    let Some(head) = tcp.first_chunk_mut::<20>() else { return };
    let old = u16::from_be_bytes([head[12], head[13]]);
    let new = old | Flags::PSH.0;
    let sum = u16::from_be_bytes([head[16], head[17]]);
    let total = u32::from(!sum) + u32::from(!old) + u32::from(new);
    let folded = (total & 0xffff) + (total >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    [head[12], head[13]] = new.to_be_bytes();
    [head[16], head[17]] = (!(folded as u16)).to_be_bytes();
}

#[cfg(test)]
mod tests;
