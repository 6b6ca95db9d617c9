//! What an application does meanwhile, with sense and without.

use std::time::Duration;

use synfin_net::{AcceptOverflow, ConnectOpts, ListenOpts, SocketEvent, SynOverflow};
use synfin_tcp::{Keepalive, Shutdown};
use synfin_wire::{Addr, Endpoint};

use crate::rig::{ms, s};
use crate::world::{Held, LOCAL_PORTS, OURS, PEER_PORTS, PEERS, World};

impl World {
    /// One call.
    pub fn call(&mut self) {
        match self.rng.below(20) {
            0 => self.listen(),
            1 => self.close_listener(),
            2..6 => self.accept(),
            6 => self.connect(),
            7 => while self.stack.poll_event().is_some() {},
            8 => {
                if let Some(SocketEvent::Connection(id)) = self.stack.poll_event() {
                    assert!(self.held.iter().any(|h| h.id == id), "news of a stranger: {id:?}");
                }
            }
            _ => self.use_connection(),
        }
    }

    pub fn listen(&mut self) {
        let any = self.rng.pick(&[Addr::V6_UNSPECIFIED, Addr::V4_UNSPECIFIED, OURS[0], OURS[1]]);
        let port = self.rng.pick(&[LOCAL_PORTS[0], LOCAL_PORTS[1], 0]);
        let opts = ListenOpts {
            backlog: self.rng.pick(&[0, 1, 4, 128, 128]),
            syn_queue: self.rng.pick(&[0, 1, 8, 1024, 1024]),
            syn_overflow: self.rng.pick(&[SynOverflow::Cookie, SynOverflow::Drop]),
            accept_overflow: self.rng.pick(&[AcceptOverflow::Ignore, AcceptOverflow::Reset]),
        };
        self.tell(|| format!("listen {any} {port} {opts:?}"));
        if let Ok(l) = self.stack.listen(Endpoint::new(any, port), opts) {
            self.listeners.push(l);
        }
    }

    fn close_listener(&mut self) {
        if self.listeners.is_empty() || self.rng.percent(70) {
            return;
        }
        self.tell(|| "close listener".to_owned());
        let l = self.listeners.swap_remove(self.rng.upto(self.listeners.len()));
        self.stack.close_listener(self.now, l);
        assert_eq!(self.stack.accept(self.now, l), None, "a stale name");
    }

    pub fn accept(&mut self) {
        for l in self.listeners.clone() {
            if let Some((id, tuple)) = self.stack.accept(self.now, l) {
                self.tell(|| format!("accept {tuple}"));
                self.held.push(Held { id, limit: self.cfg.tcp.recv_buffer });
            }
        }
    }

    pub fn connect(&mut self) {
        let remote = match self.rng.below(10) {
            0 => self.rng.pick(&OURS),
            1 => self.rng.pick(&[Addr::V4_UNSPECIFIED, Addr::v4([255; 4]), Addr::v4([10, 9, 0, 255])]),
            _ => self.rng.pick(&PEERS),
        };
        let port = self.rng.pick(&[PEER_PORTS[0], PEER_PORTS[1], PEER_PORTS[2], LOCAL_PORTS[1], 0]);
        let to = Endpoint::new(remote, port);
        let ours = if remote.is_v4() { OURS[0] } else { OURS[1] };
        let own_port = Endpoint::new(ours, self.rng.pick(&[LOCAL_PORTS[0], LOCAL_PORTS[1], 5000]));
        let local = match self.rng.below(4) {
            0 => Some(own_port),
            // To itself, if the address is ours.
            1 => Some(Endpoint::new(ours, port)),
            2 => Some(Endpoint::new(Addr::V6_UNSPECIFIED, 0)),
            _ => None,
        };
        self.tell(|| format!("connect to {to} from {local:?}"));
        if let Ok(id) = self.stack.connect(self.now, to, ConnectOpts { local }) {
            self.held.push(Held { id, limit: self.cfg.tcp.recv_buffer });
        }
    }

    /// A connection whose numbers wrap soon: an ISS moves on by one every 4 us (RFC 6528 3).
    pub fn connect_before_the_wrap(&mut self) {
        let to = Endpoint::new(PEERS[0], PEER_PORTS[0]);
        let opts = ConnectOpts { local: Some(Endpoint::new(OURS[0], 5000)) };
        for last in [false, true] {
            let Ok(id) = self.stack.connect(self.now, to, opts) else { return };
            if last {
                return self.held.push(Held { id, limit: self.cfg.tcp.recv_buffer });
            }
            let handle = self.stack.conn(self.now, id).expect("a connection in hand");
            let left = handle.info().iss.raw().wrapping_neg().wrapping_sub(self.rng.below(40_000) as u32);
            handle.abort();
            self.jump(Duration::from_micros(4 * u64::from(left)));
        }
    }

    /// Every connection has something to send.
    pub fn write_all(&mut self) {
        for held in &self.held {
            let mut handle = self.stack.conn(self.now, held.id).expect("a connection in hand");
            let _ = handle.write(&[7; 9000]);
        }
    }

    fn use_connection(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let at = self.rng.upto(self.held.len());
        let id = self.held[at].id;
        let what = self.rng.below(24);
        self.tell(|| format!("call {what} of {id:?}"));
        let n = self.rng.pick(&[0, 1, 10, 1000, 5000, 20_000, 70_000]);
        let mut handle = self.stack.conn(self.now, id).expect("a connection in hand");
        match what {
            0..6 => _ = handle.write(&vec![n as u8; n]),
            6 => _ = handle.write_urgent(&vec![n as u8; n]),
            7..13 => {
                let mut into = vec![0; n];
                if let Ok(read) = handle.read(&mut into) {
                    assert!(read <= n);
                }
            }
            13 => {
                let (mut first, mut second) = (vec![0; n], vec![0; n]);
                let (peeked, read) = (handle.peek(&mut first), handle.read(&mut second));
                assert_eq!((peeked, first), (read, second), "peek and read differ");
            }
            14 => handle.shutdown(self.rng.pick(&[Shutdown::Read, Shutdown::Write, Shutdown::Both])),
            15 | 16 if self.rng.percent(50) => _ = handle.write(&[0; 9000]),
            15 => {
                self.held.swap_remove(at);
                handle.close();
                assert!(self.stack.conn(self.now, id).is_none(), "a stale name");
            }
            16 => {
                self.held.swap_remove(at);
                handle.abort();
                assert!(self.stack.conn(self.now, id).is_none(), "a stale name");
            }
            17 => _ = (handle.readiness(), handle.info(), handle.get().urgent()),
            _ => {
                drop(handle);
                self.configure(at);
            }
        }
    }

    fn configure(&mut self, at: usize) {
        let id = self.held[at].id;
        let rng = &mut self.rng;
        let mut handle = self.stack.conn(self.now, id).expect("a connection in hand");
        handle.configure(|c, cx| match rng.below(8) {
            0 => c.set_nodelay(rng.percent(50)),
            1 => {
                let times = Keepalive {
                    idle: rng.pick(&[Duration::ZERO, s(1), s(7200), Duration::MAX]),
                    interval: rng.pick(&[Duration::ZERO, s(1), s(75), Duration::MAX]),
                    probes: rng.pick(&[0, 1, 10, 255]),
                };
                c.set_keepalive(cx, rng.percent(80).then_some(times));
            }
            2 => c.set_user_timeout(rng.pick(&[None, None, Some(ms(1)), Some(s(3600)), Some(Duration::MAX)])),
            3 => c.set_linger(rng.pick(&[None, None, Some(Duration::ZERO), Some(s(5)), Some(Duration::MAX)])),
            4 => c.set_recv_buffer(rng.pick(&[0, 1, 2, 100, 5000, 65_535, 262_144, u32::MAX])),
            5 => c.set_send_buffer(rng.pick(&[0, 1, 100, 5000, 262_144, u32::MAX])),
            6 => c.set_ttl(rng.pick(&[0, 1, 255])),
            _ => c.set_dscp(rng.pick(&[0, 46, 63])),
        });
        let limit = handle.get().recv_buffer();
        self.held[at].limit = self.held[at].limit.max(limit);
    }
}
