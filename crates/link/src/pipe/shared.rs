//! A pipe whose ends can live on different threads.
//!
//! Each end gathers what is pushed and hands it over in [`Device::flush`] with one short lock and one wake-up.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::convert::Infallible;
use core::fmt;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Lane, Lost};
use crate::{Caps, Device, RxFrame, TxMeta, TxSink};

/// Packets that one [`Device::recv`] hands over at most: a busy peer leaves time for timers and for sending.
const BURST: usize = 64;

type Waker = Box<dyn Fn() + Send>;

/// Two devices, each one's outgoing packets the other's incoming, with these abilities and up to `capacity` packets
/// in each direction.
pub fn pair(caps: Caps, capacity: usize) -> (End, End) {
    let (a, b) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
    let end = |own: &Arc<Inbox>, peer: &Arc<Inbox>| End {
        caps,
        capacity,
        own: Arc::clone(own),
        peer: Arc::clone(peer),
        outbox: Lane::default(),
        burst: Lane::default(),
    };
    (end(&a, &b), end(&b, &a))
}

/// What waits for one end.
#[derive(Default)]
struct Inbox {
    lane: Mutex<Lane>,
    /// `lane.waiting.len()`, for looking without the lock.
    len: AtomicUsize,
    /// The sender saw no room and wants to be woken when there is some.
    starved: AtomicBool,
    /// The end that reads here is gone: packets vanish. Changed and asked with `lane` locked.
    gone: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Inbox {
    fn lane(&self) -> MutexGuard<'_, Lane> {
        // Every change of a lane is complete at each step: a panic of another thread leaves it usable.
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(wake) = &*self.waker() {
            wake();
        }
    }
}

/// One end of a threaded pipe.
///
/// Dropping it pulls the cable: what the other end sends from then on vanishes.
pub struct End {
    caps: Caps,
    capacity: usize,
    own: Arc<Inbox>,
    peer: Arc<Inbox>,
    /// Pushed and not flushed; its spare buffers come back from the peer.
    outbox: Lane,
    /// Being handed over.
    burst: Lane,
}

impl End {
    /// Calls `waker` whenever packets arrive here, and when there is room again after [`TxSink::room`] was 0. It runs
    /// on the other end's thread with none of the pipe's queues locked, and must not call this function itself.
    /// If packets already wait, it is called at once.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send>) {
        *self.own.waker() = Some(waker);
        if self.waiting() > 0 {
            self.own.wake();
        }
    }

    /// Packets that wait to be received here.
    pub fn waiting(&self) -> usize {
        self.own.len.load(SeqCst)
    }

    /// What was pushed here in vain.
    pub fn lost(&self) -> Lost {
        self.outbox.lost
    }

    fn free(&self) -> usize {
        let used = self.peer.len.load(SeqCst) + self.outbox.waiting.len();
        self.capacity.saturating_sub(used)
    }
}

impl TxSink for End {
    fn room(&self) -> usize {
        match self.free() {
            0 => {
                // Say so before looking again: the reader may have made room in between and saw nobody waiting.
                self.peer.starved.store(true, SeqCst);
                self.free()
            }
            free => free,
        }
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        self.outbox.push(self.caps, self.free(), head, payload, meta);
    }
}

impl Device for End {
    type Error = Infallible;

    fn caps(&self) -> Caps {
        self.caps
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Infallible> {
        if self.waiting() == 0 {
            return Ok(0);
        }
        {
            let mut lane = self.own.lane();
            let count = lane.waiting.len().min(BURST);
            self.burst.waiting.extend(lane.waiting.drain(..count));
            lane.spare.append(&mut self.burst.spare);
            self.own.len.store(lane.waiting.len(), SeqCst);
        }
        if self.own.starved.swap(false, SeqCst) {
            self.peer.wake();
        }
        Ok(self.burst.drain(each))
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        if self.outbox.waiting.is_empty() {
            return Ok(());
        }
        {
            let mut lane = self.peer.lane();
            if self.peer.gone.load(SeqCst) {
                drop(lane);
                self.outbox.drain(&mut |_| {});
                return Ok(());
            }
            lane.waiting.append(&mut self.outbox.waiting);
            if self.outbox.spare.is_empty() {
                mem::swap(&mut self.outbox.spare, &mut lane.spare);
            }
            self.peer.len.store(lane.waiting.len(), SeqCst);
        }
        self.peer.wake();
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        *self.own.waker() = None;
        {
            let mut lane = self.own.lane();
            self.own.gone.store(true, SeqCst);
            self.own.len.store(0, SeqCst);
            *lane = Lane::default();
        }
        // Whoever waits for room here would wait for ever.
        self.peer.wake();
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("caps", &self.caps)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
