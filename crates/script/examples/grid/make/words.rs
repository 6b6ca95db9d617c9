//! Names and reasons for people.

/// Where the segment begins, and how long it is.
pub fn seq_class(class: &str) -> &str {
    match class {
        "any" => "",
        "any+text" => "with text",
        "left" => "SEQ left of the window",
        "left+text" => "text left of the window",
        "left-adjacent" => "text that ends at RCV.NXT",
        "keepalive0" => "SEQ = RCV.NXT - 1",
        "keepalive1" => "one octet before RCV.NXT",
        "straddle-left" => "text half old, half new",
        "irs" => "SEQ of the peer's SYN",
        "irs+text" => "text from the number of the peer's SYN",
        "next" => "SEQ = RCV.NXT",
        "next+1" => "one octet at RCV.NXT",
        "next+100" => "100 octets at RCV.NXT",
        "next+fill" => "text that fills the window",
        "next+over" => "text 100 octets longer than the window",
        "cover" => "text from left of the window to right of it",
        "ooo" => "SEQ inside the window",
        "ooo+text" => "100 octets inside the window",
        "ooo+straddle-right" => "text across the right edge",
        "last" => "SEQ = last number of the window",
        "last+1" => "the last octet of the window",
        "edge" => "SEQ at the right edge",
        "edge+1" => "one octet at the right edge",
        "right" => "SEQ right of the window",
        "right+text" => "text right of the window",
        "antipode" => "SEQ = RCV.NXT + 2^31",
        other => panic!("no word for {other}"),
    }
}

/// What is acknowledged.
pub fn ack_class(class: &str) -> &str {
    match class {
        "-" | "any" => "",
        "too-old" => "ACK far below SND.UNA",
        "old-edge" => "ACK a window below SND.UNA",
        "old" => "ACK = SND.UNA - 1",
        "una" => "ACK = SND.UNA",
        "mid" => "ACK of half the text",
        "all-but-fin" => "ACK of all text, not of FIN",
        "nxt" => "ACK = SND.NXT",
        "too-new" => "ACK = SND.NXT + 1",
        "far-new" => "ACK 2^30 ahead",
        other => panic!("no word for {other}"),
    }
}

/// What Linux does instead, measured, and why this stack does not or does so only in profile linux.
pub fn reason(code: &str) -> &'static str {
    match code {
        "S1" => "sends its SYN again at once after a bad acknowledgement; RFC 9293 leaves that to the timer",
        "S2" => "ignores text and FIN on the SYN,ACK; RFC 9293 3.10.7.3 goes on to take them",
        "P2" => {
            "resets a half-open record for a SYN in the window; RFC 9293 3.10.7.4 goes back to LISTEN in silence"
        }
        "A1" => {
            "answers the peer's SYN again with a bare ACK after a crossing open; SYN,ACK is the faster cure"
        }
        "A4" => "takes ACK = ISS as the end of a crossing open; RFC 9293 demands SND.UNA < SEG.ACK",
        "A6" => {
            "tests the sequence number before the acknowledgement after a crossing open; both are in RFC 9293"
        }
        "G1" => {
            "is silent to a segment outside the window without ACK, RST, SYN; RFC 9293 3.10.7.4 tests the number first"
        }
        "G3" => {
            "delivers text with an acknowledgement too old when the window is the same; RFC 5961 5 forbids it"
        }
        "G4" => "takes SEG.SEQ at the right edge for inside; RFC 9293 3.4 has SEG.SEQ < RCV.NXT+RCV.WND",
        "G5" => "drops text beyond the right edge as a whole when octets are unread; RFC 9293 trims it",
        "G6" => "does not answer the old segment that ends CLOSING; RFC 9293 3.10.7.4 answers it",
        "G8" => "takes text beyond the right edge when nothing is unread; RFC 9293 trims it",
        "Z2" => "does not process the acknowledgement of text at a zero window; RFC 9293 MUST-66 does",
        "R1" => "accepts a RST one number early behind a FIN; RFC 9293 drops it",
        "R2" => "drops a RST with text beyond the window; RFC 9293 judges it by its number alone",
        "R3" => {
            "challenges a RST at the edge, or with text that reaches the window; RFC 5961 3 drops what is outside"
        }
        "C1" => "resets when text reaches beyond the peer's FIN; RFC 9293 ignores the text",
        "C2" => "counts a second FIN behind overlapping text; a stream has one",
        "T1" => "lets a RST end TIME_WAIT unless tcp_rfc1337 is set; RFC 1337 ignores it",
        "T2" => "deletes TIME_WAIT for a SYN,FIN; RFC 9293 3.10.7.4 challenges it",
        "T3" => "wants a new SYN beyond RCV.NXT; RFC 6191 is content with more than the FIN's number",
        "T4" => "takes a SYN 2^31 ahead for new: the tie of a signed comparison",
        "T6" => "ignores pure acknowledgements in TIME_WAIT; RFC 5961 5 answers an impossible one",
        "T7" | "T8" => "answers text or FIN without ACK in TIME_WAIT; RFC 9293 drops segments without ACK",
        "T9" => "answers a pure acknowledgement ahead of RCV.NXT in TIME_WAIT; two such ends would not rest",
        "T10" => "restarts 2 MSL for any acknowledgement; this stack for the repeated FIN alone",
        "O1" => "is silent to text and FIN behind the peer's FIN; an ACK is as right",
        "O2" => "keeps what came out of order beyond the right edge; RFC 9293 trims it",
        _ => "",
    }
}
