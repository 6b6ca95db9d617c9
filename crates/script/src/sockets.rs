//! The stack as a program on Linux sees it, with calls, packets and clock from outside: for scripts, and for bindings that
//! bring their own. Both go through here, so both give the same verdicts.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

use synfin_link::{Caps, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{Cidr, More, Secrets, Stack, StackConfig};
use synfin_tcp::{State, Why};
use synfin_wire::{Addr, Endpoint, Instant, Tuple, ipv4, ipv6};

use crate::ast::{Call, Script};
use crate::call::Wrong;
use crate::host::Fields;
use crate::profile::Profile;
use crate::setup::Setup;
use crate::sys::{Octets, Op, Progress, Sys, World};
use crate::sysctl::{self, Shell as _};
use crate::trace::Trace;
use crate::wire;

pub use crate::sys::{Handed, Value};

/// When the clock begins: late enough for every clock of the stack to have an earlier value.
pub const START: Instant = Instant::from_millis(1_000_000);

/// What a call returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The result; -1 for an error.
    pub value: i64,
    /// Name of the errno.
    pub errno: Option<&'static str>,
    /// What came out through the arguments.
    pub handed: Handed,
    /// What of it the call's arguments do not expect.
    pub wrong: Vec<Wrong>,
}

/// A packet that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// When.
    pub at: Instant,
    /// The whole IP packet.
    pub packet: Vec<u8>,
    /// Why, if it is a segment.
    pub why: Option<Why>,
}

/// A call that waits.
#[derive(Debug)]
pub struct Pending(Op);

/// How far a call is.
#[derive(Debug)]
pub enum Begun {
    /// It has returned.
    Done(Reply),
    /// It waits: [`Sockets::go_on`] after everything that may end it.
    Waits(Pending),
}

/// Who decided on our address.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Place {
    /// Nobody yet: the first address that is used counts.
    Open,
    Settled,
}

/// A stack with Linux's sockets on top.
pub struct Sockets {
    setup: Setup,
    place: Place,
    profile: Profile,
    stack: Stack,
    trace: Trace,
    sys: Sys,
    now: Instant,
    sent: VecDeque<Outgoing>,
}

#[derive(Default)]
struct Sink(Vec<Vec<u8>>);

impl TxSink for Sink {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        let mut packet = head.to_vec();
        payload.iter().for_each(|p| packet.extend_from_slice(p));
        self.0.push(packet);
    }
}

impl Sockets {
    /// Sockets for a script: the octets that it writes and reads tell their places.
    pub(crate) fn of_script(profile: &Profile, setup: &Setup) -> Sockets {
        let trace = Trace::new(setup.mtu);
        Sockets {
            stack: stack(setup, profile, &trace),
            place: Place::Settled,
            setup: setup.clone(),
            profile: profile.clone(),
            trace,
            sys: Sys::new(Octets::Numbered),
            now: START,
            sent: VecDeque::new(),
        }
    }

    /// Sockets for a program. `options` are those of a script: `local_ip`, `remote_ip`, `ip_version`, `mtu`, `mss`. Without
    /// `local_ip`, the first address that is bound, or that a packet goes to, is ours.
    ///
    /// # Errors
    /// An option that is not known, or a value that is not understood.
    pub fn new(profile: &Profile, options: &[(String, String)]) -> Result<Sockets, String> {
        let setup = Setup::of(&Script::default(), options).map_err(|(_, why)| why)?;
        let told = options.iter().any(|(name, _)| name == "local_ip");
        let place = if told { Place::Settled } else { Place::Open };
        Ok(Sockets { place, sys: Sys::new(Octets::Given), ..Sockets::of_script(profile, &setup) })
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Takes this address for ours if nobody has said yet which one is.
    pub fn settle(&mut self, addr: Addr) {
        let open = std::mem::replace(&mut self.place, Place::Settled) == Place::Open;
        if !open || addr.is_unspecified() || addr == self.setup.addrs.local {
            return;
        }
        // No connection and no listener exists yet, so nothing is lost.
        if addr.is_v4() != self.setup.addrs.local.is_v4() {
            (self.setup.mtu, self.setup.prefix) = if addr.is_v4() { (1500, 16) } else { (1520, 64) };
        }
        self.setup.addrs.local = addr;
        self.trace = Trace::new(self.setup.mtu);
        self.stack = stack(&self.setup, &self.profile, &self.trace);
    }

    /// One setting, such as `net.ipv4.tcp_sack`, from now on.
    ///
    /// # Errors
    /// The setting is not known, or its value is not understood.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.profile.set(name, value)?;
        *self.stack.tcp_config_mut() = self.profile.tcp.clone();
        Ok(())
    }

    /// Does what the commands of a script ask for; returns for how long they sleep.
    ///
    /// # Errors
    /// A line that is not understood.
    pub fn command(&mut self, command: &str) -> Result<Duration, String> {
        let pause = sysctl::run(command, &mut self.profile)?;
        *self.stack.tcp_config_mut() = self.profile.tcp.clone();
        Ok(pause)
    }

    /// Begins a call. Its result names the descriptor that it is to hand out, if any; `...` in place of a value asks for it.
    /// `text`: what it writes, unless the octets are those of a script.
    ///
    /// # Errors
    /// The call, or what it asks for, does not exist here.
    pub fn call(&mut self, call: &Call, text: &[u8]) -> Result<Begun, String> {
        let (sys, mut world) = self.world();
        let mut op = sys.begin(&mut world, call)?;
        sys.set_text(&mut op, text);
        let begun = sys.attempt(&mut world, op)?;
        self.pump();
        Ok(begun.into())
    }

    /// Goes on with a call that waits.
    ///
    /// # Errors
    /// As [`Sockets::call`].
    pub fn go_on(&mut self, pending: Pending) -> Result<Begun, String> {
        let (sys, mut world) = self.world();
        let begun = sys.attempt(&mut world, pending.0)?;
        self.pump();
        Ok(begun.into())
    }

    /// When a call gives up by itself.
    pub fn gives_up(pending: &Pending) -> Instant {
        Sys::deadline(&pending.0)
    }

    /// A packet arrives: a whole IP datagram. One with more text than the option `mss` says counts as merged.
    pub fn packet(&mut self, bytes: &[u8]) {
        if let Some((_, dst, ..)) = heads(bytes) {
            self.settle(dst);
        }
        let text = text_len(bytes).unwrap_or(0);
        let merged = self.setup.merged.filter(|mss| usize::from(*mss) < text);
        self.packet_as(bytes, merged.and_then(NonZeroU16::new));
    }

    /// A packet arrives that was merged from segments of so many octets.
    pub(crate) fn packet_as(&mut self, bytes: &[u8], merged: Option<NonZeroU16>) {
        if let Some(errno) = icmp_errno(bytes) {
            self.trace.set_icmp_errno(errno);
        }
        let frame = RxFrame { bytes, meta: RxMeta { gro: merged, ..RxMeta::default() } };
        self.stack.on_packet(self.now, frame);
        self.pump();
    }

    /// When something happens by itself; [`Instant::NEVER`]: never.
    pub fn next(&self) -> Instant {
        self.stack.poll_timeout()
    }

    /// It is this time now. The caller makes a stop at every [`Sockets::next`] on the way.
    pub fn turn(&mut self, to: Instant) {
        self.now = self.now.max(to);
        if self.stack.poll_timeout() <= self.now {
            self.stack.on_timeout(self.now);
        }
        self.pump();
    }

    /// The oldest packet that was sent and not taken, with its time.
    pub fn sent(&mut self) -> Option<Outgoing> {
        self.sent.pop_front()
    }

    /// Whether a socket is one of IPv6, and its peer; `None`: no socket.
    pub fn peer(&mut self, fd: i64) -> Option<(bool, Option<Endpoint>)> {
        let (sys, mut world) = self.world();
        sys.peer(&mut world, fd)
    }

    /// TCP_INQ: what is left to read after a read, if the socket wants to know.
    pub fn left_to_read(&mut self, fd: i64) -> Option<i64> {
        let (sys, mut world) = self.world();
        sys.left_to_read(&mut world, fd)
    }

    /// What the stack knows of a connection, under the names of Linux's struct tcp_info.
    pub fn tcp_info(&mut self, fd: i64) -> Option<Fields> {
        let (sys, mut world) = self.world();
        sys.tcp_info_of(&mut world, fd)
    }

    /// The same for the connection that was opened or accepted last.
    pub fn last_tcp_info(&mut self) -> Option<Fields> {
        let (sys, mut world) = self.world();
        sys.tcp_info(&mut world)
    }

    /// Whether a connection is over: it has no record, or one in TIME-WAIT.
    pub fn is_over(&self, tuple: &Tuple) -> bool {
        let mut state = None;
        self.stack.for_each_record(&mut |t, s| {
            if t == tuple {
                state = Some(s);
            }
        });
        matches!(state, None | Some(State::TimeWait))
    }

    /// What was asked for since the last time and has no effect here.
    pub fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.profile.notes);
        notes.extend(self.sys.take_notes());
        notes
    }

    /// What the stack said last, oldest first.
    pub fn said(&self) -> Vec<(Instant, String)> {
        self.trace.said()
    }

    fn world(&mut self) -> (&mut Sys, World<'_>) {
        let world = World {
            stack: &mut self.stack,
            now: self.now,
            profile: &self.profile,
            trace: &self.trace,
            addrs: &self.setup.addrs,
        };
        (&mut self.sys, world)
    }

    /// Takes what the stack wants to send now.
    fn pump(&mut self) {
        let mut sink = Sink::default();
        while self.stack.poll_transmit(self.now, 256, &mut sink) == More::Pending {}
        // One reason for each segment, in the same order; other packets have none.
        let mut whys = self.trace.take_whys();
        for packet in sink.0 {
            let why = if wire::is_tcp(&packet) { whys.pop_front() } else { None };
            self.sent.push_back(Outgoing { at: self.now, packet, why });
        }
        let (sys, mut world) = self.world();
        sys.observe(&mut world);
    }
}

impl From<Progress> for Begun {
    fn from(progress: Progress) -> Begun {
        match progress {
            Progress::Waits(op) => Begun::Waits(Pending(op)),
            Progress::Done(ret) => Begun::Done(Reply {
                value: ret.value,
                errno: ret.errno,
                handed: ret.handed,
                wrong: ret.wrong,
            }),
        }
    }
}

/// The stack: with the same secrets each time, so with the same numbers.
fn stack(setup: &Setup, profile: &Profile, trace: &Trace) -> Stack {
    let config = StackConfig {
        tcp: profile.tcp.clone(),
        addrs: vec![Cidr { addr: setup.addrs.local, prefix: setup.prefix }],
        ..StackConfig::default()
    };
    let secrets = std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ 0x5a);
    let mut stack = Stack::new(config, Caps::plain(setup.mtu), Secrets(secrets));
    stack.set_probe(Some(Box::new(trace.clone())));
    stack
}

/// Source, destination, protocol and what it carries.
fn heads(bytes: &[u8]) -> Option<(Addr, Addr, u8, &[u8])> {
    if bytes.first()? >> 4 == 4 {
        let p = ipv4::Packet::parse(bytes).ok()?;
        return Some((p.src, p.dst, p.protocol, p.payload));
    }
    let p = ipv6::Packet::parse(bytes).ok()?;
    Some((p.src, p.dst, p.protocol, p.payload))
}

/// Octets of text in a segment.
fn text_len(bytes: &[u8]) -> Option<usize> {
    let (_, _, wire::TCP, segment) = heads(bytes)? else { return None };
    segment.len().checked_sub(usize::from(segment.get(12)? >> 4) * 4)
}

/// The errno that Linux makes of an ICMP error (RFC 1122 4.2.3.9; ip(7), ipv6(7)); `None`: no ICMP error.
pub(crate) fn icmp_errno(bytes: &[u8]) -> Option<Option<&'static str>> {
    let (.., protocol, message) = heads(bytes)?;
    let (&kind, &code) = (message.first()?, message.get(1)?);
    Some(match (protocol, kind, code) {
        (1, 3, 0 | 6 | 9 | 11) | (58, 1, 0) => Some("ENETUNREACH"),
        (1, 3, 2) => Some("ENOPROTOOPT"),
        (1, 3, 3) | (58, 1, 4) => Some("ECONNREFUSED"),
        (1, 3, 4) | (58, 2, _) => Some("EMSGSIZE"),
        (1, 3, 5) => Some("EOPNOTSUPP"),
        (1, 3, 7) => Some("EHOSTDOWN"),
        (1, 3, 8) => Some("ENONET"),
        (58, 1, 1 | 5 | 6) => Some("EACCES"),
        (1, 3 | 11, _) | (58, 1 | 3, _) => Some("EHOSTUNREACH"),
        (1, 12, _) | (58, 4, _) => Some("EPROTO"),
        // Source quench.
        (1, 4, _) => None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
