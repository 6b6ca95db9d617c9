//! What one can wait for, and what there is.

use std::ops::BitOr;

use synfin_rt::Want;
use synfin_tcp::{Readiness, State};

/// What to wait for; joined with `|`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Interest(Want);

impl Interest {
    /// A read would not block.
    pub const READABLE: Interest = Interest(Want::READ);
    /// A write would not block.
    pub const WRITABLE: Interest = Interest(Want::WRITE);

    /// Whether reading is among it.
    pub const fn is_readable(self) -> bool {
        self.0.intersects(Want::READ)
    }

    /// Whether writing is among it.
    pub const fn is_writable(self) -> bool {
        self.0.intersects(Want::WRITE)
    }

    pub(super) fn want(self) -> Want {
        self.0
    }
}

impl BitOr for Interest {
    type Output = Interest;
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// What can be done with a stream.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    readiness: Readiness,
    state: State,
}

impl Ready {
    pub(super) fn new((readiness, state): (Readiness, State)) -> Ready {
        Ready { readiness, state }
    }

    /// A read would not block.
    pub fn is_readable(self) -> bool {
        self.readiness.readable || self.readiness.closed.is_some()
    }

    /// A write would not block.
    pub fn is_writable(self) -> bool {
        self.readiness.writable || self.readiness.closed.is_some()
    }

    /// The peer has closed its direction.
    pub fn is_read_closed(self) -> bool {
        self.readiness.connected && !self.state.receives()
    }

    /// Our direction is closed.
    pub fn is_write_closed(self) -> bool {
        !self.state.sends()
    }

    /// Urgent octets are ahead of the reader.
    pub fn is_priority(self) -> bool {
        self.readiness.urgent
    }

    /// The connection has ended with an error.
    pub fn is_error(self) -> bool {
        self.readiness.closed.and_then(crate::error::closed).is_some()
    }
}
