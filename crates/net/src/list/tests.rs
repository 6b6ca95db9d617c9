use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::*;

struct Item(Links);

impl Linked for Item {
    fn links(&mut self) -> &mut Links {
        &mut self.0
    }
}

/// Front to back, checked against the way back.
fn walk(list: &List, slab: &mut Slab<Item>) -> Vec<u32> {
    let (mut out, mut at, mut before) = (Vec::new(), list.head, NIL);
    while at != NIL {
        let links = *slab.at_mut(at).unwrap().links();
        assert_eq!(links.prev, before);
        out.push(at);
        (before, at) = (at, links.next);
    }
    assert_eq!(list.tail, before);
    assert_eq!(list.len() as usize, out.len());
    out
}

#[test]
fn behaves_like_a_queue_with_removal() {
    let mut slab = Slab::new();
    let mut list = List::new();
    let mut model = VecDeque::new();
    let mut random: u32 = 7;
    for _ in 0..5000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pick = (random >> 8) as usize;
        if model.is_empty() || !pick.is_multiple_of(3) {
            let id = slab.insert(Item(Links::NONE));
            list.push(&mut slab, id.index);
            model.push_back(id);
        } else {
            let id = model.remove(pick % model.len()).unwrap();
            list.remove(&mut slab, id.index);
            if pick.is_multiple_of(2) {
                slab.remove(id);
            } else {
                list.push(&mut slab, id.index);
                model.push_back(id);
            }
        }
        if model.len() > 40 {
            let id = model.pop_front().unwrap();
            assert_eq!(list.front(), Some(id.index));
            list.remove(&mut slab, id.index);
            slab.remove(id);
        }
        let expect: Vec<u32> = model.iter().map(|id| id.index).collect();
        assert_eq!(walk(&list, &mut slab), expect);
    }
}
