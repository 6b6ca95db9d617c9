//! What a player of scripts with other means than the engine's needs: packets to inject, packets to compare, code to run.

use synfin_wire::{Flags, Seq, Tuple};

use crate::ast::{Body, Packet};
use crate::code::{self, Trouble, Variables};
use crate::compare::{Limits, Shown, difference};
use crate::engine::{learn_stamps, segment_in};
use crate::host::Fields;
use crate::seq;
use crate::wire::{self, Parsed};

/// One connection: how its numbers on the wire and in the script translate.
#[derive(Clone, Debug)]
pub struct Flow(seq::Flow);

/// What a player has to know of a segment that came out.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Whose it is, seen from the stack.
    pub tuple: Tuple,
    /// All flags.
    pub flags: Flags,
    /// Octets of text.
    pub text: usize,
}

/// Reads a packet; `None`: no segment.
pub fn look(packet: &[u8]) -> Option<Seen> {
    match wire::parse(packet) {
        Parsed::Tcp(seg) => Some(Seen { tuple: seg.tuple, flags: seg.flags, text: seg.text.len() }),
        _ => None,
    }
}

impl Flow {
    /// A connection of which nothing was seen.
    pub fn new(tuple: Tuple) -> Flow {
        Flow(seq::Flow::new(tuple, Seq::new(0xffff_fe00)))
    }

    /// Whose it is, seen from the stack.
    pub fn tuple(&self) -> Tuple {
        self.0.tuple
    }

    /// The packet to inject for a line of the script, its ports replaced if the line names some.
    ///
    /// # Errors
    /// What cannot be made of the line.
    pub fn inject(&mut self, packet: &Packet) -> Result<Vec<u8>, String> {
        let own = self.0.tuple;
        if let Some((source, destination)) = packet.ports {
            (self.0.tuple.remote.port, self.0.tuple.local.port) = (source, destination);
        }
        let made = match &packet.body {
            Body::Tcp(spec) => segment_in(spec, &mut self.0).and_then(|s| s.packet(&packet.ip)),
            Body::Icmp(spec) => wire::icmp_packet(spec, &self.0, &packet.ip),
            Body::Udp(_) => Err("UDP is not supported".into()),
        };
        self.0.tuple = own;
        made
    }

    /// Whether packets that came out one after another are, as one, what a line of the script expects. Flags count as those
    /// of the last one.
    ///
    /// # Errors
    /// What differs, with both sides.
    pub fn expect(&mut self, packet: &Packet, live: &[Vec<u8>]) -> Result<(), String> {
        let Body::Tcp(spec) = &packet.body else { return Err("only segments can be expected".into()) };
        let mut whole: Option<wire::OutSegment> = None;
        for piece in live {
            let Parsed::Tcp(mut seg) = wire::parse(piece) else { return Err("a broken packet".into()) };
            if let Some(before) = whole.take() {
                if before.seq + before.text.len() as u32 != seg.seq {
                    return Err("pieces with a gap".into());
                }
                seg.seq = before.seq;
                seg.text.splice(0..0, before.text);
            }
            whole = Some(seg);
        }
        let seg = whole.ok_or("nothing was sent")?;
        let shown = Shown::of_segment(&seg, &self.0, spec.seq);
        let limits = Limits { tick: None, tolerance: 0, glued: false };
        if let Some(what) = difference(spec, &packet.ip, &shown, &seg, &self.0, &limits) {
            return Err(format!("another {what}: expected {}, got {shown}", Shown::of_spec(spec)));
        }
        if seg.flags.has(Flags::SYN) {
            self.0.learn_ours(spec.seq, seg.seq);
            if seg.flags.has(Flags::ACK) {
                self.0.peer_text = self.0.peer_to_script(seg.ack);
            }
        }
        learn_stamps(spec, &seg, &mut self.0);
        Ok(())
    }
}

/// Code of a script, with the variables that it sets.
#[derive(Clone, Debug, Default)]
pub struct Code(Variables);

impl Code {
    /// Runs a piece.
    ///
    /// # Errors
    /// What does not hold, or is not understood.
    pub fn run(&mut self, text: &str, fields: &Fields) -> Result<(), String> {
        code::run(text, &mut self.0, &|name| fields.get(name).copied()).map_err(|trouble| match trouble {
            Trouble::NotUnderstood(what) => format!("code not understood: {what}"),
            Trouble::False { assertion, values } => format!("{assertion} does not hold: {values}"),
        })
    }
}
