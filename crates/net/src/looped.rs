//! Packets to ourselves: they never reach the device.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use synfin_link::{ChecksumFact, RxMeta, TxMeta, TxSink};

/// Packet buffers kept for later.
const KEEP: usize = 64;

/// The link from us to us.
pub(crate) struct Looped {
    /// Most packets on the way; what is beyond has no room, as on any link.
    most: usize,
    queue: VecDeque<(Vec<u8>, RxMeta)>,
    spare: Vec<Vec<u8>>,
}

impl Looped {
    /// Room for so many packets; 0 counts as 1, without which nothing would ever go.
    pub(crate) fn new(most: u32) -> Looped {
        Looped { most: most.max(1) as usize, queue: VecDeque::new(), spare: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes the packet that was sent first.
    pub(crate) fn pop(&mut self) -> Option<(Vec<u8>, RxMeta)> {
        self.queue.pop_front()
    }

    /// Gives a packet's buffer back.
    pub(crate) fn recycle(&mut self, mut packet: Vec<u8>) {
        if self.spare.len() < KEEP {
            packet.clear();
            self.spare.push(packet);
        }
    }
}

impl TxSink for Looped {
    fn room(&self) -> usize {
        self.most.saturating_sub(self.queue.len())
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        if self.room() == 0 {
            return;
        }
        let mut packet = self.spare.pop().unwrap_or_default();
        packet.extend_from_slice(head);
        payload.iter().for_each(|part| packet.extend_from_slice(part));
        // It never left this machine; a super-segment arrives as one that was merged on receive.
        let gro = meta.gso.map(|gso| gso.size);
        self.queue
            .push_back((packet, RxMeta { checksum: ChecksumFact::Trusted, gro, link_broadcast: false }));
    }
}

#[cfg(test)]
mod tests;
