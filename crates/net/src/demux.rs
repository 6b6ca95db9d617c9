//! The demultiplexer: which record belongs to a segment's 4-tuple (RFC 9293 3.10.7).
//!
//! The table holds no tuples, only 32 bits of a keyed hash and a 32-bit value for each record; the caller compares the
//! tuple that stands in the record. Open addressing in the order of the hash (Robin Hood): misses end early, removal
//! shifts back and leaves no tombstones. Growing and shrinking move a few slots with each change, never all at once.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use synfin_wire::Tuple;

use crate::key::{Key, of_tuple};

/// Slots of the old table looked at with each change while a new one is being filled. With 16, growing is over after
/// 1/16 of the old table's slots in changes, long before the new table fills; shrinking likewise.
const STEP: usize = 16;
/// log2 of the smallest table.
const MIN_BITS: u32 = 4;
/// An empty demultiplexer keeps its table up to this log2 of slots (8 kB).
const KEEP_BITS: u32 = 10;

const _: () = assert!(size_of::<Entry>() == 8);

/// A 4-tuple's keyed hash, good for the [`Demux`] that made it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TupleHash(u32);

/// Hash and value in eight octets. All zero is the empty slot, so that a new table comes from the allocator as
/// zeroed memory and costs nothing before it is touched.
#[derive(Copy, Clone)]
struct Entry(u64);

impl Entry {
    const EMPTY: Entry = Entry(0);

    fn new(hash: TupleHash, value: u32) -> Entry {
        Entry(u64::from(hash.0) << 32 | u64::from(!value))
    }

    fn hash(self) -> TupleHash {
        TupleHash((self.0 >> 32) as u32)
    }

    fn value(self) -> u32 {
        !(self.0 as u32)
    }

    fn is_empty(self) -> bool {
        self.value() == Demux::RESERVED
    }
}

/// One open-addressing table of 2^bits slots.
struct Table {
    /// Plain integers, because only those are allocated as zeroed memory.
    slots: Vec<u64>,
    bits: u32,
}

impl Table {
    const NONE: Table = Table { slots: Vec::new(), bits: 0 };

    fn new(bits: u32) -> Table {
        Table { slots: vec![0; 1 << bits], bits }
    }

    fn get(&self, at: usize) -> Entry {
        self.slots.get(at).map_or(Entry::EMPTY, |&e| Entry(e))
    }

    fn set(&mut self, at: usize, entry: Entry) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = entry.0;
        }
    }

    fn next(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }

    fn before(&self, at: usize) -> usize {
        at.wrapping_sub(1) & self.slots.len().wrapping_sub(1)
    }

    /// Where an entry of this hash would like to be: by its high bits, so that the entries of a small table move to
    /// a larger one in order.
    fn home(&self, hash: TupleHash) -> usize {
        (u64::from(hash.0) >> (32 - self.bits)) as usize
    }

    /// How far from home an entry is at `at`.
    fn distance(&self, entry: Entry, at: usize) -> usize {
        at.wrapping_sub(self.home(entry.hash())) & self.slots.len().wrapping_sub(1)
    }

    fn find(&self, hash: TupleHash, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        for distance in 0..self.slots.len() {
            let entry = self.get(at);
            // Entries stand in the order of their homes: one nearer to its home than ours would be ends the search.
            if entry.is_empty() || self.distance(entry, at) < distance {
                return None;
            }
            if entry.hash() == hash && is_it(entry.value()) {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    /// Needs an empty slot.
    fn insert(&mut self, mut entry: Entry) {
        let mut at = self.home(entry.hash());
        let mut distance = 0;
        for _ in 0..self.slots.len() {
            let here = self.get(at);
            if here.is_empty() {
                self.set(at, entry);
                return;
            }
            let theirs = self.distance(here, at);
            if theirs < distance {
                self.set(at, entry);
                entry = here;
                distance = theirs;
            }
            at = self.next(at);
            distance += 1;
        }
    }

    /// Empties a slot and moves what follows back by one, up to an entry that is at home.
    fn remove(&mut self, mut at: usize) {
        for _ in 0..self.slots.len() {
            let next = self.next(at);
            let entry = self.get(next);
            if entry.is_empty() || self.distance(entry, next) == 0 {
                break;
            }
            self.set(at, entry);
            at = next;
        }
        self.set(at, Entry::EMPTY);
    }
}

/// A table that is being emptied, from `cursor` downward. The slot above `cursor` is always empty, so the entry at
/// `cursor` is the last of its run and goes without moving another.
struct Leaving {
    table: Table,
    cursor: usize,
    left: usize,
}

/// Maps 4-tuples to values chosen by the caller, which must not be [`Demux::RESERVED`].
///
/// Each value stands for one record and is in the table once. Memory: 8 octets a slot, at most 7/8 of the slots in use.
pub struct Demux {
    key: Key,
    table: Table,
    leaving: Option<Leaving>,
    len: usize,
}

impl Demux {
    /// The one value that cannot be stored.
    pub const RESERVED: u32 = u32::MAX;

    /// An empty table; takes no memory until the first insertion. `key` is secret and random (without it a
    /// peer could choose tuples that collide).
    pub const fn new(key: Key) -> Demux {
        Demux { key, table: Table::NONE, leaving: None, len: 0 }
    }

    /// How many tuples are known.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no tuple is known.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hash under which `tuple` is kept.
    #[inline]
    pub fn hash(&self, tuple: &Tuple) -> TupleHash {
        TupleHash((of_tuple(tuple, |octets| self.key.sip13(octets)) >> 32) as u32)
    }

    /// The value inserted with `hash` for which `is_it` says yes: it compares the record's tuple.
    #[inline]
    pub fn get(&self, hash: TupleHash, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if let Some(at) = self.table.find(hash, &mut is_it) {
            return Some(self.table.get(at).value());
        }
        let leaving = &self.leaving.as_ref()?.table;
        leaving.find(hash, is_it).map(|at| leaving.get(at).value())
    }

    /// Adds a tuple that is not in the table.
    pub fn insert(&mut self, hash: TupleHash, value: u32) {
        debug_assert_ne!(value, Self::RESERVED);
        self.make_room();
        self.table.insert(Entry::new(hash, value));
        self.len += 1;
        self.step();
    }

    /// Gives a tuple another value, in place. Says whether `old` was there.
    pub fn replace(&mut self, hash: TupleHash, old: u32, new: u32) -> bool {
        debug_assert_ne!(new, Self::RESERVED);
        for table in
            [Some(&mut self.table), self.leaving.as_mut().map(|l| &mut l.table)].into_iter().flatten()
        {
            if let Some(at) = table.find(hash, |v| v == old) {
                table.set(at, Entry::new(hash, new));
                return true;
            }
        }
        false
    }

    /// Removes the tuple inserted with this hash and value. Says whether it was there.
    pub fn remove(&mut self, hash: TupleHash, value: u32) -> bool {
        if let Some(at) = self.table.find(hash, |v| v == value) {
            self.table.remove(at);
        } else if let Some(leaving) = self.leaving.as_mut()
            && let Some(at) = leaving.table.find(hash, |v| v == value)
        {
            leaving.table.remove(at);
            leaving.left -= 1;
        } else {
            return false;
        }
        self.len -= 1;
        self.step();
        self.give_back();
        true
    }

    /// At 7/8 full, begins to move to a table of twice the size.
    fn make_room(&mut self) {
        let slots = self.table.slots.len();
        if (self.len + 1).saturating_mul(8) <= slots.saturating_mul(7) {
            return;
        }
        // Never needed with STEP as it is; it keeps the load below 1 whatever STEP says.
        while self.leaving.is_some() {
            self.step();
        }
        self.start_move(if slots == 0 { MIN_BITS } else { self.table.bits + 1 });
    }

    /// Below 1/8 full, begins to move to a table of half the size; gives a large empty table back at once.
    fn give_back(&mut self) {
        if self.len == 0 && self.table.bits > KEEP_BITS {
            self.table = Table::NONE;
            self.leaving = None;
        } else if self.leaving.is_none()
            && self.table.bits > MIN_BITS
            && self.len.saturating_mul(8) < self.table.slots.len()
        {
            self.start_move(self.table.bits - 1);
        }
    }

    fn start_move(&mut self, bits: u32) {
        let table = mem::replace(&mut self.table, Table::new(bits));
        if self.len > 0 {
            // Runs are short at this load, so an empty slot is near.
            let gap = (0..table.slots.len()).find(|&at| table.get(at).is_empty()).unwrap_or(0);
            self.leaving = Some(Leaving { cursor: table.before(gap), table, left: self.len });
        }
    }

    /// Moves on by [`STEP`] slots of the table that is being left.
    fn step(&mut self) {
        let Some(leaving) = self.leaving.as_mut() else { return };
        for _ in 0..STEP {
            if leaving.left == 0 {
                break;
            }
            let entry = leaving.table.get(leaving.cursor);
            if !entry.is_empty() {
                leaving.table.set(leaving.cursor, Entry::EMPTY);
                leaving.left -= 1;
                self.table.insert(entry);
            }
            leaving.cursor = leaving.table.before(leaving.cursor);
        }
        if leaving.left == 0 {
            self.leaving = None;
        }
    }
}

#[cfg(test)]
mod tests;
