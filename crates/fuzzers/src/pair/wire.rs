//! The wire between two stacks, and what may happen to a packet on it.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use synfin_tcp::{Quirks, State};
use synfin_wire::{Instant, Seq};

use super::End;
use crate::host::Packet;
use crate::input::Input;
use crate::packets::{ACK, Draft, FIN, PSH, RST, SYN, repair, text_of};

/// What happens to one packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is lost.
    Lose,
    /// It comes twice, the second time later.
    Double,
    /// It comes later.
    Delay,
    /// One of its octets changes.
    Corrupt,
    /// A segment of somebody else's comes before it.
    Forge,
}

impl Fault {
    /// From the input; none once it is used up.
    pub fn choose(u: &mut Input<'_>) -> Fault {
        match u.octet() {
            0x00..=0x7f => Fault::None,
            0x80..=0x9f => Fault::Lose,
            0xa0..=0xaf => Fault::Double,
            0xb0..=0xcf => Fault::Delay,
            0xd0..=0xdf => Fault::Corrupt,
            0xe0..=0xff => Fault::Forge,
        }
    }
}

type Arrival = (usize, Vec<u8>, Option<NonZeroU16>);

/// Packets under way.
pub struct Wire {
    latency: Duration,
    /// By arrival, then in the order of sending.
    under_way: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    /// Packets that were lost or corrupted.
    pub losses: u32,
}

impl Wire {
    /// A wire so long.
    pub fn new(latency_ms: u64) -> Wire {
        Wire { latency: Duration::from_millis(latency_ms), under_way: BTreeMap::new(), sent: 0, losses: 0 }
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Instant {
        self.under_way.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at)
    }

    /// A packet that has arrived by now.
    pub fn take(&mut self, now: Instant) -> Option<Arrival> {
        let entry = self.under_way.first_entry().filter(|e| e.key().0 <= now)?;
        Some(entry.remove())
    }

    fn put(&mut self, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), arrival);
    }

    /// Something between a moment and four seconds: far less than a segment's lifetime (RFC 9293 3.4.1: 2 minutes).
    fn later(u: &mut Input<'_>) -> Duration {
        let n = u64::from(u.octet());
        Duration::from_micros(n * n * 62)
    }

    /// One packet of the other end goes to `to`. A super-segment goes in one piece or as the device would cut it.
    pub fn send(&mut self, u: &mut Input<'_>, now: Instant, to: usize, packet: Packet, fault: Fault) {
        let Some(size) = packet.cut else { return self.carry(u, now, (to, packet.octets, None), fault) };
        if !u.one_in(2) {
            return self.carry(u, now, (to, packet.octets, Some(size)), fault);
        }
        for (i, part) in cut(&packet.octets, usize::from(size.get())).into_iter().enumerate() {
            let fault = if i == 0 { fault } else { Fault::choose(u) };
            self.carry(u, now, (to, part, None), fault);
        }
    }

    fn carry(&mut self, u: &mut Input<'_>, now: Instant, mut arrival: Arrival, fault: Fault) {
        let at = now + self.latency;
        match fault {
            Fault::None | Fault::Forge => {}
            Fault::Lose => {
                self.losses += 1;
                return;
            }
            Fault::Double => {
                let again = at + Wire::later(u);
                self.put(again, arrival.clone());
            }
            Fault::Delay => return self.put(at + Wire::later(u), arrival),
            Fault::Corrupt => {
                // One octet: no checksum misses that (RFC 1071 1), but IPv6 has none for its own header.
                let octets = &mut arrival.1;
                let from = if octets[0] >> 4 == 6 { 40 } else { 0 };
                let place = from + usize::from(u.half()) % (octets.len() - from);
                octets[place] ^= u.octet().max(1);
                self.losses += 1;
            }
        }
        self.put(at, arrival);
    }

    /// A segment from somebody who knows the connection but not its numbers: wholly outside the window.
    pub fn forge(&mut self, u: &mut Input<'_>, ends: &mut [End; 2], now: Instant) {
        let to = u.below(2);
        let host = &mut ends[to].host;
        let Some(held) = host.held.first().copied() else { return };
        let Some(handle) = host.stack.conn(now, held.id) else { return };
        let (info, tuple) = (handle.info(), *handle.get().tuple());
        let synchronized = !matches!(info.state, State::SynSent | State::SynReceived | State::TimeWait);
        if !synchronized || handle.readiness().closed.is_some() {
            return;
        }
        let len = u.pick(&[0, 1, 100, 1000]);
        let away = 2 + (u.word() >> 3);
        let seq = match u.below(2) {
            // Reading before it arrives moves the window's edge on, by what the buffer takes at most.
            0 => info.rcv_nxt + info.rcv_wnd.max(held.limit) + away,
            _ => info.rcv_nxt - len - away,
        };
        // Linux's way with an old FIN at a zero window looks at its acknowledgement: that is no blind attacker's.
        let ack = if host.cfg.tcp.quirks == Quirks::NONE { Seq::new(u.word()) } else { info.snd_una };
        let flags = u.pick(&[ACK, RST, RST | ACK, SYN, SYN | ACK, ACK | FIN, ACK | PSH, FIN]);
        let mut options = Vec::new();
        if u.one_in(2) {
            options.extend([1, 1, 8, 10]);
            options.extend(u.word().to_be_bytes());
            options.extend(u.word().to_be_bytes());
        }
        let text = vec![0xee; len as usize];
        let draft = Draft { seq: seq.raw(), ack: ack.raw(), flags, wnd: u.half(), urg: 0, options, text };
        self.put(now, (to, draft.packet(&tuple), None));
    }
}

/// What a device makes of a super-segment: FIN and PSH stay with the last part.
fn cut(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (first, start) = text_of(packet).expect("a super-segment is TCP");
    let (head, text) = packet.split_at(start);
    let v6 = head[0] >> 4 == 6;
    let at = if v6 { 40 } else { 20 };
    let parts = text.chunks(size).enumerate().map(|(i, part)| {
        let mut p = head.to_vec();
        let seq = first + (i * size) as u32;
        p[at + 4..at + 8].copy_from_slice(&seq.raw().to_be_bytes());
        if (i + 1) * size < text.len() {
            p[at + 13] &= !(FIN | PSH);
        }
        p.extend(part);
        let (field, len) = if v6 { (4, p.len() - 40) } else { (2, p.len()) };
        p[field..field + 2].copy_from_slice(&(len as u16).to_be_bytes());
        repair(&mut p);
        p
    });
    parts.collect()
}
