//! The other end of a measured connection: a script that makes the same packets for both stacks.

use synfin_link::TxSink;
use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Control, Flags, Head, Instant, OptionsOut, Segment, Seq, Timestamps, ipv4};

use crate::host::{Host, Stamps};
use crate::lane::Lane;

const TCP: u8 = 6;
/// Our window in segments: 65,535 << 7, 8 MiB.
const SHIFT: u8 = 7;
/// The host's port.
pub const PORT: u16 = 80;

/// One connection of 10.0.0.1 with port 80 of 10.0.0.2.
#[derive(Copy, Clone, Debug)]
pub struct Peer {
    port: u16,
    stamps: Stamps,
    /// Next number that we send.
    pub seq: Seq,
    /// Next number that we expect.
    pub expected: Seq,
    echo: u32,
}

/// What fills the measured segments.
static TEXT: [u8; 1460] = {
    let mut text = [0; 1460];
    let mut i = 0;
    while i < text.len() {
        text[i] = (i % 251) as u8;
        i += 1;
    }
    text
};

impl Peer {
    /// Before the handshake.
    pub fn new(port: u16, stamps: Stamps) -> Peer {
        Peer { port, stamps, seq: Seq::new(1_000_000), expected: Seq::new(0), echo: 0 }
    }

    /// Octets of text in a full segment.
    pub fn full(&self) -> usize {
        self.stamps.full_segment()
    }

    /// Handshake with a listening host; returns the connection.
    pub fn open<H: Host>(&mut self, now: Instant, host: &mut H, out: &mut Lane) -> H::Conn {
        out.clear();
        let opts = OptionsOut {
            mss: Some(1460),
            wscale: Some(SHIFT),
            sack_permitted: true,
            ..OptionsOut::default()
        };
        let syn = Head { seq: self.seq, wnd: u16::MAX, flags: Flags::SYN, opts, ..Head::default() };
        self.deliver(now, host, &syn, out);
        host.egress(now, out);
        self.seq += 1;
        self.hear(out);
        self.ack(now, host, out);
        let conn = host.accept(now).expect("the handshake is complete");
        self.hear(out);
        conn
    }

    /// Sends a bare ACK for all that was heard.
    pub fn ack<H: Host>(&mut self, now: Instant, host: &mut H, out: &mut Lane) {
        let head = self.head(self.seq, self.expected);
        self.deliver(now, host, &head, out);
        host.egress(now, out);
    }

    /// Sends FIN.
    pub fn fin<H: Host>(&mut self, now: Instant, host: &mut H, out: &mut Lane) {
        let head = Head { flags: Flags::FIN, ..self.head(self.seq, self.expected) };
        self.deliver(now, host, &head, out);
        host.egress(now, out);
        self.seq += 1;
    }

    /// The SYN alone, for records that stay half open.
    pub fn syn<H: Host>(&mut self, now: Instant, host: &mut H, out: &mut Lane) {
        let opts = OptionsOut {
            mss: Some(1460),
            wscale: Some(SHIFT),
            sack_permitted: true,
            ..OptionsOut::default()
        };
        let syn = Head { seq: self.seq, wnd: u16::MAX, flags: Flags::SYN, opts, ..Head::default() };
        self.deliver(now, host, &syn, out);
        host.egress(now, out);
        out.clear();
    }

    /// Takes what the host sent; returns how many segments with text there were.
    pub fn hear(&mut self, out: &mut Lane) -> usize {
        let mut with_text = 0;
        while let Some(frame) = out.pop() {
            let ip = ipv4::Packet::parse(frame.bytes()).expect("an IPv4 packet");
            let (_, seg) = Segment::parse(ip.payload).expect("a segment");
            assert!(seg.ctl != Control::Rst, "the host reset the connection");
            with_text += usize::from(!seg.payload.is_empty());
            let end = seg.seq + seg.seq_len();
            if seg.ctl.syn() || end.after(self.expected) {
                self.expected = end;
            }
            if let Some(ts) = seg.opts.ts {
                self.echo = ts.val;
            }
            out.recycle(frame);
        }
        with_text
    }

    /// Makes `count` full segments in order, as packets in `packets`.
    pub fn data(&mut self, count: usize, packets: &mut Lane) {
        let full = self.full();
        for _ in 0..count {
            let head = self.head(self.seq, self.expected);
            self.emit(&head, &TEXT[..full], packets);
            self.seq += full as u32;
        }
    }

    /// Makes `count` bare ACKs, each for one full segment more, up to the last octet heard.
    pub fn acks(&mut self, count: usize, packets: &mut Lane) {
        let full = self.full() as u32;
        for left in (0..count as u32).rev() {
            let head = self.head(self.seq, self.expected - left * full);
            self.emit(&head, &[], packets);
        }
    }

    fn head(&self, seq: Seq, ack: Seq) -> Head {
        let ts = (self.stamps == Stamps::On).then_some(Timestamps { val: 1, ecr: self.echo });
        Head {
            seq,
            ack: Some(ack),
            wnd: u16::MAX,
            opts: OptionsOut { ts, ..OptionsOut::default() },
            ..Head::default()
        }
    }

    fn deliver<H: Host>(&self, now: Instant, host: &mut H, head: &Head, out: &mut Lane) {
        let mut packets = Lane::new(crate::host::MTU);
        let mut head = *head;
        if head.flags.has(Flags::SYN) && self.stamps == Stamps::On {
            head.opts.ts = Some(Timestamps { val: 1, ecr: 0 });
        }
        self.emit(&head, &[], &mut packets);
        let packet = packets.pop().expect("one packet");
        host.ingress(now, packet.bytes(), out);
    }

    fn emit(&self, head: &Head, text: &[u8], packets: &mut Lane) {
        let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        let mut tcp = [0; Head::MAX_LEN];
        let len = head.emit(Ports { src: self.port, dst: PORT }, &mut tcp);
        let total = len + text.len();
        let sum = Sum::pseudo(src, dst, TCP, total as u32).add(&tcp[..len]).add_all(&[text]).finish();
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let ip = ipv4::Head { src, dst, protocol: TCP, ttl: 64, tos: 0 }.emit(total as u16);
        let mut bytes = [0; ipv4::Head::LEN + Head::MAX_LEN];
        bytes[..ip.len()].copy_from_slice(&ip);
        bytes[ip.len()..ip.len() + len].copy_from_slice(&tcp[..len]);
        packets.push(&bytes[..ip.len() + len], &[text], Default::default());
    }
}
