//! Packets on their way out: written at once where the device takes them, kept in order where it does not.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use nix::errno::Errno;
use synfin_link::{TxMeta, TxSink};

/// Packets that may wait. Enough for a burst, little enough that a stalled device does not hold stale segments for long.
pub(crate) const ROOM: usize = 256;

/// Slices that go to the device in one call; a packet of more is put together first.
const MAX_SLICES: usize = 16;

/// Where an outbox writes. One call is one packet.
pub(crate) trait Port {
    /// Writes one packet made of `slices`, without blocking.
    fn write_packet(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Port for tun_rs::SyncDevice {
    fn write_packet(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(slices)
    }
}

/// Packets that were pushed and never reached the kernel.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Pushed while there was no room.
    pub no_room: u64,
    /// Refused by the kernel: the interface is down, or the packet is not one.
    pub refused: u64,
}

/// The outgoing half of a device.
pub(crate) struct Outbox<P> {
    port: P,
    waiting: VecDeque<Vec<u8>>,
    /// Emptied buffers, kept for their memory.
    spare: Vec<Vec<u8>>,
    /// What made the device unusable; the next flush reports it.
    broken: Option<io::Error>,
    lost: Lost,
}

/// What became of one write.
#[must_use]
enum Wrote {
    /// The packet needs nothing more from us.
    Done,
    /// The device is full.
    Full,
}

impl<P: Port> Outbox<P> {
    pub(crate) fn new(port: P) -> Self {
        Outbox { port, waiting: VecDeque::new(), spare: Vec::new(), broken: None, lost: Lost::default() }
    }

    pub(crate) fn port(&self) -> &P {
        &self.port
    }

    pub(crate) fn lost(&self) -> Lost {
        self.lost
    }

    /// Packets that wait for the device.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Writes waiting packets, oldest first, until the device is full.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.broken.is_none()
            && let Some(packet) = self.waiting.front()
        {
            let result = self.port.write_packet(&[IoSlice::new(packet)]);
            match self.judge(result) {
                Wrote::Full => break,
                Wrote::Done => self.spare.extend(self.waiting.pop_front()),
            }
        }
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn judge(&mut self, result: io::Result<usize>) -> Wrote {
        let Err(error) = result else { return Wrote::Done };
        match error.raw_os_error().map(Errno::from_raw) {
            // Out of buffers, or a signal: later.
            Some(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS | Errno::ENOMEM) => return Wrote::Full,
            // EIO: the interface is down, which is a cable pulled out. EINVAL: the kernel sees no IP packet.
            Some(Errno::EIO | Errno::EINVAL | Errno::EMSGSIZE) => self.lost.refused += 1,
            _ => self.broken = Some(error),
        }
        Wrote::Done
    }

    fn keep(&mut self, head: &[u8], payload: &[&[u8]]) {
        let packet = self.assemble(head, payload);
        self.waiting.push_back(packet);
    }

    fn assemble(&mut self, head: &[u8], payload: &[&[u8]]) -> Vec<u8> {
        let mut packet = self.spare.pop().unwrap_or_default();
        packet.clear();
        packet.extend_from_slice(head);
        for part in payload {
            packet.extend_from_slice(part);
        }
        packet
    }

    fn write(&mut self, head: &[u8], payload: &[&[u8]]) -> Wrote {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let result = match slices.get_mut(..=payload.len()) {
            Some(slices) => {
                for (slice, part) in slices.iter_mut().zip([head].iter().chain(payload)) {
                    *slice = IoSlice::new(part);
                }
                self.port.write_packet(slices)
            }
            None => {
                let packet = self.assemble(head, payload);
                let result = self.port.write_packet(&[IoSlice::new(&packet)]);
                self.spare.push(packet);
                result
            }
        };
        self.judge(result)
    }
}

impl<P: Port> TxSink for Outbox<P> {
    fn room(&self) -> usize {
        ROOM.saturating_sub(self.waiting.len())
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _meta: TxMeta) {
        if self.waiting.is_empty() {
            if let Wrote::Full = self.write(head, payload) {
                self.keep(head, payload);
            }
        } else if self.waiting.len() < ROOM {
            // Others wait: order is kept.
            self.keep(head, payload);
        } else {
            self.lost.no_room += 1;
        }
    }
}

#[cfg(test)]
mod tests;
