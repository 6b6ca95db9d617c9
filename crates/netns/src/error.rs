//! What Linux refuses, and what to do: cause and cure in one line each.

use core::fmt;
use std::io;

/// Why a namespace cannot be made, or something in it cannot be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An ordinary user's process with more than one thread cannot enter a user namespace.
    ManyThreads {
        /// Threads of the process.
        threads: usize,
    },
    /// The system does not let this user make a namespace of its own, or gives it no rights there.
    Refused {
        /// What was attempted.
        step: &'static str,
    },
    /// The system's limit on namespaces is reached.
    Limit,
    /// The calling thread is not in the namespace that is meant.
    Outside,
    /// Not the name of a network setting.
    BadSetting {
        /// The name as given.
        name: String,
    },
    /// The kernel does not know this setting in a namespace.
    NoSetting {
        /// The name as given.
        name: String,
    },
    /// There is no such interface in this namespace.
    NoInterface {
        /// The name as given.
        name: String,
    },
    /// The caller lacks the rights.
    NoPermission {
        /// What was attempted.
        step: &'static str,
    },
    /// Anything else that the kernel said.
    Io {
        /// What was attempted.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(step: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Error::NoPermission { step },
            _ => Error::Io { step, source },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ManyThreads { threads } => write!(
                f,
                "a process with {threads} threads cannot enter a user namespace: do it before starting threads, or run as root"
            ),
            Error::Refused { step } => write!(
                f,
                "this system does not let you {step}: run as root, or permit user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container, its security profile)"
            ),
            Error::Limit => write!(
                f,
                "no more namespaces are allowed: raise sysctl user.max_net_namespaces and user.max_user_namespaces"
            ),
            Error::Outside => {
                write!(f, "this thread is not in the private namespace: enter it first")
            }
            Error::BadSetting { name } => write!(
                f,
                "\"{}\" is no network setting: write it like net.ipv4.tcp_fin_timeout",
                name.escape_debug()
            ),
            Error::NoSetting { name } => {
                write!(
                    f,
                    "this kernel has no setting {name} in a namespace: `sysctl -a` there lists those it has"
                )
            }
            Error::NoInterface { name } => {
                write!(
                    f,
                    "there is no interface named {}: `ip link` lists those there are",
                    name.escape_debug()
                )
            }
            Error::NoPermission { step } => {
                write!(
                    f,
                    "no permission to {step}: run as root, with CAP_NET_ADMIN, or in a namespace of your own"
                )
            }
            Error::Io { step, source } => write!(f, "cannot {step}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
