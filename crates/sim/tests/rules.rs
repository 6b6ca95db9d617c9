//! The rules of the congestion window between two real stacks: what a bulk transfer gets out of a link.

mod common;

use std::num::NonZeroU64;
use std::time::Duration;

use common::*;
use synfin_net::StackConfig;
use synfin_sim::apps::{Client, Outcome, Script, Server};
use synfin_sim::{LinkConfig, Loss, Ppm, World, host};
use synfin_tcp::Config;
use synfin_tcp::cc::Choice;

/// A path: Mbit/s, round trip in ms, queue in per cent of the bandwidth-delay product, losses in a million.
#[derive(Copy, Clone, Debug)]
struct Path {
    mbit: u64,
    rtt: u64,
    queue: u64,
    loss: u32,
}

/// Sends for about so many seconds' worth of the link; returns the share of the link's rate that the text got, in per cent.
fn share(choice: Choice, path: Path, secs: u64) -> u64 {
    let mut world = World::new(7);
    let bdp = path.mbit * 125 * path.rtt;
    let there = LinkConfig {
        delay: Duration::from_millis(path.rtt / 2),
        rate: NonZeroU64::new(path.mbit * 1_000_000),
        queue: u32::try_from(bdp * path.queue / 100).unwrap().max(30_000),
        loss: if path.loss == 0 { Loss::None } else { Loss::Independent(Ppm(path.loss)) },
        ..LinkConfig::default()
    };
    let back = LinkConfig { loss: Loss::None, ..there.clone() };
    let [a, b] = [(CLIENT, "client"), (SERVER, "server")].map(|(addr, name)| {
        let tcp = Config {
            congestion_control: choice,
            send_buffer: 16 << 20,
            recv_buffer: 16 << 20,
            rto_min: Duration::from_millis(200),
            ..Config::default()
        };
        world.add_node(name, StackConfig { tcp, ..host(&[addr]) })
    });
    world.join(a, b, there, back);
    let octets = path.mbit * 125_000 * secs;
    let script = Script::new(7, octets, 0);
    world.add_app(b, Server::new(endpoint(SERVER), move |_| script.mirrored()).with_limit(1));
    let client = world.add_app(a, Client::new(endpoint(SERVER), script));
    run_out(&mut world);
    let report = world.app::<Client>(client).unwrap().report();
    assert_eq!(report.outcome, Outcome::Done, "{choice:?} {path:?}");
    let took = report.ended_at.unwrap().since(report.connected_at.unwrap());
    octets * 8 * 100 / (path.mbit * took.as_micros() as u64)
}

/// Every rule fills a link without losses.
#[test]
fn clean_links() {
    for path in [
        Path { mbit: 10, rtt: 40, queue: 100, loss: 0 },
        Path { mbit: 20, rtt: 20, queue: 100, loss: 0 },
        Path { mbit: 2, rtt: 200, queue: 200, loss: 0 },
    ] {
        for choice in Choice::ALL {
            let used = share(choice, path, 6);
            assert!(used >= 85, "{choice:?} {path:?}: {used} %");
        }
    }
}

/// BBR keeps most of a path that loses one packet in a hundred; the others cannot.
#[test]
fn random_losses() {
    for path in [
        Path { mbit: 10, rtt: 40, queue: 100, loss: 10_000 },
        Path { mbit: 20, rtt: 20, queue: 100, loss: 10_000 },
    ] {
        let [reno, cubic, bbr] = Choice::ALL.map(|choice| share(choice, path, 5));
        assert!(bbr >= 75, "{path:?}: {bbr} %");
        assert!(cubic * 10 >= reno * 9, "{path:?}: {cubic} % and {reno} %");
        assert!(bbr > cubic + 20, "{path:?}: {bbr} % and {cubic} %");
    }
}

/// CUBIC is back on a long path long before NewReno.
#[test]
fn long_paths() {
    let path = Path { mbit: 20, rtt: 200, queue: 50, loss: 50 };
    let (reno, cubic) = (share(Choice::Reno, path, 20), share(Choice::Cubic, path, 20));
    assert!(cubic > reno, "{cubic} % and {reno} %");
    assert!(cubic >= 50, "{cubic} %");
}

/// Three in a hundred lost, repetitions as well: the rate is that of the losses (1.22 MSS / (RTT sqrt p), a fifth of this
/// link), not that of the timeouts that a lost repetition would cost.
#[test]
fn lost_repetitions() {
    let path = Path { mbit: 20, rtt: 20, queue: 100, loss: 30_000 };
    for choice in [Choice::Reno, Choice::Cubic] {
        let used = share(choice, path, 10);
        assert!(used >= 12, "{choice:?}: {used} %");
    }
}
