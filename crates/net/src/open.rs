//! OPEN: listeners, what they have completed, and active opens (RFC 9293 3.9.1.1, 3.10.1).

use synfin_tcp::{CloseReason, Connection, Event, Quirks, State, Trigger};
use synfin_wire::{Addr, Endpoint, Instant, Seq, Tuple};

use crate::ip_out::our_mss;
use crate::records::{Holder, Record};
use crate::stack::listener_tuple;
use crate::{
    ConnId, ConnectError, ConnectOpts, Handle, ListenError, ListenOpts, ListenerId, ListenerStats, Stack,
};

/// A pair of endpoints for an active open.
#[derive(Copy, Clone, Debug)]
struct Pair {
    tuple: Tuple,
    /// A TIME_WAIT record that gives the pair up, and the number beyond which the new ISS has to lie.
    replaced: Option<(u32, Seq)>,
}

impl Stack {
    /// Passive open. An unspecified address listens on all of its version's addresses (`::` on both versions); port 0 picks one.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn listen(&mut self, at: Endpoint, opts: ListenOpts) -> Result<ListenerId, ListenError> {
        if !at.addr.is_unspecified() && !self.routes.is_ours(at.addr) {
            return Err(ListenError::NotOurs);
        }
        let port = if at.port != 0 {
            at.port
        } else {
            let (ports, listeners) = (self.ports.as_mut().ok_or(ListenError::NoPort)?, &self.listeners);
            let anybody = Endpoint::new(at.addr.unspecified_like(), 0);
            let in_use = |port| listeners.has(Endpoint::new(at.addr, port));
            ports.pick(at.addr, anybody, in_use).ok_or(ListenError::NoPort)?
        };
        let at = Endpoint::new(at.addr, port);
        // RFC 9293 MUST-41: the other listener stays as it is.
        if self.listeners.has(at) {
            return Err(ListenError::InUse);
        }
        self.tell_listener(at, State::Closed, State::Listen, Trigger::Listen);
        Ok(self.listeners.insert(at, opts))
    }

    fn tell_listener(&mut self, at: Endpoint, from: State, to: State, by: Trigger) {
        self.env.emit(&listener_tuple(at), || Event::State { from, to, by });
    }

    /// Where a listener listens.
    pub fn listener_endpoint(&self, l: ListenerId) -> Option<Endpoint> {
        self.listeners.get(l).map(|l| l.at)
    }

    /// What a listener holds and has counted.
    pub fn listener_stats(&self, l: ListenerId) -> Option<ListenerStats> {
        self.listeners.get(l).map(|l| l.stats())
    }

    /// Takes a completed connection from a listener's accept queue. It may have ended since: its readiness says so.
    pub fn accept(&mut self, now: Instant, l: ListenerId) -> Option<(ConnId, Tuple)> {
        self.env.advance(now);
        let listener = self.listeners.get_mut(l)?;
        let id = listener.queue.pop_front()?;
        if !listener.queue.is_empty() {
            self.events.push(l.index << 1 | 1);
        }
        let slot = self.records.conns.get_mut(id.into())?;
        slot.holder = Holder::Application;
        let tuple = *slot.conn.tuple();
        self.schedule(id.index);
        Some((id, tuple))
    }

    /// How many completed connections wait at a listener.
    pub fn accept_queue(&self, l: ListenerId) -> usize {
        self.listeners.get(l).map_or(0, |l| l.queue.len())
    }

    /// Closes a listener: half-open records go silently, connections not accepted are reset.
    pub fn close_listener(&mut self, now: Instant, l: ListenerId) {
        self.env.advance(now);
        let keep = self.env.tcp.quirks.has(Quirks::LISTENER_CLOSE_KEEPS_HALF_OPEN);
        while let Some(listener) = self.listeners.get_mut(l)
            && let Some(index) = listener.half_open.front()
        {
            if keep {
                self.records.half_open.unlist(index, &mut listener.half_open);
                if let Some(entry) = self.records.half_open.entry(index) {
                    entry.listener = None;
                }
            } else {
                self.forget_half_open(index, Trigger::Close, CloseReason::Aborted);
            }
        }
        let Some(listener) = self.listeners.remove(l) else { return };
        for id in listener.queue {
            if self.records.conns.get(id.into()).is_some() {
                self.abort_connection(id.index);
            }
        }
        self.tell_listener(listener.at, State::Listen, State::Closed, Trigger::Close);
    }

    /// Active open.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(&mut self, now: Instant, to: Endpoint, opts: ConnectOpts) -> Result<ConnId, ConnectError> {
        self.env.advance(now);
        self.routes.check_remote(to)?;
        let local = self.local_address(to, opts)?;
        if self.records.conns.len() as u32 >= self.limits.connections {
            return Err(ConnectError::Limit);
        }
        let Pair { tuple, replaced } = match opts.local.map_or(0, |e| e.port) {
            0 => self.ephemeral_pair(local, to)?,
            port => {
                let tuple = Tuple { local: Endpoint::new(local, port), remote: to };
                self.try_pair(tuple).ok_or(ConnectError::InUse)?
            }
        };
        if let Some((index, _)) = replaced {
            self.end_time_wait(index, Trigger::TimeWaitOver, CloseReason::Done);
        }
        let iss = self.choose_iss(&tuple, replaced.map(|(_, floor)| floor));
        let ts_offset = self.isn.timestamp_offset(&tuple);
        let mss = our_mss(&self.caps, to.addr);
        let conn = Connection::open(tuple, iss, ts_offset, mss, &mut self.env.cx());
        let hash = self.records.demux.hash(&tuple);
        let index = self.add_connection(conn, hash, Holder::Application);
        self.records.demux.insert(hash, Record::Connection(index).tag());
        self.schedule(index);
        // The slot was filled just now.
        self.held(index).ok_or(ConnectError::Limit)
    }

    /// The address to connect from (RFC 9293 MUST-43, MUST-44).
    fn local_address(&self, to: Endpoint, opts: ConnectOpts) -> Result<Addr, ConnectError> {
        match opts.local.map(|e| e.addr) {
            Some(a) if !a.is_unspecified() => {
                let fits = self.routes.is_ours(a) && a.is_v4() == to.addr.is_v4();
                if fits { Ok(a) } else { Err(ConnectError::NotOurs) }
            }
            // `::` stands for both versions, `0.0.0.0` for IPv4 alone.
            Some(a) if a.is_v4() && !to.addr.is_v4() => Err(ConnectError::NotOurs),
            _ => self.routes.source_for(to.addr).ok_or(ConnectError::NoRoute),
        }
    }

    /// A free local port; else one whose last connection to this remote endpoint rests and may be followed already.
    fn ephemeral_pair(&mut self, local: Addr, to: Endpoint) -> Result<Pair, ConnectError> {
        let tuple_of = |port| Tuple { local: Endpoint::new(local, port), remote: to };
        let (records, listeners) = (&self.records, &self.listeners);
        let ports = self.ports.as_mut().ok_or(ConnectError::NoPort)?;
        // A connection to itself has to be asked for; a listener's port is not taken from it.
        let unsuitable = |port| {
            let local = Endpoint::new(local, port);
            local == to || listeners.find(local).is_some()
        };
        let free = ports.pick(local, to, |port| unsuitable(port) || !records.is_free(&tuple_of(port)));
        if let Some(port) = free {
            return Ok(Pair { tuple: tuple_of(port), replaced: None });
        }
        let (now, tcp) = (self.env.now, &self.env.tcp);
        let resting = |tuple: &Tuple| match records.find(tuple).1 {
            Some(Record::TimeWait(index)) => {
                records.time_wait.at(index).is_some_and(|tw| tw.reusable(now, tcp).is_some())
            }
            _ => false,
        };
        let port = ports.pick(local, to, |port| unsuitable(port) || !resting(&tuple_of(port)));
        port.and_then(|port| self.try_pair(tuple_of(port))).ok_or(ConnectError::NoPort)
    }

    /// This pair, if no record has it or only one in TIME_WAIT that may be followed already (RFC 6191).
    fn try_pair(&self, tuple: Tuple) -> Option<Pair> {
        match self.records.find(&tuple).1 {
            None => Some(Pair { tuple, replaced: None }),
            Some(Record::TimeWait(index)) => {
                let floor = self.records.time_wait.at(index)?.reusable(self.env.now, &self.env.tcp)?;
                Some(Pair { tuple, replaced: Some((index, floor)) })
            }
            Some(Record::Connection(_) | Record::HalfOpen(_)) => None,
        }
    }

    /// Access to one connection; `None` if the name is stale. Dropping the handle schedules what the calls made due.
    pub fn conn(&mut self, now: Instant, id: ConnId) -> Option<Handle<'_>> {
        self.env.advance(now);
        if self.records.conns.get(id.into())?.holder != Holder::Application {
            return None;
        }
        Some(Handle::new(self, id.index))
    }
}

#[cfg(test)]
mod tests;
