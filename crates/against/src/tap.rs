//! Ears on the device: what the kernel sends, with the time at which it did.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

/// A packet that goes out (packet(7), PACKET_OUTGOING).
const OUTGOING: u8 = 4;
/// The longest packet there is.
const LONGEST: usize = 65_536;
/// Room for packets that nobody has asked for yet.
const ROOM: usize = 8 << 20;

/// Hears all packets that leave through devices of the namespace in which it was made.
pub(crate) struct Tap {
    socket: OwnedFd,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

/// A packet, and how long ago it was sent.
pub(crate) struct Heard {
    pub packet: Vec<u8>,
    pub ago: Duration,
}

impl Tap {
    pub fn new() -> nix::Result<Tap> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // With a right that ordinary users may lack even in a namespace of their own; then the usual room has to do.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &ROOM);
        Ok(Tap { socket, buffer: vec![0; LONGEST], control: nix::cmsg_space!(TimeSpec) })
    }

    /// The next packet that left.
    pub fn next(&mut self) -> nix::Result<Option<Heard>> {
        loop {
            let mut into = [IoSliceMut::new(&mut self.buffer)];
            let fd = self.socket.as_raw_fd();
            let got = match recvmsg::<LinkAddr>(fd, &mut into, Some(&mut self.control), MsgFlags::empty()) {
                Ok(got) => got,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            if got.address.is_none_or(|a| a.pkttype() != OUTGOING) {
                continue;
            }
            let stamp = got.cmsgs()?.find_map(|c| match c {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                _ => None,
            });
            let now = clock_gettime(ClockId::Realtime);
            let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
            let len = got.bytes;
            let packet = self.buffer.get(..len).unwrap_or_default().to_vec();
            let ago = stamp.map_or(Duration::ZERO, |stamp| now.saturating_sub(stamp));
            return Ok(Some(Heard { packet, ago }));
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
