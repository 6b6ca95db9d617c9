//! A TCP segment arrives: checks before any record, then whose it is (RFC 9293 3.10.7).

use alloc::boxed::Box;

use synfin_link::ChecksumFact;
use synfin_tcp::{
    CloseReason, Connection, Event, HalfOpen, Quirks, Rest, State, SynOffer, SynRecord, Trigger, Verdict,
    Why, reset_for,
};
use synfin_wire::checksum::Sum;
use synfin_wire::{Control, DropReason, Endpoint, Flags, Head, Segment, Seq, Timestamps, Tuple};

use crate::conns::refresh;
use crate::cookie::Agreed;
use crate::demux::TupleHash;
use crate::ip_in::{Datagram, Via};
use crate::ip_out::{IpFields, our_mss};
use crate::records::{Holder, Link, Peer, Record};
use crate::reply::Cause;
use crate::syn_cache::Entry;
use crate::{AcceptOverflow, ListenerId, Stack, SynOverflow};

const TCP: u8 = 6;
/// Profile linux: how far a new ISS lies beyond the old connection's SND.NXT.
const LINUX_ISS_GAP: u32 = 65_537;

/// A TIME_WAIT record that makes room for a new connection.
#[derive(Copy, Clone, Debug)]
struct Replaced {
    index: u32,
    /// Old SND.NXT: the new ISS lies beyond it.
    floor: Seq,
}

impl Stack {
    /// A datagram of protocol TCP arrived. Its addresses are looked at only if no open connection vouches for them; what
    /// is wrong with them comes first, whatever else is.
    pub(crate) fn tcp_in(&mut self, d: &Datagram<'_>) -> Result<(), DropReason> {
        let read = self.read_segment(d);
        if let Ok((tuple, seg)) = &read
            && let Some(index) = self.vouched(d, tuple)
        {
            self.connection_segment(index, seg);
            return Ok(());
        }
        self.check_addresses(d.src, d.dst, d.meta, d.via)?;
        let (tuple, seg) = read?;
        self.segment_in(d, &tuple, &seg)
    }

    /// The open connection that this segment from outside belongs to, if it is the one of the segment before.
    #[inline]
    fn vouched(&self, d: &Datagram<'_>, tuple: &Tuple) -> Option<u32> {
        let index = self.records.last;
        let slot = self.records.conns.at(index)?;
        let open = slot.link == Link::Up && slot.peer == Peer::Outside && !d.meta.link_broadcast;
        (open && d.via == Via::Device && slot.conn.tuple() == tuple).then_some(index)
    }

    /// The segment in a datagram, and whose it says it is.
    // For every segment, at one place.
    #[inline(always)]
    fn read_segment<'a>(&self, d: &Datagram<'a>) -> Result<(Tuple, Segment<'a>), DropReason> {
        let (ports, mut seg) = Segment::parse(d.payload)?;
        // RFC 9293 MUST-3.
        if d.meta.checksum == ChecksumFact::Unchecked {
            let len = d.payload.len() as u32;
            if Sum::pseudo(d.src, d.dst, TCP, len).add(d.payload).finish() != 0 {
                return Err(DropReason::BadTcpChecksum);
            }
        }
        if (ports.src == 0 || ports.dst == 0) && !self.env.tcp.quirks.has(Quirks::PORT_ZERO_ANSWERED) {
            return Err(DropReason::PortZero);
        }
        seg.gro = d.meta.gro;
        let tuple = Tuple { local: Endpoint::new(d.dst, ports.dst), remote: Endpoint::new(d.src, ports.src) };
        Ok((tuple, seg))
    }

    /// A segment with good addresses.
    fn segment_in(&mut self, d: &Datagram<'_>, tuple: &Tuple, seg: &Segment<'_>) -> Result<(), DropReason> {
        // From outside, our own address is a lie: with our port too it is LAND's.
        let land = tuple.local == tuple.remote;
        if d.via == Via::Device && d.src == d.dst {
            return Err(if land { DropReason::Land } else { DropReason::MartianSource });
        }
        match self.records.find(tuple) {
            (_, Some(Record::Connection(index))) => {
                self.records.last = index;
                self.connection_segment(index, seg);
            }
            (_, Some(Record::HalfOpen(index))) => self.half_open_segment(index, tuple, seg),
            (hash, Some(Record::TimeWait(index))) => self.time_wait_segment(index, hash, tuple, seg),
            (_, None) if land => return Err(DropReason::Land),
            (hash, None) => {
                self.env.emit(tuple, || Event::Received(seg));
                let taken = match self.listeners.find(tuple.local) {
                    Some(listener) => self.listen_segment(listener, hash, tuple, seg),
                    None => self.closed_segment(tuple, seg),
                };
                if let Err(why) = taken {
                    self.env.dropped(tuple, why);
                }
            }
        }
        Ok(())
    }

    /// RFC 9293 3.10.7.1: a segment for nobody is answered with RST, a RST with nothing.
    fn closed_segment(&mut self, tuple: &Tuple, seg: &Segment<'_>) -> Result<(), DropReason> {
        if seg.ctl == Control::Rst {
            return Err(DropReason::RstIgnored);
        }
        self.reset(tuple, seg);
        Err(DropReason::NoConnection)
    }

    /// The RST for a segment that has none itself (RFC 9293 3.5.2).
    fn reset(&mut self, tuple: &Tuple, seg: &Segment<'_>) {
        self.answer(tuple, reset_for(seg), Why::ResetReply, Cause::Stray);
    }

    fn connection_segment(&mut self, index: u32, seg: &Segment<'_>) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        let mut cx = self.env.cx();
        let verdict = slot.conn.on_segment(&mut cx, seg);
        let reply = cx.reply.take();
        if matches!(verdict, Verdict::Keep) && reply.is_none() && slot.link == Link::Up {
            // Nearly always: the slot is in hand.
            let now = self.env.now;
            refresh(&mut self.ready, &mut self.wheel, &mut self.events, index, slot, now);
        } else {
            self.settle(index, verdict, reply);
        }
    }

    /// RFC 9293 3.10.7.2.
    fn listen_segment(
        &mut self,
        listener: ListenerId,
        hash: TupleHash,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), DropReason> {
        match (seg.ctl, seg.ack) {
            (Control::Rst, _) => Err(DropReason::RstIgnored),
            (_, Some(_)) => self.ack_without_record(listener, hash, tuple, seg),
            // Whoever sends both does not want a connection.
            (Control::SynFin, None) => Err(DropReason::SynFin),
            // Text on the SYN is not taken: our SYN,ACK does not acknowledge it, so it comes again.
            (Control::Syn, None) => self.take_syn(listener, hash, tuple, seg, None),
            (Control::None | Control::Fin, None) => Err(DropReason::NotForThisState),
        }
    }

    /// A SYN for a listener: a half-open record, a cookie, or nothing.
    fn take_syn(
        &mut self,
        listener: ListenerId,
        hash: TupleHash,
        tuple: &Tuple,
        seg: &Segment<'_>,
        replaced: Option<Replaced>,
    ) -> Result<(), DropReason> {
        let now = self.env.now;
        let full = self.records.half_open.len() >= self.limits.half_open;
        let Some(l) = self.listeners.get_mut(listener) else { return Err(DropReason::NoConnection) };
        if l.opts.accept_overflow == AcceptOverflow::Ignore && l.is_accept_full() {
            l.stats.accept_overflows += 1;
            return Err(DropReason::AcceptQueueFull);
        }
        if full || l.is_syn_full() {
            l.overflowed(now);
            // A cookie chooses its own ISS, so it cannot keep clear of an old connection's numbers.
            if l.opts.syn_overflow == SynOverflow::Drop || replaced.is_some() {
                return Err(DropReason::SynQueueFull);
            }
            l.stats.cookies_sent += 1;
            self.send_cookie(tuple, seg);
            return Ok(());
        }
        let iss = self.choose_iss(tuple, replaced.map(|r| r.floor));
        let ts_offset = self.isn.timestamp_offset(tuple);
        let from = if replaced.is_some() { State::TimeWait } else { State::Listen };
        self.env.emit(tuple, || Event::State { from, to: State::SynReceived, by: Trigger::RcvSyn });
        let mut cx = self.env.cx();
        let mss = our_mss(&self.caps, tuple.remote.addr);
        let rec = SynRecord::open(*tuple, seg, iss, ts_offset, mss, &mut cx);
        let reply = cx.reply.take();
        let Some(l) = self.listeners.get_mut(listener) else { return Err(DropReason::NoConnection) };
        let index = self.records.half_open.insert(Entry::new(rec, hash, listener), &mut l.half_open);
        let new = Record::HalfOpen(index).tag();
        match replaced {
            Some(Replaced { index: old, .. }) => {
                self.records.demux.replace(hash, Record::TimeWait(old).tag(), new);
                let rested = self.records.time_wait.remove(old).map(|(tw, _)| Box::new(tw));
                if let Some(entry) = self.records.half_open.entry(index) {
                    entry.rested = rested;
                }
            }
            None => self.records.demux.insert(hash, new),
        }
        self.arm_half_open(index);
        if let Some(head) = reply {
            self.answer(tuple, head, Why::Open, Cause::Stray);
        }
        Ok(())
    }

    /// Our ISS (RFC 6528), beyond `floor` if there is one (RFC 6191, RFC 9293 MAY-2).
    pub(crate) fn choose_iss(&self, tuple: &Tuple, floor: Option<Seq>) -> Seq {
        let iss = self.isn.isn(self.env.now, tuple);
        match floor {
            Some(floor) if self.env.tcp.quirks.has(Quirks::TIME_WAIT_REUSE_ISS) => floor + LINUX_ISS_GAP,
            // 2^16 to 2^17 octets further, by bits that nobody can guess.
            Some(floor) if !iss.after(floor) => floor + (1 << 16) + (iss.raw() & 0xffff),
            _ => iss,
        }
    }

    /// Answers a SYN with a cookie: nothing is kept (RFC 4987 3.6).
    fn send_cookie(&mut self, tuple: &Tuple, seg: &Segment<'_>) {
        let offer = SynOffer::of(seg, tuple, &self.env.tcp);
        let cookie = self.cookies.make(self.env.now, tuple, seg.seq, &offer);
        let mss = our_mss(&self.caps, tuple.remote.addr);
        let ts_offset = self.isn.timestamp_offset(tuple);
        let cx = self.env.cx();
        let rec =
            SynRecord::from_offer(*tuple, cookie.iss, seg.seq, mss, seg.wnd, cookie.offer, ts_offset, &cx);
        let mut head = rec.syn_ack(&cx);
        if let Some(ts) = head.opts.ts {
            head.opts.ts = Some(Timestamps { val: cookie.stamp(ts.val), ..ts });
        }
        self.answer(tuple, head, Why::Open, Cause::Stray);
    }

    /// An ACK for a listener: the answer to a cookie, or a stray one (RFC 9293 3.10.7.2, second).
    fn ack_without_record(
        &mut self,
        listener: ListenerId,
        hash: TupleHash,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let now = self.env.now;
        let Some(l) = self.listeners.get_mut(listener) else { return Err(DropReason::NoConnection) };
        let expected = l.expects_cookies(now);
        let agreed = if expected && !seg.ctl.syn() {
            self.cookies.check(now, tuple, &self.env.tcp, seg)
        } else {
            None
        };
        let Some(agreed) = agreed else {
            self.reset(tuple, seg);
            return Err(if expected { DropReason::BadCookie } else { DropReason::NoConnection });
        };
        if l.is_accept_full() {
            l.stats.accept_overflows += 1;
            if l.opts.accept_overflow == AcceptOverflow::Reset {
                self.reset(tuple, seg);
            }
            return Err(DropReason::AcceptQueueFull);
        }
        if self.records.conns.len() as u32 >= self.limits.connections {
            return Err(DropReason::StackLimit);
        }
        l.stats.cookies_taken += 1;
        let Agreed { iss, irs, offer } = agreed;
        let (from, to, by) = (State::Listen, State::SynReceived, Trigger::RcvSyn);
        self.env.emit(tuple, || Event::State { from, to, by });
        let mss = our_mss(&self.caps, tuple.remote.addr);
        let ts_offset = self.isn.timestamp_offset(tuple);
        let mut cx = self.env.cx();
        let rec = SynRecord::from_offer(*tuple, iss, irs, mss, seg.wnd, offer, ts_offset, &cx);
        let conn = Connection::promote(&rec, &mut cx);
        let index = self.add_connection(conn, hash, Holder::Listener(listener));
        self.records.demux.insert(hash, Record::Connection(index).tag());
        self.queue_for_accept(listener, index);
        self.connection_segment(index, seg);
        Ok(())
    }

    fn half_open_segment(&mut self, index: u32, tuple: &Tuple, seg: &Segment<'_>) {
        let Some(entry) = self.records.half_open.entry(index) else { return };
        if entry.listener.is_none() {
            self.abandoned_segment(index, tuple, seg);
            return;
        }
        let mut cx = self.env.cx();
        let outcome = entry.rec.on_segment(&mut cx, seg);
        if let Some(head) = cx.reply.take() {
            let why = why_of(&head, seg);
            self.answer(tuple, head, why, Cause::Stray);
        }
        match outcome {
            HalfOpen::Stay => self.arm_half_open(index),
            HalfOpen::Delete => self.half_open_refused(index),
            HalfOpen::Promote => self.promote(index, tuple, seg),
        }
    }

    /// The peer refuses our SYN,ACK. If its SYN reopened from TIME_WAIT it was an old one (RFC 9293 MAY-2 (2)).
    fn half_open_refused(&mut self, index: u32) {
        let rested = self.records.half_open.entry(index).and_then(|e| Some((e.rested.take()?, e.hash)));
        self.remove_half_open(index);
        let Some((mut tw, hash)) = rested.filter(|_| !self.records.time_wait.is_full()) else { return };
        tw.rest_again(self.env.now, &self.env.tcp);
        let (from, to, by) = (State::Closed, State::TimeWait, Trigger::RcvRst);
        self.env.emit(tw.tuple(), || Event::State { from, to, by });
        let id = self.records.time_wait.insert(*tw, hash);
        self.records.demux.insert(hash, Record::TimeWait(id.index).tag());
    }

    /// Profile linux: a half-open record whose listener is closed says nothing until an ACK comes.
    fn abandoned_segment(&mut self, index: u32, tuple: &Tuple, seg: &Segment<'_>) {
        self.env.emit(tuple, || Event::Received(seg));
        if seg.ack.is_some() || seg.ctl.rst() {
            self.forget_half_open(index, Trigger::Abort, CloseReason::Aborted);
            if let Err(why) = self.closed_segment(tuple, seg) {
                self.env.dropped(tuple, why);
            }
        } else {
            self.env.dropped(tuple, DropReason::NotForThisState);
        }
    }

    /// The handshake is complete: the half-open record becomes a connection, and takes the segment that completed it.
    fn promote(&mut self, index: u32, tuple: &Tuple, seg: &Segment<'_>) {
        let Some(entry) = self.records.half_open.entry(index) else { return };
        let Some(listener) = entry.listener else { return };
        let hash = entry.hash;
        let Some(l) = self.listeners.get_mut(listener) else { return };
        if l.is_accept_full() {
            l.stats.accept_overflows += 1;
            let policy = l.opts.accept_overflow;
            self.env.dropped(tuple, DropReason::AcceptQueueFull);
            if policy == AcceptOverflow::Reset {
                self.forget_half_open(index, Trigger::Abort, CloseReason::StackLimit);
                self.reset(tuple, seg);
            }
            return;
        }
        if self.records.conns.len() as u32 >= self.limits.connections {
            self.env.dropped(tuple, DropReason::StackLimit);
            return;
        }
        let conn = Connection::promote(&entry.rec, &mut self.env.cx());
        self.records.half_open.unlist(index, &mut l.half_open);
        let old = Record::HalfOpen(index).tag();
        if let Some(entry) = self.records.half_open.remove(index) {
            self.wheel.cancel(entry.timer, old);
        }
        let new = self.add_connection(conn, hash, Holder::Listener(listener));
        self.records.demux.replace(hash, old, Record::Connection(new).tag());
        self.queue_for_accept(listener, new);
        self.records.last = new;
        self.connection_segment(new, seg);
    }

    fn time_wait_segment(&mut self, index: u32, hash: TupleHash, tuple: &Tuple, seg: &Segment<'_>) {
        let flow = self.flow(tuple);
        let Some(tw) = self.records.time_wait.at_mut(index) else { return };
        let ip = IpFields { ttl: tw.ttl(), tos: tw.tos(), flow };
        let mut cx = self.env.cx();
        let rest = tw.on_segment(&mut cx, seg);
        let mut reply = cx.reply.take();
        match rest {
            Rest::Stay | Rest::Drop(_) => {}
            Rest::Restart => self.records.time_wait.restarted(index),
            Rest::Delete => self.end_time_wait(index, Trigger::RcvRst, CloseReason::Reset),
            Rest::Reopen { floor } => match self.listeners.find(tuple.local) {
                Some(listener) => {
                    let replaced = Some(Replaced { index, floor });
                    if let Err(why) = self.take_syn(listener, hash, tuple, seg, replaced) {
                        self.env.dropped(tuple, why);
                    }
                }
                None => {
                    tw.refuse(&mut cx);
                    reply = cx.reply.take();
                }
            },
        }
        if let Some(head) = reply {
            let why = why_of(&head, seg);
            self.answer_as(tuple, head, why, Cause::Stray, ip);
        }
    }
}

/// Why a small record answers `seg` with `head`.
fn why_of(head: &Head, seg: &Segment<'_>) -> Why {
    if head.all_flags().has(Flags::RST) {
        Why::ResetReply
    } else if seg.ctl.syn() && !head.all_flags().has(Flags::SYN) || seg.ctl.rst() {
        Why::Challenge
    } else {
        Why::DupAck
    }
}

#[cfg(test)]
mod tests;
