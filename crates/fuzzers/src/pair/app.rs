//! An application at one end: writes so much, reads what comes, and ends in its way.

use std::time::Duration;

use synfin_net::SocketEvent;
use synfin_tcp::{CloseReason, ReadError, Shutdown};
use synfin_wire::Instant;

use crate::host::Host;
use crate::input::Input;

/// How an application ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Writes everything, shuts its half down, reads to the end, closes.
    Orderly,
    /// Closes after so many looks, whatever waits.
    Close(u32),
    /// Resets after so many looks.
    Abort(u32),
}

/// When an application looks at its connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Rhythm {
    /// Only when the stack has news; then it reads and writes until it would block.
    News,
    /// Whenever anything happens anywhere.
    Always,
    /// Every so often; ever less often while nothing comes of it, and in the end only when there is news.
    Tick(Duration),
}

/// Looks in vain after which an application waits for news.
const PATIENCE: u32 = 10;

/// One application.
#[derive(Clone, Debug)]
pub struct App {
    /// Octets that it wants to write.
    pub total: u32,
    /// Octets that it has written.
    pub written: u32,
    /// Octets that it has read.
    pub read: u32,
    /// It has read the peer's end.
    pub saw_end: bool,
    /// How it ends.
    pub ending: Ending,
    /// When it looks next, if it looks by itself.
    pub next_tick: Instant,
    rhythm: Rhythm,
    write_size: usize,
    read_size: usize,
    looks: u32,
    /// Looks in a row of which nothing came.
    vain: u32,
    held: bool,
    shut: bool,
    over: bool,
    /// What it was told instead of the end.
    pub error: Option<ReadError>,
}

impl App {
    /// From the input.
    pub fn new(u: &mut Input<'_>) -> App {
        let ms = Duration::from_millis;
        let ticks = [Rhythm::Tick(ms(7)), Rhythm::Tick(ms(300)), Rhythm::Tick(ms(3000))];
        let any = u32::from(u.octet());
        let ending = match u.below(8) {
            6 => Ending::Close(any),
            7 => Ending::Abort(any),
            _ => Ending::Orderly,
        };
        App {
            total: u.pick(&[3000, 0, 1, 20_000, any, 60_000]),
            written: 0,
            read: 0,
            saw_end: false,
            ending,
            next_tick: Instant::NEVER,
            rhythm: u.pick(&[Rhythm::News, Rhythm::Always, ticks[0], ticks[1], ticks[2]]),
            write_size: u.pick(&[70_000, 4000, 700, 100]),
            read_size: u.pick(&[70_000, 4000, 700, 100]),
            looks: 0,
            vain: 0,
            held: false,
            shut: false,
            over: false,
            error: None,
        }
    }

    /// It wrote and read everything, and saw the end.
    pub fn is_content(&self) -> bool {
        self.over && self.error.is_none() && self.saw_end && self.written == self.total
    }

    /// Does what it would do now.
    pub fn act(&mut self, host: &mut Host) {
        let mut news = false;
        while let Some(event) = host.stack.poll_event() {
            news = true;
            if let SocketEvent::Listener(_) = event {
                host.accept();
            }
        }
        if self.over || host.held.is_empty() {
            // A second connection would be one that nobody opened.
            assert!(!self.over || host.held.is_empty(), "a connection out of nothing");
            return;
        }
        let first = !std::mem::replace(&mut self.held, true);
        let due = match self.rhythm {
            Rhythm::News => news || first,
            Rhythm::Always => true,
            Rhythm::Tick(_) => first || host.now >= self.next_tick || (news && self.next_tick.is_never()),
        };
        if due {
            let before = (self.read, self.written, self.saw_end);
            self.look(host);
            let progress = first || before != (self.read, self.written, self.saw_end);
            self.vain = if progress { 0 } else { self.vain + 1 };
        }
        if let Rhythm::Tick(every) = self.rhythm
            && due
        {
            let waits = self.over || self.vain > PATIENCE;
            self.next_tick = if waits { Instant::NEVER } else { host.now + every * (1 << self.vain) };
        }
    }

    fn look(&mut self, host: &mut Host) {
        self.looks += 1;
        if let Ending::Close(n) | Ending::Abort(n) = self.ending
            && self.looks > n
        {
            return self.leave(host, matches!(self.ending, Ending::Abort(_)));
        }
        self.put(host);
        loop {
            if self.saw_end {
                break;
            }
            match host.read(0, self.read_size, false) {
                Ok(0) => self.saw_end = true,
                Ok(n) => self.read += n as u32,
                Err(ReadError::WouldBlock) => break,
                Err(error) => {
                    self.error = Some(error);
                    return self.leave(host, false);
                }
            }
            // A slow reader takes one piece at a time.
            if matches!(self.rhythm, Rhythm::Tick(_)) {
                break;
            }
        }
        // It stays until the peer has everything: nobody would be told otherwise that something did not arrive.
        let ready = host.stack.conn(host.now, host.held[0].id).expect("a connection in hand").readiness();
        if let Some(reason) = ready.closed.filter(|reason| *reason != CloseReason::Done) {
            self.error = Some(ReadError::Closed(reason));
        }
        if self.saw_end && (self.shut && ready.drained || ready.closed.is_some()) {
            self.leave(host, false);
        }
    }

    /// Writes until it would block or all is written; then shuts its half.
    fn put(&mut self, host: &mut Host) {
        while self.written < self.total {
            let before = host.held[0].written;
            host.write(0, self.write_size.min((self.total - self.written) as usize), false);
            self.written = host.held[0].written;
            if self.written == before {
                return;
            }
        }
        let mut handle = host.stack.conn(host.now, host.held[0].id).expect("a connection in hand");
        // RFC 9293 3.10.4: closing in SYN_SENT deletes the record, so the open has to be complete.
        if !self.shut && handle.readiness().connected {
            handle.shutdown(Shutdown::Write);
            self.shut = true;
        }
    }

    /// Nothing will come any more; true if it knew.
    pub fn give_up(&mut self, host: &mut Host) -> bool {
        let knew = self.over || host.held.is_empty();
        if !knew {
            self.leave(host, false);
        }
        knew
    }

    fn leave(&mut self, host: &mut Host, abort: bool) {
        host.let_go(0, abort);
        self.over = true;
    }
}
