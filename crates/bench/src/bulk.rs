//! Octets from one application to another through both ends of one stack, in one thread.
//!
//! Included: the applications' copies (64 KiB blocks in and out), both stacks, the frame that is filled and read once,
//! checksums on both ends unless left to the device. Windows of 1 MiB, MTU 1500, 256 frames of link each way, no loss.

use core::time::Duration;

use synfin_wire::Instant;

use crate::case::{Case, Subject};
use crate::clock::Stopwatch;
use crate::counted;
use crate::host::{Checksums, Host, MTU, Setup, Stamps};
use crate::lane::Lane;
use crate::peer::PORT;

const BLOCK: usize = 64 << 10;
/// Time between two turns while packets flow, and when none does.
const TURN: Duration = Duration::from_micros(20);
const LULL: Duration = Duration::from_millis(1);
/// Most turns without a single octet before something is wrong.
const STUCK: u32 = 10_000;

/// Everything that this program measures.
pub fn cases() -> Vec<Case> {
    use Checksums::{Device, Software};
    use Stamps::{Off, On};
    vec![Case::Bulk(Software, Off), Case::Bulk(Software, On), Case::Bulk(Device, Off)]
}

/// Octets that one of a case's segments carries; none if it is about something else.
pub fn segment_octets(case: Case) -> f64 {
    match case {
        Case::Bulk(_, stamps) => stamps.full_segment() as f64,
        Case::Segment(_) | Case::Packet(_) | Case::Life(_) | Case::Attack(_) => f64::NAN,
    }
}

/// Two hosts and the connection between them.
pub struct Transfer<H: Host> {
    client: H,
    server: H,
    from: H::Conn,
    to: H::Conn,
    there: Lane,
    back: Lane,
    now: Instant,
    block: Vec<u8>,
    into: Vec<u8>,
    full: usize,
    written: u64,
    taken: u64,
}

impl<H: Host> Transfer<H> {
    /// Connects, and checks the first 4 MiB octet by octet.
    pub fn new(checksums: Checksums, stamps: Stamps) -> Transfer<H> {
        let setup = Setup { checksums, stamps, buffer: 1 << 20, ..Setup::default() };
        let (mut client, mut server) = (H::new(&Setup { number: 1, ..setup }), H::new(&setup));
        let (mut there, mut back) = (Lane::new(MTU), Lane::new(MTU));
        server.listen(PORT);
        let mut now = Instant::from_millis(1000);
        let from = client.connect(now, 2, PORT, 40_000);
        let to = loop {
            now += TURN;
            client.egress(now, &mut there);
            carry(now, &mut there, &mut server, &mut back);
            server.egress(now, &mut back);
            carry(now, &mut back, &mut client, &mut there);
            if let Some(c) = server.accept(now) {
                break c;
            }
        };
        let full = stamps.full_segment();
        let (block, into) = ((0..BLOCK).map(|i| (i % 253) as u8).collect(), vec![0; BLOCK]);
        let mut t =
            Transfer { client, server, from, to, there, back, now, block, into, full, written: 0, taken: 0 };
        t.go(4 << 20, Check::Octets);
        t
    }

    /// Moves at least `octets`.
    fn go(&mut self, octets: u64, check: Check) {
        let goal = self.taken + octets;
        let mut still = 0;
        while self.taken < goal {
            let before = self.taken;
            self.turn(check);
            still = if self.taken == before { still + 1 } else { 0 };
            if still > 0 {
                self.now += LULL;
            }
            assert!(still < STUCK, "nothing moves after {} octets", self.taken);
        }
    }

    fn turn(&mut self, check: Check) {
        self.now += TURN;
        let now = self.now;
        loop {
            let at = (self.written % BLOCK as u64) as usize;
            match self.client.write(now, self.from, &self.block[at..]) {
                0 => break,
                n => self.written += n as u64,
            }
        }
        self.client.egress(now, &mut self.there);
        carry(now, &mut self.there, &mut self.server, &mut self.back);
        loop {
            match self.server.read(now, self.to, &mut self.into) {
                0 => break,
                n => {
                    if check == Check::Octets {
                        let at = (self.taken % BLOCK as u64) as usize;
                        let expected = self.block.iter().cycle().skip(at);
                        assert!(self.into[..n].iter().eq(expected.take(n)), "the octets that were written");
                    }
                    self.taken += n as u64;
                }
            }
        }
        self.server.egress(now, &mut self.back);
        carry(now, &mut self.back, &mut self.client, &mut self.there);
    }
}

/// Whether what arrives is compared with what was sent; not while measuring.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Check {
    Octets,
    Count,
}

/// Delivers what waits in a lane.
pub fn carry<H: Host>(now: Instant, lane: &mut Lane, to: &mut H, answers: &mut Lane) {
    while let Some(frame) = lane.pop() {
        to.ingress(now, frame.bytes(), answers);
        lane.recycle(frame);
    }
}

impl<H: Host> Subject for Transfer<H> {
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize {
        let before = self.taken;
        watch.start();
        counted(|| self.go((n * self.full) as u64, Check::Count));
        watch.stop();
        (self.taken - before) as usize / self.full
    }
}
