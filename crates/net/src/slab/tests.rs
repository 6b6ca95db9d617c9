use alloc::rc::Rc;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use super::*;
use crate::key::tests::Random;

fn allocated<T>(slab: &Slab<T>) -> usize {
    slab.pages.iter().filter(|p| !p.values.is_empty()).count()
}

fn check_lists<T>(slab: &Slab<T>) {
    for (at, page) in slab.pages.iter().enumerate() {
        let used = page.values.iter().filter(|v| v.is_some()).count();
        assert_eq!(used, page.used as usize);
        let room = !page.values.is_empty() && used < PAGE;
        assert_eq!(room, slab.open.contains(&(at as u32)), "page {at}");
        if room {
            assert_eq!(slab.open[page.place as usize], at as u32);
        }
        assert_eq!(page.values.is_empty(), slab.absent.contains(&(at as u32)));
        assert!(
            used > 0 || page.values.is_empty() || slab.spare == Some(at as u32),
            "empty page {at} is kept"
        );
    }
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..10 {
        let mut random = Random::new(seed);
        let mut slab = Slab::new();
        let mut model = BTreeMap::new();
        let mut gone = Vec::new();
        for step in 0..20_000_u64 {
            // Waves of growing and shrinking over several pages.
            let grow = if step / 2_500 % 2 == 0 { 6 } else { 2 };
            if random.below(8) < grow {
                let id = slab.insert(step);
                assert_eq!(model.insert(id, step), None, "seed {seed}: id given twice");
            } else if let Some(&id) = model.keys().nth(random.below(model.len().max(1) as u64) as usize) {
                assert_eq!(slab.remove(id), model.remove(&id), "seed {seed} step {step}");
                gone.push(id);
            }
            assert_eq!(slab.len(), model.len());
            if let Some(&id) = gone.get(random.below(gone.len().max(1) as u64) as usize) {
                assert!(slab.get(id).is_none() && slab.get_mut(id).is_none() && slab.remove(id).is_none());
            }
            if let Some((&id, value)) = model.iter_mut().next() {
                *value += 1;
                *slab.get_mut(id).unwrap() += 1;
                assert_eq!(slab.get(id), Some(&*value));
                assert_eq!((slab.id_at(id.index), slab.at(id.index)), (Some(id), Some(&*value)));
                assert_eq!(slab.at_mut(id.index), Some(value));
            }
            if step % 500 == 0 {
                check_lists(&slab);
                assert!(slab.iter().map(|(id, v)| (id, *v)).eq(model.iter().map(|(id, v)| (*id, *v))));
            }
        }
    }
}

#[test]
fn empty_pages_but_one_go_back() {
    let mut slab = Slab::new();
    assert_eq!(allocated(&slab), 0);
    let ids: Vec<Id> = (0..10 * PAGE).map(|i| slab.insert(i)).collect();
    assert_eq!(allocated(&slab), 10);
    for id in &ids {
        slab.remove(*id);
    }
    check_lists(&slab);
    assert_eq!((slab.len(), allocated(&slab)), (0, 1));
    // Ids from before do not name records in a page that came again.
    let again: Vec<Id> = (0..10 * PAGE).map(|i| slab.insert(i)).collect();
    assert!(ids.iter().all(|id| slab.get(*id).is_none()));
    assert!(again.iter().all(|id| slab.get(*id).is_some()));
}

#[test]
fn one_record_more_and_less_at_a_page_border_allocates_nothing() {
    let mut slab = Slab::new();
    (0..PAGE).for_each(|i| _ = slab.insert(i));
    let id = slab.insert(0);
    let page = slab.pages[1].values.as_ptr();
    slab.remove(id);
    for _ in 0..10 {
        let id = slab.insert(0);
        assert_eq!(slab.pages[1].values.as_ptr(), page);
        slab.remove(id);
    }
}

#[test]
fn growing_moves_no_record() {
    let mut slab = Slab::new();
    let first = slab.insert(1);
    let at = core::ptr::from_ref(slab.get(first).unwrap());
    (0..100 * PAGE).for_each(|i| _ = slab.insert(i));
    assert_eq!(core::ptr::from_ref(slab.get(first).unwrap()), at);
}

#[test]
fn records_are_dropped_once() {
    let witness = Rc::new(());
    let mut slab = Slab::new();
    let ids: Vec<Id> = (0..1000).map(|_| slab.insert(witness.clone())).collect();
    ids.iter().step_by(2).for_each(|id| _ = slab.remove(*id));
    assert_eq!(Rc::strong_count(&witness), 501);
    drop(slab);
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[test]
fn foreign_ids_find_nothing() {
    let mut slab = Slab::new();
    let id = slab.insert(1);
    for index in [1, 255, 256, u32::MAX] {
        assert_eq!(slab.get(Id { index, generation: id.generation }), None);
        assert_eq!((slab.at(index), slab.id_at(index)), (None, None));
    }
    assert_eq!(slab.get(Id { generation: 0, ..id }), None);
}
