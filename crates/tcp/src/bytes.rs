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
/// The owner knows which offsets hold data: the queue itself does not. A queue of one chunk keeps it in place; the list
/// of further ones exists only while there are any.
#[derive(Clone, Debug, Default)]
pub struct ByteQueue {
    first: Option<Chunk>,
    rest: Option<Box<Rest>>,
    /// Offset of the front octet in the first chunk.
    start: u32,
    /// Chunks held.
    chunks: u32,
}

/// The chunks behind the first.
#[derive(Clone, Debug, Default)]
struct Rest {
    chunks: VecDeque<Option<Chunk>>,
}

impl ByteQueue {
    /// An empty queue; takes no memory.
    pub const fn new() -> Self {
        ByteQueue { first: None, rest: None, start: 0, chunks: 0 }
    }

    /// How many chunks it holds.
    pub fn chunks(&self) -> usize {
        self.chunks as usize
    }

    /// The place of a chunk; there may be none yet.
    fn chunk(&self, index: usize) -> Option<&Chunk> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(behind) => self.rest.as_ref()?.chunks.get(behind)?.as_ref(),
        }
    }

    /// The place of a chunk, made if it does not exist.
    fn place(&mut self, index: usize) -> Option<&mut Option<Chunk>> {
        let Some(behind) = index.checked_sub(1) else { return Some(&mut self.first) };
        let chunks = &mut self.rest.get_or_insert_default().chunks;
        while chunks.len() <= behind {
            chunks.push_back(None);
        }
        chunks.get_mut(behind)
    }

    /// Writes `data` at `at` octets behind the front, taking chunks as needed, the first as `need` says. Returns how many
    /// octets were written: fewer only if the pool is exhausted.
    pub fn write_at(&mut self, pool: &mut Pool, at: usize, mut data: &[u8], mut need: Need) -> usize {
        let wanted = data.len();
        let mut pos = self.start as usize + at;
        while !data.is_empty() {
            let (index, offset) = (pos / CHUNK, pos % CHUNK);
            let Some(slot) = self.place(index) else { break };
            let had = slot.is_some();
            if !had {
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
            self.chunks += u32::from(!had);
        }
        wanted - data.len()
    }

    /// The octets `at .. at + len` as slices in order. Ends early at a hole.
    pub fn slices(&self, at: usize, len: usize) -> Slices<'_> {
        Slices { queue: self, pos: self.start as usize + at, left: len }
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
        let mut start = self.start as usize + n;
        while start >= CHUNK && (self.first.is_some() || self.rest.is_some()) {
            if let Some(chunk) = self.first.take() {
                pool.give(chunk);
                self.chunks = self.chunks.saturating_sub(1);
            }
            match self.rest.as_mut().and_then(|rest| rest.chunks.pop_front()) {
                Some(next) => self.first = next,
                None => self.rest = None,
            }
            start -= CHUNK;
        }
        self.start = (start % CHUNK) as u32;
    }

    /// Gives every chunk back.
    pub fn clear(&mut self, pool: &mut Pool) {
        (self.start, self.chunks) = (0, 0);
        if let Some(chunk) = self.first.take() {
            pool.give(chunk);
        }
        if let Some(rest) = self.rest.take() {
            rest.chunks.into_iter().flatten().for_each(|chunk| pool.give(chunk));
        }
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
        let rest = self.queue.chunk(self.pos / CHUNK)?.get(self.pos % CHUNK..)?;
        let part = rest.get(..self.left).unwrap_or(rest);
        self.pos += part.len();
        self.left -= part.len();
        Some(part)
    }
}

#[cfg(test)]
mod tests;
