//! Async sockets between two hosts in memory.
#![cfg(feature = "tokio")]

mod common;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::{B4, LONG, Pattern, both_versions, kind, pair};
use synfin::Net;
use synfin::tokio::{Interest, TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(60);

/// A connected pair: A's end, B's end.
async fn connected(a: &Net, b: &Net) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(b, (B4, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(a, at), listener.accept());
    let (ours, (theirs, peer)) = (ours.unwrap(), theirs.unwrap());
    assert_eq!(peer, ours.local_addr().unwrap());
    (ours, theirs)
}

#[tokio::test]
async fn echo_over_both_ip_versions() {
    let (a, b) = pair();
    for at in both_versions(7) {
        let listener = TcpListener::bind(&b, at).await.unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        });
        let mut stream = TcpStream::connect(&a, at).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, b"hello");
        server.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_arrive_exactly() {
    const LEN: usize = 50_000_000;
    let (a, b) = pair();
    for at in both_versions(9) {
        let listener = TcpListener::bind(&b, at).await.unwrap();
        let sender = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut pattern = Pattern::new(1);
            let mut left = LEN;
            while left > 0 {
                let chunk = pattern.take(left.min(65_536));
                stream.write_all(&chunk).await.unwrap();
                left -= chunk.len();
            }
        });
        let mut stream = TcpStream::connect(&a, at).await.unwrap();
        let mut expected = Pattern::new(1);
        let (mut got, mut buffer) = (0, vec![0; 65_536]);
        while got < LEN {
            let want = (LEN - got).min(65_536);
            stream.read_exact(&mut buffer[..want]).await.unwrap();
            assert!(buffer[..want] == expected.take(want)[..], "octets {got} to {} differ", got + want);
            got += want;
        }
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
        sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_work_in_tasks_of_their_own() {
    const LEN: usize = 3_000_000;
    let (a, b) = pair();
    let (ours, theirs) = connected(&a, &b).await;
    let mut tasks = Vec::new();
    for (stream, sends, receives) in [(ours, 1, 2), (theirs, 2, 1)] {
        let (mut reader, mut writer) = stream.into_split();
        tasks.push(tokio::spawn(async move {
            // Dropping the writer ends the stream.
            writer.write_all(&Pattern::new(sends).take(LEN)).await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            let mut got = Vec::new();
            reader.read_to_end(&mut got).await.unwrap();
            assert!(got == Pattern::new(receives).take(LEN));
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn halves_come_together_again_or_are_forgotten() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b).await;
    let (other, _other_end) = connected(&a, &b).await;
    let (reader, writer) = ours.into_split();
    let (other_reader, other_writer) = other.into_split();
    let error = reader.reunite(other_writer).unwrap_err();
    let (reader, other_writer) = (error.0, error.1);
    other_reader.reunite(other_writer).unwrap();
    let mut ours = writer.reunite(reader).unwrap();
    ours.write_all(b"x").await.unwrap();
    assert_eq!(theirs.read_u8().await.unwrap(), b'x');
    let (mut reader, writer) = ours.into_split();
    writer.forget();
    assert!(timeout(SHORT, theirs.read(&mut [0])).await.is_err(), "a forgotten half sends no FIN");
    theirs.write_all(b"y").await.unwrap();
    assert_eq!(reader.read_u8().await.unwrap(), b'y');
}

#[tokio::test]
async fn connecting_to_nobody_is_refused() {
    let (a, _b) = pair();
    assert_eq!(kind(TcpStream::connect(&a, (B4, 4242)).await), ErrorKind::ConnectionRefused);
    assert_eq!(a.census().connections, 0);
}

#[tokio::test]
async fn a_connect_that_is_given_up_leaves_nothing() {
    let (a, _b) = pair();
    assert!(timeout(SHORT, TcpStream::connect(&a, "10.0.0.99:80")).await.is_err());
    assert_eq!(a.census().connections, 0);
}

#[tokio::test]
async fn dropping_a_stream_closes_it() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b).await;
    drop(ours);
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
    let (ours, mut theirs) = connected(&a, &b).await;
    ours.set_linger(Some(Duration::ZERO)).unwrap();
    drop(ours);
    assert_eq!(kind(theirs.read(&mut [0]).await), ErrorKind::ConnectionReset);
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(kind(theirs.write(b"x").await), ErrorKind::BrokenPipe);
    theirs.shutdown().await.unwrap();
}

#[tokio::test]
async fn readiness_is_told() {
    let (a, b) = pair();
    let (mut ours, theirs) = connected(&a, &b).await;
    let ready = ours.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap();
    assert!(ready.is_writable() && !ready.is_readable() && !ready.is_read_closed());
    assert_eq!(kind(ours.try_read(&mut [0])), ErrorKind::WouldBlock);
    assert!(timeout(SHORT, ours.readable()).await.is_err());
    theirs.writable().await.unwrap();
    assert_eq!(theirs.try_write(b"ab").unwrap(), 2);
    ours.readable().await.unwrap();
    let mut one = [0];
    assert_eq!(ours.peek(&mut one).await.unwrap(), 1);
    assert_eq!(ours.try_read(&mut one).unwrap(), 1);
    assert_eq!(ours.read_u8().await.unwrap(), b'b');
    drop(theirs);
    assert_eq!(ours.peek(&mut one).await.unwrap(), 0);
    let ready = ours.ready(Interest::READABLE).await.unwrap();
    assert!(ready.is_readable() && ready.is_read_closed() && !ready.is_write_closed());
}

#[tokio::test]
async fn everybody_who_waits_is_woken() {
    let (a, b) = pair();
    let (ours, mut theirs) = connected(&a, &b).await;
    let ours = Arc::new(ours);
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let ours = Arc::clone(&ours);
            tokio::spawn(async move { ours.readable().await })
        })
        .collect();
    tokio::time::sleep(SHORT).await;
    theirs.write_all(b"x").await.unwrap();
    for task in waiting {
        timeout(LONG, task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_accept_that_is_given_up_loses_no_connection() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, (B4, 80)).await.unwrap();
    assert!(timeout(SHORT, listener.accept()).await.is_err());
    let ours = TcpStream::connect(&a, (B4, 80)).await.unwrap();
    let (_theirs, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, ours.local_addr().unwrap());
    // A function that polls and one that awaits can wait side by side: each gets one.
    let listener = Arc::new(listener);
    let polling = tokio::spawn({
        let listener = Arc::clone(&listener);
        async move { poll_fn(|cx| listener.poll_accept(cx)).await.unwrap().1 }
    });
    let awaiting = tokio::spawn({
        let listener = Arc::clone(&listener);
        async move { listener.accept().await.unwrap().1 }
    });
    tokio::time::sleep(SHORT).await;
    for _ in 0..2 {
        let _ours = TcpStream::connect(&a, (B4, 80)).await.unwrap();
    }
    let accepted = [timeout(LONG, polling).await, timeout(LONG, awaiting).await].map(|r| r.unwrap().unwrap());
    assert_ne!(accepted[0], accepted[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_at_once() {
    let (a, b) = pair();
    let listener = TcpListener::bind(&b, (B4, 80)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&all).await.unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..200)
        .map(|seed| {
            let a = a.clone();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(&a, (B4, 80)).await.unwrap();
                let text = Pattern::new(seed).take(20_000);
                stream.write_all(&text).await.unwrap();
                stream.shutdown().await.unwrap();
                let mut back = Vec::new();
                stream.read_to_end(&mut back).await.unwrap();
                assert!(back == text);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost_in_a_hundred_thousand_round_trips() {
    let (a, b) = pair();
    let (mut ours, mut theirs) = connected(&a, &b).await;
    let echo = tokio::spawn(async move {
        let mut octet = [0];
        while theirs.read(&mut octet).await.unwrap() == 1 {
            theirs.write_all(&octet).await.unwrap();
        }
    });
    for i in 0..100_000_u32 {
        let octet = i as u8;
        timeout(LONG, ours.write_all(&[octet])).await.expect("a write hangs").unwrap();
        let back = timeout(LONG, ours.read_u8()).await.expect("a read hangs").unwrap();
        assert_eq!(back, octet);
    }
    drop(ours);
    echo.await.unwrap();
}

/// An executor without tokio: a thread that parks.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn run<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn any_executor_will_do() {
    let (a, b) = pair();
    let server = std::thread::spawn(move || {
        run(async {
            let listener = TcpListener::bind(&b, (B4, 7)).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"hello").await.unwrap();
        });
    });
    let text = run(async {
        let mut stream = loop {
            match TcpStream::connect(&a, (B4, 7)).await {
                Ok(stream) => break stream,
                Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionRefused),
            }
        };
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    });
    assert_eq!(text, "hello");
    server.join().unwrap();
}

#[test]
fn futures_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let (a, b) = pair();
    is_send(TcpStream::connect(&a, (B4, 7)));
    let listener = TcpListener::bind_with(&b, (B4, 7), synfin::ListenOpts::default()).unwrap();
    is_send(listener.accept());
}
