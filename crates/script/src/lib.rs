//! Floor 4 of synfin: scripts in packetdrill's language, run against our stack in virtual time.
//!
//! [`parse`] reads a script, [`run`] lets it happen: packets that go in, packets that have to come out, system calls and
//! what they have to return. No clock, no device and no privilege is needed, so a script takes milliseconds and always
//! ends the same way. What Linux does where the RFCs leave a choice is a [`Profile`]: settings of the stack.
#![forbid(unsafe_code)]

pub mod ast;
pub mod call;
mod cmd;
mod code;
mod compare;
mod consts;
mod engine;
pub mod host;
pub mod judge;
mod lexer;
mod parser;
mod profile;
mod python;
pub mod report;
mod seq;
pub mod setup;
pub mod sockets;
mod stack_host;
mod sys;
pub mod sysctl;
mod tcpinfo;
mod trace;
mod wire;

pub use ast::{ParseError, Script};
pub use cmd::{Against, Command, USAGE, main_against, main_with};
pub use engine::{Leftover, Options, run, run_on, run_with};
pub use host::Host;
pub use parser::{Defines, parse, parse_with};
pub use profile::{Profile, Sizes};
pub use python::Foreign;
pub use report::{Failure, FailureKind, Outcome, Verdict};
pub use setup::Setup;
