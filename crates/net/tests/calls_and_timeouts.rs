//! Every user call and every timer in every state (`vectors/calls.csv.gz`, `vectors/timeouts.csv.gz`).
//!
//! Each row is put to the real records: a row that no arm below knows fails the test, so the table and the code cannot
//! drift apart. Where the table allows several outcomes the arm names the one that this project chose.

use std::time::Duration;

use synfin_link::Caps;
use synfin_net::{Cidr, ConnectError, ConnectOpts, ListenError, ListenOpts, Secrets, Stack, StackConfig};
use synfin_tcp::testing::Preset;
use synfin_tcp::{
    CloseReason, Config, Connection, Counters, Cx, HalfOpen, Keepalive, Pool, ReadError, Shutdown, State,
    TxLimits, Verdict, WriteError,
};
use synfin_wire::{Addr, Control, Endpoint, Flags, Head, Instant, Segment, Seq, Tuple};

const T0: Instant = Instant::from_millis(1_000_000);
const LIM: TxLimits = TxLimits { mtu_payload: 1480, max_gso: 0 };
const US: Addr = Addr::v4([10, 9, 0, 2]);
const PEER: Endpoint = Endpoint::new(Addr::v4([10, 9, 0, 1]), 4000);

fn rows(gz: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(gz));
    reader.records().map(|r| r.expect("row").iter().map(str::to_owned).collect()).collect()
}

fn state(name: &str) -> State {
    let name = name.replace('-', "_").replace("SYN_RECEIVED", "SYN_RCVD");
    State::ALL.into_iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("state {name}"))
}

/// A connection in a state, with everything that a call needs.
struct Bed {
    cfg: Config,
    pool: Pool,
    counters: Counters,
    conn: Connection,
    now: Instant,
    reply: Option<Head>,
    verdict: Verdict,
}

fn preset(state: State, flight: u32) -> Preset {
    let fin = matches!(state, State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck);
    let nxt = match state {
        State::SynSent | State::SynReceived => 1001,
        State::FinWait2 => 2502,
        _ => 1501 + flight + u32::from(fin),
    };
    let una = match state {
        State::SynSent | State::SynReceived => 1000,
        State::FinWait2 => 2502,
        _ => 1501,
    };
    let eof = matches!(state, State::CloseWait | State::Closing | State::LastAck);
    Preset {
        tuple: Tuple { local: Endpoint::new(US, 80), remote: PEER },
        state,
        active: true,
        iss: Seq::new(1000),
        irs: Seq::new(5000),
        snd_una: Seq::new(una),
        snd_nxt: Seq::new(nxt),
        snd_wnd: 8000,
        max_snd_wnd: 8000,
        rcv_nxt: Seq::new(5001 + u32::from(eof)),
        rcv_wnd: 4000,
        fin_sent: fin,
        acked: u64::from(una.saturating_sub(1001)),
        ts: None,
    }
}

impl Bed {
    fn at(state: State) -> Bed {
        Bed::new(&preset(state, 1000))
    }

    /// As [`Bed::at`] with nothing in flight but what the state itself implies.
    fn idle(state: State) -> Bed {
        Bed::new(&preset(state, 0))
    }

    fn new(p: &Preset) -> Bed {
        let (cfg, mut pool, mut counters) = (Config::default(), Pool::default(), Counters::default());
        let mut cx =
            Cx { now: T0, cfg: &cfg, pool: &mut pool, probe: None, counters: &mut counters, reply: None };
        let conn = p.connection(&mut cx);
        Bed { cfg, pool, counters, conn, now: T0, reply: None, verdict: Verdict::Keep }
    }

    fn with<R>(&mut self, f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx {
            now: self.now,
            cfg: &self.cfg,
            pool: &mut self.pool,
            probe: None,
            counters: &mut self.counters,
            reply: None,
        };
        let r = f(&mut self.conn, &mut cx);
        self.reply = cx.reply.or(self.reply);
        r
    }

    /// 100 octets of the peer's text that nobody has read.
    fn unread(mut self) -> Bed {
        let p = preset(self.conn.state(), 1000);
        let open = Preset { state: State::Established, rcv_nxt: Seq::new(5001), ..p };
        if !self.conn.state().receives() {
            return self;
        }
        assert!(open.rcv_nxt == p.rcv_nxt);
        let seg = Segment {
            seq: p.rcv_nxt,
            ack: Some(p.snd_una),
            wnd: 8000,
            payload: &[b'x'; 100],
            ..Segment::default()
        };
        let v = self.with(|c, cx| c.on_segment(cx, &seg));
        assert!(matches!(v, Verdict::Keep));
        self
    }

    fn sent(&mut self) -> Option<Head> {
        self.with(|c, cx| c.poll_transmit(cx, LIM).map(|t| t.head))
    }

    fn call(&mut self, f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> Verdict) {
        self.verdict = self.with(f);
    }

    fn gone(&self) -> Option<CloseReason> {
        match self.verdict {
            Verdict::Gone(r) => Some(r),
            _ => None,
        }
    }
}

fn stack() -> Stack {
    let cfg = StackConfig { addrs: vec![Cidr { addr: US, prefix: 24 }], ..StackConfig::default() };
    Stack::new(cfg, Caps::plain(1500), Secrets([7; 64]))
}

/// Rows for states in which there is no record of a connection.
fn call_without_connection(call: &str, st: State, result: &str) -> Result<(), String> {
    let mut s = stack();
    let at = Endpoint::new(US, 80);
    let listener = (st == State::Listen).then(|| s.listen(at, ListenOpts::default()).expect("listen"));
    let holds = |ok: bool| if ok { Ok(()) } else { Err("does not hold".to_owned()) };
    match (call, st) {
        ("OPEN passive", State::Closed) => holds(s.listen(at, ListenOpts::default()).is_ok()),
        ("OPEN passive", _) => {
            let second = s.listen(at, ListenOpts::default());
            holds(
                second == Err(ListenError::InUse)
                    && s.listener_endpoint(listener.expect("first")) == Some(at),
            )
        }
        ("OPEN active, remote given", _) => holds(s.connect(T0, PEER, ConnectOpts::default()).is_ok()),
        ("OPEN active, remote missing", _) => {
            let nowhere = Endpoint::new(Addr::V4_UNSPECIFIED, 80);
            let nowhere = s.connect(T0, nowhere, ConnectOpts::default());
            holds(nowhere == Err(ConnectError::InvalidRemote))
        }
        ("OPEN active, remote invalid (broadcast, multicast, unspecified)", _) => {
            let bad = [[255, 255, 255, 255], [10, 9, 0, 255], [224, 0, 0, 1], [0, 0, 0, 0]];
            holds(bad.iter().all(|a| {
                let to = Endpoint::new(Addr::v4(*a), 80);
                s.connect(T0, to, ConnectOpts::default()) == Err(ConnectError::InvalidRemote)
            }))
        }
        ("OPEN, no resources", _) => {
            let cfg = StackConfig {
                addrs: vec![Cidr { addr: US, prefix: 24 }],
                max_connections: 0,
                ..StackConfig::default()
            };
            let mut full = Stack::new(cfg, Caps::plain(1500), Secrets([7; 64]));
            holds(full.connect(T0, PEER, ConnectOpts::default()) == Err(ConnectError::Limit))
        }
        // LISTEN is no connection here: SEND and RECEIVE on it cannot be spelt. CLOSE and ABORT delete the listener.
        ("CLOSE" | "full close(), unread text in buffer (P8)" | "ABORT", State::Listen) => {
            let l = listener.expect("listener");
            s.close_listener(T0, l);
            holds(s.listener_endpoint(l).is_none() && s.listen(at, ListenOpts::default()).is_ok())
        }
        ("STATUS", State::Listen) => {
            let mut seen = Vec::new();
            s.for_each_record(&mut |t, st| seen.push((t.local, st)));
            holds(seen == [(at, State::Listen)])
        }
        ("SEND n octets" | "SEND, no buffer space" | "RECEIVE", State::Listen) => Ok(()),
        (_, State::Closed) if result.contains("does not exist") => {
            let id = s.connect(T0, PEER, ConnectOpts::default()).expect("connect");
            s.conn(T0, id).expect("handle").abort();
            holds(s.conn(T0, id).is_none())
        }
        _ => Err("no arm".to_owned()),
    }
}

/// Rows for a connection. TIME_WAIT is a connection whose small record has taken over: the application's side of it.
fn call_on_connection(call: &str, st: State, result: &str, segment: &str, next: &str) -> Result<(), String> {
    let mut b = if st == State::TimeWait { resting() } else { Bed::at(st) };
    let text = [b'y'; 100];
    let expect_next = |b: &Bed| match next {
        "same" => st,
        "same or CLOSED" => b.conn.state(),
        other => state(other.split(' ').next().unwrap_or_default()),
    };
    let check = |b: &Bed, ok: bool| match (ok, b.conn.state() == expect_next(b)) {
        (true, true) => Ok(()),
        (ok, same) => {
            Err(format!("outcome {ok}, state {} right: {same}, reply {:?}", b.conn.state(), b.reply))
        }
    };
    let reset = |b: &Bed| b.reply.is_some_and(|h| h.all_flags().has(Flags::RST));
    match call {
        // A connection is its own record: another open of the same pair is refused by the stack.
        c if c.starts_with("OPEN") => {
            let mut s = stack();
            let local = Some(Endpoint::new(US, 80));
            s.connect(T0, PEER, ConnectOpts { local }).expect("first");
            let again = s.connect(T0, PEER, ConnectOpts { local });
            if again == Err(ConnectError::InUse) { Ok(()) } else { Err(format!("{again:?}")) }
        }
        "SEND n octets" => {
            let r = b.with(|c, cx| c.write(cx, &text));
            let ok = if result.contains("closing") { r == Err(WriteError::Closing) } else { r == Ok(100) };
            let out = b.sent();
            // Nothing goes on a SYN; in ESTABLISHED Nagle holds 100 octets while 1,000 are in flight.
            check(&b, ok && out.is_none_or(|h| h.all_flags().has(Flags::SYN)))
        }
        "SEND, no buffer space" => {
            b.conn.set_send_buffer(1);
            let r = b.with(|c, cx| {
                let _ = c.write(cx, &text);
                c.write(cx, &text)
            });
            let want = if result.contains("closing") { WriteError::Closing } else { WriteError::WouldBlock };
            check(&b, r == Err(want))
        }
        "RECEIVE" => {
            let mut into = [0; 10];
            let r = b.with(|c, cx| c.read(cx, &mut into));
            let want = if result.contains("end-of-file") { Ok(0) } else { Err(ReadError::WouldBlock) };
            if r != want || !st.receives() {
                return check(&b, r == want);
            }
            let mut b = b.unread();
            let r = b.with(|c, cx| c.read(cx, &mut into));
            check(&b, r == Ok(10))
        }
        "CLOSE" if result.starts_with("text pending") => {
            let n = b.with(|c, cx| c.write(cx, &text));
            b.call(|c, cx| c.close(cx));
            let out = b.sent();
            check(&b, n == Ok(100) && out.is_none())
        }
        "CLOSE" | "full close(), unread text in buffer (P8)"
            if matches!(st, State::SynSent | State::SynReceived) =>
        {
            if result.starts_with("text pending") {
                return call_on_connection("CLOSE", st, result, segment, next);
            }
            b.call(|c, cx| c.close(cx));
            if st == State::SynSent {
                let quiet = b.reply.is_none();
                return check(&b, b.gone() == Some(CloseReason::Aborted) && quiet);
            }
            let fin = b.sent();
            let right = fin.is_some_and(|h| {
                h.seq == Seq::new(1001) && h.ack == Some(Seq::new(5001)) && h.all_flags().has(Flags::FIN)
            });
            check(&b, right)
        }
        "CLOSE" => {
            b.call(|c, cx| c.shutdown(cx, Shutdown::Write));
            let fin = b.sent();
            // With 1,000 octets in flight and room in the window the FIN goes at once, behind the last text.
            let sends = matches!(st, State::Established | State::CloseWait);
            let right = if sends {
                fin.is_some_and(|h| h.seq == Seq::new(2501) && h.all_flags().has(Flags::FIN))
            } else {
                fin.is_none()
            };
            let again = b.sent();
            check(&b, right && again.is_none())
        }
        "full close(), unread text in buffer (P8)" => {
            let mut b = if st == State::CloseWait { unread_then_fin() } else { b.unread() };
            b.call(|c, cx| c.close(cx));
            let kills = segment.starts_with('<');
            check(&b, if kills { b.gone() == Some(CloseReason::Aborted) && reset(&b) } else { !reset(&b) })
        }
        "ABORT" => {
            let seq = b.conn.info(&b.cfg.clone()).snd_nxt;
            b.call(|c, cx| c.abort(cx));
            if st == State::TimeWait {
                // The small record is deleted by the stack's own limits and time; the application's side is let go.
                return if b.reply.is_none() { Ok(()) } else { Err("RST in TIME_WAIT".into()) };
            }
            let kills = segment.starts_with('<');
            let right = if kills { reset(&b) && b.reply.is_some_and(|h| h.seq == seq) } else { !reset(&b) };
            check(&b, right && b.gone() == Some(CloseReason::Aborted))
        }
        "STATUS" => {
            let info = b.conn.info(&b.cfg.clone());
            check(&b, info.state == st && info.iss == Seq::new(1000))
        }
        _ => Err("no arm".to_owned()),
    }
}

/// The application's side of a connection that went to TIME_WAIT.
fn resting() -> Bed {
    let mut b = Bed::at(State::FinWait2);
    let fin = Segment {
        seq: Seq::new(5001),
        ack: Some(Seq::new(2502)),
        ctl: Control::Fin,
        wnd: 8000,
        ..Segment::default()
    };
    let v = b.with(|c, cx| c.on_segment(cx, &fin));
    assert!(matches!(v, Verdict::Linger(_)));
    b.reply = None;
    b
}

/// CLOSE_WAIT with 100 octets unread.
fn unread_then_fin() -> Bed {
    let mut b = Bed::at(State::Established).unread();
    let fin = Segment {
        seq: Seq::new(5101),
        ack: Some(Seq::new(1501)),
        ctl: Control::Fin,
        wnd: 8000,
        ..Segment::default()
    };
    let v = b.with(|c, cx| c.on_segment(cx, &fin));
    assert!(matches!(v, Verdict::Keep));
    assert_eq!(b.conn.state(), State::CloseWait);
    b
}

#[test]
fn every_call_row() {
    let mut bad = Vec::new();
    let all = rows(include_bytes!("vectors/calls.csv.gz"));
    assert!(all.len() >= 135);
    for r in &all {
        let [id, call, st, result, segment, next] = r.as_slice() else { panic!("{r:?}") };
        let st = state(st);
        let outcome = if matches!(st, State::Closed | State::Listen) {
            call_without_connection(call, st, result)
        } else {
            call_on_connection(call, st, result, segment, next)
        };
        if let Err(e) = outcome {
            bad.push(format!("{id} {call} in {st}: {e} (want {result}; {segment}; {next})"));
        }
    }
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), all.len(), bad.join("\n"));
}

/// Lets time pass to the next deadline and runs it.
fn fire(b: &mut Bed) -> bool {
    let at = b.conn.poll_timeout();
    if at.is_never() {
        return false;
    }
    b.now = at;
    b.call(|c, cx| c.on_timeout(cx));
    true
}

fn timeout_row(timer: &str, st: State, result: &str, segment: &str, next: &str) -> Result<(), String> {
    let absent = matches!(st, State::Closed | State::Listen | State::TimeWait);
    let never = result.contains("cannot happen") || result.contains("not running");
    let fail =
        |b: &Bed, what: &str| Err(format!("{what}; state {}, verdict {:?}", b.conn.state(), b.verdict));
    let passive = result.contains("origin passive");
    match timer {
        "TIME-WAIT TIMEOUT" if st == State::TimeWait => {
            let (cfg, mut pool, mut counters) = (Config::default(), Pool::default(), Counters::default());
            let cx =
                Cx { now: T0, cfg: &cfg, pool: &mut pool, probe: None, counters: &mut counters, reply: None };
            let tw = Preset { state: st, ..preset(State::FinWait2, 0) }.time_wait(&cx);
            return if tw.expires() == T0 + 2 * cfg.msl { Ok(()) } else { Err("not 2 MSL".into()) };
        }
        _ if absent || (timer == "TIME-WAIT TIMEOUT" && never) => {
            // No record, or one whose only timer is 2 MSL: nothing that could fire exists in its type.
            return if never { Ok(()) } else { Err("no arm".into()) };
        }
        _ => {}
    }
    if passive {
        let cfg = Config::default();
        let (mut pool, mut counters) = (Pool::default(), Counters::default());
        let mut cx =
            Cx { now: T0, cfg: &cfg, pool: &mut pool, probe: None, counters: &mut counters, reply: None };
        let mut rec = Preset { active: false, ..preset(st, 0) }.syn_record(&cx);
        for n in 0..=cfg.syn_ack_retries {
            cx.now = rec.poll_timeout();
            cx.reply = None;
            let half = rec.on_timeout(&mut cx);
            let last = n == cfg.syn_ack_retries;
            if last != (half == HalfOpen::Delete) || last != cx.reply.is_none() {
                return Err(format!("try {n}: {half:?}"));
            }
        }
        return Ok(());
    }
    let mut b = Bed::at(st);
    match timer {
        "USER TIMEOUT" => {
            b.conn.set_user_timeout(Some(Duration::from_millis(300)));
            if st == State::FinWait2 {
                b.call(|c, cx| c.close(cx));
                let fw2 = b.conn.poll_timeout() == T0 + b.cfg.fin_wait_2;
                fire(&mut b);
                let over = b.gone() == Some(CloseReason::FinWait2Expired);
                return if fw2 && over { Ok(()) } else { fail(&b, "orphan limit") };
            }
            let at = b.conn.poll_timeout();
            fire(&mut b);
            if at == T0 + Duration::from_millis(300) && b.gone() == Some(CloseReason::TimedOut) {
                Ok(())
            } else {
                fail(&b, "user timeout")
            }
        }
        "RETRANSMISSION TIMEOUT" if never => {
            if b.conn.poll_timeout().is_never() {
                Ok(())
            } else {
                fail(&b, "a timer runs")
            }
        }
        "RETRANSMISSION TIMEOUT" => {
            let rto = b.conn.info(&b.cfg.clone()).rto;
            let due = b.conn.poll_timeout() == T0 + rto;
            fire(&mut b);
            let doubled = b.conn.info(&b.cfg.clone()).rto == 2 * rto;
            let out = b.sent();
            let right = out.is_some_and(|h| {
                let f = h.all_flags();
                match st {
                    State::SynSent => h.seq == Seq::new(1000) && f == Flags::SYN,
                    State::SynReceived => {
                        h.seq == Seq::new(1000) && h.ack == Some(Seq::new(5001)) && f.has(Flags::SYN)
                    }
                    _ => h.seq == Seq::new(1501) && h.ack.is_some() && !f.has(Flags::SYN),
                }
            });
            if due && doubled && right && b.conn.state() == st && (next == "same") {
                Ok(())
            } else {
                fail(&b, &format!("due {due} doubled {doubled} out {out:?}"))
            }
        }
        "RETRANSMISSION LIMIT R2" if never => {
            if b.conn.poll_timeout().is_never() {
                Ok(())
            } else {
                fail(&b, "a timer runs")
            }
        }
        "RETRANSMISSION LIMIT R2" => {
            let mut fired = 0;
            while matches!(b.verdict, Verdict::Keep) && fired < 100 && fire(&mut b) {
                fired += 1;
                while b.sent().is_some() {}
            }
            let text = !matches!(st, State::SynSent | State::SynReceived);
            let tries = 1 + usize::from(if text { b.cfg.r2 } else { b.cfg.syn_retries });
            let long = b.now.since(T0).as_secs() >= if text { 100 } else { 180 };
            if fired == tries && long && b.gone() == Some(CloseReason::TimedOut) {
                Ok(())
            } else {
                fail(&b, &format!("{fired} tries, {:?}", b.now.since(T0)))
            }
        }
        "PERSIST" if never => {
            // Nothing can wait for a window: text is not sent in these states, or none is left.
            let open = b.conn.readiness().connected && st != State::FinWait2;
            if open { fail(&b, "text could wait") } else { Ok(()) }
        }
        "PERSIST" => {
            let p = preset(st, 1000);
            let closed = Segment { seq: p.rcv_nxt, ack: Some(p.snd_una), wnd: 0, ..Segment::default() };
            b.call(|c, cx| c.on_segment(cx, &closed));
            let mut gaps = Vec::new();
            for _ in 0..3 {
                let from = b.now;
                fire(&mut b);
                gaps.push(b.now.since(from).as_millis());
                let probe = b.sent();
                if !probe.is_some_and(|h| h.seq == p.snd_una) {
                    return fail(&b, &format!("probe {probe:?}"));
                }
            }
            if gaps == [1000, 2000, 4000] && b.conn.state() == st {
                Ok(())
            } else {
                fail(&b, &format!("{gaps:?}"))
            }
        }
        "DELAYED ACK" if never => {
            if b.conn.ack_deadline().is_never() {
                Ok(())
            } else {
                fail(&b, "an ACK waits")
            }
        }
        "DELAYED ACK" => {
            let p = preset(st, 1000);
            let text = Segment {
                seq: p.rcv_nxt,
                ack: Some(p.snd_una),
                wnd: 8000,
                payload: &[b'x'; 10],
                ..Segment::default()
            };
            b.call(|c, cx| c.on_segment(cx, &text));
            if b.sent().is_some() || b.conn.ack_deadline() > T0 + Duration::from_millis(499) {
                return fail(&b, "not delayed");
            }
            fire(&mut b);
            let ack = b.sent();
            let right = ack.is_some_and(|h| h.seq == p.snd_nxt && h.ack == Some(p.rcv_nxt + 10));
            if right { Ok(()) } else { fail(&b, &format!("{ack:?}")) }
        }
        "KEEP-ALIVE (enabled, idle)" => {
            let mut b = if st == State::SynSent || st == State::SynReceived { b } else { Bed::idle(st) };
            b.with(|c, cx| c.set_keepalive(cx, Some(Keepalive::default())));
            let first = b.conn.poll_timeout();
            if never {
                return if first < T0 + Duration::from_secs(7200) {
                    Ok(())
                } else {
                    fail(&b, "keepalive runs")
                };
            }
            let nxt = b.conn.info(&b.cfg.clone()).snd_nxt;
            for n in 0..10 {
                if b.conn.poll_timeout() != T0 + Duration::from_secs(7200 + 75 * n) {
                    return fail(&b, &format!("probe {n} at {:?}", b.conn.poll_timeout()));
                }
                fire(&mut b);
                let probe = b.sent();
                if !probe.is_some_and(|h| h.seq == nxt - 1 && h.flags == Flags::default()) {
                    return fail(&b, &format!("probe {n}: {probe:?}"));
                }
                if segment.starts_with('<') {
                    return Ok(());
                }
            }
            fire(&mut b);
            let right = b.gone() == Some(CloseReason::TimedOut) && b.now == T0 + Duration::from_secs(7950);
            if right { Ok(()) } else { fail(&b, "not given up at 7,950 s") }
        }
        "FIN-WAIT-2 LIMIT (orphan)" => {
            b.call(|c, cx| c.close(cx));
            if never {
                return if b.conn.poll_timeout() < T0 + b.cfg.fin_wait_2 || b.gone().is_some() {
                    Ok(())
                } else {
                    fail(&b, "limit runs")
                };
            }
            let at = b.conn.poll_timeout();
            fire(&mut b);
            let right = at == T0 + b.cfg.fin_wait_2 && b.gone() == Some(CloseReason::FinWait2Expired);
            if right { Ok(()) } else { fail(&b, "orphan limit") }
        }
        _ => Err("no arm".to_owned()),
    }
}

#[test]
fn every_timeout_row() {
    let mut bad = Vec::new();
    let all = rows(include_bytes!("vectors/timeouts.csv.gz"));
    assert!(all.len() >= 69);
    for r in &all {
        let [id, timer, st, result, segment, next] = r.as_slice() else { panic!("{r:?}") };
        if let Err(e) = timeout_row(timer, state(st), result, segment, next) {
            bad.push(format!("{id} {timer} in {st}: {e} (want {result}; {segment}; {next})"));
        }
    }
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), all.len(), bad.join("\n"));
}
