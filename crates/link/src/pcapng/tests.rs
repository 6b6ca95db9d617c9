use super::*;

use std::path::PathBuf;
use std::process::Command;
use std::string::{String, ToString};
use std::{env, format, fs, println, process, vec};

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use synfin_wire::tcp::Ports;
use synfin_wire::{Addr, Flags, Head, Seq, checksum::Sum, ipv4};

const SECTION: Section<'_> = Section { application: "synfin", comment: "seed 7" };

fn unwrap<T>(r: Result<T, Infallible>) -> T {
    let Ok(t) = r;
    t
}

/// `10.9.0.1:4000 > 10.9.0.2:80`, sequence number 1, with correct checksums.
fn segment(flags: Flags, text: &[u8]) -> Vec<u8> {
    let (src, dst) = (Addr::v4([10, 9, 0, 1]), Addr::v4([10, 9, 0, 2]));
    let mut head = [0; Head::MAX_LEN];
    let tcp = Head { seq: Seq::new(1), wnd: 1000, flags, ..Head::default() };
    let len = tcp.emit(Ports { src: 4000, dst: 80 }, &mut head);
    let mut tcp = [&head[..len], text].concat();
    let sum = Sum::pseudo(src, dst, 6, tcp.len() as u32).add(&tcp).finish();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let ip = ipv4::Head { src, dst, protocol: 6, ttl: 64, tos: 0 }.emit(tcp.len() as u16);
    [&ip, tcp.as_slice()].concat()
}

#[test]
fn section_header_by_octet() {
    let out = unwrap(Writer::new(Vec::new(), SECTION)).into_inner();
    #[rustfmt::skip]
    let expected = [
        // Block type, length, byte-order magic, version 1.0, section length unknown.
        0x0a, 0x0d, 0x0d, 0x0a, 56, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        // opt_comment, 6 octets and 2 of padding.
        1, 0, 6, 0, b's', b'e', b'e', b'd', b' ', b'7', 0, 0,
        // shb_userappl, 6 octets and 2 of padding.
        4, 0, 6, 0, b's', b'y', b'n', b'f', b'i', b'n', 0, 0,
        // opt_endofopt, length again.
        0, 0, 0, 0, 56, 0, 0, 0,
    ];
    assert_eq!(out, expected);
}

#[test]
fn interface_description_by_octet() {
    let mut writer = unwrap(Writer::new(Vec::new(), Section::default()));
    let start = writer.get_mut().len();
    assert_eq!(start, 32, "no options: 12 of frame, 16 of fixed fields, 4 of the options' end");
    assert_eq!(unwrap(writer.interface("tun0")), InterfaceId(0));
    #[rustfmt::skip]
    let expected = [
        // Block type, length, LINKTYPE_RAW, reserved, snap length 0.
        1, 0, 0, 0, 40, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0,
        // if_name.
        2, 0, 4, 0, b't', b'u', b'n', b'0',
        // if_tsresol 9, 3 octets of padding.
        9, 0, 1, 0, 9, 0, 0, 0,
        // opt_endofopt, length again.
        0, 0, 0, 0, 40, 0, 0, 0,
    ];
    assert_eq!(writer.get_mut()[start..], expected);
    assert_eq!(unwrap(writer.interface("")), InterfaceId(1));
}

#[test]
fn enhanced_packet_by_octet() {
    let mut writer = unwrap(Writer::new(Vec::new(), Section::default()));
    unwrap(writer.interface("a"));
    let interface = unwrap(writer.interface("b"));
    let start = writer.get_mut().len();
    let nanos = 0x0102_0304_0506_0708;
    let direction = Direction::Outbound;
    unwrap(writer.packet(Packet { interface, nanos, direction, comment: "é!", bytes: &[0x45, 1, 2, 3, 4] }));
    #[rustfmt::skip]
    let expected = [
        // Block type, length, interface, time (high, low), captured and original length.
        6, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 5, 0, 0, 0, 5, 0, 0, 0,
        // Packet with padding.
        0x45, 1, 2, 3, 4, 0, 0, 0,
        // opt_comment.
        1, 0, 3, 0, 0xc3, 0xa9, b'!', 0,
        // epb_flags: outbound.
        2, 0, 4, 0, 2, 0, 0, 0,
        // opt_endofopt, length again.
        0, 0, 0, 0, 60, 0, 0, 0,
    ];
    assert_eq!(writer.get_mut()[start..], expected);
}

#[test]
fn a_text_too_long_for_an_option_is_cut_between_characters() {
    let mut writer = unwrap(Writer::new(Vec::new(), Section::default()));
    let interface = unwrap(writer.interface("a"));
    let start = writer.get_mut().len();
    // Two octets each: 65,536 in all, one more than an option's length can say.
    let comment = "é".repeat(32_768);
    unwrap(writer.packet(Packet {
        interface,
        nanos: 0,
        direction: Direction::Inbound,
        comment: &comment,
        bytes: &[],
    }));
    let block = &writer.get_mut()[start..];
    assert_eq!(block[28..32], [1, 0, 0xfe, 0xff]);
    assert_eq!(block.len() % 4, 0);
    assert_eq!(u32::from_le_bytes(block[4..8].try_into().unwrap()) as usize, block.len());
}

#[test]
fn another_implementation_reads_it() {
    let mut writer = unwrap(Writer::new(Vec::new(), SECTION));
    let interfaces = ["left", "right"].map(|name| unwrap(writer.interface(name)));
    let sent: Vec<(Vec<u8>, Direction, String)> = (0..50usize)
        .map(|i| {
            let direction = if i % 2 == 0 { Direction::Inbound } else { Direction::Outbound };
            (vec![i as u8; i * 31], direction, "x".repeat(i % 9))
        })
        .collect();
    for (i, (bytes, direction, comment)) in sent.iter().enumerate() {
        let (interface, nanos) = (interfaces[i % 2], 1_700_000_000_123_456_789 + i as u64);
        unwrap(writer.packet(Packet { interface, nanos, direction: *direction, comment, bytes }));
    }
    let file = writer.into_inner();

    let mut reader = PcapNgReader::new(file.as_slice()).unwrap();
    let options = reader.section().options.clone();
    assert!(options.contains(&SectionHeaderOption::UserApplication("synfin".into())));
    assert!(options.contains(&SectionHeaderOption::Comment("seed 7".into())));
    let mut names = Vec::new();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(block) => {
                assert_eq!(block.linktype, DataLink::RAW);
                assert_eq!(block.snaplen, 0);
                assert!(block.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                names.extend(block.options.iter().find_map(|o| match o {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(block) => {
                let block = block.into_owned();
                packets.push((block.interface_id, block.original_len, block.data.to_vec(), block.options));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(names, ["left", "right"]);
    assert_eq!(packets.len(), sent.len());
    for (i, ((interface, len, data, options), (bytes, direction, comment))) in
        packets.iter().zip(&sent).enumerate()
    {
        assert_eq!((*interface as usize, *len as usize, data), (i % 2, bytes.len(), bytes));
        let flags = if *direction == Direction::Inbound { 1 } else { 2 };
        assert!(options.contains(&EnhancedPacketOption::Flags(flags)));
        let comments =
            options.iter().filter(|o| **o == EnhancedPacketOption::Comment(comment.as_str().into()));
        assert_eq!(comments.count(), usize::from(!comment.is_empty()));
    }
}

/// A file that is removed at the end.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

#[test]
fn tshark_reads_it() {
    let version = Command::new("tshark").arg("--version").output();
    if !version.is_ok_and(|out| out.status.success()) {
        println!("skipped: tshark is not installed");
        return;
    }
    let file = Temporary(env::temp_dir().join(format!("synfin-link-{}.pcapng", process::id())));
    let mut writer = Writer::new(Io(fs::File::create(&file.0).unwrap()), SECTION).unwrap();
    let interface = writer.interface("tun7").unwrap();
    let packets = [
        (Direction::Outbound, segment(Flags::SYN, b""), "opens"),
        (Direction::Inbound, segment(Flags::PSH, b"odd"), ""),
    ];
    for (i, (direction, bytes, comment)) in packets.iter().enumerate() {
        let nanos = 1_700_000_000_000_000_001 + i as u64;
        writer.packet(Packet { interface, nanos, direction: *direction, comment, bytes }).unwrap();
    }
    drop(writer);
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file.0).args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
    tshark.args(["-T", "fields", "-E", "separator=,"]);
    for field in [
        "frame.interface_name",
        "frame.time_epoch",
        "frame.packet_flags_direction",
        "frame.comment",
        "ip.checksum.status",
        "tcp.checksum.status",
        "tcp.srcport",
        "tcp.len",
        "_ws.malformed",
    ] {
        tshark.args(["-e", field]);
    }
    let out = tshark.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "tun7,1700000000.000000001,0x00000002,opens,1,1,4000,0,",
            "tun7,1700000000.000000002,0x00000001,,1,1,4000,3,"
        ]
    );
}
