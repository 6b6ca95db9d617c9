//! What a script says, before anything of it is done.

use std::fmt;

use synfin_wire::{Addr, Flags};

/// A script is not in the language, or uses a part of it that cannot be meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The script.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// A whole script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Where it came from: for messages.
    pub file: String,
    /// `--name=value` lines in order.
    pub options: Vec<OptionLine>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// `// linux differs: reason`: the kernel is known to do something else.
    pub differs: Option<String>,
}

impl Script {
    /// Microseconds that it takes at least.
    pub fn least_time(&self) -> i64 {
        let mut now = 0_i64;
        for event in &self.events {
            now = match event.when {
                When::Absolute(t) | When::AbsoluteRange(t, _) => t,
                When::Relative(d) | When::RelativeRange(d, _) => now.saturating_add(d),
                When::Any => now,
            };
        }
        now
    }
}

/// `--name=value` in a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionLine {
    /// Line.
    pub line: u32,
    /// Without the dashes.
    pub name: String,
    /// Empty if there is none.
    pub value: String,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Line of its first token.
    pub line: u32,
    /// Its text, blanks collapsed.
    pub text: String,
    /// When it happens.
    pub when: When,
    /// For calls that block: when they return, on the same scale as `when`.
    pub until: Option<i64>,
    /// What happens.
    pub what: What,
}

/// A time, in microseconds.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// Since the script began.
    Absolute(i64),
    /// Since the event before.
    Relative(i64),
    /// Whenever it comes.
    Any,
    /// Between two times since the script began.
    AbsoluteRange(i64, i64),
    /// Between two times since the event before.
    RelativeRange(i64, i64),
}

/// What an event is.
#[derive(Clone, Debug)]
pub enum What {
    /// `<` or `>`: a packet.
    Packet(Packet),
    /// A system call.
    Call(Call),
    /// A command of the shell.
    Command(String),
    /// Assertions about the connection.
    Code(String),
}

/// Which way a packet goes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Direction {
    /// `<`: to the stack.
    In,
    /// `>`: from the stack.
    Out,
}

/// ECN field of the IP header as a script names it (RFC 3168 5).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum EcnSpec {
    /// Not said.
    #[default]
    Unsaid,
    /// `noecn`: 00.
    None,
    /// `ect0`: 10.
    Ect0,
    /// `ect1`: 01.
    Ect1,
    /// `ect01`: either of the two.
    Ect01,
    /// `ce`: 11.
    Ce,
}

/// `[...]` in front of a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct IpSpec {
    /// The ECN field.
    pub ecn: EcnSpec,
    /// The whole traffic class octet.
    pub tos: Option<u8>,
    /// IPv6 flow label.
    pub flow: Option<u32>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
}

/// An outer header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outer {
    /// `ipv4 A > B:` or `ipv6 A > B:`
    Ip(Addr, Addr),
    /// `gre:`
    Gre,
    /// `mpls (..):`
    Mpls,
}

/// A packet in either direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Which way.
    pub dir: Direction,
    /// Outer headers, outermost first.
    pub outer: Vec<Outer>,
    /// Fields of the IP header.
    pub ip: IpSpec,
    /// Source and destination port, where the script names them.
    pub ports: Option<(u16, u16)>,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A segment.
    Tcp(TcpSpec),
    /// `udp (len)`
    Udp(u32),
    /// `icmp type code ...`
    Icmp(IcmpSpec),
}

/// A segment with numbers relative to the initial ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TcpSpec {
    /// All flags.
    pub flags: Flags,
    /// First number.
    pub seq: u32,
    /// Octets of text.
    pub len: u32,
    /// Acknowledgement.
    pub ack: Option<u32>,
    /// Window as on the wire.
    pub win: Option<u16>,
    /// Urgent pointer.
    pub urg: Option<u16>,
    /// Options.
    pub opts: OptSpec,
}

/// Options of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OptSpec {
    /// `<...>`: whatever they are.
    Any,
    /// These, in this order.
    List(Vec<Opt>),
}

/// One option of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opt {
    /// `eol`
    Eol,
    /// `nop`
    Nop,
    /// `mss N`
    Mss(u16),
    /// `wscale N`
    Wscale(u8),
    /// `sackOK`
    SackOk,
    /// `sack a:b c:d`
    Sack(Vec<(u32, u32)>),
    /// `TS val N ecr M`
    Ts {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// `FO cookie` (RFC 7413)
    Fo(Vec<u8>),
    /// `FOEXP cookie`
    FoExp(Vec<u8>),
    /// `md5 digest` (RFC 2385)
    Md5(Vec<u8>),
    /// `ECN e1b N ceb N e0b N`: Accurate ECN (RFC 9768 3.2.3); kind and counters in order.
    AccEcn(u8, Vec<u32>),
    /// An option of a kind that the language has no word for.
    Other(u8, Vec<u8>),
}

/// An ICMP message about one of the stack's segments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IcmpSpec {
    /// Name or number of the type.
    pub kind: String,
    /// Name or number of the code.
    pub code: Option<String>,
    /// Next-hop MTU.
    pub mtu: Option<u32>,
    /// Numbers of the segment quoted: first, octets.
    pub quoted: Option<(u32, u32)>,
}

/// A system call with what it has to return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Name.
    pub name: String,
    /// Arguments.
    pub args: Vec<Expr>,
    /// Expected result.
    pub result: Expr,
    /// Expected errno.
    pub errno: Option<String>,
    /// What stands in parentheses behind.
    pub note: Option<String>,
}

/// An argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expr {
    /// `...`
    Ellipsis,
    /// A number.
    Int(i64),
    /// A name that stands for a number, or for itself.
    Word(String),
    /// `"..."`
    Text(String),
    /// `a | b`
    Or(Vec<Expr>),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `{name=value, ...}` or `{value, ...}`
    Struct(Vec<Field>),
    /// `htons(8080)`
    Apply(String, Vec<Expr>),
}

/// One field of a struct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// `name(count)=value`.
    pub count: Option<Expr>,
    /// Its value.
    pub value: Expr,
}

impl Expr {
    /// The field of this name, if this is a struct and has it.
    pub fn field(&self, name: &str) -> Option<&Expr> {
        match self {
            Expr::Struct(fields) => fields.iter().find(|f| f.name.as_deref() == Some(name)).map(|f| &f.value),
            _ => None,
        }
    }

    /// The only element of `[x]`, or the expression itself.
    pub fn single(&self) -> &Expr {
        match self {
            Expr::Array(items) if items.len() == 1 => items.first().unwrap_or(self),
            other => other,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Expr], between: &str| {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    f.write_str(between)?;
                }
                item.fmt(f)?;
            }
            Ok(())
        };
        match self {
            Expr::Ellipsis => f.write_str("..."),
            Expr::Int(n) => n.fmt(f),
            Expr::Word(w) => f.write_str(w),
            Expr::Text(t) => write!(f, "\"{t}\""),
            Expr::Or(items) => list(f, items, "|"),
            Expr::Array(items) => {
                f.write_str("[")?;
                list(f, items, ", ")?;
                f.write_str("]")
            }
            Expr::Apply(name, items) => {
                write!(f, "{name}(")?;
                list(f, items, ", ")?;
                f.write_str(")")
            }
            Expr::Struct(fields) => {
                f.write_str("{")?;
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    if let Some(name) = &field.name {
                        write!(f, "{name}=")?;
                    }
                    field.value.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}
