//! Seeds: where they come from, and what is said when one fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn word(&mut self) -> u32 {
        self.next() as u32
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// As [`Rng::below`] for lengths and places.
    pub fn upto(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    pub fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.upto(from.len())]
    }

    pub fn octets(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is not a number: {v}")))
}

/// Whether every step is to be printed.
pub fn traced() -> bool {
    std::env::var_os("SYNFIN_TRACE").is_some()
}

/// Runs `case` for the seeds below `few`, or for those that the environment names.
pub fn seeds(test: &str, few: u64, case: impl Fn(u64)) {
    if let Some(seed) = number("SYNFIN_SEED") {
        return case(seed);
    }
    let attempt = |seed| {
        catch_unwind(AssertUnwindSafe(|| case(seed))).inspect_err(|_| {
            println!("SYNFIN_SEED={seed} cargo test -p synfin-net --test hostile {test}");
        })
    };
    let Some(seconds) = number("SYNFIN_SECONDS") else {
        for seed in 0..few {
            if let Err(panic) = attempt(seed) {
                resume_unwind(panic);
            }
        }
        return;
    };
    let (from, end) = (number("SYNFIN_FROM").unwrap_or(few), Instant::now() + Duration::from_secs(seconds));
    let mut failed = Vec::new();
    let mut seed = from;
    while Instant::now() < end {
        if attempt(seed).is_err() {
            failed.push(seed);
        }
        seed += 1;
    }
    println!("{test}: seeds {from} to {seed}, {} failed: {failed:?}", failed.len());
    assert!(failed.is_empty());
}
