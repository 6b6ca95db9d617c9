//! Prints lives of connections as ladders: `cargo run -p synfin-explain --example life -- [en|zh] [80|120] [color] [ascii]`.
//!
//! Shows how to feed a ladder; nothing here touches a network.

use synfin_explain::{
    Again, Certainty, Color, End, Event, Fate, Glyphs, Ladder, Lang, Mark, Options, Role, Segment, Side,
    State,
};
use synfin_wire::{Flags, Instant, Seq};

const WAY: u64 = 10_300;
const LEFT_ISS: u32 = 4_050_354_758;
const RIGHT_ISS: u32 = 77;

#[derive(Copy, Clone, PartialEq, Eq)]
enum How {
    Once,
    Again,
    Lost,
}

struct Script {
    ladder: Ladder,
    out: String,
}

impl Script {
    fn new(options: &Options) -> Script {
        let client = End::new(Role::Client, "10.9.0.1:46070").stack("Linux").state(State::Closed);
        let server = End::new(Role::Server, "10.9.0.2:8080").stack("synfin").state(State::Listen);
        Script { ladder: Ladder::new(client, server, options.clone()), out: String::new() }
    }

    /// A segment with numbers relative to the SYNs, times in microseconds.
    fn seg(&mut self, from: Side, us: u64, flags: Flags, (seq, ack): (u32, u32), text: &[u8], how: How) {
        let (mine, theirs) = if from == Side::Left { (LEFT_ISS, RIGHT_ISS) } else { (RIGHT_ISS, LEFT_ISS) };
        let mut seg = Segment::new(from, flags, Seq::new(mine) + seq, Seq::new(theirs) + ack);
        seg.departed = Some(Instant::from_micros(us));
        seg.arrived = Some(Instant::from_micros(us + WAY));
        seg.len = text.len() as u32;
        seg.text = text.to_vec();
        seg.window = Some(64_240);
        if how == How::Lost {
            seg.fate = Fate::Lost(Certainty::Certain);
        }
        if how == How::Again {
            seg.mark = Some(Mark::Retransmission(Again::Timer));
        }
        self.ladder.push(Event::Segment(seg));
        self.ladder.render_ready(&mut self.out);
    }

    fn state(&mut self, side: Side, us: u64, state: State) {
        let at = Instant::from_micros(us);
        self.ladder.push(Event::State { side, at, state, certainty: Certainty::Certain });
    }

    fn end(mut self) {
        self.ladder.finish(&mut self.out);
        println!("{}", self.out);
    }
}

const ACK: Flags = Flags::ACK;
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
const FIN_ACK: Flags = Flags::FIN.with(Flags::ACK);
const PSH_ACK: Flags = Flags::PSH.with(Flags::ACK);

/// A lost third ACK, a greeting, a half-close with a late answer, four closing segments, TIME_WAIT.
fn whole(options: &Options) {
    use Side::{Left, Right};
    let mut s = Script::new(options);
    s.seg(Left, 0, Flags::SYN, (0, 0), b"", How::Once);
    s.state(Left, 0, State::SynSent);
    s.state(Right, 10_300, State::SynRcvd);
    s.seg(Right, 10_300, SYN_ACK, (0, 1), b"", How::Once);
    s.state(Left, 20_600, State::Established);
    s.seg(Left, 20_600, ACK, (1, 1), b"", How::Lost);
    s.seg(Right, 1_040_500, SYN_ACK, (0, 1), b"", How::Again);
    s.seg(Left, 1_050_900, ACK, (1, 1), b"", How::Once);
    s.state(Right, 1_061_200, State::Established);
    s.seg(Right, 1_061_400, PSH_ACK, (1, 1), b"hello", How::Once);
    s.seg(Left, 1_071_900, ACK, (1, 6), b"", How::Once);
    s.seg(Left, 1_072_000, PSH_ACK, (1, 6), b"byebye\r\n", How::Lost);
    s.seg(Left, 1_300_000, PSH_ACK, (1, 6), b"byebye\r\n", How::Again);
    s.seg(Right, 1_310_300, ACK, (6, 9), b"", How::Once);
    s.state(Left, 1_330_000, State::FinWait1);
    s.seg(Left, 1_330_000, FIN_ACK, (9, 6), b"", How::Once);
    s.state(Right, 1_340_300, State::CloseWait);
    s.seg(Right, 1_340_350, ACK, (6, 10), b"", How::Once);
    s.state(Left, 1_350_650, State::FinWait2);
    s.seg(Right, 2_400_000, PSH_ACK, (6, 10), b"one more thing", How::Once);
    s.seg(Left, 2_410_300, ACK, (10, 20), b"", How::Once);
    s.seg(Right, 2_430_000, FIN_ACK, (20, 10), b"", How::Once);
    s.state(Right, 2_430_000, State::LastAck);
    s.state(Left, 2_440_300, State::TimeWait);
    s.seg(Left, 2_440_400, ACK, (10, 21), b"", How::Once);
    s.state(Right, 2_450_700, State::Closed);
    s.state(Left, 62_440_400, State::Closed);
    s.end();
}

/// Both ends close at the same moment: the FINs cross.
fn simultaneous(options: &Options) {
    use Side::{Left, Right};
    let mut s = Script::new(options);
    s.seg(Left, 0, Flags::SYN, (0, 0), b"", How::Once);
    s.state(Left, 0, State::SynSent);
    s.state(Right, 10_300, State::SynRcvd);
    s.seg(Right, 10_350, SYN_ACK, (0, 1), b"", How::Once);
    s.state(Left, 20_650, State::Established);
    s.seg(Left, 20_700, ACK, (1, 1), b"", How::Once);
    s.state(Right, 31_000, State::Established);
    s.seg(Left, 50_000, FIN_ACK, (1, 1), b"", How::Once);
    s.state(Left, 50_000, State::FinWait1);
    s.seg(Right, 50_200, FIN_ACK, (1, 1), b"", How::Once);
    s.state(Right, 50_200, State::FinWait1);
    s.state(Right, 60_300, State::Closing);
    s.seg(Right, 60_300, ACK, (2, 2), b"", How::Once);
    s.state(Left, 60_500, State::Closing);
    s.seg(Left, 60_500, ACK, (2, 2), b"", How::Once);
    s.state(Left, 70_600, State::TimeWait);
    s.state(Right, 70_800, State::TimeWait);
    s.end();
}

fn main() {
    let mut options = Options::default();
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "zh" => options.lang = Lang::Zh,
            "color" => options.color = Color::On,
            "ascii" => options.glyphs = Glyphs::Ascii,
            number => options.columns = number.parse().unwrap_or(80),
        }
    }
    whole(&options);
    simultaneous(&options);
}
