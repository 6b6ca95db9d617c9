//! The receive side: octets in order for the application, ranges that wait for a gap to fill.

pub(crate) mod pace;
pub mod ranges;

use alloc::boxed::Box;
use alloc::vec::Vec;

use synfin_wire::{SackBlock, Seq};

use crate::Pool;
use crate::bytes::{ByteQueue, Need};
use ranges::Ranges;

/// Most ranges for each chunk of octets: what ranges cost, some 30 octets each, stays below half of what they hold.
pub const RANGES_PER_CHUNK: usize = 64;

/// What a piece of text did to the queue.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Octets by which RCV.NXT moves.
    pub advanced: u32,
    /// Octets held behind a gap.
    pub held: u32,
    /// A gap was filled, wholly or in part.
    pub filled: bool,
    /// Octets that found no memory or no range; the peer will send them again.
    pub refused: u32,
    /// The first part that was held already, as distances from RCV.NXT before.
    pub doubled: Option<(u32, u32)>,
}

/// Received octets between what the application has read and the right edge of the window.
///
/// Offsets count octets of the peer's stream from its beginning; 64 bits never wrap.
#[derive(Clone, Debug, Default)]
pub struct RecvQueue {
    pub(crate) bytes: ByteQueue,
    /// Offset of the first unread octet.
    pub(crate) read: u64,
    /// Offset of RCV.NXT.
    pub(crate) next: u64,
    /// What lies behind a gap; `None` if nothing does.
    pub(crate) ahead: Option<Box<Ahead>>,
}

/// Octets and FIN that arrived ahead of RCV.NXT.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Ahead {
    pub(crate) ranges: Ranges,
    /// Offset of the peer's FIN.
    pub(crate) fin: Option<u64>,
}

impl RecvQueue {
    /// Octets in order that were not read.
    #[inline]
    pub fn readable(&self) -> u32 {
        (self.next - self.read) as u32
    }

    /// Whether octets or a FIN are held behind a gap.
    #[inline]
    pub fn has_gap(&self) -> bool {
        self.ahead.is_some()
    }

    /// The octets held behind a gap, if any are.
    #[inline]
    fn ranges(&self) -> Option<&Ranges> {
        self.ahead.as_ref().map(|a| &a.ranges).filter(|r| !r.is_empty())
    }

    /// Takes text that starts `ahead` octets after RCV.NXT and fits the window. The first octet received wins:
    /// what is already here is never overwritten.
    pub fn take(&mut self, pool: &mut Pool, ahead: u32, data: &[u8], max_ranges: usize) -> Taken {
        let start = self.next + u64::from(ahead);
        let end = start + data.len() as u64;
        // In order, and the reader has nothing: one chunk is there whatever the pool says, or both could wait for ever.
        let mut need = if ahead == 0 && self.readable() == 0 { Need::First } else { Need::Optional };
        if ahead == 0 && self.ranges().is_none() {
            let n = self.bytes.write_at(pool, self.readable() as usize, data, need) as u32;
            self.next += u64::from(n);
            return Taken { advanced: n, refused: data.len() as u32 - n, ..Taken::default() };
        }
        let had_gap = self.ranges().is_some();
        let max_ranges = max_ranges.min(RANGES_PER_CHUNK * (self.bytes.chunks() + 1));
        let full = self.ranges().map_or(max_ranges == 0, |r| r.len() >= max_ranges && !r.touches(start, end));
        if ahead > 0 && full {
            return Taken { refused: data.len() as u32, ..Taken::default() };
        }
        let Ahead { ranges, fin } = &mut **self.ahead.get_or_insert_default();
        let mut written = 0;
        let mut refused = 0;
        let gaps = ranges.gaps(start, end);
        let before = self.next;
        let doubled = first_held(start, end, &gaps).map(|(a, b)| ((a - before) as u32, (b - before) as u32));
        for (from, to) in gaps {
            let part = data.get((from - start) as usize..(to - start) as usize).unwrap_or_default();
            let need = core::mem::replace(&mut need, Need::Optional);
            let n = self.bytes.write_at(pool, (from - self.read) as usize, part, need);
            ranges.insert(from, from + n as u64);
            written += n as u32;
            refused += (part.len() - n) as u32;
        }
        if written == 0 {
            ranges.touch(start);
        }
        self.next = ranges.drain_from(self.next);
        if ranges.is_empty() && fin.is_none() {
            self.ahead = None;
        }
        let advanced = (self.next - before) as u32;
        let held = if ahead > 0 { written } else { 0 };
        Taken { advanced, held, filled: had_gap && advanced > 0, refused, doubled }
    }

    /// Remembers a FIN that lies `ahead` octets after RCV.NXT. The first one counts.
    pub fn hold_fin(&mut self, ahead: u32) {
        self.ahead.get_or_insert_default().fin.get_or_insert(self.next + u64::from(ahead));
    }

    /// Whether the held FIN is next in order now.
    pub fn fin_due(&self) -> bool {
        self.ahead.as_ref().is_some_and(|a| a.fin == Some(self.next))
    }

    /// Forgets what lies behind a gap: the stream has ended.
    pub fn forget_held(&mut self) {
        self.ahead = None;
    }

    /// Copies octets to the application and drops them.
    pub fn read(&mut self, pool: &mut Pool, into: &mut [u8]) -> usize {
        let n = self.peek(into);
        self.discard(pool, n as u32);
        n
    }

    /// Copies octets to the application.
    pub fn peek(&self, into: &mut [u8]) -> usize {
        let n = into.len().min(self.readable() as usize);
        into.get_mut(..n).map_or(0, |to| self.bytes.copy_out(0, to))
    }

    /// Drops `n` octets that are in order.
    pub fn discard(&mut self, pool: &mut Pool, n: u32) {
        let n = n.min(self.readable());
        self.bytes.advance(pool, n as usize);
        self.read += u64::from(n);
        if self.readable() == 0 && self.ranges().is_none() {
            self.bytes.clear(pool);
        }
    }

    /// Gives all memory back; nothing is readable afterwards.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.bytes.clear(pool);
        self.read = self.next;
        self.forget_held();
    }

    /// SACK blocks to report, the most recent first (RFC 2018 4).
    pub fn sack_blocks(&self, rcv_nxt: Seq, out: &mut Vec4) {
        // The number of a FIN that waits belongs to the block before it, or is one of its own.
        let fin = self.ahead.as_ref().and_then(|a| a.fin).filter(|f| *f > self.next);
        let alone = fin.filter(|f| self.ranges().is_none_or(|r| !r.ends_at(*f)));
        for (from, to) in self.ranges().into_iter().flat_map(Ranges::recent).chain(alone.map(|f| (f, f))) {
            let to = to + u64::from(fin == Some(to));
            out.push(SackBlock {
                left: rcv_nxt + (from - self.next) as u32,
                right: rcv_nxt + (to - self.next) as u32,
            });
        }
    }

    /// Every held range as offsets from RCV.NXT, in order. For dumps and tests.
    pub fn held(&self) -> Vec<(u32, u32)> {
        let ranges = self.ranges().into_iter().flat_map(Ranges::iter);
        ranges.map(|(a, b)| ((a - self.next) as u32, (b - self.next) as u32)).collect()
    }
}

/// The first part of `start..end` that lies in no gap.
fn first_held(start: u64, end: u64, gaps: &[(u64, u64)]) -> Option<(u64, u64)> {
    let (from, to) = match gaps {
        [(first, to), rest @ ..] if *first == start => (*to, rest.first().map_or(end, |(next, _)| *next)),
        [(first, _), ..] => (start, *first),
        [] => (start, end),
    };
    (from < to).then_some((from, to))
}

/// Up to four SACK blocks.
#[derive(Copy, Clone, Debug, Default)]
pub struct Vec4 {
    /// The blocks; the first `len` count.
    pub blocks: [SackBlock; 4],
    /// How many.
    pub len: u8,
}

impl Vec4 {
    /// Adds a block; a fifth is dropped.
    pub fn push(&mut self, b: SackBlock) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = b;
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests;
