//! Ephemeral ports by the double-hash algorithm (RFC 6056 3.3.4, algorithm 4).
//!
//! Each destination has a starting point of its own, from a keyed hash, and goes on from there one by one, so that a
//! port comes back as late as possible; the counter is shared only by destinations that fall on the same one of 65,536
//! table places, by another keyed hash. So what one destination sees tells nothing of another.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use synfin_wire::{Addr, Endpoint, Tuple};

use crate::key::{Key, of_tuple};

/// Counters; a small table lets a peer find by trial which destinations share one (CVE-2022-32296).
const TABLE: usize = 1 << 16;

/// The range of ports is empty or begins with port 0.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct BadPortRange;

/// Chooses local ports for active opens.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    /// Number of ports in the range, 1 to 65,535.
    count: u32,
    start: Key,
    place: Key,
    /// How far each place's destinations have come, modulo `count`. 128 kB from the first use on.
    table: Vec<u16>,
}

impl Ports {
    /// Half of the port space, above the registered services that are likely (RFC 6056 3.2 advises a large range).
    pub const DEFAULT_RANGE: RangeInclusive<u16> = 32_768..=65_535;

    /// `key`: secret and random.
    ///
    /// # Errors
    /// [`BadPortRange`] for an empty range and for one with port 0.
    pub fn new(key: &Key, range: RangeInclusive<u16>) -> Result<Ports, BadPortRange> {
        if range.is_empty() || *range.start() == 0 {
            return Err(BadPortRange);
        }
        let count = u32::from(*range.end()) - u32::from(*range.start()) + 1;
        let (start, place) = (key.derive("port: start"), key.derive("port: place"));
        Ok(Ports { first: *range.start(), count, start, place, table: Vec::new() })
    }

    /// A port for a connection from `local` to `remote` that `in_use` does not refuse, each tried at most once. `None`
    /// when all are in use.
    pub fn pick(
        &mut self,
        local: Addr,
        remote: Endpoint,
        mut in_use: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        if self.table.is_empty() {
            // All zero will do where RFC 6056 fills the table with random numbers: each destination's start is secret.
            self.table = vec![0; TABLE];
        }
        let destination = Tuple { local: Endpoint::new(local, 0), remote };
        let (start, place) =
            of_tuple(&destination, |octets| (self.start.sip24(octets), self.place.sip24(octets)));
        let counter = self.table.get_mut(place as usize % TABLE)?;
        for _ in 0..self.count {
            let step = u64::from(*counter);
            *counter = ((u32::from(*counter) + 1) % self.count) as u16;
            let port = self
                .first
                .checked_add(((start % u64::from(self.count) + step) % u64::from(self.count)) as u16)?;
            if !in_use(port) {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
