use core::num::NonZeroU16;

use synfin_link::Gso;

use super::*;

#[test]
fn what_goes_in_comes_out_in_order_and_no_more_than_fits() {
    let mut l = Looped::new(1024);
    let mut pushed = 0u16;
    while l.room() > 0 {
        l.push(&pushed.to_be_bytes(), &[b"te", b"xt"], TxMeta::default());
        pushed += 1;
    }
    assert_eq!(usize::from(pushed), 1024);
    l.push(b"too much", &[], TxMeta::default());
    assert_eq!(l.len(), 1024);
    for i in 0..pushed {
        let (packet, meta) = l.pop().unwrap();
        assert_eq!(packet, [&i.to_be_bytes()[..], b"text"].concat());
        assert_eq!(meta.checksum, ChecksumFact::Trusted);
        l.recycle(packet);
    }
    assert!(l.is_empty() && l.spare.len() == KEEP && l.spare.iter().all(Vec::is_empty));
}

#[test]
fn a_super_segment_arrives_as_a_merged_one() {
    let mut l = Looped::new(1024);
    let size = NonZeroU16::new(1460);
    l.push(b"head", &[], TxMeta { checksum: None, gso: size.map(|size| Gso { size }) });
    assert_eq!(l.pop().unwrap().1.gro, size);
}
