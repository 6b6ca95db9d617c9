use super::*;

use crate::pcapng::Section;
use crate::pipe::{Pipe, Side};
use crate::{Gso, TxChecksum};
use core::cell::Cell;
use core::num::NonZeroU16;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::vec;
use synfin_wire::checksum::Sum;

/// Data, flags and comment of each packet of a capture.
fn packets(file: &[u8]) -> Vec<(Vec<u8>, u32, String)> {
    let mut reader = PcapNgReader::new(file).unwrap();
    let mut found = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(block) = block.unwrap() {
            let (mut flags, mut comment) = (0, String::new());
            for option in &block.options {
                match option {
                    EnhancedPacketOption::Flags(f) => flags = *f,
                    EnhancedPacketOption::Comment(c) => comment = c.clone().into_owned(),
                    _ => {}
                }
            }
            found.push((block.data.to_vec(), flags, comment));
        }
    }
    found
}

fn writer() -> (Writer<Vec<u8>>, InterfaceId) {
    let Ok(mut writer) = Writer::new(Vec::new(), Section::default());
    let Ok(interface) = writer.interface("tap");
    (writer, interface)
}

#[test]
fn both_ways_are_recorded_and_go_on() {
    let mut pipe = Pipe::new(Caps::plain(100), 2);
    pipe.end(Side::B).push(b"hello", &[], TxMeta::default());
    let (writer, interface) = writer();
    let heard = Cell::new(0);
    let remark = |_: Direction, bytes: &[u8], out: &mut String| {
        if bytes == b"hello" {
            // Asked after the receiver is done.
            assert_eq!(heard.get(), 1);
            out.push_str("greeting");
        }
    };
    let mut tap = Tap::new(pipe.end(Side::A), writer, interface, || 5, remark);
    assert_eq!(tap.caps(), Caps::plain(100));
    let Ok(count) = tap.recv(&mut |frame| {
        assert_eq!(frame.bytes, b"hello");
        heard.set(heard.get() + 1);
    });
    assert_eq!((count, heard.get()), (1, 1));
    let tx = tap.tx();
    assert_eq!(tx.room(), 2);
    tx.push(b"by", &[b"eb", b"ye"], TxMeta::default());
    assert_eq!(tx.room(), 1);
    let Ok(()) = tap.flush();
    tap.tx().push(b"more", &[], TxMeta::default());
    tap.tx().push(b"too much", &[], TxMeta::default());
    assert!(tap.error().is_none());
    let (_, writer) = tap.into_parts();
    assert_eq!(
        packets(&writer.into_inner()),
        [
            (b"hello".to_vec(), 1, "greeting".into()),
            (b"byebye".to_vec(), 2, String::new()),
            (b"more".to_vec(), 2, String::new())
        ]
    );
    let mut got = Vec::new();
    let Ok(_) = pipe.end(Side::B).recv(&mut |frame| got.push(frame.bytes.to_vec()));
    assert_eq!(got, [b"byebye".to_vec(), b"more".to_vec()]);
}

#[test]
fn checksums_left_to_the_device_are_recorded_finished() {
    let caps = Caps { mtu: 100, max_gso: 1000, tx_checksum: true };
    let mut pipe = Pipe::new(caps, 4);
    let (writer, interface) = writer();
    let mut tap = Tap::new(pipe.end(Side::A), writer, interface, || 0, |_, _: &[u8], _: &mut String| {});
    let mut head = vec![3u8; 40];
    head[36..38].fill(0);
    let meta = TxMeta {
        checksum: Some(TxChecksum { start: 20, offset: 16 }),
        gso: NonZeroU16::new(60).map(|size| Gso { size }),
    };
    tap.tx().push(&head, &[&[9; 121]], meta);
    let (_, writer) = tap.into_parts();
    let [(recorded, ..)] = packets(&writer.into_inner()).try_into().unwrap();
    assert_eq!(recorded.len(), 161);
    assert_eq!(Sum::new().add(&recorded[20..]).finish(), 0);
    // The device itself gets what was pushed.
    let Ok(_) = pipe.end(Side::B).recv(&mut |frame| assert_eq!(frame.bytes[36..38], [0, 0]));
}

/// Takes so many writes and no more.
struct Full(u32);

impl ByteSink for Full {
    type Error = &'static str;

    fn write(&mut self, _: &[u8]) -> Result<(), &'static str> {
        self.0 = self.0.checked_sub(1).ok_or("full")?;
        Ok(())
    }
}

#[test]
fn a_broken_capture_ends_and_the_device_goes_on() {
    let mut pipe = Pipe::new(Caps::plain(100), 8);
    let mut writer = Writer::new(Full(3), Section::default()).unwrap();
    let interface = writer.interface("tap").unwrap();
    let mut tap = Tap::new(pipe.end(Side::A), writer, interface, || 0, |_, _: &[u8], _: &mut String| {});
    tap.tx().push(b"one", &[], TxMeta::default());
    assert_eq!(tap.error(), None);
    tap.tx().push(b"two", &[], TxMeta::default());
    assert_eq!(tap.error(), Some(&"full"));
    tap.tx().push(b"three", &[], TxMeta::default());
    drop(tap);
    assert_eq!(pipe.waiting(Side::B), 3);
}
