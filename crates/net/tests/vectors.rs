//! The state table's vectors, one record and one segment each, against the real records.
//!
//! `vectors/*.csv.gz` were made from the state table of the RFC texts by an oracle that shares no code with this
//! project. Each row names the variables before, the segment, and what must come out. Rows for CLOSED and LISTEN go
//! through a whole stack (there is no record); all others through the record itself.

use std::collections::BTreeMap;
use std::time::Duration;

use synfin_link::{Caps, RxFrame, TxMeta, TxSink};
use synfin_net::{Cidr, ListenOpts, More, Secrets, Stack, StackConfig};
use synfin_tcp::testing::Preset;
use synfin_tcp::{Config, Counters, Cx, HalfOpen, Pool, Quirks, Rest, State, TxLimits, Verdict};
use synfin_wire::checksum::Sum;
use synfin_wire::tcp::Ports;
use synfin_wire::{
    Addr, Control, Endpoint, Flags, Head, Instant, OptionsIn, Segment, Seq, Timestamps, Tuple, ipv4,
};

const NOW: Instant = Instant::from_millis(100 * 24 * 3600 * 1000);
const LIM: TxLimits = TxLimits { mtu_payload: 1480, max_gso: 0 };

type Row = BTreeMap<String, String>;

fn rows(gz: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(gz));
    let names = reader.headers().expect("header").clone();
    let read = |r: Result<csv::StringRecord, csv::Error>| {
        let r = r.expect("row");
        names.iter().map(str::to_owned).zip(r.iter().map(str::to_owned)).collect()
    };
    reader.records().map(read).collect()
}

fn num(row: &Row, name: &str) -> u64 {
    row[name].parse().unwrap_or_else(|_| panic!("{name} of {row:?}"))
}

fn seq(row: &Row, name: &str) -> Seq {
    Seq::new(num(row, name) as u32)
}

fn state(name: &str) -> State {
    match name {
        "CLOSED" => State::Closed,
        "LISTEN" => State::Listen,
        "SYN-SENT" => State::SynSent,
        "SYN-RECEIVED" => State::SynReceived,
        "ESTABLISHED" => State::Established,
        "FIN-WAIT-1" => State::FinWait1,
        "FIN-WAIT-2" => State::FinWait2,
        "CLOSE-WAIT" => State::CloseWait,
        "CLOSING" => State::Closing,
        "LAST-ACK" => State::LastAck,
        "TIME-WAIT" => State::TimeWait,
        other => panic!("state {other}"),
    }
}

fn tuple() -> Tuple {
    let end = |n, port| Endpoint::new(Addr::v4([10, 9, 0, n]), port);
    Tuple { local: end(2, 80), remote: end(1, 4000) }
}

fn segment<'a>(row: &Row, text: &'a [u8]) -> Segment<'a> {
    let flags = if row["flags"] == "none" { "" } else { row["flags"].as_str() };
    let has = |c| flags.contains(c);
    let ctl = match (has('R'), has('S'), has('F')) {
        (true, ..) => Control::Rst,
        (_, true, true) => Control::SynFin,
        (_, true, false) => Control::Syn,
        (_, false, true) => Control::Fin,
        _ => Control::None,
    };
    let tsval = row.get("tsval").filter(|v| !v.is_empty()).map(|v| v.parse().expect("tsval"));
    let mut opts = OptionsIn::default();
    opts.ts = tsval.map(|val| Timestamps { val, ecr: 0 });
    let urg = row.get("urg").map_or(10, |u| u.parse().expect("urg"));
    Segment {
        seq: seq(row, "seg_seq"),
        ack: has('A').then(|| seq(row, "seg_ack")),
        wnd: 8000,
        ctl,
        psh: has('P'),
        urg: has('U').then_some(urg),
        flags: Flags::default(),
        opts,
        payload: text,
        gro: None,
    }
}

/// What came out, in the vectors' own words.
#[derive(Debug, Default)]
struct Outcome {
    out: Option<String>,
    /// An ACK is due within 500 ms.
    delayed: bool,
    next: Option<State>,
    snd_una: Option<Seq>,
    rcv_nxt: Option<Seq>,
    delivered: u64,
    queued: u64,
    signals: Vec<&'static str>,
    timers: &'static str,
}

fn describe(head: &Head, iss2: bool) -> String {
    let f = head.all_flags();
    let ack = head.ack.map_or(String::new(), |a| format!(" ack={a}"));
    if f.has(Flags::RST) {
        return format!("RST{} seq={}{ack}", if head.ack.is_some() { ",ACK" } else { "" }, head.seq);
    }
    if f.has(Flags::SYN) {
        let seq = if iss2 { "ISS2".to_owned() } else { head.seq.to_string() };
        return format!("SYN,ACK seq={seq}{ack}");
    }
    format!("ACK seq={}{ack}", head.seq)
}

fn run(p: &Preset, seg: &Segment<'_>, quirks: Quirks) -> Outcome {
    let recv_buffer = if p.rcv_wnd == 0 { 0 } else { 4000 };
    let cfg = Config { recv_buffer, quirks, ..Config::default() };
    let (mut pool, mut counters) = (Pool::default(), Counters::default());
    let mut cx =
        Cx { now: NOW, cfg: &cfg, pool: &mut pool, probe: None, counters: &mut counters, reply: None };
    let mut o = Outcome::default();
    if p.state == State::TimeWait {
        let mut tw = p.time_wait(&cx);
        o.next = Some(State::TimeWait);
        (o.snd_una, o.rcv_nxt) = (Some(p.snd_una), Some(p.rcv_nxt));
        match tw.on_segment(&mut cx, seg) {
            Rest::Reopen { floor } => {
                o.next = Some(State::SynReceived);
                o.rcv_nxt = Some(seg.seq + 1);
                assert_eq!(floor, p.snd_nxt);
                o.out = Some(format!("SYN,ACK seq=ISS2>{floor} ack={}", seg.seq + 1));
            }
            Rest::Restart => o.timers = "restart 2MSL",
            Rest::Delete => o.next = Some(State::Closed),
            Rest::Stay | Rest::Drop(_) => {}
        }
        if let Some(head) = cx.reply {
            o.out = Some(describe(&head, false));
        }
        return o;
    }
    let mut conn = if p.state == State::SynReceived && !p.active {
        let mut rec = p.syn_record(&cx);
        let half = rec.on_segment(&mut cx, seg);
        if half != HalfOpen::Promote {
            o.next = Some(if half == HalfOpen::Delete { State::Listen } else { State::SynReceived });
            (o.snd_una, o.rcv_nxt) = (Some(p.snd_una), Some(p.rcv_nxt));
            o.out = cx.reply.map(|h| describe(&h, false));
            return o;
        }
        assert!(cx.reply.is_none());
        synfin_tcp::Connection::promote(&rec, &mut cx)
    } else {
        p.connection(&mut cx)
    };
    let before = conn.readiness();
    let verdict = conn.on_segment(&mut cx, seg);
    o.next = Some(conn.state());
    let info = conn.info(&cfg);
    (o.snd_una, o.rcv_nxt) = (Some(info.snd_una), Some(info.rcv_nxt));
    o.delivered = u64::from(info.recv_queue);
    o.queued = conn.held_octets();
    match &verdict {
        Verdict::Linger(_) => o.timers = "start 2MSL",
        Verdict::Gone(reason) => {
            use synfin_tcp::CloseReason::*;
            match reason {
                Reset => o.signals.push("connection reset"),
                Refused => o.signals.push("connection refused"),
                _ => {}
            }
        }
        Verdict::Keep => {}
    }
    let after = conn.readiness();
    if after.connected && !before.connected {
        o.signals.push("connected");
    }
    if after.urgent {
        o.signals.push("urgent");
    }
    o.out = cx.reply.take().map(|h| describe(&h, false));
    if let Some(tx) = conn.poll_transmit(&mut cx, LIM) {
        assert!(o.out.is_none(), "two answers: {:?} and {:?}", o.out, tx.head);
        assert_eq!(tx.len, 0, "text in an answer");
        o.out = Some(describe(&tx.head, false));
        assert!(conn.poll_transmit(&mut cx, LIM).is_none(), "a second answer");
    }
    o.delayed = conn.ack_deadline() <= NOW + Duration::from_millis(499);
    o
}

/// Compares one row; the difference in words, if any.
fn difference(row: &Row, o: &Outcome, iss: Seq) -> Option<String> {
    let want = row["out"].as_str();
    let got = o.out.as_deref().unwrap_or("-");
    let plain = |kind: &str| want.replacen(&format!("ACK({kind})"), "ACK", 1);
    let out_ok = if let Some(kind) = want.strip_prefix("ACK(").and_then(|w| w.split_once(')')) {
        let same = got == plain(kind.0);
        match kind.0 {
            "challenge" | "now" => same,
            "delayable" | "now-or-delayable" => same || (got == "-" && o.delayed),
            "optional" => same || got == "-",
            other => panic!("kind {other}"),
        }
    } else {
        got == want || got == want.replace("seq=ISS ", &format!("seq={iss} "))
    };
    let mut wrong = Vec::new();
    if !out_ok {
        wrong.push(format!("out {got}, want {want}"));
    }
    let next = state(&row["next_state"]);
    if o.next != Some(next) {
        wrong.push(format!("state {:?}, want {next:?}", o.next));
    }
    if row.contains_key("snd_una2") && next != State::Closed && next != State::Listen {
        // A reopened TIME_WAIT has an ISS of its own: there SND.UNA is not the row's.
        let reopened = next == State::SynReceived && row["state"] == "TIME-WAIT";
        if !reopened && o.snd_una != Some(seq(row, "snd_una2")) {
            wrong.push(format!("SND.UNA {:?}, want {}", o.snd_una, row["snd_una2"]));
        }
        if o.rcv_nxt != Some(seq(row, "rcv_nxt2")) {
            wrong.push(format!("RCV.NXT {:?}, want {}", o.rcv_nxt, row["rcv_nxt2"]));
        }
    }
    if row.contains_key("delivered") && o.delivered != num(row, "delivered") {
        wrong.push(format!("delivered {}, want {}", o.delivered, row["delivered"]));
    }
    if row.contains_key("queued") && o.queued != num(row, "queued") {
        wrong.push(format!("queued {}, want {}", o.queued, row["queued"]));
    }
    if let Some(signals) = row.get("signals") {
        for s in ["connection reset", "connection refused", "connected", "urgent"] {
            // SYN_SENT's one signal covers both words.
            let wanted = signals.split(';').any(|w| w == s)
                || (s == "connection refused" && signals == "connection reset/refused");
            if wanted != o.signals.contains(&s) {
                wrong.push(format!("signals {:?}, want {signals}", o.signals));
            }
        }
    }
    if let Some(timers) = row.get("timers") {
        for t in ["start 2MSL", "restart 2MSL"] {
            if timers.split(';').any(|w| w == t) != (o.timers == t) {
                wrong.push(format!("timers {:?}, want {timers}", o.timers));
            }
        }
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

fn preset(row: &Row) -> Preset {
    let st = state(row["state"].split('/').next().unwrap_or_default());
    let una = seq(row, "snd_una");
    let iss = seq(row, "iss");
    Preset {
        tuple: tuple(),
        state: st,
        active: row.get("origin").is_some_and(|o| o == "active"),
        iss,
        irs: seq(row, "irs"),
        snd_una: una,
        snd_nxt: seq(row, "snd_nxt"),
        snd_wnd: 8000,
        max_snd_wnd: num(row, "max_snd_wnd") as u32,
        rcv_nxt: seq(row, "rcv_nxt"),
        rcv_wnd: num(row, "rcv_wnd") as u32,
        fin_sent: row["fin_sent"] == "1",
        acked: if st.synchronized() { u64::from(una.since(iss + 1)) } else { 0 },
        ts: None,
    }
}

/// Fails with the number of differing rows and the first of them.
fn check(name: &str, all: Vec<Row>, least: usize, judge: impl Fn(&Row) -> Option<String>) {
    let mut bad = Vec::new();
    let mut seen = 0;
    for row in &all {
        seen += 1;
        if let Some(d) = judge(row) {
            bad.push(format!(
                "{} {} {} {}: {d} ({})",
                row["id"],
                row["state"],
                row["flags"],
                row.get("seq_class").map_or("", |s| s),
                row.get("note").map_or("", |n| n)
            ));
        }
    }
    assert!(seen >= least, "{name}: only {seen} rows");
    assert!(
        bad.is_empty(),
        "{name}: {} of {seen} rows differ\n{}",
        bad.len(),
        bad[..bad.len().min(40)].join("\n")
    );
}

/// Collects what a stack sends.
#[derive(Default)]
struct Sink(Vec<Vec<u8>>);

impl TxSink for Sink {
    fn room(&self) -> usize {
        64
    }
    fn push(&mut self, head: &[u8], payload: &[&[u8]], _meta: TxMeta) {
        self.0.push([&[head], payload].concat().concat());
    }
}

/// A row for CLOSED or LISTEN: the segment as an IP packet to a stack without or with a listener.
fn through_stack(st: State, row: &Row, text: &[u8]) -> Outcome {
    let t = tuple();
    let cfg = StackConfig { addrs: vec![Cidr { addr: t.local.addr, prefix: 24 }], ..StackConfig::default() };
    let mut stack = Stack::new(cfg, Caps::plain(9000), Secrets([3; 64]));
    if st == State::Listen {
        stack.listen(t.local, ListenOpts::default()).expect("listen");
    }
    let mut flags = Flags::default();
    for (c, f) in [('F', Flags::FIN), ('S', Flags::SYN), ('R', Flags::RST), ('P', Flags::PSH)] {
        if row["flags"].contains(c) && row["flags"] != "none" {
            flags = flags.with(f);
        }
    }
    let head = Head {
        seq: seq(row, "seg_seq"),
        ack: row["flags"].contains('A').then(|| seq(row, "seg_ack")),
        wnd: 8000,
        flags,
        urg: row["flags"].contains('U').then_some(10),
        ..Head::default()
    };
    let mut tcp = [0; Head::MAX_LEN];
    let n = head.emit(Ports { src: t.remote.port, dst: t.local.port }, &mut tcp);
    let sum = Sum::pseudo(t.remote.addr, t.local.addr, 6, (n + text.len()) as u32);
    let sum = sum.add_all(&[&tcp[..n], text]).finish().to_be_bytes();
    tcp[16..18].copy_from_slice(&sum);
    let ip = ipv4::Head { src: t.remote.addr, dst: t.local.addr, protocol: 6, ttl: 64, tos: 0 };
    let packet = [&ip.emit((n + text.len()) as u16)[..], &tcp[..n], text].concat();
    stack.on_packet(NOW, RxFrame::plain(&packet));
    let mut sink = Sink::default();
    assert_eq!(stack.poll_transmit(NOW, 64, &mut sink), More::Done);
    assert!(sink.0.len() <= 1, "more than one answer");
    let out = sink.0.first().map(|p| {
        let ip = ipv4::Packet::parse(p).expect("IPv4");
        let (_, seg) = Segment::parse(ip.payload).expect("TCP");
        let head = Head { seq: seg.seq, ack: seg.ack, flags: seg.flags, ..Head::default() };
        let iss = seg.ctl.syn().then_some("ISS");
        describe(&head, false).replace(
            &format!("seq={}", seg.seq),
            &format!("seq={}", iss.map_or(seg.seq.to_string(), str::to_owned)),
        )
    });
    let half = stack.census().half_open > 0;
    Outcome {
        rcv_nxt: half.then(|| seq(row, "seg_seq") + 1),
        snd_una: half.then(|| seq(row, "snd_una2")),
        next: Some(if half { State::SynReceived } else { st }),
        out,
        ..Outcome::default()
    }
}

fn outcome(row: &Row, quirks: Quirks) -> Outcome {
    let p = preset(row);
    let text = vec![b'x'; num(row, "text_len") as usize];
    match p.state {
        State::Closed | State::Listen => through_stack(p.state, row, &text),
        _ => run(&p, &segment(row, &text), quirks),
    }
}

fn judge_segment(row: &Row) -> Option<String> {
    difference(&with_loss_told(row.clone()), &outcome(row, Quirks::NONE), seq(row, "iss"))
}

/// N27 of docs/differences.md: a RST that ends CLOSING or LAST_ACK while text of ours is unacknowledged is told.
fn with_loss_told(mut row: Row) -> Row {
    let ended = matches!(row["state"].as_str(), "CLOSING" | "LAST-ACK") && row["next_state"] == "CLOSED";
    // The FIN takes one number of what is in flight.
    let flight = seq(&row, "snd_nxt").since(seq(&row, "snd_una"));
    if ended && row["flags"].contains('R') && flight > num(&row, "fin_sent") as u32 {
        assert_eq!(row["signals"], "-", "{}", row["id"]);
        row.insert("signals".to_owned(), "connection reset".to_owned());
    }
    row
}

/// What Linux was measured to do where it differs: as the row but for the columns named here. `None`: a difference that
/// profile linux does not copy (a defect, against a MUST, or invisible to peers).
fn as_linux(row: &Row) -> Option<Row> {
    let mut want = row.clone();
    let mut set = |name: &str, value: &str| {
        want.insert(name.to_owned(), value.to_owned());
    };
    let old = |name: &str| row[name].clone();
    let ack = format!("ACK(now) seq={} ack={}", row["snd_nxt"], row["rcv_nxt"]);
    let stays = |set: &mut dyn FnMut(&str, &str)| {
        set("next_state", &old("state"));
        set("snd_una2", &old("snd_una"));
        set("rcv_nxt2", &old("rcv_nxt"));
        for (name, v) in [("delivered", "0"), ("queued", "0"), ("signals", "-"), ("timers", "-")] {
            set(name, v);
        }
    };
    match row["linux_differs"].as_str() {
        // A SYN in the window of a passive half-open record: RST.
        "P2" => {
            let seg = segment(row, &[]);
            let end = num(row, "text_len") as u32 + seg.seq_len();
            let rst = match seg.ack {
                Some(a) => format!("RST seq={a}"),
                None => format!("RST,ACK seq=0 ack={}", seg.seq + end),
            };
            set("out", &rst);
            set("next_state", "LISTEN");
        }
        "A1" => set("out", &ack),
        "A6" => {
            stays(&mut set);
            set("out", &ack);
        }
        "S2" => {
            let nxt = (seq(row, "seg_seq") + 1).to_string();
            set("next_state", "ESTABLISHED");
            set("rcv_nxt2", &nxt);
            set("delivered", "0");
            set("signals", "connected");
            set("out", &format!("ACK(now) seq={} ack={nxt}", row["snd_nxt"]));
        }
        // One row of a half-open record at the very edge is left as it is.
        "G1" if row["origin"] != "passive" => set("out", "-"),
        "R1" => {
            set("next_state", "CLOSED");
            if row["state"] == "CLOSE-WAIT" {
                set("signals", "connection reset");
            }
            set("out", "-");
        }
        "T1" => {
            set("next_state", "CLOSED");
            set("out", "-");
        }
        "T3" => {
            stays(&mut set);
            set("out", &ack);
        }
        "T6" => {
            set("out", "-");
            set("timers", "restart 2MSL");
        }
        "T9" => {
            set("out", &ack);
            set("timers", "restart 2MSL");
        }
        "T10" => set("timers", "restart 2MSL"),
        // Text beyond the right edge behind an unread FIN: no effect but an ACK.
        "G5" if matches!(row["state"].as_str(), "CLOSE-WAIT" | "CLOSING" | "LAST-ACK") => {
            stays(&mut set);
            set("out", &ack);
        }
        "G6" if row["state"] == "CLOSING" => set("out", "-"),
        _ => return None,
    }
    Some(want)
}

/// Profile linux: every row where Linux was measured equal still holds, and what is copied is as measured.
#[test]
fn every_segment_row_in_profile_linux() {
    let all = rows(include_bytes!("vectors/segments.csv.gz"));
    let copied = all.iter().filter(|r| !r["linux_differs"].is_empty() && as_linux(r).is_some()).count();
    assert!(copied > 1_500, "only {copied} copied differences are checked");
    check("linux", all, 16_590, |row| {
        let want = if row["linux_differs"].is_empty() { Some(row.clone()) } else { as_linux(row) };
        // A row gives the window itself, not the buffer that Linux would make it of, and not when an answer comes.
        let quirks = Quirks::LINUX.without(Quirks::RECV_OVERHEAD).without(Quirks::ADAPTIVE_ACKS);
        difference(&with_loss_told(want?), &outcome(row, quirks), seq(row, "iss"))
    });
}

#[test]
fn every_segment_row() {
    check("segments", rows(include_bytes!("vectors/segments.csv.gz")), 16_590, judge_segment);
}

#[test]
fn every_segment_row_with_wrapping_numbers() {
    check("segments-wrap", rows(include_bytes!("vectors/segments-wrap.csv.gz")), 16_590, judge_segment);
}

/// The variables of the presets that timestamp and ACK-floor rows leave out.
fn standard(st: State) -> Preset {
    let s = Seq::new;
    let (una, nxt, rcv, fin) = match st {
        State::SynReceived => (1000, 1001, 5001, false),
        State::Established => (1501, 2501, 5001, false),
        State::FinWait1 => (1501, 2502, 5001, true),
        State::FinWait2 => (2502, 2502, 5001, true),
        State::CloseWait => (1501, 2501, 5002, false),
        State::Closing | State::LastAck => (1501, 2502, 5002, true),
        State::TimeWait => (2502, 2502, 5002, true),
        other => panic!("{other}"),
    };
    Preset {
        tuple: tuple(),
        state: st,
        active: false,
        iss: s(1000),
        irs: s(5000),
        snd_una: s(una),
        snd_nxt: s(nxt),
        snd_wnd: 8000,
        max_snd_wnd: 8000,
        rcv_nxt: s(rcv),
        rcv_wnd: 4000,
        fin_sent: fin,
        acked: u64::from(una.saturating_sub(1001)),
        ts: None,
    }
}

#[test]
fn every_timestamp_row() {
    check("timestamps", rows(include_bytes!("vectors/timestamps.csv.gz")), 5_376, |row| {
        let st = state(row["state"].split('/').next().unwrap_or_default());
        let mut p = standard(st);
        p.rcv_nxt = seq(row, "rcv_nxt");
        if row["prev_ts"] == "1" {
            let age = if row["idle_24d"] == "1" { 25 } else { 0 };
            p.ts = Some((num(row, "ts_recent") as u32, NOW - Duration::from_secs(age * 24 * 3600)));
        }
        let text = vec![b'x'; num(row, "text_len") as usize];
        difference(row, &run(&p, &segment(row, &text), Quirks::NONE), p.iss)
    });
}

#[test]
fn every_ack_floor_row() {
    check("ack-floor", rows(include_bytes!("vectors/ack-floor.csv.gz")), 252, |row| {
        let mut p = standard(state(&row["state"]));
        p.iss = seq(row, "iss");
        p.acked = num(row, "octets_acked");
        let text = vec![b'x'; num(row, "text_len") as usize];
        difference(row, &run(&p, &segment(row, &text), Quirks::NONE), p.iss)
    });
}
