use std::collections::VecDeque;
use std::time::Duration;
use std::vec::Vec;

use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Endpoint, Head, Instant, Segment, Seq, Tuple};

use super::*;
use crate::{Counters, HalfOpen, Pool, ReadError, WriteError};

/// One end without a stack around it.
struct End {
    cfg: Config,
    pool: Pool,
    counters: Counters,
    tuple: Tuple,
    half: Option<SynRecord>,
    conn: Option<Connection>,
    /// How the record ended.
    gone: Option<CloseReason>,
    rested: Option<TimeWait>,
    out: VecDeque<Vec<u8>>,
}

macro_rules! cx {
    ($e:expr, $now:expr) => {
        Cx {
            now: $now,
            cfg: &$e.cfg,
            pool: &mut $e.pool,
            probe: None,
            counters: &mut $e.counters,
            reply: None,
        }
    };
}

const LIM: TxLimits = TxLimits { mtu_payload: 1480, max_gso: 0 };

impl End {
    fn new(tuple: Tuple, cfg: Config) -> End {
        End {
            cfg,
            pool: Pool::default(),
            counters: Counters::default(),
            tuple,
            half: None,
            conn: None,
            gone: None,
            rested: None,
            out: VecDeque::new(),
        }
    }

    fn put(&mut self, head: &Head, text: &[u8]) {
        let mut bytes = [0; Head::MAX_LEN];
        let n = head.emit(Ports { src: self.tuple.local.port, dst: self.tuple.remote.port }, &mut bytes);
        let mut packet = bytes[..n].to_vec();
        packet.extend_from_slice(text);
        self.out.push_back(packet);
    }

    fn verdict(&mut self, v: Verdict) {
        match v {
            Verdict::Keep => {}
            Verdict::Linger(tw) => self.rested = Some(tw),
            Verdict::Gone(r) => self.gone = Some(r),
        }
    }

    fn on_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let (_, seg) = Segment::parse(bytes).unwrap();
        let mut cx = cx!(self, now);
        let mut v = Verdict::Keep;
        if let Some(tw) = &mut self.rested {
            let _ = tw.on_segment(&mut cx, &seg);
        } else if self.gone.is_some() {
            cx.reply = (!seg.ctl.rst()).then(|| reset_for(&seg));
        } else if let Some(c) = &mut self.conn {
            v = c.on_segment(&mut cx, &seg);
        } else if let Some(rec) = &mut self.half {
            if rec.on_segment(&mut cx, &seg) == HalfOpen::Promote {
                let mut c = Connection::promote(rec, &mut cx);
                v = c.on_segment(&mut cx, &seg);
                self.conn = Some(c);
            }
        } else if seg.ctl.syn() {
            self.half = Some(SynRecord::open(self.tuple, &seg, Seq::new(9_000_000), 77, 1460, &mut cx));
        }
        let reply = cx.reply;
        self.verdict(v);
        if let Some(h) = reply {
            self.put(&h, &[]);
        }
    }

    fn pump(&mut self, now: Instant) {
        let mut v = Verdict::Keep;
        let mut reply = None;
        if self.gone.is_none() && self.rested.is_none() {
            if let Some(c) = &mut self.conn {
                let mut cx = cx!(self, now);
                if c.poll_timeout() <= now {
                    v = c.on_timeout(&mut cx);
                }
                reply = cx.reply;
            } else if let Some(rec) = &mut self.half {
                let mut cx = cx!(self, now);
                if rec.poll_timeout() <= now && rec.on_timeout(&mut cx) == HalfOpen::Delete {
                    self.gone = Some(CloseReason::TimedOut);
                }
                reply = cx.reply;
            }
        }
        self.verdict(v);
        if let Some(h) = reply {
            self.put(&h, &[]);
        }
        for turn in 0.. {
            let Some(c) = &mut self.conn else { return };
            assert!(turn < 10_000, "sends for ever: {:?} {:?}", c.snd, c.log);
            let mut cx = cx!(self, now);
            let Some(tx) = c.poll_transmit(&mut cx, LIM) else { return };
            let head = tx.head;
            let mut text = Vec::new();
            tx.payload.for_each(|p| text.extend_from_slice(p));
            assert_eq!(text.len() as u32, tx.len, "text that the queue does not hold");
            self.put(&head, &text);
        }
    }

    fn deadline(&self) -> Instant {
        if self.gone.is_some() || self.rested.is_some() {
            return Instant::NEVER;
        }
        match (&self.conn, &self.half) {
            (Some(c), _) => c.poll_timeout(),
            (None, Some(h)) => h.poll_timeout(),
            _ => Instant::NEVER,
        }
    }

    fn write(&mut self, now: Instant, data: &[u8]) -> usize {
        let mut cx = cx!(self, now);
        match self.conn.as_mut().unwrap().write(&mut cx, data) {
            Ok(n) => n,
            Err(WriteError::WouldBlock) => 0,
            Err(e) => panic!("{e}"),
        }
    }

    fn read_all(&mut self, now: Instant, into: &mut Vec<u8>) -> bool {
        let Some(c) = &mut self.conn else { return false };
        let mut cx = cx!(self, now);
        let mut buf = [0; 5000];
        loop {
            match c.read(&mut cx, &mut buf) {
                Ok(0) => return true,
                Ok(n) => into.extend_from_slice(&buf[..n]),
                Err(ReadError::WouldBlock) => return false,
                Err(e) => panic!("{e}"),
            }
        }
    }
}

struct Rng(u64);
impl Rng {
    fn chance(&mut self, percent: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % 100 < percent
    }
}

fn tuple() -> Tuple {
    let end = |n, port| Endpoint::new(Addr::v4([10, 0, 0, n]), port);
    Tuple { local: end(1, 40_000), remote: end(2, 80) }
}

/// A client sends `size` octets through a link that loses `loss` percent, both close; returns the virtual time it took.
fn transfer(seed: u64, size: usize, loss: u64, cfg: &Config) -> Duration {
    let mut now = Instant::from_millis(5);
    let mut a = End::new(tuple(), cfg.clone());
    let mut b = End::new(tuple().flipped(), cfg.clone());
    let mut cx = cx!(a, now);
    // The initial numbers make sequence space wrap in mid-transfer.
    a.conn = Some(Connection::open(tuple(), Seq::new(u32::MAX - 5000), 3, 1460, &mut cx));
    let data: Vec<u8> = (0..size).map(|i| (i * 31 % 253) as u8).collect();
    let (mut sent, mut got, mut back) = (0, Vec::new(), Vec::new());
    let mut rng = Rng(seed);
    let mut flying: VecDeque<(Instant, bool, Vec<u8>)> = VecDeque::new();
    let (mut closed_a, mut closed_b) = (false, false);
    for _ in 0..2_000_000 {
        let open = |e: &End| e.conn.as_ref().is_some_and(|c| c.readiness().connected);
        if open(&a) && sent < size {
            sent += a.write(now, &data[sent..]);
        }
        if sent == size && open(&a) && !closed_a {
            closed_a = true;
            let mut cx = cx!(a, now);
            let v = a.conn.as_mut().unwrap().shutdown(&mut cx, Shutdown::Write);
            a.verdict(v);
        }
        if b.read_all(now, &mut got) && !closed_b {
            closed_b = true;
            let mut cx = cx!(b, now);
            let v = b.conn.as_mut().unwrap().close(&mut cx);
            b.verdict(v);
        }
        a.read_all(now, &mut back);
        for (end, to_b) in [(&mut a, true), (&mut b, false)] {
            end.pump(now);
            for p in end.out.drain(..) {
                if !rng.chance(loss) {
                    flying.push_back((now + Duration::from_millis(20), to_b, p));
                }
            }
        }
        if a.rested.is_some() && b.gone.is_some() {
            assert_eq!(got, data, "seed {seed}");
            assert_eq!(b.gone, Some(CloseReason::Done));
            return now.since(Instant::ZERO);
        }
        assert!(a.gone.is_none(), "seed {seed}: {:?}", a.gone);
        let next = flying.front().map_or(Instant::NEVER, |f| f.0).min(a.deadline()).min(b.deadline());
        assert!(!next.is_never(), "seed {seed}: stuck at {now:?}: {:?} {:?}", a.conn, b.conn);
        now = next.max(now);
        while flying.front().is_some_and(|f| f.0 <= now) {
            let (_, to_b, p) = flying.pop_front().unwrap();
            if to_b { b.on_bytes(now, &p) } else { a.on_bytes(now, &p) }
        }
    }
    panic!("seed {seed}: no end after {now:?}: {got} of {size}", got = got.len());
}

#[test]
fn a_clean_link_takes_the_round_trips_it_must() {
    let t = transfer(1, 100_000, 0, &Config::default());
    assert!(t < Duration::from_millis(500), "{t:?}");
}

#[test]
fn every_octet_arrives_over_links_that_lose() {
    for loss in [1, 5, 20] {
        for seed in 0..60 {
            transfer(seed, 60_000, loss, &Config::default());
            transfer(seed, 30_000, loss, &Config { sack: false, ..Config::default() });
            transfer(seed, 30_000, loss, &Config { timestamps: false, ..Config::default() });
        }
    }
}

#[test]
fn a_small_receive_buffer_closes_and_opens_the_window() {
    for seed in 0..20 {
        transfer(seed, 60_000, 3, &Config { recv_buffer: 2_000, ..Config::default() });
        transfer(seed, 60_000, 3, &Config { recv_buffer: 200_000, send_buffer: 3_000, ..Config::default() });
    }
}

#[test]
fn answered_window_probes_are_no_retransmissions() {
    let cfg = Config { orphan_retries: 3, recv_buffer: 100, ..Config::default() };
    let mut now = Instant::from_millis(5);
    let mut a = End::new(tuple(), cfg.clone());
    let mut b = End::new(tuple().flipped(), cfg);
    let mut cx = cx!(a, now);
    a.conn = Some(Connection::open(tuple(), Seq::new(7), 3, 1460, &mut cx));
    let exchange = |a: &mut End, b: &mut End, now: Instant| {
        for _ in 0..10 {
            a.pump(now);
            a.out.drain(..).for_each(|p| b.on_bytes(now, &p));
            b.pump(now);
            b.out.drain(..).for_each(|p| a.on_bytes(now, &p));
        }
    };
    exchange(&mut a, &mut b, now);
    assert_eq!(a.write(now, &[1; 150]), 150);
    let mut cx = cx!(a, now);
    let v = a.conn.as_mut().unwrap().close(&mut cx);
    a.verdict(v);
    // The reader sleeps through more probes than an orphan has tries.
    for _ in 0..8 {
        exchange(&mut a, &mut b, now);
        now = now.max(a.deadline().min(b.deadline()));
    }
    assert!(a.gone.is_none());
    let mut got = Vec::new();
    b.read_all(now, &mut got);
    b.pump(now);
    b.out.drain(..).for_each(|p| a.on_bytes(now, &p));
    a.pump(now);
    // What the open window let out is lost, once.
    assert!(a.out.drain(..).count() > 0);
    let rto = a.deadline().since(now);
    assert!(rto <= Duration::from_secs(1), "{rto:?}: backed off by probes");
    now = a.deadline();
    exchange(&mut a, &mut b, now);
    assert_eq!(a.gone, None, "one loss is no reason to give up");
    b.read_all(now, &mut got);
    assert_eq!(got, [1; 150]);
}

#[test]
fn text_sent_before_the_peer_saw_our_fin_is_taken_after_its_ack() {
    let now = Instant::from_millis(5);
    let mut a = End::new(tuple(), Config::default());
    let mut b = End::new(tuple().flipped(), Config::default());
    let mut cx = cx!(a, now);
    a.conn = Some(Connection::open(tuple(), Seq::new(7), 3, 1460, &mut cx));
    for _ in 0..4 {
        a.pump(now);
        a.out.drain(..).for_each(|p| b.on_bytes(now, &p));
        b.pump(now);
        b.out.drain(..).for_each(|p| a.on_bytes(now, &p));
    }
    assert_eq!(b.write(now, b"late"), 4);
    b.pump(now);
    let text: Vec<_> = b.out.drain(..).collect();
    let mut cx = cx!(a, now);
    let v = a.conn.as_mut().unwrap().shutdown(&mut cx, Shutdown::Write);
    a.verdict(v);
    a.pump(now);
    a.out.drain(..).for_each(|p| b.on_bytes(now, &p));
    b.pump(now);
    // The ACK of the FIN overtakes the text, whose ACK field is one behind now.
    b.out.drain(..).for_each(|p| a.on_bytes(now, &p));
    text.iter().for_each(|p| a.on_bytes(now, p));
    let mut got = Vec::new();
    a.read_all(now, &mut got);
    assert_eq!(got, b"late");
    assert_eq!(a.counters.drops(synfin_wire::DropReason::AckTooOld), 0);
}
