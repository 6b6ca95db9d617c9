//! The scripts of `conform/`: all pass, twice with the same words, and every line of them counts.

use std::fs;
use std::path::{Path, PathBuf};

use synfin_script::ast::{Body, Direction, Expr, What, When};
use synfin_script::{Leftover, Options, Profile, Script, parse, run_with};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform")
}

/// The scripts of these folders below `conform/`.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).unwrap().map(|e| e.unwrap().path()))
        .filter(|p| p.extension().is_some_and(|e| e == "pkt"))
        .collect();
    files.sort();
    files
}

/// Scripts directly in the folder and in `grid` hold for both profiles, those below `linux` and `rfc` for the profile of
/// that name.
fn scripts(profile: &str) -> Vec<(PathBuf, Script)> {
    let files = files(&["", "grid", profile, &format!("{profile}/grid")]);
    assert!(files.len() > 600, "only {} scripts found", files.len());
    let read = |p: PathBuf| {
        let text = fs::read_to_string(&p).unwrap();
        let script = parse(&text, &p.display().to_string()).unwrap_or_else(|e| panic!("{e}"));
        (p, script)
    };
    files.into_iter().map(read).collect()
}

fn options(profile: &str) -> Options {
    Options { leftover: Leftover::Refused, ..Options::new(Profile::named(profile).unwrap()) }
}

fn all_pass(profile: &str) {
    let failed: Vec<String> = scripts(profile)
        .iter()
        .map(|(_, s)| (run_with(s, &options(profile)), run_with(s, &options(profile))))
        .inspect(|(first, second)| assert_eq!(first, second, "two runs differ"))
        .filter(|(o, _)| !o.passed())
        .map(|(o, _)| o.to_string())
        .collect();
    assert!(failed.is_empty(), "{} failed with profile {profile}:\n{}", failed.len(), failed.join("\n"));
}

const FOLDERS: [&str; 6] = ["", "linux", "rfc", "grid", "linux/grid", "rfc/grid"];

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// There are as many scripts as the README of the folder says.
#[test]
fn the_readme_counts_right() {
    let readme = readme();
    for folder in FOLDERS {
        let row = readme.split_once(&format!("| `conform/{folder}` | ")).map(|(_, rest)| rest);
        let least = row.and_then(|r| r.split(' ').next()).and_then(|n| n.parse::<usize>().ok());
        let (least, found) = (least.unwrap_or_else(|| panic!("no row for {folder}")), files(&[folder]).len());
        assert!((least..least * 4).contains(&found), "{found} scripts in {folder}, not {least} or some more");
    }
}

/// Every requirement, attack and row has a script, or a reason in the README why it has none.
#[test]
fn what_has_no_script_is_listed() {
    let mut said = readme().split_once("without a script").map(|(_, list)| list.to_string()).unwrap();
    // Several numbers behind one word.
    said = said.replace("mission ", "mission-");
    for file in files(&FOLDERS) {
        let text = fs::read_to_string(&file).unwrap();
        let head = text.lines().filter_map(|l| l.strip_prefix("//"));
        said.push_str(&file.file_stem().unwrap().display().to_string());
        said.push(' ');
        head.for_each(|line| said.extend([line, " "]));
    }
    let said = said.to_lowercase();
    let words: std::collections::BTreeSet<String> = said
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .flat_map(|word| {
            // `must-13-time-wait` names MUST-13, `security-c4-...` C4, `mission-09-...` row 9.
            let parts: Vec<&str> = word.split('-').collect();
            let number = |n: &str| n.parse::<u32>().map_or_else(|_| n.to_string(), |n| n.to_string());
            match parts.as_slice() {
                ["security", row, ..] => vec![(*row).to_string()],
                [kind, n, ..] => vec![format!("{kind}-{}", number(n))],
                _ => vec![word.to_string()],
            }
        })
        .collect();
    let ids = |name: &str, n: u32| (1..=n).map(|i| format!("{name}{i}")).collect::<Vec<_>>();
    let wanted = [
        ids("must-", 69),
        ids("shld-", 31),
        ids("may-", 18),
        ids("rec-", 1),
        ids("mission-", 25),
        ids("c", 16),
        ids("b", 14),
        ids("r", 15),
        ids("d", 15),
        ids("i", 9),
        ids("f", 12),
    ];
    let missing: Vec<String> = wanted.concat().into_iter().filter(|id| !words.contains(id)).collect();
    assert!(missing.is_empty(), "neither a script nor a reason: {missing:?}");
}

#[test]
fn all_pass_as_linux() {
    all_pass("linux");
}

#[test]
fn all_pass_by_the_rfcs() {
    all_pass("rfc");
}

/// Numbers and states are the same over IPv6.
#[test]
fn all_pass_over_ipv6() {
    let mut tried = 0;
    for (_, script) in scripts("linux") {
        let decides = |o: &synfin_script::ast::OptionLine| matches!(o.name.as_str(), "ip_version" | "mtu");
        let names_address = script.events.iter().any(|e| e.text.contains("inet_addr"));
        if script.options.iter().any(decides) || names_address {
            continue;
        }
        tried += 1;
        let mut options = options("linux");
        options.extra.push(("ip_version".into(), "ipv6".into()));
        let outcome = run_with(&script, &options);
        assert!(outcome.passed(), "{outcome}");
    }
    assert!(tried > 60, "only {tried} scripts");
}

/// Of a script of the grid, one line in so many is tried.
const GRID_STEP: usize = 12;

/// A script that wants something else in one line must fail: each expectation is really looked at.
fn every_line_counts(profile: &str) {
    let (mut tried, mut unnoticed) = (0, Vec::new());
    for (number, (path, script)) in scripts(profile).into_iter().enumerate() {
        // Scripts of the grid begin alike, and are many: of each, other lines are tried.
        let step = if path.parent().is_some_and(|p| p.ends_with("grid")) { GRID_STEP } else { 1 };
        for index in (number % step..script.events.len()).step_by(step) {
            for (what, mutant) in mutants(&script, index) {
                tried += 1;
                let outcome = run_with(&mutant, &options(profile));
                if outcome.passed() {
                    let line = script.events[index].line;
                    unnoticed.push(format!("{}:{line} passes with {what}", path.display()));
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    assert!(tried > 500, "only {tried} mutants");
}

#[test]
fn every_line_counts_as_linux() {
    every_line_counts("linux");
}

#[test]
fn every_line_counts_by_the_rfcs() {
    every_line_counts("rfc");
}

fn mutants(script: &Script, index: usize) -> Vec<(&'static str, Script)> {
    let mut made = Vec::new();
    let mut mutant = |name, change: &dyn Fn(&mut What)| {
        let mut copy = script.clone();
        change(&mut copy.events[index].what);
        made.push((name, copy));
    };
    match &script.events[index].what {
        What::Packet(p) if p.dir == Direction::Out => {
            let tcp = |f: fn(&mut synfin_script::ast::TcpSpec)| {
                move |w: &mut What| {
                    if let What::Packet(p) = w
                        && let Body::Tcp(t) = &mut p.body
                    {
                        f(t);
                    }
                }
            };
            mutant("another length", &tcp(|t| t.len = t.len.wrapping_add(1)));
            mutant("FIN turned", &tcp(|t| t.flags.0 ^= 1));
            mutant("RST turned", &tcp(|t| t.flags.0 ^= 4));
            let Body::Tcp(spec) = &p.body else { return made };
            if spec.ack.is_some() {
                mutant("another acknowledgement", &tcp(|t| t.ack = t.ack.map(|a| a.wrapping_add(1))));
            }
            // Where a SYN is, the script says what its number is.
            if spec.flags.0 & 2 == 0 {
                mutant("another number", &tcp(|t| t.seq = t.seq.wrapping_add(1)));
            }
            // A packet with an uncertain time gives the lines behind it their time: without it they may hold too.
            if matches!(script.events[index].when, When::Absolute(_) | When::Relative(_)) {
                mutant("the packet left out", &|w| *w = What::Code(String::new()));
            }
        }
        What::Call(c) if !matches!(c.name.as_str(), "socket" | "accept" | "accept4" | "epoll_create") => {
            mutant("another result", &|w| {
                if let What::Call(c) = w
                    && let Expr::Int(n) = &mut c.result
                {
                    *n += 1;
                }
            });
            if c.errno.is_some() {
                mutant("another error", &|w| {
                    if let What::Call(c) = w {
                        c.errno = Some("ENOSYS".into());
                    }
                });
            }
        }
        _ => {}
    }
    made
}
