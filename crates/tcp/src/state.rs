//! The eleven states and the one table that moves between them (RFC 9293 3.3.2, 3.10).

use core::fmt;

/// A state of RFC 9293.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// No record.
    Closed,
    /// Waiting for a SYN.
    Listen,
    /// Our SYN is out.
    SynSent,
    /// Both SYNs seen, ours not acknowledged.
    SynReceived,
    /// Open both ways.
    Established,
    /// We closed; our FIN is not acknowledged.
    FinWait1,
    /// We closed; our FIN is acknowledged; the peer may go on.
    FinWait2,
    /// The peer closed; we may go on.
    CloseWait,
    /// Both closed at once; our FIN is not acknowledged.
    Closing,
    /// The peer closed, then we did; our FIN is not acknowledged.
    LastAck,
    /// Both closed, we first: waiting 2 MSL.
    TimeWait,
}

/// What moves a connection from state to state.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// OPEN, active.
    Connect,
    /// OPEN, passive.
    Listen,
    /// A SYN arrived that opens or crosses.
    RcvSyn,
    /// A SYN arrived together with the ACK of ours.
    RcvSynAck,
    /// Our SYN was acknowledged.
    RcvAckOfSyn,
    /// CLOSE or shutdown of our direction.
    Close,
    /// The peer's FIN is next in order.
    RcvFin,
    /// Our FIN was acknowledged.
    RcvAckOfFin,
    /// A valid RST arrived.
    RcvRst,
    /// ABORT, or text lost by close.
    Abort,
    /// A limit on time or tries was reached.
    Timeout,
    /// 2 MSL are over.
    TimeWaitOver,
    /// A hard ICMP error.
    RcvIcmp,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Trigger; 13] = [
        Trigger::Connect,
        Trigger::Listen,
        Trigger::RcvSyn,
        Trigger::RcvSynAck,
        Trigger::RcvAckOfSyn,
        Trigger::Close,
        Trigger::RcvFin,
        Trigger::RcvAckOfFin,
        Trigger::RcvRst,
        Trigger::Abort,
        Trigger::Timeout,
        Trigger::TimeWaitOver,
        Trigger::RcvIcmp,
    ];
}

impl State {
    /// Every state.
    pub const ALL: [State; 11] = [
        State::Closed,
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];

    /// The table: the state that follows, `None` where the trigger means nothing.
    pub const fn on(self, t: Trigger) -> Option<State> {
        use State::*;
        Some(match (self, t) {
            (Closed, Trigger::Connect) | (Listen, Trigger::Connect) => SynSent,
            (Closed, Trigger::Listen) => Listen,
            // TIME_WAIT: a new connection takes the pair over (RFC 6191).
            (Listen | SynSent | TimeWait, Trigger::RcvSyn) => SynReceived,
            (SynSent, Trigger::RcvSynAck) => Established,
            (SynReceived, Trigger::RcvAckOfSyn) => Established,
            (Listen | SynSent, Trigger::Close) => Closed,
            (SynReceived | Established, Trigger::Close) => FinWait1,
            (CloseWait, Trigger::Close) => LastAck,
            (Established, Trigger::RcvFin) => CloseWait,
            (FinWait1, Trigger::RcvFin) => Closing,
            (FinWait2, Trigger::RcvFin) => TimeWait,
            (FinWait1, Trigger::RcvAckOfFin) => FinWait2,
            (Closing, Trigger::RcvAckOfFin) => TimeWait,
            (LastAck, Trigger::RcvAckOfFin) => Closed,
            (TimeWait, Trigger::TimeWaitOver) => Closed,
            (Closed, _) => return None,
            (Listen, Trigger::Abort) => Closed,
            (Listen, _) => return None,
            (_, Trigger::RcvRst | Trigger::Abort | Trigger::Timeout | Trigger::RcvIcmp) => Closed,
            _ => return None,
        })
    }

    /// Handshake done, record not gone (RFC 9293 3.10.7.4 "synchronized").
    pub const fn synchronized(self) -> bool {
        !matches!(self, State::Closed | State::Listen | State::SynSent | State::SynReceived)
    }

    /// The peer's FIN was not seen in order: text is still taken.
    pub const fn receives(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Our direction is open: the application may write.
    pub const fn sends(self) -> bool {
        matches!(self, State::SynSent | State::SynReceived | State::Established | State::CloseWait)
    }

    /// The name as tools print it.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN_SENT",
            State::SynReceived => "SYN_RCVD",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN_WAIT_1",
            State::FinWait2 => "FIN_WAIT_2",
            State::CloseWait => "CLOSE_WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST_ACK",
            State::TimeWait => "TIME_WAIT",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
