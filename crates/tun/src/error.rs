//! What goes wrong with a TUN device: cause and cure in one line each.

use core::fmt;
use std::io;

/// Why a TUN device cannot be made, opened or used.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Not a name that an interface can have.
    BadName {
        /// The name as given.
        name: String,
    },
    /// An MTU outside what the kernel accepts.
    BadMtu {
        /// The MTU as given.
        mtu: u16,
        /// The least that these addresses permit (RFC 791 3.2: 68; RFC 8200 section 5: 1280).
        least: u16,
    },
    /// Not an address of the form `10.9.0.1/24` or `fd00::1/64` that an interface can have.
    BadAddress {
        /// The address as given.
        text: String,
    },
    /// More than one IPv4 address for the same device.
    SecondIpv4 {
        /// The address that is too many.
        text: String,
    },
    /// The machine has no TUN driver at hand: no `/dev/net/tun`.
    NoDriver,
    /// The kernel does not permit it.
    NoPermission {
        /// What was attempted.
        step: &'static str,
    },
    /// A device to be made has the name of an interface that exists.
    Exists {
        /// The name.
        name: String,
    },
    /// The device exists, and another process (or another part of this one) holds it.
    Busy {
        /// The name.
        name: String,
    },
    /// There is no interface of that name to open.
    Missing {
        /// The name.
        name: String,
    },
    /// The interface exists and is no TUN device that one descriptor can hold.
    NotTun {
        /// The name.
        name: String,
    },
    /// The device was removed while it was in use.
    Gone {
        /// The name.
        name: String,
    },
    /// Anything else that the kernel said.
    Io {
        /// What was attempted.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadName { name } => write!(
                f,
                "\"{}\" cannot name an interface: use 1 to 15 letters, digits, '-', '_' or '.'",
                name.escape_debug()
            ),
            Error::BadMtu { mtu, least } => {
                write!(f, "MTU {mtu} is not possible with these addresses: use {least} to 65535")
            }
            Error::BadAddress { text } => write!(
                f,
                "\"{}\" is no interface address: write it like 10.9.0.1/24 or fd00::1/64",
                text.escape_debug()
            ),
            Error::SecondIpv4 { text } => {
                write!(
                    f,
                    "{text} would be a second IPv4 address: give one, and add others with `ip address add`"
                )
            }
            Error::NoDriver => {
                write!(
                    f,
                    "/dev/net/tun is missing: load the driver (`modprobe tun`), or pass the device into the container"
                )
            }
            Error::NoPermission { step } => write!(
                f,
                "no permission to {step}: run as root, with CAP_NET_ADMIN, or on a device that was made for you (`ip tuntap add mode tun user NAME`)"
            ),
            Error::Exists { name } => {
                write!(
                    f,
                    "an interface named {name} exists already: choose another name, or open it instead of making it"
                )
            }
            Error::Busy { name } => {
                write!(f, "{name} is in use by another program: stop that program or choose another name")
            }
            Error::Missing { name } => {
                write!(f, "there is no interface named {name}: make it with `ip tuntap add {name} mode tun`")
            }
            Error::NotTun { name } => {
                write!(
                    f,
                    "{name} is not a single-queue TUN device: choose another name (`ip tuntap` lists the TUN devices)"
                )
            }
            Error::Gone { name } => write!(f, "{name} was removed while in use: make or open it again"),
            Error::Io { step, source } => write!(f, "cannot {step}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::BadName { .. }
            | Error::BadMtu { .. }
            | Error::BadAddress { .. }
            | Error::SecondIpv4 { .. }
            | Error::NotTun { .. } => io::ErrorKind::InvalidInput,
            Error::NoDriver | Error::Missing { .. } | Error::Gone { .. } => io::ErrorKind::NotFound,
            Error::NoPermission { .. } => io::ErrorKind::PermissionDenied,
            Error::Exists { .. } => io::ErrorKind::AlreadyExists,
            Error::Busy { .. } => io::ErrorKind::ResourceBusy,
            Error::Io { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}
