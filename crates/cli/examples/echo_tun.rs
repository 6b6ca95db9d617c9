//! An echo server whose TCP is not the kernel's: `nc 10.9.0.2 7` on the same machine talks to it.
//!
//! `cargo build -p synfin-cli --example echo_tun && sudo target/debug/examples/echo_tun`

use std::error::Error;
use std::{io, thread};

use synfin::Net;
use synfin::blocking::{TcpListener, TcpStream};
use synfin_tun::Tun;

fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(&mut &stream, &mut &stream)
}

fn main() -> Result<(), Box<dyn Error>> {
    // A cable: the kernel has 10.9.0.1 at its end, we have 10.9.0.2 at ours.
    let device = Tun::builder().kernel_address("10.9.0.1/24".parse()?).build()?;
    let net = Net::builder().address([10, 9, 0, 2], 24).start(device)?;

    let listener = TcpListener::bind(&net, "10.9.0.2:7")?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || echo(stream));
    }
    Ok(())
}
