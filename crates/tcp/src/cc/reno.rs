//! Slow start and congestion avoidance (RFC 5681), byte counting (RFC 3465), initial window (RFC 6928).

use super::Limit;

/// NewReno's window. All sizes in octets.
#[derive(Copy, Clone, Debug, Hash)]
pub struct Reno {
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged since the window last grew in congestion avoidance.
    acked: u32,
    /// Slow start after a timeout counts at most one segment per ACK (RFC 3465 2.3).
    after_timeout: bool,
}

/// The initial window (RFC 6928 2).
pub fn initial_window(mss: u32) -> u32 {
    (10 * mss).min((2 * mss).max(14_600))
}

impl Reno {
    /// Before the handshake: the window of a connection with this segment size.
    pub fn new(mss: u32) -> Reno {
        Reno { cwnd: initial_window(mss), ssthresh: u32::MAX, acked: 0, after_timeout: false }
    }

    /// More than one SYN or SYN,ACK was lost: start with one segment (RFC 6928 2, RFC 5681 3.1).
    pub fn start_careful(&mut self, mss: u32) {
        self.cwnd = mss;
    }

    /// cwnd
    pub fn cwnd(&self) -> u32 {
        self.cwnd
    }

    /// ssthresh
    pub fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    /// `acked` new octets were acknowledged outside of loss recovery.
    pub fn on_ack(&mut self, acked: u32, mss: u32, limit: Limit) {
        if limit == Limit::Other {
            return;
        }
        if self.cwnd < self.ssthresh {
            // RFC 3465 2.2, 2.3: at most L segments per ACK.
            let l = if self.after_timeout { mss } else { 2 * mss };
            self.cwnd = self.cwnd.saturating_add(acked.min(l)).min(self.ssthresh.max(2 * mss));
            return;
        }
        self.after_timeout = false;
        self.acked = self.acked.saturating_add(acked);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(mss);
        }
    }

    /// Loss was found by duplicate ACKs or SACK with `flight` octets outstanding (RFC 5681 3.2, RFC 6675 5).
    pub fn on_loss(&mut self, flight: u32, mss: u32) {
        self.ssthresh = (flight / 2).max(2 * mss);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    /// Recovery is over: no burst (RFC 6582 3.2 step 3, first option).
    pub fn on_recovered(&mut self, flight: u32, mss: u32) {
        self.cwnd = self.ssthresh.min(flight.max(mss).saturating_add(mss)).max(mss);
    }

    /// The retransmission timer ran out. ssthresh moves only for the first time per flight (RFC 5681 3.1 eq. 4).
    pub fn on_timeout(&mut self, flight: u32, mss: u32, first: bool) {
        if first {
            self.ssthresh = (flight / 2).max(2 * mss);
        }
        self.cwnd = mss;
        self.acked = 0;
        self.after_timeout = true;
    }

    /// Nothing was sent for longer than the RTO (RFC 5681 4.1).
    pub fn on_idle(&mut self, mss: u32) {
        self.cwnd = self.cwnd.min(initial_window(mss));
    }
}

#[cfg(test)]
mod tests;
