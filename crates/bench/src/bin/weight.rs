//! Sizes of records, memory of connections, allocations: `weight [--connections N] [--packets N]`.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use synfin_bench::args::Args;
use synfin_bench::clock::Heap;
use synfin_bench::{callgrind, weight};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn heap() -> Heap {
    ALLOCATOR.stats().into()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::read(std::env::args().skip(1), &["connections", "packets"])?;
    println!("{}", weight::sizes());
    println!("{}", weight::memory_table(args.get("connections", 40_000)?, heap));
    let packets = args.get("packets", 12_800)?;
    print!("{}", weight::allocations(&callgrind::cases(), |_, _| packets, heap));
    Ok(())
}
