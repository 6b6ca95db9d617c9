//! The device trait: packets in by callback, packets out through a sink with room.

use core::num::NonZeroU16;

/// What is known about the transport checksum of a received packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum ChecksumFact {
    /// Nobody looked: the stack verifies.
    #[default]
    Unchecked,
    /// Verified by the device, or never left this machine (virtio's "data valid" and "needs checksum").
    Trusted,
}

/// What the device says about a received packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct RxMeta {
    /// The transport checksum.
    pub checksum: ChecksumFact,
    /// Text octets of each TCP segment that was merged into this packet (the last may be shorter).
    pub gro: Option<NonZeroU16>,
    /// The link-layer frame was addressed to broadcast or multicast (RFC 1122 3.3.6).
    pub link_broadcast: bool,
}

/// A received IP packet (never a link-layer frame: devices with one strip it).
#[derive(Copy, Clone, Debug)]
pub struct RxFrame<'a> {
    /// The IP packet.
    pub bytes: &'a [u8],
    /// What the device says about it.
    pub meta: RxMeta,
}

impl<'a> RxFrame<'a> {
    /// A packet about which nothing is known.
    pub fn plain(bytes: &'a [u8]) -> Self {
        RxFrame { bytes, meta: RxMeta::default() }
    }
}

/// Segmentation that is left to the device.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Gso {
    /// Text octets for each segment but the last.
    pub size: NonZeroU16,
}

/// What the stack says about a packet to be sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct TxMeta {
    /// The device must finish the transport checksum: sum from `start` to the end of the packet, store at `start + offset`.
    /// The field then holds the folded pseudo-header sum. Only for devices with [`Caps::tx_checksum`].
    pub checksum: Option<TxChecksum>,
    /// The device must cut this packet into segments. Only for devices with [`Caps::max_gso`] > 0.
    pub gso: Option<Gso>,
}

/// Where a device puts a transport checksum.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TxChecksum {
    /// Offset of the transport header in the packet.
    pub start: u16,
    /// Offset of the checksum field in the transport header.
    pub offset: u16,
}

/// What a device can do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Largest IP packet, in octets.
    pub mtu: u16,
    /// Largest IP packet that the device cuts into segments itself, in octets; 0 if it does not.
    pub max_gso: u32,
    /// The device finishes transport checksums.
    pub tx_checksum: bool,
}

impl Caps {
    /// A device that only carries packets of up to `mtu` octets.
    pub const fn plain(mtu: u16) -> Self {
        Caps { mtu, max_gso: 0, tx_checksum: false }
    }
}

/// Where packets to be sent go. Ask for room first: a push without room is a lost packet.
pub trait TxSink {
    /// Packets that can be pushed now.
    fn room(&self) -> usize;

    /// Takes one IP packet: `head` (IP and transport headers) and then every slice of `payload`.
    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta);
}

/// A device that carries IP packets.
pub trait Device {
    /// What goes wrong with it.
    type Error;

    /// What it can do. Constant while a stack uses it.
    fn caps(&self) -> Caps;

    /// Hands a burst of packets that have arrived to `each`; returns how many, 0 if none waits. Does not block.
    ///
    /// # Errors
    /// The device is broken or gone.
    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Self::Error>;

    /// Where to put packets to be sent.
    fn tx(&mut self) -> &mut dyn TxSink;

    /// Sends what was pushed, as far as possible without blocking.
    ///
    /// # Errors
    /// The device is broken or gone. A full queue is no error: packets wait, room shrinks.
    fn flush(&mut self) -> Result<(), Self::Error>;
}
