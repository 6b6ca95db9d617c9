//! Looking on: what happens to every packet, and captures of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::Write as _;

use synfin_link::pcapng::{ByteSink, Direction, InterfaceId, Packet, Section, Writer};
use synfin_wire::Instant;

use crate::link::{Arrival, Fate};
use crate::{LinkId, NodeId};

/// One station of a packet's way.
#[derive(Copy, Clone, Debug)]
pub struct Seen<'a> {
    /// When.
    pub now: Instant,
    /// The node that sent it.
    pub from: NodeId,
    /// The node it is meant for, if any has the address.
    pub to: Option<NodeId>,
    /// The IP packet as it is at this station, checksums finished.
    pub bytes: &'a [u8],
    /// Which station.
    pub station: Station,
}

/// Where a packet is seen.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Station {
    /// Leaving `from`; what becomes of it is known already.
    Sent {
        /// The link it was put on; `None` if there was no way.
        link: Option<LinkId>,
        /// What becomes of it.
        fate: Fate,
    },
    /// Reaching `to`, before the stack sees it.
    Arrived(Condition),
}

/// How a packet arrives.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// As it was sent.
    Sound,
    /// With one bit wrong.
    Corrupted,
}

/// Who wants to see every packet.
pub trait Observer: Any {
    /// A packet was sent or arrives. Called in the order of time.
    fn on_packet(&mut self, seen: &Seen<'_>);
}

/// Records all packets as pcapng, one interface per node: outbound where sent, inbound where they arrive. Comments
/// tell of those that are lost, doubled or damaged. Times are virtual: the run begins in 1970.
pub struct Recorder<W: ByteSink> {
    writer: Writer<W>,
    interfaces: Vec<InterfaceId>,
    error: Option<W::Error>,
    comment: String,
}

impl<W: ByteSink> Recorder<W> {
    /// A capture with interfaces of these names, in the order of the nodes.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new<'n>(
        out: W,
        section: Section<'_>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Recorder<W>, W::Error> {
        let mut writer = Writer::new(out, section)?;
        let interfaces = names.into_iter().map(|name| writer.interface(name)).collect::<Result<_, _>>()?;
        Ok(Recorder { writer, interfaces, error: None, comment: String::new() })
    }

    /// What ended the capture early, if anything did.
    pub fn error(&self) -> Option<&W::Error> {
        self.error.as_ref()
    }

    /// Where it was written.
    pub fn get_mut(&mut self) -> &mut W {
        self.writer.get_mut()
    }

    fn describe(&mut self, station: Station) {
        let corrupted = |a: Arrival| if a.flipped.is_some() { " corrupted" } else { "" };
        self.comment.clear();
        // Writing to a string does not fail.
        let _ = match station {
            Station::Sent { fate: Fate::Lost(cause), .. } => write!(self.comment, "lost: {cause}"),
            Station::Sent { fate: Fate::Carried(a), .. } if a.flipped.is_some() => {
                write!(self.comment, "arrives corrupted at {:?}", a.at)
            }
            Station::Sent { fate: Fate::Doubled(a, b), .. } => {
                write!(
                    self.comment,
                    "arrives twice: at {:?}{}, at {:?}{}",
                    a.at,
                    corrupted(a),
                    b.at,
                    corrupted(b)
                )
            }
            Station::Arrived(Condition::Corrupted) => write!(self.comment, "corrupted on the way"),
            Station::Sent { .. } | Station::Arrived(Condition::Sound) => Ok(()),
        };
    }
}

impl<W: ByteSink + 'static> Observer for Recorder<W>
where
    W::Error: 'static,
{
    fn on_packet(&mut self, seen: &Seen<'_>) {
        let (node, direction) = match seen.station {
            Station::Sent { .. } => (Some(seen.from), Direction::Outbound),
            Station::Arrived(_) => (seen.to, Direction::Inbound),
        };
        let Some(&interface) = node.and_then(|NodeId(n)| self.interfaces.get(n as usize)) else { return };
        if self.error.is_some() {
            return;
        }
        self.describe(seen.station);
        let (nanos, comment, bytes) = (seen.now.nanos(), self.comment.as_str(), seen.bytes);
        self.error = self.writer.packet(Packet { interface, nanos, direction, comment, bytes }).err();
    }
}

#[cfg(test)]
mod tests;
