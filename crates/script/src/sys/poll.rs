//! poll and epoll.

use std::collections::BTreeMap;
use std::time::Duration;

use synfin_tcp::State;

use super::{Called, Fd, Handed, Kind, Op, OpKind, Ret, Sys, World, Wrong, arg, int};
use crate::ast::{Call, Expr};
use crate::consts::number;

const IN: i64 = 1;
const PRI: i64 = 2;
const OUT: i64 = 4;
const ERR: i64 = 8;
const HUP: i64 = 0x10;
const NVAL: i64 = 0x20;
const RDNORM: i64 = 0x40;
const WRNORM: i64 = 0x100;
const RDHUP: i64 = 0x2000;
const ONESHOT: i64 = 1 << 30;
const EDGE: i64 = 1 << 31;

/// What an epoll descriptor watches.
#[derive(Debug, Default)]
pub(super) struct EpollSet(BTreeMap<i64, Watch>);

#[derive(Debug)]
struct Watch {
    events: i64,
    /// For edges: what was there when it was last told.
    told: i64,
    /// One shot was fired.
    spent: bool,
    /// Octets of the stream that had arrived when it was last looked at.
    arrived: u64,
}

impl EpollSet {
    pub fn forget(&mut self, fd: i64) {
        self.0.remove(&fd);
    }
}

fn timeout(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

impl Sys {
    /// What can be done with a descriptor, as Linux's TCP says it.
    fn events(&self, world: &mut World<'_>, fd: i64) -> i64 {
        let sock = match self.fds.get(&fd) {
            Some(Fd::Sock(sock)) => sock,
            Some(Fd::PipeRead(held)) => return if held.is_empty() { 0 } else { IN | RDNORM },
            Some(Fd::PipeWrite(_)) => return OUT | WRNORM,
            Some(Fd::Epoll(_)) => return 0,
            Some(Fd::File(_)) => return IN | OUT | RDNORM | WRNORM,
            None => return NVAL,
        };
        let id = match sock.kind {
            Kind::Fresh => return OUT | WRNORM | HUP | if sock.pending.is_some() { ERR } else { 0 },
            Kind::Listening(l) => {
                return if world.stack.accept_queue(l) > 0 { IN | RDNORM } else { 0 };
            }
            Kind::Conn(id) => id,
        };
        let Some((ready, state)) = self.ready(world, id) else { return NVAL };
        let mut events = 0;
        if state == State::SynSent {
            return 0;
        }
        let over = matches!(state, State::Closed | State::TimeWait);
        let heard_all = over || matches!(state, State::CloseWait | State::Closing | State::LastAck);
        let no_more_in = heard_all || sock.shut_read;
        let no_more_out = over || sock.shut_write;
        if no_more_in && no_more_out {
            events |= HUP;
        }
        if no_more_in {
            events |= IN | RDNORM | RDHUP;
        }
        let info = world.stack.conn(world.now, id).map(|h| h.info());
        let queued = info.as_ref().map_or(0, |i| i.recv_queue as usize);
        let lowat = sock.opts.recv_lowat.unwrap_or(1);
        if ready.readable && (queued >= lowat || queued == 0) {
            events |= IN | RDNORM;
        }
        if no_more_out || (ready.writable && info.is_some_and(|i| self.has_room(world, fd, &i))) {
            events |= OUT | WRNORM;
        }
        if ready.urgent && !sock.urgent_taken {
            events |= PRI;
        }
        let failed = ready.closed.is_some_and(|r| r != synfin_tcp::CloseReason::Done);
        if (failed && !sock.error_told) || sock.pending.is_some() || sock.zero_copy.speaks() {
            events |= ERR;
        }
        events
    }

    /// Edges are noticed when they happen, not when somebody asks: to be called after everything that may make one.
    pub fn observe(&mut self, world: &mut World<'_>) {
        self.settle_zero_copy(world);
        self.hear_errors(world);
        self.note_time(world);
        let sets: Vec<i64> =
            self.fds.iter().filter(|(_, f)| matches!(f, Fd::Epoll(_))).map(|(fd, _)| *fd).collect();
        for epfd in sets {
            let watched: Vec<i64> = match self.fds.get(&epfd) {
                Some(Fd::Epoll(set)) => set.0.keys().copied().collect(),
                _ => continue,
            };
            for fd in watched {
                let events = self.events(world, fd);
                let read = self.sock(fd).map_or(0, |s| s.read);
                let queued = self
                    .conn_id(fd)
                    .and_then(|id| world.stack.conn(world.now, id))
                    .map_or(0, |h| h.info().recv_queue);
                let arrived = u64::from(read) + u64::from(queued);
                if let Some(Fd::Epoll(set)) = self.fds.get_mut(&epfd)
                    && let Some(watch) = set.0.get_mut(&fd)
                {
                    watch.told &= events;
                    if arrived > watch.arrived {
                        watch.told &= !(IN | RDNORM);
                        watch.arrived = arrived;
                    }
                }
            }
        }
    }

    pub(super) fn begin_poll(&mut self, world: &World<'_>, call: &Call, wanted: i64) -> Called<Op> {
        let items = arg(call, 0)?.clone();
        let deadline = timeout(int(call, 2)?).map(|t| (world.now + t, Ret::ok(0)));
        Ok(Op { kind: OpKind::Poll { items }, nonblock: false, deadline, wanted })
    }

    pub(super) fn poll(&mut self, world: &mut World<'_>, items: &Expr) -> Called<Option<Ret>> {
        let mut told = Vec::new();
        for (fd, asked) in poll_items(items)? {
            told.push(self.events(world, fd) & (asked | ERR | HUP | NVAL));
        }
        let mut ret = Ret::ok(told.iter().filter(|t| **t != 0).count() as i64);
        ret.wrong = poll_wrong(items, &told)?;
        Ok((ret.value > 0).then(|| ret.with(Handed::Revents(told))))
    }

    pub(super) fn epoll_ctl(&mut self, call: &Call) -> Called<Ret> {
        let (epfd, what, fd) = (int(call, 0)?, int(call, 1)?, int(call, 2)?);
        let known = self.fds.contains_key(&fd);
        let Some(Fd::Epoll(set)) = self.fds.get_mut(&epfd) else { return Ok(Ret::err("EBADF")) };
        if !known {
            return Ok(Ret::err("EBADF"));
        }
        let events = || number(arg(call, 3)?.field("events").ok_or("events to watch")?);
        match (what, set.0.contains_key(&fd)) {
            (1, true) => return Ok(Ret::err("EEXIST")),
            (2 | 3, false) => return Ok(Ret::err("ENOENT")),
            (1 | 3, _) => {
                set.0.insert(fd, Watch { events: events()?, told: 0, spent: false, arrived: 0 });
            }
            (2, true) => set.forget(fd),
            _ => return Ok(Ret::err("EINVAL")),
        }
        Ok(Ret::ok(0))
    }

    pub(super) fn begin_epoll_wait(&mut self, world: &World<'_>, call: &Call, wanted: i64) -> Called<Op> {
        let (fd, expected) = (int(call, 0)?, arg(call, 1)?.clone());
        let max = usize::try_from(int(call, 2)?).map_err(|_| "maximum of events")?;
        let deadline = timeout(int(call, 3)?).map(|t| (world.now + t, Ret::ok(0)));
        Ok(Op { kind: OpKind::EpollWait { fd, expected, max }, nonblock: false, deadline, wanted })
    }

    pub(super) fn epoll_wait(
        &mut self,
        world: &mut World<'_>,
        epfd: i64,
        expected: &Expr,
        max: usize,
    ) -> Called<Option<Ret>> {
        let watched: Vec<i64> = match self.fds.get(&epfd) {
            Some(Fd::Epoll(set)) => set.0.keys().copied().collect(),
            _ => return Ok(Some(Ret::err("EBADF"))),
        };
        let mut told = Vec::new();
        for fd in watched {
            let now = self.events(world, fd);
            let Some(Fd::Epoll(set)) = self.fds.get_mut(&epfd) else { continue };
            let Some(watch) = set.0.get_mut(&fd) else { continue };
            let fits = now & (watch.events | ERR | HUP);
            // An edge is what was not there before.
            let news = if watch.events & EDGE != 0 { fits & !watch.told } else { fits };
            watch.told &= fits;
            if news != 0 && !watch.spent && told.len() < max {
                watch.told = fits;
                watch.spent = watch.events & ONESHOT != 0;
                told.push((fd, fits));
            }
        }
        if told.is_empty() {
            return Ok(None);
        }
        let mut ret = Ret::ok(told.len() as i64);
        ret.wrong = epoll_wrong(expected, &told)?;
        Ok(Some(ret.with(Handed::Events(told))))
    }
}

/// Descriptors of a list to poll, and what is asked about each.
///
/// # Errors
/// It is no such list.
pub fn poll_items(items: &Expr) -> Called<Vec<(i64, i64)>> {
    let Expr::Array(items) = items else { return Err(format!("not a list to poll: {items}")) };
    let part = |item: &Expr, name: &str| number(item.field(name).ok_or_else(|| format!("{name} to poll"))?);
    items.iter().map(|item| Ok((part(item, "fd")?, part(item, "events")?))).collect()
}

/// What poll() told of each item and the script does not expect.
///
/// # Errors
/// It is no list to poll.
pub fn poll_wrong(items: &Expr, told: &[i64]) -> Called<Vec<Wrong>> {
    let Expr::Array(items) = items else { return Err(format!("not a list to poll: {items}")) };
    let mut wrong = Vec::new();
    for (item, told) in items.iter().zip(told) {
        if let Some(expected) = item.field("revents") {
            let what = format!("revents of {}", item.field("fd").unwrap_or(&Expr::Ellipsis));
            wrong.extend(Wrong::unless_same(&what, names(number(expected)?), names(*told)));
        }
    }
    Ok(wrong)
}

/// What epoll_wait() told, as descriptors with their events, and the script does not expect.
///
/// # Errors
/// The script expects something that is no event.
pub fn epoll_wrong(expected: &Expr, told: &[(i64, i64)]) -> Called<Vec<Wrong>> {
    let show = |list: &[(i64, i64)]| {
        list.iter().map(|(fd, e)| format!("{{events={}, fd={fd}}}", names(*e))).collect::<Vec<_>>().join(", ")
    };
    let items = match expected {
        Expr::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut wanted = Vec::new();
    for item in items {
        match (item.field("fd"), item.field("events")) {
            (Some(fd), Some(events)) => wanted.push((number(fd)?, number(events)?)),
            _ => return Ok(Vec::new()),
        }
    }
    Ok(Wrong::unless_same("events", show(&wanted), show(told)))
}

fn names(events: i64) -> String {
    const NAMES: [(i64, &str); 9] = [
        (IN, "IN"),
        (PRI, "PRI"),
        (OUT, "OUT"),
        (ERR, "ERR"),
        (HUP, "HUP"),
        (NVAL, "NVAL"),
        (RDNORM, "RDNORM"),
        (WRNORM, "WRNORM"),
        (RDHUP, "RDHUP"),
    ];
    let set: Vec<_> = NAMES.iter().filter(|(bit, _)| events & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "0".into() } else { set.join("|") }
}
