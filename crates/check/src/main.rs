//! Explores the catalogue with more and more harm: `synfin-check [--seconds N] [--states N] [--only TEXT] [--harm L/D/T/O]`.
//!
//! `--only` takes the scenario of exactly that name, else all whose names contain it; `--harm` takes one level of harm: so
//! many losses, duplicates, early timers and overtakings (or `any`). A fault names both.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use synfin_check::catalogue::{all, by_difficulty};
use synfin_check::explore::{Limits, explore};
use synfin_check::scenario::Harm;

struct Args {
    seconds: u64,
    states: usize,
    only: String,
    harm: Option<Harm>,
}

fn args() -> Result<Args, String> {
    let mut args = Args { seconds: 60, states: 1_000_000, only: String::new(), harm: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
        match name.as_str() {
            "--seconds" => args.seconds = number()?,
            "--states" => args.states = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--harm" => args.harm = Some(value.parse()?),
            "--only" => args.only = value,
            _ => return Err(format!("unknown: {name}")),
        }
    }
    Ok(args)
}

/// What all explorations add up to.
#[derive(Default)]
struct Sum {
    explored: usize,
    complete: usize,
    states: usize,
    steps: usize,
    faults: usize,
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}\nusage: synfin-check [--seconds N] [--states N] [--only TEXT] [--harm L/D/T/O]");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let until = started + Duration::from_secs(args.seconds);
    let mut work = match args.harm {
        Some(harm) => all().into_iter().map(|s| s.harm(harm)).collect(),
        None => by_difficulty(),
    };
    if work.iter().any(|s| s.name == args.only) {
        work.retain(|s| s.name == args.only);
    }
    work.retain(|s| s.name.contains(&args.only));
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while Instant::now() < until
                    && let Some(sc) = work.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let r = explore(sc, Limits { states: args.states, until: Some(until) });
                    let all = if r.complete { "all" } else { "cut" };
                    println!(
                        "{:>9} states {:>9} steps {:>4} deep {all} {:>7.2} s  {:9} {}",
                        r.states,
                        r.steps,
                        r.depth,
                        r.took.as_secs_f64(),
                        sc.harm.to_string(),
                        sc.name
                    );
                    if let Some(fault) = &r.fault {
                        println!("FAULT {fault}");
                    }
                    let mut sum = sum.lock().unwrap_or_else(|e| e.into_inner());
                    sum.explored += 1;
                    sum.complete += usize::from(r.complete);
                    sum.states += r.states;
                    sum.steps += r.steps;
                    sum.faults += usize::from(r.fault.is_some());
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(|e| e.into_inner());
    println!(
        "{} explorations ({} complete) of {}: {} states, {} steps, {} faults, {:.0} s",
        sum.explored,
        sum.complete,
        work.len(),
        sum.states,
        sum.steps,
        sum.faults,
        started.elapsed().as_secs_f64()
    );
    if sum.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
