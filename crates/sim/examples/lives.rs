//! Opens and closes many connections in virtual time, and shows that nothing is left: `lives [N]`, by default 1,000,000.

use std::process::ExitCode;
use std::time::Instant as WallClock;

use synfin_net::Census;
use synfin_sim::apps::{Churn, ChurnServer};
use synfin_sim::{Ending, LinkConfig, World, host};
use synfin_wire::{Addr, Endpoint, Instant};

const WAVES: u64 = 10;

/// KiB of memory that this process holds, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4)
}

fn main() -> ExitCode {
    let lives = match std::env::args().nth(1).map(|n| n.parse::<u64>()) {
        None => 1_000_000,
        Some(Ok(n)) if n > 0 => n,
        Some(_) => {
            eprintln!("lives: the number of connections must be a number above 0, e.g. `lives 1000000`");
            return ExitCode::from(2);
        }
    };
    let [client_addr, server_addr] = [1, 2].map(|n| Addr::v4([10, 9, 0, n]));
    let started = WallClock::now();
    let mut world = World::new(1);
    let client = world.add_node("client", host(&[client_addr]));
    let server = world.add_node("server", host(&[server_addr]));
    world.join(client, server, LinkConfig::default(), LinkConfig::default());
    let at: Vec<Endpoint> = (1000..1016).map(|port| Endpoint::new(server_addr, port)).collect();
    world.add_app(server, ChurnServer::new(at.clone()));
    let mut ok = true;
    let mut before = 0;
    for wave in 1..=WAVES {
        let upto = lives * wave / WAVES;
        let app = world.add_app(client, Churn::new(at.clone(), upto - before, 256));
        ok &= world.run_until(Instant::NEVER) == Ending::Idle;
        let done = world.app(app).map_or(0, Churn::done);
        ok &= done == upto - before;
        let census = [client, server].map(|node| world.stack(node).census());
        ok &= census.iter().all(|c| *c == Census { listeners: c.listeners, ..Census::default() });
        println!(
            "{upto} lives, {} of the last {} failed, {:.1} s, virtual time {:?}, resident {} KiB, left: {:?}",
            upto - before - done,
            upto - before,
            started.elapsed().as_secs_f32(),
            world.now(),
            resident().map_or_else(|| "?".into(), |kib| kib.to_string()),
            census
        );
        before = upto;
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
