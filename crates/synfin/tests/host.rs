//! Hosts: how they start and end, and devices with a file descriptor.
#![cfg(unix)]

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{A4, B4, LONG, Pattern, kind, pair};
use synfin::blocking::{TcpListener, TcpStream};
use synfin::link::{Caps, Device, RxFrame, TxMeta, TxSink, pipe::shared};
use synfin::{Event, Net, Probe, SignalWait, State, Tuple};

const SHORT: Duration = Duration::from_millis(60);

/// One end of a cable made of a datagram socket, whose queue is short; pulled out when told.
struct Cable {
    socket: UnixDatagram,
    waiting: VecDeque<Vec<u8>>,
    pulled: Arc<Mutex<bool>>,
}

impl Cable {
    fn pair() -> (Cable, Cable) {
        let (a, b) = UnixDatagram::pair().unwrap();
        let end = |socket: UnixDatagram| {
            socket.set_nonblocking(true).unwrap();
            Cable { socket, waiting: VecDeque::new(), pulled: Arc::default() }
        };
        (end(a), end(b))
    }
}

impl AsFd for Cable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl TxSink for Cable {
    fn room(&self) -> usize {
        64 - self.waiting.len()
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _meta: TxMeta) {
        let mut packet = head.to_vec();
        payload.iter().for_each(|part| packet.extend_from_slice(part));
        self.waiting.push_back(packet);
    }
}

impl Device for Cable {
    type Error = io::Error;

    fn caps(&self) -> Caps {
        Caps::plain(1500)
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> io::Result<usize> {
        if *self.pulled.lock().unwrap() {
            return Err(io::Error::other("somebody pulled the cable"));
        }
        let mut packet = [0; 2000];
        let mut count = 0;
        while count < 64 {
            match self.socket.recv(&mut packet) {
                Ok(len) => each(RxFrame::plain(&packet[..len])),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
            count += 1;
        }
        Ok(count)
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self
    }

    fn flush(&mut self) -> io::Result<()> {
        while let Some(packet) = self.waiting.front() {
            match self.socket.send(packet) {
                Ok(_) => drop(self.waiting.pop_front()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn cabled() -> (Net, Net, Arc<Mutex<bool>>) {
    let (a, b) = Cable::pair();
    let pulled = Arc::clone(&a.pulled);
    let a = Net::builder().address(A4, 24).start(a).unwrap();
    let b = Net::builder().address(B4, 24).start(b).unwrap();
    (a, b, pulled)
}

fn connected(a: &Net, b: &Net) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(b, (B4, 0)).unwrap();
    let ours = TcpStream::connect(a, listener.local_addr().unwrap()).unwrap();
    (ours, listener.accept().unwrap().0)
}

#[test]
fn five_megabytes_pass_a_device_with_a_short_queue() {
    let (a, b, _) = cabled();
    let (mut ours, mut theirs) = connected(&a, &b);
    let sender = thread::spawn(move || theirs.write_all(&Pattern::new(3).take(5_000_000)).unwrap());
    let mut got = Vec::new();
    ours.read_to_end(&mut got).unwrap();
    assert!(got == Pattern::new(3).take(5_000_000));
    sender.join().unwrap();
}

#[test]
fn nobody_waits_for_a_device_that_is_gone() {
    let (a, b, pulled) = cabled();
    let (ours, _theirs) = connected(&a, &b);
    let listener = TcpListener::bind(&a, (A4, 80)).unwrap();
    let reading = thread::spawn({
        let mut ours = ours.try_clone().unwrap();
        move || kind(ours.read(&mut [0]))
    });
    let accepting = thread::spawn({
        let listener = listener.try_clone().unwrap();
        move || kind(listener.accept())
    });
    let connecting = thread::spawn({
        let a = a.clone();
        move || kind(TcpStream::connect(&a, "10.0.0.99:80"))
    });
    thread::sleep(SHORT);
    *pulled.lock().unwrap() = true;
    // Something to do, so that the shard looks at its device.
    (&ours).write_all(b"x").unwrap();
    for waiting in [reading, accepting, connecting] {
        assert_eq!(waiting.join().unwrap(), ErrorKind::NetworkDown);
    }
    assert_eq!((&ours).write(b"x").unwrap_err().to_string(), "somebody pulled the cable");
    assert_eq!(kind(TcpStream::connect(&a, (B4, 80))), ErrorKind::NetworkDown);
    assert_eq!(kind(TcpListener::bind(&a, (A4, 81))), ErrorKind::NetworkDown);
    assert_eq!(kind(a.shutdown(LONG)), ErrorKind::NetworkDown);
}

#[test]
fn shutdown_waits_until_everything_arrived() {
    let (a, b) = pair();
    let (mut ours, mut theirs) = connected(&a, &b);
    let listener = TcpListener::bind(&a, (A4, 80)).unwrap();
    ours.write_all(&[7; 200_000]).unwrap();
    drop(ours);
    let reading = thread::spawn(move || {
        thread::sleep(SHORT);
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).unwrap();
        all.len()
    });
    let start = Instant::now();
    a.shutdown(LONG).unwrap();
    assert!(start.elapsed() < LONG);
    assert_eq!(reading.join().unwrap(), 200_000);
    assert_eq!(kind(listener.accept()), ErrorKind::NetworkDown);
    assert_eq!(kind(TcpStream::connect(&a, (B4, 80))), ErrorKind::NetworkDown);
    a.shutdown(LONG).unwrap();
}

#[test]
fn shutdown_resets_what_is_open_when_time_is_up() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b);
    let reading = thread::spawn({
        let mut ours = ours.try_clone().unwrap();
        move || ours.read(&mut [0])
    });
    let start = Instant::now();
    assert_eq!(kind(a.shutdown(SHORT)), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    assert_eq!(kind(theirs.read(&mut [0])), ErrorKind::ConnectionReset);
    reading.join().unwrap().unwrap_err();
}

#[test]
fn the_device_goes_with_the_last_handle() {
    let (a, b) = shared::pair(Caps::plain(1500), 16);
    let watched = Watched { end: a, dropped: Arc::default() };
    let dropped = Arc::clone(&watched.dropped);
    let wait = SignalWait::for_pipe(&watched.end);
    let a = Net::builder().address(A4, 24).start_with(watched, wait).unwrap();
    let wait = SignalWait::for_pipe(&b);
    let b = Net::builder().address(B4, 24).start_with(b, wait).unwrap();
    let (ours, theirs) = connected(&a, &b);
    drop(a);
    thread::sleep(SHORT);
    assert!(!*dropped.lock().unwrap(), "a stream still needs it");
    drop(ours);
    drop(theirs);
    let start = Instant::now();
    while !*dropped.lock().unwrap() {
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
}

/// A device that tells when it is dropped.
struct Watched {
    end: shared::End,
    dropped: Arc<Mutex<bool>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() = true;
    }
}

impl Device for Watched {
    type Error = std::convert::Infallible;

    fn caps(&self) -> Caps {
        self.end.caps()
    }

    fn recv(&mut self, each: &mut dyn FnMut(RxFrame<'_>)) -> Result<usize, Self::Error> {
        self.end.recv(each)
    }

    fn tx(&mut self) -> &mut dyn TxSink {
        self.end.tx()
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.end.flush()
    }
}

#[test]
fn a_host_needs_proper_addresses() {
    let start = |ip: &str, prefix| {
        let (end, _) = shared::pair(Caps::plain(1500), 16);
        let ip: std::net::IpAddr = ip.parse().unwrap();
        Net::builder().address(ip, prefix).start_with(end, SignalWait::new())
    };
    for (ip, prefix) in
        [("0.0.0.0", 0), ("224.0.0.1", 4), ("255.255.255.255", 32), ("10.0.0.1", 33), ("::1", 129)]
    {
        assert_eq!(kind(start(ip, prefix)), ErrorKind::InvalidInput, "{ip}/{prefix}");
    }
    let (end, _) = shared::pair(Caps::plain(1500), 16);
    assert_eq!(kind(Net::builder().start_with(end, SignalWait::new())), ErrorKind::InvalidInput);
    let net = start("10.0.0.1", 24).unwrap();
    assert_eq!(net.addresses().len(), 1);
}

#[derive(Clone, Default)]
struct States(Arc<Mutex<Vec<State>>>);

impl Probe for States {
    fn on_event(&mut self, _now: synfin::Instant, _who: &Tuple, event: &Event<'_>) {
        if let Event::State { to, .. } = event {
            self.0.lock().unwrap().push(*to);
        }
    }
}

#[test]
fn a_probe_sees_the_life_of_a_connection() {
    let (a, b) = pair();
    let states = States::default();
    a.set_probe(Some(Box::new(states.clone())));
    let (ours, mut theirs) = connected(&a, &b);
    drop(ours);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    drop(theirs);
    let start = Instant::now();
    while a.census().time_wait == 0 {
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(
        *states.0.lock().unwrap(),
        [State::SynSent, State::Established, State::FinWait1, State::FinWait2, State::TimeWait]
    );
    let records = a.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].1, State::TimeWait);
}
