//! Conversations after a script: send so much, expect so much, close then.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use synfin_net::{
    ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts, ListenerId, SocketEvent, Stack,
};
use synfin_tcp::{CloseReason, Keepalive, ReadError, Readiness, Shutdown, WriteError};
use synfin_wire::{Endpoint, Instant, Tuple};

use super::CHUNK;
use crate::{App, Pattern};

/// When to close the own direction.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// So long after the connection was open and all was handed to the stack.
    After(Duration),
    /// When the peer's end of stream was read. Not both sides, or they wait for each other.
    AfterPeer,
}

/// When to let go of a connection that is closed both ways.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LetGo {
    /// When all is acknowledged, our FIN included, or the connection ended otherwise.
    Drained,
    /// As soon as the peer's end of stream was read and all was handed over: the stack finishes alone.
    AtOnce,
}

/// One side of a conversation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// Octets to send.
    pub send: u64,
    /// Which ones.
    pub send_pattern: Pattern,
    /// Octets that the peer sends.
    pub expect: u64,
    /// Which ones.
    pub expect_pattern: Pattern,
    /// When to close the own direction.
    pub closing: Closing,
    /// When to let go.
    pub let_go: LetGo,
    /// Pause after each 4,096 octets read: a slow reader. Zero: none.
    pub read_pause: Duration,
    /// Keepalive, which alone notices a peer that vanished while it had the word.
    pub keepalive: Option<Keepalive>,
}

impl Script {
    /// A conversation of which `seed` gives both streams: the one side sends `send` octets and gets `expect`.
    pub fn new(seed: u64, send: u64, expect: u64) -> Script {
        Script {
            send,
            send_pattern: Pattern(seed),
            expect,
            expect_pattern: Pattern(!seed),
            closing: Closing::After(Duration::ZERO),
            let_go: LetGo::Drained,
            read_pause: Duration::ZERO,
            keepalive: None,
        }
    }

    /// What the peer has to do for it: amounts and streams exchanged; the rest as it is.
    pub fn mirrored(self) -> Script {
        Script {
            send: self.expect,
            send_pattern: self.expect_pattern,
            expect: self.send,
            expect_pattern: self.send_pattern,
            ..self
        }
    }
}

/// How a conversation stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes on.
    Running,
    /// All was sent, all that was expected was read, the end of stream after it, and the connection let go.
    Done,
    /// The active open failed at once.
    NotOpened(ConnectError),
    /// The connection ended early.
    Failed(CloseReason),
    /// An octet at this position of the peer's stream is wrong, or one too many.
    Wrong(u64),
    /// The peer's stream ended after so many octets.
    Short(u64),
    /// The name went stale while the conversation was going on.
    Stale,
}

/// What is known about a conversation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The connection's ends; `None` if it never existed.
    pub tuple: Option<Tuple>,
    /// How it stands.
    pub outcome: Outcome,
    /// How the connection ended before it was let go, if it did.
    pub ended: Option<CloseReason>,
    /// When the handshake was seen to be complete.
    pub connected_at: Option<Instant>,
    /// When the conversation ended.
    pub ended_at: Option<Instant>,
    /// Octets handed to the stack.
    pub sent: u64,
    /// Octets read.
    pub got: u64,
}

impl Report {
    const fn new(tuple: Option<Tuple>) -> Report {
        Report {
            tuple,
            outcome: Outcome::Running,
            ended: None,
            connected_at: None,
            ended_at: None,
            sent: 0,
            got: 0,
        }
    }
}

/// A conversation on an open or opening connection.
struct Talk {
    id: ConnId,
    script: Script,
    report: Report,
    /// When to read on.
    read_at: Instant,
    /// The peer's end of stream was read.
    eof: bool,
    /// When our direction closes, once that is known.
    shut_at: Option<Instant>,
    shut: bool,
}

impl Talk {
    fn new(id: ConnId, tuple: Tuple, script: Script) -> Talk {
        Talk {
            id,
            script,
            report: Report::new(Some(tuple)),
            read_at: Instant::ZERO,
            eof: false,
            shut_at: None,
            shut: false,
        }
    }

    /// Does what can be done now; returns when to go on at the latest.
    fn poll(&mut self, now: Instant, stack: &mut Stack) -> Option<Instant> {
        if self.report.outcome != Outcome::Running {
            return None;
        }
        let stop = match stack.conn(now, self.id) {
            None => Some(Outcome::Stale),
            Some(mut conn) => match self.proceed(now, &mut conn) {
                Ok(()) => self.finish(conn),
                Err(outcome) => {
                    self.report.ended = conn.readiness().closed;
                    match outcome {
                        Outcome::Failed(_) => conn.close(),
                        _ => conn.abort(),
                    }
                    Some(outcome)
                }
            },
        };
        if let Some(outcome) = stop {
            self.report.outcome = outcome;
            self.report.ended_at = Some(now);
            return None;
        }
        let read_at = Some(self.read_at).filter(|at| *at > now && !self.eof);
        let shut_at = self.shut_at.filter(|_| !self.shut);
        [read_at, shut_at].into_iter().flatten().min()
    }

    fn proceed(&mut self, now: Instant, conn: &mut Handle<'_>) -> Result<(), Outcome> {
        if self.report.connected_at.is_none() && conn.readiness().connected {
            self.report.connected_at = Some(now);
            conn.configure(|connection, cx| connection.set_keepalive(cx, self.script.keepalive));
        }
        self.read(now, conn)?;
        self.write(conn)?;
        // Closing before the handshake is complete would take the opening back (RFC 9293 3.10.4, SYN-SENT).
        let opened = self.report.connected_at.is_some();
        if opened && self.report.sent == self.script.send && self.shut_at.is_none() {
            self.shut_at = match self.script.closing {
                Closing::After(pause) => Some(now + pause),
                Closing::AfterPeer => self.eof.then_some(now),
            };
        }
        if !self.shut && self.shut_at.is_some_and(|at| at <= now) {
            self.shut = true;
            conn.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn read(&mut self, now: Instant, conn: &mut Handle<'_>) -> Result<(), Outcome> {
        let mut chunk = [0; CHUNK];
        while !self.eof && self.read_at <= now {
            match conn.read(&mut chunk) {
                Ok(0) if self.report.got < self.script.expect => {
                    return Err(Outcome::Short(self.report.got));
                }
                Ok(0) => self.eof = true,
                Ok(n) => {
                    let at = self.report.got;
                    let got = chunk.get(..n).unwrap_or_default();
                    if let Some(wrong) = self.script.expect_pattern.check(at, got) {
                        return Err(Outcome::Wrong(wrong));
                    }
                    self.report.got += n as u64;
                    if self.report.got > self.script.expect {
                        return Err(Outcome::Wrong(self.script.expect));
                    }
                    self.read_at = now + self.script.read_pause;
                }
                Err(ReadError::WouldBlock) => break,
                Err(ReadError::Closed(reason)) => return Err(Outcome::Failed(reason)),
            }
        }
        Ok(())
    }

    fn write(&mut self, conn: &mut Handle<'_>) -> Result<(), Outcome> {
        let mut chunk = [0; CHUNK];
        while self.report.sent < self.script.send {
            let left = (self.script.send - self.report.sent).min(CHUNK as u64) as usize;
            let out = chunk.get_mut(..left).unwrap_or_default();
            self.script.send_pattern.fill(self.report.sent, out);
            match conn.write(out) {
                Ok(0) | Err(WriteError::WouldBlock) => break,
                Ok(n) => self.report.sent += n as u64,
                // The stack closed what we did not: it will say why when read.
                Err(WriteError::Closing) => break,
                Err(WriteError::Closed(reason)) => return Err(Outcome::Failed(reason)),
            }
        }
        Ok(())
    }

    /// Lets go if all is done.
    fn finish(&mut self, conn: Handle<'_>) -> Option<Outcome> {
        let all_sent = self.report.sent == self.script.send;
        let Readiness { drained, closed, .. } = conn.readiness();
        let ready = match self.script.let_go {
            LetGo::Drained => self.shut && (drained || closed.is_some()),
            LetGo::AtOnce => true,
        };
        if !(self.eof && all_sent && ready) {
            return None;
        }
        self.report.ended = closed;
        conn.close();
        Some(Outcome::Done)
    }
}

/// Opens a connection and holds one conversation.
pub struct Client {
    to: Endpoint,
    opts: ConnectOpts,
    script: Script,
    talk: Option<Talk>,
    report: Report,
}

impl Client {
    /// Connects to `to` when first called.
    pub fn new(to: Endpoint, script: Script) -> Client {
        Client { to, opts: ConnectOpts::default(), script, talk: None, report: Report::new(None) }
    }

    /// With these options.
    #[must_use]
    pub fn with_opts(self, opts: ConnectOpts) -> Client {
        Client { opts, ..self }
    }

    /// How it stands.
    pub fn report(&self) -> Report {
        self.talk.as_ref().map_or(self.report, |talk| talk.report)
    }

    /// The connection's name; stale once let go.
    pub fn id(&self) -> Option<ConnId> {
        self.talk.as_ref().map(|talk| talk.id)
    }
}

impl App for Client {
    fn poll(&mut self, now: Instant, stack: &mut Stack, _: &[SocketEvent]) -> Option<Instant> {
        if self.talk.is_none() && self.report.outcome == Outcome::Running {
            match stack.connect(now, self.to, self.opts) {
                Ok(id) => {
                    let tuple = stack.conn(now, id).map(|conn| *conn.get().tuple());
                    self.talk = Some(Talk::new(id, tuple.unwrap_or_default(), self.script));
                }
                Err(error) => {
                    self.report.outcome = Outcome::NotOpened(error);
                    self.report.ended_at = Some(now);
                }
            }
        }
        self.talk.as_mut().and_then(|talk| talk.poll(now, stack))
    }
}

/// Gives the script for the nth connection, counted from 0.
type Scripts = Box<dyn FnMut(u64) -> Script>;

/// Listens and holds a conversation on each connection.
pub struct Server {
    at: Endpoint,
    opts: ListenOpts,
    scripts: Scripts,
    listener: Option<Result<ListenerId, ListenError>>,
    accepted: u64,
    /// Connections after which the listener is closed.
    limit: u64,
    talks: Vec<Talk>,
    ended: Vec<Report>,
}

impl Server {
    /// Listens at `at` when first called; `script` gives what to do on the nth connection, counted from 0.
    pub fn new(at: Endpoint, script: impl FnMut(u64) -> Script + 'static) -> Server {
        Server {
            at,
            opts: ListenOpts::default(),
            scripts: Box::new(script),
            listener: None,
            accepted: 0,
            limit: u64::MAX,
            talks: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// With these options.
    #[must_use]
    pub fn with_opts(self, opts: ListenOpts) -> Server {
        Server { opts, ..self }
    }

    /// Closes the listener after so many connections.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Server {
        Server { limit, ..self }
    }

    /// How listening went; `None` before the first call.
    pub fn listener(&self) -> Option<Result<ListenerId, ListenError>> {
        self.listener
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The conversations: ended ones in the order of their ends, then the others.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.ended.iter().copied().chain(self.talks.iter().map(|talk| talk.report))
    }

    fn accept(&mut self, now: Instant, stack: &mut Stack) {
        let listener = *self.listener.get_or_insert_with(|| stack.listen(self.at, self.opts));
        let Ok(listener) = listener else { return };
        while self.accepted < self.limit
            && let Some((id, tuple)) = stack.accept(now, listener)
        {
            self.talks.push(Talk::new(id, tuple, (self.scripts)(self.accepted)));
            self.accepted += 1;
            if self.accepted == self.limit {
                stack.close_listener(now, listener);
            }
        }
    }
}

impl App for Server {
    fn poll(&mut self, now: Instant, stack: &mut Stack, _: &[SocketEvent]) -> Option<Instant> {
        self.accept(now, stack);
        let wake = self.talks.iter_mut().filter_map(|talk| talk.poll(now, stack)).min();
        let ended = self.talks.extract_if(.., |talk| talk.report.outcome != Outcome::Running);
        self.ended.extend(ended.map(|talk| talk.report));
        wake
    }
}

/// A client that sends `octets` of `pattern` to `to`, closes, and expects nothing but the end of stream.
pub fn sender(to: Endpoint, pattern: Pattern, octets: u64) -> Client {
    let script = Script { send_pattern: pattern, ..Script::new(0, octets, 0) };
    Client::new(to, script)
}

/// A server that expects `octets` of `pattern` on each connection, and closes at the end of stream.
pub fn receiver(at: Endpoint, pattern: Pattern, octets: u64) -> Server {
    let script = Script { expect_pattern: pattern, closing: Closing::AfterPeer, ..Script::new(0, 0, octets) };
    Server::new(at, move |_| script)
}

#[cfg(test)]
mod tests;
