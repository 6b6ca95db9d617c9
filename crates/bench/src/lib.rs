//! Measurements of synfin, side by side with smoltcp in one process and one run.
//!
//! Every program alternates between the two stacks round by round, takes the thread's CPU time, and shows the median
//! with the smallest and largest round. [`callgrind`] counts instructions of the same calls, which is free of noise.
//! What each figure includes stands in its module and in docs/numbers.md.
#![forbid(unsafe_code)]

pub mod args;
pub mod attacks;
pub mod bulk;
pub mod callgrind;
pub mod case;
pub mod clock;
pub mod host;
pub mod lane;
pub mod lives;
pub mod micro;
pub mod peer;
pub mod record;
pub mod stats;
pub mod weight;

/// The call that is being measured. Not inlined, so that callgrind can count between its first and last instruction.
#[inline(never)]
pub fn counted<R>(call: impl FnOnce() -> R) -> R {
    call()
}
