//! A TCP/IP host of one's own.

use std::fmt;
use std::io;
use std::net::IpAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::time::Duration;

use synfin_link::Device;
use synfin_net::{Census, Cidr, StackConfig};
#[cfg(unix)]
use synfin_rt::FdWait;
use synfin_rt::{Host, Wait};
use synfin_tcp::{Counters, Probe, State};
use synfin_wire::{Addr, Tuple};

use crate::error::invalid;

/// A running host: addresses, a device and the thread that drives them. A cheap handle; sockets hold one too.
///
/// The thread ends, and the device is dropped, when every `Net` and socket is gone and every connection has closed,
/// or 60 s later if peers do not answer; TIME_WAIT is not waited for. [`Net::shutdown`] sets another limit and waits
/// for the end.
#[derive(Clone, Debug)]
pub struct Net {
    pub(crate) host: Host,
}

impl Net {
    /// A host to be described.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The host's addresses.
    pub fn addresses(&self) -> Vec<Cidr> {
        self.host.with(|turn| turn.stack().addrs().to_vec())
    }

    /// How many connections, listeners and other records there are.
    pub fn census(&self) -> Census {
        self.host.with(|turn| turn.stack().census())
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.host.with(|turn| turn.stack().counters().clone())
    }

    /// Every connection, half-open and TIME_WAIT record included, in no particular order.
    pub fn records(&self) -> Vec<(Tuple, State)> {
        let mut records = Vec::new();
        self.host
            .with(|turn| turn.stack().for_each_record(&mut |tuple, state| records.push((*tuple, state))));
        records
    }

    /// From now on tells `probe` what happens. It runs under the stack's lock: it must be quick, and must not use
    /// this host.
    pub fn set_probe(&self, probe: Option<Box<dyn Probe + Send>>) {
        self.host.with(|turn| turn.stack().set_probe(probe));
    }

    /// Closes every listener, refuses new connections, goes on until the open ones have closed or `linger` has
    /// passed, resets those that are left, ends the thread and drops the device. Sockets that still exist fail
    /// with `NetworkDown` from then on.
    ///
    /// Blocks; not for async code.
    ///
    /// # Errors
    /// `TimedOut`: connections had to be cut off. `NetworkDown`: the device had broken or vanished before.
    pub fn shutdown(&self, linger: Duration) -> io::Result<()> {
        self.host.shutdown(linger)
    }
}

/// A host to be started.
#[derive(Default)]
pub struct Builder {
    config: StackConfig,
    probe: Option<Box<dyn Probe + Send>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Builder {
    /// Adds an address with the prefix length of its network, as in `10.0.0.1/24`.
    #[must_use]
    pub fn address(mut self, addr: impl Into<IpAddr>, prefix: u8) -> Self {
        self.config.addrs.push(Cidr { addr: Addr::from(addr.into()), prefix });
        self
    }

    /// Changes settings of the stack and its connections.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut StackConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Tells `probe` what happens, from the first packet on. See [`Net::set_probe`].
    #[must_use]
    pub fn probe(mut self, probe: Box<dyn Probe + Send>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Starts the host on a device with a file descriptor.
    ///
    /// # Errors
    /// `InvalidInput`: no address, or one that is not a host's. What the system says if it gives no thread, no file
    /// descriptor or no random numbers.
    #[cfg(unix)]
    pub fn start<D>(self, device: D) -> io::Result<Net>
    where
        D: Device<Error: fmt::Display> + AsFd + Send + 'static,
    {
        let wait = FdWait::new()?;
        self.start_with(device, wait)
    }

    /// Starts the host on any device; `wait` knows how to wait for it.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_with<D, W>(self, device: D, wait: W) -> io::Result<Net>
    where
        D: Device<Error: fmt::Display> + Send + 'static,
        W: Wait<D> + Send + 'static,
    {
        check_addresses(&self.config.addrs)?;
        Ok(Net { host: Host::start(device, wait, self.config, self.probe)? })
    }
}

fn check_addresses(addrs: &[Cidr]) -> io::Result<()> {
    if addrs.is_empty() {
        return Err(invalid("a host needs an address"));
    }
    for Cidr { addr, prefix } in addrs {
        if addr.is_unspecified() || addr.is_multicast() || addr.is_limited_broadcast() {
            return Err(invalid("a host's address cannot be unspecified, multicast or broadcast"));
        }
        if *prefix > if addr.is_v4() { 32 } else { 128 } {
            return Err(invalid("the prefix is longer than the address"));
        }
    }
    Ok(())
}
