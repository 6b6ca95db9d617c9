//! LISTEN: who takes connections where, and what waits for whom.

use alloc::collections::{BTreeMap, VecDeque};

use synfin_wire::{Addr, Endpoint, Instant};

use crate::cookie::{self, Tick};
use crate::list::List;
use crate::slab::{Id, Slab};
use crate::{ConnId, ListenOpts, ListenerId, ListenerStats};

/// One listener.
pub(crate) struct Listener {
    pub(crate) at: Endpoint,
    pub(crate) opts: ListenOpts,
    /// Its half-open records, oldest first.
    pub(crate) half_open: List,
    /// Completed connections, oldest first.
    pub(crate) queue: VecDeque<ConnId>,
    /// When the SYN queue was last found full: cookies count for a while from then on.
    overflow: Option<Tick>,
    pub(crate) stats: ListenerStats,
}

impl Listener {
    fn new(at: Endpoint, opts: ListenOpts) -> Listener {
        Listener {
            at,
            opts,
            half_open: List::new(),
            queue: VecDeque::new(),
            overflow: None,
            stats: ListenerStats::default(),
        }
    }

    /// Whether its accept queue has no room.
    pub(crate) fn is_accept_full(&self) -> bool {
        self.queue.len() >= self.opts.backlog.max(1) as usize
    }

    /// Whether its SYN queue has no room.
    pub(crate) fn is_syn_full(&self) -> bool {
        self.half_open.len() >= self.opts.syn_queue
    }

    /// Notes that a SYN found no room.
    pub(crate) fn overflowed(&mut self, now: Instant) {
        self.overflow = Some(cookie::tick(now));
        self.stats.syn_overflows += 1;
    }

    /// Whether a cookie may be out: this listener sent some not long ago (RFC 4987 3.6: only then is an ACK for
    /// nothing worth a look).
    pub(crate) fn expects_cookies(&self, now: Instant) -> bool {
        self.overflow.is_some_and(|then| cookie::tick(now) - then <= cookie::LIFE)
    }

    pub(crate) fn stats(&self) -> ListenerStats {
        ListenerStats { half_open: self.half_open.len(), waiting: self.queue.len() as u32, ..self.stats }
    }
}

/// All listeners.
pub(crate) struct Listeners {
    slab: Slab<Listener>,
    by_endpoint: BTreeMap<Endpoint, Id>,
}

impl Listeners {
    pub(crate) const fn new() -> Listeners {
        Listeners { slab: Slab::new(), by_endpoint: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether a listener has exactly this endpoint.
    pub(crate) fn has(&self, at: Endpoint) -> bool {
        self.by_endpoint.contains_key(&at)
    }

    /// Adds a listener at an endpoint that has none.
    pub(crate) fn insert(&mut self, at: Endpoint, opts: ListenOpts) -> ListenerId {
        let id = self.slab.insert(Listener::new(at, opts));
        self.by_endpoint.insert(at, id);
        id.into()
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let listener = self.slab.remove(id.into())?;
        self.by_endpoint.remove(&listener.at);
        Some(listener)
    }

    pub(crate) fn get(&self, id: ListenerId) -> Option<&Listener> {
        self.slab.get(id.into())
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.slab.get_mut(id.into())
    }

    /// The name of the listener in this slot.
    pub(crate) fn id_at(&self, index: u32) -> Option<ListenerId> {
        self.slab.id_at(index).map(ListenerId::from)
    }

    /// Who listens for segments to `to`: most specific local address first (RFC 9293 3.10.7.2, MUST-42).
    pub(crate) fn find(&self, to: Endpoint) -> Option<ListenerId> {
        [to.addr, to.addr.unspecified_like(), Addr::V6_UNSPECIFIED]
            .into_iter()
            .find_map(|addr| self.by_endpoint.get(&Endpoint::new(addr, to.port)))
            .map(|&id| id.into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.slab.iter().map(|(_, l)| l)
    }
}

#[cfg(test)]
mod tests;
