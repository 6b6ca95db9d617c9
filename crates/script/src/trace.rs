//! What the stack said while a script ran: why it sent, dropped and closed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use synfin_tcp::{Event, Probe, State, Why};
use synfin_wire::{Instant, Tuple};

/// So much is remembered for the reasons of a failure.
const REMEMBERED: usize = 12;

#[derive(Debug, Default)]
struct Inner {
    /// Reasons of segments that were sent and not yet fetched.
    whys: VecDeque<Why>,
    /// The last things said, with their time.
    said: VecDeque<(Instant, String)>,
    /// The state from which a connection was closed last.
    closed_from: BTreeMap<Tuple, State>,
    /// The errno of the last ICMP error that was injected.
    icmp_errno: Option<&'static str>,
    mtu: u16,
}

/// Ears on a stack, and what they heard. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

impl Trace {
    pub fn new(mtu: u16) -> Trace {
        let trace = Trace::default();
        trace.with(|t| t.mtu = mtu);
        trace
    }

    /// Nobody panics while holding the lock; if somebody did, what was heard is still worth reading.
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub fn mtu(&self) -> u16 {
        self.with(|t| t.mtu)
    }

    pub fn take_whys(&self) -> VecDeque<Why> {
        self.with(|t| std::mem::take(&mut t.whys))
    }

    pub fn closed_from(&self, tuple: &Tuple) -> Option<State> {
        self.with(|t| t.closed_from.get(tuple).copied())
    }

    pub fn icmp_errno(&self) -> Option<&'static str> {
        self.with(|t| t.icmp_errno)
    }

    pub fn set_icmp_errno(&self, errno: Option<&'static str>) {
        self.with(|t| t.icmp_errno = errno);
    }

    /// The last things said.
    pub fn said(&self) -> Vec<(Instant, String)> {
        self.with(|t| t.said.iter().cloned().collect())
    }
}

impl Probe for Trace {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        let words = match event {
            Event::Received(_) => None,
            Event::Dropped(why) => Some(format!("dropped: {why}")),
            Event::State { from, to, by } => {
                if *to == State::Closed {
                    self.with(|t| t.closed_from.insert(*who, *from));
                }
                Some(format!("{from:?} -> {to:?} by {by:?}"))
            }
            Event::Sent { head, len, why, .. } => {
                self.with(|t| t.whys.push_back(*why));
                Some(format!("sent {} with {len} octets: {why:?}", head.all_flags()))
            }
            Event::Timer(kind) => Some(format!("timer: {kind:?}")),
            Event::SoftError(error) => Some(format!("soft error: {error:?}")),
            Event::Closed(reason) => Some(format!("closed: {reason}")),
            _ => None,
        };
        if let Some(words) = words {
            self.with(|t| {
                if t.said.len() >= REMEMBERED {
                    t.said.pop_front();
                }
                t.said.push_back((now, words));
            });
        }
    }
}
