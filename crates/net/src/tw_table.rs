//! TIME_WAIT records in the order in which they expire: all wait equally long, so a queue is enough.

use synfin_tcp::TimeWait;
use synfin_wire::Instant;

use crate::demux::TupleHash;
use crate::list::{Linked, Links, List};
use crate::slab::{Id, Slab};

/// One TIME_WAIT record with its place in the queue.
struct Entry {
    rec: TimeWait,
    hash: TupleHash,
    links: Links,
}

impl Linked for Entry {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// All TIME_WAIT records.
pub(crate) struct TwTable {
    slab: Slab<Entry>,
    queue: List,
    limit: u32,
}

impl TwTable {
    /// A table for at most `limit` records.
    pub(crate) const fn new(limit: u32) -> TwTable {
        TwTable { slab: Slab::new(), queue: List::new(), limit }
    }

    pub(crate) fn len(&self) -> u32 {
        self.queue.len()
    }

    /// Whether one more would be too many: the oldest has to go first.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    pub(crate) fn at(&self, index: u32) -> Option<&TimeWait> {
        self.slab.at(index).map(|e| &e.rec)
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut TimeWait> {
        self.slab.at_mut(index).map(|e| &mut e.rec)
    }

    /// Whether this very record is still there.
    pub(crate) fn holds(&self, id: Id) -> bool {
        self.slab.get(id).is_some()
    }

    /// Adds a record that was just made.
    pub(crate) fn insert(&mut self, rec: TimeWait, hash: TupleHash) -> Id {
        let id = self.slab.insert(Entry { rec, hash, links: Links::NONE });
        self.queue.push(&mut self.slab, id.index);
        id
    }

    /// 2 MSL start again: the record is the last to expire now.
    pub(crate) fn restarted(&mut self, index: u32) {
        self.queue.remove(&mut self.slab, index);
        self.queue.push(&mut self.slab, index);
    }

    /// The record that expires first.
    pub(crate) fn oldest(&self) -> Option<u32> {
        self.queue.front()
    }

    /// When the first record expires.
    pub(crate) fn next(&self) -> Instant {
        self.oldest().and_then(|i| self.at(i)).map_or(Instant::NEVER, TimeWait::expires)
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, index: u32) -> Option<(TimeWait, TupleHash)> {
        let id = self.slab.id_at(index)?;
        self.queue.remove(&mut self.slab, index);
        self.slab.remove(id).map(|e| (e.rec, e.hash))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TimeWait> {
        self.slab.iter().map(|(_, e)| &e.rec)
    }
}

#[cfg(test)]
mod tests;
