//! Floor 2 of synfin: a Linux TUN device as a [`synfin_link::Device`].
//!
//! A TUN device is a cable: one end is a network interface of the kernel, the other end is a file
//! descriptor that reads and writes IP packets. The stack holds the second end.
//!
//! * [`Tun::builder`] makes a device, gives the kernel's end its addresses and brings it up. It vanishes
//!   with the value.
//! * [`Tun::open`] takes the free end of a device that somebody else made, and changes nothing.
//!
//! All I/O is non-blocking; wait with `poll` on [`Tun::as_fd`](std::os::fd::AsFd::as_fd).
#![forbid(unsafe_code)]

pub mod builder;
pub mod cidr;
pub mod device;
pub mod error;
mod outbox;

pub use builder::Builder;
pub use cidr::Cidr;
pub use device::Tun;
pub use error::Error;
pub use outbox::Lost;
