//! What attacks cost their victim: `attacks [--packets N] [--probes N]`. Fails if one of them has an effect.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use synfin_bench::args::Args;
use synfin_bench::attacks;
use synfin_bench::clock::Heap;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn heap() -> Heap {
    ALLOCATOR.stats().into()
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    synfin_bench::stats::warn_if_slow();
    let args = Args::read(std::env::args().skip(1), &["packets", "probes"])?;
    let (table, failures) =
        attacks::table(args.get("packets", 1_000_000)?, args.get("probes", 1 << 24)?, heap);
    print!("{table}");
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
