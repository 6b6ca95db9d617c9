//! The send side: octets that wait or are in flight, and a log of what was sent when.

pub mod log;

use crate::Pool;
use crate::bytes::{ByteQueue, Need, Slices};

/// Octets from the first unacknowledged one to the last written one.
#[derive(Clone, Debug, Default)]
pub struct SendQueue {
    bytes: ByteQueue,
    len: u32,
}

impl SendQueue {
    /// Octets in the queue, sent or not.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether nothing is queued.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends octets up to `limit` in all; returns how many were taken.
    pub fn write(&mut self, pool: &mut Pool, data: &[u8], limit: u32) -> u32 {
        let room = limit.saturating_sub(self.len) as usize;
        let part = data.get(..room).unwrap_or(data);
        // A writer with nothing queued gets its first chunk whatever the pool says: an acknowledgement wakes it again.
        let need = if self.len == 0 { Need::First } else { Need::Optional };
        let n = self.bytes.write_at(pool, self.len as usize, part, need) as u32;
        self.len += n;
        n
    }

    /// `n` octets at the front were acknowledged.
    pub fn acked(&mut self, pool: &mut Pool, n: u32) {
        let n = n.min(self.len);
        self.bytes.advance(pool, n as usize);
        self.len -= n;
        if self.len == 0 {
            self.bytes.clear(pool);
        }
    }

    /// `len` octets from `at` on.
    #[inline]
    pub fn slices(&self, at: u32, len: u32) -> Slices<'_> {
        self.bytes.slices(at as usize, len as usize)
    }

    /// Gives all memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.bytes.clear(pool);
        self.len = 0;
    }
}
