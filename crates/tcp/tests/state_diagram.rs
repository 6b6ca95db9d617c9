//! docs/state-table.md says what the code does.

#[path = "../examples/state_diagram/page.rs"]
mod page;

use std::fs;
use std::path::Path;

use synfin_tcp::{State, Trigger};

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/state-table.md");
    let written = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(
        written == page::page(),
        "docs/state-table.md is out of date; make it anew:\n\
         cargo run -q -p synfin-tcp --example state_diagram > docs/state-table.md"
    );
}

#[test]
fn the_lists_are_complete_and_in_order() {
    for (i, trigger) in Trigger::ALL.into_iter().enumerate() {
        assert_eq!(trigger as usize, i);
    }
    for (i, state) in State::ALL.into_iter().enumerate() {
        assert_eq!(state as usize, i);
    }
}

#[test]
fn every_transition_is_drawn_or_listed() {
    let drawn: usize = page::edges().values().map(Vec::len).sum();
    let ending = page::endings().len();
    let all = State::ALL
        .into_iter()
        .flat_map(|state| Trigger::ALL.map(|trigger| (state, trigger)))
        .filter(|(state, trigger)| state.on(*trigger).is_some())
        .count();
    let by_ending = page::endings()
        .into_iter()
        .map(|trigger| State::ALL.into_iter().filter(|state| state.on(trigger).is_some()).count())
        .sum::<usize>();
    assert_eq!(drawn + by_ending, all);
    assert_eq!(ending, 4, "RST, ABORT, a limit, a hard ICMP error");
}
