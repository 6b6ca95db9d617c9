//! Folds long runs of undisturbed bulk data into one row.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use synfin_wire::Flags;

use crate::model::{Certainty, Fate};
use crate::row::{Cell, Part, Row, SegmentRow};
use crate::words::Word;

/// Rows of a run that are shown before folding begins.
const SHOWN: usize = 4;
/// Fewer rows than this are not worth a fold.
const WORTH: usize = 4;

/// Collects a run; rows come out in order.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Rows of the present run that went out already.
    shown: usize,
    /// Rows that wait, as long as they may be too few to fold.
    held: Vec<Row>,
    /// Rows in the present run behind the shown ones.
    rows: usize,
    segments: u64,
    acks: u64,
    octets: u64,
    /// Segments that were not seen at both ends.
    half_seen: u64,
    /// Segments whose departure is in the run and whose arrival has still to come.
    swallowed: BTreeSet<u64>,
}

fn unchanged(cell: &Cell) -> bool {
    cell.state.is_none()
}

/// Whether a row is undisturbed bulk data or its acknowledgement.
fn bulk(row: &SegmentRow) -> bool {
    let plain = row.flags.without(Flags::PSH) == Flags::ACK
        && row.fate == Fate::Delivered
        && row.mark.is_none()
        && row.window != Some(0)
        && unchanged(&row.left)
        && unchanged(&row.right);
    plain
        && matches!(
            row.sentence.word,
            Word::Data | Word::DataText | Word::DataHalf | Word::Ack | Word::WindowUpdate
        )
}

impl Folder {
    pub(crate) fn push(&mut self, row: Row, out: &mut VecDeque<Row>) {
        let Row::Segment(seg) = &row else {
            self.end(out);
            out.push_back(row);
            return;
        };
        let arrival = matches!(seg.part, Part::Arrival(_));
        if !bulk(seg) {
            // An arrival whose departure is folded has no letter to answer to, unless it changes a state.
            if !(arrival && self.swallowed.remove(&seg.id) && unchanged(&seg.left) && unchanged(&seg.right)) {
                self.end(out);
                out.push_back(row);
            }
            return;
        }
        if arrival && self.swallowed.remove(&seg.id) && self.rows == 0 {
            return;
        }
        if self.shown < SHOWN {
            self.shown += 1;
            out.push_back(row);
            return;
        }
        self.rows += 1;
        if seg.part == Part::Whole {
            self.half_seen += u64::from(seg.left.at.is_none() || seg.right.at.is_none());
        }
        if !arrival {
            self.segments += u64::from(seg.len > 0);
            self.acks += u64::from(seg.len == 0);
            self.octets += u64::from(seg.len);
        }
        match seg.part {
            Part::Departure(_) => {
                self.swallowed.insert(seg.id);
            }
            Part::Arrival(_) | Part::Whole => {}
        }
        if self.rows < WORTH {
            self.held.push(row);
        } else {
            self.held.clear();
        }
    }

    /// The run is over: what waits goes out, as it is or folded.
    pub(crate) fn end(&mut self, out: &mut VecDeque<Row>) {
        if self.rows >= WORTH && self.segments + self.acks > 0 {
            let certainty = if self.half_seen == 0 { Certainty::Certain } else { Certainty::Inferred };
            out.push_back(Row::Fold {
                segments: self.segments,
                acks: self.acks,
                octets: self.octets,
                certainty,
            });
        } else {
            for row in &self.held {
                if let Row::Segment(seg) = row {
                    self.swallowed.remove(&seg.id);
                }
            }
            out.extend(self.held.drain(..));
        }
        let swallowed = core::mem::take(&mut self.swallowed);
        *self = Folder { swallowed, ..Folder::default() };
    }
}
