//! Every requirement, scenario and row has its test, or is among those that docs/rfc-ledger and
//! docs/requirements-coverage.md explain.

const SOURCES: [&str; 10] = [
    include_str!("must_format.rs"),
    include_str!("must_open_close.rs"),
    include_str!("must_data.rs"),
    include_str!("must_timers.rs"),
    include_str!("must_ip.rs"),
    include_str!("should.rs"),
    include_str!("may.rs"),
    include_str!("other_rfcs.rs"),
    include_str!("scenarios.rs"),
    include_str!("mission.rs"),
];

/// Whether a test's name begins with `kind` and names this number, alone or as the second of two.
fn has(kind: &str, n: u32) -> bool {
    SOURCES.iter().flat_map(|s| s.lines()).filter_map(|l| l.strip_prefix("fn ")).any(|name| {
        name.starts_with(&format!("{kind}{n:02}_"))
            || (name.starts_with(kind) && name.contains(&format!("_and_{n:02}_")))
    })
}

/// The numbers up to `last` that have no test are exactly those in `without`.
#[track_caller]
fn check(kind: &str, last: u32, without: &[u32]) {
    let missing: Vec<u32> = (1..=last).filter(|n| !has(kind, *n)).collect();
    assert_eq!(missing, without, "{kind}");
}

#[test]
fn every_id_has_a_test_or_a_reason() {
    check("must_", 69, &[51, 52]);
    check("shld_", 31, &[6, 13, 23, 24]);
    check("may_", 18, &[4, 7, 9, 10, 11, 14, 15]);
    check("q", 24, &[]);
    check("mission_", 25, &[12, 25]);
    for id in
        ["5961_4", "7323_1", "7323_2", "7323_3", "7323_4", "7323_5", "7323_6", "sack_1", "sack_2", "6298_1"]
            .into_iter()
            .chain(["5681_1", "rec_1", "iw10", "8961", "pmtu"])
    {
        let name = format!("\nfn x_{id}_");
        assert!(SOURCES.iter().any(|s| s.contains(&name)), "X-{id}");
    }
}
