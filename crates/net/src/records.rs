//! Every record that a 4-tuple can lead to, and the one table that leads there.

use synfin_tcp::{Connection, Readiness, SynRecord};
use synfin_wire::{Instant, Tuple};

use crate::demux::{Demux, TupleHash};
use crate::key::Key;
use crate::slab::{Id, Slab};
use crate::syn_cache::SynCache;
use crate::tw_table::TwTable;
use crate::wheel::TimerId;
use crate::{ConnId, ListenerId};

/// Most records of one kind: 30 bits name one.
pub(crate) const MAX_RECORDS: u32 = (1 << 30) - 1;

/// A record: its kind and its slot.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    Connection(u32),
    HalfOpen(u32),
    TimeWait(u32),
}

impl Record {
    /// As one number: for the demultiplexer, and for timers. The two highest bits are the kind.
    pub(crate) const fn tag(self) -> u32 {
        match self {
            Record::Connection(i) => i & MAX_RECORDS,
            Record::HalfOpen(i) => 1 << 30 | i & MAX_RECORDS,
            Record::TimeWait(i) => 2 << 30 | i & MAX_RECORDS,
        }
    }

    /// From [`Record::tag`]'s number.
    pub(crate) const fn of(tag: u32) -> Option<Record> {
        let index = tag & MAX_RECORDS;
        match tag >> 30 {
            0 => Some(Record::Connection(index)),
            1 => Some(Record::HalfOpen(index)),
            2 => Some(Record::TimeWait(index)),
            _ => None,
        }
    }
}

/// Who has a connection in hand.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    /// The application knows its name.
    Application,
    /// It waits in the accept queue.
    Listener(ListenerId),
    /// Nobody: it finishes on its own.
    Nobody,
}

/// Whether segments reach a connection. If not, it is a husk: it ended, and its application has not let go yet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// It is in the demultiplexer.
    Up,
    /// This TIME_WAIT record took its place.
    Resting(Id),
    /// It is no more.
    Down,
}

/// Where a connection's remote address is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// Outside: packets from the device may claim to come from there.
    Outside,
    /// It is ours, or one that no packet from outside may have.
    Elsewhere,
}

/// A connection with what the stack keeps about it.
pub(crate) struct Slot {
    pub(crate) conn: Connection,
    pub(crate) hash: TupleHash,
    pub(crate) timer: Option<TimerId>,
    /// When that timer fires; [`Instant::NEVER`] if not armed.
    pub(crate) armed: Instant,
    pub(crate) holder: Holder,
    pub(crate) link: Link,
    pub(crate) peer: Peer,
    /// What the application was told, as bits.
    pub(crate) told: u8,
    /// IPv6 flow label.
    pub(crate) flow: u32,
}

// The connection, and 48 octets for us.
const _: () = assert!(size_of::<Option<Slot>>() <= size_of::<Connection>() + 48);

impl Slot {
    /// What the application can do now, as bits.
    #[inline]
    pub(crate) fn can(&self) -> u8 {
        let Readiness { readable, writable, connected, drained, urgent, closed } = self.conn.readiness();
        u8::from(readable)
            | u8::from(writable) << 1
            | u8::from(connected) << 2
            | u8::from(drained) << 3
            | u8::from(urgent) << 4
            | u8::from(closed.is_some()) << 5
    }

    /// Notes what the application can do now; whether something came into being since the last time.
    pub(crate) fn news(&mut self) -> bool {
        let now = self.can();
        // Urgent text whose end advances is news although nothing new can be done (RFC 9293 MUST-32).
        let urgent_news = self.conn.take_urgent_news();
        now & !core::mem::replace(&mut self.told, now) != 0 || urgent_news
    }
}

impl From<Id> for ConnId {
    fn from(id: Id) -> ConnId {
        ConnId { index: id.index, generation: id.generation }
    }
}

impl From<ConnId> for Id {
    fn from(id: ConnId) -> Id {
        Id { index: id.index, generation: id.generation }
    }
}

impl From<Id> for ListenerId {
    fn from(id: Id) -> ListenerId {
        ListenerId { index: id.index, generation: id.generation }
    }
}

impl From<ListenerId> for Id {
    fn from(id: ListenerId) -> Id {
        Id { index: id.index, generation: id.generation }
    }
}

/// All records with a 4-tuple.
pub(crate) struct Records {
    pub(crate) demux: Demux,
    /// The connection that the last segment was for; perhaps gone since. The next segment often is for it too.
    pub(crate) last: u32,
    pub(crate) conns: Slab<Slot>,
    pub(crate) half_open: SynCache,
    pub(crate) time_wait: TwTable,
}

impl Records {
    pub(crate) fn new(key: Key, max_time_wait: u32) -> Records {
        Records {
            demux: Demux::new(key),
            last: u32::MAX,
            conns: Slab::new(),
            half_open: SynCache::new(),
            time_wait: TwTable::new(max_time_wait.min(MAX_RECORDS)),
        }
    }

    /// The record of this 4-tuple, and the tuple's hash.
    #[inline]
    pub(crate) fn find(&self, tuple: &Tuple) -> (TupleHash, Option<Record>) {
        let hash = self.demux.hash(tuple);
        let tag = self.demux.get(hash, |tag| Record::of(tag).and_then(|r| self.tuple(r)) == Some(tuple));
        (hash, tag.and_then(Record::of))
    }

    /// Whose name a record is.
    pub(crate) fn tuple(&self, record: Record) -> Option<&Tuple> {
        match record {
            Record::Connection(i) => self.conns.at(i).map(|s| s.conn.tuple()),
            Record::HalfOpen(i) => self.half_open.at(i).map(SynRecord::tuple),
            Record::TimeWait(i) => self.time_wait.at(i).map(|t| t.tuple()),
        }
    }

    /// The connections that segments reach, in the order of their slots: O(n), for dumps only.
    pub(crate) fn up(&self) -> impl Iterator<Item = &Connection> {
        self.conns.iter().filter(|(_, slot)| slot.link == Link::Up).map(|(_, slot)| &slot.conn)
    }

    /// Whether no record has this 4-tuple.
    pub(crate) fn is_free(&self, tuple: &Tuple) -> bool {
        self.find(tuple).1.is_none()
    }
}
