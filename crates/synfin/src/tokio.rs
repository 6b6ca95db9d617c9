//! Sockets like those of `tokio::net`, for any executor: they need tokio's I/O traits but not its reactor.
//!
//! Of several tasks that use one `poll_` function of a stream, the last one is woken, as `Future` asks for. The
//! `async` functions wake every task that waits.

mod listener;
mod ready;
mod split;
mod stream;

pub use listener::TcpListener;
pub use ready::{Interest, Ready};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
