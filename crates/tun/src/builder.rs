//! Making and opening TUN devices.

use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::{Cidr, Error, Tun};

/// The least MTU that an IPv4 link may have (RFC 791 3.2), and that the kernel accepts.
const LEAST_MTU: u16 = 68;
/// The least MTU that an IPv6 link may have (RFC 8200 section 5).
const LEAST_MTU_IPV6: u16 = 1280;
/// Octets of the longest interface name (IFNAMSIZ less the closing NUL).
const LONGEST_NAME: usize = 15;
/// The default: what Ethernet carries (RFC 894).
const DEFAULT_MTU: u16 = 1500;

/// A TUN device to be made. It vanishes when the [`Tun`] is dropped.
#[derive(Clone, Debug)]
pub struct Builder {
    name: Option<String>,
    mtu: u16,
    addresses: Vec<Cidr>,
    link: Link,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Link {
    Up,
    Down,
}

impl Default for Builder {
    fn default() -> Self {
        Builder { name: None, mtu: DEFAULT_MTU, addresses: Vec::new(), link: Link::Up }
    }
}

impl Builder {
    /// The interface's name, 1 to 15 octets. Without it the kernel picks one (`tun0`, `tun1`, ...).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Largest IP packet, in octets; 1500 unless told.
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = mtu;
        self
    }

    /// Gives the kernel's end of the device an address, and with it a route to the address's network.
    /// The other end, the stack's, uses other addresses of that network. One IPv4 address, any number of IPv6 addresses.
    #[must_use]
    pub fn kernel_address(mut self, address: Cidr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Leaves the interface down: somebody else brings it up later.
    #[must_use]
    pub fn leave_down(mut self) -> Self {
        self.link = Link::Down;
        self
    }

    /// Makes the device in the calling thread's network namespace.
    ///
    /// # Errors
    /// Bad name, MTU or address; a name that is taken; no driver; no permission; what else the kernel says.
    pub fn build(self) -> Result<Tun, Error> {
        let ipv4 = self.check()?;
        require_driver()?;
        if let Some(name) = &self.name
            && exists(name)
        {
            return Err(Error::Exists { name: name.clone() });
        }
        let mut builder = DeviceBuilder::new().inherit_enable_state();
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some((addr, prefix)) = ipv4 {
            builder = builder.ipv4(addr, prefix, None);
        }
        let device = attach(builder, self.name.as_deref().unwrap_or("tun"))?;
        device.set_mtu(self.mtu).map_err(|e| because("set the MTU", e))?;
        for address in &self.addresses {
            if let IpAddr::V6(addr) = address.addr() {
                let added = device.add_address_v6(addr, address.prefix());
                added.map_err(|e| because("give the device an IPv6 address", e))?;
            }
        }
        if self.link == Link::Up {
            device.enabled(true).map_err(|e| because("bring the device up", e))?;
            self.addresses.iter().for_each(wait_until_chosen);
        }
        Tun::new(device)
    }

    /// Checks what can be known before the kernel is asked; returns the IPv4 address, if any.
    fn check(&self) -> Result<Option<(std::net::Ipv4Addr, u8)>, Error> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let mut ipv4 = None;
        let mut least = LEAST_MTU;
        for address in &self.addresses {
            match address.addr() {
                IpAddr::V4(addr) if ipv4.is_none() => ipv4 = Some((addr, address.prefix())),
                IpAddr::V4(_) => return Err(Error::SecondIpv4 { text: address.to_string() }),
                IpAddr::V6(_) => least = LEAST_MTU_IPV6,
            }
        }
        if self.mtu < least {
            return Err(Error::BadMtu { mtu: self.mtu, least });
        }
        Ok(ipv4)
    }
}

/// Waits until the kernel sends from this address to its network, which for IPv6 takes it some milliseconds after the
/// device is up: until then it would choose another, such as `::1`. At most half a second; then the caller goes on.
fn wait_until_chosen(address: &Cidr) {
    let IpAddr::V6(addr) = address.addr() else { return };
    if address.prefix() == 128 {
        return;
    }
    // Connecting a datagram socket sends nothing: it only asks for the route and the source address.
    let neighbour = Ipv6Addr::from_bits(addr.to_bits() ^ 1);
    let chosen = || {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        socket.connect((neighbour, 9))?;
        socket.local_addr()
    };
    for _ in 0..250 {
        if chosen().is_ok_and(|from| from.ip() == addr) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Opens the TUN device `name`, which somebody else made and nobody holds, and changes nothing on it.
pub(crate) fn open(name: &str) -> Result<Tun, Error> {
    check_name(name)?;
    require_driver()?;
    // The kernel makes a device for a name that it does not know; opening must not.
    if !exists(name) {
        return Err(Error::Missing { name: name.to_owned() });
    }
    Tun::new(attach(DeviceBuilder::new().inherit_enable_state().name(name), name)?)
}

/// Whether the calling thread's network namespace has an interface named `name`.
pub(crate) fn exists(name: &str) -> bool {
    nix::net::if_::if_nametoindex(name).is_ok()
}

fn attach(builder: DeviceBuilder, name: &str) -> Result<SyncDevice, Error> {
    let name = || name.to_owned();
    let device = builder.build_sync().map_err(|e| match e.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EBUSY) => Error::Busy { name: name() },
        Some(Errno::EINVAL) => Error::NotTun { name: name() },
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Error::NoDriver,
        _ => because("use a TUN device", e),
    })?;
    device.set_nonblocking(true).map_err(|e| because("make the device non-blocking", e))?;
    Ok(device)
}

/// Without the device node the library would try to make it; a missing driver is for the user to see.
fn require_driver() -> Result<(), Error> {
    if Path::new("/dev/net/tun").exists() { Ok(()) } else { Err(Error::NoDriver) }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=LONGEST_NAME).contains(&name.len());
    // The kernel refuses '/' and ':' and reads '%' as a pattern.
    let plain = name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%'));
    if fits && plain && name != "." && name != ".." {
        Ok(())
    } else {
        Err(Error::BadName { name: name.to_owned() })
    }
}

/// Gives an error of the kernel its type.
pub(crate) fn because(step: &'static str, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::PermissionDenied {
        Error::NoPermission { step }
    } else {
        Error::Io { step, source }
    }
}
