//! A device that records what another one carries.

use alloc::string::String;
use alloc::vec::Vec;

use super::{ByteSink, Direction, InterfaceId, Packet, Writer};
use crate::offload::finish_checksum;
use crate::{Caps, Device, RxFrame, TxMeta, TxSink};

/// Wraps a device: every packet goes on unchanged and is recorded.
///
/// `clock` gives the time of a packet in nanoseconds. `remark` may write a comment about it: it is asked for a sent
/// packet when that is pushed, and for a received one when the stack is done with it, so that it can tell what the
/// packet did.
///
/// Checksums that are left to the device are recorded finished; super-segments (either way) are recorded whole, as
/// one packet. A capture that can no longer be written ends ([`Tap::error`]); the device goes on.
pub struct Tap<D, W: ByteSink, C, R> {
    device: D,
    /// Of `device`, when last asked.
    room: usize,
    record: Record<W, C, R>,
}

struct Record<W: ByteSink, C, R> {
    writer: Writer<W>,
    interface: InterfaceId,
    clock: C,
    remark: R,
    error: Option<W::Error>,
    packet: Vec<u8>,
    comment: String,
}

impl<W, C, R> Record<W, C, R>
where
    W: ByteSink,
    C: FnMut() -> u64,
    R: FnMut(Direction, &[u8], &mut String),
{
    fn write(&mut self, nanos: u64, direction: Direction, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        self.comment.clear();
        (self.remark)(direction, bytes, &mut self.comment);
        let packet = Packet { interface: self.interface, nanos, direction, comment: &self.comment, bytes };
        self.error = self.writer.packet(packet).err();
    }

    fn sent(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        let nanos = (self.clock)();
        let mut packet = core::mem::take(&mut self.packet);
        packet.clear();
        packet.extend_from_slice(head);
        for part in payload {
            packet.extend_from_slice(part);
        }
        if let Some(at) = meta.checksum {
            finish_checksum(&mut packet, at);
        }
        self.write(nanos, Direction::Outbound, &packet);
        self.packet = packet;
    }
}

impl<D, W, C, R> Tap<D, W, C, R>
where
    D: Device,
    W: ByteSink,
    C: FnMut() -> u64,
    R: FnMut(Direction, &[u8], &mut String),
{
    /// Records `device` into `writer` as its interface `interface`.
    pub fn new(device: D, writer: Writer<W>, interface: InterfaceId, clock: C, remark: R) -> Self {
        let record = Record {
            writer,
            interface,
            clock,
            remark,
            error: None,
            packet: Vec::new(),
            comment: String::new(),
        };
        Tap { device, room: 0, record }
    }

    /// What ended the capture, if anything did.
    pub fn error(&self) -> Option<&W::Error> {
        self.record.error.as_ref()
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// The capture, e.g. to flush it.
    pub fn writer_mut(&mut self) -> &mut Writer<W> {
        &mut self.record.writer
    }

    /// The device and the capture, apart again.
    pub fn into_parts(self) -> (D, Writer<W>) {
        (self.device, self.record.writer)
    }
}

impl<D, W, C, R> TxSink for Tap<D, W, C, R>
where
    D: Device,
    W: ByteSink,
    C: FnMut() -> u64,
    R: FnMut(Direction, &[u8], &mut String),
{
    fn room(&self) -> usize {
        self.room
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        // Without room the packet is lost before the point of capture.
        if self.room > 0 {
            self.record.sent(head, payload, meta);
        }
        let sink = self.device.tx();
        sink.push(head, payload, meta);
        self.room = sink.room();
    }
}

impl<D, W, C, R> Device for Tap<D, W, C, R>
where
    D: Device,
    W: ByteSink,
    C: FnMut() -> u64,
    R: FnMut(Direction, &[u8], &mut String),
{
    type Error = D::Error;

    fn caps(&self) -> Caps {
        self.device.caps()
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, D::Error> {
        let record = &mut self.record;
        self.device.recv(&mut |frame| {
            let nanos = (record.clock)();
            each(frame);
            record.write(nanos, Direction::Inbound, frame.bytes);
        })
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self.room = self.device.tx().room();
        self
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        self.device.flush()
    }
}

#[cfg(test)]
mod tests;
