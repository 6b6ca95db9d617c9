//! Hostile packets, checksums right.

use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Endpoint, Flags, Head, OptionsOut, Seq, ipv4};

const TCP: u8 = 6;
const ICMP: u8 = 1;

/// Makes packets, most of them in the client's name.
pub struct Forge {
    client: Endpoint,
    server: Endpoint,
}

/// Fills in the checksum of a TCP segment and puts an IPv4 header before it.
fn packet(src: Addr, dst: Addr, mut tcp: Vec<u8>) -> Vec<u8> {
    tcp[16..18].fill(0);
    let sum = Sum::pseudo(src, dst, TCP, tcp.len() as u32).add(&tcp).finish();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    in_ip(src, dst, TCP, &tcp)
}

fn in_ip(src: Addr, dst: Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = ipv4::Head { src, dst, protocol, ttl: 64, tos: 0 }.emit(payload.len() as u16).to_vec();
    p.extend_from_slice(payload);
    p
}

/// An address and a port that no other `n` has. 20.0.0.0/6 is nobody's here.
fn stranger(n: u64) -> Endpoint {
    let [a, b, c, d] = (n as u32).to_be_bytes();
    Endpoint::new(Addr::v4([20 | a & 3, b, c, d]), 1024 + ((n >> 16) % 60_000) as u16)
}

impl Forge {
    /// For a connection of `client` with `server`.
    pub fn new(client: Endpoint, server: Endpoint) -> Forge {
        Forge { client, server }
    }

    fn from(&self, src: Endpoint, dst_port: u16, head: &Head, text: &[u8]) -> Vec<u8> {
        let mut bytes = [0; Head::MAX_LEN];
        let len = head.emit(Ports { src: src.port, dst: dst_port }, &mut bytes);
        let mut tcp = bytes[..len].to_vec();
        tcp.extend_from_slice(text);
        packet(src.addr, self.server.addr, tcp)
    }

    /// A segment in the client's name.
    pub fn segment(&self, head: &Head, text: &[u8]) -> Vec<u8> {
        self.from(self.client, self.server.port, head, text)
    }

    fn syn(&self, src: Endpoint, port: u16) -> Vec<u8> {
        let opts =
            OptionsOut { mss: Some(1460), wscale: Some(7), sack_permitted: true, ..OptionsOut::default() };
        let head = Head { seq: Seq::new(77), wnd: u16::MAX, flags: Flags::SYN, opts, ..Head::default() };
        self.from(src, port, &head, &[])
    }

    /// The SYN of stranger `n`.
    pub fn syn_from(&self, n: u64) -> Vec<u8> {
        self.syn(stranger(n), self.server.port)
    }

    /// The SYN of stranger `n` to a port that is closed.
    pub fn to_closed_port(&self, n: u64) -> Vec<u8> {
        self.syn(stranger(n), 9)
    }

    /// SYNs whose addresses and ports add up to the same.
    pub fn colliding(&self, n: u64) -> Vec<u8> {
        let low = (n % 60_000) as u16;
        let [c, d] = (60_000 - low).to_be_bytes();
        let [_, b] = ((n / 60_000) as u16).to_be_bytes();
        self.syn(Endpoint::new(Addr::v4([20, b, c, d]), 1024 + low), self.server.port)
    }

    /// An ACK of stranger `n` for something never sent.
    pub fn ack_from(&self, n: u64, ack: Seq) -> Vec<u8> {
        let head = Head { seq: Seq::new(78), ack: Some(ack), wnd: u16::MAX, ..Head::default() };
        self.from(stranger(n), self.server.port, &head, &[])
    }

    /// The first fragment of a datagram of stranger `n`.
    pub fn first_fragment(&self, n: u64) -> Vec<u8> {
        let head = Head { seq: Seq::new(78), ack: Some(Seq::new(1)), wnd: u16::MAX, ..Head::default() };
        let mut p = self.from(stranger(n), self.server.port, &head, &[0; 940]);
        // "More fragments", and no longer "don't fragment".
        p[6..8].copy_from_slice(&[0x20, 0]);
        p[10..12].fill(0);
        let sum = Sum::new().add(&p[..20]).finish();
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        p
    }

    /// A segment whose 40 octets of options all are NOP, at RCV.NXT.
    pub fn nops(&self, head: &Head) -> Vec<u8> {
        let mut bytes = [0; Head::MAX_LEN];
        let len = head.emit(Ports { src: self.client.port, dst: self.server.port }, &mut bytes);
        let mut tcp = bytes[..len].to_vec();
        tcp.resize(60, 1);
        tcp[12] = 0xf0;
        packet(self.client.addr, self.server.addr, tcp)
    }

    /// An ICMP error that quotes a segment of the server at this number: unreachable in turn with "packet too big".
    pub fn icmp(&self, n: u64, seq: Seq) -> Vec<u8> {
        let mut quoted = self.server.port.to_be_bytes().to_vec();
        quoted.extend(self.client.port.to_be_bytes());
        quoted.extend(seq.raw().to_be_bytes());
        let mut m = vec![3, (n % 5) as u8, 0, 0, 0, 0, 2, 88];
        m.extend(in_ip(self.server.addr, self.client.addr, TCP, &quoted));
        let sum = Sum::new().add(&m).finish();
        m[2..4].copy_from_slice(&sum.to_be_bytes());
        in_ip(self.client.addr, self.server.addr, ICMP, &m)
    }
}
