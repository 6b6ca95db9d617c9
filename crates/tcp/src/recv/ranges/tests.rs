use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn equals_a_bitmap(ops in prop::collection::vec((0u64..300, 1u64..40), 1..60)) {
        let mut r = Ranges::default();
        let mut map = [false; 400];
        for (start, len) in ops {
            let end = start + len;
            let gaps = r.gaps(start, end);
            let uncovered: Vec<u64> = (start..end).filter(|i| !map[*i as usize]).collect();
            let from_gaps: Vec<u64> = gaps.iter().flat_map(|(a, b)| *a..*b).collect();
            prop_assert_eq!(uncovered, from_gaps);
            r.insert(start, end);
            (start..end).for_each(|i| map[i as usize] = true);
            let listed: Vec<u64> = r.iter().flat_map(|(a, b)| a..b).collect();
            let want: Vec<u64> = (0..400).filter(|i| map[*i as usize]).collect();
            prop_assert_eq!(listed, want);
            // Disjoint and not adjacent.
            let all: Vec<_> = r.iter().collect();
            prop_assert!(all.windows(2).all(|w| w[0].1 < w[1].0));
            // RFC 2018 4: the first block holds the segment that arrived last.
            let first = r.recent().next().unwrap();
            prop_assert!(first.0 <= start && end <= first.1);
            let mut seen: Vec<_> = r.recent().collect();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), r.recent().count());
        }
    }
}
