//! A connection in its application's hand.

use synfin_tcp::{Connection, Cx, Info, ReadError, Readiness, Shutdown, WriteError};

use crate::Stack;
use crate::env::Env;

/// A connection lent to its application.
pub struct Handle<'a> {
    stack: &'a mut Stack,
    index: u32,
}

impl<'a> Handle<'a> {
    /// The slot holds a connection, and does so as long as the handle lives.
    pub(crate) fn new(stack: &'a mut Stack, index: u32) -> Handle<'a> {
        Handle { stack, index }
    }
}

impl Handle<'_> {
    fn parts(&mut self) -> (&mut Connection, &mut Env) {
        match self.stack.records.conns.at_mut(self.index) {
            Some(slot) => (&mut slot.conn, &mut self.stack.env),
            None => unreachable!("a handle borrows the stack, and was made for a slot in use"),
        }
    }

    /// See [`Connection::read`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let (conn, env) = self.parts();
        conn.read(&mut env.cx(), into)
    }

    /// See [`Connection::peek`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn peek(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        self.get().peek(into)
    }

    /// See [`Connection::write`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        let (conn, env) = self.parts();
        conn.write(&mut env.cx(), data)
    }

    /// See [`Connection::write_urgent`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write_urgent(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        let (conn, env) = self.parts();
        conn.write_urgent(&mut env.cx(), data)
    }

    /// See [`Connection::shutdown`].
    pub fn shutdown(&mut self, how: Shutdown) {
        let (conn, env) = self.parts();
        let mut cx = env.cx();
        let verdict = conn.shutdown(&mut cx, how);
        let reply = cx.reply.take();
        self.stack.settle(self.index, verdict, reply);
    }

    /// See [`Connection::close`]: the name is stale afterwards.
    pub fn close(self) {
        self.stack.close_connection(self.index);
    }

    /// See [`Connection::abort`], and lets go: the name is stale afterwards.
    pub fn abort(self) {
        self.stack.abort_connection(self.index);
    }

    /// What the application can do now.
    pub fn readiness(&self) -> Readiness {
        self.get().readiness()
    }

    /// The connection, to look at.
    pub fn get(&self) -> &Connection {
        match self.stack.records.conns.at(self.index) {
            Some(slot) => &slot.conn,
            None => unreachable!("a handle borrows the stack, and was made for a slot in use"),
        }
    }

    /// A copy of everything worth showing.
    pub fn info(&self) -> Info {
        self.get().info(&self.stack.env.tcp)
    }

    /// Changes options of the connection: `f` gets it with the context that its setters ask for. Calls that end the
    /// connection belong to the handle itself.
    pub fn configure<R>(&mut self, f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> R) -> R {
        let (conn, env) = self.parts();
        f(conn, &mut env.cx())
    }
}

impl Drop for Handle<'_> {
    /// What the calls made due is scheduled: segments, timers, news.
    fn drop(&mut self) {
        self.stack.schedule(self.index);
    }
}
