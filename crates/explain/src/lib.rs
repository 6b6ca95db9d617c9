//! Events to words and ladders: what happened between two ends of a TCP connection, drawn so that a person sees it.
//!
//! [`Ladder`] takes segments and states in time order and writes rows: both ends' states, every segment with its
//! numbers, what was lost and what was sent again, silences with the timer that ended them, and a sentence on
//! each, in English or Chinese. It works out by itself what a segment means from its place in the life.
//!
//! ```
//! use synfin_explain::{End, Event, Ladder, Options, Role, Segment, Side, State};
//! use synfin_wire::{Flags, Instant, Seq};
//!
//! let client = End::new(Role::Client, "10.9.0.1:46070").state(State::Closed);
//! let server = End::new(Role::Server, "10.9.0.2:8080").state(State::Listen);
//! let mut ladder = Ladder::new(client, server, Options::default());
//! let mut syn = Segment::new(Side::Left, Flags::SYN, Seq::new(7000), Seq::new(0));
//! syn.departed = Some(Instant::from_millis(0));
//! syn.arrived = Some(Instant::from_millis(10));
//! ladder.push(Event::Segment(syn));
//! let mut lines = String::new();
//! ladder.finish(&mut lines);
//! assert!(lines.contains("├─ SYN seq=0 ───────────────────────▶│"));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod fold;
mod json;
mod label;
mod ladder;
mod life;
mod model;
mod number;
mod row;
mod sentence;
mod text;
mod width;
mod words;

pub use ladder::Ladder;
pub use model::{
    Again, Certainty, Clock, Color, Detail, End, Event, Fate, Fold, Format, Glyphs, Known, Lang, Mark,
    Numbers, Options, Pair, Role, Segment, Side, State, Timer, Words,
};
pub use row::{Cell, Part, Row, SegmentRow};
pub use sentence::Sentence;
pub use words::{Form, Word};
