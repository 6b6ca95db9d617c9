use super::{Command, main_with};
use crate::engine::Leftover;

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
