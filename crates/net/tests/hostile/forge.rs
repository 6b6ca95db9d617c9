//! What a hostile peer sends: segments around the interesting numbers, ICMP errors, fragments, and scrap.

use std::num::NonZeroU16;

use synfin_link::{ChecksumFact, RxMeta};
use synfin_wire::{Addr, Endpoint, Tuple};

use crate::ledger::Page;
use crate::rig::packet::{fill_checksum, icmp_quoting, ip, ip_with};
use crate::world::{LOCAL_PORTS, OURS, PEER_PORTS, PEERS, World, repair};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;

/// A segment in the making.
#[derive(Clone, Debug, Default)]
struct Draft {
    seq: u32,
    ack: u32,
    flags: u8,
    wnd: u16,
    urg: u16,
    options: Vec<u8>,
    text: Vec<u8>,
}

impl Draft {
    fn packet(mut self, tuple: &Tuple) -> Vec<u8> {
        self.options.truncate(40);
        self.options.resize(self.options.len().next_multiple_of(4), 0);
        let mut t = Vec::with_capacity(60 + self.text.len());
        t.extend(tuple.remote.port.to_be_bytes());
        t.extend(tuple.local.port.to_be_bytes());
        t.extend(self.seq.to_be_bytes());
        t.extend(self.ack.to_be_bytes());
        t.extend([(4 * (20 + self.options.len())) as u8, self.flags]);
        t.extend(self.wnd.to_be_bytes());
        t.extend([0, 0]);
        t.extend(self.urg.to_be_bytes());
        t.extend(&self.options);
        t.extend(&self.text);
        t.truncate(65_000);
        fill_checksum(tuple.remote.addr, tuple.local.addr, 6, &mut t, 16);
        ip(tuple.remote.addr, tuple.local.addr, 6, &t)
    }
}

impl World {
    /// Something arrives.
    pub fn arrive(&mut self) {
        let mut packet = match self.rng.below(100) {
            0..5 if !self.old.is_empty() => self.old[self.rng.upto(self.old.len())].clone(),
            5..13 => self.icmp(),
            13..15 => self.scrap(),
            _ => self.segment(),
        };
        self.old.push_back(packet.clone());
        if self.old.len() > 32 {
            self.old.pop_front();
        }
        match self.rng.below(100) {
            0..4 => self.mutate(&mut packet),
            4..8 => return self.fragments(&packet),
            _ => {}
        }
        let meta = self.meta();
        self.inject(&packet, meta);
    }

    /// Something arrives that a well-behaved peer might have sent.
    pub fn obey(&mut self) {
        let tuple = self.tuple();
        let page = self.ledger().pages.get(&tuple).cloned().unwrap_or_default();
        let packet = self.honest(&tuple, &page).packet(&tuple);
        self.inject(&packet, RxMeta::default());
    }

    /// The peer misses something: text goes out, and the same acknowledgement comes again and again.
    pub fn miss(&mut self) {
        let tuple = self.tuple();
        let wnd = self.rng.pick(&[8000, 65_535, 65_535]);
        for n in 0..2 + self.rng.upto(6) {
            let Some(page) = self.ledger().pages.get(&tuple).filter(|p| p.open).cloned() else { return };
            let Some(ack) = page.ack else { return };
            let mut options = if page.ts.is_some() { self.timestamps(&page) } else { Vec::new() };
            if n > 0 && self.rng.percent(70) {
                options.extend(self.sack(&page));
            }
            let acked = if n == 0 { page.end } else { page.acked }.raw();
            if n == 0
                && let Some(page) = self.ledger().pages.get_mut(&tuple)
            {
                page.acked = page.end;
            }
            let draft = Draft { seq: ack.raw(), ack: acked, flags: ACK, wnd, options, ..Draft::default() };
            self.inject(&draft.packet(&tuple), RxMeta::default());
            if n == 0 {
                self.write_all();
                self.drain();
            }
        }
    }

    /// What the device says about a packet: mostly nothing.
    pub fn meta(&mut self) -> RxMeta {
        let mut meta = RxMeta::default();
        if self.rng.percent(5) {
            meta.checksum = ChecksumFact::Trusted;
            meta.gro = NonZeroU16::new(self.rng.pick(&[0, 1, 100, 1448, 65_535]));
        }
        meta.link_broadcast = self.rng.percent(1);
        meta
    }

    /// A conversation, mostly one that has begun.
    fn tuple(&mut self) -> Tuple {
        let open = self.rng.percent(75);
        if self.rng.percent(90) {
            let ledger = self.ledger();
            let pages = ledger.pages.iter().filter(|(t, p)| !OURS.contains(&t.remote.addr) && p.open == open);
            let known: Vec<Tuple> = pages.map(|(t, _)| *t).collect();
            drop(ledger);
            if !known.is_empty() {
                return self.rng.pick(&known);
            }
        }
        let remote = self.rng.pick(if self.has_v6() { &PEERS } else { &PEERS[..2] });
        let local = OURS[usize::from(!remote.is_v4())];
        Tuple {
            local: Endpoint::new(local, self.rng.pick(&LOCAL_PORTS)),
            remote: Endpoint::new(remote, self.rng.pick(&PEER_PORTS)),
        }
    }

    fn segment(&mut self) -> Vec<u8> {
        let tuple = self.tuple();
        let page = self.ledger().pages.get(&tuple).cloned().unwrap_or_default();
        let draft = match self.rng.below(100) {
            0..55 => self.honest(&tuple, &page),
            55..92 => self.near(&page),
            _ => self.wild(),
        };
        draft.packet(&tuple)
    }

    fn some_text(&mut self) -> Vec<u8> {
        let n = match self.rng.below(12) {
            0 => 1,
            1 => 2,
            2..5 => self.rng.upto(100),
            5..7 => 536,
            7..9 => 1448,
            9 => self.rng.upto(9000),
            10 => 20_000,
            _ => 0,
        };
        vec![self.rng.next() as u8; n]
    }

    fn window(&mut self) -> u16 {
        let any = self.rng.next() as u16;
        self.rng.pick(&[0, 0, 1, 2, 100, 1000, 8000, 65_535, 65_535, 65_535, any])
    }

    /// What an obedient peer might send now.
    fn honest(&mut self, tuple: &Tuple, page: &Page) -> Draft {
        let wnd = self.window();
        let stale = page.iss.is_none() || self.rng.percent(3);
        let Some(ack) = page.ack.filter(|_| !stale) else {
            // A SYN, or the answer to ours.
            let any = self.rng.word();
            let peer_iss = self.rng.pick(&[any, 0, u32::MAX, u32::MAX - 500, 0x7fff_ff00]);
            self.ledger().pages.entry(*tuple).or_default().peer_iss = peer_iss;
            let options = self.syn_options(page);
            let text = if self.rng.percent(10) { self.some_text() } else { Vec::new() };
            let (flags, ack) = match page.iss {
                Some(iss) if !stale && self.rng.percent(80) => (SYN | ACK, (iss + 1).raw()),
                _ => (SYN, 0),
            };
            return Draft { seq: peer_iss, ack, flags, wnd, options, text, ..Draft::default() };
        };
        let mut draft = Draft { seq: ack.raw(), ack: page.end.raw(), flags: ACK, wnd, ..Draft::default() };
        // Nothing new, a part, or all of what was sent.
        let out = page.end.since(page.acked);
        let acked = match self.rng.below(4) {
            0 => 0,
            1 => self.rng.pick(&[1, 2, 536, 1448, 5000]).min(out),
            _ => out,
        };
        draft.ack = (page.acked + acked).raw();
        if let Some(page) = self.ledger().pages.get_mut(tuple) {
            page.acked += acked;
        }
        if self.rng.percent(40) {
            draft.text = self.some_text();
            draft.flags |= if self.rng.percent(50) { PSH } else { 0 };
        }
        if self.rng.percent(3) {
            draft.flags |= FIN;
        }
        if self.rng.percent(5) {
            draft.seq = draft.seq.wrapping_add(self.rng.pick(&[1, 100, 1448, 2896]));
        }
        if self.rng.percent(3) {
            draft.flags |= URG;
            draft.urg = self.urgent(draft.text.len());
        }
        if page.ts.is_some() {
            draft.options.extend(self.timestamps(page));
        }
        if self.rng.percent(if acked == 0 { 60 } else { 10 }) {
            draft.options.extend(self.sack(page));
        }
        draft
    }

    fn urgent(&mut self, len: usize) -> u16 {
        let (len, any) = (len as u16, self.rng.next() as u16);
        self.rng.pick(&[0, 1, len.wrapping_sub(1), len, len.wrapping_add(1), 65_535, any])
    }

    /// The peer's clock is ours, which is as good as any.
    fn timestamps(&mut self, page: &Page) -> Vec<u8> {
        let clock = self.now.millis() as u32;
        let any = self.rng.word();
        let val = match self.rng.below(20) {
            0 => any,
            1 => clock.wrapping_sub(1),
            2 => clock.wrapping_add(1 << 31),
            3 => clock.wrapping_add(100_000),
            _ => clock,
        };
        let ecr = match self.rng.below(20) {
            0 => any,
            1 => 0,
            2 => page.ts.unwrap_or(0).wrapping_add(1000),
            _ => page.ts.unwrap_or(0),
        };
        let mut o = vec![1, 1, 8, 10];
        o.extend(val.to_be_bytes());
        o.extend(ecr.to_be_bytes());
        o
    }

    /// Blocks of what was sent, and of what never was.
    fn sack(&mut self, page: &Page) -> Vec<u8> {
        let n = 1 + self.rng.upto(4);
        let mut o = vec![1, 1, 5, 2 + 8 * n as u8];
        let end = page.end.raw();
        for _ in 0..n {
            let back = self.rng.pick(&[0, 1, 36, 536, 1448, 1449, 3000, 9000, 40_000]);
            let long = self.rng.pick(&[0, 1, 36, 536, 1448, 3000, 1 << 31]);
            let left = if self.rng.percent(95) { end.wrapping_sub(back) } else { self.rng.word() };
            o.extend(left.to_be_bytes());
            o.extend(left.wrapping_add(long).to_be_bytes());
        }
        o
    }

    fn syn_options(&mut self, page: &Page) -> Vec<u8> {
        let mut o = Vec::new();
        if self.rng.percent(80) {
            let mss: u16 = self.rng.pick(&[0, 1, 8, 47, 48, 100, 536, 1460, 1460, 8960, 65_535]);
            o.extend([2, 4]);
            o.extend(mss.to_be_bytes());
        }
        if self.rng.percent(60) {
            o.extend([1, 3, 3, self.rng.pick(&[0, 1, 7, 14, 15, 255])]);
        }
        if self.rng.percent(60) {
            o.extend([1, 1, 4, 2]);
        }
        if self.rng.percent(60) {
            o.extend(self.timestamps(page));
        }
        o
    }

    /// A list of options in any order, some cut off or malformed.
    fn any_options(&mut self, page: &Page) -> Vec<u8> {
        let mut o = Vec::new();
        for _ in 0..self.rng.upto(4) {
            match self.rng.below(6) {
                0 => o.extend(self.syn_options(page)),
                1 => o.extend(self.timestamps(page)),
                2 => o.extend(self.sack(page)),
                3 => o.extend([self.rng.next() as u8, self.rng.pick(&[0, 1, 2, 3, 40, 255])]),
                4 => o.extend(self.rng.octets(7)),
                _ => o.push(self.rng.pick(&[0, 1])),
            }
        }
        o
    }

    /// One of these numbers, or a little beside it.
    fn beside(&mut self, numbers: &[u32]) -> u32 {
        let n = self.rng.pick(numbers);
        let any = self.rng.word();
        let far = [0, 0, 0, 1, 2, 36, 536, 1448, 65_535, 1 << 20, (1 << 31) - 1, 1 << 31, any];
        let d = self.rng.pick(&far);
        if self.rng.percent(50) { n.wrapping_add(d) } else { n.wrapping_sub(d) }
    }

    /// Everything close to where it counts.
    fn near(&mut self, page: &Page) -> Draft {
        let ack = page.ack.map_or(page.peer_iss, |a| a.raw());
        let edge = page.edge.map_or(ack, |e| e.raw());
        let iss = page.iss.map_or(0, |i| i.raw());
        let text = if self.rng.percent(50) { self.some_text() } else { Vec::new() };
        let len = text.len() as u32;
        let seq =
            self.beside(&[ack, ack, edge, page.peer_iss, ack.wrapping_sub(len), edge.wrapping_sub(len)]);
        let acked = self.beside(&[page.end.raw(), page.end.raw(), iss, iss.wrapping_add(1)]);
        let any = self.rng.next() as u8;
        let flags = self.rng.pick(&[
            ACK,
            ACK,
            ACK | PSH,
            ACK | FIN,
            ACK | FIN | PSH,
            SYN,
            SYN | ACK,
            SYN | FIN,
            SYN | FIN | ACK,
            RST,
            RST | ACK,
            RST | SYN,
            FIN,
            ACK | URG,
            ACK | URG | FIN,
            0,
            any,
        ]);
        let mut options =
            if page.ts.is_some() && self.rng.percent(80) { self.timestamps(page) } else { vec![] };
        if self.rng.percent(40) {
            options.extend(self.any_options(page));
        }
        let urg = self.urgent(text.len());
        Draft { seq, ack: acked, flags, wnd: self.window(), urg, options, text }
    }

    fn wild(&mut self) -> Draft {
        let n = self.rng.upto(44);
        Draft {
            seq: self.rng.word(),
            ack: self.rng.word(),
            flags: self.rng.next() as u8,
            wnd: self.window(),
            urg: self.rng.next() as u16,
            options: self.rng.octets(n),
            text: self.some_text(),
        }
    }

    /// An ICMP message: an error about something in flight or nearly so, or anything else.
    fn icmp(&mut self) -> Vec<u8> {
        let tuple = self.tuple();
        let (us, peer) = (tuple.local.addr, tuple.remote.addr);
        let page = self.ledger().pages.get(&tuple).cloned().unwrap_or_default();
        let iss = page.iss.map_or(0, |i| i.raw());
        let seq = self.beside(&[page.end.raw().wrapping_sub(1), page.end.raw(), iss, iss.wrapping_add(1)]);
        let mtu = self.rng.pick(&[0, 1, 67, 68, 552, 576, 1279, 1280, 1400, 1500, 65_535, 65_536, u32::MAX]);
        let any = self.rng.next() as u8;
        let (kind, code) = match (us.is_v4(), self.rng.below(8)) {
            (true, 0..3) => (3, 4),
            (true, 3) => (3, self.rng.next() as u8 & 15),
            (true, 4) => (self.rng.pick(&[4, 5, 11, 12]), 0),
            (true, 5) => (8, 0),
            (false, 0..3) => (2, 0),
            (false, 3..5) => (self.rng.pick(&[1, 3, 4]), self.rng.next() as u8 & 7),
            (false, 5) => (128, 0),
            _ => (self.rng.pick(&[0, 3, 8, 11, 255, any]), self.rng.pick(&[0, 1, 4, any])),
        };
        let mut quoted = Vec::new();
        quoted.extend(tuple.local.port.to_be_bytes());
        quoted.extend(tuple.remote.port.to_be_bytes());
        quoted.extend(seq.to_be_bytes());
        quoted.extend(self.rng.octets(12));
        let mut quote = ip(us, peer, self.rng.pick(&[6, 6, 6, 6, 17]), &quoted);
        if self.rng.percent(15) {
            quote.truncate(self.rng.upto(quote.len() + 1));
        }
        if self.rng.percent(5) {
            let n = self.rng.upto(2000);
            quote.extend(self.rng.octets(n));
        }
        let from = if self.rng.percent(80) { peer } else { PEERS[if us.is_v4() { 1 } else { 2 }] };
        icmp_quoting(us, from, kind, code, mtu, &quote)
    }

    /// Some protocol, some options or extension headers, some octets.
    pub fn scrap(&mut self) -> Vec<u8> {
        let remote = self.rng.pick(if self.has_v6() { &PEERS } else { &PEERS[..2] });
        let ours = OURS[usize::from(!remote.is_v4())];
        let any = self.rng.octets(16);
        let any =
            if remote.is_v4() { Addr::v4([any[0], any[1], any[2], any[3]]) } else { Addr::v6([any[0]; 16]) };
        let remote = if self.rng.percent(90) { remote } else { self.rng.pick(&[any, ours]) };
        let local = if self.rng.percent(95) { ours } else { any };
        if remote.is_v4() != local.is_v4() {
            return self.rng.octets(60);
        }
        let protocol = self.rng.next() as u8;
        let mut protocol = self.rng.pick(&[6, 6, 1, 58, 17, 0, 43, 44, 60, 59, protocol]);
        let n = self.rng.pick(&[0, 1, 7, 8, 19, 20, 24, 40, 100, 1480]);
        let mut body = self.rng.octets(n);
        if protocol == 6 && body.len() >= 20 {
            body[0..4].copy_from_slice(&[0x0f, 0xa0, 0, 80]);
            body[12] = self.rng.pick(&[0x50, 0x60, 0xf0, 0x40, 0]);
        }
        if remote.is_v4() {
            let n = 4 * self.rng.upto(11);
            let options = if self.rng.percent(30) { self.rng.octets(n) } else { Vec::new() };
            let mut packet = ip_with(remote, local, protocol, &options, &body);
            repair(&mut packet);
            return packet;
        }
        for _ in 0..self.rng.upto(4) {
            let units = self.rng.pick(&[0, 0, 0, 1, 31]);
            let mut header = vec![0; 8 + 8 * units];
            (header[0], header[1]) = (protocol, units as u8);
            header[2..]
                .iter_mut()
                .for_each(|o| *o = if self.rng.percent(10) { self.rng.next() as u8 } else { 0 });
            protocol = self.rng.pick(&[0, 43, 44, 60]);
            header.extend(body);
            body = header;
        }
        let mut packet = ip(remote, local, protocol, &body);
        repair(&mut packet);
        packet
    }

    /// Octets change, are cut off or added; mostly the checksums follow.
    pub fn mutate(&mut self, packet: &mut Vec<u8>) {
        for _ in 0..1 + self.rng.upto(3) {
            let at = self.rng.upto(packet.len().min(80));
            let Some(octet) = packet.get_mut(at) else { return };
            *octet = self.rng.pick(&[*octet ^ 1 << (at % 8), 0, 0xff, at as u8]);
        }
        match self.rng.below(10) {
            0 => packet.truncate(self.rng.upto(packet.len() + 1)),
            1 => packet.extend([0; 9]),
            _ => {}
        }
        if self.rng.percent(80) {
            repair(packet);
        }
    }

    /// The packet arrives in pieces: in any order, some twice, some overlapping, some never.
    fn fragments(&mut self, packet: &[u8]) {
        let v6 = packet.first().is_some_and(|b| b >> 4 == 6);
        let header = if v6 { 40 } else { 20 };
        let Some((head, body)) = packet.split_at_checked(header) else { return };
        let (src, dst, protocol) = if v6 {
            let a = |i: usize| Addr::v6(std::array::from_fn(|n| head[i + n]));
            (a(8), a(24), head[6])
        } else {
            let a = |i: usize| Addr::v4([head[i], head[i + 1], head[i + 2], head[i + 3]]);
            (a(12), a(16), head[9])
        };
        if src.is_v4() == v6 || dst.is_v4() == v6 {
            return;
        }
        let size = 8 * self.rng.pick(&[1, 3, 5, 16, 64, 180]);
        let id = self.rng.below(4) as u8;
        let mut pieces = Vec::new();
        for (at, part) in body.chunks(size).enumerate().take(80) {
            let last = (at + 1) * size >= body.len();
            let mut offset = at * size;
            if self.rng.percent(2) {
                offset = self.rng.pick(&[0, 8, 16, offset + 8, 65_528]);
            }
            let word = (offset as u16 & 0xfff8, u16::from(!last));
            if self.rng.percent(3) {
                continue;
            }
            let piece = if v6 {
                let mut p = vec![protocol, 0];
                p.extend((word.0 | word.1).to_be_bytes());
                p.extend([0, 0, 0, id]);
                p.extend(part);
                ip(src, dst, 44, &p)
            } else {
                let mut p = ip(src, dst, protocol, part);
                p[4..6].copy_from_slice(&[0, id]);
                p[6..8].copy_from_slice(&(word.0 >> 3 | word.1 << 13).to_be_bytes());
                p[10..12].fill(0);
                let sum = crate::rig::packet::internet_checksum(&p[..20]);
                p[10..12].copy_from_slice(&sum.to_be_bytes());
                p
            };
            for _ in 0..if self.rng.percent(5) { 2 } else { 1 } {
                let place = if self.rng.percent(80) { pieces.len() } else { self.rng.upto(pieces.len() + 1) };
                pieces.insert(place, piece.clone());
            }
        }
        for piece in pieces {
            let meta = self.meta();
            self.inject(&piece, meta);
        }
    }
}
