//! Target `endpoint`: a stack and a few connections under arbitrary segments around their numbers, arbitrary calls
//! and arbitrary steps of time.

mod forge;

use std::collections::VecDeque;
use std::time::Duration;

use synfin_net::{AcceptOverflow, ConnectOpts, ListenOpts, SocketEvent, SynOverflow};
use synfin_tcp::{Keepalive, Shutdown};
use synfin_wire::{Endpoint, Tuple};

use crate::host::{Host, tuple};
use crate::input::Input;
use crate::packets::{ACK, Draft, SYN};

/// More steps than this are left out: a run should take milliseconds.
const STEPS: usize = 400;
/// Ports of the stack.
const LOCAL_PORTS: [u16; 2] = [80, 40_000];
/// Ports of peers; the last makes a connection of the stack to itself possible.
const PEER_PORTS: [u16; 3] = [4000, 4001, 80];

struct World<'a> {
    u: Input<'a>,
    host: Host,
    /// The conversation that most segments belong to.
    main: Tuple,
    /// What was injected lately.
    old: VecDeque<Vec<u8>>,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let host = Host::new(&mut u);
    let v6 = host.has_v6() && u.one_in(2);
    let main = tuple(v6, u.pick(&LOCAL_PORTS), u.pick(&PEER_PORTS[..2]));
    let mut w = World { u, host, main, old: VecDeque::new() };
    w.begin();
    for _ in 0..STEPS {
        if w.u.is_over() {
            break;
        }
        w.step();
        w.host.check();
    }
    w.host.finish();
}

impl World<'_> {
    /// The conversation has got so far already.
    fn begin(&mut self) {
        let how = self.u.below(5);
        if how == 0 {
            return;
        }
        let peer_iss = self.u.pick(&[1000, 0, u32::MAX, 0x7fff_ff00]);
        self.host.ledger.lock().pages.entry(self.main).or_default().peer_iss = peer_iss;
        let (active, whole) = (how >= 3, how.is_multiple_of(2));
        if active {
            self.connect_to(self.main.remote, Some(self.main.local));
        } else {
            self.listen();
        }
        let options = self.syn_options();
        if active && !whole {
            return;
        }
        self.host.drain();
        let flags = if active { SYN | ACK } else { SYN };
        let ack = self.page().end.raw();
        let draft = Draft { seq: peer_iss, ack, flags, wnd: 65_535, options, ..Draft::default() };
        self.put(&draft.packet(&self.main));
        if whole && !active {
            let draft = self.honest_ack();
            self.put(&draft.packet(&self.main));
            self.host.accept();
        }
        self.host.check();
    }

    fn put(&mut self, packet: &[u8]) {
        self.host.inject(packet, Default::default(), false);
        self.host.drain();
    }

    fn step(&mut self) {
        match self.u.below(32) {
            0..14 => self.arrive(),
            14..17 => self.write(),
            17..20 => self.read(),
            20 | 21 => self.host.accept(),
            22 => self.close(),
            23 => self.configure(),
            24 => self.open(),
            25 => self.events(),
            26 | 27 => {
                let d = self.u.span();
                self.host.advance(d, 40);
            }
            28 => {
                let d = self.u.span();
                self.host.jump(d);
            }
            29 => {
                let (budget, room) = (self.u.below(4), self.u.below(4));
                let (_, _) = self.host.turn(budget, room);
            }
            _ => {
                self.host.drain();
            }
        }
    }

    fn some_length(&mut self) -> usize {
        let any = self.u.octet();
        self.u.pick(&[1000, 1, 0, 10, usize::from(any), 1448, 5000, 20_000, 70_000])
    }

    fn which(&mut self) -> usize {
        self.u.below(self.host.held.len())
    }

    fn write(&mut self) {
        let (at, n, urgent) = (self.which(), self.some_length(), self.u.one_in(8));
        self.host.write(at, n, urgent);
    }

    fn read(&mut self) {
        let (at, n, peek) = (self.which(), self.some_length(), self.u.one_in(4));
        // Nothing to read, and the end, are as good as text here.
        let _ = self.host.read(at, n, peek);
    }

    fn events(&mut self) {
        while let Some(event) = self.host.stack.poll_event() {
            match event {
                SocketEvent::Connection(id) => {
                    assert!(self.host.held.iter().any(|h| h.id == id), "news of a stranger: {id:?}");
                }
                SocketEvent::Listener(l) => {
                    assert!(self.host.listeners.contains(&l), "a stale listener: {l:?}")
                }
            }
        }
    }

    fn listen(&mut self) {
        let opts = ListenOpts {
            backlog: self.u.pick(&[128, 1, 0]),
            syn_queue: self.u.pick(&[1024, 1, 0]),
            syn_overflow: self.u.pick(&[SynOverflow::Cookie, SynOverflow::Drop]),
            accept_overflow: self.u.pick(&[AcceptOverflow::Ignore, AcceptOverflow::Reset]),
        };
        let at = Endpoint::new(self.main.local.addr, self.u.pick(&[self.main.local.port, LOCAL_PORTS[0], 0]));
        if let Ok(l) = self.host.stack.listen(at, opts) {
            self.host.listeners.push(l);
        }
    }

    fn connect_to(&mut self, to: Endpoint, local: Option<Endpoint>) {
        if let Ok(id) = self.host.stack.connect(self.host.now, to, ConnectOpts { local }) {
            self.host.hold(id);
        }
    }

    fn open(&mut self) {
        match self.u.below(5) {
            0 => self.listen(),
            1 if !self.host.listeners.is_empty() => {
                let at = self.u.below(self.host.listeners.len());
                let l = self.host.listeners.swap_remove(at);
                self.host.stack.close_listener(self.host.now, l);
                assert_eq!(self.host.stack.accept(self.host.now, l), None, "a stale name");
            }
            2 => self.connect_to(self.main.remote, None),
            3 => self.connect_to(self.main.local, Some(self.main.local)),
            _ => self.connect_to(self.main.remote, Some(self.main.local)),
        }
    }

    fn close(&mut self) {
        let (at, how) = (self.which(), self.u.below(6));
        match how {
            0 => self.host.let_go(at, false),
            1 => self.host.let_go(at, true),
            _ => {
                let Some(held) = self.host.held.get_mut(at) else { return };
                let how = [Shutdown::Write, Shutdown::Write, Shutdown::Read, Shutdown::Both][how - 2];
                if how != Shutdown::Write {
                    held.read = None;
                }
                let mut handle = self.host.stack.conn(self.host.now, held.id).expect("a connection in hand");
                handle.shutdown(how);
            }
        }
    }

    fn configure(&mut self) {
        let at = self.which();
        let Some(held) = self.host.held.get_mut(at) else { return };
        let u = &mut self.u;
        let mut handle = self.host.stack.conn(self.host.now, held.id).expect("a connection in hand");
        let (secs, ms) = (Duration::from_secs, Duration::from_millis);
        handle.configure(|c, cx| match u.below(8) {
            0 => c.set_nodelay(u.one_in(2)),
            1 => {
                let times = Keepalive {
                    idle: u.pick(&[secs(1), Duration::ZERO, secs(7200), Duration::MAX]),
                    interval: u.pick(&[secs(1), Duration::ZERO, secs(75), Duration::MAX]),
                    probes: u.pick(&[1, 0, 10, 255]),
                };
                c.set_keepalive(cx, (!u.one_in(4)).then_some(times));
            }
            2 => c.set_user_timeout(u.pick(&[None, Some(ms(1)), Some(secs(3600)), Some(Duration::MAX)])),
            3 => c.set_linger(u.pick(&[None, Some(Duration::ZERO), Some(secs(5)), Some(Duration::MAX)])),
            4 => c.set_recv_buffer(u.pick(&[5000, 0, 1, 2, 100, 65_535, 262_144, u32::MAX])),
            5 => c.set_send_buffer(u.pick(&[5000, 0, 1, 100, 262_144, u32::MAX])),
            6 => c.set_ttl(u.pick(&[0, 1, 255])),
            _ => c.set_dscp(u.pick(&[0, 46, 63])),
        });
        held.limit = held.limit.max(handle.get().recv_buffer());
    }
}
