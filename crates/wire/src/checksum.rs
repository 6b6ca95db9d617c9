//! The Internet checksum (RFC 1071), folded from wide sums.

use crate::Addr;

/// A running one's-complement sum over 16-bit big-endian words.
///
/// Parts may be added in any order as long as each but the last has even length, or its parity is passed on.
#[derive(Copy, Clone, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The empty sum.
    pub const fn new() -> Self {
        Sum(0)
    }

    /// The sum of the TCP or ICMPv6 pseudo-header (RFC 9293 3.1, RFC 8200 8.1); `len` is the length of the upper-layer packet.
    pub fn pseudo(src: Addr, dst: Addr, protocol: u8, len: u32) -> Self {
        todo!("{src} {dst} {protocol} {len}")
    }

    /// Adds octets that start at an even position of the packet.
    #[must_use]
    pub fn add(self, bytes: &[u8]) -> Self {
        todo!("{bytes:?}")
    }

    /// Adds the slices of a packet one after another, whatever their lengths.
    #[must_use]
    pub fn add_all(self, parts: &[&[u8]]) -> Self {
        todo!("{parts:?}")
    }

    /// The checksum field: the complement of the folded sum.
    pub fn finish(self) -> u16 {
        todo!()
    }

    /// The folded sum, not complemented: what a device with checksum offload expects in the field.
    pub fn partial(self) -> u16 {
        todo!()
    }
}
