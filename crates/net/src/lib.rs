//! Floor 2 of synfin: IP, demultiplexer, listeners and timers around TCP connections.
//!
//! A [`Stack`] takes IP packets ([`Stack::on_packet`]), the time ([`Stack::on_timeout`]) and calls
//! ([`Stack::listen`], [`Stack::connect`], [`Stack::conn`]), and hands out packets ([`Stack::poll_transmit`]) and news
//! ([`Stack::poll_event`]). It has no clock, no thread and no device: same inputs, same packets.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod config;
mod conns;
mod cookie;
pub mod demux;
mod env;
pub mod frag;
mod handle;
mod icmp_in;
mod ip_in;
mod ip_out;
pub mod isn;
pub mod key;
pub mod limiter;
mod list;
mod listener;
mod looped;
mod open;
pub mod ports;
pub mod ready;
mod records;
mod reply;
mod route;
pub mod slab;
pub mod stack;
mod syn_cache;
mod tcp_in;
#[cfg(test)]
mod testkit;
mod turn;
mod tw_table;
pub mod wheel;

pub use frag::FragLimits;
pub use stack::{
    AcceptOverflow, Census, Cidr, ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts,
    ListenerId, ListenerStats, More, Secrets, SocketEvent, Stack, StackConfig, SynOverflow,
};
