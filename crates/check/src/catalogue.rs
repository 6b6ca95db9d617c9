//! The scenarios: every way to open, small data, every way to close, reuse of TIME_WAIT.

use std::time::Duration;

use synfin_tcp::{Config, Quirks};

use crate::app::Op::{self, *};
use crate::app::Reading;
use crate::scenario::{Emission, Harm, Scenario};

const SECONDS_2: Op = Pause(Duration::from_secs(2));

/// Levels of harm, from none on. A scenario that holds at one level is tried at the next.
pub const LEVELS: [Harm; 9] = [
    Harm::new(0, 0, 0),
    Harm::new(1, 0, 0),
    Harm::new(0, 1, 0),
    Harm::new(0, 0, 1).overtakes(1),
    Harm::new(0, 0, 1),
    Harm::new(1, 1, 0),
    Harm::new(1, 1, 1).overtakes(1),
    Harm::new(2, 0, 1),
    Harm::new(2, 2, 2),
];

/// Ways to open.
fn opens() -> Vec<Scenario> {
    let polite = [Accept, AwaitEof, Close];
    vec![
        Scenario::new("open", &[Open, AwaitOpen, Close], &polite),
        Scenario::new("open, nobody there", &[Open, AwaitOpen, Close], &[]),
        Scenario::new("open, close before it is open", &[Open, Close], &polite),
        Scenario::new(
            "open, shutdown before it is open",
            &[Open, Shutdown, AwaitEof, Close],
            &[Accept, Close],
        ),
        Scenario::new("open, abort before it is open", &[Open, Abort], &[Accept, Close]),
        Scenario::new("open, written before it is open", &[Open, Write(1), AwaitOpen, Close], &polite),
        Scenario::new(
            "simultaneous open",
            &[Open, AwaitOpen, Shutdown, AwaitEof, Close],
            &[Open, AwaitOpen, Shutdown, AwaitEof, Close],
        ),
        Scenario::new(
            "simultaneous open, text",
            &[Open, Write(1), AwaitOpen, Shutdown, AwaitEof, Close],
            &[Open, AwaitOpen, Shutdown, AwaitEof, Close],
        ),
        Scenario::new("simultaneous open, closed early", &[Open, Close], &[Open, Close]),
        Scenario::new("simultaneous open, aborted", &[Open, Abort], &[Open, AwaitOpen, Close]),
    ]
}

/// Small data.
fn data() -> Vec<Scenario> {
    let reader = [Accept, AwaitEof, Close];
    let two = [Open, AwaitOpen, Write(1), Write(1), Close];
    let late = |s: &mut Scenario| s.sides[1].reading = Reading::Late;
    vec![
        Scenario::new("one octet", &[Open, AwaitOpen, Write(1), Close], &reader),
        Scenario::new("two segments", &two, &reader),
        Scenario::new("three segments", &[Open, AwaitOpen, Write(1), Write(1), Write(1), Close], &reader),
        Scenario::new("three octets, cut by nothing", &[Open, AwaitOpen, Write(3), Close], &reader),
        Scenario::new("two segments", &two, &reader).alter("Nagle", |s| s.nodelay = false),
        Scenario::new("two segments", &two, &reader).alter("read late", late),
        Scenario::new("three octets", &[Open, AwaitOpen, Write(3), Close], &reader)
            .with("window of two", |c| c.recv_buffer = 2)
            .alter("read late", late),
        Scenario::new("two segments", &two, &reader)
            .with("window of one", |c| c.recv_buffer = 1)
            .alter("read late", late),
        Scenario::new(
            "an octet each way",
            &[Open, AwaitOpen, Write(1), Shutdown, AwaitEof, Close],
            &[Accept, Write(1), Shutdown, AwaitEof, Close],
        ),
        Scenario::new(
            "two segments each way",
            &[Open, AwaitOpen, Write(1), Write(2), Shutdown, AwaitEof, Close],
            &[Accept, Write(2), Write(1), Shutdown, AwaitEof, Close],
        ),
    ]
}

/// Ways to close.
fn closes() -> Vec<Scenario> {
    vec![
        Scenario::new("passive close", &[Open, AwaitEof, Close], &[Accept, Close]),
        Scenario::new("passive close, text", &[Open, AwaitEof, Close], &[Accept, Write(1), Close]),
        Scenario::new("simultaneous close", &[Open, AwaitOpen, Close], &[Accept, Close]),
        Scenario::new("simultaneous close, text", &[Open, AwaitOpen, Write(1), Close], &[Accept, Close]),
        Scenario::new(
            "simultaneous shutdown, text",
            &[Open, AwaitOpen, Write(1), Shutdown, AwaitEof, Close],
            &[Accept, Shutdown, AwaitEof, Close],
        ),
        Scenario::new(
            "half-close",
            &[Open, AwaitOpen, Shutdown, AwaitEof, Close],
            &[Accept, AwaitEof, Write(1), Write(1), Close],
        ),
        Scenario::new("abort by the active end", &[Open, AwaitOpen, Abort], &[Accept, AwaitEof, Close]),
        Scenario::new("abort by the passive end", &[Open, AwaitOpen, Close], &[Accept, Abort]),
        Scenario::new("abort by both", &[Open, AwaitOpen, Abort], &[Accept, Abort]),
        Scenario::new("abort, text", &[Open, AwaitOpen, Write(1), Abort], &[Accept, AwaitEof, Close]),
        Scenario::new(
            "abort after the peer's end",
            &[Open, AwaitEof, Abort],
            &[Accept, Shutdown, AwaitEof, Close],
        ),
        Scenario::new(
            "abort after half-close",
            &[Open, AwaitOpen, Shutdown, Abort],
            &[Accept, Write(1), Close],
        ),
        Scenario::new("close over unread text", &[Open, AwaitOpen, Write(1), Close], &[Accept, Close])
            .alter("read late", |s| s.sides[1].reading = Reading::Late),
        Scenario::new(
            "close while text comes",
            &[Open, AwaitOpen, Close],
            &[Accept, Write(1), Write(1), Close],
        ),
    ]
}

/// The pair of ports is used again.
fn reuses() -> Vec<Scenario> {
    let again = [Open, AwaitEof, Close, AwaitGone, Open, AwaitOpen, Write(1), Close];
    let server = [Accept, Close, Accept, AwaitEof, Close];
    let active = [Open, AwaitOpen, Close, SECONDS_2, Open, AwaitOpen, Write(1), Close];
    let serves = [Accept, AwaitEof, Close, Accept, AwaitEof, Close];
    let stamped = |c: &mut Config| c.timestamps = true;
    vec![
        Scenario::new("TIME_WAIT met by a new SYN", &again, &server),
        Scenario::new("TIME_WAIT met by a new SYN", &again, &server).with("timestamps", stamped),
        Scenario::new(
            "reuse after TIME_WAIT",
            &[Open, AwaitOpen, Write(1), Close, AwaitGone, Open, AwaitOpen, Write(1), Close],
            &serves,
        ),
        Scenario::new("TIME_WAIT given up for a new connection", &active, &serves)
            .with("timestamps", stamped),
        Scenario::new(
            "open again after both aborted",
            &[Open, AwaitOpen, Abort, Open, AwaitOpen, Write(1), Close],
            &[Accept, Abort, Accept, AwaitEof, Close],
        ),
        Scenario::new(
            "open again after an abort",
            &[Open, AwaitOpen, Abort, Open, AwaitOpen, Write(1), Close],
            &serves,
        ),
    ]
}

/// A change to a scenario.
type Variant = fn(Scenario) -> Scenario;

/// Settings to try each scenario with.
const VARIANTS: [Variant; 7] = [
    |s| s,
    |s| s.with("SACK", |c| c.sack = true),
    |s| s.with("timestamps", |c| c.timestamps = true),
    |s| s.with("profile linux", |c| c.quirks = Quirks::LINUX),
    |s| s.with("no delayed ACK", |c| c.delayed_ack = Duration::ZERO),
    |s| s.with("timeouts that double", |c| c.rto_max = Duration::from_secs(8)),
    |s| s.alter("sent late", |s| s.emission = Emission::Late),
];

/// Every scenario without harm, under plain settings.
pub fn plain() -> Vec<Scenario> {
    let mut plain = opens();
    plain.extend(data());
    plain.extend(closes());
    plain.extend(reuses());
    plain
}

/// Every scenario without harm and with all settings, plain ones first.
pub fn all() -> Vec<Scenario> {
    let plain = plain();
    let mut out = Vec::new();
    for variant in VARIANTS {
        for (n, s) in plain.iter().enumerate() {
            let mut s = variant(s.clone());
            // Sequence space wraps in every other one.
            if n % 2 == 1 {
                s.iss = [u32::MAX - 1, u32::MAX];
            }
            out.push(s);
        }
    }
    out
}

/// Every scenario at every level of harm: little harm and plain settings first, both growing together.
pub fn by_difficulty() -> Vec<Scenario> {
    let scenarios = all();
    let each = scenarios.len() / VARIANTS.len();
    let mut work = Vec::new();
    for (level, harm) in LEVELS.into_iter().enumerate() {
        work.extend(scenarios.iter().enumerate().map(|(n, s)| (level + n / each, s.clone().harm(harm))));
    }
    work.sort_by_key(|(difficulty, _)| *difficulty);
    work.into_iter().map(|(_, s)| s).collect()
}
