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

/// A file of this repository.
fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of all functions in the tests of these crates.
fn functions() -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    for folder in ["crates/net/tests", "crates/sim/tests"] {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        for entry in std::fs::read_dir(root).expect("a folder of tests").flatten() {
            let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
            let name = |line: &str| Some(line.strip_prefix("fn ")?.split_once('(')?.0.to_owned());
            names.extend(text.lines().filter_map(name));
        }
    }
    names
}

/// The rows of a document's tables: first cell, names in backquotes in the last one.
fn rows(document: &str) -> Vec<(String, Vec<String>)> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.trim_end().strip_suffix('|')?.split('|').collect();
        Some((cells.first()?.trim().to_owned(), quoted(cells.last()?)))
    };
    document.lines().filter_map(cells).collect()
}

/// Every test that a row names exists; files and folders in the same cell do too.
fn check_names(document: &str, rows: &[(String, Vec<String>)]) -> usize {
    let functions = functions();
    let mut checked = 0;
    for (row, name) in rows.iter().flat_map(|(row, names)| names.iter().map(move |n| (row, n))) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let exists = if name.contains('/') {
            path.join("crates").join(name).exists() || path.join(name).exists()
        } else if name.contains('_') {
            functions.contains(name)
        } else {
            true
        };
        assert!(exists, "{document}, {row}: no {name}");
        checked += 1;
    }
    checked
}

#[test]
fn every_limit_has_its_test() {
    let document = file("docs/limits.md");
    let rows = rows(&document);
    let with_tests: Vec<_> =
        rows.iter().filter(|(_, names)| names.iter().any(|n| n.contains('_'))).cloned().collect();
    assert!(check_names("docs/limits.md", &with_tests) > 40);
    // Every setting of stacks and listeners is told, and all but the two that are no limits have a test.
    let config = file("crates/net/src/config.rs");
    for of in ["StackConfig", "ListenOpts"] {
        let start = config.find(&format!("pub struct {of} {{")).expect("the settings");
        let body = &config[start..start + config[start..].find("\n}").expect("its end")];
        let fields = body.lines().filter_map(|l| l.trim().strip_prefix("pub ")?.split_once(':'));
        for (field, _) in fields.filter(|(f, _)| !["tcp", "addrs"].contains(f)) {
            let row = format!("`{field}`");
            assert!(
                with_tests.iter().any(|(first, _)| *first == row),
                "docs/limits.md: no test of {of}::{field}"
            );
        }
    }
}

#[test]
fn every_attack_has_its_row() {
    let rows = rows(&file("docs/attacks.md"));
    assert!(check_names("docs/attacks.md", &rows) > 90);
    for (letter, last) in [('C', 16), ('B', 14), ('R', 15), ('D', 15), ('I', 9), ('F', 12), ('G', 8)] {
        for n in 1..=last {
            let id = format!("{letter}{n}");
            let row = rows.iter().find(|(first, _)| first.split(", ").any(|f| f == id));
            let (_, tests) = row.unwrap_or_else(|| panic!("docs/attacks.md: no row {id}"));
            // There are no parsers of names here, and G6 names other rows.
            assert!(
                !tests.is_empty() || ["F12", "G2", "G3", "G6"].contains(&id.as_str()),
                "{id} has no test"
            );
        }
    }
}
