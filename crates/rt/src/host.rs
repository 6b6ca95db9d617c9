//! The handle to a running stack, and what it shares with the shard.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use synfin_link::Device;
use synfin_net::{ConnId, Handle, ListenerId, Secrets, SocketEvent, Stack, StackConfig};
use synfin_tcp::Probe;
use synfin_wire::Instant;

use crate::shard::Shard;
use crate::waiters::Waiters;
use crate::{Clock, Slot, Wait, Want};

/// How long a shard goes on for connections that are still closing when the last handle is dropped.
pub const DROP_LINGER: Duration = Duration::from_secs(60);

/// A running stack: a cheap handle to share. The stack's thread ends, and with it the device, some time after the
/// last handle is gone: as soon as every connection has closed, or after [`DROP_LINGER`]. TIME_WAIT is not waited
/// for. [`Host::shutdown`] sets another limit and waits for the end.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.with(|turn| turn.stop(DROP_LINGER));
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Why a stack runs no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// It was shut down, and every connection had closed.
    Drained,
    /// It was shut down, and connections had to be cut off.
    TimeUp,
    /// The device broke or vanished; this is what it said.
    Device(Arc<str>),
    /// A panic inside the stack.
    Panicked,
}

impl Stopped {
    /// The error of calls that need a running stack.
    pub fn error(&self) -> io::Error {
        match self {
            Stopped::Drained | Stopped::TimeUp => {
                io::Error::new(io::ErrorKind::NetworkDown, "the stack was shut down")
            }
            Stopped::Device(why) => io::Error::new(io::ErrorKind::NetworkDown, why.to_string()),
            Stopped::Panicked => io::Error::other("the stack panicked"),
        }
    }
}

/// What applications and the shard share.
pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) clock: Clock,
    /// Ends the shard's sleep.
    waker: Waker,
}

/// What the lock protects.
pub(crate) struct Core {
    pub(crate) stack: Stack,
    /// Every connection that an application holds.
    pub(crate) conns: HashMap<ConnId, Waiters>,
    /// Every listener that an application holds.
    pub(crate) listeners: HashMap<ListenerId, Waiters>,
    /// The shard sleeps, until then at the latest; whoever takes this wakes it. It is set at the end of the shard's
    /// turn, under the same lock: whatever is done later finds it.
    pub(crate) asleep: Option<Instant>,
    /// Shut down has begun; connections have until then.
    pub(crate) stop: Option<Instant>,
    /// The shard has ended.
    pub(crate) stopped: Option<Stopped>,
    next_slot: u64,
}

impl Core {
    /// Wakes those whose connection or listener has something for them.
    pub(crate) fn deliver(&mut self, now: Instant, wake: &mut Vec<Waker>) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                SocketEvent::Connection(id) => {
                    if let Some(waiters) = self.conns.get_mut(&id)
                        && !waiters.is_empty()
                    {
                        match self.stack.conn(now, id) {
                            Some(conn) => waiters.take_met(&conn.readiness(), wake),
                            None => waiters.take_all(wake),
                        }
                    }
                }
                SocketEvent::Listener(id) => {
                    if let Some(waiters) = self.listeners.get_mut(&id) {
                        waiters.take_all(wake);
                    }
                }
            }
        }
    }

    /// The shard has ended: nobody waits any more.
    pub(crate) fn end(&mut self, why: Stopped, wake: &mut Vec<Waker>) {
        self.stopped.get_or_insert(why);
        self.asleep = None;
        self.conns.values_mut().for_each(|w| w.take_all(wake));
        self.listeners.values_mut().for_each(|w| w.take_all(wake));
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(|poisoned| {
            let mut core = PoisonError::into_inner(poisoned);
            // A panic left the stack in an unknown state: no call trusts it any more.
            core.stopped = Some(Stopped::Panicked);
            core.asleep = None;
            core
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        let mut core = self.lock();
        let mut turn = Turn {
            now: self.clock.now(),
            core: &mut core,
            kick: false,
            wake: Vec::new(),
            discard: Vec::new(),
        };
        let result = f(&mut turn);
        let Turn { kick, wake, discard, .. } = turn;
        // A timer may have been set that is due before the shard wants to wake up.
        let kick = core.asleep.is_some_and(|until| kick || core.stack.poll_timeout() < until);
        if kick {
            core.asleep = None;
        }
        drop(core);
        if kick {
            self.waker.wake_by_ref();
        }
        wake.into_iter().for_each(Waker::wake);
        drop(discard);
        result
    }
}

impl Host {
    /// Starts a stack on `device` in a thread of its own. `wait` knows how to wait for this device; `probe` is told
    /// what happens from the first packet on.
    ///
    /// # Errors
    /// The system gives no random numbers or no thread.
    pub fn start<D, W>(
        device: D,
        wait: W,
        cfg: StackConfig,
        probe: Option<Box<dyn Probe + Send>>,
    ) -> io::Result<Host>
    where
        D: Device<Error: fmt::Display> + Send + 'static,
        W: Wait<D> + Send + 'static,
    {
        let mut secrets = [0; 64];
        getrandom::fill(&mut secrets)?;
        let mut stack = Stack::new(cfg, device.caps(), Secrets(secrets));
        stack.set_probe(probe);
        let core = Core {
            stack,
            conns: HashMap::new(),
            listeners: HashMap::new(),
            asleep: None,
            stop: None,
            stopped: None,
            next_slot: Slot::FIRST_FREE,
        };
        let shared = Arc::new(Shared { core: Mutex::new(core), clock: Clock::start(), waker: wait.waker() });
        let shard = Shard::new(Arc::clone(&shared), device, wait);
        let thread = std::thread::Builder::new().name("synfin".into()).spawn(move || shard.run())?;
        Ok(Host { inner: Arc::new(Inner { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// Enters the stack. `f` holds its lock: it must be short and must not enter again.
    pub fn with<R>(&self, f: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        self.inner.shared.with(f)
    }

    /// Closes every listener, refuses new connections, goes on until the open ones have closed or `linger` has
    /// passed, resets those that are left, ends the thread and drops the device. TIME_WAIT is not waited for.
    ///
    /// Blocks; not for async code. A second call waits for the first.
    ///
    /// # Errors
    /// `TimedOut`: connections had to be cut off. `NetworkDown`: the device had broken or vanished before.
    pub fn shutdown(&self, linger: Duration) -> io::Result<()> {
        self.with(|turn| turn.stop(linger));
        let mut thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A panic shows in `stopped`.
            let _ = thread.join();
        }
        match &self.inner.shared.lock().stopped {
            None | Some(Stopped::Drained) => Ok(()),
            Some(Stopped::TimeUp) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "connections were still open"))
            }
            Some(other) => Err(other.error()),
        }
    }
}

/// A call into the stack, under its lock.
pub struct Turn<'a> {
    now: Instant,
    core: &'a mut Core,
    kick: bool,
    wake: Vec<Waker>,
    discard: Vec<Waker>,
}

impl Turn<'_> {
    /// The time of this call.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The stack. Call [`Turn::kick`] if it has something to send afterwards.
    pub fn stack(&mut self) -> &mut Stack {
        &mut self.core.stack
    }

    /// One connection; `None` if the name is stale, or a panic left the stack in an unknown state.
    pub fn conn(&mut self, id: ConnId) -> Option<Handle<'_>> {
        match self.core.stopped {
            Some(Stopped::Panicked) => None,
            _ => self.core.stack.conn(self.now, id),
        }
    }

    /// The stack may have something to send: the shard is woken if it sleeps.
    pub fn kick(&mut self) {
        self.kick = true;
    }

    /// Whether the stack still runs: if not, nothing that is waited for will come.
    ///
    /// # Errors
    /// Why not.
    pub fn running(&self) -> io::Result<()> {
        match &self.core.stopped {
            Some(why) => Err(why.error()),
            None => Ok(()),
        }
    }

    /// Whether the stack takes new connections and listeners.
    ///
    /// # Errors
    /// It does not run, or is being shut down.
    pub fn open(&self) -> io::Result<()> {
        self.running()?;
        match self.core.stop {
            Some(_) => Err(Stopped::Drained.error()),
            None => Ok(()),
        }
    }

    /// An application holds this connection from now on, until [`Turn::release`].
    pub fn hold(&mut self, id: ConnId) {
        self.core.conns.insert(id, Waiters::default());
    }

    /// The application lets go of this connection.
    pub fn release(&mut self, id: ConnId) {
        if let Some(mut waiters) = self.core.conns.remove(&id) {
            waiters.take_all(&mut self.wake);
        }
    }

    /// An application holds this listener from now on, until [`Turn::release_listener`].
    pub fn hold_listener(&mut self, id: ListenerId) {
        self.core.listeners.insert(id, Waiters::default());
    }

    /// The application lets go of this listener.
    pub fn release_listener(&mut self, id: ListenerId) {
        if let Some(mut waiters) = self.core.listeners.remove(&id) {
            waiters.take_all(&mut self.wake);
        }
    }

    /// A slot that nobody else uses.
    pub fn new_slot(&mut self) -> Slot {
        let slot = Slot(self.core.next_slot);
        self.core.next_slot += 1;
        slot
    }

    /// From now on `waker` is called when `of` has what `want` names (listeners: when a connection waits). To be
    /// called in the turn that found that it has not.
    pub fn register(&mut self, of: SocketEvent, slot: Slot, want: Want, waker: &Waker) {
        match self.waiters(of) {
            Some(waiters) => {
                let replaced = waiters.put(slot, want, waker);
                self.discard.extend(replaced);
            }
            // Nobody holds it: nothing will come, so let the caller look again.
            None => self.wake.push(waker.clone()),
        }
    }

    /// Nobody waits in this slot any more.
    pub fn deregister(&mut self, of: SocketEvent, slot: Slot) {
        let removed = self.waiters(of).and_then(|waiters| waiters.remove(slot));
        self.discard.extend(removed);
    }

    /// Wakes everybody who waits for this connection: an application changed it.
    pub fn wake_all(&mut self, id: ConnId) {
        if let Some(waiters) = self.core.conns.get_mut(&id) {
            waiters.take_all(&mut self.wake);
        }
    }

    fn waiters(&mut self, of: SocketEvent) -> Option<&mut Waiters> {
        match of {
            SocketEvent::Connection(id) => self.core.conns.get_mut(&id),
            SocketEvent::Listener(id) => self.core.listeners.get_mut(&id),
        }
    }

    fn stop(&mut self, linger: Duration) {
        let deadline = self.now + linger;
        match &mut self.core.stop {
            Some(earlier) => *earlier = deadline.min(*earlier),
            None => {
                self.core.stop = Some(deadline);
                let mut listeners: Vec<ListenerId> = self.core.listeners.keys().copied().collect();
                listeners.sort_unstable();
                for id in listeners {
                    self.core.stack.close_listener(self.now, id);
                    self.release_listener(id);
                }
            }
        }
        self.kick();
    }
}

#[cfg(test)]
mod tests;
