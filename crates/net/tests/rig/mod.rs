//! One stack in virtual time, and a peer that is played by hand.
//!
//! Packets are built and read here, octet by octet, without the project's own emitters and parsers. Numbers are
//! relative: 0 is the first octet of text in either direction, a SYN has -1. The peer is a well-behaved one unless a
//! test says otherwise: a [`Seg`] continues where the last one ended and acknowledges all that came in order.
//!
//! Whatever the stack sends is checked on the way: checksums, header lengths, options, and the rules that hold for
//! every segment.
#![allow(dead_code, unused_imports, reason = "every test file uses its own part of the rig")]

pub mod packet;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synfin_link::{Caps, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{
    Cidr, ConnId, ConnectError, ConnectOpts, Handle, ListenOpts, ListenerId, Secrets, Stack, StackConfig,
};
use synfin_tcp::{
    CloseReason, Config, Event, Info, Probe, ReadError, Shutdown, SoftError, State, TimerKind, WriteError,
};
use synfin_wire::{Addr, DropReason, Endpoint, Instant, Tuple};

pub use packet::{Out, Seg, expect, lines, none, one};

/// Milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Seconds.
pub const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The IPv4 address of host `n`.
pub const fn v4(n: u8) -> Addr {
    Addr::v4([10, 9, 0, n])
}

/// The IPv6 address of host `n`.
pub const fn v6(n: u8) -> Addr {
    Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n])
}

/// `n` octets of text, different at every place.
pub fn text(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// What the peer's SYN or SYN,ACK offers.
#[derive(Copy, Clone, Debug)]
pub struct Offer {
    pub mss: Option<u16>,
    pub wscale: Option<u8>,
    pub sack: bool,
    pub ts: bool,
    pub wnd: u16,
    /// Time that the handshake's round trip takes, seen from the stack.
    pub rtt: Duration,
}

/// An MSS of 1460, a window of 8000 octets and nothing else.
pub const PLAIN: Offer =
    Offer { mss: Some(1460), wscale: None, sack: false, ts: false, wnd: 8000, rtt: Duration::ZERO };
/// As [`PLAIN`] with the largest window that needs no scaling.
pub const WIDE: Offer = Offer { wnd: 65_535, ..PLAIN };
/// [`WIDE`] with SACK.
pub const SACK: Offer = Offer { sack: true, ..WIDE };
/// [`WIDE`] with timestamps.
pub const TS: Offer = Offer { ts: true, ..WIDE };

impl Offer {
    fn options(&self, side: &Side) -> Vec<u8> {
        let mut o = Vec::new();
        if let Some(mss) = self.mss {
            o.extend([2, 4]);
            o.extend(mss.to_be_bytes());
        }
        if let Some(shift) = self.wscale {
            o.extend([1, 3, 3, shift]);
        }
        if self.sack {
            o.extend([1, 1, 4, 2]);
        }
        if self.ts {
            o.extend([1, 1, 8, 10]);
            o.extend(side.peer_clock.to_be_bytes());
            o.extend(side.echo.to_be_bytes());
        }
        o
    }
}

/// One 4-tuple, as the peer sees it.
#[derive(Clone, Debug)]
pub struct Side {
    pub tuple: Tuple,
    /// The stack's ISS, once seen.
    pub iss: u32,
    /// The peer's ISS.
    pub peer_iss: u32,
    /// Next number of the peer, relative.
    pub nxt: i32,
    /// What the peer has received in order, relative.
    pub rcv: i32,
    /// Timestamps were agreed.
    pub ts: bool,
    /// TSval of the peer's next segment.
    pub peer_clock: u32,
    /// TSval that the stack sent last.
    pub echo: u32,
    pub wnd: u16,
    pub id: Option<ConnId>,
}

/// What the probe saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Soft(SoftError),
    Timer(TimerKind),
    State(State, State),
    Closed(CloseReason),
    Dropped(DropReason),
}

struct Log(Arc<Mutex<Vec<(Instant, Seen)>>>);

impl Probe for Log {
    fn on_event(&mut self, now: Instant, _: &Tuple, event: &Event<'_>) {
        let seen = match event {
            Event::SoftError(e) => Seen::Soft(*e),
            Event::Timer(k) => Seen::Timer(*k),
            Event::State { from, to, .. } => Seen::State(*from, *to),
            Event::Closed(r) => Seen::Closed(*r),
            Event::Dropped(r) => Seen::Dropped(*r),
            _ => return,
        };
        self.0.lock().expect("log").push((now, seen));
    }
}

#[derive(Default)]
struct Sink(Vec<Vec<u8>>);

impl TxSink for Sink {
    fn room(&self) -> usize {
        1 << 20
    }
    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        let mut packet = head.to_vec();
        payload.iter().for_each(|p| packet.extend_from_slice(p));
        self.0.push(packet);
    }
}

pub struct Rig {
    pub stack: Stack,
    pub now: Instant,
    pub host: u8,
    pub peer_host: u8,
    pub v6: bool,
    pub sides: BTreeMap<Tuple, Side>,
    /// Which of `sides` is spoken for.
    pub at: Tuple,
    pub listener: Option<ListenerId>,
    tcp: Config,
    log: Arc<Mutex<Vec<(Instant, Seen)>>>,
}

/// The port on which the stack listens.
pub const PORT: u16 = 80;
/// The peer's port.
pub const PEER_PORT: u16 = 4000;
const PEER_ISS: u32 = 5000;

impl Rig {
    /// The default settings.
    pub fn new() -> Rig {
        Rig::with(|_| {})
    }

    /// Settings changed by `f`; MTU 1500.
    pub fn with(f: impl FnOnce(&mut StackConfig)) -> Rig {
        Rig::host(2, Caps::plain(1500), f)
    }

    /// Over IPv6.
    pub fn v6() -> Rig {
        let mut r = Rig::new();
        r.use_v6();
        r
    }

    pub fn use_v6(&mut self) {
        self.v6 = true;
        self.peer(PEER_PORT);
    }

    /// Host `n` with a device of these abilities; its peer is host 1 (or 2 for host 1).
    pub fn host(n: u8, caps: Caps, f: impl FnOnce(&mut StackConfig)) -> Rig {
        let mut cfg = StackConfig {
            addrs: vec![Cidr { addr: v4(n), prefix: 24 }, Cidr { addr: v6(n), prefix: 64 }],
            ..StackConfig::default()
        };
        f(&mut cfg);
        let tcp = cfg.tcp.clone();
        let mut stack = Stack::new(cfg, caps, Secrets(core::array::from_fn(|i| (i * 37) as u8 ^ n)));
        let log = Arc::new(Mutex::new(Vec::new()));
        stack.set_probe(Some(Box::new(Log(log.clone()))));
        let now = Instant::from_millis(1_000_000);
        let peer_host = if n == 1 { 2 } else { 1 };
        let mut rig = Rig {
            stack,
            now,
            host: n,
            peer_host,
            v6: false,
            sides: BTreeMap::new(),
            at: Tuple::default(),
            listener: None,
            tcp,
            log,
        };
        rig.stack.on_timeout(now);
        rig.peer(PEER_PORT);
        rig
    }

    fn addrs(&self) -> (Addr, Addr) {
        if self.v6 { (v6(self.host), v6(self.peer_host)) } else { (v4(self.host), v4(self.peer_host)) }
    }

    /// From now on the peer speaks from this port to our port 80.
    pub fn peer(&mut self, port: u16) -> &mut Side {
        let (us, peer) = self.addrs();
        self.speak_for(Tuple { local: Endpoint::new(us, PORT), remote: Endpoint::new(peer, port) })
    }

    /// From now on the peer speaks for this 4-tuple (`local` is the stack's end).
    pub fn speak_for(&mut self, tuple: Tuple) -> &mut Side {
        self.at = tuple;
        self.sides.entry(tuple).or_insert(Side {
            tuple,
            iss: 0,
            peer_iss: PEER_ISS,
            nxt: 0,
            rcv: 0,
            ts: false,
            peer_clock: 1_000_000,
            echo: 0,
            wnd: 8000,
            id: None,
        })
    }

    /// The present 4-tuple.
    pub fn side(&mut self) -> &mut Side {
        self.sides.get_mut(&self.at).expect("a side")
    }

    /// The present connection.
    pub fn id(&self) -> ConnId {
        self.sides[&self.at].id.expect("a connection")
    }

    // --- packets -------------------------------------------------------------------------------------------------

    /// Everything that the stack wants to send now.
    pub fn pump(&mut self) -> Vec<Out> {
        let mut sink = Sink::default();
        for round in 0.. {
            assert!(round < 1000, "the stack never stops sending");
            let before = sink.0.len();
            let _ = self.stack.poll_transmit(self.now, 4096, &mut sink);
            if sink.0.len() == before {
                break;
            }
        }
        let outs: Vec<Out> = sink.0.iter().map(|p| Out::read(self.now, p)).collect();
        outs.into_iter().map(|o| self.note(o)).collect()
    }

    /// Makes an output relative, and lets the peer remember it.
    fn note(&mut self, mut o: Out) -> Out {
        let Some(side) = self.sides.get_mut(&o.tuple) else { return o };
        if o.has('S') {
            side.iss = o.raw_seq;
        }
        o.seq = o.raw_seq.wrapping_sub(side.iss.wrapping_add(1)) as i32;
        o.ack = o.raw_ack.map(|a| a.wrapping_sub(side.peer_iss.wrapping_add(1)) as i32);
        let end = o.seq + o.seq_len() as i32;
        if o.has('S') {
            side.rcv = 0;
        } else if o.seq <= side.rcv && end > side.rcv && !o.has('R') {
            side.rcv = end;
        }
        if let Some((val, _)) = o.ts {
            side.echo = val;
        }
        o
    }

    /// Hands the stack an IP packet; returns what it answers.
    pub fn inject(&mut self, packet: &[u8]) -> Vec<Out> {
        self.stack.on_packet(self.now, RxFrame::plain(packet));
        self.pump()
    }

    /// As [`Rig::inject`] with what a device says about the packet.
    pub fn inject_as(&mut self, packet: &[u8], meta: RxMeta) -> Vec<Out> {
        self.stack.on_packet(self.now, RxFrame { bytes: packet, meta });
        self.pump()
    }

    /// The packet of a segment of the present peer.
    pub fn packet(&mut self, seg: &Seg) -> Vec<u8> {
        seg.packet(self.side())
    }

    /// The peer sends a segment; returns what the stack answers at once.
    pub fn send(&mut self, seg: Seg) -> Vec<Out> {
        let packet = self.hold(seg);
        self.inject(&packet)
    }

    /// The peer sends a segment that stays in the network: inject it later.
    pub fn hold(&mut self, seg: Seg) -> Vec<u8> {
        let packet = self.packet(&seg);
        let side = self.side();
        let end = seg.seq.unwrap_or(side.nxt) + seg.seq_len() as i32;
        side.nxt = side.nxt.max(end);
        packet
    }

    /// Several segments arrive together, before the stack gets to send.
    pub fn send_batch(&mut self, segs: Vec<Seg>) -> Vec<Out> {
        for seg in segs {
            let packet = self.hold(seg);
            self.stack.on_packet(self.now, RxFrame::plain(&packet));
        }
        self.pump()
    }

    /// An ICMP error about the present 4-tuple's segment at relative number `seq`.
    pub fn icmp(&mut self, kind: u8, code: u8, word: u32, seq: i32) -> Vec<Out> {
        let packet = packet::icmp_error(self.side(), kind, code, word, seq);
        self.inject(&packet)
    }

    // --- time ----------------------------------------------------------------------------------------------------

    /// Lets time pass, running timers exactly when they are due; returns what was sent meanwhile.
    pub fn advance(&mut self, d: Duration) -> Vec<Out> {
        let end = self.now + d;
        let mut outs = self.pump();
        let mut rounds = 0;
        while self.stack.poll_timeout() <= end {
            rounds += 1;
            assert!(rounds < 1_000_000, "timers never end");
            let next = self.stack.poll_timeout();
            self.tick(next.max(self.now));
            self.stack.on_timeout(self.now);
            outs.extend(self.pump());
        }
        self.tick(end);
        outs
    }

    fn tick(&mut self, now: Instant) {
        let passed = now.millis() - self.now.millis();
        self.sides.values_mut().for_each(|s| s.peer_clock = s.peer_clock.wrapping_add(passed as u32));
        self.now = now;
    }

    /// When, after `start`, each of these was sent, in milliseconds.
    pub fn times(outs: &[Out], start: Instant) -> Vec<u64> {
        outs.iter().map(|o| o.at.since(start).as_millis() as u64).collect()
    }

    // --- connections ---------------------------------------------------------------------------------------------

    /// Listens on port 80 of every address.
    pub fn listen(&mut self) -> ListenerId {
        self.listen_with(ListenOpts::default())
    }

    pub fn listen_with(&mut self, opts: ListenOpts) -> ListenerId {
        let at = Endpoint::new(Addr::V6_UNSPECIFIED, PORT);
        let l = self.stack.listen(at, opts).expect("port 80 is free");
        self.listener = Some(l);
        l
    }

    /// The peer's SYN with this offer.
    pub fn syn(&mut self, offer: Offer) -> Seg {
        let options = offer.options(self.side());
        self.side().nxt = -1;
        Seg::new().flags("S").seq(-1).no_ack().wnd(offer.wnd).options(&options)
    }

    /// A connection that the peer opened, accepted by the application: ESTABLISHED.
    pub fn established(offer: Offer) -> Rig {
        let mut r = Rig::new();
        r.accept_peer(offer);
        r
    }

    /// The peer opens a connection to port 80; the application accepts it.
    pub fn accept_peer(&mut self, offer: Offer) {
        let l = match self.listener {
            Some(l) => l,
            None => self.listen(),
        };
        let syn = self.syn(offer);
        let sa = self.send(syn);
        let sa = one(&sa);
        assert_eq!(sa.brief(), "SYN,ACK seq=-1 ack=0");
        self.agree(offer, sa.ts.is_some());
        self.advance(offer.rtt);
        none(&self.send(Seg::new().wnd(offer.wnd)));
        let (id, tuple) = self.stack.accept(self.now, l).expect("a completed connection");
        assert_eq!(tuple, self.at);
        self.side().id = Some(id);
        assert_eq!(self.state(), State::Established);
    }

    fn agree(&mut self, offer: Offer, ts: bool) {
        let side = self.side();
        side.ts = offer.ts && ts;
        side.wnd = offer.wnd;
    }

    /// The application calls connect towards the peer's port 4000: SYN_SENT. Returns the SYN.
    pub fn connect(&mut self) -> Out {
        let (_, peer) = self.addrs();
        let to = Endpoint::new(peer, PEER_PORT);
        self.connect_with(to, ConnectOpts::default()).expect("connect")
    }

    /// As [`Rig::connect`] with everything given.
    pub fn connect_with(&mut self, to: Endpoint, opts: ConnectOpts) -> Result<Out, ConnectError> {
        let id = self.stack.connect(self.now, to, opts)?;
        let tuple = *self.stack.conn(self.now, id).expect("a connection").get().tuple();
        self.speak_for(tuple).id = Some(id);
        let outs = self.pump();
        let syn = one(&outs);
        assert_eq!(syn.brief(), "SYN seq=-1");
        self.side().nxt = -1;
        Ok(syn.clone())
    }

    /// The peer's SYN,ACK with this offer.
    pub fn syn_ack(&mut self, offer: Offer) -> Seg {
        let options = offer.options(self.side());
        self.side().wnd = offer.wnd;
        Seg::new().flags("S").seq(-1).ack(0).wnd(offer.wnd).options(&options)
    }

    /// A connection that the application opened: ESTABLISHED.
    pub fn connected(offer: Offer) -> Rig {
        let mut r = Rig::new();
        r.open(offer);
        r
    }

    /// The application opens a connection to the peer, who accepts.
    pub fn open(&mut self, offer: Offer) {
        let syn = self.connect();
        self.advance(offer.rtt);
        let sa = self.syn_ack(offer);
        let outs = self.send(sa);
        self.agree(offer, syn.ts.is_some());
        expect(&outs, &["ACK seq=0 ack=0"]);
        assert_eq!(self.state(), State::Established);
    }

    /// A connection brought to `state` by an obedient peer. SYN_RCVD: a crossing open.
    pub fn in_state(state: State) -> Rig {
        Rig::in_state_with(state, PLAIN)
    }

    /// A connection brought to `state` whose peer offers this.
    pub fn in_state_with(state: State, offer: Offer) -> Rig {
        let mut r = Rig::new();
        r.listen();
        if matches!(state, State::SynSent | State::SynReceived) {
            r.connect();
            if state == State::SynReceived {
                let syn = r.syn(offer);
                r.send(syn);
            }
            assert_eq!(r.state(), state);
            return r;
        }
        r.accept_peer(offer);
        r.bring_to(state);
        r
    }

    /// Brings the present, established connection on to `state`.
    pub fn bring_to(&mut self, state: State) {
        let (ours, theirs) = match state {
            State::Established => (false, false),
            State::FinWait1 | State::FinWait2 | State::TimeWait | State::Closing => {
                (true, state == State::TimeWait)
            }
            State::CloseWait => (false, true),
            State::LastAck => (false, true),
            _ => panic!("not a state to be brought to"),
        };
        if ours {
            expect(&self.shutdown(), &["FIN,ACK seq=0 ack=0"]);
        }
        if matches!(state, State::FinWait2 | State::TimeWait) {
            none(&self.send(Seg::new()));
        }
        if theirs {
            expect(&self.send(Seg::new().flags("F")), &[&format!("ACK seq={} ack=1", i32::from(ours))]);
        }
        if state == State::Closing {
            expect(&self.send(Seg::new().flags("F").ack(0)), &["ACK seq=1 ack=1"]);
        }
        if state == State::LastAck {
            expect(&self.shutdown(), &["FIN,ACK seq=0 ack=1"]);
        }
        assert_eq!(self.state(), state);
    }

    // --- the application -----------------------------------------------------------------------------------------

    pub fn handle(&mut self) -> Handle<'_> {
        let id = self.id();
        self.stack.conn(self.now, id).expect("the connection")
    }

    /// Writes all of it; returns what is sent at once.
    pub fn write(&mut self, data: &[u8]) -> Vec<Out> {
        assert_eq!(self.handle().write(data), Ok(data.len()));
        self.pump()
    }

    pub fn try_write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.handle().write(data)
    }

    pub fn write_urgent(&mut self, data: &[u8]) -> Vec<Out> {
        assert_eq!(self.handle().write_urgent(data), Ok(data.len()));
        self.pump()
    }

    /// Reads up to `n` octets and returns them; what that makes the stack send is left for [`Rig::pump`].
    pub fn read(&mut self, n: usize) -> Result<Vec<u8>, ReadError> {
        let mut buf = vec![0; n];
        let got = self.handle().read(&mut buf)?;
        buf.truncate(got);
        Ok(buf)
    }

    pub fn shutdown(&mut self) -> Vec<Out> {
        self.handle().shutdown(Shutdown::Write);
        self.pump()
    }

    pub fn close(&mut self) -> Vec<Out> {
        self.handle().close();
        self.pump()
    }

    pub fn abort(&mut self) -> Vec<Out> {
        self.handle().abort();
        self.pump()
    }

    pub fn info(&mut self) -> Info {
        let id = self.id();
        self.stack.conn(self.now, id).expect("the connection").get().info(&self.tcp)
    }

    /// Nagle's algorithm off.
    pub fn nodelay(&mut self) {
        self.handle().configure(|c, _| c.set_nodelay(true));
    }

    /// How the connection ended, if it did.
    pub fn closed(&mut self) -> Option<CloseReason> {
        self.handle().readiness().closed
    }

    /// State of the present 4-tuple; CLOSED where there is no record.
    pub fn state(&self) -> State {
        let mut state = State::Closed;
        self.stack.for_each_record(&mut |tuple, s| {
            if *tuple == self.at {
                state = s;
            }
        });
        state
    }

    pub fn drops(&self, why: DropReason) -> u64 {
        self.stack.counters().drops(why)
    }

    /// What the probe saw since the last call.
    pub fn seen(&mut self) -> Vec<(Instant, Seen)> {
        std::mem::take(&mut *self.log.lock().expect("log"))
    }

    /// How often the probe saw this, ever or since the last [`Rig::seen`].
    pub fn count_seen(&self, what: &Seen) -> usize {
        self.log.lock().expect("log").iter().filter(|(_, s)| s == what).count()
    }
}

/// Hands a packet of one stack to another, whose rig learns the sender's numbers from it.
pub fn carry(o: &Out, to: &mut Rig) {
    if o.has('S') {
        let at = to.at;
        to.speak_for(o.tuple.flipped()).peer_iss = o.raw_seq;
        to.at = at;
    }
    // What a test adds to the conversation carries the latest timestamp.
    if let (Some((val, _)), Some(side)) = (o.ts, to.sides.get_mut(&o.tuple.flipped())) {
        (side.ts, side.peer_clock) = (true, val);
    }
    to.stack.on_packet(to.now, RxFrame::plain(&o.bytes));
}

/// Carries packets between two stacks until none is left; returns what was carried, `A` or `B` in front.
pub fn shuttle(a: &mut Rig, b: &mut Rig) -> Vec<String> {
    let mut carried = Vec::new();
    loop {
        let before = carried.len();
        for o in a.pump() {
            carried.push(format!("A {}", o.brief()));
            carry(&o, b);
        }
        for o in b.pump() {
            carried.push(format!("B {}", o.brief()));
            carry(&o, a);
        }
        if carried.len() == before {
            return carried;
        }
        assert!(carried.len() < 10_000, "an endless exchange: {:?}", &carried[carried.len() - 10..]);
    }
}

/// As [`shuttle`], and time passes; timers of both run when they are due.
pub fn shuttle_for(a: &mut Rig, b: &mut Rig, d: Duration) -> Vec<String> {
    let end = a.now + d;
    let mut carried = shuttle(a, b);
    loop {
        let next = a.stack.poll_timeout().min(b.stack.poll_timeout());
        let next = next.max(a.now).min(end);
        let over = a.stack.poll_timeout().min(b.stack.poll_timeout()) > end;
        for r in [&mut *a, &mut *b] {
            r.tick(next);
            r.stack.on_timeout(next);
        }
        carried.extend(shuttle(a, b));
        if over {
            return carried;
        }
    }
}

/// Two hosts, 1 and 2, that know of each other.
pub fn two_hosts() -> (Rig, Rig) {
    (Rig::host(1, Caps::plain(1500), |_| {}), Rig::host(2, Caps::plain(1500), |_| {}))
}

/// Host 1 has a connection, from port 4000, to port 80 of host 2, who has accepted it. Both rigs speak for it.
pub fn two_connected() -> (Rig, Rig) {
    let (mut a, mut b) = two_hosts();
    b.listen();
    call(&mut a, &b);
    shuttle(&mut a, &mut b);
    answer(&mut b);
    (a, b)
}

/// Host 1 calls connect, from port 4000 to port 80 of host 2; nothing is carried yet.
pub fn call(a: &mut Rig, b: &Rig) {
    let tuple =
        Tuple { local: Endpoint::new(v4(a.host), PEER_PORT), remote: Endpoint::new(v4(b.host), PORT) };
    let opts = ConnectOpts { local: Some(tuple.local) };
    let id = a.stack.connect(a.now, tuple.remote, opts).expect("connect");
    a.speak_for(tuple).id = Some(id);
}

/// The listener accepts one connection, for which the rig speaks from then on.
pub fn answer(b: &mut Rig) {
    let l = b.listener.expect("listening");
    let (id, tuple) = b.stack.accept(b.now, l).expect("a completed connection");
    b.speak_for(tuple).id = Some(id);
}
