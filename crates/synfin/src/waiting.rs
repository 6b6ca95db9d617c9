//! Trying, and waiting where that is wanted: for tasks and for threads.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use synfin_net::SocketEvent;
use synfin_rt::{Host, SignalWait, Slot, Turn, Want};

/// What a call does when it would block.
pub(crate) enum Waiting<'a, 's> {
    /// It fails with `WouldBlock`.
    Not,
    /// The waker takes the place of the one that was registered there before.
    #[cfg(feature = "tokio")]
    Slot(Slot, &'a Waker),
    /// The waker is registered beside others.
    Ticket(&'a mut Ticket<'s>, &'a Waker),
}

/// A place among those who wait; given up when dropped.
pub(crate) struct Ticket<'s> {
    host: &'s Host,
    of: SocketEvent,
    slot: Option<Slot>,
}

impl<'s> Ticket<'s> {
    pub(crate) fn new(host: &'s Host, of: SocketEvent) -> Self {
        Ticket { host, of, slot: None }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.host.with(|turn| turn.deregister(self.of, slot));
        }
    }
}

/// Enters the stack and tries; where that would block, waits as `waiting` says. Looking and registering are one
/// turn: nothing can happen in between.
pub(crate) fn attempt<T>(
    host: &Host,
    of: SocketEvent,
    want: Want,
    mut waiting: Waiting<'_, '_>,
    f: impl FnOnce(&mut Turn<'_>) -> io::Result<T>,
) -> Poll<io::Result<T>> {
    host.with(|turn| {
        let mut result = f(turn);
        if matches!(&result, Err(e) if e.kind() == ErrorKind::WouldBlock) {
            match (turn.running(), &mut waiting) {
                (Err(e), _) => result = Err(e),
                (Ok(()), Waiting::Not) => {}
                #[cfg(feature = "tokio")]
                (Ok(()), Waiting::Slot(slot, waker)) => {
                    turn.register(of, *slot, want, waker);
                    return Poll::Pending;
                }
                (Ok(()), Waiting::Ticket(ticket, waker)) => {
                    let slot = *ticket.slot.get_or_insert_with(|| turn.new_slot());
                    turn.register(of, slot, want, waker);
                    return Poll::Pending;
                }
            }
        }
        if let Waiting::Ticket(ticket, _) = &mut waiting
            && let Some(slot) = ticket.slot.take()
        {
            turn.deregister(of, slot);
        }
        Poll::Ready(result)
    })
}

/// A thread's means to sleep.
struct Park {
    wait: SignalWait,
    waker: Waker,
}

impl Park {
    fn new() -> Arc<Park> {
        let wait = SignalWait::new();
        let waker = wait.waker();
        Arc::new(Park { wait, waker })
    }
}

thread_local! {
    static PARK: Arc<Park> = Park::new();
}

/// Polls until there is a result, asleep in between; `None` when `timeout` has passed (`None`: never).
pub(crate) fn block<T>(timeout: Option<Duration>, mut poll: impl FnMut(&Waker) -> Poll<T>) -> Option<T> {
    // A thread that is ending may have lost its own already.
    let park = PARK.try_with(Arc::clone).unwrap_or_else(|_| Park::new());
    let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
    loop {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if let Poll::Ready(result) = poll(&park.waker) {
            return Some(result);
        }
        if left == Some(Duration::ZERO) {
            return None;
        }
        park.wait.sleep(left);
    }
}
