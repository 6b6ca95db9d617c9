//! Floor 1 of synfin: one TCP connection without I/O, clock or thread.
//!
//! Everything that a call may use from outside comes in one argument, [`Cx`]: the time, the configuration, the byte
//! pool, the probe. Inputs (`on_*`, commands) change state; one function, [`Connection::poll_transmit`], emits.
//!
//! A connection lives as one of three records, each as small as its phase allows: [`SynRecord`] (passive SYN_RCVD),
//! [`Connection`] (SYN_SENT to LAST_ACK) and [`TimeWait`]. LISTEN belongs to the stack; CLOSED is absence.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bytes;
pub mod cc;
pub mod config;
pub mod connection;
pub mod cx;
pub mod error;
pub mod event;
pub mod recovery;
pub mod recv;
pub mod send;
pub mod state;
pub mod syn;
#[doc(hidden)]
pub mod testing;
pub mod timewait;

pub use bytes::Pool;
pub use config::{Config, Keepalive, Quirks};
pub use connection::{Connection, Info, Phase, Readiness, Shutdown, Transmit, TxLimits, Verdict, reset_for};
pub use cx::{Counters, Cx};
pub use error::{CloseReason, ReadError, SoftError, WriteError};
pub use event::{Event, Probe, TimerKind, Why};
pub use state::{State, Trigger};
pub use syn::{HalfOpen, SynOffer, SynRecord};
pub use timewait::{Rest, TimeWait};
