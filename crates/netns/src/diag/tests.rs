use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;
use crate::namespace::tests::private;

fn state(diag: &mut SockDiag, local: SocketAddr, remote: SocketAddr) -> Option<KernelState> {
    let found = diag.find(local, remote, Detail::Brief).unwrap();
    let listed = diag.tcp_sockets(Filter::port(local.port())).unwrap();
    let listed = listed.iter().find(|s| s.local == local && s.remote == remote);
    assert_eq!(listed.map(|s| s.state), found.map(|s| s.state), "list and look-up agree");
    listed.map(|s| s.state)
}

/// The state once the kernel has acknowledged what it may acknowledge late.
fn settled(diag: &mut SockDiag, local: SocketAddr, remote: SocketAddr, wanted: Option<KernelState>) {
    let start = Instant::now();
    while diag.find(local, remote, Detail::Brief).unwrap().map(|s| s.state) != wanted {
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", state(diag, local, remote));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(state(diag, local, remote), wanted);
}

#[test]
fn numbers_and_names_are_the_kernels() {
    for (i, s) in KernelState::ALL.iter().enumerate() {
        assert_eq!((*s as usize, KernelState::from_number(*s as u8)), (i + 1, Some(*s)));
    }
    assert_eq!(KernelState::from_number(0), None);
    assert_eq!(KernelState::from_number(13), None);
    assert_eq!(format!("{:>12}", KernelState::FinWait2), "   FIN_WAIT2");
}

#[test]
fn a_life_over_loopback_as_the_kernel_tells_it() {
    private(|_| {
        for (address, family, other) in
            [("127.0.0.1:0", Family::V4, Family::V6), ("[::1]:0", Family::V6, Family::V4)]
        {
            let mut diag = SockDiag::new().unwrap();
            let listener = TcpListener::bind(address).unwrap();
            let b = listener.local_addr().unwrap();
            let mut client = TcpStream::connect(b).unwrap();
            let a = client.local_addr().unwrap();
            let socks = diag.tcp_sockets(Filter::port(b.port()).family(family)).unwrap();
            assert_eq!(diag.tcp_sockets(Filter::port(b.port()).family(other)).unwrap(), []);
            let listen = socks.iter().find(|s| s.state == KernelState::Listen).unwrap();
            assert_eq!(
                (listen.local, listen.remote.port(), listen.rqueue),
                (b, 0, 1),
                "one waits to be accepted"
            );
            assert_ne!(listen.inode, 0);
            assert_eq!(state(&mut diag, a, b), Some(KernelState::Established));
            assert_eq!(state(&mut diag, b, a), Some(KernelState::Established));

            let (mut server, _) = listener.accept().unwrap();
            client.write_all(&[7; 1000]).unwrap();
            let received = diag.find(b, a, Detail::Full).unwrap().unwrap();
            assert_eq!((received.rqueue, received.detail.unwrap().bytes_received), (1000, 1000));
            let sent = diag.find(a, b, Detail::Full).unwrap().unwrap();
            let detail = sent.detail.unwrap();
            assert!(detail.rto_us >= 200_000 && detail.snd_mss > 500 && detail.cwnd >= 10, "{detail:?}");
            // The SYN counts as one octet acknowledged.
            assert!(detail.bytes_acked >= 1000, "{detail:?}");
            server.read_exact(&mut [0; 1000]).unwrap();
            assert_eq!(diag.find(b, a, Detail::Brief).unwrap().unwrap().rqueue, 0);

            client.shutdown(Shutdown::Write).unwrap();
            settled(&mut diag, a, b, Some(KernelState::FinWait2));
            assert_eq!(state(&mut diag, b, a), Some(KernelState::CloseWait));
            drop(server);
            settled(&mut diag, a, b, Some(KernelState::TimeWait));
            settled(&mut diag, b, a, None);
            let time_wait = diag.find(a, b, Detail::Full).unwrap().unwrap();
            assert_eq!((time_wait.inode, time_wait.detail), (0, None));
            drop(listener);
            assert_eq!(state(&mut diag, b, a), None, "no listener either");
        }
    });
}

#[test]
fn ipv4_through_an_ipv6_socket_is_shown_as_ipv4() {
    private(|_| {
        let mut diag = SockDiag::new().unwrap();
        let listener = TcpListener::bind("[::]:0").unwrap();
        let b = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let client = TcpStream::connect(b).unwrap();
        let a = client.local_addr().unwrap();
        assert_eq!(state(&mut diag, b, a), Some(KernelState::Established));
        assert_eq!(diag.tcp_sockets(Filter::port(b.port()).family(Family::V4)).unwrap().len(), 2);
    });
}

#[test]
fn many_sockets_take_several_reads() {
    private(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pairs: Vec<_> = (0..300)
            .map(|_| (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept().unwrap()))
            .collect();
        let socks = tcp_sockets(Filter::port(port).full()).unwrap();
        assert_eq!(socks.len(), 601);
        assert_eq!(socks.iter().filter(|s| s.detail.is_some()).count(), 601);
        drop(pairs);
    });
}

#[test]
fn asking_is_cheap() {
    private(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let b = listener.local_addr().unwrap();
        let client = TcpStream::connect(b).unwrap();
        let a = client.local_addr().unwrap();
        let mut diag = SockDiag::new().unwrap();
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..200 {
            let start = Instant::now();
            assert_eq!(diag.tcp_sockets(Filter::port(b.port())).unwrap().len(), 3);
            fastest[0] = fastest[0].min(start.elapsed());
            let start = Instant::now();
            assert!(diag.find(a, b, Detail::Full).unwrap().is_some());
            fastest[1] = fastest[1].min(start.elapsed());
        }
        println!("list {:?}, look-up {:?}", fastest[0], fastest[1]);
        // Kernels before 6.1 walk the table of the whole system; no time is promised for a list there.
        assert!(fastest[1] < Duration::from_millis(1), "{fastest:?}");
    });
}
