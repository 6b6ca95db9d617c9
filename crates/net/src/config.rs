//! What the application decides about a stack: its settings, and the names of what it gets back.

use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use synfin_tcp::Config;
use synfin_wire::{Addr, Endpoint};

use crate::frag::FragLimits;

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
    /// Ignore the completing ACK; the peer's retransmission may find room. New SYNs are dropped meanwhile, so that
    /// few peers believe themselves connected.
    Ignore,
    /// Answer with RST.
    Reset,
}

/// Options of a listener.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ListenOpts {
    /// Most completed connections that wait for accept; 0 counts as 1. 128.
    pub backlog: u32,
    /// Most half-open records. 1,024.
    pub syn_queue: u32,
    /// SYN queue overflow. Cookies.
    pub syn_overflow: SynOverflow,
    /// Accept queue overflow. Ignored.
    pub accept_overflow: AcceptOverflow,
}

impl Default for ListenOpts {
    fn default() -> Self {
        ListenOpts {
            backlog: 128,
            syn_queue: 1024,
            syn_overflow: SynOverflow::Cookie,
            accept_overflow: AcceptOverflow::Ignore,
        }
    }
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

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ListenError::InUse => "another listener has this address and port",
            ListenError::NotOurs => "not an address of this stack",
            ListenError::NoPort => "no free port",
        })
    }
}

impl core::error::Error for ListenError {}

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

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectError::InvalidRemote => "not an address and port that one can connect to",
            ConnectError::NotOurs => "the local address is not one of this stack",
            ConnectError::InUse => "this pair of endpoints is in use",
            ConnectError::NoPort => "no free port towards this endpoint",
            ConnectError::NoRoute => "no address of this IP version to connect from",
            ConnectError::Limit => "the limit on connections is reached",
        })
    }
}

impl core::error::Error for ConnectError {}

/// Secrets of a stack; from the system's random number generator, never shown (RFC 6528, 6056, 4987).
#[derive(Clone)]
pub struct Secrets(pub [u8; 64]);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Settings of a stack beside those of its connections.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Settings of connections.
    pub tcp: Config,
    /// Our addresses; at least one.
    pub addrs: Vec<Cidr>,
    /// Most connections, half-open and TIME_WAIT not counted. 16,777,216.
    pub max_connections: u32,
    /// Most half-open records in all. 65,536.
    pub max_half_open: u32,
    /// Most TIME_WAIT records; the oldest goes first. 262,144.
    pub max_time_wait: u32,
    /// Most connections that no application holds; beyond it close() resets. 65,536.
    pub max_orphans: u32,
    /// Most octets in send and receive buffers. 1 GiB.
    pub max_buffer_memory: usize,
    /// Memory for fragments of IP packets.
    pub fragments: FragLimits,
    /// Most answers without a connection that wait to be sent: SYN,ACKs, RSTs, ICMP; about 150 octets each, an ICMP error
    /// up to 1,280. 1,024.
    pub max_answers: u32,
    /// Most packets from the stack to itself that wait. 1,024.
    pub max_looped: u32,
    /// Most outgoing RSTs that answer segments, per second; on average two thirds of it, so that nobody can count those
    /// of others. 100.
    pub rst_rate: u32,
    /// Most outgoing ICMP errors (on average two thirds, as for RSTs) and echo replies, per second each. 1,000.
    pub icmp_rate: u32,
    /// Ephemeral ports (RFC 6056 3.2). 32,768 to 65,535.
    pub ephemeral_ports: RangeInclusive<u16>,
}

impl Default for StackConfig {
    /// The documented values, and no address: fill in `addrs`.
    fn default() -> Self {
        StackConfig {
            tcp: Config::default(),
            addrs: Vec::new(),
            max_connections: 1 << 24,
            max_half_open: 1 << 16,
            max_time_wait: 1 << 18,
            max_orphans: 1 << 16,
            max_buffer_memory: 1 << 30,
            fragments: FragLimits::default(),
            max_answers: 1024,
            max_looped: 1024,
            rst_rate: 100,
            icmp_rate: 1000,
            ephemeral_ports: 32_768..=65_535,
        }
    }
}

/// What happened to an application's object since it was last asked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SocketEvent {
    /// [`synfin_tcp::Readiness`] of this connection may have changed.
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

/// What a listener counted.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ListenerStats {
    /// Half-open records now.
    pub half_open: u32,
    /// Completed connections that wait for accept now.
    pub waiting: u32,
    /// SYNs that found the SYN queue full.
    pub syn_overflows: u64,
    /// SYNs answered with a cookie.
    pub cookies_sent: u64,
    /// Cookies that came back valid.
    pub cookies_taken: u64,
    /// SYNs and completed handshakes that found the accept queue full.
    pub accept_overflows: u64,
}
