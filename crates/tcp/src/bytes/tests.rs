use super::*;
use proptest::prelude::*;
use std::collections::VecDeque as Model;

#[test]
fn empty_takes_no_memory_and_a_full_pool_says_so() {
    let mut pool = Pool::new(2 * CHUNK, 0);
    let mut q = ByteQueue::new();
    assert!(q.first.is_none() && q.rest.is_none());
    assert_eq!(q.write_at(&mut pool, 0, &[7; 3 * CHUNK], Need::Optional), 2 * CHUNK);
    assert_eq!(pool.used(), 2 * CHUNK);
    let mut other = ByteQueue::new();
    assert_eq!(other.write_at(&mut pool, 0, b"x", Need::Optional), 0);
    assert_eq!(
        other.write_at(&mut pool, 0, &[7; 2 * CHUNK], Need::First),
        CHUNK,
        "one chunk beyond the limit"
    );
    other.clear(&mut pool);
    q.clear(&mut pool);
    assert_eq!(pool.used(), 0);
    assert!(q.first.is_none() && q.rest.is_none());
}

proptest! {
    #[test]
    fn behaves_like_a_deque(ops in prop::collection::vec((0usize..9000, 0usize..9000), 1..60)) {
        let mut pool = Pool::default();
        let (mut q, mut model, mut next) = (ByteQueue::new(), Model::new(), 0u8);
        for (push, pop) in ops {
            let data: Vec<u8> = (0..push).map(|_| { next = next.wrapping_add(1); next }).collect();
            prop_assert_eq!(q.write_at(&mut pool, model.len(), &data, Need::Optional), push);
            model.extend(data);
            let pop = pop.min(model.len());
            let mut out = alloc::vec![0; pop];
            prop_assert_eq!(q.copy_out(0, &mut out), pop);
            prop_assert!(model.drain(..pop).eq(out));
            q.advance(&mut pool, pop);
        }
        q.clear(&mut pool);
        prop_assert_eq!(pool.used(), 0);
    }
}
