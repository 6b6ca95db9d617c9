//! `synfin serve`: servers over our TCP.

mod chargen;
mod discard;
mod echo;
mod hello;
mod http;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use synfin::ListenOpts;
use synfin::tokio::{TcpListener, TcpStream};

use crate::device;
use crate::error::Failure;
use crate::signal;
use crate::terminal::say;

/// How long connections may take to close at the end.
const LINGER: Duration = Duration::from_secs(2);
/// Connections that wait to be accepted, and half-open ones: a burst of clients is no reason to drop SYNs.
const QUEUES: ListenOpts = ListenOpts {
    backlog: 4096,
    syn_queue: 8192,
    syn_overflow: synfin::SynOverflow::Cookie,
    accept_overflow: synfin::AcceptOverflow::Ignore,
};

#[derive(ClapArgs, Debug)]
#[group(skip)]
#[command(after_help = "\
Services:
  echo     send back what comes (RFC 862)
  discard  throw away what comes (RFC 863)
  chargen  send characters without end (RFC 864)
  hello    send `hello`, print what comes back
  http     the files of the folder DIR: GET and HEAD, ranges, listings

Examples:
  sudo synfin serve http .         then elsewhere: curl http://10.9.0.2:8080/
  sudo synfin serve echo --port 7  then elsewhere: nc 10.9.0.2 7
  sudo synfin serve echo --trace   every segment of every connection, live
  sudo synfin serve http . --address 10.9.0.2/24 --address fd00:9::2/64

It makes a TUN device with two ends: this machine's (10.9.0.1, Linux's TCP) and
ours (10.9.0.2). Ctrl-C closes the connections and removes the device.")]
pub struct Args {
    /// What to serve
    #[arg(value_enum)]
    service: Service,
    /// For http: the folder whose files are served
    dir: Option<PathBuf>,
    /// The port, 1 to 65535
    #[arg(long, value_name = "N", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    device: device::Args,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Service {
    Echo,
    Discard,
    Chargen,
    Hello,
    Http,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Echo => "echo",
            Service::Discard => "discard",
            Service::Chargen => "chargen",
            Service::Hello => "hello",
            Service::Http => "http",
        }
    }

    /// What a newcomer may type to see it work.
    fn try_it(self, at: SocketAddr) -> String {
        match self {
            Service::Http => format!("curl http://{at}/"),
            Service::Chargen => format!("nc {} {} | head", at.ip(), at.port()),
            _ => format!("nc {} {}", at.ip(), at.port()),
        }
    }
}

/// What a service counts.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections that were accepted.
    accepted: AtomicU64,
    /// Those of them that ended with an error.
    failed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Stats {
    /// Octets that came.
    pub fn received(&self, octets: usize) {
        self.received.fetch_add(octets as u64, Ordering::Relaxed);
    }

    /// Octets that were sent.
    pub fn sent(&self, octets: usize) {
        self.sent.fetch_add(octets as u64, Ordering::Relaxed);
    }
}

/// Runs the command until a signal comes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let root = match (args.service, &args.dir) {
        (Service::Http, Some(dir)) => Some(http::Root::open(dir)?),
        (Service::Http, None) => {
            return Err(Failure::Bad("serve http needs a folder: try `synfin serve http .`".into()));
        }
        (_, None) => None,
        (service, Some(dir)) => {
            let (name, dir) = (service.name(), dir.display());
            return Err(Failure::Bad(format!("serve {name} takes no folder: leave \"{dir}\" out")));
        }
    };
    let mut signals = signal::catch()?;
    let site = args.device.start(Some(args.port), &io::stdout())?;
    let every_address = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), args.port);
    let listener = TcpListener::bind_with(&site.net, every_address, QUEUES)
        .map_err(|e| Failure::Bad(format!("cannot listen on port {}: {e}", args.port)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .map_err(|e| Failure::Run(format!("cannot start threads: {e}")))?;

    let stats = Arc::new(Stats::default());
    say(&greeting(args, &site.ours, &site.device))?;
    site.print_trace(io::stdout());
    let serving = runtime.spawn(accept(listener, args.service, root, Arc::clone(&stats)));

    // A signal is how this program is meant to end.
    let _ = signals.forever().next();
    // Dropping the tasks drops their streams: the peers get FIN.
    serving.abort();
    runtime.shutdown_timeout(LINGER);
    let net = site.net.clone();
    // Peers that do not close in time are reset; that is no failure of ours.
    let (_, rows) = site.close(LINGER);
    let census = net.census();
    let Stats { accepted, failed, received, sent } = &*stats;
    let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
    say(&format!(
        "{rows}\n{} connections ({} failed), {} octets received, {} sent; at the end {} open, {} in TIME_WAIT\n",
        count(accepted),
        count(failed),
        count(received),
        count(sent),
        census.connections,
        census.time_wait,
    ))?;
    Ok(())
}

fn greeting(args: &Args, ours: &[IpAddr], device: &str) -> String {
    let at: Vec<SocketAddr> = ours.iter().map(|addr| SocketAddr::new(*addr, args.port)).collect();
    let list = at.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mut text = format!("Serving {} on {list}, device {device}. Try:\n", args.service.name());
    for at in at {
        text.push_str(&format!("  {}\n", args.service.try_it(at)));
    }
    text.push_str("Ctrl-C ends it.\n");
    text
}

async fn accept(listener: TcpListener, service: Service, root: Option<http::Root>, stats: Arc<Stats>) {
    let root = root.map(Arc::new);
    let mut tasks = tokio::task::JoinSet::new();
    // It fails only when the stack has ended.
    while let Ok((stream, _)) = listener.accept().await {
        stats.accepted.fetch_add(1, Ordering::Relaxed);
        let (root, stats) = (root.clone(), Arc::clone(&stats));
        tasks.spawn(async move {
            if serve(stream, service, root.as_deref(), &stats).await.is_err() {
                stats.failed.fetch_add(1, Ordering::Relaxed);
            }
        });
        while tasks.try_join_next().is_some() {}
    }
}

async fn serve(
    stream: TcpStream,
    service: Service,
    root: Option<&http::Root>,
    stats: &Stats,
) -> io::Result<()> {
    match (service, root) {
        (Service::Echo, _) => echo::serve(stream, stats).await,
        (Service::Discard, _) => discard::serve(stream, stats).await,
        (Service::Chargen, _) => chargen::serve(stream, stats).await,
        (Service::Hello, _) => hello::serve(stream, stats).await,
        (Service::Http, Some(root)) => http::serve(stream, root, stats).await,
        (Service::Http, None) => Ok(()),
    }
}
