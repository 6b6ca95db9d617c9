//! The border to C: no panic crosses it, and errno is set last.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::c_int;

/// Runs `f`; an error becomes -1 and errno.
pub(crate) fn cross<R: From<i8>>(f: impl FnOnce() -> Result<R, c_int>) -> R {
    // What a panic leaves behind is a host in some state: the script has failed, and the next one begins with a new host.
    let errno = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => return value,
        Ok(Err(errno)) => errno,
        Err(_) => libc::EIO,
    };
    set_errno(errno);
    R::from(-1)
}

/// errno of this thread.
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: the C library returns the address of this thread's errno, which lives as long as the thread.
    unsafe { *libc::__errno_location() = errno };
}
