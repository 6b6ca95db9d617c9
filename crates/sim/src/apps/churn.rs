//! Many short lives: connect, one octet each way, close.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use synfin_net::{
    ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts, ListenerId, SocketEvent, Stack,
};
use synfin_tcp::{CloseReason, ReadError, WriteError};
use synfin_wire::{Endpoint, Instant};

use crate::App;

/// How long to wait when no port is free: TIME_WAIT gives some back.
const NO_PORT_PAUSE: Duration = Duration::from_secs(1);

/// Opens connections one after the other, several at a time. On each it sends one octet, reads it back, and closes:
/// first if the octet is even, after the server if it is odd.
pub struct Churn {
    to: Vec<Endpoint>,
    lives: u64,
    at_once: usize,
    opened: u64,
    done: u64,
    open: BTreeMap<ConnId, Life>,
    failures: Vec<(u64, Failure)>,
}

/// Why a life did not end well.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The active open failed at once.
    NotOpened(ConnectError),
    /// The connection ended early.
    Ended(CloseReason),
    /// The wrong octet came back, or more than one, or none.
    Wrong,
    /// The name went stale.
    Stale,
}

struct Life {
    number: u64,
    step: Next,
}

#[derive(Copy, Clone)]
enum Next {
    Write,
    ReadOctet,
    ReadEnd,
}

/// Whether a life goes on.
enum Goes {
    On,
    Done,
    Wrong(Failure),
}

impl Life {
    fn octet(&self) -> u8 {
        self.number as u8
    }

    fn poll(&mut self, conn: &mut Handle<'_>) -> Goes {
        let mut got = [0; 2];
        loop {
            match self.step {
                Next::Write => match conn.write(&[self.octet()]) {
                    Ok(1) => self.step = Next::ReadOctet,
                    Ok(_) | Err(WriteError::WouldBlock) => return Goes::On,
                    Err(WriteError::Closing) => return Goes::Wrong(Failure::Wrong),
                    Err(WriteError::Closed(reason)) => return Goes::Wrong(Failure::Ended(reason)),
                },
                Next::ReadOctet | Next::ReadEnd => match (conn.read(&mut got), self.step) {
                    (Ok(1), Next::ReadOctet) if got == [self.octet(), 0] => {
                        if self.octet().is_multiple_of(2) {
                            return Goes::Done;
                        }
                        self.step = Next::ReadEnd;
                    }
                    (Ok(0), Next::ReadEnd) => return Goes::Done,
                    (Ok(_), _) => return Goes::Wrong(Failure::Wrong),
                    (Err(ReadError::WouldBlock), _) => return Goes::On,
                    (Err(ReadError::Closed(reason)), _) => return Goes::Wrong(Failure::Ended(reason)),
                },
            }
        }
    }
}

impl Churn {
    /// `lives` connections to the endpoints `to` in turn, up to `at_once` at a time.
    pub fn new(to: Vec<Endpoint>, lives: u64, at_once: usize) -> Churn {
        Churn { to, lives, at_once, opened: 0, done: 0, open: BTreeMap::new(), failures: Vec::new() }
    }

    /// Lives that ended well so far.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Numbers of the lives that did not end well, and why.
    pub fn failures(&self) -> &[(u64, Failure)] {
        &self.failures
    }

    /// Whether all lives have ended.
    pub fn is_over(&self) -> bool {
        self.opened == self.lives && self.open.is_empty()
    }

    fn serve(&mut self, now: Instant, stack: &mut Stack, id: ConnId) {
        let Some(life) = self.open.get_mut(&id) else { return };
        let number = life.number;
        let Some(mut conn) = stack.conn(now, id) else {
            self.failures.push((number, Failure::Stale));
            self.open.remove(&id);
            return;
        };
        match life.poll(&mut conn) {
            Goes::On => return,
            Goes::Done => self.done += 1,
            Goes::Wrong(failure) => self.failures.push((number, failure)),
        }
        conn.close();
        self.open.remove(&id);
    }
}

impl App for Churn {
    fn poll(&mut self, now: Instant, stack: &mut Stack, events: &[SocketEvent]) -> Option<Instant> {
        for event in events {
            if let SocketEvent::Connection(id) = event {
                self.serve(now, stack, *id);
            }
        }
        while self.opened < self.lives && self.open.len() < self.at_once {
            let number = self.opened;
            let to =
                self.to.get((number % self.to.len().max(1) as u64) as usize).copied().unwrap_or_default();
            match stack.connect(now, to, ConnectOpts::default()) {
                Ok(id) => {
                    self.open.insert(id, Life { number, step: Next::Write });
                    self.serve(now, stack, id);
                }
                Err(ConnectError::NoPort) => return Some(now + NO_PORT_PAUSE),
                Err(error) => self.failures.push((number, Failure::NotOpened(error))),
            }
            self.opened += 1;
        }
        None
    }
}

/// The other side of [`Churn`].
pub struct ChurnServer {
    at: Vec<Endpoint>,
    listeners: Vec<Result<ListenerId, ListenError>>,
    /// Connections, and whether their octet was sent back: then only the end of stream is missing.
    open: BTreeMap<ConnId, Served>,
    accepted: u64,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Served {
    NotYet,
    Yes,
}

impl ChurnServer {
    /// Listens at these endpoints when first called.
    pub fn new(at: Vec<Endpoint>) -> ChurnServer {
        ChurnServer { at, listeners: Vec::new(), open: BTreeMap::new(), accepted: 0 }
    }

    /// How listening went, in the order of the endpoints; empty before the first call.
    pub fn listeners(&self) -> &[Result<ListenerId, ListenError>] {
        &self.listeners
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn serve(&mut self, now: Instant, stack: &mut Stack, id: ConnId) {
        let Some(served) = self.open.get_mut(&id) else { return };
        if let Some(mut conn) = stack.conn(now, id) {
            let mut octet = [0];
            let stays = loop {
                match conn.read(&mut octet) {
                    Ok(1) if *served == Served::NotYet => {
                        // One octet fits into any send buffer.
                        let _ = conn.write(&octet);
                        *served = Served::Yes;
                        if !octet[0].is_multiple_of(2) {
                            break false;
                        }
                    }
                    Err(ReadError::WouldBlock) => break true,
                    _ => break false,
                }
            };
            if stays {
                return;
            }
            conn.close();
        }
        self.open.remove(&id);
    }
}

impl App for ChurnServer {
    fn poll(&mut self, now: Instant, stack: &mut Stack, events: &[SocketEvent]) -> Option<Instant> {
        if self.listeners.is_empty() {
            self.listeners = self.at.iter().map(|at| stack.listen(*at, ListenOpts::default())).collect();
        }
        for event in events {
            match *event {
                SocketEvent::Connection(id) => self.serve(now, stack, id),
                SocketEvent::Listener(listener) => {
                    while let Some((id, _)) = stack.accept(now, listener) {
                        self.accepted += 1;
                        self.open.insert(id, Served::NotYet);
                        self.serve(now, stack, id);
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
