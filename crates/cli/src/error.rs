//! How a command ends early: one line that names the cause and the cure, and an exit status.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command ends early.
#[derive(Debug)]
pub enum Failure {
    /// What the user gave, or what this machine permits, does not allow it: status 2.
    Bad(String),
    /// It went wrong while it ran: status 1.
    Run(String),
    /// A signal ended it: status 128 + its number. Nothing is to be said.
    Signal(i32),
    /// Whoever read the output has gone: status 0, as for `head`.
    NoReader,
}

impl Failure {
    /// Bad input or environment.
    pub fn bad(why: impl fmt::Display) -> Failure {
        Failure::Bad(why.to_string())
    }

    /// A failure at run time.
    pub fn run(why: impl fmt::Display) -> Failure {
        Failure::Run(why.to_string())
    }

    /// A failure to write to standard output.
    pub fn output(why: io::Error) -> Failure {
        match why.kind() {
            io::ErrorKind::BrokenPipe => Failure::NoReader,
            _ => Failure::Run(format!("cannot write to standard output: {why}")),
        }
    }

    /// Says it on standard error, in one line, and gives the exit status.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Bad(why) => {
                eprintln!("synfin: {why}");
                ExitCode::from(2)
            }
            Failure::Run(why) => {
                eprintln!("synfin: {why}");
                ExitCode::from(1)
            }
            Failure::Signal(number) => ExitCode::from(128_u8.wrapping_add(*number as u8)),
            Failure::NoReader => ExitCode::SUCCESS,
        }
    }
}

impl From<synfin_tun::Error> for Failure {
    fn from(error: synfin_tun::Error) -> Failure {
        match error {
            synfin_tun::Error::Gone { .. } => Failure::run(error),
            _ => Failure::bad(error),
        }
    }
}
