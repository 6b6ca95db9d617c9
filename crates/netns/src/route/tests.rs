use std::net::{TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::namespace::tests::private;
use crate::{SockDiag, diag::Detail};

/// The address from which the kernel would send to `to`, if it has a route.
fn source_for(to: &str) -> io::Result<IpAddr> {
    let to: IpAddr = to.parse().unwrap();
    let any: IpAddr = if to.is_ipv4() { [0u8; 4].into() } else { [0u8; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((to, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// The largest text that a new connection sends: the MTU less 20 octets for IP, 20 for TCP, and 12 for timestamps.
fn tcp_mss_over_loopback() -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let sock = SockDiag::new().unwrap().find(ends.0, ends.1, Detail::Full).unwrap().unwrap();
    sock.detail.unwrap().snd_mss
}

#[test]
fn addresses_and_routes_direct_traffic() {
    private(|_| {
        let mut links = Links::new().unwrap();
        let lo = links.index("lo").unwrap();
        for (addr, prefix, near, net, far) in [
            ("10.9.0.1", 24, "10.9.0.77", "192.0.2.0", "192.0.2.5"),
            ("fd00:9::1", 64, "fd00:9::77", "2001:db8::", "2001:db8::5"),
        ] {
            let addr: IpAddr = addr.parse().unwrap();
            let net: IpAddr = net.parse().unwrap();
            let long = if net.is_ipv4() { 24 } else { 32 };
            assert!(source_for(far).is_err(), "no route yet to {far}");
            links.add_address(lo, addr, prefix).unwrap();
            links.add_address(lo, addr, prefix).unwrap_err();
            assert_eq!(source_for(near).unwrap(), addr);
            links.add_route(net, long, None, lo).unwrap();
            links.add_route(net, long, None, lo).unwrap_err();
            assert_eq!(source_for(far).unwrap(), addr);
            let elsewhere = if net.is_ipv4() { "203.0.113.9" } else { "2001:db9::9" };
            assert!(source_for(elsewhere).is_err());
            let any: IpAddr = if net.is_ipv4() { [0u8; 4].into() } else { [0u8; 16].into() };
            links.add_route(any, 0, None, lo).unwrap();
            assert_eq!(source_for(elsewhere).unwrap(), addr);
        }
    });
}

#[test]
fn an_interface_goes_down_and_up_and_changes_its_mtu() {
    private(|_| {
        let mut links = Links::new().unwrap();
        let lo = links.index("lo").unwrap();
        // The kernel takes IPv6 addresses from an interface that goes down, and gives ::1 to lo that comes up.
        let has_loopback =
            || std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap().contains("lo");
        assert!(has_loopback());
        links.set_down(lo).unwrap();
        assert!(!has_loopback());
        links.set_up(lo).unwrap();
        assert!(has_loopback());
        links.set_mtu(lo, 1400).unwrap();
        assert_eq!(tcp_mss_over_loopback(), 1400 - 40 - 12);
        let missing = 4_000_000;
        for result in [links.set_up(missing), links.set_mtu(missing, 1500)] {
            assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
        }
        assert!(matches!(links.index("nosuch0"), Err(Error::NoInterface { .. })));
    });
}
