//! One response to congestion, from its first sign to its end: the rate reduction, and what it takes to take it back when
//! nothing was lost after all (Eifel, RFC 3522 and 4015; D-SACK, RFC 3708; F-RTO, RFC 5682).

use core::hash::{Hash, Hasher};

use synfin_wire::{Instant, Seq};

use super::prr::Prr;
use super::rack::Echo;
use crate::cc::Window;

/// What a sender remembers while it recovers.
#[derive(Clone, Debug)]
pub struct Episode {
    /// The window from before.
    pub before: Window,
    /// SND.UNA when it began: D-SACKs below tell of earlier times.
    pub start: Seq,
    /// The rate reduction; not used after a timeout.
    pub prr: Prr,
    /// Segments sent again that no D-SACK has accounted for.
    repeated: u32,
    /// When the first segment was sent again.
    first_repeat: Option<Instant>,
    /// F-RTO may still find that the timeout was none (RFC 5682 3).
    pub frto: bool,
    /// It is over since SND.NXT was here: only D-SACKs of what it repeated are awaited.
    pub over: Option<Seq>,
}

impl Episode {
    /// Congestion was noticed with `flight` octets outstanding.
    pub fn new(before: Window, start: Seq, flight: u32) -> Episode {
        Episode {
            before,
            start,
            prr: Prr::new(flight),
            repeated: 0,
            first_repeat: None,
            frto: false,
            over: None,
        }
    }

    /// What decides the future, with times relative to `now`.
    pub(crate) fn fingerprint(&self, now: Instant, h: &mut impl Hasher) {
        let Episode { before, start, prr, repeated, first_repeat, frto, over } = self;
        (before, start, prr, repeated, frto, over).hash(h);
        first_repeat.map(|at| now.since(at)).hash(h);
    }

    /// `segments` were sent again.
    pub fn repeat(&mut self, segments: u32, now: Instant) {
        self.repeated = self.repeated.saturating_add(segments);
        self.first_repeat.get_or_insert(now);
    }

    /// A D-SACK reports that `segments` arrived twice.
    pub fn duplicate(&mut self, segments: u32) {
        self.repeated = self.repeated.saturating_sub(segments);
    }

    /// The acknowledgement answers something that was sent before the first repetition (RFC 3522 3.2).
    pub fn answers_original(&self, echo: Option<Echo>) -> bool {
        match (self.first_repeat, echo) {
            (Some(at), Some(echo)) => echo.before(at),
            _ => false,
        }
    }

    /// All that was sent again had arrived before (RFC 3708 2).
    pub fn all_duplicates(&self) -> bool {
        self.first_repeat.is_some() && self.repeated == 0
    }
}

#[cfg(test)]
mod tests;
