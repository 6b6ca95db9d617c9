use synfin_wire::checksum::Sum;
use synfin_wire::{Addr, ipv4};

use super::*;

const SRC: Addr = Addr::v4([192, 168, 0, 1]);
const DST: Addr = Addr::v4([192, 0, 2, 1]);

fn packet(seq: u32, text: usize) -> Vec<u8> {
    let mut tcp = vec![0x1f, 0x90, 0xcb, 0x20];
    tcp.extend(seq.to_be_bytes());
    tcp.extend([0, 0, 0, 9, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    tcp.extend((0..text).map(|i| i as u8));
    let sum = Sum::pseudo(SRC, DST, TCP, tcp.len() as u32).add(&tcp).finish().to_be_bytes();
    tcp[16..18].copy_from_slice(&sum);
    let head = ipv4::Head { src: SRC, dst: DST, protocol: TCP, ttl: 64, tos: 0 };
    [&head.emit(tcp.len() as u16)[..], &tcp].concat()
}

fn pushed(packet: &[u8]) -> bool {
    let tcp = &packet[20..];
    assert_eq!(Sum::pseudo(SRC, DST, TCP, tcp.len() as u32).add(tcp).finish(), 0, "checksum");
    tcp[13] & 8 != 0
}

#[test]
fn what_goes_on_is_pushed_and_nothing_else() {
    let (mut first, mut second, mut third) = (packet(u32::MAX - 99, 1000), packet(900, 1001), packet(7, 10));
    let last = hand_out(&mut first, None);
    assert!(last.is_some() && !pushed(&first));
    let last = hand_out(&mut second, last);
    assert!(pushed(&second));
    let last = hand_out(&mut third, last);
    assert!(!pushed(&third), "it begins elsewhere");
    assert!(last.is_some());
    assert_eq!(hand_out(&mut packet(17, 0), last), None, "no text, nothing to go on with");
}

#[test]
fn nonsense_stays_as_it_is() {
    for mut bytes in [vec![], vec![0x45; 30], vec![0x60; 60]] {
        let before = bytes.clone();
        assert_eq!(hand_out(&mut bytes, None), None);
        assert_eq!(bytes, before);
    }
}
