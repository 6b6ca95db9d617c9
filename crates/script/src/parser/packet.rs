//! Packets: headers in front, flags, numbers, options.

use synfin_wire::{Addr, Flags};

use super::{Parsed, Parser};
use crate::ast::{Body, Direction, EcnSpec, IcmpSpec, IpSpec, Opt, OptSpec, Outer, Packet, TcpSpec};
use crate::lexer::Tok;

/// Accurate ECN options: the one that begins with e0b, the one that begins with e1b (RFC 9768 3.2.3).
pub(crate) const ACCECN0: u8 = 172;
pub(crate) const ACCECN1: u8 = 174;

impl Parser<'_> {
    pub(super) fn packet(&mut self) -> Parsed<Packet> {
        let dir = if self.take_char('<') { Direction::In } else { Direction::Out };
        if dir == Direction::Out {
            self.need_char('>')?;
        }
        let outer = self.outer_headers()?;
        let ip = if self.is_char('[') { self.ip_fields()? } else { IpSpec::default() };
        let ports = self.ports()?;
        let body = if self.take_word("icmp") {
            Body::Icmp(self.icmp()?)
        } else if self.take_word("udp") {
            self.need_char('(')?;
            let len = self.number("length")?;
            self.need_char(')')?;
            Body::Udp(len)
        } else {
            Body::Tcp(self.tcp(dir)?)
        };
        Ok(Packet { dir, outer, ip, ports, body })
    }

    /// `ipv4 A > B:`, `gre:`, `mpls (..)..:`, any number of them.
    fn outer_headers(&mut self) -> Parsed<Vec<Outer>> {
        let mut outer = Vec::new();
        loop {
            if self.is_word("ipv4") || self.is_word("ipv6") {
                self.at += 1;
                let from = self.address()?;
                self.need_char('>')?;
                outer.push(Outer::Ip(from, self.address()?));
            } else if self.take_word("gre") {
                outer.push(Outer::Gre);
            } else if self.take_word("mpls") {
                outer.push(Outer::Mpls);
            } else {
                return Ok(outer);
            }
            // Fields of these headers are not needed to know that they are not carried.
            while self.peek().is_some_and(|t| t.tok != Tok::Char(':')) {
                self.at += 1;
            }
            self.need_char(':')?;
        }
    }

    fn address(&mut self) -> Parsed<Addr> {
        let start = self.offset();
        let rest = self.text.get(start..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let word = if word.ends_with("::") { word } else { word.trim_end_matches(':') };
        match word.parse::<std::net::IpAddr>() {
            Ok(addr) => {
                self.resume_at(start + word.len());
                Ok(addr.into())
            }
            Err(_) => self.expected("IP address"),
        }
    }

    /// `[ect0]`, `[ce, ttl 64]`, `[tos 0x10]`, `[flowlabel 0x1]`
    fn ip_fields(&mut self) -> Parsed<IpSpec> {
        let mut ip = IpSpec::default();
        self.need_char('[')?;
        loop {
            let Some(Tok::Word(word)) = self.peek().map(|t| t.tok.clone()) else {
                return self.expected("field of the IP header");
            };
            self.at += 1;
            match word.as_str() {
                "noecn" => ip.ecn = EcnSpec::None,
                "ect0" => ip.ecn = EcnSpec::Ect0,
                "ect1" => ip.ecn = EcnSpec::Ect1,
                "ect01" => ip.ecn = EcnSpec::Ect01,
                "ce" => ip.ecn = EcnSpec::Ce,
                "tos" => ip.tos = Some(self.number("tos")?),
                "ttl" => ip.ttl = Some(self.number("ttl")?),
                "flowlabel" => ip.flow = Some(self.number("flow label")?),
                other => return self.error(format!("unknown field of the IP header '{other}'")),
            }
            if self.take_char(']') {
                return Ok(ip);
            }
            self.need_char(',')?;
        }
    }

    /// `5000 > 8080:` in front of the flags.
    fn ports(&mut self) -> Parsed<Option<(u16, u16)>> {
        let numbers = matches!(self.peek_at(0), Some(Tok::Int(_)))
            && self.peek_at(1) == Some(&Tok::Char('>'))
            && matches!(self.peek_at(2), Some(Tok::Int(_)));
        if !numbers {
            return Ok(None);
        }
        let source = self.number("port")?;
        self.need_char('>')?;
        let destination = self.number("port")?;
        self.take_char(':');
        Ok(Some((source, destination)))
    }

    fn tcp(&mut self, dir: Direction) -> Parsed<TcpSpec> {
        let flags = self.flags()?;
        let seq = self.number("sequence number")?;
        self.need_char(':')?;
        let end: u32 = self.number("sequence number")?;
        self.need_char('(')?;
        let len: u32 = self.number("length")?;
        self.need_char(')')?;
        // Some scripts are sloppy about the end of what is quoted or repeated; for segments it has to fit.
        if u32::wrapping_add(seq, len) != end {
            return self.error(format!("{seq} and {len} octets do not end at {end}"));
        }
        let ack = if self.take_word("ack") { Some(self.number("acknowledgement")?) } else { None };
        let win = if self.take_word("win") { Some(self.number("window")?) } else { None };
        let urg = if self.take_word("urg") { Some(self.number("urgent pointer")?) } else { None };
        let opts = if self.is_char('<') && self.options_follow() {
            self.options()?
        } else {
            OptSpec::List(Vec::new())
        };
        if dir == Direction::In && opts == OptSpec::Any {
            return self.error("options of an incoming segment have to be said");
        }
        Ok(TcpSpec { flags, seq, len, ack, win, urg, opts })
    }

    /// Letters up to the next blank: `S`, `.`, `P.`, `SEW`, `-`; a digit is the counter of Accurate ECN.
    fn flags(&mut self) -> Parsed<Flags> {
        let start = self.offset();
        let rest = self.text.get(start..).unwrap_or_default();
        let word = rest.split_whitespace().next().unwrap_or_default().to_string();
        let mut flags = Flags::default();
        for c in word.chars() {
            let flag = match c {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                '.' => Flags::ACK,
                'U' => Flags::URG,
                'E' => Flags::ECE,
                'W' | 'C' => Flags::CWR,
                'A' => Flags::AE,
                '-' => Flags::default(),
                '0'..='7' => Flags((c as u16 - '0' as u16) << 6),
                _ => return self.expected("flags"),
            };
            flags = flags.with(flag);
        }
        self.resume_at(start + word.len());
        Ok(flags)
    }

    /// `<` opens options, unless a packet of the next line begins: that one has a time in front.
    fn options_follow(&self) -> bool {
        matches!(self.peek_at(1), Some(Tok::Ellipsis | Tok::Word(_) | Tok::Char('>')))
    }

    fn options(&mut self) -> Parsed<OptSpec> {
        self.need_char('<')?;
        if self.peek().is_some_and(|t| t.tok == Tok::Ellipsis) {
            self.at += 1;
            self.need_char('>')?;
            return Ok(OptSpec::Any);
        }
        let mut list = Vec::new();
        if self.take_char('>') {
            return Ok(OptSpec::List(list));
        }
        loop {
            list.push(self.option()?);
            if self.take_char('>') {
                return Ok(OptSpec::List(list));
            }
            self.need_char(',')?;
        }
    }

    fn option(&mut self) -> Parsed<Opt> {
        let Some(Tok::Word(word)) = self.peek().map(|t| t.tok.clone()) else {
            return self.expected("option");
        };
        self.at += 1;
        Ok(match word.as_str() {
            "eol" => Opt::Eol,
            "nop" => Opt::Nop,
            "mss" => Opt::Mss(self.number("mss")?),
            "wscale" => Opt::Wscale(self.number("wscale")?),
            "sackOK" => Opt::SackOk,
            "sack" => {
                let mut blocks = Vec::new();
                while matches!(self.peek_at(0), Some(Tok::Int(_))) {
                    let left = self.number("block")?;
                    self.need_char(':')?;
                    blocks.push((left, self.number("block")?));
                }
                Opt::Sack(blocks)
            }
            "TS" => {
                self.need_word("val")?;
                let val = self.number("TSval")?;
                self.need_word("ecr")?;
                Opt::Ts { val, ecr: self.number("TSecr")? }
            }
            "FO" => Opt::Fo(self.octets()?),
            "FOEXP" => Opt::FoExp(self.octets()?),
            "md5" => Opt::Md5(self.octets()?),
            "ECN" => self.accurate_ecn()?,
            other => return self.error(format!("unknown option '{other}'")),
        })
    }

    fn need_word(&mut self, word: &str) -> Parsed<()> {
        if self.take_word(word) { Ok(()) } else { self.expected(word) }
    }

    /// Octets in hexadecimal; nothing is an empty cookie.
    fn octets(&mut self) -> Parsed<Vec<u8>> {
        let text = match self.peek_at(0) {
            Some(Tok::Word(w)) => self.defines.get(w).cloned().unwrap_or_else(|| w.clone()),
            Some(Tok::Int(_) | Tok::Hex(_)) => {
                self.peek().and_then(|t| self.text.get(t.start..t.end)).unwrap_or_default().to_string()
            }
            _ => return Ok(Vec::new()),
        };
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
        match digits {
            Some(d) if d.len() % 2 == 0 => {
                self.at += 1;
                Ok(d.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect())
            }
            _ => self.error(format!("'{text}' is not a row of octets in hexadecimal")),
        }
    }

    /// `ECN e0b 1 ceb 0 e1b 1`, cut anywhere.
    fn accurate_ecn(&mut self) -> Parsed<Opt> {
        let orders: [(u8, [&str; 3]); 2] =
            [(ACCECN0, ["e0b", "ceb", "e1b"]), (ACCECN1, ["e1b", "ceb", "e0b"])];
        let kind = if self.is_word("e0b") { ACCECN0 } else { ACCECN1 };
        let names = orders.iter().find(|(k, _)| *k == kind).map(|(_, names)| *names).unwrap_or_default();
        let mut counters = Vec::new();
        for name in names {
            if !self.take_word(name) {
                break;
            }
            counters.push(self.number("counter")?);
        }
        Ok(Opt::AccEcn(kind, counters))
    }

    fn icmp(&mut self) -> Parsed<IcmpSpec> {
        let kind = self.icmp_word("type")?;
        let code = match self.peek_at(0) {
            Some(Tok::Word(w)) if w != "mtu" => Some(self.icmp_word("code")?),
            _ => None,
        };
        let mtu = if self.take_word("mtu") { Some(self.number("mtu")?) } else { None };
        let mut quoted = None;
        if self.take_char('[') {
            let from = self.number("sequence number")?;
            self.need_char(':')?;
            let _end: u32 = self.number("sequence number")?;
            self.need_char('(')?;
            quoted = Some((from, self.number("length")?));
            self.need_char(')')?;
            self.need_char(']')?;
        }
        Ok(IcmpSpec { kind, code, mtu, quoted })
    }

    /// `unreachable`, or `type 3`.
    fn icmp_word(&mut self, what: &str) -> Parsed<String> {
        match self.peek().map(|t| t.tok.clone()) {
            Some(Tok::Word(w)) if w == what => {
                self.at += 1;
                Ok(self.number::<u8>(what)?.to_string())
            }
            Some(Tok::Word(w)) => {
                self.at += 1;
                Ok(w)
            }
            _ => self.expected(&format!("ICMP {what}")),
        }
    }
}
