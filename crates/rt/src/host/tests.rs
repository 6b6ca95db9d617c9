use std::sync::mpsc;
use std::task::Wake;

use synfin_link::pipe::shared;
use synfin_link::{Caps, RxFrame, TxSink};
use synfin_net::Cidr;
use synfin_wire::{Addr, Endpoint};

use super::*;
use crate::SignalWait;

const LONG: Duration = Duration::from_secs(20);

fn config() -> StackConfig {
    StackConfig { addrs: vec![Cidr { addr: Addr::v4([10, 0, 0, 1]), prefix: 24 }], ..StackConfig::default() }
}

/// A host whose cable ends nowhere.
fn host() -> Host {
    let (end, _) = shared::pair(Caps::plain(1500), 16);
    let wait = SignalWait::for_pipe(&end);
    Host::start(end, wait, config(), None).unwrap()
}

fn listen(host: &Host) -> ListenerId {
    host.with(|turn| {
        let at = Endpoint::new(Addr::v4([10, 0, 0, 1]), 80);
        let id = turn.stack().listen(at, Default::default()).unwrap();
        turn.hold_listener(id);
        id
    })
}

/// A waker of a task that owns a handle: dropping it enters the stack.
struct Task {
    host: Host,
    told: mpsc::Sender<&'static str>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let _ = self.told.send("woken");
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.host.with(|turn| turn.now());
        let _ = self.told.send("dropped");
    }
}

#[test]
fn wakers_are_dropped_and_called_outside_the_lock() {
    let host = host();
    let id = listen(&host);
    let event = SocketEvent::Listener(id);
    let (told, hears) = mpsc::channel();
    let waker = || Waker::from(Arc::new(Task { host: host.clone(), told: told.clone() }));
    let register = |waker: Waker| host.with(|turn| turn.register(event, Slot::READER, Want::READ, &waker));
    register(waker());
    register(waker());
    assert_eq!(hears.recv_timeout(LONG), Ok("dropped"), "the first was replaced");
    host.with(|turn| turn.deregister(event, Slot::READER));
    assert_eq!(hears.recv_timeout(LONG), Ok("dropped"));
    register(waker());
    host.with(|turn| turn.release_listener(id));
    assert_eq!(hears.recv_timeout(LONG), Ok("woken"));
    assert_eq!(hears.recv_timeout(LONG), Ok("dropped"));
    register(waker());
    assert_eq!(hears.recv_timeout(LONG), Ok("woken"), "nothing will come for what nobody holds");
}

#[test]
fn waiting_ends_with_the_stack() {
    let host = host();
    let id = listen(&host);
    let (told, hears) = mpsc::channel();
    let waker = Waker::from(Arc::new(Task { host: host.clone(), told }));
    host.with(|turn| turn.register(SocketEvent::Listener(id), Slot::READER, Want::READ, &waker));
    host.shutdown(LONG).unwrap();
    assert_eq!(hears.try_recv(), Ok("woken"));
    host.with(|turn| {
        assert_eq!(turn.running().unwrap_err().kind(), io::ErrorKind::NetworkDown);
        assert_eq!(turn.open().unwrap_err().kind(), io::ErrorKind::NetworkDown);
    });
}

/// A device that panics when it is asked for packets.
struct Bomb(shared::End);

impl Device for Bomb {
    type Error = std::convert::Infallible;

    fn caps(&self) -> Caps {
        self.0.caps()
    }

    fn recv(&mut self, _each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Self::Error> {
        panic!("a test: this panic is wanted");
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self.0.tx()
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush()
    }
}

#[test]
fn a_panic_in_the_shard_leaves_nobody_waiting() {
    let (end, _) = shared::pair(Caps::plain(1500), 16);
    let host = Host::start(Bomb(end), SignalWait::new(), config(), None).unwrap();
    let start = std::time::Instant::now();
    while host.with(|turn| turn.running()).is_ok() {
        assert!(start.elapsed() < LONG);
        std::thread::yield_now();
    }
    assert_eq!(host.shutdown(LONG).unwrap_err().kind(), io::ErrorKind::Other);
}
