//! One direction of a link in memory, the same for both stacks: frames of fixed memory, each filled once and read once.

use std::collections::VecDeque;

use synfin_link::{TxMeta, TxSink};

/// Frames that a lane holds at most.
pub const CAPACITY: usize = 256;

/// A packet in memory that is used again and again.
#[derive(Debug)]
pub struct Frame {
    memory: Box<[u8]>,
    len: usize,
}

impl Frame {
    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

/// A queue of packets.
#[derive(Debug)]
pub struct Lane {
    mtu: usize,
    waiting: VecDeque<Frame>,
    spare: Vec<Frame>,
    pushed: u64,
}

impl Lane {
    /// For packets of up to `mtu` octets.
    pub fn new(mtu: usize) -> Lane {
        Lane {
            mtu,
            waiting: VecDeque::with_capacity(CAPACITY),
            spare: Vec::with_capacity(CAPACITY),
            pushed: 0,
        }
    }

    /// Whether one more packet fits.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < CAPACITY
    }

    /// Takes a packet of `len` octets that `fill` writes.
    #[inline]
    pub fn fill<R>(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let mtu = self.mtu;
        let mut frame = self.spare.pop().unwrap_or_else(|| Frame { memory: vec![0; mtu].into(), len: 0 });
        frame.len = len;
        let result = fill(&mut frame.memory[..len]);
        self.waiting.push_back(frame);
        self.pushed += 1;
        result
    }

    /// The packet that has waited longest.
    #[inline]
    pub fn pop(&mut self) -> Option<Frame> {
        self.waiting.pop_front()
    }

    /// Gives a frame's memory back.
    #[inline]
    pub fn recycle(&mut self, frame: Frame) {
        self.spare.push(frame);
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Packets pushed so far.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.spare.extend(self.waiting.drain(..));
    }
}

impl TxSink for Lane {
    #[inline]
    fn room(&self) -> usize {
        CAPACITY - self.waiting.len()
    }

    #[inline]
    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        let len = head.len() + payload.iter().map(|p| p.len()).sum::<usize>();
        self.fill(len, |mut to| {
            for part in core::iter::once(&head).chain(payload) {
                let (now, later) = to.split_at_mut(part.len());
                now.copy_from_slice(part);
                to = later;
            }
        });
    }
}
