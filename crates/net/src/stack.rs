//! The stack: owner of every record, and its public face.

use alloc::boxed::Box;

use synfin_link::Caps;
use synfin_tcp::{Config, Counters, Pool, Probe, State};
use synfin_wire::{Endpoint, Instant, Tuple};

pub use crate::config::{
    AcceptOverflow, Census, Cidr, ConnId, ConnectError, ConnectOpts, ListenError, ListenOpts, ListenerId,
    ListenerStats, More, Secrets, SocketEvent, StackConfig, SynOverflow,
};
use crate::cookie::Cookies;
use crate::env::Env;
use crate::frag::Reassembly;
use crate::isn::Isn;
use crate::key::{Key, of_tuple};
use crate::limiter::Limiter;
use crate::listener::Listeners;
use crate::looped::Looped;
use crate::ports::Ports;
use crate::ready::Ready;
use crate::records::{MAX_RECORDS, Records};
use crate::reply::Replies;
use crate::route::Routes;
use crate::wheel::Wheel;

pub use crate::handle::Handle;

/// ICMP messages that may go out at once.
const ICMP_BURST: u32 = 50;
/// Octets of free buffer chunks that are kept for later use.
const KEEP_BUFFERS: usize = 4 << 20;

/// Limits on records.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: u32,
    pub(crate) half_open: u32,
    pub(crate) orphans: u32,
}

/// How often what may be sent.
pub(crate) struct Limiters {
    pub(crate) rst: Limiter,
    pub(crate) icmp_errors: Limiter,
    pub(crate) echo: Limiter,
}

/// One TCP/IP host without clock, thread or device.
pub struct Stack {
    pub(crate) env: Env,
    pub(crate) caps: Caps,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
    pub(crate) records: Records,
    pub(crate) listeners: Listeners,
    pub(crate) wheel: Wheel,
    /// Connections that may have something to send, by slot.
    pub(crate) ready: Ready,
    /// Objects whose application should look: slot * 2, + 1 for listeners.
    pub(crate) events: Ready,
    pub(crate) replies: Replies,
    pub(crate) looped: Looped,
    pub(crate) fragments: Reassembly,
    pub(crate) limiters: Limiters,
    pub(crate) isn: Isn,
    /// `None`: no port to choose from.
    pub(crate) ports: Option<Ports>,
    pub(crate) cookies: Cookies,
    flow_key: Key,
    /// Connections that nobody holds.
    pub(crate) orphans: u32,
}

impl Stack {
    /// A stack for a device with these abilities. From an empty range of ephemeral ports, or one with port 0, no port is
    /// ever chosen: calls have to name theirs.
    pub fn new(cfg: StackConfig, caps: Caps, secrets: Secrets) -> Stack {
        let mut keys = secrets.0.as_chunks::<16>().0.iter().map(|octets| Key::new(*octets));
        let mut key = || keys.next().unwrap_or(Key::new([0; 16]));
        let (demux, isn, ports, other) = (key(), key(), key(), key());
        Stack {
            env: Env {
                now: Instant::ZERO,
                tcp: cfg.tcp,
                pool: Pool::new(cfg.max_buffer_memory, KEEP_BUFFERS),
                counters: Counters::default(),
                probe: None,
            },
            caps,
            limits: Limits {
                connections: cfg.max_connections.min(MAX_RECORDS),
                half_open: cfg.max_half_open.min(MAX_RECORDS),
                orphans: cfg.max_orphans,
            },
            routes: Routes::new(cfg.addrs),
            records: Records::new(demux, cfg.max_time_wait),
            listeners: Listeners::new(),
            wheel: Wheel::new(Instant::ZERO),
            ready: Ready::new(),
            events: Ready::new(),
            replies: Replies::new(cfg.max_answers),
            looped: Looped::new(cfg.max_looped),
            fragments: Reassembly::new(cfg.fragments),
            limiters: Limiters {
                rst: Limiter::blurred(cfg.rst_rate, cfg.rst_rate, other.derive("RST limit")),
                icmp_errors: Limiter::blurred(
                    cfg.icmp_rate,
                    ICMP_BURST.min(cfg.icmp_rate),
                    other.derive("ICMP error limit"),
                ),
                // Who asks for echoes learns of others' echoes: that is no secret worth a token.
                echo: Limiter::new(cfg.icmp_rate, ICMP_BURST.min(cfg.icmp_rate)),
            },
            isn: Isn::new(&isn),
            ports: Ports::new(&ports, cfg.ephemeral_ports).ok(),
            cookies: Cookies::new(&other),
            flow_key: other.derive("flow label"),
            orphans: 0,
        }
    }

    /// From now on tells `probe` what happens.
    pub fn set_probe(&mut self, probe: Option<Box<dyn Probe + Send>>) {
        self.env.probe = probe;
    }

    /// Settings of connections, to change: what is read when a connection begins holds for later ones only, timers and
    /// limits for all.
    pub fn tcp_config_mut(&mut self) -> &mut Config {
        &mut self.env.tcp
    }

    /// When [`Stack::on_timeout`] wants to be called; never more than a millisecond later than the first deadline.
    pub fn poll_timeout(&self) -> Instant {
        self.wheel.next().min(self.records.time_wait.next()).min(self.fragments.next())
    }

    /// The next object whose application should look at it. Each object is named once however much happened.
    pub fn poll_event(&mut self) -> Option<SocketEvent> {
        // What was named but is gone, or belongs to nobody by now, is passed over.
        while let Some(event) = self.events.pop() {
            let index = event >> 1;
            let object = if event & 1 == 1 {
                self.listeners.id_at(index).map(SocketEvent::Listener)
            } else {
                self.held(index).map(SocketEvent::Connection)
            };
            if object.is_some() {
                return object;
            }
        }
        None
    }

    /// How many records exist.
    pub fn census(&self) -> Census {
        Census {
            connections: self.records.conns.len() as u32,
            half_open: self.records.half_open.len(),
            time_wait: self.records.time_wait.len(),
            orphans: self.orphans,
            listeners: self.listeners.len() as u32,
            buffers: self.env.pool.used(),
        }
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.env.counters
    }

    /// Our addresses.
    pub fn addrs(&self) -> &[Cidr] {
        self.routes.addrs()
    }

    /// Calls `each` for every record, in no particular order: tuple, state. A listener's remote endpoint is
    /// unspecified; connections that ended and only wait for their application are left out. For dumps only.
    pub fn for_each_record(&self, each: &mut dyn FnMut(&Tuple, State)) {
        for l in self.listeners.iter() {
            each(&listener_tuple(l.at), State::Listen);
        }
        self.records.half_open.iter().for_each(|r| each(r.tuple(), State::SynReceived));
        self.records.up().for_each(|c| each(c.tuple(), c.state()));
        self.records.time_wait.iter().for_each(|t| each(t.tuple(), State::TimeWait));
    }

    /// The flow label of a tuple's IPv6 packets (RFC 6437 3): hard to guess and always the same.
    pub(crate) fn flow(&self, tuple: &Tuple) -> u32 {
        if tuple.remote.addr.is_v4() {
            return 0;
        }
        of_tuple(tuple, |octets| self.flow_key.sip13(octets)) as u32 & 0xf_ffff
    }
}

/// The name under which a listener is shown: there is no peer yet.
pub(crate) fn listener_tuple(at: Endpoint) -> Tuple {
    Tuple { local: at, remote: Endpoint::new(at.addr.unspecified_like(), 0) }
}

#[cfg(test)]
mod tests;
