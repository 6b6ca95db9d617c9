//! One end: the records of the production code, driven as a stack drives them, and its application.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use synfin_tcp::testing::fingerprint;
use synfin_tcp::{
    CloseReason, Config, Connection, Counters, Cx, HalfOpen, Info, Pool, ReadError, Rest, Shutdown, State,
    SynRecord, TimeWait, TxLimits, Verdict, Why, reset_for,
};
use synfin_wire::tcp::Ports;
use synfin_wire::{Control, DropReason, Flags, Head, Instant, Segment, Seq, Timestamps, Tuple};

use crate::app::{Op, Reading, octet};
use crate::scenario::{Emission, Scenario};

/// What a property says when it does not hold.
pub type Fault = String;

/// Connections that an end may begin; its listener ignores further SYNs, as a full one does.
const LIVES: usize = 5;
/// Distance of two initial sequence numbers, as RFC 6528's clock would make it.
pub const ISS_STEP: u32 = 100_000;
/// No scenario writes more octets than this: with such a window no acknowledgement of it is ever too old.
const ALL_TEXT: u32 = 16;
/// From this age on an echoed timestamp is no sample, in milliseconds.
const OLD_ECHO_MS: u32 = 120_000;
/// Segments that one call may make due at most; more is "sends for ever".
const BURST: usize = 32;
const LIM: TxLimits = TxLimits { mtu_payload: 1480, max_gso: 0 };

/// A segment on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Header and text.
    pub bytes: Rc<[u8]>,
    /// Hash of all but the timestamps.
    key: u64,
    ts: Option<Timestamps>,
    /// When it was sent.
    pub born: Instant,
}

impl Packet {
    fn new(tuple: &Tuple, head: &Head, text: &[u8], born: Instant) -> Packet {
        let ports = Ports { src: tuple.local.port, dst: tuple.remote.port };
        let mut buf = [0; Head::MAX_LEN];
        let mut plain = *head;
        plain.opts.ts = None;
        let n = plain.emit(ports, &mut buf);
        let mut h = DefaultHasher::new();
        (&buf[..n], text).hash(&mut h);
        let n = head.emit(ports, &mut buf);
        let bytes: Rc<[u8]> = buf[..n].iter().chain(text).copied().collect();
        Packet { bytes, key: h.finish(), ts: head.opts.ts, born }
    }

    /// The segment.
    pub fn segment(&self) -> Segment<'_> {
        Segment::parse(&self.bytes).map(|(_, seg)| seg).expect("the emitter writes what the parser reads")
    }

    /// Feeds what distinguishes this packet from others at the same place, times relative to `now`; `offset` is that of
    /// its receiver's timestamps.
    pub fn fingerprint(&self, offset: u32, now: Instant, h: &mut impl Hasher) {
        let ms = now.millis() as u32;
        let ts = self.ts.map(|t| {
            let val = if t.val == 0 { None } else { Some(t.val.wrapping_sub(ms)) };
            let echo = if t.ecr == 0 {
                None
            } else {
                Some(ms.wrapping_add(offset).wrapping_sub(t.ecr).min(OLD_ECHO_MS))
            };
            (val, echo)
        });
        (self.key, ts, now.since(self.born)).hash(h);
    }
}

/// One connection that an end began, actively or by answering a SYN.
#[derive(Clone, Debug, Hash)]
pub struct Life {
    /// ISS
    pub iss: Seq,
    /// IRS, once a connection stands on it.
    pub irs: Option<Seq>,
    /// Octets written.
    pub wrote: u8,
    /// The application closed its direction, so that FIN follows.
    pub closed: bool,
    /// Octets read.
    pub read: u8,
    /// The end of the peer's stream was read.
    pub eof: bool,
    /// How the record ended; `Done` also for TIME_WAIT.
    pub end: Option<CloseReason>,
}

/// One end.
#[derive(Clone)]
pub struct End {
    /// 0 or 1.
    pub who: usize,
    /// The half-open record.
    pub half: Option<SynRecord>,
    half_life: usize,
    /// The connection; without `live` only its application still holds it.
    pub conn: Option<Connection>,
    /// The connection is in the tables: segments go to it.
    pub live: bool,
    /// Which of `lives` the connection is.
    pub life: usize,
    /// The TIME_WAIT record.
    pub rest: Option<TimeWait>,
    /// The application holds the connection.
    pub held: bool,
    /// The application's next step.
    pub pc: usize,
    /// A handshake found the accept queue full once.
    pub refused: bool,
    /// When its pause is over.
    wake: Instant,
    /// All that was begun here.
    pub lives: Vec<Life>,
    pool: Pool,
    /// What this step sent.
    pub sent: Vec<Packet>,
}

/// Builds the context of a call on `$e`.
macro_rules! cx {
    ($e:expr, $now:expr, $cfg:expr, $counters:expr) => {
        Cx { now: $now, cfg: $cfg, pool: &mut $e.pool, probe: None, counters: &mut $counters, reply: None }
    };
}

impl End {
    /// An end that nothing has happened to.
    pub fn new(who: usize) -> End {
        End {
            who,
            half: None,
            half_life: 0,
            conn: None,
            live: false,
            life: 0,
            rest: None,
            held: false,
            pc: 0,
            refused: false,
            wake: Instant::NEVER,
            lives: Vec::new(),
            pool: Pool::new(1 << 30, 0),
            sent: Vec::new(),
        }
    }

    fn op(&self, sc: &Scenario) -> Option<Op> {
        sc.sides[self.who].ops.get(self.pc).copied()
    }

    /// Whether this end listens: its application accepts.
    fn listens(&self, sc: &Scenario) -> bool {
        sc.sides[self.who].ops.contains(&Op::Accept)
    }

    /// No record of any kind, nothing held, and the application has nothing left to do but to wait for a peer.
    pub fn is_idle(&self, sc: &Scenario) -> bool {
        let waits = matches!(self.op(sc), None | Some(Op::Accept));
        waits && self.half.is_none() && self.conn.is_none() && self.rest.is_none()
    }

    /// Octets of buffers that are handed out.
    pub fn pool_used(&self) -> usize {
        self.pool.used()
    }

    /// A copy of the live connection's variables.
    pub fn info(&self, cfg: &Config) -> Option<Info> {
        self.conn.as_ref().filter(|_| self.live).map(|c| c.info(cfg))
    }

    /// The next initial sequence number; it lies after `floor` if there is one (RFC 6191).
    fn begin_life(&mut self, sc: &Scenario, floor: Option<Seq>) -> Seq {
        let iss = Seq::new(sc.iss[self.who]) + ISS_STEP * self.lives.len() as u32;
        assert!(floor.is_none_or(|f| iss.after(f)), "{iss} is not after {floor:?}");
        self.lives.push(Life { iss, irs: None, wrote: 0, closed: false, read: 0, eof: false, end: None });
        iss
    }

    fn send_head(&mut self, sc: &Scenario, now: Instant, head: Option<Head>) {
        if let Some(head) = head {
            self.sent.push(Packet::new(&sc.tuple(self.who), &head, &[], now));
        }
    }

    /// What a stack does with a verdict.
    fn settle(&mut self, sc: &Scenario, now: Instant, v: Verdict) {
        let reason = match v {
            Verdict::Keep => None,
            Verdict::Linger(tw) => {
                self.rest = Some(tw);
                Some(CloseReason::Done)
            }
            Verdict::Gone(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            self.live = false;
            self.lives[self.life].end = Some(reason);
        }
        self.free_husk(sc, now);
    }

    /// A connection that neither the tables nor an application hold is freed.
    fn free_husk(&mut self, sc: &Scenario, now: Instant) {
        if !self.live && self.conn.as_ref().is_some_and(Connection::is_orphan) {
            let mut counters = Counters::default();
            let mut cx = cx!(self, now, sc.cfg(self.who), counters);
            if let Some(c) = &mut self.conn {
                c.release(&mut cx);
            }
            self.conn = None;
        }
    }

    /// A segment arrives.
    pub fn deliver(&mut self, sc: &Scenario, now: Instant, packet: &Packet) -> Result<(), Fault> {
        let seg = packet.segment();
        let mut counters = Counters::default();
        let cfg = sc.cfg(self.who);
        let listens = self.listens(sc);
        let mut cx = cx!(self, now, cfg, counters);
        let mut verdict = Verdict::Keep;
        let mut syn = None;
        if let Some(tw) = &mut self.rest {
            match tw.on_segment(&mut cx, &seg) {
                Rest::Stay | Rest::Restart | Rest::Drop(_) => {}
                Rest::Delete => self.rest = None,
                Rest::Reopen { floor } => {
                    if listens && self.lives.len() < LIVES {
                        syn = Some(Some(floor));
                    } else {
                        tw.refuse(&mut cx);
                    }
                }
            }
        } else if let Some(c) = self.conn.as_mut().filter(|_| self.live) {
            verdict = c.on_segment(&mut cx, &seg);
        } else if let Some(rec) = &mut self.half {
            match rec.on_segment(&mut cx, &seg) {
                HalfOpen::Stay => {}
                HalfOpen::Delete => self.half = None,
                HalfOpen::Promote if self.conn.is_some() => {
                    // The one place of the accept queue is taken: the peer repeats itself.
                    self.refused = true;
                }
                HalfOpen::Promote => {
                    let mut c = Connection::promote(rec, &mut cx);
                    sc.prepare(&mut c, &cx);
                    let irs = c.info(cfg).irs;
                    verdict = c.on_segment(&mut cx, &seg);
                    self.conn = Some(c);
                    self.half = None;
                    self.live = true;
                    self.life = self.half_life;
                    self.lives[self.life].irs = Some(irs);
                }
            }
        } else if seg.ctl == Control::Rst {
        } else if listens && seg.ctl == Control::Syn && seg.ack.is_none() {
            syn = Some(None);
        } else {
            cx.reply = Some(reset_for(&seg));
        }
        let mut reply = cx.reply;
        if let Some(floor) = syn.filter(|_| self.lives.len() < LIVES) {
            self.rest = None;
            let iss = self.begin_life(sc, floor);
            let mut cx = cx!(self, now, cfg, counters);
            self.half =
                Some(SynRecord::open(sc.tuple(self.who), &seg, iss, sc.ts_offset(self.who), sc.mss, &mut cx));
            self.half_life = self.lives.len() - 1;
            reply = cx.reply;
        }
        self.settle(sc, now, verdict);
        self.send_head(sc, now, reply);
        self.after(sc, now)?;
        let honest = self.lives.len() == 1 && cfg.recv_buffer >= ALL_TEXT;
        if honest && (counters.drops(DropReason::AckTooOld) > 0) {
            return Err("an acknowledgement that was once good is refused".to_owned());
        }
        let empty = self.sent.iter().filter(|p| p.segment().seq_len() == 0).count();
        if empty > 1 {
            return Err(format!("one segment, {empty} empty answers"));
        }
        if seg.ctl.rst() && self.sent.iter().any(|p| p.segment().ctl.rst()) {
            return Err("RST in answer to RST".to_owned());
        }
        Ok(())
    }

    /// When time means something to this end.
    pub fn deadline(&self) -> Instant {
        let conn = self.conn.as_ref().filter(|_| self.live).map_or(Instant::NEVER, Connection::poll_timeout);
        let half = self.half.as_ref().map_or(Instant::NEVER, SynRecord::poll_timeout);
        let rest = self.rest.as_ref().map_or(Instant::NEVER, TimeWait::expires);
        conn.min(half).min(rest).min(self.wake)
    }

    /// Everything whose time has come.
    pub fn fire(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        let mut counters = Counters::default();
        let mut cx = cx!(self, now, sc.cfg(self.who), counters);
        let mut verdict = Verdict::Keep;
        if let Some(c) = self.conn.as_mut().filter(|c| self.live && c.poll_timeout() <= now) {
            verdict = c.on_timeout(&mut cx);
        }
        if let Some(rec) = self.half.as_mut().filter(|r| r.poll_timeout() <= now)
            && rec.on_timeout(&mut cx) == HalfOpen::Delete
        {
            self.half = None;
        }
        let reply = cx.reply;
        if self.rest.as_ref().is_some_and(|tw| tw.expires() <= now) {
            self.rest = None;
        }
        if self.wake <= now {
            self.wake = Instant::NEVER;
            self.pc += 1;
        }
        self.settle(sc, now, verdict);
        self.send_head(sc, now, reply);
        self.after(sc, now)?;
        if self.deadline() <= now {
            return Err("a timer has fired and stays due".to_owned());
        }
        Ok(())
    }

    /// What follows every step: sending, reading, waiting, as far as nobody else decides when.
    fn after(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        let side = &sc.sides[self.who];
        if sc.emission == Emission::AtOnce {
            self.send_all(sc, now)?;
        }
        if side.reading == Reading::Eager && self.read(sc, now)? && sc.emission == Emission::AtOnce {
            self.send_all(sc, now)?;
        }
        self.go_on(sc, now);
        if self.sent.len() > BURST {
            return Err("sends for ever".to_owned());
        }
        Ok(())
    }

    fn send_all(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        while self.sent.len() <= BURST && self.send_one(sc, now)? {}
        Ok(())
    }

    /// Whether [`End::emit`] could do something.
    pub fn wants_emit(&self) -> bool {
        self.live && self.conn.as_ref().is_some_and(Connection::wants_transmit)
    }

    /// Whether [`End::emit`] would do something: send, or arm a timer.
    pub fn can_emit(&self, sc: &Scenario, now: Instant) -> bool {
        let mut trial = self.clone();
        trial.sent.clear();
        self.wants_emit()
            && (trial.emit(sc, now).is_err() || !trial.sent.is_empty() || trial.deadline() != self.deadline())
    }

    /// One turn of the sender.
    pub fn emit(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        self.send_one(sc, now)?;
        self.go_on(sc, now);
        Ok(())
    }

    fn send_one(&mut self, sc: &Scenario, now: Instant) -> Result<bool, Fault> {
        let cfg = sc.cfg(self.who);
        let Some(c) = self.conn.as_mut().filter(|_| self.live) else { return Ok(false) };
        let before = c.info(cfg);
        let mut counters = Counters::default();
        let mut cx = cx!(self, now, cfg, counters);
        let Some(tx) = c.poll_transmit(&mut cx, LIM) else { return Ok(false) };
        let (head, len, why) = (tx.head, tx.len, tx.why);
        let text: Vec<u8> = tx.payload.flatten().copied().collect();
        if text.len() as u32 != len {
            return Err(format!("{len} octets to send, {} in the queue", text.len()));
        }
        let after = c.info(cfg);
        check_sent(&before, &after, &head, len, why)?;
        self.sent.push(Packet::new(&sc.tuple(self.who), &head, &text, now));
        Ok(true)
    }

    /// Whether [`End::read`] could do something.
    pub fn wants_read(&self) -> bool {
        self.held
            && !self.lives[self.life].eof
            && self.conn.as_ref().is_some_and(|c| {
                let r = c.readiness();
                r.readable && !matches!(c.peek(&mut [0]), Err(ReadError::Closed(_)))
            })
    }

    /// Reads all there is. Every octet is checked when the step is over, see [`crate::world::World`]. Tells whether
    /// there was anything.
    pub fn read(&mut self, sc: &Scenario, now: Instant) -> Result<bool, Fault> {
        if !self.wants_read() {
            return Ok(false);
        }
        let mut counters = Counters::default();
        let mut cx = cx!(self, now, sc.cfg(self.who), counters);
        let Some(c) = &mut self.conn else { return Ok(false) };
        let life = &mut self.lives[self.life];
        let irs = life.irs.or(Some(c.info(sc.cfg(self.who)).irs));
        let peer = 1 - self.who;
        // A life's octets follow from its number, and its number from its ISS, which the peer cannot know otherwise.
        let mut any = false;
        let mut buf = [0; 64];
        loop {
            match c.read(&mut cx, &mut buf) {
                Ok(0) => {
                    life.eof = true;
                    return Ok(true);
                }
                Ok(n) => {
                    let of = irs.and_then(|irs| sc.life_of(peer, irs));
                    for octet_read in &buf[..n] {
                        let Some(of) = of else { return Err("text from a peer that never was".to_owned()) };
                        if *octet_read != octet(peer, of, usize::from(life.read)) {
                            return Err(format!("octet {} is wrong at the reader", life.read));
                        }
                        life.read += 1;
                    }
                    any = true;
                }
                Err(_) => return Ok(any),
            }
        }
    }

    /// What a late read makes possible.
    pub fn settle_after_read(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        self.after(sc, now)
    }

    /// Passes over what the application waits for and has.
    fn go_on(&mut self, sc: &Scenario, now: Instant) {
        while let Some(op) = self.op(sc) {
            let over = |end: &End| end.lives.get(end.life).is_none_or(|l| l.end.is_some());
            let has = match op {
                Op::AwaitOpen => self.conn.as_ref().is_none_or(|c| c.readiness().connected) || over(self),
                Op::AwaitEof => self.conn.is_none() || self.lives[self.life].eof || self.failed(),
                Op::AwaitGone => self.conn.is_none() && self.half.is_none() && self.rest.is_none(),
                _ => false,
            };
            if !has {
                break;
            }
            self.pc += 1;
        }
        if let Some(irs) = self.info(sc.cfg(self.who)).filter(|i| i.state.synchronized()).map(|i| i.irs) {
            self.lives[self.life].irs = Some(irs);
        }
        self.free_husk(sc, now);
    }

    /// The connection that the application holds has ended with an error.
    fn failed(&self) -> bool {
        self.held
            && self
                .conn
                .as_ref()
                .is_some_and(|c| c.readiness().closed.is_some_and(|r| r != CloseReason::Done))
    }

    /// Whether the application can make its next call.
    pub fn can_call(&self, sc: &Scenario) -> bool {
        let Some(op) = self.op(sc) else { return false };
        if self.failed() {
            return true;
        }
        match op {
            Op::Open => self.conn.is_none() && self.half.is_none() && self.lives.len() < LIVES,
            Op::Accept => self.conn.as_ref().is_some_and(|c| !c.is_orphan()) && !self.held,
            Op::Write(_) | Op::Shutdown | Op::Close | Op::Abort => self.conn.is_some(),
            Op::Pause(_) => self.wake.is_never(),
            Op::AwaitOpen | Op::AwaitEof | Op::AwaitGone => false,
        }
    }

    /// The application's next call.
    pub fn call(&mut self, sc: &Scenario, now: Instant) -> Result<(), Fault> {
        let Some(op) = self.op(sc) else { return Ok(()) };
        let mut counters = Counters::default();
        let cfg = sc.cfg(self.who);
        let mut verdict = Verdict::Keep;
        let mut reply = None;
        if self.failed() {
            // The application learns of it and lets go; it may begin anew.
            self.let_go(sc, now);
            let ops = &sc.sides[self.who].ops;
            self.pc = (self.pc..ops.len()).find(|i| ops[*i].begins()).unwrap_or(ops.len());
            return self.after(sc, now);
        }
        match (op, &mut self.conn) {
            (Op::Open, _) => {
                let floor = match self.rest.as_ref() {
                    None => None,
                    Some(tw) => match tw.reusable(now, cfg) {
                        Some(floor) => Some(floor),
                        // EADDRINUSE: the application gives up this one.
                        None => {
                            let ops = &sc.sides[self.who].ops;
                            let next = self.pc + 1;
                            self.pc = (next..ops.len()).find(|i| ops[*i].begins()).unwrap_or(ops.len());
                            return self.after(sc, now);
                        }
                    },
                };
                self.rest = None;
                let iss = self.begin_life(sc, floor);
                self.life = self.lives.len() - 1;
                let mut cx = cx!(self, now, cfg, counters);
                let (tuple, ts) = (sc.tuple(self.who), sc.ts_offset(self.who));
                let mut c = Connection::open(tuple, iss, ts, sc.mss, &mut cx);
                sc.prepare(&mut c, &cx);
                self.conn = Some(c);
                self.live = true;
                self.held = true;
            }
            (Op::Accept, Some(_)) => self.held = true,
            (Op::Write(n), Some(c)) => {
                let life = &mut self.lives[self.life];
                let from = usize::from(life.wrote);
                let text: Vec<u8> =
                    (from..from + usize::from(n)).map(|i| octet(self.who, self.life, i)).collect();
                let mut cx = cx!(self, now, cfg, counters);
                match c.write(&mut cx, &text) {
                    Ok(taken) => life.wrote += taken as u8,
                    Err(e) => return Err(format!("write refused: {e}")),
                }
            }
            (Op::Shutdown, Some(c)) => {
                let mut cx = cx!(self, now, cfg, counters);
                verdict = c.shutdown(&mut cx, Shutdown::Write);
                reply = cx.reply;
                self.lives[self.life].closed = true;
            }
            (Op::Close | Op::Abort, Some(c)) => {
                let mut cx = cx!(self, now, cfg, counters);
                verdict = if op == Op::Abort { c.abort(&mut cx) } else { c.close(&mut cx) };
                reply = cx.reply;
                self.held = false;
                self.lives[self.life].closed |= op == Op::Close;
            }
            (Op::Pause(d), _) => {
                self.wake = now + d;
                return self.after(sc, now);
            }
            _ => {}
        }
        self.pc += 1;
        self.settle(sc, now, verdict);
        self.send_head(sc, now, reply);
        self.after(sc, now)
    }

    /// The application lets a connection go that has ended.
    fn let_go(&mut self, sc: &Scenario, now: Instant) {
        let mut counters = Counters::default();
        let mut cx = cx!(self, now, sc.cfg(self.who), counters);
        if let Some(c) = &mut self.conn {
            let _ = c.close(&mut cx);
        }
        self.held = false;
        self.free_husk(sc, now);
    }

    /// Feeds everything that decides this end's future.
    pub fn fingerprint(&self, sc: &Scenario, now: Instant, h: &mut impl Hasher) {
        let cfg = sc.cfg(self.who);
        (self.live, self.life, self.held, self.pc, self.half_life, self.refused, &self.lives).hash(h);
        if !self.wake.is_never() {
            now.since(self.wake).hash(h);
            self.wake.since(now).hash(h);
        }
        (self.half.is_some(), self.conn.is_some(), self.rest.is_some()).hash(h);
        if let Some(rec) = &self.half {
            fingerprint::syn_record(rec, now, cfg, h);
        }
        if let Some(c) = &self.conn {
            fingerprint::connection(c, now, cfg, h);
        }
        if let Some(tw) = &self.rest {
            fingerprint::time_wait(tw, now, h);
        }
    }

    /// The state as tools name it.
    pub fn state(&self) -> &'static str {
        match (&self.rest, &self.conn, &self.half) {
            (Some(_), ..) => "TIME_WAIT",
            (_, Some(c), _) if self.live => c.state().name(),
            (_, _, Some(_)) => "SYN_RCVD",
            _ => "-",
        }
    }
}

/// What holds for every segment that a connection sends.
fn check_sent(before: &Info, after: &Info, head: &Head, len: u32, why: Why) -> Result<(), Fault> {
    if head.flags.has(Flags::SYN) {
        return Ok(());
    }
    let bare_ack = len == 0 && !head.flags.has(Flags::FIN) && before.state == State::SynReceived;
    if !before.state.synchronized() && !bare_ack {
        return Err(format!("sends a segment without SYN in {}", before.state));
    }
    if let Some(ack) = head.ack {
        if ack != before.rcv_nxt {
            return Err(format!("acknowledges {ack}, expects {}", before.rcv_nxt));
        }
        // RFC 9293 SHLD-14: the right edge never moves left.
        let edge = ack + (u32::from(head.wnd) << after.wscale.0);
        let old = before.rcv_nxt + before.rcv_wnd;
        if edge.before(old) {
            return Err(format!("the window's right edge moves left: {old} to {edge}"));
        }
    }
    let end = head.seq + len;
    if len > 0 && why != Why::WindowProbe && end.after(before.snd_una + before.snd_wnd) {
        return Err(format!("text up to {end} beyond the peer's window"));
    }
    if head.seq.before(before.snd_una - 1) {
        return Err(format!("sends {} again, acknowledged up to {}", head.seq, before.snd_una));
    }
    Ok(())
}
