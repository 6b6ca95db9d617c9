//! CPU time of one packet into synfin and into smoltcp: `micro [--rounds N] [--packets N]`.

use synfin_bench::args::Args;
use synfin_bench::{case, micro, stats};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stats::warn_if_slow();
    let args = Args::read(std::env::args().skip(1), &["rounds", "packets"])?;
    let (rounds, packets) = (args.get("rounds", 25)?, args.get("packets", 25_600)?);
    let rows = case::measure(&micro::cases(), rounds, |_, _| packets);
    print!("{}", stats::table(&rows));
    Ok(())
}
