//! Where one script happens: a network namespace with one device, and settings that do not depend on the host's.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities};
use synfin_netns::{Links, Namespace};
use synfin_script::Setup;
use synfin_script::setup::Family;
use synfin_tun::Tun;

/// The device's name; commands of scripts use it.
pub(crate) const DEVICE: &str = "tun0";

/// Settings of a freshly started system, where a namespace may inherit the host's others instead. A namespace cannot have
/// more congestion control than the host allows; Reno is always there.
const FRESH: [(&str, &str); 4] = [
    ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
    ("net.ipv4.tcp_congestion_control", "reno"),
    ("net.ipv4.ip_local_port_range", "32768 60999"),
];

/// Makes sure that scripts can be run here. An ordinary user moves into a user namespace, which cannot be done any more when
/// there are threads: hence before anything else.
pub(crate) fn prepare() -> Result<(), String> {
    Namespace::enter_private().map_err(|e| e.to_string())?;
    hand_down_rights();
    let node = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    node.map(drop).map_err(|e| format!("/dev/net/tun: {e}"))
}

/// An ordinary user's rights in the namespace would end where another program is begun; the commands of scripts need them.
fn hand_down_rights() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(mut sets) = capabilities(None) else { return };
    sets.inheritable = sets.permitted;
    if set_capabilities(None, sets).is_ok() {
        for right in [CapabilitySet::NET_ADMIN, CapabilitySet::NET_RAW, CapabilitySet::SYS_ADMIN] {
            // Without it a command fails, and says so.
            let _ = configure_capability_in_ambient_set(right, true);
        }
    }
}

/// Runs `work` on a thread of its own in a new network namespace.
pub(crate) fn scope<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, String> {
    Namespace::scope(|_| work()).map_err(|e| e.to_string())
}

/// The device with its addresses and routes, in the calling thread's namespace.
pub(crate) fn device(setup: &Setup) -> Result<(Namespace, Tun), String> {
    let namespace = Namespace::current().map_err(|e| e.to_string())?;
    let set = |name: &str, value: &str| {
        namespace.set_setting(name, value).map_err(|e| format!("{name} = {value}: {e}"))
    };
    FRESH.iter().try_for_each(|(name, value)| set(name, value))?;
    let tun = Tun::builder().name(DEVICE).mtu(setup.mtu).leave_down().build().map_err(|e| e.to_string())?;
    // The kernel would tell its neighbours of itself, and ask for routers.
    match setup.family {
        Family::V6 => {
            for name in ["accept_ra", "router_solicitations", "accept_dad"] {
                set(&format!("net/ipv6/conf/{DEVICE}/{name}"), "0")?;
            }
        }
        // A kernel without IPv6 has no such setting, and nothing to be kept quiet.
        Family::V4 | Family::Mapped => {
            let _ = set(&format!("net/ipv6/conf/{DEVICE}/disable_ipv6"), "1");
        }
    }
    let mut links = Links::new().map_err(|e| e.to_string())?;
    let index = tun.index().map_err(|e| e.to_string())?;
    let (local, remote) = (IpAddr::from(setup.addrs.local), IpAddr::from(setup.addrs.remote));
    let mut build = || {
        links.add_address(index, local, setup.prefix)?;
        links.set_up(index)?;
        let prefix = if remote.is_ipv4() { 24 } else { 64 };
        links.add_route(network(remote, prefix), prefix, None, index)
    };
    build().map_err(|e| e.to_string())?;
    if setup.family == Family::V6 {
        wait_until_reached(local);
    }
    Ok((namespace, tun))
}

/// IPv6 takes the kernel some milliseconds after the device is up; until then it drops what comes for the address. Waits
/// until the kernel can send to itself, at most half a second; then the script goes on.
fn wait_until_reached(local: IpAddr) {
    let reached = || {
        let socket = UdpSocket::bind((local, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(2)))?;
        socket.send_to(&[0], socket.local_addr()?)?;
        socket.recv(&mut [0])
    };
    for _ in 0..250 {
        if reached().is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The network of `prefix` leading bits that an address is in.
fn network(addr: IpAddr, prefix: u8) -> IpAddr {
    match addr {
        IpAddr::V4(a) => {
            IpAddr::V4((a.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into())
        }
        IpAddr::V6(a) => {
            IpAddr::V6((a.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    }
}
