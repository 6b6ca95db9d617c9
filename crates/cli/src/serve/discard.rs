//! Throws away what comes (RFC 863).

use std::io;

use synfin::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stats;

/// One connection, until the peer closes.
pub async fn serve(mut stream: TcpStream, stats: &Stats) -> io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return stream.shutdown().await;
        }
        stats.received(n);
    }
}
