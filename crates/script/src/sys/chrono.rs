//! What a sender spent its time with: tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited.

use std::time::Duration;

use synfin_tcp::Info;
use synfin_wire::Instant;

use super::{Sys, World};

/// What holds a sender up.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Held {
    /// Nothing is queued.
    #[default]
    Idle,
    /// The network.
    Busy,
    /// The peer's window.
    Window,
    /// The send buffer: the program has more.
    Buffer,
}

impl Held {
    fn of(info: &Info, wants_more: bool) -> Held {
        let unsent = info.send_queue.saturating_sub(info.flight);
        let mss = u32::from(info.mss).max(1);
        let window_full = info.snd_wnd.saturating_sub(info.flight) < unsent.min(mss);
        let cwnd_open = info.cwnd.saturating_sub(info.flight) >= mss;
        match (info.send_queue, unsent) {
            (0, _) => Held::Idle,
            (_, 0) if wants_more && cwnd_open => Held::Buffer,
            (_, 0) => Held::Busy,
            _ if window_full && cwnd_open => Held::Window,
            _ => Held::Busy,
        }
    }
}

/// How long each held.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Chrono {
    held: Held,
    since: Option<Instant>,
    busy: Duration,
    window: Duration,
    buffer: Duration,
}

impl Chrono {
    fn note(&mut self, now: Instant, held: Held) {
        let passed = self.since.map_or(Duration::ZERO, |since| now.since(since));
        match self.held {
            Held::Idle => {}
            Held::Busy => self.busy += passed,
            Held::Window => self.window += passed,
            Held::Buffer => self.buffer += passed,
        }
        (self.held, self.since) = (held, Some(now));
    }

    /// In microseconds until `now`: busy in all, held by the window, held by the buffer.
    pub fn micros(mut self, now: Instant) -> [i64; 3] {
        self.note(now, self.held);
        let all = self.busy + self.window + self.buffer;
        [all, self.window, self.buffer].map(|d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Sys {
    /// What holds the senders up from now on.
    pub(super) fn note_time(&mut self, world: &mut World<'_>) {
        let all: Vec<i64> = self.fds.keys().copied().collect();
        for fd in all {
            let Some(info) =
                self.conn_id(fd).and_then(|id| world.stack.conn(world.now, id)).map(|h| h.info())
            else {
                continue;
            };
            let room = self.has_room(world, fd, &info);
            if let Some(sock) = self.sock_mut(fd) {
                sock.no_space &= !room;
                let held = Held::of(&info, sock.no_space);
                sock.chrono.note(world.now, held);
            }
        }
    }
}
