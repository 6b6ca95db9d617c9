//! Puts events into rows: which segments fit on one row, which cross and take two, where a state belongs, where
//! time is silent.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

use synfin_wire::{Flags, Instant};

use crate::fold::Folder;
use crate::json;
use crate::life::Lives;
use crate::model::{
    Certainty, End, Event, Fate, Fold, Format, Known, Mark, Numbers, Options, Pair, Role, Segment, Side,
    State, Timer,
};
use crate::row::{Cell, Part, Row, SegmentRow};
use crate::sentence::Sentence;
use crate::text::Painter;
use crate::words::Word;

/// Shortest gap that is shown as a silence, in nanoseconds; five round trips, where that is more.
const SILENCE: u64 = 200_000_000;

/// Whether a segment leaves or comes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Way {
    Leaves,
    Comes,
}

/// What happens on one line of the ladder.
#[derive(Copy, Clone, Debug)]
struct Point {
    /// As shown; none where nobody saw.
    at: Option<Instant>,
    /// The place in the order.
    key: Instant,
    way: Way,
    state: Option<Known>,
}

#[derive(Clone, Debug)]
enum Kind {
    Segment(Box<SegmentRow>),
    State,
    Note(String),
}

/// An event that is not in a row yet.
#[derive(Clone, Debug)]
struct Item {
    kind: Kind,
    points: Pair<Option<Point>>,
    /// The letter, once it is known that its way is crossed.
    letter: Option<char>,
}

/// A place in the queue of one line.
#[derive(Copy, Clone, Debug)]
struct Place {
    key: Instant,
    id: u64,
}

/// The ladder: events in, rows or lines out.
///
/// Push events in time order (a segment at its departure), call [`Ladder::render_ready`] whenever output is wanted
/// and [`Ladder::finish`] at the end. A row comes out when nothing can change it any more: that is when later events
/// have been pushed, or [`Ladder::advance`] has promised that none earlier will come.
#[derive(Debug)]
pub struct Ladder {
    options: Options,
    ends: Pair<End>,
    lives: Lives,
    next_id: u64,
    items: BTreeMap<u64, Item>,
    lines: Pair<VecDeque<Place>>,
    /// No event before this time will come.
    horizon: Instant,
    /// The last state told for each side, and the last one shown.
    told: Pair<Option<Known>>,
    shown: Pair<Option<Known>>,
    /// Whether anything happened at a side yet.
    begun: Pair<bool>,
    /// The end of the last row.
    last: Option<Instant>,
    silences: VecDeque<(Instant, Timer)>,
    letters: u32,
    head_done: bool,
    folder: Folder,
    rows: VecDeque<Row>,
    painter: Painter,
}

impl Ladder {
    /// An empty ladder between two ends.
    pub fn new(left: End, right: End, options: Options) -> Ladder {
        let told = Pair { left: left.state, right: right.state };
        Ladder {
            lives: Lives::new((left.role, right.role)),
            painter: Painter::new(options.clone()),
            options,
            ends: Pair { left, right },
            next_id: 0,
            items: BTreeMap::new(),
            lines: Pair::default(),
            horizon: Instant::ZERO,
            told,
            shown: told,
            begun: Pair::default(),
            last: None,
            silences: VecDeque::new(),
            letters: 0,
            head_done: false,
            folder: Folder::default(),
            rows: VecDeque::new(),
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::Segment(seg) => self.push_segment(seg),
            Event::State { side, at, state, certainty } => {
                self.push_state(side, at, Known { state, certainty })
            }
            Event::Note { at, text } => {
                let point = Some(Point { at: None, key: at, way: Way::Leaves, state: None });
                self.insert(Item {
                    kind: Kind::Note(text),
                    points: Pair { left: point, right: point },
                    letter: None,
                });
                self.advance(at);
            }
            Event::Silence { until, timer } => {
                self.silences.push_back((until, timer));
                self.advance(until);
            }
        }
    }

    /// Promises that no event before `now` will be pushed any more.
    pub fn advance(&mut self, now: Instant) {
        self.horizon = self.horizon.max(now);
    }

    /// Writes the rows that nothing can change any more.
    pub fn render_ready(&mut self, out: &mut String) {
        while let Some(row) = self.next_row() {
            self.write(&row, out);
        }
    }

    /// Writes all that is left.
    pub fn finish(&mut self, out: &mut String) {
        self.horizon = Instant::NEVER;
        self.lay_out();
        self.folder.end(&mut self.rows);
        self.render_ready(out);
    }

    /// The next row that nothing can change any more, for other ways of drawing.
    pub fn next_row(&mut self) -> Option<Row> {
        self.lay_out();
        self.rows.pop_front()
    }

    fn write(&mut self, row: &Row, out: &mut String) {
        match self.options.format {
            Format::Text => self.painter.row(row, out),
            Format::Json => json::row(row, out),
        }
    }

    // ---- Events in -------------------------------------------------------------------------------------------

    fn push_segment(&mut self, seg: Segment) {
        let now = seg.departed.or(seg.arrived).unwrap_or(self.horizon);
        let known = *self.told.get(seg.from);
        let life = self.lives.of(&seg);
        let number = life.number;
        let told = life.on_segment(&seg, now, known);
        let absolute = self.options.numbers == Numbers::Absolute;
        let (seq, ack) = if absolute { (seg.seq.raw(), seg.ack.raw()) } else { (told.seq, told.ack) };
        let mut sentence = told.sentence;
        if absolute {
            (sentence.facts.seq, sentence.facts.ack) = (seq, ack);
        }
        let (from, fate, flags) = (seg.from, seg.fate, seg.flags);
        let row = SegmentRow {
            id: self.next_id,
            life: number,
            from,
            part: Part::Whole,
            left: Cell::default(),
            right: Cell::default(),
            flags,
            seq,
            ack,
            len: seg.len,
            window: seg.window,
            options: seg.options,
            fate,
            mark: told.mark,
            sentence,
        };
        let leaves = Point { at: seg.departed, key: now, way: Way::Leaves, state: None };
        // What nobody saw leave, or arrive, happens in the order at the time of the end that was seen.
        let key = seg.arrived.unwrap_or(now).max(now);
        let comes = Point { at: seg.arrived, key, way: Way::Comes, state: None };
        let mut points = Pair::default();
        *points.get_mut(from) = Some(leaves);
        *points.get_mut(from.other()) = (fate == Fate::Delivered).then_some(comes);
        self.insert(Item { kind: Kind::Segment(Box::new(row)), points, letter: None });
        self.claim_floating(from, flags, now);
        if self.options.infer == Some(from)
            && let Some(state) = told.concluded
        {
            self.conclude(from, Known { state, certainty: Certainty::Inferred });
        }
        self.advance(now);
    }

    /// This state belongs to the segment that was just pushed.
    fn conclude(&mut self, side: Side, known: Known) {
        let newest = self.next_id.checked_sub(1).and_then(|id| self.items.get_mut(&id));
        if let Some(point) = newest.and_then(|item| item.points.get_mut(side).as_mut()) {
            point.state = Some(known);
            *self.told.get_mut(side) = Some(known);
        }
    }

    /// Queues an item on the lines that it touches, behind everything of the same time.
    fn insert(&mut self, item: Item) {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        for side in [Side::Left, Side::Right] {
            if let Some(point) = item.points.get(side) {
                let line = self.lines.get_mut(side);
                let place = line.partition_point(|p| p.key <= point.key);
                line.insert(place, Place { key: point.key, id });
                if matches!(item.kind, Kind::Segment(_)) {
                    *self.begun.get_mut(side) = true;
                }
            }
        }
        self.items.insert(id, item);
    }

    fn push_state(&mut self, side: Side, at: Instant, known: Known) {
        let before = self.told.get_mut(side).replace(known);
        if before != Some(known) {
            self.place_state(side, at, known, before.map(|k| k.state));
        }
        self.advance(at);
    }

    fn place_state(&mut self, side: Side, at: Instant, known: Known, before: Option<State>) {
        if !*self.begun.get(side) && !self.head_done && matches!(known.state, State::Closed | State::Listen) {
            self.ends.get_mut(side).state = Some(known);
            *self.shown.get_mut(side) = Some(known);
            return;
        }
        let patience = self.options.patience;
        let explains = |item: &Item| -> bool {
            let (Kind::Segment(row), Some(point)) = (&item.kind, item.points.get(side)) else { return false };
            let recent = at.since(point.key) <= patience;
            caused_by(known.state, before, point.way, row.flags, recent)
        };
        let line = self.lines.get(side);
        let found = line
            .iter()
            .rev()
            .find(|p| p.key <= at && self.items.get(&p.id).is_some_and(explains))
            .map(|p| p.id);
        if let Some(item) = found.and_then(|id| self.items.get_mut(&id))
            && let Some(point) = item.points.get_mut(side)
        {
            point.state = Some(known);
            return;
        }
        let mut points = Pair::default();
        *points.get_mut(side) = Some(Point { at: Some(at), key: at, way: Way::Leaves, state: Some(known) });
        self.insert(Item { kind: Kind::State, points, letter: None });
    }

    /// A state that was told shortly before the SYN, FIN or RST that it sends belongs to that segment's row.
    fn claim_floating(&mut self, side: Side, flags: Flags, now: Instant) {
        let patience = self.options.patience;
        let line = self.lines.get(side);
        let floating = line.iter().rev().find_map(|p| {
            let item = self.items.get(&p.id)?;
            let known = item.points.get(side).as_ref()?.state?;
            let fits = matches!(item.kind, Kind::State)
                && p.key <= now
                && now.since(p.key) <= patience
                && caused_by(known.state, None, Way::Leaves, flags, true);
            fits.then_some((p.id, known))
        });
        let Some((id, known)) = floating else { return };
        self.items.remove(&id);
        self.lines.get_mut(side).retain(|p| p.id != id);
        self.conclude(side, known);
    }

    // ---- Rows out --------------------------------------------------------------------------------------------

    /// Makes rows as far as the horizon allows.
    ///
    /// Each line is a queue in time order. When one segment is first on both, it is a whole row. When the two firsts
    /// are different segments and neither stands alone, their ways cross: both become two rows, linked by a letter.
    fn lay_out(&mut self) {
        loop {
            let heads = Pair { left: self.head(Side::Left), right: self.head(Side::Right) };
            match (heads.left, heads.right) {
                (Some(l), Some(r)) if l.id == r.id && !self.stands_alone(l.id) => {
                    if !self.ready(l.key.max(r.key)) {
                        return;
                    }
                    self.emit(l.id, None);
                }
                (None, None) => return,
                _ => {
                    let alone = |side: Side| {
                        let place = (*heads.get(side))?;
                        self.stands_alone(place.id).then_some((place.key, side, place.id))
                    };
                    let first = match (alone(Side::Left), alone(Side::Right)) {
                        (Some(l), Some(r)) => Some(if (r.0, r.2) < (l.0, l.2) { r } else { l }),
                        (l, r) => l.or(r),
                    };
                    match first {
                        Some((key, side, id)) if self.ready(key) => self.emit(id, Some(side)),
                        Some(_) => return,
                        None => self.split(heads),
                    }
                }
            }
        }
    }

    fn head(&self, side: Side) -> Option<Place> {
        self.lines.get(side).front().copied()
    }

    fn ready(&self, key: Instant) -> bool {
        self.horizon.is_never() || key + self.options.patience < self.horizon
    }

    /// Whether an item's point needs no row in common with the other line.
    fn stands_alone(&self, id: u64) -> bool {
        self.items.get(&id).is_none_or(|item| {
            item.letter.is_some() || item.points.left.is_none() || item.points.right.is_none()
        })
    }

    fn split(&mut self, heads: Pair<Option<Place>>) {
        // In order of departure, so that the letters are.
        let mut ids = [heads.left.map(|p| p.id), heads.right.map(|p| p.id)];
        ids.sort_unstable();
        for id in ids.into_iter().flatten() {
            let letter = char::from(b'a'.saturating_add((self.letters % 26) as u8));
            if let Some(item) = self.items.get_mut(&id)
                && item.letter.is_none()
            {
                item.letter = Some(letter);
                self.letters = self.letters.wrapping_add(1);
            }
        }
    }

    /// Makes a row of an item, or of its part on one line.
    fn emit(&mut self, id: u64, part: Option<Side>) {
        if !self.head_done {
            self.head_done = true;
            self.rows.push_back(Row::Head { left: self.ends.left.clone(), right: self.ends.right.clone() });
        }
        let sides =
            [Side::Left, Side::Right].into_iter().filter(|side| part.is_none_or(|only| only == *side));
        let mut cells: Pair<Cell> = Pair::default();
        let mut way = Way::Leaves;
        let (mut begin, mut end) = (Instant::NEVER, Instant::ZERO);
        let mut points: Pair<Option<Point>> = Pair::default();
        for side in sides {
            self.lines.get_mut(side).pop_front();
            let point = self.items.get_mut(&id).and_then(|item| item.points.get_mut(side).take());
            if let Some(point) = point {
                begin = begin.min(point.key);
                end = end.max(point.key);
                way = if part.is_some() { point.way } else { Way::Leaves };
            }
            *points.get_mut(side) = point;
        }
        self.emit_silence(id, begin, &points);
        let before = self.shown;
        for side in [Side::Left, Side::Right] {
            let cell = cells.get_mut(side);
            if let Some(point) = points.get(side) {
                cell.at = point.at;
                cell.state = point.state.filter(|known| self.shown.get(side) != &Some(*known));
                *self.shown.get_mut(side) = point.state.or(*self.shown.get(side));
            }
            cell.followed = self.shown.get(side).is_some();
        }
        self.last = Some(self.last.map_or(end, |last| last.max(end)));
        let Some(item) = self.items.get(&id) else { return };
        let done = item.points.left.is_none() && item.points.right.is_none();
        let letter = item.letter;
        let row = match &item.kind {
            Kind::Note(text) => Row::Note { text: text.clone() },
            Kind::State => {
                let side = part.unwrap_or(Side::Left);
                let old = before.get(side).map(|k| k.state);
                let new = cells.get(side).state.map(|k| k.state);
                let sentence = new.and_then(|new| state_word(old, new)).map(Sentence::plain);
                Row::State { side, left: cells.left, right: cells.right, sentence }
            }
            Kind::Segment(row) => {
                let part = match (letter, way) {
                    (None, _) => Part::Whole,
                    (Some(letter), Way::Leaves) => Part::Departure(letter),
                    (Some(letter), Way::Comes) => Part::Arrival(letter),
                };
                Row::Segment(Box::new(SegmentRow {
                    part,
                    left: cells.left,
                    right: cells.right,
                    ..(**row).clone()
                }))
            }
        };
        if done {
            self.items.remove(&id);
        }
        if matches!(&row, Row::Segment(row) if row.part == Part::Whole) {
            // Nothing is under way any more that a letter could be mistaken for.
            self.letters = 0;
        }
        self.put(row);
    }

    fn put(&mut self, row: Row) {
        match self.options.fold {
            Fold::On => self.folder.push(row, &mut self.rows),
            Fold::Off => self.rows.push_back(row),
        }
    }

    /// A gap longer than 200 ms and five round trips gets a row of its own, with the timer that ran.
    fn emit_silence(&mut self, id: u64, begin: Instant, points: &Pair<Option<Point>>) {
        let Some(last) = self.last else { return };
        let gap = begin.nanos().saturating_sub(last.nanos());
        let least = SILENCE.max(self.lives.round_trip().unwrap_or(0).saturating_mul(5));
        if gap <= least {
            return;
        }
        let mut told = None;
        while let Some((_, timer)) = self.silences.pop_front_if(|(until, _)| *until <= begin) {
            told = Some(timer);
        }
        let timer = told.or_else(|| self.timer_of(self.items.get(&id)?, points));
        let roles = (self.ends.left.role, self.ends.right.role);
        let why = timer.map(|timer| timer_sentence(timer, roles));
        self.put(Row::Silence { span: gap, why });
    }

    /// What ended a silence, judged by what came after it.
    fn timer_of(&self, item: &Item, points: &Pair<Option<Point>>) -> Option<Timer> {
        let shown = |side: Side| self.shown.get(side).map(|k| k.state);
        match &item.kind {
            Kind::Note(_) => None,
            Kind::State => {
                let side = if points.left.is_some() { Side::Left } else { Side::Right };
                match shown(side)? {
                    State::TimeWait => Some(Timer::TimeWait),
                    State::FinWait2 => Some(Timer::FinWait2),
                    _ => None,
                }
            }
            Kind::Segment(row) => match row.mark {
                Some(Mark::Retransmission(_)) if row.flags.has(Flags::SYN.with(Flags::ACK)) => {
                    Some(Timer::SynAck)
                }
                Some(Mark::Retransmission(_)) if row.flags.has(Flags::SYN) => Some(Timer::Syn),
                Some(Mark::Retransmission(_)) => Some(Timer::Retransmission),
                Some(Mark::WindowProbe) => Some(Timer::Persist),
                Some(Mark::KeepAlive) => Some(Timer::KeepAlive),
                Some(_) => None,
                None if row.flags.has(Flags::FIN) || shown(row.from) == Some(State::CloseWait) => {
                    Some(Timer::Program(row.from))
                }
                None if row.len > 0 => Some(Timer::Idle),
                None => None,
            },
        }
    }
}

/// Whether a segment that leaves or comes at an end can have brought it into a state (RFC 9293 3.3.2, figure 5).
fn caused_by(state: State, before: Option<State>, way: Way, flags: Flags, recent: bool) -> bool {
    let (syn, fin, rst) = (flags.has(Flags::SYN), flags.has(Flags::FIN), flags.has(Flags::RST));
    match (state, way) {
        (State::SynSent, Way::Leaves) => syn,
        (State::FinWait1 | State::LastAck, Way::Leaves) => fin,
        (State::SynSent | State::FinWait1 | State::LastAck, Way::Comes) => false,
        (State::SynRcvd, Way::Leaves) => syn && flags.has(Flags::ACK) && before.is_none(),
        (State::SynRcvd, Way::Comes) => syn,
        (State::Closed | State::Listen, Way::Comes) => {
            rst || (recent && before == Some(State::LastAck) && flags.has(Flags::ACK))
        }
        (State::Closed, Way::Leaves) => rst,
        (State::Listen, Way::Leaves) => false,
        // All others are entered by what arrives; an end that nobody tells of shows them where it sends.
        (_, Way::Comes) => !rst,
        (_, Way::Leaves) => false,
    }
}

fn state_word(old: Option<State>, new: State) -> Option<Word> {
    match (old?, new) {
        (State::TimeWait, State::Closed) => Some(Word::StTimeWaitEnd),
        (State::FinWait2, State::Closed) => Some(Word::StFinWait2End),
        (State::SynSent, State::Closed) => Some(Word::StSynSentEnd),
        (State::SynRcvd, State::Closed | State::Listen) => Some(Word::StSynRcvdEnd),
        (State::Listen, State::Closed) => None,
        (_, State::Closed) => Some(Word::StGone),
        (_, State::FinWait1 | State::LastAck) => Some(Word::StProgramClosed),
        _ => None,
    }
}

fn timer_sentence(timer: Timer, roles: (Role, Role)) -> Sentence {
    let word = match timer {
        Timer::Syn => Word::TimerSyn,
        Timer::SynAck => Word::TimerSynAck,
        Timer::Retransmission => Word::TimerRetransmission,
        Timer::Persist => Word::TimerPersist,
        Timer::KeepAlive => Word::TimerKeepAlive,
        Timer::TimeWait => Word::TimerTimeWait,
        Timer::FinWait2 => Word::TimerFinWait2,
        Timer::Idle => Word::TimerIdle,
        Timer::Program(side) => return Sentence::about(Word::TimerProgram, side, roles),
    };
    Sentence::plain(word)
}

#[cfg(test)]
mod tests;
