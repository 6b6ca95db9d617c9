//! `synfin demo`, row by row of what it promises to show, against Linux's TCP and against ours.

mod common;

use common::{Folder, have, run, signal, synfin, text};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A way to run the demonstration.
#[derive(Copy, Clone, Debug)]
struct Way {
    peer: &'static str,
    role: &'static str,
    first: &'static str,
    ipv6: bool,
}

/// What it showed.
struct Life {
    way: Way,
    rows: Vec<Value>,
}

impl Way {
    fn all(peer: &'static str) -> Vec<Way> {
        let mut ways = Vec::new();
        for role in ["server", "client"] {
            for first in ["client", "server"] {
                ways.extend([false, true].map(|ipv6| Way { peer, role, first, ipv6 }));
            }
        }
        ways
    }

    fn run(self) -> Result<Life, String> {
        let mut args =
            vec!["demo", "--json", "--peer", self.peer, "--role", self.role, "--close-first", self.first];
        args.extend(self.ipv6.then_some("--ipv6"));
        let start = Instant::now();
        let output = run(&args);
        assert!(output.status.success(), "{self:?}: {}", text(&output.stderr));
        assert!(start.elapsed() < Duration::from_secs(10), "{self:?} took {:?}", start.elapsed());
        let stderr = text(&output.stderr);
        if let Some((_, why)) = stderr.split_once("No Linux peer here") {
            return Err(why.trim().to_owned());
        }
        let rows = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ok(Life { way: self, rows })
    }
}

/// All ways, with either peer. Each is run once; where there is no Linux peer, the reason is printed.
fn lives() -> &'static [Life] {
    static LIVES: OnceLock<Vec<Life>> = OnceLock::new();
    let lives = LIVES.get_or_init(|| {
        let mut ways = Way::all("synfin");
        ways.extend(Way::all("linux"));
        let runs: Vec<_> = ways.into_iter().map(|way| std::thread::spawn(move || way.run())).collect();
        let runs = runs.into_iter().map(|run| run.join().unwrap());
        runs.filter_map(|run| run.map_err(|why| println!("skipped with Linux: {why}")).ok()).collect()
    });
    assert!(lives.len() >= Way::all("synfin").len());
    lives
}

fn str_of<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

impl Life {
    /// The segments as (from, flags, seq, ack, len), repetitions left out.
    fn segments(&self) -> Vec<(&str, &str, u64, u64, u64)> {
        let segments = self.rows.iter().filter(|row| {
            str_of(row, "type") == "segment" && str_of(row, "part") != "arrival" && row["mark"].is_null()
        });
        let number = |row: &Value, key: &str| row[key].as_u64().unwrap();
        segments
            .map(|row| {
                let numbers = (number(row, "seq"), number(row, "ack"), number(row, "len"));
                (str_of(row, "from"), str_of(row, "flags"), numbers.0, numbers.1, numbers.2)
            })
            .collect()
    }

    /// The states of one side, in order.
    fn states(&self, side: &str) -> Vec<&str> {
        self.rows
            .iter()
            .filter_map(|row| {
                let state = row[side]["state"].as_str()?;
                assert_eq!(row[side]["certainty"], "certain", "{:?}", self.way);
                Some(state)
            })
            .collect()
    }

    /// Where the client and the server stand: left and right, always.
    fn sides(&self) -> (&'static str, &'static str) {
        if self.way.first == "client" { ("left", "right") } else { ("right", "left") }
    }
}

#[test]
fn row_01_three_segments_with_the_right_numbers() {
    for life in lives() {
        let opening: Vec<_> = life.segments().into_iter().take(3).collect();
        let expected = [
            ("left", "SYN", 0, 0, 0),
            // ack = x + 1: SYN costs a number.
            ("right", "SYN,ACK", 0, 1, 0),
            // seq = x + 1, ack = y + 1; and the text that follows has the same number: a bare ACK costs none.
            ("left", "ACK", 1, 1, 0),
        ];
        assert_eq!(opening, expected, "{:?}", life.way);
    }
}

#[test]
fn row_02_both_ends_states_while_opening() {
    for life in lives() {
        let (client, server) = (life.states("left"), life.states("right"));
        assert_eq!(client.get(..3), Some(&["CLOSED", "SYN_SENT", "ESTABLISHED"][..]), "{:?}", life.way);
        assert_eq!(server.get(..3), Some(&["LISTEN", "SYN_RCVD", "ESTABLISHED"][..]), "{:?}", life.way);
    }
}

#[test]
fn row_10_text_is_numbered_and_acknowledged() {
    for life in lives() {
        let segments = life.segments();
        // The 5 octets of "hello" are 1 to 5; 6 is next. Those of "byebye" are 1 to 6 of the other direction.
        for wanted in [
            ("right", "PSH,ACK", 1, 1, 5),
            ("left", "ACK", 1, 6, 0),
            ("left", "PSH,ACK", 1, 6, 6),
            ("right", "ACK", 6, 7, 0),
        ] {
            assert!(segments.contains(&wanted), "{:?} has no {wanted:?} in {segments:?}", life.way);
        }
    }
}

#[test]
fn row_14_four_segments_close() {
    for life in lives() {
        let (first, second) = life.sides();
        let closing: Vec<_> = {
            let segments = life.segments();
            let begin = segments.iter().position(|(_, flags, ..)| flags.contains("FIN")).unwrap();
            segments[begin..].iter().filter(|segment| segment.4 == 0).map(|s| (s.0, s.1, s.2, s.3)).collect()
        };
        // The first closer has sent 5 ("hello") or 6 ("byebye") octets, so FIN is one more than the last one's number.
        let (u, other) = if life.way.first == "client" { (7, 6) } else { (6, 7) };
        // "one more thing" is 14 octets long.
        let w = other + 14;
        let expected = [
            (first, "FIN,ACK", u, other),
            (second, "ACK", other, u + 1),
            (first, "ACK", u + 1, w),
            (second, "FIN,ACK", w, u + 1),
            (first, "ACK", u + 1, w + 1),
        ];
        assert_eq!(closing, expected, "{:?}", life.way);
        let summary = life.rows.last().unwrap();
        assert_eq!((&summary["opening"], &summary["closing"]), (&Value::from(3), &Value::from(4)));
    }
}

#[test]
fn row_15_and_16_both_ends_states_while_closing_whoever_is_first() {
    for life in lives() {
        let (first, second) = life.sides();
        let mut closer = vec!["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"];
        if life.way.peer == "synfin" {
            // In virtual time the wait is seen to its end.
            closer.push("CLOSED");
        }
        assert_eq!(life.states(first)[2..], closer, "{:?}", life.way);
        let other = ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"];
        assert_eq!(life.states(second)[2..], other, "{:?}", life.way);
    }
}

#[test]
fn row_17_text_after_the_half_close() {
    for life in lives() {
        let (first, second) = life.sides();
        let segments = life.segments();
        let fin = segments.iter().position(|s| s.0 == first && s.1.contains("FIN")).unwrap();
        let late = segments.iter().position(|s| s.0 == second && s.4 == 14).unwrap();
        let last = segments.iter().position(|s| s.0 == second && s.1.contains("FIN")).unwrap();
        assert!(fin < late && late < last, "{:?}", life.way);
    }
}

#[test]
fn row_22_and_23_time_wait_lasts_two_msl() {
    for life in lives().iter().filter(|life| life.way.peer == "synfin") {
        let (first, _) = life.sides();
        let at = |state: &str| {
            let row = life.rows.iter().find(|row| {
                row[first]["state"] == state && str_of(row, "type") != "head" && row[first]["ns"].is_u64()
            });
            row.unwrap()[first]["ns"].as_u64().unwrap()
        };
        // The wait starts again with the last ACK that is sent: at once. 2 MSL are 60 s.
        assert_eq!(at("CLOSED") - at("TIME_WAIT"), 60_000_000_000, "{:?}", life.way);
    }
}

#[test]
fn row_25_captures_are_read_without_complaint() {
    if !have("tshark") {
        return println!("skipped: there is no tshark");
    }
    let folder = Folder::new("capture");
    for way in Way::all("linux").into_iter().chain(Way::all("synfin")) {
        let file = folder.path("demo.pcapng");
        let mut args =
            vec!["demo", "--peer", way.peer, "--role", way.role, "--close-first", way.first, "--pcap", &file];
        args.extend(way.ipv6.then_some("--ipv6"));
        let output = run(&args);
        assert!(output.status.success(), "{way:?}");
        let output = Command::new("tshark")
            .args(["-r", &file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
            .args(["-T", "fields", "-E", "separator=|"])
            .args(["-e", "tcp.checksum.status", "-e", "_ws.malformed", "-e", "tcp.checksum"])
            .args(["-e", "frame.comment"])
            .output()
            .unwrap();
        let lines = text(&output.stdout);
        assert_eq!(lines.lines().count(), 13, "{way:?}: {lines}");
        for line in lines.lines() {
            let fields: Vec<&str> = line.split('|').collect();
            let [status, malformed, checksum, comment] = fields[..] else { panic!("{line}") };
            // Linux writes a sum of 0 as 0xffff, which is the same to a receiver; tshark alone minds.
            assert!(status == "1" || checksum == "0xffff", "{way:?}: {line}");
            assert_eq!(malformed, "", "{way:?}: {line}");
            assert!(comment.starts_with("synfin: "), "{way:?}: {line}");
        }
        assert!(lines.contains("CLOSED->SYN_SENT") && lines.contains("FIN_WAIT_2->TIME_WAIT"), "{lines}");
    }
}

#[test]
fn the_same_seed_shows_the_same() {
    let folder = Folder::new("seed");
    let show = |seed: &str, name: &str| {
        let file = folder.path(name);
        let output = run(&["demo", "--peer", "synfin", "--seed", seed, "--pcap", &file]);
        assert!(output.status.success());
        // The name of the file is part of the output.
        (text(&output.stdout).replace(name, "FILE"), std::fs::read(file).unwrap())
    };
    let one = show("7", "a.pcapng");
    assert!(one == show("7", "b.pcapng"));
    let other = show("8", "c.pcapng");
    assert_ne!(one.1, other.1);
}

#[test]
fn the_ladder_in_every_dress_fits_its_columns() {
    let show = |args: &[&str]| {
        let output = synfin().args(["demo", "--peer", "synfin"]).args(args).output().unwrap();
        assert!(output.status.success());
        text(&output.stdout)
    };
    let plain = show(&[]);
    assert!(plain.contains("SYN_SENT ├─ SYN seq=0 ─"), "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    let ascii = show(&["--ascii"]);
    assert!(ascii.is_ascii(), "{ascii}");
    assert!(ascii.contains("SYN_SENT |- SYN seq=0 -"), "{ascii}");
    let chinese = show(&["--lang", "zh"]);
    assert!(chinese.contains("客户端") && chinese.contains("我要通话"), "{chinese}");
    assert!(!plain.contains('\u{1b}'));
    assert!(show(&["--color", "always"]).contains("\u{1b}["));
    assert!(!show(&["--words", "off"]).contains("I want to talk"));
    let wide = show(&["--columns", "140"]);
    assert!(wide.lines().any(|line| line.contains("SYN seq=0") && line.contains("talk")), "{wide}");
    assert!(wide.lines().all(|line| line.chars().count() <= 140), "{wide}");
    // With Linux, or instead of it: more is said before and after.
    let linux = text(&run(&["demo"]).stdout);
    assert!(linux.lines().all(|line| line.chars().count() <= 80), "{linux}");
}

#[test]
fn the_locale_chooses_language_and_characters() {
    let show = |lang: &str| {
        let output = synfin().env("LANG", lang).args(["demo", "--peer", "synfin"]).output().unwrap();
        text(&output.stdout)
    };
    assert!(show("zh_CN.UTF-8").contains("服务器"));
    assert!(show("C").is_ascii());
}

#[test]
fn ctrl_c_ends_it_with_130_and_keeps_the_capture() {
    let folder = Folder::new("interrupt");
    let file = folder.path("demo.pcapng");
    let mut child = synfin()
        .args(["demo", "--pcap", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(400));
    signal(&child, "INT");
    let status = child.wait().unwrap();
    if status.code() == Some(0) {
        return println!("skipped: without a Linux peer it is over before it can be interrupted");
    }
    assert_eq!(status.code(), Some(130));
    // Section header and interface take less than this: packets were kept.
    assert!(std::fs::metadata(&file).unwrap().len() > 400);
}

#[test]
fn an_output_that_nobody_reads_is_no_crash() {
    let mut child = synfin()
        .args(["demo", "--peer", "synfin"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
