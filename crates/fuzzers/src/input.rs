//! Decisions, taken from the octets of a fuzzer.

use std::time::Duration;

use arbitrary::Unstructured;

/// A source of decisions. When the octets are used up, every decision is the first of its choices: zero.
#[derive(Debug)]
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    /// Decisions from these octets.
    pub fn new(data: &'a [u8]) -> Input<'a> {
        Input(Unstructured::new(data))
    }

    /// Whether no octet is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// 0 to `n` - 1 (0 if `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        self.0.int_in_range(0..=n.max(1) - 1).unwrap_or(0)
    }

    /// One of these; `from` is not empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True in about one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// Any octet.
    pub fn octet(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// Any 16 bits.
    pub fn half(&mut self) -> u16 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// Any 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// Up to `n` octets as they stand.
    pub fn octets(&mut self, n: usize) -> &'a [u8] {
        self.0.bytes(n.min(self.0.len())).unwrap_or_default()
    }

    /// A span of time: mostly around the times that TCP's timers use, at times any.
    pub fn span(&mut self) -> Duration {
        const MS: [u64; 12] = [1, 5, 40, 200, 250, 500, 1000, 3000, 60_000, 130_000, 7_200_000, 86_400_000];
        match self.below(14) {
            n @ 0..12 => Duration::from_millis(MS[n]),
            12 => Duration::from_micros(u64::from(self.half())),
            // More than the 24.8 days in which half of all timestamp values pass (RFC 7323 5.5).
            _ => Duration::from_secs(86_400 * 30),
        }
    }
}
