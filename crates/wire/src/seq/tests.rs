use super::Seq;
use proptest::prelude::*;

#[test]
fn the_antipode_compares_with_nothing() {
    let (a, b) = (Seq::new(5), Seq::new(5 + (1 << 31)));
    assert!(!a.before(b) && !b.before(a) && !a.at_or_before(b) && !a.at_or_after(b));
}

proptest! {
    #[test]
    fn order_holds_at_every_bias(base: u32, d in 1u32..(1 << 31)) {
        let (a, b) = (Seq::new(base), Seq::new(base) + d);
        prop_assert!(a.before(b) && b.after(a) && !b.before(a) && !a.after(b));
        prop_assert!(a.at_or_before(b) && !a.at_or_after(b));
        prop_assert_eq!(b.since(a), d);
        prop_assert_eq!(b.dist(a), d as i32);
        prop_assert_eq!(a.dist(b), -(d as i32));
        prop_assert_eq!(a.later(b), b);
        prop_assert_eq!(a.earlier(b), a);
        prop_assert_eq!((a + d) - d, a);
    }

    #[test]
    fn within_is_half_open(base: u32, len in 1u32..(1 << 30)) {
        let start = Seq::new(base);
        prop_assert!(start.within(start, len));
        prop_assert!((start + (len - 1)).within(start, len));
        prop_assert!(!(start + len).within(start, len));
        prop_assert!(!(start - 1).within(start, len));
        prop_assert!(!start.within(start, 0));
    }
}
