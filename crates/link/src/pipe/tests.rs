use super::*;

use crate::Gso;
use core::num::NonZeroU16;
use std::vec;

const CAPS: Caps = Caps::plain(100);

fn received(pipe: &mut Pipe, side: Side) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let Ok(count) = pipe.end(side).recv(&mut |frame| got.push(frame.bytes.to_vec()));
    assert_eq!(count, got.len());
    got
}

#[test]
fn what_one_end_sends_the_other_receives_in_order() {
    let mut pipe = Pipe::new(CAPS, 8);
    let mut a = pipe.end(Side::A);
    a.tx().push(b"head", &[b" and", b"", b" text"], TxMeta::default());
    a.tx().push(b"second", &[], TxMeta::default());
    pipe.end(Side::B).tx().push(b"back", &[], TxMeta::default());
    assert_eq!((pipe.waiting(Side::A), pipe.waiting(Side::B)), (1, 2));
    assert_eq!(received(&mut pipe, Side::B), [b"head and text".to_vec(), b"second".to_vec()]);
    assert_eq!(received(&mut pipe, Side::A), [b"back".to_vec()]);
    assert_eq!(received(&mut pipe, Side::A), Vec::<Vec<u8>>::new());
}

#[test]
fn room_is_bounded_and_pushing_without_room_loses() {
    let mut pipe = Pipe::new(CAPS, 2);
    let mut a = pipe.end(Side::A);
    for (i, room) in [2, 1, 0].into_iter().enumerate() {
        assert_eq!(a.tx().room(), room);
        a.tx().push(&[i as u8], &[], TxMeta::default());
    }
    assert_eq!(pipe.lost(Side::A), Lost { no_room: 1, too_long: 0 });
    assert_eq!(pipe.lost(Side::B), Lost::default());
    assert_eq!(received(&mut pipe, Side::B), [[0], [1]]);
    assert_eq!(pipe.end(Side::A).tx().room(), 2);
}

#[test]
fn packets_longer_than_the_mtu_are_lost() {
    let mut pipe = Pipe::new(CAPS, 4);
    pipe.end(Side::A).push(&[1; 40], &[&[2; 60]], TxMeta::default());
    pipe.end(Side::A).push(&[1; 40], &[&[2; 61]], TxMeta::default());
    let gso = Some(Gso { size: NonZeroU16::MIN });
    pipe.end(Side::A).push(&[1; 40], &[], TxMeta { gso, checksum: None });
    assert_eq!(pipe.lost(Side::A), Lost { no_room: 0, too_long: 2 });
    assert_eq!(received(&mut pipe, Side::B), [[vec![1; 40], vec![2; 60]].concat()]);
}

#[test]
fn offloads_pass_through() {
    let caps = Caps { mtu: 100, max_gso: 1000, tx_checksum: true };
    let mut pipe = Pipe::new(caps, 4);
    let size = NonZeroU16::new(60).unwrap();
    let checksum = Some(crate::TxChecksum { start: 20, offset: 16 });
    pipe.end(Side::B).push(&[1; 40], &[&[2; 200]], TxMeta { gso: Some(Gso { size }), checksum });
    pipe.end(Side::B).push(&[1; 40], &[], TxMeta::default());
    let mut metas = Vec::new();
    let Ok(_) = pipe.end(Side::A).recv(&mut |frame| metas.push((frame.bytes.len(), frame.meta)));
    let merged = RxMeta { checksum: ChecksumFact::Trusted, gro: Some(size), link_broadcast: false };
    assert_eq!(metas, [(240, merged), (40, RxMeta::default())]);
}

#[test]
fn buffers_are_used_again() {
    let mut pipe = Pipe::new(CAPS, 4);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..100u8 {
        for _ in 0..4 {
            pipe.end(Side::A).push(&[round; 100], &[], TxMeta::default());
        }
        let Ok(_) = pipe.end(Side::B).recv(&mut |frame| {
            seen.insert(frame.bytes.as_ptr().addr());
        });
    }
    assert_eq!(seen.len(), 4);
}
