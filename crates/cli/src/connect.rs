//! `synfin connect`: standard input to a peer, the peer to standard output.

use std::io::{self, IsTerminal, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use clap::Args as ClapArgs;
use synfin::blocking::TcpStream;

use crate::device;
use crate::error::Failure;
use crate::signal;

/// How long the last segments may take.
const LINGER: Duration = Duration::from_secs(5);
/// The same after a signal: somebody waits.
const SHORT_LINGER: Duration = Duration::from_secs(1);

#[derive(ClapArgs, Debug)]
#[group(skip)]
#[command(after_help = "\
Examples:
  python3 -m http.server 8000 &    a server with Linux's TCP, on this machine
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | sudo synfin connect 10.9.0.1 8000
  sudo synfin connect 10.9.0.1 8000 --trace    the ladder on standard error

It makes a TUN device with two ends: this machine's (10.9.0.1, Linux's TCP) and
ours (10.9.0.2). At the end of its input it closes its own direction and goes on
reading. Status 0: the connection ended in good order; 1: it did not; 2: it could
not be tried.")]
pub struct Args {
    /// Address or name of the peer; this machine is 10.9.0.1 unless told otherwise
    host: String,
    /// Its port, 1 to 65535
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Give up when the connection is not open after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    device: device::Args,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut signals = signal::catch()?;
    let peers = resolve(&args.host, args.port)?;
    let site = args.device.start(None, &io::stderr())?;
    let Some(to) = peers.into_iter().find(|to| site.ours.iter().any(|a| a.is_ipv4() == to.is_ipv4())) else {
        return Err(Failure::Bad(format!(
            "{} has no address of the IP version of --address: give --address one of the other version",
            args.host
        )));
    };
    if site.ours.contains(&to.ip()) {
        return Err(Failure::Bad(format!("{} is our own address: name another host", to.ip())));
    }
    site.print_trace(io::stderr());

    let signalled = Arc::new(AtomicI32::new(0));
    let (stop, stopped) = mpsc::channel();
    let (caught, stop_signal) = (Arc::clone(&signalled), stop.clone());
    std::thread::spawn(move || {
        if let Some(number) = signals.forever().next() {
            caught.store(number, Ordering::Relaxed);
            // The main thread may have ended its wait already.
            let _ = stop_signal.send(Ok(()));
        }
    });
    let net = site.net.clone();
    let timeout = Duration::from_secs(args.timeout);
    let open = Arc::new(OnceLock::new());
    let opened = Arc::clone(&open);
    std::thread::spawn(move || {
        let result = TcpStream::connect_timeout(&net, &to, timeout)
            .map_err(|e| not_connected(to, &e))
            .and_then(|stream| talk(opened.get_or_init(|| stream)));
        let _ = stop.send(result);
    });
    let result = stopped.recv().unwrap_or(Ok(()));
    let number = signalled.load(Ordering::Relaxed);
    if let Some(stream) = open.get() {
        // The threads that read and write may go on: FIN is sent for them. It may have been sent before.
        let _ = stream.shutdown(Shutdown::Write);
    }
    drop(open);
    let (ended, rows) = site.close(if number == 0 { LINGER } else { SHORT_LINGER });
    eprint!("{rows}");
    match (result, number, ended) {
        (_, 1.., _) => Err(Failure::Signal(number)),
        (Err(failure), _, _) => Err(failure),
        (Ok(()), _, Err(e)) => Err(Failure::Run(format!("the connection did not close: {e}"))),
        (Ok(()), _, Ok(())) => Ok(()),
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let addrs: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|e| Failure::Bad(format!("cannot find {host}: {e}; give an address or another name")))?
        .collect();
    for addr in &addrs {
        let bad = match addr.ip() {
            IpAddr::V4(ip) if ip.is_broadcast() => "a broadcast address",
            ip if ip.is_multicast() => "a multicast address",
            ip if ip.is_unspecified() => "no address of a host",
            ip if ip.is_loopback() => "this machine's loopback address, which the device does not reach",
            _ => continue,
        };
        return Err(Failure::Bad(format!("{} is {bad}: name one host beyond the device", addr.ip())));
    }
    Ok(addrs)
}

/// Some of what goes wrong was clear before anything was sent.
fn not_connected(to: SocketAddr, why: &io::Error) -> Failure {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, InvalidInput, NetworkUnreachable, TimedOut};
    let text = format!("cannot connect to {to}: {why}");
    match why.kind() {
        InvalidInput | AddrNotAvailable | AddrInUse | NetworkUnreachable => Failure::Bad(text),
        TimedOut => Failure::Run(format!("cannot connect to {to}: no answer (see --timeout)")),
        _ => Failure::Run(text),
    }
}

/// Copies in both directions until the peer has closed, and the input has ended or is a person who cannot tell.
fn talk(stream: &TcpStream) -> Result<(), Failure> {
    let (sent, input_over) = mpsc::channel();
    let mut to_peer = stream.try_clone().map_err(Failure::run)?;
    std::thread::spawn(move || {
        let result = copy(&mut io::stdin().lock(), &mut to_peer, |e| {
            Failure::Run(format!("cannot read standard input: {e}"))
        })
        .and_then(|()| to_peer.shutdown(Shutdown::Write).map_err(lost));
        let _ = sent.send(result);
    });
    let mut from_peer = stream;
    let mut out = io::stdout().lock();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = from_peer.read(&mut chunk).map_err(lost)?;
        if n == 0 {
            break;
        }
        let text = chunk.get(..n).unwrap_or_default();
        out.write_all(text).and_then(|()| out.flush()).map_err(Failure::output)?;
    }
    if io::stdin().is_terminal() {
        return input_over.try_recv().unwrap_or(Ok(()));
    }
    input_over.recv().unwrap_or(Ok(()))
}

fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    unreadable: impl FnOnce(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(unreadable(e)),
        };
        to.write_all(chunk.get(..n).unwrap_or_default()).map_err(lost)?;
    }
}

fn lost(why: io::Error) -> Failure {
    Failure::Run(format!("the connection was lost: {why}"))
}
