//! The label on an arrow: flags, numbers, length; what does not fit is left out in a fixed order.

use alloc::format;
use alloc::string::String;

use synfin_wire::Flags;

use crate::model::Detail;
use crate::number;
use crate::row::SegmentRow;
use crate::width;

/// What a label may still show; each step of [`Shows::less`] drops one thing.
#[derive(Copy, Clone, Debug)]
struct Shows {
    window: bool,
    options: bool,
    seq_of_ack: bool,
    ack_of_syn: bool,
    psh: bool,
    zero_window: bool,
    ack: bool,
}

/// The flags' names in the usual order, `SYN,ACK`; `none` if there are none.
pub(crate) fn flags(flags: Flags, psh: bool) -> String {
    const NAMES: [(Flags, &str); 9] = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::URG, "URG"),
        (Flags::AE, "AE"),
        (Flags::ECE, "ECE"),
        (Flags::CWR, "CWR"),
        (Flags::ACK, "ACK"),
    ];
    let mut out = String::new();
    for (flag, name) in NAMES {
        if flags.has(flag) && (psh || flag != Flags::PSH) {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(name);
        }
    }
    if out.is_empty() { String::from("none") } else { out }
}

impl Shows {
    fn all(detail: Detail) -> Shows {
        let full = detail == Detail::Full;
        Shows {
            window: full,
            options: full,
            seq_of_ack: true,
            ack_of_syn: true,
            psh: true,
            zero_window: true,
            ack: true,
        }
    }

    /// Drops the next thing; none is left when this returns `None`.
    fn less(mut self) -> Option<Shows> {
        let next = [
            &mut self.window,
            &mut self.options,
            &mut self.seq_of_ack,
            &mut self.ack_of_syn,
            &mut self.psh,
            &mut self.zero_window,
            &mut self.ack,
        ];
        *next.into_iter().find(|shown| **shown)? = false;
        Some(self)
    }
}

fn with(row: &SegmentRow, shows: Shows, prefix: &str) -> String {
    let (syn, ack) = (row.flags.has(Flags::SYN), row.flags.has(Flags::ACK));
    let pure_ack = row.flags.without(Flags::PSH) == Flags::ACK && row.len == 0;
    let mut out = format!("{prefix}{}", flags(row.flags, shows.psh));
    if !pure_ack || shows.seq_of_ack {
        out.push_str(&format!(" seq={}", row.seq));
    }
    if ack && (pure_ack || (shows.ack && (!syn || shows.ack_of_syn))) {
        out.push_str(&format!(" ack={}", row.ack));
    }
    if row.len > 0 {
        out.push_str(&format!(" len={}", number::length(row.len)));
    }
    match row.window {
        Some(0) if shows.zero_window && !row.flags.has(Flags::RST) => out.push_str(" win=0"),
        Some(window) if shows.window => out.push_str(&format!(" win={window}")),
        _ => {}
    }
    if shows.options && !row.options.is_empty() {
        out.push_str(&format!(" <{}>", width::clean(&row.options)));
    }
    out
}

/// The label in at most `max` columns.
pub(crate) fn label(row: &SegmentRow, detail: Detail, prefix: &str, max: usize) -> String {
    let mut shows = Shows::all(detail);
    loop {
        let text = with(row, shows, prefix);
        if width::of(&text) <= max {
            return text;
        }
        match shows.less() {
            Some(fewer) => shows = fewer,
            None => return width::cut(&text, max, '~'),
        }
    }
}
