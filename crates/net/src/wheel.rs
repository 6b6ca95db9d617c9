//! Hierarchical timer wheel with ticks of one millisecond (Varghese and Lauck): arming, re-arming and cancelling are
//! O(1); a timer moves at most once per level on its way to expiry.
//!
//! A timer's level is the highest base-64 digit in which its tick differs from the wheel's present tick, its slot that
//! digit's value. So a level's timers all expire before those of the next level, finding the next slot is a bit scan,
//! and a jump of the clock visits only slots that hold something. Eight levels span every [`Instant`].

use core::num::{NonZeroU16, NonZeroU32};

use synfin_wire::Instant;

use crate::slab::Slab;

/// Bits of a digit.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 8;
/// The list of timers that have expired and were not asked for yet.
const DUE: usize = LEVELS * SLOTS;
const NIL: u32 = u32::MAX;
const NANOS_PER_TICK: u64 = 1_000_000;

// Every tick of an `Instant` has at most LEVELS digits.
const _: () = assert!((u64::MAX / NANOS_PER_TICK + 1) >> (BITS * LEVELS as u32) == 0);
// With the slab's generation, 24 octets for each armed timer.
const _: () = assert!(size_of::<Option<Node>>() == 20);
const _: () = assert!(size_of::<Option<TimerId>>() == 4);

/// An armed timer, to be kept by its owner. A handle left over from an expired timer does no harm: a node is touched
/// only by the owner it belongs to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TimerId(NonZeroU32);

impl TimerId {
    fn new(node: u32) -> Option<TimerId> {
        NonZeroU32::new(node.wrapping_add(1)).map(TimerId)
    }

    fn node(self) -> u32 {
        self.0.get() - 1
    }
}

/// One armed timer, in the circular list of its slot.
struct Node {
    owner: u32,
    next: u32,
    prev: u32,
    tick_low: u32,
    /// Plus one, which gives `Option<Node>` its niche.
    tick_high: NonZeroU16,
}

impl Node {
    fn tick(&self) -> u64 {
        u64::from(self.tick_high.get() - 1) << 32 | u64::from(self.tick_low)
    }

    fn set_tick(&mut self, tick: u64) {
        (self.tick_low, self.tick_high) = split(tick);
    }
}

fn split(tick: u64) -> (u32, NonZeroU16) {
    (tick as u32, NonZeroU16::MIN.saturating_add((tick >> 32) as u16))
}

/// The timers of one stack. Each has an owner, a number chosen by the caller.
pub struct Wheel {
    nodes: Slab<Node>,
    /// First node of each list; its `prev` is the last.
    heads: [u32; DUE + 1],
    /// A bit for each slot that holds something.
    occupied: [u64; LEVELS],
    /// The present tick: all timers up to it are in the list of the due ones.
    elapsed: u64,
}

impl Wheel {
    /// An empty wheel whose clock stands at `now`.
    pub const fn new(now: Instant) -> Wheel {
        Wheel {
            nodes: Slab::new(),
            heads: [NIL; DUE + 1],
            occupied: [0; LEVELS],
            elapsed: now.nanos() / NANOS_PER_TICK,
        }
    }

    /// How many timers are armed.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no timer is armed.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Arms `owner`'s timer, or moves it to `at` when `timer` is armed. The owner keeps what is returned in place of
    /// `timer`. [`Instant::NEVER`] cancels.
    #[must_use = "the handle is needed to move or cancel the timer"]
    pub fn arm(&mut self, timer: Option<TimerId>, owner: u32, at: Instant) -> Option<TimerId> {
        if at.is_never() {
            self.cancel(timer, owner);
            return None;
        }
        // Rounded up: never early.
        let tick = at.nanos().div_ceil(NANOS_PER_TICK);
        if let Some(id) = timer
            && let Some(node) = self.nodes.at(id.node()).filter(|n| n.owner == owner)
        {
            if node.tick() != tick {
                self.unlink(id.node());
                if let Some(node) = self.nodes.at_mut(id.node()) {
                    node.set_tick(tick);
                }
                self.link(id.node());
            }
            return timer;
        }
        let (tick_low, tick_high) = split(tick);
        let node = self.nodes.insert(Node { owner, next: NIL, prev: NIL, tick_low, tick_high }).index;
        self.link(node);
        TimerId::new(node)
    }

    /// Disarms `owner`'s timer if it is armed.
    pub fn cancel(&mut self, timer: Option<TimerId>, owner: u32) {
        if let Some(id) = timer
            && self.nodes.at(id.node()).is_some_and(|n| n.owner == owner)
        {
            self.unlink(id.node());
            self.free(id.node());
        }
    }

    /// The owner of a timer whose time has come by `now`, one at a time in the order of their ticks. Its timer is no
    /// longer armed; the owner forgets the handle. A `now` before an earlier one counts as that one.
    pub fn poll(&mut self, now: Instant) -> Option<u32> {
        let now = now.nanos() / NANOS_PER_TICK;
        loop {
            if let Some(owner) = self.pop_due() {
                return Some(owner);
            }
            match self.first_slot() {
                // Each turn empties a slot into lower levels or the due list.
                Some((list, start)) if start <= now => {
                    self.elapsed = start;
                    self.open(list);
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    /// When to call [`Wheel::poll`] again: never later than the first timer. It may be earlier for a timer that is
    /// more than 64 ms away; polling then brings a later answer, at most once per level.
    pub fn next(&self) -> Instant {
        if self.heads.last().is_some_and(|&head| head != NIL) {
            return Instant::from_millis(self.elapsed);
        }
        self.first_slot().map_or(Instant::NEVER, |(_, start)| Instant::from_millis(start))
    }

    fn pop_due(&mut self) -> Option<u32> {
        let node = *self.heads.last()?;
        let owner = self.nodes.at(node)?.owner;
        self.unlink(node);
        self.free(node);
        Some(owner)
    }

    /// The first slot that holds something, and the first tick that belongs to it.
    fn first_slot(&self) -> Option<(usize, u64)> {
        let (level, bits) = self.occupied.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        let slot = bits.trailing_zeros() as usize;
        let shift = BITS * level as u32;
        // The digits above stay as they are now, the slot's digit is set, those below are zero.
        let above = self.elapsed >> (shift + BITS) << (shift + BITS);
        Some((level * SLOTS + slot, above | (slot as u64) << shift))
    }

    /// Moves a slot's timers to where they belong now.
    fn open(&mut self, list: usize) {
        let Some(head) = self.heads.get_mut(list).map(|h| core::mem::replace(h, NIL)) else { return };
        self.mark(list);
        let Some(last) = self.nodes.at(head).map(|n| n.prev) else { return };
        if list < SLOTS {
            // Level 0: all of one tick, and the due list is empty.
            if let Some(due) = self.heads.last_mut() {
                *due = head;
            }
            return;
        }
        let mut at = head;
        while let Some(next) = self.nodes.at(at).map(|n| n.next) {
            self.link(at);
            if at == last {
                return;
            }
            at = next;
        }
    }

    /// The list in which a timer of this tick stands.
    fn list_of(&self, tick: u64) -> usize {
        if tick <= self.elapsed {
            return DUE;
        }
        let level = (tick ^ self.elapsed).ilog2() / BITS;
        let slot = (tick >> (BITS * level)) as usize % SLOTS;
        level as usize * SLOTS + slot
    }

    /// Appends a node to the list of its tick.
    fn link(&mut self, at: u32) {
        let Some(list) = self.nodes.at(at).map(|n| self.list_of(n.tick())) else { return };
        let Some(&head) = self.heads.get(list) else { return };
        let (first, last) = match self.nodes.at_mut(head) {
            Some(first) => (head, core::mem::replace(&mut first.prev, at)),
            None => (at, at),
        };
        if let Some(last) = self.nodes.at_mut(last) {
            last.next = at;
        }
        if let Some(node) = self.nodes.at_mut(at) {
            node.next = first;
            node.prev = last;
        }
        if head == NIL {
            if let Some(h) = self.heads.get_mut(list) {
                *h = at;
            }
            self.mark(list);
        }
    }

    /// Takes a node out of its list.
    fn unlink(&mut self, at: u32) {
        let Some((next, prev, tick)) = self.nodes.at(at).map(|n| (n.next, n.prev, n.tick())) else { return };
        if let Some(node) = self.nodes.at_mut(prev) {
            node.next = next;
        }
        if let Some(node) = self.nodes.at_mut(next) {
            node.prev = prev;
        }
        let list = self.list_of(tick);
        if let Some(head) = self.heads.get_mut(list)
            && *head == at
        {
            *head = if next == at { NIL } else { next };
            self.mark(list);
        }
    }

    /// Brings a list's bit up to date.
    fn mark(&mut self, list: usize) {
        let full = self.heads.get(list).is_some_and(|&head| head != NIL);
        if let Some(bits) = self.occupied.get_mut(list / SLOTS) {
            let bit = 1 << (list % SLOTS);
            *bits = if full { *bits | bit } else { *bits & !bit };
        }
    }

    fn free(&mut self, node: u32) {
        if let Some(id) = self.nodes.id_at(node) {
            self.nodes.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
