//! CPU time of whole connections: `lives [--rounds N] [--lives N] [--idle N]`.

use synfin_bench::args::Args;
use synfin_bench::case::{self, Case};
use synfin_bench::host::Side;
use synfin_bench::{lives, stats};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stats::warn_if_slow();
    let args = Args::read(std::env::args().skip(1), &["rounds", "lives", "idle"])?;
    let (rounds, count) = (args.get("rounds", 11)?, args.get("lives", 20_000)?);
    let idle = match args.get("idle", usize::MAX)? {
        usize::MAX => vec![0, 100, 1000],
        one => vec![one],
    };
    // smoltcp's time grows with the number of sockets: fewer lives give the same figure.
    let n = |case, side| match (case, side) {
        (Case::Life(idle), Side::Smoltcp) => (count / (1 + idle / 10)).max(1),
        _ => count,
    };
    print!("{}", stats::table(&case::measure(&lives::cases(&idle), rounds, n)));
    Ok(())
}
