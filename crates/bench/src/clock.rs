//! CPU time of the calling thread: what other programs do meanwhile does not count.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU time that this thread has used, in user and kernel mode.
pub fn thread_cpu() -> u64 {
    let t = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock");
    t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
}

/// Adds up stretches of CPU time, less what reading the clock costs.
#[derive(Copy, Clone, Debug)]
pub struct Stopwatch {
    reading: u64,
    started: u64,
    sum: u64,
}

impl Stopwatch {
    /// Finds out what reading the clock costs on this machine.
    pub fn new() -> Stopwatch {
        let mut costs: Vec<u64> = (0..201)
            .map(|_| {
                let t = thread_cpu();
                thread_cpu() - t
            })
            .collect();
        costs.sort_unstable();
        Stopwatch { reading: costs[costs.len() / 2], started: 0, sum: 0 }
    }

    /// A stretch begins.
    #[inline]
    pub fn start(&mut self) {
        self.started = thread_cpu();
    }

    /// A stretch ends.
    #[inline]
    pub fn stop(&mut self) {
        self.sum += (thread_cpu() - self.started).saturating_sub(self.reading);
    }

    /// Nanoseconds so far; starts again from zero.
    pub fn take(&mut self) -> u64 {
        core::mem::take(&mut self.sum)
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Stopwatch::new()
    }
}
