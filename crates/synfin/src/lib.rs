//! TCP sockets over any device, without the kernel's TCP.
//!
//! [`Net`] is a TCP/IP host of your own: a device, a stack and the thread that drives them. On it,
//! [`blocking::TcpListener`] and [`blocking::TcpStream`] behave like those of `std::net`, and
//! [`tokio::TcpListener`] and [`tokio::TcpStream`] (feature `tokio`, on by default) like those of `tokio::net`,
//! in any executor. Names and behaviour are the same, with a `&Net` in front where a socket is made. Where the
//! originals leave a choice, these follow Linux.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use synfin::blocking::TcpStream;
//! use synfin::{Net, SignalWait, link::{Caps, pipe::shared}};
//!
//! # fn main() -> std::io::Result<()> {
//! let (device, other_end) = shared::pair(Caps::plain(1500), 256);
//! # drop(other_end);
//! let wait = SignalWait::for_pipe(&device);
//! let net = Net::builder().address([10, 0, 0, 1], 24).start_with(device, wait)?;
//! let mut stream = TcpStream::connect(&net, "10.0.0.2:80")?;
//! stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut page = String::new();
//! stream.read_to_string(&mut page)?;
//! # Ok(())
//! # }
//! ```
//!
//! # How connections end
//!
//! * Dropping the last handle of a stream closes it: the peer gets FIN after the last octet, in the background. If
//!   octets that arrived were not read, or more arrive later, the peer gets RST instead, since they are lost
//!   (RFC 2525 2.17).
//! * A linger time of zero makes dropping a stream abort the connection. Any other linger time makes dropping a
//!   blocking stream wait until the peer has acknowledged everything, or the time is up. Async streams cannot wait
//!   in `drop`: there it means nothing.
//! * An error that ended a connection (a reset, a timeout) is reported once, to whichever call comes first; after it
//!   reads return 0 octets and writes `BrokenPipe`, as on Linux. Octets that had arrived before can still be read.
//! * If the device breaks or vanishes, whoever waits gets `NetworkDown`.
#![forbid(unsafe_code)]

pub mod blocking;
pub mod error;
mod listener;
mod net;
mod options;
mod socket;
#[cfg(feature = "tokio")]
pub mod tokio;
mod waiting;

pub use net::{Builder, Net};
#[cfg(unix)]
pub use synfin_rt::FdWait;

/// Devices.
pub use synfin_link as link;
pub use synfin_net::{AcceptOverflow, Census, Cidr, ListenOpts, StackConfig, SynOverflow};
pub use synfin_rt::{Sending, SignalWait, Wait};
pub use synfin_tcp::{
    CloseReason, Config, Counters, Event, Info, Keepalive, Probe, Quirks, SoftError, State,
};
pub use synfin_wire::{Instant, Tuple};
