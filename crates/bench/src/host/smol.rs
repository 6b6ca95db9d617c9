//! smoltcp behind the common vocabulary.

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{self, Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use synfin_wire::Instant;

use super::{Checksums, Host, MTU, Setup, Stamps};
use crate::lane::Lane;

/// An interface with its sockets; the one that listens is replaced when it has become a connection.
pub struct Smoltcp {
    iface: Interface,
    sockets: SocketSet<'static>,
    setup: Setup,
    listening: Option<(SocketHandle, u16)>,
}

/// Where one packet comes from and answers go: a device for one call.
struct Port<'a> {
    incoming: Option<&'a [u8]>,
    out: &'a mut Lane,
    checksums: Checksums,
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a>(&'a mut Lane);

impl phy::RxToken for Rx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl phy::TxToken for Tx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.fill(len, f)
    }
}

impl Device for Port<'_> {
    type RxToken<'t>
        = Rx<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Tx<'t>
    where
        Self: 't;

    #[inline]
    fn receive(&mut self, _: SmolInstant) -> Option<(Rx<'_>, Tx<'_>)> {
        self.incoming.take().map(|packet| (Rx(packet), Tx(self.out)))
    }

    #[inline]
    fn transmit(&mut self, _: SmolInstant) -> Option<Tx<'_>> {
        self.out.has_room().then_some(Tx(self.out))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = MTU;
        if self.checksums == Checksums::Device {
            caps.checksum = ChecksumCapabilities::ignored();
            caps.checksum.ipv4 = Checksum::Both;
        }
        caps
    }
}

#[inline]
fn time(now: Instant) -> SmolInstant {
    SmolInstant::from_micros(now.micros() as i64)
}

/// The clock behind its timestamps: it asks for a function without arguments.
fn stamp() -> u32 {
    1
}

impl Smoltcp {
    fn socket(&self) -> Socket<'static> {
        let ring = || SocketBuffer::new(vec![0; self.setup.buffer as usize]);
        let mut s = Socket::new(ring(), ring());
        if self.setup.stamps == Stamps::On {
            s.set_tsval_generator(Some(stamp));
        }
        s
    }
}

impl Host for Smoltcp {
    type Conn = SocketHandle;

    fn new(setup: &Setup) -> Smoltcp {
        let mut cfg = Config::new(HardwareAddress::Ip);
        cfg.random_seed = u64::from(setup.number);
        let mut out = Lane::new(MTU);
        let mut port = Port { incoming: None, out: &mut out, checksums: setup.checksums };
        let mut iface = Interface::new(cfg, &mut port, SmolInstant::ZERO);
        iface.update_ip_addrs(|addrs| {
            addrs.push(IpCidr::new(IpAddress::v4(10, 0, 0, setup.number), 24)).expect("room for one address");
        });
        Smoltcp { iface, sockets: SocketSet::new(vec![]), setup: *setup, listening: None }
    }

    fn listen(&mut self, port: u16) {
        let mut s = self.socket();
        s.listen(port).expect("a fresh socket");
        self.listening = Some((self.sockets.add(s), port));
    }

    #[inline]
    fn connect(&mut self, _: Instant, to: u8, port: u16, from: u16) -> SocketHandle {
        let s = self.socket();
        let handle = self.sockets.add(s);
        let s = self.sockets.get_mut::<Socket<'_>>(handle);
        s.connect(self.iface.context(), (IpAddress::v4(10, 0, 0, to), port), from)
            .expect("a free local port");
        handle
    }

    #[inline]
    fn accept(&mut self, _: Instant) -> Option<SocketHandle> {
        let (handle, port) = self.listening?;
        if !matches!(self.sockets.get::<Socket<'_>>(handle).state(), State::Established | State::CloseWait) {
            return None;
        }
        self.listen(port);
        Some(handle)
    }

    #[inline]
    fn ingress(&mut self, now: Instant, packet: &[u8], out: &mut Lane) {
        let mut port = Port { incoming: Some(packet), out, checksums: self.setup.checksums };
        let _ = self.iface.poll_ingress_single(time(now), &mut port, &mut self.sockets);
    }

    #[inline]
    fn egress(&mut self, now: Instant, out: &mut Lane) {
        let mut port = Port { incoming: None, out, checksums: self.setup.checksums };
        while self.iface.poll_egress(time(now), &mut port, &mut self.sockets)
            == PollResult::SocketStateChanged
        {}
    }

    #[inline]
    fn read(&mut self, _: Instant, c: SocketHandle, into: &mut [u8]) -> usize {
        self.sockets.get_mut::<Socket<'_>>(c).recv_slice(into).unwrap_or(0)
    }

    #[inline]
    fn write(&mut self, _: Instant, c: SocketHandle, data: &[u8]) -> usize {
        self.sockets.get_mut::<Socket<'_>>(c).send_slice(data).unwrap_or(0)
    }

    #[inline]
    fn ended(&mut self, _: Instant, c: SocketHandle) -> bool {
        let s = self.sockets.get::<Socket<'_>>(c);
        s.state() == State::CloseWait && !s.can_recv()
    }

    #[inline]
    fn close(&mut self, _: Instant, c: SocketHandle) {
        self.sockets.get_mut::<Socket<'_>>(c).close();
    }

    #[inline]
    fn reap(&mut self, c: SocketHandle) {
        let state = self.sockets.get::<Socket<'_>>(c).state();
        assert!(matches!(state, State::TimeWait | State::Closed), "the connection is still {state}");
        self.sockets.remove(c);
    }

    fn connections(&self) -> usize {
        self.sockets.iter().count() - usize::from(self.listening.is_some())
    }
}
