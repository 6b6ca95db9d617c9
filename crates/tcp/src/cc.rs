//! Congestion control.

pub mod reno;

/// Whether the sender had more to send than the congestion window let through.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Limit {
    /// The window was full: growing it makes sense.
    Cwnd,
    /// The application or the peer's window was the limit: cwnd proves nothing and stays.
    Other,
}
