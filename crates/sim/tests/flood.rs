//! An honest client while its server is flooded with SYNs, or its path loses in step with the RTO: everything in virtual time, hence the same on every machine.
//!
//! The flood arrives at the server itself, ten times what the SYN queue takes in every second, from addresses that never
//! answer. What is measured is what the client sees: how often it connects, how long that takes, and the octets that
//! arrive for it in a given time (goodput).

mod common;

use std::time::Duration;

use common::{CLIENT, PORT, Rerun, SERVER, seeds};
use synfin_link::RxFrame;
use synfin_net::{ConnId, ConnectOpts, ListenOpts, ListenerId};
use synfin_sim::{LinkConfig, LinkId, NodeId, World, host};
use synfin_tcp::State;
use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Endpoint, Flags, Head, Instant, OptionsOut, Seq, ipv4};

const MS: Duration = Duration::from_millis(1);
/// Half-open records that the server's listener takes.
const SYN_QUEUE: u32 = 256;
/// SYNs of the flood in each millisecond: more than ten queues full in every second.
const FLOOD: u32 = SYN_QUEUE * 15 / 1000;
/// Connects of the honest client, one after the other.
const CONNECTS: usize = 200;

/// Whether there is a flood.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Weather {
    Fair,
    Flood,
}

/// The SYN number `n` of the flood.
fn syn(n: u32) -> Vec<u8> {
    let [_, b, c, d] = n.to_be_bytes();
    let src = Addr::v4([20, b, c, d]);
    let opts = OptionsOut { mss: Some(1460), wscale: Some(7), sack_permitted: true, ..OptionsOut::default() };
    let head = Head { seq: Seq::new(n), wnd: 65_535, flags: Flags::SYN, opts, ..Head::default() };
    let mut tcp = [0; Head::MAX_LEN];
    let len = head.emit(Ports { src: 1024 + (n % 60_000) as u16, dst: PORT }, &mut tcp);
    let sum = Sum::pseudo(src, SERVER, 6, len as u32).add(&tcp[..len]).finish();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut packet = ipv4::Head { src, dst: SERVER, protocol: 6, ttl: 64, tos: 0 }.emit(len as u16).to_vec();
    packet.extend_from_slice(&tcp[..len]);
    packet
}

struct Scene {
    world: World,
    client: NodeId,
    server: NodeId,
    /// From the server to the client.
    back: LinkId,
    listener: ListenerId,
    weather: Weather,
    flooded: u32,
}

impl Scene {
    fn new(seed: u64, weather: Weather) -> Scene {
        let mut world = World::new(seed);
        let client = world.add_node("client", host(&[CLIENT]));
        let server = world.add_node("server", host(&[SERVER]));
        // 20 Mbit/s and a round trip of 20 ms.
        let link = LinkConfig { rate: std::num::NonZeroU64::new(20_000_000), ..LinkConfig::default() };
        let (_, back) = world.join(client, server, link.clone(), link);
        let opts = ListenOpts { syn_queue: SYN_QUEUE, ..ListenOpts::default() };
        let listener =
            world.stack_mut(server).listen(Endpoint::new(SERVER, PORT), opts).expect("a free port");
        let mut scene = Scene { world, client, server, back, listener, weather, flooded: 0 };
        // Ten times the queue at once before anything else.
        if weather == Weather::Flood {
            for _ in 0..10 * SYN_QUEUE {
                scene.one_syn();
            }
        }
        scene.pass(MS);
        scene
    }

    fn one_syn(&mut self) {
        let now = self.world.now();
        let packet = syn(self.flooded);
        self.flooded += 1;
        self.world.stack_mut(self.server).on_packet(now, RxFrame::plain(&packet));
    }

    /// Time passes, with the weather.
    fn pass(&mut self, d: Duration) {
        let end = self.world.now() + d;
        while self.world.now() < end {
            if self.weather == Weather::Flood {
                for _ in 0..FLOOD {
                    self.one_syn();
                }
            }
            let next = (self.world.now() + MS).min(end);
            let _ = self.world.run_until(next);
        }
    }

    /// The honest client connects: its end and the server's, and how long that took. Nothing if it fails.
    fn connect(&mut self) -> Option<(ConnId, ConnId, Duration)> {
        let start = self.world.now();
        let to = Endpoint::new(SERVER, PORT);
        let ours =
            self.world.stack_mut(self.client).connect(start, to, ConnectOpts::default()).expect("a port");
        for _ in 0..10_000 {
            self.pass(MS);
            let now = self.world.now();
            let state = self.world.stack_mut(self.client).conn(now, ours)?.info().state;
            if state == State::Established
                && let Some((theirs, _)) = self.world.stack_mut(self.server).accept(now, self.listener)
            {
                return Some((ours, theirs, now.since(start)));
            }
        }
        None
    }

    /// Octets that arrive in so many milliseconds over one connection, the server sending as much as it can.
    fn goodput(&mut self, ours: ConnId, theirs: ConnId, millis: u32) -> u64 {
        let text = vec![7; 1 << 18];
        let mut into = vec![0; 1 << 18];
        let mut octets = 0;
        for _ in 0..millis {
            let now = self.world.now();
            let _ = self.world.stack_mut(self.server).conn(now, theirs).expect("open").write(&text);
            self.pass(MS);
            let now = self.world.now();
            let got = self.world.stack_mut(self.client).conn(now, ours).expect("open").read(&mut into);
            octets += got.unwrap_or(0) as u64;
        }
        octets
    }
}

/// Every connect's time in milliseconds, the goodput of a connection from before and of one that opened in the weather.
fn measure(seed: u64, weather: Weather) -> (Vec<u128>, u64, u64) {
    let mut before = Scene::new(seed, Weather::Fair);
    let (ours, theirs, _) = before.connect().expect("in fair weather");
    before.weather = weather;
    let old = before.goodput(ours, theirs, 3000);
    let mut scene = Scene::new(seed, weather);
    let mut times = Vec::new();
    for _ in 0..CONNECTS {
        let Some((ours, theirs, took)) = scene.connect() else { continue };
        times.push(took.as_millis());
        let now = scene.world.now();
        scene.world.stack_mut(scene.client).conn(now, ours).expect("open").abort();
        scene.world.stack_mut(scene.server).conn(now, theirs).expect("open").abort();
    }
    let (ours, theirs, _) = scene.connect().expect("the last one");
    let new = scene.goodput(ours, theirs, 3000);
    let census = scene.world.stack(scene.server).census();
    assert!(census.half_open <= SYN_QUEUE, "{census:?}");
    (times, old, new)
}

#[test]
fn a_flood_of_syns_leaves_an_honest_client_alone() {
    for seed in seeds(2) {
        let _rerun = Rerun { test: "a_flood_of_syns_leaves_an_honest_client_alone", seed, case: &() };
        let (fair, flood) = (measure(seed, Weather::Fair), measure(seed, Weather::Flood));
        println!(
            "connects {} and {} of {CONNECTS}; slowest {:?} and {:?} ms; octets in 3 s {} {} and {} {}",
            fair.0.len(),
            flood.0.len(),
            fair.0.iter().max(),
            flood.0.iter().max(),
            fair.1,
            fair.2,
            flood.1,
            flood.2,
        );
        // 100 %, and no SYN had to be repeated: that would take a second.
        assert_eq!((fair.0.len(), flood.0.len()), (CONNECTS, CONNECTS));
        assert!(flood.0.iter().all(|ms| *ms < 100), "{:?}", flood.0.iter().max());
        for (without, with) in [(fair.1, flood.1), (fair.2, flood.2)] {
            assert!(with * 10 >= without * 9, "{with} octets, {without} without");
        }
    }
}

#[test]
fn a_flood_that_ends_leaves_nothing() {
    let mut scene = Scene::new(1, Weather::Flood);
    scene.pass(2000 * MS);
    scene.weather = Weather::Fair;
    // Six SYN,ACKs in a minute for each record that there was.
    scene.pass(70_000 * MS);
    let census = scene.world.stack(scene.server).census();
    assert_eq!((census.half_open, census.connections, census.buffers), (0, 0, 0));
    assert_eq!(scene.world.now(), Instant::from_millis(72_001));
    assert!(scene.connect().is_some());
}

#[test]
fn losses_in_step_with_the_timeout_slow_but_do_not_kill() {
    // Shrew: a burst of loss of 60 ms in each second, as long as the smallest RTO, so that what is repeated may be lost too.
    let octets = |shrew: bool| {
        let mut scene = Scene::new(3, Weather::Fair);
        let (ours, theirs, _) = scene.connect().expect("in fair weather");
        if shrew {
            let filter = |offer: &synfin_sim::Offer<'_>| {
                if offer.now.millis() % 1000 < 60 {
                    synfin_sim::Pass::Lost
                } else {
                    synfin_sim::Pass::Through
                }
            };
            let link = scene.back;
            scene.world.link_mut(link).set_filter(Some(Box::new(filter)));
        }
        scene.goodput(ours, theirs, 20_000)
    };
    let (fair, shrew) = (octets(false), octets(true));
    println!("octets in 20 s: {fair}, with losses of 60 ms in each second {shrew}");
    assert!(shrew * 50 > fair, "{shrew} of {fair}");
}
