//! Two stacks and no I/O: packets go through memory, and time is a number that this program moves.
//!
//! `cargo run -p synfin-net --example sans_io`

use synfin_link::pipe::{Pipe, Side};
use synfin_link::{Caps, Device};
use synfin_net::{Cidr, ConnectOpts, ListenOpts, Secrets, Stack, StackConfig};
use synfin_tcp::{ReadError, Shutdown};
use synfin_wire::{Addr, Endpoint, Instant};

const CAPS: Caps = Caps::plain(1500);

fn host(last: u8) -> Stack {
    let addrs = vec![Cidr { addr: Addr::v4([10, 0, 0, last]), prefix: 24 }];
    // A real host draws these from the system's random number generator.
    let secrets = Secrets([last; 64]);
    Stack::new(StackConfig { addrs, ..StackConfig::default() }, CAPS, secrets)
}

/// One turn of one stack: what has arrived, what is late, what has to go.
fn turn(stack: &mut Stack, mut device: impl Device, now: Instant) {
    let _ = device.recv(&mut |packet| stack.on_packet(now, packet));
    stack.on_timeout(now);
    let _ = stack.poll_transmit(now, 64, device.tx());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut client, mut server) = (host(1), host(2));
    let mut pipe = Pipe::new(CAPS, 64);

    let at = Endpoint::new(Addr::v4([10, 0, 0, 2]), 7);
    let listener = server.listen(at, ListenOpts::default())?;
    let asking = client.connect(Instant::ZERO, at, ConnectOpts::default())?;
    let mut answering = None;

    for now in (0..).map(Instant::from_millis) {
        turn(&mut client, pipe.end(Side::A), now);
        turn(&mut server, pipe.end(Side::B), now);

        if let Some(mut conn) = client.conn(now, asking)
            && conn.readiness().connected
            && conn.write(b"from SYN to FIN").is_ok()
        {
            conn.shutdown(Shutdown::Write);
        }
        answering = answering.or_else(|| server.accept(now, listener));
        if let Some((id, tuple)) = answering
            && let Some(mut conn) = server.conn(now, id)
        {
            let mut buffer = [0; 64];
            match conn.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => println!("{now:?}: {} from {}", buffer[..n].escape_ascii(), tuple.remote),
                Err(ReadError::WouldBlock) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(())
}
