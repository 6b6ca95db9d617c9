//! Many connections of Linux's TCP to `serve echo`. Alone in its process: it needs a thousand file descriptors.

mod common;

use common::{OURS, Serving, at, in_private_network};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

fn connect() -> TcpStream {
    let stream = TcpStream::connect(at(OURS, 8080)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Says something and half-closes.
fn speak(stream: &mut TcpStream, i: usize) -> Vec<u8> {
    let text = format!("{i} says ").repeat(20).into_bytes();
    stream.write_all(&text).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    text
}

fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn a_thousand_at_once_and_ten_thousand_in_turn() {
    in_private_network(|_| {
        let serving = Serving::start(&["echo"]);
        let mut streams: Vec<TcpStream> = (0..1000).map(|_| connect()).collect();
        let texts: Vec<Vec<u8>> = streams.iter_mut().enumerate().map(|(i, s)| speak(s, i)).collect();
        for (stream, text) in streams.iter_mut().zip(texts) {
            assert!(hear(stream) == text);
        }
        drop(streams);
        for i in 0..10_000 {
            let mut stream = connect();
            let text = speak(&mut stream, i);
            assert!(hear(&mut stream) == text, "connection {i}");
        }
        let end = serving.stop();
        assert!(end.contains("11000 connections (0 failed)"), "{end}");
        // The clients closed first: TIME_WAIT is theirs, and nothing is left here.
        assert!(end.contains("at the end 0 open, 0 in TIME_WAIT"), "{end}");
    });
}
