use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::SackBlock;

/// Ports 1 and 2, SEQ 3, ACK 4, window 5, urgent pointer 6.
fn segment(data_offset: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let fixed = [0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, data_offset << 4, flags, 0, 5, 0xaa, 0xbb, 0, 6];
    [&fixed[..], rest].concat()
}

/// What an area holds, found in another way than the code finds it: by index, kinds and lengths in a table.
#[derive(Default, PartialEq, Debug)]
struct Model {
    mss: Option<u16>,
    wscale: Option<u8>,
    sack_permitted: bool,
    ts: Option<Timestamps>,
    sack: Vec<SackBlock>,
}

fn word(b: &[u8]) -> u32 {
    b.iter().fold(0, |n, &x| n << 8 | u32::from(x))
}

fn model(area: &[u8]) -> Model {
    let mut m = Model::default();
    let mut i = 0;
    while i < area.len() && area[i] != 0 {
        if area[i] == 1 {
            i += 1;
            continue;
        }
        let Some(&len) = area.get(i + 1) else { break };
        let len = usize::from(len);
        if len < 2 || i + len > area.len() {
            break;
        }
        let body = &area[i + 2..i + len];
        match area[i] {
            2 if len != 4 => break,
            3 if len != 3 => break,
            4 if len != 2 => break,
            5 if ![10, 18, 26, 34].contains(&len) => break,
            8 if len != 10 => break,
            2 if m.mss.is_none() => m.mss = Some(word(body) as u16),
            3 if m.wscale.is_none() => m.wscale = Some(body[0]),
            4 => m.sack_permitted = true,
            5 if m.sack.is_empty() => {
                let blocks = body.chunks(8).map(|b| (Seq::new(word(&b[..4])), Seq::new(word(&b[4..]))));
                m.sack = blocks.map(|(left, right)| SackBlock { left, right }).collect();
            }
            8 if m.ts.is_none() => m.ts = Some(Timestamps { val: word(&body[..4]), ecr: word(&body[4..]) }),
            _ => {}
        }
        i += len;
    }
    m
}

fn found(area: &[u8]) -> Model {
    let o = OptionsIn::parse(area);
    assert_eq!(o.has_sack(), o.sack().next().is_some());
    Model {
        mss: o.mss,
        wscale: o.wscale,
        sack_permitted: o.sack_permitted,
        ts: o.ts,
        sack: o.sack().collect(),
    }
}

#[test]
fn every_field() {
    let bytes = segment(5, 0x18, b"text");
    let (ports, s) = Segment::parse(&bytes).unwrap();
    assert_eq!(ports, Ports { src: 1, dst: 2 });
    assert_eq!((s.seq, s.ack, s.wnd, s.ctl), (Seq::new(3), Some(Seq::new(4)), 5, Control::None));
    assert_eq!((s.psh, s.urg, s.flags, s.payload), (true, None, Flags(0x18), &b"text"[..]));
    assert_eq!((s.opts, s.gro, s.seq_len(), s.count()), (OptionsIn::default(), None, 4, 1));
    let bytes = segment(5, 0x20, b"");
    let (_, s) = Segment::parse(&bytes).unwrap();
    assert_eq!((s.ack, s.urg, s.psh), (None, Some(6), false));
}

/// SECURITY D6: every data offset with every length around it.
#[test]
fn lengths_that_contradict_each_other() {
    for offset in 0..16u8 {
        for len in 0..=70 {
            let mut bytes = segment(offset, 0x10, &[1; 50]);
            bytes.truncate(len);
            let want = match usize::from(offset) * 4 {
                _ if bytes.len() < 20 => Err(DropReason::Truncated),
                n if n < 20 || n > bytes.len() => Err(DropReason::BadTcpHeader),
                n => Ok(bytes.len() - n),
            };
            assert_eq!(Segment::parse(&bytes).map(|(_, s)| s.payload.len()), want, "{offset} {len}");
        }
    }
}

/// SECURITY D8: reserved bits do not matter, AE does not change the control function.
#[test]
fn every_flag_and_reserved_bit() {
    for low in 0..16u8 {
        for flags in 0..=255u8 {
            let mut bytes = segment(5, flags, b"");
            bytes[12] |= low;
            let (_, s) = Segment::parse(&bytes).unwrap();
            let want = match (flags & 4 != 0, flags & 2 != 0, flags & 1 != 0) {
                (true, _, _) => Control::Rst,
                (_, true, true) => Control::SynFin,
                (_, true, false) => Control::Syn,
                (_, false, true) => Control::Fin,
                (_, false, false) => Control::None,
            };
            assert_eq!(s.ctl, want);
            assert_eq!(s.flags, Flags(u16::from(flags) | u16::from(low & 1) << 8));
            let syn_fin = [Control::None, Control::Rst, Control::Syn, Control::Fin, Control::SynFin];
            let lens = [0, 0, 1, 1, 2];
            let place = syn_fin.iter().position(|c| *c == want).unwrap();
            assert_eq!(s.seq_len(), lens[place]);
        }
    }
}

#[test]
fn merged_segments_count_apart() {
    let count = |len: usize, size: u16| {
        let payload = &[0; 5000][..len];
        Segment { payload, gro: NonZeroU16::new(size), ..Default::default() }.count()
    };
    assert_eq!(
        [count(0, 1448), count(1448, 1448), count(1449, 1448), count(2896, 1448), count(5000, 1)],
        [1, 1, 2, 2, 5000]
    );
    assert_eq!(count(5000, 0), 1);
}

/// MUST-4, MUST-64: kinds in any order at any offset.
#[test]
fn options_need_no_alignment() {
    for nops in 0..=3 {
        let mut area = std::vec![1; nops];
        area.extend_from_slice(&[
            2, 4, 4, 0, 3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 4, 2, 5, 10, 0, 0, 0, 5, 0, 0, 0, 9,
        ]);
        area.resize(40, 0);
        let o = OptionsIn::parse(&area);
        assert_eq!((o.mss, o.wscale, o.sack_permitted), (Some(1024), Some(7), true));
        assert_eq!(o.ts, Some(Timestamps { val: 1, ecr: 2 }));
        assert!(o.sack().eq([SackBlock { left: Seq::new(5), right: Seq::new(9) }]));
    }
}

/// MUST-6, MUST-68: an unknown kind has a length octet and is skipped by it.
#[test]
fn unknown_options_are_skipped() {
    for kind in (0..=255).filter(|k| ![0, 1, 2, 3, 4, 5, 8].contains(k)) {
        for len in 2..=36 {
            let mut area = std::vec![kind, len];
            area.resize(usize::from(len), 2);
            area.extend_from_slice(&[2, 4, 4, 0xb0]);
            assert_eq!(OptionsIn::parse(&area).mss, Some(1200), "kind {kind} length {len}");
        }
    }
}

/// MUST-69: what stands behind the end of the list does not count.
#[test]
fn the_list_ends_at_eol() {
    assert_eq!(
        OptionsIn::parse(&[3, 3, 2, 0, 2, 4, 4, 0]),
        OptionsIn { wscale: Some(2), ..Default::default() }
    );
}

#[test]
fn the_first_of_a_kind_counts() {
    let area = [2, 4, 0, 1, 2, 4, 0, 2, 3, 3, 1, 3, 3, 2, 4, 2, 4, 2];
    let o = OptionsIn::parse(&area);
    assert_eq!((o.mss, o.wscale, o.sack_permitted), (Some(1), Some(1), true));
    let ts = |n| [8, 10, 0, 0, 0, n, 0, 0, 0, n];
    assert_eq!(OptionsIn::parse(&[ts(1), ts(2)].concat()).ts, Some(Timestamps { val: 1, ecr: 1 }));
    let sack = |n| [5, 10, 0, 0, 0, n, 0, 0, 0, n + 1];
    assert_eq!(OptionsIn::parse(&[sack(1), sack(5)].concat()).sack().count(), 1);
}

/// MUST-7: what stood before a malformed option is kept, nothing behind it is read.
#[test]
fn malformed_options_end_the_list() {
    for bad in [
        &[2, 0, 0, 0][..],
        &[2, 1, 0, 0],
        &[2, 3, 0],
        &[2, 5, 0, 0, 0],
        &[3, 2],
        &[3, 4, 0, 0],
        &[4, 3, 0],
        &[5, 2],
        &[5, 9, 0, 0, 0, 0, 0, 0, 0],
        &[8, 9, 0, 0, 0, 0, 0, 0, 0],
        &[8, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[77, 0],
        &[77, 1],
        &[77, 200],
    ] {
        let area = [&[3, 3, 9], bad, &[4, 2, 2, 4, 1, 1]].concat();
        assert_eq!(OptionsIn::parse(&area), OptionsIn { wscale: Some(9), ..Default::default() }, "{bad:?}");
    }
    // A kind without room for its length.
    assert_eq!(OptionsIn::parse(&[1, 1, 1, 2]), OptionsIn::default());
}

/// SECURITY D5: all areas of one option, at every size of the area.
#[test]
fn all_areas_of_one_option() {
    for size in (4..=40).step_by(4) {
        for kind in 0..=255u8 {
            for len in 0..=255u8 {
                let mut area: Vec<u8> = (0..size as u8).collect();
                area[..2].copy_from_slice(&[kind, len]);
                assert_eq!(found(&area), model(&area), "{area:?}");
            }
        }
    }
}

/// SECURITY D5: all pairs of known kinds and one unknown, with all lengths that can matter.
#[test]
fn all_areas_of_two_options() {
    const KINDS: [u8; 8] = [0, 1, 2, 3, 4, 5, 8, 253];
    for (first, second) in KINDS.iter().flat_map(|a| KINDS.iter().map(move |b| (*a, *b))) {
        for (len, other) in (0..=41u8).flat_map(|a| (0..=41u8).map(move |b| (a, b))) {
            let mut area: Vec<u8> = (100..140).collect();
            area[..2].copy_from_slice(&[first, len]);
            let next = if first < 2 { 1 } else { usize::from(len).max(2) };
            for (at, value) in [(next, second), (next + 1, other)] {
                if let Some(octet) = area.get_mut(at) {
                    *octet = value;
                }
            }
            assert_eq!(found(&area), model(&area), "{area:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok((_, s)) = Segment::parse(&bytes) {
            prop_assert!(s.payload.len() + 20 <= bytes.len());
            let _ = (s.seq_len(), s.count(), s.opts.sack().count());
        }
    }

    #[test]
    fn areas_of_likely_octets(area in prop::collection::vec(prop::sample::select(&[0u8, 1, 2, 3, 4, 5, 8, 10, 18, 26, 34, 253][..]), 0..=40)) {
        prop_assert_eq!(found(&area), model(&area));
    }
}
