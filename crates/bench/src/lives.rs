//! Whole connections: open, one octet each way, close, the client first; both ends of one stack, in one thread.
//!
//! A driver's egress follows each packet and each step of the applications. synfin keeps what it must: TIME_WAIT of 2 s
//! while a life takes 1 ms of virtual time, so 2,000 such records exist at any time and one expires in each life. From
//! smoltcp the application takes the socket away in TIME_WAIT, and gives it two new ones (client's and listener's) with
//! buffers of 512 octets for each life.

use core::time::Duration;

use synfin_wire::Instant;

use crate::bulk::carry;
use crate::case::{Case, Subject};
use crate::clock::Stopwatch;
use crate::counted;
use crate::host::{Host, MTU, Setup};
use crate::lane::Lane;
use crate::peer::PORT;

/// Time from one life to the next.
const PACE: Duration = Duration::from_millis(1);
const TIME_WAIT_MS: u32 = 2000;
const PORTS: u16 = 20_000;

/// Everything that this program measures.
pub fn cases(idle: &[usize]) -> Vec<Case> {
    idle.iter().map(|n| Case::Life(*n)).collect()
}

/// Two hosts between which connections come and go.
pub struct Lives<H: Host> {
    client: H,
    server: H,
    there: Lane,
    back: Lane,
    now: Instant,
    lives: u64,
    idle: usize,
}

impl<H: Host> Lives<H> {
    /// Opens `idle` connections that stay, and lives a few lives.
    pub fn new(idle: usize) -> Lives<H> {
        let setup = Setup { buffer: 512, time_wait_ms: TIME_WAIT_MS, ..Setup::default() };
        let mut l = Lives {
            client: H::new(&Setup { number: 1, ..setup }),
            server: H::new(&setup),
            there: Lane::new(MTU),
            back: Lane::new(MTU),
            now: Instant::from_millis(1000),
            lives: 0,
            idle,
        };
        l.server.listen(PORT);
        for i in 0..idle {
            l.client.connect(l.now, 2, PORT, 60_000_u16.wrapping_sub(i as u16));
            l.pump();
            l.server.accept(l.now).expect("the handshake is complete");
        }
        for _ in 0..16 {
            l.live();
        }
        l
    }

    /// Packets go to and fro until neither end has one; the client begins.
    fn pump(&mut self) {
        loop {
            self.client.egress(self.now, &mut self.there);
            if self.there.is_empty() {
                return;
            }
            carry(self.now, &mut self.there, &mut self.server, &mut self.back);
            self.server.egress(self.now, &mut self.back);
            if self.back.is_empty() {
                return;
            }
            carry(self.now, &mut self.back, &mut self.client, &mut self.there);
        }
    }

    /// As [`Lives::pump`]; the server begins.
    fn pump_back(&mut self) {
        self.server.egress(self.now, &mut self.back);
        if !self.back.is_empty() {
            carry(self.now, &mut self.back, &mut self.client, &mut self.there);
            self.pump();
        }
    }

    fn live(&mut self) {
        self.now += PACE;
        self.lives += 1;
        let mut octet = [0; 1];
        let c = self.client.connect(self.now, 2, PORT, 10_000 + (self.lives % u64::from(PORTS)) as u16);
        self.pump();
        assert_eq!(self.client.write(self.now, c, b"x"), 1);
        self.pump();
        let s = self.server.accept(self.now).expect("the handshake is complete");
        assert_eq!((self.server.read(self.now, s, &mut octet), octet), (1, *b"x"));
        assert_eq!(self.server.write(self.now, s, b"y"), 1);
        self.pump_back();
        assert_eq!((self.client.read(self.now, c, &mut octet), octet), (1, *b"y"));
        self.client.close(self.now, c);
        self.pump();
        assert!(self.server.ended(self.now, s), "the end of the client's stream");
        self.server.close(self.now, s);
        self.pump_back();
        self.client.reap(c);
        self.server.reap(s);
    }
}

impl<H: Host> Subject for Lives<H> {
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize {
        watch.start();
        for _ in 0..n {
            counted(|| self.live());
        }
        watch.stop();
        assert_eq!(
            (self.client.connections(), self.server.connections()),
            (self.idle, self.idle),
            "records left"
        );
        n
    }
}
