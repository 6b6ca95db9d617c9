//! What is measured, and the loop that measures it: the two stacks in turn, round by round.

use crate::attacks::{Attack, Victim};
use crate::bulk::Transfer;
use crate::clock::Stopwatch;
use crate::host::{Checksums, Side, Smoltcp, Stamps, Synfin};
use crate::lives::Lives;
use crate::micro::{Span, Work};
use crate::record::Record;
use crate::stats::{Row, Summary};
use crate::{micro, record};

/// Something that can be done again and again.
pub trait Subject {
    /// Does it about `n` times, all of it inside [`crate::counted`] and on the watch except for preparations; returns
    /// how often exactly.
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize;
}

/// One thing to measure.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Case {
    /// A segment into the connection's record alone; the peer has no such public call.
    Segment(record::Case),
    /// A packet into the stack.
    Packet(micro::Case),
    /// Octets from application to application, per full segment.
    Bulk(Checksums, Stamps),
    /// Connections from opening to closing, while so many others are idle.
    Life(usize),
    /// A hostile packet; the peer is spared.
    Attack(Attack),
}

impl Case {
    /// What it is, in words.
    pub fn name(self) -> String {
        let software = |c| if c == Checksums::Software { "" } else { ", checksum by device" };
        let stamped = |s| if s == Stamps::On { ", timestamps" } else { "" };
        match self {
            Case::Segment(c) => {
                let what = match (c.work, c.read) {
                    (Work::Data, false) => "data segment: on_segment",
                    (Work::Data, true) => "data segment: on_segment + read",
                    (Work::Ack, _) => "pure ACK: on_segment",
                };
                format!("{what}{}", stamped(c.stamps))
            }
            Case::Packet(c) => {
                let what = match (c.work, c.span) {
                    (Work::Data, Span::Arrival) => "data segment: packet in",
                    (Work::Data, Span::Read) => "data segment: packet in + read",
                    (Work::Data, Span::Turn) => "data segment: packet in + read + egress",
                    (Work::Ack, Span::Turn) => "pure ACK: packet in + egress",
                    (Work::Ack, _) => "pure ACK: packet in",
                };
                format!("{what}{}{}", software(c.checksums), stamped(c.stamps))
            }
            Case::Bulk(c, s) => format!("bulk, a full segment end to end{}{}", software(c), stamped(s)),
            Case::Life(idle) => format!("life of a connection, {idle} others idle"),
            Case::Attack(attack) => format!("attack: {}", attack.name()),
        }
    }

    /// A fresh subject, warmed up; none if the stack has nothing of the kind.
    pub fn subject(self, side: Side) -> Option<Box<dyn Subject>> {
        Some(match (self, side) {
            (Case::Segment(c), Side::Synfin) => Box::new(Record::new(c)),
            (Case::Segment(_), Side::Smoltcp) => return None,
            (Case::Packet(c), Side::Synfin) => Box::new(micro::Rig::<Synfin>::new(c)),
            (Case::Packet(c), Side::Smoltcp) => Box::new(micro::Rig::<Smoltcp>::new(c)),
            (Case::Bulk(c, s), Side::Synfin) => Box::new(Transfer::<Synfin>::new(c, s)),
            (Case::Bulk(c, s), Side::Smoltcp) => Box::new(Transfer::<Smoltcp>::new(c, s)),
            (Case::Life(idle), Side::Synfin) => Box::new(Lives::<Synfin>::new(idle)),
            (Case::Life(idle), Side::Smoltcp) => Box::new(Lives::<Smoltcp>::new(idle)),
            (Case::Attack(attack), Side::Synfin) => Box::new(Victim::new(attack)),
            (Case::Attack(_), Side::Smoltcp) => return None,
        })
    }
}

/// Nanoseconds of CPU time for each of `cases`: `rounds` rounds, in each the two stacks one after the other, about `n`
/// times each. `n` may depend on the case: what is slow is done less often.
pub fn measure(cases: &[Case], rounds: usize, n: impl Fn(Case, Side) -> usize) -> Vec<Row> {
    let mut watch = Stopwatch::new();
    let mut figures: Vec<[Vec<f64>; 2]> = vec![Default::default(); cases.len()];
    for round in 0..rounds.max(1) {
        for (case, [ours, theirs]) in cases.iter().zip(&mut figures) {
            let mut one = |side, into: &mut Vec<f64>| {
                let Some(mut subject) = case.subject(side) else { return };
                watch.take();
                let times = subject.run(n(*case, side), &mut watch);
                into.push(watch.take() as f64 / times.max(1) as f64);
            };
            // Neither always comes first.
            if round % 2 == 0 {
                one(Side::Synfin, ours);
                one(Side::Smoltcp, theirs);
            } else {
                one(Side::Smoltcp, theirs);
                one(Side::Synfin, ours);
            }
        }
    }
    cases
        .iter()
        .zip(figures)
        .map(|(case, [ours, theirs])| Row {
            name: case.name(),
            unit: "ns",
            synfin: Summary::of(&ours),
            smoltcp: (!theirs.is_empty()).then(|| Summary::of(&theirs)),
        })
        .collect()
}
