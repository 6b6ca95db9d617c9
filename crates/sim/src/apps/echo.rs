//! Sends back what it gets.

use alloc::collections::BTreeMap;

use synfin_net::{ConnId, Handle, ListenError, ListenOpts, ListenerId, SocketEvent, Stack};
use synfin_tcp::{ReadError, Shutdown, WriteError};
use synfin_wire::{Endpoint, Instant};

use super::CHUNK;
use crate::App;

/// Listens, and sends back what arrives on each connection; closes after the peer has.
pub struct Echo {
    at: Endpoint,
    listener: Option<Result<ListenerId, ListenError>>,
    /// Connections and what was read and not yet written back.
    open: BTreeMap<ConnId, Pending>,
    accepted: u64,
}

struct Pending {
    chunk: [u8; CHUNK],
    start: usize,
    end: usize,
    eof: bool,
}

/// Whether a connection is still of interest.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Off,
}

impl Pending {
    fn poll(&mut self, conn: &mut Handle<'_>) -> Goes {
        loop {
            while let Some(rest) = self.chunk.get(self.start..self.end).filter(|rest| !rest.is_empty()) {
                match conn.write(rest) {
                    Ok(0) | Err(WriteError::WouldBlock) => return Goes::On,
                    Ok(n) => self.start += n,
                    Err(WriteError::Closing | WriteError::Closed(_)) => return Goes::Off,
                }
            }
            if self.eof {
                conn.shutdown(Shutdown::Write);
                return Goes::Off;
            }
            match conn.read(&mut self.chunk) {
                Ok(0) => self.eof = true,
                Ok(n) => (self.start, self.end) = (0, n),
                Err(ReadError::WouldBlock) => return Goes::On,
                Err(ReadError::Closed(_)) => return Goes::Off,
            }
        }
    }
}

impl Echo {
    /// Listens at `at` when first called.
    pub fn new(at: Endpoint) -> Echo {
        Echo { at, listener: None, open: BTreeMap::new(), accepted: 0 }
    }

    /// How listening went; `None` before the first call.
    pub fn listener(&self) -> Option<Result<ListenerId, ListenError>> {
        self.listener
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn serve(&mut self, now: Instant, stack: &mut Stack, id: ConnId) {
        let Some(pending) = self.open.get_mut(&id) else { return };
        let Some(mut conn) = stack.conn(now, id) else {
            self.open.remove(&id);
            return;
        };
        if pending.poll(&mut conn) == Goes::Off {
            conn.close();
            self.open.remove(&id);
        }
    }
}

impl App for Echo {
    fn poll(&mut self, now: Instant, stack: &mut Stack, events: &[SocketEvent]) -> Option<Instant> {
        let listener = *self.listener.get_or_insert_with(|| stack.listen(self.at, ListenOpts::default()));
        if let Ok(listener) = listener {
            while let Some((id, _)) = stack.accept(now, listener) {
                self.accepted += 1;
                self.open.insert(id, Pending { chunk: [0; CHUNK], start: 0, end: 0, eof: false });
                self.serve(now, stack, id);
            }
        }
        for event in events {
            if let SocketEvent::Connection(id) = event {
                self.serve(now, stack, *id);
            }
        }
        None
    }
}
