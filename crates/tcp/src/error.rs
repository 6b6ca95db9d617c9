//! How connections end and calls fail.

use core::fmt;

/// Why a connection is no more.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both directions were closed with FIN.
    Done,
    /// The application aborted, or closed with unread text (RFC 2525 2.17).
    Aborted,
    /// The peer sent a valid RST.
    Reset,
    /// RST or hard ICMP error in answer to our SYN.
    Refused,
    /// No answer to retransmissions, probes or within the user timeout.
    TimedOut,
    /// ICMP says that nobody can be reached, and the connection was not open yet.
    Unreachable,
    /// FIN_WAIT_2 lasted too long with nobody holding the connection.
    FinWait2Expired,
    /// A limit of the stack (orphans, memory) ended it.
    StackLimit,
    /// The peer kept its window closed while the stack was short of memory (RFC 6429 3).
    ZeroWindow,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Done => "closed",
            CloseReason::Aborted => "aborted",
            CloseReason::Reset => "connection reset by peer",
            CloseReason::Refused => "connection refused",
            CloseReason::TimedOut => "connection timed out",
            CloseReason::Unreachable => "host unreachable",
            CloseReason::FinWait2Expired => "peer never closed",
            CloseReason::StackLimit => "stack limit reached",
            CloseReason::ZeroWindow => "peer's window stayed closed while memory was short",
        })
    }
}

/// A condition that is reported but ends nothing (RFC 9293 3.9.1.8, RFC 1122 4.2.4.1).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum SoftError {
    /// ICMP network or host unreachable and relatives.
    HostUnreachable,
    /// ICMP port or protocol unreachable on an open connection (RFC 5927 5.2).
    Refused,
    /// ICMP time exceeded.
    TimeExceeded,
    /// ICMP parameter problem.
    ParameterProblem,
    /// R1 retransmissions without an answer (RFC 9293 3.8.3).
    Retransmitting,
}

/// Why a write took nothing.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub enum WriteError {
    /// The send buffer is full, or the connection is not open yet and its buffer is full.
    WouldBlock,
    /// Our direction was closed (RFC 9293 3.10.2 "connection closing").
    Closing,
    /// The connection is no more.
    Closed(CloseReason),
}

/// Why a read returned nothing. End of stream is `Ok(0)`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub enum ReadError {
    /// Nothing there yet.
    WouldBlock,
    /// The connection ended other than by FIN.
    Closed(CloseReason),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::WouldBlock => f.write_str("send buffer full"),
            WriteError::Closing => f.write_str("our direction is closed"),
            WriteError::Closed(r) => r.fmt(f),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::WouldBlock => f.write_str("nothing to read yet"),
            ReadError::Closed(r) => r.fmt(f),
        }
    }
}

impl core::error::Error for WriteError {}
impl core::error::Error for ReadError {}
