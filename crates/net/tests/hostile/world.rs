//! One stack with random settings, and everything that it must keep to whatever happens to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use synfin_link::{Caps, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{Cidr, ConnId, ListenerId, More, Secrets, Stack, StackConfig};
use synfin_tcp::{Config, Quirks, State, Why};
use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Flags, Instant, Seq, Tuple};

use crate::ledger::{Ledger, Scribe, Sent};
use crate::rig::packet::{Out, fill_checksum, internet_checksum};
use crate::rig::{ms, s, v4, v6};
use crate::run::{Rng, traced};

/// Ports on which the application may listen.
pub const LOCAL_PORTS: [u16; 2] = [80, 81];
/// Ports of peers.
pub const PEER_PORTS: [u16; 3] = [4000, 4001, 80];
/// Our own hosts' addresses.
pub const OURS: [Addr; 2] = [v4(2), v6(2)];
/// Hosts of peers.
pub const PEERS: [Addr; 3] = [v4(1), v4(3), v6(1)];

/// More segments than this in one go are a storm: a connection to itself may carry all that it has octet by octet.
const STORM: usize = 3_000_000;
/// More timers than this on a silent day are too many.
const TIMERS: usize = 60_000;

/// A connection in the application's hand.
#[derive(Copy, Clone, Debug)]
pub struct Held {
    pub id: ConnId,
    /// Largest receive buffer that it ever had.
    pub limit: u32,
}

/// Whether the application looks at its connections after every step. Looking schedules them, which could hide that
/// nothing else did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Watch {
    Always,
    Never,
}

pub struct World {
    pub rng: Rng,
    pub stack: Stack,
    pub now: Instant,
    pub cfg: StackConfig,
    pub caps: Caps,
    pub watch: Watch,
    pub held: Vec<Held>,
    pub listeners: Vec<ListenerId>,
    /// What was injected lately.
    pub old: VecDeque<Vec<u8>>,
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Default)]
pub struct Sink {
    pub room: usize,
    pub packets: Vec<(Vec<u8>, TxMeta)>,
}

impl TxSink for Sink {
    fn room(&self) -> usize {
        self.room - self.packets.len()
    }
    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        assert!(self.packets.len() < self.room, "a push without room");
        let mut packet = head.to_vec();
        payload.iter().for_each(|p| packet.extend_from_slice(p));
        self.packets.push((packet, meta));
    }
}

/// Some of Linux's behaviours.
const QUIRKS: [Quirks; 12] = [
    Quirks::SYN_RCVD_SYN_RESETS,
    Quirks::SEQ_BEFORE_ACK,
    Quirks::RIGHT_EDGE_INSIDE,
    Quirks::BEYOND_EDGE_DROPS_ALL,
    Quirks::BEYOND_EDGE_TAKEN,
    Quirks::RST_AT_SACK_ACCEPTED,
    Quirks::TIME_WAIT_ANY_RESTARTS,
    Quirks::AFTER_CLOSE_ANY_ACK,
    Quirks::WINDOW_UPDATE_RULE,
    Quirks::LISTENER_CLOSE_KEEPS_HALF_OPEN,
    Quirks::UNREAD_RESETS_LATE_STATES,
    Quirks::ZERO_WINDOW_OLD_FIN_ACK,
];

fn tcp_config(rng: &mut Rng) -> Config {
    let base = if rng.percent(30) { Config::linux() } else { Config::default() };
    let mut quirks = base.quirks;
    if rng.percent(20) {
        quirks = QUIRKS.iter().fold(Quirks::NONE, |all, q| if rng.percent(50) { all.with(*q) } else { all });
        // The one bounds what the other takes.
        if quirks.has(Quirks::BEYOND_EDGE_TAKEN) {
            quirks = quirks.with(Quirks::BEYOND_EDGE_DROPS_ALL);
        }
    }
    let sizes = [1, 100, 2000, 20_000, 65_535, 65_536, 65_536, 262_144, 262_144, 1 << 20];
    Config {
        quirks,
        msl: rng.pick(&[s(1), s(30)]),
        rto_min: rng.pick(&[ms(1), ms(200), base.rto_min]),
        syn_retries: rng.pick(&[0, 1, base.syn_retries]),
        syn_ack_retries: rng.pick(&[0, 1, base.syn_ack_retries]),
        delayed_ack: rng.pick(&[Duration::ZERO, ms(40)]),
        challenge_interval: rng.pick(&[ms(1), ms(500)]),
        recv_buffer: rng.pick(&sizes),
        send_buffer: rng.pick(&sizes),
        timestamps: rng.percent(70),
        window_scaling: rng.percent(70),
        sack: rng.percent(70),
        min_mss: rng.pick(&[8, 48, 48, 536]),
        max_ranges: rng.pick(&[1, 4, 4096]),
        ..base
    }
}

fn stack_config(rng: &mut Rng, mtu: u16) -> StackConfig {
    let mut addrs = vec![Cidr { addr: OURS[0], prefix: 24 }];
    // RFC 8200 5: no IPv6 below this.
    if mtu >= 1280 {
        addrs.push(Cidr { addr: OURS[1], prefix: 64 });
    }
    StackConfig {
        tcp: tcp_config(rng),
        addrs,
        max_connections: rng.pick(&[1, 3, 1 << 20, 1 << 20, 1 << 20]),
        max_half_open: rng.pick(&[0, 1, 1 << 16, 1 << 16]),
        max_time_wait: rng.pick(&[0, 1, 1 << 16, 1 << 16]),
        max_orphans: rng.pick(&[0, 1, 1 << 16, 1 << 16]),
        max_buffer_memory: rng.pick(&[0, 20_000, 1 << 30, 1 << 30, 1 << 30]),
        fragments: Default::default(),
        max_answers: 1024,
        max_looped: 1024,
        rst_rate: rng.pick(&[0, 100, 1_000_000, 1_000_000]),
        icmp_rate: rng.pick(&[0, 1000]),
        ephemeral_ports: 40_000..=40_003,
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let mtu = rng.pick(&[100, 576, 1280, 1500, 1500, 9000, 65_535]);
        let caps = Caps {
            mtu,
            max_gso: if rng.percent(30) { rng.pick(&[9000, 65_535]) } else { 0 },
            tx_checksum: rng.percent(20),
        };
        let cfg = stack_config(&mut rng, mtu);
        if traced() {
            println!("{caps:?} {cfg:?}");
        }
        let mut secrets = [0; 64];
        secrets.copy_from_slice(&rng.octets(64));
        let mut stack = Stack::new(cfg.clone(), caps, Secrets(secrets));
        let ledger = Arc::new(Mutex::new(Ledger { trace: traced(), ..Ledger::default() }));
        stack.set_probe(Some(Box::new(Scribe(ledger.clone()))));
        let now = Instant::from_millis(rng.pick(&[0, 1, 4_294_967_000, 77_000_000_000]));
        let watch = if seed.is_multiple_of(2) { Watch::Always } else { Watch::Never };
        let (held, listeners, old) = (Vec::new(), Vec::new(), VecDeque::new());
        World { rng, stack, now, cfg, caps, watch, held, listeners, old, ledger }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("ledger")
    }

    pub fn has_v6(&self) -> bool {
        self.cfg.addrs.len() > 1
    }

    /// A step for the trace.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.ledger().trace {
            println!("{:?} {}", self.now, what());
        }
    }

    // --- what the stack sends ------------------------------------------------------------------------------------

    /// One turn; returns whether the stack has more, and how many segments and packets it sent.
    pub fn turn(&mut self, budget: usize, room: usize) -> (More, usize) {
        let windows = self.windows();
        let probes_whole = self.cfg.tcp.quirks.has(Quirks::PROBE_WITHOUT_TEXT);
        let mut sink = Sink { room, packets: Vec::new() };
        self.ledger().sent.clear();
        let more = self.stack.poll_transmit(self.now, budget, &mut sink);
        assert!(sink.packets.len() <= budget, "more packets than the budget");
        let outs: Vec<Out> = sink.packets.iter().map(|(p, meta)| self.check_packet(p, *meta)).collect();
        let ledger = self.ledger();
        // The probe was told of every segment, and of nothing else.
        let seen = outs.iter().filter(|o| o.icmp.is_none()).map(|o| (o.tuple, o.raw_seq, o.text.len()));
        let told = ledger.sent.iter().filter(|s| !OURS.contains(&s.tuple.remote.addr));
        assert!(
            seen.eq(told.map(|s| (s.tuple, s.head.seq.raw(), s.len as usize))),
            "{outs:?} {:?}",
            ledger.sent
        );
        if let Some(broken) = &ledger.broken {
            panic!("{broken}");
        }
        for sent in &ledger.sent {
            // RFC 9293 3.8.6: nothing beyond the peer's window but probes.
            let Some((una, wnd)) = windows.get(&sent.tuple) else { continue };
            let beyond = sent.end().after(*una + *wnd);
            let counts = matches!(sent.why, Why::New | Why::Timeout | Why::FastRetransmit)
                && sent.end() != sent.head.seq
                && !sent.has(Flags::SYN);
            // Where a closed window is probed without text, what is in flight goes again whole.
            let whole = probes_whole && sent.why != Why::New && sent.head.seq == *una;
            assert!(!(counts && beyond && !whole), "beyond SND.UNA {una} + SND.WND {wnd}: {sent:?}");
        }
        let count = ledger.sent.len().max(sink.packets.len());
        drop(ledger);
        (more, count)
    }

    /// SND.UNA and SND.WND of every open connection that can be looked at; those to ourselves change while they send.
    fn windows(&mut self) -> BTreeMap<Tuple, (Seq, u32)> {
        let mut windows = BTreeMap::new();
        if self.watch == Watch::Never {
            return windows;
        }
        for held in &self.held {
            let Some(handle) = self.stack.conn(self.now, held.id) else { continue };
            let (tuple, info, up) =
                (*handle.get().tuple(), handle.info(), handle.readiness().closed.is_none());
            let looped = OURS.contains(&tuple.remote.addr);
            if up && info.state != State::TimeWait && !looped {
                windows.insert(tuple, (info.snd_una, info.snd_wnd));
            }
        }
        windows
    }

    /// Turns until nothing is left; returns how many segments and packets there were.
    pub fn drain(&mut self) -> usize {
        let mut count = 0;
        let mut sent = Vec::new();
        loop {
            let (more, n) = self.turn(64, 1 << 20);
            let outside = |s: &Sent| !OURS.contains(&s.tuple.remote.addr);
            sent.extend(std::mem::take(&mut self.ledger().sent).into_iter().filter(outside));
            count += n;
            if more == More::Done {
                break;
            }
            assert!(count < STORM, "the stack never stops sending: {:?}", sent.last());
        }
        self.ledger().sent = sent;
        if self.watch == Watch::Always {
            self.check_waiting();
        }
        count
    }

    /// Nothing can be sent: what is not delivered waits for a timer, or it would wait for ever.
    fn check_waiting(&mut self) {
        for held in &self.held {
            let handle = self.stack.conn(self.now, held.id).expect("a connection in hand");
            let (conn, ready) = (handle.get(), handle.readiness());
            let waits = ready.closed.is_none() && !(ready.connected && ready.drained);
            let what = || format!("{:?} {:?} {ready:?}", conn.tuple(), handle.info());
            assert!(!waits || !conn.poll_timeout().is_never(), "waits for nothing: {}", what());
        }
    }

    /// A packet is whole: lengths, checksums, options; and no larger than the device takes.
    fn check_packet(&self, packet: &[u8], meta: TxMeta) -> Out {
        let mut packet = packet.to_vec();
        if let Some(c) = meta.checksum {
            assert!(self.caps.tx_checksum, "the device cannot sum: {}", Line(&packet));
            let (start, offset) = (usize::from(c.start), usize::from(c.offset));
            let sum = internet_checksum(&packet[start..]);
            packet[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let out = Out::read(self.now, &packet);
        if let Some(gso) = meta.gso {
            assert!(packet.len() <= self.caps.max_gso as usize, "super-segment too long: {}", Line(&packet));
            assert!(out.text.len() > usize::from(gso.size.get()), "not worth cutting: {}", Line(&packet));
            let each = packet.len() - out.text.len() + usize::from(gso.size.get());
            assert!(each <= usize::from(self.caps.mtu), "each part exceeds the MTU: {}", Line(&packet));
        } else {
            let most = usize::from(self.caps.mtu);
            assert!(packet.len() <= most, "{} octets exceed the MTU: {}", packet.len(), Line(&packet));
        }
        out
    }

    // --- what arrives --------------------------------------------------------------------------------------------

    /// A packet arrives.
    pub fn inject(&mut self, packet: &[u8], meta: RxMeta) {
        let shape = shape(packet);
        let judged = self.rng.percent(50) || shape.is_some_and(|(_, flags)| flags & 4 != 0);
        if judged {
            self.drain();
        }
        self.tell(|| format!("in {} octets {}", packet.len(), Line(packet)));
        let buffers = self.stack.census().buffers;
        self.stack.on_packet(self.now, RxFrame { bytes: packet, meta });
        if !judged {
            return;
        }
        self.drain();
        let ledger = self.ledger();
        let answers = ledger.sent.len();
        // What an acknowledgement lets out is paid for by what was written; everything else has one answer.
        let without_ack = shape.is_some_and(|(_, flags)| flags & 0x10 == 0);
        let most = if without_ack { 2 } else { 16 + buffers / 4 };
        assert!(answers <= most, "{answers} segments in answer to {}: {:?}", Line(packet), ledger.sent);
        if let Some((tuple, flags)) = shape
            && flags & 4 != 0
        {
            // RFC 9293 3.5.2: no RST answers a RST.
            let answer = ledger.sent.iter().find(|s| s.tuple == tuple && s.has(Flags::RST));
            assert!(answer.is_none(), "RST in answer to {}: {answer:?}", Line(packet));
        }
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
        self.tell(|| format!("jump {d:?}"));
        self.timeout(self.now + d);
    }

    /// Time passes and every timer fires when it is due, at most `turns` of them.
    pub fn advance(&mut self, d: Duration, turns: usize) {
        self.tell(|| format!("advance {d:?}"));
        let end = self.now + d;
        self.drain();
        for _ in 0..turns {
            let next = self.stack.poll_timeout();
            if next > end {
                self.now = end;
                return;
            }
            self.timeout(next.max(self.now));
            self.drain();
        }
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
        assert!(census.half_open <= half_open, "{census:?}");
        assert!(up <= census.connections, "{census:?}");
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
        let first_chunks = 2 * 4096 * census.connections as usize;
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
            let space = u64::from(held.limit.max(1 << info.wscale.0)) + beyond;
            if ready.closed.is_some() || info.state == State::TimeWait {
                assert_eq!((info.send_queue, info.flight), (0, 0), "a husk holds text: {}", what());
                continue;
            }
            let opening = matches!(info.state, State::SynSent | State::SynReceived);
            let inside = u64::from(info.rcv_wnd) + u64::from(info.recv_queue);
            assert!(inside <= space, "window and unread text exceed the buffer: {}", what());
            let octets = conn.held_octets() + u64::from(info.recv_queue);
            assert!(octets <= space, "more text than the buffer: {}", what());
            assert!(info.snd_una.at_or_before(info.snd_nxt), "{}", what());
            assert!(info.mss >= 8 && info.cwnd >= 8, "{}", what());
            if !opening && info.snd_una != info.iss {
                assert_eq!(info.flight, info.snd_nxt.since(info.snd_una), "{}", what());
            }
            let (tuple, shift) = (*conn.tuple(), info.wscale.0);
            drop(handle);
            if !opening
                && let Some(page) = self.ledger.lock().expect("ledger").pages.get_mut(&tuple)
                && page.iss == Some(info.iss)
            {
                page.shift = Some(shift);
            }
        }
    }

    /// The application lets everything go, and a silent day later nothing is left.
    pub fn finish(&mut self) {
        self.tell(|| "the end".to_owned());
        for held in std::mem::take(&mut self.held) {
            let handle = self.stack.conn(self.now, held.id).expect("a connection");
            handle.close();
        }
        for l in std::mem::take(&mut self.listeners) {
            self.stack.close_listener(self.now, l);
        }
        self.check();
        let end = self.now + s(86_400);
        self.advance(s(86_400), TIMERS);
        assert_eq!(self.now, end, "timers never end");
        let census = self.stack.census();
        assert_eq!(census, synfin_net::Census::default(), "left after a day");
        assert!(self.stack.poll_timeout().is_never(), "a timer of nobody: {:?}", self.stack.poll_timeout());
        assert_eq!(self.drain(), 0, "nobody is left to send");
    }
}

/// The tuple (ours is `local`) and flags of a TCP packet without extension headers or fragments.
fn shape(p: &[u8]) -> Option<(Tuple, u8)> {
    let be16 = |at: usize| Some(u16::from_be_bytes([*p.get(at)?, *p.get(at + 1)?]));
    let (src, dst, at) = match p.first()? >> 4 {
        4 if p.len() >= 40 && p[9] == 6 && be16(6)? & 0x3fff == 0 => {
            let a = |i: usize| Addr::v4([p[i], p[i + 1], p[i + 2], p[i + 3]]);
            (a(12), a(16), usize::from(p[0] & 15) * 4)
        }
        6 if p.len() >= 60 && p[6] == 6 => {
            let a = |i: usize| Addr::v6(std::array::from_fn(|n| p[i + n]));
            (a(8), a(24), 40)
        }
        _ => return None,
    };
    let (local, remote) = (Endpoint::new(dst, be16(at + 2)?), Endpoint::new(src, be16(at)?));
    Some((Tuple { local, remote }, *p.get(at + 13)?))
}

/// Makes every checksum right that can be found.
pub fn repair(p: &mut [u8]) {
    let (src, dst, protocol, at) = match p.first().map(|b| b >> 4) {
        Some(4) if p.len() >= 20 => {
            let at = usize::from(p[0] & 15) * 4;
            if !(20..=p.len()).contains(&at) {
                return;
            }
            p[10..12].fill(0);
            let sum = internet_checksum(&p[..at]);
            p[10..12].copy_from_slice(&sum.to_be_bytes());
            let a = |i: usize| Addr::v4([p[i], p[i + 1], p[i + 2], p[i + 3]]);
            (a(12), a(16), p[9], at)
        }
        Some(6) if p.len() >= 40 => {
            let a = |i: usize| Addr::v6(std::array::from_fn(|n| p[i + n]));
            let (mut protocol, mut at) = (p[6], 40);
            while matches!(protocol, 0 | 43 | 60) && p.len() >= at + 2 {
                (protocol, at) = (p[at], at + 8 + 8 * usize::from(p[at + 1]));
            }
            (a(8), a(24), protocol, at)
        }
        _ => return,
    };
    let field = match protocol {
        1 | 58 => 2,
        6 => 16,
        _ => return,
    };
    if let Some(segment) = p.get_mut(at..)
        && segment.len() >= field + 2
    {
        fill_checksum(src, dst, protocol, segment, field);
    }
}
