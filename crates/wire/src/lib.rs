//! Floor 0 of synfin: the vocabulary that everything else speaks.
//!
//! Sequence numbers, time, addresses, packet views and emitters, validated TCP segments, checksums and
//! drop reasons. No allocation, no I/O, no state.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod addr;
pub mod checksum;
pub mod drop;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod seq;
pub mod tcp;
pub mod text;
pub mod time;

pub use addr::{Addr, Endpoint, Tuple};
pub use drop::DropReason;
pub use seq::Seq;
pub use tcp::{Control, Flags, Head, OptionsIn, OptionsOut, SackBlock, Segment, Timestamps};
pub use time::Instant;
