use super::*;
use proptest::prelude::*;

/// SECURITY D3: the first octet received wins, whatever overlaps later.
#[test]
fn first_octet_wins_for_every_overlap() {
    for (a, b) in (0u32..8).flat_map(|a| (a + 1..9).map(move |b| (a, b))) {
        let mut pool = Pool::default();
        let mut q = RecvQueue::default();
        assert_eq!(q.take(&mut pool, 3, b"333", 16).held, 3);
        let done = q.take(&mut pool, a, &[b'x'; 8][..(b - a) as usize], 16).advanced as usize;
        q.take(&mut pool, 0, &[b'.'; 12][done..], 16);
        let mut out = [0; 12];
        assert_eq!(q.read(&mut pool, &mut out), 12);
        let want: std::vec::Vec<u8> = (0..12)
            .map(|i| {
                if (3..6).contains(&i) {
                    b'3'
                } else if (a..b).contains(&i) {
                    b'x'
                } else {
                    b'.'
                }
            })
            .collect();
        assert_eq!(out.as_slice(), want, "{a}..{b}");
        assert_eq!(pool.used(), 0);
    }
}

/// SECURITY D1: after the limit of ranges text in order is still taken.
#[test]
fn range_limit_refuses_new_ranges_only() {
    let mut pool = Pool::default();
    let mut q = RecvQueue::default();
    for i in 1..=4 {
        assert_eq!(q.take(&mut pool, 2 * i, b"o", 4).held, 1);
    }
    assert_eq!(q.take(&mut pool, 20, b"o", 4), Taken { refused: 1, ..Taken::default() });
    assert_eq!(q.take(&mut pool, 0, b"ab", 4).advanced, 3);
}

proptest! {
    #[test]
    fn any_order_gives_the_stream(seed in prop::collection::vec((0u32..500, 1usize..60), 1..80)) {
        let stream: std::vec::Vec<u8> = (0..600u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut pool = Pool::default();
        let mut q = RecvQueue::default();
        let mut next = 0usize;
        let mut got = std::vec::Vec::new();
        for (at, len) in seed.into_iter().chain((0..600).step_by(50).map(|a| (a, 50))) {
            let (from, to) = ((at as usize).max(next), (at as usize + len).min(600));
            if from >= to { continue }
            let t = q.take(&mut pool, (from - next) as u32, &stream[from..to], 64);
            prop_assert_eq!(t.refused, 0);
            next += t.advanced as usize;
            let mut out = [0; 70];
            let n = q.read(&mut pool, &mut out);
            got.extend_from_slice(&out[..n]);
        }
        let mut out = [0; 600];
        let n = q.read(&mut pool, &mut out);
        got.extend_from_slice(&out[..n]);
        prop_assert_eq!(got, stream);
        prop_assert_eq!(pool.used(), 0);
    }
}
