//! Prints docs/state-table.md from the state table itself.
//!
//! `cargo run -q -p synfin-tcp --example state_diagram > docs/state-table.md`

#[path = "state_diagram/page.rs"]
mod page;

fn main() {
    print!("{}", page::page());
}
