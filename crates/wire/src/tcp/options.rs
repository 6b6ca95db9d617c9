//! TCP options: read by kind with bounds (RFC 9293 3.2), written from a closed set.

use crate::Seq;

/// The timestamps option (RFC 7323 3).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub val: u32,
    /// TSecr: the clock value that is echoed.
    pub ecr: u32,
}

/// One block of the SACK option (RFC 2018 3): octets `left..right`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct SackBlock {
    /// First octet.
    pub left: Seq,
    /// One past the last octet.
    pub right: Seq,
}

/// The options of an arriving segment. The first occurrence of each kind counts.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct OptionsIn<'a> {
    /// Maximum segment size (only read on SYN, RFC 9293 MUST-65).
    pub mss: Option<u16>,
    /// Window scale shift as it arrived (only read on SYN), not yet capped at 14.
    pub wscale: Option<u8>,
    /// SACK permitted (only read on SYN).
    pub sack_permitted: bool,
    /// Timestamps.
    pub ts: Option<Timestamps>,
    /// The octets of the SACK blocks, a multiple of 8.
    pub(crate) sack: &'a [u8],
}

/// The SACK blocks of an arriving segment, in order of appearance, unchecked.
#[derive(Clone, Debug)]
pub struct SackIter<'a>(pub(crate) core::slice::ChunksExact<'a, u8>);

impl Iterator for SackIter<'_> {
    type Item = SackBlock;
    fn next(&mut self) -> Option<SackBlock> {
        let &[a, b, c, d, e, f, g, h] = <&[u8; 8]>::try_from(self.0.next()?).ok()?;
        let left = Seq::new(u32::from_be_bytes([a, b, c, d]));
        let right = Seq::new(u32::from_be_bytes([e, f, g, h]));
        Some(SackBlock { left, right })
    }
}

impl<'a> OptionsIn<'a> {
    /// The SACK blocks, in order of appearance, unchecked.
    #[inline]
    pub fn sack(&self) -> SackIter<'a> {
        SackIter(self.sack.chunks_exact(8))
    }

    /// Whether there is at least one SACK block.
    #[inline]
    pub fn has_sack(&self) -> bool {
        !self.sack.is_empty()
    }
}

/// The options of a segment to be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct OptionsOut {
    /// Maximum segment size, on SYN only (RFC 9293 MUST-65).
    pub mss: Option<u16>,
    /// Window scale shift, on SYN only (RFC 7323 2).
    pub wscale: Option<u8>,
    /// SACK permitted, on SYN only (RFC 2018 2).
    pub sack_permitted: bool,
    /// Timestamps (RFC 7323 3).
    pub ts: Option<Timestamps>,
    /// SACK blocks; only the first `sack_len` count.
    pub sack: [SackBlock; 4],
    /// Number of SACK blocks; the emitter takes no more than fit beside the other options.
    pub sack_len: u8,
}
