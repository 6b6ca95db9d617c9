//! What is in flight: one entry per (super-)segment, and which of it is SACKed or lost (RFC 6675 3, 4).

use alloc::collections::VecDeque;

use synfin_wire::{Instant, SackBlock, Seq};

/// Duplicate ACKs, or segments SACKed above, that prove a loss (RFC 5681 3.2, RFC 6675 2).
pub const DUP_THRESH: u32 = 3;
/// Entries that SACK blocks may make at any time, and octets in flight for each one more.
const FREE_PIECES: usize = 64;
const LEAST_PIECE: u32 = 64;

#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Fate {
    Flying,
    Sacked,
    Lost,
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    /// Octets of sequence space, a FIN included.
    pub(crate) len: u32,
    pub(crate) sent: Instant,
    pub(crate) fate: Fate,
    pub(crate) retransmitted: bool,
}

impl Entry {
    fn end(&self) -> Seq {
        self.seq + self.len
    }
}

/// What a cumulative ACK removed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Acked {
    /// When the latest fully acknowledged entry was sent, unless it was sent more than once (Karn, RFC 6298 3).
    pub sent: Option<Instant>,
    /// Whether any of it had been retransmitted.
    pub retransmitted: bool,
}

/// Sent and not acknowledged, in sequence order.
#[derive(Clone, Debug, Default)]
pub struct SentLog {
    pub(crate) entries: VecDeque<Entry>,
    /// Octets in entries.
    pub(crate) total: u32,
    pub(crate) sacked: u32,
    pub(crate) lost: u32,
    /// Without SACK: octets that duplicate ACKs say have left the network (RFC 5681 3.2).
    pub(crate) dup_acked: u32,
    /// No lost entry lies before this index.
    pub(crate) lost_from: usize,
}

impl SentLog {
    /// Nothing in flight.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets sent and not cumulatively acknowledged: FlightSize.
    #[inline]
    pub fn flight(&self) -> u32 {
        self.total
    }

    /// Octets thought to be in the network (RFC 6675 "pipe").
    #[inline]
    pub fn pipe(&self) -> u32 {
        self.total.saturating_sub(self.sacked).saturating_sub(self.lost).saturating_sub(self.dup_acked)
    }

    /// Whether something lost waits to be sent again.
    #[inline]
    pub fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// New octets were sent.
    pub fn push(&mut self, seq: Seq, len: u32, now: Instant) {
        self.entries.push_back(Entry { seq, len, sent: now, fate: Fate::Flying, retransmitted: false });
        self.total += len;
    }

    fn tally(&mut self, fate: Fate, len: u32, add: bool) {
        let sum = match fate {
            Fate::Flying => return,
            Fate::Sacked => &mut self.sacked,
            Fate::Lost => &mut self.lost,
        };
        *sum = if add { *sum + len } else { sum.saturating_sub(len) };
    }

    /// Everything before `una` has arrived.
    pub fn ack(&mut self, una: Seq) -> Acked {
        let mut out = Acked::default();
        while let Some(e) = self.entries.front_mut() {
            if e.end().after(una) {
                if e.seq.before(una) {
                    let n = una.since(e.seq);
                    let fate = e.fate;
                    out.retransmitted |= e.retransmitted;
                    e.seq = una;
                    e.len -= n;
                    self.total -= n;
                    self.tally(fate, n, false);
                }
                break;
            }
            let e = *e;
            out.retransmitted |= e.retransmitted;
            out.sent = (!e.retransmitted).then_some(e.sent);
            self.total -= e.len;
            self.tally(e.fate, e.len, false);
            self.entries.pop_front();
            self.lost_from = self.lost_from.saturating_sub(1);
        }
        if out.retransmitted {
            out.sent = None;
        }
        self.dup_acked = 0;
        if self.entries.is_empty() {
            // An idle connection keeps no memory.
            *self = SentLog::default();
        }
        out
    }

    /// Index of the first entry that ends after `at`.
    fn index_of(&self, at: Seq) -> usize {
        self.entries.partition_point(|e| e.end().at_or_before(at))
    }

    /// Makes `at` a border between entries if it lies inside one that is not SACKed.
    fn split(&mut self, at: Seq) {
        let i = self.index_of(at);
        let Some(e) = self.entries.get_mut(i) else { return };
        if !e.seq.before(at) || e.fate == Fate::Sacked {
            return;
        }
        let (mut front, mut back) = (*e, *e);
        front.len = at.since(e.seq);
        back.len -= front.len;
        back.seq = at;
        *e = front;
        self.entries.insert(i + 1, back);
    }

    /// A valid SACK block (`una <= left < right <= nxt`) arrived; returns how many octets are newly SACKed.
    pub fn sack(&mut self, b: SackBlock) -> u32 {
        let Some(first) = self.entries.front() else { return 0 };
        let left = b.left.later(first.seq);
        if !left.before(b.right) {
            return 0;
        }
        // Honest blocks end where segments end. Borders anywhere else cost memory and time (CVE-2019-11478): beyond some,
        // only whole entries count.
        if self.entries.len() < FREE_PIECES + (self.total / LEAST_PIECE) as usize {
            self.split(left);
            self.split(b.right);
        }
        let mut fresh = 0;
        let mut unlost = 0;
        let from = self.index_of(left);
        for e in self.entries.range_mut(from..) {
            if e.end().after(b.right) {
                break;
            }
            if e.fate != Fate::Sacked && e.seq.at_or_after(left) {
                if e.fate == Fate::Lost {
                    unlost += e.len;
                }
                e.fate = Fate::Sacked;
                fresh += e.len;
            }
        }
        self.sacked += fresh;
        self.lost = self.lost.saturating_sub(unlost);
        fresh
    }

    /// A duplicate ACK arrived on a connection without SACK: one more segment has left the network, but never more than
    /// `most` octets in all.
    pub fn count_dup_ack(&mut self, mss: u32, most: u32) {
        self.dup_acked = (self.dup_acked + mss).min(self.total.saturating_sub(self.lost)).min(most);
    }

    /// RFC 6675 IsLost: marks what has at least DupThresh segments' worth of SACKed octets above it and was not
    /// retransmitted. Returns whether anything was marked.
    pub fn mark_lost_below_sacked(&mut self, mss: u32) -> bool {
        let enough = (DUP_THRESH - 1) * mss;
        let mut above = 0;
        let mut runs = 0;
        let mut in_run = false;
        let mut limit = None;
        for (i, e) in self.entries.iter().enumerate().rev() {
            if e.fate == Fate::Sacked {
                above += e.len;
                runs += u32::from(!in_run);
                in_run = true;
            } else {
                in_run = false;
            }
            if above > enough || runs >= DUP_THRESH {
                limit = Some(i);
                break;
            }
        }
        let Some(limit) = limit else { return false };
        let mut marked = false;
        for i in 0..limit {
            marked |= self.mark_lost_at(i);
        }
        marked
    }

    fn mark_lost_at(&mut self, i: usize) -> bool {
        let Some(e) = self.entries.get_mut(i) else { return false };
        if e.fate != Fate::Flying || e.retransmitted {
            return false;
        }
        e.fate = Fate::Lost;
        self.lost += e.len;
        self.lost_from = self.lost_from.min(i);
        true
    }

    /// The first segment's worth in flight is lost (RFC 5681 3.2 step 3, RFC 6582 partial ACK).
    pub fn mark_first_lost(&mut self, mss: u32) {
        if let Some(at) = self.entries.front().filter(|e| e.len > mss).map(|e| e.seq + mss) {
            self.split(at);
        }
        if let Some(e) = self.entries.front_mut().filter(|e| e.fate == Fate::Flying) {
            e.fate = Fate::Lost;
            self.lost += e.len;
            self.lost_from = 0;
        }
    }

    /// The retransmission timer ran out: nothing in flight counts any more, and SACK is forgotten (RFC 2018 8).
    pub fn mark_all_lost(&mut self) {
        for e in &mut self.entries {
            e.fate = Fate::Lost;
        }
        self.sacked = 0;
        self.dup_acked = 0;
        self.lost = self.total;
        self.lost_from = 0;
    }

    /// A probe repeated the start of the first entry: its acknowledgement is no sample any more (Karn).
    pub fn front_again(&mut self) {
        if let Some(e) = self.entries.front_mut() {
            e.retransmitted = true;
        }
    }

    /// The first lost entry: where it starts, how long it is, and whether it is the last in the log.
    pub fn next_lost(&mut self) -> Option<(Seq, u32, bool)> {
        if self.lost == 0 {
            return None;
        }
        while let Some(e) = self.entries.get(self.lost_from) {
            if e.fate == Fate::Lost {
                return Some((e.seq, e.len, self.lost_from + 1 == self.entries.len()));
            }
            self.lost_from += 1;
        }
        None
    }

    /// `len` octets at `seq`, the start of a lost entry, were sent again. More than the entry holds is only allowed
    /// for the last entry: it grows.
    pub fn retransmitted(&mut self, seq: Seq, len: u32, now: Instant) {
        let i = self.index_of(seq);
        if self.entries.get(i).is_some_and(|e| len < e.len) {
            self.split(seq + len);
        }
        let Some(e) = self.entries.get_mut(i) else { return };
        let grown = len.saturating_sub(e.len);
        let (fate, old) = (e.fate, e.len);
        e.len += grown;
        e.fate = Fate::Flying;
        e.retransmitted = true;
        e.sent = now;
        self.total += grown;
        self.tally(fate, old, false);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = SentLog::default();
    }
}

#[cfg(test)]
mod tests;
