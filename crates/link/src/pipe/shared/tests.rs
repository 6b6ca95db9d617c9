use super::*;

use core::time::Duration;
use std::sync::mpsc;
use std::thread;
use std::vec::Vec;

const CAPS: Caps = Caps::plain(1500);

fn push(end: &mut End, bytes: &[u8]) {
    end.tx().push(bytes, &[], TxMeta::default());
}

fn received(end: &mut End) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let Ok(_) = end.recv(&mut |frame| got.push(frame.bytes.to_vec()));
    got
}

/// An end's waker as a channel.
fn bell(end: &End) -> mpsc::Receiver<()> {
    let (ring, bell) = mpsc::channel();
    end.set_waker(Box::new(move || ring.send(()).unwrap_or_default()));
    bell
}

#[test]
fn packets_arrive_on_flush_with_one_wake_up() {
    let (mut a, mut b) = pair(CAPS, 8);
    let bell = bell(&b);
    push(&mut a, b"one");
    push(&mut a, b"two");
    assert_eq!(b.waiting(), 0);
    assert!(bell.try_recv().is_err());
    let Ok(()) = a.flush();
    assert_eq!(b.waiting(), 2);
    assert_eq!(bell.try_iter().count(), 1);
    assert_eq!(received(&mut b), [b"one", b"two"]);
    let Ok(()) = a.flush();
    assert_eq!(bell.try_iter().count(), 0);
}

#[test]
fn a_waker_that_comes_late_is_called_at_once() {
    let (mut a, b) = pair(CAPS, 8);
    push(&mut a, b"one");
    let Ok(()) = a.flush();
    assert_eq!(bell(&b).try_iter().count(), 1);
}

#[test]
fn who_saw_no_room_is_woken_when_there_is_some() {
    let (mut a, mut b) = pair(CAPS, 2);
    let bell = bell(&a);
    push(&mut a, b"one");
    push(&mut a, b"two");
    assert_eq!(a.tx().room(), 0);
    push(&mut a, b"three");
    assert_eq!(a.lost(), Lost { no_room: 1, too_long: 0 });
    let Ok(()) = a.flush();
    assert_eq!(a.tx().room(), 0);
    assert_eq!(received(&mut b).len(), 2);
    assert_eq!(bell.try_iter().count(), 1);
    assert_eq!(a.tx().room(), 2);
    push(&mut a, b"four");
    let Ok(()) = a.flush();
    assert_eq!(received(&mut b), [b"four"]);
    assert_eq!(bell.try_iter().count(), 0, "nobody waited for room");
}

#[test]
fn what_is_sent_to_an_end_that_is_gone_vanishes() {
    let (mut a, b) = pair(CAPS, 2);
    push(&mut a, b"one");
    let Ok(()) = a.flush();
    assert_eq!(a.tx().room(), 1);
    drop(b);
    for _ in 0..10 {
        assert_eq!(a.tx().room(), 2);
        push(&mut a, b"x");
        push(&mut a, b"y");
        let Ok(()) = a.flush();
    }
    assert_eq!(a.lost(), Lost::default());
}

#[test]
fn two_threads_exchange_many_packets_in_order() {
    const COUNT: u32 = 20_000;
    let (a, b) = pair(CAPS, 16);
    let work = |mut end: End| {
        let bell = bell(&end);
        let (mut next_out, mut next_in) = (0u32, 0u32);
        while next_in < COUNT || next_out < COUNT {
            let mut busy = end.recv(&mut |frame| {
                assert_eq!(frame.bytes, next_in.to_be_bytes());
                next_in += 1;
            }) != Ok(0);
            while next_out < COUNT && end.tx().room() > 0 {
                push(&mut end, &next_out.to_be_bytes());
                next_out += 1;
                busy = true;
            }
            let Ok(()) = end.flush();
            if !busy {
                // A lost wake-up would end here.
                bell.recv_timeout(Duration::from_secs(20)).unwrap();
            }
        }
        end
    };
    thread::scope(|s| {
        let a = s.spawn(move || work(a));
        let b = work(b);
        assert_eq!(b.lost(), Lost::default());
        assert_eq!(a.join().unwrap().lost(), Lost::default());
    });
}
