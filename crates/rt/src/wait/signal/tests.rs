use std::time::Instant;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_signal_given_before_the_wait_ends_it_once() {
    let wait = SignalWait::new();
    wait.waker().wake();
    wait.waker().wake();
    let start = Instant::now();
    wait.sleep(Some(LONG));
    assert!(start.elapsed() < LONG);
    let start = Instant::now();
    wait.sleep(Some(SHORT));
    assert!(start.elapsed() >= SHORT, "both calls were one signal");
}

#[test]
fn a_signal_given_during_the_wait_ends_it() {
    let wait = SignalWait::new();
    let waker = wait.waker();
    let other = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        waker.wake();
    });
    let start = Instant::now();
    wait.sleep(Some(LONG));
    assert!(start.elapsed() < LONG);
    other.join().unwrap();
}
