//! One line for a packet: what traces, tests and pcapng comments show.

use core::fmt::{self, Display, Formatter};

use crate::checksum::Sum;
use crate::icmp::{Message, Notice};
use crate::{Addr, DropReason, Endpoint, Flags, OptionsIn, Segment, Timestamps, ipv4, ipv6};

/// Displays an IP packet in one line, e.g. `10.9.0.1:4000 > 10.9.0.2:80 SYN seq=1 win=64240 <mss 1460>`. Bad packets say what is bad.
///
/// The window is shown as it stands on the wire, unscaled; `len` is left out when there is no text. A TCP checksum field that holds only the
/// pseudo-header's sum is not called wrong: the device fills it in.
#[derive(Copy, Clone)]
pub struct Line<'a>(pub &'a [u8]);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match Datagram::parse(self.0) {
            Ok(datagram) => datagram.fmt(f),
            Err(reason) => write!(f, "{} octets: {}", self.0.len(), reason),
        }
    }
}

/// What both IP versions have in common.
struct Datagram<'a> {
    src: Addr,
    dst: Addr,
    protocol: u8,
    fragment: Option<ipv6::Fragment>,
    payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, DropReason> {
        if bytes.first().is_some_and(|b| b >> 4 == 6) {
            let ipv6::Packet { src, dst, protocol, fragment, payload, .. } = ipv6::Packet::parse(bytes)?;
            return Ok(Datagram { src, dst, protocol, fragment, payload });
        }
        let p = ipv4::Packet::parse(bytes)?;
        let fragment = (p.more_fragments || p.frag_offset > 0).then_some(ipv6::Fragment {
            id: u32::from(p.id),
            offset: p.frag_offset,
            more: p.more_fragments,
        });
        Ok(Datagram { src: p.src, dst: p.dst, protocol: p.protocol, fragment, payload: p.payload })
    }

    fn tcp(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (ports, seg) = match Segment::parse(self.payload) {
            Ok(parsed) => parsed,
            Err(reason) => return write!(f, "{} > {} TCP: {}", self.src, self.dst, reason),
        };
        let (src, dst) = (Endpoint::new(self.src, ports.src), Endpoint::new(self.dst, ports.dst));
        write!(f, "{src} > {dst} {seg}")?;
        if !self.tcp_checksum_holds() {
            write!(f, " [{}]", DropReason::BadTcpChecksum)?;
        }
        Ok(())
    }

    fn tcp_checksum_holds(&self) -> bool {
        let pseudo = Sum::pseudo(self.src, self.dst, 6, self.payload.len() as u32);
        let field = self.payload.get(16..18);
        pseudo.add(self.payload).finish() == 0 || field == Some(&pseudo.partial().to_be_bytes())
    }

    fn icmp(&self, f: &mut Formatter<'_>, message: Result<Message<'_>, DropReason>) -> fmt::Result {
        let name = if self.protocol == 58 { "ICMPv6" } else { "ICMP" };
        write!(f, "{} > {} {name} ", self.src, self.dst)?;
        match message {
            Ok(Message::EchoRequest { body }) => write!(f, "echo request len={}", body.len()),
            Ok(Message::TcpError { notice, src, src_port, dst, dst_port, seq }) => {
                let (src, dst) = (Endpoint::new(src, src_port), Endpoint::new(dst, dst_port));
                write!(f, "{notice} about {src} > {dst} seq={seq}")
            }
            Ok(Message::Other) => match self.payload {
                [kind, code, ..] => write!(f, "type={kind} code={code} len={}", self.payload.len()),
                _ => Ok(()),
            },
            Err(reason) => write!(f, "len={}: {}", self.payload.len(), reason),
        }
    }
}

impl Display for Datagram<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Datagram { src, dst, protocol, .. } = self;
        let len = self.payload.len();
        if let Some(ipv6::Fragment { id, offset, more }) = self.fragment {
            let more = if more { " more" } else { "" };
            return write!(
                f,
                "{src} > {dst} fragment id={id} offset={offset} len={len}{more} protocol={protocol}"
            );
        }
        match (protocol, src.is_v4()) {
            (6, _) => self.tcp(f),
            (1, true) => self.icmp(f, Message::parse_v4(self.payload)),
            (58, false) => self.icmp(f, Message::parse_v6(*src, *dst, self.payload)),
            _ => write!(f, "{src} > {dst} protocol={protocol} len={len}"),
        }
    }
}

/// E.g. `SYN,ACK seq=9 ack=2 win=65535 len=5 <mss 1460>`: the segment without its addresses.
impl Display for Segment<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} seq={}", self.flags, self.seq)?;
        if let Some(ack) = self.ack {
            write!(f, " ack={ack}")?;
        }
        write!(f, " win={}", self.wnd)?;
        if !self.payload.is_empty() {
            write!(f, " len={}", self.payload.len())?;
        }
        if let Some(urg) = self.urg {
            write!(f, " urg={urg}")?;
        }
        self.opts.fmt(f)
    }
}

/// E.g. `SYN,ACK`; `none` for the empty set.
impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const NAMES: [(Flags, &str); 9] = [
            (Flags::SYN, "SYN"),
            (Flags::FIN, "FIN"),
            (Flags::RST, "RST"),
            (Flags::PSH, "PSH"),
            (Flags::ACK, "ACK"),
            (Flags::URG, "URG"),
            (Flags::ECE, "ECE"),
            (Flags::CWR, "CWR"),
            (Flags::AE, "AE"),
        ];
        let mut list = List { f, open: "", any: false };
        for (flag, name) in NAMES {
            if self.has(flag) {
                list.item(format_args!("{name}"))?;
            }
        }
        if list.any { Ok(()) } else { f.write_str("none") }
    }
}

/// E.g. ` <mss 1460,sackOK,TS val 1 ecr 0,wscale 7>` with a leading blank; nothing without options.
impl Display for OptionsIn<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut list = List { f, open: " <", any: false };
        if let Some(mss) = self.mss {
            list.item(format_args!("mss {mss}"))?;
        }
        if self.sack_permitted {
            list.item(format_args!("sackOK"))?;
        }
        if let Some(Timestamps { val, ecr }) = self.ts {
            list.item(format_args!("TS val {val} ecr {ecr}"))?;
        }
        if let Some(shift) = self.wscale {
            list.item(format_args!("wscale {shift}"))?;
        }
        for block in self.sack() {
            list.item(format_args!("sack {}:{}", block.left, block.right))?;
        }
        if list.any { f.write_str(">") } else { Ok(()) }
    }
}

/// E.g. `port unreachable`.
impl Display for Notice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Notice::Refused { kind: 3, code: 2 } => f.write_str("protocol unreachable"),
            Notice::Refused { kind: 3, code: 3 } | Notice::Refused { kind: 1, code: 4 } => {
                f.write_str("port unreachable")
            }
            Notice::Refused { .. } => f.write_str("administratively prohibited"),
            Notice::Unreachable { kind, code } => write!(f, "unreachable ({kind}/{code})"),
            Notice::TooBig { mtu } => write!(f, "packet too big, mtu={mtu}"),
            Notice::TimeExceeded { code } => write!(f, "time exceeded (code {code})"),
            Notice::ParameterProblem { code } => write!(f, "parameter problem (code {code})"),
            Notice::SourceQuench => f.write_str("source quench"),
        }
    }
}

/// Writes items with commas between and `open` before the first.
struct List<'f, 'b> {
    f: &'f mut Formatter<'b>,
    open: &'static str,
    any: bool,
}

impl List<'_, '_> {
    fn item(&mut self, item: fmt::Arguments<'_>) -> fmt::Result {
        self.f.write_str(if self.any { "," } else { self.open })?;
        self.any = true;
        self.f.write_fmt(item)
    }
}

#[cfg(test)]
mod tests;
