//! A counterexample in words: every step, every segment, both ends' states. Then what each end saw, in the language of
//! packetdrill scripts.

use std::fmt::Write;
use std::time::Duration;

use synfin_wire::{Flags, Instant, Segment, Seq};

use crate::app::Op;
use crate::end::ISS_STEP;
use crate::scenario::Scenario;
use crate::world::{Action, World};

/// Walks a path again and tells it, and up to `goes_on` steps behind it of what may follow.
pub fn tell(sc: &Scenario, path: &[u8], why: &str, goes_on: usize) -> String {
    let mut world = World::new(sc);
    let began = world.now;
    let mut out = format!("{}: {why}\n  {:?}\n", sc.name, sc.harm);
    let mut scripts = [0, 1].map(|who| Script { who, lines: String::new(), last: began });
    let mut actions = Vec::new();
    let further = std::iter::repeat_n(&0, goes_on);
    for (n, nth) in path.iter().chain(further).enumerate() {
        world.actions(sc, &mut actions);
        if n >= path.len() && actions.is_empty() {
            break;
        }
        if n == path.len() {
            out.push_str("  and then, for instance:\n");
        }
        let Some(action) = actions.get(usize::from(*nth)).copied() else {
            out.push_str("  the path ends in nothing: the fingerprint misses something\n");
            return out;
        };
        let what = name(sc, &world, action);
        let before = world.clone();
        let result = world.step(sc, action);
        let states = format!("{} | {}", world.ends[0].state(), world.ends[1].state());
        let ms = world.now.since(began).as_millis();
        let _ = writeln!(out, "{:4} {ms:>8} ms  {what}   [{states}]", n + 1);
        scripts.iter_mut().for_each(|s| s.step(sc, &before, &world, action));
        for (e, end) in world.ends.iter().enumerate() {
            for p in &end.sent {
                let _ = writeln!(out, "{:18}{} sends {}", "", ["A", "B"][e], p.segment());
            }
        }
        if let Err(fault) = result {
            let _ = writeln!(out, "  -> {fault}");
        }
    }
    for s in scripts {
        let _ = write!(out, "  as {} saw it:\n{}", ["A", "B"][s.who], s.lines);
    }
    // The exploration takes the same way every time.
    let _ = writeln!(
        out,
        "again: cargo run --release -p synfin-check -- --only \"{}\" --harm {}",
        sc.name, sc.harm
    );
    out
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

/// What one end saw.
struct Script {
    who: usize,
    lines: String,
    last: Instant,
}

impl Script {
    fn step(&mut self, sc: &Scenario, before: &World, after: &World, action: Action) {
        match action {
            Action::Call(e) if e == self.who => {
                let op = sc.sides[e].ops.get(before.ends[e].pc).copied();
                op.and_then(call).into_iter().for_each(|text| self.line(after.now, &text));
            }
            Action::Read(e) if e == self.who => self.line(after.now, "read(3, ..., 64) = ..."),
            Action::Deliver(to, i) | Action::Twice(to, i) if to == self.who => {
                if let Some(p) = before.net[to].get(i) {
                    let text = format!("< {}", segment(sc, 1 - to, &p.segment()));
                    self.line(after.now, &text);
                }
            }
            _ => {}
        }
        for p in &after.ends[self.who].sent {
            let text = format!("> {}", segment(sc, self.who, &p.segment()));
            self.line(after.now, &text);
        }
    }

    fn line(&mut self, now: Instant, text: &str) {
        let passed: Duration = now.since(self.last);
        self.last = now;
        let _ = writeln!(self.lines, "    +{}.{:03} {text}", passed.as_secs(), passed.subsec_millis());
    }
}

fn call(op: Op) -> Option<String> {
    Some(match op {
        Op::Open => "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)".to_owned(),
        Op::Accept => "accept(3, ..., ...) = 4".to_owned(),
        Op::Write(n) => format!("write(3, ..., {n}) = {n}"),
        Op::Shutdown => "shutdown(3, SHUT_WR) = 0".to_owned(),
        Op::Close => "close(3) = 0".to_owned(),
        Op::Abort => "close(3) = 0 // SO_LINGER {onoff=1, linger=0}".to_owned(),
        Op::AwaitOpen | Op::AwaitEof | Op::AwaitGone | Op::Pause(_) => return None,
    })
}

/// A segment that `from` sent, with relative numbers.
fn segment(sc: &Scenario, from: usize, seg: &Segment<'_>) -> String {
    let relative = |who: usize, n: Seq| {
        let ahead = n.since(Seq::new(sc.iss[who]));
        // A RST may carry the number 0, which is relative to nothing.
        if ahead < 100 * ISS_STEP { ahead % ISS_STEP } else { n.raw() }
    };
    let mut out = String::new();
    let letters =
        [(Flags::FIN, 'F'), (Flags::SYN, 'S'), (Flags::RST, 'R'), (Flags::PSH, 'P'), (Flags::ACK, '.')];
    out.extend(letters.iter().filter(|(flag, _)| seg.flags.has(*flag)).map(|(_, letter)| *letter));
    let (start, len) = (relative(from, seg.seq), seg.payload.len() as u32);
    let _ = write!(out, " {start}:{}({len})", start.wrapping_add(len));
    if let Some(ack) = seg.ack {
        let _ = write!(out, " ack {}", relative(1 - from, ack));
    }
    let _ = write!(out, " win {}", seg.wnd);
    let mut options = Vec::new();
    options.extend(seg.opts.mss.map(|mss| format!("mss {mss}")));
    options.extend(seg.opts.sack_permitted.then(|| "sackOK".to_owned()));
    options.extend(seg.opts.ts.map(|ts| format!("TS val {} ecr {}", ts.val, ts.ecr)));
    if seg.opts.has_sack() {
        let blocks = seg
            .opts
            .sack()
            .map(|b| format!("{}:{}", relative(1 - from, b.left), relative(1 - from, b.right)));
        options.push(format!("sack {}", blocks.collect::<Vec<_>>().join(" ")));
    }
    if !options.is_empty() {
        let _ = write!(out, " <{}>", options.join(","));
    }
    out
}
