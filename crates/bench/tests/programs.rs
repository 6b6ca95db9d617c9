//! Each program runs, with counts so small that its figures mean nothing.

use std::process::Command;

/// What a program prints on success.
fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().expect("the program starts");
    let said = String::from_utf8(out.stdout).expect("text");
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    said
}

/// The cells of a table's rows whose name begins with `name`.
fn rows<'a>(table: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    let cells = |line: &'a str| line.split('|').map(str::trim).skip(1).collect::<Vec<_>>();
    table.lines().map(cells).filter(|c| c.first().is_some_and(|n| n.starts_with(name))).collect()
}

/// The first number of a cell.
fn figure(cell: &str) -> f64 {
    cell.split(' ').next().unwrap_or_default().parse().unwrap_or_else(|_| panic!("{cell}: not a figure"))
}

/// Every row has both stacks' figures and their ratio, except that smoltcp has no call for a lone segment.
fn assert_side_by_side(table: &str, name: &str, count: usize) {
    let rows = rows(table, name);
    assert_eq!(rows.len(), count, "{table}");
    for row in rows {
        let [_, _, ours, theirs, ratio, ..] = row.as_slice() else { panic!("{row:?}") };
        assert!(figure(ours) > 0.0, "{row:?}");
        if !row[0].contains("on_segment") {
            assert!(figure(theirs) > 0.0 && figure(ratio) > 0.0, "{row:?}");
        }
    }
}

#[test]
fn micro_measures_the_data_segment_and_the_pure_ack_of_both_stacks() {
    let table = run(env!("CARGO_BIN_EXE_micro"), &["--rounds", "2", "--packets", "128"]);
    assert_side_by_side(&table, "data segment", 9);
    assert_side_by_side(&table, "pure ACK", 5);
}

#[test]
fn bulk_measures_both_stacks() {
    let table = run(env!("CARGO_BIN_EXE_bulk"), &["--rounds", "1", "--segments", "1000"]);
    assert_side_by_side(&table, "bulk", 3);
}

#[test]
fn lives_measures_both_stacks() {
    let table = run(env!("CARGO_BIN_EXE_lives"), &["--rounds", "1", "--lives", "50", "--idle", "3"]);
    assert_side_by_side(&table, "life", 1);
}

#[test]
fn weight_finds_every_phase_of_a_connection() {
    let said = run(env!("CARGO_BIN_EXE_weight"), &["--connections", "4000", "--packets", "128"]);
    let octets = |name: &str| match rows(&said, name).as_slice() {
        [row] => figure(row[1]),
        other => panic!("{name}: {other:?}"),
    };
    // A record cannot weigh less than itself, and a phase is smaller than the whole connection.
    assert!(octets("synfin, established") >= octets("synfin Connection"), "{said}");
    for (phase, record) in
        [("synfin, half-open", "synfin SynRecord"), ("synfin, TIME_WAIT", "synfin TimeWait")]
    {
        assert!(octets(phase) >= octets(record), "{said}");
        assert!(octets(phase) < octets("synfin Connection"), "{said}");
    }
}

#[test]
fn attacks_have_no_effect_and_take_no_memory() {
    // Fails by itself if an attack changes the honest client's connection.
    let said = run(env!("CARGO_BIN_EXE_attacks"), &["--packets", "16000", "--probes", "160000"]);
    let mut seen = 0;
    for cells in rows(&said, "").into_iter().skip(2) {
        let [name, packets, ns, answers, _, ratio, heap, buffers, ..] = cells.as_slice() else {
            panic!("{cells:?}")
        };
        seen += 1;
        assert!(figure(ns) > 0.0, "{cells:?}");
        // Never more than one packet for one, and never far more octets than came (the SMSS floor of SYN,ACKs and SACK).
        assert!(figure(answers) <= figure(packets) + 2.0 && figure(ratio) < 2.0, "{cells:?}");
        let limit = match *name {
            "fragment flood" => 4 << 20,
            n if n.starts_with("SegmentSmack") => 512 << 10,
            // The order of what was sent again: 16 octets for each of 4,167 segments in flight, in a queue that doubles.
            "SACK flood" => 128 << 10,
            _ => 8 << 10,
        };
        assert!(figure(heap) <= f64::from(limit) && figure(buffers) <= f64::from(512 << 10), "{cells:?}");
    }
    assert_eq!(seen, synfin_bench::attacks::ATTACKS.len(), "{said}");
}

#[test]
fn callgrind_counts_the_same_instructions_every_time() {
    let count = || run(env!("CARGO_BIN_EXE_callgrind"), &["--case", "5", "--n", "128"]);
    let first = count();
    if first.starts_with("skipped") {
        println!("{first}");
        return;
    }
    assert_side_by_side(&first, "data segment", 1);
    assert_eq!(first, count());
}

#[test]
fn an_argument_that_is_not_understood_is_an_error() {
    let out = Command::new(env!("CARGO_BIN_EXE_micro")).arg("--fast").output().expect("the program starts");
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("--fast"));
}
