//! The device against the real kernel, in network namespaces made for each test. Skipped with a reason where not permitted.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use synfin_link::{Caps, Device, TxMeta};
use synfin_netns::diag::Detail;
use synfin_netns::{KernelState, Links, Namespace, SockDiag};
use synfin_tun::{Builder, Cidr, Error, Lost, Tun};

/// Runs `work` in a private namespace, or says why not (past the test harness's capture).
fn private(work: impl FnOnce() + Send) {
    let skip = |reason: &dyn std::error::Error| {
        io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
    };
    if !Path::new("/dev/net/tun").exists() {
        return skip(&Error::NoDriver);
    }
    if let Err(e) = Namespace::scope(|_| work()) {
        skip(&e);
    }
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn both() -> Builder {
    Tun::builder().kernel_address(cidr("10.9.0.1/24")).kernel_address(cidr("fd00:9::1/64"))
}

/// What these tests need of a TCP segment.
#[derive(Debug, PartialEq)]
struct Seen {
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: u8,
}

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Reads an IP packet without options or extension headers; `None` if it holds no TCP.
fn tcp(packet: &[u8]) -> Option<Seen> {
    let addr = |v6: bool, at: usize| -> IpAddr {
        if v6 {
            <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap().into()
        } else {
            <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap().into()
        }
    };
    let (from, to, rest) = match (packet[0] >> 4, packet) {
        (4, p) if p[9] == 6 => (addr(false, 12), addr(false, 16), &p[20..]),
        (6, p) if p[6] == 6 => (addr(true, 8), addr(true, 24), &p[40..]),
        _ => return None,
    };
    let u32_at = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
    let port = |at: usize| u16::from_be_bytes(rest[at..at + 2].try_into().unwrap());
    Some(Seen {
        from: (from, port(0)).into(),
        to: (to, port(2)).into(),
        seq: u32_at(4),
        ack: u32_at(8),
        flags: rest[13],
    })
}

/// The next TCP segment from the kernel, waiting with poll(2) for up to five seconds.
fn next_tcp(tun: &mut Tun) -> Seen {
    let start = Instant::now();
    loop {
        let mut found = None;
        tun.recv(&mut |frame| found = found.take().or(tcp(frame.bytes))).unwrap();
        if let Some(seen) = found {
            return seen;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "no segment came");
        let mut fds = [nix::poll::PollFd::new(tun.as_fd(), nix::poll::PollFlags::POLLIN)];
        nix::poll::poll(&mut fds, 100u8).unwrap();
    }
}

/// The Internet checksum (RFC 1071), in the slowest way.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IPv4 SYN (RFC 9293 3.1) without options, as IP header and TCP header.
fn syn(from: ([u8; 4], u16), to: ([u8; 4], u16), seq: u32) -> (Vec<u8>, Vec<u8>) {
    let mut tcp = [&from.1.to_be_bytes()[..], &to.1.to_be_bytes(), &seq.to_be_bytes(), &[0; 4]].concat();
    tcp.extend([0x50, SYN, 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo = [&from.0[..], &to.0, &[0, 6, 0, 20], &tcp].concat();
    tcp[16..18].copy_from_slice(&checksum(&pseudo));
    let mut ip = [&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0][..], &from.0, &to.0].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    (ip, tcp)
}

#[test]
fn the_kernels_syn_arrives_and_the_kernel_says_syn_sent() {
    private(|| {
        let mut tun = both().build().unwrap();
        let mut diag = SockDiag::new().unwrap();
        for (own, peer) in [("10.9.0.1", "10.9.0.2:80"), ("fd00:9::1", "[fd00:9::2]:80")] {
            let peer: SocketAddr = peer.parse().unwrap();
            std::thread::scope(|s| {
                // Nobody answers: the attempt ends by its own timeout.
                let call = s.spawn(move || TcpStream::connect_timeout(&peer, Duration::from_millis(300)));
                let seen = next_tcp(&mut tun);
                assert_eq!((seen.from.ip().to_string().as_str(), seen.to), (own, peer));
                assert_eq!((seen.flags & (SYN | ACK), seen.ack), (SYN, 0));
                let sock = diag.find(seen.from, peer, Detail::Full).unwrap().unwrap();
                assert_eq!(sock.state, KernelState::SynSent);
                assert_eq!(sock.detail.unwrap().unacked, 1);
                assert_eq!(call.join().unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
            });
        }
    });
}

#[test]
fn a_syn_that_we_write_makes_the_kernel_half_open() {
    private(|| {
        let mut tun = both().build().unwrap();
        let mut diag = SockDiag::new().unwrap();
        let listener = TcpListener::bind("10.9.0.1:0").unwrap();
        let b = listener.local_addr().unwrap();
        let a: SocketAddr = "10.9.0.2:4000".parse().unwrap();
        let (ip, tcp) = syn(([10, 9, 0, 2], a.port()), ([10, 9, 0, 1], b.port()), 1_000_000);
        let room = tun.tx().room();
        tun.tx().push(&ip, &[&tcp[..8], &tcp[8..]], TxMeta::default());
        tun.flush().unwrap();
        assert_eq!((tun.tx().room(), tun.lost()), (room, Lost::default()));
        let seen = next_tcp(&mut tun);
        assert_eq!((seen.from, seen.to, seen.flags, seen.ack), (b, a, SYN | ACK, 1_000_001));
        let record = diag.find(b, a, Detail::Full).unwrap().unwrap();
        assert_eq!((record.state, record.inode, record.detail), (KernelState::SynRecv, 0, None));
        let listed = diag.tcp_sockets(synfin_netns::Filter::port(a.port())).unwrap();
        assert_eq!(listed, [synfin_netns::TcpSock { detail: None, ..record }]);
    });
}

#[test]
fn a_burst_is_handed_over_in_parts_and_long_packets_whole() {
    private(|| {
        let mut tun = Tun::builder().mtu(9000).kernel_address(cidr("10.9.0.1/24")).build().unwrap();
        assert_eq!(tun.caps(), Caps::plain(9000));
        let mut noise = 0;
        while tun.recv(&mut |_| {}).unwrap() > 0 {
            noise += 1;
            assert!(noise < 100);
        }
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        for _ in 0..100 {
            socket.send_to(&[5; 8000], "10.9.0.2:9").unwrap();
        }
        let mut longest = 0;
        let mut long = 0;
        let mut each = |frame: synfin_link::RxFrame<'_>| {
            longest = longest.max(frame.bytes.len());
            long += usize::from(frame.bytes.len() == 8028);
        };
        assert_eq!(tun.recv(&mut each).unwrap(), 64);
        assert!(tun.recv(&mut each).unwrap() >= 36);
        assert_eq!((longest, long), (8028, 100));
    });
}

#[test]
fn a_device_vanishes_with_its_value() {
    private(|| {
        let tun = Tun::builder().name("sf0").build().unwrap();
        assert_eq!(tun.name(), "sf0");
        assert!(Tun::exists("sf0"));
        assert_eq!(tun.index().unwrap(), Links::new().unwrap().index("sf0").unwrap());
        drop(tun);
        assert!(!Tun::exists("sf0"));
        assert!(matches!(Tun::open("sf0"), Err(Error::Missing { name }) if name == "sf0"));
        // Without a name the kernel picks one.
        let (a, b) = (Tun::builder().build().unwrap(), Tun::builder().build().unwrap());
        assert!(Tun::exists(a.name()) && Tun::exists(b.name()) && a.name() != b.name());
    });
}

#[test]
fn names_that_are_taken() {
    private(|| {
        let tun = Tun::builder().name("sf0").build().unwrap();
        let error = Tun::builder().name("sf0").build().err().unwrap();
        assert!(matches!(&error, Error::Exists { name } if name == "sf0"), "{error}");
        let error = Tun::open("sf0").err().unwrap();
        assert!(matches!(&error, Error::Busy { name } if name == "sf0"), "{error}");
        let error = Tun::open("lo").err().unwrap();
        assert!(matches!(&error, Error::NotTun { name } if name == "lo"), "{error}");
        assert!(Tun::exists(tun.name()), "the attempts harmed nothing");
    });
}

#[test]
fn opening_changes_nothing() {
    private(|| {
        let made =
            tun_rs::DeviceBuilder::new().name("sf0").mtu(1400).inherit_enable_state().build_sync().unwrap();
        made.persist().unwrap();
        drop(made);
        let mut links = Links::new().unwrap();
        let index = links.index("sf0").unwrap();
        let mut tun = Tun::open("sf0").unwrap();
        assert_eq!((tun.name(), tun.index().unwrap(), tun.caps()), ("sf0", index, Caps::plain(1400)));
        // It was down and is down: a packet to it is lost, which is no error, and nothing arrives.
        tun.tx().push(&syn(([10, 9, 0, 2], 1), ([10, 9, 0, 1], 2), 3).0, &[], TxMeta::default());
        tun.flush().unwrap();
        assert_eq!(tun.lost(), Lost { no_room: 0, refused: 1 });
        assert_eq!(tun.recv(&mut |_| {}).unwrap(), 0);
        drop(tun);
        assert!(Tun::exists("sf0"), "it outlives us, as before");
        links.remove(index).unwrap();
        assert!(!Tun::exists("sf0"));
    });
}

#[test]
fn a_device_that_is_removed_is_reported_gone() {
    private(|| {
        let mut tun = both().name("sf0").build().unwrap();
        Links::new().unwrap().remove(tun.index().unwrap()).unwrap();
        let error = tun.recv(&mut |_| {}).unwrap_err();
        assert!(matches!(&error, Error::Gone { name } if name == "sf0"), "{error}");
        tun.tx().push(&[0x45; 40], &[], TxMeta::default());
        let error = tun.flush().unwrap_err();
        assert!(matches!(&error, Error::Gone { name } if name == "sf0"), "{error}");
    });
}

#[test]
fn what_cannot_be_is_refused_before_the_kernel_is_asked() {
    for name in ["", "sixteen-octets-x", "a/b", "a b", "a:b", "tun%d", ".", "..", "t\u{e9}l", "a\0b"] {
        let error = Tun::builder().name(name).build().err().unwrap();
        assert!(matches!(&error, Error::BadName { name: said } if said == name), "{name:?}: {error}");
        assert!(matches!(Tun::open(name), Err(Error::BadName { .. })), "{name:?}");
        let text = error.to_string();
        assert!(text.contains("1 to 15 letters") && !text.contains(['\n', '\0']), "{text}");
    }
    let error = Tun::builder().mtu(67).build().err().unwrap();
    assert!(matches!(error, Error::BadMtu { mtu: 67, least: 68 }), "{error}");
    let error = Tun::builder().mtu(1279).kernel_address(cidr("fd00::1/64")).build().err().unwrap();
    assert!(matches!(error, Error::BadMtu { mtu: 1279, least: 1280 }), "{error}");
    let twice = Tun::builder().kernel_address(cidr("10.9.0.1/24")).kernel_address(cidr("10.9.1.1/24"));
    assert!(matches!(twice.build(), Err(Error::SecondIpv4 { text }) if text == "10.9.1.1/24"));
}
