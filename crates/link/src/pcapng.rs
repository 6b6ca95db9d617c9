//! Captures in the pcapng format (draft-ietf-opsawg-pcapng): IP packets with nanosecond times, directions and comments.
//!
//! [`Writer`] makes the blocks, [`Tap`] records what a device carries. Blocks are little-endian.

use alloc::vec::Vec;
use core::convert::Infallible;

mod tap;

pub use tap::Tap;

/// Where a capture's octets go.
pub trait ByteSink {
    /// What goes wrong with it.
    type Error;

    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// They could not be taken; the capture ends in the middle of a block.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl ByteSink for Vec<u8> {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl<S: ByteSink + ?Sized> ByteSink for &mut S {
    type Error = S::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        (**self).write(bytes)
    }
}

/// A [`std::io::Write`] as a [`ByteSink`]. Wrap slow ones in a `BufWriter`: each block is one write.
#[cfg(any(test, feature = "std"))]
#[derive(Debug)]
pub struct Io<W>(pub W);

#[cfg(any(test, feature = "std"))]
impl<W: std::io::Write> ByteSink for Io<W> {
    type Error = std::io::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), std::io::Error> {
        self.0.write_all(bytes)
    }
}

/// What a capture says about itself; empty texts are left out.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Section<'a> {
    /// The program that writes it.
    pub application: &'a str,
    /// Anything, such as the command line and the seed.
    pub comment: &'a str,
}

/// One point at which packets are captured.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct InterfaceId(u32);

/// Which way a packet went, seen from the point of capture.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Received.
    Inbound,
    /// Sent.
    Outbound,
}

/// One captured IP packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// Where.
    pub interface: InterfaceId,
    /// When, in nanoseconds since 1970-01-01, or since any other epoch.
    pub nanos: u64,
    /// Which way.
    pub direction: Direction,
    /// What is to be said about it; empty: nothing. Readers show it beside the packet.
    pub comment: &'a str,
    /// Its octets.
    pub bytes: &'a [u8],
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Packets begin with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

/// Writes one section of a pcapng file.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    interfaces: u32,
    block: Block,
}

impl<W: ByteSink> Writer<W> {
    /// Starts a capture: writes the section header.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(out: W, section: Section<'_>) -> Result<Writer<W>, W::Error> {
        let mut writer = Writer { out, interfaces: 0, block: Block::default() };
        let block = &mut writer.block;
        block.start(SECTION_HEADER);
        block.u32(BYTE_ORDER_MAGIC);
        block.u16(1);
        block.u16(0);
        // The section's length is not known yet.
        block.u64(u64::MAX);
        block.text(OPT_COMMENT, section.comment);
        block.text(SHB_USERAPPL, section.application);
        block.end();
        writer.out.write(&writer.block.0)?;
        Ok(writer)
    }

    /// Adds a point of capture for IP packets, whole packets and times in nanoseconds.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn interface(&mut self, name: &str) -> Result<InterfaceId, W::Error> {
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        let block = &mut self.block;
        block.start(INTERFACE_DESCRIPTION);
        block.u16(LINKTYPE_RAW);
        block.u16(0);
        // No limit on a packet's captured length.
        block.u32(0);
        block.text(IF_NAME, name);
        // Ten to the power of minus nine.
        block.option(IF_TSRESOL, &[9]);
        block.end();
        self.out.write(&self.block.0)?;
        Ok(id)
    }

    /// Records one packet.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn packet(&mut self, packet: Packet<'_>) -> Result<(), W::Error> {
        let len = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        let block = &mut self.block;
        block.start(ENHANCED_PACKET);
        block.u32(packet.interface.0);
        block.u32((packet.nanos >> 32) as u32);
        block.u32(packet.nanos as u32);
        block.u32(len);
        block.u32(len);
        block.padded(packet.bytes);
        block.text(OPT_COMMENT, packet.comment);
        let flags: u32 = match packet.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        block.option(EPB_FLAGS, &flags.to_le_bytes());
        block.end();
        self.out.write(&self.block.0)
    }

    /// The sink, e.g. to flush it.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the capture; nothing more has to be written.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// A block being put together; the memory is used again for the next.
#[derive(Debug, Default)]
struct Block(Vec<u8>);

impl Block {
    /// Type, and room for the length.
    fn start(&mut self, kind: u32) {
        self.0.clear();
        self.u32(kind);
        self.u32(0);
    }

    fn u16(&mut self, n: u16) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn u32(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    /// Octets, filled up with zeros to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    /// A UTF-8 option; none for the empty text. What is longer than an option can be is cut between characters.
    fn text(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            let cut = text.floor_char_boundary(usize::from(u16::MAX));
            self.option(code, text.get(..cut).unwrap_or_default().as_bytes());
        }
    }

    /// End of options, and the length at both ends of the block.
    fn end(&mut self) {
        self.u32(0);
        let len = (self.0.len() + 4) as u32;
        self.u32(len);
        if let [_, _, _, _, a, b, c, d, ..] = self.0.as_mut_slice() {
            [*a, *b, *c, *d] = len.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests;
