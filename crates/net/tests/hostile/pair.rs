//! Two stacks and a wire that loses, repeats, delays, damages, replays and forges: every octet that is read is the one
//! that was written.
//!
//! Forged are segments that a receiver has to see through: text outside the window, in-window text that acknowledges
//! what was never sent, inexact RSTs, SYNs, windows and SACK blocks of somebody else, ICMP errors. What no receiver can
//! tell from the truth (exact RSTs, in-window text with a good acknowledgement) is left out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use synfin_link::{Caps, RxFrame};
use synfin_net::{
    Census, Cidr, ConnId, ConnectOpts, ListenOpts, ListenerId, More, Secrets, Stack, StackConfig,
};
use synfin_tcp::{Config, ReadError, Shutdown, WriteError};
use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

use crate::rig::packet::{Out, fill_checksum, icmp_quoting, ip};
use crate::rig::{ms, s, v4, v6};
use crate::run::{Rng, seeds, traced};
use crate::world::Sink;

/// The wire is hostile for so long; after that it carries everything.
const STORM: Duration = s(60);

/// One end's view of one connection.
#[derive(Debug, Default)]
struct Stream {
    id: Option<ConnId>,
    to_write: u64,
    written: u64,
    to_read: u64,
    read: u64,
    shut: bool,
    closed: bool,
}

struct End {
    stack: Stack,
    streams: Vec<Stream>,
    listener: Option<ListenerId>,
    /// What it sent lately.
    old: VecDeque<Vec<u8>>,
    /// What is known from its segments, by 4-tuple: the last one, and the highest number.
    known: BTreeMap<Tuple, (Out, u32)>,
}

struct Duel {
    rng: Rng,
    now: Instant,
    start: Instant,
    ends: [End; 2],
    /// By arrival: whom it reaches.
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    serial: u64,
    /// Percent: lost, sent twice, late, damaged, followed by something old, followed by something forged.
    odds: [u64; 6],
}

/// The octet at this place of a stream.
fn octet(stream: usize, end: usize, at: u64) -> u8 {
    let n = at.wrapping_add((stream as u64) << 40).wrapping_add((end as u64) << 50);
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

fn config(rng: &mut Rng, addrs: [Addr; 2]) -> StackConfig {
    let base = if rng.percent(30) { Config::linux() } else { Config::default() };
    let sizes = [1, 2000, 20_000, 65_536, 262_144];
    StackConfig {
        tcp: Config {
            recv_buffer: rng.pick(&sizes),
            send_buffer: rng.pick(&sizes),
            timestamps: rng.percent(70),
            window_scaling: rng.percent(70),
            sack: rng.percent(70),
            max_ranges: rng.pick(&[1, 4, 4096]),
            ..base
        },
        addrs: addrs.map(|addr| Cidr { addr, prefix: if addr.is_v4() { 24 } else { 64 } }).to_vec(),
        max_buffer_memory: rng.pick(&[40_960, 1 << 30, 1 << 30]),
        ..StackConfig::default()
    }
}

impl End {
    fn new(rng: &mut Rng, cfg: StackConfig) -> End {
        let mtu = rng.pick(&[1280, 1500, 1500, 9000]);
        let mut secrets = [0; 64];
        secrets.copy_from_slice(&rng.octets(64));
        let stack = Stack::new(cfg, Caps::plain(mtu), Secrets(secrets));
        End { stack, streams: Vec::new(), listener: None, old: VecDeque::new(), known: BTreeMap::new() }
    }
}

/// When a connection between these gets an ISS just before the wrap: it moves on by one every 4 us (RFC 6528 3).
fn before_the_wrap(stack: &mut Stack, now: Instant, local: Endpoint, to: Endpoint) -> Instant {
    let id = stack.connect(now, to, ConnectOpts { local: Some(local) }).expect("free");
    let handle = stack.conn(now, id).expect("a connection in hand");
    let left = handle.info().iss.raw().wrapping_neg().wrapping_sub(5000);
    handle.abort();
    now + Duration::from_micros(4 * u64::from(left))
}

impl Duel {
    fn new(seed: u64) -> Duel {
        let mut rng = Rng::new(seed);
        let mut start = Instant::from_millis(rng.pick(&[0, 4_294_960_000, 1_000_000]));
        let cfgs = [1, 2].map(|host| config(&mut rng, [v4(host), v6(host)]));
        let tiny = cfgs.iter().any(|c| c.tcp.recv_buffer.min(c.tcp.send_buffer) < 100);
        let mut ends = cfgs.map(|cfg| End::new(&mut rng, cfg));
        let host = if rng.percent(60) { v4 } else { v6 };
        let to = Endpoint::new(host(2), 80);
        ends[1].listener = Some(ends[1].stack.listen(to, ListenOpts::default()).expect("free"));
        if rng.percent(30) {
            start = before_the_wrap(&mut ends[0].stack, start, Endpoint::new(host(1), 5000), to);
        }
        for i in 0..1 + rng.upto(3) {
            let sizes = [rng.below(3), rng.below(3000), rng.below(100_000), rng.below(100_000)];
            // Octet by octet takes its time.
            let most = if tiny { 1000 } else { u64::MAX };
            let (there, back) = (rng.pick(&sizes).min(most), rng.pick(&sizes).min(most));
            let local = Some(Endpoint::new(host(1), 5000 + i as u16));
            let id = ends[0].stack.connect(start, to, ConnectOpts { local }).expect("free");
            // Now and then both open at once.
            let other = local.filter(|_| rng.percent(15)).map(|from| {
                ends[1].stack.connect(start, from, ConnectOpts { local: Some(to) }).expect("free")
            });
            ends[0].streams.push(Stream {
                id: Some(id),
                to_write: there,
                to_read: back,
                ..Stream::default()
            });
            ends[1].streams.push(Stream { id: other, to_write: back, to_read: there, ..Stream::default() });
        }
        let odds = std::array::from_fn(|_| rng.pick(&[0, 2, 10, 20]));
        Duel { rng, now: start, start, ends, flying: BTreeMap::new(), serial: 0, odds }
    }

    // --- the applications ----------------------------------------------------------------------------------------

    fn accept(&mut self) {
        let end = &mut self.ends[1];
        let Some(listener) = end.listener else { return };
        while let Some((id, tuple)) = end.stack.accept(self.now, listener) {
            let stream = &mut end.streams[usize::from(tuple.remote.port - 5000)];
            assert!(stream.id.is_none(), "{tuple} was accepted twice");
            stream.id = Some(id);
        }
    }

    fn use_stream(&mut self, e: usize, i: usize) {
        let Duel { rng, now, ends, .. } = self;
        let End { stack, streams, .. } = &mut ends[e];
        let stream = &mut streams[i];
        let Some(id) = stream.id.filter(|_| !stream.closed) else { return };
        let mut handle = stack.conn(*now, id).expect("a connection in hand");
        let want = (stream.to_write - stream.written).min(1 + rng.below(5000));
        let text: Vec<u8> = (stream.written..stream.written + want).map(|at| octet(i, e, at)).collect();
        match handle.write(&text) {
            Ok(n) => stream.written += n as u64,
            Err(WriteError::WouldBlock) => {}
            Err(why) => assert!(text.is_empty(), "end {e} stream {i}: {why}: {stream:?}"),
        }
        let connected = handle.readiness().connected;
        if stream.written == stream.to_write && !stream.shut && connected {
            stream.shut = true;
            handle.shutdown(Shutdown::Write);
        }
        let mut into = vec![0; 1 + rng.upto(5000)];
        match handle.read(&mut into) {
            Ok(0) => {
                assert_eq!(stream.read, stream.to_read, "end {e} stream {i} ended early");
                if stream.shut {
                    stream.closed = true;
                    handle.close();
                }
            }
            Ok(n) => {
                let right: Vec<u8> =
                    (stream.read..stream.read + n as u64).map(|at| octet(i, 1 - e, at)).collect();
                assert!(into[..n] == right, "end {e} stream {i}: not what was written at {}", stream.read);
                stream.read += n as u64;
            }
            Err(ReadError::WouldBlock) => {}
            Err(why) => panic!("end {e} stream {i}: {why}: {stream:?}"),
        }
    }

    // --- the wire ------------------------------------------------------------------------------------------------

    fn fly(&mut self, to: usize, packet: Vec<u8>, delay: Duration) {
        self.serial += 1;
        self.flying.insert((self.now + delay, self.serial), (to, packet));
    }

    fn carry(&mut self, from: usize, packet: Vec<u8>) {
        let out = Out::read(self.now, &packet);
        if traced() {
            println!("{:?} end {from}: {}", self.now, Line(&packet));
        }
        let storm = self.now.since(self.start) < STORM;
        let to = 1 - from;
        if out.icmp.is_none() && !out.has('R') {
            let end = out.raw_seq.wrapping_add(out.seq_len());
            let known = &mut self.ends[from].known;
            let highest = known
                .get(&out.tuple)
                .map_or(end, |(_, e)| if (end.wrapping_sub(*e) as i32) > 0 { end } else { *e });
            known.insert(out.tuple, (out.clone(), highest));
        }
        let hit = |rng: &mut Rng, odds: u64| storm && rng.percent(odds);
        let [loss, twice, late, damage, replay, forge] = self.odds;
        if hit(&mut self.rng, replay) && !self.ends[from].old.is_empty() {
            let old = &self.ends[from].old;
            let packet = old[self.rng.upto(old.len())].clone();
            self.fly(to, packet, ms(1));
        }
        if hit(&mut self.rng, forge)
            && let Some(packet) = self.forge(from, &out)
        {
            self.fly(to, packet, ms(1));
        }
        self.ends[from].old.push_back(packet.clone());
        if self.ends[from].old.len() > 100 {
            self.ends[from].old.pop_front();
        }
        let mut delay = ms(10);
        if hit(&mut self.rng, late) {
            delay += ms(self.rng.below(200));
        }
        if hit(&mut self.rng, twice) {
            let second = delay + ms(self.rng.below(50));
            self.fly(to, packet.clone(), second);
        }
        if hit(&mut self.rng, damage) {
            // One bit, or the tail: no checksum misses that.
            let mut packet = packet.clone();
            let at = self.rng.upto(packet.len());
            if self.rng.percent(90) {
                packet[at] ^= 1 << self.rng.below(8)
            } else {
                packet.truncate(at)
            }
            self.fly(to, packet, ms(1));
        }
        if !hit(&mut self.rng, loss) {
            self.fly(to, packet, delay);
        }
    }

    /// A segment in the name of `from`, who has just sent `out`.
    fn forge(&mut self, from: usize, out: &Out) -> Option<Vec<u8>> {
        // Only where both sides are open: before, whoever guesses everything is believed.
        let (theirs, their_end) = self.ends[1 - from].known.get(&out.tuple.flipped())?;
        let our_end = self.ends[from].known.get(&out.tuple)?.1;
        if out.icmp.is_some() || out.has('S') || out.has('R') || theirs.has('S') {
            return None;
        }
        let (ack, their_end) = (theirs.raw_ack?, *their_end);
        let rng = &mut self.rng;
        let far = rng.word() >> 2;
        // Nor will it be until this arrives: no buffer is so large.
        let never_sent = their_end.wrapping_add((1 << 20) + rng.pick(&[0, 1, 100_000, far]));
        let good = out.raw_ack?;
        let n = 1 + rng.upto(1000);
        let text = rng.octets(n);
        // Sequence number, acknowledgement number, flags, text.
        let (seq, ack, flags, text) = match rng.below(7) {
            // Wholly before what was acknowledged.
            0 => (ack.wrapping_sub(n as u32 + rng.pick(&[0, 1, 5000])), good, 0x10, text),
            // Beyond every window.
            1 => (our_end.wrapping_add((1 << 20) + far), good, 0x18, text),
            2 => (ack, never_sent, 0x18, text),
            3 => (our_end.wrapping_add(1 + rng.below(100) as u32), good, rng.pick(&[0x04, 0x14]), vec![]),
            4 => (
                rng.pick(&[ack, our_end, far]),
                rng.pick(&[good, never_sent]),
                rng.pick(&[0x02, 0x12]),
                vec![],
            ),
            5 => return Some(self.forge_icmp(out, their_end)),
            // An old acknowledgement with somebody's window and blocks.
            _ => (our_end, good, 0x10, vec![]),
        };
        let mut options = Vec::new();
        if let Some((val, ecr)) = out.ts {
            options.extend([1, 1, 8, 10]);
            options.extend(val.to_be_bytes());
            options.extend(ecr.to_be_bytes());
        }
        if rng.percent(30) {
            let left = their_end.wrapping_sub(rng.pick(&[1, 1460, 5000, 20_000]));
            options.extend([1, 1, 5, 10]);
            options.extend(left.to_be_bytes());
            options.extend(left.wrapping_add(rng.pick(&[0, 1, 1460, 5000])).to_be_bytes());
        }
        let window: u16 = rng.pick(&[0, 1, 100, 65_535]);
        let mut t = Vec::new();
        t.extend(out.tuple.local.port.to_be_bytes());
        t.extend(out.tuple.remote.port.to_be_bytes());
        t.extend(seq.to_be_bytes());
        t.extend(ack.to_be_bytes());
        t.extend([(4 * (20 + options.len())) as u8, flags]);
        t.extend(window.to_be_bytes());
        t.extend([0; 4]);
        t.extend(options);
        t.extend(text);
        let (src, dst) = (out.tuple.local.addr, out.tuple.remote.addr);
        fill_checksum(src, dst, 6, &mut t, 16);
        Some(ip(src, dst, 6, &t))
    }

    /// An ICMP error about a segment of the other end.
    fn forge_icmp(&mut self, out: &Out, their_end: u32) -> Vec<u8> {
        let (us, peer) = (out.tuple.local, out.tuple.remote);
        let rng = &mut self.rng;
        let mut quoted = Vec::new();
        quoted.extend(peer.port.to_be_bytes());
        quoted.extend(us.port.to_be_bytes());
        quoted.extend(their_end.wrapping_sub(rng.pick(&[0, 1, 1000])).to_be_bytes());
        let quote = ip(peer.addr, us.addr, 6, &quoted);
        let (kind, code) = if us.addr.is_v4() {
            rng.pick(&[(3, 4), (3, 4), (3, 1), (3, 3), (4, 0), (11, 0), (12, 0)])
        } else {
            rng.pick(&[(2, 0), (2, 0), (1, 0), (1, 4), (3, 0), (4, 0)])
        };
        let mtu = rng.pick(&[0, 1, 67, 552, 1280, 1400, 65_535]);
        icmp_quoting(peer.addr, us.addr, kind, code, mtu, &quote)
    }

    // --- time ----------------------------------------------------------------------------------------------------

    fn drain(&mut self) {
        for e in 0..2 {
            for rounds in 0.. {
                assert!(rounds < 1000, "end {e} never stops sending");
                let mut sink = Sink { room: 64, packets: Vec::new() };
                let more = self.ends[e].stack.poll_transmit(self.now, 64, &mut sink);
                for (packet, _) in sink.packets {
                    self.carry(e, packet);
                }
                if more == More::Done {
                    break;
                }
            }
        }
    }

    /// On to whatever comes first, but no further than `end`.
    fn go_on(&mut self, end: Instant) {
        let arrival = self.flying.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
        let timer = self.ends[0].stack.poll_timeout().min(self.ends[1].stack.poll_timeout());
        self.now = self.now.max(arrival.min(timer).min(end));
        while let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= self.now
        {
            let (to, packet) = entry.remove();
            self.ends[to].stack.on_packet(self.now, RxFrame::plain(&packet));
        }
        for end in &mut self.ends {
            end.stack.on_timeout(self.now);
            assert!(end.stack.poll_timeout() > self.now, "poll_timeout stays in the past");
        }
        self.drain();
    }

    fn done(&self) -> bool {
        self.ends.iter().all(|e| e.streams.iter().all(|s| s.closed))
    }

    fn run(&mut self) {
        self.drain();
        let end = self.start + s(4 * 3600);
        // Applications come by now and then, not only when something happens.
        let mut visit = self.now;
        while !self.done() {
            if self.now >= visit {
                self.accept();
                for e in 0..2 {
                    for i in 0..self.ends[e].streams.len() {
                        if self.rng.percent(70) {
                            self.use_stream(e, i);
                        }
                    }
                }
                self.drain();
                visit = self.now + ms(self.rng.pick(&[1, 5, 20, 300]));
            }
            self.go_on(visit);
            let streams = [&self.ends[0].streams, &self.ends[1].streams];
            assert!(self.now < end, "not done in time: {streams:#?}");
        }
        let listener = self.ends[1].listener.take().expect("listens");
        self.ends[1].stack.close_listener(self.now, listener);
        let end = self.now + s(1200);
        while self.now < end {
            self.go_on(end);
        }
        for e in &self.ends {
            assert_eq!(e.stack.census(), Census::default(), "left behind");
            assert!(e.stack.poll_timeout().is_never(), "a timer of nobody");
        }
    }
}

#[test]
fn pairs() {
    seeds("pairs", 150, |seed| Duel::new(seed).run());
}
