//! Rows of the state table, in a script's numbers, and which of them the grid has.

use std::collections::BTreeMap;

/// The rows as the tests of the state machine have them.
const SEGMENTS: &[u8] = include_bytes!("../../../../net/tests/vectors/segments.csv.gz");
/// Our ISS and the peer's in the rows: 0 in scripts.
const ISS: u32 = 1000;
const IRS: u32 = 5000;
/// Octets that a preset with a closed window has received before.
pub const FILLED: u32 = 4000;

/// Where a connection stands before the segment comes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Preset {
    Closed,
    Listen,
    SynSent,
    SynRcvdPassive,
    SynRcvdActive,
    Established,
    EstablishedZero,
    FinWait1,
    FinWait1Zero,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl Preset {
    fn of(name: &str) -> Option<Preset> {
        Some(match name {
            "CLOSED" => Preset::Closed,
            "LISTEN" => Preset::Listen,
            "SYN-SENT" => Preset::SynSent,
            "SYN-RECEIVED/passive" => Preset::SynRcvdPassive,
            "SYN-RECEIVED/active" => Preset::SynRcvdActive,
            "ESTABLISHED" => Preset::Established,
            "ESTABLISHED/zwnd" => Preset::EstablishedZero,
            "FIN-WAIT-1" => Preset::FinWait1,
            "FIN-WAIT-1/zwnd" => Preset::FinWait1Zero,
            "FIN-WAIT-2" => Preset::FinWait2,
            "CLOSE-WAIT" => Preset::CloseWait,
            "CLOSING" => Preset::Closing,
            "LAST-ACK" => Preset::LastAck,
            "TIME-WAIT" => Preset::TimeWait,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Preset::Closed => "closed",
            Preset::Listen => "listen",
            Preset::SynSent => "syn-sent",
            Preset::SynRcvdPassive => "syn-rcvd",
            Preset::SynRcvdActive => "syn-rcvd-crossing",
            Preset::Established => "established",
            Preset::EstablishedZero => "established-window-0",
            Preset::FinWait1 => "fin-wait-1",
            Preset::FinWait1Zero => "fin-wait-1-window-0",
            Preset::FinWait2 => "fin-wait-2",
            Preset::CloseWait => "close-wait",
            Preset::Closing => "closing",
            Preset::LastAck => "last-ack",
            Preset::TimeWait => "time-wait",
        }
    }

    pub fn zero_window(self) -> bool {
        matches!(self, Preset::EstablishedZero | Preset::FinWait1Zero)
    }

    /// The acknowledgement class with which positions of the sequence number are tried: one that by itself changes nothing,
    /// and in the open state the one that acknowledges all.
    fn usual_ack(self) -> &'static str {
        match self {
            Preset::Closed | Preset::Listen => "any",
            Preset::FinWait1 | Preset::FinWait1Zero | Preset::FinWait2 => "una",
            Preset::CloseWait | Preset::Closing | Preset::LastAck | Preset::TimeWait => "una",
            _ => "nxt",
        }
    }
}

/// What is sent in answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Nothing,
    /// ACK at once: number and acknowledgement.
    Ack(u32, u32),
    /// ACK within half a second.
    AckSoon(u32, u32),
    /// ACK or nothing: both are right.
    AckOrNot(u32, u32),
    /// SYN,ACK; the acknowledgement.
    SynAck(u32),
    Rst(u32),
    /// RST,ACK with number 0.
    RstAck(u32),
}

impl Answer {
    fn of(out: &str, shift: u32) -> Answer {
        let value = |name: &str| {
            let text = out.split(' ').find_map(|w| w.strip_prefix(name)).unwrap_or("0");
            text.parse::<u32>().unwrap_or(0)
        };
        let (seq, ack) =
            (value("seq=").wrapping_sub(ISS), value("ack=").wrapping_sub(IRS).wrapping_add(shift));
        match out.split(' ').next().unwrap_or_default() {
            "-" => Answer::Nothing,
            "ACK(challenge)" | "ACK(now)" => Answer::Ack(seq, ack),
            "ACK(delayable)" | "ACK(now-or-delayable)" => Answer::AckSoon(seq, ack),
            "ACK(optional)" => Answer::AckOrNot(seq, ack),
            "SYN,ACK" => Answer::SynAck(ack),
            "RST" => Answer::Rst(seq),
            "RST,ACK" => Answer::RstAck(ack),
            other => panic!("answer {other}"),
        }
    }
}

/// What becomes of the connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// No variable changes.
    Stays,
    /// Something does.
    Changes,
}

/// One row: a state, a segment, an answer. Numbers are a script's.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub preset: Preset,
    pub seq_class: String,
    pub ack_class: String,
    pub flags: String,
    pub seq: u32,
    pub ack: u32,
    pub len: u32,
    pub snd_una: u32,
    pub snd_nxt: u32,
    pub rcv_nxt: u32,
    pub answer: Answer,
    pub before: String,
    pub next: String,
    pub una_after: u32,
    pub rcv_after: u32,
    pub delivered: u32,
    pub queued: u32,
    pub fin_queued: bool,
    pub signals: String,
    /// What Linux does differently, or nothing.
    pub code: String,
}

impl Row {
    fn of(row: &BTreeMap<String, String>) -> Option<Row> {
        let preset = Preset::of(&row["preset"])?;
        let shift = if preset.zero_window() { FILLED } else { 0 };
        let n = |name: &str| row[name].parse::<u32>().unwrap_or_else(|_| panic!("{name} of {row:?}"));
        let (ours, peers) =
            (|name| n(name).wrapping_sub(ISS), |name| n(name).wrapping_sub(IRS).wrapping_add(shift));
        let mut answer = Answer::of(&row["out"], shift);
        // A FIN that ends ESTABLISHED may wait for its ACK wherever it comes (N21).
        if let (Answer::Ack(seq, ack), "CLOSE-WAIT") = (&answer, row["next_state"].as_str())
            && row["state"] != "CLOSE-WAIT"
        {
            answer = Answer::AckSoon(*seq, *ack);
        }
        // Measured, and not among the codes of the table: both answers are right.
        let mut code = row["linux_differs"].clone();
        let behind_fin = matches!(preset, Preset::CloseWait | Preset::Closing | Preset::LastAck);
        if code.is_empty()
            && behind_fin
            && matches!(answer, Answer::AckOrNot(..))
            && row["state"] == row["next_state"]
        {
            code = "O1".into();
        }
        if code.is_empty() && row["seq_class"] == "ooo+straddle-right" && row["queued"] != "0" {
            code = "O2".into();
        }
        Some(Row {
            id: row["id"].clone(),
            preset,
            seq_class: row["seq_class"].clone(),
            ack_class: row["ack_class"].clone(),
            flags: if row["flags"] == "none" { String::new() } else { row["flags"].clone() },
            seq: peers("seg_seq"),
            ack: ours("seg_ack"),
            len: n("text_len"),
            snd_una: ours("snd_una"),
            snd_nxt: ours("snd_nxt"),
            rcv_nxt: peers("rcv_nxt"),
            answer,
            before: row["state"].clone(),
            next: row["next_state"].clone(),
            una_after: ours("snd_una2"),
            rcv_after: peers("rcv_nxt2"),
            delivered: n("delivered"),
            queued: n("queued"),
            fin_queued: row["fin_queued"] == "1",
            signals: row["signals"].clone(),
            code,
        })
    }

    /// What comes: one kind of segment.
    pub fn kind(&self) -> &'static str {
        match (self.flags.as_str(), self.len > 0) {
            ("R" | "RA", false) => "rst",
            ("R" | "RA", true) => "rst-text",
            ("RS", _) => "rst-syn",
            ("S", _) => "syn",
            ("SF", _) => "syn-fin",
            ("SA", _) => "syn-ack",
            ("SFA", _) => "syn-fin-ack",
            ("" | "F" | "FPU", _) => "no-ack",
            ("A", false) => "ack",
            ("A", true) => "text",
            ("UA", _) => "urg",
            ("FA", false) => "fin",
            ("FA", true) => "fin-text",
            other => panic!("flags {other:?}"),
        }
    }

    /// Where it is, for the name of a file.
    pub fn position(&self) -> String {
        let seq = self.seq_class.replace('+', "-");
        let flags = match self.flags.as_str() {
            "RA" => "-with-ack",
            _ => "",
        };
        match self.ack_class.as_str() {
            "-" | "any" => format!("{seq}{flags}"),
            ack => format!("{seq}-{ack}{flags}"),
        }
    }

    pub fn fate(&self) -> Fate {
        let same = self.before == self.next
            && self.snd_una == self.una_after
            && self.rcv_nxt == self.rcv_after
            && self.delivered == 0
            && self.queued == 0
            && !self.fin_queued
            && self.signals == "-";
        if same { Fate::Stays } else { Fate::Changes }
    }

    /// Whether a row that changes something has a script of its own: one of each kind that differs from its neighbours.
    pub fn tells_alone(&self) -> bool {
        let at = |classes: &[&str]| classes.contains(&self.seq_class.as_str());
        // One of each reason is enough.
        match self.code.as_str() {
            "O1" => return false,
            "Z2" => return self.kind() == "text" && self.seq_class == "next+100" && self.ack_class == "nxt",
            "R2" => return self.kind() == "rst-text" && self.flags == "R" && self.seq_class == "next+100",
            "O2" => return self.kind() == "text" && self.ack_class == self.preset.usual_ack(),
            _ => {}
        }
        match self.kind() {
            "rst" => at(&["next", "any", "keepalive0"]),
            "rst-text" => at(&["next+100", "any+text"]),
            "rst-syn" => at(&["next", "any"]),
            "syn" => at(&["next", "ooo", "right", "any", "any+text"]),
            "syn-fin" => at(&["ooo", "any"]),
            "syn-ack" => at(&["irs", "ooo", "any", "any+text"]),
            "syn-fin-ack" => at(&["any", "ooo"]),
            "ack" => at(&["next", "ooo", "last"]),
            "text" => at(&[
                "keepalive1",
                "straddle-left",
                "next+100",
                "next+fill",
                "next+over",
                "cover",
                "ooo+text",
                "ooo+straddle-right",
                "last+1",
            ]),
            "fin" => at(&["next", "ooo", "keepalive0"]),
            "fin-text" => at(&["next+100", "straddle-left", "next+fill", "ooo+text"]),
            _ => false,
        }
    }

    /// Whether the grid has this row: each axis with the usual value of the other, and what changes a state.
    fn is_wanted(&self) -> bool {
        // The number of the peer's first SYN is not its neighbour's once a window was filled; in TIME_WAIT a script's SYN
        // with that number is the first of another connection.
        let irs = self.seq_class.starts_with("irs");
        if irs && (self.preset.zero_window() || self.preset == Preset::TimeWait && !self.flags.contains('A'))
        {
            return false;
        }
        // A FIN needs no room, so the right edge behind it may be one octet further or not.
        let behind_fin =
            matches!(self.preset, Preset::CloseWait | Preset::Closing | Preset::LastAck | Preset::TimeWait);
        let at_the_edge =
            ["last", "last+1", "edge", "edge+1", "next+fill", "next+over", "cover", "ooo+straddle-right"];
        if behind_fin && at_the_edge.contains(&self.seq_class.as_str()) {
            return false;
        }
        if matches!(self.flags.as_str(), "PA" | "SFA")
            && !matches!(self.seq_class.as_str(), "irs" | "any" | "ooo")
        {
            return false;
        }
        let usual = self.ack_class == "-" || self.ack_class == self.preset.usual_ack();
        if usual || matches!(self.preset, Preset::Closed | Preset::Listen | Preset::SynSent) {
            return self.flags != "PA";
        }
        let changing = self.before != self.next
            && self.ack_class == "nxt"
            && matches!(self.kind(), "ack" | "text" | "fin" | "fin-text");
        let acks = matches!(self.seq_class.as_str(), "next" | "next+100")
            && matches!(self.flags.as_str(), "A" | "FA");
        changing || acks
    }
}

/// All rows of the grid, in the order of the table.
pub fn wanted() -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(SEGMENTS));
    let names = reader.headers().expect("header").clone();
    reader
        .records()
        .map(|r| r.expect("row"))
        .filter(|r| !r.iter().any(|field| field == "PA"))
        .filter_map(|r| Row::of(&names.iter().map(str::to_owned).zip(r.iter().map(str::to_owned)).collect()))
        .filter(Row::is_wanted)
        .collect()
}

/// What profile linux makes of a row that Linux answers differently.
pub enum Linux {
    /// Nothing that a script of this row shows.
    SameHere,
    /// As the row: the profile does not copy it.
    NotCopied,
    /// Another row.
    Copied(Box<Row>),
    /// It does copy it, and the row's columns cannot say how.
    LeftOut,
}

/// The row with Linux's answer.
pub fn as_linux(row: &Row) -> Linux {
    let mut linux = row.clone();
    let ack = Answer::Ack(row.snd_nxt, row.rcv_nxt);
    let syn_fin = u32::from(row.flags.contains('S')) + u32::from(row.flags.contains('F'));
    let stays = |linux: &mut Row| {
        (linux.next, linux.una_after, linux.rcv_after) = (row.before.clone(), row.snd_una, row.rcv_nxt);
        (linux.delivered, linux.queued, linux.fin_queued) = (0, 0, false);
        linux.signals = "-".into();
    };
    match row.code.as_str() {
        "T10" => return Linux::SameHere,
        "P2" => {
            linux.next = "LISTEN".into();
            linux.answer = match row.flags.contains('A') {
                true => Answer::Rst(row.ack),
                false => Answer::RstAck(row.seq.wrapping_add(row.len + syn_fin)),
            };
        }
        "A1" => linux.answer = ack,
        "A6" | "T3" => {
            stays(&mut linux);
            linux.answer = ack;
        }
        "S2" => {
            linux.next = "ESTABLISHED".into();
            linux.signals = "connected".into();
            linux.delivered = 0;
            linux.rcv_after = row.seq.wrapping_add(1);
            linux.answer = Answer::Ack(row.snd_nxt, linux.rcv_after);
        }
        // A half-open record does answer, but for one number at the very edge.
        "G1" if row.preset == Preset::SynRcvdPassive => return Linux::NotCopied,
        "G1" | "T6" => linux.answer = Answer::Nothing,
        "R1" | "T1" => {
            linux.next = "CLOSED".into();
            linux.answer = Answer::Nothing;
        }
        "T9" => linux.answer = ack,
        "G5" if matches!(row.preset, Preset::CloseWait | Preset::Closing | Preset::LastAck) => {
            stays(&mut linux);
            linux.answer = ack;
        }
        "G6" if row.preset == Preset::Closing => linux.answer = Answer::Nothing,
        "G4" | "G5" | "G6" | "G8" => return Linux::LeftOut,
        _ => return Linux::NotCopied,
    }
    Linux::Copied(Box::new(linux))
}
