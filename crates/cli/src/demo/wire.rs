//! The line between Linux and us: a TUN device, and on top of it a delay each way, as a real line has. It makes
//! every state last long enough to be seen.
//!
//! Whenever a packet has passed the kernel's end, the kernel is asked for the state of its socket.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use synfin_explain::{Side, State};
use synfin_link::{Caps, Device, RxFrame, TxMeta, TxSink};
use synfin_netns::SockDiag;
use synfin_netns::diag::Detail;
use synfin_rt::{Clock, FdWait, Sending, Wait};
use synfin_tun::Tun;
use synfin_wire::{Endpoint, Instant};

use super::show::Shared;
use crate::packet::Packet;

/// How long a packet is under way.
pub const DELAY: Duration = Duration::from_millis(10);
/// The kernel's programs change states too, without a packet: the kernel is asked this often.
const LOOK: Duration = Duration::from_millis(1);
/// Packets under way in each direction.
const CAPACITY: usize = 256;

/// A packet under way.
struct Frame {
    due: Instant,
    bytes: Vec<u8>,
}

/// The line, seen from our stack.
pub struct Wire {
    tun: Tun,
    clock: Clock,
    /// Our end.
    ours: Side,
    show: Shared,
    kernel: Option<KernelEnd>,
    inbound: VecDeque<Frame>,
    outbound: VecDeque<Frame>,
}

impl Wire {
    /// `diag` asks the kernel for states; without it nobody does.
    pub fn new(tun: Tun, clock: Clock, ours: Side, show: Shared, diag: Option<SockDiag>) -> Wire {
        let kernel = diag.map(|diag| KernelEnd { diag, side: ours.other(), ends: None, alive: false });
        Wire { tun, clock, ours, show, kernel, inbound: VecDeque::new(), outbound: VecDeque::new() }
    }

    /// Takes what the kernel has sent.
    fn take_from_kernel(&mut self) -> Result<(), synfin_tun::Error> {
        let Wire { tun, clock, ours, show, kernel, inbound, .. } = self;
        tun.recv(&mut |frame| {
            let now = {
                let mut show = show.lock();
                let now = clock.now();
                show.packet(ours.other(), frame.bytes, now, Some(now + DELAY));
                now
            };
            inbound.push_back(Frame { due: now + DELAY, bytes: frame.bytes.to_vec() });
            if let Some(kernel) = kernel {
                kernel.meet(frame.bytes);
                kernel.look(clock, show);
            }
        })?;
        Ok(())
    }

    /// Gives the kernel what has arrived there.
    fn give_to_kernel(&mut self) -> Result<(), synfin_tun::Error> {
        while let Some(frame) = self.outbound.pop_front_if(|frame| frame.due <= self.clock.now()) {
            self.tun.tx().push(&frame.bytes, &[], TxMeta::default());
            self.tun.flush()?;
            self.look();
        }
        Ok(())
    }

    fn look(&mut self) {
        if let Some(kernel) = &mut self.kernel {
            kernel.look(&self.clock, &self.show);
        }
    }
}

impl Device for Wire {
    type Error = synfin_tun::Error;

    fn caps(&self) -> Caps {
        self.tun.caps()
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, synfin_tun::Error> {
        self.take_from_kernel()?;
        self.give_to_kernel()?;
        self.look();
        let mut received = 0;
        while let Some(frame) = self.inbound.pop_front_if(|frame| frame.due <= self.clock.now()) {
            each(RxFrame::plain(&frame.bytes));
            received += 1;
        }
        Ok(received)
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self
    }

    fn flush(&mut self) -> Result<(), synfin_tun::Error> {
        self.give_to_kernel()
    }
}

impl TxSink for Wire {
    fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.outbound.len())
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        let mut bytes = head.to_vec();
        payload.iter().for_each(|part| bytes.extend_from_slice(part));
        let mut show = self.show.lock();
        let now = self.clock.now();
        show.packet(self.ours, &bytes, now, Some(now + DELAY));
        self.outbound.push_back(Frame { due: now + DELAY, bytes });
    }
}

/// The kernel's socket.
struct KernelEnd {
    diag: SockDiag,
    side: Side,
    /// The kernel's end and ours, once the first packet has told them.
    ends: Option<(SocketAddr, SocketAddr)>,
    /// It was there: when it is there no more, it is CLOSED.
    alive: bool,
}

impl KernelEnd {
    /// Learns from a packet of the kernel which connection it is.
    fn meet(&mut self, bytes: &[u8]) {
        if let Some(Packet { src, dst, .. }) = Packet::parse(bytes) {
            self.ends.get_or_insert((src.into(), dst.into()));
        }
    }

    /// Asks for the state.
    fn look(&mut self, clock: &Clock, show: &Shared) {
        let Some((local, remote)) = self.ends else { return };
        let state = match self.diag.find(local, remote, Detail::Brief) {
            Ok(Some(sock)) => State::from_name(sock.state.name()),
            Ok(None) if self.alive => Some(State::Closed),
            // Not yet there, or the kernel is busy: the next look will tell.
            Ok(None) | Err(_) => None,
        };
        if let Some(state) = state {
            self.alive = true;
            let mut show = show.lock();
            show.state(self.side, clock.now(), state);
        }
    }
}

/// Waits for the line: for the device, for packets under way, and for the next look at the kernel.
pub struct WireWait(pub FdWait);

impl Wait<Wire> for WireWait {
    fn waker(&self) -> Waker {
        Wait::<Tun>::waker(&self.0)
    }

    fn wait(&mut self, wire: &Wire, _: Sending, timeout: Option<Duration>) -> io::Result<()> {
        let now = wire.clock.now();
        let due =
            [&wire.inbound, &wire.outbound].into_iter().filter_map(|line| Some(line.front()?.due)).min();
        let wait = due.map_or(LOOK, |due| due.since(now)).min(LOOK).min(timeout.unwrap_or(LOOK));
        self.0.wait(&wire.tun, Sending::Idle, Some(wait))
    }
}

/// The ends of a connection as the kernel and we see it.
pub fn client_and_server(ours: Side, local: Endpoint, remote: Endpoint) -> (Endpoint, Endpoint) {
    if ours == Side::Left { (local, remote) } else { (remote, local) }
}
