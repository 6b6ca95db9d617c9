//! Row 12: the two Python programs of the classic example, unmodified, with our TCP in either role and at both ends.

mod common;

use common::{have, in_private_network, text};
use std::process::Command;

#[test]
fn row_12_both_programs_in_either_role_and_ours_at_both_ends() {
    for program in ["python3", "unshare"] {
        if !have(program) {
            return println!("skipped: there is no {program}");
        }
    }
    if Command::new("ip").arg("-V").output().is_err() {
        return println!("skipped: there is no ip");
    }
    // The script makes its own network; this one only finds out whether it may.
    in_private_network(|_| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/row12/run.sh");
        let output = Command::new(script).env("SYNFIN", env!("CARGO_BIN_EXE_synfin")).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{out}\n{err}");
        assert_eq!(out.lines().filter(|line| line.starts_with("ok ")).count(), 10, "{out}\n{err}");
    });
}
