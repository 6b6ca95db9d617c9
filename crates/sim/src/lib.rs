//! A virtual network with a virtual clock: stacks joined by links that can be as bad as one likes, and deterministic.
//!
//! A [`World`] holds nodes (each a [`synfin_net::Stack`] with [`App`]s) and [`Link`]s. Time jumps from event to event.
//! Everything random follows from one seed: the same seed and the same calls give the same packets, octet by octet
//! ([`World::digest`]).
//!
//! ```
//! use synfin_sim::apps::{self, Outcome};
//! use synfin_sim::{Ending, LinkConfig, Loss, Pattern, Ppm, World, host};
//! use synfin_wire::{Addr, Endpoint, Instant};
//!
//! let [a, b] = [Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2])];
//! let at = Endpoint::new(b, 80);
//! let mut world = World::new(42);
//! let (left, right) = (world.add_node("left", host(&[a])), world.add_node("right", host(&[b])));
//! let bad = LinkConfig { loss: Loss::Independent(Ppm::percent(5)), ..LinkConfig::default() };
//! world.join(left, right, bad.clone(), bad);
//! world.add_app(right, apps::receiver(at, Pattern(1), 100_000));
//! let sender = world.add_app(left, apps::sender(at, Pattern(1), 100_000));
//! assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
//! let report = world.app::<apps::Client>(sender).map(|client| client.report());
//! assert_eq!(report.map(|report| report.outcome), Some(Outcome::Done));
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
