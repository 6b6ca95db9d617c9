//! Ready-made applications.
//!
//! [`Client`] and [`Server`] hold conversations after a [`Script`]: both send and check streams that follow from seeds.
//! [`sender`] and [`receiver`] are their one-way forms. [`Echo`] sends back what it gets, [`Churn`] and [`ChurnServer`]
//! open and close many connections.

mod churn;
mod echo;
mod talk;

pub use churn::{Churn, ChurnServer, Failure};
pub use echo::Echo;
pub use talk::{Client, Closing, LetGo, Outcome, Report, Script, Server, receiver, sender};

/// Octets that one call reads or writes.
const CHUNK: usize = 4096;
