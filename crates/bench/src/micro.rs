//! One packet into a stack: the in-order data segment and the pure ACK that moves SND.UNA.
//!
//! Both stacks get the same octets from the same script ([`Peer`]), 128 packets in a row from warm memory, without
//! loss. *packet in* is `Stack::on_packet` here and `Interface::poll_ingress_single` there: IP header, TCP header, both
//! checksums, demultiplexing, the connection, the copy into the receive buffer; the application reads and the stack
//! answers between the rows of packets, off the watch. *read* is the application's call that copies the text out.
//! *egress* is what a driver does after every packet: timers that are due, then everything to be sent into a frame.

use synfin_wire::Instant;

use core::time::Duration;

use crate::case::{Case as AnyCase, Subject};
use crate::clock::Stopwatch;
use crate::counted;
use crate::host::{Checksums, Host, MTU, Setup, Stamps};
use crate::lane::{Frame, Lane};
use crate::peer::{PORT, Peer};
use crate::record;

/// What arrives.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// A full segment of text, next in order.
    Data,
    /// No text; acknowledges one more full segment of ours.
    Ack,
}

/// What is measured of it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Span {
    /// The packet's way into the receive buffer, or out of the send buffer.
    Arrival,
    /// That, and the application's read.
    Read,
    /// That, and what is due to be sent.
    Turn,
}

/// One measurement on a whole stack.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What arrives.
    pub work: Work,
    /// What is measured.
    pub span: Span,
    /// Who does checksums.
    pub checksums: Checksums,
    /// Timestamps.
    pub stamps: Stamps,
}

/// Packets in a row.
pub const ROW: usize = 128;
/// Time between two packets.
const GAP: Duration = Duration::from_micros(10);

/// Everything that this program measures.
pub fn cases() -> Vec<AnyCase> {
    use Checksums::{Device, Software};
    use Span::{Arrival, Read, Turn};
    use Stamps::{Off, On};
    use Work::{Ack, Data};
    let segment = |work, read, stamps| AnyCase::Segment(record::Case { work, read, stamps });
    let packet = |work, span, checksums, stamps| AnyCase::Packet(Case { work, span, checksums, stamps });
    vec![
        segment(Data, false, Off),
        segment(Data, true, Off),
        segment(Data, false, On),
        segment(Ack, false, Off),
        segment(Ack, false, On),
        packet(Data, Arrival, Software, Off),
        packet(Data, Arrival, Device, Off),
        packet(Data, Read, Software, Off),
        packet(Data, Turn, Software, Off),
        packet(Data, Turn, Software, On),
        packet(Data, Turn, Device, Off),
        packet(Ack, Arrival, Software, Off),
        packet(Ack, Arrival, Software, On),
        packet(Ack, Turn, Software, Off),
    ]
}

/// A stack with one connection to a scripted peer.
pub struct Rig<H: Host> {
    case: Case,
    host: H,
    conn: H::Conn,
    peer: Peer,
    now: Instant,
    packets: Lane,
    frames: Vec<Frame>,
    out: Lane,
    text: Vec<u8>,
}

impl<H: Host> Rig<H> {
    /// An open connection whose windows are open.
    pub fn new(case: Case) -> Rig<H> {
        let setup = Setup { checksums: case.checksums, stamps: case.stamps, ..Setup::default() };
        let mut host = H::new(&setup);
        host.listen(PORT);
        let mut peer = Peer::new(40_000, case.stamps);
        let (mut out, now) = (Lane::new(MTU), Instant::from_millis(1000));
        let conn = peer.open(now, &mut host, &mut out);
        let mut rig = Rig {
            case,
            host,
            conn,
            peer,
            now,
            packets: Lane::new(MTU),
            frames: Vec::with_capacity(ROW),
            out,
            text: vec![0; ROW * 1460],
        };
        rig.open_windows();
        let mut off = Stopwatch::new();
        rig.row(ROW, &mut off);
        rig.row(ROW, &mut off);
        rig
    }

    /// A short row opens our receive window, transfers open the congestion window until a row fits at once.
    fn open_windows(&mut self) {
        if self.case.work == Work::Data {
            self.data(16, &mut Stopwatch::new());
            return;
        }
        for _ in 0..100 {
            let octets = ROW * self.peer.full();
            assert_eq!(
                self.host.write(self.now, self.conn, &self.text[..octets]),
                octets,
                "room in the send buffer"
            );
            self.host.egress(self.now, &mut self.out);
            let mut sent = self.peer.hear(&mut self.out);
            let at_once = sent == ROW;
            while sent < ROW {
                self.now += GAP;
                self.peer.ack(self.now, &mut self.host, &mut self.out);
                sent += self.peer.hear(&mut self.out);
            }
            self.now += GAP;
            self.peer.ack(self.now, &mut self.host, &mut self.out);
            if at_once {
                return;
            }
        }
        panic!("the congestion window does not grow");
    }

    fn row(&mut self, n: usize, watch: &mut Stopwatch) {
        match self.case.work {
            Work::Data => self.data(n, watch),
            Work::Ack => self.acks(n, watch),
        }
    }

    fn take_packets(&mut self) {
        while let Some(frame) = self.packets.pop() {
            self.frames.push(frame);
        }
    }

    fn give_frames_back(&mut self) {
        while let Some(frame) = self.frames.pop() {
            self.packets.recycle(frame);
        }
    }

    fn data(&mut self, n: usize, watch: &mut Stopwatch) {
        self.peer.data(n, &mut self.packets);
        self.take_packets();
        let Rig { case, host, conn, out, text, .. } = self;
        let (conn, span) = (*conn, case.span);
        let mut read = 0;
        let mut now = self.now;
        watch.start();
        for frame in &self.frames {
            now += GAP;
            read += counted(|| {
                host.ingress(now, frame.bytes(), out);
                let n = if span == Span::Arrival { 0 } else { host.read(now, conn, text) };
                if span == Span::Turn {
                    host.egress(now, out);
                }
                n
            });
        }
        watch.stop();
        self.now = now;
        self.give_frames_back();
        loop {
            match self.host.read(self.now, self.conn, &mut self.text) {
                0 => break,
                more => read += more,
            }
        }
        assert_eq!(read, n * self.peer.full(), "octets that were read");
        self.host.egress(self.now, &mut self.out);
        self.peer.hear(&mut self.out);
    }

    fn acks(&mut self, n: usize, watch: &mut Stopwatch) {
        let octets = n * self.peer.full();
        assert_eq!(
            self.host.write(self.now, self.conn, &self.text[..octets]),
            octets,
            "room in the send buffer"
        );
        self.host.egress(self.now, &mut self.out);
        assert_eq!(self.peer.hear(&mut self.out), n, "segments in flight");
        self.peer.acks(n, &mut self.packets);
        self.take_packets();
        let Rig { case, host, out, .. } = self;
        let span = case.span;
        let mut now = self.now;
        watch.start();
        for frame in &self.frames {
            now += GAP;
            counted(|| {
                host.ingress(now, frame.bytes(), out);
                if span == Span::Turn {
                    host.egress(now, out);
                }
            });
        }
        watch.stop();
        self.now = now;
        self.give_frames_back();
        assert_eq!(self.peer.hear(&mut self.out), 0, "nothing to repeat");
    }
}

impl<H: Host> Subject for Rig<H> {
    fn run(&mut self, n: usize, watch: &mut Stopwatch) -> usize {
        let rows = n.div_ceil(ROW);
        for _ in 0..rows {
            self.row(ROW, watch);
        }
        rows * ROW
    }
}
