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
    heap: Option<fn() -> Heap>,
    calls_before: usize,
    calls: usize,
}

/// What the allocator has done so far.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Heap {
    /// Calls that gave memory: allocations and reallocations.
    pub calls: usize,
    /// Octets that are given out now.
    pub live: usize,
}

impl From<stats_alloc::Stats> for Heap {
    fn from(s: stats_alloc::Stats) -> Heap {
        Heap {
            calls: s.allocations + s.reallocations,
            live: s.bytes_allocated.saturating_sub(s.bytes_deallocated),
        }
    }
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
        let reading = costs.get(costs.len() / 2).copied().unwrap_or(0);
        Stopwatch { reading, started: 0, sum: 0, heap: None, calls_before: 0, calls: 0 }
    }

    /// One that also counts calls of the allocator.
    pub fn with_heap(heap: fn() -> Heap) -> Stopwatch {
        Stopwatch { heap: Some(heap), ..Stopwatch::new() }
    }

    /// A stretch begins.
    #[inline]
    pub fn start(&mut self) {
        self.calls_before = self.heap.map_or(0, |h| h().calls);
        self.started = thread_cpu();
    }

    /// A stretch ends.
    #[inline]
    pub fn stop(&mut self) {
        self.sum += (thread_cpu() - self.started).saturating_sub(self.reading);
        self.calls += self.heap.map_or(0, |h| h().calls) - self.calls_before;
    }

    /// Nanoseconds so far; starts again from zero.
    pub fn take(&mut self) -> u64 {
        std::mem::take(&mut self.sum)
    }

    /// Calls of the allocator so far, if they are counted; starts again from zero.
    pub fn take_calls(&mut self) -> usize {
        std::mem::take(&mut self.calls)
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Stopwatch::new()
    }
}
