//! Floor 1 of synfin: what a stack needs of a device, and devices that need no operating system.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod device;

pub use device::{Caps, ChecksumFact, Device, Gso, RxFrame, RxMeta, TxMeta, TxSink};
