use super::*;

fn run(pieces: &[&str]) -> Ran {
    let mut python = Python::default();
    let fields = Fields::from([("tcpi_unacked", 3)]);
    pieces.iter().for_each(|p| python.remember(p, &fields));
    python.run()
}

#[test]
fn code_runs_with_what_came_before_it() {
    if let Ran::Absent = run(&["pass"]) {
        println!("skipped: there is no python3");
        return;
    }
    let held = run(&[
        "\n    x = [n for n in range(tcpi_unacked)]\n",
        "assert x == [0, 1, 2] and TCP_ESTABLISHED == 1",
    ]);
    assert!(matches!(held, Ran::Held));
    let failed = run(&["assert tcpi_unacked in range(2), 'it\\'s %d' % tcpi_unacked"]);
    assert!(matches!(failed, Ran::Failed(why) if why == "AssertionError: it's 3"));
}

#[test]
fn quotes() {
    assert_eq!(quoted("a'b\\\n"), "'a\\'b\\\\\\n'");
}
