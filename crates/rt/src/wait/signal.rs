//! Waiting for a device without file descriptor: whoever puts packets into it calls the waker.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use synfin_link::pipe::shared::End;

use super::{Sending, Wait};

/// Waits for devices in memory. Their other side calls the waker when it puts packets in, and when it makes room.
#[derive(Debug, Default)]
pub struct SignalWait {
    signal: Arc<Signal>,
}

#[derive(Debug, Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if !*given {
            *given = true;
            self.changed.notify_one();
        }
    }
}

impl SignalWait {
    /// A waiter without signal yet.
    pub fn new() -> SignalWait {
        SignalWait::default()
    }

    /// A waiter for one end of an in-memory pipe.
    pub fn for_pipe(end: &End) -> SignalWait {
        let wait = SignalWait::new();
        let waker = wait.waker();
        end.set_waker(Box::new(move || waker.wake_by_ref()));
        wait
    }

    /// What the device's other side calls.
    pub fn waker(&self) -> Waker {
        Arc::clone(&self.signal).into()
    }

    /// Waits for the signal and takes it.
    pub fn sleep(&self, timeout: Option<Duration>) {
        let mut given = self.signal.given.lock().unwrap_or_else(PoisonError::into_inner);
        if !*given {
            given = match timeout {
                None => self.signal.changed.wait(given).unwrap_or_else(PoisonError::into_inner),
                Some(t) => {
                    self.signal.changed.wait_timeout(given, t).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *given = false;
    }
}

impl<D> Wait<D> for SignalWait {
    fn waker(&self) -> Waker {
        SignalWait::waker(self)
    }

    fn wait(&mut self, _device: &D, _sending: Sending, timeout: Option<Duration>) -> io::Result<()> {
        self.sleep(timeout);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
