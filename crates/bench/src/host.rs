//! What both stacks are asked to do, in one vocabulary.

use synfin_wire::Instant;

use crate::lane::Lane;

mod ours;
mod smol;

pub use ours::Synfin;
pub use smol::Smoltcp;

/// Who verifies and fills in TCP checksums. IP header checksums are always the stack's.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Checksums {
    /// The stack, in software.
    Software,
    /// The device.
    Device,
}

/// Whether segments carry the timestamps option (RFC 7323).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Stamps {
    /// They do: 12 octets less text in a segment.
    On,
    /// They do not.
    Off,
}

impl Stamps {
    /// Octets of text in a full segment over IPv4.
    pub fn full_segment(self) -> usize {
        match self {
            Stamps::On => 1448,
            Stamps::Off => 1460,
        }
    }
}

/// How a host is made.
#[derive(Copy, Clone, Debug)]
pub struct Setup {
    /// Last octet of its address, 10.0.0.x.
    pub number: u8,
    /// Who does TCP checksums.
    pub checksums: Checksums,
    /// Timestamps.
    pub stamps: Stamps,
    /// Octets of send buffer and of receive buffer of each connection.
    pub buffer: u32,
    /// TIME_WAIT in milliseconds, where the stack can be told.
    pub time_wait_ms: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            number: 2,
            checksums: Checksums::Software,
            stamps: Stamps::Off,
            buffer: 256 << 10,
            time_wait_ms: 60_000,
        }
    }
}

/// Largest IP packet.
pub const MTU: usize = 1500;

/// Whose figure it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// Ours.
    Synfin,
    /// The peer's.
    Smoltcp,
}

impl Side {
    /// As an argument.
    pub fn name(self) -> &'static str {
        match self {
            Side::Synfin => "synfin",
            Side::Smoltcp => "smoltcp",
        }
    }
}

/// A TCP/IP stack with the calls that its applications and drivers make.
pub trait Host {
    /// Names one connection.
    type Conn: Copy;

    /// A host without connections.
    fn new(setup: &Setup) -> Self;

    /// Listens on this port.
    fn listen(&mut self, port: u16);

    /// Connects to a port of host `to`, from `from` where the stack does not choose.
    fn connect(&mut self, now: Instant, to: u8, port: u16, from: u16) -> Self::Conn;

    /// A connection that the listener has completed.
    fn accept(&mut self, now: Instant) -> Option<Self::Conn>;

    /// One packet arrives. What the stack answers on the spot goes to `out`.
    fn ingress(&mut self, now: Instant, packet: &[u8], out: &mut Lane);

    /// Timers that are due, then everything that is due to be sent.
    fn egress(&mut self, now: Instant, out: &mut Lane);

    /// Octets that the application takes; 0 if none waits.
    fn read(&mut self, now: Instant, c: Self::Conn, into: &mut [u8]) -> usize;

    /// Octets that the application gives; 0 if there is no room.
    fn write(&mut self, now: Instant, c: Self::Conn, data: &[u8]) -> usize;

    /// Whether the peer has closed its direction and everything was read.
    fn ended(&mut self, now: Instant, c: Self::Conn) -> bool;

    /// The application closes and lets go.
    fn close(&mut self, now: Instant, c: Self::Conn);

    /// The connection is over as far as the application can see: whatever it still has to clear up.
    fn reap(&mut self, c: Self::Conn);

    /// Connections that exist, half-open and TIME_WAIT not counted.
    fn connections(&self) -> usize;
}
