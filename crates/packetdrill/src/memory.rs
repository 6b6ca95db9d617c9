//! Memory of the caller: what C passes as pointer and length. Null is told apart, everything else is believed, as C does.

use std::slice;

use libc::{c_int, c_void, iovec};

/// More than this in one call is a slip of the pen, and would cost that much memory.
const MOST: usize = 1 << 30;
/// Linux's UIO_MAXIOV.
const MOST_BUFFERS: usize = 1024;

/// The octets at `at`.
///
/// # Safety
/// `at` is null or points to `len` octets that nobody changes before the caller is done with them.
pub(crate) unsafe fn octets<'a>(at: *const c_void, len: usize) -> Result<&'a [u8], c_int> {
    if len == 0 {
        return Ok(&[]);
    }
    if at.is_null() {
        return Err(libc::EFAULT);
    }
    if len > MOST {
        return Err(libc::EINVAL);
    }
    // SAFETY: not null, and by the contract of this function readable for `len`, which fits isize.
    Ok(unsafe { slice::from_raw_parts(at.cast(), len) })
}

/// Copies octets to `at`, as many as fit `room`; returns how many.
///
/// # Safety
/// `at` is null or points to `room` octets that are the caller's to write.
pub(crate) unsafe fn copy_out(bytes: &[u8], at: *mut c_void, room: usize) -> Result<usize, c_int> {
    let n = bytes.len().min(room);
    if n > 0 {
        if at.is_null() {
            return Err(libc::EFAULT);
        }
        // SAFETY: `n` octets can be read from the slice; by the contract `room`, which is no less, can be written. Our own
        // memory and the caller's do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.cast(), n) };
    }
    Ok(n)
}

/// Copies octets and tells their number in `*len`, which says how many fit.
///
/// # Safety
/// `len` is null or points to a number that may be read and written; `at` is null or points to `*len` octets to write.
pub(crate) unsafe fn copy_out_with_len(bytes: &[u8], at: *mut c_void, len: *mut u32) -> Result<(), c_int> {
    if len.is_null() {
        return Err(libc::EFAULT);
    }
    // SAFETY: not null, and by the contract readable.
    let room = unsafe { len.read_unaligned() };
    // An int for the kernel, which refuses negative ones.
    let room = usize::try_from(room.cast_signed()).map_err(|_| libc::EINVAL)?;
    // SAFETY: by the contract `at` is null or has `*len` octets.
    let n = unsafe { copy_out(bytes, at, room) }?;
    // SAFETY: not null, and by the contract writable. `n` is at most a u32 that was read above.
    unsafe { len.write_unaligned(n as u32) };
    Ok(())
}

/// Writes a value.
///
/// # Safety
/// `at` is null or points to a `T` that is the caller's to write.
pub(crate) unsafe fn put<T>(value: T, at: *mut T) -> Result<(), c_int> {
    if at.is_null() {
        return Err(libc::EFAULT);
    }
    // SAFETY: not null, and by the contract writable.
    unsafe { at.write_unaligned(value) };
    Ok(())
}

/// The buffers of a vector.
///
/// # Safety
/// `at` is null or points to `count` buffers that nobody changes before the caller is done with them.
pub(crate) unsafe fn vector<'a>(at: *const iovec, count: c_int) -> Result<&'a [iovec], c_int> {
    let count = usize::try_from(count).ok().filter(|n| *n <= MOST_BUFFERS).ok_or(libc::EINVAL)?;
    if count == 0 {
        return Ok(&[]);
    }
    if at.is_null() {
        return Err(libc::EFAULT);
    }
    // SAFETY: not null, and by the contract readable for `count`; callers in C align their structs.
    Ok(unsafe { slice::from_raw_parts(at, count) })
}

/// Everything that a vector's buffers hold, one after another.
///
/// # Safety
/// Each buffer's address is null or points to as many octets as it says.
pub(crate) unsafe fn gather(buffers: &[iovec]) -> Result<Vec<u8>, c_int> {
    let mut all = Vec::new();
    for buffer in buffers {
        // SAFETY: by the contract of this function.
        all.extend_from_slice(unsafe { octets(buffer.iov_base, buffer.iov_len) }?);
    }
    Ok(all)
}

/// Fills a vector's buffers, one after another.
///
/// # Safety
/// Each buffer's address is null or points to as many octets as it says, which are the caller's to write.
pub(crate) unsafe fn scatter(mut bytes: &[u8], buffers: &[iovec]) -> Result<(), c_int> {
    for buffer in buffers {
        // SAFETY: by the contract of this function.
        let n = unsafe { copy_out(bytes, buffer.iov_base, buffer.iov_len) }?;
        bytes = bytes.get(n..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
