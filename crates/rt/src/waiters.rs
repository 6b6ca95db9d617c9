//! Who waits for what on one connection or listener.

use std::ops::BitOr;
use std::task::Waker;

use synfin_tcp::Readiness;

/// What somebody waits for; any of several, joined with `|`. An end of the connection satisfies all of them.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Want(u8);

impl Want {
    /// A read would not block. At a listener: an accept would not.
    pub const READ: Want = Want(1);
    /// A write would not block.
    pub const WRITE: Want = Want(2);
    /// The handshake is complete.
    pub const CONNECT: Want = Want(4);
    /// Everything sent is acknowledged.
    pub const DRAIN: Want = Want(8);

    /// Whether `other` has any of these.
    pub const fn intersects(self, other: Want) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the wait is over.
    pub fn met(self, r: &Readiness) -> bool {
        r.closed.is_some()
            || (self.intersects(Want::READ) && r.readable)
            || (self.intersects(Want::WRITE) && r.writable)
            || (self.intersects(Want::CONNECT) && r.connected)
            || (self.intersects(Want::DRAIN) && r.drained)
    }
}

impl BitOr for Want {
    type Output = Want;
    fn bitor(self, other: Want) -> Want {
        Want(self.0 | other.0)
    }
}

/// Names one waiter of a connection or listener: registering again replaces its waker.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Slot(pub(crate) u64);

impl Slot {
    /// The one reader of an interface where only the last caller is woken (`poll_read`).
    pub const READER: Slot = Slot(0);
    /// The one writer of such an interface (`poll_write`).
    pub const WRITER: Slot = Slot(1);
    /// The first of the slots that are handed out.
    pub(crate) const FIRST_FREE: u64 = 2;
}

#[derive(Debug)]
struct Waiter {
    slot: Slot,
    want: Want,
    waker: Waker,
}

/// The waiters of one connection or listener. Wakers that are no longer needed are handed out rather than dropped:
/// dropping one may run code of an application, which must not happen under the stack's lock.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// Registers a waiter; returns the waker that it replaces.
    pub(crate) fn put(&mut self, slot: Slot, want: Want, waker: &Waker) -> Option<Waker> {
        match self.0.iter_mut().find(|w| w.slot == slot) {
            Some(w) => {
                w.want = want;
                (!w.waker.will_wake(waker)).then(|| std::mem::replace(&mut w.waker, waker.clone()))
            }
            None => {
                self.0.push(Waiter { slot, want, waker: waker.clone() });
                None
            }
        }
    }

    /// Forgets a waiter.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Waker> {
        let at = self.0.iter().position(|w| w.slot == slot)?;
        Some(self.0.swap_remove(at).waker)
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves the wakers whose wait is over to `out`.
    pub(crate) fn take_met(&mut self, r: &Readiness, out: &mut Vec<Waker>) {
        out.extend(self.0.extract_if(.., |w| w.want.met(r)).map(|w| w.waker));
    }

    /// Moves all wakers to `out`.
    pub(crate) fn take_all(&mut self, out: &mut Vec<Waker>) {
        out.extend(self.0.drain(..).map(|w| w.waker));
    }
}

#[cfg(test)]
mod tests;
