//! CPU time of octets from application to application: `bulk [--rounds N] [--segments N]`.

use synfin_bench::args::Args;
use synfin_bench::{bulk, case, stats};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stats::warn_if_slow();
    let args = Args::read(std::env::args().skip(1), &["rounds", "segments"])?;
    let (rounds, segments) = (args.get("rounds", 11)?, args.get("segments", 100_000)?);
    let rows = case::measure(&bulk::cases(), rounds, |_, _| segments);
    print!("{}", stats::table(&rows));
    for (row, case) in rows.iter().zip(bulk::cases()) {
        let speed = |ns: f64| stats::number(bulk::segment_octets(case) / ns);
        let peer = row.smoltcp.map_or_else(|| "-".into(), |s| speed(s.median));
        println!("{}: synfin {} GB/s of CPU time, smoltcp {peer}", row.name, speed(row.synfin.median));
    }
    Ok(())
}
