//! Two hosts in memory: one echoes, the other asks. Blocking sockets, as with `std::net`.
//!
//! `cargo run -p synfin --example echo_blocking`

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::thread;

use synfin::blocking::{TcpListener, TcpStream};
use synfin::link::Caps;
use synfin::link::pipe::shared::{self, End};
use synfin::{Net, SignalWait};

fn host(device: End, address: [u8; 4]) -> io::Result<Net> {
    let wait = SignalWait::for_pipe(&device);
    Net::builder().address(address, 24).start_with(device, wait)
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n])?;
    }
}

fn main() -> io::Result<()> {
    let (ours, theirs) = shared::pair(Caps::plain(1500), 256);
    let client = host(ours, [10, 0, 0, 1])?;
    let server = host(theirs, [10, 0, 0, 2])?;

    let listener = TcpListener::bind(&server, "10.0.0.2:7")?;
    let serving = thread::spawn(move || {
        let (stream, peer) = listener.accept()?;
        println!("server: {peer} is here");
        echo(stream)
    });

    let mut stream = TcpStream::connect(&client, "10.0.0.2:7")?;
    for line in ["from SYN", "to FIN"] {
        writeln!(stream, "{line}")?;
    }
    stream.shutdown(Shutdown::Write)?;
    for line in BufReader::new(&stream).lines() {
        println!("client: {}", line?);
    }
    serving.join().expect("the server's thread panicked")
}
