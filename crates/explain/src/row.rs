//! The rows of a ladder, independent of how they are drawn.

use alloc::boxed::Box;
use alloc::string::String;

use synfin_wire::{Flags, Instant};

use crate::model::{Certainty, End, Fate, Known, Mark, Side};
use crate::sentence::Sentence;

/// What one column shows in a row.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// When the row's event happened at this end; none where it did not, or nobody saw.
    pub at: Option<Instant>,
    /// The state reached, where it is another than before.
    pub state: Option<Known>,
    /// Whether a state of this end was ever known: `·` stands for "as before".
    pub followed: bool,
}

/// Which part of a segment's way a row shows.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// From end to end.
    Whole,
    /// Only the departure, because another segment crosses; the letter links it with the arrival.
    Departure(char),
    /// Only the arrival.
    Arrival(char),
}

/// A segment's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRow {
    /// Which segment, increasing in order of departure; both parts of a crossing segment have the same.
    pub id: u64,
    /// Which life of the ports, from 1.
    pub life: u16,
    /// The end that it comes from.
    pub from: Side,
    /// Whole or part.
    pub part: Part,
    /// The left column.
    pub left: Cell,
    /// The right column.
    pub right: Cell,
    /// The flags.
    pub flags: Flags,
    /// SEG.SEQ as shown.
    pub seq: u32,
    /// SEG.ACK as shown.
    pub ack: u32,
    /// Octets of text.
    pub len: u32,
    /// The window in octets.
    pub window: Option<u32>,
    /// The options in short.
    pub options: String,
    /// What became of it.
    pub fate: Fate,
    /// What is special about it.
    pub mark: Option<Mark>,
    /// What it means.
    pub sentence: Sentence,
}

/// One row of the ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// The two ends and their first states.
    Head {
        /// The left end.
        left: End,
        /// The right end.
        right: End,
    },
    /// A segment, or a part of its way.
    Segment(Box<SegmentRow>),
    /// A state that no segment brought about.
    State {
        /// The end that it belongs to.
        side: Side,
        /// The left column.
        left: Cell,
        /// The right column.
        right: Cell,
        /// What it means.
        sentence: Option<Sentence>,
    },
    /// A gap in time.
    Silence {
        /// Its length in nanoseconds.
        span: u64,
        /// The timer or program that ended it.
        why: Option<Sentence>,
    },
    /// Bulk data, folded.
    Fold {
        /// Segments with text.
        segments: u64,
        /// Acknowledgements without text.
        acks: u64,
        /// Octets of text.
        octets: u64,
        /// Whether every one was seen at both ends: only then is "no loss" certain.
        certainty: Certainty,
    },
    /// The caller's own sentence.
    Note {
        /// The sentence.
        text: String,
    },
}
