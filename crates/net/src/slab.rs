//! Records in pages of slots, addressed by ids that tell a slot's present owner from its former ones.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Slots in a page. Growing allocates one page and copies nothing.
const PAGE: usize = 256;
/// 64-bit words of a page's map of free slots.
const WORDS: usize = PAGE / 64;
/// "Not in the list of pages with room".
const NOWHERE: u32 = u32::MAX;

/// Names one record. A stale id finds nothing (unless exactly 2^32 insertions lie between).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// Which slot.
    pub index: u32,
    /// Which of the slot's owners.
    pub generation: u32,
}

impl Id {
    fn of(page: usize, slot: usize, generation: u32) -> Id {
        // 2^32 slots would need more memory for their generations alone than a 32-bit index is meant for; the caller's
        // limit on records comes long before.
        Id { index: (page * PAGE + slot) as u32, generation }
    }
}

/// Values and generations apart, so that a generation takes four octets whatever the value's alignment.
struct Page<T> {
    generations: Box<[u32]>,
    values: Box<[Option<T>]>,
    free: [u64; WORDS],
    used: u32,
    /// Where this page stands in `Slab::open`.
    place: u32,
}

impl<T> Page<T> {
    /// A page without memory, for an index that is not in use.
    fn absent() -> Page<T> {
        Page {
            generations: Box::default(),
            values: Box::default(),
            free: [0; WORDS],
            used: 0,
            place: NOWHERE,
        }
    }

    fn allocate(&mut self) {
        self.generations = (0..PAGE).map(|_| 0).collect();
        self.values = (0..PAGE).map(|_| None).collect();
        self.free = [u64::MAX; WORDS];
    }

    /// The lowest free slot, now taken.
    fn take_free(&mut self) -> Option<usize> {
        let (word, bits) = self.free.iter_mut().enumerate().find(|(_, bits)| **bits != 0)?;
        let bit = bits.trailing_zeros();
        *bits &= *bits - 1;
        Some(word * 64 + bit as usize)
    }

    fn give_free(&mut self, slot: usize) {
        if let Some(bits) = self.free.get_mut(slot / 64) {
            *bits |= 1 << (slot % 64);
        }
    }
}

/// A paged store of `T`. Everything is O(1); memory of empty pages but one goes back.
///
/// A slot costs `size_of::<Option<T>>() + 4` octets and a third of an octet for its page.
pub struct Slab<T> {
    pages: Vec<Page<T>>,
    /// Allocated pages with room, in no order.
    open: Vec<u32>,
    /// Indices whose pages were given back.
    absent: Vec<u32>,
    /// The one empty page that is kept, against allocating and freeing at every turn.
    spare: Option<u32>,
    generation: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab, without memory.
    pub const fn new() -> Slab<T> {
        Slab { pages: Vec::new(), open: Vec::new(), absent: Vec::new(), spare: None, generation: 0, len: 0 }
    }

    /// How many records there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no record.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a record. The caller bounds their number, far below 2^32.
    pub fn insert(&mut self, value: T) -> Id {
        let page_index = self.page_with_room();
        // One counter for all slots: an id stays unique even when its page went back and came again.
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let mut slot = 0;
        let mut full = false;
        if let Some(page) = self.pages.get_mut(page_index as usize) {
            slot = page.take_free().unwrap_or(0);
            if let (Some(g), Some(v)) = (page.generations.get_mut(slot), page.values.get_mut(slot)) {
                *g = generation;
                *v = Some(value);
            }
            page.used += 1;
            full = page.used as usize == PAGE;
        }
        if full {
            self.close(page_index);
        }
        if self.spare == Some(page_index) {
            self.spare = None;
        }
        self.len += 1;
        Id::of(page_index as usize, slot, generation)
    }

    /// The record of this id.
    #[inline]
    pub fn get(&self, id: Id) -> Option<&T> {
        let (page, slot) = self.locate(id.index)?;
        if *page.generations.get(slot)? != id.generation {
            return None;
        }
        page.values.get(slot)?.as_ref()
    }

    /// The record of this id, to change.
    #[inline]
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let (page, slot) = self.locate_mut(id.index)?;
        if *page.generations.get(slot)? != id.generation {
            return None;
        }
        page.values.get_mut(slot)?.as_mut()
    }

    /// The id of the record that has this slot now.
    #[inline]
    pub fn id_at(&self, index: u32) -> Option<Id> {
        let (page, slot) = self.locate(index)?;
        page.values.get(slot)?.as_ref()?;
        Some(Id { index, generation: *page.generations.get(slot)? })
    }

    /// The record that has this slot now.
    #[inline]
    pub fn at(&self, index: u32) -> Option<&T> {
        let (page, slot) = self.locate(index)?;
        page.values.get(slot)?.as_ref()
    }

    /// The record that has this slot now, to change.
    #[inline]
    pub fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        let (page, slot) = self.locate_mut(index)?;
        page.values.get_mut(slot)?.as_mut()
    }

    /// Takes a record out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let (page, slot) = self.locate_mut(id.index)?;
        if *page.generations.get(slot)? != id.generation {
            return None;
        }
        let value = page.values.get_mut(slot)?.take()?;
        page.give_free(slot);
        let was_full = page.used as usize == PAGE;
        page.used -= 1;
        let now_empty = page.used == 0;
        self.len -= 1;
        let page_index = id.index / PAGE as u32;
        if was_full {
            self.reopen(page_index);
        }
        if now_empty {
            self.retire(page_index);
        }
        Some(value)
    }

    /// All records in the order of their slots: O(n), for dumps only.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.pages.iter().enumerate().flat_map(|(at, page)| {
            let slots = page.generations.iter().zip(page.values.iter()).enumerate();
            slots.filter_map(move |(slot, (&g, value))| Some((Id::of(at, slot, g), value.as_ref()?)))
        })
    }

    fn locate(&self, index: u32) -> Option<(&Page<T>, usize)> {
        Some((self.pages.get(index as usize / PAGE)?, index as usize % PAGE))
    }

    fn locate_mut(&mut self, index: u32) -> Option<(&mut Page<T>, usize)> {
        Some((self.pages.get_mut(index as usize / PAGE)?, index as usize % PAGE))
    }

    fn page_with_room(&mut self) -> u32 {
        if let Some(&page) = self.open.last() {
            return page;
        }
        let page_index = self.absent.pop().unwrap_or_else(|| {
            self.pages.push(Page::absent());
            (self.pages.len() - 1) as u32
        });
        if let Some(page) = self.pages.get_mut(page_index as usize) {
            page.allocate();
        }
        self.reopen(page_index);
        page_index
    }

    /// Puts a page into the list of those with room.
    fn reopen(&mut self, page_index: u32) {
        if let Some(page) = self.pages.get_mut(page_index as usize) {
            page.place = self.open.len() as u32;
            self.open.push(page_index);
        }
    }

    /// Takes a page out of the list of those with room.
    fn close(&mut self, page_index: u32) {
        let Some(page) = self.pages.get_mut(page_index as usize) else { return };
        let place = core::mem::replace(&mut page.place, NOWHERE);
        if (place as usize) < self.open.len() {
            self.open.swap_remove(place as usize);
        }
        // The last of the list has moved here.
        if let Some(&moved) = self.open.get(place as usize)
            && let Some(page) = self.pages.get_mut(moved as usize)
        {
            page.place = place;
        }
    }

    /// Keeps an empty page as the spare, or gives its memory back when there is one.
    fn retire(&mut self, page_index: u32) {
        if self.spare.is_none() {
            self.spare = Some(page_index);
            return;
        }
        self.close(page_index);
        if let Some(page) = self.pages.get_mut(page_index as usize) {
            *page = Page::absent();
            self.absent.push(page_index);
        }
    }
}

#[cfg(test)]
mod tests;
