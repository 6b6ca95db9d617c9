//! Two hosts in memory: one echoes, the other asks. Async sockets, as with `tokio::net`.
//!
//! `cargo run -p synfin --example echo_tokio`

use std::io;

use synfin::link::Caps;
use synfin::link::pipe::shared::{self, End};
use synfin::tokio::{TcpListener, TcpStream};
use synfin::{Net, SignalWait};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn host(device: End, address: [u8; 4]) -> io::Result<Net> {
    let wait = SignalWait::for_pipe(&device);
    Net::builder().address(address, 24).start_with(device, wait)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (ours, theirs) = shared::pair(Caps::plain(1500), 256);
    let client = host(ours, [10, 0, 0, 1])?;
    let server = host(theirs, [10, 0, 0, 2])?;

    let listener = TcpListener::bind(&server, "10.0.0.2:7").await?;
    let serving = tokio::spawn(async move {
        let (mut stream, peer) = listener.accept().await?;
        println!("server: {peer} is here");
        let (mut reader, mut writer) = stream.split();
        tokio::io::copy(&mut reader, &mut writer).await
    });

    let (reader, mut writer) = TcpStream::connect(&client, "10.0.0.2:7").await?.into_split();
    for line in ["from SYN\n", "to FIN\n"] {
        writer.write_all(line.as_bytes()).await?;
    }
    // Dropping the write half sends FIN.
    drop(writer);
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        println!("client: {line}");
    }
    let octets = serving.await??;
    println!("server: {octets} octets echoed");
    Ok(())
}
