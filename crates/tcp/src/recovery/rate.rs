//! Delivery rate (draft-ietf-ccwg-bbr 4.1): how much the path delivered while a segment was under way.
//!
//! The sampler keeps its own account of what was sent, in the order of sending; it exists only for rules that ask for it.

use alloc::collections::VecDeque;
use core::time::Duration;

use synfin_wire::{Instant, Seq};

use crate::cc::{Lost, Rate};
use crate::send::log::{Delivery, Sending};

/// Connection state when something was sent (P in the draft).
#[derive(Copy, Clone, Debug)]
struct Sent {
    /// P.send_time
    at: Instant,
    /// One past its last octet.
    end: Seq,
    delivered: u64,
    delivered_time: Instant,
    first_send_time: Instant,
    lost: u64,
    tx_in_flight: u32,
    app_limited: bool,
}

/// Takes samples of the delivery rate (C in the draft).
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    delivered: u64,
    delivered_time: Instant,
    first_send_time: Instant,
    lost: u64,
    /// Application-limited until more than this is delivered; 0: not limited.
    app_limited: u64,
    /// What was sent since the newest of what was delivered, and that.
    sent: VecDeque<Sent>,
    /// The newest of what was delivered.
    newest: Option<Sent>,
    /// `newest` is from the present acknowledgement.
    fresh: bool,
}

impl Sampler {
    /// A connection without a history.
    pub(crate) fn new(now: Instant) -> Sampler {
        Sampler {
            delivered: 0,
            delivered_time: now,
            first_send_time: now,
            lost: 0,
            app_limited: 0,
            sent: VecDeque::new(),
            newest: None,
            fresh: false,
        }
    }

    /// Whether the application is the limit.
    pub(crate) fn is_app_limited(&self) -> bool {
        self.app_limited != 0
    }

    /// MarkConnectionAppLimited() (4.1.2.4).
    pub(crate) fn mark_app_limited(&mut self, in_flight: u32) {
        self.app_limited = (self.delivered + u64::from(in_flight)).max(1);
    }

    /// OnPacketSent() (4.1.2.2), with the octets in flight before and after.
    pub(crate) fn on_send(&mut self, now: Instant, end: Seq, before: u32, after: u32) {
        if before == 0 {
            self.first_send_time = now;
            self.delivered_time = now;
        }
        self.sent.push_back(Sent {
            at: now,
            end,
            delivered: self.delivered,
            delivered_time: self.delivered_time,
            first_send_time: self.first_send_time,
            lost: self.lost,
            tx_in_flight: after,
            app_limited: self.is_app_limited(),
        });
    }

    /// UpdateRateSample() (4.1.2.3) for all that one acknowledgement delivered.
    pub(crate) fn on_delivery(&mut self, d: &Delivery, now: Instant) {
        self.fresh = false;
        if d.octets == 0 {
            return;
        }
        self.delivered += u64::from(d.octets);
        self.delivered_time = now;
        let newest = match (d.once, d.again) {
            (Some(once), Some(again)) => Some(if again.after(once) { again } else { once }),
            (once, again) => once.or(again),
        };
        if let Some(i) = newest.and_then(|s| self.index_of(s))
            && let Some(sent) = self.sent.get(i).copied()
        {
            // What was sent before it can be no newest any more; the rest of it may follow.
            self.sent.drain(..i);
            self.first_send_time = sent.at;
            self.newest = Some(sent);
            self.fresh = true;
        }
        if self.is_app_limited() && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
    }

    /// Where the account of this sending stands; it may have been sent within more.
    fn index_of(&self, s: Sending) -> Option<usize> {
        let from = self.sent.partition_point(|e| e.at < s.at);
        let alike = self.sent.range(from..).take_while(|e| e.at == s.at);
        let holds = alike.clone().position(|e| e.end.at_or_after(s.end));
        holds.or_else(|| alike.count().checked_sub(1)).map(|i| from + i)
    }

    /// So many octets were found lost. They were sent just before the newest that was delivered, and count as that.
    pub(crate) fn on_lost(&mut self, now: Instant, seq: Seq, octets: u32, mss: u32) -> Lost {
        self.lost += u64::from(octets);
        let (lost, tx_in_flight, app_limited) = match &self.newest {
            Some(s) => (self.lost - s.lost, s.tx_in_flight, s.app_limited),
            None => (self.lost, octets, self.is_app_limited()),
        };
        Lost {
            now,
            seq,
            len: octets,
            mss,
            tx_in_flight,
            lost: u32::try_from(lost).unwrap_or(u32::MAX),
            app_limited,
            total_delivered: self.delivered,
        }
    }

    /// GenerateRateSample() (4.1.2.3), after losses were counted.
    pub(crate) fn sample(
        &self,
        newly_delivered: u32,
        newly_lost: u32,
        inflight: u32,
        min_rtt: Duration,
        sack: bool,
    ) -> Option<Rate> {
        let s = self.newest?;
        let send_elapsed = s.at.since(s.first_send_time);
        let ack_elapsed = self.delivered_time.since(s.delivered_time);
        let interval = send_elapsed.max(ack_elapsed);
        // What is older than the newest, or was faster than the path can be, gives no rate.
        let reliable = self.fresh && interval >= min_rtt;
        let cut = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Some(Rate {
            delivered: cut(self.delivered - s.delivered),
            interval: if reliable { interval } else { Duration::ZERO },
            newly_delivered,
            inflight,
            sack,
            app_limited: s.app_limited,
            prior_delivered: s.delivered,
            total_delivered: self.delivered,
            tx_in_flight: s.tx_in_flight,
            lost: cut(self.lost - s.lost),
            newly_lost,
        })
    }
}

#[cfg(test)]
mod tests;
