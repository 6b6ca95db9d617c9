//! What attacks cost their victim: one hostile packet into a stack, and everything that it makes the stack send.
//!
//! The victim serves port 80 of 10.0.0.2 and holds one connection of an honest client, 10.0.0.1. Time goes on by a
//! microsecond with each packet. The measured part is `Stack::on_packet` with both checksums, then timers that are due and
//! `Stack::poll_transmit` into a sink that counts. Packets are made beforehand.

use core::time::Duration;

use synfin_link::{Caps, RxFrame, TxMeta, TxSink};
use synfin_net::{Census, Cidr, ConnId, ListenOpts, ListenerId, Secrets, Stack, StackConfig};
use synfin_tcp::State;
use synfin_wire::{Addr, Endpoint, Flags, Head, Instant, OptionsOut, SackBlock, Segment, Seq};

use crate::case::{Case, Subject};
use crate::clock::{Heap, Stopwatch};
use crate::counted;
use crate::stats::{Summary, number, render};

mod forge;

pub use forge::Forge;

/// Half-open records of the flooded listener.
pub const SYN_QUEUE: u32 = 1024;
const MTU: u16 = 1500;
/// Packets made in one go.
const ROW: usize = 256;
const GAP: Duration = Duration::from_micros(1);
const CLIENT: Endpoint = Endpoint { addr: Addr::v4([10, 0, 0, 1]), port: 40_000 };
const SERVER: Endpoint = Endpoint { addr: Addr::v4([10, 0, 0, 2]), port: 80 };
/// The client's ISN.
const IRS: Seq = Seq::new(1_000_000);

/// Who attacks how.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Attack {
    /// SYNs of ever new sources, ten times and more of what the SYN queue takes (C1).
    SynFlood,
    /// ACKs of ever new sources at a listener that has sent cookies (C2).
    CookieGuess,
    /// SYNs to a port that nobody listens on (B14): answered with RSTs, as often as the limit lets.
    ClosedPort,
    /// RSTs at pseudo-random numbers (B1).
    BlindRst,
    /// SYNs at pseudo-random numbers (B2).
    BlindSyn,
    /// Text at pseudo-random numbers with pseudo-random ACK fields (B3).
    BlindText,
    /// One octet for every 64, out of order, from the end of the window to its beginning (D1).
    Smack,
    /// The same once the limit on ranges is reached (D1).
    SmackAtLimit,
    /// One octet after the other in order, which the application reads now and then (D2).
    Tiny,
    /// SACK blocks of every second of thousands of tiny segments in flight (R4, R5).
    Sack,
    /// First fragments of ever new datagrams (F4).
    Fragments,
    /// 40 octets of NOP (D5).
    Nops,
    /// Forged ICMP errors about the connection, at pseudo-random numbers (I1, I3).
    Icmp,
    /// SYNs whose ports and addresses have one sum: an unkeyed hash would put them into one bucket (C15).
    Colliding,
}

/// All, in the order of the table.
pub const ATTACKS: [Attack; 14] = [
    Attack::SynFlood,
    Attack::Colliding,
    Attack::CookieGuess,
    Attack::ClosedPort,
    Attack::BlindRst,
    Attack::BlindSyn,
    Attack::BlindText,
    Attack::Smack,
    Attack::SmackAtLimit,
    Attack::Tiny,
    Attack::Sack,
    Attack::Fragments,
    Attack::Nops,
    Attack::Icmp,
];

impl Attack {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Attack::SynFlood => "SYN flood",
            Attack::CookieGuess => "cookie guesses",
            Attack::ClosedPort => "SYNs to a closed port",
            Attack::BlindRst => "blind RST",
            Attack::BlindSyn => "blind SYN",
            Attack::BlindText => "blind text",
            Attack::Smack => "SegmentSmack",
            Attack::SmackAtLimit => "SegmentSmack at the limit",
            Attack::Tiny => "tiny segments in order",
            Attack::Sack => "SACK flood",
            Attack::Fragments => "fragment flood",
            Attack::Nops => "option area of 40 NOPs",
            Attack::Icmp => "forged ICMP errors",
            Attack::Colliding => "SYNs that collide without a key",
        }
    }
}

/// Whether the client looks at what it hears.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Reads {
    /// It only counts: nothing but the victim's own work is measured.
    #[default]
    Nothing,
    /// It reads the numbers, to acknowledge them.
    Numbers,
}

/// Counts what goes out.
#[derive(Default)]
struct Heard {
    reads: Reads,
    packets: u64,
    octets: u64,
    resets: u64,
    /// Numbers of the last segment to the client: one past its end.
    end: Option<Seq>,
}

impl TxSink for Heard {
    fn room(&self) -> usize {
        1 << 20
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        self.packets += 1;
        let text: usize = payload.iter().map(|p| p.len()).sum();
        self.octets += (head.len() + text) as u64;
        // IPv4 without options, as this stack sends it: the flags are in octet 33.
        self.resets += u64::from(head.get(33).is_some_and(|flags| flags & 4 != 0));
        if self.reads == Reads::Numbers
            && let Ok((_, seg)) = Segment::parse(head.get(20..).unwrap_or_default())
        {
            self.end = Some(seg.seq + seg.seq_len() + text as u32);
        }
    }
}

/// A stack under attack.
pub struct Victim {
    attack: Attack,
    stack: Stack,
    listener: ListenerId,
    conn: ConnId,
    now: Instant,
    heard: Heard,
    forge: Forge,
    /// Packets so far.
    n: u64,
    /// What the application reads into.
    into: Vec<u8>,
    /// SND.UNA and SND.NXT of the connection when the attack began.
    flight: (Seq, Seq),
}

impl Victim {
    /// A victim with its one honest client.
    pub fn new(attack: Attack) -> Victim {
        let cfg =
            StackConfig { addrs: vec![Cidr { addr: SERVER.addr, prefix: 24 }], ..StackConfig::default() };
        let secrets = Secrets(core::array::from_fn(|i| (i as u8).wrapping_mul(29) ^ 5));
        let mut stack = Stack::new(cfg, Caps::plain(MTU), secrets);
        let opts = ListenOpts { syn_queue: SYN_QUEUE, ..ListenOpts::default() };
        let listener = stack.listen(SERVER, opts).expect("a free port");
        let mut v = Victim {
            attack,
            stack,
            listener,
            conn: ConnId { index: 0, generation: 0 },
            now: Instant::from_millis(1000),
            heard: Heard { reads: Reads::Numbers, ..Heard::default() },
            forge: Forge::new(CLIENT, SERVER),
            n: 0,
            into: vec![0; 1 << 16],
            flight: (IRS, IRS),
        };
        v.open();
        v.prepare();
        v.heard = Heard::default();
        v
    }

    fn take(&mut self, packet: &[u8]) {
        self.stack.on_packet(self.now, RxFrame::plain(packet));
        let _ = self.stack.poll_transmit(self.now, 1 << 20, &mut self.heard);
    }

    fn open(&mut self) {
        let mss = if self.attack == Attack::Sack { 48 } else { 1460 };
        let opts =
            OptionsOut { mss: Some(mss), wscale: Some(7), sack_permitted: true, ..OptionsOut::default() };
        let syn = Head { seq: IRS, wnd: u16::MAX, flags: Flags::SYN, opts, ..Head::default() };
        let syn = self.forge.segment(&syn, &[]);
        self.take(&syn);
        self.ack();
        self.conn = self.stack.accept(self.now, self.listener).expect("the honest client").0;
    }

    /// The client acknowledges all that it heard.
    fn ack(&mut self) {
        let head = Head { seq: IRS + 1, ack: self.heard.end, wnd: u16::MAX, ..Head::default() };
        let ack = self.forge.segment(&head, &[]);
        self.take(&ack);
    }

    fn info(&mut self) -> synfin_tcp::Info {
        self.stack.conn(self.now, self.conn).expect("the client's connection").info()
    }

    /// Brings the victim to where the attack begins.
    fn prepare(&mut self) {
        if self.attack == Attack::Sack {
            // As much in flight as the send buffer holds.
            let text = vec![7; 1 << 18];
            for _ in 0..100_000 {
                let _ = self.stack.conn(self.now, self.conn).expect("the connection").write(&text);
                let _ = self.stack.poll_transmit(self.now, 1 << 20, &mut self.heard);
                if self.info().flight >= 200_000 {
                    break;
                }
                self.now += Duration::from_millis(1);
                self.ack();
            }
        } else {
            let _ = self.stack.conn(self.now, self.conn).expect("the connection").write(b"in flight");
            let _ = self.stack.poll_transmit(self.now, 1 << 20, &mut self.heard);
        }
        let info = self.info();
        self.flight = (info.snd_una, info.snd_nxt);
        if matches!(self.attack, Attack::SynFlood | Attack::CookieGuess | Attack::Colliding) {
            // The queue is full already: what is measured is the flood, not its beginning.
            for n in 0..u64::from(SYN_QUEUE) + 1 {
                let syn = self.forge.syn_from(1 << 32 | n);
                self.take(&syn);
            }
        }
        if self.attack == Attack::SmackAtLimit {
            for n in 0..8192 {
                let octet = self.smack(n);
                self.take(&octet);
            }
        }
    }

    /// One octet out of order; 4,096 places 64 octets apart.
    fn smack(&mut self, n: u64) -> Vec<u8> {
        let place = 4095 - (n % 4096) as u32;
        let second = u32::from(self.attack == Attack::SmackAtLimit && n >= 8192) * 20;
        let head = Head { seq: IRS + 1 + 30 + place * 64 + second, ..self.good() };
        self.forge.segment(&head, b"x")
    }

    /// A header with good numbers.
    fn good(&self) -> Head {
        Head { seq: IRS + 1, ack: Some(self.flight.0), wnd: u16::MAX, ..Head::default() }
    }

    fn packet(&mut self, n: u64) -> Vec<u8> {
        // Every number once, in an order that looks random (a bijection of 32 bits).
        let scattered = Seq::new((n as u32).wrapping_mul(0x9e37_79b1).wrapping_add(0x1234_5678));
        // Never the one number that a blind sender would need 2^32 tries for, so that the counts are the same each time.
        let blind = if scattered == IRS + 1 { IRS + 2 } else { scattered };
        let good = self.good();
        match self.attack {
            Attack::SynFlood => self.forge.syn_from(n),
            Attack::Colliding => self.forge.colliding(n),
            Attack::CookieGuess => self.forge.ack_from(n, scattered),
            Attack::ClosedPort => self.forge.to_closed_port(n),
            Attack::BlindRst => {
                self.forge.segment(&Head { seq: blind, ack: None, flags: Flags::RST, ..good }, &[])
            }
            Attack::BlindSyn => {
                self.forge.segment(&Head { seq: blind, ack: None, flags: Flags::SYN, ..good }, &[])
            }
            Attack::BlindText => {
                let ack = Some(Seq::new((n as u32).wrapping_mul(0x85eb_ca6b)));
                self.forge.segment(&Head { seq: blind, ack, ..good }, b"forged text")
            }
            Attack::Smack => self.smack(n),
            Attack::SmackAtLimit => self.smack(n + 8192),
            Attack::Tiny => self.forge.segment(&Head { seq: IRS + 1 + n as u32, ..good }, b"x"),
            Attack::Sack => {
                // Four blocks of one segment each, with a gap between any two.
                let (una, nxt) = self.flight;
                let pairs = nxt.since(una) / 96;
                let block = |k: u64| {
                    let left = una + 48 + 96 * ((n * 4 + k) % u64::from(pairs - 1)) as u32;
                    SackBlock { left, right: left + 48 }
                };
                let sack = [block(0), block(1), block(2), block(3)];
                let opts = OptionsOut { sack, sack_len: 4, ..OptionsOut::default() };
                self.forge.segment(&Head { opts, ..good }, &[])
            }
            Attack::Fragments => self.forge.first_fragment(n),
            Attack::Nops => self.forge.nops(&good),
            Attack::Icmp => self.forge.icmp(n, scattered),
        }
    }

    /// Half-open records, connections and buffers now.
    pub fn census(&self) -> Census {
        self.stack.census()
    }

    /// What the client's connection has come to: nothing at all, if the attack failed.
    ///
    /// # Errors
    /// What the attack did.
    pub fn verdict(&mut self) -> Result<(), String> {
        let harmless = matches!(self.attack, Attack::Tiny | Attack::Smack | Attack::SmackAtLimit);
        let (info, census) = (self.info(), self.census());
        let mut wrong = Vec::new();
        if info.state != State::Established {
            wrong.push(format!("state {}", info.state));
        }
        if info.recv_queue > 0 && !harmless {
            wrong.push(format!("{} octets delivered", info.recv_queue));
        }
        if info.snd_una != self.flight.0 {
            wrong.push("SND.UNA moved".to_owned());
        }
        if census.half_open > SYN_QUEUE || census.connections != 1 {
            wrong.push(format!("{census:?}"));
        }
        if census.buffers > 1 << 20 {
            wrong.push(format!("{} octets of buffers", census.buffers));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
    }
}

impl Subject for Victim {
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize {
        let mut left = n;
        while left > 0 {
            let row: Vec<Vec<u8>> = (0..left.min(ROW) as u64).map(|k| self.packet(self.n + k)).collect();
            self.n += row.len() as u64;
            left -= row.len();
            let Victim { stack, heard, now, .. } = self;
            watch.start();
            for packet in &row {
                *now += GAP;
                counted(|| {
                    stack.on_packet(*now, RxFrame::plain(packet));
                    stack.on_timeout(*now);
                    let _ = stack.poll_transmit(*now, 1 << 20, heard);
                });
            }
            watch.stop();
            if self.attack == Attack::Tiny {
                let mut handle = self.stack.conn(self.now, self.conn).expect("the connection");
                let _ = handle.read(&mut self.into);
            }
        }
        n
    }
}

/// Every attack as a case of [`crate::callgrind`].
pub fn cases() -> Vec<Case> {
    ATTACKS.into_iter().map(Case::Attack).collect()
}

/// The program: `packets` of each attack, the blind ones `probes` times. A table, and what went wrong.
pub fn table(packets: usize, probes: usize, heap: fn() -> Heap) -> (String, Vec<String>) {
    let head = [
        "attack",
        "packets",
        "ns each (median of 16 parts)",
        "answers",
        "RSTs",
        "octets out / in",
        "heap growth",
        "buffers",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    let mut failures = Vec::new();
    for attack in ATTACKS {
        let mut victim = Victim::new(attack);
        let blind = matches!(attack, Attack::BlindRst | Attack::BlindSyn | Attack::BlindText);
        let all = if blind { probes } else { packets };
        let (mut watch, mut figures) = (Stopwatch::new(), Vec::new());
        let size = victim.packet(0).len();
        let before = heap().live;
        for _ in 0..16 {
            watch.take();
            let times = victim.run(all.div_ceil(16), &mut watch);
            figures.push(watch.take() as f64 / times as f64);
        }
        let grown = heap().live.saturating_sub(before);
        let sent = victim.n as f64 * size as f64;
        lines.push([
            attack.name().to_owned(),
            victim.n.to_string(),
            Summary::of(&figures).to_string(),
            victim.heard.packets.to_string(),
            victim.heard.resets.to_string(),
            number(victim.heard.octets as f64 / sent),
            grown.to_string(),
            victim.census().buffers.to_string(),
        ]);
        if let Err(what) = victim.verdict() {
            failures.push(format!("{}: {what}", attack.name()));
        }
        if blind {
            // One challenge in 500 ms, and what the honest side repeats meanwhile. Text outside the window is answered each
            // time: it may be an honest repetition whose ACK was lost (RFC 5961 7 leaves that open).
            let limited = 2 + 4 * (victim.n / 1_000_000 + 1);
            let most = if attack == Attack::BlindText { victim.n + limited } else { limited };
            if victim.heard.packets > most {
                failures.push(format!("{}: {} answers", attack.name(), victim.heard.packets));
            }
        }
    }
    (render(&lines), failures)
}
