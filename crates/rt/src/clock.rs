//! The clock of a stack.

use synfin_wire::Instant;

/// Monotonic time since this clock was made.
#[derive(Copy, Clone, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that starts at [`Instant::ZERO`] now.
    pub fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}
