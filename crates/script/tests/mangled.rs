//! Whatever a script says, the runner comes to an end without panic: scripts with a few octets or events changed.

use std::fs;
use std::path::Path;

use synfin_script::{Profile, parse, run};

/// A small generator with a fixed seed: the same scripts every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

const PIECES: [&str; 24] = [
    "0",
    "9",
    "4294967295",
    "-1",
    "+0 ",
    "...",
    "ack 1",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "\"",
    "%{",
    "}%",
    "|",
    ".",
    "S",
    "R.",
    "\n",
];

#[test]
fn changed_texts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform");
    let mut files: Vec<_> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "pkt"));
    files.sort();
    let (mut dice, mut parsed) = (Dice(1), 0);
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for _ in 0..120 {
            let mut mangled = text.clone();
            for _ in 0..1 + dice.roll(3) {
                let at = dice.roll(mangled.len());
                let to = (at + dice.roll(4)).min(mangled.len());
                if mangled.is_char_boundary(at) && mangled.is_char_boundary(to) {
                    mangled.replace_range(at..to, PIECES[dice.roll(PIECES.len())]);
                }
            }
            if let Ok(script) = parse(&mangled, "mangled") {
                parsed += 1;
                let _ = run(&script, &Profile::linux()).to_string();
            }
        }
    }
    assert!(parsed > 500, "only {parsed} of them could be read: nothing was tested");
}

#[test]
fn events_in_another_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform");
    let mut files: Vec<_> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "pkt"));
    files.sort();
    let mut dice = Dice(2);
    for file in &files {
        let script = parse(&fs::read_to_string(file).unwrap(), "mangled").unwrap();
        for _ in 0..20 {
            let mut other = script.clone();
            let (a, b) = (dice.roll(other.events.len()), dice.roll(other.events.len()));
            other.events.swap(a, b);
            if dice.roll(2) == 0 {
                let again = other.events[a].clone();
                other.events.insert(b, again);
            }
            let _ = run(&other, &Profile::rfc()).to_string();
        }
    }
}
