//! Ctrl-C and the like.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Failure;

/// The signals that ask a program to end.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Catches the signals that ask a program to end, from now on.
///
/// # Errors
/// The system does not let us.
pub fn catch() -> Result<Signals, Failure> {
    Signals::new(ENDING).map_err(|e: io::Error| Failure::Run(format!("cannot catch signals: {e}")))
}

/// Calls `then` with the number of the first such signal, on a thread of its own. A system that does not let us
/// catch signals ends the program in its own way.
pub fn once(then: impl FnOnce(i32) + Send + 'static) {
    if let Ok(mut signals) = catch() {
        std::thread::spawn(move || signals.forever().next().map(then));
    }
}
