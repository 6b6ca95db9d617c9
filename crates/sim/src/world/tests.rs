use super::*;

use crate::Condition;
use crate::apps::{Echo, Outcome, receiver, sender};
use crate::link::Loss;
use crate::{Pattern, Ppm};
use alloc::vec;
use core::time::Duration;
use synfin_net::{ConnectOpts, ListenOpts};
use synfin_tcp::CloseReason;
use synfin_wire::Endpoint;

fn addr(n: u8) -> Addr {
    Addr::v4([10, 0, 0, n])
}

fn delayed(ms: u64) -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(ms), ..LinkConfig::default() }
}

/// Calls back at the times it was given and notes when it was called.
struct Alarm {
    times: Vec<u64>,
    called: Vec<u64>,
}

impl App for Alarm {
    fn poll(&mut self, now: Instant, _: &mut Stack, _: &[SocketEvent]) -> Option<Instant> {
        self.called.push(now.millis());
        (!self.times.is_empty()).then(|| Instant::from_millis(self.times.remove(0)))
    }
}

#[test]
fn time_goes_from_event_to_event() {
    let mut world = World::new(1);
    let node = world.add_node("only", host(&[addr(1)]));
    let alarm = world.add_app(node, Alarm { times: vec![5, 1_000_000, 1_000_000, 3], called: vec![] });
    assert_eq!(world.run_until(Instant::from_millis(7)), Ending::Time);
    assert_eq!(world.now(), Instant::from_millis(7));
    assert_eq!(world.next_at(), Instant::from_millis(1_000_000));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    // What is asked for too late comes at once: time never goes back.
    assert_eq!(world.app::<Alarm>(alarm).unwrap().called, [0, 5, 1_000_000, 1_000_000, 1_000_000]);
    assert_eq!(world.step(), Step::Idle);
    assert_eq!(world.run_until(Instant::from_millis(2_000_000)), Ending::Idle);
    assert_eq!(world.now(), Instant::from_millis(2_000_000));
    assert!(world.app::<Echo>(alarm).is_none());
}

/// Always wants to be called at once.
struct Restless;

impl App for Restless {
    fn poll(&mut self, now: Instant, _: &mut Stack, _: &[SocketEvent]) -> Option<Instant> {
        Some(now)
    }
}

#[test]
fn a_world_without_progress_is_stuck() {
    let mut world = World::new(1);
    let node = world.add_node("only", host(&[addr(1)]));
    world.add_app(node, Restless);
    assert_eq!(world.run_until(Instant::from_millis(1)), Ending::Stuck);
    assert_eq!(world.now(), Instant::ZERO);
}

/// Notes who sent what to whom.
#[derive(Default)]
struct Log(Vec<(NodeId, Option<NodeId>, u64, bool)>);

impl Observer for Log {
    fn on_packet(&mut self, seen: &Seen<'_>) {
        let arrived = matches!(seen.station, Station::Arrived(Condition::Sound));
        self.0.push((seen.from, seen.to, seen.now.millis(), arrived));
    }
}

#[test]
fn packets_take_the_route_to_their_destination() {
    let mut world = World::new(1);
    let [a, b, c] = [1, 2, 3].map(|n| world.add_node("node", host(&[addr(n), Addr::v6([n; 16])])));
    world.join(a, b, delayed(5), delayed(6));
    world.join(a, c, delayed(50), delayed(60));
    let log = world.observe(Log::default());
    // Nobody listens: the answer is RST.
    let connect = |world: &mut World, to| {
        let now = world.now();
        world.stack_mut(a).connect(now, Endpoint::new(to, 9), ConnectOpts::default()).unwrap()
    };
    connect(&mut world, addr(2));
    assert_eq!(world.run_until(Instant::from_millis(1_000)), Ending::Idle);
    connect(&mut world, Addr::v6([3; 16]));
    assert_eq!(world.run_until(Instant::from_millis(2_000)), Ending::Idle);
    let seen = core::mem::take(&mut world.observer_mut::<Log>(log).unwrap().0);
    let expected = [
        (a, Some(b), 0, false),
        (a, Some(b), 5, true),
        (b, Some(a), 5, false),
        (b, Some(a), 11, true),
        (a, Some(c), 1_000, false),
        (a, Some(c), 1_050, true),
        (c, Some(a), 1_050, false),
        (c, Some(a), 1_110, true),
    ];
    assert_eq!(seen, expected);
    assert_eq!(world.tally(), Tally { sent: 4, arrived: 4, ..Tally::default() });
    // Nobody has this address.
    let lost = connect(&mut world, addr(9));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    assert_eq!(world.tally(), Tally { sent: 12, arrived: 4, lost: 8, ..Tally::default() });
    let now = world.now();
    let closed = world.stack_mut(a).conn(now, lost).unwrap().readiness().closed;
    assert_eq!(closed, Some(CloseReason::TimedOut));
}

#[test]
fn routes_can_share_a_link() {
    let mut world = World::new(1);
    let [a, b, c] = [1, 2, 3].map(|n| world.add_node("node", host(&[addr(n)])));
    let shared = world.add_link(delayed(5));
    world.route(a, c, shared);
    world.route(b, c, shared);
    for node in [a, b] {
        let now = world.now();
        world.stack_mut(node).connect(now, Endpoint::new(addr(3), 9), ConnectOpts::default()).unwrap();
    }
    assert_eq!(world.run_until(Instant::from_millis(100)), Ending::Time);
    assert_eq!(world.link_mut(shared).offered(), 2);
    // There is no way back.
    assert_eq!(world.tally(), Tally { sent: 4, arrived: 2, lost: 2, ..Tally::default() });
}

#[test]
fn several_applications_share_a_node_and_streams_arrive() {
    let mut world = World::new(1);
    let (a, b) = (world.add_node("a", host(&[addr(1)])), world.add_node("b", host(&[addr(2)])));
    let lossy = LinkConfig { loss: Loss::Independent(Ppm::percent(3)), ..LinkConfig::default() };
    world.join(a, b, lossy.clone(), lossy);
    let senders = [80, 81, 82].map(|port| {
        let at = Endpoint::new(addr(2), port);
        world.add_app(b, receiver(at, Pattern(port.into()), 50_000));
        world.add_app(a, sender(at, Pattern(port.into()), 50_000))
    });
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    for app in senders {
        let report = world.app::<crate::apps::Client>(app).unwrap().report();
        assert_eq!((report.outcome, report.sent), (Outcome::Done, 50_000), "{report:?}");
    }
    let (one, other) = (world.stack(a).census(), world.stack(b).census());
    assert_eq!((one.connections, one.time_wait, one.buffers), (0, 0, 0));
    assert_eq!((other.connections, other.time_wait, other.listeners), (0, 0, 3));
}

#[test]
fn offloading_devices_send_checksums_that_hold_and_merged_text() {
    let caps = Caps { mtu: 1500, max_gso: 65_535, tx_checksum: true };
    let mut world = World::new(1);
    let a = world.add_node_with("a", host(&[addr(1)]), caps);
    let b = world.add_node_with("b", host(&[addr(2)]), caps);
    world.join(a, b, LinkConfig::default(), LinkConfig::default());
    let at = Endpoint::new(addr(2), 80);
    let server = world.add_app(b, receiver(at, Pattern(1), 200_000));
    world.add_app(a, sender(at, Pattern(1), 200_000));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let reports: Vec<_> = world.app::<crate::apps::Server>(server).unwrap().reports().collect();
    assert_eq!((reports[0].outcome, reports[0].got), (Outcome::Done, 200_000));
    // 200,000 octets are 138 segments of 1,448.
    assert!(world.tally().sent < 138, "{:?}", world.tally());
}

#[test]
fn echo_sends_everything_back() {
    let mut world = World::new(1);
    let (a, b) = (world.add_node("a", host(&[addr(1)])), world.add_node("b", host(&[addr(2)])));
    world.join(a, b, LinkConfig::default(), LinkConfig::default());
    let at = Endpoint::new(addr(2), 7);
    let echo = world.add_app(b, Echo::new(at));
    let same =
        crate::apps::Script { expect_pattern: Pattern(5), ..crate::apps::Script::new(5, 70_000, 70_000) };
    let client = world.add_app(a, crate::apps::Client::new(at, same));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let report = world.app::<crate::apps::Client>(client).unwrap().report();
    assert_eq!((report.outcome, report.got), (Outcome::Done, 70_000), "{report:?}");
    let echo = world.app::<Echo>(echo).unwrap();
    assert_eq!((echo.accepted(), echo.open()), (1, 0));
}

#[test]
fn the_digest_names_the_packets() {
    let run = |seed| {
        let mut world = World::new(seed);
        let (a, b) = (world.add_node("a", host(&[addr(1)])), world.add_node("b", host(&[addr(2)])));
        world.join(a, b, LinkConfig::default(), LinkConfig::default());
        let at = Endpoint::new(addr(2), 80);
        world.stack_mut(b).listen(at, ListenOpts::default()).unwrap();
        world.add_app(a, sender(at, Pattern(1), 100));
        assert_eq!(world.run_until(Instant::from_millis(200)), Ending::Time);
        world.digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
