//! Sends back what comes (RFC 862).

use std::io;

use synfin::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stats;

/// One connection, until the peer closes.
pub async fn serve(mut stream: TcpStream, stats: &Stats) -> io::Result<()> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return stream.shutdown().await;
        }
        stats.received(n);
        stream.write_all(chunk.get(..n).unwrap_or_default()).await?;
        stats.sent(n);
    }
}
