//! What is shown of the demonstration's connection: the ladder as it grows, the capture, the summary.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synfin_explain::{
    Certainty, End, Event, Fate, Fold, Form, Known, Ladder, Lang, Options, Pair, Part, Role, Row, SegmentRow,
    Side, State,
};
use synfin_link::pcapng::Direction;
use synfin_wire::{Endpoint, Instant, Seq};

use crate::error::Failure;
use crate::packet::{Packet, Scales};
use crate::pcap::Capture;

/// Shared by everybody who sees something happen.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Show>>);

impl Shared {
    pub fn new(show: Show) -> Shared {
        Shared(Arc::new(Mutex::new(show)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Show> {
        // Every change is complete at each step: a panic of another thread leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A packet as our end saw it.
struct Seen {
    at: Instant,
    direction: Direction,
    bytes: Vec<u8>,
}

/// Segments by what they were for.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// SYN, SYN,ACK and the ACK that completes the handshake.
    pub opening: u32,
    /// With text, and ACKs of text.
    pub data: u32,
    /// FINs, and the ACKs of FINs.
    pub closing: u32,
    opened: bool,
    /// One past each end's FIN, until it is acknowledged.
    fins: Pair<Option<Seq>>,
}

impl Tally {
    fn count(&mut self, from: Side, packet: &Packet<'_>) {
        let seg = &packet.segment;
        let acks_fin = self.fins.get(from.other()).is_some_and(|end| seg.ack == Some(end));
        if acks_fin {
            *self.fins.get_mut(from.other()) = None;
        }
        if seg.ctl.fin() {
            *self.fins.get_mut(from) = Some(seg.seq + seg.seq_len());
        }
        if seg.ctl.syn() {
            self.opening += 1;
        } else if seg.ctl.fin() || (acks_fin && seg.payload.is_empty()) {
            self.closing += 1;
        } else if !self.opened && from == Side::Left && seg.payload.is_empty() {
            self.opening += 1;
            self.opened = true;
        } else {
            self.data += 1;
        }
    }
}

/// See the module.
pub struct Show {
    options: Options,
    /// Whose TCP it is, on either side.
    stacks: Pair<String>,
    /// The states before the first segment.
    first: Pair<Option<State>>,
    /// The end at which packets are captured.
    ours: Side,
    ladders: Option<Ladders>,
    scales: Scales,
    seen: Vec<Seen>,
    states: Pair<Option<State>>,
    tally: Tally,
    out: String,
}

/// One to be read, one to take the comments of a capture from.
struct Ladders {
    text: Ladder,
    rows: Ladder,
}

impl Show {
    /// Client on the left, server on the right; `ours` is the end at which packets are captured.
    pub fn new(options: Options, stacks: Pair<String>, ours: Side) -> Show {
        let first = Pair { left: Some(State::Closed), right: Some(State::Listen) };
        Show {
            options,
            stacks,
            first,
            ours,
            ladders: None,
            scales: Scales::default(),
            seen: Vec::new(),
            states: first,
            tally: Tally::default(),
            out: String::new(),
        }
    }

    /// The state before the first segment, if it is not the usual one or not known.
    pub fn begins_in(&mut self, side: Side, state: Option<State>) {
        *self.first.get_mut(side) = state;
        *self.states.get_mut(side) = state;
    }

    /// The ends are known from now on.
    pub fn open(&mut self, client: Endpoint, server: Endpoint) {
        if self.ladders.is_some() {
            return;
        }
        let end = |role, at: Endpoint, side| {
            let end = End::new(role, at.to_string()).stack(self.stacks.get(side).clone());
            match *self.first.get(side) {
                Some(state) => end.state(state),
                None => end,
            }
        };
        let left = end(Role::Client, client, Side::Left);
        let right = end(Role::Server, server, Side::Right);
        let every = Options { fold: Fold::Off, ..self.options.clone() };
        let rows = Ladder::new(left.clone(), right.clone(), every);
        self.ladders = Some(Ladders { text: Ladder::new(left, right, self.options.clone()), rows });
    }

    fn push(&mut self, event: Event) {
        if let Some(ladders) = &mut self.ladders {
            ladders.rows.push(event.clone());
            ladders.text.push(event);
            ladders.text.render_ready(&mut self.out);
        }
    }

    /// A packet leaves, to arrive at that time, or never. Only TCP is shown.
    pub fn packet(&mut self, from: Side, bytes: &[u8], departed: Instant, arrived: Option<Instant>) {
        let Some(packet) = Packet::parse(bytes) else { return };
        let (client, server) =
            if from == Side::Left { (packet.src, packet.dst) } else { (packet.dst, packet.src) };
        self.open(client, server);
        self.tally.count(from, &packet);
        let mut segment = self.scales.segment(from, &packet);
        segment.departed = Some(departed);
        segment.arrived = arrived;
        if arrived.is_none() {
            segment.fate = Fate::Lost(Certainty::Certain);
        }
        let (direction, at) = match arrived {
            _ if from == self.ours => (Direction::Outbound, departed),
            Some(arrived) => (Direction::Inbound, arrived),
            // Our end never saw it.
            None => (Direction::Inbound, Instant::NEVER),
        };
        self.seen.push(Seen { at, direction, bytes: bytes.to_vec() });
        self.push(Event::Segment(segment));
    }

    /// An end is in this state now.
    pub fn state(&mut self, side: Side, at: Instant, state: State) {
        if self.states.get_mut(side).replace(state) != Some(state) {
            self.push(Event::State { side, at, state, certainty: Certainty::Certain });
        }
    }

    /// Whether both ends have closed.
    pub fn settled(&self) -> bool {
        let over = |side| matches!(self.states.get(side), Some(State::Closed | State::TimeWait));
        self.ladders.is_some() && self.tally.closing > 0 && over(Side::Left) && over(Side::Right)
    }

    /// What is to be printed at `now`.
    pub fn take(&mut self, now: Instant) -> String {
        if let Some(ladders) = &mut self.ladders {
            ladders.rows.advance(now);
            ladders.text.advance(now);
            ladders.text.render_ready(&mut self.out);
        }
        std::mem::take(&mut self.out)
    }

    /// The rest of what is to be printed.
    pub fn finish(&mut self) -> String {
        if let Some(ladders) = &mut self.ladders {
            ladders.text.finish(&mut self.out);
        }
        std::mem::take(&mut self.out)
    }

    /// Segments so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Writes what our end saw, each packet with what it did and meant. `epoch`: nanoseconds from 1970 to the time 0.
    pub fn capture(&mut self, capture: &mut Capture, epoch: u64) -> Result<(), Failure> {
        let comments = self.comments();
        let mut order: Vec<usize> = (0..self.seen.len()).collect();
        order.sort_by_key(|i| self.seen.get(*i).map(|seen| seen.at));
        for i in order {
            let Some(Seen { at, direction, bytes }) = self.seen.get(i) else { continue };
            if at.is_never() {
                continue;
            }
            let comment = comments.get(i).map_or("", String::as_str);
            let nanos = epoch.saturating_add(at.nanos());
            capture.packet(nanos, *direction, comment, bytes).map_err(not_written)?;
        }
        capture.flush().map_err(not_written)
    }

    /// What each packet did and meant, in the order in which they left.
    fn comments(&mut self) -> Vec<String> {
        let Some(ladders) = &mut self.ladders else { return Vec::new() };
        // Drawing is what makes a ladder finish; only its rows are wanted here.
        ladders.rows.advance(Instant::NEVER);
        let mut states: Pair<Option<State>> = self.first;
        let mut comments: std::collections::BTreeMap<u64, (Vec<String>, String)> = Default::default();
        while let Some(row) = ladders.rows.next_row() {
            let Row::Segment(row) = row else { continue };
            let (changes, words) = comments.entry(row.id).or_default();
            changes.extend(state_changes(&row, &mut states));
            if !matches!(row.part, Part::Arrival(_)) {
                *words = row.sentence.say(self.options.lang, Form::Full);
            }
        }
        let separator = if self.options.lang == Lang::Zh { "；" } else { "; " };
        comments
            .into_values()
            .map(|(mut changes, words)| {
                changes.push(words);
                format!("synfin: {}", changes.join(separator))
            })
            .collect()
    }
}

fn state_changes(row: &SegmentRow, states: &mut Pair<Option<State>>) -> Vec<String> {
    let mut changes = Vec::new();
    for (side, name, cell) in [(Side::Left, "client", row.left), (Side::Right, "server", row.right)] {
        if let Some(Known { state, .. }) = cell.state {
            let from = states.get_mut(side).replace(state);
            let from = from.map_or("", State::name);
            changes.push(format!("{name} {from}->{}", state.name()));
        }
    }
    changes
}

fn not_written(why: std::io::Error) -> Failure {
    Failure::Run(format!("the capture could not be written to its end: {why}"))
}
