//! Retransmission timeout (RFC 6298).

use core::time::Duration;

use synfin_wire::time::{micros, nanos};

use crate::{Config, Quirks};

/// Clock granularity G: the lower bound of the variance term, in microseconds.
const G: u32 = 1_000;

/// Smoothed round-trip time, its variation and the backoff.
#[derive(Copy, Clone, Debug, Default, Hash)]
pub struct Rto {
    /// 8 x SRTT in microseconds; 0 before the first sample.
    srtt8: u32,
    /// 4 x RTTVAR in microseconds.
    rttvar4: u32,
    /// Lower bound for text after a SYN that timed out (RFC 6298 5.7), in milliseconds; until the first sample.
    floor_ms: u16,
    /// Doublings of the timeout, kept until a sample (RFC 6298 5.5, 5.7; Karn).
    backoff: u8,
    /// Timeouts since something was last acknowledged.
    tries: u8,
}

impl Rto {
    /// Takes a round-trip sample (RFC 6298 2.2, 2.3).
    pub fn sample(&mut self, rtt: Duration) {
        // Larger samples than this cannot be told from nonsense, and keep the sums in range.
        let r = micros(rtt).clamp(1, 400_000_000);
        if self.srtt8 == 0 {
            self.srtt8 = r * 8;
            self.rttvar4 = r * 2;
        } else {
            let err = (self.srtt8 / 8).abs_diff(r);
            self.rttvar4 = self.rttvar4 - self.rttvar4 / 4 + err;
            self.srtt8 = self.srtt8 - self.srtt8 / 8 + r;
        }
        self.floor_ms = 0;
        self.backoff = 0;
    }

    /// SRTT; zero before the first sample.
    pub fn srtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.srtt8 / 8))
    }

    /// RTTVAR.
    pub fn rttvar(&self) -> Duration {
        Duration::from_micros(u64::from(self.rttvar4 / 4))
    }

    /// The timeout without backoff, within the configured bounds (RFC 6298 2.1 to 2.5).
    pub fn base(&self, cfg: &Config) -> Duration {
        Duration::from_nanos(self.base_nanos(cfg))
    }

    fn base_nanos(&self, cfg: &Config) -> u64 {
        let rto = if self.srtt8 == 0 {
            nanos(cfg.rto_initial)
        } else {
            let least = if cfg.quirks.has(Quirks::RTO_MIN_BOUNDS_VARIANCE) { micros(cfg.rto_min) } else { G };
            (u64::from(self.srtt8 / 8) + u64::from(self.rttvar4.max(least))) * 1_000
        };
        rto.max(nanos(cfg.rto_min)).max(u64::from(self.floor_ms) * 1_000_000).min(nanos(cfg.rto_max))
    }

    /// The timeout to use now: doubled per backoff, capped (RFC 6298 5.5).
    #[inline]
    pub fn current(&self, cfg: &Config) -> Duration {
        let doubled = self.base_nanos(cfg).saturating_mul(1 << self.backoff.min(16));
        Duration::from_nanos(doubled.min(nanos(cfg.rto_max)))
    }

    /// A timeout happened (RFC 6298 5.5).
    pub fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
        self.tried();
    }

    /// A timeout happened that does not double the next.
    pub fn tried(&mut self) {
        self.tries = self.tries.saturating_add(1);
    }

    /// New octets were acknowledged: the path answers again. The timeout stays doubled until a sample (Karn).
    pub fn answered(&mut self) {
        self.tries = 0;
    }

    /// What doubled the timeout says nothing about the path.
    pub fn forgive(&mut self) {
        self.tries = 0;
        self.backoff = 0;
    }

    /// Timeouts in a row that nothing answered.
    pub fn tries(&self) -> u8 {
        self.tries
    }

    /// How often the timeout is doubled.
    pub fn backoff(&self) -> u8 {
        self.backoff
    }

    /// The SYN timed out: text starts with at least 3 s (RFC 6298 5.7).
    pub fn after_syn_timeout(&mut self) {
        self.forgive();
        self.floor_ms = 3_000;
    }
}

#[cfg(test)]
mod tests;
