//! Chunked byte queues that take no memory while empty.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Octets in a chunk.
pub const CHUNK: usize = 4096;

type Chunk = Box<[u8; CHUNK]>;

/// Whether a chunk can be refused.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// The limit holds.
    Optional,
    /// One chunk is given beyond the limit: without it this owner could wait for ever.
    First,
}

/// Where chunks come from and go back to.
#[derive(Clone, Debug)]
pub struct Pool {
    free: Vec<Chunk>,
    keep: usize,
    used: usize,
    limit: usize,
}

impl Pool {
    /// A pool that hands out at most `limit` octets at once, and one chunk more to each writer that has none, and keeps
    /// at most `keep` octets for later use.
    pub fn new(limit: usize, keep: usize) -> Pool {
        Pool { free: Vec::new(), keep: keep / CHUNK, used: 0, limit: limit / CHUNK }
    }

    /// Octets of chunks that are handed out.
    pub fn used(&self) -> usize {
        self.used * CHUNK
    }

    /// Whether at most one eighth of the limit is left.
    pub fn scarce(&self) -> bool {
        self.used >= self.limit - self.limit / 8
    }

    fn take(&mut self, need: Need) -> Option<Chunk> {
        if self.used >= self.limit && need == Need::Optional {
            return None;
        }
        self.used += 1;
        Some(self.free.pop().unwrap_or_else(|| Box::new([0; CHUNK])))
    }

    fn give(&mut self, chunk: Chunk) {
        self.used = self.used.saturating_sub(1);
        if self.free.len() < self.keep {
            self.free.push(chunk);
        }
    }
}

impl Default for Pool {
    /// 1 GiB at most, 4 MiB kept.
    fn default() -> Self {
        Pool::new(1 << 30, 4 << 20)
    }
}

/// A queue of octets addressed by offset from its front; may have holes beyond what was written.
///
/// The owner knows which offsets hold data: the queue itself does not.
#[derive(Clone, Debug, Default)]
pub struct ByteQueue {
    chunks: VecDeque<Option<Chunk>>,
    /// Offset of the front octet in the first chunk.
    start: usize,
}

impl ByteQueue {
    /// An empty queue; takes no memory.
    pub const fn new() -> Self {
        ByteQueue { chunks: VecDeque::new(), start: 0 }
    }

    /// Writes `data` at `at` octets behind the front, taking chunks as needed, the first as `need` says. Returns how many
    /// octets were written: fewer only if the pool is exhausted.
    pub fn write_at(&mut self, pool: &mut Pool, at: usize, mut data: &[u8], mut need: Need) -> usize {
        let wanted = data.len();
        let mut pos = self.start + at;
        while !data.is_empty() {
            let (index, offset) = (pos / CHUNK, pos % CHUNK);
            while self.chunks.len() <= index {
                self.chunks.push_back(None);
            }
            let Some(slot) = self.chunks.get_mut(index) else { break };
            if slot.is_none() {
                *slot = pool.take(core::mem::replace(&mut need, Need::Optional));
            }
            let Some(room) = slot.as_mut().and_then(|c| c.get_mut(offset..)) else { break };
            let n = room.len().min(data.len());
            let (now, later) = data.split_at(n);
            if let Some((into, _)) = room.split_at_mut_checked(n) {
                into.copy_from_slice(now);
            }
            data = later;
            pos += n;
        }
        wanted - data.len()
    }

    /// The octets `at .. at + len` as slices in order. Ends early at a hole.
    pub fn slices(&self, at: usize, len: usize) -> Slices<'_> {
        Slices { queue: self, pos: self.start + at, left: len }
    }

    /// Copies `into.len()` octets from `at` on; returns how many there were before a hole.
    pub fn copy_out(&self, at: usize, into: &mut [u8]) -> usize {
        let mut done = 0;
        for part in self.slices(at, into.len()) {
            if let Some(to) = into.get_mut(done..done + part.len()) {
                to.copy_from_slice(part);
            }
            done += part.len();
        }
        done
    }

    /// Drops `n` octets at the front and gives whole chunks back.
    pub fn advance(&mut self, pool: &mut Pool, n: usize) {
        self.start += n;
        while self.start >= CHUNK {
            match self.chunks.pop_front() {
                Some(chunk) => {
                    if let Some(c) = chunk {
                        pool.give(c);
                    }
                    self.start -= CHUNK;
                }
                None => {
                    self.start %= CHUNK;
                    return;
                }
            }
        }
    }

    /// Gives every chunk back.
    pub fn clear(&mut self, pool: &mut Pool) {
        for c in self.chunks.drain(..).flatten() {
            pool.give(c);
        }
        *self = ByteQueue::new();
    }
}

/// Slices of a queue in order.
#[derive(Clone, Debug)]
pub struct Slices<'a> {
    queue: &'a ByteQueue,
    pos: usize,
    left: usize,
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        let rest = self.queue.chunks.get(self.pos / CHUNK)?.as_deref()?.get(self.pos % CHUNK..)?;
        let part = rest.get(..self.left).unwrap_or(rest);
        self.pos += part.len();
        self.left -= part.len();
        Some(part)
    }
}

#[cfg(test)]
mod tests;
