//! Sends characters without end (RFC 864): lines of 72 of the printable ones, each line one further.

use std::io::{self, ErrorKind};

use synfin::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stats;

/// Printable characters, the space included.
const PRINTABLE: std::ops::RangeInclusive<u8> = b' '..=b'~';
/// Characters in a line.
const WIDTH: usize = 72;

/// One connection, until the peer closes.
pub async fn serve(mut stream: TcpStream, stats: &Stats) -> io::Result<()> {
    let period = period();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        loop {
            writer.write_all(&period).await?;
            stats.sent(period.len());
        }
    };
    let read = async {
        let mut chunk = vec![0; 4096];
        loop {
            match reader.read(&mut chunk).await? {
                0 => return Ok(()),
                n => stats.received(n),
            }
        }
    };
    let ended: io::Result<()> = tokio::select! {
        ended = read => ended,
        failed = write => failed,
    };
    match ended {
        // A peer that has enough cannot but leave octets unread: RST is the usual end here.
        Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Ok(()),
        ended => ended,
    }
}

/// All lines until they begin again.
fn period() -> Vec<u8> {
    let line = |first| PRINTABLE.cycle().skip(first).take(WIDTH).chain(*b"\r\n");
    (0..PRINTABLE.count()).flat_map(line).collect()
}

#[cfg(test)]
mod tests;
