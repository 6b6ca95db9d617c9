//! Reassembly of IP fragments (RFC 791, RFC 8200 4.5, RFC 5722) in bounded memory.
//!
//! Fragments that overlap kill their datagram, for IPv4 too: no honest sender makes them, and every rule that prefers
//! one of two contents has been used against filters. Tables are ordered maps: no hash that a peer could attack.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use synfin_wire::{Addr, DropReason, Instant};

/// How long the rest of an IPv4 datagram is waited for. Shorter than the 60 s that RFC 1122 3.3.2 advises, as is usual.
const TIMEOUT_V4: Duration = Duration::from_secs(30);
/// The same for IPv6 (RFC 8200 4.5).
const TIMEOUT_V6: Duration = Duration::from_secs(60);
/// Most fragments of one datagram: 64 kB in packets of 1,280 octets are 53.
const MAX_PARTS: usize = 64;
/// Largest end of a fragment; beyond it no length field could say it ("ping of death").
const MAX_END: u32 = 65_535;
/// Charged for a datagram beside its octets: its places in the three maps, with what the maps and the allocator waste.
const DATAGRAM_COST: usize = 512;
/// Charged for a fragment beside its octets.
const PART_COST: usize = 64;

const _: () =
    assert!(size_of::<(FragKey, Datagram)>() + size_of::<((Instant, u64), FragKey)>() <= DATAGRAM_COST / 2);
const _: () = assert!(2 * size_of::<Part>() <= PART_COST);

/// What the fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FragKey {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol, or the fragment header's next header.
    pub protocol: u8,
    /// Identification; 16 bits in IPv4.
    pub id: u32,
}

/// Whether further fragments of the datagram follow this one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum MoreFragments {
    /// MF or M is set.
    Follow,
    /// This is the datagram's end.
    Last,
}

/// One fragment.
struct Part {
    offset: u32,
    octets: Box<[u8]>,
}

impl Part {
    fn end(&self) -> u32 {
        self.offset + self.octets.len() as u32
    }
}

/// One unfinished datagram.
struct Datagram {
    /// Its entry in `Reassembly::by_age`.
    age: (Instant, u64),
    /// In the order of their offsets, apart from each other. Empty when the datagram is dead.
    parts: Vec<Part>,
    /// Octets in `parts`.
    held: u32,
    /// The datagram's length, once its last fragment is known.
    total: Option<u32>,
    life: Life,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Life {
    Growing,
    /// Fragments contradicted each other: all that belong to it are dropped until its time is over (RFC 5722 4).
    Dead,
}

/// What a fragment means for its datagram.
enum Fit {
    /// Goes in at this place of `parts`.
    At(usize),
    /// Is there already, octet for octet.
    Duplicate,
    /// Contradicts what is there.
    Conflict,
    /// One fragment too many.
    TooMany,
}

impl Datagram {
    fn cost(&self) -> usize {
        DATAGRAM_COST + self.parts.len() * PART_COST + self.held as usize
    }

    fn fit(&self, offset: u32, payload: &[u8], more: MoreFragments) -> Fit {
        let end = offset + payload.len() as u32;
        let at = self.parts.partition_point(|p| p.offset < offset);
        let after = self.parts.get(at);
        if let Some(same) = after
            && same.offset == offset
            && *same.octets == *payload
            && (more == MoreFragments::Last) == (self.total == Some(end))
        {
            return Fit::Duplicate;
        }
        let before = at.checked_sub(1).and_then(|b| self.parts.get(b));
        if before.is_some_and(|p| p.end() > offset) || after.is_some_and(|p| p.offset < end) {
            return Fit::Conflict;
        }
        let fits_total = match (more, self.total) {
            (MoreFragments::Follow, Some(total)) => end < total,
            (MoreFragments::Follow, None) => true,
            (MoreFragments::Last, Some(_)) => false,
            (MoreFragments::Last, None) => self.parts.last().is_none_or(|p| p.end() <= offset),
        };
        if !fits_total {
            return Fit::Conflict;
        }
        if self.parts.len() >= MAX_PARTS {
            return Fit::TooMany;
        }
        Fit::At(at)
    }

    /// The fragments are apart and none passes the end, so their sum tells whether all are there.
    fn is_whole(&self) -> bool {
        self.total == Some(self.held)
    }
}

/// Limits of a [`Reassembly`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct FragLimits {
    /// Most octets of memory in all, overhead included. 4 MiB; the oldest datagram makes room.
    pub memory: usize,
    /// Most octets of memory for one source address, overhead included. 512 KiB.
    pub per_source: usize,
}

impl Default for FragLimits {
    fn default() -> Self {
        FragLimits { memory: 4 << 20, per_source: 512 << 10 }
    }
}

/// The unfinished datagrams of one stack. Everything is O(log n), and n is bounded by the memory limit.
pub struct Reassembly {
    limits: FragLimits,
    datagrams: BTreeMap<FragKey, Datagram>,
    /// By the time at which each is given up, then in order of arrival.
    by_age: BTreeMap<(Instant, u64), FragKey>,
    /// Memory charged to each source.
    sources: BTreeMap<Addr, usize>,
    memory: usize,
    arrivals: u64,
}

impl Reassembly {
    /// Nothing held.
    pub const fn new(limits: FragLimits) -> Reassembly {
        Reassembly {
            limits,
            datagrams: BTreeMap::new(),
            by_age: BTreeMap::new(),
            sources: BTreeMap::new(),
            memory: 0,
            arrivals: 0,
        }
    }

    /// Octets of memory charged now, overhead included.
    pub const fn memory(&self) -> usize {
        self.memory
    }

    /// When to call [`Reassembly::expire`] next.
    pub fn next(&self) -> Instant {
        self.by_age.first_key_value().map_or(Instant::NEVER, |((deadline, _), _)| *deadline)
    }

    /// Gives up the datagrams whose time is over.
    pub fn expire(&mut self, now: Instant) {
        while let Some((&(deadline, _), &key)) = self.by_age.first_key_value()
            && deadline <= now
        {
            self.forget(&key);
        }
    }

    /// Takes one fragment: `offset` in octets, `payload` what follows the IP header or the fragment header. Returns the
    /// datagram's payload when it is whole, `None` while parts are missing (also for an exact duplicate).
    ///
    /// Whether the first fragment holds a complete transport header is for the caller to check (RFC 1858, 7112).
    ///
    /// # Errors
    /// `BadFragment`: empty, past 65,535 octets, not a multiple of 8 though more follow, or of a datagram whose
    /// fragments overlap or contradict each other. `FragmentLimit`: no memory left for it or its source, or too many
    /// fragments.
    pub fn push(
        &mut self,
        now: Instant,
        key: FragKey,
        offset: u16,
        more: MoreFragments,
        payload: &[u8],
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let offset = u32::from(offset);
        let end = u32::try_from(payload.len()).map_or(u32::MAX, |len| offset.saturating_add(len));
        let uneven = more == MoreFragments::Follow && !payload.len().is_multiple_of(8);
        if payload.is_empty() || end > MAX_END || !offset.is_multiple_of(8) || uneven {
            return Err(DropReason::BadFragment);
        }
        // RFC 6946: whole by itself, and no business of other fragments.
        if offset == 0 && more == MoreFragments::Last {
            return Ok(Some(payload.to_vec()));
        }
        self.expire(now);
        let fit = match self.datagrams.get(&key) {
            Some(d) if d.life == Life::Dead => return Err(DropReason::BadFragment),
            Some(d) => d.fit(offset, payload, more),
            None => Fit::At(0),
        };
        let at = match fit {
            Fit::At(at) => at,
            Fit::Duplicate => return Ok(None),
            Fit::Conflict => {
                self.kill(&key);
                return Err(DropReason::BadFragment);
            }
            Fit::TooMany => {
                self.kill(&key);
                return Err(DropReason::FragmentLimit);
            }
        };
        self.reserve(now, key, PART_COST + payload.len())?;
        let Some(datagram) = self.datagrams.get_mut(&key) else { return Err(DropReason::FragmentLimit) };
        datagram.held += payload.len() as u32;
        datagram.parts.insert(at, Part { offset, octets: payload.into() });
        if more == MoreFragments::Last {
            datagram.total = Some(end);
        }
        if !datagram.is_whole() {
            return Ok(None);
        }
        Ok(self.forget(&key).map(|whole| {
            let mut octets = Vec::with_capacity(whole.held as usize);
            whole.parts.iter().for_each(|part| octets.extend_from_slice(&part.octets));
            octets
        }))
    }

    /// Charges `cost` to the datagram, which begins if there is none; older datagrams make room.
    fn reserve(&mut self, now: Instant, key: FragKey, cost: usize) -> Result<(), DropReason> {
        let cost = cost + if self.datagrams.contains_key(&key) { 0 } else { DATAGRAM_COST };
        let of_source = self.sources.get(&key.src).copied().unwrap_or(0);
        if of_source.saturating_add(cost) > self.limits.per_source || cost > self.limits.memory {
            return Err(DropReason::FragmentLimit);
        }
        while self.memory.saturating_add(cost) > self.limits.memory {
            let Some((_, &oldest)) = self.by_age.first_key_value() else { break };
            self.forget(&oldest);
            if oldest == key {
                return Err(DropReason::FragmentLimit);
            }
        }
        if !self.datagrams.contains_key(&key) {
            let timeout = if key.src.is_v4() { TIMEOUT_V4 } else { TIMEOUT_V6 };
            let age = (now + timeout, self.arrivals);
            self.arrivals += 1;
            self.by_age.insert(age, key);
            let new = Datagram { age, parts: Vec::new(), held: 0, total: None, life: Life::Growing };
            self.datagrams.insert(key, new);
        }
        self.memory += cost;
        *self.sources.entry(key.src).or_default() += cost;
        Ok(())
    }

    /// Gives the datagram's octets back and remembers it as dead until its time is over.
    fn kill(&mut self, key: &FragKey) {
        if let Some(datagram) = self.datagrams.get_mut(key) {
            let before = datagram.cost();
            datagram.life = Life::Dead;
            datagram.parts = Vec::new();
            datagram.held = 0;
            let freed = before - datagram.cost();
            self.release(key.src, freed);
        }
    }

    fn forget(&mut self, key: &FragKey) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.by_age.remove(&datagram.age);
        self.release(key.src, datagram.cost());
        Some(datagram)
    }

    fn release(&mut self, source: Addr, cost: usize) {
        self.memory = self.memory.saturating_sub(cost);
        if let Some(charged) = self.sources.get_mut(&source) {
            *charged = charged.saturating_sub(cost);
            if *charged == 0 {
                self.sources.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
