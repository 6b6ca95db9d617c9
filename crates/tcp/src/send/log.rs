//! What is in flight: one entry per (super-)segment, and which of it was delivered or lost (RFC 6675 3, RFC 8985 5.2).

use alloc::collections::VecDeque;
use core::time::Duration;

use synfin_wire::{Instant, SackBlock, Seq};

/// Duplicate ACKs that prove a loss where there is no SACK (RFC 5681 3.2).
pub const DUP_THRESH: u32 = 3;
/// Entries that SACK blocks may make at any time, and octets in flight for each one more.
const FREE_PIECES: usize = 64;
const LEAST_PIECE: u32 = 64;
/// Entries that one search for the reordering deadline looks at: a search costs the same however much is in flight.
const LOOK_AHEAD: usize = 32;

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
    /// When it was last sent.
    pub(crate) sent: Instant,
    /// Octets of text per segment on the wire.
    pub(crate) mss: u16,
    pub(crate) fate: Fate,
    pub(crate) retransmitted: bool,
    /// Its last octet was pushed.
    pub(crate) pushed: bool,
}

impl Entry {
    fn end(&self) -> Seq {
        self.seq + self.len
    }

    /// Segments on the wire.
    fn segments(&self) -> u32 {
        segments(self.len, self.mss)
    }

    fn sending(&self) -> Sending {
        Sending { at: self.sent, end: self.end(), again: self.retransmitted }
    }
}

/// Segments that so many octets make.
fn segments(len: u32, mss: u16) -> u32 {
    len.div_ceil(u32::from(mss.max(1)))
}

/// When something was sent, and where it ends: compares as RFC 8985 6.2 RACK_sent_after.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Sending {
    /// When it was last sent.
    pub at: Instant,
    /// One past its last octet.
    pub end: Seq,
    /// It had been sent before.
    pub again: bool,
}

impl Sending {
    /// Whether this was sent after `other`.
    #[inline]
    pub fn after(self, other: Sending) -> bool {
        // Numbers give the order within a burst: repetitions first, each in sequence order.
        let tie = self.end.after(other.end) && (self.again || !other.again);
        self.at > other.at || (self.at == other.at && tie)
    }
}

/// What one acknowledgement delivered, cumulatively and selectively.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Delivery {
    /// Octets newly acknowledged or SACKed.
    pub octets: u32,
    /// The same in segments.
    pub segments: u32,
    /// Octets newly SACKed.
    pub sacked: u32,
    /// When the latest cumulatively acknowledged entry was sent, unless any was sent more than once (Karn, RFC 6298 3).
    pub sample: Option<Instant>,
    /// Some of it had been sent more than once.
    pub retransmitted: bool,
    /// The latest sending of what was sent once, and of what was sent again.
    pub once: Option<Sending>,
    /// The latest sending of what was sent more than once.
    pub again: Option<Sending>,
    /// Start of the lowest entry that was sent once and delivered only now.
    pub lowest_once: Option<Seq>,
    /// End of the lowest such entry.
    pub lowest_once_end: Option<Seq>,
}

impl Delivery {
    fn add(&mut self, e: &Entry) {
        let slot = if e.retransmitted { &mut self.again } else { &mut self.once };
        if slot.is_none_or(|s| e.sending().after(s)) {
            *slot = Some(e.sending());
        }
        if !e.retransmitted && self.lowest_once.is_none_or(|s| e.seq.before(s)) {
            self.lowest_once = Some(e.seq);
            self.lowest_once_end = Some(e.end());
        }
        self.octets += e.len;
        self.segments += e.segments();
    }
}

/// How many segments have which fate.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// In flight, whatever their fate.
    pub out: u32,
    /// SACKed.
    pub sacked: u32,
    /// Thought lost and not sent again yet.
    pub lost: u32,
    /// Sent again and not delivered.
    pub retransmitted: u32,
}

/// Sent and not acknowledged, in sequence order.
#[derive(Clone, Debug, Default)]
pub struct SentLog {
    pub(crate) entries: VecDeque<Entry>,
    /// What was sent again, in the order of sending; what became of it meanwhile stands in its entry.
    pub(crate) again: VecDeque<(Seq, Instant)>,
    /// Octets in entries.
    pub(crate) total: u32,
    pub(crate) sacked: u32,
    pub(crate) lost: u32,
    /// Without SACK: octets that duplicate ACKs say have left the network (RFC 5681 3.2).
    pub(crate) dup_acked: u32,
    /// Segments SACKed (RFC 8985 RACK.segs_sacked).
    pub(crate) segments_sacked: u32,
    /// End of the highest SACKed entry, while anything is SACKed (RFC 8985 RACK.fack).
    pub(crate) fack: Seq,
    /// No lost entry lies before this index.
    pub(crate) lost_from: usize,
    /// No entry before this index is flying for the first time.
    pub(crate) once_from: usize,
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

    /// Octets SACKed.
    #[inline]
    pub fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Segments SACKed (RFC 8985 RACK.segs_sacked).
    #[inline]
    pub fn segments_sacked(&self) -> u32 {
        self.segments_sacked
    }

    /// End of the highest SACKed octet; `None` if nothing is SACKed.
    pub fn fack(&self) -> Option<Seq> {
        (self.sacked > 0).then_some(self.fack)
    }

    /// Whether at most one segment is in flight.
    pub fn is_single(&self) -> bool {
        self.entries.len() <= 1 && self.entries.front().is_none_or(|e| e.segments() <= 1)
    }

    /// Whether everything in flight was sent once and nothing of it was delivered: nothing can have been overtaken.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.sacked == 0 && self.again.is_empty()
    }

    /// Whether the oldest octet in flight was SACKed: the receiver threw away what it had (RFC 2018 8).
    pub fn is_reneged(&self) -> bool {
        self.entries.front().is_some_and(|e| e.fate == Fate::Sacked)
    }

    /// New octets were sent, `mss` per segment.
    pub fn push(&mut self, seq: Seq, len: u32, mss: u16, now: Instant) {
        self.entries.push_back(Entry {
            seq,
            len,
            sent: now,
            mss,
            fate: Fate::Flying,
            retransmitted: false,
            pushed: false,
        });
        self.total += len;
    }

    /// So many octets lose this fate.
    fn untally(&mut self, fate: Fate, len: u32) {
        let sum = match fate {
            Fate::Flying => return,
            Fate::Sacked => &mut self.sacked,
            Fate::Lost => &mut self.lost,
        };
        *sum = sum.saturating_sub(len);
    }

    /// Everything before `una` has arrived.
    pub fn ack(&mut self, una: Seq, out: &mut Delivery) {
        let acked = self.entries.front().map_or(0, |e| una.since(e.seq)).min(self.total);
        while let Some(e) = self.entries.front_mut() {
            if e.end().after(una) {
                if e.seq.before(una) {
                    let n = una.since(e.seq);
                    let part = Entry { len: n, ..*e };
                    e.seq = una;
                    e.len -= n;
                    self.take(&part, out);
                    if part.retransmitted {
                        self.queue_again(una, part.sent);
                    }
                }
                break;
            }
            let e = *e;
            if e.fate != Fate::Sacked {
                out.sample = Some(e.sent);
            }
            self.entries.pop_front();
            self.take(&e, out);
            self.lost_from = self.lost_from.saturating_sub(1);
            self.once_from = self.once_from.saturating_sub(1);
        }
        if out.retransmitted {
            out.sample = None;
        }
        self.settle_dup_acked(acked, out);
        while self.again.front().is_some_and(|(seq, _)| seq.before(una)) {
            self.again.pop_front();
        }
        if self.entries.is_empty() {
            // An idle connection keeps no memory.
            *self = SentLog::default();
        }
    }

    /// An entry, or its front part, left the log.
    fn take(&mut self, e: &Entry, out: &mut Delivery) {
        out.retransmitted |= e.retransmitted;
        self.total -= e.len;
        self.untally(e.fate, e.len);
        if e.fate == Fate::Sacked {
            self.segments_sacked = self.segments_sacked.saturating_sub(e.segments());
        } else {
            out.add(e);
        }
    }

    /// Without SACK: of `acked` octets all but the hole at the front were counted when their duplicate ACKs came
    /// (RFC 9937: DeliveredData).
    fn settle_dup_acked(&mut self, acked: u32, out: &mut Delivery) {
        if self.dup_acked == 0 {
            return;
        }
        let counted = self.dup_acked.min(acked);
        self.dup_acked -= counted;
        out.octets = out.octets.saturating_sub(counted);
        self.dup_acked = self.dup_acked.min(self.total.saturating_sub(self.lost));
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
        front.pushed = false;
        back.len -= front.len;
        back.seq = at;
        *e = front;
        self.entries.insert(i + 1, back);
        if back.retransmitted {
            // Both halves answer for themselves from here on.
            self.queue_again(back.seq, back.sent);
        }
    }

    fn queue_again(&mut self, seq: Seq, sent: Instant) {
        let place = self.again.partition_point(|(_, t)| *t <= sent);
        self.again.insert(place, (seq, sent));
    }

    /// A valid SACK block (`una <= left < right <= nxt`) arrived.
    pub fn sack(&mut self, b: SackBlock, out: &mut Delivery) {
        let Some(first) = self.entries.front() else { return };
        let left = b.left.later(first.seq);
        if !left.before(b.right) {
            return;
        }
        // Honest blocks end where segments end. Borders anywhere else cost memory and time (CVE-2019-11478): beyond some,
        // only whole entries count.
        if self.entries.len() < FREE_PIECES + (self.total / LEAST_PIECE) as usize {
            self.split(left);
            self.split(b.right);
        }
        let (mut fresh, mut unlost, mut segments) = (0, 0, 0);
        let mut top = None;
        let from = self.index_of(left);
        for e in self.entries.range_mut(from..) {
            if e.end().after(b.right) {
                break;
            }
            if e.fate != Fate::Sacked && e.seq.at_or_after(left) {
                if e.fate == Fate::Lost {
                    unlost += e.len;
                }
                out.add(e);
                e.fate = Fate::Sacked;
                fresh += e.len;
                segments += e.segments();
                top = Some(e.end());
            }
        }
        if let Some(top) = top {
            self.fack = if self.sacked == 0 { top } else { self.fack.later(top) };
        }
        self.sacked += fresh;
        self.segments_sacked += segments;
        self.lost = self.lost.saturating_sub(unlost);
        out.sacked += fresh;
    }

    /// A duplicate ACK arrived on a connection without SACK: one more segment has left the network, but never more than
    /// `most` octets in all. Returns how many octets that are.
    pub fn count_dup_ack(&mut self, mss: u32, most: u32) -> u32 {
        let before = self.dup_acked;
        self.dup_acked = (before + mss).min(self.total.saturating_sub(self.lost)).min(most);
        self.dup_acked.saturating_sub(before)
    }

    /// RFC 8985 6.2 step 5: what was sent before `latest`, and `settle` (RACK.rtt + RACK.reo_wnd) or longer ago, is lost.
    /// Returns the octets marked, and when what is left of it will be lost.
    ///
    /// What was sent once was sent in sequence order, so everything before the first entry that may still arrive is
    /// decided and never looked at again; what was sent again stands in a queue of its own.
    pub fn find_lost(&mut self, latest: Sending, settle: Duration, now: Instant) -> (u32, Option<Instant>) {
        let (mut marked, mut next) = (0, None::<Instant>);
        let mut i = self.once_from;
        while let Some(e) = self.entries.get_mut(i) {
            if e.fate == Fate::Flying && !e.retransmitted {
                if !latest.after(e.sending()) || e.sent + settle > now {
                    break;
                }
                e.fate = Fate::Lost;
                marked += e.len;
                self.lost_from = self.lost_from.min(i);
            }
            i += 1;
        }
        self.once_from = i;
        let waiting = self.entries.range(i.min(self.entries.len())..).take(LOOK_AHEAD);
        for e in waiting.filter(|e| e.fate == Fate::Flying && !e.retransmitted) {
            if !latest.after(e.sending()) {
                break;
            }
            next = next.max(Some(e.sent + settle));
        }
        while let Some(&(seq, sent)) = self.again.front() {
            let i = self.index_of(seq);
            let Some(e) = self.entries.get_mut(i) else {
                self.again.pop_front();
                continue;
            };
            let current = e.fate == Fate::Flying && e.retransmitted && e.sent == sent;
            if current {
                if !latest.after(e.sending()) {
                    break;
                }
                if e.sent + settle > now {
                    next = next.max(Some(e.sent + settle));
                    break;
                }
                e.fate = Fate::Lost;
                marked += e.len;
                self.lost_from = self.lost_from.min(i);
            }
            self.again.pop_front();
        }
        self.lost += marked;
        (marked, next)
    }

    /// The first segment's worth in flight is lost (RFC 5681 3.2 step 3, RFC 6582 partial ACK). Returns the octets marked.
    pub fn mark_first_lost(&mut self, mss: u32) -> u32 {
        if let Some(at) = self.entries.front().filter(|e| e.len > mss).map(|e| e.seq + mss) {
            self.split(at);
        }
        let Some(e) = self.entries.front_mut().filter(|e| e.fate == Fate::Flying) else { return 0 };
        e.fate = Fate::Lost;
        let len = e.len;
        self.lost += len;
        self.lost_from = 0;
        len
    }

    /// Nothing in flight counts any more, and SACK is forgotten (RFC 2018 8).
    pub fn mark_all_lost(&mut self) {
        for e in &mut self.entries {
            e.fate = Fate::Lost;
        }
        self.sacked = 0;
        self.segments_sacked = 0;
        self.dup_acked = 0;
        self.lost = self.total;
        self.lost_from = 0;
        self.once_from = self.entries.len();
        self.again.clear();
    }

    /// The retransmission timer ran out (RFC 8985 6.3): the oldest entry is lost, and whatever was sent `settle` or longer
    /// ago. A receiver that threw away what it had SACKed is believed nothing (RFC 2018 8).
    pub fn mark_timed_out(&mut self, settle: Duration, now: Instant) {
        if self.is_reneged() {
            return self.mark_all_lost();
        }
        self.dup_acked = 0;
        let mut marked = 0;
        for (i, e) in self.entries.iter_mut().enumerate() {
            if e.fate == Fate::Flying && (i == 0 || e.sent + settle <= now) {
                e.fate = Fate::Lost;
                marked += e.len;
            }
        }
        self.lost += marked;
        self.lost_from = 0;
        self.once_from = 0;
    }

    /// The last congestion was none: nothing is lost.
    pub fn forgive(&mut self) {
        for e in &mut self.entries {
            if e.fate == Fate::Lost {
                e.fate = Fate::Flying;
            }
        }
        self.lost = 0;
        self.once_from = 0;
    }

    /// A probe repeated the start of the first entry: its acknowledgement is no sample any more (Karn).
    pub fn front_again(&mut self) {
        if let Some(e) = self.entries.front_mut() {
            e.retransmitted = true;
        }
    }

    /// The last segment's worth in flight is sent again as a probe (RFC 8985 7.3): where it starts and how long it is.
    pub fn last_again(&mut self, mss: u32, now: Instant) -> Option<(Seq, u32)> {
        if let Some(at) = self.entries.back().filter(|e| e.len > mss).map(|e| e.end() - mss) {
            self.split(at);
        }
        let e = self.entries.back_mut()?;
        e.retransmitted = true;
        e.sent = now;
        let out = (e.seq, e.len);
        self.again.push_back((e.seq, now));
        Some(out)
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
    pub fn retransmitted(&mut self, seq: Seq, len: u32, mss: u16, now: Instant) {
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
        e.mss = mss;
        self.again.push_back((e.seq, now));
        self.total += grown;
        self.untally(fate, old);
    }

    /// The text that ends at `end` is pushed, and is again whenever it is sent again.
    pub fn note_push(&mut self, end: Seq) {
        let i = self.index_of(end - 1);
        if let Some(e) = self.entries.get_mut(i)
            && !e.end().before(end)
        {
            e.pushed = true;
        }
    }

    /// Whether the text that ends at `end` was pushed.
    pub fn was_pushed(&self, end: Seq) -> bool {
        let i = self.index_of(end - 1);
        self.entries.get(i).is_some_and(|e| e.pushed && (e.end() == end || e.end() == end + 1))
    }

    /// Counts segments by fate. Walks the log: for whoever asks.
    pub fn census(&self) -> Census {
        let mut c = Census::default();
        for e in &self.entries {
            let n = e.segments();
            c.out += n;
            match e.fate {
                Fate::Sacked => c.sacked += n,
                Fate::Lost => c.lost += n,
                Fate::Flying if e.retransmitted => c.retransmitted += n,
                Fate::Flying => {}
            }
        }
        if let Some(e) = self.entries.front() {
            c.sacked += segments(self.dup_acked, e.mss);
        }
        c
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = SentLog::default();
    }
}

#[cfg(test)]
mod tests;
