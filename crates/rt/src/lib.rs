//! Floor 3 of synfin: the thread that drives one stack and one device.
//!
//! [`Host::start`] moves a device into a thread of its own, the shard. The shard takes what arrives, runs the timers,
//! sends what is due and then sleeps until the device, a timer or an application wants something. Stack and shard
//! share one mutex; applications enter through [`Host::with`], and the shard is woken only if it sleeps.
//!
//! Nothing here knows about sockets: whoever waits registers a [`core::task::Waker`] under the same lock that it
//! looked under, so no wake-up is lost.
#![forbid(unsafe_code)]

pub mod clock;
pub mod host;
mod shard;
pub mod wait;
pub mod waiters;

pub use clock::Clock;
pub use host::{Host, Stopped, Turn};
#[cfg(unix)]
pub use wait::{FdWait, fd};
pub use wait::{Sending, SignalWait, Wait};
pub use waiters::{Slot, Want};
