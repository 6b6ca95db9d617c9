//! Calls that the program makes past the struct of functions: it asks for TCP_INFO, closes what a script leaves open, and
//! sends files with the C library's own functions. Preloaded, these come first. For descriptors that are not ours they do
//! what the C library does.

use libc::{c_int, c_void, off_t, size_t, socklen_t, ssize_t};

use crate::border::cross;
use crate::calls::{self, Write};
use crate::descriptors::{close_real, ours};
use crate::interface::option_out;

/// Octets of a file that one call moves at most.
const MOST: usize = 1 << 20;

/// close(2)
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn close(fd: c_int) -> c_int {
    if ours(fd) { cross(|| calls::close(fd)) } else { close_real(fd) }
}

/// getsockopt(2)
///
/// # Safety
/// As for the C library's: `len` points to a number that tells how many octets `value` points to.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    if ours(fd) {
        // SAFETY: by the contract of this function.
        return unsafe { option_out(fd, level, name, value, len) };
    }
    // SAFETY: the kernel gets what the caller passed, and checks it; errno is set by the C library.
    unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, len) as c_int }
}

/// sendfile(2)
///
/// # Safety
/// As for the C library's: `offset` is null or points to a number that may be read and written.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t {
    if !ours(to) {
        // SAFETY: the kernel gets what the caller passed, and checks it; errno is set by the C library.
        return unsafe { libc::syscall(libc::SYS_sendfile, to, from, offset, count) as ssize_t };
    }
    cross(|| {
        let mut octets = vec![0_u8; count.min(MOST)];
        let (at, room) = (octets.as_mut_ptr().cast::<c_void>(), octets.len());
        let n = if offset.is_null() {
            // SAFETY: `at` points to `room` octets that are ours.
            unsafe { libc::read(from, at, room) }
        } else {
            // SAFETY: as above; `offset` is not null, and readable by the contract of this function.
            unsafe { libc::pread(from, at, room, offset.read_unaligned()) }
        };
        let n = usize::try_from(n)
            .map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))?;
        octets.truncate(n);
        let sent = calls::write(to, &octets, &Write::Plain)?;
        if !offset.is_null() {
            // SAFETY: not null, and writable by the contract of this function.
            unsafe { offset.write_unaligned(offset.read_unaligned() + sent as off_t) };
        }
        Ok(sent)
    })
}

/// sendfile(2) where a program was built for large files.
///
/// # Safety
/// As for [`sendfile`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn sendfile64(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t {
    // SAFETY: the same contract; off_t has 64 bits where this is built.
    unsafe { sendfile(to, from, offset, count) }
}
