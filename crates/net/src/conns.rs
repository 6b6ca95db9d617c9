//! What the stack does after a call into a record: answers, tables, timers, the ready list, events.

use synfin_tcp::{
    CloseReason, Connection, Event, HalfOpen, Quirks, State, TimeWait, TimerKind, Trigger, Verdict, Why,
};
use synfin_wire::{DropReason, Flags, Head, Instant, Tuple};

use core::time::Duration;

use crate::demux::TupleHash;
use crate::ip_out::IpFields;
use crate::limiter::Permit;
use crate::ready::Ready;
use crate::records::{Holder, Link, Peer, Record, Slot};
use crate::reply::{Cause, TcpReply};
use crate::wheel::Wheel;
use crate::{ConnId, ListenerId, Stack};

/// Timers are a millisecond apart at least.
const SOONEST: Duration = Duration::from_millis(1);

impl Stack {
    /// Queues a segment that no connection sends; RSTs for stray segments are rate-limited (RFC 5961 7 idea).
    pub(crate) fn answer(&mut self, tuple: &Tuple, head: Head, why: Why, cause: Cause) {
        let ip = IpFields { ttl: self.env.tcp.ttl, tos: self.env.tcp.tos, flow: self.flow(tuple) };
        self.answer_as(tuple, head, why, cause, ip);
    }

    /// The same with other fields in the IP header.
    pub(crate) fn answer_as(&mut self, tuple: &Tuple, head: Head, why: Why, cause: Cause, ip: IpFields) {
        let limited = cause == Cause::Stray && head.flags.has(Flags::RST);
        if limited && self.limiters.rst.take(self.env.now) == Permit::Refused
            || !self.replies.push_tcp(TcpReply { tuple: *tuple, head, why, ip }, cause)
        {
            self.env.dropped(tuple, DropReason::RateLimited);
        }
    }

    /// Gives a connection a slot; the caller enters it into the demultiplexer.
    pub(crate) fn add_connection(&mut self, conn: Connection, hash: TupleHash, holder: Holder) -> u32 {
        let flow = self.flow(conn.tuple());
        let outside = self.routes.is_valid_source(conn.tuple().remote.addr);
        let peer = if outside { Peer::Outside } else { Peer::Elsewhere };
        let (timer, armed, link) = (None, Instant::NEVER, Link::Up);
        let slot = Slot { conn, hash, timer, armed, holder, link, peer, told: 0, flow };
        self.records.conns.insert(slot).index
    }

    /// Puts a completed connection into its listener's accept queue.
    pub(crate) fn queue_for_accept(&mut self, listener: ListenerId, index: u32) {
        let Some(id) = self.records.conns.id_at(index) else { return };
        if let Some(l) = self.listeners.get_mut(listener) {
            l.queue.push_back(id.into());
            self.events.push(listener.index << 1 | 1);
        }
    }

    /// The name of the connection in this slot, if the application holds it.
    pub(crate) fn held(&self, index: u32) -> Option<ConnId> {
        let holder = self.records.conns.at(index)?.holder;
        let id = self.records.conns.id_at(index)?;
        (holder == Holder::Application).then_some(id.into())
    }

    /// After a call into a connection: its answer, the end of its record, and whatever became due.
    pub(crate) fn settle(&mut self, index: u32, verdict: Verdict, reply: Option<Head>) {
        let Some(slot) = self.records.conns.at(index) else { return };
        if let Some(head) = reply {
            let tuple = *slot.conn.tuple();
            let ip = IpFields { ttl: slot.conn.ttl(), tos: slot.conn.tos(), flow: slot.flow };
            let (why, cause) = match verdict {
                Verdict::Keep => (Why::ResetReply, Cause::Stray),
                Verdict::Linger(_) => (Why::Ack, Cause::Connection),
                Verdict::Gone(_) => (Why::Abort, Cause::Connection),
            };
            self.answer_as(&tuple, head, why, cause, ip);
        }
        match verdict {
            Verdict::Keep => {}
            Verdict::Linger(tw) => self.unlink(index, Some(tw)),
            Verdict::Gone(_) => self.unlink(index, None),
        }
        self.schedule(index);
    }

    /// Takes a connection out of the demultiplexer; a TIME_WAIT record may take its place.
    fn unlink(&mut self, index: u32, tw: Option<TimeWait>) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        let (tag, hash) = (Record::Connection(index).tag(), slot.hash);
        self.wheel.cancel(slot.timer.take(), tag);
        slot.armed = Instant::NEVER;
        slot.link = Link::Down;
        if self.records.time_wait.is_full()
            && tw.is_some()
            && let Some(oldest) = self.records.time_wait.oldest()
        {
            self.end_time_wait(oldest, Trigger::TimeWaitOver, CloseReason::StackLimit);
        }
        match tw {
            Some(tw) if !self.records.time_wait.is_full() => {
                let id = self.records.time_wait.insert(tw, hash);
                self.records.demux.replace(hash, tag, Record::TimeWait(id.index).tag());
                if let Some(slot) = self.records.conns.at_mut(index) {
                    slot.link = Link::Resting(id);
                }
            }
            // No room for TIME_WAIT at all: closed at once.
            Some(tw) => {
                self.records.demux.remove(hash, tag);
                self.tell_time_wait_end(tw.tuple(), Trigger::TimeWaitOver, CloseReason::StackLimit);
            }
            None => {
                self.records.demux.remove(hash, tag);
            }
        }
    }

    /// Brings the ready list, the timer and the application's news up to date; frees a husk that nobody holds.
    pub(crate) fn schedule(&mut self, index: u32) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        if slot.link != Link::Up && slot.holder == Holder::Nobody {
            self.free(index);
        } else {
            refresh(&mut self.ready, &mut self.wheel, &mut self.events, index, slot, self.env.now);
        }
    }

    /// The connection's memory goes back.
    fn free(&mut self, index: u32) {
        let Some(id) = self.records.conns.id_at(index) else { return };
        if let Some(mut slot) = self.records.conns.remove(id) {
            slot.conn.release(&mut self.env.cx());
            if slot.holder == Holder::Nobody {
                self.orphans = self.orphans.saturating_sub(1);
            }
        }
    }

    /// The application, or the listener that kept it, lets a connection go: CLOSE (RFC 9293 3.10.4).
    pub(crate) fn close_connection(&mut self, index: u32) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        let mut cx = self.env.cx();
        let verdict = slot.conn.close(&mut cx);
        let reply = cx.reply.take();
        self.orphan(index);
        self.settle(index, verdict, reply);
        // Too many finish on their own already: this one is reset (RFC 9293 3.9.1 leaves limits to us).
        if self.orphans > self.limits.orphans && self.records.conns.at(index).is_some() {
            self.abort_connection(index);
        }
    }

    /// As [`Stack::close_connection`], by ABORT (RFC 9293 3.10.5).
    pub(crate) fn abort_connection(&mut self, index: u32) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        let mut cx = self.env.cx();
        let verdict = slot.conn.abort(&mut cx);
        let reply = cx.reply.take();
        let link = slot.link;
        self.orphan(index);
        // TIME_WAIT ends with ABORT, unless it is left as Linux does.
        if let Link::Resting(tw) = link
            && self.records.time_wait.holds(tw)
            && !self.env.tcp.quirks.has(Quirks::ABORT_KEEPS_TIME_WAIT)
        {
            self.end_time_wait(tw.index, Trigger::Abort, CloseReason::Aborted);
        }
        self.settle(index, verdict, reply);
    }

    /// From now on nobody holds this connection.
    fn orphan(&mut self, index: u32) {
        if let Some(slot) = self.records.conns.at_mut(index)
            && slot.holder != Holder::Nobody
        {
            slot.holder = Holder::Nobody;
            self.orphans += 1;
        }
    }

    /// A connection's timer fired.
    pub(crate) fn connection_timeout(&mut self, index: u32) {
        let Some(slot) = self.records.conns.at_mut(index) else { return };
        slot.timer = None;
        slot.armed = Instant::NEVER;
        if slot.conn.poll_timeout() > self.env.now {
            self.schedule(index);
            return;
        }
        let mut cx = self.env.cx();
        let verdict = slot.conn.on_timeout(&mut cx);
        let reply = cx.reply.take();
        self.settle(index, verdict, reply);
    }

    /// Arms a half-open record's timer.
    pub(crate) fn arm_half_open(&mut self, index: u32) {
        if let Some(entry) = self.records.half_open.entry(index) {
            let deadline = entry.rec.poll_timeout();
            entry.timer = self.wheel.arm(entry.timer.take(), Record::HalfOpen(index).tag(), deadline);
        }
    }

    /// A half-open record's timer fired.
    pub(crate) fn half_open_timeout(&mut self, index: u32) {
        let Some(entry) = self.records.half_open.entry(index) else { return };
        entry.timer = None;
        if entry.listener.is_none() {
            self.forget_half_open(index, Trigger::Timeout, CloseReason::TimedOut);
            return;
        }
        let mut cx = self.env.cx();
        let outcome = entry.rec.on_timeout(&mut cx);
        let (reply, tuple) = (cx.reply.take(), *entry.rec.tuple());
        if let Some(head) = reply {
            self.answer(&tuple, head, Why::Timeout, Cause::Stray);
        }
        match outcome {
            HalfOpen::Delete => self.remove_half_open(index),
            HalfOpen::Stay | HalfOpen::Promote => self.arm_half_open(index),
        }
    }

    /// The stack ends a half-open record; nobody but the probe is told.
    pub(crate) fn forget_half_open(&mut self, index: u32, by: Trigger, reason: CloseReason) {
        if let Some(rec) = self.records.half_open.at(index) {
            let tuple = *rec.tuple();
            self.env.emit(&tuple, || Event::State { from: State::SynReceived, to: State::Closed, by });
            self.env.emit(&tuple, || Event::Closed(reason));
        }
        self.remove_half_open(index);
    }

    /// Takes a half-open record out of every table.
    pub(crate) fn remove_half_open(&mut self, index: u32) {
        let Some(entry) = self.records.half_open.entry(index) else { return };
        let (hash, tag) = (entry.hash, Record::HalfOpen(index).tag());
        self.wheel.cancel(entry.timer.take(), tag);
        if let Some(l) = entry.listener.and_then(|l| self.listeners.get_mut(l)) {
            self.records.half_open.unlist(index, &mut l.half_open);
        }
        self.records.half_open.remove(index);
        self.records.demux.remove(hash, tag);
    }

    /// TIME_WAIT records whose time is over go.
    pub(crate) fn expire_time_wait(&mut self) {
        while let Some(index) = self.records.time_wait.oldest()
            && self.records.time_wait.next() <= self.env.now
        {
            if let Some(tw) = self.records.time_wait.at(index) {
                let tuple = *tw.tuple();
                self.env.emit(&tuple, || Event::Timer(TimerKind::TimeWait));
            }
            self.end_time_wait(index, Trigger::TimeWaitOver, CloseReason::Done);
        }
    }

    /// Takes a TIME_WAIT record out of every table.
    pub(crate) fn end_time_wait(&mut self, index: u32, by: Trigger, reason: CloseReason) {
        if let Some((tw, hash)) = self.records.time_wait.remove(index) {
            self.records.demux.remove(hash, Record::TimeWait(index).tag());
            self.tell_time_wait_end(tw.tuple(), by, reason);
        }
    }

    fn tell_time_wait_end(&mut self, tuple: &Tuple, by: Trigger, reason: CloseReason) {
        self.env.emit(tuple, || Event::State { from: State::TimeWait, to: State::Closed, by });
        self.env.emit(tuple, || Event::Closed(reason));
    }
}

/// Brings the ready list, the timer and the application's news up to date with a connection.
#[inline]
pub(crate) fn refresh(
    ready: &mut Ready,
    wheel: &mut Wheel,
    events: &mut Ready,
    index: u32,
    slot: &mut Slot,
    now: Instant,
) {
    if slot.link == Link::Up {
        if slot.conn.wants_transmit() {
            ready.push(index);
        }
        arm(wheel, index, slot, now);
    }
    if slot.holder == Holder::Application && slot.news() {
        events.push(index << 1);
    }
}

/// Arms a connection's timer if it would fire too late. Lazily: one that fires too early finds the later deadline and
/// is armed again.
pub(crate) fn arm(wheel: &mut Wheel, index: u32, slot: &mut Slot, now: Instant) {
    // Whatever a connection says, its timer cannot keep one turn busy for ever.
    let deadline = slot.conn.poll_timeout().max(now + SOONEST);
    if deadline < slot.armed {
        slot.armed = deadline;
        slot.timer = wheel.arm(slot.timer.take(), Record::Connection(index).tag(), deadline);
    }
}
