//! Packets on their way, ordered by arrival.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::num::NonZeroU16;

use synfin_wire::Instant;

use crate::{Condition, NodeId};

/// A packet on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) at: Instant,
    /// Where it was put on its way.
    pub(crate) from: NodeId,
    /// Where it arrives.
    pub(crate) to: NodeId,
    pub(crate) bytes: Vec<u8>,
    /// Text octets per segment of a super-segment.
    pub(crate) gro: Option<NonZeroU16>,
    /// Whether a bit was flipped.
    pub(crate) condition: Condition,
}

/// Deliveries by time, those of the same time in the order in which they were put in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Time, serial number, slot.
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    slots: Vec<Option<Delivery>>,
    free: Vec<usize>,
    serial: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, delivery: Delivery) {
        let at = delivery.at;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        if let Some(empty) = self.slots.get_mut(slot) {
            *empty = Some(delivery);
        }
        self.order.push(Reverse((at, self.serial, slot)));
        self.serial += 1;
    }

    /// When the next packet arrives; [`Instant::NEVER`] if none is on its way.
    pub(crate) fn next_at(&self) -> Instant {
        self.order.peek().map_or(Instant::NEVER, |Reverse((at, ..))| *at)
    }

    /// Takes the next packet off.
    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let Reverse((_, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        self.slots.get_mut(slot)?.take()
    }

    /// Packets on their way.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests;
