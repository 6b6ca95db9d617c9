//! One direction of a network path: what happens to each packet that is put on it.
//!
//! A packet passes, in this order: the size limit, the filter and the drop list (a firewall at the entrance), the queue
//! before the transmitter, the transmitter (rate), and the wire (loss, delay, reordering, duplication, corruption). What
//! is lost on the wire has taken its time in the transmitter.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use synfin_wire::Instant;

use crate::rng::{Ppm, Rng};

/// How packets get lost on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Loss {
    /// Not at all.
    #[default]
    None,
    /// Each with the same likelihood, whatever happened to the others.
    Independent(Ppm),
    /// In bursts: Gilbert's and Elliott's model with a good and a bad state, in the good one at first. Each packet
    /// first moves the state and then may be lost.
    Burst {
        /// From good to bad.
        enter: Ppm,
        /// From bad to good.
        leave: Ppm,
        /// Loss in the good state.
        good: Ppm,
        /// Loss in the bad state.
        bad: Ppm,
    },
}

/// Packets that others may overtake.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Reorder {
    /// How likely a packet is held.
    pub chance: Ppm,
    /// For how long at most.
    pub hold: Duration,
}

/// What one direction is like. The default: 10 ms, MTU 1,500, nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkConfig {
    /// From the end of transmission to arrival.
    pub delay: Duration,
    /// Further delay, up to this, evenly spread. Keeps the order.
    pub jitter: Duration,
    /// Bits per second; `None`: packets take no time to transmit.
    pub rate: Option<NonZeroU64>,
    /// Octets that may wait for the transmitter; a packet that finds more than that with itself is lost.
    pub queue: u32,
    /// Longest packet in octets; super-segments count as the segments they are cut into, and always fit.
    pub mtu: u16,
    /// Loss on the wire.
    pub loss: Loss,
    /// Reordering.
    pub reorder: Reorder,
    /// How likely a packet arrives twice; the second time up to `jitter` + `reorder.hold` later.
    pub duplicate: Ppm,
    /// How likely one bit of a packet is wrong on arrival. One: which any checksum finds; two could cancel out.
    pub corrupt: Ppm,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            rate: None,
            queue: 1 << 18,
            mtu: 1500,
            loss: Loss::None,
            reorder: Reorder::default(),
            duplicate: Ppm::NEVER,
            corrupt: Ppm::NEVER,
        }
    }
}

/// A packet that is put on a link.
#[derive(Copy, Clone, Debug)]
pub struct Offer<'a> {
    /// When.
    pub now: Instant,
    /// The how manieth on this link, from 1.
    pub nth: u64,
    /// The IP packet.
    pub bytes: &'a [u8],
}

/// What a filter says about a packet.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pass {
    /// It goes on.
    Through,
    /// It is lost.
    Lost,
}

/// Why a packet was lost.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// No way from this node to that address.
    NoRoute,
    /// Longer than the link's MTU.
    TooLong,
    /// The link's filter said so.
    Filter,
    /// Its number is on the link's drop list.
    Listed,
    /// The queue before the transmitter was full.
    QueueFull,
    /// On the wire.
    Wire,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::NoRoute => "no route",
            Cause::TooLong => "longer than the MTU",
            Cause::Filter => "filtered",
            Cause::Listed => "on the drop list",
            Cause::QueueFull => "queue full",
            Cause::Wire => "on the wire",
        })
    }
}

/// One arrival of a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// The bit that is wrong then, counted from the highest of the first octet.
    pub flipped: Option<u64>,
}

/// What becomes of a packet.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It never arrives.
    Lost(Cause),
    /// It arrives once.
    Carried(Arrival),
    /// It arrives twice.
    Doubled(Arrival, Arrival),
}

/// Looks at each packet and says whether it goes on.
pub type Filter = Box<dyn FnMut(&Offer<'_>) -> Pass>;

/// One direction of a path.
pub struct Link {
    cfg: LinkConfig,
    rng: Rng,
    /// Packets offered so far.
    offered: u64,
    /// When the transmitter has sent all that it holds.
    idle_at: Instant,
    /// The latest arrival in order.
    last_at: Instant,
    wire: Wire,
    listed: BTreeSet<u64>,
    filter: Option<Filter>,
}

/// State of the burst loss model.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Wire {
    Good,
    Bad,
}

impl Link {
    /// A link with its own randomness.
    pub fn new(cfg: LinkConfig, rng: Rng) -> Link {
        Link {
            cfg,
            rng,
            offered: 0,
            idle_at: Instant::ZERO,
            last_at: Instant::ZERO,
            wire: Wire::Good,
            listed: BTreeSet::new(),
            filter: None,
        }
    }

    /// What it is like.
    pub fn config(&self) -> &LinkConfig {
        &self.cfg
    }

    /// Changes what it is like for the packets that come; those on their way stay as they are.
    pub fn set_config(&mut self, cfg: LinkConfig) {
        self.cfg = cfg;
    }

    /// Loses the `nth` packet, counted from 1 since the beginning.
    pub fn drop_nth(&mut self, nth: u64) {
        self.listed.insert(nth);
    }

    /// From now on asks `filter` about each packet; `None`: nobody.
    pub fn set_filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
    }

    /// Packets offered so far.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// Takes a packet at `now`, which is never earlier than that of the packet before.
    pub fn offer(&mut self, now: Instant, bytes: &[u8], size: Size) -> Fate {
        self.offered += 1;
        let nth = self.offered;
        if size == Size::Packet && bytes.len() > usize::from(self.cfg.mtu) {
            return Fate::Lost(Cause::TooLong);
        }
        if let Some(filter) = &mut self.filter
            && filter(&Offer { now, nth, bytes }) == Pass::Lost
        {
            return Fate::Lost(Cause::Filter);
        }
        if self.listed.contains(&nth) {
            return Fate::Lost(Cause::Listed);
        }
        let Some(sent) = self.transmit(now, bytes.len()) else { return Fate::Lost(Cause::QueueFull) };
        if self.loses() {
            return Fate::Lost(Cause::Wire);
        }
        let first = self.arrival(sent, bytes.len());
        if !self.rng.chance(self.cfg.duplicate) {
            return Fate::Carried(first);
        }
        let later = self.cfg.jitter.saturating_add(self.cfg.reorder.hold);
        let at = first.at + self.rng.span(later);
        let second = Arrival { at, flipped: self.flip(bytes.len()) };
        Fate::Doubled(first, second)
    }

    /// When the packet has left the transmitter; `None` if the queue before it is full.
    fn transmit(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = self.cfg.rate else { return Some(now) };
        let start = self.idle_at.max(now);
        let waiting = octets_in(start.since(now), rate);
        if waiting.saturating_add(len as u128) > u128::from(self.cfg.queue) {
            return None;
        }
        self.idle_at = start + time_of(len, rate);
        Some(self.idle_at)
    }

    fn loses(&mut self) -> bool {
        match self.cfg.loss {
            Loss::None => false,
            Loss::Independent(p) => self.rng.chance(p),
            Loss::Burst { enter, leave, good, bad } => {
                self.wire = match self.wire {
                    Wire::Good if self.rng.chance(enter) => Wire::Bad,
                    Wire::Bad if self.rng.chance(leave) => Wire::Good,
                    same => same,
                };
                self.rng.chance(if self.wire == Wire::Good { good } else { bad })
            }
        }
    }

    fn arrival(&mut self, sent: Instant, len: usize) -> Arrival {
        let at = sent + self.cfg.delay + self.rng.span(self.cfg.jitter);
        // Who is not held stays behind those before it.
        let in_order = at.max(self.last_at);
        let at = if self.rng.chance(self.cfg.reorder.chance) {
            in_order + self.rng.span(self.cfg.reorder.hold)
        } else {
            self.last_at = in_order;
            in_order
        };
        Arrival { at, flipped: self.flip(len) }
    }

    fn flip(&mut self, len: usize) -> Option<u64> {
        self.rng.chance(self.cfg.corrupt).then(|| self.rng.below(len as u64 * 8))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("cfg", &self.cfg).field("offered", &self.offered).finish_non_exhaustive()
    }
}

/// What is put on a link at once.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Size {
    /// One packet.
    Packet,
    /// A super-segment: several packets, carried whole.
    Super,
}

const NANOS: u128 = 1_000_000_000;

/// How long `len` octets take to transmit.
fn time_of(len: usize, rate: NonZeroU64) -> Duration {
    let nanos = (len as u128 * 8 * NANOS).div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many octets are transmitted in a time.
fn octets_in(time: Duration, rate: NonZeroU64) -> u128 {
    time.as_nanos().saturating_mul(u128::from(rate.get())) / (8 * NANOS)
}

#[cfg(test)]
mod tests;
