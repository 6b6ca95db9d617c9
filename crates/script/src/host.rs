//! Where a script happens: our stack in virtual time, or something real.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use synfin_wire::Tuple;

use crate::ast::Call;
use crate::call::Wrong;

/// Times are microseconds since the script began.
pub type Micros = i64;

/// Values of `tcpi_...` by name.
pub type Fields = BTreeMap<&'static str, i64>;

/// A packet that came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// When.
    pub at: Micros,
    /// The whole IP packet.
    pub packet: Vec<u8>,
    /// Why it was sent, if the host tells.
    pub why: Option<String>,
}

/// What a call returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Returned {
    /// When.
    pub at: Micros,
    /// The value.
    pub value: i64,
    /// The name of errno after a failure.
    pub errno: Option<String>,
    /// What it handed out through its arguments and the script does not expect.
    pub wrong: Vec<Wrong>,
}

/// What a turn of the clock brought.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Something happened: packets may have come out, a call may have returned.
    Something,
    /// Nothing did; it is as late as was asked for.
    Nothing,
}

/// Sockets of some TCP, the network below them, and a clock. Nothing is judged here.
pub trait Host {
    /// Now.
    fn now(&self) -> Micros;

    /// The first event that is not a command comes next: it is 0.
    fn begin(&mut self);

    /// Lets time pass, up to `to` or up to something that happens by itself.
    ///
    /// # Errors
    /// The host broke down; in words.
    fn turn(&mut self, to: Micros) -> Result<Turn, String>;

    /// The longest time that a packet may be waited for whose time is not said.
    fn patience(&self) -> Micros;

    /// Packets that came out since this was asked last, in order.
    fn sent(&mut self) -> Vec<Sent>;

    /// Begins a call; `None`: it waits, and [`Host::returned`] will tell how it ended. `until` is when it has to return, if
    /// it may wait at all. One call waits at a time.
    ///
    /// # Errors
    /// The call, or what it asks for, does not exist here.
    fn call(&mut self, call: &Call, until: Option<Micros>) -> Result<Option<Returned>, String>;

    /// The call that waited, if it has returned by now.
    ///
    /// # Errors
    /// It asks for something that does not exist here.
    fn returned(&mut self) -> Result<Option<Returned>, String>;

    /// A packet arrives. `merged`: it stands for several segments of so many octets of text each. `errno` is what Linux makes
    /// of it if it is an ICMP error.
    ///
    /// # Errors
    /// The host broke down; in words.
    fn inject(
        &mut self,
        packet: &[u8],
        merged: Option<NonZeroU16>,
        errno: Option<&'static str>,
    ) -> Result<(), String>;

    /// Does what a command of the shell asks for; returns for how long the script sleeps then.
    ///
    /// # Errors
    /// It is not understood, or it failed.
    fn command(&mut self, command: &str) -> Result<Duration, String>;

    /// What is known of the connection that was opened or accepted last.
    fn info(&mut self) -> Fields;

    /// Whether a connection is over: it has no record, or one in TIME-WAIT.
    fn is_over(&mut self, tuple: &Tuple) -> bool;

    /// What happened last, oldest first: reasons for a person who looks into a failure.
    fn said(&self) -> Vec<(Micros, String)>;

    /// What was recognised and has no effect here; asked for once.
    fn notes(&mut self) -> Vec<String>;
}
