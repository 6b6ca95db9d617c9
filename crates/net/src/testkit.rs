//! A stack on a table: hand-made packets in, parsed packets out. For tests only: an unwrap that fails here fails the test.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::sync::Mutex;

use synfin_link::{Caps, ChecksumFact, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_tcp::{CloseReason, Event, Probe, State, Trigger, Why};
use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{
    Addr, DropReason, Endpoint, Flags, Head, Instant, OptionsOut, Segment, Seq, Timestamps, Tuple, ipv4, ipv6,
};

use crate::{Cidr, ConnId, ListenOpts, ListenerId, More, Secrets, SocketEvent, Stack, StackConfig};

pub(crate) const US: Addr = Addr::v4([10, 9, 0, 2]);
pub(crate) const PEER: Addr = Addr::v4([10, 9, 0, 1]);
pub(crate) const US6: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
pub(crate) const PEER6: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

pub(crate) fn us(port: u16) -> Endpoint {
    Endpoint::new(US, port)
}

pub(crate) fn peer(port: u16) -> Endpoint {
    Endpoint::new(PEER, port)
}

pub(crate) fn secs(s: u64) -> Instant {
    Instant::from_millis(s * 1000)
}

pub(crate) fn config() -> StackConfig {
    StackConfig {
        addrs: alloc::vec![Cidr { addr: US, prefix: 24 }, Cidr { addr: US6, prefix: 64 }],
        ..StackConfig::default()
    }
}

/// Different octets everywhere.
pub(crate) fn secrets(salt: u8) -> Secrets {
    let mut octets = [salt; 64];
    (0u8..).zip(&mut octets).for_each(|(i, o)| *o ^= i.wrapping_mul(37));
    Secrets(octets)
}

/// Where packets end up.
pub(crate) struct Wire {
    pub(crate) packets: VecDeque<(Vec<u8>, TxMeta)>,
    pub(crate) room: usize,
}

impl TxSink for Wire {
    fn room(&self) -> usize {
        self.room - self.packets.len().min(self.room)
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        assert!(self.room() > 0, "a push without room");
        let mut packet = head.to_vec();
        payload.iter().for_each(|p| packet.extend_from_slice(p));
        self.packets.push_back((packet, meta));
    }
}

/// A segment that the stack sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) src: Endpoint,
    pub(crate) dst: Endpoint,
    pub(crate) seq: Seq,
    pub(crate) ack: Option<Seq>,
    pub(crate) flags: Flags,
    pub(crate) wnd: u16,
    pub(crate) mss: Option<u16>,
    pub(crate) wscale: Option<u8>,
    pub(crate) sack: bool,
    pub(crate) ts: Option<Timestamps>,
    pub(crate) text: Vec<u8>,
}

impl Sent {
    /// Reads a packet and checks both checksums.
    pub(crate) fn parse(packet: &[u8]) -> Sent {
        let (src, dst, payload) = if packet[0] >> 4 == 4 {
            let p = ipv4::Packet::parse(packet).unwrap();
            assert!(p.dont_fragment && p.id == 0 && p.protocol == 6);
            (p.src, p.dst, p.payload)
        } else {
            let p = ipv6::Packet::parse(packet).unwrap();
            assert_eq!(p.protocol, 6);
            (p.src, p.dst, p.payload)
        };
        assert_eq!(Sum::pseudo(src, dst, 6, payload.len() as u32).add(payload).finish(), 0, "checksum");
        let (ports, s) = Segment::parse(payload).unwrap();
        Sent {
            src: Endpoint::new(src, ports.src),
            dst: Endpoint::new(dst, ports.dst),
            seq: s.seq,
            ack: s.ack,
            flags: s.flags,
            wnd: s.wnd,
            mss: s.opts.mss,
            wscale: s.opts.wscale,
            sack: s.opts.sack_permitted,
            ts: s.opts.ts,
            text: s.payload.to_vec(),
        }
    }

    pub(crate) fn has(&self, flags: Flags) -> bool {
        self.flags.has(flags)
    }
}

/// An IP packet around `payload`.
pub(crate) fn ip(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    let mut packet = if dst.is_v4() {
        ipv4::Head { src, dst, protocol, ttl: 64, tos: 0 }.emit(len).to_vec()
    } else {
        ipv6::Head { src, dst, protocol, hop_limit: 64, traffic_class: 0, flow: 0 }.emit(len).to_vec()
    };
    packet.extend_from_slice(payload);
    packet
}

/// A TCP segment with its checksum.
pub(crate) fn segment(src: Endpoint, dst: Endpoint, head: &Head, text: &[u8]) -> Vec<u8> {
    let mut octets = [0; Head::MAX_LEN];
    let n = head.emit(Ports { src: src.port, dst: dst.port }, &mut octets);
    let mut tcp = octets[..n].to_vec();
    tcp.extend_from_slice(text);
    let sum = Sum::pseudo(src.addr, dst.addr, 6, tcp.len() as u32).add(&tcp).finish();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    tcp
}

/// A TCP segment in an IP packet.
pub(crate) fn packet(src: Endpoint, dst: Endpoint, head: &Head, text: &[u8]) -> Vec<u8> {
    ip(src.addr, dst.addr, 6, &segment(src, dst, head, text))
}

pub(crate) fn syn(seq: u32) -> Head {
    let opts = OptionsOut { mss: Some(1460), ..OptionsOut::default() };
    Head { seq: Seq::new(seq), wnd: 8000, flags: Flags::SYN, opts, ..Head::default() }
}

/// A SYN that offers everything.
pub(crate) fn full_syn(seq: u32, tsval: u32) -> Head {
    let ts = Some(Timestamps { val: tsval, ecr: 0 });
    let opts =
        OptionsOut { mss: Some(1460), wscale: Some(7), sack_permitted: true, ts, ..OptionsOut::default() };
    Head { opts, ..syn(seq) }
}

pub(crate) fn ack(seq: u32, ack: Seq) -> Head {
    Head { seq: Seq::new(seq), ack: Some(ack), wnd: 8000, ..Head::default() }
}

pub(crate) fn fin(seq: u32, ack_no: Seq) -> Head {
    Head { flags: Flags::FIN, ..ack(seq, ack_no) }
}

pub(crate) fn rst(seq: u32) -> Head {
    Head { seq: Seq::new(seq), flags: Flags::RST, ..Head::default() }
}

/// What a probe saw, reduced to what tests ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Received,
    Dropped(DropReason),
    State(State, State, Trigger),
    Sent(Flags, Why),
    Closed(CloseReason),
}

struct Recorder(Arc<Mutex<Vec<Seen>>>);

impl Probe for Recorder {
    fn on_event(&mut self, _: Instant, _: &Tuple, event: &Event<'_>) {
        let seen = match event {
            Event::Received(_) => Seen::Received,
            Event::Dropped(why) => Seen::Dropped(*why),
            Event::State { from, to, by } => Seen::State(*from, *to, *by),
            Event::Sent { head, why, .. } => Seen::Sent(head.all_flags(), *why),
            Event::Closed(reason) => Seen::Closed(*reason),
            _ => return,
        };
        self.0.lock().unwrap().push(seen);
    }
}

/// One stack and its peer's hands.
pub(crate) struct Rig {
    pub(crate) stack: Stack,
    pub(crate) wire: Wire,
    pub(crate) now: Instant,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::with(config())
    }

    pub(crate) fn with(cfg: StackConfig) -> Rig {
        Rig::on(cfg, Caps::plain(1500))
    }

    pub(crate) fn on(cfg: StackConfig, caps: Caps) -> Rig {
        let wire = Wire { packets: VecDeque::new(), room: 1 << 20 };
        Rig { stack: Stack::new(cfg, caps, secrets(1)), wire, now: secs(1000) }
    }

    /// What happens from now on.
    pub(crate) fn record(&mut self) -> Arc<Mutex<Vec<Seen>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        self.stack.set_probe(Some(Box::new(Recorder(seen.clone()))));
        seen
    }

    /// A packet arrives.
    pub(crate) fn packet(&mut self, bytes: &[u8]) {
        self.stack.on_packet(self.now, RxFrame::plain(bytes));
    }

    /// The same on a link-layer broadcast.
    pub(crate) fn broadcast(&mut self, bytes: &[u8]) {
        let meta = RxMeta { link_broadcast: true, ..RxMeta::default() };
        self.stack.on_packet(self.now, RxFrame { bytes, meta });
    }

    /// The same with its checksum vouched for.
    pub(crate) fn trusted(&mut self, bytes: &[u8]) {
        let meta = RxMeta { checksum: ChecksumFact::Trusted, ..RxMeta::default() };
        self.stack.on_packet(self.now, RxFrame { bytes, meta });
    }

    /// A segment from the peer's port to ours.
    pub(crate) fn send(&mut self, from: u16, to: u16, head: &Head, text: &[u8]) {
        self.packet(&packet(peer(from), us(to), head, text));
    }

    /// All packets that the stack wants to send now.
    pub(crate) fn packets(&mut self) -> Vec<Vec<u8>> {
        while self.stack.poll_transmit(self.now, 64, &mut self.wire) == More::Pending {}
        self.wire.packets.drain(..).map(|(p, _)| p).collect()
    }

    /// The same, as segments.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        self.packets().iter().map(|p| Sent::parse(p)).collect()
    }

    /// The one segment that the stack wants to send now.
    pub(crate) fn one(&mut self) -> Sent {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:#?}");
        sent.remove(0)
    }

    /// Nothing is to be sent.
    pub(crate) fn silence(&mut self) {
        assert_eq!(self.sent(), []);
    }

    /// Time passes; every timer runs when it asked to.
    pub(crate) fn wait(&mut self, d: Duration) -> Vec<Sent> {
        let until = self.now + d;
        let mut sent = Vec::new();
        while self.stack.poll_timeout() <= until {
            self.now = self.now.max(self.stack.poll_timeout());
            self.stack.on_timeout(self.now);
            sent.extend(self.sent());
        }
        self.now = until;
        sent
    }

    pub(crate) fn drops(&self, why: DropReason) -> u64 {
        self.stack.counters().drops(why)
    }

    pub(crate) fn listen(&mut self, port: u16) -> ListenerId {
        self.listen_with(port, ListenOpts::default())
    }

    pub(crate) fn listen_with(&mut self, port: u16, opts: ListenOpts) -> ListenerId {
        self.stack.listen(us(port), opts).unwrap()
    }

    /// The peer opens from its port to ours, ISN `isn`; returns our ISS.
    pub(crate) fn open(&mut self, from: u16, to: u16, isn: u32) -> Seq {
        self.send(from, to, &syn(isn), &[]);
        let iss = self.one().seq;
        self.send(from, to, &ack(isn.wrapping_add(1), iss + 1), &[]);
        iss
    }

    /// As [`Rig::open`], and accepted.
    pub(crate) fn accept(&mut self, l: ListenerId, from: u16, isn: u32) -> (ConnId, Seq) {
        let to = self.stack.listener_endpoint(l).unwrap().port;
        let iss = self.open(from, to, isn);
        let (id, tuple) = self.stack.accept(self.now, l).unwrap();
        assert_eq!(tuple, Tuple { local: us(to), remote: peer(from) });
        (id, iss)
    }

    pub(crate) fn state(&mut self, id: ConnId) -> State {
        self.stack.conn(self.now, id).unwrap().get().state()
    }

    pub(crate) fn events(&mut self) -> Vec<SocketEvent> {
        core::iter::from_fn(|| self.stack.poll_event()).collect()
    }
}
