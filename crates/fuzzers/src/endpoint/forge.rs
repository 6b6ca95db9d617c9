//! What arrives: segments close to where they count, ICMP errors, fragments.

use std::num::NonZeroU16;

use synfin_link::{ChecksumFact, RxMeta};
use synfin_wire::{Addr, Seq, Tuple};

use super::{LOCAL_PORTS, PEER_PORTS, World};
use crate::host::{Writer, text_at, tuple};
use crate::ledger::Page;
use crate::packets::{ACK, Draft, FIN, PSH, RST, SYN, URG, icmp, internet_checksum, ip, repair, text_of};

impl World<'_> {
    /// What the main conversation has shown.
    pub(super) fn page(&self) -> Page {
        self.host.ledger.lock().pages.get(&self.main).cloned().unwrap_or_default()
    }

    /// Something arrives.
    pub(super) fn arrive(&mut self) {
        let whole = match self.u.below(20) {
            0 if !self.old.is_empty() => {
                let at = self.u.below(self.old.len());
                self.old[at].clone()
            }
            1 | 2 => self.icmp(),
            3 | 4 => {
                let tuple = self.any_tuple();
                self.segment(tuple)
            }
            _ => self.segment(self.main),
        };
        self.old.push_back(whole.clone());
        if self.old.len() > 16 {
            self.old.pop_front();
        }
        let mut packet = whole;
        match self.u.below(24) {
            22 => self.mutate(&mut packet),
            23 => return self.fragments(&packet),
            _ => {}
        }
        let mut meta = RxMeta::default();
        if self.u.one_in(12) {
            meta.checksum = ChecksumFact::Trusted;
            meta.gro = NonZeroU16::new(self.u.pick(&[0, 1, 100, 1448, 65_535]));
            meta.link_broadcast = self.u.one_in(8);
        }
        let judged = self.u.one_in(2);
        self.host.inject(&packet, meta, judged);
    }

    fn any_tuple(&mut self) -> Tuple {
        let v6 = self.host.has_v6() && self.u.one_in(2);
        tuple(v6, self.u.pick(&LOCAL_PORTS), self.u.pick(&PEER_PORTS))
    }

    fn segment(&mut self, tuple: Tuple) -> Vec<u8> {
        let page = self.host.ledger.lock().pages.get(&tuple).cloned().unwrap_or_default();
        let mut draft = match self.u.below(12) {
            0..6 => self.honest(tuple, &page),
            6..11 => self.near(&page),
            _ => self.wild(),
        };
        // Text is what stands at its place in the peer's stream, whatever that place is.
        let first = Seq::new(draft.seq) + u32::from(draft.flags & SYN != 0);
        draft.text = text_at(first, Writer::Peer, draft.text.len());
        draft.packet(&tuple)
    }

    fn some_text(&mut self) -> Vec<u8> {
        let any = usize::from(self.u.octet());
        vec![0; self.u.pick(&[0, 1, any, 0, 1448, 536, 9000, 20_000])]
    }

    fn window(&mut self) -> u16 {
        let any = self.u.half();
        self.u.pick(&[65_535, 0, 1, 100, 1000, 8000, any])
    }

    /// The peer's next acknowledgement.
    pub(super) fn honest_ack(&mut self) -> Draft {
        let page = self.page();
        let seq = page.ack.map_or(page.peer_iss.wrapping_add(1), Seq::raw);
        let options = if page.ts.is_some() { self.timestamps(&page) } else { Vec::new() };
        Draft { seq, ack: page.end.raw(), flags: ACK, wnd: 65_535, options, ..Draft::default() }
    }

    /// What an obedient peer might send now.
    fn honest(&mut self, tuple: Tuple, page: &Page) -> Draft {
        let wnd = self.window();
        let what = self.u.octet();
        let Some(ack) = page.ack.filter(|_| page.iss.is_some() && what != 0xff) else {
            // A SYN, or the answer to ours.
            let peer_iss =
                self.u.pick(&[page.peer_iss, page.peer_iss.wrapping_add(100_000), 0, u32::MAX - 500]);
            self.host.ledger.lock().pages.entry(tuple).or_default().peer_iss = peer_iss;
            let options = self.syn_options();
            let (flags, ack) = match page.iss {
                Some(iss) if what & 1 == 0 => (SYN | ACK, (iss + 1).raw()),
                _ => (SYN, 0),
            };
            let text = if what & 6 == 6 { self.some_text() } else { Vec::new() };
            return Draft { seq: peer_iss, ack, flags, wnd, options, text, ..Draft::default() };
        };
        let mut draft = Draft { seq: ack.raw(), ack: page.end.raw(), flags: ACK, wnd, ..Draft::default() };
        if what & 1 != 0 {
            draft.text = self.some_text();
            draft.flags |= if what & 2 != 0 { PSH } else { 0 };
        }
        if what & 0x0c == 0x0c {
            draft.ack = draft.ack.wrapping_sub(self.u.pick(&[1, 2, 536, 1448, 5000]));
        }
        if what & 0x30 == 0x30 {
            draft.seq = draft.seq.wrapping_add(self.u.pick(&[1448, 1, 100, 2896]));
        }
        if what & 0xc0 == 0x40 && self.u.one_in(2) {
            draft.flags |= FIN;
        }
        if what & 0xc0 == 0x80 && self.u.one_in(4) {
            draft.flags |= URG;
            draft.urg = self.urgent(draft.text.len());
        }
        if page.ts.is_some() {
            draft.options.extend(self.timestamps(page));
        }
        if what & 0xc0 == 0xc0 {
            draft.options.extend(self.sack(page));
        }
        draft
    }

    fn urgent(&mut self, len: usize) -> u16 {
        let (len, any) = (len as u16, self.u.half());
        self.u.pick(&[1, 0, len.wrapping_sub(1), len, len.wrapping_add(1), 65_535, any])
    }

    /// The peer's clock is ours, which is as good as any.
    fn timestamps(&mut self, page: &Page) -> Vec<u8> {
        let (clock, last) = (self.host.now.millis() as u32, page.ts.unwrap_or(0));
        let (val, ecr) = match self.u.below(24) {
            17 => (self.u.word(), last),
            18 => (clock.wrapping_sub(1), last),
            19 => (clock.wrapping_add(1 << 31), last),
            20 => (clock.wrapping_add(100_000), last),
            21 => (clock, self.u.word()),
            22 => (clock, 0),
            23 => (clock, last.wrapping_add(1000)),
            _ => (clock, last),
        };
        let mut o = vec![1, 1, 8, 10];
        o.extend(val.to_be_bytes());
        o.extend(ecr.to_be_bytes());
        o
    }

    /// Blocks of what was sent, and of what never was.
    fn sack(&mut self, page: &Page) -> Vec<u8> {
        let n = 1 + self.u.below(4);
        let mut o = vec![1, 1, 5, 2 + 8 * n as u8];
        for _ in 0..n {
            let any = self.u.word();
            let back = self.u.pick(&[1448, 0, 1, 36, 536, 1449, 2896, 9000, 40_000, any]);
            let long = self.u.pick(&[1448, 0, 1, 36, 536, 3000, 1 << 31]);
            let left = page.end.raw().wrapping_sub(back);
            o.extend(left.to_be_bytes());
            o.extend(left.wrapping_add(long).to_be_bytes());
        }
        o
    }

    pub(super) fn syn_options(&mut self) -> Vec<u8> {
        let (which, page) = (self.u.octet(), self.page());
        let mut o = Vec::new();
        if which & 1 == 0 {
            let mss: u16 = self.u.pick(&[1460, 536, 0, 1, 8, 47, 48, 100, 8960, 65_535]);
            o.extend([2, 4]);
            o.extend(mss.to_be_bytes());
        }
        if which & 2 == 0 {
            o.extend([1, 3, 3, self.u.pick(&[0, 1, 7, 14, 15, 255])]);
        }
        if which & 4 == 0 {
            o.extend([1, 1, 4, 2]);
        }
        if which & 8 == 0 {
            o.extend(self.timestamps(&page));
        }
        o
    }

    /// Options in any order, some cut off or malformed.
    fn any_options(&mut self, page: &Page) -> Vec<u8> {
        let mut o = Vec::new();
        for _ in 0..self.u.below(4) {
            match self.u.below(6) {
                0 => o.extend(self.syn_options()),
                1 => o.extend(self.timestamps(page)),
                2 => o.extend(self.sack(page)),
                3 => o.extend([self.u.octet(), self.u.pick(&[2, 0, 1, 3, 40, 255])]),
                4 => o.extend(self.u.octets(7)),
                _ => o.push(self.u.pick(&[0, 1])),
            }
        }
        o
    }

    /// One of these numbers, or a little beside it.
    fn beside(&mut self, numbers: &[u32]) -> u32 {
        let n = self.u.pick(numbers);
        let far = match self.u.below(16) {
            0..6 => 0,
            6..8 => 1,
            8 => 2,
            9 => 536,
            10 => 1448,
            11 => 65_535,
            12 => u32::from(self.u.half()),
            13 => (1 << 31) - 1,
            14 => 1 << 31,
            _ => self.u.word(),
        };
        if far == 0 || self.u.one_in(2) { n.wrapping_add(far) } else { n.wrapping_sub(far) }
    }

    /// Everything close to where it counts.
    fn near(&mut self, page: &Page) -> Draft {
        let ack = page.ack.map_or(page.peer_iss, Seq::raw);
        let edge = page.edge.map_or(ack, Seq::raw);
        let iss = page.iss.map_or(0, Seq::raw);
        let text = self.some_text();
        let len = text.len() as u32;
        let seq = self.beside(&[ack, edge, page.peer_iss, ack.wrapping_sub(len), edge.wrapping_sub(len)]);
        let acked = self.beside(&[page.end.raw(), iss, iss.wrapping_add(1)]);
        let any = self.u.octet();
        let flags = [
            ACK,
            ACK | PSH,
            ACK | FIN,
            SYN,
            SYN | ACK,
            SYN | FIN | ACK,
            RST,
            RST | ACK,
            RST | SYN,
            FIN,
            ACK | URG,
            ACK | URG | FIN,
            0,
            any,
        ];
        let flags = self.u.pick(&flags);
        let mut options = Vec::new();
        if page.ts.is_some() && !self.u.one_in(6) {
            options = self.timestamps(page);
        }
        if self.u.one_in(3) {
            options.extend(self.any_options(page));
        }
        let urg = if flags & URG != 0 { self.urgent(text.len()) } else { 0 };
        Draft { seq, ack: acked, flags, wnd: self.window(), urg, options, text }
    }

    fn wild(&mut self) -> Draft {
        Draft {
            seq: self.u.word(),
            ack: self.u.word(),
            flags: self.u.octet(),
            wnd: self.u.half(),
            urg: self.u.half(),
            options: self.u.octets(44).to_vec(),
            text: self.some_text(),
        }
    }

    /// An ICMP message: an error about something in flight or nearly so, or anything else.
    fn icmp(&mut self) -> Vec<u8> {
        let (us, peer, page) = (self.main.local.addr, self.main.remote.addr, self.page());
        let iss = page.iss.map_or(0, Seq::raw);
        let seq = self.beside(&[page.end.raw().wrapping_sub(1), page.end.raw(), iss, iss.wrapping_add(1)]);
        let mtu = self.u.pick(&[1400, 0, 1, 67, 68, 552, 576, 1279, 1280, 1500, 65_535, u32::MAX]);
        let (kind, code) = match (us.is_v4(), self.u.below(8)) {
            (true, 0..3) => (3, 4),
            (true, 3 | 4) => (3, self.u.octet() & 15),
            (true, 5) => (self.u.pick(&[4, 5, 8, 11, 12]), 0),
            (false, 0..3) => (2, 0),
            (false, 3..6) => (self.u.pick(&[1, 3, 4, 128]), self.u.octet() & 7),
            _ => (self.u.octet(), self.u.octet()),
        };
        let mut quoted = Vec::new();
        quoted.extend(self.main.local.port.to_be_bytes());
        quoted.extend(self.main.remote.port.to_be_bytes());
        quoted.extend(seq.to_be_bytes());
        quoted.extend([0; 12]);
        let mut quote = ip(us, peer, self.u.pick(&[6, 6, 6, 17]), &quoted);
        if self.u.one_in(8) {
            quote.truncate(self.u.below(quote.len() + 1));
        }
        icmp(us, peer, kind, code, mtu, &quote)
    }

    /// Octets of the headers change, are cut off or added; mostly the checksums follow.
    fn mutate(&mut self, packet: &mut Vec<u8>) {
        for _ in 0..1 + self.u.below(3) {
            let at = self.u.below(packet.len().min(80));
            if let Some(octet) = packet.get_mut(at) {
                *octet = self.u.octet();
            }
        }
        match self.u.below(8) {
            6 => packet.truncate(self.u.below(packet.len() + 1)),
            7 => packet.extend([0; 9]),
            _ => {}
        }
        // What has a new place in the stream has the octets of that place.
        if let Some((first, text)) = text_of(packet) {
            let octets = text_at(first, Writer::Peer, packet.len() - text);
            packet[text..].copy_from_slice(&octets);
        }
        if !self.u.one_in(4) {
            repair(packet);
        }
    }

    /// The packet arrives in pieces: in any order, some twice, some overlapping, some never.
    fn fragments(&mut self, packet: &[u8]) {
        let v6 = packet.first().is_some_and(|o| o >> 4 == 6);
        let header = if v6 { 40 } else { 20 };
        let Some((head, body)) = packet.split_at_checked(header) else { return };
        let protocol = if v6 { head[6] } else { head[9] };
        let (src, dst) = (self.main.remote.addr, self.main.local.addr);
        if src.is_v4() == v6 {
            return;
        }
        let size = 8 * self.u.pick(&[16, 1, 3, 5, 64, 180]);
        let id = self.u.octet() & 3;
        // Either some pieces are lost or doubled, or some come again at a wrong place. Both at once could trade places
        // within the text, which no TCP could notice: the checksum does not depend on the order of its words.
        let displaced = self.u.one_in(2);
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (at, part) in body.chunks(size).enumerate().take(70) {
            let last = (at + 1) * size >= body.len();
            let here = at * size;
            let offsets = match (self.u.below(16), displaced) {
                (14, false) => vec![],
                (15, false) => vec![here, here],
                (15, true) => vec![here, self.u.pick(&[0, 8, here + 8, 65_528])],
                _ => vec![here],
            };
            for offset in offsets {
                let piece = fragment(src, dst, protocol, id, offset, last, part);
                let place = if self.u.one_in(4) { self.u.below(pieces.len() + 1) } else { pieces.len() };
                pieces.insert(place, piece);
            }
        }
        for piece in pieces {
            self.host.inject(&piece, RxMeta::default(), false);
        }
    }
}

/// One piece of an IP packet's payload.
fn fragment(src: Addr, dst: Addr, protocol: u8, id: u8, offset: usize, last: bool, part: &[u8]) -> Vec<u8> {
    let (offset, more) = (offset as u16 & 0xfff8, u16::from(!last));
    if !src.is_v4() {
        let mut p = vec![protocol, 0];
        p.extend((offset | more).to_be_bytes());
        p.extend([0, 0, 0, id]);
        p.extend(part);
        return ip(src, dst, 44, &p);
    }
    let mut p = ip(src, dst, protocol, part);
    p[4..6].copy_from_slice(&[0, id]);
    p[6..8].copy_from_slice(&(offset >> 3 | more << 13).to_be_bytes());
    p[10..12].fill(0);
    let sum = internet_checksum(&p[..20]);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p
}
