use super::*;

use crate::link::Cause;
use alloc::vec;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

const SENDER: NodeId = NodeId(0);
const RECEIVER: NodeId = NodeId(1);

fn seen(ms: u64, to: Option<NodeId>, station: Station) -> Seen<'static> {
    Seen { now: Instant::from_millis(ms), from: SENDER, to, bytes: &[0x45, 1, 2, 3], station }
}

fn sent(ms: u64, fate: Fate) -> Seen<'static> {
    seen(ms, Some(RECEIVER), Station::Sent { link: None, fate })
}

fn arrival(ms: u64, flipped: Option<u64>) -> Arrival {
    Arrival { at: Instant::from_millis(ms), flipped }
}

#[test]
fn a_recording_tells_where_and_what_became_of_it() {
    let section = Section { application: "test", comment: "seed 1" };
    let Ok(mut recorder) = Recorder::new(Vec::new(), section, ["a", "b"]);
    recorder.on_packet(&sent(1, Fate::Carried(arrival(11, None))));
    recorder.on_packet(&sent(2, Fate::Carried(arrival(12, Some(9)))));
    recorder.on_packet(&sent(3, Fate::Doubled(arrival(13, None), arrival(14, Some(0)))));
    recorder.on_packet(&sent(4, Fate::Lost(Cause::Wire)));
    recorder.on_packet(&seen(5, None, Station::Sent { link: None, fate: Fate::Lost(Cause::NoRoute) }));
    recorder.on_packet(&seen(11, Some(RECEIVER), Station::Arrived(Condition::Sound)));
    recorder.on_packet(&seen(12, Some(RECEIVER), Station::Arrived(Condition::Corrupted)));
    assert!(recorder.error().is_none());

    let mut reader = PcapNgReader::new(recorder.get_mut().as_slice()).unwrap();
    let mut found = vec![];
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(block) = block.unwrap().into_owned() {
            assert_eq!(*block.data, [0x45, 1, 2, 3]);
            let comment = block.options.iter().find_map(|o| match o {
                EnhancedPacketOption::Comment(c) => Some(c.clone().into_owned()),
                _ => None,
            });
            let inbound = block.options.contains(&EnhancedPacketOption::Flags(1));
            found.push((block.interface_id, inbound, comment.unwrap_or_default()));
        }
    }
    let expected = [
        (0, false, ""),
        (0, false, "arrives corrupted at 0.012000s"),
        (0, false, "arrives twice: at 0.013000s, at 0.014000s corrupted"),
        (0, false, "lost: on the wire"),
        (0, false, "lost: no route"),
        (1, true, ""),
        (1, true, "corrupted on the way"),
    ];
    assert_eq!(found, expected.map(|(node, inbound, comment)| (node, inbound, String::from(comment))));
}
