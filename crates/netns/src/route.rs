//! Interfaces, addresses and routes, as `ip link`, `ip address` and `ip route` set them.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::Error;
use crate::netlink::Netlink;

/// Sets up interfaces in the namespace in which it was made. Interfaces are named by their index.
pub struct Links {
    netlink: Netlink,
}

impl Links {
    /// In the calling thread's namespace.
    ///
    /// # Errors
    /// The kernel gives no netlink socket.
    pub fn new() -> Result<Links, Error> {
        Ok(Links { netlink: Netlink::new(NETLINK_ROUTE).map_err(Error::io("open a netlink socket"))? })
    }

    /// The index of the interface `name` in the calling thread's namespace.
    ///
    /// # Errors
    /// There is none.
    pub fn index(&self, name: &str) -> Result<u32, Error> {
        nix::net::if_::if_nametoindex(name).map_err(|_| Error::NoInterface { name: name.to_owned() })
    }

    /// Brings an interface up.
    ///
    /// # Errors
    /// No such interface, no permission.
    pub fn set_up(&mut self, index: u32) -> Result<(), Error> {
        let mut message = link(index);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.set("bring an interface up", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Takes an interface down.
    ///
    /// # Errors
    /// No such interface, no permission.
    pub fn set_down(&mut self, index: u32) -> Result<(), Error> {
        let mut message = link(index);
        message.header.change_mask = LinkFlags::Up;
        self.set("take an interface down", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Sets the largest IP packet of an interface, in octets.
    ///
    /// # Errors
    /// No such interface, no permission, a size that the interface cannot carry.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<(), Error> {
        let mut message = link(index);
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.set("set an interface's MTU", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Removes an interface, for example a TUN device that persists.
    ///
    /// # Errors
    /// No such interface, no permission, an interface that cannot be removed.
    pub fn remove(&mut self, index: u32) -> Result<(), Error> {
        self.set("remove an interface", RouteNetlinkMessage::DelLink(link(index)), 0)
    }

    /// Gives an interface an address in a network of `prefix` leading bits, usable at once: without duplicate address
    /// detection (RFC 4862 5.4).
    ///
    /// # Errors
    /// No such interface, no permission, an address that it has already or cannot have.
    pub fn add_address(&mut self, index: u32, addr: IpAddr, prefix: u8) -> Result<(), Error> {
        let mut message = AddressMessage::default();
        message.header.family = family(addr);
        message.header.prefix_len = prefix;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Address(addr));
        message.attributes.push(AddressAttribute::Local(addr));
        if addr.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        self.set("add an address", RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Adds a route to the network of `prefix` leading bits of `to` through an interface, and `via` a router if told.
    /// Prefix 0 is the default route.
    ///
    /// # Errors
    /// No such interface, no permission, a route that exists or cannot be.
    pub fn add_route(
        &mut self,
        to: IpAddr,
        prefix: u8,
        via: Option<IpAddr>,
        index: u32,
    ) -> Result<(), Error> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(to),
            destination_prefix_length: prefix,
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: if via.is_none() && to.is_ipv4() { RouteScope::Link } else { RouteScope::Universe },
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        if prefix > 0 {
            message.attributes.push(RouteAttribute::Destination(to.into()));
        }
        if let Some(via) = via {
            message.attributes.push(RouteAttribute::Gateway(via.into()));
        }
        message.attributes.push(RouteAttribute::Oif(index));
        self.set("add a route", RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    fn set(&mut self, step: &'static str, message: RouteNetlinkMessage, flags: u16) -> Result<(), Error> {
        let done: io::Result<()> = self.netlink.exchange(message, NLM_F_ACK | flags, |_| {});
        done.map_err(Error::io(step))
    }
}

fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn family(addr: IpAddr) -> AddressFamily {
    if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

#[cfg(test)]
mod tests;
