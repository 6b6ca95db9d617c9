use super::*;

use std::vec::Vec;
use synfin_wire::Addr;

#[test]
fn finished_checksum_holds() {
    let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    for len in [20usize, 21, 64, 1461] {
        let mut packet: Vec<u8> = (0..20 + len).map(|i| (i * 7 + 3) as u8).collect();
        let pseudo = Sum::pseudo(src, dst, 6, len as u32);
        packet[36..38].copy_from_slice(&pseudo.partial().to_be_bytes());
        finish_checksum(&mut packet, TxChecksum { start: 20, offset: 16 });
        assert_eq!(pseudo.add(&packet[20..]).finish(), 0, "len {len}");
    }
}

#[test]
fn a_place_outside_the_packet_changes_nothing() {
    let before = [1u8, 2, 3, 4];
    for (start, offset) in [(5, 0), (4, 0), (0, 3), (u16::MAX, u16::MAX)] {
        let mut packet = before;
        finish_checksum(&mut packet, TxChecksum { start, offset });
        assert_eq!(packet, before, "{start} {offset}");
    }
}
