//! The server of the classic example: sends `hello`, prints what comes back.

use std::io;

use synfin::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stats;
use crate::terminal::say;

/// Octets of an answer that are printed at most.
const LONGEST: u64 = 64 * 1024;

/// One connection, until the peer closes.
pub async fn serve(mut stream: TcpStream, stats: &Stats) -> io::Result<()> {
    let peer = stream.peer_addr()?;
    stream.write_all(b"hello").await?;
    stats.sent(5);
    let mut answer = Vec::new();
    (&mut stream).take(LONGEST).read_to_end(&mut answer).await?;
    stats.received(answer.len());
    let line = format!("{peer}: {}\n", String::from_utf8_lossy(&answer).escape_debug());
    // Whether anybody reads it is no matter of the connection.
    let _ = say(&line);
    stream.shutdown().await
}
