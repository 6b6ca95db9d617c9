//! The ladder, live: one for each connection of a running stack.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use synfin_explain::{Certainty, End, Event, Glyphs, Ladder, Options, Role, Side};
use synfin_link::pcapng::Direction;
use synfin_rt::Clock;
use synfin_tcp::{Probe, State, Why};
use synfin_wire::{Endpoint, Flags, Instant, Seq, Tuple};

use crate::packet::{Packet, Scales, mark, state_of};

/// Connections that are followed at once; of more, those that were silent longest are forgotten.
const MOST: usize = 1024;
/// Changes of states that are kept for the packets that go with them.
const CHANGES: usize = 256;
/// How long after its end a connection's last row is waited for.
const AFTERMATH: Duration = Duration::from_millis(100);

/// What a trace is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Rows are printed.
    Rows,
    /// A capture tells what packets did; there are no rows.
    Comments,
}

/// Shared by everybody who sees something happen.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    clock: Clock,
    purpose: Purpose,
    options: Options,
    /// The port that our program listens on.
    listening: Option<u16>,
    lives: BTreeMap<Tuple, Life>,
    met: u64,
    /// Why the segment that comes next is sent.
    why: Option<(Tuple, Seq, Flags, Why)>,
    /// Changes of states, for the packets that bring them about.
    changes: VecDeque<(Tuple, State, State)>,
    /// The connection of the rows that were printed last.
    shown: Option<u64>,
    out: String,
}

/// One connection.
struct Life {
    number: u64,
    ours: Side,
    ladder: Ladder,
    scales: Scales,
    last: Instant,
    over: bool,
}

impl Trace {
    /// `listening`: the port that our program listens on.
    pub fn new(purpose: Purpose, options: Options, listening: Option<u16>) -> Trace {
        Trace(Arc::new(Mutex::new(Inner {
            clock: Clock::start(),
            purpose,
            options,
            listening,
            lives: BTreeMap::new(),
            met: 0,
            why: None,
            changes: VecDeque::new(),
            shown: None,
            out: String::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is complete at each step: a panic of another thread leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A packet passes our end: before our stack knows of it, when it comes.
    pub fn packet(&self, direction: Direction, bytes: &[u8]) {
        if let Some(packet) = Packet::parse(bytes) {
            self.lock().packet(direction, &packet);
        }
    }

    /// What our end did with this packet, in words; empty for nothing.
    pub fn take_comment(&self, direction: Direction, bytes: &[u8]) -> String {
        match Packet::parse(bytes) {
            Some(packet) => self.lock().take_comment(&tuple(direction, &packet)),
            None => String::new(),
        }
    }

    /// What is to be printed now.
    pub fn take(&self) -> String {
        self.lock().take()
    }

    /// The rest of what is to be printed.
    pub fn finish(&self) -> String {
        let mut inner = self.lock();
        let Inner { lives, out, shown, options, .. } = &mut *inner;
        for (_, life) in in_order(lives) {
            let mut rows = String::new();
            life.ladder.finish(&mut rows);
            put(life.number, &rows, shown, options, out);
        }
        std::mem::take(out)
    }

    /// What the stack tells of.
    pub fn probe(&self) -> Box<dyn Probe + Send> {
        Box::new(Teller(self.clone()))
    }
}

struct Teller(Trace);

impl Probe for Teller {
    fn on_event(&mut self, _: Instant, who: &Tuple, event: &synfin_tcp::Event<'_>) {
        // Listeners have no peer.
        if who.remote.port == 0 {
            return;
        }
        match event {
            synfin_tcp::Event::State { from, to, .. } => self.0.lock().state(who, *from, *to),
            synfin_tcp::Event::Sent { head, why, .. } => {
                self.0.lock().why = Some((*who, head.seq, head.all_flags(), *why));
            }
            _ => {}
        }
    }
}

/// Whose packet it is, seen from our end.
fn tuple(direction: Direction, packet: &Packet<'_>) -> Tuple {
    match direction {
        Direction::Outbound => Tuple { local: packet.src, remote: packet.dst },
        Direction::Inbound => Tuple { local: packet.dst, remote: packet.src },
    }
}

impl Inner {
    fn take_comment(&mut self, who: &Tuple) -> String {
        let mut comment = String::new();
        self.changes.retain(|(tuple, from, to)| {
            if tuple == who {
                let start = if comment.is_empty() { "synfin: " } else { ", " };
                // Writing to a string does not fail.
                let _ = write!(comment, "{start}{from}->{to}");
            }
            tuple != who
        });
        comment
    }

    fn packet(&mut self, direction: Direction, packet: &Packet<'_>) {
        if self.purpose == Purpose::Comments {
            return;
        }
        let now = self.clock.now();
        let sent = direction == Direction::Outbound;
        let who = tuple(direction, packet);
        let seg = &packet.segment;
        let bare_syn = seg.ctl.syn() && seg.ack.is_none();
        let mark = self.why.take().and_then(|(tuple, seq, flags, why)| {
            (sent && tuple == who && seq == seg.seq && flags == seg.flags).then(|| mark(why))?
        });
        let life = self.life(who, if sent && bare_syn { Side::Left } else { Side::Right });
        let from = if sent { life.ours } else { life.ours.other() };
        let mut segment = life.scales.segment(from, packet);
        if sent {
            segment.departed = Some(now);
        } else {
            segment.arrived = Some(now);
        }
        segment.mark = mark;
        life.last = now;
        // A refused connection has no record whose end would be told.
        life.over |= seg.ctl.rst();
        life.ladder.push(Event::Segment(segment));
    }

    fn state(&mut self, who: &Tuple, from: State, to: State) {
        if self.purpose == Purpose::Comments {
            if self.changes.len() >= CHANGES {
                self.changes.pop_front();
            }
            self.changes.push_back((*who, from, to));
            return;
        }
        let at = self.clock.now();
        let life = self.life(*who, if from == State::Closed { Side::Left } else { Side::Right });
        life.last = at;
        life.over = to == State::Closed;
        let state = state_of(to);
        life.ladder.push(Event::State { side: life.ours, at, state, certainty: Certainty::Certain });
    }

    /// The connection of this name; a new one is ours on that side.
    fn life(&mut self, who: Tuple, ours: Side) -> &mut Life {
        if !self.lives.contains_key(&who) && self.lives.len() >= MOST {
            let oldest = self.lives.iter().min_by_key(|(_, life)| life.last).map(|(who, _)| *who);
            if let Some(oldest) = oldest {
                self.lives.remove(&oldest);
            }
        }
        let Inner { options, listening, met, lives, .. } = self;
        lives.entry(who).or_insert_with(|| {
            *met += 1;
            let end = |role, at: Endpoint| End::new(role, SocketAddr::from(at).to_string());
            let role = |side| if side == Side::Left { Role::Client } else { Role::Server };
            let mut our_end = end(role(ours), who.local).stack("synfin");
            if ours == Side::Left {
                our_end = our_end.state(synfin_explain::State::Closed);
            } else if *listening == Some(who.local.port) {
                our_end = our_end.state(synfin_explain::State::Listen);
            }
            let their_end = end(role(ours.other()), who.remote);
            let (left, right) = if ours == Side::Left { (our_end, their_end) } else { (their_end, our_end) };
            let options = Options { infer: Some(ours.other()), ..options.clone() };
            Life {
                number: *met,
                ours,
                ladder: Ladder::new(left, right, options),
                scales: Scales::default(),
                last: Instant::ZERO,
                over: false,
            }
        })
    }

    fn take(&mut self) -> String {
        let now = self.clock.now();
        let Inner { lives, out, shown, options, .. } = self;
        let mut over = Vec::new();
        for (who, life) in in_order(lives) {
            let mut rows = String::new();
            life.ladder.advance(now);
            if life.over && now.since(life.last) >= AFTERMATH {
                life.ladder.finish(&mut rows);
                over.push(*who);
            } else {
                life.ladder.render_ready(&mut rows);
            }
            put(life.number, &rows, shown, options, out);
        }
        for who in over {
            lives.remove(&who);
        }
        std::mem::take(&mut self.out)
    }
}

/// The connections in the order in which they were met.
fn in_order(lives: &mut BTreeMap<Tuple, Life>) -> Vec<(&Tuple, &mut Life)> {
    let mut lives: Vec<_> = lives.iter_mut().collect();
    lives.sort_unstable_by_key(|(_, life)| life.number);
    lives
}

/// Adds rows of a connection, with a line before them when the last rows were another's.
fn put(number: u64, rows: &str, shown: &mut Option<u64>, options: &Options, out: &mut String) {
    if rows.is_empty() {
        return;
    }
    if *shown != Some(number) && (shown.is_some() || number > 1) {
        let dash = if options.glyphs == Glyphs::Ascii { "-" } else { "─" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "{} {number} {}", dash.repeat(10), dash.repeat(10));
    }
    *shown = Some(number);
    out.push_str(rows);
}
