//! How often something may be done: a token bucket in integers.

use synfin_wire::Instant;

use crate::key::Key;

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
    /// What the last tokens cost beyond the credit: paid first.
    debt: u64,
    filled: Instant,
    blur: Option<Blur>,
}

/// Makes it unknown how much was taken.
#[derive(Clone, Debug)]
struct Blur {
    key: Key,
    taken: u64,
}

impl Blur {
    /// What this token costs beyond itself: for one in four, two more. Whoever counts what is left for him learns hardly
    /// anything about whether others took one (CVE-2020-25705).
    fn extra(&mut self) -> u64 {
        self.taken = self.taken.wrapping_add(1);
        if self.key.sip24(&self.taken.to_le_bytes()) & 3 == 0 { 2 * SECOND } else { 0 }
    }
}

impl Limiter {
    /// A full bucket of `burst` tokens, which `rate` tokens per second fill up. Rate 0: `burst` in all; burst 0: nothing.
    pub const fn new(rate: u32, burst: u32) -> Limiter {
        Limiter { rate, burst, credit: burst as u64 * SECOND, debt: 0, filled: Instant::ZERO, blur: None }
    }

    /// As [`Limiter::new`], but how many tokens one take costs is a secret: one, or sometimes three. So these are the most;
    /// on average it grants two thirds. For limits that are shared by peers who must not learn of each other.
    pub fn blurred(rate: u32, burst: u32, key: Key) -> Limiter {
        Limiter { blur: Some(Blur { key, taken: 0 }), ..Limiter::new(rate, burst) }
    }

    /// Takes a token if there is one. A `now` before an earlier one counts as that one.
    pub fn take(&mut self, now: Instant) -> Permit {
        let elapsed = now.nanos().saturating_sub(self.filled.nanos());
        let gained = elapsed.saturating_mul(u64::from(self.rate));
        let paid = gained.min(self.debt);
        self.debt -= paid;
        self.credit = self.credit.saturating_add(gained - paid).min(u64::from(self.burst) * SECOND);
        self.filled = self.filled.max(now);
        match self.credit.checked_sub(SECOND) {
            Some(left) => {
                let extra = self.blur.as_mut().map_or(0, Blur::extra);
                self.credit = left.saturating_sub(extra);
                self.debt = extra.saturating_sub(left);
                Permit::Granted
            }
            None => Permit::Refused,
        }
    }
}

#[cfg(test)]
mod tests;
