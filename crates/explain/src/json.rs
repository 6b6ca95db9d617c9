//! Rows as JSON: one object a line, keys sorted, times in integer nanoseconds, schema `synfin.ladder/1`.

use alloc::format;
use alloc::string::{String, ToString};

use crate::label;
use crate::model::{Again, Certainty, End, Fate, Known, Lang, Mark, Role, Side};
use crate::row::{Cell, Part, Row, SegmentRow};
use crate::sentence::Sentence;
use crate::words::Form;

const SCHEMA: &str = "synfin.ladder/1";

/// An object under construction. Keys are added in sorted order.
struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        string(key, self.out);
        self.out.push(':');
        self.out
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        self.key(key).push_str(value);
        self
    }

    fn number(self, key: &str, value: impl Into<u64>) -> Self {
        self.raw(key, &value.into().to_string())
    }

    fn maybe_number(self, key: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(key, value),
            None => self.raw(key, "null"),
        }
    }

    fn string(mut self, key: &str, value: &str) -> Self {
        string(value, self.key(key));
        self
    }

    fn maybe_string(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(key, value),
            None => self.raw(key, "null"),
        }
    }

    fn with(mut self, key: &str, value: impl FnOnce(&mut String)) -> Self {
        value(self.key(key));
        self
    }

    fn end(self) {
        self.out.push('}');
    }
}

/// A JSON string (RFC 8259 section 7).
fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
        Role::PeerA => "a",
        Role::PeerB => "b",
    }
}

fn certainty_name(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => "certain",
        Certainty::Inferred => "inferred",
    }
}

fn certainty(known: Option<Known>) -> Option<&'static str> {
    known.map(|known| certainty_name(known.certainty))
}

fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Retransmission(Again::Unknown) => "retransmission",
        Mark::Retransmission(Again::Timer) => "retransmission.timer",
        Mark::Retransmission(Again::Fast) => "retransmission.fast",
        Mark::Retransmission(Again::Probe) => "retransmission.probe",
        Mark::Retransmission(Again::Spurious) => "retransmission.spurious",
        Mark::Duplicate => "duplicate",
        Mark::LateOriginal => "late_original",
        Mark::WindowProbe => "window_probe",
        Mark::KeepAlive => "keepalive",
        Mark::Forged => "forged",
        Mark::Stale => "stale",
    }
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Lost(Certainty::Certain) => "lost",
        Fate::Lost(Certainty::Inferred) => "lost.inferred",
    }
}

fn cell(cell: &Cell) -> impl FnOnce(&mut String) {
    let cell = *cell;
    move |out| {
        Object::begin(out)
            .maybe_string("certainty", certainty(cell.state))
            .maybe_number("ns", cell.at.map(|at| at.nanos()))
            .maybe_string("state", cell.state.map(|known| known.state.name()))
            .end();
    }
}

fn end(end: &End) -> impl FnOnce(&mut String) {
    move |out| {
        Object::begin(out)
            .string("address", &end.address)
            .maybe_string("certainty", certainty(end.state))
            .string("role", role(end.role))
            .string("stack", &end.stack)
            .maybe_string("state", end.state.map(|known| known.state.name()))
            .end();
    }
}

fn words(sentence: Option<&Sentence>) -> impl FnOnce(&mut String) {
    move |out| match sentence {
        None => out.push_str("null"),
        Some(sentence) => Object::begin(out)
            .string("en", &sentence.say(Lang::En, Form::Full))
            .string("key", sentence.word.key())
            .string("zh", &sentence.say(Lang::Zh, Form::Full))
            .end(),
    }
}

fn segment(row: &SegmentRow, out: &mut String) {
    let (part, letter) = match row.part {
        Part::Whole => ("whole", None),
        Part::Departure(letter) => ("departure", Some(letter.to_string())),
        Part::Arrival(letter) => ("arrival", Some(letter.to_string())),
    };
    Object::begin(out)
        .number("ack", row.ack)
        .string("fate", fate(row.fate))
        .string("flags", &label::flags(row.flags, true))
        .string("from", side(row.from))
        .number("id", row.id)
        .with("left", cell(&row.left))
        .number("len", row.len)
        .maybe_string("letter", letter.as_deref())
        .number("life", row.life)
        .maybe_string("mark", row.mark.map(mark))
        .string("options", &row.options)
        .string("part", part)
        .with("right", cell(&row.right))
        .string("schema", SCHEMA)
        .number("seq", row.seq)
        .string("type", "segment")
        .maybe_number("window", row.window.map(u64::from))
        .with("words", words(Some(&row.sentence)))
        .end();
}

/// Writes a row as one line.
pub(crate) fn row(row: &Row, out: &mut String) {
    match row {
        Row::Head { left, right } => Object::begin(out)
            .with("left", end(left))
            .with("right", end(right))
            .string("schema", SCHEMA)
            .string("type", "head")
            .end(),
        Row::Segment(row) => segment(row, out),
        Row::State { side: at, left, right, sentence } => Object::begin(out)
            .with("left", cell(left))
            .with("right", cell(right))
            .string("schema", SCHEMA)
            .string("side", side(*at))
            .string("type", "state")
            .with("words", words(sentence.as_ref()))
            .end(),
        Row::Silence { span, why } => Object::begin(out)
            .number("ns", *span)
            .string("schema", SCHEMA)
            .string("type", "silence")
            .with("words", words(why.as_ref()))
            .end(),
        Row::Fold { segments, acks, octets, certainty: how } => Object::begin(out)
            .number("acks", *acks)
            .string("certainty", certainty_name(*how))
            .number("octets", *octets)
            .string("schema", SCHEMA)
            .number("segments", *segments)
            .string("type", "fold")
            .end(),
        Row::Note { text } => {
            Object::begin(out).string("schema", SCHEMA).string("text", text).string("type", "note").end();
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests;
