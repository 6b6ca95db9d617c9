use super::*;

use crate::Rng;

fn delivery(ms: u64, tag: u8) -> Delivery {
    Delivery {
        at: Instant::from_millis(ms),
        from: NodeId(0),
        to: NodeId(1),
        bytes: [tag].into(),
        gro: None,
        condition: Condition::Sound,
    }
}

#[test]
fn earliest_first_and_equals_in_order() {
    let mut queue = Queue::default();
    assert!(queue.next_at().is_never());
    for (ms, tag) in [(5, 1), (3, 2), (5, 3), (3, 4), (1, 5)] {
        queue.push(delivery(ms, tag));
    }
    assert_eq!((queue.next_at(), queue.len()), (Instant::from_millis(1), 5));
    let tags: Vec<u8> = core::iter::from_fn(|| queue.pop()).flat_map(|d| d.bytes).collect();
    assert_eq!(tags, [5, 2, 4, 1, 3]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn slots_are_used_again() {
    let (mut queue, mut rng) = (Queue::default(), Rng::new(1));
    for tag in 0..1000 {
        queue.push(delivery(rng.below(100), tag as u8));
        if queue.len() > 7 {
            queue.pop();
        }
    }
    assert_eq!(queue.slots.len(), 8);
}
