//! What a call may use from outside.

use synfin_wire::{DropReason, Head, Instant, Tuple};

use crate::{Config, Event, Pool, Probe};

/// Counts of what happened; one owner, the stack.
#[derive(Clone, Debug)]
pub struct Counters {
    drops: [u64; DropReason::ALL.len()],
    /// Segments retransmitted.
    pub retransmits: u64,
    /// Retransmission timeouts.
    pub timeouts: u64,
    /// Challenge and duplicate ACKs that the rate limit held back (RFC 5961 7).
    pub acks_limited: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { drops: [0; DropReason::ALL.len()], retransmits: 0, timeouts: 0, acks_limited: 0 }
    }
}

impl Counters {
    /// How often something was dropped for this reason.
    pub fn drops(&self, why: DropReason) -> u64 {
        self.drops.get(why as usize).copied().unwrap_or(0)
    }

    /// Counts one drop.
    pub fn count_drop(&mut self, why: DropReason) {
        if let Some(n) = self.drops.get_mut(why as usize) {
            *n += 1;
        }
    }
}

/// Time, configuration, memory, probe and counters for one call.
pub struct Cx<'a> {
    /// The time of this call; never earlier than that of the call before.
    pub now: Instant,
    /// Settings of the stack.
    pub cfg: &'a Config,
    /// Where buffers come from and go back to.
    pub pool: &'a mut Pool,
    /// Who wants to know what happens, if anybody.
    pub probe: Option<&'a mut (dyn Probe + 'a)>,
    /// What is counted.
    pub counters: &'a mut Counters,
    /// At most one stateless answer (RST, or ACK and SYN,ACK of the small records) that this call asks for.
    /// The stack takes it, limits its rate and sends it from its reply queue.
    pub reply: Option<Head>,
}

impl Cx<'_> {
    /// Tells the probe; the event is only built if there is one.
    #[inline]
    pub fn emit<'e>(&mut self, who: &Tuple, event: impl FnOnce() -> Event<'e>) {
        if let Some(probe) = self.probe.as_mut() {
            probe.on_event(self.now, who, &event());
        }
    }

    /// Counts a drop and tells the probe.
    pub fn dropped(&mut self, who: &Tuple, why: DropReason) {
        self.counters.count_drop(why);
        self.emit(who, || Event::Dropped(why));
    }
}
