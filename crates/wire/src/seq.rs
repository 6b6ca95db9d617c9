//! Sequence numbers: arithmetic modulo 2^32 (RFC 9293 3.4).

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A sequence or acknowledgement number.
///
/// Deliberately without `Ord`: comparing is only meaningful for numbers less than 2^31 apart, and the names
/// below say which question is asked. At a distance of exactly 2^31 every comparison is false.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Seq(u32);

impl Seq {
    /// The number as it stands on the wire.
    #[inline]
    pub const fn new(raw: u32) -> Self {
        Seq(raw)
    }

    /// The number as it stands on the wire.
    #[inline]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// `self < other`: `other` lies 1 to 2^31 - 1 octets ahead.
    #[inline]
    pub const fn before(self, other: Seq) -> bool {
        (other.0.wrapping_sub(self.0) as i32) > 0
    }

    /// `self > other`.
    #[inline]
    pub const fn after(self, other: Seq) -> bool {
        other.before(self)
    }

    /// `self <= other`.
    #[inline]
    pub const fn at_or_before(self, other: Seq) -> bool {
        self.0 == other.0 || self.before(other)
    }

    /// `self >= other`.
    #[inline]
    pub const fn at_or_after(self, other: Seq) -> bool {
        other.at_or_before(self)
    }

    /// Signed distance `self - from` in octets.
    #[inline]
    pub const fn dist(self, from: Seq) -> i32 {
        self.0.wrapping_sub(from.0) as i32
    }

    /// Octets from `from` forward to `self`, modulo 2^32. Use where `from <= self` is known.
    #[inline]
    pub const fn since(self, from: Seq) -> u32 {
        self.0.wrapping_sub(from.0)
    }

    /// `start <= self < start + len`.
    #[inline]
    pub const fn within(self, start: Seq, len: u32) -> bool {
        self.0.wrapping_sub(start.0) < len
    }

    /// The later of two numbers.
    #[inline]
    pub const fn later(self, other: Seq) -> Seq {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two numbers.
    #[inline]
    pub const fn earlier(self, other: Seq) -> Seq {
        if other.before(self) { other } else { self }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn add(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for Seq {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        *self = *self + n;
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn sub(self, n: u32) -> Seq {
        Seq(self.0.wrapping_sub(n))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests;
