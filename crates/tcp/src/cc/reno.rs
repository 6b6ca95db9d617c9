//! Slow start and congestion avoidance (RFC 5681), byte counting (RFC 3465).

use alloc::boxed::Box;

use synfin_wire::Instant;

use super::{Ack, Algorithm, Congestion, Limit, Window};

/// NewReno's rule.
#[derive(Clone, Debug, Default, Hash)]
pub struct Reno {
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
}

impl Reno {
    /// Congestion avoidance: one segment for each window that was acknowledged (RFC 5681 3.1, RFC 3465 2.1).
    pub(crate) fn avoid(&mut self, w: &mut Window, acked: u32, mss: u32) {
        self.acked = self.acked.saturating_add(acked);
        if self.acked >= w.cwnd {
            self.acked -= w.cwnd;
            w.cwnd = w.cwnd.saturating_add(mss);
        }
    }
}

/// Slow start (RFC 5681 3.1, RFC 3465 2.2); returns the acknowledged octets that lie beyond ssthresh.
pub(crate) fn slow_start(w: &mut Window, ack: &Ack) -> u32 {
    let counted = ack.acked.min(ack.most);
    let grown = w.cwnd.saturating_add(counted).min(w.ssthresh.max(w.cwnd));
    let used = grown - w.cwnd;
    w.cwnd = grown;
    counted - used
}

impl Algorithm for Reno {
    fn name(&self) -> &'static str {
        "reno"
    }

    fn on_ack(&mut self, w: &mut Window, ack: &Ack) {
        if ack.limit == Limit::Other {
            return;
        }
        let mut acked = ack.acked;
        if w.slow_start() {
            acked = slow_start(w, ack);
            if acked == 0 {
                return;
            }
        }
        self.avoid(w, acked, ack.mss);
    }

    fn on_congestion(&mut self, w: &mut Window, _: Congestion, flight: u32, mss: u32, _: Instant) {
        // RFC 5681 equation 4.
        w.ssthresh = (flight / 2).max(2 * mss);
        self.acked = 0;
    }

    fn copy(&self) -> Box<dyn Algorithm> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
