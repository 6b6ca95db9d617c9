//! One host, one clock, and the threads that use both: the main thread brings packets and lets time pass, another one may
//! wait in a call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use synfin_script::ast::{Call, Expr};
use synfin_script::sockets::{Begun, Pending, Reply, START, Sockets};
use synfin_wire::Instant;

use crate::descriptors::Backing;
use crate::flags::{Clock, Flags};
use crate::glue::{self, Last};
use crate::info;
use crate::numbers::errno;
use crate::settings::Settings;

/// Stops that the clock makes on one way; a stack whose timers do not come to rest is broken.
const MOST_TURNS: u32 = 200_000;
/// A thread whose call has returned asks for the time at once; if it does not, nobody waits longer for it.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// So long nobody lets time pass while a call waits: then the main thread waits for the call, and the call is what has to let
/// time pass. The original program waits for a second before it gives up.
const ALONE: Duration = Duration::from_millis(300);

/// So many looks at the clock belong to an event that comes at once: the original looks at the time from which it counts, at
/// the time that is left, and at whether it is in time.
const SPARE: u32 = 3;
/// Looks that are not left for later: somebody turns in a circle.
const MANY: u32 = 1000;

/// No program starts and ends in less: a command that changes settings leaves a gap of so much at least.
const COMMAND: Duration = Duration::from_micros(200);

/// A call on another thread that has not returned.
struct Waiter {
    ticket: u64,
    thread: ThreadId,
    pending: Pending,
}

/// Everything behind the lock.
pub(crate) struct Machine {
    pub sockets: Sockets,
    /// Idle descriptors, by number.
    pub backing: BTreeMap<i64, Backing>,
    /// What a program wants to get back with an event: by epoll descriptor and watched descriptor.
    pub watches: BTreeMap<(i64, i64), u64>,
    clock: Clock,
    began: std::time::Instant,
    patience: Duration,
    settings: Settings,
    /// The thread that moves the clock: it cannot wait for what only it could bring.
    main: ThreadId,
    waiting: Vec<Waiter>,
    done: BTreeMap<u64, Result<Reply, String>>,
    /// Threads whose call has returned at this very time, and that have not looked at the clock yet.
    returning: Vec<ThreadId>,
    last: Option<Last>,
    /// Looks at the virtual clock since it moved last; each shows a microsecond more.
    looks: u32,
    /// When the main thread asked for something last.
    asked: std::time::Instant,
    /// There was time for a command since settings were read.
    settings_may_differ: bool,
}

type Guard = MutexGuard<'static, Option<Machine>>;

static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);
/// Something has happened that another thread may wait for.
static CHANGED: Condvar = Condvar::new();
static TICKETS: AtomicU64 = AtomicU64::new(0);

/// A panic is caught at the border and leaves a machine that is still of use.
fn lock() -> Guard {
    let mut guard = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(machine) = guard.as_mut()
        && machine.main == thread::current().id()
    {
        let now = std::time::Instant::now();
        machine.settings_may_differ |= now.duration_since(machine.asked) >= COMMAND;
        machine.asked = now;
    }
    guard
}

fn wait(guard: Guard, longest: Duration) -> Guard {
    CHANGED.wait_timeout(guard, longest).unwrap_or_else(PoisonError::into_inner).0
}

/// A new machine in the place of the old one. The calling thread is the main one.
///
/// # Errors
/// A flag that is not understood.
pub(crate) fn start(flags: &str) -> Result<(), String> {
    let flags = Flags::parse(flags)?;
    let sockets = Sockets::new(&flags.profile, &flags.options)?;
    let machine = Machine {
        sockets,
        backing: BTreeMap::new(),
        watches: BTreeMap::new(),
        clock: flags.clock,
        began: std::time::Instant::now(),
        patience: flags.patience,
        settings: Settings::new(flags.settings),
        main: thread::current().id(),
        waiting: Vec::new(),
        done: BTreeMap::new(),
        returning: Vec::new(),
        last: None,
        looks: 0,
        asked: std::time::Instant::now(),
        settings_may_differ: true,
    };
    *lock() = Some(machine);
    CHANGED.notify_all();
    Ok(())
}

/// No machine any more: calls that still wait are interrupted.
pub(crate) fn stop() {
    *lock() = None;
    CHANGED.notify_all();
}

/// The machine, for a moment; ENODEV: there is none.
pub(crate) fn with<R>(f: impl FnOnce(&mut Machine) -> R) -> Result<R, i32> {
    lock().as_mut().map(f).ok_or(libc::ENODEV)
}

/// A call; it returns when it is over. `text`: what it writes.
///
/// # Errors
/// The errno of a call that cannot even begin.
pub(crate) fn call(call: &Call, text: &[u8]) -> Result<Reply, i32> {
    let mut guard = enter();
    let machine = guard.as_mut().ok_or(libc::ENODEV)?;
    let begun = machine.sockets.call(call, text);
    machine.settle();
    machine.tell_notes();
    CHANGED.notify_all();
    let pending = match begun {
        Err(why) => return Err(refused(call, &why)),
        Ok(Begun::Done(reply)) => return Ok(reply),
        Ok(Begun::Waits(pending)) => pending,
    };
    if machine.main == thread::current().id() {
        eprintln!("synfin: {} would wait for ever: the script gives it no time to wait", call.name);
        return Err(libc::EDEADLK);
    }
    let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
    machine.waiting.push(Waiter { ticket, thread: thread::current().id(), pending });
    loop {
        let Some(machine) = guard.as_mut() else { return Err(libc::EINTR) };
        if let Some(over) = machine.done.remove(&ticket) {
            return over.map_err(|why| refused(call, &why));
        }
        if !machine.waiting.iter().any(|w| w.ticket == ticket) {
            return Err(libc::EINTR);
        }
        guard = match machine.clock {
            Clock::Virtual => alone(guard),
            // Nobody else may be awake to let the clock go on.
            Clock::Real => {
                let rest = machine.next().since(machine.real_now());
                catch_up(wait(guard, rest))
            }
        };
    }
}

/// A packet for the stack. Everything that it causes has happened on return.
///
/// # Errors
/// ENODEV: there is no machine.
pub(crate) fn send(packet: &[u8]) -> Result<(), i32> {
    let mut guard = enter();
    let machine = guard.as_mut().ok_or(libc::ENODEV)?;
    machine.sockets.packet(packet);
    machine.settle();
    CHANGED.notify_all();
    Ok(())
}

/// The next packet of the stack and its time in microseconds; `None`: none will come by itself.
///
/// # Errors
/// ENODEV: there is no machine.
pub(crate) fn receive() -> Result<Option<(Vec<u8>, i64)>, i32> {
    let mut guard = lock();
    let until = std::time::Instant::now() + guard.as_ref().ok_or(libc::ENODEV)?.patience;
    guard = take_looks(guard);
    for _ in 0..MOST_TURNS {
        guard = shake_hands(guard);
        let machine = guard.as_mut().ok_or(libc::ENODEV)?;
        if machine.clock == Clock::Real {
            guard = catch_up(guard);
        }
        let machine = guard.as_mut().ok_or(libc::ENODEV)?;
        if let Some(mut sent) = machine.sockets.sent() {
            machine.last = glue::hand_out(&mut sent.packet, machine.last);
            return Ok(Some((sent.packet, micros(sent.at))));
        }
        let next = machine.next();
        if next == Instant::NEVER {
            break;
        }
        match machine.clock {
            Clock::Virtual => {
                machine.step(next);
                CHANGED.notify_all();
            }
            Clock::Real => {
                let left = until.saturating_duration_since(std::time::Instant::now());
                if left.is_zero() {
                    break;
                }
                let rest = next.since(machine.real_now());
                guard = wait(guard, rest.min(left));
            }
        }
    }
    Ok(None)
}

/// Lets time pass.
///
/// # Errors
/// ENODEV: there is no machine.
pub(crate) fn sleep(time: Duration) -> Result<(), i32> {
    let mut guard = lock();
    let machine = guard.as_mut().ok_or(libc::ENODEV)?;
    machine.leave_glue();
    match machine.clock {
        Clock::Virtual => {
            // Who sleeps has reckoned from what the clock showed.
            let shown = std::mem::take(&mut machine.looks).saturating_sub(1);
            let to = machine.sockets.now() + Duration::from_micros(shown.into()) + time;
            drop(pass(guard, to));
        }
        Clock::Real => {
            let to = machine.real_now() + time;
            while let Some(machine) = guard.as_mut()
                && machine.real_now() < to
            {
                let rest = machine.next().min(to).since(machine.real_now());
                guard = catch_up(wait(guard, rest));
            }
        }
    }
    Ok(())
}

/// The time in microseconds. A virtual clock shows a microsecond more with each look, since a caller may turn in a circle
/// until it shows what it wants. The thread whose call has just returned sees the time of its return.
///
/// # Errors
/// ENODEV: there is no machine.
pub(crate) fn time() -> Result<i64, i32> {
    let me = thread::current().id();
    let mut guard = lock();
    let machine = guard.as_mut().ok_or(libc::ENODEV)?;
    machine.leave_glue();
    if machine.clock == Clock::Real {
        guard = catch_up(guard);
        return Ok(micros(guard.as_ref().ok_or(libc::ENODEV)?.sockets.now()));
    }
    if machine.returning.contains(&me) {
        machine.returning.retain(|t| *t != me);
        CHANGED.notify_all();
        return Ok(micros(machine.sockets.now()));
    }
    if machine.looks >= MANY {
        guard = take_looks(guard);
    }
    let machine = guard.as_mut().ok_or(libc::ENODEV)?;
    machine.looks += 1;
    Ok(micros(machine.sockets.now()) + i64::from(machine.looks - 1))
}

/// Looks become time, but for those that belong to any event: so things happen at the very times that a script says, and the
/// stack measures the very delays that it plays. The last look only asks whether it is in time.
fn take_looks(mut guard: Guard) -> Guard {
    let Some(machine) = guard.as_mut() else { return guard };
    let looks = std::mem::take(&mut machine.looks);
    if looks <= SPARE {
        return guard;
    }
    let to = machine.sockets.now() + Duration::from_micros(u64::from(looks - 2));
    pass(guard, to)
}

fn micros(t: Instant) -> i64 {
    i64::try_from(t.since(Instant::from_millis(0)).as_micros()).unwrap_or(i64::MAX)
}

/// Before a call or a packet: settings may have changed, and the clock must be right.
fn enter() -> Guard {
    let mut guard = lock();
    guard = match guard.as_ref().map(|m| m.clock) {
        Some(Clock::Real) => catch_up(guard),
        _ => take_looks(guard),
    };
    if let Some(machine) = guard.as_mut() {
        let me = thread::current().id();
        machine.returning.retain(|t| *t != me);
        machine.leave_glue();
        if std::mem::replace(&mut machine.settings_may_differ, false) {
            machine.settings.refresh(&mut machine.sockets);
        }
    }
    guard
}

/// Threads whose calls have returned look at the clock before it moves.
fn shake_hands(mut guard: Guard) -> Guard {
    let me = thread::current().id();
    let until = std::time::Instant::now() + HANDSHAKE;
    while let Some(machine) = guard.as_mut() {
        machine.returning.retain(|t| *t != me);
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            machine.returning.clear();
        }
        if machine.returning.is_empty() {
            break;
        }
        guard = wait(guard, left);
    }
    guard
}

/// The virtual clock goes on, with a stop at everything that happens on the way.
fn pass(mut guard: Guard, to: Instant) -> Guard {
    for _ in 0..MOST_TURNS {
        guard = shake_hands(guard);
        let Some(machine) = guard.as_mut() else { break };
        let arrived = machine.step(to);
        CHANGED.notify_all();
        if arrived == Step::Arrived {
            break;
        }
    }
    guard
}

/// A call waits for something to happen; if nobody does anything, for what happens by itself.
fn alone(mut guard: Guard) -> Guard {
    let since = guard.as_ref().map_or(Duration::ZERO, |m| m.asked.elapsed());
    guard = wait(guard, ALONE.saturating_sub(since));
    if let Some(machine) = guard.as_mut()
        && machine.asked.elapsed() >= ALONE
    {
        let next = machine.next();
        if next != Instant::NEVER {
            machine.step(next);
        }
    }
    guard
}

/// What should have happened by now happens, each thing at its own time.
fn catch_up(mut guard: Guard) -> Guard {
    if let Some(machine) = guard.as_mut() {
        let now = machine.real_now();
        for _ in 0..MOST_TURNS {
            if machine.step(now) == Step::Arrived {
                break;
            }
        }
        CHANGED.notify_all();
    }
    guard
}

/// The errno of something that does not exist here; people are told what it is.
fn refused(call: &Call, why: &str) -> i32 {
    eprintln!("synfin: {}: {why}", call.name);
    match call.name.as_str() {
        "setsockopt" | "getsockopt" => libc::ENOPROTOOPT,
        "socket" => libc::EPROTONOSUPPORT,
        _ => libc::EOPNOTSUPP,
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Step {
    Underway,
    Arrived,
}

impl Machine {
    /// A number for a descriptor that a call is to hand out.
    ///
    /// # Errors
    /// EMFILE.
    pub fn reserve(&mut self) -> Result<i64, i32> {
        let backing = Backing::new().ok_or(libc::EMFILE)?;
        let number = backing.number();
        // The number may still be in the book, from a descriptor that was closed behind our back: then the old entry goes,
        // and it must not take the new one's mark with it.
        if let Some(old) = self.backing.remove(&number) {
            self.forget(number);
            std::mem::forget(old);
        }
        self.backing.insert(number, backing);
        Ok(number)
    }

    /// A descriptor that somebody else has closed.
    fn forget(&mut self, number: i64) {
        let close = Call {
            name: "close".into(),
            args: vec![Expr::Int(number)],
            result: Expr::Int(0),
            errno: None,
            note: None,
        };
        // A number that is not in use is no trouble here.
        let _ = self.sockets.call(&close, &[]);
    }

    /// The number is free again.
    pub fn release(&mut self, number: i64) {
        self.backing.remove(&number);
        self.watches.retain(|(set, fd), _| *set != number && *fd != number);
    }

    fn leave_glue(&mut self) {
        self.last = None;
    }

    fn real_now(&self) -> Instant {
        START + self.began.elapsed()
    }

    /// When something happens by itself.
    fn next(&self) -> Instant {
        let calls = self.waiting.iter().map(|w| Sockets::gives_up(&w.pending)).min();
        self.sockets.next().min(calls.unwrap_or(Instant::NEVER))
    }

    /// One stop on the way to `to`.
    fn step(&mut self, to: Instant) -> Step {
        let next = self.next();
        self.sockets.turn(next.min(to));
        self.settle();
        if next > to { Step::Arrived } else { Step::Underway }
    }

    /// Calls that wait go on; one may make another possible.
    fn settle(&mut self) {
        loop {
            let mut over = false;
            for waiter in std::mem::take(&mut self.waiting) {
                let result = match self.sockets.go_on(waiter.pending) {
                    Ok(Begun::Waits(pending)) => {
                        self.waiting.push(Waiter { pending, ..waiter });
                        continue;
                    }
                    Ok(Begun::Done(reply)) => Ok(reply),
                    Err(why) => Err(why),
                };
                over = true;
                self.done.insert(waiter.ticket, result);
                if self.clock == Clock::Virtual {
                    self.returning.push(waiter.thread);
                }
            }
            if !over {
                break;
            }
        }
    }

    /// Says what was asked for and has no effect.
    fn tell_notes(&mut self) {
        self.sockets.notes().iter().for_each(|note| eprintln!("synfin: {note}"));
    }
}

/// The errno of a reply.
pub(crate) fn result(reply: &Reply) -> Result<i64, i32> {
    match reply.errno {
        Some(name) => Err(errno(name)),
        None => Ok(reply.value),
    }
}

/// TCP_INFO of a socket.
///
/// # Errors
/// ENODEV: there is no machine.
pub(crate) fn tcp_info(fd: i64) -> Result<[u8; synfin_sockopt::tcp_info::LEN], i32> {
    drop(enter());
    with(|machine| info::tcp_info(&mut machine.sockets, fd))
}
