//! The Internet checksum (RFC 1071), folded from wide sums.

use crate::Addr;

/// A running one's-complement sum over 16-bit big-endian words.
///
/// Parts may be added in any order as long as each but the last has even length; [`Sum::add_all`] takes any lengths.
///
/// Inside, words are summed in the machine's byte order and swapped once at the end (RFC 1071 2(B)).
#[derive(Copy, Clone, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Sum(0)
    }

    /// The sum of the TCP or ICMPv6 pseudo-header (RFC 9293 3.1, RFC 8200 8.1); `len` is the length of the upper-layer packet.
    #[inline]
    pub fn pseudo(src: Addr, dst: Addr, protocol: u8, len: u32) -> Self {
        // The prefix of an IPv4-mapped address is a single word 0xffff, which is zero in one's-complement
        // arithmetic: both IP versions take the same way.
        let [a, b] = words(src.octets());
        let [c, d] = words(dst.octets());
        let rest = u64::from(u16::from_ne_bytes([0, protocol])) + u64::from(len.to_be());
        Sum(a + b + c + d + rest)
    }

    /// Adds octets that start at an even position of the packet.
    #[expect(
        clippy::should_implement_trait,
        reason = "the right side is octets, not a sum; `add` is the plain word"
    )]
    #[inline]
    #[must_use]
    pub fn add(self, bytes: &[u8]) -> Self {
        Sum(wrap(self.0 + raw_sum(bytes)))
    }

    /// Adds an IPv4 header without options.
    #[inline]
    #[must_use]
    pub(crate) fn add_header(self, header: &[u8; 20]) -> Self {
        let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = header;
        let words = wrap(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
            + wrap(u64::from_ne_bytes([i, j, k, l, m, n, o, p]))
            + u64::from(u32::from_ne_bytes([q, r, s, t]));
        Sum(wrap(self.0 + words))
    }

    /// Adds the slices of a packet one after another, whatever their lengths.
    #[must_use]
    pub fn add_all(self, parts: &[&[u8]]) -> Self {
        let (mut sum, mut odd) = (self.0, false);
        for part in parts {
            let s = raw_sum(part);
            // Starting in the middle of a word swaps the halves of every word (RFC 1071 2(B)).
            sum = wrap(sum + if odd { u64::from(fold(s).swap_bytes()) } else { s });
            odd ^= part.len() % 2 == 1;
        }
        Sum(sum)
    }

    /// The checksum field: the complement of the folded sum. Over a packet that carries its checksum: 0 if it is right.
    #[inline]
    pub fn finish(self) -> u16 {
        !self.partial()
    }

    /// The folded sum, not complemented: what a device with checksum offload expects in the field.
    #[inline]
    pub fn partial(self) -> u16 {
        u16::from_be(fold(self.0))
    }
}

/// The two halves of a word, added: the same number modulo 2^16 - 1 (and modulo 2^32 - 1), far from overflow.
#[inline]
const fn wrap(sum: u64) -> u64 {
    (sum & 0xffff_ffff) + (sum >> 32)
}

/// The sum in 16 bits; zero only for a sum of nothing but zeros.
#[inline]
const fn fold(sum: u64) -> u16 {
    let s = wrap(wrap(sum));
    let s = (s & 0xffff) + (s >> 16);
    let s = (s & 0xffff) + (s >> 16);
    ((s & 0xffff) + (s >> 16)) as u16
}

/// Eight octets each, wrapped to less than 2^33.
#[inline]
fn words(octets: &[u8; 16]) -> [u64; 2] {
    let mut out = [0; 2];
    for (o, w) in out.iter_mut().zip(octets.as_chunks::<8>().0) {
        *o = wrap(u64::from_ne_bytes(*w));
    }
    out
}

/// The sum of the slice's words in the machine's byte order, the last octet padded with zero. Less than 2^63 for
/// any slice that fits in memory: the lanes add at most 2^33 for each 8 octets.
#[inline]
fn raw_sum(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut sum = 0;
    if !blocks.is_empty() {
        // Independent lanes, so that the compiler can use vector registers. The lower halves need no sum of their own:
        // they are what the upper halves leave of the sum of whole words, in which overflow does not matter.
        let (mut whole, mut upper) = ([0u64; 4], [0u64; 4]);
        for block in blocks {
            let lanes = whole.iter_mut().zip(&mut upper);
            for ((whole, upper), w) in lanes.zip(block.as_chunks::<8>().0) {
                let w = u64::from_ne_bytes(*w);
                *whole = whole.wrapping_add(w);
                *upper += w >> 32;
            }
        }
        let lanes = whole.into_iter().zip(upper);
        sum = lanes.map(|(whole, upper)| wrap(whole.wrapping_sub(upper << 32)) + wrap(upper)).sum();
    }
    let (rest, mut tail) = rest.as_chunks::<8>();
    for w in rest {
        sum += wrap(u64::from_ne_bytes(*w));
    }
    if let Some((w, rest)) = tail.split_first_chunk() {
        sum += u64::from(u32::from_ne_bytes(*w));
        tail = rest;
    }
    if let Some((w, rest)) = tail.split_first_chunk() {
        sum += u64::from(u16::from_ne_bytes(*w));
        tail = rest;
    }
    if let [last] = tail {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    wrap(sum)
}

#[cfg(test)]
mod tests;
