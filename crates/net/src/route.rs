//! Our addresses: what is for us, what can be spoken to, and from where.

use alloc::vec::Vec;

use synfin_wire::{Addr, Endpoint};

use crate::{Cidr, ConnectError};

/// Whom a destination address means.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Destination {
    /// One of our addresses.
    Ours,
    /// Several hosts, us perhaps among them.
    Many,
    /// Somebody else.
    Other,
}

/// The stack's addresses.
#[derive(Debug)]
pub(crate) struct Routes {
    addrs: Vec<Cidr>,
}

impl Routes {
    pub(crate) fn new(addrs: Vec<Cidr>) -> Routes {
        Routes { addrs }
    }

    pub(crate) fn addrs(&self) -> &[Cidr] {
        &self.addrs
    }

    /// Whether this is an address of ours.
    pub(crate) fn is_ours(&self, a: Addr) -> bool {
        self.addrs.iter().any(|c| c.addr == a)
    }

    /// Whom a packet to `dst` is for.
    pub(crate) fn destination(&self, dst: Addr) -> Destination {
        if self.is_ours(dst) {
            Destination::Ours
        } else if dst.is_multicast() || self.is_broadcast(dst) {
            Destination::Many
        } else {
            Destination::Other
        }
    }

    /// The limited broadcast address, or the directed one of a network of ours (RFC 1122 3.2.1.3 (c), (d)).
    fn is_broadcast(&self, a: Addr) -> bool {
        a.is_limited_broadcast() || self.addrs.iter().any(|c| c.broadcast() == Some(a))
    }

    /// Whether a packet from outside may claim to come from `src` (RFC 1122 3.2.1.3, RFC 9293 MUST-63): a single
    /// host that is neither us nor a loopback address.
    pub(crate) fn is_valid_source(&self, src: Addr) -> bool {
        !is_reserved(src) && !self.is_broadcast(src) && !self.is_ours(src)
    }

    /// Whether an active open may go to `to` (RFC 9293 MUST-46): one host, and one that packets can be sent to.
    pub(crate) fn check_remote(&self, to: Endpoint) -> Result<(), ConnectError> {
        let a = to.addr;
        let nobody = a.is_unspecified() || is_reserved(a) && !self.is_ours(a);
        if to.port == 0 || nobody || self.destination(a) == Destination::Many {
            return Err(ConnectError::InvalidRemote);
        }
        Ok(())
    }

    /// Our address for talking to `to`: itself if it is ours, else the one whose network holds it, longest prefix
    /// first, else the first of its IP version (RFC 9293 MUST-44, RFC 1122 3.3.4.3).
    pub(crate) fn source_for(&self, to: Addr) -> Option<Addr> {
        if self.is_ours(to) {
            return Some(to);
        }
        let mut best: Option<(Option<u8>, Addr)> = None;
        for c in self.addrs.iter().filter(|c| c.addr.is_v4() == to.is_v4()) {
            let fit = c.contains(to).then_some(c.prefix);
            if best.is_none_or(|(b, _)| fit > b) {
                best = Some((fit, c.addr));
            }
        }
        best.map(|(_, addr)| addr)
    }
}

/// Addresses that no single host on a network has (RFC 1122 3.2.1.3): 0/8, 127/8, 224/4, 240/4; `::`, `::1`, ff00::/8.
fn is_reserved(a: Addr) -> bool {
    match a.as_v4() {
        Some([first, ..]) => first == 0 || first == 127 || first >= 224,
        None => a.is_unspecified() || a.is_loopback() || a.is_multicast(),
    }
}

impl Cidr {
    /// Bits of an address of this IP version.
    fn width(&self) -> u8 {
        if self.addr.is_v4() { 32 } else { 128 }
    }

    /// Ones where the host part is.
    fn host_mask(&self) -> u128 {
        let host = u32::from(self.width().saturating_sub(self.prefix));
        u128::MAX.checked_shr(128 - host).unwrap_or(0)
    }

    /// Whether `a` lies in this network.
    pub fn contains(&self, a: Addr) -> bool {
        let different = u128::from_be_bytes(*self.addr.octets()) ^ u128::from_be_bytes(*a.octets());
        a.is_v4() == self.addr.is_v4() && different & !self.host_mask() == 0
    }

    /// The directed broadcast address of an IPv4 network; /31 and /32 have none (RFC 3021).
    pub fn broadcast(&self) -> Option<Addr> {
        let here = u128::from_be_bytes(*self.addr.octets());
        let all = Addr::v6((here | self.host_mask()).to_be_bytes());
        (self.addr.is_v4() && self.prefix <= 30).then_some(all)
    }
}

#[cfg(test)]
mod tests;
