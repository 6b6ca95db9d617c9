//! Blocking sockets between two hosts in memory.

mod common;

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{A4, B4, LONG, Pattern, both_versions, kind, pair, pair_with};
use synfin::blocking::{TcpListener, TcpStream};
use synfin::{Keepalive, ListenOpts, Net, State};

const SHORT: Duration = Duration::from_millis(60);

/// A connected pair: A's end, B's end.
fn connected(a: &Net, b: &Net) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(b, (B4, 0)).unwrap();
    let ours = TcpStream::connect(a, listener.local_addr().unwrap()).unwrap();
    let (theirs, peer) = listener.accept().unwrap();
    assert_eq!(peer, ours.local_addr().unwrap());
    (ours, theirs)
}

#[test]
fn echo_over_both_ip_versions() {
    let (a, b) = pair();
    for at in both_versions(7) {
        let listener = TcpListener::bind(&b, at).unwrap();
        assert_eq!(listener.local_addr().unwrap(), at);
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = [0; 5];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(&line).unwrap();
        });
        let mut stream = TcpStream::connect(&a, at).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), at);
        stream.write_all(b"hello").unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, b"hello");
        server.join().unwrap();
    }
}

#[test]
fn a_closed_direction_leaves_the_other_open() {
    let (a, b) = pair();
    let (mut ours, mut theirs) = connected(&a, &b);
    ours.write_all(b"question").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    assert_eq!(kind(ours.write(b"more")), ErrorKind::BrokenPipe);
    let mut question = String::new();
    theirs.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question");
    assert_eq!(theirs.info().unwrap().state, State::CloseWait);
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let mut answer = String::new();
    ours.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    assert_eq!(ours.read(&mut [0]).unwrap(), 0, "the end stays the end");
}

#[test]
fn fifty_megabytes_arrive_exactly() {
    const LEN: usize = 50_000_000;
    let (a, b) = pair();
    for at in both_versions(9) {
        let listener = TcpListener::bind(&b, at).unwrap();
        let sender = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut pattern = Pattern::new(1);
            let mut left = LEN;
            while left > 0 {
                let chunk = pattern.take(left.min(65_536));
                stream.write_all(&chunk).unwrap();
                left -= chunk.len();
            }
        });
        let mut stream = TcpStream::connect(&a, at).unwrap();
        let mut expected = Pattern::new(1);
        let (mut got, mut buffer) = (0, vec![0; 65_536]);
        while got < LEN {
            let want = (LEN - got).min(65_536);
            stream.read_exact(&mut buffer[..want]).unwrap();
            assert!(buffer[..want] == expected.take(want)[..], "octets {got} to {} differ", got + want);
            got += want;
        }
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
        sender.join().unwrap();
    }
}

#[test]
fn nothing_waits_for_a_timer_where_nothing_is_lost() {
    let minute = Duration::from_secs(60);
    let (a, b) = pair_with(|cfg| {
        cfg.tcp.rto_initial = minute;
        cfg.tcp.rto_min = minute;
        cfg.tcp.delayed_ack = Duration::ZERO;
    });
    let (mut ours, mut theirs) = connected(&a, &b);
    let start = Instant::now();
    let writer = thread::spawn(move || ours.write_all(&[0; 5_000_000]).unwrap());
    // The reader stops again and again until the window is closed: only what its reads tell the peer opens it.
    let (mut got, mut buffer) = (0, vec![0; 1_000_000]);
    while got < 5_000_000 {
        thread::sleep(Duration::from_millis(20));
        got += theirs.read(&mut buffer).unwrap();
    }
    writer.join().unwrap();
    assert!(start.elapsed() < minute / 2, "{:?}", start.elapsed());
}

#[test]
fn both_directions_at_once_through_clones() {
    const LEN: usize = 3_000_000;
    let (a, b) = pair();
    let (ours, theirs) = connected(&a, &b);
    let threads: Vec<_> = [(ours, 1, 2), (theirs, 2, 1)]
        .into_iter()
        .flat_map(|(stream, sends, receives)| {
            let mut writer = stream.try_clone().unwrap();
            let mut reader = stream;
            [
                thread::spawn(move || {
                    writer.write_all(&Pattern::new(sends).take(LEN)).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                }),
                thread::spawn(move || {
                    let mut got = Vec::new();
                    reader.read_to_end(&mut got).unwrap();
                    assert!(got == Pattern::new(receives).take(LEN));
                }),
            ]
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

#[test]
fn peek_takes_nothing() {
    let (a, b) = pair();
    let (mut ours, theirs) = connected(&a, &b);
    ours.write_all(b"abc").unwrap();
    let mut two = [0; 2];
    assert_eq!(theirs.peek(&mut two).unwrap(), 2);
    assert_eq!(&two, b"ab");
    let mut three = [0; 3];
    (&theirs).read_exact(&mut three).unwrap();
    assert_eq!(&three, b"abc");
    drop(ours);
    assert_eq!(theirs.peek(&mut two).unwrap(), 0);
}

#[test]
fn vectored_writes_keep_the_order() {
    let (a, b) = pair();
    let (mut ours, mut theirs) = connected(&a, &b);
    let slices = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
    assert_eq!(ours.write_vectored(&slices).unwrap(), 13);
    let mut all = [0; 13];
    theirs.read_exact(&mut all).unwrap();
    assert_eq!(&all, b"one two three");
}

#[test]
fn reads_and_writes_give_up_after_their_timeout() {
    let (a, b) = pair();
    let (mut ours, theirs) = connected(&a, &b);
    assert_eq!(kind(ours.set_read_timeout(Some(Duration::ZERO))), ErrorKind::InvalidInput);
    assert_eq!(ours.read_timeout().unwrap(), None);
    ours.set_read_timeout(Some(SHORT)).unwrap();
    let start = Instant::now();
    assert_eq!(kind(ours.read(&mut [0])), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= SHORT);
    // Nobody reads at the other end: sooner or later everything is full.
    ours.set_write_timeout(Some(SHORT)).unwrap();
    let mut queued = 0;
    let full = loop {
        let start = Instant::now();
        match ours.write(&[0; 10_000]) {
            Ok(n) => queued += n,
            Err(e) => break (e.kind(), start.elapsed()),
        }
    };
    assert_eq!(full.0, ErrorKind::WouldBlock);
    assert!(full.1 >= SHORT);
    assert!(queued > 0);
    drop(theirs);
}

#[test]
fn nonblocking_calls_do_not_wait() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, (B4, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
    let (mut ours, _theirs) = connected(&a, &b);
    ours.set_nonblocking(true).unwrap();
    assert_eq!(kind(ours.read(&mut [0])), ErrorKind::WouldBlock);
    assert_eq!(kind(ours.peek(&mut [0])), ErrorKind::WouldBlock);
    let full = loop {
        if let Err(e) = ours.write(&[0; 10_000]) {
            break e.kind();
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock);
}

#[test]
fn connecting_to_nobody_is_refused() {
    let (a, _b) = pair();
    for at in both_versions(4242) {
        assert_eq!(kind(TcpStream::connect(&a, at)), ErrorKind::ConnectionRefused);
    }
    assert_eq!(a.census().connections, 0);
}

#[test]
fn connecting_to_a_silent_address_times_out() {
    let (a, _b) = pair();
    let nobody: SocketAddr = "10.0.0.99:80".parse().unwrap();
    let start = Instant::now();
    assert_eq!(kind(TcpStream::connect_timeout(&a, &nobody, SHORT)), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    assert_eq!(kind(TcpStream::connect_timeout(&a, &nobody, Duration::ZERO)), ErrorKind::InvalidInput);
    assert_eq!(a.census().connections, 0);
}

#[test]
fn connecting_to_what_is_no_peer_is_invalid() {
    let (a, _b) = pair();
    for at in ["0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80", "10.0.0.2:0", "[ff02::1]:80"] {
        assert_eq!(kind(TcpStream::connect(&a, at)), ErrorKind::InvalidInput, "{at}");
    }
}

#[test]
fn the_local_end_can_be_chosen() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, (B4, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let from: SocketAddr = (A4, 5555).into();
    let stream = TcpStream::connect_from(&a, from, to).unwrap();
    assert_eq!(stream.local_addr().unwrap(), from);
    assert_eq!(listener.accept().unwrap().1, from);
    assert_eq!(kind(TcpStream::connect_from(&a, from, to)), ErrorKind::AddrInUse);
    assert_eq!(kind(TcpStream::connect_from(&a, (B4, 1).into(), to)), ErrorKind::AddrNotAvailable);
}

#[test]
fn dropping_a_stream_closes_it() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b);
    let clone = ours.try_clone().unwrap();
    drop(ours);
    theirs.set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!(kind(theirs.read(&mut [0])), ErrorKind::WouldBlock, "a clone still holds it");
    drop(clone);
    theirs.set_read_timeout(None).unwrap();
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
}

#[test]
fn dropping_a_stream_with_unread_octets_resets_and_the_error_comes_once() {
    let (a, b) = pair();
    let (mut ours, theirs) = connected(&a, &b);
    ours.write_all(b"never read").unwrap();
    theirs.peek(&mut [0]).unwrap();
    drop(theirs);
    assert_eq!(kind(ours.read(&mut [0])), ErrorKind::ConnectionReset);
    assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    assert_eq!(kind(ours.write(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(ours.shutdown(Shutdown::Write)), ErrorKind::NotConnected);
    assert!(ours.take_error().unwrap().is_none());
}

#[test]
fn take_error_takes_it() {
    let (a, b) = pair();
    let (ours, theirs) = connected(&a, &b);
    assert!(ours.take_error().unwrap().is_none());
    theirs.set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    let start = Instant::now();
    let error = loop {
        if let Some(error) = ours.take_error().unwrap() {
            break error;
        }
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!((&ours).read(&mut [0]).unwrap(), 0);
}

#[test]
fn linger_zero_aborts() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b);
    ours.set_linger(Some(Duration::ZERO)).unwrap();
    assert_eq!(ours.linger().unwrap(), Some(Duration::ZERO));
    drop(ours);
    assert_eq!(kind(theirs.read(&mut [0])), ErrorKind::ConnectionReset);
}

#[test]
fn linger_waits_for_the_peer_and_no_longer_than_asked() {
    let (a, b) = pair();
    // The peer's stack takes everything: the drop ends long before the time is up.
    let (mut ours, theirs) = connected(&a, &b);
    ours.set_linger(Some(LONG)).unwrap();
    ours.write_all(&[7; 10_000]).unwrap();
    let start = Instant::now();
    drop(ours);
    assert!(start.elapsed() < LONG);
    assert_eq!(a.records().iter().filter(|(_, s)| *s != State::FinWait2).count(), 0, "all is acknowledged");
    drop(theirs);
    // Nobody reads at the other end and its window is full: the time is up.
    let (mut ours, _theirs) = connected(&a, &b);
    ours.set_nonblocking(true).unwrap();
    while ours.write(&[0; 10_000]).is_ok() {}
    ours.set_linger(Some(SHORT)).unwrap();
    let start = Instant::now();
    drop(ours);
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn shutdown_ends_calls_that_wait_in_other_threads() {
    let (a, b) = pair();
    let (ours, theirs) = connected(&a, &b);
    let mut reader = ours.try_clone().unwrap();
    let reading = thread::spawn(move || reader.read(&mut [0]));
    let mut writer = ours.try_clone().unwrap();
    let writing = thread::spawn(move || {
        loop {
            if let Err(e) = writer.write(&[0; 100_000]) {
                return e.kind();
            }
        }
    });
    thread::sleep(SHORT);
    ours.shutdown(Shutdown::Both).unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), 0);
    assert_eq!(writing.join().unwrap(), ErrorKind::BrokenPipe);
    drop(theirs);
}

#[test]
fn addresses_of_listeners_are_checked() {
    let (_a, b) = pair();
    let first = TcpListener::bind(&b, (B4, 80)).unwrap();
    assert_eq!(kind(TcpListener::bind(&b, (B4, 80))), ErrorKind::AddrInUse);
    assert_eq!(kind(TcpListener::bind(&b, "10.9.9.9:80")), ErrorKind::AddrNotAvailable);
    drop(first);
    TcpListener::bind(&b, (B4, 80)).unwrap();
    let any = TcpListener::bind(&b, "0.0.0.0:0").unwrap();
    assert_ne!(any.local_addr().unwrap().port(), 0);
    let several: [SocketAddr; 2] = ["10.9.9.9:81".parse().unwrap(), (B4, 81).into()];
    assert_eq!(TcpListener::bind(&b, &several[..]).unwrap().local_addr().unwrap(), several[1]);
}

#[test]
fn one_listener_serves_both_versions() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, "[::]:80").unwrap();
    for at in both_versions(80) {
        let ours = TcpStream::connect(&a, at).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        assert_eq!(theirs.local_addr().unwrap(), at);
        drop(ours);
    }
}

#[test]
fn completed_connections_wait_to_be_accepted_and_the_backlog_bounds_them() {
    let (a, b) = pair();
    let opts = ListenOpts { backlog: 2, ..ListenOpts::default() };
    let listener = TcpListener::bind_with(&b, (B4, 80), opts).unwrap();
    let at: SocketAddr = (B4, 80).into();
    let first = TcpStream::connect(&a, at).unwrap();
    let second = TcpStream::connect(&a, at).unwrap();
    // The stack's clients see their handshake complete before the server's last step: wait for it.
    let start = Instant::now();
    while b.census().connections < 2 {
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
    let third = thread::spawn({
        let a = a.clone();
        move || TcpStream::connect(&a, at)
    });
    thread::sleep(SHORT);
    assert_eq!(b.census().connections, 2, "the third waits outside");
    for stream in [&first, &second] {
        assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
    }
    // A retransmission brings the third in.
    let third = third.join().unwrap().unwrap();
    assert_eq!(
        listener.incoming().next().unwrap().unwrap().peer_addr().unwrap(),
        third.local_addr().unwrap()
    );
}

#[test]
fn dropping_a_listener_resets_who_was_not_accepted_and_refuses_the_next() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, (B4, 80)).unwrap();
    let at: SocketAddr = (B4, 80).into();
    let mut waiting = TcpStream::connect(&a, at).unwrap();
    drop(listener.try_clone().unwrap());
    while b.census().connections < 1 {
        thread::sleep(Duration::from_millis(1));
    }
    drop(listener);
    assert_eq!(kind(waiting.read(&mut [0])), ErrorKind::ConnectionReset);
    assert_eq!(kind(TcpStream::connect(&a, at)), ErrorKind::ConnectionRefused);
}

#[test]
fn options_are_kept_checked_or_refused() {
    let (a, b) = pair();
    let (ours, _theirs) = connected(&a, &b);
    assert!(!ours.nodelay().unwrap());
    ours.set_nodelay(true).unwrap();
    assert!(ours.nodelay().unwrap());
    ours.set_ttl(17).unwrap();
    assert_eq!(ours.ttl().unwrap(), 17);
    for ttl in [0, 256, u32::MAX] {
        assert_eq!(kind(ours.set_ttl(ttl)), ErrorKind::InvalidInput);
    }
    ours.set_dscp(46).unwrap();
    assert_eq!(kind(ours.set_dscp(64)), ErrorKind::InvalidInput);
    assert_eq!(ours.keepalive().unwrap(), None);
    let times = Keepalive { idle: LONG, interval: SHORT, probes: 3 };
    ours.set_keepalive(Some(times)).unwrap();
    assert_eq!(ours.keepalive().unwrap(), Some(times));
    assert_eq!(kind(ours.set_keepalive(Some(Keepalive { probes: 0, ..times }))), ErrorKind::InvalidInput);
    ours.set_keepalive(None).unwrap();
    assert_eq!(ours.keepalive().unwrap(), None);
    ours.set_user_timeout(Some(LONG)).unwrap();
    assert_eq!(ours.user_timeout().unwrap(), Some(LONG));
    assert_eq!(kind(ours.set_user_timeout(Some(Duration::ZERO))), ErrorKind::InvalidInput);
    ours.set_send_buffer_size(100_000).unwrap();
    assert_eq!(ours.send_buffer_size().unwrap(), 100_000);
    ours.set_recv_buffer_size(300_000).unwrap();
    assert_eq!(ours.recv_buffer_size().unwrap(), 300_000);
    assert_eq!(kind(ours.set_recv_buffer_size(0)), ErrorKind::InvalidInput);
    assert_eq!(kind(ours.set_quickack(true)), ErrorKind::Unsupported);
    assert_eq!(ours.take_soft_error().unwrap(), None);
    let listener = TcpListener::bind(&b, (B4, 0)).unwrap();
    assert_eq!(kind(listener.set_ttl(3)), ErrorKind::Unsupported);
}

#[test]
fn urgent_octets_are_announced_and_stay_in_line() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b);
    assert_eq!(ours.write_urgent(b"now!").unwrap(), 4);
    theirs.peek(&mut [0]).unwrap();
    assert_eq!(theirs.urgent().unwrap(), Some(4));
    let mut all = [0; 4];
    theirs.read_exact(&mut all).unwrap();
    assert_eq!(&all, b"now!");
    assert_eq!(theirs.urgent().unwrap(), None);
}

#[test]
fn two_hundred_connections_at_once() {
    let (a, b) = pair_with(|cfg| cfg.tcp.rto_min = Duration::from_millis(200));
    let listener = TcpListener::bind(&b, (B4, 80)).unwrap();
    let server = thread::spawn(move || {
        let serving: Vec<_> = listener
            .incoming()
            .take(200)
            .map(|stream| {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).unwrap();
                    stream.write_all(&all).unwrap();
                })
            })
            .collect();
        serving.into_iter().for_each(|t| t.join().unwrap());
    });
    let clients: Vec<_> = (0..200)
        .map(|seed| {
            let a = a.clone();
            thread::spawn(move || {
                let mut stream = TcpStream::connect(&a, (B4, 80)).unwrap();
                let text = Pattern::new(seed).take(20_000);
                stream.write_all(&text).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut back = Vec::new();
                stream.read_to_end(&mut back).unwrap();
                assert!(back == text);
            })
        })
        .collect();
    clients.into_iter().for_each(|t| t.join().unwrap());
    server.join().unwrap();
    let start = Instant::now();
    while a.census().connections + b.census().connections > 0 {
        assert!(start.elapsed() < LONG, "{:?} {:?}", a.census(), b.census());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_busy_connection_starves_no_other() {
    let (a, b) = pair();
    let (mut bulk_in, mut bulk_out) = connected(&a, &b);
    let (mut ours, mut theirs) = connected(&a, &b);
    let stop = Arc::new(AtomicBool::new(false));
    let sending = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                bulk_out.write_all(&[0; 65_536]).unwrap();
            }
        }
    });
    let receiving = thread::spawn(move || std::io::copy(&mut bulk_in, &mut std::io::sink()).unwrap());
    let echo = thread::spawn(move || {
        let mut octet = [0];
        while theirs.read(&mut octet).unwrap() == 1 {
            theirs.write_all(&octet).unwrap();
        }
    });
    let start = Instant::now();
    for _ in 0..500 {
        ours.write_all(b"x").unwrap();
        ours.read_exact(&mut [0]).unwrap();
    }
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    stop.store(true, Ordering::Relaxed);
    sending.join().unwrap();
    assert!(receiving.join().unwrap() > 0);
    drop(ours);
    echo.join().unwrap();
}

#[test]
fn no_wake_up_is_lost_in_twenty_thousand_round_trips() {
    let (a, b) = pair();
    let (mut ours, mut theirs) = connected(&a, &b);
    let echo = thread::spawn(move || {
        let mut octet = [0];
        while theirs.read(&mut octet).unwrap() == 1 {
            theirs.write_all(&octet).unwrap();
        }
    });
    for i in 0..20_000_u32 {
        let octet = [i as u8];
        ours.write_all(&octet).unwrap();
        let mut back = [0];
        ours.read_exact(&mut back).unwrap();
        assert_eq!(back, octet);
    }
    drop(ours);
    echo.join().unwrap();
}
