//! Congestion control: the window, and the rules that move it.
//!
//! The connection finds losses and ends of recovery, and spends the window during recovery (RFC 9937); a rule decides how
//! the window grows, by how much it shrinks, and whether segments are spread over time. A rule that builds a model of the
//! path ([`Owner::Rule`]) also decides what recovery and idleness do to the window.
//!
//! Order of calls on an ACK: [`Control::on_lost`] for what it shows to be lost, [`Control::on_congestion`] if that begins a
//! recovery, [`Control::on_recovered`] or [`Control::on_undo`] if it ends one, [`Control::on_ack`] outside of fast recovery,
//! [`Control::on_sample`] always.

use alloc::boxed::Box;
use core::fmt::Debug;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use synfin_wire::{Instant, Seq};

pub mod bbr;
pub mod cubic;
pub mod hystart;
pub mod reno;

use bbr::Bbr;
use cubic::Cubic;
use reno::Reno;

/// Whether the sender had more to send than the congestion window let through.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Limit {
    /// The window was full: growing it makes sense.
    Cwnd,
    /// The application or the peer's window was the limit: cwnd proves nothing and stays.
    Other,
}

/// Why the window has to shrink.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// A segment was lost.
    Loss,
    /// The network marked a segment (RFC 3168).
    Mark,
}

/// Who decides what recovery and idleness do to cwnd.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The connection: RFC 9937 during recovery, RFC 5681 4.1 after idling.
    Connection,
    /// The rule: the connection leaves cwnd alone, but for one segment after a timeout.
    Rule,
}

/// The window. All sizes in octets.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct Window {
    /// cwnd (RFC 5681 2).
    pub cwnd: u32,
    /// ssthresh (RFC 5681 2); `u32::MAX` until the first congestion.
    pub ssthresh: u32,
}

impl Window {
    /// Whether the window doubles per round trip.
    #[inline]
    pub fn slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }
}

/// What an acknowledgement says.
#[derive(Copy, Clone, Debug)]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Octets newly acknowledged.
    pub acked: u32,
    /// Most octets that one acknowledgement may count for in slow start (RFC 3465 L).
    pub most: u32,
    /// Sender maximum segment size.
    pub mss: u32,
    /// What limited the sender when these octets were sent.
    pub limit: Limit,
    /// Round-trip sample of this acknowledgement, if it gave one.
    pub rtt: Option<Duration>,
    /// SRTT; zero before the first sample.
    pub srtt: Duration,
    /// Least round-trip time lately; zero before the first sample.
    pub min_rtt: Duration,
    /// SND.UNA, after this acknowledgement.
    pub una: Seq,
    /// SND.NXT
    pub nxt: Seq,
    /// Octets in flight after this acknowledgement.
    pub flight: u32,
    /// Delivery rate, if it could be sampled.
    pub rate: Option<Rate>,
}

/// A sample of the delivery rate (draft-ietf-ccwg-bbr 4.1), from every ACK that delivered something.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Octets delivered over `interval`.
    pub delivered: u32,
    /// The longer of the times it took to send and to acknowledge them; zero: shorter than any round trip was, no rate.
    pub interval: Duration,
    /// Octets that this acknowledgement delivered, cumulatively or selectively.
    pub newly_delivered: u32,
    /// Octets in the network after it: sent, neither delivered nor lost (RFC 6675 pipe).
    pub inflight: u32,
    /// Whether SACK was agreed: without it one loss per round trip can be seen.
    pub sack: bool,
    /// The application, not the network, was the limit when they were sent.
    pub app_limited: bool,
    /// Octets delivered on this connection when the newest of them was sent, and now.
    pub prior_delivered: u64,
    /// Octets delivered on this connection up to now.
    pub total_delivered: u64,
    /// Octets in flight when the newest of them was sent.
    pub tx_in_flight: u32,
    /// Octets lost between the sending of the newest and now.
    pub lost: u32,
    /// Octets that this acknowledgement found lost.
    pub newly_lost: u32,
}

/// A segment that was just found lost.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Now.
    pub now: Instant,
    /// Its first number.
    pub seq: Seq,
    /// Its octets.
    pub len: u32,
    /// Sender maximum segment size.
    pub mss: u32,
    /// Octets in flight just after it was sent, itself included.
    pub tx_in_flight: u32,
    /// Octets found lost since it was sent, itself included.
    pub lost: u32,
    /// The application, not the network, was the limit when it was sent.
    pub app_limited: bool,
    /// Octets delivered on this connection up to now.
    pub total_delivered: u64,
}

/// Text is about to be sent while nothing is in flight.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// Now.
    pub now: Instant,
    /// Sender maximum segment size.
    pub mss: u32,
    /// SRTT; zero before the first sample.
    pub srtt: Duration,
    /// SND.NXT
    pub nxt: Seq,
    /// The application was the limit before.
    pub app_limited: bool,
}

/// A rule for the window.
pub trait Algorithm: Debug + Send {
    /// Name, as `TCP_CONGESTION` gives it.
    fn name(&self) -> &'static str;

    /// New octets were acknowledged, outside of fast recovery.
    fn on_ack(&mut self, w: &mut Window, ack: &Ack);

    /// New octets were delivered, cumulatively or selectively, in recovery or not; `ack.rate` is there. After all other
    /// calls for the same ACK.
    fn on_sample(&mut self, _w: &mut Window, _ack: &Ack) {}

    /// A segment was found lost; before the congestion or timeout that follows from it.
    fn on_lost(&mut self, _w: &mut Window, _lost: &Lost) {}

    /// Recovery from losses or from a timeout is over.
    fn on_recovered(&mut self, _w: &mut Window) {}

    /// Text is about to be sent while nothing is in flight, for the first time or after a pause.
    fn on_start(&mut self, _w: &mut Window, _start: &Start) {}

    /// Who decides what recovery and idleness do to cwnd.
    fn owner(&self) -> Owner {
        Owner::Connection
    }

    /// Congestion for the first time in this window, with `flight` octets outstanding: sets ssthresh. The connection
    /// brings cwnd there over the next round trip (RFC 9937), or at once where that cannot be.
    fn on_congestion(&mut self, w: &mut Window, what: Congestion, flight: u32, mss: u32, now: Instant);

    /// The retransmission timer ran out, for the first time for these octets: sets ssthresh. cwnd becomes one segment.
    fn on_timeout(&mut self, w: &mut Window, flight: u32, mss: u32, now: Instant) {
        self.on_congestion(w, Congestion::Loss, flight, mss, now);
    }

    /// Nothing was sent for `idle`, longer than the RTO. cwnd was brought down to the initial window (RFC 5681 4.1).
    fn on_idle(&mut self, _idle: Duration) {}

    /// The last congestion was none (RFC 4015, 3708, 5682): `before` is the window from before it.
    fn on_undo(&mut self, w: &mut Window, before: Window) {
        w.cwnd = w.cwnd.max(before.cwnd);
        w.ssthresh = before.ssthresh;
    }

    /// Octets per second at which segments should leave; `None`: as fast as the window allows.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// A copy (`Clone` cannot be asked of a trait object).
    fn copy(&self) -> Box<dyn Algorithm>;
}

/// Which rule a connection follows.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// NewReno (RFC 5681, 6582).
    Reno,
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
    #[default]
    Cubic,
    /// BBR version 3 (draft-ietf-ccwg-bbr). Wants pacing.
    Bbr,
}

impl Choice {
    /// All there are.
    pub const ALL: [Choice; 3] = [Choice::Reno, Choice::Cubic, Choice::Bbr];

    /// Name, as `TCP_CONGESTION` gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Choice::Reno => "reno",
            Choice::Cubic => "cubic",
            Choice::Bbr => "bbr",
        }
    }

    /// The rule of this name.
    pub fn by_name(name: &str) -> Option<Choice> {
        Choice::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// A rule in use. What is kept in place is small: most connections never fill their window.
#[derive(Debug)]
enum Rule {
    Reno(Reno),
    Cubic(Cubic),
    Bbr(Bbr),
    // Twice boxed: one word here, and connections with a rule of their own are few.
    Own(Box<Box<dyn Algorithm>>),
}

impl Clone for Rule {
    fn clone(&self) -> Rule {
        match self {
            Rule::Reno(r) => Rule::Reno(r.clone()),
            Rule::Cubic(r) => Rule::Cubic(r.clone()),
            Rule::Bbr(r) => Rule::Bbr(r.clone()),
            Rule::Own(a) => Rule::Own(Box::new(a.copy())),
        }
    }
}

/// The window of one connection and the rule that moves it.
#[derive(Clone, Debug)]
pub struct Control {
    /// The window.
    pub window: Window,
    rule: Rule,
}

/// The initial window (RFC 6928 2).
pub fn initial_window(mss: u32) -> u32 {
    (10 * mss).min((2 * mss).max(14_600))
}

/// What a millisecond of this rate is, within 64 kB and two segments (draft-ietf-ccwg-bbr 5.6.3).
pub fn send_quantum(rate: u64, mss: u32) -> u32 {
    let most = u32::try_from(rate / 1000).unwrap_or(u32::MAX).min(65_536);
    most.max(2 * mss)
}

impl Control {
    /// A connection with this segment size begins.
    pub fn new(choice: Choice, mss: u32) -> Control {
        let rule = match choice {
            Choice::Reno => Rule::Reno(Reno::default()),
            Choice::Cubic => Rule::Cubic(Cubic::default()),
            Choice::Bbr => Rule::Bbr(Bbr::default()),
        };
        Control { window: Window { cwnd: initial_window(mss), ssthresh: u32::MAX }, rule }
    }

    /// The segment size is known: the window takes its first size (RFC 6928 2). The rule stays.
    pub fn begin(&mut self, mss: u32) {
        self.window = Window { cwnd: initial_window(mss), ssthresh: u32::MAX };
    }

    /// Follows another rule from here on; the window stays.
    pub fn follow(&mut self, choice: Choice) {
        self.rule = Control::new(choice, 1).rule;
    }

    /// Follows a rule from outside from here on; the window stays.
    pub fn follow_own(&mut self, rule: Box<dyn Algorithm>) {
        self.rule = Rule::Own(Box::new(rule));
    }

    /// cwnd in octets.
    #[inline]
    pub fn cwnd(&self) -> u32 {
        self.window.cwnd
    }

    /// ssthresh in octets.
    #[inline]
    pub fn ssthresh(&self) -> u32 {
        self.window.ssthresh
    }

    fn parts(&mut self) -> (&mut Window, &mut dyn Algorithm) {
        let rule: &mut dyn Algorithm = match &mut self.rule {
            Rule::Reno(r) => r,
            Rule::Cubic(r) => r,
            Rule::Bbr(r) => r,
            Rule::Own(a) => a.as_mut().as_mut(),
        };
        (&mut self.window, rule)
    }

    /// The rule in use.
    pub fn rule(&self) -> &dyn Algorithm {
        match &self.rule {
            Rule::Reno(r) => r,
            Rule::Cubic(r) => r,
            Rule::Bbr(r) => r,
            Rule::Own(a) => a.as_ref().as_ref(),
        }
    }

    /// More than one SYN or SYN,ACK was lost: start with one segment (RFC 6928 2, RFC 5681 3.1).
    pub fn start_careful(&mut self, mss: u32) {
        self.window.cwnd = mss;
    }

    /// See [`Algorithm::on_ack`].
    pub fn on_ack(&mut self, ack: &Ack) {
        let (w, rule) = self.parts();
        rule.on_ack(w, ack);
    }

    /// See [`Algorithm::on_sample`].
    pub fn on_sample(&mut self, ack: &Ack) {
        let (w, rule) = self.parts();
        rule.on_sample(w, ack);
    }

    /// See [`Algorithm::on_lost`].
    pub fn on_lost(&mut self, lost: &Lost) {
        let (w, rule) = self.parts();
        rule.on_lost(w, lost);
    }

    /// See [`Algorithm::on_recovered`].
    pub fn on_recovered(&mut self) {
        let (w, rule) = self.parts();
        rule.on_recovered(w);
    }

    /// See [`Algorithm::on_start`].
    pub fn on_start(&mut self, start: &Start) {
        let (w, rule) = self.parts();
        rule.on_start(w, start);
    }

    /// See [`Algorithm::owner`].
    #[inline]
    pub fn owner(&self) -> Owner {
        match &self.rule {
            Rule::Reno(_) | Rule::Cubic(_) => Owner::Connection,
            Rule::Bbr(r) => r.owner(),
            Rule::Own(a) => a.owner(),
        }
    }

    /// Octets per second at which segments should leave, if they should be spread.
    pub fn pacing_rate(&self) -> Option<u64> {
        self.rule().pacing_rate()
    }

    /// Most octets that may leave at once; `None` without pacing.
    pub fn send_quantum(&self, mss: u32) -> Option<u32> {
        self.pacing_rate().map(|rate| send_quantum(rate, mss))
    }

    /// See [`Algorithm::on_congestion`].
    pub fn on_congestion(&mut self, what: Congestion, flight: u32, mss: u32, now: Instant) {
        let (w, rule) = self.parts();
        rule.on_congestion(w, what, flight, mss, now);
    }

    /// See [`Algorithm::on_timeout`]. ssthresh moves only the first time per flight (RFC 5681 3.1 equation 4).
    pub fn on_timeout(&mut self, flight: u32, mss: u32, first: bool, now: Instant) {
        let (w, rule) = self.parts();
        if first {
            rule.on_timeout(w, flight, mss, now);
        }
        w.cwnd = mss;
    }

    /// Nothing was sent for longer than the RTO (RFC 5681 4.1): cwnd is halved so often, but not below the initial window.
    pub fn on_idle(&mut self, mss: u32, idle: Duration, halvings: u32) {
        let (w, rule) = self.parts();
        if rule.owner() == Owner::Connection {
            let floor = w.cwnd.min(initial_window(mss));
            w.cwnd = (w.cwnd >> halvings.min(31)).max(floor);
        }
        rule.on_idle(idle);
    }

    /// What decides the window's future. A rule that depends on the clock hashes its name only: see
    /// [`crate::testing::fingerprint`].
    pub(crate) fn fingerprint(&self, h: &mut impl Hasher) {
        self.window.hash(h);
        match &self.rule {
            Rule::Reno(r) => r.hash(h),
            Rule::Cubic(r) => r.name().hash(h),
            Rule::Bbr(r) => r.name().hash(h),
            Rule::Own(a) => a.name().hash(h),
        }
    }

    /// See [`Algorithm::on_undo`].
    pub fn on_undo(&mut self, before: Window) {
        let (w, rule) = self.parts();
        rule.on_undo(w, before);
    }
}

#[cfg(test)]
mod tests;
