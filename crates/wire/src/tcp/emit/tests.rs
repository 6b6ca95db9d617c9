use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::tcp::{OptionsIn, Segment, Timestamps};

const PORTS: Ports = Ports { src: 4000, dst: 80 };

fn emit(head: &Head) -> Vec<u8> {
    let mut buf = [0xee; Head::MAX_LEN];
    let len = head.emit(PORTS, &mut buf);
    assert!(buf[len..].iter().all(|b| *b == 0xee), "wrote behind its length");
    buf[..len].to_vec()
}

fn sack_blocks(n: u8) -> OptionsOut {
    let block = |i: u32| SackBlock { left: Seq::new(i * 100), right: Seq::new(i * 100 + 50) };
    OptionsOut { sack: [block(1), block(2), block(3), block(4)], sack_len: n, ..Default::default() }
}

#[test]
fn octets_of_a_syn() {
    let opts = OptionsOut {
        mss: Some(1460),
        wscale: Some(7),
        sack_permitted: true,
        ts: Some(Timestamps { val: 0x0102_0304, ecr: 0 }),
        ..Default::default()
    };
    let head =
        Head { seq: Seq::new(0x1122_3344), wnd: 0xfaf0, flags: Flags::SYN, opts, ..Default::default() };
    let want = [
        0x0f, 0xa0, 0, 80, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 5,
        0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    assert_eq!(emit(&head), want);
}

/// RFC 7323 appendix A: the layout that receivers expect on every segment.
#[test]
fn octets_of_an_ack() {
    let opts = OptionsOut { ts: Some(Timestamps { val: 1, ecr: 2 }), ..Default::default() };
    let head = Head { ack: Some(Seq::new(9)), urg: Some(7), flags: Flags::AE, opts, ..Default::default() };
    let bytes = emit(&head);
    assert_eq!(bytes[8..20], [0, 0, 0, 9, 0x81, 0x30, 0, 0, 0, 0, 0, 7]);
    assert_eq!(bytes[20..], [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
}

#[test]
fn ack_and_urg_follow_from_their_fields() {
    let head = Head { flags: Flags::PSH, ..Default::default() };
    assert_eq!(head.all_flags(), Flags::PSH);
    let head = Head { ack: Some(Seq::new(0)), urg: Some(0), ..head };
    assert_eq!(head.all_flags(), Flags(0x38));
    assert!(!head.is_empty() && head.opts.is_empty());
}

/// RFC 2018 3: four blocks alone, three beside timestamps, fewer beside more.
#[test]
fn sack_blocks_that_fit() {
    let ts = Some(Timestamps::default());
    for (opts, blocks, len) in [
        (sack_blocks(0), 0, 0),
        (sack_blocks(1), 1, 12),
        (sack_blocks(4), 4, 36),
        (sack_blocks(200), 4, 36),
        (OptionsOut { ts, ..sack_blocks(4) }, 3, 40),
        (OptionsOut { ts, ..sack_blocks(3) }, 3, 40),
        (OptionsOut { ts, mss: Some(1), ..sack_blocks(4) }, 2, 36),
        (OptionsOut { ts, mss: Some(1), wscale: Some(1), sack_permitted: true, ..sack_blocks(4) }, 2, 40),
    ] {
        let bytes = emit(&Head { opts, ..Default::default() });
        assert_eq!((opts.len(), bytes.len()), (len, 20 + len));
        let found = OptionsIn::parse(&bytes[20..]);
        assert!(found.sack().eq(opts.sack.iter().take(blocks).copied()));
    }
}

fn options() -> impl Strategy<Value = OptionsOut> {
    let block = any::<(u32, u32)>().prop_map(|(l, r)| SackBlock { left: Seq::new(l), right: Seq::new(r) });
    let ts = any::<(u32, u32)>().prop_map(|(val, ecr)| Timestamps { val, ecr });
    (
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<bool>(),
        prop::option::of(ts),
        [(); 4].map(|()| block.clone()),
        any::<u8>(),
    )
        .prop_map(|(mss, wscale, sack_permitted, ts, sack, sack_len)| OptionsOut {
            mss,
            wscale,
            sack_permitted,
            ts,
            sack,
            sack_len,
        })
}

fn heads() -> impl Strategy<Value = Head> {
    let seq = || any::<u32>().prop_map(Seq::new);
    // Every flag but ACK and URG.
    let flags = (0u16..512).prop_map(|f| Flags(f).without(Flags::ACK.with(Flags::URG)));
    (seq(), prop::option::of(seq()), any::<u16>(), flags, any::<Option<u16>>(), options())
        .prop_map(|(seq, ack, wnd, flags, urg, opts)| Head { seq, ack, wnd, flags, urg, opts })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_emitted_parses(head in heads(), src: u16, dst: u16, text in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut buf = [0xee; Head::MAX_LEN];
        let len = head.emit(Ports { src, dst }, &mut buf);
        prop_assert_eq!(len, head.len());
        prop_assert!(len % 4 == 0 && (20..=60).contains(&len));
        prop_assert_eq!(&buf[16..18], &[0, 0]);
        let bytes = [&buf[..len], &text].concat();
        let (ports, seg) = Segment::parse(&bytes).unwrap();
        prop_assert_eq!(ports, Ports { src, dst });
        prop_assert_eq!((seg.seq, seg.ack, seg.wnd, seg.urg), (head.seq, head.ack, head.wnd, head.urg));
        prop_assert_eq!((seg.flags, seg.payload), (head.all_flags(), &text[..]));
        let (sent, got) = (head.opts, seg.opts);
        prop_assert_eq!((got.mss, got.wscale, got.sack_permitted, got.ts), (sent.mss, sent.wscale, sent.sack_permitted, sent.ts));
        let blocks: Vec<_> = got.sack().collect();
        let wanted = usize::from(sent.sack_len).min(4);
        prop_assert_eq!(&blocks[..], &sent.sack[..blocks.len()]);
        // All that was asked for, or as many as 40 octets hold: one more would not have fitted.
        prop_assert!(blocks.len() == wanted || (blocks.len() < wanted && sent.len() > 40 - 12));
    }

    /// SECURITY G7: every octet of the header is written, whatever was in the buffer before.
    #[test]
    fn nothing_of_the_buffer_leaks(head in heads()) {
        let (mut a, mut b) = ([0; Head::MAX_LEN], [0xff; Head::MAX_LEN]);
        let len = head.emit(PORTS, &mut a);
        head.emit(PORTS, &mut b);
        prop_assert_eq!(&a[..len], &b[..len]);
    }
}
