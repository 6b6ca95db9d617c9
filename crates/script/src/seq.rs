//! Numbers of the script and numbers on the wire. A script counts both streams from their initial sequence numbers; the
//! wire does not. The same holds for timestamps.

use std::collections::BTreeMap;

use synfin_wire::{Seq, Tuple};

/// One connection under test: whose it is, and how its numbers translate.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The connection, seen from the stack.
    pub tuple: Tuple,
    /// What 0 of the peer's numbers is on the wire.
    peer_zero: Seq,
    /// What 0 of the stack's numbers is on the wire; unknown before its first SYN.
    our_zero: Option<Seq>,
    /// TSvals of the stack: script's to wire's.
    stamps: BTreeMap<u32, u32>,
    /// The first of them.
    first_stamp: Option<(u32, u32)>,
    /// Octet 0 of either stream in script numbers, for telling the octets of text: one behind the SYN.
    pub peer_text: u32,
    pub our_text: u32,
}

impl Flow {
    pub fn new(tuple: Tuple, peer_zero: Seq) -> Flow {
        Flow {
            tuple,
            peer_zero,
            our_zero: None,
            stamps: BTreeMap::new(),
            first_stamp: None,
            peer_text: 1,
            our_text: 1,
        }
    }

    /// A number of the peer's stream onto the wire.
    pub fn peer_to_wire(&self, script: u32) -> Seq {
        self.peer_zero + script
    }

    /// A number of the peer's stream from the wire.
    pub fn peer_to_script(&self, wire: Seq) -> u32 {
        wire.since(self.peer_zero)
    }

    /// A number of the stack's stream onto the wire; before its SYN the number itself.
    pub fn our_to_wire(&self, script: u32) -> Seq {
        self.our_zero.unwrap_or_default() + script
    }

    /// A number of the stack's stream from the wire; before its SYN the number itself.
    pub fn our_to_script(&self, wire: Seq) -> u32 {
        wire.since(self.our_zero.unwrap_or_default())
    }

    /// Whether the stack's initial number is known.
    pub fn knows_ours(&self) -> bool {
        self.our_zero.is_some()
    }

    /// A SYN of the stack was seen that the script numbers `script`. A new life of the connection begins anew.
    pub fn learn_ours(&mut self, script: u32, wire: Seq) {
        self.our_zero = Some(wire - script);
        self.our_text = script.wrapping_add(1);
    }

    /// A timestamp of the stack was seen that the script calls `script`.
    pub fn learn_stamp(&mut self, script: u32, wire: u32) {
        self.stamps.insert(script, wire);
        self.first_stamp.get_or_insert((script, wire));
    }

    /// What the peer echoes: the wire's value for the script's, if the script named it before. 0 stays 0.
    pub fn echo_to_wire(&self, script: u32) -> Option<u32> {
        match self.stamps.get(&script) {
            Some(wire) => Some(*wire),
            None if script == 0 => Some(0),
            None => None,
        }
    }

    /// Ticks between the first timestamp and this one: in the script, on the wire.
    pub fn ticks_since_first(&self, script: u32, wire: u32) -> Option<(i64, i64)> {
        let (first_script, first_wire) = self.first_stamp?;
        let ticks = |a: u32, b: u32| i64::from(a.wrapping_sub(b) as i32);
        Some((ticks(script, first_script), ticks(wire, first_wire)))
    }

    /// A timestamp of the stack as the script would count it.
    pub fn stamp_to_script(&self, wire: u32) -> u32 {
        match self.first_stamp {
            Some((script, first)) => script.wrapping_add(wire.wrapping_sub(first)),
            None => wire,
        }
    }
}

/// The octet at `offset` of any stream: neighbours differ, and so do octets a window apart.
pub fn octet(offset: u32) -> u8 {
    let [a, b, c, d] = offset.to_le_bytes();
    a ^ b.wrapping_mul(31) ^ c.wrapping_mul(101) ^ d
}

/// `len` octets of any stream from `offset` on.
pub fn octets(offset: u32, len: usize) -> Vec<u8> {
    (0..len).map(|i| octet(offset.wrapping_add(i as u32))).collect()
}

#[cfg(test)]
mod tests;
