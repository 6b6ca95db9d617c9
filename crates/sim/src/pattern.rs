//! Streams that both ends know without holding them: the octet at each position follows from a seed.

use crate::rng::scatter;

/// An endless stream of octets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Pattern(pub u64);

impl Pattern {
    fn octets(self, at: u64) -> impl Iterator<Item = u8> {
        let skip = (at % 8) as usize;
        (at / 8..).flat_map(move |word| scatter(self.0 ^ scatter(word)).to_le_bytes()).skip(skip)
    }

    /// Writes the octets from position `at` on into `out`.
    pub fn fill(self, at: u64, out: &mut [u8]) {
        for (o, octet) in out.iter_mut().zip(self.octets(at)) {
            *o = octet;
        }
    }

    /// The position of the first octet that differs from the stream from position `at` on, if any does.
    pub fn check(self, at: u64, got: &[u8]) -> Option<u64> {
        let wrong = got.iter().zip(self.octets(at)).position(|(g, octet)| *g != octet);
        wrong.map(|i| at + i as u64)
    }
}

#[cfg(test)]
mod tests;
