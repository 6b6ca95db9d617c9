//! The catalogue within bounds that take seconds, and the checker's own eyesight: what is broken on purpose is seen.

use synfin_check::app::Op::*;
use synfin_check::catalogue::{LEVELS, all, plain};
use synfin_check::explore::{Limits, Report, explore};
use synfin_check::scenario::{Harm, Scenario};

/// Explores `scenarios` up to `states` each; returns states and complete explorations.
fn all_hold(scenarios: impl Iterator<Item = Scenario>, states: usize) -> (usize, usize) {
    let (mut visited, mut complete) = (0, 0);
    for sc in scenarios {
        let r = explore(&sc, Limits { states, until: None });
        assert!(r.fault.is_none(), "{}", r.fault.unwrap_or_default());
        visited += r.states;
        complete += usize::from(r.complete);
    }
    println!("{visited} states, {complete} explorations complete");
    (visited, complete)
}

fn at_level(scenarios: Vec<Scenario>, level: usize) -> impl Iterator<Item = Scenario> {
    scenarios.into_iter().map(move |s| s.harm(LEVELS[level]))
}

#[test]
fn no_harm_any_order() {
    let (states, complete) = all_hold(at_level(all(), 0), 4_000);
    assert!(states > 300_000 && complete > 180, "{states} states, {complete} complete");
}

#[test]
fn one_segment_lost() {
    let (states, complete) = all_hold(at_level(plain(), 1), 15_000);
    assert!(states > 150_000 && complete > 20, "{states} states, {complete} complete");
}

#[test]
fn one_segment_doubled() {
    let (states, complete) = all_hold(at_level(plain(), 2), 15_000);
    assert!(states > 150_000 && complete > 20, "{states} states, {complete} complete");
}

#[test]
fn one_timer_early() {
    let (states, complete) = all_hold(at_level(plain(), 3), 15_000);
    assert!(states > 150_000 && complete > 10, "{states} states, {complete} complete");
}

#[test]
fn all_kinds_of_harm_on_the_shortest_lives() {
    let short = ["open", "passive close", "abort by both", "simultaneous close"];
    let scenarios = all().into_iter().filter(|s| short.contains(&s.name.as_str()));
    all_hold(scenarios.map(|s| s.harm(Harm::new(1, 1, 1))), 60_000);
}

fn fault(sc: &Scenario) -> String {
    let Report { fault, .. } = explore(sc, Limits { states: 100_000, until: None });
    fault.unwrap_or_default()
}

#[test]
fn an_application_that_never_closes_is_a_state_without_a_way_out() {
    let sc = Scenario::new("leak", &[Open, AwaitOpen, Close], &[Accept, AwaitEof]);
    assert!(fault(&sc).contains("nothing leads to the end"), "{}", fault(&sc));
}

#[test]
fn a_limit_on_tries_below_the_losses_is_giving_up() {
    let sc = Scenario::new("impatient", &[Open, AwaitOpen, Close], &[Accept, AwaitEof, Close])
        .with("one try", |c| c.syn_retries = 0)
        .harm(Harm::new(1, 0, 0));
    let told = fault(&sc);
    assert!(told.contains("gives up"), "{told}");
    // The trace names the step that did it.
    assert!(told.contains("lost on the way to"), "{told}");
    // And what an end saw can be made a script.
    assert!(told.contains("    +0.000 > S 0:0(0) win 64 <mss 100>\n"), "{told}");
}

#[test]
fn two_runs_see_the_same() {
    let sc = || all().swap_remove(0).harm(Harm::new(1, 1, 1));
    let run = || explore(&sc(), Limits { states: 20_000, until: None });
    let (one, two) = (run(), run());
    assert_eq!((one.states, one.steps, one.depth, one.over), (two.states, two.steps, two.depth, two.over));
}
