//! Instructions of the measured calls, counted by valgrind's callgrind: the same on every run and every machine of an
//! architecture.
//!
//! The program runs itself under valgrind, once for each case and stack, and collects only inside [`crate::counted`].

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::case::Case;
use crate::clock::Stopwatch;
use crate::host::{Checksums, Side, Stamps};
use crate::stats::{Row, Summary, table, warn_if_slow};
use crate::{attacks, lives, micro};

type Failure = Box<dyn std::error::Error>;

/// What is counted: everything that micro measures, a bulk segment, a life, each attack.
pub fn cases() -> Vec<Case> {
    let mut all = micro::cases();
    all.push(Case::Bulk(Checksums::Software, Stamps::Off));
    all.extend(lives::cases(&[0]));
    all.extend(attacks::cases());
    all
}

/// The whole program.
///
/// # Errors
/// Wrong arguments, or valgrind fails.
pub fn run(words: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let args = Args::read(words, &["n", "case", "keep", "child", "side"])?;
    let n = args.get("n", 2048)?;
    if let Ok(index) = args.get::<String>("child", String::new())?.parse::<usize>() {
        return child(index, &args.get("side", String::new())?, n);
    }
    let Some(valgrind) = find("valgrind") else {
        println!("skipped: no valgrind in PATH (on Debian: apt-get install valgrind)");
        return Ok(());
    };
    warn_if_slow();
    let keep: Option<PathBuf> = Some(args.get("keep", PathBuf::new())?).filter(|d| !d.as_os_str().is_empty());
    let only = args.get("case", usize::MAX)?;
    let mut rows = Vec::new();
    for (i, case) in cases().into_iter().enumerate() {
        if only != usize::MAX && only != i {
            continue;
        }
        let each = |side| {
            // The subject's warming up is not what is asked for.
            let warm = count(&valgrind, i, side, 0, None)?;
            let all = count(&valgrind, i, side, n, keep.as_deref())?;
            let both = warm.zip(all).map(|(w, a)| (a.instructions - w.instructions) / a.times);
            Ok::<_, Failure>(both.map(|each| Summary::of(&[each])))
        };
        let (synfin, smoltcp) = (each(Side::Synfin)?, each(Side::Smoltcp)?);
        let synfin = synfin.ok_or("every case has our side")?;
        rows.push(Row { name: case.name(), unit: "instructions", synfin, smoltcp });
    }
    print!("{}", table(&rows));
    Ok(())
}

/// A program of the search path.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// What one run under valgrind did.
struct Count {
    instructions: f64,
    times: f64,
}

/// Runs one case under valgrind; none if this side has no such case.
fn count(
    valgrind: &Path,
    case: usize,
    side: Side,
    n: usize,
    keep: Option<&Path>,
) -> Result<Option<Count>, Failure> {
    let out = match keep {
        Some(dir) => dir.join(format!("callgrind.{case}.{}", side.name())),
        None => PathBuf::from("/dev/null"),
    };
    let run = Command::new(valgrind)
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*synfin_bench*counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--child", &case.to_string(), "--side", side.name(), "--n", &n.to_string()])
        // Copies by `rep movsb` count as one instruction for each octet: let both sides copy by vectors.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff",
        )
        .output()?;
    let (said, heard) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if !run.status.success() {
        return Err(format!("valgrind failed: {heard}").into());
    }
    let Some(times) = said.lines().find_map(|l| l.strip_prefix("times ")) else { return Ok(None) };
    let times: f64 = times.trim().parse()?;
    let collected =
        heard.lines().find_map(|l| l.split_once("Collected :")).ok_or("valgrind counted nothing")?;
    let collected: f64 = collected.1.trim().parse()?;
    Ok(Some(Count { instructions: collected, times }))
}

/// The part that runs under valgrind.
fn child(case: usize, side: &str, n: usize) -> Result<(), Failure> {
    let side = if side == Side::Smoltcp.name() { Side::Smoltcp } else { Side::Synfin };
    let case = cases().into_iter().nth(case).ok_or("no such case")?;
    let Some(mut subject) = case.subject(side) else { return Ok(()) };
    let times = subject.run(n, &mut Stopwatch::new());
    println!("times {times}");
    Ok(())
}
