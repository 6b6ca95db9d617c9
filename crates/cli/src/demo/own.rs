//! Two of our stacks in memory, in virtual time: the same seed shows the same, octet by octet.

use std::time::Duration;

use synfin_explain::{Options, Pair, Side};
use synfin_net::{ConnId, ConnectOpts, ListenOpts, ListenerId, SocketEvent, Stack};
use synfin_sim::{App, Arrival, Ending, Fate, LinkConfig, NodeId, Observer, Seen, Station, World, host};
use synfin_tcp::{Event, Probe, ReadError, Shutdown};
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

use super::show::{Shared, Show};
use super::story::{self, Step};
use super::{Ended, PORT, Plan, wire};
use crate::error::Failure;
use crate::packet::state_of;
use crate::terminal::say;

/// Longer than the story and TIME_WAIT after it.
const LONGEST: Duration = Duration::from_secs(600);

/// Runs the story and prints it.
pub fn run(plan: &Plan, options: Options) -> Result<Ended, Failure> {
    let ours = plan.ours();
    let stacks = Pair { left: String::from("synfin"), right: String::from("synfin") };
    let show = Shared::new(Show::new(options, stacks, ours));
    let (one, two) = plan.addresses();
    // Without Linux in between, the client has the first address and the server the second.
    let (client, server) = (Addr::from(one), Addr::from(two));
    let at = Endpoint::new(server, PORT);

    let mut world = World::new(plan.seed());
    let nodes = Pair {
        left: world.add_node("client", host(&[client])),
        right: world.add_node("server", host(&[server])),
    };
    let line = || LinkConfig { delay: wire::DELAY, ..LinkConfig::default() };
    world.join(nodes.left, nodes.right, line(), line());
    for side in [Side::Left, Side::Right] {
        let probe = End { side, show: show.clone() };
        world.stack_mut(*nodes.get(side)).set_probe(Some(Box::new(probe)));
    }
    world.observe(Onlooker { client: nodes.left, show: show.clone() });
    let first = plan.first_closer();
    let server = world.add_app(nodes.right, Actor::new(Part::Server(at), story::steps(Side::Right, first)));
    let client = world.add_app(nodes.left, Actor::new(Part::Client(at), story::steps(Side::Left, first)));

    let ending = world.run_until(Instant::ZERO + LONGEST);
    for app in [client, server] {
        if let Some(Actor { failed: Some(why), .. }) = world.app(app) {
            return Err(Failure::Run(format!("a program of the story failed: {why}")));
        }
    }
    let mut show = show.lock();
    if ending != Ending::Idle || !show.settled() {
        return Err(Failure::Run(format!("the story did not come to its end: {ending:?}")));
    }
    let text = show.finish();
    say(&text)?;
    plan.write_capture(&mut show)?;
    Ok(Ended { tally: show.tally(), inferred: false })
}

/// What a stack tells.
struct End {
    side: Side,
    show: Shared,
}

impl Probe for End {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        if who.remote.port == 0 {
            return;
        }
        if let Event::State { to, .. } = event {
            let (client, server) = wire::client_and_server(self.side, who.local, who.remote);
            let mut show = self.show.lock();
            show.open(client, server);
            show.state(self.side, now, state_of(*to));
        }
    }
}

/// Sees the packets on the line.
struct Onlooker {
    client: NodeId,
    show: Shared,
}

impl Observer for Onlooker {
    fn on_packet(&mut self, seen: &Seen<'_>) {
        let Station::Sent { fate, .. } = seen.station else { return };
        let from = if seen.from == self.client { Side::Left } else { Side::Right };
        let arrived = match fate {
            Fate::Lost(_) => None,
            Fate::Carried(Arrival { at, .. }) | Fate::Doubled(Arrival { at, .. }, _) => Some(at),
        };
        self.show.lock().packet(from, seen.bytes, seen.now, arrived);
    }
}

/// Who a program is.
#[derive(Copy, Clone)]
enum Part {
    Client(Endpoint),
    Server(Endpoint),
}

/// A program of the story on a stack in virtual time.
struct Actor {
    part: Part,
    steps: std::vec::IntoIter<Step>,
    step: Option<Step>,
    /// When the pause is over.
    pause: Option<Instant>,
    heard: Vec<u8>,
    listener: Option<ListenerId>,
    conn: Option<ConnId>,
    done: bool,
    failed: Option<String>,
}

impl Actor {
    fn new(part: Part, steps: Vec<Step>) -> Actor {
        let mut steps = steps.into_iter();
        let step = steps.next();
        Actor {
            part,
            steps,
            step,
            pause: None,
            heard: Vec::new(),
            listener: None,
            conn: None,
            done: false,
            failed: None,
        }
    }

    /// Opens the connection, or takes it; `None` if there is none yet.
    fn open(&mut self, now: Instant, stack: &mut Stack) -> Result<Option<ConnId>, String> {
        if self.conn.is_none() {
            self.conn = match (self.part, self.listener) {
                (Part::Client(to), _) => {
                    Some(stack.connect(now, to, ConnectOpts::default()).map_err(|e| e.to_string())?)
                }
                (Part::Server(at), None) => {
                    self.listener = Some(stack.listen(at, ListenOpts::default()).map_err(|e| e.to_string())?);
                    None
                }
                (Part::Server(_), Some(listener)) => stack.accept(now, listener).map(|(id, _)| id),
            };
        }
        Ok(self.conn)
    }

    /// Takes steps until one has to wait; returns until when, if a time is known.
    fn go(&mut self, now: Instant, stack: &mut Stack) -> Result<Option<Instant>, String> {
        let Some(id) = self.open(now, stack)? else { return Ok(None) };
        let Some(mut conn) = stack.conn(now, id) else { return Err("its connection is gone".into()) };
        if !conn.readiness().connected && conn.readiness().closed.is_none() {
            return Ok(None);
        }
        while let Some(step) = self.step {
            match step {
                Step::Pause(time) => {
                    let until = *self.pause.get_or_insert(now + time);
                    if now < until {
                        return Ok(Some(until));
                    }
                    self.pause = None;
                }
                Step::Say(text) => match conn.write(text.as_bytes()) {
                    Ok(n) if n == text.len() => {}
                    result => return Err(format!("write: {result:?}")),
                },
                Step::Hear(text) => {
                    let mut chunk = vec![0; text.len().saturating_sub(self.heard.len())];
                    match conn.read(&mut chunk) {
                        Ok(0) => return Err("the peer closed early".into()),
                        Ok(n) => self.heard.extend(chunk.into_iter().take(n)),
                        Err(ReadError::WouldBlock) => return Ok(None),
                        Err(e) => return Err(format!("read: {e:?}")),
                    }
                    if self.heard.len() < text.len() {
                        continue;
                    }
                    if std::mem::take(&mut self.heard) != text.as_bytes() {
                        return Err("the peer said something else than the story has".into());
                    }
                }
                Step::HearEnd => match conn.read(&mut [0]) {
                    Ok(0) => {}
                    Ok(_) => return Err("the peer said more than the story has".into()),
                    Err(ReadError::WouldBlock) => return Ok(None),
                    Err(e) => return Err(format!("read: {e:?}")),
                },
                Step::CloseWrite => conn.shutdown(Shutdown::Write),
            }
            self.step = self.steps.next();
        }
        conn.close();
        self.done = true;
        Ok(None)
    }
}

impl App for Actor {
    fn poll(&mut self, now: Instant, stack: &mut Stack, _: &[SocketEvent]) -> Option<Instant> {
        if self.done || self.failed.is_some() {
            return None;
        }
        self.go(now, stack).unwrap_or_else(|why| {
            self.failed = Some(why);
            None
        })
    }
}
