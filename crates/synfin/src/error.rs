//! What goes wrong, as `std::io` says it.

use std::io::{Error, ErrorKind};

use synfin_net::{ConnectError, ListenError};
use synfin_tcp::CloseReason;

/// The error of a connection that ended for this reason; `None` if it ended as it should.
pub fn closed(reason: CloseReason) -> Option<Error> {
    let kind = match reason {
        CloseReason::Done => return None,
        CloseReason::Aborted => ErrorKind::ConnectionAborted,
        CloseReason::Reset => ErrorKind::ConnectionReset,
        CloseReason::Refused => ErrorKind::ConnectionRefused,
        CloseReason::TimedOut | CloseReason::FinWait2Expired => ErrorKind::TimedOut,
        CloseReason::Unreachable => ErrorKind::HostUnreachable,
        CloseReason::StackLimit | CloseReason::ZeroWindow => ErrorKind::QuotaExceeded,
        _ => ErrorKind::Other,
    };
    Some(Error::new(kind, reason.to_string()))
}

/// The error of a failed listen.
pub fn listen(why: ListenError) -> Error {
    let kind = match why {
        ListenError::InUse | ListenError::NoPort => ErrorKind::AddrInUse,
        ListenError::NotOurs => ErrorKind::AddrNotAvailable,
    };
    Error::new(kind, why)
}

/// The error of a connect that failed at once.
pub fn connect(why: ConnectError) -> Error {
    let kind = match why {
        ConnectError::InvalidRemote => ErrorKind::InvalidInput,
        ConnectError::NotOurs | ConnectError::NoPort => ErrorKind::AddrNotAvailable,
        ConnectError::InUse => ErrorKind::AddrInUse,
        ConnectError::NoRoute => ErrorKind::NetworkUnreachable,
        ConnectError::Limit => ErrorKind::QuotaExceeded,
    };
    Error::new(kind, why)
}

pub(crate) fn unsupported(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

pub(crate) fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}
