//! Addresses of sockets, in the form that a socket's family wants.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use synfin_wire::Endpoint;

/// IPv4 over an IPv6 socket is written as a mapped address.
pub(crate) fn socket_address(at: Endpoint, v6: bool) -> SocketAddr {
    match IpAddr::from(at.addr) {
        IpAddr::V4(addr) if v6 => SocketAddr::V6(SocketAddrV6::new(addr.to_ipv6_mapped(), at.port, 0, 0)),
        addr => SocketAddr::new(addr, at.port),
    }
}
