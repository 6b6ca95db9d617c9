//! Floor 2 of synfin: IP, demultiplexer, listeners and timers around TCP connections.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod demux;
pub mod frag;
pub mod isn;
pub mod key;
pub mod limiter;
pub mod ports;
pub mod ready;
pub mod slab;
pub mod stack;
pub mod wheel;

pub use stack::{
    AcceptOverflow, Census, Cidr, ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts, ListenerId, More,
    Secrets, SocketEvent, Stack, StackConfig, SynOverflow,
};
