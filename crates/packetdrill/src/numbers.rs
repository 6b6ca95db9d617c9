//! Linux's numbers and the names that the stack's calls use.

use libc::c_int;
use synfin_sockopt::names_of;

/// The number of an errno.
pub(crate) fn errno(name: &str) -> c_int {
    const NUMBERS: [(&str, c_int); 43] = [
        ("EPERM", libc::EPERM),
        ("ENOENT", libc::ENOENT),
        ("EINTR", libc::EINTR),
        ("EIO", libc::EIO),
        ("EBADF", libc::EBADF),
        ("EAGAIN", libc::EAGAIN),
        ("ENOMEM", libc::ENOMEM),
        ("EACCES", libc::EACCES),
        ("EFAULT", libc::EFAULT),
        ("EEXIST", libc::EEXIST),
        ("ENODEV", libc::ENODEV),
        ("EINVAL", libc::EINVAL),
        ("EMFILE", libc::EMFILE),
        ("ENOTTY", libc::ENOTTY),
        ("EPIPE", libc::EPIPE),
        ("EDOM", libc::EDOM),
        ("EDEADLK", libc::EDEADLK),
        ("ENOSYS", libc::ENOSYS),
        ("ENONET", libc::ENONET),
        ("EPROTO", libc::EPROTO),
        ("EOVERFLOW", libc::EOVERFLOW),
        ("ENOTSOCK", libc::ENOTSOCK),
        ("EDESTADDRREQ", libc::EDESTADDRREQ),
        ("EMSGSIZE", libc::EMSGSIZE),
        ("ENOPROTOOPT", libc::ENOPROTOOPT),
        ("EPROTONOSUPPORT", libc::EPROTONOSUPPORT),
        ("EOPNOTSUPP", libc::EOPNOTSUPP),
        ("EAFNOSUPPORT", libc::EAFNOSUPPORT),
        ("EADDRINUSE", libc::EADDRINUSE),
        ("EADDRNOTAVAIL", libc::EADDRNOTAVAIL),
        ("ENETDOWN", libc::ENETDOWN),
        ("ENETUNREACH", libc::ENETUNREACH),
        ("ECONNABORTED", libc::ECONNABORTED),
        ("ECONNRESET", libc::ECONNRESET),
        ("ENOBUFS", libc::ENOBUFS),
        ("EISCONN", libc::EISCONN),
        ("ENOTCONN", libc::ENOTCONN),
        ("ETIMEDOUT", libc::ETIMEDOUT),
        ("ECONNREFUSED", libc::ECONNREFUSED),
        ("EHOSTDOWN", libc::EHOSTDOWN),
        ("EHOSTUNREACH", libc::EHOSTUNREACH),
        ("EALREADY", libc::EALREADY),
        ("EINPROGRESS", libc::EINPROGRESS),
    ];
    NUMBERS.iter().find(|(n, _)| *n == name).map_or(libc::EIO, |(_, number)| *number)
}

/// What the value of a socket option looks like in memory.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Int,
    /// `struct linger`
    Linger,
    /// `struct timeval`
    Time,
    /// Characters.
    Text,
}

/// Names of an option's level and of itself, and its shape.
pub(crate) fn option(level: c_int, number: c_int) -> Option<(&'static str, &'static str, Shape)> {
    let (level, name) = names_of(level, number)?;
    let shape = match name {
        "SO_LINGER" => Shape::Linger,
        "SO_RCVTIMEO" | "SO_SNDTIMEO" => Shape::Time,
        "TCP_CONGESTION" | "TCP_FASTOPEN_KEY" | "SO_BINDTODEVICE" => Shape::Text,
        _ => Shape::Int,
    };
    Some((level, name, shape))
}

#[cfg(test)]
mod tests;
