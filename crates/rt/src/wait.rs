//! How a shard sleeps: until the device, a timer or an application wants something.

use std::io;
use std::task::Waker;
use std::time::Duration;

#[cfg(unix)]
pub mod fd;
pub mod signal;

#[cfg(unix)]
pub use fd::FdWait;
pub use signal::SignalWait;

/// Whether packets wait for room in the device.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Sending {
    /// No: only arrivals matter.
    Idle,
    /// Yes: wake up also when the device can take packets again.
    Blocked,
}

/// How to wait for a device of type `D`.
pub trait Wait<D> {
    /// Ends the wait in progress, or else the next one. Called from any thread.
    fn waker(&self) -> Waker;

    /// Waits until the device has a packet (or room, if sending is blocked), the waker is called, or `timeout` has
    /// passed (`None`: never). May return early.
    ///
    /// # Errors
    /// The device cannot be waited for any more: it counts as gone.
    fn wait(&mut self, device: &D, sending: Sending, timeout: Option<Duration>) -> io::Result<()>;
}
