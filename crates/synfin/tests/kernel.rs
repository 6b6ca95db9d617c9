//! Our sockets against Linux's TCP across a TUN device, in network namespaces made for each test. Skipped with a
//! printed reason where that is not permitted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use synfin::Net;
use synfin::blocking::{TcpListener, TcpStream};
use synfin_link::{Caps, Device, RxFrame, TxMeta, TxSink};
use synfin_netns::{Namespace, SockDiag, diag::Filter};
use synfin_tcp::State;
use synfin_tun::{Cidr, Tun};

const PORT: u16 = 4000;

/// Which way a packet goes.
#[derive(Copy, Clone, PartialEq, Debug)]
enum Way {
    ToUs,
    ToKernel,
}

/// Decides for each packet whether it arrives.
type Fate = Box<dyn FnMut(Way, &[u8]) -> bool + Send>;

/// A TUN device on a wire that loses packets.
struct Wire {
    tun: Tun,
    fate: Fate,
    whole: Vec<u8>,
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tun.as_fd()
    }
}

impl TxSink for Wire {
    fn room(&self) -> usize {
        // A sink is reached through the device only: the outbox is drained by `flush`.
        64
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], meta: TxMeta) {
        self.whole.clear();
        self.whole.extend_from_slice(head);
        payload.iter().for_each(|p| self.whole.extend_from_slice(p));
        if (self.fate)(Way::ToKernel, &self.whole) {
            self.tun.tx().push(head, payload, meta);
        }
    }
}

impl Device for Wire {
    type Error = synfin_tun::Error;

    fn caps(&self) -> Caps {
        self.tun.caps()
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Self::Error> {
        let fate = &mut self.fate;
        self.tun.recv(&mut |frame| {
            if fate(Way::ToUs, frame.bytes) {
                each(frame);
            }
        })
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.tun.flush()
    }
}

/// A kernel at 10.9.0.1 and fd00:9::1, our host at .2, in a namespace of their own.
fn with_host(fate: Fate, work: impl FnOnce(&Net) + Send) {
    let skip = |why: &dyn std::fmt::Display| {
        io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
    };
    if !Path::new("/dev/net/tun").exists() {
        return skip(&"no /dev/net/tun");
    }
    let cidr = |t: &str| t.parse::<Cidr>().unwrap();
    let outcome = Namespace::scope(move |_| {
        let tun = Tun::builder()
            .kernel_address(cidr("10.9.0.1/24"))
            .kernel_address(cidr("fd00:9::1/64"))
            .build()
            .expect("TUN device");
        let net = Net::builder()
            .address("10.9.0.2".parse::<IpAddr>().unwrap(), 24)
            .address("fd00:9::2".parse::<IpAddr>().unwrap(), 64)
            .configure(|c| c.tcp.rto_min = Duration::from_millis(200))
            .start(Wire { tun, fate, whole: Vec::new() })
            .expect("host");
        work(&net);
    });
    if let Err(e) = outcome {
        skip(&e);
    }
}

fn perfect() -> Fate {
    Box::new(|_, _| true)
}

/// Loses `percent` of all packets, always the same ones for a seed.
fn lossy(percent: u64, seed: u64) -> Fate {
    let mut x = seed.wrapping_mul(2).wrapping_add(1);
    Box::new(move |_, _| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) % 100 >= percent
    })
}

const KERNEL: [&str; 2] = ["10.9.0.1", "fd00:9::1"];
const OURS: [&str; 2] = ["10.9.0.2", "fd00:9::2"];

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 % 251) as u8).collect()
}

/// Waits until `done`, at most ten seconds.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The TCP flags of a packet without IP options or extension headers, and its text; nothing for other protocols.
fn flags_and_text(packet: &[u8]) -> (u8, usize) {
    if !matches!((packet[0] >> 4, packet[9], packet[6]), (4, 6, _) | (6, _, 6)) {
        return (0, 0);
    }
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    let tcp = &packet[header..];
    let total = if header == 20 {
        usize::from(u16::from_be_bytes([packet[2], packet[3]])) - 20
    } else {
        usize::from(u16::from_be_bytes([packet[4], packet[5]]))
    };
    (tcp[13], total - usize::from(tcp[12] >> 4) * 4)
}

/// MISSION 16, 17: either end closes first, and the other goes on sending as long as it wants.
#[test]
fn half_close_in_both_roles_and_both_versions() {
    with_host(perfect(), |net| {
        for i in 0..2 {
            let listener = TcpListener::bind(net, at(OURS[i], PORT)).unwrap();
            let client = thread::spawn(move || {
                let mut s = std::net::TcpStream::connect(at(OURS[i], PORT)).unwrap();
                s.write_all(b"question").unwrap();
                s.shutdown(Shutdown::Write).unwrap();
                let mut answer = String::new();
                s.read_to_string(&mut answer).unwrap();
                answer
            });
            let (mut s, _) = listener.accept().unwrap();
            let mut question = String::new();
            s.read_to_string(&mut question).unwrap();
            assert_eq!(question, "question");
            s.write_all(b"answer after your FIN").unwrap();
            drop(s);
            assert_eq!(client.join().unwrap(), "answer after your FIN");

            let listener = std::net::TcpListener::bind(at(KERNEL[i], PORT)).unwrap();
            let mut ours = TcpStream::connect(net, at(KERNEL[i], PORT)).unwrap();
            let (mut kernel, _) = listener.accept().unwrap();
            ours.write_all(b"first").unwrap();
            ours.shutdown(Shutdown::Write).unwrap();
            let mut got = String::new();
            kernel.read_to_string(&mut got).unwrap();
            assert_eq!(got, "first");
            kernel.write_all(b"second").unwrap();
            drop(kernel);
            let mut got = String::new();
            ours.read_to_string(&mut got).unwrap();
            assert_eq!(got, "second");
        }
    });
}

/// Large streams both ways at once, byte for byte, over a wire that loses.
fn streams_survive(percent: u64, octets: usize) {
    with_host(lossy(percent, 11 + percent), move |net| {
        for address in OURS {
            let listener = TcpListener::bind(net, at(address, PORT)).unwrap();
            let data = pattern(octets);
            let expected = data.clone();
            let client = thread::spawn(move || {
                let mut s = std::net::TcpStream::connect(at(address, PORT)).unwrap();
                let mut back = s.try_clone().unwrap();
                let sent = data.clone();
                let writer = thread::spawn(move || {
                    s.write_all(&sent).unwrap();
                    s.shutdown(Shutdown::Write).unwrap();
                    s
                });
                let mut got = Vec::new();
                back.read_to_end(&mut got).unwrap();
                assert!(got == data, "what came back differs");
                writer.join().unwrap();
            });
            let (mut s, _) = listener.accept().unwrap();
            let mut back = s.try_clone().unwrap();
            let to_send = expected.clone();
            let writer = thread::spawn(move || {
                back.write_all(&to_send).unwrap();
                back.shutdown(Shutdown::Write).unwrap();
            });
            let mut got = Vec::new();
            s.read_to_end(&mut got).unwrap();
            assert!(got == expected, "what arrived differs");
            writer.join().unwrap();
            client.join().unwrap();
        }
    });
}

#[test]
fn streams_survive_a_perfect_wire() {
    streams_survive(0, 20_000_000);
}

#[test]
fn streams_survive_one_percent_loss() {
    streams_survive(1, 2_000_000);
}

#[test]
fn streams_survive_five_percent_loss() {
    streams_survive(5, 200_000);
}

/// MISSION 11: a closed port refuses, either way.
#[test]
fn closed_ports_refuse() {
    with_host(perfect(), |net| {
        for i in 0..2 {
            let e = std::net::TcpStream::connect(at(OURS[i], 9)).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
            let e = TcpStream::connect(net, at(KERNEL[i], 9)).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(net.census().connections, 0);
    });
}

/// MISSION 11, 20: resets are seen as resets, and unread text turns close into one (RFC 2525 2.17).
#[test]
fn resets_arrive_as_resets() {
    with_host(perfect(), |net| {
        let listener = TcpListener::bind(net, at(OURS[0], PORT)).unwrap();
        let mut kernel = std::net::TcpStream::connect(at(OURS[0], PORT)).unwrap();
        let (ours, _) = listener.accept().unwrap();
        kernel.write_all(b"never read").unwrap();
        let mut one = [0; 1];
        assert_eq!(ours.peek(&mut one).unwrap(), 1);
        drop(ours);
        let e = kernel.read(&mut one).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);

        let kernel = std::net::TcpStream::connect(at(OURS[0], PORT)).unwrap();
        let (mut ours, _) = listener.accept().unwrap();
        ours.write_all(b"never read either").unwrap();
        kernel.peek(&mut one).unwrap();
        drop(kernel);
        let e = ours.read(&mut one).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
        drop(ours);
        until("no record left", || net.census().connections == 0 && net.census().time_wait == 0);
    });
}

/// MISSION 9: the handshake's third segment is lost. The kernel believes itself connected; its text completes ours.
#[test]
fn text_completes_a_handshake_whose_third_segment_was_lost() {
    let mut lost = false;
    let fate: Fate = Box::new(move |way, packet| {
        let (flags, text) = flags_and_text(packet);
        let third = way == Way::ToUs && flags == 0x10 && text == 0;
        let lose = third && !lost;
        lost |= third;
        !lose
    });
    with_host(fate, |net| {
        let listener = TcpListener::bind(net, at(OURS[0], PORT)).unwrap();
        let mut kernel = std::net::TcpStream::connect(at(OURS[0], PORT)).unwrap();
        assert!(net.records().iter().any(|(_, s)| *s == State::SynReceived), "not half-open");
        kernel.write_all(b"text").unwrap();
        let (mut ours, _) = listener.accept().unwrap();
        let mut got = [0; 4];
        ours.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"text");
    });
}

/// MISSION 7, 8: the first or second segment is lost; the next try opens.
#[test]
fn a_lost_syn_or_syn_ack_is_repeated() {
    for lost in 0..2 {
        let mut seen = 0;
        let fate: Fate = Box::new(move |way, packet| {
            let syn = flags_and_text(packet).0 & 0x02 != 0;
            let hit = syn && way == [Way::ToUs, Way::ToKernel][lost] && seen == 0;
            seen += usize::from(hit);
            !hit
        });
        with_host(fate, |net| {
            let listener = TcpListener::bind(net, at(OURS[0], PORT)).unwrap();
            let start = Instant::now();
            let kernel = std::net::TcpStream::connect(at(OURS[0], PORT)).unwrap();
            let (ours, _) = listener.accept().unwrap();
            assert!(start.elapsed() >= Duration::from_millis(900), "not lost at all");
            drop((kernel, ours));
        });
    }
}

/// RFC 9293 3.5 figure 7: both ends call connect; one connection, no RST.
#[test]
fn simultaneous_open_with_the_kernel() {
    let mut held: Option<Instant> = None;
    // Both SYNs must be under way at once: ours is let through only after the kernel's has come.
    let fate: Fate = Box::new(move |way, packet| {
        let (flags, _) = flags_and_text(packet);
        assert_eq!(flags & 0x04, 0, "a reset");
        if flags & 0x12 == 0x02 && way == Way::ToUs {
            held.get_or_insert_with(Instant::now);
        }
        flags & 0x12 != 0x02 || way == Way::ToUs || held.is_some()
    });
    with_host(fate, |net| {
        let (from, to) = (at(OURS[0], 5000), at(KERNEL[0], 5001));
        let ours = {
            let net = net.clone();
            thread::spawn(move || TcpStream::connect_from(&net, from, to))
        };
        // Our first SYN is lost on the wire and goes again after one second; the kernel's crosses it.
        let kernel = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let s = nix_connect(to, from);
            let mut s = s.unwrap();
            s.write_all(b"crossed").unwrap();
            s
        });
        let mut ours = ours.join().unwrap().unwrap();
        let mut got = [0; 7];
        ours.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"crossed");
        drop(kernel.join().unwrap());
    });
}

/// A kernel socket bound to `from` and connected to `to`.
fn nix_connect(from: SocketAddr, to: SocketAddr) -> io::Result<std::net::TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&from.into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// MISSION 22, 24: after many lives nothing is left but TIME_WAIT, at the end that closed first.
#[test]
fn many_lives_leave_only_time_wait() {
    with_host(perfect(), |net| {
        let listener = TcpListener::bind(net, at(OURS[0], PORT)).unwrap();
        let server = thread::spawn(move || {
            for _ in 0..300 {
                let (mut s, _) = listener.accept().unwrap();
                let mut b = [0; 1];
                s.read_exact(&mut b).unwrap();
                s.write_all(&b).unwrap();
                // The client closes first for even octets, we for odd ones.
                if b[0] % 2 == 0 {
                    assert_eq!(s.read(&mut b).unwrap(), 0);
                }
            }
        });
        for n in 0..300u32 {
            let mut s = std::net::TcpStream::connect(at(OURS[0], PORT)).unwrap();
            let mut b = [n as u8];
            s.write_all(&b).unwrap();
            s.read_exact(&mut b).unwrap();
            if n as u8 % 2 == 1 {
                assert_eq!(s.read(&mut b).unwrap(), 0);
            }
        }
        server.join().unwrap();
        until("connections are gone", || net.census().connections == 0);
        let census = net.census();
        assert_eq!((census.half_open, census.orphans, census.listeners), (0, 0, 0));
        assert_eq!(census.time_wait, 150, "one for each connection that we closed first");
        let kernel = SockDiag::new().unwrap().tcp_sockets(Filter::port(PORT)).unwrap();
        assert_eq!(kernel.len(), 150, "and one at the kernel for each of the others");
    });
}
