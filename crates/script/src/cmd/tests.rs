use super::{Against, Command, main_against, main_with};
use crate::ast::Script;
use crate::engine::{Leftover, Options};
use crate::report::{Failure, FailureKind, Outcome, Verdict};

fn args(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

#[test]
fn arguments() {
    let text =
        "--profile rfc --jobs=3 --junit out.xml --tolerance_usecs 10 --strict -D A=b --mtu=1400 x.pkt y";
    let c = Command::parse(args(text)).unwrap();
    assert_eq!((c.options.profile.name, c.jobs), ("rfc", 3));
    assert_eq!(c.options.leftover, Leftover::Refused);
    let extra = [("tolerance_usecs", "10"), ("mtu", "1400")].map(|(n, v)| (n.to_string(), v.to_string()));
    assert_eq!(c.options.extra, extra);
    assert_eq!((c.files.len(), c.defines.get("A").map(String::as_str)), (2, Some("b")));
    for text in ["--profile bsd x", "--jobs", "--jobs many", "-x"] {
        assert!(Command::parse(args(text)).is_err(), "{text}");
    }
}

#[test]
fn exit_status() {
    let mut out = Vec::new();
    assert_eq!(main_with(args(""), &mut out), 2);
    assert_eq!(main_with(args("no-such-file.pkt"), &mut out), 1);
    assert!(String::from_utf8(out).unwrap().contains("1 scripts: 0 passed, 1 failed"));
}

/// Fails at first; told that it is too slow, it fails for ever.
struct Other(FailureKind);

impl Against for Other {
    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, script: &Script, _: &Options) -> Outcome {
        let mut outcome = Outcome::unusable(&script.file, 1, "no");
        outcome.verdict = Verdict::Fail(Box::new(Failure {
            kind: self.0,
            line: 1,
            text: String::new(),
            what: "no".into(),
            expected: String::new(),
            actual: String::new(),
            said: Vec::new(),
        }));
        outcome
    }
}

#[test]
fn differences_are_documented_in_scripts_and_long_scripts_are_skipped() {
    let folder = std::env::temp_dir().join(format!("synfin-cmd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("a.pkt", "0 close(3) = 0");
    write("b.pkt", "// linux differs: for a reason\n0 close(3) = 0");
    write("c.pkt", "0 close(3) = 0\n+200 close(3) = 0");
    let run = |other: &Other| {
        let mut out = Vec::new();
        let text = format!("--against linux --retry 1 --jobs 1 {}", folder.display());
        let status = main_against(args(&text), &mut out, Some(other));
        (status, String::from_utf8(out).unwrap())
    };
    let (status, text) = run(&Other(FailureKind::Differs));
    assert_eq!(status, 1);
    assert!(text.contains("b.pkt:1: no, as documented: for a reason"), "{text}");
    assert!(text.contains("c.pkt: takes 200 seconds of real time"), "{text}");
    let sum = "3 scripts: 0 passed, 1 failed, 1 differ as documented, 1 skipped, 1 tried more than once";
    assert!(text.contains(sum), "{text}");
    let (_, text) = run(&Other(FailureKind::Late));
    assert!(text.contains("3 scripts: 0 passed, 2 failed, 1 skipped"), "{text}");
    assert_eq!(main_with(args("--against linux x.pkt"), &mut Vec::new()), 2);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_failure_names_the_command_that_repeats_it() {
    let mut out = Vec::new();
    let text = "--profile rfc --jobs 2 --quiet --mtu=1400 -D A=it's no-such-file.pkt neither-this.pkt";
    assert_eq!(main_with(args(text), &mut out), 1);
    let said = String::from_utf8(out).unwrap();
    for file in ["no-such-file.pkt", "neither-this.pkt"] {
        let line = format!("     again     synfin script --profile rfc --mtu=1400 -D 'A=it'\\''s' {file}\n");
        assert!(said.contains(&line), "{said}");
    }
}
