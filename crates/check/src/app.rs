//! What the application of one end does, step by step.

use std::time::Duration;

/// One call, or one thing to wait for, of an application.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub enum Op {
    /// Active open.
    Open,
    /// Takes what the listener has completed.
    Accept,
    /// Writes that many octets in one call.
    Write(u8),
    /// Closes its own direction; goes on reading.
    Shutdown,
    /// Closes and lets go.
    Close,
    /// Aborts and lets go.
    Abort,
    /// Goes on when the handshake is complete (or the connection has failed).
    AwaitOpen,
    /// Goes on when the end of the peer's stream was read (or the connection has failed).
    AwaitEof,
    /// Goes on when no record is left of what it closed.
    AwaitGone,
    /// Lets this much time pass.
    Pause(Duration),
}

impl Op {
    /// Nothing is called: the condition is looked at after every step.
    pub fn waits(self) -> bool {
        matches!(self, Op::AwaitOpen | Op::AwaitEof | Op::AwaitGone)
    }

    /// A new connection begins here: where an application goes on after a failure.
    pub fn begins(self) -> bool {
        matches!(self, Op::Open | Op::Accept)
    }
}

/// When an application reads.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// At once.
    Eager,
    /// At any time, or not for as long as something else can happen.
    Late,
}

/// The octet at `offset` of what an end writes in one of its lives.
pub fn octet(end: usize, life: usize, offset: usize) -> u8 {
    (1 + end * 101 + life * 37 + offset * 13) as u8
}
