use alloc::vec::Vec;

use super::*;
use crate::key::tests::Random;

#[test]
fn behaves_like_a_list_without_repetitions() {
    let mut random = Random::new(1);
    let mut ready = Ready::new();
    let mut model: Vec<u32> = Vec::new();
    for _ in 0..20_000 {
        if random.below(5) < 3 {
            let id = random.below(200) as u32;
            ready.push(id);
            if !model.contains(&id) {
                model.push(id);
            }
        } else {
            let expected = (!model.is_empty()).then(|| model.remove(0));
            assert_eq!(ready.pop(), expected);
        }
        assert_eq!((ready.len(), ready.is_empty()), (model.len(), model.is_empty()));
    }
}

#[test]
fn each_gets_its_turn_before_one_gets_a_second() {
    let mut ready = Ready::new();
    (0..10).for_each(|id| ready.push(id));
    let mut turns = Vec::new();
    for _ in 0..30 {
        let id = ready.pop().unwrap();
        turns.push(id);
        ready.push(id);
    }
    assert!(turns.into_iter().eq((0..10).cycle().take(30)));
}

#[test]
fn the_queue_gives_memory_back() {
    let mut ready = Ready::new();
    (0..100_000).for_each(|id| ready.push(id));
    while ready.pop().is_some() {}
    assert!(ready.queue.capacity() <= 2 * KEEP);
}
