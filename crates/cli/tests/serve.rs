//! `synfin serve` and `synfin connect` with Linux's TCP at the other end, in private networks.

mod common;

use common::{Folder, OURS, OURS_IPV6, Serving, at, have, in_private_network, signal, synfin, text, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const BOTH: [&str; 4] = ["--address", "10.9.0.2/24", "--address", "fd00:9::2/64"];

fn connect(addr: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect(at(addr, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Everything until the end of the stream.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// Octets without a short period.
fn noise(len: usize) -> Vec<u8> {
    let mut x: u32 = 1;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn echo_sends_back_every_octet_over_both_ip_versions() {
    in_private_network(|_| {
        let serving = Serving::start(&[&["echo"][..], &BOTH].concat());
        for addr in [OURS, OURS_IPV6] {
            let sent = noise(3_000_000);
            let mut stream = connect(addr, 8080);
            let mut writer = stream.try_clone().unwrap();
            let data = sent.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&data).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            assert!(rest(&mut stream) == sent, "{addr}");
            writing.join().unwrap();
        }
        let end = serving.stop();
        assert!(end.contains("2 connections (0 failed), 6000000 octets received, 6000000 sent"), "{end}");
        assert!(end.contains("at the end 0 open"), "{end}");
    });
}

#[test]
fn discard_chargen_and_hello() {
    in_private_network(|_| {
        let serving = Serving::start(&["discard", "--port", "9"]);
        let mut stream = connect(OURS, 9);
        stream.write_all(&noise(100_000)).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut stream), b"");
        let end = serving.stop();
        assert!(end.contains("100000 octets received, 0 sent"), "{end}");

        let serving = Serving::start(&["chargen", "--port", "19"]);
        let mut stream = connect(OURS, 19);
        let mut lines = [0; 74 * 2];
        stream.read_exact(&mut lines).unwrap();
        assert!(lines.starts_with(b" !\"#$"));
        assert!(lines[74..].starts_with(b"!\"#$%"));
        drop(stream);
        serving.stop();

        let serving = Serving::start(&["hello"]);
        let mut stream = connect(OURS, 8080);
        stream.write_all(b"bye\nbye").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut stream), b"hello");
        let end = serving.stop();
        assert!(end.contains(r": bye\nbye"), "{end}");
    });
}

#[test]
fn ending_the_program_closes_its_connections_with_fin() {
    in_private_network(|_| {
        let serving = Serving::start(&["echo"]);
        let mut stream = connect(OURS, 8080);
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let reading = thread::spawn(move || rest(&mut stream));
        serving.stop();
        // The end of the stream, not a reset.
        assert_eq!(reading.join().unwrap(), b"");
    });
}

/// One request on a connection of its own.
fn http(request: &str) -> String {
    let mut stream = connect(OURS, 8080);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    String::from_utf8(rest(&mut stream)).unwrap()
}

#[test]
fn http_answers() {
    in_private_network(|_| {
        let folder = Folder::new("http");
        std::fs::create_dir_all(folder.0.join("www/sub")).unwrap();
        std::fs::write(folder.0.join("www/a.html"), "0123456789").unwrap();
        std::fs::write(folder.0.join("www/empty"), "").unwrap();
        std::fs::write(folder.0.join("secret"), "secret").unwrap();
        let serving = Serving::start(&["http", &folder.path("www")]);
        assert!(serving.greeting.contains("curl http://10.9.0.2:8080/"), "{}", serving.greeting);

        let ask = |line: &str, more: &str| http(&format!("{line} HTTP/1.1\r\nHost: x\r\n{more}\r\n"));
        let answer = ask("GET /a.html", "");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Length: 10\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
        let head = ask("HEAD /a.html", "");
        assert!(head.contains("Content-Length: 10\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(ask("GET /empty", "").contains("Content-Length: 0\r\n"));
        let part = ask("GET /a.html", "Range: bytes=2-4\r\n");
        assert!(part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n\r\n234"), "{part}");
        assert!(part.contains("\r\nContent-Range: bytes 2-4/10\r\n"), "{part}");
        assert!(ask("GET /a.html", "Range: bytes=10-\r\n").starts_with("HTTP/1.1 416 "));
        assert!(ask("GET /none", "").starts_with("HTTP/1.1 404 "));
        assert!(ask("GET /../secret", "").starts_with("HTTP/1.1 404 "));
        assert!(ask("GET /%2e%2e/secret", "").starts_with("HTTP/1.1 404 "));
        let method = ask("DELETE /a.html", "");
        assert!(method.starts_with("HTTP/1.1 405 ") && method.contains("Allow: GET, HEAD\r\n"), "{method}");
        assert!(ask("GET /sub", "").contains("\r\nLocation: /sub/\r\n"));
        assert!(ask("GET /", "").contains("<a href=\"./a.html\">a.html</a>"));
        assert!(http("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000));
        assert!(http(&long).starts_with("HTTP/1.1 431 "));

        // Two requests at once on one connection.
        let one = "GET /a.html HTTP/1.1\r\nHost: x\r\n\r\n";
        let both = http(&format!("{one}{one}"));
        assert_eq!(both.matches("0123456789").count(), 2, "{both}");
        serving.stop();
    });
}

/// Ten clients at once fetch a file of so many octets, over both IP versions.
fn ten_curls(octets: usize) {
    if !have("curl") {
        return println!("skipped: there is no curl");
    }
    in_private_network(|_| {
        let folder = Folder::new(&format!("curl-{octets}"));
        let data = noise(octets);
        std::fs::write(folder.0.join("file"), &data).unwrap();
        let serving = Serving::start(&[&["http", &folder.path("")][..], &BOTH].concat());
        let clients: Vec<_> = (0..10)
            .map(|i| {
                let host = if i % 2 == 0 { OURS.to_owned() } else { format!("[{OURS_IPV6}]") };
                let out = folder.0.join(format!("out{i}"));
                let child = Command::new("curl")
                    .args(["-sS", "--max-time", "120", "-g", "-o"])
                    .arg(&out)
                    .arg(format!("http://{host}:8080/file"))
                    .spawn()
                    .unwrap();
                (child, out)
            })
            .collect();
        for (mut child, out) in clients {
            assert!(child.wait().unwrap().success());
            assert!(std::fs::read(out).unwrap() == data);
        }
        let end = serving.stop();
        assert!(end.contains("10 connections (0 failed)") && end.contains("at the end 0 open"), "{end}");
    });
}

#[test]
fn ten_curls_at_once_fetch_a_file() {
    ten_curls(20_000_000);
}

#[test]
#[ignore = "2 GB through the stack: about half a minute; .ci/run runs it"]
fn ten_curls_at_once_fetch_200_megabytes() {
    ten_curls(200_000_000);
}

#[test]
fn traces_and_captures_while_it_serves() {
    in_private_network(|_| {
        let folder = Folder::new("trace");
        let file = folder.path("serve.pcapng");
        let serving = Serving::start(&["echo", "--trace", "--pcap", &file]);
        let mut stream = connect(OURS, 8080);
        stream.write_all(b"ping").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&mut stream), b"ping");
        drop(stream);
        // Written while it runs.
        until("the capture grows", || std::fs::metadata(&file).is_ok_and(|m| m.len() > 1000));
        let rows = serving.stop();
        for row in [
            "≈SYN_SENT ├─ SYN seq=0 ───────────────────────▶│ SYN_RCVD",
            "≈ESTABLISHED ├─ ACK seq=1 ack=1 ─────────────────▶│ ESTABLISHED",
            "4 octets, numbers 1 to 4: \"ping\"",
            "CLOSE_WAIT",
            "LAST_ACK",
        ] {
            assert!(rows.contains(row), "no {row} in:\n{rows}");
        }
        if !have("tshark") {
            return println!("skipped in part: there is no tshark");
        }
        let output = Command::new("tshark")
            .args(["-r", &file, "-o", "tcp.check_checksum:TRUE", "-Y", "tcp", "-T", "fields"])
            .args(["-e", "tcp.checksum.status", "-e", "tcp.checksum", "-e", "frame.comment"])
            .output()
            .unwrap();
        let lines = text(&output.stdout);
        assert!(lines.contains("synfin: LISTEN->SYN_RCVD"), "{lines}");
        assert!(lines.lines().all(|line| line.starts_with("1\t") || line.contains("0xffff")), "{lines}");
    });
}

#[test]
fn connect_carries_both_directions_and_half_closes() {
    in_private_network(|_| {
        for (listen, host, address) in
            [("0.0.0.0", "10.9.0.1", "10.9.0.2/24"), ("::", "fd00:9::1", "fd00:9::2/64")]
        {
            let listener = TcpListener::bind(at(listen, 5000)).unwrap();
            let serving = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                // All of it, up to the half-close, and only then the answer.
                let got = rest(&mut stream);
                stream.write_all(b"got ").unwrap();
                stream.write_all(&got).unwrap();
            });
            let mut child = synfin()
                .args(["connect", host, "5000", "--address", address])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let sent = noise(300_000);
            let mut input = child.stdin.take().unwrap();
            let data = sent.clone();
            thread::spawn(move || input.write_all(&data).unwrap());
            let output = child.wait_with_output().unwrap();
            serving.join().unwrap();
            assert_eq!(text(&output.stderr), "");
            assert_eq!(output.status.code(), Some(0));
            assert!(output.stdout == [&b"got "[..], &sent].concat());
        }
    });
}

#[test]
fn connect_says_why_it_failed() {
    in_private_network(|_| {
        let fails = |args: &[&str], why: &str| {
            let output = synfin().arg("connect").args(args).output().unwrap();
            let line = text(&output.stderr);
            assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
            assert!(line.contains(why), "{line}");
        };
        fails(&["10.9.0.1", "5001"], "refused");
        fails(&["10.9.0.77", "5001", "--timeout", "1"], "no answer");
    });
}

#[test]
fn a_signal_ends_connect_with_fin() {
    in_private_network(|_| {
        let listener = TcpListener::bind(at("0.0.0.0", 5000)).unwrap();
        let mut command = synfin();
        command.args(["connect", "10.9.0.1", "5000"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // `wait` closes the child's input, which would end the program in its own way.
        let _input = child.stdin.take();
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // The program talks: before that a signal gives the attempt up.
        stream.write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let reading = thread::spawn(move || rest(&mut stream));
        signal(&child, "INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(reading.join().unwrap(), b"");
    });
}
