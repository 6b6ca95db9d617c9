//! A small seeded generator: xoshiro256** (Blackman and Vigna), seeded by splitmix64. Not for secrets.

use core::time::Duration;

/// A pseudo-random sequence; the same seed gives the same numbers on every platform.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

/// One step of splitmix64: a bijection of 64 bits that scatters neighbours.
pub(crate) const fn scatter(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The sequence that belongs to this seed.
    pub fn new(seed: u64) -> Rng {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        Rng([0, 1, 2, 3].map(|i: u64| scatter(seed.wrapping_add(STEP.wrapping_mul(i)))))
    }

    /// A sequence of its own for part `n` of something that has this seed: parts do not disturb each other.
    pub fn part(seed: u64, n: u64) -> Rng {
        Rng::new(scatter(seed) ^ scatter(!n))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    /// A number below `n`, each as likely as the others up to 1 in 2^64; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`; `low` if the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low) {
            None => low,
            Some(u64::MAX) => self.next_u64(),
            Some(span) => low + self.below(span + 1),
        }
    }

    /// Whether something of this likelihood happens.
    pub fn chance(&mut self, p: Ppm) -> bool {
        // No number is drawn for what cannot happen: switching one fault on does not move the others.
        p.0 > 0 && self.below(1_000_000) < u64::from(p.0)
    }

    /// A span in `0..=longest`, in whole nanoseconds, at most 584 years.
    pub fn span(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.between(0, nanos))
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Fills `out` with random octets.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            for (o, r) in chunk.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *o = r;
            }
        }
    }
}

/// A likelihood in parts per million; more than a million is certain.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ppm(pub u32);

impl Ppm {
    /// Never.
    pub const NEVER: Ppm = Ppm(0);
    /// Always.
    pub const ALWAYS: Ppm = Ppm(1_000_000);

    /// From hundredths.
    pub const fn percent(n: u32) -> Ppm {
        Ppm(n.saturating_mul(10_000))
    }
}

#[cfg(test)]
mod tests;
