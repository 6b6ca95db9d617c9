//! A fingerprint of a run. Not for secrets.

use crate::rng::scatter;

/// A hash over everything that was added, in order, with its boundaries.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// Adds a number.
    pub fn add(&mut self, n: u64) {
        self.0 = scatter(self.0.rotate_left(5) ^ n);
    }

    /// Adds octets and how many they are.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        self.add(rest.iter().fold(0, |n, b| n << 8 | u64::from(*b)));
    }

    /// The fingerprint.
    pub fn value(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
