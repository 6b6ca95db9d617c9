use synfin_tcp::CloseReason;

use super::*;

fn woken(w: &mut Waiters, r: Readiness) -> usize {
    let mut out = Vec::new();
    w.take_met(&r, &mut out);
    out.len()
}

#[test]
fn only_those_whose_wait_is_over_are_woken() {
    let mut w = Waiters::default();
    w.put(Slot::READER, Want::READ, Waker::noop());
    w.put(Slot::WRITER, Want::WRITE, Waker::noop());
    w.put(Slot(2), Want::READ | Want::WRITE, Waker::noop());
    w.put(Slot(3), Want::CONNECT, Waker::noop());
    w.put(Slot(4), Want::DRAIN, Waker::noop());
    assert_eq!(woken(&mut w, Readiness::default()), 0);
    assert_eq!(woken(&mut w, Readiness { writable: true, ..Readiness::default() }), 2);
    assert_eq!(woken(&mut w, Readiness { readable: true, ..Readiness::default() }), 1);
    assert_eq!(woken(&mut w, Readiness { connected: true, ..Readiness::default() }), 1);
    assert_eq!(woken(&mut w, Readiness { drained: true, ..Readiness::default() }), 1);
    assert!(w.is_empty());
}

#[test]
fn an_end_wakes_everybody() {
    let mut w = Waiters::default();
    for (i, want) in [Want::READ, Want::WRITE, Want::CONNECT, Want::DRAIN].into_iter().enumerate() {
        w.put(Slot(i as u64), want, Waker::noop());
    }
    assert_eq!(woken(&mut w, Readiness { closed: Some(CloseReason::Reset), ..Readiness::default() }), 4);
}

#[test]
fn a_slot_holds_one_waiter() {
    let mut w = Waiters::default();
    w.put(Slot(7), Want::READ, Waker::noop());
    w.put(Slot(7), Want::WRITE, Waker::noop());
    assert_eq!(woken(&mut w, Readiness { readable: true, ..Readiness::default() }), 0, "the wish changed");
    assert!(w.remove(Slot(7)).is_some());
    assert!(w.remove(Slot(7)).is_none());
    assert!(w.is_empty());
}
