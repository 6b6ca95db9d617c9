//! What synfin's fuzz targets do, as ordinary code: `fuzz/` wraps each function for libFuzzer, and this crate's own
//! test replays every file of `fuzz/corpus/` and runs random inputs, on any toolchain.
//!
//! Each target is a function of octets. It panics when the code under test does, or when it breaks one of its promises.
#![forbid(unsafe_code)]

pub mod endpoint;
pub mod host;
pub mod input;
pub mod ledger;
pub mod packet;
pub mod packets;
pub mod pair;
pub mod ranges;
pub mod reassembly;
pub mod scoreboard;
pub mod script;
pub mod segment_parse;

/// A target: its name, which is that of its corpus folder, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("endpoint", endpoint::run),
    ("packet", packet::run),
    ("pair", pair::run),
    ("ranges", ranges::run),
    ("reassembly", reassembly::run),
    ("scoreboard", scoreboard::run),
    ("script", script::run),
    ("segment_parse", segment_parse::run),
];
