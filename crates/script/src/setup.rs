//! What the options of a script decide: addresses, MTU, tolerance.

use synfin_wire::Addr;

use crate::ast::Script;
pub use crate::sys::Addresses;

/// Time and place of a run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who talks to whom.
    pub addrs: Addresses,
    /// Which sockets `socket(..., ...)` makes.
    pub family: Family,
    /// Prefix length of our network.
    pub prefix: u8,
    /// Octets of the largest packet.
    pub mtu: u16,
    /// Text of each segment that a large incoming packet was merged from.
    pub merged: Option<u16>,
    /// In microseconds.
    pub tolerance: Option<i64>,
    /// Length of a tick of the stack's timestamps, if they are to be checked.
    pub tick: Option<i64>,
    /// Only parsed.
    pub dry: bool,
    /// A packet that the script expects must not come in pieces.
    pub strict_segments: bool,
}

/// Sockets and what they say on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4 sockets.
    V4,
    /// IPv6 sockets.
    V6,
    /// IPv6 sockets that speak IPv4.
    Mapped,
}

const LOCAL_V4: Addr = Addr::v4([192, 168, 0, 1]);
const REMOTE_V4: Addr = Addr::v4([192, 0, 2, 1]);
const LOCAL_V6: Addr = Addr::v6([0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const REMOTE_V6: Addr = Addr::v6([0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// Options that decide nothing here: how the tool itself works, where its files are, what only a real device has.
const WITHOUT_MEANING: [&str; 12] = [
    "verbose",
    "debug",
    "gateway_ip",
    "netmask_ip",
    "speed",
    "persistent_tun_dev",
    "send_omit_free",
    "no_cleanup",
    "tun_dev",
    "init_scripts",
    "non_fatal",
    "wire_server_port",
];

impl Setup {
    /// From the options of a script and those of the command line; the latter win.
    ///
    /// # Errors
    /// Line and reason: an option that is not known, or a value that is not understood.
    pub fn of(script: &Script, extra: &[(String, String)]) -> Result<Setup, (u32, String)> {
        let mut setup = Setup {
            addrs: Addresses { local: LOCAL_V4, remote: REMOTE_V4, bind_port: 8080, connect_port: 8080 },
            family: Family::V4,
            prefix: 16,
            mtu: 1500,
            merged: None,
            tolerance: None,
            tick: None,
            dry: false,
            strict_segments: false,
        };
        let own = script.options.iter().map(|o| (o.line, o.name.as_str(), o.value.as_str()));
        let given = extra.iter().map(|(n, v)| (0, n.as_str(), v.as_str()));
        let all: Vec<_> = own.chain(given).collect();
        // The version comes first whatever the order: it brings defaults for the rest.
        for (line, name, value) in all.iter().filter(|(_, name, _)| *name == "ip_version") {
            setup.version(value).ok_or_else(|| (*line, format!("--{name}={value} is not understood")))?;
        }
        for (line, name, value) in all {
            let known = setup.option(name, value);
            known.ok_or_else(|| (line, format!("option --{name}={value} is not understood")))?;
        }
        Ok(setup)
    }

    fn version(&mut self, value: &str) -> Option<()> {
        match value {
            "ipv4" => Some(()),
            // Mapped addresses are IPv4 on the wire.
            "ipv4-mapped-ipv6" => {
                self.family = Family::Mapped;
                Some(())
            }
            "ipv6" => {
                self.family = Family::V6;
                // The same MSS as with IPv4.
                (self.addrs.local, self.addrs.remote) = (LOCAL_V6, REMOTE_V6);
                (self.prefix, self.mtu) = (64, 1520);
                Some(())
            }
            _ => None,
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Option<()> {
        let address = || value.parse::<std::net::IpAddr>().ok().map(Addr::from);
        match name {
            "ip_version" => {}
            "local_ip" => self.addrs.local = address()?,
            "remote_ip" => self.addrs.remote = address()?,
            "mtu" => self.mtu = value.parse().ok().filter(|n| *n >= 68)?,
            "mss" => self.merged = Some(value.parse().ok().filter(|n| *n > 0)?),
            "bind_port" => self.addrs.bind_port = value.parse().ok()?,
            "connect_port" => self.addrs.connect_port = value.parse().ok()?,
            "tolerance_usecs" => self.tolerance = Some(value.parse().ok().filter(|n| *n >= 0)?),
            "tcp_ts_tick_usecs" => {
                self.tick = Some(value.parse().ok().filter(|n| *n >= 0)?).filter(|n| *n > 0)
            }
            "dry_run" => self.dry = true,
            "strict_segments" => self.strict_segments = true,
            _ if WITHOUT_MEANING.contains(&name) => {}
            _ => return None,
        }
        Some(())
    }
}
