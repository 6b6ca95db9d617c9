//! What a ladder is told: two ends, and what happened between them in time order.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use synfin_wire::{Flags, Instant, Seq};

use crate::words::Word;

/// One of the two vertical lines of the ladder.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub enum Side {
    /// The line on the left.
    Left,
    /// The line on the right.
    Right,
}

impl Side {
    /// The opposite line.
    pub const fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// One thing for each side.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Pair<T> {
    /// The left one.
    pub left: T,
    /// The right one.
    pub right: T,
}

impl<T> Pair<T> {
    /// The one of that side.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// The one of that side, to change it.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

/// What an end is to its program.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// It opens actively.
    Client,
    /// It listens.
    Server,
    /// One of two that open alike (simultaneous open): called A.
    PeerA,
    /// The other one of two that open alike: called B.
    PeerB,
}

/// One end of the connection as the head of the ladder shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// Client, server or peer.
    pub role: Role,
    /// Address and port as text.
    pub address: String,
    /// Whose TCP it is, for example `synfin` or `Linux 6.18`; may be empty.
    pub stack: String,
    /// The state before the first event, where it is known.
    pub state: Option<Known>,
}

impl End {
    /// An end whose state is not known and whose TCP is not named.
    pub fn new(role: Role, address: impl Into<String>) -> End {
        End { role, address: address.into(), stack: String::new(), state: None }
    }

    /// The same end with the name of its TCP.
    #[must_use]
    pub fn stack(mut self, name: impl Into<String>) -> End {
        self.stack = name.into();
        self
    }

    /// The same end with the (certain) state in which it begins.
    #[must_use]
    pub fn state(mut self, state: State) -> End {
        self.state = Some(Known { state, certainty: Certainty::Certain });
        self
    }
}

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The eleven states of RFC 9293 3.3.2.
        #[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
        pub enum State { $($(#[$doc])* $name,)* }

        impl State {
            /// All eleven.
            pub const ALL: [State; 11] = [$(State::$name,)*];

            /// The name with underscores, at most eleven letters: `FIN_WAIT_1`.
            pub const fn name(self) -> &'static str {
                match self { $(State::$name => $text,)* }
            }
        }
    };
}

states! {
    /// No connection.
    Closed = "CLOSED",
    /// Waiting for a SYN.
    Listen = "LISTEN",
    /// SYN sent.
    SynSent = "SYN_SENT",
    /// SYN received, SYN,ACK sent.
    SynRcvd = "SYN_RCVD",
    /// Open.
    Established = "ESTABLISHED",
    /// FIN sent, not acknowledged.
    FinWait1 = "FIN_WAIT_1",
    /// FIN acknowledged, the peer may still send.
    FinWait2 = "FIN_WAIT_2",
    /// FIN received, the program has not closed.
    CloseWait = "CLOSE_WAIT",
    /// Both sent FIN at once; ours is not acknowledged.
    Closing = "CLOSING",
    /// FIN sent after the peer's.
    LastAck = "LAST_ACK",
    /// Waiting 2 MSL after a complete close.
    TimeWait = "TIME_WAIT",
}

impl State {
    /// The state of that name. Hyphens, underscores and letter case do not matter, and Linux's spellings
    /// (`SYN-RECV`, `FIN_WAIT1`, `CLOSE`) are understood.
    pub fn from_name(name: &str) -> Option<State> {
        let letters = |s: &str| -> Vec<u8> {
            s.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect()
        };
        let wanted = letters(name);
        match wanted.as_slice() {
            b"CLOSE" => Some(State::Closed),
            b"SYNRECV" | b"NEWSYNRECV" | b"SYNRECEIVED" => Some(State::SynRcvd),
            b"ESTAB" => Some(State::Established),
            other => State::ALL.into_iter().find(|s| letters(s.name()) == other),
        }
    }
}

/// Whether something was seen or only concluded.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Certainty {
    /// Seen at the place itself.
    Certain,
    /// Concluded from the segments; marked in the ladder.
    Inferred,
}

/// A state and how it is known.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The state.
    pub state: State,
    /// How it is known.
    pub certainty: Certainty,
}

/// What became of a segment.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It did not arrive.
    Lost(Certainty),
}

/// Why a segment was sent again.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Again {
    /// The reason is not known.
    Unknown,
    /// The retransmission timer ran out (RFC 6298).
    Timer,
    /// Duplicate or selective acknowledgements told of a hole (RFC 5681, RFC 6675).
    Fast,
    /// A tail loss probe (RFC 8985).
    Probe,
    /// Needlessly: the first copy had arrived.
    Spurious,
}

/// Something special about a segment.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Mark {
    /// Sent again.
    Retransmission(Again),
    /// A second copy that the network made.
    Duplicate,
    /// The first copy, overtaken on its way.
    LateOriginal,
    /// A probe of a closed window (RFC 9293 3.8.6.1).
    WindowProbe,
    /// A keep-alive probe (RFC 9293 3.8.4).
    KeepAlive,
    /// Forged: the end that it names as its source did not send it.
    Forged,
    /// A leftover of an older connection of the same ports.
    Stale,
}

/// A segment as it was seen.
///
/// Both times are on one time line, even if two clocks measured them; who has two clocks aligns them first. A time
/// that is not known leaves its column empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The end that it comes from, or says that it comes from.
    pub from: Side,
    /// When it left.
    pub departed: Option<Instant>,
    /// When it came to the other end; with [`Fate::Lost`] not used.
    pub arrived: Option<Instant>,
    /// The flags.
    pub flags: Flags,
    /// SEG.SEQ as on the wire.
    pub seq: Seq,
    /// SEG.ACK as on the wire; only looked at where the ACK flag is set.
    pub ack: Seq,
    /// Octets of text.
    pub len: u32,
    /// The window in octets (scaled, where the scale is known).
    pub window: Option<u32>,
    /// The options in short, for example `mss 1460,ws 7`; may be empty.
    pub options: String,
    /// The first octets of the text, or none. Printable ones are quoted in the words.
    pub text: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    /// What is special; `None` lets the ladder find retransmissions and probes itself.
    pub mark: Option<Mark>,
    /// What to say; `None` lets the ladder choose from the place in the life.
    pub words: Option<Word>,
    /// Which life of this pair of ports, from 1; `None` lets the ladder count.
    pub life: Option<u16>,
}

impl Segment {
    /// A delivered segment without text and times.
    pub fn new(from: Side, flags: Flags, seq: Seq, ack: Seq) -> Segment {
        Segment {
            from,
            departed: None,
            arrived: None,
            flags,
            seq,
            ack,
            len: 0,
            window: None,
            options: String::new(),
            text: Vec::new(),
            fate: Fate::Delivered,
            mark: None,
            words: None,
            life: None,
        }
    }

    /// Octets of sequence space: text, SYN and FIN (RFC 9293 3.4).
    pub fn space(&self) -> u32 {
        let one = |f| u32::from(self.flags.has(f));
        self.len.saturating_add(one(Flags::SYN)).saturating_add(one(Flags::FIN))
    }
}

/// A timer, named in a silence that it ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Repeats a SYN.
    Syn,
    /// Repeats a SYN,ACK.
    SynAck,
    /// Repeats text and FIN (RFC 6298).
    Retransmission,
    /// Probes a closed window.
    Persist,
    /// Asks whether the peer is still there.
    KeepAlive,
    /// Ends TIME_WAIT.
    TimeWait,
    /// Ends an orphaned FIN_WAIT_2.
    FinWait2,
    /// No timer: the program of that end had not acted yet.
    Program(Side),
    /// No timer: nobody had anything to send.
    Idle,
}

/// Something that happened. Events are pushed in time order, a segment at its departure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A segment left (and arrives, or does not).
    Segment(Segment),
    /// An end is now in this state. It is shown in the row of the segment that brought it about.
    State {
        /// The end.
        side: Side,
        /// When the state was reached, or seen.
        at: Instant,
        /// The state.
        state: State,
        /// Seen or concluded.
        certainty: Certainty,
    },
    /// A sentence of the caller's own, on lines of its own.
    Note {
        /// Where in time it stands.
        at: Instant,
        /// The sentence.
        text: String,
    },
    /// The timer behind a silence, where the caller knows better than the ladder.
    Silence {
        /// Its end.
        until: Instant,
        /// The timer that ended it.
        timer: Timer,
    },
}

/// The language of the words.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese (simplified).
    Zh,
}

/// The characters of the drawing.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Glyphs {
    /// Box drawing characters.
    #[default]
    Unicode,
    /// ASCII only (words in Chinese stay Chinese).
    Ascii,
}

/// Whether ANSI colours are written.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// No escape sequences.
    #[default]
    Off,
    /// Colours of the Okabe-Ito palette in the 256-colour set, besides the glyphs, never instead of them.
    On,
}

/// How many words.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Words {
    /// Full below the rows; short beside them.
    #[default]
    Auto,
    /// None; marks move into the labels.
    Off,
    /// One short sentence a segment.
    Short,
    /// With explanations.
    Full,
}

/// How sequence numbers are shown.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Numbers {
    /// Each direction from 0.
    #[default]
    Relative,
    /// As on the wire.
    Absolute,
}

/// How times are shown.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// Milliseconds since the first event.
    #[default]
    Since,
    /// Milliseconds since the row before in the same column.
    Delta,
    /// Hours, minutes and seconds of the day in UTC; times are since 1970.
    Utc,
}

/// Whether long runs of bulk data become one line.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Fold {
    /// They do.
    #[default]
    On,
    /// Every segment has its row.
    Off,
}

/// How much a label shows.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Flags, numbers and length; the window only where it is 0.
    #[default]
    Plain,
    /// Window and options too, where there is room.
    Full,
}

/// What the ladder is written as.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a row.
    Json,
}

/// How a ladder is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Text or JSON.
    pub format: Format,
    /// The language.
    pub lang: Lang,
    /// Box drawing or ASCII.
    pub glyphs: Glyphs,
    /// Colours.
    pub color: Color,
    /// Width in columns. From 120 on words stand beside the rows. Fewer than 60 count as 60.
    pub columns: u16,
    /// How many words.
    pub words: Words,
    /// Relative or absolute numbers.
    pub numbers: Numbers,
    /// How times are shown.
    pub clock: Clock,
    /// Folding of bulk data.
    pub fold: Fold,
    /// How much a label shows.
    pub detail: Detail,
    /// How long a row stays open for states that become known late. Live output lags by so much.
    pub patience: Duration,
    /// The end whose states nobody tells: they are concluded from what it sends, and marked so.
    pub infer: Option<Side>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            format: Format::Text,
            lang: Lang::En,
            glyphs: Glyphs::Unicode,
            color: Color::Off,
            columns: 80,
            words: Words::Auto,
            numbers: Numbers::Relative,
            clock: Clock::Since,
            fold: Fold::On,
            detail: Detail::Plain,
            patience: Duration::from_millis(20),
            infer: None,
        }
    }
}
