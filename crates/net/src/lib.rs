//! Floor 2 of synfin: IP, demultiplexer, listeners and timers around TCP connections.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod stack;

pub use stack::{
    AcceptOverflow, Census, Cidr, ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts, ListenerId, More,
    Secrets, SocketEvent, Stack, StackConfig, SynOverflow,
};
