//! The virtual network: nodes, links, the clock, and the order of events.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::num::NonZeroU16;

use synfin_link::offload::finish_checksum;
use synfin_link::{Caps, ChecksumFact, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{Cidr, More, Secrets, SocketEvent, Stack, StackConfig};
use synfin_wire::{Addr, Instant};

use crate::link::{Arrival, Cause, Fate, Link, LinkConfig, Size};
use crate::observe::{Condition, Observer, Seen, Station};
use crate::queue::{Delivery, Queue};
use crate::{Digest, Rng};

/// A node of a world.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(crate) u32);

/// A link of a world.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(u32);

/// An application on a node of a world.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppId {
    node: NodeId,
    index: u32,
}

/// An observer of a world.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObserverId(u32);

/// A program on a node, or a script that acts for one.
pub trait App: Any {
    /// Something happened, or the time that was asked for has come. `events` is what the node's stack reports since
    /// the last turn, also about objects of its other applications. Returns when to call again at the latest.
    ///
    /// The first call comes at the time when the application was added.
    fn poll(&mut self, now: Instant, stack: &mut Stack, events: &[SocketEvent]) -> Option<Instant>;
}

/// What one step did.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Something happened at this time.
    At(Instant),
    /// Nothing will ever happen unless something is done from outside.
    Idle,
    /// Half a million events and packets without time going on: somebody is busy for ever.
    Stuck,
}

/// How a run ended.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The condition came true.
    Met,
    /// The time was reached.
    Time,
    /// Nothing was left to happen before the time.
    Idle,
    /// See [`Step::Stuck`].
    Stuck,
}

/// Packets counted by what became of them.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Sent by stacks.
    pub sent: u64,
    /// Lost, for whatever reason.
    pub lost: u64,
    /// Sent once and arriving twice.
    pub doubled: u64,
    /// Arrived, doubles counted twice.
    pub arrived: u64,
    /// Arrived with a wrong bit.
    pub corrupted: u64,
}

struct Slot {
    app: Box<dyn App>,
    wake: Instant,
}

struct Node {
    name: String,
    stack: Stack,
    apps: Vec<Slot>,
    /// A turn is due whatever the timers say.
    due: bool,
}

impl Node {
    fn next_at(&self, now: Instant) -> Instant {
        if self.due {
            return now;
        }
        let apps = self.apps.iter().map(|slot| slot.wake).min();
        self.stack.poll_timeout().min(apps.unwrap_or(Instant::NEVER))
    }
}

/// Packets that one turn sends at most before the others have theirs.
const BURST: usize = 256;
/// Events and packets without time going on after which a world counts as stuck.
const STUCK: u32 = 500_000;
const MTU: u16 = 1500;

/// Settings of a host with these addresses and the documented defaults.
pub fn host(addrs: &[Addr]) -> StackConfig {
    let cidr = |addr: &Addr| Cidr { addr: *addr, prefix: if addr.is_v4() { 24 } else { 64 } };
    StackConfig { addrs: addrs.iter().map(cidr).collect(), ..StackConfig::default() }
}

/// A virtual network.
pub struct World {
    seed: u64,
    now: Instant,
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// Who has an address.
    homes: BTreeMap<Addr, NodeId>,
    /// Which link takes packets from a node to an address.
    routes: BTreeMap<(NodeId, Addr), LinkId>,
    queue: Queue,
    outbox: Outbox,
    observers: Vec<Box<dyn Observer>>,
    digest: Digest,
    tally: Tally,
    /// Events and packets since the clock last moved.
    at_once: u32,
    events: Vec<SocketEvent>,
}

impl World {
    /// An empty world at time zero.
    pub fn new(seed: u64) -> World {
        World {
            seed,
            now: Instant::ZERO,
            nodes: Vec::new(),
            links: Vec::new(),
            homes: BTreeMap::new(),
            routes: BTreeMap::new(),
            queue: Queue::default(),
            outbox: Outbox::default(),
            observers: Vec::new(),
            digest: Digest::default(),
            tally: Tally::default(),
            at_once: 0,
            events: Vec::new(),
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What became of the packets so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A fingerprint of every packet that arrived so far: time, node and octets.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// Packets on their way.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Adds a host with a plain device of MTU 1,500. Its secrets follow from the world's seed.
    pub fn add_node(&mut self, name: &str, cfg: StackConfig) -> NodeId {
        self.add_node_with(name, cfg, Caps::plain(MTU))
    }

    /// Adds a host whose device has these abilities. Super-segments travel whole and arrive merged; checksums that
    /// are left to the device are finished before the packet is put on a link.
    pub fn add_node_with(&mut self, name: &str, cfg: StackConfig, caps: Caps) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let mut secrets = [0; 64];
        Rng::part(self.seed, u64::from(id.0) << 1).fill(&mut secrets);
        self.homes.extend(cfg.addrs.iter().map(|cidr| (cidr.addr, id)));
        let stack = Stack::new(cfg, caps, Secrets(secrets));
        self.nodes.push(Node { name: name.into(), stack, apps: Vec::new(), due: true });
        id
    }

    /// Adds one direction of a path, with randomness of its own. [`World::route`] puts it to use.
    pub fn add_link(&mut self, cfg: LinkConfig) -> LinkId {
        let id = LinkId(self.links.len() as u32);
        self.links.push(Link::new(cfg, Rng::part(self.seed, u64::from(id.0) << 1 | 1)));
        id
    }

    /// Sends what `from` addresses to any of `to`'s present addresses over `link`. Several routes may share a link.
    pub fn route(&mut self, from: NodeId, to: NodeId, link: LinkId) {
        for (addr, _) in self.homes.iter().filter(|(_, home)| **home == to) {
            self.routes.insert((from, *addr), link);
        }
    }

    /// Joins two nodes by a link each way: first from `a` to `b`, then back.
    pub fn join(&mut self, a: NodeId, b: NodeId, there: LinkConfig, back: LinkConfig) -> (LinkId, LinkId) {
        let (there, back) = (self.add_link(there), self.add_link(back));
        self.route(a, b, there);
        self.route(b, a, back);
        (there, back)
    }

    /// Adds an application to a node.
    pub fn add_app(&mut self, node: NodeId, app: impl App) -> AppId {
        let now = self.now;
        let apps = &mut self.node(node).apps;
        apps.push(Slot { app: Box::new(app), wake: now });
        AppId { node, index: apps.len() as u32 - 1 }
    }

    /// Adds an observer.
    pub fn observe(&mut self, observer: impl Observer) -> ObserverId {
        self.observers.push(Box::new(observer));
        ObserverId(self.observers.len() as u32 - 1)
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// A node's name.
    ///
    /// # Panics
    /// The node belongs to another world. So for all functions that take a node, link, application or observer.
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// The names of all nodes, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    /// A node's stack, to look at.
    pub fn stack(&self, node: NodeId) -> &Stack {
        &self.nodes[node.0 as usize].stack
    }

    /// A node's stack, to act on at [`World::now`]; what that makes due happens in the next step.
    pub fn stack_mut(&mut self, node: NodeId) -> &mut Stack {
        let node = self.node(node);
        node.due = true;
        &mut node.stack
    }

    /// A link, to change it.
    pub fn link_mut(&mut self, link: LinkId) -> &mut Link {
        &mut self.links[link.0 as usize]
    }

    /// An application, if it is a `T`.
    pub fn app<T: App>(&self, id: AppId) -> Option<&T> {
        let app: &dyn Any = &*self.nodes[id.node.0 as usize].apps[id.index as usize].app;
        app.downcast_ref()
    }

    /// An application, if it is a `T`. It is called in the next step.
    pub fn app_mut<T: App>(&mut self, id: AppId) -> Option<&mut T> {
        let now = self.now;
        let slot = &mut self.node(id.node).apps[id.index as usize];
        slot.wake = now;
        let app: &mut dyn Any = &mut *slot.app;
        app.downcast_mut()
    }

    /// An observer, if it is a `T`.
    pub fn observer_mut<T: Observer>(&mut self, id: ObserverId) -> Option<&mut T> {
        let observer: &mut dyn Any = &mut *self.observers[id.0 as usize];
        observer.downcast_mut()
    }

    /// When the next event is; [`Instant::NEVER`] if there is none.
    pub fn next_at(&self) -> Instant {
        let nodes = self.nodes.iter().map(|node| node.next_at(self.now)).min();
        let next = self.queue.next_at().min(nodes.unwrap_or(Instant::NEVER));
        // What was due before is due now: time never goes back.
        next.max(self.now)
    }

    /// Lets the next event happen: one packet arrives, or one node's timers run.
    pub fn step(&mut self) -> Step {
        let at = self.next_at();
        if at.is_never() {
            return Step::Idle;
        }
        if at > self.now {
            self.at_once = 0;
        } else if self.at_once >= STUCK {
            return Step::Stuck;
        }
        self.at_once += 1;
        self.now = at;
        if self.queue.next_at() <= at {
            self.arrive();
        } else if let Some(node) = self.nodes.iter().position(|node| node.next_at(at) <= at) {
            let id = NodeId(node as u32);
            self.node(id).stack.on_timeout(at);
            self.turn(id);
        }
        Step::At(at)
    }

    /// Runs until `until`; everything that is due then has happened.
    pub fn run_until(&mut self, until: Instant) -> Ending {
        self.run_while(until, |_| true)
    }

    /// Runs as long as `go_on` says so after each step, until `until` at most. Unless it was met, the time is `until`
    /// afterwards (except if that is [`Instant::NEVER`]).
    pub fn run_while(&mut self, until: Instant, mut go_on: impl FnMut(&mut World) -> bool) -> Ending {
        let ending = loop {
            match self.next_at() {
                Instant::NEVER => break Ending::Idle,
                at if at > until => break Ending::Time,
                _ => {}
            }
            match self.step() {
                Step::At(_) if go_on(self) => {}
                Step::At(_) => return Ending::Met,
                Step::Idle => break Ending::Idle,
                Step::Stuck => return Ending::Stuck,
            }
        };
        if !until.is_never() {
            self.now = self.now.max(until);
        }
        ending
    }

    fn arrive(&mut self) {
        let Some(delivery) = self.queue.pop() else { return };
        let Delivery { from, to, bytes, gro, condition, .. } = delivery;
        self.tally.arrived += 1;
        self.tally.corrupted += u64::from(condition == Condition::Corrupted);
        self.digest.add(self.now.nanos());
        self.digest.add(u64::from(to.0));
        self.digest.add_bytes(&bytes);
        self.show(from, Some(to), &bytes, Station::Arrived(condition));
        let now = self.now;
        let meta = RxMeta { checksum: ChecksumFact::Unchecked, gro, link_broadcast: false };
        self.node(to).stack.on_packet(now, RxFrame { bytes: &bytes, meta });
        self.outbox.spare.push(bytes);
        self.turn(to);
    }

    /// Applications, then what is to be sent.
    fn turn(&mut self, id: NodeId) {
        let now = self.now;
        let World { nodes, events, outbox, .. } = self;
        let node = &mut nodes[id.0 as usize];
        events.clear();
        events.extend(core::iter::from_fn(|| node.stack.poll_event()));
        for slot in &mut node.apps {
            if !events.is_empty() || slot.wake <= now {
                slot.wake = slot.app.poll(now, &mut node.stack, events).unwrap_or(Instant::NEVER);
            }
        }
        let more = node.stack.poll_transmit(now, BURST, outbox);
        // What applications did may be news for others on the same node.
        events.clear();
        events.extend(core::iter::from_fn(|| node.stack.poll_event()));
        node.due = more == More::Pending;
        if !events.is_empty() {
            for slot in &mut node.apps {
                slot.wake = slot.app.poll(now, &mut node.stack, events).unwrap_or(Instant::NEVER);
            }
            node.due = true;
        }
        self.post(id);
    }

    /// Puts what a node has sent on its way.
    fn post(&mut self, from: NodeId) {
        let mut packets = core::mem::take(&mut self.outbox.packets);
        for Parcel { bytes, gro } in packets.drain(..) {
            self.at_once += 1;
            self.tally.sent += 1;
            let dst = destination(&bytes);
            let to = dst.and_then(|dst| self.homes.get(&dst).copied());
            let link = dst.and_then(|dst| self.routes.get(&(from, dst)).copied());
            let size = if gro.is_some() { Size::Super } else { Size::Packet };
            let fate = match link {
                Some(link) => self.links[link.0 as usize].offer(self.now, &bytes, size),
                None => Fate::Lost(Cause::NoRoute),
            };
            self.show(from, to, &bytes, Station::Sent { link, fate });
            match (fate, to) {
                (Fate::Carried(arrival), Some(to)) => self.send(arrival, from, to, bytes, gro),
                (Fate::Doubled(first, second), Some(to)) => {
                    self.tally.doubled += 1;
                    let mut copy = self.outbox.buffer();
                    copy.extend_from_slice(&bytes);
                    self.send(first, from, to, bytes, gro);
                    self.send(second, from, to, copy, gro);
                }
                // A route leads to an address that somebody has.
                (Fate::Lost(_), _) | (_, None) => {
                    self.tally.lost += 1;
                    self.outbox.spare.push(bytes);
                }
            }
        }
        self.outbox.packets = packets;
    }

    fn send(
        &mut self,
        arrival: Arrival,
        from: NodeId,
        to: NodeId,
        mut bytes: Vec<u8>,
        gro: Option<NonZeroU16>,
    ) {
        let condition = match arrival.flipped {
            None => Condition::Sound,
            Some(bit) => {
                if let Some(octet) = bytes.get_mut((bit / 8) as usize) {
                    *octet ^= 0x80 >> (bit % 8);
                }
                Condition::Corrupted
            }
        };
        self.queue.push(Delivery { at: arrival.at, from, to, bytes, gro, condition });
    }

    fn show(&mut self, from: NodeId, to: Option<NodeId>, bytes: &[u8], station: Station) {
        let seen = Seen { now: self.now, from, to, bytes, station };
        for observer in &mut self.observers {
            observer.on_packet(&seen);
        }
    }
}

/// The destination of an IP packet.
fn destination(bytes: &[u8]) -> Option<Addr> {
    match bytes.first()? >> 4 {
        4 => bytes.get(16..20)?.try_into().ok().map(Addr::v4),
        6 => bytes.get(24..40)?.try_into().ok().map(Addr::v6),
        _ => None,
    }
}

/// A packet that a stack has sent.
struct Parcel {
    bytes: Vec<u8>,
    gro: Option<NonZeroU16>,
}

/// Takes what a stack sends in one turn.
#[derive(Default)]
struct Outbox {
    packets: Vec<Parcel>,
    /// Emptied buffers, kept for their memory.
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    fn buffer(&mut self) -> Vec<u8> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes
    }
}

impl TxSink for Outbox {
    fn room(&self) -> usize {
        BURST.saturating_sub(self.packets.len())
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        let mut bytes = self.buffer();
        bytes.extend_from_slice(head);
        for part in payload {
            bytes.extend_from_slice(part);
        }
        if let Some(at) = meta.checksum {
            finish_checksum(&mut bytes, at);
        }
        self.packets.push(Parcel { bytes, gro: meta.gso.map(|gso| gso.size) });
    }
}

#[cfg(test)]
mod tests;
