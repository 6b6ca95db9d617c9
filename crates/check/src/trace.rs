//! A counterexample in words: every step, every segment, both ends' states.

use std::fmt::Write;

use synfin_wire::Instant;

use crate::scenario::Scenario;
use crate::world::{Action, World};

/// Walks a path again and tells it.
pub fn tell(sc: &Scenario, path: &[u8], why: &str, goes_on: usize) -> String {
    let mut world = World::new(sc);
    let began = world.now;
    let mut out = format!("{}: {why}\n  {:?}\n", sc.name, sc.harm);
    let mut actions = Vec::new();
    // What may follow, were nothing else to happen.
    let further = std::iter::repeat_n(&0, goes_on);
    for (n, nth) in path.iter().chain(further).enumerate() {
        world.actions(sc, &mut actions);
        if n == path.len() {
            out.push_str("  and then, for instance:\n");
        }
        if n >= path.len() && actions.is_empty() {
            break;
        }
        let Some(action) = actions.get(usize::from(*nth)).copied() else {
            out.push_str("  the path ends in nothing: the fingerprint misses something\n");
            return out;
        };
        let what = name(sc, &world, action);
        let result = world.step(sc, action);
        line(&mut out, n + 1, world.now, began, &what, &world);
        for (e, end) in world.ends.iter().enumerate() {
            for p in &end.sent {
                let _ = writeln!(out, "{:18}{} sends {}", "", ["A", "B"][e], p.segment());
            }
        }
        if let Err(fault) = result {
            let _ = writeln!(out, "  -> {fault}");
        }
    }
    world.actions(sc, &mut actions);
    let _ = writeln!(
        out,
        "  on their way: {} to A, {} to B; possible: {actions:?}",
        world.net[0].len(),
        world.net[1].len()
    );
    out
}

fn line(out: &mut String, n: usize, now: Instant, began: Instant, what: &str, world: &World) {
    let ms = now.since(began).as_millis();
    let states = format!("{} | {}", world.ends[0].state(), world.ends[1].state());
    let _ = writeln!(out, "{n:4} {ms:>8} ms  {what}   [{states}]");
}

fn name(sc: &Scenario, world: &World, action: Action) -> String {
    let end = |e: usize| ["A", "B"][e];
    let packet =
        |to: usize, i: usize| world.net[to].get(i).map_or(String::new(), |p| p.segment().to_string());
    match action {
        Action::Call(e) => {
            let op = sc.sides[e].ops.get(world.ends[e].pc);
            format!("{} calls {}", end(e), op.map_or(String::new(), |op| format!("{op:?}")))
        }
        Action::Read(e) => format!("{} reads", end(e)),
        Action::Emit(e) => format!("{} may send", end(e)),
        Action::Fire(e) => format!("{}: timer", end(e)),
        Action::Deliver(to, i) => format!("{} gets {}", end(to), packet(to, i)),
        Action::Twice(to, i) => format!("{} gets, not for the last time, {}", end(to), packet(to, i)),
        Action::Lose(to, i) => format!("lost on the way to {}: {}", end(to), packet(to, i)),
    }
}
