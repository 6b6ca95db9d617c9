use core::time::Duration;
use std::format;

use proptest::prelude::*;
use synfin_wire::{Addr, Endpoint, Tuple};

use super::*;
use crate::connection::TxLimits;
use crate::testing::Preset;
use crate::{Config, Counters, Pool};

static TEXT: [u8; 2800] = [9; 2800];

/// A die with any number of sides.
struct Die(u64);

impl Die {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % sides.max(1)
    }

    /// Mostly nothing, else something near or far.
    fn off(&mut self) -> u32 {
        *[1, u32::MAX, 3000, 70_000].get(self.roll(16) as usize).unwrap_or(&0)
    }

    /// A segment near what an open connection expects: often exactly that.
    fn segment(&mut self, c: &Connection) -> Segment<'static> {
        let (ctl, flags) = match self.roll(40) {
            0 => (Control::Fin, Flags::FIN),
            1 => (Control::Rst, Flags::RST),
            2 => (Control::Syn, Flags::SYN),
            _ => (Control::None, Flags::default()),
        };
        let ack = c.snd.una + self.roll(c.snd.nxt.since(c.snd.una) + 1) + self.off();
        let len = [0, 1, 700, 1460, 2800][self.roll(5) as usize];
        let mut seg = Segment {
            seq: c.rcv.nxt + self.off(),
            ack: (self.roll(20) > 0).then_some(ack),
            wnd: [0, 500, 20_000, u16::MAX][self.roll(4) as usize],
            ctl,
            flags,
            urg: (self.roll(20) == 0).then_some(5),
            payload: &TEXT[..len],
            ..Segment::default()
        };
        if self.roll(20) > 0 {
            let val =
                c.rcv.ts_recent.wrapping_add(self.roll(6)).wrapping_sub(2 * u32::from(self.roll(10) == 0));
            seg.opts.ts = Some(Timestamps { val, ecr: 77 });
        }
        seg
    }
}

/// An open connection with something in flight.
fn open(stamps: bool, sack: bool, rcv_wnd: u32, cx: &mut Cx<'_>) -> Connection {
    let end = |n, port| Endpoint::new(Addr::v4([10, 0, 0, n]), port);
    let iss = Seq::new(u32::MAX - 2000);
    let preset = Preset {
        tuple: Tuple { local: end(1, 40_000), remote: end(2, 80) },
        state: State::Established,
        active: true,
        iss,
        irs: Seq::new(u32::MAX - 5000),
        snd_una: iss + 1,
        snd_nxt: iss + 3001,
        snd_wnd: 20_000,
        max_snd_wnd: 20_000,
        rcv_nxt: Seq::new(u32::MAX - 4000),
        rcv_wnd,
        fin_sent: false,
        acked: 9000,
        ts: stamps.then_some((50, cx.now)),
    };
    let mut c = preset.connection(cx);
    if sack {
        c.bits.set(Bits::SACK_OK);
    }
    c
}

/// Segments one after another, each through both ways; how many took the short one.
fn run(die: &mut Die, cfg: &Config, c: [bool; 2], rcv_wnd: u32) -> Result<u32, TestCaseError> {
    let (mut pool, mut counters, mut now) =
        (Pool::default(), Counters::default(), Instant::from_millis(9000));
    macro_rules! cx {
        ($pool:expr, $counters:expr) => {
            Cx { now, cfg, pool: &mut $pool, probe: None, counters: &mut $counters, reply: None }
        };
    }
    let mut conn = open(c[0], c[1], rcv_wnd, &mut cx!(pool, counters));
    let mut short = 0;
    for _ in 0..20 {
        now += Duration::from_millis(die.roll(60).into());
        let mut cx = cx!(pool, counters);
        match die.roll(4) {
            0 => drop(conn.write(&mut cx, &TEXT[..die.roll(2800) as usize])),
            1 => drop(conn.read(&mut cx, &mut [0; 3000][..die.roll(3000) as usize])),
            2 => while conn.poll_transmit(&mut cx, TxLimits { mtu_payload: 1480, max_gso: 0 }).is_some() {},
            _ => {}
        }
        if conn.state != State::Established {
            break;
        }
        let seg = die.segment(&conn);
        short += u32::from(conn.is_next(&cx, &seg));
        let (mut long, mut pool2, mut counters2) = (conn.clone(), cx.pool.clone(), cx.counters.clone());
        let verdict = conn.on_segment(&mut cx, &seg);
        let reached = format!("{verdict:?} {:?} {:?} {:?}", cx.reply, cx.counters, cx.pool.used());
        let mut other = cx!(pool2, counters2);
        let expected = long.in_other_states(&mut other, &seg);
        long.heard(now);
        let wanted = format!("{expected:?} {:?} {:?} {:?}", other.reply, other.counters, other.pool.used());
        prop_assert_eq!(reached, wanted);
        prop_assert!(format!("{conn:?}") == format!("{long:?}"), "{conn:?}\n{long:?}");
    }
    Ok(short)
}

proptest! {
    /// The short way through [`Connection::on_segment`] and the long one lead to the same place.
    #[test]
    fn next_in_order_or_not_is_the_same(seed: u64, c: [bool; 2], linux: bool, narrow: bool) {
        let cfg = if linux { Config::linux() } else { Config::default() };
        run(&mut Die(seed), &cfg, c, if narrow { 4000 } else { 60_000 })?;
    }
}

#[test]
fn both_ways_are_taken() {
    let short: u32 = (0..50)
        .map(|seed| {
            run(&mut Die(seed), &Config::default(), [true, true], 60_000).expect("the same either way")
        })
        .sum();
    assert!((100..900).contains(&short), "{short}");
}
