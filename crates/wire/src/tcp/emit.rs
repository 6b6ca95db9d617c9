//! A segment's header to bytes. Text stays where it is.

use super::options::{OptionsOut, SackBlock};
use super::{Flags, Ports};
use crate::Seq;

/// The header of a segment to be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// SEG.SEQ
    pub seq: Seq,
    /// SEG.ACK; sets the ACK bit.
    pub ack: Option<Seq>,
    /// SEG.WND as on the wire, already scaled.
    pub wnd: u16,
    /// Flags other than ACK and URG, which follow from `ack` and `urg`.
    pub flags: Flags,
    /// SEG.UP as an offset from `seq`; sets the URG bit.
    pub urg: Option<u16>,
    /// Options.
    pub opts: OptionsOut,
}

impl Head {
    /// Longest header: 20 octets and 40 of options.
    pub const MAX_LEN: usize = 60;

    /// Octets of the header with its options, a multiple of 4.
    pub fn len(&self) -> usize {
        20 + self.opts.len()
    }

    /// Never: a header has at least 20 octets.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// All flags as they will stand in the header.
    pub fn all_flags(&self) -> Flags {
        let mut f = self.flags;
        if self.ack.is_some() {
            f = f.with(Flags::ACK);
        }
        if self.urg.is_some() {
            f = f.with(Flags::URG);
        }
        f
    }

    /// Writes the header with a zero checksum field and returns its length.
    pub fn emit(&self, ports: Ports, out: &mut [u8; Head::MAX_LEN]) -> usize {
        let len = self.len();
        let flags = self.all_flags().0;
        let (sp, dp) = (ports.src.to_be_bytes(), ports.dst.to_be_bytes());
        let (seq, ack) = (self.seq.raw().to_be_bytes(), self.ack.map_or(0, Seq::raw).to_be_bytes());
        let (wnd, up) = (self.wnd.to_be_bytes(), self.urg.unwrap_or(0).to_be_bytes());
        let [fixed, options @ ..] = out.as_chunks_mut::<20>().0 else { return 0 };
        let off = ((len / 4) as u8) << 4 | (flags >> 8) as u8 & 1;
        *fixed = [
            sp[0],
            sp[1],
            dp[0],
            dp[1],
            seq[0],
            seq[1],
            seq[2],
            seq[3],
            ack[0],
            ack[1],
            ack[2],
            ack[3],
            off,
            flags as u8,
            wnd[0],
            wnd[1],
            0,
            0,
            up[0],
            up[1],
        ];
        self.opts.emit(options.as_flattened_mut());
        len
    }
}

impl OptionsOut {
    /// SACK blocks that fit beside the other options (RFC 2018 3: 40 octets in all).
    fn sack_fit(&self) -> usize {
        let room = 40 - self.fixed_len();
        usize::from(self.sack_len).min(4).min(room.saturating_sub(4) / 8)
    }

    /// Octets of the options other than SACK, padded to 4.
    fn fixed_len(&self) -> usize {
        // MSS 4, window scale 3 + 1, timestamps 10 + 2; SACK permitted shares the padding of timestamps.
        let sp = if self.sack_permitted && self.ts.is_none() { 4 } else { 0 };
        4 * usize::from(self.mss.is_some())
            + 4 * usize::from(self.wscale.is_some())
            + 12 * usize::from(self.ts.is_some())
            + sp
    }

    /// Octets of all options, a multiple of 4, at most 40.
    pub fn len(&self) -> usize {
        let blocks = self.sack_fit();
        self.fixed_len() + if blocks > 0 { 4 + 8 * blocks } else { 0 }
    }

    /// Whether no option is set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the options to the start of `out`.
    fn emit(&self, out: &mut [u8]) {
        let blocks = self.sack_fit();
        let mut w = Writer(out);
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            w.put(&[2, 4, a, b]);
        }
        if let Some(ts) = self.ts {
            w.put(if self.sack_permitted { &[4, 2, 8, 10] } else { &[1, 1, 8, 10] });
            w.put(&ts.val.to_be_bytes());
            w.put(&ts.ecr.to_be_bytes());
        } else if self.sack_permitted {
            w.put(&[1, 1, 4, 2]);
        }
        if let Some(shift) = self.wscale {
            w.put(&[1, 3, 3, shift]);
        }
        if blocks > 0 {
            w.put(&[1, 1, 5, 2 + 8 * blocks as u8]);
            for SackBlock { left, right } in self.sack.iter().take(blocks) {
                w.put(&left.raw().to_be_bytes());
                w.put(&right.raw().to_be_bytes());
            }
        }
    }
}

/// Fills a slice from the front; what does not fit is cut (lengths were computed before).
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let out = core::mem::take(&mut self.0);
        if let Some((now, later)) = out.split_at_mut_checked(bytes.len()) {
            now.copy_from_slice(bytes);
            self.0 = later;
        }
    }
}

#[cfg(test)]
mod tests;
