//! The stack: owner of every record, and the order of turns.

use alloc::boxed::Box;

use synfin_link::{Caps, RxFrame, TxSink};
use synfin_tcp::{Config, Connection, Counters, Probe, ReadError, Readiness, Shutdown, WriteError};
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

/// Names a connection of a stack; a stale name is detected.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId {
    /// Slot.
    pub index: u32,
    /// Incarnation of the slot.
    pub generation: u32,
}

/// Names a listener of a stack; a stale name is detected.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListenerId {
    /// Slot.
    pub index: u32,
    /// Incarnation of the slot.
    pub generation: u32,
}

/// An address of the stack with the length of its network's prefix.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Cidr {
    /// The stack's address.
    pub addr: Addr,
    /// Prefix length: 0 to 32 for IPv4, 0 to 128 for IPv6.
    pub prefix: u8,
}

/// What a listener does with a SYN that finds its SYN queue full.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SynOverflow {
    /// Answer with a SYN cookie and keep nothing (RFC 4987 3.6).
    Cookie,
    /// Drop it silently.
    Drop,
}

/// What a listener does with a completed handshake that finds its accept queue full.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AcceptOverflow {
    /// Ignore the completing ACK; the peer's retransmission may find room.
    Ignore,
    /// Answer with RST.
    Reset,
}

/// Options of a listener.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ListenOpts {
    /// Most completed connections that wait for accept. 128.
    pub backlog: u32,
    /// Most half-open records. 1,024.
    pub syn_queue: u32,
    /// SYN queue overflow.
    pub syn_overflow: SynOverflow,
    /// Accept queue overflow.
    pub accept_overflow: AcceptOverflow,
}

/// Options of an active open.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ConnectOpts {
    /// Local address and port; unspecified address: the stack chooses (RFC 9293 MUST-43, 44), port 0: RFC 6056.
    pub local: Option<Endpoint>,
}

/// Why listening failed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// Another listener has this address and port (RFC 9293 MUST-41).
    InUse,
    /// The address is not one of ours.
    NotOurs,
    /// Port 0 and no port is free.
    NoPort,
}

/// Why an active open failed at once.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// Unspecified, multicast or broadcast remote address, or port 0 (RFC 9293 MUST-46).
    InvalidRemote,
    /// The local address is not one of ours, or of the other IP version.
    NotOurs,
    /// This pair of endpoints is in use.
    InUse,
    /// Every ephemeral port is in use for this remote endpoint.
    NoPort,
    /// No address of ours has that IP version: no way there.
    NoRoute,
    /// The limit on connections is reached.
    Limit,
}

/// Secrets of a stack; from the system's random number generator, never shown (RFC 6528, 6056, 4987).
#[derive(Clone)]
pub struct Secrets(pub [u8; 64]);

/// Settings of a stack beside those of its connections.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Settings of connections.
    pub tcp: Config,
    /// Our addresses; at least one.
    pub addrs: alloc::vec::Vec<Cidr>,
    /// Most connections, half-open and TIME_WAIT not counted. 1,048,576... unlimited by default: 16,777,216.
    pub max_connections: u32,
    /// Most half-open records in all. 65,536.
    pub max_half_open: u32,
    /// Most TIME_WAIT records; the oldest goes first. 262,144.
    pub max_time_wait: u32,
    /// Most connections that no application holds; beyond it close() resets. 65,536.
    pub max_orphans: u32,
    /// Most octets in send and receive buffers. 1 GiB.
    pub max_buffer_memory: usize,
    /// Outgoing RSTs that answer segments, per second. 100.
    pub rst_rate: u32,
    /// Outgoing ICMP errors per second. 1,000.
    pub icmp_rate: u32,
    /// Ephemeral ports (RFC 6056 3.2).
    pub ephemeral_ports: core::ops::RangeInclusive<u16>,
}

/// What happened to an application's object since it was last asked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SocketEvent {
    /// [`Readiness`] of this connection may have changed.
    Connection(ConnId),
    /// A completed connection waits at this listener.
    Listener(ListenerId),
}

/// Whether a turn was cut short.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum More {
    /// Nothing is left to send now.
    Done,
    /// The budget or the sink's room ended first.
    Pending,
}

/// How many records of each kind exist.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Connections, husks included.
    pub connections: u32,
    /// Half-open records.
    pub half_open: u32,
    /// TIME_WAIT records.
    pub time_wait: u32,
    /// Connections that no application holds.
    pub orphans: u32,
    /// Listeners.
    pub listeners: u32,
    /// Octets of buffers handed out.
    pub buffers: usize,
}

/// One TCP/IP host without clock, thread or device.
pub struct Stack {}

impl Stack {
    /// A stack for a device with these abilities.
    pub fn new(cfg: StackConfig, caps: Caps, secrets: Secrets) -> Stack {
        todo!()
    }

    /// From now on tells `probe` what happens.
    pub fn set_probe(&mut self, probe: Option<Box<dyn Probe + Send>>) {
        todo!()
    }

    /// Takes one IP packet.
    pub fn on_packet(&mut self, now: Instant, frame: RxFrame<'_>) {
        todo!()
    }

    /// Runs every timer that is due.
    pub fn on_timeout(&mut self, now: Instant) {
        todo!()
    }

    /// Sends what is due, fairly, while `sink` has room and at most `budget` packets.
    pub fn poll_transmit(&mut self, now: Instant, budget: usize, sink: &mut dyn TxSink) -> More {
        todo!()
    }

    /// When [`Stack::on_timeout`] wants to be called; never later than the first deadline.
    pub fn poll_timeout(&self) -> Instant {
        todo!()
    }

    /// The next object whose application should look at it. Each object is named once however much happened.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        todo!()
    }

    /// Passive open. An unspecified address listens on all of its version's addresses (`::` on both versions); port 0 picks one.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn listen(&mut self, at: Endpoint, opts: ListenOpts) -> Result<ListenerId, ListenError> {
        todo!()
    }

    /// Where a listener listens.
    pub fn listener_endpoint(&self, l: ListenerId) -> Option<Endpoint> {
        todo!()
    }

    /// Takes a completed connection from a listener's accept queue.
    pub fn accept(&mut self, now: Instant, l: ListenerId) -> Option<(ConnId, Tuple)> {
        todo!()
    }

    /// How many completed connections wait at a listener.
    pub fn accept_queue(&self, l: ListenerId) -> usize {
        todo!()
    }

    /// Closes a listener: half-open records go silently, connections not accepted are reset (STATE-TABLE "listener closed").
    pub fn close_listener(&mut self, now: Instant, l: ListenerId) {
        todo!()
    }

    /// Active open.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(&mut self, now: Instant, to: Endpoint, opts: ConnectOpts) -> Result<ConnId, ConnectError> {
        todo!()
    }

    /// Access to one connection; `None` if the name is stale. Dropping the handle schedules what the calls made due.
    pub fn conn(&mut self, now: Instant, id: ConnId) -> Option<Handle<'_>> {
        todo!()
    }

    /// How many records exist.
    pub fn census(&self) -> Census {
        todo!()
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        todo!()
    }

    /// Our addresses.
    pub fn addrs(&self) -> &[Cidr] {
        todo!()
    }

    /// Calls `each` for every record, in no particular order: tuple, state. For dumps only.
    pub fn for_each_record(&self, each: &mut dyn FnMut(&Tuple, synfin_tcp::State)) {
        todo!()
    }
}

/// A connection lent to its application.
pub struct Handle<'a> {
    stack: &'a mut Stack,
}

impl Handle<'_> {
    /// See [`Connection::read`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        todo!()
    }

    /// See [`Connection::peek`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn peek(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        todo!()
    }

    /// See [`Connection::write`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        todo!()
    }

    /// See [`Connection::write_urgent`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write_urgent(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        todo!()
    }

    /// See [`Connection::shutdown`].
    pub fn shutdown(&mut self, how: Shutdown) {
        todo!()
    }

    /// See [`Connection::close`]: the name is stale afterwards.
    pub fn close(self) {
        todo!()
    }

    /// See [`Connection::abort`], and lets go: the name is stale afterwards.
    pub fn abort(self) {
        todo!()
    }

    /// What the application can do now.
    pub fn readiness(&self) -> Readiness {
        todo!()
    }

    /// The connection, to look at.
    pub fn get(&self) -> &Connection {
        todo!()
    }

    /// Changes options of the connection: `f` gets it with the context that its setters ask for.
    pub fn configure<R>(&mut self, f: impl FnOnce(&mut Connection, &mut synfin_tcp::Cx<'_>) -> R) -> R {
        todo!()
    }
}
