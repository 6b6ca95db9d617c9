//! Numbers of descriptors. Each of ours is also a real, idle descriptor of the process: so the numbers never meet those of
//! other files, and a caller who closes one behind our back harms nobody.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers beyond this are refused.
const MOST: usize = 65_536;

/// Which numbers are ours, without a lock: `close` asks for every descriptor of the process.
static OURS: [AtomicU64; MOST / 64] = [const { AtomicU64::new(0) }; MOST / 64];

fn bit(fd: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let fd = usize::try_from(fd).ok()?;
    Some((OURS.get(fd / 64)?, 1 << (fd % 64)))
}

/// Whether a number is one of ours.
pub(crate) fn ours(fd: RawFd) -> bool {
    bit(fd).is_some_and(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
}

/// An idle descriptor that stands for one of ours.
#[derive(Debug)]
pub(crate) struct Backing {
    fd: RawFd,
    /// Device and file: somebody else may have closed it, and the number may be another file's now.
    file: (libc::dev_t, libc::ino_t),
}

impl Backing {
    /// `None`: the process has too many descriptors.
    pub fn new() -> Option<Backing> {
        // SAFETY: the name is a string that ends with zero and lives for ever; nothing else is passed.
        let fd = unsafe { libc::memfd_create(c"synfin".as_ptr(), libc::MFD_CLOEXEC) };
        let file = identity(fd)?;
        let backing = Backing { fd, file };
        let (word, bit) = bit(fd)?;
        word.fetch_or(bit, Ordering::AcqRel);
        Some(backing)
    }

    /// The number.
    pub fn number(&self) -> i64 {
        self.fd.into()
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        if let Some((word, bit)) = bit(self.fd) {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
        if identity(self.fd) == Some(self.file) {
            close_real(self.fd);
        }
    }
}

/// Which file a descriptor is.
fn identity(fd: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    // SAFETY: a struct of numbers: all zeros are a value of it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is writable and as large as the call expects; any number may be asked about.
    let found = unsafe { libc::fstat(fd, &raw mut stat) } == 0;
    found.then_some((stat.st_dev, stat.st_ino))
}

/// The kernel's close, past the one that this library may have put in its place.
pub(crate) fn close_real(fd: RawFd) -> libc::c_int {
    // SAFETY: a number is passed and nothing else. Which descriptor it closes is what the caller asked for.
    unsafe { libc::syscall(libc::SYS_close, fd) as libc::c_int }
}

#[cfg(test)]
mod tests;
