//! The one vocabulary of what happens: tests, traces, ladders and pcapng comments are fed by it.

use synfin_wire::{DropReason, Head, Instant, Segment, Tuple};

use crate::{CloseReason, SoftError, State, Trigger};

/// Who wants to know what a stack does.
pub trait Probe {
    /// Something happened to the connection `who` at `now`. Called in causal order.
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>);
}

/// Why a segment was sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Why {
    /// SYN or SYN,ACK for the first time.
    Open,
    /// Text or FIN for the first time.
    New,
    /// Again, because the retransmission timer ran out (RFC 6298 5.4).
    Timeout,
    /// Again, because later segments arrived and this one did not (RFC 5681 3.2, RFC 6675).
    FastRetransmit,
    /// The last segment again, as a tail loss probe (RFC 8985 7.3); new text that goes as one is [`Why::New`].
    TailLossProbe,
    /// Zero-window probe (RFC 9293 3.8.6.1).
    WindowProbe,
    /// Keepalive probe (RFC 9293 3.8.4).
    Keepalive,
    /// ACK that was due: text or FIN arrived.
    Ack,
    /// ACK that says that our window opened.
    WindowUpdate,
    /// ACK for a segment outside the window, or a duplicate.
    DupAck,
    /// ACK that asks the peer to prove itself (RFC 5961).
    Challenge,
    /// RST because nobody is there (RFC 9293 3.5.2 group 1) or the segment makes no sense (group 2).
    ResetReply,
    /// RST because the application gave up, or text came after it closed.
    Abort,
}

/// A timer of a connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// Retransmission (RFC 6298).
    Retransmit,
    /// Tail loss probe (RFC 8985 7.2).
    TailLossProbe,
    /// Reordering: what was not delivered by now is lost (RFC 8985 6.2).
    Reordering,
    /// Zero-window probe (RFC 9293 3.8.6.1).
    Persist,
    /// Sender's silly-window override (RFC 9293 3.8.6.2.1).
    SwsOverride,
    /// Delayed ACK (RFC 9293 3.8.6.3).
    DelayedAck,
    /// Keepalive (RFC 9293 3.8.4).
    Keepalive,
    /// User timeout (RFC 9293 3.9.1.1, RFC 5482).
    User,
    /// FIN_WAIT_2 of a connection that nobody holds.
    FinWait2,
    /// 2 MSL (RFC 9293 3.6.1).
    TimeWait,
}

/// Something that happened to a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A segment arrived, before anything is done with it.
    Received(&'a Segment<'a>),
    /// What arrived, or part of it, was not used.
    Dropped(DropReason),
    /// The state changed.
    State {
        /// From.
        from: State,
        /// To.
        to: State,
        /// By what.
        by: Trigger,
    },
    /// A segment was handed to the device.
    Sent {
        /// Its header.
        head: &'a Head,
        /// Its text octets; a super-segment counts whole.
        len: u32,
        /// Octets in each segment on the wire if the device cuts it, else 0.
        gso: u16,
        /// Why.
        why: Why,
    },
    /// A timer fired.
    Timer(TimerKind),
    /// Something that the application may want to know and that changes no state (RFC 9293 3.9.1.8).
    SoftError(SoftError),
    /// What was taken for loss was none: the congestion window is back (RFC 4015, 3708, 5682).
    Undone,
    /// The record is gone.
    Closed(CloseReason),
}
