//! What every call into a record needs.

use alloc::boxed::Box;

use synfin_tcp::{Config, Counters, Cx, Event, Pool, Probe};
use synfin_wire::{DropReason, Instant, Tuple};

/// Time, settings, memory, probe and counters: everything of a [`Cx`], owned.
pub(crate) struct Env {
    pub(crate) now: Instant,
    pub(crate) tcp: Config,
    pub(crate) pool: Pool,
    pub(crate) counters: Counters,
    pub(crate) probe: Option<Box<dyn Probe + Send>>,
}

impl Env {
    /// The context for one call.
    #[inline]
    pub(crate) fn cx(&mut self) -> Cx<'_> {
        Cx {
            now: self.now,
            cfg: &self.tcp,
            pool: &mut self.pool,
            probe: self.probe.as_deref_mut().map(|p| p as &mut dyn Probe),
            counters: &mut self.counters,
            reply: None,
        }
    }

    /// Sets the clock; it never goes back.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Tells the probe, if there is one.
    #[inline]
    pub(crate) fn emit<'e>(&mut self, who: &Tuple, event: impl FnOnce() -> Event<'e>) {
        if let Some(probe) = self.probe.as_mut() {
            probe.on_event(self.now, who, &event());
        }
    }

    /// Counts a drop and tells the probe.
    pub(crate) fn dropped(&mut self, who: &Tuple, why: DropReason) {
        self.counters.count_drop(why);
        self.emit(who, || Event::Dropped(why));
    }
}
