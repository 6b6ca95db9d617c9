//! SYN cookies (RFC 4987 3.6, appendix A): the half-open record travels in the SYN,ACK instead of staying here.
//!
//! The ISS holds the time in ticks (5 bits), the peer's MSS as a place in a table (3 bits) and a keyed hash over both
//! ends, the peer's ISN, the time and everything that was agreed (24 bits). If the peer offers timestamps, the low bits
//! of the SYN,ACK's TSval hold its window scale and SACK; they come back as TSecr. Without timestamps there is no place
//! for them, and the SYN,ACK offers neither.

use synfin_tcp::{Config, SynOffer};
use synfin_wire::{Instant, Segment, Seq, Timestamps, Tuple};

use crate::key::{Key, of_tuple};

/// A count of 64 s.
pub(crate) type Tick = u64;

const TICK_NANOS: u64 = 64_000_000_000;
/// How many ticks old a cookie may be.
pub(crate) const LIFE: Tick = 2;

/// What the MSS of a SYN is rounded down to: the smallest possible, the IPv4 and IPv6 defaults, what tunnels, DSL and
/// Ethernet leave, and jumbo frames.
const MSS: [u16; 8] = [48, 536, 1220, 1300, 1360, 1440, 1460, 8960];

/// Bits of TSval that hold options.
const TS_BITS: u32 = 6;
const TS_MASK: u32 = (1 << TS_BITS) - 1;
/// "No window scaling" in the 4 bits of the shift, which is at most 14.
const NO_SCALE: u32 = 15;
const SACK: u32 = 1 << 4;

/// The tick at `now`.
pub(crate) fn tick(now: Instant) -> Tick {
    now.nanos() / TICK_NANOS
}

/// Makes and checks cookies.
#[derive(Debug)]
pub(crate) struct Cookies {
    key: Key,
}

/// What a SYN,ACK has to say so that its ACK brings everything back.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cookie {
    /// Our ISS.
    pub(crate) iss: Seq,
    /// What is agreed: the part of the SYN's offer that the cookie holds.
    pub(crate) offer: SynOffer,
    /// What goes into the low bits of TSval, if there are timestamps.
    ts_bits: u32,
}

impl Cookie {
    /// TSval of the SYN,ACK: at most 63 ms older than the clock `val`, never newer.
    pub(crate) fn stamp(&self, val: u32) -> u32 {
        let stamped = val & !TS_MASK | self.ts_bits;
        if Seq::new(stamped).after(Seq::new(val)) { stamped.wrapping_sub(1 << TS_BITS) } else { stamped }
    }
}

impl Cookies {
    pub(crate) fn new(key: &Key) -> Cookies {
        Cookies { key: key.derive("SYN cookie") }
    }

    /// The cookie for a SYN with ISN `irs` and this offer.
    pub(crate) fn make(&self, now: Instant, tuple: &Tuple, irs: Seq, offer: &SynOffer) -> Cookie {
        let place = MSS.iter().rposition(|&mss| mss <= offer.peer_mss).unwrap_or(0);
        let timestamps = offer.ts_recent.is_some();
        let offer = SynOffer {
            peer_mss: MSS.get(place).copied().unwrap_or(offer.peer_mss),
            peer_wscale: offer.peer_wscale.filter(|_| timestamps),
            sack: offer.sack && timestamps,
            ts_recent: offer.ts_recent,
        };
        let ts_bits = offer.peer_wscale.map_or(NO_SCALE, u32::from) & 0xf | if offer.sack { SACK } else { 0 };
        let low = (tick(now) as u32 & 31) << 3 | place as u32;
        let hash = self.hash(tuple, irs, tick(now), low, timestamps.then_some(ts_bits));
        Cookie { iss: Seq::new(low << 24 | hash), offer, ts_bits }
    }

    /// What was agreed, if the ACK `seg` acknowledges a cookie of ours that is not too old.
    pub(crate) fn check(
        &self,
        now: Instant,
        tuple: &Tuple,
        cfg: &Config,
        seg: &Segment<'_>,
    ) -> Option<Agreed> {
        let (iss, irs) = (seg.ack? - 1, seg.seq - 1);
        let low = iss.raw() >> 24;
        let age = (tick(now) as u32).wrapping_sub(low >> 3) & 31;
        let then = tick(now).checked_sub(Tick::from(age)).filter(|_| Tick::from(age) <= LIFE)?;
        let ts = seg.opts.ts.filter(|_| cfg.timestamps);
        let ts_bits = ts.map(|ts| ts.ecr & TS_MASK);
        if self.hash(tuple, irs, then, low, ts_bits) != iss.raw() & 0xff_ffff {
            return None;
        }
        let scale = ts_bits.map_or(NO_SCALE, |b| b & 0xf);
        let offer = SynOffer {
            peer_mss: *MSS.get(low as usize & 7)?,
            peer_wscale: (scale != NO_SCALE).then_some(scale as u8),
            sack: ts_bits.is_some_and(|b| b & SACK != 0),
            ts_recent: ts.map(|Timestamps { val, .. }| val),
        };
        Some(Agreed { iss, irs, offer })
    }

    /// 24 bits that only we can compute.
    fn hash(&self, tuple: &Tuple, irs: Seq, tick: Tick, low: u32, ts_bits: Option<u32>) -> u32 {
        let tuple = of_tuple(tuple, |octets| self.key.sip24(octets));
        let mut octets = [0; 32];
        let words = [
            tuple,
            u64::from(irs.raw()),
            tick,
            u64::from(low) << 32 | u64::from(ts_bits.unwrap_or(u32::MAX)),
        ];
        for (place, word) in octets.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        self.key.sip24(&octets) as u32 & 0xff_ffff
    }
}

/// What a valid cookie brings back.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    /// Our ISS.
    pub(crate) iss: Seq,
    /// The peer's ISN.
    pub(crate) irs: Seq,
    /// What was agreed.
    pub(crate) offer: SynOffer,
}

#[cfg(test)]
mod tests;
