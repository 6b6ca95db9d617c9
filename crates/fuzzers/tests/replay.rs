//! Every input of `fuzz/corpus/`, and random ones.
//!
//! A random input that fails prints the line that runs it again:
//! `SYNFIN_SEED=<seed> SYNFIN_TARGET=<target> cargo test -p synfin-fuzzers`. `SYNFIN_INPUT=<file>` runs one file.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use synfin_fuzzers::{TARGETS, Target};

/// Random inputs for each target.
const RANDOM: u64 = 500;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// Pseudo-random octets (SplitMix64): a quarter of the inputs are short.
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x1337;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let len = next() % if seed.is_multiple_of(4) { 40 } else { 1500 };
    (0..len).map(|_| next() as u8).collect()
}

fn wanted() -> impl Iterator<Item = Target> {
    let only = std::env::var("SYNFIN_TARGET").ok();
    TARGETS.into_iter().filter(move |(name, _)| only.as_deref().is_none_or(|only| only == *name))
}

/// Runs one input; `again` says how.
fn attempt(run: fn(&[u8]), input: &[u8], again: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        println!("{}", again());
        resume_unwind(panic);
    }
}

#[test]
fn corpus_files() {
    for (name, run) in wanted() {
        let entries = fs::read_dir(corpus(name)).unwrap_or_else(|e| panic!("fuzz/corpus/{name}: {e}"));
        let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a folder that can be read").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "fuzz/corpus/{name} is empty");
        for file in files {
            let input = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            attempt(run, &input, || {
                let file = file.display();
                format!("SYNFIN_INPUT={file} SYNFIN_TARGET={name} cargo test -p synfin-fuzzers one_file")
            });
        }
    }
}

#[test]
fn random_inputs() {
    let seed = std::env::var("SYNFIN_SEED").ok().map(|s| s.parse().expect("SYNFIN_SEED is a number"));
    for (name, run) in wanted() {
        for seed in seed.map_or(0..RANDOM, |seed| seed..seed + 1) {
            attempt(run, &random(seed), || {
                format!("SYNFIN_SEED={seed} SYNFIN_TARGET={name} cargo test -p synfin-fuzzers random_inputs")
            });
        }
    }
}

#[test]
fn one_file() {
    let Some(file) = std::env::var_os("SYNFIN_INPUT") else {
        println!("skipped: SYNFIN_INPUT names no file");
        return;
    };
    let input = fs::read(&file).expect("a file that can be read");
    wanted().for_each(|(_, run)| run(&input));
}
