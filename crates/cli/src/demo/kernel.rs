//! Linux's TCP at the one end and ours at the other, in a network namespace of their own.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use synfin::Net;
use synfin_explain::{Options, Pair, Side, State};
use synfin_netns::diag::Filter;
use synfin_netns::{KernelState, Links, Namespace, SockDiag};
use synfin_rt::{Clock, FdWait};
use synfin_tcp::{Event, Probe};
use synfin_tun::Tun;
use synfin_wire::{Instant, Tuple};

use super::show::{Shared, Show};
use super::story::{self, Step};
use super::wire::{Wire, WireWait, client_and_server};
use super::{Asks, Ended, PORT, Plan};
use crate::error::Failure;
use crate::packet::state_of;
use crate::terminal::say;

/// How often what is new is printed.
const PRINT: Duration = Duration::from_millis(15);
/// How long both ends have to be done; the story takes about one second.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a program waits for its peer.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after the programs' end the last segments may take.
const LAST_SEGMENTS: Duration = Duration::from_millis(500);

/// The private network: made first of all, while there is one thread only. It vanishes with the process.
pub struct Ground {
    tun: Tun,
    kernel: IpAddr,
    ours: IpAddr,
    diag: Option<SockDiag>,
}

impl Ground {
    /// Who is asked for the kernel's states.
    pub fn asks(&self) -> Asks {
        if self.diag.is_some() { Asks::Kernel } else { Asks::Nobody }
    }

    /// Makes it, or says in words why this machine does not let us.
    pub fn prepare(plan: &Plan) -> Result<Ground, String> {
        let (kernel, ours) = plan.addresses();
        let prefix = if kernel.is_ipv4() { 24 } else { 64 };
        Namespace::enter_private().map_err(|e| e.to_string())?;
        let tun = Tun::builder().name("synfin0").build().map_err(|e| e.to_string())?;
        let address = || -> Result<(), synfin_netns::Error> {
            let mut links = Links::new()?;
            let index = links.index(tun.name())?;
            // This way an IPv6 address can be used at once.
            links.add_address(index, kernel, prefix)
        };
        address().map_err(|e| e.to_string())?;
        // Some containers withhold sock_diag: then the kernel's states are concluded from its segments.
        Ok(Ground { tun, kernel, ours, diag: SockDiag::new().ok() })
    }
}

/// What our stack tells.
struct OurEnd {
    side: Side,
    show: Shared,
    clock: Clock,
}

impl Probe for OurEnd {
    fn on_event(&mut self, _: Instant, who: &Tuple, event: &Event<'_>) {
        // Listeners have no peer.
        if who.remote.port == 0 {
            return;
        }
        if let Event::State { to, .. } = event {
            let (client, server) = client_and_server(self.side, who.local, who.remote);
            let mut show = self.show.lock();
            show.open(client, server);
            // The clock of the line, not that of the stack: one clock for everything that is shown.
            show.state(self.side, self.clock.now(), state_of(*to));
        }
    }
}

/// Runs the story and prints it.
pub fn run(ground: Ground, plan: &Plan, options: Options) -> Result<Ended, Failure> {
    let ours = plan.ours();
    let Ground { tun, kernel, ours: our_addr, mut diag } = ground;
    let infer = if diag.is_none() { Some(ours.other()) } else { None };
    let options = Options { infer, ..options };
    let clock = Clock::start();
    let show = Shared::new(Show::new(options, stacks(ours), ours));
    plan.on_signal(&show);

    let server_side = SocketAddr::new(if ours == Side::Right { our_addr } else { kernel }, PORT);
    let kernel_listener = match ours {
        Side::Left => Some(TcpListener::bind(server_side).map_err(cannot("listen"))?),
        Side::Right => None,
    };
    let first = first_state(ours, diag.as_mut());
    show.lock().begins_in(ours.other(), first);

    let probe = OurEnd { side: ours, show: show.clone(), clock };
    let prefix = if our_addr.is_ipv4() { 24 } else { 64 };
    let wait = WireWait(FdWait::new().map_err(cannot("wait for the device"))?);
    let wire = Wire::new(tun, clock, ours, show.clone(), diag);
    let net = Net::builder()
        .address(our_addr, prefix)
        .probe(Box::new(probe))
        .start_with(wire, wait)
        .map_err(cannot("start the stack"))?;

    let client = story::steps(Side::Left, plan.first_closer());
    let server = story::steps(Side::Right, plan.first_closer());
    let programs = match kernel_listener {
        None => {
            let listener =
                synfin::blocking::TcpListener::bind(&net, server_side).map_err(cannot("listen"))?;
            [
                program(move || play_kernel(TcpStream::connect(server_side)?, &client)),
                program(move || play_ours(listener.accept()?.0, &server)),
            ]
        }
        Some(listener) => {
            let net = net.clone();
            [
                program(move || play_ours(synfin::blocking::TcpStream::connect(&net, server_side)?, &client)),
                program(move || play_kernel(listener.accept()?.0, &server)),
            ]
        }
    };
    watch(&show, clock, programs)?;
    let mut show = show.lock();
    let rest = show.finish();
    say(&rest)?;
    plan.write_capture(&mut show)?;
    Ok(Ended { tally: show.tally(), inferred: infer.is_some() })
}

/// Prints what is new until both programs have ended and both ends have closed.
fn watch(show: &Shared, clock: Clock, programs: [JoinHandle<io::Result<()>>; 2]) -> Result<(), Failure> {
    let mut ended_at = None;
    loop {
        std::thread::sleep(PRINT);
        let (text, settled, now) = {
            let mut show = show.lock();
            let now = clock.now();
            (show.take(now), show.settled(), now)
        };
        say(&text)?;
        let done = programs.iter().all(JoinHandle::is_finished);
        let since = done.then(|| *ended_at.get_or_insert(now));
        if let Some(since) = since
            && (settled || now.since(since) > LAST_SEGMENTS)
        {
            break;
        }
        if now.since(Instant::ZERO) > PATIENCE {
            return Err(Failure::Run(
                "the two ends did not come to an end; is this machine very busy?".into(),
            ));
        }
    }
    for program in programs {
        let result = program.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.map_err(cannot("hold the conversation"))?;
    }
    Ok(())
}

fn program(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(work)
}

fn play_kernel(stream: TcpStream, steps: &[Step]) -> io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    story::play(stream, steps)
}

fn play_ours(stream: synfin::blocking::TcpStream, steps: &[Step]) -> io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    story::play(stream, steps)
}

/// The state of the kernel's end before the first segment: a server's is LISTEN, if the kernel says so.
fn first_state(ours: Side, diag: Option<&mut SockDiag>) -> Option<State> {
    if ours == Side::Right {
        return Some(State::Closed);
    }
    let socks = diag?.tcp_sockets(Filter::port(PORT)).ok()?;
    socks.iter().any(|sock| sock.state == KernelState::Listen).then_some(State::Listen)
}

/// The names of the two TCPs.
fn stacks(ours: Side) -> Pair<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    let mut stacks = Pair { left: String::from("synfin"), right: String::from("synfin") };
    *stacks.get_mut(ours.other()) = format!("Linux {}", version.join(".")).trim_end().to_owned();
    stacks
}

fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |e| Failure::Run(format!("cannot {what}: {e}"))
}
