//! The scripts of `conform/`, played through the shared object as the original program would: the verdicts are those of
//! `synfin script`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::calls::{CANNOT, PUSHED};
use common::player::{Play, play};
use synfin_script::ast::{Body, Direction, Expr, OptionLine, Packet, What};
use synfin_script::{Options, Profile, Script, parse, run_with};

/// Scripts for both profiles, and those for one.
fn scripts(profile: &str) -> Vec<(PathBuf, Script)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|e| e.unwrap().path()) {
            let other = ["linux", "rfc"].iter().any(|p| *p != profile && path == root.join(p));
            if path.is_dir() && !other {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "pkt") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 60, "only {} scripts found", files.len());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let script = parse(&text, &path.display().to_string()).unwrap_or_else(|e| panic!("{e}"));
        (path, script)
    };
    files.into_iter().map(read).collect()
}

/// What comes of a script both ways.
enum Both {
    Same,
    /// The original program cannot play it, whatever it drives, or not as it is written; the reason.
    Beyond(String),
    Differ(String),
}

fn compare(script: &Script, profile: &'static str, extra: &[(String, String)]) -> Both {
    let mut options = Options::new(Profile::named(profile).unwrap());
    options.extra = extra.to_vec();
    let ours = run_with(script, &options);
    let how = Play { flags: String::new(), extra: extra.to_vec(), profile };
    match play(script, &how) {
        Err(why) if why.contains(CANNOT) || why.contains(PUSHED) => Both::Beyond(why),
        theirs if ours.passed() == theirs.is_ok() => Both::Same,
        theirs => Both::Differ(format!("{ours}\n     played    {theirs:?}")),
    }
}

fn same_verdicts(profile: &'static str, extra: &[(String, String)]) {
    let (mut wrong, mut beyond) = (Vec::new(), 0);
    let scripts = scripts(profile);
    for (path, script) in &scripts {
        let decides = |o: &OptionLine| matches!(o.name.as_str(), "ip_version" | "mtu");
        let names_address = script.events.iter().any(|e| e.text.contains("inet_addr"));
        if !extra.is_empty() && (script.options.iter().any(decides) || names_address) {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match compare(script, profile, extra) {
            Both::Same => {}
            Both::Beyond(why) => {
                beyond += 1;
                println!("{name}:{why}");
            }
            Both::Differ(both) => wrong.push(both),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), scripts.len(), wrong.join("\n"));
    assert!(beyond * 20 < scripts.len(), "{beyond} of {} cannot be compared", scripts.len());
}

/// The script with one expectation turned: the last packet that has to come out, or the last result.
fn turned(script: &Script) -> Vec<Script> {
    let mut made = Vec::new();
    let mut packet = script.clone();
    let last = packet.events.iter_mut().rev().find_map(|e| match &mut e.what {
        What::Packet(Packet { dir: Direction::Out, body: Body::Tcp(spec), .. }) => Some(spec),
        _ => None,
    });
    if let Some(spec) = last {
        spec.len += 1;
        made.push(packet);
    }
    let mut call = script.clone();
    let last = call.events.iter_mut().rev().find_map(|e| match &mut e.what {
        What::Call(call) if !matches!(call.name.as_str(), "socket" | "accept") => Some(&mut call.result),
        _ => None,
    });
    if let Some(Expr::Int(n)) = last {
        *n += 1;
        made.push(call);
    }
    made
}

/// What fails there fails here.
fn same_failures(profile: &'static str) {
    let mut wrong = Vec::new();
    let mut tried = 0;
    // Some of them: a call that does not return costs a second each time.
    for (_, script) in scripts(profile).iter().step_by(5) {
        for script in turned(script) {
            tried += 1;
            if let Both::Differ(both) = compare(&script, profile, &[]) {
                wrong.push(both);
            }
        }
    }
    assert!(tried > 150, "only {tried}");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// By a real clock some short ones come out well too. A busy machine may be late: each has three tries.
fn by_a_real_clock() {
    let mut tried = 0;
    for (path, script) in scripts("linux").iter().step_by(25) {
        let options = Options::new(Profile::linux());
        if script.least_time() > 300_000 || !run_with(script, &options).passed() {
            continue;
        }
        tried += 1;
        let extra = vec![("tolerance_usecs".into(), "50000".into())];
        let how = Play { flags: ",clock=real,wait=5".into(), extra, profile: "linux" };
        let mut reasons = Vec::new();
        while let Err(why) = play(script, &how)
            && !why.contains(CANNOT)
        {
            reasons.push(why);
            assert!(reasons.len() < 3, "{}: {reasons:?}", path.display());
        }
    }
    assert!(tried > 10, "only {tried}");
}

/// One test: the object has one host at a time.
#[test]
fn verdicts_are_the_same() {
    same_verdicts("linux", &[]);
    same_verdicts("rfc", &[]);
    for version in ["ipv6", "ipv4-mapped-ipv6"] {
        same_verdicts("linux", &[("ip_version".into(), version.into())]);
    }
    same_failures("linux");
    by_a_real_clock();
}
