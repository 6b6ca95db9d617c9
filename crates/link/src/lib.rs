//! Floor 1 of synfin: what a stack needs of a device, and devices that need no operating system.
//!
//! [`pipe`] joins two stacks in memory, [`pcapng`] records what any device carries. The feature `std` (off by default)
//! adds pipe ends for different threads and captures into `std::io::Write`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod device;
pub mod offload;
pub mod pcapng;
pub mod pipe;

pub use device::{Caps, ChecksumFact, Device, Gso, RxFrame, RxMeta, TxChecksum, TxMeta, TxSink};
