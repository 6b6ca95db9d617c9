//! Initial sequence numbers (RFC 6528, RFC 9293 3.4.1) and timestamp offsets (RFC 7323 5.4).

use synfin_wire::{Instant, Seq, Tuple};

use crate::key::{Key, of_tuple};

/// Chooses what a connection starts from, from its 4-tuple and a secret.
#[derive(Debug)]
pub struct Isn {
    sequence: Key,
    timestamp: Key,
}

impl Isn {
    /// `key`: secret and random, new for each start of the system.
    pub fn new(key: &Key) -> Isn {
        Isn { sequence: key.derive("initial sequence number"), timestamp: key.derive("timestamp offset") }
    }

    /// ISN = M + F(4-tuple, secret): M is a clock of 4 microseconds (RFC 9293 MUST-8), F is SipHash-2-4 (MUST-9,
    /// SHLD-1). A tuple's numbers rise by the clock; those of different tuples tell nothing of each other.
    pub fn isn(&self, now: Instant, tuple: &Tuple) -> Seq {
        // M wraps after about 4.77 hours, as the sequence space does.
        let m = (now.micros() / 4) as u32;
        Seq::new(m) + of_tuple(tuple, |octets| self.sequence.sip24(octets)) as u32
    }

    /// What to add to the timestamp clock for this tuple (RFC 7323 5.4): other tuples do not learn the clock's value,
    /// and a tuple used again goes on rising, as RFC 6191 needs.
    pub fn timestamp_offset(&self, tuple: &Tuple) -> u32 {
        of_tuple(tuple, |octets| self.timestamp.sip24(octets)) as u32
    }
}

#[cfg(test)]
mod tests;
