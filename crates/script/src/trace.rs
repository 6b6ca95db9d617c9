//! What the stack said while a script ran: why it sent, dropped and closed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use synfin_tcp::{Event, Probe, State, Why};
use synfin_wire::{Flags, Instant, Tuple};

/// So much is remembered for the reasons of a failure.
const REMEMBERED: usize = 12;

#[derive(Debug, Default)]
struct Inner {
    /// Reasons of segments that were sent and not yet fetched.
    whys: VecDeque<Why>,
    /// The last things said, with their time.
    said: VecDeque<(Instant, String)>,
    /// The state from which a connection was closed last.
    closed_from: BTreeMap<Tuple, State>,
    /// The errno of the last ICMP error that was injected.
    icmp_errno: Option<&'static str>,
    mtu: u16,
    /// What went to and fro, by connection.
    traffic: BTreeMap<Tuple, Traffic>,
}

/// What went to and fro on a connection.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Traffic {
    pub segs_in: u32,
    pub data_segs_in: u32,
    pub segs_out: u32,
    pub data_segs_out: u32,
    pub bytes_sent: u64,
    pub bytes_retrans: u64,
    pub last_text_in: Option<Instant>,
    pub last_text_out: Option<Instant>,
    pub last_ack_in: Option<Instant>,
}

/// Ears on a stack, and what they heard. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

impl Trace {
    pub fn new(mtu: u16) -> Trace {
        let trace = Trace::default();
        trace.with(|t| t.mtu = mtu);
        trace
    }

    /// Nobody panics while holding the lock; if somebody did, what was heard is still worth reading.
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub fn mtu(&self) -> u16 {
        self.with(|t| t.mtu)
    }

    /// What went to and fro on a connection.
    pub fn traffic(&self, tuple: &Tuple) -> Traffic {
        self.with(|t| t.traffic.get(tuple).copied().unwrap_or_default())
    }

    /// Counts as Linux does: by segments of a super-segment, and without the SYN,ACK of a passive open.
    fn count(&self, now: Instant, who: &Tuple, event: &Event<'_>) {
        self.with(|t| match event {
            Event::Received(seg) => {
                if seg.ctl.syn() && seg.ack.is_none() {
                    t.traffic.remove(who);
                }
                let traffic = t.traffic.entry(*who).or_default();
                let many = seg.gro.map_or(1, |g| (seg.payload.len() as u32).div_ceil(u32::from(g.get())));
                traffic.segs_in += many;
                if !seg.payload.is_empty() {
                    traffic.data_segs_in += many;
                    traffic.last_text_in = Some(now);
                }
                if seg.ack.is_some() {
                    traffic.last_ack_in = Some(now);
                }
            }
            Event::Sent { head, len, gso, why } => {
                let syn = head.flags.has(Flags::SYN);
                if syn && head.ack.is_some() {
                    return;
                }
                if syn && *why == Why::Open {
                    t.traffic.remove(who);
                }
                let traffic = t.traffic.entry(*who).or_default();
                let many = if *gso > 0 { len.div_ceil(u32::from(*gso)) } else { 1 };
                traffic.segs_out += many;
                if *len > 0 {
                    traffic.data_segs_out += many;
                    traffic.bytes_sent += u64::from(*len);
                    traffic.last_text_out = Some(now);
                    if !matches!(why, Why::New) {
                        traffic.bytes_retrans += u64::from(*len);
                    }
                }
            }
            _ => {}
        });
    }

    pub fn take_whys(&self) -> VecDeque<Why> {
        self.with(|t| std::mem::take(&mut t.whys))
    }

    pub fn closed_from(&self, tuple: &Tuple) -> Option<State> {
        self.with(|t| t.closed_from.get(tuple).copied())
    }

    pub fn icmp_errno(&self) -> Option<&'static str> {
        self.with(|t| t.icmp_errno)
    }

    pub fn set_icmp_errno(&self, errno: Option<&'static str>) {
        self.with(|t| t.icmp_errno = errno);
    }

    /// The last things said.
    pub fn said(&self) -> Vec<(Instant, String)> {
        self.with(|t| t.said.iter().cloned().collect())
    }
}

impl Probe for Trace {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        self.count(now, who, event);
        let words = match event {
            Event::Received(_) => None,
            Event::Dropped(why) => Some(format!("dropped: {why}")),
            Event::State { from, to, by } => {
                if *to == State::Closed {
                    self.with(|t| t.closed_from.insert(*who, *from));
                }
                Some(format!("{from:?} -> {to:?} by {by:?}"))
            }
            Event::Sent { head, len, why, .. } => {
                self.with(|t| t.whys.push_back(*why));
                Some(format!("sent {} with {len} octets: {why:?}", head.all_flags()))
            }
            Event::Timer(kind) => Some(format!("timer: {kind:?}")),
            Event::SoftError(error) => Some(format!("soft error: {error:?}")),
            Event::Closed(reason) => Some(format!("closed: {reason}")),
            _ => None,
        };
        if let Some(words) = words {
            self.with(|t| {
                if t.said.len() >= REMEMBERED {
                    t.said.pop_front();
                }
                t.said.push_back((now, words));
            });
        }
    }
}
