//! The shard: the thread that drives a stack and owns its device.

use std::fmt::Display;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use synfin_link::Device;
use synfin_net::{ConnId, More};
use synfin_wire::Instant;

use crate::host::{Core, Shared, Stopped};
use crate::{Sending, Wait};

/// Packets that one turn sends at most, before arrivals and applications have their turn again.
const BUDGET: usize = 256;

/// What follows a turn.
enum Next {
    /// Another turn at once.
    Again,
    /// Sleep.
    Sleep(Sending, Option<Duration>),
    /// Nothing.
    End(Stopped),
}

pub(crate) struct Shard<D, W> {
    shared: Arc<Shared>,
    device: D,
    wait: W,
    /// Room of the unused device: with less, packets wait inside it.
    full_room: usize,
    wake: Vec<Waker>,
}

impl<D, W> Shard<D, W>
where
    D: Device<Error: Display>,
    W: Wait<D>,
{
    pub(crate) fn new(shared: Arc<Shared>, mut device: D, wait: W) -> Self {
        let full_room = device.tx().room();
        Shard { shared, device, wait, full_room, wake: Vec::new() }
    }

    pub(crate) fn run(mut self) {
        // Whatever ends this function, nobody is left waiting.
        let mut ending = Ending { shared: Arc::clone(&self.shared), why: Stopped::Panicked };
        loop {
            let next = self.turn();
            self.wake.drain(..).for_each(Waker::wake);
            match next {
                Next::Again => {}
                Next::Sleep(sending, timeout) => {
                    if let Err(e) = self.wait.wait(&self.device, sending, timeout) {
                        ending.why = Stopped::Device(e.to_string().into());
                        return;
                    }
                }
                Next::End(why) => {
                    ending.why = why;
                    return;
                }
            }
        }
    }

    fn turn(&mut self) -> Next {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        core.asleep = None;
        if let Some(why) = core.stopped.clone() {
            return Next::End(why);
        }
        let next = self
            .drive(&mut core, shared.clock.now())
            .unwrap_or_else(|e| Next::End(Stopped::Device(e.to_string().into())));
        if let Next::Again | Next::End(_) = next {
            core.asleep = None;
        }
        next
    }

    /// One turn: arrivals, timers, departures, news for applications.
    fn drive(&mut self, core: &mut Core, now: Instant) -> Result<Next, D::Error> {
        let received = self.device.recv(&mut |frame| core.stack.on_packet(now, frame))?;
        core.stack.on_timeout(now);
        let more = core.stack.poll_transmit(now, BUDGET, self.device.tx());
        self.device.flush()?;
        core.deliver(now, &mut self.wake);
        if let Some(deadline) = core.stop {
            let census = core.stack.census();
            if more == More::Done && census.connections == 0 && census.half_open == 0 {
                return Ok(Next::End(Stopped::Drained));
            }
            if now >= deadline {
                self.cut(core, now)?;
                return Ok(Next::End(Stopped::TimeUp));
            }
        }
        let room = self.device.tx().room();
        let until = core.stack.poll_timeout().min(core.stop.unwrap_or(Instant::NEVER));
        if received > 0 || (more == More::Pending && room > 0) || until <= now {
            return Ok(Next::Again);
        }
        core.asleep = Some(until);
        let sending = if room < self.full_room { Sending::Blocked } else { Sending::Idle };
        Ok(Next::Sleep(sending, (!until.is_never()).then(|| until.since(now))))
    }

    /// Resets every connection that an application still holds, as far as the device takes the RSTs.
    fn cut(&mut self, core: &mut Core, now: Instant) -> Result<(), D::Error> {
        let mut held: Vec<ConnId> = core.conns.keys().copied().collect();
        held.sort_unstable();
        for id in held {
            if let Some(conn) = core.stack.conn(now, id) {
                conn.abort();
            }
        }
        while self.device.tx().room() > 0 {
            let more = core.stack.poll_transmit(now, BUDGET, self.device.tx());
            self.device.flush()?;
            if more == More::Done {
                break;
            }
        }
        Ok(())
    }
}

/// Tells everybody that the shard has ended.
struct Ending {
    shared: Arc<Shared>,
    why: Stopped,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut wake = Vec::new();
        self.shared.lock().end(self.why.clone(), &mut wake);
        wake.into_iter().for_each(Waker::wake);
    }
}
