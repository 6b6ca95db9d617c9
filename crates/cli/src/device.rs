//! The TUN device of `serve` and `connect`, and the host on it.

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;
use synfin::Net;
use synfin_explain::Options;
use synfin_link::pcapng::Direction;
use synfin_link::{Caps, Device, RxFrame, TxMeta, TxSink};
use synfin_netns::Links;
use synfin_tcp::{Event, Probe};
use synfin_tun::{Cidr, Tun};
use synfin_wire::{Instant, Tuple};

use crate::error::Failure;
use crate::pcap::Capture;
use crate::terminal::View;
use crate::trace::{Purpose, Trace};

/// How often a trace prints what is new.
const PRINT: Duration = Duration::from_millis(50);

/// Where our TCP lives.
#[derive(ClapArgs, Debug)]
#[group(skip)]
#[command(next_help_heading = "Network")]
pub struct Args {
    /// The TUN device; made, until the program ends, if there is none
    #[arg(long, value_name = "NAME", default_value = "synfin0")]
    tun: String,
    /// Our address and its network; may be repeated, for IPv4 and IPv6
    #[arg(long, value_name = "CIDR", default_value = "10.9.0.2/24")]
    address: Vec<Cidr>,
    /// This machine's address there [default: the network's first]
    #[arg(long, value_name = "CIDR")]
    peer_address: Vec<Cidr>,
    /// Largest IP packet of a device that is made [default: 1500]
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u16).range(68..))]
    mtu: Option<u16>,
    /// Keep all packets in a pcapng file for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Print the ladder of every connection, live
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    view: View,
}

/// A running host.
pub struct Site {
    /// The host.
    pub net: Net,
    /// The device's name.
    pub device: String,
    /// Our addresses.
    pub ours: Vec<IpAddr>,
    trace: Option<Trace>,
}

impl Args {
    /// How the ladder looks on that stream.
    pub fn options(&self, stream: &impl IsTerminal) -> Options {
        self.view.options(stream)
    }

    /// Opens or makes the device and starts a host on it. `listening` is the port that the program listens on.
    pub fn start(&self, listening: Option<u16>, stream: &impl IsTerminal) -> Result<Site, Failure> {
        let mut ours = Vec::new();
        for cidr in &self.address {
            check_host(cidr, "--address")?;
            if ours.contains(&cidr.addr()) {
                return Err(Failure::Bad(format!("--address {cidr} is given twice: leave one out")));
            }
            ours.push(cidr.addr());
        }
        let peers = self.peers()?;
        let capture = match &self.pcap {
            Some(path) => Some(Capture::create(path, &self.tun, "")?),
            None => None,
        };
        let tun = self.device(&peers)?;
        let device = tun.name().to_owned();
        let trace = self.trace.then(|| Trace::new(Purpose::Rows, self.options(stream), listening));
        let record = capture.map(|capture| Record {
            capture,
            comments: Trace::new(Purpose::Comments, Options::default(), listening),
            broken: false,
        });
        let mut builder = Net::builder();
        for cidr in &self.address {
            builder = builder.address(cidr.addr(), cidr.prefix());
        }
        let probes: Vec<_> =
            trace.iter().chain(record.iter().map(|record| &record.comments)).map(Trace::probe).collect();
        let net = if probes.is_empty() {
            builder.start(tun)
        } else {
            let rows = trace.clone();
            builder.probe(Box::new(Each(probes))).start(Watched { tun, room: 0, rows, record })
        };
        let net = net.map_err(|e| Failure::Bad(format!("cannot start on {device}: {e}")))?;
        Ok(Site { net, device, ours, trace })
    }

    /// The addresses of this machine's end, one for each network of ours.
    fn peers(&self) -> Result<Vec<Cidr>, Failure> {
        for peer in &self.peer_address {
            check_host(peer, "--peer-address")?;
            if self.address.iter().any(|ours| ours.addr() == peer.addr()) {
                return Err(Failure::Bad(format!(
                    "{} is both --address and --peer-address: the two ends need different addresses",
                    peer.addr()
                )));
            }
        }
        let mut peers = self.peer_address.clone();
        for ours in &self.address {
            if !peers.iter().any(|peer| same_network(peer, ours)) {
                peers.push(neighbour(ours)?);
            }
        }
        Ok(peers)
    }

    fn device(&self, peers: &[Cidr]) -> Result<Tun, Failure> {
        if Tun::exists(&self.tun) {
            let given = |what| {
                Failure::Bad(format!(
                    "{} exists already, so {what} does not apply: leave it out, or choose another --tun",
                    self.tun
                ))
            };
            if !self.peer_address.is_empty() {
                return Err(given("--peer-address"));
            }
            if self.mtu.is_some() {
                return Err(given("--mtu"));
            }
            return Ok(Tun::open(&self.tun)?);
        }
        check_free(&self.address, peers)?;
        let tun = Tun::builder().name(&self.tun).mtu(self.mtu(peers)?).build()?;
        let set_up = || -> Result<(), synfin_netns::Error> {
            let mut links = Links::new()?;
            let index = links.index(tun.name())?;
            // This way the addresses can be used at once.
            peers.iter().try_for_each(|peer| links.add_address(index, peer.addr(), peer.prefix()))
        };
        set_up().map_err(|e| Failure::Bad(format!("{}: {e}", tun.name())))?;
        Ok(tun)
    }

    fn mtu(&self, peers: &[Cidr]) -> Result<u16, Failure> {
        const LEAST_IPV6: u16 = 1280;
        match self.mtu {
            Some(mtu) if mtu < LEAST_IPV6 && peers.iter().any(|peer| peer.addr().is_ipv6()) => {
                Err(Failure::Bad(format!(
                    "--mtu {mtu} is too small for IPv6 (RFC 8200): use {LEAST_IPV6} or more"
                )))
            }
            mtu => Ok(mtu.unwrap_or(1500)),
        }
    }
}

impl Site {
    /// From now on prints the ladder, if it was asked for, to `out`.
    pub fn print_trace(&self, mut out: impl Write + Send + 'static) {
        let Some(trace) = self.trace.clone() else { return };
        std::thread::spawn(move || {
            while out.write_all(trace.take().as_bytes()).and_then(|()| out.flush()).is_ok() {
                std::thread::sleep(PRINT);
            }
        });
    }

    /// Closes everything, waits `linger` at most for the peers, and gives the rest of the ladder.
    pub fn close(self, linger: Duration) -> (io::Result<()>, String) {
        let ended = self.net.shutdown(linger);
        (ended, self.trace.map(|trace| trace.finish()).unwrap_or_default())
    }
}

/// Whether an address can be one host's.
fn check_host(cidr: &Cidr, option: &str) -> Result<(), Failure> {
    let bad = |what| {
        let cure = "use a host's address, such as 10.9.0.2/24";
        Err(Failure::Bad(format!("{option} {cidr} is {what}: {cure}")))
    };
    if cidr.addr().is_loopback() {
        return bad("a loopback address");
    }
    if let IpAddr::V4(addr) = cidr.addr() {
        let hosts = u32::MAX.checked_shr(cidr.prefix().into()).unwrap_or(0);
        if addr.is_broadcast() || (cidr.prefix() < 31 && addr.to_bits() & hosts == hosts) {
            return bad("a broadcast address");
        }
        if cidr.prefix() < 31 && addr.to_bits() & hosts == 0 {
            return bad("the name of a network");
        }
    }
    Ok(())
}

/// The address as a number with its width.
fn bits(addr: IpAddr) -> (u128, u32) {
    match addr {
        IpAddr::V4(addr) => (addr.to_bits().into(), 32),
        IpAddr::V6(addr) => (addr.to_bits(), 128),
    }
}

/// Whether `one`'s network holds `other`'s address.
fn same_network(one: &Cidr, other: &Cidr) -> bool {
    let ((a, width), (b, other_width)) = (bits(one.addr()), bits(other.addr()));
    let hosts = width.saturating_sub(one.prefix().into());
    width == other_width && a.checked_shr(hosts).unwrap_or(0) == b.checked_shr(hosts).unwrap_or(0)
}

/// The first host's address in a network that is not `ours`.
fn neighbour(ours: &Cidr) -> Result<Cidr, Failure> {
    let (own, width) = bits(ours.addr());
    let hosts = width.saturating_sub(ours.prefix().into());
    let first = match hosts {
        0 => None,
        // RFC 3021, RFC 6164: both addresses of a link of two are hosts.
        1 => Some(own ^ 1),
        _ => {
            let network = own & u128::MAX.checked_shl(hosts).unwrap_or(0);
            [network | 1, network | 2].into_iter().find(|candidate| *candidate != own)
        }
    };
    let addr = first.map(|first| match ours.addr() {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::from_bits(first as u32)),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::from_bits(first)),
    });
    match addr.map(|addr| Cidr::new(addr, ours.prefix())) {
        Some(Ok(cidr)) => Ok(cidr),
        _ => Err(Failure::Bad(format!(
            "{ours} leaves no address for this machine: use a shorter prefix, such as /{}, or give --peer-address",
            if width == 32 { 24 } else { 64 }
        ))),
    }
}

/// Whether nobody on this machine has these addresses or networks.
fn check_free(ours: &[Cidr], peers: &[Cidr]) -> Result<(), Failure> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Ok(()) };
    for interface in interfaces {
        let Some(addr) = interface.address.and_then(|a| {
            let v4 = a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        }) else {
            continue;
        };
        let name = interface.interface_name;
        for cidr in ours.iter().chain(peers) {
            if cidr.addr() == addr {
                return Err(Failure::Bad(format!(
                    "{addr} is in use on {name} of this machine: choose another --address"
                )));
            }
            let Ok(theirs) = Cidr::new(addr, cidr.prefix()) else { continue };
            let local = matches!(addr, IpAddr::V6(a) if a.is_unicast_link_local());
            if !local && same_network(cidr, &theirs) {
                return Err(Failure::Bad(format!(
                    "the network of {cidr} is in use on {name} of this machine: choose another --address"
                )));
            }
        }
    }
    Ok(())
}

/// A TUN device whose packets are shown and kept.
struct Watched {
    tun: Tun,
    /// Of `tun`, when last asked.
    room: usize,
    rows: Option<Trace>,
    record: Option<Record>,
}

/// A capture and what is said in it.
struct Record {
    capture: Capture,
    comments: Trace,
    broken: bool,
}

impl Record {
    fn packet(&mut self, nanos: u64, direction: Direction, bytes: &[u8]) {
        let comment = self.comments.take_comment(direction, bytes);
        self.attempt(|capture| capture.packet(nanos, direction, &comment, bytes));
    }

    /// A capture that cannot be written any more ends; the network goes on.
    fn attempt(&mut self, work: impl FnOnce(&mut Capture) -> io::Result<()>) {
        if !self.broken
            && let Err(e) = work(&mut self.capture)
        {
            eprintln!("synfin: the capture ends here: {e}");
            self.broken = true;
        }
    }
}

fn unix_nanos() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or_default()
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tun.as_fd()
    }
}

impl Device for Watched {
    type Error = synfin_tun::Error;

    fn caps(&self) -> Caps {
        self.tun.caps()
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, synfin_tun::Error> {
        let Watched { tun, rows, record, .. } = self;
        tun.recv(&mut |frame| {
            let nanos = unix_nanos();
            if let Some(rows) = rows {
                rows.packet(Direction::Inbound, frame.bytes);
            }
            each(frame);
            if let Some(record) = record {
                record.packet(nanos, Direction::Inbound, frame.bytes);
            }
        })
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self.room = self.tun.tx().room();
        self
    }

    fn flush(&mut self) -> Result<(), synfin_tun::Error> {
        if let Some(record) = &mut self.record {
            record.attempt(Capture::flush);
        }
        self.tun.flush()
    }
}

impl TxSink for Watched {
    fn room(&self) -> usize {
        self.room
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        let mut bytes = head.to_vec();
        payload.iter().for_each(|part| bytes.extend_from_slice(part));
        if let Some(rows) = &self.rows {
            rows.packet(Direction::Outbound, &bytes);
        }
        if let Some(record) = &mut self.record {
            record.packet(unix_nanos(), Direction::Outbound, &bytes);
        }
        let sink = self.tun.tx();
        sink.push(head, payload, meta);
        self.room = sink.room();
    }
}

/// Tells each of several.
struct Each(Vec<Box<dyn Probe + Send>>);

impl Probe for Each {
    fn on_event(&mut self, now: Instant, who: &Tuple, event: &Event<'_>) {
        self.0.iter_mut().for_each(|probe| probe.on_event(now, who, event));
    }
}

#[cfg(test)]
mod tests;
