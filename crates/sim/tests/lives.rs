//! Many short connections: every life ends, no record is left, memory does not grow.

mod common;

use common::{CLIENT, SERVER, assert_nothing_left, number, run_out};
use synfin_sim::apps::{Churn, ChurnServer};
use synfin_sim::{LinkConfig, World, host};
use synfin_wire::Endpoint;

/// By default; `SYNFIN_LIVES` sets another number.
const LIVES: u64 = 1_000_000;
const WAVES: u64 = 4;

/// Octets of memory that this process holds, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn many_lives_leave_nothing() {
    let per_wave = number("SYNFIN_LIVES").unwrap_or(LIVES) / WAVES;
    let mut world = World::new(1);
    let client = world.add_node("client", host(&[CLIENT]));
    let server = world.add_node("server", host(&[SERVER]));
    world.join(client, server, LinkConfig::default(), LinkConfig::default());
    let at: Vec<Endpoint> = (1000..1016).map(|port| Endpoint::new(SERVER, port)).collect();
    let serving = world.add_app(server, ChurnServer::new(at.clone()));
    let mut held = Vec::new();
    for wave in 1..=WAVES {
        let app = world.add_app(client, Churn::new(at.clone(), per_wave, 64));
        run_out(&mut world);
        let churn: &Churn = world.app(app).unwrap();
        assert_eq!(churn.failures(), []);
        assert_eq!(churn.done(), per_wave);
        assert_eq!(world.app::<ChurnServer>(serving).unwrap().accepted(), wave * per_wave);
        held.extend(resident());
        let census = world.stack(server).census();
        assert_eq!(census.listeners, 16);
        assert_eq!((census.connections, census.half_open, census.time_wait, census.buffers), (0, 0, 0, 0));
    }
    match held.as_slice() {
        // The allocator breathes by a MiB or so; 16 octets left by each life would be three times the slack.
        [first, .., last] => assert!(*last <= first + (4 << 20), "resident after each wave: {held:?}"),
        _ => println!("skipped: this system does not tell how much memory a process holds"),
    }
    let listeners: Vec<_> = world.app::<ChurnServer>(serving).unwrap().listeners().to_vec();
    for listener in listeners {
        let now = world.now();
        world.stack_mut(server).close_listener(now, listener.unwrap());
    }
    run_out(&mut world);
    assert_nothing_left(&world, &[client, server]);
}
