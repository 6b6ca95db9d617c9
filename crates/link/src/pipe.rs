//! Two devices joined in memory: what one sends, the other receives.
//!
//! [`Pipe`] is for one thread: it owns both directions and lends its ends one at a time, so runs are deterministic.
//! With the feature `std`, `shared::pair` gives two ends that can live on different threads.
//!
//! Packets are kept whole: a super-segment that was pushed with [`crate::Gso`] arrives merged (`RxMeta::gro`), and a
//! packet whose checksum was left to the device arrives as [`ChecksumFact::Trusted`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::{Caps, ChecksumFact, Device, RxFrame, RxMeta, TxMeta, TxSink};

#[cfg(any(test, feature = "std"))]
pub mod shared;

/// Packets that were pushed into a pipe and cannot arrive.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Pushed while there was no room.
    pub no_room: u64,
    /// Longer than the MTU, or than the longest super-segment.
    pub too_long: u64,
}

/// One packet with what is known about it.
#[derive(Debug, Default)]
struct Parcel {
    bytes: Vec<u8>,
    meta: RxMeta,
}

/// Packets in order, and emptied buffers kept for their memory.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Parcel>,
    spare: Vec<Vec<u8>>,
    lost: Lost,
}

impl Lane {
    /// Takes one packet, or counts why not.
    fn push(&mut self, caps: Caps, room: usize, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        let len = payload.iter().fold(head.len(), |sum, part| sum.saturating_add(part.len()));
        let longest = match meta.gso {
            Some(_) => caps.max_gso as usize,
            None => usize::from(caps.mtu),
        };
        if len > longest {
            self.lost.too_long += 1;
            return;
        }
        if room == 0 {
            self.lost.no_room += 1;
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(head);
        for part in payload {
            bytes.extend_from_slice(part);
        }
        let checksum = match meta.checksum {
            Some(_) => ChecksumFact::Trusted,
            None => ChecksumFact::Unchecked,
        };
        let meta = RxMeta { checksum, gro: meta.gso.map(|gso| gso.size), link_broadcast: false };
        self.waiting.push_back(Parcel { bytes, meta });
    }

    /// Hands over what waits when called.
    fn drain(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> usize {
        let count = self.waiting.len();
        while let Some(Parcel { bytes, meta }) = self.waiting.pop_front() {
            each(RxFrame { bytes: &bytes, meta });
            self.spare.push(bytes);
        }
        count
    }
}

/// Which end of a pipe.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one.
    A,
    /// The other.
    B,
}

/// A pair of devices for one thread.
#[derive(Debug)]
pub struct Pipe {
    caps: Caps,
    capacity: usize,
    to_a: Lane,
    to_b: Lane,
}

impl Pipe {
    /// A pipe whose ends have these abilities and that holds up to `capacity` packets in each direction.
    pub fn new(caps: Caps, capacity: usize) -> Pipe {
        Pipe { caps, capacity, to_a: Lane::default(), to_b: Lane::default() }
    }

    /// One end, as a device.
    pub fn end(&mut self, side: Side) -> End<'_> {
        let (incoming, outgoing) = match side {
            Side::A => (&mut self.to_a, &mut self.to_b),
            Side::B => (&mut self.to_b, &mut self.to_a),
        };
        End { caps: self.caps, capacity: self.capacity, incoming, outgoing }
    }

    /// Packets that wait to be received at `side`.
    pub fn waiting(&self, side: Side) -> usize {
        match side {
            Side::A => self.to_a.waiting.len(),
            Side::B => self.to_b.waiting.len(),
        }
    }

    /// What `side` pushed in vain.
    pub fn lost(&self, side: Side) -> Lost {
        match side {
            Side::A => self.to_b.lost,
            Side::B => self.to_a.lost,
        }
    }
}

/// One end of a [`Pipe`], borrowed.
#[derive(Debug)]
pub struct End<'p> {
    caps: Caps,
    capacity: usize,
    incoming: &'p mut Lane,
    outgoing: &'p mut Lane,
}

impl TxSink for End<'_> {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.outgoing.waiting.len())
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        self.outgoing.push(self.caps, self.room(), head, payload, meta);
    }
}

impl Device for End<'_> {
    type Error = Infallible;

    fn caps(&self) -> Caps {
        self.caps
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Infallible> {
        Ok(self.incoming.drain(each))
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
