//! Rows as lines of text: `time(8) state(11) │ arrow(36) │ state(11) time(8)`, words below or beside.

mod line;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use synfin_wire::{Flags, Instant};

use crate::label;
use crate::model::{
    Again, Certainty, Clock, Color, End, Fate, Glyphs, Known, Lang, Mark, Options, Pair, Role, Side, State,
    Words,
};
use crate::number;
use crate::row::{Cell, Part, Row, SegmentRow};
use crate::sentence::{self, Facts, Sentence};
use crate::width;
use crate::words::{Form, Word};
use line::{Line, Style};

/// Columns of a time, a state, and of both with the spaces around: the left lifeline comes next.
const TIME: usize = 8;
const STATE: usize = 11;
const LIFELINE: usize = TIME + 1 + STATE + 1;
/// Columns between the lifelines, where there is room.
const ARROW: usize = 36;
/// Everything but the arrow.
const FRAME: usize = 2 * LIFELINE + 2;
/// Narrowest ladder.
const NARROWEST: usize = 60;
/// From this width on, words stand beside the rows.
const BESIDE: usize = 120;

/// The characters of the drawing.
#[derive(Debug)]
struct Drawing {
    line: char,
    from_left: char,
    from_right: char,
    shaft: char,
    to_right: char,
    to_left: char,
    lost: &'static str,
    lost_inferred: &'static str,
    same: &'static str,
    inferred: char,
    gap: char,
    note: &'static str,
}

const UNICODE: Drawing = Drawing {
    line: '│',
    from_left: '├',
    from_right: '┤',
    shaft: '─',
    to_right: '▶',
    to_left: '◀',
    lost: "╳",
    lost_inferred: "╳?",
    same: "·",
    inferred: '≈',
    gap: '┊',
    note: "┄ ",
};

const ASCII: Drawing = Drawing {
    line: '|',
    from_left: '|',
    from_right: '|',
    shaft: '-',
    to_right: '>',
    to_left: '<',
    lost: "x",
    lost_inferred: "x?",
    same: ".",
    inferred: '~',
    gap: ':',
    note: ". ",
};

/// Where words go.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Place {
    Nowhere,
    Below { form: Form },
    Beside { form: Form, room: usize },
}

/// Draws rows.
#[derive(Debug)]
pub(crate) struct Painter {
    options: Options,
    drawing: &'static Drawing,
    columns: usize,
    arrow: usize,
    place: Place,
    start: Option<Instant>,
    before: Pair<Option<Instant>>,
}

impl Painter {
    pub(crate) fn new(options: Options) -> Painter {
        let columns = usize::from(options.columns).max(NARROWEST);
        let arrow = columns.saturating_sub(FRAME).min(ARROW);
        let beside = columns >= BESIDE;
        let form = match options.words {
            Words::Short => Form::Short,
            Words::Auto if beside => Form::Short,
            _ => Form::Full,
        };
        let place = match options.words {
            Words::Off => Place::Nowhere,
            _ if beside => Place::Beside { form, room: columns.saturating_sub(FRAME + ARROW + 1) },
            _ => Place::Below { form },
        };
        let drawing = match options.glyphs {
            Glyphs::Unicode => &UNICODE,
            Glyphs::Ascii => &ASCII,
        };
        Painter { options, drawing, columns, arrow, place, start: None, before: Pair::default() }
    }

    /// Draws a row, each line with its end of line.
    pub(crate) fn row(&mut self, row: &Row, out: &mut String) {
        match row {
            Row::Head { left, right } => self.head(left, right, out),
            Row::Segment(row) => self.segment(row, out),
            Row::State { left, right, sentence, .. } => {
                let blank = self.blank();
                let words = sentence.as_ref().map_or_else(Vec::new, |s| self.words("", s, Style::Plain));
                self.frame(left, right, (self.drawing.line, self.drawing.line), blank, words, out);
            }
            Row::Silence { span, why } => self.silence(*span, why.as_ref(), out),
            Row::Fold { segments, acks, octets, certainty } => {
                let data = *segments > 0;
                let word = if data { Word::FoldData } else { Word::FoldAcks };
                let n = if data { *segments } else { *acks };
                let sentence = Sentence { word, facts: Facts { n, bytes: *octets, ..Facts::default() } };
                let full = sentence.say(self.options.lang, Form::Full);
                let short = sentence.say(self.options.lang, Form::Short);
                let certain = *certainty == Certainty::Certain;
                self.torn(if certain && width::of(&full) <= self.arrow { full } else { short }, out);
            }
            Row::Note { text } => {
                let text = format!("{}{}", self.drawing.note, width::clean(text));
                let lines = width::wrap(&text, self.columns.saturating_sub(LIFELINE + 1));
                for text in lines {
                    let mut line = self.line();
                    line.pad_to(LIFELINE + 1);
                    line.put(&text, Style::Dim);
                    line.end(out);
                }
            }
        }
    }

    fn line(&self) -> Line {
        Line::new(self.options.color == Color::On)
    }

    fn blank(&self) -> Vec<(String, Style)> {
        Vec::from([(spaces(self.arrow), Style::Plain)])
    }

    // ---- Columns ---------------------------------------------------------------------------------------------

    fn head(&mut self, left: &End, right: &End, out: &mut String) {
        let unit = if self.options.clock == Clock::Utc { "UTC" } else { "ms" };
        let name = |end: &End| head_name(end.role, self.options.lang);
        let (a, b) = (width::clean(&left.address), width::clean(&right.address));
        let fits = |a: &str, b: &str| width::of(a) + width::of(b) < self.arrow;
        let beside = fits(&a, &b);
        if !beside {
            // Long addresses stand above, each on a line of its own.
            for (end, address) in [(left, &a), (right, &b)] {
                let text = format!("{}  {address}", name(end));
                let mut line = self.line();
                line.put(&width::cut(&text, self.columns, '~'), Style::Plain);
                line.end(out);
            }
        }
        let mut line = self.line();
        line.put_right(unit, TIME, Style::Dim);
        line.put_right(name(left), LIFELINE - 1, Style::Bold);
        if beside {
            line.pad_to(LIFELINE + 1);
            line.put(&a, Style::Plain);
            line.put_right(&b, LIFELINE + 1 + self.arrow, Style::Plain);
        }
        line.pad_to(LIFELINE + self.arrow + 3);
        line.put(name(right), Style::Bold);
        line.put_right(unit, FRAME + self.arrow, Style::Dim);
        line.end(out);

        let (a, b) = (width::clean(&left.stack), width::clean(&right.stack));
        let mut middle = self.blank();
        // One space at each lifeline and at least one between.
        if let Some(gap) = self.arrow.checked_sub(2 + width::of(&a) + width::of(&b)).filter(|gap| *gap > 0) {
            middle = Vec::from([(format!(" {a}{}{b} ", spaces(gap)), Style::Dim)]);
        }
        let cell = |end: &End| Cell { at: None, state: end.state, followed: false };
        let posts = (self.drawing.line, self.drawing.line);
        self.frame(&cell(left), &cell(right), posts, middle, Vec::new(), out);
    }

    fn time(&mut self, side: Side, cell: &Cell) -> String {
        let Some(at) = cell.at else { return String::new() };
        let start = *self.start.get_or_insert(at);
        let before = self.before.get_mut(side).replace(at);
        match self.options.clock {
            Clock::Since => number::clock(at.nanos().saturating_sub(start.nanos())),
            Clock::Delta => {
                number::clock(before.map_or(0, |before| at.nanos().saturating_sub(before.nanos())))
            }
            Clock::Utc => number::time_of_day(at.nanos()),
        }
    }

    /// A state in a column, and how it is drawn.
    fn state(&self, cell: &Cell) -> (String, Style) {
        match cell.state {
            Some(Known { state, certainty: Certainty::Certain }) => {
                (String::from(state.name()), state_style(state))
            }
            Some(Known { state, certainty: Certainty::Inferred }) => {
                (format!("{}{}", self.drawing.inferred, state.name()), Style::Dim)
            }
            None if cell.followed => (String::from(self.drawing.same), Style::Dim),
            None => (String::new(), Style::Plain),
        }
    }

    /// A row between its columns: times, states, lifelines, what is between them, and the words.
    fn frame(
        &mut self,
        left: &Cell,
        right: &Cell,
        posts: (char, char),
        middle: Vec<(String, Style)>,
        words: Vec<Vec<(String, Style)>>,
        out: &mut String,
    ) {
        let mut line = self.line();
        line.put_right(&self.time(Side::Left, left), TIME, Style::Plain);
        let (state, style) = self.state(left);
        line.put_right(&state, LIFELINE - 1, style);
        line.pad_to(LIFELINE);
        line.put_char(posts.0, Style::Plain);
        for (text, style) in middle {
            line.put(&text, style);
        }
        line.put_char(posts.1, Style::Plain);
        let (state, style) = self.state(right);
        let time = self.time(Side::Right, right);
        if !state.is_empty() {
            line.pad_to(LIFELINE + self.arrow + 3);
            line.put(&state, style);
        }
        line.put_right(&time, FRAME + self.arrow, Style::Plain);
        let mut words = words.into_iter();
        if let Place::Beside { .. } = self.place
            && let Some(first) = words.next()
        {
            line.pad_to(FRAME + ARROW + 1);
            line.put_all(&first);
        }
        line.end(out);
        for text in words {
            let mut line = self.line();
            if let Place::Beside { .. } = self.place {
                line.pad_to(LIFELINE);
                line.put_char(self.drawing.line, Style::Plain);
                line.pad_to(LIFELINE + 1 + self.arrow);
                line.put_char(self.drawing.line, Style::Plain);
                line.pad_to(FRAME + ARROW + 1);
            } else {
                line.pad_to(LIFELINE + 1);
            }
            line.put_all(&text);
            line.end(out);
        }
    }

    // ---- Words -----------------------------------------------------------------------------------------------

    /// The words of a row, broken into lines; the mark before them keeps its colour.
    fn words(&self, mark: &str, sentence: &Sentence, style: Style) -> Vec<Vec<(String, Style)>> {
        let (form, room) = match self.place {
            Place::Nowhere => return Vec::new(),
            Place::Below { form } => (form, self.columns.saturating_sub(LIFELINE + 1)),
            Place::Beside { form, room } => (form, room),
        };
        let said = sentence.say(self.options.lang, form);
        let text = if mark.is_empty() { said } else { format!("{mark} {said}") };
        let mut lines = Vec::new();
        for (i, text) in width::wrap(&text, room).into_iter().enumerate() {
            match text.strip_prefix(mark) {
                Some(rest) if i == 0 && !mark.is_empty() => {
                    lines.push(Vec::from([(String::from(mark), style), (String::from(rest), Style::Plain)]));
                }
                _ => lines.push(Vec::from([(text, Style::Plain)])),
            }
        }
        lines
    }

    fn silence(&mut self, span: u64, why: Option<&Sentence>, out: &mut String) {
        let lang = self.options.lang;
        let facts = Facts { span, ..Facts::default() };
        let silence = Sentence { word: Word::Silence, facts }.say(lang, Form::Full);
        let with = |form: Form| match (why, lang) {
            (None, _) => silence.clone(),
            (Some(why), Lang::En) => format!("{silence} ({})", why.say(lang, form)),
            (Some(why), Lang::Zh) => format!("{silence}（{}）", why.say(lang, form)),
        };
        let said = [with(Form::Full), with(Form::Short)];
        let fitting = said.into_iter().find(|text| width::of(text) <= self.arrow);
        self.torn(fitting.unwrap_or(silence), out);
    }

    /// A text between torn lifelines.
    fn torn(&self, text: String, out: &mut String) {
        let text = width::cut(&text, self.arrow, '~');
        let pad = self.arrow.saturating_sub(width::of(&text));
        let mut line = self.line();
        line.pad_to(LIFELINE);
        line.put_char(self.drawing.gap, Style::Dim);
        line.pad_to(LIFELINE + 1 + pad.saturating_sub(1) / 2);
        line.put(&text, Style::Dim);
        line.pad_to(LIFELINE + 1 + self.arrow);
        line.put_char(self.drawing.gap, Style::Dim);
        line.end(out);
    }

    // ---- Segments --------------------------------------------------------------------------------------------

    fn segment(&mut self, row: &SegmentRow, out: &mut String) {
        let mark = self.mark(row);
        let arrival = matches!(row.part, Part::Arrival(_));
        let style = flag_style(row);
        let mut prefix = String::new();
        if row.life > 1 {
            prefix = format!("{} ", life_mark(row.life, self.options.glyphs));
        }
        if self.place == Place::Nowhere && !mark.is_empty() {
            prefix = format!("{prefix}{mark} ");
        }
        let middle = match row.part {
            Part::Whole => self.whole(row, &prefix, style),
            Part::Departure(letter) => self.departure(row, &prefix, style, letter),
            Part::Arrival(letter) => self.arrival(row, style, letter),
        };
        let d = self.drawing;
        let posts = match (row.from, row.part) {
            (Side::Left, Part::Arrival(_)) => (d.line, d.from_right),
            (Side::Right, Part::Arrival(_)) => (d.from_left, d.line),
            (Side::Left, _) => (d.from_left, d.line),
            (Side::Right, _) => (d.line, d.from_right),
        };
        let words = if arrival {
            Vec::new()
        } else {
            let lost = if matches!(row.fate, Fate::Lost(_)) { d.note.trim_end() } else { "" };
            let both = match (mark.is_empty(), lost.is_empty()) {
                (false, false) => format!("{mark} {lost}"),
                _ => format!("{mark}{lost}"),
            };
            self.words(&both, &row.sentence, mark_style(row))
        };
        self.frame(&row.left, &row.right, posts, middle, words, out);
    }

    /// The letter of a mark. SYN and FIN are only ever repeated by a timer: a plain R says enough.
    fn mark(&self, row: &SegmentRow) -> &'static str {
        let control = row.flags.has(Flags::SYN) || (row.flags.has(Flags::FIN) && row.len == 0);
        match row.mark {
            None => "",
            Some(Mark::Retransmission(Again::Unknown)) => "R",
            Some(Mark::Retransmission(Again::Timer)) if control => "R",
            Some(Mark::Retransmission(Again::Timer)) => "Rt",
            Some(Mark::Retransmission(Again::Fast)) => "Rf",
            Some(Mark::Retransmission(Again::Probe)) => "Rp",
            Some(Mark::Retransmission(Again::Spurious)) => "Rs",
            Some(Mark::Duplicate) => "D",
            Some(Mark::LateOriginal) => "O",
            Some(Mark::WindowProbe) => "P",
            Some(Mark::KeepAlive) => "K",
            Some(Mark::Forged | Mark::Stale) => "!",
        }
    }

    /// An arrow's pieces in their order from the sender's end, turned for the right side.
    fn turned(&self, from: Side, mut pieces: Vec<(String, Style)>) -> Vec<(String, Style)> {
        if from == Side::Right {
            pieces.reverse();
        }
        pieces
    }

    fn shaft(&self, n: usize) -> String {
        core::iter::repeat_n(self.drawing.shaft, n).collect()
    }

    /// Label with its spaces: what the shaft goes around.
    fn label(&self, row: &SegmentRow, prefix: &str, max: usize) -> String {
        format!(" {} ", label::label(row, self.options.detail, prefix, max))
    }

    fn whole(&self, row: &SegmentRow, prefix: &str, style: Style) -> Vec<(String, Style)> {
        let d = self.drawing;
        let head = match (row.fate, row.from) {
            (Fate::Delivered, Side::Left) => String::from(d.to_right),
            (Fate::Delivered, Side::Right) => String::from(d.to_left),
            (Fate::Lost(Certainty::Certain), _) => String::from(d.lost),
            (Fate::Lost(Certainty::Inferred), _) => String::from(d.lost_inferred),
        };
        let head_width = width::of(&head);
        let label = self.label(row, prefix, self.arrow.saturating_sub(3 + head_width));
        let room = self.arrow.saturating_sub(1 + width::of(&label) + head_width);
        let lost = row.fate != Fate::Delivered;
        let shaft = if lost { room.min(4) } else { room };
        let head_style = if lost { Style::Lost } else { style };
        self.turned(
            row.from,
            Vec::from([
                (self.shaft(1), style),
                (label, style),
                (self.shaft(shaft), style),
                (head, head_style),
                (spaces(room.saturating_sub(shaft)), Style::Plain),
            ]),
        )
    }

    fn departure(&self, row: &SegmentRow, prefix: &str, style: Style, letter: char) -> Vec<(String, Style)> {
        // Shaft, label, at least one more of the shaft, space, letter, space.
        let label = self.label(row, prefix, self.arrow.saturating_sub(7));
        let room = self.arrow.saturating_sub(3 + width::of(&label));
        let tail = room.saturating_sub(1).clamp(1, 4);
        let shaft = room.saturating_sub(tail);
        self.turned(
            row.from,
            Vec::from([
                (self.shaft(1), style),
                (label, style),
                (self.shaft(shaft), style),
                (String::from(" "), Style::Plain),
                (String::from(letter), Style::Bold),
                (spaces(tail), Style::Plain),
            ]),
        )
    }

    fn arrival(&self, row: &SegmentRow, style: Style, letter: char) -> Vec<(String, Style)> {
        let head = if row.from == Side::Left { self.drawing.to_right } else { self.drawing.to_left };
        self.turned(
            row.from,
            Vec::from([
                (spaces(2), Style::Plain),
                (String::from(letter), Style::Bold),
                (String::from(" "), Style::Plain),
                (self.shaft(self.arrow.saturating_sub(5)), style),
                (String::from(head), style),
            ]),
        )
    }
}

fn spaces(n: usize) -> String {
    core::iter::repeat_n(' ', n).collect()
}

/// A role at the head of its column.
fn head_name(role: Role, lang: Lang) -> &'static str {
    match (role, lang) {
        (Role::Client, Lang::En) => "CLIENT",
        (Role::Server, Lang::En) => "SERVER",
        (Role::PeerA, Lang::En) => "PEER A",
        (Role::PeerB, Lang::En) => "PEER B",
        (role, Lang::Zh) => sentence::role(role, lang, Form::Short),
    }
}

/// The sign of a life of the ports, from the second on.
fn life_mark(life: u16, glyphs: Glyphs) -> String {
    let circled = char::from_u32(0x2460 + u32::from(life).saturating_sub(1));
    match (circled, glyphs) {
        (Some(c), Glyphs::Unicode) if life <= 20 => String::from(c),
        _ => format!("({life})"),
    }
}

fn flag_style(row: &SegmentRow) -> Style {
    match row.flags {
        f if f.has(Flags::RST) => Style::Rst,
        f if f.has(Flags::SYN) => Style::Syn,
        f if f.has(Flags::FIN) => Style::Fin,
        _ if row.len > 0 => Style::Data,
        _ => Style::Ack,
    }
}

fn mark_style(row: &SegmentRow) -> Style {
    match row.mark {
        Some(Mark::Retransmission(_)) => Style::Again,
        Some(Mark::Duplicate | Mark::LateOriginal) => Style::Network,
        Some(Mark::WindowProbe | Mark::KeepAlive) => Style::Probe,
        Some(Mark::Forged | Mark::Stale) => Style::Inverse,
        None if row.fate != Fate::Delivered => Style::Lost,
        None => Style::Plain,
    }
}

fn state_style(state: State) -> Style {
    match state {
        State::Established => Style::Bold,
        _ => Style::Plain,
    }
}
