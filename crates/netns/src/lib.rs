//! Beside the floors of synfin: what demonstrations and real-kernel tests need of Linux.
//!
//! * [`Namespace`]: a private network namespace for the calling thread and the threads that it starts, and
//!   the kernel's settings in it. Nothing persists: it vanishes with its threads.
//! * [`Links`]: interfaces up, addresses, routes, MTU (rtnetlink).
//! * [`SockDiag`]: the kernel's TCP sockets with their states, half-open ones and TIME_WAIT included (sock_diag).
//!
//! All of it is synchronous, and all of it means the network namespace of the calling thread.
#![forbid(unsafe_code)]

pub mod diag;
pub mod error;
pub mod namespace;
mod netlink;
pub mod route;

pub use diag::{Family, Filter, KernelState, SockDiag, TcpDetail, TcpSock, tcp_sockets};
pub use error::Error;
pub use namespace::Namespace;
pub use route::Links;
