//! One life of a connection as the segments tell it: who said SYN and FIN, what each end has heard, and so what each
//! segment means.
//!
//! An end's knowledge is what had *arrived* when it sent; that tells a simultaneous close from an ordinary one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use synfin_wire::{Flags, Instant, Seq};

use crate::model::{Again, Certainty, Fate, Known, Mark, Pair, Role, Segment, Side, State};
use crate::sentence::{Facts, Sentence, quotable};
use crate::words::Word;

/// Arrivals that are kept until the receiver's next segment; older ones are heard early.
const INBOX: usize = 4096;

/// A segment that begins so far ahead of the sender's last number is none of its life (the largest window, RFC 7323).
const FAR: i32 = 1 << 30;

/// What is on its way to an end.
#[derive(Copy, Clone, Debug)]
struct Arrival {
    at: Instant,
    flags: Flags,
    ack: Seq,
    space: u32,
    /// One past its last number.
    end: Seq,
    /// Nothing in it is new to the receiver.
    old: bool,
    window: Option<u32>,
    mark: Option<Mark>,
}

/// What an end has heard from the other.
#[derive(Copy, Clone, Debug, Default)]
struct Heard {
    syn_ack: bool,
    /// The highest acknowledgement.
    ack: Option<Seq>,
    window: Option<u32>,
    /// What came last since this end sent: what it may be answering.
    last: Option<Arrival>,
}

/// One end's half.
#[derive(Clone, Debug, Default)]
struct Half {
    /// The number that is shown as 0: the SYN's, or one before the first number seen.
    zero: Option<Seq>,
    syn: bool,
    /// One past the highest number sent.
    next: Option<Seq>,
    /// How many numbers were sent in all: older ones are of no use in this life.
    sent: u64,
    /// The FIN's number.
    fin: Option<Seq>,
    /// The highest acknowledgement that came with a FIN: who has the FIN has this too.
    fin_carried: Option<Seq>,
    /// The highest acknowledgement sent.
    acked: Option<Seq>,
    /// The window offered last.
    window: Option<u32>,
    heard: Heard,
    inbox: VecDeque<Arrival>,
    /// The state that its segments let one conclude.
    state: Option<State>,
}

/// What the life says about a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    /// SEG.SEQ counted from the sender's SYN.
    pub seq: u32,
    /// SEG.ACK counted from the receiver's SYN.
    pub ack: u32,
    /// The caller's mark, or the one that the life found.
    pub mark: Option<Mark>,
    /// What to say.
    pub sentence: Sentence,
    /// The state that the sender must be in after this.
    pub concluded: Option<State>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// From 1.
    pub number: u16,
    roles: (Role, Role),
    halves: Pair<Half>,
    /// When the first lost third ACK left.
    ack3_lost: Option<Instant>,
    /// The third ACK, or what stands for it, is through.
    open: bool,
    reset: bool,
    round_trip: Option<u64>,
    /// When the SYN and the SYN,ACK left, as long as they left once only.
    syn_left: Option<Instant>,
    syn_ack_left: Option<Instant>,
}

fn bare_syn(a: &Arrival) -> bool {
    a.flags.has(Flags::SYN) && !a.flags.has(Flags::ACK)
}

/// Whether `a` is there and at or after `b`.
fn reaches(a: Option<Seq>, b: Seq) -> bool {
    a.is_some_and(|a| a.at_or_after(b))
}

impl Life {
    pub(crate) fn new(number: u16, roles: (Role, Role)) -> Life {
        let halves = Pair::default();
        Life {
            number,
            roles,
            halves,
            ack3_lost: None,
            open: false,
            reset: false,
            round_trip: None,
            syn_left: None,
            syn_ack_left: None,
        }
    }

    /// Whether this segment begins another life of the ports: a bare SYN with a number of its own after the end.
    pub(crate) fn is_over_for(&self, seg: &Segment) -> bool {
        let bare_syn = seg.flags.has(Flags::SYN) && !seg.flags.has(Flags::ACK);
        let other_number = self.halves.get(seg.from).zero.is_some_and(|zero| zero != seg.seq);
        let finished = |side| {
            let fin = self.halves.get(side).fin;
            fin.is_some_and(|fin| reaches(self.halves.get(side.other()).acked, fin + 1))
        };
        bare_syn && other_number && (self.reset || (finished(Side::Left) && finished(Side::Right)))
    }

    /// Whether a segment without SYN goes on exactly where this life's sender, or what its peer expects, stands.
    fn continues(&self, seg: &Segment) -> bool {
        let (me, peer) = (self.halves.get(seg.from), self.halves.get(seg.from.other()));
        let seq = Some(seg.seq);
        seg.flags.has(Flags::SYN) || me.next == seq || peer.acked == seq
    }

    /// The round-trip time of the opening, in nanoseconds.
    pub(crate) fn round_trip(&self) -> Option<u64> {
        self.round_trip
    }

    /// Takes a segment in and says what it means.
    pub(crate) fn on_segment(&mut self, seg: &Segment, now: Instant, known: Option<Known>) -> Told {
        let foreign = matches!(seg.mark, Some(Mark::Forged | Mark::Stale)) || self.is_stray(seg);
        // What only one clock saw took about half a round trip; a little less is taken, because round trips vary and
        // an answer must not seem to come before its cause.
        let half_way = core::time::Duration::from_nanos(self.round_trip.unwrap_or(0) / 8 * 3);
        let left = seg.departed.unwrap_or(now - half_way);
        self.hear(seg.from, left, seg.flags.has(Flags::ACK).then_some(seg.ack));
        let mark = if foreign { seg.mark } else { seg.mark.or_else(|| self.find_mark(seg)) };
        if !foreign {
            self.learn_zero(seg);
        }
        let seq = self.relative(seg.from, seg.seq);
        let ack = if seg.flags.has(Flags::ACK) { self.relative(seg.from.other(), seg.ack) } else { 0 };
        let word = match (seg.words, seg.fate) {
            (Some(word), _) => word,
            (None, Fate::Lost(_)) => self.lost_word(seg),
            (None, Fate::Delivered) if self.is_stray(seg) && mark.is_none() => Life::stray_word(seg),
            (None, Fate::Delivered) => self.word(seg, mark, known),
        };
        let (left, right) = self.roles;
        let who = if seg.from == Side::Left { (left, right) } else { (right, left) };
        let span =
            self.ack3_lost.map_or(0, |lost| seg.arrived.unwrap_or(now).nanos().saturating_sub(lost.nanos()));
        let facts = Facts {
            who: Some(who),
            n: u64::from(seg.len),
            bytes: 0,
            seq,
            ack,
            window: seg.window.unwrap_or(0),
            span,
            text: seg.text.clone(),
        };
        let concluded = if foreign { None } else { self.conclude(seg) };
        if !foreign {
            self.take(seg, now, word);
        }
        let space = if foreign { 0 } else { seg.space() };
        self.post(seg, seg.arrived.unwrap_or(now + half_way), mark, space);
        Told { seq, ack, mark, sentence: Sentence { word, facts }, concluded }
    }

    /// Everything that had arrived at an end by `now` is known to it, and everything that it acknowledges.
    fn hear(&mut self, side: Side, now: Instant, ack: Option<Seq>) {
        let half = self.halves.get_mut(side);
        let known =
            |a: &Arrival| a.at <= now || (a.space > 0 && ack.is_some_and(|ack| a.end.at_or_before(ack)));
        while half.inbox.front().is_some_and(known) || half.inbox.len() > INBOX {
            let Some(a) = half.inbox.pop_front() else { break };
            let heard = &mut half.heard;
            heard.syn_ack |= a.flags.has(Flags::SYN.with(Flags::ACK));
            if a.flags.has(Flags::ACK) && !heard.ack.is_some_and(|old| old.after(a.ack)) {
                heard.ack = Some(a.ack);
            }
            heard.window = a.window.or(heard.window);
            heard.last = Some(a);
        }
    }

    /// Whether a segment of these numbers cannot be part of this life: a SYN once it is open, numbers that the sender
    /// never used or left behind long ago, an RST that is not exact (RFC 5961 3.2).
    fn is_stray(&self, seg: &Segment) -> bool {
        let me = self.halves.get(seg.from);
        let Some(next) = me.next.filter(|_| self.open) else { return false };
        if seg.flags.has(Flags::RST) {
            return seg.seq != next
                && self.halves.get(seg.from.other()).acked.is_some_and(|acked| acked != seg.seq);
        }
        let other_syn = seg.flags.has(Flags::SYN) && me.zero != Some(seg.seq);
        let behind = next.dist(seg.seq);
        other_syn
            || behind < -FAR
            || (behind > 0 && behind.unsigned_abs() > u32::try_from(me.sent).unwrap_or(u32::MAX))
    }

    fn learn_zero(&mut self, seg: &Segment) {
        let rst = seg.flags.has(Flags::RST);
        let half = self.halves.get_mut(seg.from);
        if seg.flags.has(Flags::SYN) && !half.syn {
            half.zero = Some(seg.seq);
        } else if half.zero.is_none() {
            // A reset for nothing has no numbering of its own: what it says is its number.
            half.zero = Some(if rst { seg.seq } else { seg.seq - 1 });
        }
        let peer = self.halves.get_mut(seg.from.other());
        if seg.flags.has(Flags::ACK) && peer.zero.is_none() {
            peer.zero = Some(seg.ack - 1);
        }
    }

    fn relative(&self, side: Side, number: Seq) -> u32 {
        self.halves.get(side).zero.map_or(0, |zero| number.since(zero))
    }

    /// Retransmissions and probes that the caller did not mark.
    fn find_mark(&self, seg: &Segment) -> Option<Mark> {
        let me = self.halves.get(seg.from);
        let next = me.next?;
        let (syn, fin, rst) =
            (seg.flags.has(Flags::SYN), seg.flags.has(Flags::FIN), seg.flags.has(Flags::RST));
        let full = me.heard.window == Some(0);
        if rst {
            return None;
        }
        if !syn
            && !fin
            && seg.len <= 1
            && full
            && seg.seq.at_or_before(next)
            && (seg.len == 1 || seg.seq + 1 == next)
        {
            return Some(Mark::WindowProbe);
        }
        if !syn && !fin && seg.len <= 1 && seg.seq + 1 == next && me.heard.ack == Some(next) {
            return Some(Mark::KeepAlive);
        }
        let space = seg.space();
        let again = space > 0 && (seg.seq + space).at_or_before(next);
        // A SYN with another number is no repetition.
        let same_syn = !syn || me.zero == Some(seg.seq);
        // Nor is the SYN,ACK of a simultaneous open, which says for the first time what was heard.
        let news = syn && seg.flags.has(Flags::ACK) && me.acked.is_none();
        (again && same_syn && !news).then_some(Mark::Retransmission(Again::Unknown))
    }

    fn word(&self, seg: &Segment, mark: Option<Mark>, known: Option<Known>) -> Word {
        let has = |f| seg.flags.has(f);
        match mark {
            Some(Mark::Duplicate) => return Word::Duplicate,
            Some(Mark::LateOriginal) => return Word::LateOriginal,
            Some(Mark::Forged) => return Word::Forged,
            Some(Mark::Stale) => return Word::Stale,
            Some(Mark::WindowProbe) => return Word::Probe,
            Some(Mark::KeepAlive) => return Word::KeepAlive,
            Some(Mark::Retransmission(_)) | None => {}
        }
        let again = match mark {
            Some(Mark::Retransmission(why)) => Some(why),
            _ => None,
        };
        match () {
            () if has(Flags::RST) => self.rst_word(seg, known),
            () if has(Flags::SYN.with(Flags::FIN)) => Word::OddSynFin,
            () if has(Flags::SYN) => self.syn_word(seg, again),
            () if !has(Flags::ACK) => Word::OddNoAck,
            () if has(Flags::FIN) => self.fin_word(seg, again),
            () if seg.len > 0 => self.data_word(seg, again),
            () => self.ack_word(seg),
        }
    }

    fn stray_word(seg: &Segment) -> Word {
        match () {
            () if seg.flags.has(Flags::RST) => Word::RstInexact,
            () if seg.flags.has(Flags::SYN) => Word::SynOnOpen,
            () => Word::Stray,
        }
    }

    fn syn_word(&self, seg: &Segment, again: Option<Again>) -> Word {
        let me = self.halves.get(seg.from);
        let came_again = me.heard.last.is_some_and(|a| a.flags.has(Flags::SYN) && a.old);
        match (seg.flags.has(Flags::ACK), again) {
            (false, Some(_)) => Word::SynAgain,
            (false, None) if self.halves.get(seg.from.other()).syn => Word::SynSimul,
            (false, None) if self.number > 1 => Word::SynNewLife,
            (false, None) => Word::Syn,
            // The SYN of a simultaneous open comes again as SYN,ACK with the same number.
            (true, _) if me.syn && me.acked.is_none() => Word::SynAckSimul,
            (true, Some(_)) if came_again => Word::SynAckAnswer,
            (true, Some(_)) => Word::SynAckAgain,
            (true, None) => Word::SynAck,
        }
    }

    fn rst_word(&self, seg: &Segment, known: Option<Known>) -> Word {
        let me = self.halves.get(seg.from);
        let peer = self.halves.get(seg.from.other());
        let last = me.heard.last;
        let syn_only = last.is_some_and(|a| bare_syn(&a));
        if !me.syn && syn_only && seg.flags.has(Flags::ACK) && !self.open {
            return Word::RstRefused;
        }
        let syn_ack = last.is_some_and(|a| a.flags.has(Flags::SYN.with(Flags::ACK)));
        if syn_ack && me.zero.is_some_and(|zero| last.is_some_and(|a| a.ack != zero + 1)) {
            return Word::RstStale;
        }
        // RFC 9293 3.5.2: no connection answers an ACK with its number as SEG.SEQ and without ACK.
        let echo = !seg.flags.has(Flags::ACK) && peer.acked == Some(seg.seq);
        let alive = known.is_some_and(|k| {
            k.certainty == Certainty::Certain
                && !matches!(k.state, State::Closed | State::Listen | State::TimeWait)
        });
        if echo && !alive && seg.window.unwrap_or(0) == 0 { Word::RstNoSocket } else { Word::RstAbort }
    }

    /// Whether this segment acknowledges the other end's FIN, and whether it is the first of this end to do so.
    fn acks_fin(&self, seg: &Segment) -> Option<First> {
        let end = self.halves.get(seg.from.other()).fin? + 1;
        if !seg.flags.has(Flags::ACK) || !seg.ack.at_or_after(end) {
            return None;
        }
        let first = !reaches(self.halves.get(seg.from).acked, end);
        Some(if first { First::Yes } else { First::No })
    }

    /// Whether the sender knows that its own FIN has been acknowledged: by what it heard, or by what came with the FIN
    /// that it acknowledges here.
    fn own_fin_acked(&self, seg: &Segment) -> bool {
        let me = self.halves.get(seg.from);
        let with_fin = self.acks_fin(seg).and(self.halves.get(seg.from.other()).fin_carried);
        me.fin.is_some_and(|fin| reaches(me.heard.ack, fin + 1) || reaches(with_fin, fin + 1))
    }

    fn fin_word(&self, seg: &Segment, again: Option<Again>) -> Word {
        if again.is_some() {
            return Word::FinAgain;
        }
        let peer_fin = self.halves.get(seg.from.other()).fin.is_some();
        match (peer_fin, self.acks_fin(seg)) {
            (true, Some(First::Yes)) => Word::FinAck,
            (true, Some(First::No)) => Word::FinSecond,
            (true, None) => Word::FinSimul,
            (false, _) if seg.len > 0 => Word::FinData,
            (false, _) => Word::Fin,
        }
    }

    fn data_word(&self, seg: &Segment, again: Option<Again>) -> Word {
        match again {
            Some(Again::Unknown) => return Word::Again,
            Some(Again::Timer) => return Word::AgainTimer,
            Some(Again::Fast) => return Word::AgainFast,
            Some(Again::Probe) => return Word::AgainProbe,
            Some(Again::Spurious) => return Word::AgainSpurious,
            None => {}
        }
        match self.acks_fin(seg) {
            _ if !self.open && self.completes_opening(seg) => Word::DataAck3,
            Some(First::Yes) => Word::DataAckFin,
            Some(First::No) => Word::DataHalf,
            None if seg.flags.has(Flags::URG) => Word::DataUrgent,
            None if quotable(&seg.text, seg.len) => Word::DataText,
            None => Word::Data,
        }
    }

    /// Whether this end has heard a SYN,ACK and this acknowledges the SYN in it: the third segment of an opening.
    fn completes_opening(&self, seg: &Segment) -> bool {
        let (me, peer) = (self.halves.get(seg.from), self.halves.get(seg.from.other()));
        let (Some(zero), Some(next)) = (peer.zero, peer.next) else { return false };
        me.syn && me.heard.syn_ack && seg.ack.at_or_after(zero + 1) && seg.ack.at_or_before(next)
    }

    fn ack_word(&self, seg: &Segment) -> Word {
        let me = self.halves.get(seg.from);
        let peer = self.halves.get(seg.from.other());
        let last = me.heard.last;
        if !self.open && self.completes_opening(seg) {
            return if self.ack3_lost.is_some() { Word::Ack3Cured } else { Word::Ack3 };
        }
        if last.is_some_and(|a| a.flags.has(Flags::SYN.with(Flags::ACK)) && a.old) {
            return Word::Ack3Again;
        }
        let done = self.own_fin_acked(seg);
        let fin_came = last.is_some_and(|a| a.flags.has(Flags::FIN));
        match self.acks_fin(seg) {
            Some(First::Yes) if done => return Word::LastAck,
            Some(First::Yes) if me.fin.is_some() => return Word::AckFinSimul,
            Some(First::Yes) => return Word::AckFin,
            Some(First::No) if fin_came && done => return Word::LastAckAgain,
            Some(First::No) if fin_came => return Word::AckFinAgain,
            _ => {}
        }
        let forward = me.acked.is_none_or(|old| seg.ack.after(old));
        let closed = seg.window == Some(0);
        let was_closed = me.window == Some(0);
        match last {
            // RFC 5961 3 and 4: a SYN, or an RST that is not exact, on an open connection.
            Some(a) if !forward && (a.flags.has(Flags::RST) || bare_syn(&a)) => Word::Challenge,
            Some(a) if a.mark == Some(Mark::KeepAlive) => Word::KeepAliveAnswer,
            Some(a) if a.mark == Some(Mark::WindowProbe) && closed => Word::ProbeFull,
            _ if closed => Word::WindowClosed,
            _ if was_closed && seg.window.is_some() => Word::WindowOpen,
            _ if forward => Word::Ack,
            Some(a) if a.space > 0 && !a.flags.has(Flags::SYN) && a.end.at_or_before(seg.ack) => Word::AckOld,
            _ if seg.window.is_some() && seg.window != me.window => Word::WindowUpdate,
            Some(a) if a.space > 0 && peer.next.is_some_and(|next| next.after(seg.ack)) => Word::AckDup,
            _ => Word::AckPlain,
        }
    }

    fn lost_word(&self, seg: &Segment) -> Word {
        let has = |f| seg.flags.has(f);
        match self.acks_fin(seg) {
            _ if has(Flags::RST) => Word::LostRst,
            _ if has(Flags::SYN) && has(Flags::ACK) => Word::LostSynAck,
            _ if has(Flags::SYN) => Word::LostSyn,
            _ if has(Flags::FIN) => Word::LostFin,
            _ if seg.len > 0 => Word::LostData,
            Some(_) if self.own_fin_acked(seg) => Word::LostLastAck,
            Some(_) => Word::LostAckFin,
            None if !self.open && self.completes_opening(seg) => Word::LostAck3,
            None => Word::LostAck,
        }
    }

    /// Notes what the sender has now said.
    fn take(&mut self, seg: &Segment, now: Instant, word: Word) {
        let delivered = seg.fate == Fate::Delivered;
        let (syn, ack) = (seg.flags.has(Flags::SYN), seg.flags.has(Flags::ACK));
        let since = |left: Option<Instant>| Some(seg.arrived?.since(left?).as_nanos() as u64);
        match word {
            Word::LostAck3 => self.ack3_lost = self.ack3_lost.or(Some(now)),
            Word::Syn | Word::SynNewLife => self.syn_left = seg.departed,
            Word::SynAck => {
                self.round_trip = since(self.syn_left.take());
                self.syn_ack_left = seg.departed;
            }
            Word::Ack3 => self.round_trip = self.round_trip.or(since(self.syn_ack_left.take())),
            // Repeated: which copy an answer answers is not known any more (RFC 6298 3, Karn).
            Word::SynAgain => self.syn_left = None,
            Word::SynAckAgain | Word::SynAckAnswer => self.syn_ack_left = None,
            _ => {}
        }
        if delivered && ack && !syn && self.completes_opening(seg) {
            self.open = true;
        }
        self.reset |= delivered && seg.flags.has(Flags::RST) && word != Word::RstStale;
        let half = self.halves.get_mut(seg.from);
        half.heard.last = None;
        if seg.flags.has(Flags::RST) {
            return;
        }
        half.syn |= syn;
        let end = seg.seq + seg.space();
        half.sent += half.next.map_or(seg.space(), |next| end.dist(next).max(0).unsigned_abs()) as u64;
        half.next = Some(half.next.map_or(end, |next| next.later(end)));
        if seg.flags.has(Flags::FIN) {
            half.fin = half.fin.or(Some(end - 1));
            if ack && delivered {
                half.fin_carried = Some(half.fin_carried.map_or(seg.ack, |old| old.later(seg.ack)));
            }
        }
        if ack {
            half.acked = Some(half.acked.map_or(seg.ack, |old| old.later(seg.ack)));
        }
        half.window = seg.window.or(half.window);
    }

    /// Puts a delivered segment on its way to the other end.
    fn post(&mut self, seg: &Segment, at: Instant, mark: Option<Mark>, space: u32) {
        if seg.fate != Fate::Delivered || mark == Some(Mark::Forged) && !seg.flags.has(Flags::RST) {
            return;
        }
        let old = matches!(
            mark,
            Some(Mark::Retransmission(_) | Mark::Duplicate | Mark::LateOriginal | Mark::Stale)
        );
        let (flags, ack, window) = (seg.flags, seg.ack, seg.window);
        let end = seg.seq + space;
        let inbox = &mut self.halves.get_mut(seg.from.other()).inbox;
        let place = inbox.partition_point(|a| a.at <= at);
        inbox.insert(place, Arrival { at, flags, ack, space, end, old, window, mark });
    }

    /// The state that the sender must be in once it has sent this (RFC 9293 3.3.2), before [`Life::take`].
    fn conclude(&mut self, seg: &Segment) -> Option<State> {
        let has = |f| seg.flags.has(f);
        let acks_fin = self.acks_fin(seg).is_some();
        let done = self.own_fin_acked(seg);
        let opens = self.completes_opening(seg);
        let half = self.halves.get_mut(seg.from);
        let state = match half.state {
            _ if has(Flags::RST) => State::Closed,
            _ if has(Flags::SYN) && has(Flags::ACK) => State::SynRcvd,
            _ if has(Flags::SYN) => State::SynSent,
            Some(State::CloseWait) if has(Flags::FIN) => State::LastAck,
            Some(s @ (State::LastAck | State::Closing | State::TimeWait)) if !(acks_fin && done) => s,
            Some(State::LastAck) => State::LastAck,
            _ if has(Flags::FIN) && half.fin.is_none() && acks_fin => State::LastAck,
            _ if half.fin.is_some() && acks_fin && done => State::TimeWait,
            _ if half.fin.is_some() && acks_fin => State::Closing,
            _ if half.fin.is_some() && done => State::FinWait2,
            _ if half.fin.is_some() || has(Flags::FIN) => State::FinWait1,
            _ if acks_fin => State::CloseWait,
            _ if opens || half.heard.ack.is_some() => State::Established,
            other => other?,
        };
        half.state = Some(state);
        Some(state)
    }
}

/// Whether something happens for the first time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum First {
    Yes,
    No,
}

/// The lives that are remembered, the youngest last.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    roles: (Role, Role),
    lives: Vec<Life>,
}

impl Lives {
    /// Lives of one pair of ports that are remembered at a time.
    const KEPT: usize = 4;

    pub(crate) fn new(roles: (Role, Role)) -> Lives {
        Lives { roles, lives: Vec::new() }
    }

    /// The life that a segment belongs to; begins one where the segment does.
    pub(crate) fn of(&mut self, seg: &Segment) -> &mut Life {
        let current = self.lives.last().map_or(0, |life| life.number);
        let number = match (seg.life, self.lives.last()) {
            (Some(number), _) => number.max(1),
            (None, None) => 1,
            (None, Some(life)) if life.is_over_for(seg) => current.saturating_add(1),
            // By sequence, not by order: TIME_WAIT answers with the old life's numbers.
            (None, Some(life))
                if !life.continues(seg) && self.before().is_some_and(|old| old.continues(seg)) =>
            {
                current.saturating_sub(1)
            }
            (None, Some(_)) => current,
        };
        if let Some(i) = self.lives.iter().position(|life| life.number == number) {
            // The position has just been found.
            return &mut self.lives[i];
        }
        if self.lives.len() >= Lives::KEPT {
            self.lives.remove(0);
        }
        self.lives.push(Life::new(number, self.roles));
        let last = self.lives.len() - 1;
        &mut self.lives[last]
    }

    /// The life before the current one.
    fn before(&self) -> Option<&Life> {
        self.lives.iter().rev().nth(1)
    }

    /// The round-trip time of the current life's opening.
    pub(crate) fn round_trip(&self) -> Option<u64> {
        self.lives.last().and_then(Life::round_trip)
    }
}
