use std::io::Write;
use std::time::{Duration, Instant};

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// Waits for a device that is the reading end of a pipe; returns how long it took.
fn time_wait(wait: &mut FdWait, device: &PipeReader, timeout: Duration) -> Duration {
    let start = Instant::now();
    wait.wait(device, Sending::Idle, Some(timeout)).unwrap();
    start.elapsed()
}

fn waker(wait: &FdWait) -> Waker {
    Wait::<PipeReader>::waker(wait)
}

#[test]
fn a_waker_called_before_the_wait_ends_it_once() {
    let (device, _other) = io::pipe().unwrap();
    let mut wait = FdWait::new().unwrap();
    for _ in 0..100_000 {
        waker(&wait).wake();
    }
    assert!(time_wait(&mut wait, &device, LONG) < LONG);
    assert!(time_wait(&mut wait, &device, SHORT) >= SHORT, "the calls before were one signal");
}

#[test]
fn a_waker_called_during_the_wait_ends_it() {
    let (device, _other) = io::pipe().unwrap();
    let mut wait = FdWait::new().unwrap();
    let waker = waker(&wait);
    let ringer = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        waker.wake();
    });
    assert!(time_wait(&mut wait, &device, LONG) < LONG);
    ringer.join().unwrap();
}

#[test]
fn an_arrival_ends_the_wait() {
    let (device, mut other) = io::pipe().unwrap();
    let mut wait = FdWait::new().unwrap();
    other.write_all(&[0]).unwrap();
    assert!(time_wait(&mut wait, &device, LONG) < LONG);
}

#[test]
fn room_ends_the_wait_only_if_sending_is_blocked() {
    let (_other, device) = io::pipe().unwrap();
    let mut wait = FdWait::new().unwrap();
    let start = Instant::now();
    wait.wait(&device, Sending::Blocked, Some(LONG)).unwrap();
    assert!(start.elapsed() < LONG);
    let start = Instant::now();
    wait.wait(&device, Sending::Idle, Some(SHORT)).unwrap();
    assert!(start.elapsed() >= SHORT);
}
