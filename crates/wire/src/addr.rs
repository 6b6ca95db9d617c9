//! One address type for both IP versions: 16 octets, IPv4 as IPv4-mapped (RFC 4291 2.5.5.2).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V4_PREFIX: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// An IPv4 or IPv6 address in 16 octets.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Addr([u8; 16]);

impl Addr {
    /// `0.0.0.0`
    pub const V4_UNSPECIFIED: Addr = Addr::v4([0; 4]);
    /// `::`
    pub const V6_UNSPECIFIED: Addr = Addr([0; 16]);

    /// An IPv4 address from its four octets.
    #[inline]
    pub const fn v4(o: [u8; 4]) -> Addr {
        let p = V4_PREFIX;
        Addr([
            p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], o[0], o[1], o[2], o[3],
        ])
    }

    /// An IPv6 address from its sixteen octets. IPv4-mapped octets yield an IPv4 address.
    #[inline]
    pub const fn v6(o: [u8; 16]) -> Addr {
        Addr(o)
    }

    /// All sixteen octets.
    #[inline]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The four octets of an IPv4 address.
    #[inline]
    pub fn as_v4(&self) -> Option<[u8; 4]> {
        let [.., a, b, c, d] = self.0;
        self.is_v4().then_some([a, b, c, d])
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub fn is_v4(&self) -> bool {
        self.0.starts_with(&V4_PREFIX)
    }

    /// `0.0.0.0` or `::`.
    pub fn is_unspecified(&self) -> bool {
        *self == Addr::V4_UNSPECIFIED || *self == Addr::V6_UNSPECIFIED
    }

    /// IPv4 224/4 or IPv6 ff00::/8.
    pub fn is_multicast(&self) -> bool {
        match self.as_v4() {
            Some([a, ..]) => a & 0xf0 == 224,
            None => self.0[0] == 0xff,
        }
    }

    /// 127/8 or `::1`.
    pub fn is_loopback(&self) -> bool {
        match self.as_v4() {
            Some([a, ..]) => a == 127,
            None => IpAddr::from(*self).is_loopback(),
        }
    }

    /// 255.255.255.255.
    pub fn is_limited_broadcast(&self) -> bool {
        self.as_v4() == Some([255; 4])
    }

    /// The address family's "any" address.
    pub fn unspecified_like(&self) -> Addr {
        if self.is_v4() { Addr::V4_UNSPECIFIED } else { Addr::V6_UNSPECIFIED }
    }
}

impl From<IpAddr> for Addr {
    fn from(a: IpAddr) -> Addr {
        match a {
            IpAddr::V4(a) => Addr::v4(a.octets()),
            IpAddr::V6(a) => Addr::v6(a.octets()),
        }
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(a: Ipv4Addr) -> Addr {
        Addr::v4(a.octets())
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(a: Ipv6Addr) -> Addr {
        Addr::v6(a.octets())
    }
}

impl From<Addr> for IpAddr {
    fn from(a: Addr) -> IpAddr {
        match a.as_v4() {
            Some(o) => IpAddr::V4(o.into()),
            None => IpAddr::V6(a.0.into()),
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address and a TCP port: RFC 9293's "socket".
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Endpoint {
    /// The address.
    pub addr: Addr,
    /// The port, in host order.
    pub port: u16,
}

impl Endpoint {
    /// From its two parts.
    #[inline]
    pub const fn new(addr: Addr, port: u16) -> Self {
        Endpoint { addr, port }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(a: SocketAddr) -> Self {
        Endpoint { addr: a.ip().into(), port: a.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(e: Endpoint) -> Self {
        SocketAddr::new(e.addr.into(), e.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connection's name: both ends, seen from ours.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tuple {
    /// Our end.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
}

impl Tuple {
    /// The same connection seen from the other end.
    pub const fn flipped(self) -> Tuple {
        Tuple { local: self.remote, remote: self.local }
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
