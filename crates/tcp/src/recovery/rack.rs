//! Recent acknowledgement: losses by the time that passed since a segment was sent (RFC 8985 5.3, 6).

use core::hash::{Hash, Hasher};
use core::time::Duration;

use synfin_wire::time::micros;
use synfin_wire::{Instant, Seq};

use crate::send::log::{DUP_THRESH, Delivery, Sending, SentLog};

/// Recoveries for which a window that was widened by D-SACK stays wide (RFC 8985 6.2 step 4).
const PERSIST: u8 = 16;
/// A least round-trip time that is older than this may belong to another path.
const MIN_RTT_LIFE: Duration = Duration::from_secs(300);
/// Largest reordering that is believed, in segments.
const MOST_REORDERING: u16 = 300;

/// RACK's variables of a connection.
#[derive(Copy, Clone, Debug)]
pub struct Rack {
    /// The most recently sent segment that was delivered: RACK.xmit_ts, RACK.end_seq.
    latest: Sending,
    /// RACK.rtt in microseconds.
    rtt: u32,
    /// RACK.min_RTT in microseconds; 0 before the first sample.
    min_rtt: u32,
    min_rtt_at: Instant,
    /// RACK.dsack_round: a D-SACK widens the window once until this is acknowledged.
    dsack_round: Option<Seq>,
    /// Segments by which delivery was seen out of order, [`DUP_THRESH`] before that.
    reordering: u16,
    reo_wnd_mult: u8,
    reo_wnd_persist: u8,
    reordering_seen: bool,
}

impl Default for Rack {
    fn default() -> Rack {
        Rack {
            latest: Sending::default(),
            rtt: 0,
            min_rtt: 0,
            min_rtt_at: Instant::ZERO,
            dsack_round: None,
            reordering: DUP_THRESH as u16,
            reo_wnd_mult: 1,
            reo_wnd_persist: PERSIST,
            reordering_seen: false,
        }
    }
}

/// An acknowledgement's echoed timestamp, beside what our clock said at a sending, as the same 32-bit numbers.
#[derive(Copy, Clone, Debug)]
pub struct Echo {
    /// TSecr.
    pub ecr: u32,
    /// TSval of a segment sent now less now in milliseconds.
    pub offset: u32,
}

impl Echo {
    /// Whether the echo is older than a sending at `sent`: the acknowledgement answers an earlier one.
    pub fn before(self, sent: Instant) -> bool {
        let val = (sent.millis() as u32).wrapping_add(self.offset);
        Seq::new(self.ecr).before(Seq::new(val))
    }
}

impl Rack {
    /// A round-trip sample (step 1). Zero says nothing: the clock did not move.
    pub fn sample(&mut self, rtt: Duration, now: Instant) {
        if rtt.is_zero() {
            return;
        }
        let us = micros(rtt).max(1);
        if self.min_rtt == 0 || us <= self.min_rtt || now.since(self.min_rtt_at) > MIN_RTT_LIFE {
            self.min_rtt = us;
            self.min_rtt_at = now;
        }
    }

    /// Something was delivered (step 2).
    pub fn deliver(&mut self, d: &Delivery, echo: Option<Echo>, now: Instant) {
        if let Some(s) = d.once {
            self.advance(s, now);
        }
        if let Some(s) = d.again {
            let rtt = micros(now.since(s.at));
            if !echo.is_some_and(|e| e.before(s.at)) && rtt >= self.min_rtt {
                self.advance(s, now);
            }
        }
    }

    fn advance(&mut self, s: Sending, now: Instant) {
        self.rtt = micros(now.since(s.at));
        if s.after(self.latest) {
            self.latest = s;
        }
    }

    /// An original that starts at `seq` was delivered after others up to `fack` (step 3).
    pub fn reordered(&mut self, seq: Seq, fack: Seq, mss: u32) {
        let segments = fack.since(seq).div_ceil(mss.max(1));
        let segments = u16::try_from(segments).unwrap_or(MOST_REORDERING).min(MOST_REORDERING);
        self.reordering = self.reordering.max(segments);
        self.reordering_seen = true;
    }

    /// The receiver reported a duplicate (step 4): what was sent again had only been late.
    pub fn duplicated(&mut self, una: Seq, nxt: Seq) {
        if self.dsack_round.is_some_and(|r| una.before(r)) {
            return;
        }
        self.dsack_round = Some(nxt);
        self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1);
        self.reo_wnd_persist = PERSIST;
    }

    /// A recovery has ended (step 4).
    pub fn recovered(&mut self) {
        self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
        if self.reo_wnd_persist == 0 {
            self.reo_wnd_mult = 1;
        }
    }

    /// RACK.reo_wnd (step 4).
    fn reo_wnd(&self, recovering: bool, segments_sacked: u32, srtt: Duration) -> Duration {
        if !self.reordering_seen && (recovering || segments_sacked >= DUP_THRESH) {
            return Duration::ZERO;
        }
        let us = u64::from(self.reo_wnd_mult) * u64::from(self.min_rtt) / 4;
        Duration::from_micros(us).min(srtt)
    }

    /// Step 5: marks what is lost in `log`. Returns the octets marked, and when the reordering timer is to run out.
    pub fn find_lost(
        &self,
        log: &mut SentLog,
        recovering: bool,
        srtt: Duration,
        now: Instant,
    ) -> (u32, Option<Instant>) {
        if log.is_plain() && !recovering {
            return (0, None);
        }
        if self.min_rtt == 0 && !recovering && log.segments_sacked() < DUP_THRESH {
            // Nothing is known of times: only numbers count.
            return (0, None);
        }
        let settle = self.rtt() + self.reo_wnd(recovering, log.segments_sacked(), srtt);
        log.find_lost(self.latest, settle, now)
    }

    /// What decides the future, with times relative to `now`.
    pub(crate) fn fingerprint(&self, now: Instant, h: &mut impl Hasher) {
        let Rack {
            latest,
            rtt,
            min_rtt,
            min_rtt_at: _, // explorations last less than its life
            dsack_round,
            reordering: _, // told to the application
            reo_wnd_mult,
            reo_wnd_persist,
            reordering_seen,
        } = self;
        (latest.end, now.since(latest.at), rtt, min_rtt).hash(h);
        (dsack_round, reo_wnd_mult, reo_wnd_persist, reordering_seen).hash(h);
    }

    /// RACK.rtt; zero before the first delivery.
    pub fn rtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.rtt))
    }

    /// RACK.min_RTT; zero before the first sample.
    pub fn min_rtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.min_rtt))
    }

    /// Segments by which delivery was seen out of order; 3 before that.
    pub fn reordering(&self) -> u16 {
        self.reordering
    }

    /// Whether delivery out of order was ever seen.
    pub fn reordering_seen(&self) -> bool {
        self.reordering_seen
    }
}

#[cfg(test)]
mod tests;
