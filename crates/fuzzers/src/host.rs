//! One stack under attack, and what it must keep to whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::time::Duration;

use synfin_link::{Caps, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{Census, Cidr, ConnId, FragLimits, ListenerId, More, Secrets, Stack, StackConfig};
use synfin_tcp::cc::Choice;
use synfin_tcp::{Config, Quirks, ReadError, State, Why};
use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Flags, Instant, Seq, Tuple};

use crate::input::Input;
use crate::ledger::{Ledger, Shared};
use crate::packets::{self, RST};

/// The stack's addresses.
pub const OURS: [Addr; 2] = [host(4, 2), host(6, 2)];
/// A peer's addresses.
pub const PEERS: [Addr; 2] = [host(4, 1), host(6, 1)];
/// More segments than this in one go are a storm.
const STORM: usize = 100_000;

/// 10.9.0.`n` or fd00:9::`n`.
pub const fn host(version: u8, n: u8) -> Addr {
    if version == 4 {
        Addr::v4([10, 9, 0, n])
    } else {
        Addr::v6([0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n])
    }
}

/// Who writes a stream.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Writer {
    /// An application of a stack.
    Stack,
    /// A peer that is played.
    Peer,
}

/// The octets from this sequence number on: the number alone says which octet stands there.
pub fn text_at(seq: Seq, writer: Writer, len: usize) -> Vec<u8> {
    let start = seq.raw().wrapping_add(if writer == Writer::Stack { 1 << 30 } else { 0 });
    let octet = |i| (start.wrapping_add(i).wrapping_mul(0x9e37_79b1) >> 24) as u8;
    (0..len as u32).map(octet).collect()
}

/// Whether the application looks at its connections after every step. Looking schedules them, which could hide that
/// nothing else did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Watch {
    /// After every step.
    Always,
    /// Only for calls.
    Never,
}

/// A connection in the application's hand.
#[derive(Copy, Clone, Debug)]
pub struct Held {
    /// Its name.
    pub id: ConnId,
    /// Largest receive buffer that it ever had.
    pub limit: u32,
    /// Octets written.
    pub written: u32,
    /// Octets read; `None` once some were thrown away unread.
    pub read: Option<u32>,
}

/// One stack with its owner.
pub struct Host {
    /// The stack.
    pub stack: Stack,
    /// The time.
    pub now: Instant,
    /// Its settings.
    pub cfg: StackConfig,
    /// Its device.
    pub caps: Caps,
    /// Connections in the application's hand.
    pub held: Vec<Held>,
    /// Open listeners.
    pub listeners: Vec<ListenerId>,
    /// What it promised.
    pub ledger: Shared,
    /// Whether its connections are looked at.
    pub watch: Watch,
    /// Who writes what arrives.
    pub peer: Writer,
}

/// A packet that a stack has sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The packet, checksums included.
    pub octets: Vec<u8>,
    /// Octets of text in each segment into which the device cuts it.
    pub cut: Option<NonZeroU16>,
}

/// Packets that a stack pushed.
#[derive(Default)]
pub struct Sink {
    /// Packets that may be there.
    pub room: usize,
    /// Packets that are there.
    pub packets: Vec<(Vec<u8>, TxMeta)>,
}

impl TxSink for Sink {
    fn room(&self) -> usize {
        self.room - self.packets.len()
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        assert!(self.packets.len() < self.room, "a push without room");
        let mut packet = head.to_vec();
        payload.iter().for_each(|part| packet.extend_from_slice(part));
        self.packets.push((packet, meta));
    }
}

/// Behaviours of Linux that can be switched on one by one without contradicting what [`Host`] checks.
const QUIRKS: [Quirks; 8] = [
    Quirks::NONE,
    Quirks::SYN_RCVD_SYN_RESETS,
    Quirks::SEQ_BEFORE_ACK,
    Quirks::RIGHT_EDGE_INSIDE,
    Quirks::BEYOND_EDGE_TAKEN,
    Quirks::AFTER_CLOSE_ANY_ACK,
    Quirks::WINDOW_UPDATE_RULE,
    Quirks::LISTENER_CLOSE_KEEPS_HALF_OPEN,
];

/// Settings of connections.
pub fn tcp_config(u: &mut Input<'_>) -> Config {
    const SIZES: [u32; 8] = [262_144, 65_535, 65_536, 1, 100, 2000, 20_000, 1 << 20];
    let base = match u.below(10) {
        0..5 => Config::default(),
        5..7 => Config { congestion_control: Choice::Reno, ..Config::default() },
        7 => Config::linux(),
        _ => Config { quirks: u.pick(&QUIRKS).with(u.pick(&QUIRKS)), ..Config::default() },
    };
    let switches = u.octet();
    Config {
        timestamps: switches & 1 == 0,
        window_scaling: switches & 2 == 0,
        sack: switches & 4 == 0,
        delayed_ack: if switches & 8 == 0 { base.delayed_ack } else { Duration::ZERO },
        rto_min: if switches & 16 == 0 { base.rto_min } else { Duration::from_millis(1) },
        challenge_interval: if switches & 32 == 0 {
            base.challenge_interval
        } else {
            Duration::from_millis(1)
        },
        max_ranges: if switches & 64 == 0 { base.max_ranges } else { 2 },
        min_mss: if switches & 128 == 0 { base.min_mss } else { 8 },
        recv_buffer: u.pick(&SIZES),
        send_buffer: u.pick(&SIZES),
        ..base
    }
}

/// Settings of a stack for a device of this MTU.
pub fn stack_config(u: &mut Input<'_>, mtu: u16) -> StackConfig {
    let mut addrs = vec![Cidr { addr: OURS[0], prefix: 24 }];
    // RFC 8200 5: no IPv6 below this.
    if mtu >= 1280 {
        addrs.push(Cidr { addr: OURS[1], prefix: 64 });
    }
    let tight = u.octet();
    let limit = |bit: u8, most: u32, few: u32| if tight & 1 << bit == 0 { most } else { few };
    StackConfig {
        tcp: tcp_config(u),
        addrs,
        max_connections: limit(0, 1 << 20, 2),
        max_half_open: limit(1, 1 << 16, 1),
        max_time_wait: limit(2, 1 << 16, limit(3, 1, 0)),
        max_orphans: limit(4, 1 << 16, 1),
        max_buffer_memory: limit(5, 1 << 30, limit(6, 20_000, 0)) as usize,
        fragments: FragLimits::default(),
        max_answers: limit(5, 1024, 2),
        max_looped: limit(1, 1024, 2),
        rst_rate: limit(7, 1_000_000, 1),
        icmp_rate: 1000,
        ephemeral_ports: 40_000..=40_003,
    }
}

/// A device.
pub fn caps(u: &mut Input<'_>) -> Caps {
    let mtu = u.pick(&[1500, 576, 1280, 100, 9000, 65_535]);
    let max_gso = u.pick(&[0, 0, 65_535, 9000]);
    Caps { mtu, max_gso, tx_checksum: u.one_in(4) }
}

impl Host {
    /// A stack with settings from the input.
    pub fn new(u: &mut Input<'_>) -> Host {
        let caps = caps(u);
        let cfg = stack_config(u, caps.mtu);
        let now = Instant::from_millis(u.pick(&[1000, 0, 4_294_967_000, 77_000_000_000]));
        let watch = u.pick(&[Watch::Always, Watch::Never]);
        Host::with(cfg, caps, now, watch)
    }

    /// A stack with these settings.
    pub fn with(cfg: StackConfig, caps: Caps, now: Instant, watch: Watch) -> Host {
        let mut stack = Stack::new(cfg.clone(), caps, Secrets([0x5a; 64]));
        let ledger = Shared::default();
        stack.set_probe(Some(Box::new(ledger.clone())));
        Host {
            stack,
            now,
            cfg,
            caps,
            held: Vec::new(),
            listeners: Vec::new(),
            ledger,
            watch,
            peer: Writer::Peer,
        }
    }

    /// Whether the stack has an IPv6 address.
    pub fn has_v6(&self) -> bool {
        self.cfg.addrs.len() > 1
    }

    /// Whether this address is the stack's own.
    fn is_ours(&self, addr: Addr) -> bool {
        self.cfg.addrs.iter().any(|a| a.addr == addr)
    }

    /// The application got a connection.
    pub fn hold(&mut self, id: ConnId) {
        self.held.push(Held { id, limit: self.cfg.tcp.recv_buffer, written: 0, read: Some(0) });
    }

    // --- what the stack sends ------------------------------------------------------------------------------------

    /// One turn; returns whether the stack has more, and the packets.
    pub fn turn(&mut self, budget: usize, room: usize) -> (More, Vec<Packet>) {
        let windows = self.windows();
        let mut sink = Sink { room, packets: Vec::new() };
        self.ledger.lock().sent.clear();
        let more = self.stack.poll_transmit(self.now, budget, &mut sink);
        assert!(sink.packets.len() <= budget, "more packets than the budget");
        let packets =
            sink.packets.into_iter().map(|(packet, meta)| self.check_packet(packet, meta)).collect();
        let ledger = self.ledger.lock();
        assert!(ledger.broken.is_none(), "{}", ledger.broken.as_deref().unwrap_or_default());
        check_windows(&ledger, &windows, self.cfg.tcp.quirks);
        drop(ledger);
        (more, packets)
    }

    /// SND.UNA and SND.WND of every open connection that can be looked at; those to ourselves change while they send.
    fn windows(&mut self) -> BTreeMap<Tuple, (Seq, u32)> {
        let mut windows = BTreeMap::new();
        if self.watch == Watch::Never {
            return windows;
        }
        for held in &self.held {
            let Some(handle) = self.stack.conn(self.now, held.id) else { continue };
            let (tuple, info, closed) = (*handle.get().tuple(), handle.info(), handle.readiness().closed);
            drop(handle);
            if closed.is_none() && info.state != State::TimeWait && !self.is_ours(tuple.remote.addr) {
                windows.insert(tuple, (info.snd_una, info.snd_wnd));
            }
        }
        windows
    }

    /// Turns until nothing is left; returns the packets. All that was sent stands in the ledger.
    pub fn drain(&mut self) -> Vec<Packet> {
        let (mut packets, mut sent, mut with_text) = (Vec::new(), Vec::new(), 0);
        loop {
            let (more, mut some) = self.turn(64, 1 << 20);
            packets.append(&mut some);
            // A connection to itself may send for long, an octet at a time; each is sent once and answered once.
            with_text += self.ledger.lock().sent.iter().filter(|s| s.len > 0 && s.why == Why::New).count();
            sent.append(&mut self.ledger.lock().sent);
            if more == More::Done {
                break;
            }
            assert!(
                sent.len() + packets.len() < STORM + 2 * with_text,
                "the stack never stops sending: {:?}",
                sent.last()
            );
        }
        self.ledger.lock().sent = sent;
        packets
    }

    /// A packet is whole, no larger than the device takes, and its text is what the application wrote. Returns it with
    /// its checksum.
    fn check_packet(&self, mut packet: Vec<u8>, meta: TxMeta) -> Packet {
        if let Some(c) = meta.checksum {
            assert!(self.caps.tx_checksum, "the device cannot sum: {}", Line(&packet));
            let (start, field) = (usize::from(c.start), usize::from(c.start + c.offset));
            let sum = packets::internet_checksum(&packet[start..]);
            packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let out = packets::check_out(&packet);
        let line = Line(&packet);
        if let Some(gso) = meta.gso {
            let (len, size) = (out.as_ref().map_or(0, |o| o.text.len()), usize::from(gso.size.get()));
            assert!(packet.len() <= self.caps.max_gso as usize, "super-segment too long: {line}");
            assert!(len > size, "not worth cutting: {line}");
            assert!(packet.len() - len + size <= usize::from(self.caps.mtu), "parts exceed the MTU: {line}");
        } else {
            assert!(
                packet.len() <= usize::from(self.caps.mtu),
                "{} octets exceed the MTU: {line}",
                packet.len()
            );
        }
        if let Some(out) = out {
            let first = Seq::new(out.seq) + u32::from(out.flags & packets::SYN != 0);
            assert!(
                out.text == text_at(first, Writer::Stack, out.text.len()),
                "text that nobody wrote: {line}"
            );
        }
        Packet { octets: packet, cut: meta.gso.map(|gso| gso.size) }
    }

    // --- what arrives --------------------------------------------------------------------------------------------

    /// A packet arrives; `judged`: its answers alone are counted. Returns what was sent before and after, if judged.
    pub fn inject(&mut self, packet: &[u8], meta: RxMeta, judged: bool) -> Vec<Packet> {
        let shape = packets::tcp_of(packet).map(|(tuple, at)| (tuple, packet[at + 13]));
        let judged = judged || shape.is_some_and(|(_, flags)| flags & RST != 0);
        let mut packets = if judged { self.drain() } else { Vec::new() };
        let buffers = self.stack.census().buffers;
        self.stack.on_packet(self.now, RxFrame { bytes: packet, meta });
        if !judged {
            return packets;
        }
        packets.append(&mut self.drain());
        let ledger = self.ledger.lock();
        let answers = ledger.sent.iter().filter(|s| !self.is_ours(s.tuple.remote.addr)).count();
        // What an acknowledgement lets out is paid for by what was written; everything else has one answer.
        let acks = shape.is_none_or(|(_, flags)| flags & packets::ACK != 0);
        let most = if acks { 16 + buffers / 4 } else { 2 };
        assert!(answers <= most, "{answers} segments in answer to {}: {:?}", Line(packet), ledger.sent);
        if let Some((tuple, flags)) = shape
            && flags & RST != 0
        {
            // RFC 9293 3.5.2: no RST answers a RST.
            let answer = ledger.sent.iter().find(|s| s.tuple == tuple && s.has(Flags::RST));
            assert!(answer.is_none(), "RST in answer to {}: {answer:?}", Line(packet));
        }
        drop(ledger);
        packets
    }

    // --- time ----------------------------------------------------------------------------------------------------

    fn timeout(&mut self, now: Instant) {
        self.now = now;
        self.stack.on_timeout(now);
        let next = self.stack.poll_timeout();
        assert!(next > now, "poll_timeout stays in the past: {next:?} at {now:?}");
    }

    /// The clock jumps: all that was due meanwhile is late.
    pub fn jump(&mut self, d: Duration) {
        self.timeout(self.now + d);
    }

    /// Time passes and every timer fires when it is due, at most `turns` of them. Returns the packets.
    pub fn advance(&mut self, d: Duration, turns: usize) -> Vec<Packet> {
        let end = self.now + d;
        let mut packets = self.drain();
        for _ in 0..turns {
            let next = self.stack.poll_timeout();
            if next > end {
                self.now = end;
                break;
            }
            self.timeout(next.max(self.now));
            packets.append(&mut self.drain());
        }
        packets
    }

    // --- what the application does -------------------------------------------------------------------------------

    /// Takes what waits at the listeners.
    pub fn accept(&mut self) {
        for l in self.listeners.clone() {
            if let Some((id, _)) = self.stack.accept(self.now, l) {
                self.hold(id);
            }
        }
    }

    /// Writes `n` octets as far as they fit; `urgent`: the last of them is.
    pub fn write(&mut self, at: usize, n: usize, urgent: bool) {
        let Some(held) = self.held.get_mut(at) else { return };
        let mut handle = self.stack.conn(self.now, held.id).expect("a connection in hand");
        let text = text_at(handle.info().iss + 1 + held.written, Writer::Stack, n);
        let taken = if urgent { handle.write_urgent(&text) } else { handle.write(&text) };
        let taken = taken.unwrap_or(0);
        assert!(taken <= n, "{taken} octets taken of {n}");
        held.written = held.written.wrapping_add(taken as u32);
    }

    /// Reads at most `n` octets, after a look at them if `peek`: they are what stands there in the peer's stream.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn read(&mut self, at: usize, n: usize, peek: bool) -> Result<usize, ReadError> {
        let Some(held) = self.held.get_mut(at) else { return Ok(0) };
        let mut handle = self.stack.conn(self.now, held.id).expect("a connection in hand");
        // Room for more than there is, but no large buffer for nothing.
        let n = n.min(handle.info().recv_queue as usize + 100);
        let (mut first, mut into) = (vec![0; n], vec![0; n]);
        let peeked = peek.then(|| handle.peek(&mut first));
        let result = handle.read(&mut into);
        assert!(
            peeked.is_none_or(|p| p == result && first == into),
            "peek and read differ: {peeked:?} {result:?}"
        );
        let got = result?;
        assert!(got <= n, "{got} octets read into {n}");
        if let Some(before) = held.read {
            let to_itself = self.cfg.addrs.iter().any(|a| a.addr == handle.get().tuple().remote.addr);
            let writer = if to_itself { Writer::Stack } else { self.peer };
            let start = handle.info().irs + 1 + before;
            assert!(into[..got] == text_at(start, writer, got), "{got} octets at {start} are not the peer's");
            held.read = Some(before.wrapping_add(got as u32));
        }
        Ok(got)
    }

    /// Closes or resets a connection; its name is stale afterwards.
    pub fn let_go(&mut self, at: usize, abort: bool) {
        if at >= self.held.len() {
            return;
        }
        let id = self.held.swap_remove(at).id;
        let handle = self.stack.conn(self.now, id).expect("a connection in hand");
        if abort {
            handle.abort();
        } else {
            handle.close();
        }
        assert!(self.stack.conn(self.now, id).is_none(), "a stale name");
    }

    // --- what always holds ---------------------------------------------------------------------------------------

    /// The tables agree with each other and with what the application knows.
    pub fn check(&mut self) {
        let census = self.stack.census();
        let mut records = BTreeSet::new();
        let (mut up, mut half_open, mut time_wait) = (0, 0, 0);
        self.stack.for_each_record(&mut |tuple, state| {
            if state == State::Listen {
                return;
            }
            assert!(records.insert(*tuple), "two records for {tuple}");
            match state {
                State::TimeWait => time_wait += 1,
                State::SynReceived => half_open += 1,
                _ => up += 1,
            }
        });
        assert_eq!(census.time_wait, time_wait, "{census:?}");
        // SYN_RCVD is a half-open record, or a connection after a crossing open.
        assert!(census.half_open <= half_open && up <= census.connections, "{census:?}");
        let queued: usize = self.listeners.iter().map(|l| self.stack.accept_queue(*l)).sum();
        let known = self.held.len() + queued + census.orphans as usize;
        assert_eq!(
            census.connections as usize, known,
            "{census:?}, {queued} wait for accept: {:?}",
            self.held
        );
        assert_eq!(census.listeners as usize, self.listeners.len());
        assert!(census.connections <= self.cfg.max_connections, "{census:?}");
        assert!(census.half_open <= self.cfg.max_half_open, "{census:?}");
        assert!(census.time_wait <= self.cfg.max_time_wait, "{census:?}");
        assert!(census.orphans <= self.cfg.max_orphans, "{census:?}");
        // A queue's first chunk comes whatever the limit says; the receive queue's while one that was read is still there.
        let first_chunks = 3 * 4096 * census.connections as usize;
        assert!(census.buffers <= self.cfg.max_buffer_memory + first_chunks, "{census:?}");
        if self.watch == Watch::Always {
            self.look();
        }
    }

    /// Each connection agrees with itself.
    fn look(&mut self) {
        let beyond = if self.cfg.tcp.quirks.has(Quirks::BEYOND_EDGE_TAKEN) { 65_535 } else { 0 };
        for held in &mut self.held {
            let handle = self.stack.conn(self.now, held.id).expect("nobody but the application lets it go");
            let (conn, info, ready) = (handle.get(), handle.info(), handle.readiness());
            held.limit = held.limit.max(conn.recv_buffer());
            let what = || format!("{:?} {info:?} {ready:?}", conn.tuple());
            if ready.closed.is_some() || info.state == State::TimeWait {
                assert_eq!((info.send_queue, info.flight), (0, 0), "a husk holds text: {}", what());
                continue;
            }
            let space = u64::from(held.limit) + beyond;
            let unread = u64::from(info.recv_queue);
            assert!(u64::from(info.rcv_wnd) + unread <= space, "the window exceeds the buffer: {}", what());
            assert!(conn.held_octets() + unread <= space, "more text than the buffer: {}", what());
            assert!(info.snd_una.at_or_before(info.snd_nxt), "{}", what());
            assert!(info.mss >= 8 && info.cwnd >= 8, "{}", what());
            let opening = matches!(info.state, State::SynSent | State::SynReceived);
            if !opening && info.snd_una != info.iss {
                assert_eq!(info.flight, info.snd_nxt.since(info.snd_una), "{}", what());
            }
            if !opening
                && let Some(page) = self.ledger.lock().pages.get_mut(conn.tuple())
                && page.iss == Some(info.iss)
            {
                page.shift = Some(info.wscale.0);
            }
        }
    }

    /// The application lets everything go, and a silent day later nothing is left.
    pub fn finish(&mut self) {
        while !self.held.is_empty() {
            self.let_go(0, false);
        }
        for l in std::mem::take(&mut self.listeners) {
            self.stack.close_listener(self.now, l);
        }
        self.check();
        let end = self.now + Duration::from_secs(86_400);
        self.advance(Duration::from_secs(86_400), STORM);
        assert_eq!(self.now, end, "timers never end");
        assert_eq!(self.stack.census(), Census::default(), "left after a day");
        assert!(self.stack.poll_timeout().is_never(), "a timer of nobody: {:?}", self.stack.poll_timeout());
        assert!(self.drain().is_empty(), "nobody is left to send");
    }
}

/// RFC 9293 3.8.6: nothing but probes beyond the peer's window.
/// Linux's probes have no text, and where the window closed over what is in flight the first of it goes again whole.
fn check_windows(ledger: &Ledger, windows: &BTreeMap<Tuple, (Seq, u32)>, quirks: Quirks) {
    let whole_first = quirks.has(Quirks::PROBE_WITHOUT_TEXT);
    for sent in &ledger.sent {
        let Some((una, wnd)) = windows.get(&sent.tuple) else { continue };
        let counts = matches!(sent.why, Why::New | Why::Timeout | Why::FastRetransmit)
            && sent.end() != sent.head.seq
            && !sent.has(Flags::SYN);
        let beyond = sent.end().after(*una + *wnd);
        let allowed = whole_first && sent.head.seq == *una && sent.why != Why::New;
        assert!(!counts || !beyond || allowed, "beyond SND.UNA {una} + SND.WND {wnd}: {sent:?}");
    }
}

/// The stack's end and the peer's.
pub fn tuple(v6: bool, local_port: u16, remote_port: u16) -> Tuple {
    let i = usize::from(v6);
    Tuple { local: Endpoint::new(OURS[i], local_port), remote: Endpoint::new(PEERS[i], remote_port) }
}
