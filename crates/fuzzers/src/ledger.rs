//! What a stack has promised with what it sent, one page for each 4-tuple; kept by the probe, in causal order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use synfin_tcp::{Event, Probe, State, Why};
use synfin_wire::{Flags, Head, Instant, Seq, Tuple};

/// One segment that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The connection.
    pub tuple: Tuple,
    /// The header.
    pub head: Head,
    /// Octets of text.
    pub len: u32,
    /// Why.
    pub why: Why,
}

impl Sent {
    /// Whether a flag is set.
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
    /// Right edge of the window that was offered last, if its scale is known.
    pub edge: Option<Seq>,
    /// Our window scale shift, where it is known whether it counts.
    pub shift: Option<u8>,
    /// The peer's ISS, as a well-behaved peer remembers it.
    pub peer_iss: u32,
    /// TSval of the last segment, if it had one.
    pub ts: Option<u32>,
    /// A connection is open.
    pub open: bool,
}

/// All pages, and what was sent lately.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By connection.
    pub pages: BTreeMap<Tuple, Page>,
    /// Since it was last emptied.
    pub sent: Vec<Sent>,
    /// The first promise that was broken.
    pub broken: Option<String>,
}

/// The ledger as probe and stack's owner share it. With `SYNFIN_TRACE` in the environment it prints what it hears.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Ledger>>);

/// Whether everything that happens is to be printed.
fn traced() -> bool {
    static TRACED: OnceLock<bool> = OnceLock::new();
    *TRACED.get_or_init(|| std::env::var_os("SYNFIN_TRACE").is_some())
}

impl Shared {
    /// A look inside.
    pub fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().expect("nobody panics with the ledger open")
    }
}

impl Probe for Shared {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        if traced() {
            match event {
                Event::Received(seg) => println!("{now:?} {who} < {seg}"),
                Event::Sent { head, len, why, .. } => println!("{now:?} {who} > {why:?} len={len} {head:?}"),
                other => println!("{now:?} {who}   {other:?}"),
            }
        }
        let mut ledger = self.lock();
        match event {
            Event::State { from, to, .. } => {
                let page = ledger.pages.entry(*who).or_default();
                let opens = matches!(to, State::SynSent | State::SynReceived);
                page.open = !opens && *to != State::Closed;
                // A SYN that turned out to be old brings the incarnation before it back (RFC 9293 MAY-2 (2)).
                let again = (*from, *to) == (State::Closed, State::TimeWait);
                if opens && *from != State::SynSent || again {
                    // Another incarnation: what was offered before binds no more.
                    (page.edge, page.shift) = (None, None);
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
        if s.has(Flags::RST) {
            return;
        }
        let page = self.pages.entry(s.tuple).or_default();
        if s.has(Flags::SYN) && page.open {
            // A stateless answer from before, with another cookie than the one that opened the connection.
            return;
        }
        page.ts = s.head.opts.ts.map(|t| t.val);
        if s.has(Flags::SYN) && page.iss != Some(s.head.seq) {
            *page = Page { peer_iss: page.peer_iss, ts: page.ts, iss: Some(s.head.seq), ..Page::default() };
            page.end = s.end();
        }
        page.end = page.end.later(s.end());
        let Some(ack) = s.head.ack else { return };
        page.ack = Some(ack);
        // A SYN's window is never scaled (RFC 7323 2.2), and says what scale later windows have. It begins an account: what
        // was offered before may have been an earlier half-open record's, whose answer waited until now.
        if s.has(Flags::SYN) {
            page.shift = Some(s.head.opts.wscale.unwrap_or(0));
            page.edge = Some(ack + u32::from(s.head.wnd));
        } else if let Some(shift) = page.shift {
            page.offer(ack + (u32::from(s.head.wnd) << shift), 1 << shift, s, &mut self.broken);
        }
    }
}

impl Page {
    /// RFC 9293 SHLD-14: the right edge stays or moves right, up to the unit of the scale (RFC 7323 2.4).
    fn offer(&mut self, edge: Seq, unit: u32, s: &Sent, broken: &mut Option<String>) {
        if let Some(before) = self.edge.filter(|before| edge.dist(*before) <= -(unit as i32)) {
            broken
                .get_or_insert(format!("the right edge moved left from {before} to {edge} ({unit}): {s:?}"));
        }
        self.edge = Some(self.edge.map_or(edge, |e| e.later(edge)));
    }
}
