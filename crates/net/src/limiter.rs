//! How often something may be done: a token bucket in integers.

use synfin_wire::Instant;

const SECOND: u64 = 1_000_000_000;

/// What a [`Limiter`] says.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Permit {
    /// Go ahead; it is counted.
    Granted,
    /// Too often.
    Refused,
}

/// At most `burst` at once and `rate` per second in the long run.
#[derive(Clone, Debug)]
pub struct Limiter {
    rate: u32,
    burst: u32,
    /// In parts of a token: one token is [`SECOND`] parts, so that a nanosecond brings `rate` of them.
    credit: u64,
    filled: Instant,
}

impl Limiter {
    /// A full bucket of `burst` tokens, which `rate` tokens per second fill up. Rate 0: `burst` in all; burst 0: nothing.
    pub const fn new(rate: u32, burst: u32) -> Limiter {
        Limiter { rate, burst, credit: burst as u64 * SECOND, filled: Instant::ZERO }
    }

    /// Takes a token if there is one. A `now` before an earlier one counts as that one.
    pub fn take(&mut self, now: Instant) -> Permit {
        let elapsed = now.nanos().saturating_sub(self.filled.nanos());
        let gained = elapsed.saturating_mul(u64::from(self.rate));
        self.credit = self.credit.saturating_add(gained).min(u64::from(self.burst) * SECOND);
        self.filled = self.filled.max(now);
        match self.credit.checked_sub(SECOND) {
            Some(left) => {
                self.credit = left;
                Permit::Granted
            }
            None => Permit::Refused,
        }
    }
}

#[cfg(test)]
mod tests;
