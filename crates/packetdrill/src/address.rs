//! `struct sockaddr` as octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use synfin_script::ast::{Expr, Field};
use synfin_wire::{Addr, Endpoint};

/// Octets of the largest one.
pub(crate) const MOST: usize = 28;
const INET: u16 = libc::AF_INET as u16;
const INET6: u16 = libc::AF_INET6 as u16;

/// What a program handed in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// AF_UNSPEC.
    Unspecified,
    /// An address and a port.
    At(Endpoint),
    /// A family of which nothing is known.
    Foreign,
    /// Shorter than its family says.
    Short,
}

/// Reads one.
pub(crate) fn read(bytes: &[u8]) -> Given {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Given::Short };
    let at = |addr: IpAddr, hi, lo| Given::At(Endpoint::new(addr.into(), u16::from_be_bytes([hi, lo])));
    match (u16::from_ne_bytes(*family), rest) {
        (0, _) => Given::Unspecified,
        (INET, &[hi, lo, a, b, c, d, ..]) => at(Ipv4Addr::new(a, b, c, d).into(), hi, lo),
        (INET6, &[hi, lo, _, _, _, _, ref addr @ ..]) => match addr.first_chunk::<16>() {
            Some(addr) => at(Ipv6Addr::from(*addr).into(), hi, lo),
            None => Given::Short,
        },
        (INET | INET6, _) => Given::Short,
        _ => Given::Foreign,
    }
}

/// Writes one; a socket of IPv6 sees addresses of IPv4 mapped.
pub(crate) fn write(v6: bool, at: Endpoint) -> Vec<u8> {
    let port = at.port.to_be_bytes();
    match at.addr.as_v4() {
        Some(v4) if !v6 => [&INET.to_ne_bytes()[..], &port, &v4, &[0; 8]].concat(),
        _ => [&INET6.to_ne_bytes()[..], &port, &[0; 4], &mapped(at.addr), &[0; 4]].concat(),
    }
}

fn mapped(addr: Addr) -> [u8; 16] {
    match IpAddr::from(addr) {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// As an argument of a call.
pub(crate) fn expr(at: Option<Endpoint>) -> Expr {
    let field = |name: &str, value| Field { name: Some(name.into()), count: None, value };
    let Some(at) = at else { return Expr::Struct(vec![field("sa_family", Expr::Int(0))]) };
    let family = if at.addr.is_v4() { INET } else { INET6 };
    Expr::Struct(vec![
        field("sa_family", Expr::Int(family.into())),
        field("sin_port", Expr::Int(at.port.into())),
        field("sin_addr", Expr::Text(IpAddr::from(at.addr).to_string())),
    ])
}

#[cfg(test)]
mod tests;
