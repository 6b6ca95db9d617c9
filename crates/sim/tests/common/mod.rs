//! What the tests of whole worlds share.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::env;
use std::fmt::Debug;

use synfin_net::Census;
use synfin_sim::{Ending, NodeId, Observer, Seen, Station, World};
use synfin_wire::text::Line;
use synfin_wire::{Addr, Endpoint, Instant};

pub const CLIENT: Addr = Addr::v4([10, 9, 0, 1]);
pub const SERVER: Addr = Addr::v4([10, 9, 0, 2]);
pub const CLIENT6: Addr = Addr::v6([0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
pub const SERVER6: Addr = Addr::v6([0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
pub const PORT: u16 = 80;

pub fn endpoint(addr: Addr) -> Endpoint {
    Endpoint::new(addr, PORT)
}

/// Prints, if the test panics while it lives, the one line that runs the same case again.
pub struct Rerun<'a, C: Debug> {
    pub test: &'a str,
    pub seed: u64,
    pub case: &'a C,
}

impl<C: Debug> Drop for Rerun<'_, C> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let binary = env!("CARGO_CRATE_NAME");
            let Rerun { test, seed, case } = self;
            println!(
                "rerun: SYNFIN_SEED={seed} cargo test -p synfin-sim --test {binary} -- --exact {test} --nocapture  # {case:?}"
            );
        }
    }
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text:?}")))
}

/// The seeds to run: `0..count`, or more with `SYNFIN_SEEDS`, or only the one of `SYNFIN_SEED`.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    match number("SYNFIN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SYNFIN_SEEDS").unwrap_or(count),
    }
}

/// Prints every packet when a single seed is run again.
pub fn trace(world: &mut World) {
    if number("SYNFIN_SEED").is_some() {
        world.observe(Trace);
    }
}

struct Trace;

impl Observer for Trace {
    fn on_packet(&mut self, seen: &Seen<'_>) {
        if let Station::Sent { fate, .. } = seen.station {
            println!("{:?} {} {fate:?}", seen.now, Line(seen.bytes));
        }
    }
}

/// Runs until nothing is left to happen.
pub fn run_out(world: &mut World) {
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    assert_eq!(world.in_flight(), 0);
}

/// No record of any kind, and no buffer.
pub fn assert_nothing_left(world: &World, nodes: &[NodeId]) {
    for node in nodes {
        let census = world.stack(*node).census();
        assert_eq!(census, Census::default(), "left at {}", world.name(*node));
    }
}
