//! The order of turns: timers, then answers, then connections one segment each.

use synfin_link::TxSink;
use synfin_tcp::Event;
use synfin_tcp::bytes::{CHUNK, Slices};
use synfin_wire::Instant;

use crate::conns::arm;
use crate::ip_out::{self, IpFields, MAX_SLICES};
use crate::records::{Holder, Link, Record};
use crate::reply::Reply;
use crate::{More, Stack};

/// How one attempt to send ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Attempt {
    Sent,
    /// Nothing was due after all.
    Idle,
    /// The sink has no room.
    NoRoom,
}

impl Stack {
    /// Runs every timer that is due.
    pub fn on_timeout(&mut self, now: Instant) {
        self.env.advance(now);
        while let Some(tag) = self.wheel.poll(self.env.now) {
            match Record::of(tag) {
                Some(Record::Connection(index)) => self.connection_timeout(index),
                Some(Record::HalfOpen(index)) => self.half_open_timeout(index),
                // Those wait in a queue of their own.
                Some(Record::TimeWait(_)) | None => {}
            }
        }
        self.expire_time_wait();
        self.fragments.expire(self.env.now);
    }

    /// Sends what is due, fairly, while `sink` has room and at most `budget` packets.
    pub fn poll_transmit(&mut self, now: Instant, budget: usize, sink: &mut dyn TxSink) -> More {
        self.env.advance(now);
        let mut left = budget;
        loop {
            let blocked = self.send_replies(&mut left, sink) == Attempt::NoRoom
                || self.send_segments(&mut left, sink) == Attempt::NoRoom;
            // What we sent to ourselves arrives now, and may make more due. Each round but the last costs budget.
            let arrived = !self.looped.is_empty();
            self.take_looped();
            if blocked || left == 0 || !arrived {
                break;
            }
        }
        if self.replies.is_empty() && self.ready.is_empty() { More::Done } else { More::Pending }
    }

    /// Answers without a connection go first: they are small, few, and nobody repeats them.
    fn send_replies(&mut self, left: &mut usize, device: &mut dyn TxSink) -> Attempt {
        while *left > 0
            && let Some(to) = self.replies.next_destination()
        {
            let sink: &mut dyn TxSink = if self.routes.is_ours(to) { &mut self.looped } else { &mut *device };
            if sink.room() == 0 {
                return Attempt::NoRoom;
            }
            match self.replies.pop() {
                Some(Reply::Tcp(r)) => {
                    ip_out::send_tcp(sink, &self.caps, &r.tuple, &r.head, r.ip, &[], 0);
                    self.env.emit(&r.tuple, || Event::Sent { head: &r.head, len: 0, gso: 0, why: r.why });
                }
                Some(Reply::Icmp(r)) => {
                    ip_out::send_icmp(sink, r.src, r.dst, self.env.tcp.ttl, &r.message);
                    self.replies.recycle(r.message);
                }
                None => {}
            }
            *left -= 1;
        }
        Attempt::Idle
    }

    /// One segment of each connection in turn; as many as it has from one that is alone.
    fn send_segments(&mut self, left: &mut usize, device: &mut dyn TxSink) -> Attempt {
        while *left > 0
            && let Some(index) = self.ready.pop()
        {
            let mut attempt = self.send_segment(index, device);
            while attempt == Attempt::Sent {
                *left -= 1;
                if *left == 0 || !self.ready.is_empty() {
                    break;
                }
                attempt = self.send_segment(index, device);
            }
            self.had_turn(index, attempt);
            if attempt == Attempt::NoRoom {
                return Attempt::NoRoom;
            }
        }
        Attempt::Idle
    }

    /// A connection comes again if it has more to send, and its timers may have moved.
    fn had_turn(&mut self, index: u32, last: Attempt) {
        let Some(slot) = self.records.conns.at_mut(index).filter(|slot| slot.link == Link::Up) else {
            return;
        };
        debug_assert!(slot.holder != Holder::Application || slot.can() == slot.told, "sending is no news");
        // Who may have more, but has found that it may not go now, waits for a timer or a segment instead.
        if last != Attempt::Idle && slot.conn.wants_transmit() {
            self.ready.push(index);
        }
        arm(&mut self.wheel, index, slot, self.env.now);
    }

    /// Asks for room first: what a connection hands out is committed.
    fn send_segment(&mut self, index: u32, device: &mut dyn TxSink) -> Attempt {
        let Some(slot) = self.records.conns.at_mut(index) else { return Attempt::Idle };
        if slot.link != Link::Up || !slot.conn.wants_transmit() {
            return Attempt::Idle;
        }
        let tuple = *slot.conn.tuple();
        let to = tuple.remote.addr;
        let sink: &mut dyn TxSink = if self.routes.is_ours(to) { &mut self.looped } else { device };
        if sink.room() == 0 {
            return Attempt::NoRoom;
        }
        let ip = IpFields { ttl: slot.conn.ttl(), tos: slot.conn.tos(), flow: slot.flow };
        let mut cx = self.env.cx();
        // If there is none a timer may have been armed instead, as by silly-window avoidance.
        let Some(t) = slot.conn.poll_transmit(&mut cx, ip_out::limits(&self.caps, to)) else {
            return Attempt::Idle;
        };
        let mut send = |text: &[&[u8]]| {
            ip_out::send_tcp(sink, &self.caps, &tuple, &t.head, ip, text, t.gso);
        };
        // What no device has to cut spans two chunks at most, unless the MTU is very large.
        if t.len as usize <= CHUNK {
            send(collect(&mut [[].as_slice(); 2], t.payload.clone()));
        } else {
            send(collect(&mut [[].as_slice(); MAX_SLICES], t.payload.clone()));
        }
        Attempt::Sent
    }
}

/// The slices of a text in a row.
fn collect<'r, 'a>(row: &'r mut [&'a [u8]], text: Slices<'a>) -> &'r [&'a [u8]] {
    let mut used = 0;
    for (place, slice) in row.iter_mut().zip(text) {
        *place = slice;
        used += 1;
    }
    row.get(..used).unwrap_or_default()
}

#[cfg(test)]
mod tests;
