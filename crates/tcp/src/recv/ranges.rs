//! Which offsets hold data behind a gap: disjoint, non-adjacent ranges in order.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How many of the latest ranges are remembered for SACK (RFC 2018 4: the first block reports the latest arrival).
const RECENT: usize = 4;

/// Ranges `start..end` of stream offsets. Every operation is logarithmic in their number, apart from merging,
/// which is paid by the ranges that it removes.
#[derive(Clone, Debug, Default, Hash)]
pub struct Ranges {
    map: BTreeMap<u64, u64>,
    /// An offset within each of the latest ranges, the latest first.
    recent: [u64; RECENT],
    recent_len: u8,
}

impl Ranges {
    /// No range.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.map.iter().map(|(a, b)| (*a, *b))
    }

    /// The range that holds `at` or ends there.
    fn around(&self, at: u64) -> Option<(u64, u64)> {
        self.map.range(..=at).next_back().map(|(a, b)| (*a, *b)).filter(|(_, b)| *b >= at)
    }

    /// Whether `start..end` overlaps or adjoins a range.
    pub fn touches(&self, start: u64, end: u64) -> bool {
        self.around(start).is_some() || self.map.range(start..=end).next().is_some()
    }

    /// Whether a range ends at `at`.
    pub fn ends_at(&self, at: u64) -> bool {
        self.around(at).is_some_and(|(_, end)| end == at)
    }

    /// The parts of `start..end` that no range covers.
    pub fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        let mut at = self.around(start).map_or(start, |(_, b)| b.max(start));
        for (a, b) in self.map.range(start..end).map(|(a, b)| (*a, *b)) {
            if a > at {
                out.push((at, a));
            }
            at = at.max(b);
        }
        if at < end {
            out.push((at, end));
        }
        out
    }

    /// Adds `start..end` and merges with what it touches.
    pub fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        if let Some((a, b)) = self.around(start) {
            start = a;
            end = end.max(b);
            self.map.remove(&a);
        }
        while let Some((a, b)) = self.map.range(start..=end).next().map(|(a, b)| (*a, *b)) {
            end = end.max(b);
            self.map.remove(&a);
        }
        self.map.insert(start, end);
        self.touch(start);
    }

    /// The range at `at` had the latest arrival.
    pub fn touch(&mut self, at: u64) {
        let Some((start, end)) = self.around(at) else { return };
        let mut kept = [0; RECENT];
        let mut n = 0;
        let earlier = self.recent.iter().take(usize::from(self.recent_len));
        for p in core::iter::once(start).chain(earlier.copied().filter(|p| !(start..end).contains(p))) {
            if let Some(slot) = kept.get_mut(n) {
                *slot = p;
                n += 1;
            }
        }
        self.recent = kept;
        self.recent_len = n as u8;
    }

    /// Removes the ranges that begin at or before `next`; returns where in-order data ends then.
    pub fn drain_from(&mut self, mut next: u64) -> u64 {
        while let Some((a, b)) = self.map.first_key_value().map(|(a, b)| (*a, *b)) {
            if a > next {
                break;
            }
            next = next.max(b);
            self.map.pop_first();
        }
        next
    }

    /// The latest ranges, the latest first; if fewer were touched than exist, no others are added.
    pub fn recent(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let points = self.recent.iter().take(usize::from(self.recent_len));
        points.filter_map(|p| self.around(*p).filter(|(_, b)| b > p))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Ranges::default();
    }
}

#[cfg(test)]
mod tests;
