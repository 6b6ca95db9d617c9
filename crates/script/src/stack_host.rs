//! Our stack as a host: the clock jumps from one thing that happens to the next.

use std::num::NonZeroU16;
use std::time::Duration;

use synfin_wire::{Instant, Tuple};

use crate::ast::Call;
use crate::host::{Fields, Host, Micros, Returned, Sent, Turn};
use crate::profile::Profile;
use crate::setup::Setup;
use crate::sockets::{Begun, Outgoing, Pending, Reply, START, Sockets};

/// `*`: waited for at most.
const PATIENCE: Micros = 1_000_000_000;
/// Timer turns of one script; a stack whose timers do not stop is broken.
const MOST_TURNS: u32 = 200_000;

/// Our stack, sockets over it, and virtual time.
pub(crate) struct StackHost {
    sockets: Sockets,
    waiting: Option<Pending>,
    returned: Option<Result<Returned, String>>,
    turns: u32,
}

fn at(micros: Micros) -> Instant {
    START + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn micros(t: Instant) -> Micros {
    i64::try_from(t.since(START).as_micros()).unwrap_or(i64::MAX)
}

impl StackHost {
    pub fn new(setup: &Setup, profile: &Profile) -> StackHost {
        StackHost { sockets: Sockets::of_script(profile, setup), waiting: None, returned: None, turns: 0 }
    }

    /// Lets a waiting call go on.
    fn settle(&mut self) {
        let Some(pending) = self.waiting.take() else { return };
        match self.sockets.go_on(pending) {
            Err(why) => self.returned = Some(Err(why)),
            Ok(Begun::Waits(pending)) => self.waiting = Some(pending),
            Ok(Begun::Done(reply)) => self.returned = Some(Ok(self.with_time(reply))),
        }
    }

    fn with_time(&self, reply: Reply) -> Returned {
        let errno = reply.errno.map(str::to_string);
        Returned { at: micros(self.sockets.now()), value: reply.value, errno, wrong: reply.wrong }
    }
}

impl Host for StackHost {
    fn now(&self) -> Micros {
        micros(self.sockets.now())
    }

    fn begin(&mut self) {}

    fn turn(&mut self, to: Micros) -> Result<Turn, String> {
        let call = self.waiting.as_ref().map_or(Instant::NEVER, Sockets::gives_up);
        let next = self.sockets.next().min(call);
        if next > at(to) {
            self.sockets.turn(at(to));
            return Ok(Turn::Nothing);
        }
        self.turns += 1;
        if self.turns > MOST_TURNS {
            return Err("the stack's timers do not come to rest".into());
        }
        self.sockets.turn(next);
        self.settle();
        Ok(Turn::Something)
    }

    fn patience(&self) -> Micros {
        PATIENCE
    }

    fn sent(&mut self) -> Vec<Sent> {
        let sent =
            |o: Outgoing| Sent { at: micros(o.at), packet: o.packet, why: o.why.map(|w| format!("{w:?}")) };
        std::iter::from_fn(|| self.sockets.sent()).map(sent).collect()
    }

    fn call(&mut self, call: &Call, until: Option<Micros>) -> Result<Option<Returned>, String> {
        match self.sockets.call(call, &[])? {
            Begun::Done(reply) => Ok(Some(self.with_time(reply))),
            Begun::Waits(pending) => {
                self.waiting = until.map(|_| pending);
                // What the call has made due may end it.
                self.settle();
                Ok(None)
            }
        }
    }

    fn returned(&mut self) -> Result<Option<Returned>, String> {
        self.returned.take().transpose()
    }

    fn inject(
        &mut self,
        packet: &[u8],
        merged: Option<NonZeroU16>,
        _: Option<&'static str>,
    ) -> Result<(), String> {
        self.sockets.packet_as(packet, merged);
        self.settle();
        Ok(())
    }

    fn command(&mut self, command: &str) -> Result<Duration, String> {
        self.sockets.command(command)
    }

    fn info(&mut self) -> Fields {
        self.sockets.last_tcp_info().unwrap_or_default()
    }

    fn is_over(&mut self, tuple: &Tuple) -> bool {
        self.sockets.is_over(tuple)
    }

    fn said(&self) -> Vec<(Micros, String)> {
        self.sockets.said().into_iter().map(|(t, said)| (micros(t), said)).collect()
    }

    fn notes(&mut self) -> Vec<String> {
        self.sockets.notes()
    }
}
