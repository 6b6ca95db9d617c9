//! Plays a script through the shared object in the order in which the original program does things: what it asks when, how
//! it waits, what it compares. Only the language and the comparison of packets are those of `synfin script`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use synfin_script::ast::{Body, Call, Direction, Event, Expr, Packet, What, When};
use synfin_script::call::number;
use synfin_script::judge::{Code, Flow, look};
use synfin_script::setup::Family;
use synfin_script::sysctl::{self, Shell};
use synfin_script::{Script, Setup};
use synfin_wire::{Endpoint, Flags, Tuple};

use super::calls::{CANNOT, Caller, Came, PUSHED};
use super::{Tool, thread_number, thread_state};

/// The original sleeps until so many microseconds before an event, and asks for the time again and again from there.
const SPIN: i64 = 20;
/// So long the original waits for a call that should be over.
const IDLE: Duration = Duration::from_secs(1);

/// What the original knows of a socket.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum State {
    New,
    Listening,
    /// An inbound packet made it; no descriptor yet.
    Received,
    SynAckSent,
    SynAckAcked,
    Connecting,
    SynSent,
}

/// A socket of the script.
struct Socket {
    fd: Option<i64>,
    state: State,
    flow: Option<Flow>,
}

/// A call on the second thread.
struct Blocked<'s> {
    event: &'s Event,
    call: &'s Call,
    until: i64,
    last: i64,
    end: Receiver<(Came, i64)>,
}

/// How a script is to be played.
pub struct Play {
    pub flags: String,
    pub extra: Vec<(String, String)>,
    pub profile: &'static str,
}

struct Player<'s> {
    tool: Arc<Tool>,
    setup: Setup,
    settings: PathBuf,
    caller: Caller,
    start: i64,
    events: u32,
    /// The event before: its time, and whether it was an inbound packet.
    last: Option<(i64, bool)>,
    tolerance: i64,
    sockets: Vec<Socket>,
    /// Which of them packets are about.
    under_test: Option<usize>,
    children: u16,
    code: Code,
    blocked: Option<Blocked<'s>>,
}

/// Runs a script; the error says where and why it failed.
pub fn play(script: &Script, how: &Play) -> Result<(), String> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let setup = Setup::of(script, &how.extra).map_err(|(line, why)| format!("{line}: {why}"))?;
    let id = COUNT.fetch_add(1, Ordering::Relaxed);
    let settings = std::env::temp_dir().join(format!("synfin-play-{}-{id}", std::process::id()));
    std::fs::create_dir_all(&settings).map_err(|e| e.to_string())?;
    let version = match setup.family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
        Family::Mapped => "mapped",
    };
    let mut flags = format!(
        "profile={},ver={version},local={},remote={},mtu={},settings={}{}",
        how.profile,
        setup.addrs.local,
        setup.addrs.remote,
        setup.mtu,
        settings.display(),
        how.flags
    );
    if let Some(mss) = setup.merged {
        flags.push_str(&format!(",mss={mss}"));
    }
    let tool = Arc::new(Tool::init(Some(&flags)));
    let mut player = Player {
        caller: Caller::new(&tool, &setup, script),
        tool,
        tolerance: setup.tolerance.unwrap_or(4_000),
        setup,
        settings: settings.clone(),
        start: 0,
        events: 0,
        last: None,
        sockets: Vec::new(),
        under_test: None,
        children: 0,
        code: Code::default(),
        blocked: None,
    };
    let played = if player.setup.dry { Ok(()) } else { player.script(script) };
    // A failing test ends its process there; here the next one begins.
    player.tool.free();
    let _ = std::fs::remove_dir_all(settings);
    played
}

impl Shell for Player<'_> {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let short = name.strip_prefix("net.ipv4.").ok_or_else(|| format!("setting {name}"))?;
        let value = match sysctl::number(value) {
            Some(n) => n.to_string(),
            None => value.to_string(),
        };
        std::fs::write(self.settings.join(short), value).map_err(|e| e.to_string())
    }

    fn line(&mut self, line: &str, words: &[&str]) -> Result<(), String> {
        match words.first() {
            Some(&("ip" | "tc" | "nstat")) => Ok(()),
            _ => Err(format!("command {line}")),
        }
    }
}

impl<'s> Player<'s> {
    fn script(&mut self, script: &'s Script) -> Result<(), String> {
        let mut events = script.events.iter().peekable();
        // A command in front runs before the clock starts.
        while let Some(event) = events.next_if(|e| matches!(e.what, What::Command(_))) {
            if let What::Command(command) = &event.what {
                sysctl::run(command, self).map_err(|why| format!("{}: {why}", event.line))?;
            }
        }
        for _ in 0..10 {
            self.start = self.tool.now();
        }
        self.start += 250;
        for event in events {
            self.event(event).map_err(|why| format!("{}: {} -- {why}", event.line, event.text))?;
            self.events += 1;
        }
        self.idle()?;
        self.finish();
        Ok(())
    }

    fn now(&self) -> i64 {
        self.tool.now() - self.start
    }

    fn event(&mut self, event: &'s Event) -> Result<(), String> {
        let inbound = matches!(&event.what, What::Packet(p) if p.dir == Direction::In);
        let offset = match (event.when, self.last) {
            (When::Absolute(_) | When::AbsoluteRange(..), _) => 0,
            (_, Some((time, true))) if inbound => time,
            _ => self.now(),
        };
        let (from, to) = match event.when {
            When::Absolute(t) => (t, t),
            When::Relative(d) => (offset + d, offset + d),
            When::AbsoluteRange(a, b) => (a, b),
            When::RelativeRange(a, b) => (offset + a, offset + b),
            When::Any => (offset, offset),
        };
        let last = self.last.map(|(time, _)| time);
        match &event.what {
            What::Packet(packet) if packet.dir == Direction::Out => {
                self.expect(event, packet, (from, to), last)?;
            }
            What::Packet(packet) => {
                self.wait(event, (from, to), last)?;
                self.inject(packet)?;
            }
            What::Call(call) => match event.until {
                None => {
                    self.idle()?;
                    self.wait(event, (from, to), last)?;
                    self.prepare(call);
                    let came = self.caller.call(call)?;
                    self.learn(call, &came)?;
                    judge(call, &came)?;
                }
                Some(until) => {
                    let until = if matches!(event.when, When::Relative(_)) { until + offset } else { until };
                    self.idle()?;
                    self.wait(event, (from, to), last)?;
                    self.prepare(call);
                    self.block(event, call, until, from);
                }
            },
            What::Command(command) => {
                self.wait(event, (from, to), last)?;
                sysctl::run(command, self)?;
                // A program takes its time.
                std::thread::sleep(Duration::from_millis(1));
            }
            What::Code(text) => {
                self.wait(event, (from, to), last)?;
                let fd = self.under_test().and_then(|s| s.fd);
                let fields = self.caller.tcp_info(fd)?;
                self.code.run(text, &fields)?;
            }
        }
        self.last = Some((from, inbound));
        Ok(())
    }

    // -- time

    /// As the original waits: asleep, then looking at the clock.
    fn wait(&mut self, event: &Event, window: (i64, i64), last: Option<i64>) -> Result<(), String> {
        loop {
            let left = window.0 - self.now();
            if left <= 0 {
                break;
            }
            if self.events > 0 && left > SPIN {
                self.tool.usleep(u32::try_from(left - SPIN).unwrap_or(u32::MAX));
            }
        }
        if self.events > 0 {
            self.in_time(event.when, window, self.now(), last)?;
        }
        Ok(())
    }

    fn in_time(&self, when: When, (from, to): (i64, i64), at: i64, last: Option<i64>) -> Result<(), String> {
        if when == When::Any {
            return Ok(());
        }
        let slack = self.tolerance.max(last.map_or(0, |last| (from - last) / 8));
        if at < from - slack || at > to + slack {
            return Err(format!("at {at} us, expected between {from} and {to}"));
        }
        Ok(())
    }

    // -- packets

    fn under_test(&mut self) -> Option<&mut Socket> {
        self.sockets.get_mut(self.under_test?)
    }

    fn add(&mut self, socket: Socket) {
        self.sockets.push(socket);
        self.under_test = Some(self.sockets.len() - 1);
    }

    fn inject(&mut self, packet: &Packet) -> Result<(), String> {
        if !packet.outer.is_empty() {
            return Err("tunnels are not supported".into());
        }
        if packet.ports.is_some() {
            return Err(format!("{CANNOT} follow connections of which the script names the ports"));
        }
        if self.under_test().is_none_or(|s| s.state == State::Listening) {
            let addrs = self.setup.addrs;
            self.children += 1;
            let flow = Flow::new(Tuple {
                local: Endpoint::new(addrs.local, addrs.bind_port),
                remote: Endpoint::new(addrs.remote, 51_999 + self.children),
            });
            self.add(Socket { fd: None, state: State::Received, flow: Some(flow) });
        }
        let socket = self.under_test().ok_or("no socket for the packet")?;
        if let Body::Tcp(spec) = &packet.body
            && socket.state == State::SynAckSent
            && spec.flags.has(Flags::ACK)
        {
            socket.state = State::SynAckAcked;
        }
        let bytes = socket.flow.as_mut();
        let bytes = bytes
            .ok_or_else(|| {
                format!("{CANNOT} send packets to another socket than the one that was made last")
            })?
            .inject(packet)?;
        self.tool.netdev_send(&bytes).map_err(|errno| format!("netdev_send: {errno}"))?;
        Ok(())
    }

    /// The next segment of the connection under test; others are dropped.
    fn sniff(&mut self) -> Result<(Vec<u8>, i64), String> {
        loop {
            let (packet, time) = self.tool.netdev_receive().map_err(|e| format!("netdev_receive: {e}"))?;
            if packet.is_empty() {
                return Err("no packet comes".into());
            }
            let Some(seen) = look(&packet) else { continue };
            let (start, addrs) = (self.start, self.setup.addrs);
            let socket = self.under_test().ok_or("no socket for the packet")?;
            let opens = seen.flags.has(Flags::SYN) && !seen.flags.has(Flags::ACK);
            if socket.flow.as_ref().is_none_or(|f| f.tuple() != seen.tuple)
                && socket.state == State::SynSent
                && opens
                && seen.tuple.remote == Endpoint::new(addrs.remote, addrs.connect_port)
            {
                socket.flow = Some(Flow::new(seen.tuple));
            }
            if socket.flow.as_ref().is_some_and(|f| f.tuple() == seen.tuple) {
                return Ok((packet, time - start));
            }
        }
    }

    fn expect(
        &mut self,
        event: &Event,
        packet: &Packet,
        window: (i64, i64),
        last: Option<i64>,
    ) -> Result<(), String> {
        let Body::Tcp(spec) = &packet.body else { return Err("only segments can be expected".into()) };
        let (opens, acks) = (spec.flags.has(Flags::SYN), spec.flags.has(Flags::ACK));
        let socket = self.under_test().ok_or("no socket for the packet")?;
        match (socket.state, opens, acks) {
            (State::Connecting, true, false) => socket.state = State::SynSent,
            (State::Received, true, true) => socket.state = State::SynAckSent,
            _ => {}
        }
        let mut live = Vec::new();
        let mut text = 0;
        let mut at;
        loop {
            let (bytes, time) = self.sniff()?;
            at = time;
            text += look(&bytes).map_or(0, |s| s.text);
            live.push(bytes);
            if text >= spec.len as usize || self.setup.strict_segments {
                break;
            }
        }
        if live.len() > 1 && !spec.flags.has(Flags::PSH) {
            return Err(PUSHED.into());
        }
        let flow = self.under_test().and_then(|s| s.flow.as_mut()).ok_or("no connection")?;
        flow.expect(packet, &live)?;
        self.in_time(event.when, window, at, last)
    }

    // -- calls

    fn of_call(&mut self, call: &Call) -> Option<&mut Socket> {
        let fd = call.args.first().and_then(|fd| number(fd).ok())?;
        self.sockets.iter_mut().rev().find(|s| s.fd == Some(fd))
    }

    /// What the original notes before a call.
    fn prepare(&mut self, call: &Call) {
        let family = call.args.get(1).and_then(|a| a.field("sa_family")).and_then(|f| number(f).ok());
        if call.name == "connect"
            && let Some(socket) = self.of_call(call)
        {
            match (family, socket.state) {
                (Some(0), _) => socket.state = State::New,
                (_, State::New) => socket.state = State::Connecting,
                _ => {}
            }
        }
    }

    /// What the original notes after it.
    fn learn(&mut self, call: &Call, came: &Came) -> Result<(), String> {
        if came.value < 0 {
            return Ok(());
        }
        let opened = number(&call.result).ok();
        match call.name.as_str() {
            "socket" => self.add(Socket { fd: opened, state: State::New, flow: None }),
            "listen" => {
                if let Some(socket) = self.of_call(call) {
                    socket.state = State::Listening;
                }
            }
            "close" => {
                if let Some(socket) = self.of_call(call) {
                    socket.fd = None;
                }
            }
            "accept" => {
                let ready = |s: &&mut Socket| matches!(s.state, State::SynAckSent | State::SynAckAcked);
                let socket = self.sockets.iter_mut().rev().find(ready);
                let socket = socket.ok_or("unable to find socket matching accept() call")?;
                let port = socket.flow.as_ref().map(|f| f.tuple().remote.port);
                if port != came.peer_port {
                    return Err(format!("accepted port {:?}, expected {port:?}", came.peer_port));
                }
                socket.fd = opened;
            }
            _ => {}
        }
        Ok(())
    }

    /// Starts a call on the second thread, and waits until it sleeps there.
    fn block(&mut self, event: &'s Event, call: &'s Call, until: i64, last: i64) {
        let (send, end) = channel();
        let (tell, told) = channel();
        let (mut caller, copy) = (self.caller.clone(), call.clone());
        let (tool, start) = (Arc::clone(&self.tool), self.start);
        std::thread::spawn(move || {
            let _ = tell.send(thread_number());
            let came = caller.call(&copy).unwrap_or_else(Came::impossible);
            // The original looks at the clock at once, on this thread.
            let _ = send.send((came, tool.now() - start));
        });
        let thread = told.recv().unwrap_or_default();
        let limit = Instant::now() + Duration::from_secs(5);
        let mut early = VecDeque::new();
        while Instant::now() < limit && thread_state(thread) != 'S' && early.is_empty() {
            early.extend(end.try_recv());
            std::thread::yield_now();
        }
        let end = match early.pop_front() {
            None => end,
            Some(came) => {
                let (send, end) = channel();
                let _ = send.send(came);
                end
            }
        };
        self.blocked = Some(Blocked { event, call, until, last, end });
    }

    /// The second thread's call must be over before the next call.
    fn idle(&mut self) -> Result<(), String> {
        let Some(blocked) = self.blocked.take() else { return Ok(()) };
        let (came, at) = blocked.end.recv_timeout(IDLE).map_err(|why| match why {
            RecvTimeoutError::Timeout => format!("{}: the call does not return", blocked.event.line),
            RecvTimeoutError::Disconnected => "the thread is gone".into(),
        })?;
        self.learn(blocked.call, &came)?;
        let place = |why| format!("{}: {} -- {why}", blocked.event.line, blocked.event.text);
        judge(blocked.call, &came).map_err(place)?;
        let window = (blocked.until, blocked.until);
        self.in_time(When::Absolute(0), window, at, Some(blocked.last)).map_err(place)
    }

    /// The end of a script that passed: descriptors are closed past the struct, a RST goes in.
    fn finish(&mut self) {
        self.caller.close_all();
        let Ok(script) = synfin_script::parse("+0 < R. 1:1(0) ack 1 win 0", "end") else { return };
        let Some(Event { what: What::Packet(reset), .. }) = script.events.first() else { return };
        for flow in self.sockets.iter_mut().filter_map(|s| s.flow.as_mut()) {
            if let Ok(bytes) = flow.inject(reset) {
                let _ = self.tool.netdev_send(&bytes);
            }
        }
    }
}

/// What a call returned, against what the script expects.
fn judge(call: &Call, came: &Came) -> Result<(), String> {
    if let Some(why) = &came.impossible {
        return Err(why.clone());
    }
    if call.result != Expr::Ellipsis && !came.opened {
        let wanted = number(&call.result)?;
        if wanted != came.value {
            let errno = came.errno.map_or(String::new(), |e| format!(" errno {e}"));
            return Err(format!("{} returned {}{errno}, expected {wanted}", call.name, came.value));
        }
    }
    if let (Some(name), Some(errno)) = (&call.errno, came.errno)
        && super::calls::errno(name) != Some(errno)
    {
        return Err(format!("{}: errno {errno}, expected {name}", call.name));
    }
    match came.wrong.first() {
        None => Ok(()),
        Some(wrong) => {
            Err(format!("{}: {}: expected {}, got {}", call.name, wrong.what, wrong.expected, wrong.actual))
        }
    }
}
