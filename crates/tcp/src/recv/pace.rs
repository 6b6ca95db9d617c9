//! When text is acknowledged: at once, with the next segment, or after a delay that follows the peer's pace.

use core::time::Duration;

use synfin_wire::Instant;

use crate::config::{Config, Quirks};

/// The shortest delay that is learned, and the first one.
const ATO_MIN: Duration = Duration::from_millis(40);
/// The longest delay while the peer waits for answers, or sends small segments.
pub(crate) const ATO_MAX: Duration = Duration::from_millis(200);
/// The longest delay otherwise.
const ATO_MAX_BULK: Duration = Duration::from_millis(500);
/// Segments that are acknowledged at once at the beginning and after disorder, at most.
const QUICK: u32 = 16;
/// Bounds of the first guess of the peer's segment size.
const FIRST_SEGMENT: (u16, u16) = (88, 536);
/// From this size on a short segment may be a full one: 536 octets and a header.
const LIKELY_FULL: u32 = 536 + 20;

/// What has been learned of the peer's pace, and what is owed to it ([`Quirks::ADAPTIVE_ACKS`]). The RFC profile owes
/// an ACK for every second segment and after a fixed delay, and uses [`Pace::owed`] only.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// When text came last.
    pub last_text: Instant,
    /// Delay in milliseconds; 0 before the first text.
    pub(crate) ato: u16,
    /// The peer's segment size as far as it shows.
    pub segment: u16,
    /// Size of the last segment that was below `segment` and yet looked full.
    pub(crate) short: u16,
    /// Segments that are still acknowledged at once.
    pub(crate) quick: u8,
    /// Small or pushed segments since the last ACK: none, one, more.
    pub(crate) pushed: u8,
    /// Text or a FIN waits for its ACK.
    pub owed: bool,
    /// Answers flow: ACKs ride on them.
    pub(crate) pingpong: bool,
}

/// A segment of text.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Arrival {
    /// Octets.
    pub len: u32,
    /// Octets of options that all its segments carry.
    pub options: u32,
    /// PSH or FIN was on it.
    pub pushed: bool,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            last_text: Instant::ZERO,
            ato: 0,
            segment: 0,
            short: 0,
            quick: 0,
            pushed: 0,
            owed: false,
            pingpong: false,
        }
    }
}

fn millis(d: Duration) -> u16 {
    u16::try_from(d.as_millis()).unwrap_or(u16::MAX)
}

impl Pace {
    /// The handshake is over: a first guess of the peer's segment size.
    pub fn begin(&mut self, send_mss: u16, our_mss: u16, wnd: u32) {
        let half = u16::try_from(wnd / 2).unwrap_or(u16::MAX);
        self.segment = send_mss.min(our_mss).min(half).clamp(FIRST_SEGMENT.0, FIRST_SEGMENT.1);
    }

    /// The delay that the next ACK would have.
    pub fn ato(&self) -> Duration {
        Duration::from_millis(u64::from(self.ato))
    }

    /// Whether answers flow.
    pub fn in_pingpong(&self) -> bool {
        self.pingpong
    }

    /// Whether the reader should tell at once that it took what came: a small segment ended what the peer had to say.
    pub fn waits_for_reader(&self) -> bool {
        self.pushed > 1 || (self.pushed == 1 && !self.pingpong)
    }

    /// The next segments are acknowledged at once.
    fn hurry(&mut self, wnd: u32) {
        let some = wnd / (2 * u32::from(self.segment.max(1)));
        let some = if some == 0 { 2 } else { some.min(QUICK) };
        self.quick = self.quick.max(some as u8);
    }

    /// Disorder: the peer needs ACKs now.
    pub fn disorder(&mut self, wnd: u32) {
        self.hurry(wnd);
        self.pingpong = false;
        self.ato = millis(ATO_MIN);
    }

    /// Text came. `wnd` is the window before it, `most` the largest segment that our side takes. Returns whether the
    /// peer's segment size changed.
    pub fn on_text(&mut self, now: Instant, text: Arrival, wnd: u32, most: u16, rto: Duration) -> bool {
        self.owed = true;
        let changed = self.measure(text, most);
        let since = now.since(self.last_text);
        let half = ATO_MIN / 2;
        if self.ato == 0 {
            self.hurry(wnd);
            self.ato = millis(ATO_MIN);
        } else if since <= half {
            self.ato = self.ato / 2 + millis(half);
        } else if since < self.ato() {
            self.ato = millis((self.ato() / 2 + since).min(rto));
        } else if since > rto {
            // The sender fell silent: it may begin with a small window again.
            self.hurry(wnd);
        }
        self.last_text = now;
        changed
    }

    fn measure(&mut self, text: Arrival, most: u16) -> bool {
        let Arrival { len, options, pushed } = text;
        let before = self.segment;
        let short = core::mem::take(&mut self.short);
        if len >= u32::from(self.segment) {
            self.segment = u16::try_from(len).unwrap_or(u16::MAX).min(most);
            if pushed {
                self.pushed = self.pushed.max(1);
            }
            return before != self.segment;
        }
        let with_header = len + 20 + options;
        if with_header >= LIKELY_FULL || (with_header >= u32::from(FIRST_SEGMENT.0) + 20 && !pushed) {
            self.short = u16::try_from(len).unwrap_or(u16::MAX);
            if self.short == short {
                self.segment = self.short;
                return before != self.segment;
            }
        }
        self.pushed = (self.pushed + 1).min(2);
        false
    }

    /// The peer's FIN came: what is left to say is likely to follow.
    pub fn on_fin(&mut self, answers: bool) {
        self.owed = true;
        if answers {
            self.pingpong = true;
        }
    }

    /// Whether what came is acknowledged at once: `unacked` octets since the last ACK, and whether the window grows with
    /// it (or the reader waits for more).
    pub fn at_once(&self, unacked: u32, grows: bool) -> bool {
        (unacked > u32::from(self.segment) && grows) || (self.quick > 0 && !self.pingpong)
    }

    /// How long the ACK may wait.
    pub fn delay(&self, srtt: Duration) -> Duration {
        let ato = self.ato();
        if ato <= ATO_MIN {
            return ato;
        }
        let most = if self.pingpong || self.pushed > 0 { ATO_MAX } else { ATO_MAX_BULK };
        let most = if srtt.is_zero() { most } else { most.min(srtt.max(ATO_MIN)) };
        ato.min(most).min(ATO_MAX)
    }

    /// The delay ran out without an answer to ride on.
    pub fn on_delay_over(&mut self, rto: Duration) {
        if self.pingpong {
            self.pingpong = false;
            self.ato = millis(ATO_MIN);
        } else {
            self.ato = millis((self.ato() * 2).min(rto));
        }
    }

    /// Text was sent.
    pub fn on_answer(&mut self, now: Instant) {
        if now.since(self.last_text) < self.ato() {
            self.pingpong = true;
        }
    }

    /// A segment with an ACK was sent.
    pub fn on_ack_sent(&mut self) {
        if core::mem::take(&mut self.owed) && self.quick > 0 {
            self.quick -= 1;
            if self.quick == 0 {
                self.ato = millis(ATO_MIN);
            }
        }
        self.pushed = 0;
    }

    /// The window grows: the peer is to hear of it soon.
    pub fn encourage(&mut self) {
        self.quick |= 1;
    }

    /// The buffer is more than half full: no reason to invite more.
    pub fn calm(&mut self) {
        self.quick = 0;
    }

    /// The application asks for ACKs at once, or for ACKs that wait.
    pub fn set_quick(&mut self, on: bool) {
        self.pingpong = !on;
        if on && self.owed {
            self.pushed = self.pushed.max(1);
        }
    }
}

impl Config {
    /// The largest window that a receive buffer of so many octets allows before anything was received: all of it, or
    /// half of it where overhead counts ([`Quirks::RECV_OVERHEAD`]).
    pub fn window_of(&self, buffer: u32) -> u32 {
        let window = if self.quirks.has(Quirks::RECV_OVERHEAD) { buffer / 2 } else { buffer };
        window.max(1)
    }

    /// The first window of a connection: what the buffer allows, in whole segments of `mss` octets where overhead counts.
    pub fn first_window(&self, buffer: u32, mss: u16) -> u32 {
        let window = self.window_of(buffer);
        let mss = u32::from(mss.max(1));
        if self.quirks.has(Quirks::RECV_OVERHEAD) && window > mss { window - window % mss } else { window }
    }
}

/// The window that a buffer of so many octets allows when segments of `len` octets fill it: a segment is kept whole, in
/// memory whose size is a power of two, and with a description of its own.
pub(crate) fn window_for_segments(buffer: u32, len: u32, options: u32) -> u32 {
    /// IP and TCP header, room below them, and what is kept behind the octets.
    const AROUND: u32 = 40 + 64 + 320;
    const DESCRIPTION: u32 = 256;
    let memory = len.saturating_add(options + AROUND).checked_next_power_of_two().unwrap_or(u32::MAX);
    let ratio = (u64::from(len) << 8) / (u64::from(memory) + u64::from(DESCRIPTION));
    // Never none: what was offered none could never be filled and emptied.
    ((u64::from(buffer) * ratio.clamp(1, 255)) >> 8).max(1) as u32
}

#[cfg(test)]
mod tests;
