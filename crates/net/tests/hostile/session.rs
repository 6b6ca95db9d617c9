//! Random sessions: segments around the interesting numbers, calls, jumps of the clock and turns cut short.

use std::time::Duration;

use crate::rig::{ms, s};
use crate::run::seeds;
use crate::world::World;

const STEPS: u64 = 250;

fn some_time(w: &mut World) -> Duration {
    let days = 86_400;
    match w.rng.below(20) {
        0..6 => ms(1),
        6..10 => ms(40),
        10..13 => ms(250),
        13..16 => s(1),
        16 => s(60),
        17 => s(7200),
        18 => w.rng.pick(&[s(30 * days), s(60 * days)]),
        _ => Duration::from_nanos(w.rng.below(3_000_000_000)),
    }
}

fn step(w: &mut World) {
    match w.rng.below(20) {
        0 => w.miss(),
        1..11 => w.arrive(),
        11..16 => w.call(),
        16 => {
            let d = some_time(w);
            w.jump(d);
        }
        17 => {
            let d = some_time(w);
            w.advance(d, 40);
        }
        18 => {
            let (budget, room) =
                if w.rng.percent(20) { (1 << 20, 1 << 20) } else { (w.rng.upto(4), w.rng.upto(4)) };
            let (_, _) = w.turn(budget, room);
        }
        _ => {
            w.drain();
        }
    }
}

/// Obedient peers and a busy application, until some connections are open.
fn warm_up(w: &mut World) {
    if w.rng.percent(40) {
        w.connect_before_the_wrap();
    }
    for _ in 0..12 {
        w.connect();
        for _ in 0..4 {
            w.obey();
            w.drain();
        }
        w.accept();
        w.check();
    }
}

#[test]
fn sessions() {
    seeds("sessions", 1500, |seed| {
        let mut w = World::new(seed);
        w.listen();
        if seed % 4 > 0 {
            warm_up(&mut w);
        }
        for _ in 0..STEPS {
            step(&mut w);
            w.check();
        }
        w.finish();
    });
}
