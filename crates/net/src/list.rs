//! Doubly linked lists through the records of a slab: O(1) to append, remove and move.

use crate::slab::Slab;

const NIL: u32 = u32::MAX;

/// A record's place in its list.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    /// In no list.
    pub(crate) const NONE: Links = Links { prev: NIL, next: NIL };
}

/// A record that can stand in one list at a time.
pub(crate) trait Linked {
    /// Its place.
    fn links(&mut self) -> &mut Links;
}

/// Ends and length of one list. Every record in it must leave it before it leaves the slab.
#[derive(Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl List {
    pub(crate) const fn new() -> List {
        List { head: NIL, tail: NIL, len: 0 }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Index of the record that was appended first.
    pub(crate) fn front(&self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    /// Appends a record that is in no list.
    pub(crate) fn push<T: Linked>(&mut self, slab: &mut Slab<T>, index: u32) {
        let Some(record) = slab.at_mut(index) else { return };
        *record.links() = Links { prev: self.tail, next: NIL };
        match slab.at_mut(self.tail) {
            Some(last) => last.links().next = index,
            None => self.head = index,
        }
        self.tail = index;
        self.len += 1;
    }

    /// Takes out a record that is in this list.
    pub(crate) fn remove<T: Linked>(&mut self, slab: &mut Slab<T>, index: u32) {
        let Some(record) = slab.at_mut(index) else { return };
        let Links { prev, next } = core::mem::replace(record.links(), Links::NONE);
        match slab.at_mut(prev) {
            Some(before) => before.links().next = next,
            None => self.head = next,
        }
        match slab.at_mut(next) {
            Some(behind) => behind.links().prev = prev,
            None => self.tail = prev,
        }
        self.len = self.len.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
