//! Bytes to a validated segment (RFC 9293 3.1, 3.2).

use core::num::NonZeroU16;

use super::options::{OptionsIn, Timestamps};
use super::{Control, Flags};
use crate::{DropReason, Seq};

/// The two ports of a segment, as they stand in its header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Ports {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
}

/// A received segment whose header was found consistent. Its checksum is somebody else's fact.
#[derive(Copy, Clone, Debug, Default)]
pub struct Segment<'a> {
    /// SEG.SEQ
    pub seq: Seq,
    /// SEG.ACK; `None` without the ACK bit.
    pub ack: Option<Seq>,
    /// SEG.WND as on the wire, unscaled.
    pub wnd: u16,
    /// SYN, FIN, RST or none.
    pub ctl: Control,
    /// PSH bit.
    pub psh: bool,
    /// SEG.UP, an offset from `seq`; `None` without the URG bit.
    pub urg: Option<u16>,
    /// Every flag as it arrived.
    pub flags: Flags,
    /// Options by kind.
    pub opts: OptionsIn<'a>,
    /// Text.
    pub payload: &'a [u8],
    /// Text octets of each segment that was merged into this one on receive (the last may be shorter);
    /// `None` if this is a single segment.
    pub gro: Option<NonZeroU16>,
}

impl<'a> Segment<'a> {
    /// SEG.LEN: text octets plus one each for SYN and FIN.
    #[inline]
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32 + self.ctl.syn() as u32 + self.ctl.fin() as u32
    }

    /// Number of segments that travelled: more than one if merged on receive.
    #[inline]
    pub fn count(&self) -> u32 {
        match self.gro {
            Some(size) => (self.payload.len() as u32).div_ceil(size.get() as u32).max(1),
            None => 1,
        }
    }

    /// Reads a segment from the IP payload.
    ///
    /// Options are read up to the first malformed one; what was found by then is used (RFC 9293 MUST-7 asks to cope).
    /// The checksum is not looked at.
    ///
    /// # Errors
    /// [`DropReason::Truncated`] or [`DropReason::BadTcpHeader`] if data offset and length contradict each other.
    // For every segment, at one place: as a call of its own it would write its result to memory for the caller to read
    // back at once.
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<(Ports, Segment<'a>), DropReason> {
        let Some((head, rest)) = bytes.split_first_chunk::<20>() else { return Err(DropReason::Truncated) };
        let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, off, fl, w0, w1, _, _, u0, u1] = head;
        // RFC 9293 3.1: at least the fixed header, at most the segment.
        let options_len = usize::from(off >> 4).checked_sub(5).map(|words| words * 4);
        let Some((options, payload)) = options_len.and_then(|n| rest.split_at_checked(n)) else {
            return Err(DropReason::BadTcpHeader);
        };
        let flags = Flags(u16::from(fl) | (u16::from(off & 1) << 8));
        let ctl = if flags.has(Flags::RST) {
            Control::Rst
        } else {
            match (flags.has(Flags::SYN), flags.has(Flags::FIN)) {
                (false, false) => Control::None,
                (true, false) => Control::Syn,
                (false, true) => Control::Fin,
                (true, true) => Control::SynFin,
            }
        };
        let seg = Segment {
            seq: Seq::new(u32::from_be_bytes([q0, q1, q2, q3])),
            ack: flags.has(Flags::ACK).then(|| Seq::new(u32::from_be_bytes([a0, a1, a2, a3]))),
            wnd: u16::from_be_bytes([w0, w1]),
            ctl,
            psh: flags.has(Flags::PSH),
            urg: flags.has(Flags::URG).then(|| u16::from_be_bytes([u0, u1])),
            flags,
            opts: if options.is_empty() { OptionsIn::default() } else { OptionsIn::parse(options) },
            payload,
            gro: None,
        };
        Ok((Ports { src: u16::from_be_bytes([s0, s1]), dst: u16::from_be_bytes([d0, d1]) }, seg))
    }
}

impl<'a> OptionsIn<'a> {
    /// Reads an option area; stops at EOL or at the first malformed option. Never fails, never loops.
    pub fn parse(mut area: &'a [u8]) -> OptionsIn<'a> {
        let mut found = OptionsIn::default();
        // The layout that nearly every segment of an open connection has (RFC 7323 appendix A).
        if let &[1, 1, 8, 10, a, b, c, d, e, f, g, h] = area {
            let (val, ecr) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            found.ts = Some(Timestamps { val, ecr });
            return found;
        }
        loop {
            area = match area {
                [] | [0, ..] => return found,
                [1, rest @ ..] => rest,
                [kind, len, rest @ ..] => {
                    let Some((body, next)) =
                        usize::from(*len).checked_sub(2).and_then(|n| rest.split_at_checked(n))
                    else {
                        return found;
                    };
                    if !found.take(*kind, body) {
                        return found;
                    }
                    next
                }
                [_] => return found,
            };
        }
    }

    /// Stores one option; `false` if its length is wrong for its kind.
    fn take(&mut self, kind: u8, body: &'a [u8]) -> bool {
        match (kind, body) {
            (2, &[a, b]) => {
                self.mss.get_or_insert(u16::from_be_bytes([a, b]));
            }
            (3, &[shift]) => {
                self.wscale.get_or_insert(shift);
            }
            (4, []) => self.sack_permitted = true,
            (5, blocks) if blocks.len().is_multiple_of(8) && !blocks.is_empty() => {
                self.sack = if self.sack.is_empty() { blocks } else { self.sack };
            }
            (8, &[a, b, c, d, e, f, g, h]) => {
                let (val, ecr) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
                self.ts.get_or_insert(Timestamps { val, ecr });
            }
            (2..=5 | 8, _) => return false,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests;
