//! A sender with a window and a pace, a bottleneck with a queue, a receiver that acknowledges every packet: virtual time,
//! one packet at a time. Packets that are lost go out again as new ones; the delivery rate is sampled as the draft says.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::cc::{Ack, Choice, Congestion, Control, Limit, Lost, Owner, Rate, Start};
use synfin_wire::{Instant, Seq};

pub const MSS: u32 = 1460;

/// What lies between the two.
#[derive(Copy, Clone, Debug)]
pub struct Link {
    /// Octets per second.
    pub rate: u64,
    /// Round-trip time without a queue.
    pub rtt: Duration,
    /// Octets that the queue holds.
    pub buffer: u64,
    /// Random losses in a million.
    pub loss: u64,
    /// Acknowledgements come together, at multiples of this; zero: as they are.
    pub slot: Duration,
}

/// A link of so many Mbit/s and ms, with a buffer in per cent of its bandwidth-delay product.
pub fn link(mbit: u64, rtt: u64, buffer: u64) -> Link {
    let (rate, slot) = (mbit * 125_000, Duration::ZERO);
    let buffer = (rate * rtt / 1000 * buffer / 100).max(20 * 1460);
    Link { rate, rtt: Duration::from_millis(rtt), buffer, loss: 0, slot }
}

#[derive(Copy, Clone, Debug)]
struct Packet {
    id: u64,
    sent: Instant,
    first_send_time: Instant,
    delivered_time: Instant,
    delivered: u64,
    lost: u64,
    tx_in_flight: u32,
    app_limited: bool,
    limit: Limit,
    /// When its acknowledgement arrives; never if it is lost.
    acked_at: Instant,
}

/// A bulk sender on a link.
#[derive(Clone)]
pub struct Flow {
    pub cc: Control,
    pub link: Link,
    pub now: Instant,
    /// Octets per second that the application offers, if it is the limit.
    pub app_rate: Option<u64>,
    pub delivered: u64,
    pub lost: u64,
    /// The longest queue so far, in octets.
    pub queue: u64,
    next_id: u64,
    packets: VecDeque<Packet>,
    link_free: Instant,
    next_send: Instant,
    app_next: Instant,
    delivered_time: Instant,
    first_send_time: Instant,
    app_limited: u64,
    srtt: Duration,
    recover: Option<u64>,
    random: u64,
    start: u64,
}

fn span(octets: u64, rate: u64) -> Duration {
    Duration::from_nanos(octets * 1_000_000_000 / rate.max(1))
}

impl Flow {
    pub fn new(choice: Choice, link: Link) -> Flow {
        let now = Instant::from_millis(10_000);
        Flow {
            cc: Control::new(choice, MSS),
            link,
            now,
            app_rate: None,
            delivered: 0,
            lost: 0,
            queue: 0,
            next_id: 0,
            packets: VecDeque::new(),
            link_free: now,
            next_send: now,
            app_next: now,
            delivered_time: now,
            first_send_time: now,
            app_limited: 0,
            srtt: link.rtt,
            recover: None,
            random: 0x9E37_79B9_7F4A_7C15,
            start: 0,
        }
    }

    pub fn inflight(&self) -> u32 {
        self.packets.len() as u32 * MSS
    }

    fn lost_by_chance(&mut self) -> bool {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 1_000_000 < self.link.loss
    }

    /// When the next packet may go; `None`: only after an acknowledgement.
    fn may_send_at(&self) -> Option<Instant> {
        if self.inflight() + MSS > self.cc.cwnd() {
            return None;
        }
        let app = if self.app_rate.is_some() { self.app_next } else { self.now };
        Some(self.next_send.max(app).max(self.now))
    }

    fn send(&mut self) {
        if let Some(rate) = self.app_rate {
            self.app_next = self.app_next.max(self.now) + span(u64::from(MSS), rate);
        }
        if self.packets.is_empty() {
            let start = Start {
                now: self.now,
                mss: MSS,
                srtt: self.srtt,
                nxt: Seq::new(self.next_id as u32),
                app_limited: self.app_limited != 0,
            };
            self.cc.on_start(&start);
            self.first_send_time = self.now;
            self.delivered_time = self.now;
        }
        let size = u64::from(MSS);
        let waiting = self.link_free.since(self.now).as_nanos() as u64 * self.link.rate / 1_000_000_000;
        self.queue = self.queue.max(waiting);
        let mut acked_at = Instant::NEVER;
        let by_chance = self.lost_by_chance();
        if waiting + size <= self.link.buffer + size && !by_chance {
            self.link_free = self.link_free.max(self.now) + span(size, self.link.rate);
            acked_at = self.link_free + self.link.rtt;
            if !self.link.slot.is_zero() {
                let slot = self.link.slot.as_nanos() as u64;
                acked_at = Instant::from_nanos(acked_at.nanos().div_ceil(slot) * slot);
            }
        }
        let tx_in_flight = self.inflight() + MSS;
        let limit = if tx_in_flight + MSS > self.cc.cwnd() { Limit::Cwnd } else { Limit::Other };
        self.packets.push_back(Packet {
            id: self.next_id,
            sent: self.now,
            first_send_time: self.first_send_time,
            delivered_time: self.delivered_time,
            delivered: self.delivered,
            lost: self.lost,
            tx_in_flight,
            app_limited: self.app_limited != 0,
            limit,
            acked_at,
        });
        self.next_id += 1;
        let pause = self.cc.pacing_rate().map_or(Duration::ZERO, |rate| span(size, rate));
        self.next_send = self.next_send.max(self.now) + pause;
    }

    fn lose(&mut self, p: &Packet) {
        self.lost += u64::from(MSS);
        self.cc.on_lost(&Lost {
            now: self.now,
            seq: Seq::new((p.id as u32).wrapping_mul(MSS)),
            len: MSS,
            mss: MSS,
            tx_in_flight: p.tx_in_flight,
            lost: (self.lost - p.lost) as u32,
            app_limited: p.app_limited,
            total_delivered: self.delivered,
        });
    }

    /// The packet at this place of the queue is acknowledged; those before it are missing.
    fn receive_ack(&mut self, at: usize) {
        let Some(p) = self.packets.get(at).copied() else { return };
        // The application was the limit if nothing waits and the window has room.
        if self.app_rate.is_some() && self.inflight() < self.cc.cwnd() {
            self.app_limited = (self.delivered + u64::from(self.inflight())).max(1);
        }
        let una = self.packets.front().map_or(p.id, |p| p.id);
        self.packets.remove(at);
        self.delivered += u64::from(MSS);
        self.delivered_time = self.now;
        let (send_elapsed, ack_elapsed) = (p.sent.since(p.first_send_time), self.now.since(p.delivered_time));
        self.first_send_time = p.sent;
        if self.app_limited != 0 && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let rtt = self.now.since(p.sent);
        self.srtt = (self.srtt * 7 + rtt) / 8;
        let lost_before = self.lost;
        while self.packets.front().is_some_and(|q| q.id + 3 <= p.id) {
            if let Some(q) = self.packets.pop_front() {
                self.lose(&q);
            }
        }
        if self.lost > lost_before && self.recover.is_none() {
            self.cc.on_congestion(Congestion::Loss, self.inflight(), MSS, self.now);
            if self.cc.owner() == Owner::Connection {
                self.cc.window.cwnd = self.cc.ssthresh();
            }
            self.recover = Some(self.next_id);
        }
        if self.recover.is_some_and(|recover| p.id >= recover) {
            self.recover = None;
            self.cc.on_recovered();
        }
        let interval = send_elapsed.max(ack_elapsed);
        let rate = Rate {
            delivered: (self.delivered - p.delivered) as u32,
            interval: if interval < self.link.rtt { Duration::ZERO } else { interval },
            newly_delivered: MSS,
            inflight: self.inflight(),
            sack: true,
            app_limited: p.app_limited,
            prior_delivered: p.delivered,
            total_delivered: self.delivered,
            tx_in_flight: p.tx_in_flight,
            lost: (self.lost - p.lost) as u32,
            newly_lost: (self.lost - lost_before) as u32,
        };
        let ack = Ack {
            now: self.now,
            acked: MSS,
            most: u32::MAX,
            mss: MSS,
            limit: p.limit,
            rtt: Some(rtt),
            srtt: self.srtt,
            min_rtt: self.link.rtt,
            una: Seq::new((una as u32).wrapping_mul(MSS)),
            nxt: Seq::new((self.next_id as u32).wrapping_mul(MSS)),
            flight: self.inflight(),
            rate: Some(rate),
        };
        if self.recover.is_none() {
            self.cc.on_ack(&ack);
        }
        self.cc.on_sample(&ack);
    }

    /// Nothing comes any more: the timer.
    fn time_out(&mut self) {
        self.now += Duration::from_secs(1).max(self.srtt * 2);
        let all: Vec<Packet> = self.packets.drain(..).collect();
        for p in &all {
            self.lose(p);
        }
        self.cc.on_timeout(all.len() as u32 * MSS, MSS, true, self.now);
        self.recover = Some(self.next_id);
    }

    /// One event, but none after `until`.
    fn step(&mut self, until: Instant) -> bool {
        // The queue keeps the order: the first that was not lost comes first.
        let at = self.packets.iter().position(|p| !p.acked_at.is_never());
        let next_ack = at.and_then(|at| self.packets.get(at)).map_or(Instant::NEVER, |p| p.acked_at);
        let next_send = self.may_send_at().unwrap_or(Instant::NEVER);
        let next = next_ack.min(next_send);
        let all_lost = next.is_never() && !self.packets.is_empty();
        if next > until && !all_lost {
            self.now = until;
            return false;
        }
        if all_lost {
            self.time_out();
        } else if next_ack <= next_send {
            self.now = next_ack;
            self.receive_ack(at.unwrap_or(0));
        } else {
            self.now = next_send;
            self.send();
        }
        self.now <= until
    }

    /// The application says nothing for this long and then offers this much.
    pub fn pause(&mut self, time: Duration, then: u64) {
        self.app_rate = Some(then);
        self.app_next = self.now + time;
    }

    /// Runs for this long; `watch` sees every event.
    pub fn run_watching(&mut self, time: Duration, mut watch: impl FnMut(&Flow)) {
        self.queue = 0;
        self.start = self.delivered;
        let until = self.now + time;
        while self.step(until) {
            watch(self);
        }
    }

    /// Runs for this long; returns the share of the link that was used, in per cent.
    pub fn run(&mut self, time: Duration) -> u64 {
        self.run_watching(time, |_| {});
        let possible = u128::from(self.link.rate) * time.as_nanos() / 1_000_000_000;
        (u128::from(self.delivered - self.start) * 100 / possible) as u64
    }

    /// Runs until the condition holds, at most this long; whether it came to hold.
    pub fn run_until(&mut self, time: Duration, mut holds: impl FnMut(&Flow) -> bool) -> bool {
        let until = self.now + time;
        while !holds(self) {
            if !self.step(until) {
                return false;
            }
        }
        true
    }
}
