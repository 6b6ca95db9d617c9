//! A virtual network with a virtual clock: stacks joined by links that can be as bad as one likes, and deterministic.
//!
//! A [`World`] holds nodes (each a [`synfin_net::Stack`] with [`App`]s) and [`Link`]s. Time jumps from event to event.
//! Everything random follows from one seed: the same seed and the same calls give the same packets, octet by octet
//! ([`World::digest`]).
//!
//! ```
//! use synfin_sim::{apps, host, ListenAt, LinkConfig, World};
//! # use synfin_wire::{Addr, Endpoint};
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod apps;
pub mod digest;
pub mod link;
pub mod observe;
pub mod pattern;
mod queue;
pub mod rng;
pub mod world;

pub use digest::Digest;
pub use link::{Arrival, Cause, Fate, Filter, Link, LinkConfig, Loss, Offer, Pass, Reorder};
pub use observe::{Condition, Observer, Recorder, Seen, Station};
pub use pattern::Pattern;
pub use rng::{Ppm, Rng};
pub use world::{App, AppId, Ending, LinkId, NodeId, ObserverId, Step, Tally, World, host};
