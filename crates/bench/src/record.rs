//! One segment into [`Connection::on_segment`] alone: no packet, no checksum, no table, no timer wheel.
//!
//! The segments are parsed beforehand; building the call's context is included. smoltcp keeps its counterpart private.

use core::time::Duration;

use synfin_tcp::{Config, Connection, Counters, Cx, Pool, TxLimits, Verdict};
use synfin_wire::tcp::OptionsIn;
use synfin_wire::{Addr, Control, Endpoint, Flags, Instant, Segment, Seq, Timestamps, Tuple};

use crate::case::Subject;
use crate::clock::Stopwatch;
use crate::counted;
use crate::host::Stamps;
use crate::micro::{ROW, Work};

/// One measurement on a record.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What arrives.
    pub work: Work,
    /// Whether the application's read is part of it.
    pub read: bool,
    /// Timestamps.
    pub stamps: Stamps,
}

const GAP: Duration = Duration::from_micros(10);
const LIMITS: TxLimits = TxLimits { mtu_payload: 1480, max_gso: 0 };

/// What [`Cx`] borrows.
struct World {
    now: Instant,
    cfg: Config,
    pool: Pool,
    counters: Counters,
}

impl World {
    #[inline]
    fn cx(&mut self) -> Cx<'_> {
        Cx {
            now: self.now,
            cfg: &self.cfg,
            pool: &mut self.pool,
            probe: None,
            counters: &mut self.counters,
            reply: None,
        }
    }
}

/// An open connection without a stack around it.
pub struct Record {
    case: Case,
    conn: Connection,
    world: World,
    /// Next number that the peer sends.
    seq: Seq,
    /// One past what we have sent.
    sent: Seq,
    echo: u32,
    text: Vec<u8>,
}

impl Record {
    /// Opens it and lets its congestion window grow.
    pub fn new(case: Case) -> Record {
        let cfg = Config { timestamps: case.stamps == Stamps::On, ..Config::default() };
        let mut world = World {
            now: Instant::from_millis(1000),
            cfg,
            pool: Pool::default(),
            counters: Counters::default(),
        };
        let tuple = Tuple {
            local: Endpoint::new(Addr::v4([10, 0, 0, 2]), 40_000),
            remote: Endpoint::new(Addr::v4([10, 0, 0, 1]), 80),
        };
        let conn = Connection::open(tuple, Seq::new(5000), 0, 1460, &mut world.cx());
        let mut record = Record {
            case,
            conn,
            world,
            seq: Seq::new(1_000_000),
            sent: Seq::new(5000),
            echo: 0,
            text: vec![7; ROW * 1460],
        };
        record.send_all();
        let mut syn_ack = record.segment(&[]);
        syn_ack.ctl = Control::Syn;
        syn_ack.flags = Flags::SYN.with(Flags::ACK);
        syn_ack.opts.mss = Some(1460);
        syn_ack.opts.wscale = Some(7);
        syn_ack.opts.sack_permitted = true;
        assert!(matches!(record.conn.on_segment(&mut record.world.cx(), &syn_ack), Verdict::Keep));
        record.seq += 1;
        record.send_all();
        record.open_windows();
        let mut off = Stopwatch::new();
        record.row(ROW, &mut off);
        record.row(ROW, &mut off);
        record
    }

    fn full(&self) -> usize {
        self.case.stamps.full_segment()
    }

    /// A segment that acknowledges everything.
    fn segment<'a>(&self, payload: &'a [u8]) -> Segment<'a> {
        let mut opts = OptionsIn::default();
        opts.ts = (self.case.stamps == Stamps::On).then_some(Timestamps { val: 1, ecr: self.echo });
        Segment {
            seq: self.seq,
            ack: Some(self.sent),
            wnd: u16::MAX,
            flags: Flags::ACK,
            opts,
            payload,
            ..Segment::default()
        }
    }

    /// Sends what is due, to nobody; returns how many segments with text there were.
    fn send_all(&mut self) -> usize {
        let mut with_text = 0;
        while let Some(t) = self.conn.poll_transmit(&mut self.world.cx(), LIMITS) {
            let len = t.len + u32::from(t.head.flags.has(Flags::SYN));
            self.sent = self.sent.later(t.head.seq + len);
            self.echo = t.head.opts.ts.map_or(self.echo, |ts| ts.val);
            with_text += usize::from(t.len > 0);
        }
        with_text
    }

    /// As in [`crate::micro`]: until a row fits at once.
    fn open_windows(&mut self) {
        if self.case.work == Work::Data {
            self.data(16, &mut Stopwatch::new());
            return;
        }
        for _ in 0..100 {
            let octets = ROW * self.full();
            let written = self.conn.write(&mut self.world.cx(), &self.text[..octets]);
            assert_eq!(written, Ok(octets), "room in the send buffer");
            let mut sent = self.send_all();
            let at_once = sent == ROW;
            loop {
                self.world.now += GAP;
                let ack = self.segment(&[]);
                keep(self.conn.on_segment(&mut self.world.cx(), &ack));
                if sent == ROW {
                    break;
                }
                sent += self.send_all();
            }
            if at_once {
                return;
            }
        }
        panic!("the congestion window does not grow");
    }

    fn row(&mut self, n: usize, watch: &mut Stopwatch) {
        match self.case.work {
            Work::Data => self.data(n, watch),
            Work::Ack => self.acks(n, watch),
        }
    }

    fn data(&mut self, n: usize, watch: &mut Stopwatch) {
        let (full, text) = (self.full(), std::mem::take(&mut self.text));
        let mut segments = Vec::with_capacity(n);
        for i in 0..n {
            segments.push(self.segment(&text[i * full..(i + 1) * full]));
            self.seq += full as u32;
        }
        let Record { conn, world, case, .. } = self;
        let mut into = vec![0; n * full];
        let mut read = 0;
        watch.start();
        for seg in &segments {
            world.now += GAP;
            counted(|| keep(conn.on_segment(&mut world.cx(), seg)));
            if case.read {
                read += counted(|| conn.read(&mut world.cx(), &mut into).unwrap_or(0));
            }
        }
        watch.stop();
        read += conn.read(&mut world.cx(), &mut into).unwrap_or(0);
        assert_eq!(read, n * full, "octets that were read");
        self.text = text;
        self.send_all();
    }

    fn acks(&mut self, n: usize, watch: &mut Stopwatch) {
        let full = self.full();
        let written = self.conn.write(&mut self.world.cx(), &self.text[..n * full]);
        assert_eq!(written, Ok(n * full), "room in the send buffer");
        assert_eq!(self.send_all(), n, "segments in flight");
        let segments: Vec<Segment<'_>> = (0..n as u32)
            .rev()
            .map(|left| Segment { ack: Some(self.sent - left * full as u32), ..self.segment(&[]) })
            .collect();
        let Record { conn, world, .. } = self;
        watch.start();
        for seg in &segments {
            world.now += GAP;
            counted(|| keep(conn.on_segment(&mut world.cx(), seg)));
        }
        watch.stop();
        assert_eq!(self.send_all(), 0, "nothing to repeat");
    }
}

#[inline]
fn keep(verdict: Verdict) {
    assert!(matches!(verdict, Verdict::Keep), "the connection goes on");
}

impl Subject for Record {
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize {
        let rows = n.div_ceil(ROW);
        for _ in 0..rows {
            self.row(ROW, watch);
        }
        rows * ROW
    }
}
