//! synfin behind the common vocabulary.

use core::time::Duration;

use synfin_link::{Caps, ChecksumFact, RxFrame, RxMeta};
use synfin_net::{
    Cidr, ConnId, ConnectOpts, ListenOpts, ListenerId, More, Secrets, SocketEvent, Stack, StackConfig,
};
use synfin_tcp::Config;
use synfin_wire::{Addr, Endpoint, Instant};

use super::{Checksums, Host, MTU, Setup, Stamps};
use crate::lane::Lane;

/// A stack with at most one listener.
pub struct Synfin {
    stack: Stack,
    listener: Option<ListenerId>,
    meta: RxMeta,
}

impl Synfin {
    /// The stack itself.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }
}

impl Host for Synfin {
    type Conn = ConnId;

    fn new(setup: &Setup) -> Synfin {
        let checksum = match setup.checksums {
            Checksums::Software => ChecksumFact::Unchecked,
            Checksums::Device => ChecksumFact::Trusted,
        };
        let caps = Caps { tx_checksum: setup.checksums == Checksums::Device, ..Caps::plain(MTU as u16) };
        let cfg = StackConfig {
            tcp: Config {
                timestamps: setup.stamps == Stamps::On,
                recv_buffer: setup.buffer,
                send_buffer: setup.buffer,
                msl: Duration::from_millis(u64::from(setup.time_wait_ms) / 2),
                ..Config::default()
            },
            addrs: vec![Cidr { addr: Addr::v4([10, 0, 0, setup.number]), prefix: 24 }],
            ..StackConfig::default()
        };
        let secrets = Secrets(core::array::from_fn(|i| setup.number ^ (i as u8).wrapping_mul(29)));
        let meta = RxMeta { checksum, ..RxMeta::default() };
        Synfin { stack: Stack::new(cfg, caps, secrets), listener: None, meta }
    }

    fn listen(&mut self, port: u16) {
        let at = Endpoint::new(Addr::v4([0; 4]), port);
        let opts = ListenOpts { backlog: 1 << 20, syn_queue: 1 << 20, ..ListenOpts::default() };
        self.listener = Some(self.stack.listen(at, opts).expect("a free port"));
    }

    #[inline]
    fn connect(&mut self, now: Instant, to: u8, port: u16, _: u16) -> ConnId {
        let to = Endpoint::new(Addr::v4([10, 0, 0, to]), port);
        self.stack.connect(now, to, ConnectOpts::default()).expect("a free local port")
    }

    #[inline]
    fn accept(&mut self, now: Instant) -> Option<ConnId> {
        self.stack.accept(now, self.listener?).map(|(id, _)| id)
    }

    #[inline]
    fn ingress(&mut self, now: Instant, packet: &[u8], _: &mut Lane) {
        self.stack.on_packet(now, RxFrame { bytes: packet, meta: self.meta });
    }

    #[inline]
    fn egress(&mut self, now: Instant, out: &mut Lane) {
        if self.stack.poll_timeout() <= now {
            self.stack.on_timeout(now);
        }
        match self.stack.poll_transmit(now, usize::MAX, out) {
            More::Done | More::Pending => {}
        }
        while let Some(SocketEvent::Connection(_) | SocketEvent::Listener(_)) = self.stack.poll_event() {}
    }

    #[inline]
    fn read(&mut self, now: Instant, c: ConnId, into: &mut [u8]) -> usize {
        self.stack.conn(now, c).map_or(0, |mut c| c.read(into).unwrap_or(0))
    }

    #[inline]
    fn write(&mut self, now: Instant, c: ConnId, data: &[u8]) -> usize {
        self.stack.conn(now, c).map_or(0, |mut c| c.write(data).unwrap_or(0))
    }

    #[inline]
    fn ended(&mut self, now: Instant, c: ConnId) -> bool {
        self.stack.conn(now, c).is_some_and(|mut c| c.peek(&mut [0]) == Ok(0))
    }

    #[inline]
    fn close(&mut self, now: Instant, c: ConnId) {
        if let Some(c) = self.stack.conn(now, c) {
            c.close();
        }
    }

    #[inline]
    fn reap(&mut self, _: ConnId) {}

    fn connections(&self) -> usize {
        self.stack.census().connections as usize
    }
}
