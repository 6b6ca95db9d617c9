//! An address with the length of its network's prefix.

use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

use crate::Error;

/// An interface address as people write it: `10.9.0.1/24`, `fd00::1/64`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Cidr {
    addr: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// `addr` in a network of `prefix` leading bits.
    ///
    /// # Errors
    /// The prefix is longer than the address, or the address cannot be an interface's (unspecified, multicast).
    pub fn new(addr: IpAddr, prefix: u8) -> Result<Cidr, Error> {
        let bits = if addr.is_ipv4() { 32 } else { 128 };
        if prefix > bits || addr.is_unspecified() || addr.is_multicast() {
            return Err(Error::BadAddress { text: format!("{addr}/{prefix}") });
        }
        Ok(Cidr { addr, prefix })
    }

    /// The address.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Leading bits that all addresses of the network share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cidr, Error> {
        let bad = || Error::BadAddress { text: text.to_owned() };
        let (addr, prefix) = text.split_once('/').ok_or_else(bad)?;
        let addr: IpAddr = addr.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        Cidr::new(addr, prefix).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests;
