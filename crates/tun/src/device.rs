//! The open device.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use synfin_link::{Caps, Device, RxFrame, TxSink};
use tun_rs::SyncDevice;

use crate::builder::{self, because};
use crate::outbox::{Lost, Outbox};
use crate::{Builder, Error};

/// Packets that one [`Device::recv`] hands over at most: a busy device leaves time for timers and for sending.
const BURST: usize = 64;

/// The longest IP packet without jumbograms; the kernel cuts what does not fit the buffer.
const LONGEST_PACKET: usize = u16::MAX as usize;

/// A TUN device: the packets of a network interface.
pub struct Tun {
    outbox: Outbox<SyncDevice>,
    name: String,
    caps: Caps,
    /// One packet at a time.
    packet: Box<[u8]>,
}

impl Tun {
    /// A device to be made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Opens the TUN device `name`, which somebody else made and nobody holds, and changes nothing on it:
    /// neither addresses nor MTU, nor up or down.
    ///
    /// # Errors
    /// No such interface, not a TUN device, in use, no driver, no permission; what else the kernel says.
    pub fn open(name: &str) -> Result<Tun, Error> {
        builder::open(name)
    }

    /// Whether the calling thread's network namespace has an interface named `name`, of any kind.
    pub fn exists(name: &str) -> bool {
        builder::exists(name)
    }

    pub(crate) fn new(device: SyncDevice) -> Result<Tun, Error> {
        let name = device.name().map_err(|e| because("read the device's name", e))?;
        let mtu = device.mtu().map_err(|e| because("read the device's MTU", e))?;
        Ok(Tun {
            outbox: Outbox::new(device),
            name,
            caps: Caps::plain(mtu),
            packet: vec![0; LONGEST_PACKET].into_boxed_slice(),
        })
    }

    /// The interface's name when it was made or opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's index in its network namespace.
    ///
    /// # Errors
    /// The device is gone.
    pub fn index(&self) -> Result<u32, Error> {
        self.outbox.port().if_index().map_err(|e| because("read the device's index", e))
    }

    /// Pushed packets that never reached the kernel.
    pub fn lost(&self) -> Lost {
        self.outbox.lost()
    }

    /// Packets that wait for the device: while there are any, poll for writability too.
    pub fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    fn gone(&self) -> Error {
        Error::Gone { name: self.name.clone() }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outbox.port().as_fd()
    }
}

impl Device for Tun {
    type Error = Error;

    fn caps(&self) -> Caps {
        self.caps
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Error> {
        let mut received = 0;
        while received < BURST {
            match self.outbox.port().recv(&mut self.packet) {
                Ok(len) => {
                    each(RxFrame::plain(self.packet.get(..len).unwrap_or_default()));
                    received += 1;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // A signal: whoever waits for one wants to look.
                Err(e) if e.kind() == ErrorKind::Interrupted => break,
                Err(e) => {
                    return Err(match e.raw_os_error().map(Errno::from_raw) {
                        Some(Errno::EIO | Errno::EBADFD) => self.gone(),
                        _ => because("read from the device", e),
                    });
                }
            }
        }
        Ok(received)
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        &mut self.outbox
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.outbox.flush().map_err(|e| match e.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EBADFD) => self.gone(),
            _ => because("write to the device", e),
        })
    }
}
