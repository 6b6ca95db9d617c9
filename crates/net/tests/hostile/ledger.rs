//! What a stack has promised with what it sent, one page for each 4-tuple; kept by the probe, in causal order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use synfin_tcp::{Event, Probe, State, Why};
use synfin_wire::{Flags, Head, Instant, Seq, Tuple};

/// One segment that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub tuple: Tuple,
    pub head: Head,
    pub len: u32,
    pub why: Why,
}

impl Sent {
    pub fn has(&self, flag: Flags) -> bool {
        self.head.all_flags().has(flag)
    }

    /// One past its last number.
    pub fn end(&self) -> Seq {
        self.head.seq + self.len + u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN))
    }
}

/// What one 4-tuple has shown.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// ISS of the last SYN.
    pub iss: Option<Seq>,
    /// Highest number sent since, plus one.
    pub end: Seq,
    /// Last acknowledgement number.
    pub ack: Option<Seq>,
    /// Right edge of the window that was offered last, if the scale is known.
    pub edge: Option<Seq>,
    /// Our window scale shift, if it is known whether it counts.
    pub shift: Option<u8>,
    /// The peer's ISS, as a well-behaved peer remembers it.
    pub peer_iss: u32,
    /// TSval sent last, if the last segment had one.
    pub ts: Option<u32>,
    /// The handshake is over.
    pub open: bool,
    /// What an obedient peer has acknowledged.
    pub acked: Seq,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub pages: BTreeMap<Tuple, Page>,
    /// Since it was last emptied.
    pub sent: Vec<Sent>,
    /// The first promise that was broken.
    pub broken: Option<String>,
    pub trace: bool,
}

/// The probe's end of it.
pub struct Scribe(pub Arc<Mutex<Ledger>>);

impl Probe for Scribe {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        let mut ledger = self.0.lock().expect("ledger");
        if ledger.trace {
            println!("  {now:?} {who} {event:?}");
        }
        match event {
            Event::State { from, to: State::SynSent | State::SynReceived, .. }
                if !matches!(from, State::SynSent) =>
            {
                let page = ledger.pages.entry(*who).or_default();
                // A new incarnation: what was offered before binds no more.
                (page.edge, page.shift, page.open) = (None, None, false);
            }
            Event::State { to, .. } => {
                let page = ledger.pages.entry(*who).or_default();
                page.open = !matches!(to, State::Closed | State::SynSent | State::SynReceived);
                if *to == State::Closed {
                    // A cookie may follow, and it begins with no event.
                    page.edge = None;
                }
            }
            Event::Sent { head, len, why, .. } => {
                let sent = Sent { tuple: *who, head: **head, len: *len, why: *why };
                ledger.note(&sent);
                ledger.sent.push(sent);
            }
            _ => {}
        }
    }
}

impl Ledger {
    fn note(&mut self, s: &Sent) {
        let page = self.pages.entry(s.tuple).or_default();
        if s.has(Flags::RST) {
            return;
        }
        if s.has(Flags::SYN) && page.open {
            // An answer from before, perhaps a cookie of another SYN, that had to wait.
            return;
        }
        page.ts = s.head.opts.ts.map(|t| t.val);
        if s.has(Flags::SYN) {
            if page.iss != Some(s.head.seq) || page.ack != s.head.ack {
                *page = Page { peer_iss: page.peer_iss, ts: page.ts, ..Page::default() };
                page.iss = Some(s.head.seq);
                page.end = s.end();
                page.acked = s.end();
            }
            if let Some(ack) = s.head.ack {
                page.ack = Some(ack);
                page.shift = Some(s.head.opts.wscale.unwrap_or(0));
                // A SYN's window is never scaled: it cannot repeat what was offered with a scale meanwhile.
                if s.head.wnd < u16::MAX {
                    page.offer(ack + u32::from(s.head.wnd), 1, s, &mut self.broken);
                }
            }
            return;
        }
        page.end = page.end.later(s.end());
        let Some(ack) = s.head.ack else { return };
        page.ack = Some(ack);
        if let Some(shift) = page.shift {
            page.offer(ack + (u32::from(s.head.wnd) << shift), 1 << shift, s, &mut self.broken);
        }
    }
}

impl Page {
    /// RFC 9293 SHLD-14: the right edge stays or moves right, up to the unit of the scale (RFC 7323 2.4).
    fn offer(&mut self, edge: Seq, unit: u32, s: &Sent, broken: &mut Option<String>) {
        if let Some(before) = self.edge
            && edge.dist(before) <= -(unit as i32)
        {
            broken.get_or_insert(format!(
                "the right edge moved left, from {before} to {edge} (unit {unit}): {s:?}"
            ));
        }
        self.edge = Some(self.edge.map_or(edge, |e| e.later(edge)));
    }
}
