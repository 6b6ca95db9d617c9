//! A segment becomes an IP packet: headers on the stack, text where it lies.

use synfin_link::{Caps, Gso, TxChecksum, TxMeta, TxSink};
use synfin_tcp::TxLimits;
use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Head, Tuple, ipv4, ipv6};

use core::num::NonZeroU16;

use synfin_tcp::bytes::CHUNK;

/// Longest IP packet that either version's length field can name.
const MAX_PACKET: usize = 65_535;
/// Slices of the longest text: each chunk of the send buffer is one, and the first and last may be parts.
pub(crate) const MAX_SLICES: usize = MAX_PACKET / CHUNK + 3;

const MAX_HEAD: usize = ipv6::Head::LEN + Head::MAX_LEN;
const TCP: u8 = 6;
/// Where the checksum stands in a TCP header.
const CHECKSUM_AT: u16 = 16;

/// Octets of the IP header towards this address; we send no options and no extension headers.
pub(crate) fn header_len(to: Addr) -> u16 {
    (if to.is_v4() { ipv4::Head::LEN } else { ipv6::Head::LEN }) as u16
}

/// What a device lets one segment be.
pub(crate) fn limits(caps: &Caps, to: Addr) -> TxLimits {
    let ip = header_len(to);
    let longest = caps.max_gso.min(MAX_PACKET as u32);
    TxLimits {
        mtu_payload: caps.mtu.saturating_sub(ip),
        max_gso: longest.saturating_sub(u32::from(ip) + Head::MAX_LEN as u32),
    }
}

/// The largest MSS that our side takes (RFC 9293 MUST-67, RFC 6691): the MTU less fixed headers.
pub(crate) fn our_mss(caps: &Caps, to: Addr) -> u16 {
    caps.mtu.saturating_sub(header_len(to) + 20)
}

/// What stands in the IP header beside addresses and lengths.
#[derive(Copy, Clone, Debug)]
pub(crate) struct IpFields {
    /// Time to live or hop limit.
    pub(crate) ttl: u8,
    /// Traffic class.
    pub(crate) tos: u8,
    /// IPv6 flow label.
    pub(crate) flow: u32,
}

/// An IP header in front of `len` octets, at the start of `out`; returns its length.
#[inline]
fn emit_ip(out: &mut [u8; MAX_HEAD], src: Addr, dst: Addr, protocol: u8, ip: IpFields, len: u16) -> usize {
    if dst.is_v4() {
        let head = ipv4::Head { src, dst, protocol, ttl: ip.ttl, tos: ip.tos };
        put(out, head.emit(len))
    } else {
        let head = ipv6::Head { src, dst, protocol, hop_limit: ip.ttl, traffic_class: ip.tos, flow: ip.flow };
        put(out, head.emit(len))
    }
}

/// Copies a header to the start; returns its length.
#[inline]
fn put<const N: usize>(out: &mut [u8; MAX_HEAD], head: [u8; N]) -> usize {
    if let Some(place) = out.first_chunk_mut() {
        *place = head;
    }
    N
}

/// Sends a segment; `text` are its slices, `gso` the octets of text in each part that the device has to make of it
/// (0: none).
pub(crate) fn send_tcp(
    sink: &mut dyn TxSink,
    caps: &Caps,
    tuple: &Tuple,
    head: &Head,
    ip: IpFields,
    text: &[&[u8]],
    gso: u16,
) {
    let mut out = [0; MAX_HEAD];
    let start = usize::from(header_len(tuple.remote.addr));
    let Some(place) = out.get_mut(start..).and_then(|t| t.first_chunk_mut()) else { return };
    let tcp_len = head.emit(Ports { src: tuple.local.port, dst: tuple.remote.port }, place);
    let Some(tcp) = place.get_mut(..tcp_len) else { return };
    let len = tcp_len + text.iter().map(|t| t.len()).sum::<usize>();
    let sum = Sum::pseudo(tuple.local.addr, tuple.remote.addr, TCP, len as u32);
    // The header has an even length, so the text's sum can follow it.
    let field = if caps.tx_checksum { sum.partial() } else { sum.add(tcp).add_all(text).finish() };
    if let Some(place) = tcp.get_mut(usize::from(CHECKSUM_AT)..).and_then(|t| t.first_chunk_mut()) {
        *place = field.to_be_bytes();
    }
    emit_ip(&mut out, tuple.local.addr, tuple.remote.addr, TCP, ip, len as u16);
    let checksum = caps.tx_checksum.then_some(TxChecksum { start: start as u16, offset: CHECKSUM_AT });
    let gso = NonZeroU16::new(gso).map(|size| Gso { size });
    sink.push(out.get(..start + tcp_len).unwrap_or_default(), text, TxMeta { checksum, gso });
}

/// Sends a whole ICMP message.
pub(crate) fn send_icmp(sink: &mut dyn TxSink, src: Addr, dst: Addr, ttl: u8, message: &[u8]) {
    let protocol = if dst.is_v4() { 1 } else { 58 };
    let mut out = [0; MAX_HEAD];
    let ip = IpFields { ttl, tos: 0, flow: 0 };
    let end = emit_ip(&mut out, src, dst, protocol, ip, message.len() as u16);
    sink.push(out.get(..end).unwrap_or_default(), &[message], TxMeta::default());
}
