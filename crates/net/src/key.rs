//! Secret keys for keyed hashing (SipHash), one purpose each.

use core::fmt;
use core::hint::black_box;

use siphasher::sip::{SipHasher13, SipHasher24};
use synfin_wire::Tuple;

/// A 128-bit secret. Never shown, and overwritten when dropped.
#[derive(Clone)]
pub struct Key([u8; 16]);

impl Key {
    /// From sixteen octets of the system's random number generator.
    pub const fn new(octets: [u8; 16]) -> Key {
        Key(octets)
    }

    /// Another key for another purpose: from it, neither this key nor its other children can be computed.
    pub fn derive(&self, purpose: &str) -> Key {
        let hasher = SipHasher24::new_with_key(&self.0);
        let parent = hasher.hash(purpose.as_bytes());
        // The children are keyed hashes of two different inputs of equal length.
        let half = |part: u64| self.sip24(&(parent ^ part).to_le_bytes()).to_le_bytes();
        let mut octets = [0; 16];
        let (low, high) = octets.split_at_mut(8);
        low.copy_from_slice(&half(1));
        high.copy_from_slice(&half(2));
        Key(octets)
    }

    /// SipHash-1-3: for tables, where a peer sees at most how long a lookup takes.
    #[inline]
    pub fn sip13(&self, octets: &[u8]) -> u64 {
        SipHasher13::new_with_key(&self.0).hash(octets)
    }

    /// SipHash-2-4: for numbers that a peer sees.
    #[inline]
    pub fn sip24(&self, octets: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(octets)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0 = [0; 16];
        // Without this the compiler may leave out the write above.
        black_box(&self.0);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Hands the tuple's octets to `hash`: 12 for IPv4, 36 otherwise, so that no two tuples look alike.
#[inline]
pub(crate) fn of_tuple<R>(tuple: &Tuple, hash: impl FnOnce(&[u8]) -> R) -> R {
    let [l0, l1] = tuple.local.port.to_be_bytes();
    let [r0, r1] = tuple.remote.port.to_be_bytes();
    if let (Some([a, b, c, d]), Some([e, f, g, h])) = (tuple.local.addr.as_v4(), tuple.remote.addr.as_v4()) {
        return hash(&[a, b, c, d, e, f, g, h, l0, l1, r0, r1]);
    }
    let mut octets = [0; 36];
    let (local, rest) = octets.split_at_mut(16);
    let (remote, ports) = rest.split_at_mut(16);
    local.copy_from_slice(tuple.local.addr.octets());
    remote.copy_from_slice(tuple.remote.addr.octets());
    ports.copy_from_slice(&[l0, l1, r0, r1]);
    hash(&octets)
}

#[cfg(test)]
pub(crate) mod tests;
