use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use synfin_wire::{Flags, Instant, Seq};

use crate::model::{Again, Color, Detail, Glyphs, Lang, Words};
use crate::*;
use Side::{Left, Right};

const ACK: Flags = Flags::ACK;
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
const FIN_ACK: Flags = Flags::FIN.with(Flags::ACK);
const RST_ACK: Flags = Flags::RST.with(Flags::ACK);
const PSH_ACK: Flags = Flags::PSH.with(Flags::ACK);

/// Both ends number from near the end of the space, so that relative numbers must wrap.
const ISS: [u32; 2] = [0xffff_fffe, 4_050_354_758];

struct Script {
    ladder: Ladder,
}

fn end(role: Role, state: State) -> End {
    let address = if role == Role::Client { "10.9.0.1:46070" } else { "10.9.0.2:8080" };
    End::new(role, address).state(state)
}

fn us(us: u64) -> Instant {
    Instant::from_micros(us)
}

impl Script {
    fn new(options: Options) -> Script {
        let ladder = Ladder::new(end(Role::Client, State::Closed), end(Role::Server, State::Listen), options);
        Script { ladder }
    }

    /// A segment with relative numbers that leaves and comes at these microseconds.
    fn make(from: Side, leaves: u64, comes: u64, flags: Flags, seq: u32, ack: u32, len: u32) -> Segment {
        let [left, right] = ISS;
        let (mine, theirs) = if from == Left { (left, right) } else { (right, left) };
        let mut seg = Segment::new(from, flags, Seq::new(mine) + seq, Seq::new(theirs) + ack);
        (seg.departed, seg.arrived, seg.len) = (Some(us(leaves)), Some(us(comes)), len);
        seg
    }

    #[expect(clippy::too_many_arguments, reason = "scripts read best as tables")]
    fn seg(&mut self, from: Side, leaves: u64, comes: u64, flags: Flags, seq: u32, ack: u32, len: u32) {
        self.push(Script::make(from, leaves, comes, flags, seq, ack, len));
    }

    fn lost(&mut self, from: Side, leaves: u64, flags: Flags, seq: u32, ack: u32, len: u32) {
        let mut seg = Script::make(from, leaves, leaves, flags, seq, ack, len);
        seg.fate = Fate::Lost(Certainty::Certain);
        self.push(seg);
    }

    fn push(&mut self, seg: Segment) {
        self.ladder.push(Event::Segment(seg));
    }

    fn state(&mut self, side: Side, at: u64, state: State) {
        self.ladder.push(Event::State { side, at: us(at), state, certainty: Certainty::Certain });
    }

    fn text(mut self) -> String {
        let mut out = String::new();
        self.ladder.finish(&mut out);
        out
    }

    /// The keys of all sentences, and the rows.
    fn keys(mut self) -> Vec<&'static str> {
        self.ladder.advance(Instant::NEVER);
        let mut keys = Vec::new();
        while let Some(row) = self.ladder.next_row() {
            match row {
                Row::Segment(row) if !matches!(row.part, Part::Arrival(_)) => {
                    keys.push(row.sentence.word.key())
                }
                Row::State { sentence: Some(sentence), .. } => keys.push(sentence.word.key()),
                _ => {}
            }
        }
        keys
    }

    /// SYN, SYN,ACK, ACK with 10 ms each way, ending at 30 ms.
    fn open(&mut self) {
        self.seg(Left, 0, 10_000, Flags::SYN, 0, 0, 0);
        self.state(Left, 0, State::SynSent);
        self.state(Right, 10_000, State::SynRcvd);
        self.seg(Right, 10_000, 20_000, SYN_ACK, 0, 1, 0);
        self.state(Left, 20_000, State::Established);
        self.seg(Left, 20_000, 30_000, ACK, 1, 1, 0);
        self.state(Right, 30_000, State::Established);
    }
}

fn opened() -> Script {
    let mut s = Script::new(Options { fold: Fold::Off, ..Options::default() });
    s.open();
    s
}

fn lost_third_ack(options: Options) -> String {
    let mut s = Script::new(options);
    s.seg(Left, 0, 10_300, Flags::SYN, 0, 0, 0);
    s.state(Left, 0, State::SynSent);
    s.state(Right, 10_300, State::SynRcvd);
    s.seg(Right, 10_300, 20_600, SYN_ACK, 0, 1, 0);
    s.state(Left, 20_600, State::Established);
    s.lost(Left, 20_600, ACK, 1, 1, 0);
    s.seg(Right, 1_040_500, 1_050_900, SYN_ACK, 0, 1, 0);
    s.seg(Left, 1_050_900, 1_061_100, ACK, 1, 1, 0);
    s.state(Right, 1_061_100, State::Established);
    s.text()
}

#[test]
fn an_opening_with_a_lost_third_ack_at_80_columns() {
    let expected = "      ms      CLIENT  10.9.0.1:46070         10.9.0.2:8080  SERVER            ms
              CLOSED │                                    │ LISTEN
     0.0    SYN_SENT ├─ SYN seq=0 ───────────────────────▶│ SYN_RCVD        10.3
                      \"I want to talk; my bytes are numbered from 0.\"
    20.6 ESTABLISHED │◀───────────── SYN,ACK seq=0 ack=1 ─┤ ·               10.3
                      \"Heard you. My bytes are numbered from 0 too.\"
    20.6           · ├─ ACK seq=1 ack=1 ────╳             │ ·
                      ┄ lost on the wire; only the client believes it is open
                     ┊  silence 1.02 s (SYN,ACK timer)    ┊
  1050.9           · │◀───────────── SYN,ACK seq=0 ack=1 ─┤ ·             1040.5
                      R sent again, because no ACK came
  1050.9           · ├─ ACK seq=1 ack=1 ─────────────────▶│ ESTABLISHED   1061.1
                      \"Heard you too.\" Both are sure now. The loss cost 1.04 s.
";
    assert_eq!(lost_third_ack(Options::default()), expected);
}

#[test]
fn the_same_in_chinese_with_ascii_lines() {
    let options =
        Options { lang: Lang::Zh, glyphs: Glyphs::Ascii, words: Words::Short, ..Options::default() };
    let expected = "    20.6           . |- ACK seq=1 ack=1 ----x             | .
                      . 在线路上丢了：只有客户端以为已连接
                     :   静默 1.02 s（SYN,ACK 定时器）    :
  1050.9           . |<------------- SYN,ACK seq=0 ack=1 -| .             1040.5
                      R 重发：没有等到 ACK
  1050.9           . |- ACK seq=1 ack=1 ----------------->| ESTABLISHED   1061.1
                      “我也听到你了。”双方都确信。
";
    let text = lost_third_ack(options);
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn at_120_columns_each_segment_has_one_line() {
    let text = lost_third_ack(Options { columns: 120, ..Options::default() });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    assert_eq!(
        lines[6],
        "  1050.9           · │◀───────────── SYN,ACK seq=0 ack=1 ─┤ ·             1040.5 R sent again: no ACK came"
    );
    assert_eq!(lines[2].chars().position(|c| c == '"'), Some(81));
}

#[test]
fn crossing_segments_take_two_rows_with_a_letter() {
    let mut s = Script {
        ladder: Ladder::new(
            End::new(Role::PeerA, "a").state(State::Closed),
            End::new(Role::PeerB, "b").state(State::Closed),
            Options { words: Words::Off, ..Options::default() },
        ),
    };
    s.seg(Left, 0, 100_300, Flags::SYN, 0, 0, 0);
    s.state(Left, 0, State::SynSent);
    s.seg(Right, 0, 100_300, Flags::SYN, 0, 0, 0);
    s.state(Right, 0, State::SynSent);
    s.state(Right, 100_300, State::SynRcvd);
    s.state(Left, 100_300, State::SynRcvd);
    let expected = "     0.0    SYN_SENT ├─ SYN seq=0 ────────────────── a    │ ·
                   · │    b ────────────────── SYN seq=0 ─┤ SYN_SENT         0.0
                   · │  a ───────────────────────────────▶┤ SYN_RCVD       100.3
   100.3    SYN_RCVD ├◀─────────────────────────────── b  │ ·
";
    let text = s.text();
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn four_closing_segments_the_client_first() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Right, 60_000, 70_000, ACK, 1, 2, 0);
    s.seg(Right, 90_000, 100_000, FIN_ACK, 1, 2, 0);
    s.seg(Left, 100_000, 110_000, ACK, 2, 2, 0);
    let keys = s.keys();
    assert_eq!(keys[..3], ["seg.syn", "seg.synack", "seg.ack3"]);
    assert_eq!(keys[3..], ["seg.fin", "seg.ack_fin", "seg.fin.second", "seg.lastack"]);
}

#[test]
fn four_closing_segments_the_server_first() {
    let mut s = opened();
    s.seg(Right, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Left, 60_000, 70_000, ACK, 1, 2, 0);
    s.seg(Left, 90_000, 100_000, FIN_ACK, 1, 2, 0);
    s.seg(Right, 100_000, 110_000, ACK, 2, 2, 0);
    assert_eq!(s.keys()[3..], ["seg.fin", "seg.ack_fin", "seg.fin.second", "seg.lastack"]);
}

#[test]
fn three_closing_segments() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Right, 60_000, 70_000, FIN_ACK, 1, 2, 0);
    s.seg(Left, 70_000, 80_000, ACK, 2, 2, 0);
    assert_eq!(s.keys()[3..], ["seg.fin", "seg.fin_ack", "seg.lastack"]);
}

#[test]
fn simultaneous_close_is_not_a_merged_fin() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Right, 50_500, 60_500, FIN_ACK, 1, 1, 0);
    s.seg(Right, 60_000, 70_000, ACK, 2, 2, 0);
    s.seg(Left, 60_500, 70_500, ACK, 2, 2, 0);
    assert_eq!(s.keys()[3..], ["seg.fin", "seg.fin.simul", "seg.ack_fin.simul", "seg.ack_fin.simul"]);
}

#[test]
fn a_simultaneous_open_has_no_retransmission() {
    let mut s = Script::new(Options::default());
    s.seg(Left, 0, 100_000, Flags::SYN, 0, 0, 0);
    s.seg(Right, 50, 100_050, Flags::SYN, 0, 0, 0);
    s.seg(Right, 100_000, 200_000, SYN_ACK, 0, 1, 0);
    s.seg(Left, 100_050, 200_050, SYN_ACK, 0, 1, 0);
    s.seg(Left, 200_000, 300_000, ACK, 1, 1, 0);
    s.seg(Right, 200_050, 300_050, ACK, 1, 1, 0);
    let expected =
        ["seg.syn", "seg.syn.simul", "seg.synack.simul", "seg.synack.simul", "seg.ack3", "seg.ack.plain"];
    assert_eq!(s.keys(), expected);
}

#[test]
fn what_does_not_belong_to_the_life_does_not_disturb_it() {
    let mut s = opened();
    s.seg(Left, 40_000, 50_000, PSH_ACK, 1, 1, 2);
    s.seg(Right, 50_000, 60_000, ACK, 1, 3, 0);
    // A FIN 90,000 below the window, a SYN with another number, an RST that is not exact.
    s.seg(Left, 130_000, 140_000, FIN_ACK, 0u32.wrapping_sub(90_000), 1, 0);
    s.seg(Right, 140_000, 150_000, ACK, 1, 3, 0);
    s.seg(Left, 150_000, 160_000, Flags::SYN, 244_612_544, 0, 0);
    s.seg(Right, 160_000, 170_000, ACK, 1, 3, 0);
    s.seg(Left, 170_000, 180_000, Flags::RST, 507, 0, 0);
    s.seg(Right, 180_000, 190_000, ACK, 1, 3, 0);
    s.seg(Left, 190_000, 200_000, FIN_ACK, 3, 1, 0);
    let expected = [
        "seg.data",
        "seg.ack",
        "seg.stray",
        "seg.ack.plain",
        "seg.syn.on_open",
        "seg.challenge",
        "seg.rst.inexact",
        "seg.challenge",
        "seg.fin",
    ];
    assert_eq!(s.keys()[3..], expected);
}

#[test]
fn time_wait_answers_an_old_syn_with_its_own_numbers() {
    let mut s = opened();
    s.seg(Right, 40_000, 50_000, FIN_ACK, 1, 1, 0);
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 2, 0);
    s.seg(Right, 60_000, 70_000, ACK, 2, 2, 0);
    s.seg(Left, 100_000, 110_000, Flags::SYN, 0u32.wrapping_sub(5000), 0, 0);
    s.seg(Right, 110_000, 120_000, ACK, 2, 2, 0);
    s.seg(Left, 120_000, 130_000, Flags::RST, 2, 0, 0);
    let text = s.text();
    assert!(text.contains("──────── ACK seq=2 ack=2 ─┤"), "{text}");
    assert!(text.contains("├─ RST seq=2 ─"), "{text}");
}

#[test]
fn simultaneous_close_seen_from_one_end() {
    // The kernel's capture of such a close, 200 ms round trip, at the client.
    let mut s = Script::new(Options { infer: Some(Right), ..Options::default() });
    let mut one = |from: Side, at: u64, flags: Flags, seq: u32, ack: u32| {
        let mut seg = Script::make(from, at, at, flags, seq, ack, 0);
        if from == Left {
            seg.arrived = None;
        } else {
            seg.departed = None;
        }
        s.push(seg);
    };
    one(Left, 0, Flags::SYN, 0, 0);
    one(Right, 200_500, SYN_ACK, 0, 1);
    one(Left, 200_600, ACK, 1, 1);
    one(Left, 427_300, FIN_ACK, 1, 1);
    one(Right, 527_900, FIN_ACK, 1, 1);
    one(Left, 527_900, ACK, 2, 2);
    one(Right, 628_300, ACK, 2, 2);
    assert_eq!(s.keys()[3..], ["seg.fin", "seg.fin.simul", "seg.ack_fin.simul", "seg.ack_fin.simul"]);
}

#[test]
fn a_lost_last_ack_and_its_repair() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Right, 60_000, 70_000, ACK, 1, 2, 0);
    s.seg(Right, 90_000, 100_000, FIN_ACK, 1, 2, 0);
    s.lost(Left, 100_000, ACK, 2, 2, 0);
    s.seg(Right, 290_000, 300_000, FIN_ACK, 1, 2, 0);
    s.seg(Left, 300_000, 310_000, ACK, 2, 2, 0);
    assert_eq!(s.keys()[6..], ["lost.lastack", "seg.fin.again", "seg.lastack.again"]);
}

#[test]
fn half_close_data_and_the_numbers_of_its_fin() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, PSH_ACK, 1, 1, 1000);
    s.seg(Right, 60_000, 70_000, ACK, 1, 1001, 0);
    s.seg(Left, 70_000, 80_000, FIN_ACK, 1001, 1, 0);
    s.seg(Right, 80_000, 90_000, ACK, 1, 1002, 0);
    s.seg(Right, 95_000, 105_000, PSH_ACK, 1, 1002, 5);
    s.seg(Left, 105_000, 115_000, ACK, 1002, 6, 0);
    let text = s.text();
    assert!(text.contains("FIN,ACK seq=1001 ack=1 "), "{text}");
    assert!(text.contains("\"Got your FIN, number 1001: ack=1002.\" I may still send."), "{text}");
    assert!(text.contains("half-closed: the client is done"), "{text}");
}

#[test]
fn resets_of_three_kinds() {
    let mut s = Script::new(Options::default());
    s.seg(Left, 0, 10_000, Flags::SYN, 0, 0, 0);
    let mut refused = Script::make(Right, 10_000, 20_000, RST_ACK, 0, 1, 0);
    (refused.seq, refused.window) = (Seq::new(0), Some(0));
    s.push(refused);
    assert_eq!(s.keys(), ["seg.syn", "seg.rst.refused"]);

    let mut s = opened();
    s.seg(Left, 50_000, 60_000, PSH_ACK, 1, 1, 5);
    let mut gone = Script::make(Right, 60_000, 70_000, Flags::RST, 1, 0, 0);
    gone.window = Some(0);
    s.state(Right, 55_000, State::Closed);
    s.push(gone);
    assert_eq!(s.keys().last(), Some(&"seg.rst.nosock"));

    let mut s = opened();
    s.seg(Left, 50_000, 60_000, RST_ACK, 1, 1, 0);
    assert_eq!(s.keys().last(), Some(&"seg.rst.abort"));
}

#[test]
fn a_state_told_before_its_segment_stands_in_its_row() {
    let mut s = opened();
    s.state(Left, 50_000, State::FinWait1);
    s.seg(Left, 50_100, 60_000, FIN_ACK, 1, 1, 0);
    s.state(Right, 61_000, State::CloseWait);
    s.state(Left, 65_000, State::Closed);
    s.seg(Left, 65_000, 75_000, RST_ACK, 2, 1, 0);
    s.state(Right, 75_000, State::Closed);
    let text = s.text();
    assert!(text.contains("    50.1  FIN_WAIT_1 ├─ FIN,ACK"), "{text}");
    assert!(text.contains("▶│ CLOSE_WAIT      60.0\n"), "{text}");
    assert!(
        text.contains("    65.0      CLOSED ├─ RST,ACK seq=2 ack=1 ─────────────▶│ CLOSED          75.0\n"),
        "{text}"
    );
}

#[test]
fn a_state_that_no_segment_explains_has_a_row() {
    let mut s = opened();
    s.state(Left, 100_000, State::FinWait1);
    s.lost(Left, 100_000, FIN_ACK, 1, 1, 0);
    s.state(Left, 900_000_000, State::Closed);
    let text = s.text();
    assert!(text.contains("┊"), "{text}");
    assert!(text.contains("900000.0      CLOSED │                                    │ ·\n"), "{text}");
}

#[test]
fn a_second_life_counts_from_zero_and_has_its_sign() {
    let mut s = opened();
    s.seg(Left, 50_000, 60_000, FIN_ACK, 1, 1, 0);
    s.seg(Right, 60_000, 70_000, FIN_ACK, 1, 2, 0);
    s.seg(Left, 70_000, 80_000, ACK, 2, 2, 0);
    s.seg(Left, 100_000, 110_000, Flags::SYN, 90_000, 0, 0);
    s.seg(Right, 110_000, 120_000, SYN_ACK, 50_000, 90_001, 0);
    let mut old = Script::make(Left, 115_000, 125_000, FIN_ACK, 1, 1, 0);
    (old.life, old.mark) = (Some(1), Some(Mark::Stale));
    s.push(old);
    s.seg(Left, 130_000, 140_000, ACK, 90_001, 50_001, 0);
    let text = s.text();
    assert!(text.contains("├─ ② SYN seq=0 ─"), "{text}");
    assert!(text.contains(" ② SYN,ACK seq=0 ack=1 ─┤"), "{text}");
    assert!(text.contains("! left over from an older connection"), "{text}");
    assert!(text.contains("├─ ② ACK seq=1 ack=1 ─"), "{text}");
    assert!(text.contains("├─ FIN,ACK seq=1 ack=1 ─"), "{text}");
}

#[test]
fn labels_drop_window_options_and_numbers_in_their_order() {
    let one = |flags: Flags, len: u32, numbers: Numbers, options: &str, columns: u16| -> String {
        let mut s = Script::new(Options { detail: Detail::Full, numbers, columns, ..Options::default() });
        let mut seg = Script::make(Right, 0, 10, flags, 0, 1, len);
        (seg.window, seg.options) = (Some(64_240), String::from(options));
        s.push(seg);
        let text = s.text();
        let line = String::from(text.lines().nth(2).unwrap_or(""));
        String::from(
            line.trim_start_matches([' ', '│', '◀', '─', '.', '0', '·']).split(" ─┤").next().unwrap_or(""),
        )
    };
    use Numbers::{Absolute, Relative};
    assert_eq!(one(ACK, 0, Relative, "", 80), "ACK seq=1 ack=1 win=64240");
    assert_eq!(one(Flags::SYN, 0, Relative, "mss 1460,ws 7", 80), "SYN seq=0 <mss 1460,ws 7>");
    assert_eq!(one(Flags::SYN, 0, Relative, "mss 1460,sack,ts 1 0,ws 7", 80), "SYN seq=0");
    assert_eq!(one(ACK, 0, Absolute, "", 80), "ACK ack=4294967295");
    assert_eq!(one(SYN_ACK, 0, Absolute, "mss 1460", 80), "SYN,ACK seq=4050354758");
    assert_eq!(one(PSH_ACK, 5, Absolute, "", 80), "ACK seq=4050354758 len=5");
    assert_eq!(one(ACK, 146_000, Relative, "", 80), "ACK seq=1 ack=1 len=146k");
}

#[test]
fn bulk_folds_and_no_count_is_lost() {
    let mut s = Script::new(Options::default());
    s.open();
    for i in 0..62u32 {
        s.seg(Left, 40_000 + u64::from(i), 50_000 + u64::from(i), ACK, 1 + 1448 * i, 1, 1448);
    }
    s.seg(Left, 41_000, 51_000, FIN_ACK, 1 + 1448 * 62, 1, 0);
    let text = s.text();
    // Four rows are shown, the other 58 folded.
    assert_eq!(text.matches("len=1448").count(), 4, "{text}");
    assert!(text.contains("┊  58 segments, 83,984 B, no loss    ┊"), "{text}");
}

#[test]
fn one_vantage_leaves_the_far_clock_empty_and_marks_far_states() {
    let mut s = Script::new(Options { infer: Some(Left), ..Options::default() });
    let mut one = |from: Side, at: u64, flags: Flags, seq: u32, ack: u32| {
        let mut seg = Script::make(from, at, at, flags, seq, ack, 0);
        if from == Left {
            seg.departed = None;
        } else {
            seg.arrived = None;
        }
        s.push(seg);
    };
    one(Left, 0, Flags::SYN, 0, 0);
    one(Right, 10, SYN_ACK, 0, 1);
    one(Left, 20_000, ACK, 1, 1);
    one(Left, 30_000, FIN_ACK, 1, 1);
    one(Right, 30_050, ACK, 1, 2);
    one(Right, 40_000, FIN_ACK, 1, 2);
    one(Left, 60_000, ACK, 2, 2);
    let text = s.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[2], "           ≈SYN_SENT ├─ SYN seq=0 ───────────────────────▶│ ·                0.0",
        "{text}"
    );
    assert!(lines[6].starts_with("        ≈ESTABLISHED ├─ ACK seq=1 ack=1"), "{text}");
    assert!(lines[8].starts_with("         ≈FIN_WAIT_1 ├─ FIN,ACK"), "{text}");
    assert!(text.contains("          ≈TIME_WAIT ├─ ACK seq=2 ack=2"), "{text}");
}

#[test]
fn probes_and_challenges_are_told_apart() {
    let windowed = |from, leaves, comes, flags, seq, ack, len, window| {
        let mut seg = Script::make(from, leaves, comes, flags, seq, ack, len);
        seg.window = Some(window);
        seg
    };
    let mut s = opened();
    s.push(windowed(Left, 40_000, 50_000, PSH_ACK, 1, 1, 10, 1000));
    s.push(windowed(Right, 50_000, 60_000, ACK, 1, 11, 0, 0));
    s.push(windowed(Left, 400_000, 410_000, ACK, 10, 1, 0, 1000));
    s.push(windowed(Right, 410_000, 420_000, ACK, 1, 11, 0, 0));
    s.push(windowed(Right, 500_000, 510_000, ACK, 1, 11, 0, 5000));
    s.push(windowed(Left, 9_000_000, 9_010_000, ACK, 10, 1, 0, 1000));
    s.push(windowed(Right, 9_010_000, 9_020_000, ACK, 1, 11, 0, 5000));
    let mut rst = windowed(Left, 9_100_000, 9_110_000, Flags::RST, 500, 0, 0, 0);
    rst.mark = Some(Mark::Forged);
    s.push(rst);
    s.push(windowed(Right, 9_110_000, 9_120_000, ACK, 1, 11, 0, 5000));
    let expected = [
        "seg.data",
        "seg.window.closed",
        "seg.probe",
        "seg.probe.full",
        "seg.window.open",
        "seg.keepalive",
        "seg.keepalive.answer",
        "seg.forged",
        "seg.challenge",
    ];
    assert_eq!(s.keys()[3..], expected);
}

#[test]
fn rows_come_out_as_soon_as_nothing_can_change_them() {
    let mut s = Script::new(Options::default());
    let mut out = String::new();
    s.seg(Left, 0, 10_000, Flags::SYN, 0, 0, 0);
    s.ladder.render_ready(&mut out);
    assert_eq!(out, "", "the SYN is still on its way");
    s.ladder.advance(us(15_000));
    s.ladder.render_ready(&mut out);
    assert_eq!(out, "", "a state may still be told");
    s.ladder.advance(us(31_000));
    s.ladder.render_ready(&mut out);
    assert_eq!(out.lines().count(), 4, "{out}");
    s.state(Right, 40_000, State::SynRcvd);
    s.ladder.finish(&mut out);
    assert!(
        out.ends_with("                   · │                                    │ SYN_RCVD        40.0\n"),
        "{out}"
    );
}

// ---- Properties --------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Any {
    gap: u64,
    way: u64,
    right: bool,
    flags: u16,
    seq: u32,
    ack: u32,
    len: u32,
    window: Option<u32>,
    fate: u8,
    mark: u8,
    state: Option<usize>,
    text: Vec<u8>,
    options: String,
    seen: u8,
}

fn any_event() -> impl Strategy<Value = Any> {
    let numbers = prop_oneof![0u32..20, any::<u32>()];
    let lens = prop_oneof![Just(0u32), 1u32..3000, any::<u32>()];
    let times = prop_oneof![0u64..1_000_000, 0u64..1_000_000_000_000];
    (
        (times.clone(), times, any::<bool>(), 0u16..512, numbers.clone(), numbers, lens),
        (
            proptest::option::of(prop_oneof![Just(0u32), any::<u32>()]),
            0u8..8,
            0u8..16,
            proptest::option::of(0usize..11),
            proptest::collection::vec(any::<u8>(), 0..4),
            "[a-z,\u{4e00}-\u{4e10} \u{1b}]{0,40}",
            0u8..6,
        ),
    )
        .prop_map(
            |((gap, way, right, flags, seq, ack, len), (window, fate, mark, state, text, options, seen))| {
                Any { gap, way, right, flags, seq, ack, len, window, fate, mark, state, text, options, seen }
            },
        )
}

fn play(ladder: &mut Ladder, events: &[Any], out: &mut String) {
    const MARKS: [Mark; 10] = [
        Mark::Retransmission(Again::Timer),
        Mark::Retransmission(Again::Fast),
        Mark::Retransmission(Again::Probe),
        Mark::Retransmission(Again::Spurious),
        Mark::Duplicate,
        Mark::LateOriginal,
        Mark::WindowProbe,
        Mark::KeepAlive,
        Mark::Forged,
        Mark::Stale,
    ];
    let mut now = 0u64;
    for e in events {
        now = now.saturating_add(e.gap);
        let from = if e.right { Right } else { Left };
        let mut seg = Segment::new(from, Flags(e.flags), Seq::new(e.seq), Seq::new(e.ack));
        seg.departed = (e.seen != 1).then_some(Instant::from_nanos(now));
        seg.arrived = (e.seen != 2).then_some(Instant::from_nanos(now.saturating_add(e.way)));
        (seg.len, seg.window, seg.text, seg.options) = (e.len, e.window, e.text.clone(), e.options.clone());
        seg.fate = match e.fate {
            0 => Fate::Lost(Certainty::Certain),
            1 => Fate::Lost(Certainty::Inferred),
            _ => Fate::Delivered,
        };
        seg.mark = MARKS.get(usize::from(e.mark)).copied();
        ladder.push(Event::Segment(seg));
        if let Some(state) = e.state {
            let certainty = if e.seen == 3 { Certainty::Inferred } else { Certainty::Certain };
            let at = Instant::from_nanos(now);
            ladder.push(Event::State { side: from, at, state: State::ALL[state], certainty });
        }
        if e.seen == 4 {
            ladder.push(Event::Note { at: Instant::from_nanos(now), text: e.options.clone() });
        }
        ladder.render_ready(out);
    }
    ladder.finish(out);
}

/// The text without escape sequences of colours.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_line_is_wider_than_asked(
        events in proptest::collection::vec(any_event(), 0..40),
        columns in prop_oneof![Just(80u16), Just(120u16), 60u16..200],
        mode in 0u32..64,
        words in 0u8..4,
        infer in 0u8..3,
        address in "[\u{20}-\u{7e}\u{4e00}-\u{4e10}]{1,60}",
    ) {
        let pick = |bit: u32| mode & (1 << bit) != 0;
        let options = Options {
            lang: if pick(0) { Lang::Zh } else { Lang::En },
            glyphs: if pick(1) { Glyphs::Ascii } else { Glyphs::Unicode },
            color: if pick(2) { Color::On } else { Color::Off },
            numbers: if pick(3) { Numbers::Absolute } else { Numbers::Relative },
            fold: if pick(4) { Fold::Off } else { Fold::On },
            detail: if pick(5) { Detail::Full } else { Detail::Plain },
            words: [Words::Auto, Words::Off, Words::Short, Words::Full][usize::from(words)],
            infer: [None, Some(Left), Some(Right)][usize::from(infer)],
            columns,
            ..Options::default()
        };
        let mut ladder = Ladder::new(
            End::new(Role::Client, address.clone()).stack(address.clone()),
            End::new(Role::PeerB, address).state(State::Listen),
            options.clone(),
        );
        let mut out = String::new();
        play(&mut ladder, &events, &mut out);
        let arrow = usize::from(columns.min(80)) - 44;
        for line in bare(&out).lines() {
            prop_assert!(crate::width::of(line) <= usize::from(columns), "{line}");
            prop_assert_eq!(line.trim_end(), line);
            prop_assert!(!line.contains('\u{1b}'), "escape");
            // Lifelines stand in the same two columns in every row that has them.
            let at = |column: usize| {
                let mut width = 0;
                line.chars().find(|c| { width += crate::width::of_char(*c); width > column })
            };
            let post = |c: Option<char>| matches!(c, Some('│' | '├' | '┤' | '┊'));
            if options.glyphs == Glyphs::Unicode && post(at(21)) {
                prop_assert!(post(at(22 + arrow)), "{line}");
            }
        }
        // Nothing is kept behind.
        prop_assert!(ladder.items.is_empty() && ladder.lines.left.is_empty() && ladder.lines.right.is_empty());
    }

    /// Each column's times only grow, and every segment appears (delivered ones at both ends, on one row or two).
    #[test]
    fn each_line_is_in_time_order(events in proptest::collection::vec(any_event(), 0..60)) {
        let mut ladder = Ladder::new(
            End::new(Role::Client, "c"),
            End::new(Role::Server, "s"),
            Options { fold: Fold::Off, ..Options::default() },
        );
        // All output comes at the end: rows are taken, not lines.
        let mut lines = String::new();
        let mut quiet: Vec<Any> = events.clone();
        for e in &mut quiet {
            e.seen = 0;
        }
        let mut rows = Vec::new();
        let mut now = 0u64;
        for e in &quiet {
            now += e.gap;
            let mut seg = Segment::new(if e.right { Right } else { Left }, Flags(e.flags), Seq::new(e.seq), Seq::new(e.ack));
            seg.departed = Some(Instant::from_nanos(now));
            seg.arrived = Some(Instant::from_nanos(now + e.way));
            if e.fate == 0 {
                seg.fate = Fate::Lost(Certainty::Certain);
            }
            ladder.push(Event::Segment(seg));
            rows.extend(core::iter::from_fn(|| ladder.next_row()));
        }
        ladder.advance(Instant::NEVER);
        rows.extend(core::iter::from_fn(|| ladder.next_row()));
        ladder.finish(&mut lines);
        let mut last = [Instant::ZERO; 2];
        let mut ends = 0;
        for row in &rows {
            let Row::Segment(row) = row else { continue };
            for (cell, last) in [row.left, row.right].iter().zip(&mut last) {
                if let Some(at) = cell.at {
                    prop_assert!(at >= *last);
                    *last = at;
                    ends += 1;
                }
            }
        }
        let expected: usize = quiet.iter().map(|e| if e.fate == 0 { 1 } else { 2 }).sum();
        prop_assert_eq!(ends, expected);
    }
}
