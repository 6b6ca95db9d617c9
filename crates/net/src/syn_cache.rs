//! Half-open records, each in the list of its listener (RFC 4987 3.3).

use alloc::boxed::Box;

use synfin_tcp::{SynRecord, TimeWait};

use crate::ListenerId;
use crate::demux::TupleHash;
use crate::list::{Linked, Links, List};
use crate::slab::Slab;
use crate::wheel::TimerId;

/// One half-open record with what the stack keeps about it.
pub(crate) struct Entry {
    pub(crate) rec: SynRecord,
    pub(crate) hash: TupleHash,
    pub(crate) timer: Option<TimerId>,
    /// Who gets the connection; `None` once that listener is closed (profile linux keeps the record).
    pub(crate) listener: Option<ListenerId>,
    /// The TIME_WAIT record that the SYN reopened: it comes back if the SYN turns out to be old (RFC 9293 MAY-2 (2)).
    pub(crate) rested: Option<Box<TimeWait>>,
    links: Links,
}

impl Entry {
    pub(crate) fn new(rec: SynRecord, hash: TupleHash, listener: ListenerId) -> Entry {
        Entry { rec, hash, timer: None, listener: Some(listener), rested: None, links: Links::NONE }
    }
}

impl Linked for Entry {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// All half-open records.
pub(crate) struct SynCache {
    slab: Slab<Entry>,
}

impl SynCache {
    pub(crate) const fn new() -> SynCache {
        SynCache { slab: Slab::new() }
    }

    pub(crate) fn len(&self) -> u32 {
        self.slab.len() as u32
    }

    pub(crate) fn at(&self, index: u32) -> Option<&SynRecord> {
        self.slab.at(index).map(|e| &e.rec)
    }

    pub(crate) fn entry(&mut self, index: u32) -> Option<&mut Entry> {
        self.slab.at_mut(index)
    }

    /// Adds a record to its listener's list.
    pub(crate) fn insert(&mut self, entry: Entry, list: &mut List) -> u32 {
        let index = self.slab.insert(entry).index;
        list.push(&mut self.slab, index);
        index
    }

    /// Takes a record out of its listener's list; the record stays.
    pub(crate) fn unlist(&mut self, index: u32, list: &mut List) {
        list.remove(&mut self.slab, index);
    }

    /// Takes out a record that is in no list any more.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Entry> {
        self.slab.remove(self.slab.id_at(index)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SynRecord> {
        self.slab.iter().map(|(_, e)| &e.rec)
    }
}
