//! Proportional rate reduction (RFC 6937, RFC 9937): brings cwnd to ssthresh while acknowledgements arrive.

/// Octets delivered and sent since a recovery began.
#[derive(Copy, Clone, Debug, Hash)]
pub struct Prr {
    /// RecoverFS: what was in flight when it began.
    flight: u32,
    /// prr_delivered
    delivered: u32,
    /// prr_out
    out: u32,
}

impl Prr {
    /// Recovery begins with `flight` octets outstanding.
    pub fn new(flight: u32) -> Prr {
        Prr { flight: flight.max(1), delivered: 0, out: 0 }
    }

    /// Octets were sent.
    pub fn sent(&mut self, octets: u32) {
        self.out = self.out.saturating_add(octets);
    }

    /// An acknowledgement delivered `octets`; `pipe` octets are in the network now. `safe`: SND.UNA advanced and nothing
    /// more was found lost. Returns cwnd.
    pub fn on_ack(&mut self, octets: u32, pipe: u32, ssthresh: u32, mss: u32, safe: bool) -> u32 {
        self.delivered = self.delivered.saturating_add(octets);
        let allowed = if pipe > ssthresh {
            // Proportional: in whole segments, as packets are what leaves. Never more than was delivered: a window that was
            // not filled has an ssthresh above its flight.
            let flight = self.flight.max(ssthresh);
            let due = (u64::from(self.delivered) * u64::from(ssthresh)).div_ceil(u64::from(flight));
            let due = due.div_ceil(u64::from(mss)).saturating_mul(u64::from(mss));
            u32::try_from(due).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            // Conservative reduction bound, and slow start where recovery makes safe progress.
            let bound = self.delivered.saturating_sub(self.out).max(octets);
            bound.saturating_add(if safe { mss } else { 0 }).min(ssthresh - pipe)
        };
        // The first retransmission goes whatever the sums say.
        let allowed = if self.out == 0 { allowed.max(mss) } else { allowed };
        pipe.saturating_add(allowed)
    }
}

#[cfg(test)]
mod tests;
