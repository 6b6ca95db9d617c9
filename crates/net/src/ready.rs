//! Who has something to send: a fair queue in which each id stands at most once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Room that an empty queue keeps.
const KEEP: usize = 1024;

/// First in, first out; O(1). An id is a slot's index: small numbers, since a bit is kept for each up to the largest.
///
/// There is no removal: the queue may hold the index of a slot that was emptied, or given to another record, in the
/// meantime. Whoever takes an id looks whether there is something to do.
#[derive(Default)]
pub struct Ready {
    queue: VecDeque<u32>,
    /// One bit for each id: whether it is in the queue.
    member: Vec<u64>,
}

impl Ready {
    /// An empty queue.
    pub const fn new() -> Ready {
        Ready { queue: VecDeque::new(), member: Vec::new() }
    }

    /// How many ids wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Appends `id` unless it waits already.
    pub fn push(&mut self, id: u32) {
        let word = id as usize / 64;
        if word >= self.member.len() {
            self.member.resize(word + 1, 0);
        }
        if let Some(bits) = self.member.get_mut(word) {
            let bit = 1 << (id % 64);
            if *bits & bit == 0 {
                *bits |= bit;
                self.queue.push_back(id);
            }
        }
    }

    /// The id that has waited longest; it may be pushed again.
    pub fn pop(&mut self) -> Option<u32> {
        let id = self.queue.pop_front()?;
        if let Some(bits) = self.member.get_mut(id as usize / 64) {
            *bits &= !(1 << (id % 64));
        }
        if self.queue.is_empty() && self.queue.capacity() > KEEP {
            self.queue.shrink_to(KEEP);
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests;
