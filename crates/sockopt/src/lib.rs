//! Beside the floors of synfin: calls on the kernel's sockets that no safe crate offers.
//!
//! * [`SockOpt`]: any socket option that a script names, with its value as octets.
//! * [`queue`]: how much waits in a socket.
//! * [`tcp_info`]: the numbers that `TCP_INFO` gives, by name.
//! * [`real_time`]: a thread that the kernel runs before others.
//!
//! This crate exists for its few `unsafe` blocks; everything else about sockets is in well-kept crates.
#![deny(clippy::undocumented_unsafe_blocks)]

mod names;
pub mod tcp_info;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A socket option that can be read and written as plain octets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct SockOpt {
    level: libc::c_int,
    number: libc::c_int,
}

impl SockOpt {
    /// The option of this name at the level of this name, as programs write them: `SOL_TCP`, `TCP_NODELAY`. Only options
    /// whose value holds no address of memory are known.
    pub fn named(level: &str, name: &str) -> Option<SockOpt> {
        let level = names::LEVELS.iter().find(|(n, _)| *n == level)?.1;
        let (_, _, number) = names::OPTIONS.iter().find(|(l, n, _)| *l == level && *n == name)?;
        Some(SockOpt { level, number: *number })
    }

    /// An option that no kernel has, for asking what a kernel says to that: numbers from 1000 on.
    pub fn unknown(level: &str, number: i32) -> Option<SockOpt> {
        let level = names::LEVELS.iter().find(|(n, _)| *n == level)?.1;
        (number >= names::NEVER).then_some(SockOpt { level, number })
    }

    /// Sets it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set(self, socket: BorrowedFd<'_>, value: &[u8]) -> io::Result<()> {
        let len = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the kernel reads at most `len` octets from the start of `value`, which has as many; the value of no option
        // in the table is or holds an address that the kernel would follow. `socket` is open while it is borrowed.
        let result = unsafe {
            libc::setsockopt(socket.as_raw_fd(), self.level, self.number, value.as_ptr().cast(), len)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Reads it into `value`; returns how long it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(self, socket: BorrowedFd<'_>, value: &mut [u8]) -> io::Result<usize> {
        let mut len = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the kernel writes at most `len` octets to the start of `value`, which has as many, and to `len` itself; it
        // follows no address in the value of an option in the table. `socket` is open while it is borrowed.
        let result = unsafe {
            libc::getsockopt(socket.as_raw_fd(), self.level, self.number, value.as_mut_ptr().cast(), &mut len)
        };
        if result == 0 { Ok(len as usize) } else { Err(io::Error::last_os_error()) }
    }
}

/// Names of a level and of an option at it, by their numbers, as programs write them.
pub fn names_of(level: libc::c_int, number: libc::c_int) -> Option<(&'static str, &'static str)> {
    let (_, name, _) = names::OPTIONS.iter().find(|(l, _, n)| (*l, *n) == (level, number))?;
    let (level, _) = names::LEVELS.iter().find(|(_, l)| *l == level)?;
    Some((level, name))
}

/// What can be asked of a socket's queues (tcp(7), ioctls).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Queue {
    /// SIOCINQ: octets that can be read.
    In,
    /// SIOCOUTQ: octets that are not acknowledged.
    Out,
    /// SIOCOUTQNSD: octets that were not sent.
    NotSent,
    /// SIOCATMARK: 1 if the urgent mark is next.
    AtMark,
}

/// Asks how much waits in a socket.
///
/// # Errors
/// What the kernel says.
pub fn queue(socket: BorrowedFd<'_>, which: Queue) -> io::Result<i32> {
    const SIOCATMARK: libc::c_ulong = 0x8905;
    const SIOCOUTQNSD: libc::c_ulong = 0x894b;
    let request = match which {
        Queue::In => libc::FIONREAD,
        Queue::Out => libc::TIOCOUTQ,
        Queue::NotSent => SIOCOUTQNSD,
        Queue::AtMark => SIOCATMARK,
    };
    let mut value: libc::c_int = 0;
    // SAFETY: each of the four requests writes one int to the address that it is given, and `value` is one. `socket` is open
    // while it is borrowed.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &mut value) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Lets the calling thread, and those that it starts, run before all ordinary ones (SCHED_RR at the lowest priority).
///
/// # Errors
/// No permission.
pub fn real_time() -> io::Result<()> {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 names the calling thread; the kernel reads one `sched_param`, and `param` is one.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &param) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests;
