//! Lets a script happen on a host: one event after another, each judged.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

use synfin_wire::{Endpoint, Flags, Seq, Tuple};

use crate::ast::{Body, Call, Direction, Event, Expr, Opt, OptSpec, Packet, Script, TcpSpec, What, When};
use crate::code::{self, Trouble, Variables};
use crate::compare::{Limits, Shown, difference};
use crate::consts::number;
use crate::host::{Host, Micros, Returned, Turn};
use crate::profile::Profile;
use crate::python::{Foreign, Python, Ran};
use crate::report::{Failure, FailureKind, Outcome, Verdict};
use crate::seq::{self, Flow};
use crate::setup::Setup;
use crate::sockets::icmp_errno;
use crate::stack_host::StackHost;
use crate::wire::{self, InSegment, OutSegment, Parsed};

/// How a script is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which host the stack plays.
    pub profile: Profile,
    /// By how many microseconds things may be off, unless the script says so itself. 4,000.
    pub tolerance: Micros,
    /// As much is tolerated at least, even where a script wants less: what a real clock needs. 0.
    pub least_tolerance: Micros,
    /// Packets that were sent and that the script does not mention behind its last packet.
    pub leftover: Leftover,
    /// `--name=value` from outside; they win over those of the script.
    pub extra: Vec<(String, String)>,
    /// Who runs code that is not understood. Nobody.
    pub foreign: Foreign,
}

/// What packets are that no line of the script asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Leftover {
    /// Nobody's business, as in the original tool.
    Ignored,
    /// A failure.
    Refused,
}

impl Options {
    /// Defaults with this profile.
    pub fn new(profile: Profile) -> Options {
        Options {
            profile,
            tolerance: 4_000,
            least_tolerance: 0,
            leftover: Leftover::Ignored,
            extra: Vec::new(),
            foreign: Foreign::Refused,
        }
    }
}

/// Runs a script with default options.
pub fn run(script: &Script, profile: &Profile) -> Outcome {
    run_with(script, &Options::new(profile.clone()))
}

/// Runs a script.
pub fn run_with(script: &Script, options: &Options) -> Outcome {
    run_on(script, options, |setup| Ok(StackHost::new(setup, &options.profile)))
}

/// Runs a script on a host that is made for it. The profile of the options has no meaning here.
pub fn run_on<H: Host>(
    script: &Script,
    options: &Options,
    make: impl FnOnce(&Setup) -> Result<H, String>,
) -> Outcome {
    let setup = match Setup::of(script, &options.extra) {
        Ok(setup) => setup,
        Err((line, message)) => return Outcome::unusable(&script.file, line, &message),
    };
    let host = match make(&setup) {
        Ok(host) => host,
        Err(message) => return Outcome::unusable(&script.file, 0, &message),
    };
    let mut engine = Engine::new(setup, options, host);
    let verdict = match engine.play(script, options) {
        Ok(()) => Verdict::Pass,
        Err(failure) => Verdict::Fail(failure),
    };
    let elapsed = Duration::from_micros(u64::try_from(engine.host.now()).unwrap_or(0));
    Outcome { file: script.file.clone(), verdict, notes: engine.host.notes(), elapsed, tries: 1 }
}

/// The peer's initial sequence number: every script crosses the wrap early.
const PEER_ISN: Seq = Seq::new(0xffff_fe00);
/// Port of the first peer.
const PEER_PORT: u16 = 52_000;
/// Waited for a packet beyond its time, only to tell when it comes.
const GRACE: Micros = 2_000_000;
/// Octets that fit a packet of either IP version beside the largest headers.
const MOST_TEXT: u32 = 65_535 - 100;

type Step<T = ()> = Result<T, Box<Failure>>;

/// A segment that came out.
struct Segment {
    at: Micros,
    seg: OutSegment,
    why: Option<String>,
}

/// A call that has not returned.
struct Waiting<'s> {
    call: &'s Call,
    event: &'s Event,
    /// When it has to return.
    until: Micros,
    /// By how much that may be off.
    slack: Micros,
}

struct Engine<'s, H> {
    setup: Setup,
    tolerance: Micros,
    host: H,
    /// Time of the last event.
    last: Micros,
    /// Until when a command, a call or a segment kept the script from going on: what comes later for that is not late.
    busy: Micros,
    sent: VecDeque<Segment>,
    flows: Vec<Flow>,
    waiting: Option<Waiting<'s>>,
    variables: Variables,
    foreign: Foreign,
    python: Python,
}

fn show_time(micros: Micros) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

impl<'s, H: Host> Engine<'s, H> {
    fn new(setup: Setup, options: &Options, host: H) -> Engine<'s, H> {
        let tolerance = setup.tolerance.unwrap_or(options.tolerance).max(options.least_tolerance);
        Engine {
            setup,
            tolerance,
            host,
            last: 0,
            busy: 0,
            sent: VecDeque::new(),
            flows: Vec::new(),
            waiting: None,
            variables: Variables::new(),
            foreign: options.foreign,
            python: Python::default(),
        }
    }

    fn play(&mut self, script: &'s Script, options: &Options) -> Step {
        if self.setup.dry {
            return Ok(());
        }
        let mut begun = false;
        for event in &script.events {
            if !begun && !matches!(event.what, What::Command(_)) {
                self.host.begin();
                begun = true;
            }
            self.event(event)?;
        }
        if let Some(waiting) = &self.waiting {
            let event = waiting.event;
            let until = waiting.until + waiting.slack;
            self.advance(event, until)?;
            self.still_waiting()?;
        }
        if options.leftover == Leftover::Refused
            && let Some(event) = script.events.last()
            && let Some(sent) = self.take_sent(None)
        {
            let actual = self.show(&sent.seg, 0);
            let what = "a segment that the script does not mention";
            return Err(self.differs(event, what, "nothing".into(), timed(sent.at, &actual, sent.why)));
        }
        Ok(())
    }

    fn event(&mut self, event: &'s Event) -> Step {
        let (from, to) = match event.when {
            When::Absolute(t) => (t, t),
            When::Relative(d) => (self.last.saturating_add(d), self.last.saturating_add(d)),
            When::AbsoluteRange(a, b) => (a, b),
            When::RelativeRange(a, b) => (self.last.saturating_add(a), self.last.saturating_add(b)),
            When::Any => (0, self.host.patience()),
        };
        let slack = self.slack(from.saturating_sub(self.last));
        if let What::Packet(packet) = &event.what
            && packet.dir == Direction::Out
        {
            let came = self.expect(event, packet, from, to, slack)?;
            // What follows is told from when the segment really came, except by a time that is told from the beginning.
            self.last = match event.when {
                When::Absolute(_) => from,
                _ => came.max(self.last),
            };
            return Ok(());
        }
        if from < self.last {
            return Err(self.fail(event, FailureKind::Script, "this is earlier than the event before"));
        }
        self.advance(event, from)?;
        self.in_time(event, from, slack)?;
        let until = event.until.map(|u| match event.when {
            When::Relative(_) => self.last.saturating_add(u),
            _ => u,
        });
        self.last = from;
        match &event.what {
            What::Packet(packet) => self.inject(event, packet),
            What::Call(call) => self.call(event, call, until, slack),
            What::Code(code) => self.code(event, code),
            What::Command(command) => self.command(event, command),
        }
    }

    /// By how much an event this long after the one before may be off: an eighth of the way at least.
    fn slack(&self, distance: Micros) -> Micros {
        self.tolerance.max(distance / 8)
    }

    /// A real clock may have gone on too far: what comes then would be judged by a time that the script does not mean.
    fn in_time(&self, event: &Event, from: Micros, slack: Micros) -> Step {
        let now = self.host.now();
        if now > from.max(self.busy) + slack {
            let mut late = self.fail(event, FailureKind::Late, "this machine was too slow for the event");
            (late.expected, late.actual) = (show_time(from), show_time(now));
            return Err(late);
        }
        Ok(())
    }

    // -- failures

    fn fail(&self, event: &Event, kind: FailureKind, what: &str) -> Box<Failure> {
        let said = self.host.said().into_iter().map(|(t, s)| format!("{} {s}", show_time(t))).collect();
        Box::new(Failure {
            kind,
            line: event.line,
            text: event.text.clone(),
            what: what.into(),
            expected: String::new(),
            actual: String::new(),
            said,
        })
    }

    fn differs(&self, event: &Event, what: &str, expected: String, actual: String) -> Box<Failure> {
        let mut failure = self.fail(event, FailureKind::Differs, what);
        (failure.expected, failure.actual) = (expected, actual);
        failure
    }

    // -- time

    /// Takes what came out, and lets a call that returned be judged. To be called after everything that the host does.
    fn collect(&mut self, event: &Event) -> Step {
        for sent in self.host.sent() {
            match wire::parse(&sent.packet) {
                Parsed::Tcp(seg) => {
                    if !self.flows.iter().any(|f| f.tuple == seg.tuple) && seg.flags.has(Flags::SYN) {
                        self.flows.push(Flow::new(seg.tuple, PEER_ISN));
                    }
                    self.sent.push_back(Segment { at: sent.at, seg, why: sent.why });
                }
                Parsed::Other => {}
                Parsed::Broken(why) => {
                    let what = "the stack sent a broken packet";
                    return Err(self.differs(event, what, "a packet".into(), why));
                }
            }
        }
        let Some(Waiting { call, event, until, slack }) = self.waiting.take() else { return Ok(()) };
        match self.host.returned() {
            Err(why) => Err(self.fail(event, FailureKind::Unsupported, &why)),
            Ok(Some(ret)) => self.returned(event, call, &ret, Some((until, slack))),
            Ok(None) => {
                self.waiting = Some(Waiting { call, event, until, slack });
                Ok(())
            }
        }
    }

    /// One turn of the clock to the next thing that happens by itself, not beyond `to`.
    fn turn(&mut self, event: &Event, to: Micros) -> Step<Turn> {
        let turn = self.host.turn(to).map_err(|why| self.fail(event, FailureKind::Differs, &why))?;
        self.collect(event)?;
        Ok(turn)
    }

    /// Lets time pass.
    fn advance(&mut self, event: &Event, to: Micros) -> Step {
        if let Some(waiting) = &self.waiting {
            let limit = waiting.until + waiting.slack;
            if limit < to {
                while self.turn(event, limit)? == Turn::Something {}
                self.still_waiting()?;
            }
        }
        while self.turn(event, to)? == Turn::Something {}
        Ok(())
    }

    /// A call that should have returned by now has not.
    fn still_waiting(&mut self) -> Step {
        match self.waiting.take() {
            None => Ok(()),
            Some(waiting) => {
                let expected = format!("{} at {}", waiting.call.result, show_time(waiting.until));
                let actual = format!("still waiting at {}", show_time(self.host.now()));
                Err(self.differs(waiting.event, "the call does not return", expected, actual))
            }
        }
    }

    // -- calls

    fn call(&mut self, event: &'s Event, call: &'s Call, until: Option<Micros>, slack: Micros) -> Step {
        if self.waiting.is_some() {
            self.advance(event, self.host.now() + slack)?;
            self.still_waiting()?;
        }
        let until_slack = until.map(|until| (until, self.slack(until - self.last)));
        match (self.host.call(call, until), until_slack) {
            (Err(why), _) => Err(self.fail(event, FailureKind::Unsupported, &why)),
            (Ok(Some(ret)), until) => {
                self.collect(event)?;
                // A call that takes its time without being asked to: what follows is not late for that.
                self.busy = self.busy.max(ret.at);
                self.returned(event, call, &ret, until)
            }
            (Ok(None), None) => {
                Err(self.differs(event, "the call would wait", call.result.to_string(), "waits".into()))
            }
            (Ok(None), Some((until, slack))) => {
                self.waiting = Some(Waiting { call, event, until, slack });
                self.collect(event)
            }
        }
    }

    fn returned(
        &mut self,
        event: &Event,
        call: &Call,
        ret: &Returned,
        until: Option<(Micros, Micros)>,
    ) -> Step {
        let show = |value: i64, errno: Option<&str>| match errno {
            Some(errno) => format!("{value} {errno}"),
            None => value.to_string(),
        };
        let actual = show(ret.value, ret.errno.as_deref());
        if call.result != Expr::Ellipsis {
            let expected = match number(&call.result) {
                Ok(n) => n,
                Err(why) => return Err(self.fail(event, FailureKind::Script, &why)),
            };
            let wanted = show(expected, call.errno.as_deref());
            let errno_differs = call.errno.is_some() && call.errno != ret.errno;
            if expected != ret.value || errno_differs {
                let what = format!("{} returned something else", call.name);
                return Err(self.differs(event, &what, wanted, actual));
            }
        }
        if let Some(wrong) = ret.wrong.first() {
            let what = format!("{}: {} differs", call.name, wrong.what);
            return Err(self.differs(event, &what, wrong.expected.clone(), wrong.actual.clone()));
        }
        if let Some((until, slack)) = until
            && (ret.at - until).abs() > slack
        {
            let expected = format!("return at {}", show_time(until));
            let actual = format!("returned {actual} at {}", show_time(ret.at));
            return Err(self.differs(event, "the call returned at another time", expected, actual));
        }
        Ok(())
    }

    fn code(&mut self, event: &Event, text: &str) -> Step {
        let fields = self.host.info();
        let lookup = |name: &str| fields.get(name).copied();
        let result = code::run(text, &mut self.variables, &lookup);
        if self.foreign == Foreign::Python {
            self.python.remember(text, &fields);
        }
        match result {
            Ok(()) => Ok(()),
            Err(Trouble::NotUnderstood(what)) => {
                if self.foreign == Foreign::Python {
                    match self.python.run() {
                        Ran::Held => return Ok(()),
                        Ran::Failed(said) => {
                            return Err(self.differs(event, "the code fails", text.trim().to_string(), said));
                        }
                        Ran::Absent => {}
                    }
                }
                Err(self.fail(event, FailureKind::Unsupported, &format!("code not understood: {what}")))
            }
            Err(Trouble::False { assertion, values }) => {
                Err(self.differs(event, "the assertion does not hold", assertion, values))
            }
        }
    }

    fn command(&mut self, event: &Event, command: &str) -> Step {
        let pause = match self.host.command(command) {
            Ok(pause) => Micros::try_from(pause.as_micros()).unwrap_or(Micros::MAX),
            Err(why) => return Err(self.fail(event, FailureKind::Unsupported, &why)),
        };
        let until = self.host.now().saturating_add(pause);
        self.advance(event, until)?;
        self.busy = self.host.now();
        Ok(())
    }

    // -- packets in

    fn inject(&mut self, event: &Event, packet: &Packet) -> Step {
        if !packet.outer.is_empty() {
            return Err(self.fail(event, FailureKind::Unsupported, "tunnels are not supported"));
        }
        let (bytes, len) = match &packet.body {
            Body::Udp(_) => return Err(self.fail(event, FailureKind::Unsupported, "UDP is not supported")),
            Body::Icmp(spec) => {
                let index = self.flow_for(packet, None);
                let Some(flow) = self.flows.get(index) else { return Ok(()) };
                (wire::icmp_packet(spec, flow, &packet.ip), 0)
            }
            Body::Tcp(spec) => {
                let index = self.flow_for(packet, Some(spec));
                let Some(flow) = self.flows.get_mut(index) else { return Ok(()) };
                (segment_in(spec, flow).and_then(|s| s.packet(&packet.ip)), spec.len)
            }
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(why) => return Err(self.fail(event, FailureKind::Script, &why)),
        };
        let merged = self.setup.merged.filter(|mss| u32::from(*mss) < len).and_then(NonZeroU16::new);
        let errno = icmp_errno(&bytes).flatten();
        let injected = self.host.inject(&bytes, merged, errno);
        injected.map_err(|why| self.fail(event, FailureKind::Differs, &why))?;
        self.collect(event)
    }

    /// The flow that an incoming packet belongs to; a new one if it begins one.
    fn flow_for(&mut self, packet: &Packet, spec: Option<&TcpSpec>) -> usize {
        let addrs = self.setup.addrs;
        if let Some((source, destination)) = packet.ports {
            let tuple = Tuple {
                local: Endpoint::new(addrs.local, destination),
                remote: Endpoint::new(addrs.remote, source),
            };
            let known = self.flows.iter().position(|f| f.tuple == tuple);
            return known.unwrap_or_else(|| self.add_flow(tuple));
        }
        let begins = spec.is_some_and(|s| s.flags.has(Flags::SYN) && !s.flags.has(Flags::ACK));
        let current = self.flows.len().checked_sub(1);
        if let Some(index) = current
            && let Some(flow) = self.flows.get(index)
        {
            // The very first number again after the connection is over: a new peer, not an old segment.
            let again =
                begins && spec.is_some_and(|s| s.seq.wrapping_add(1) == flow.peer_text) && flow.knows_ours();
            let tuple = flow.tuple;
            if !(again && self.host.is_over(&tuple)) {
                return index;
            }
        }
        let port = PEER_PORT.wrapping_add(self.flows.len() as u16);
        self.add_flow(Tuple {
            local: Endpoint::new(addrs.local, addrs.bind_port),
            remote: Endpoint::new(addrs.remote, port),
        })
    }

    fn add_flow(&mut self, tuple: Tuple) -> usize {
        self.flows.push(Flow::new(tuple, PEER_ISN));
        self.flows.len() - 1
    }

    // -- packets out

    /// The oldest segment that was sent and not asked for yet, of this flow if one is named. Others stay.
    fn take_sent(&mut self, tuple: Option<&Tuple>) -> Option<Segment> {
        let ours = |sent: &Segment| match tuple {
            Some(tuple) => sent.seg.tuple == *tuple,
            None => self.flows.iter().any(|f| f.tuple == sent.seg.tuple),
        };
        let place = self.sent.iter().position(ours)?;
        self.sent.remove(place)
    }

    /// The next segment of the flow, if one comes before `limit`.
    fn wait_for_sent(
        &mut self,
        event: &Event,
        ports: Option<(u16, u16)>,
        limit: Micros,
    ) -> Step<Option<Segment>> {
        loop {
            let tuple = match ports {
                Some((source, destination)) => {
                    let (local, remote) = (self.setup.addrs.local, self.setup.addrs.remote);
                    let (local, remote) = (Endpoint::new(local, source), Endpoint::new(remote, destination));
                    Some(Tuple { local, remote })
                }
                None => self.flows.last().map(|f| f.tuple),
            };
            if let Some(tuple) = tuple
                && let Some(sent) = self.take_sent(Some(&tuple))
            {
                return Ok(Some(sent));
            }
            if self.turn(event, limit)? == Turn::Nothing {
                return Ok(None);
            }
        }
    }

    /// A packet that has to come. Returns when it came.
    fn expect(
        &mut self,
        event: &Event,
        packet: &Packet,
        from: Micros,
        to: Micros,
        slack: Micros,
    ) -> Step<Micros> {
        let spec = match &packet.body {
            Body::Tcp(spec) if packet.outer.is_empty() => spec,
            _ => {
                let what = "only TCP segments can be expected";
                return Err(self.fail(event, FailureKind::Unsupported, what));
            }
        };
        let expected = format!("{} {}", show_time(from), Shown::of_spec(spec));
        let to = to.max(self.busy);
        let limit = to + slack + GRACE;
        let Some(mut sent) = self.wait_for_sent(event, packet.ports, limit)? else {
            return Err(self.differs(event, "no segment was sent", expected, "nothing".into()));
        };
        let came = sent.at;
        let glued = self.glue(event, packet, spec, &mut sent, limit)?;
        let Some(index) = self.flows.iter().position(|f| f.tuple == sent.seg.tuple) else {
            return Err(self.fail(event, FailureKind::Differs, "a segment of an unknown connection"));
        };
        let limits = Limits { tick: self.setup.tick, tolerance: self.tolerance, glued };
        let shown = self.flows.get(index).map(|f| Shown::of_segment(&sent.seg, f, spec.seq));
        let (Some(shown), Some(flow)) = (shown, self.flows.get_mut(index)) else { return Ok(from) };
        let actual = shown.to_string();
        let found = difference(spec, &packet.ip, &shown, &sent.seg, flow, &limits);
        if found.is_none() {
            if sent.seg.flags.has(Flags::SYN) {
                flow.learn_ours(spec.seq, sent.seg.seq);
                if sent.seg.flags.has(Flags::ACK) {
                    flow.peer_text = flow.peer_to_script(sent.seg.ack);
                }
            }
            learn_stamps(spec, &sent.seg, flow);
        }
        let actual = timed(came, &actual, sent.why);
        if let Some(what) = found {
            return Err(self.differs(event, &format!("another {what}"), expected, actual));
        }
        if came + slack < from {
            return Err(self.differs(event, "the segment came too early", expected, actual));
        }
        if came > to + slack {
            return Err(self.differs(event, "the segment came too late", expected, actual));
        }
        // What follows a segment that came as late as it may is not late for that.
        self.busy = self.busy.max(came);
        // The clock stands at the event even if its packet was sent before.
        Ok(came)
    }

    /// Adds the segments that follow without a gap, until there is as much text as is expected. A device with
    /// segmentation offload would have got them as one.
    fn glue(
        &mut self,
        event: &Event,
        packet: &Packet,
        spec: &TcpSpec,
        sent: &mut Segment,
        limit: Micros,
    ) -> Step<bool> {
        let mut glued = false;
        while !self.setup.strict_segments
            && !sent.seg.text.is_empty()
            && (sent.seg.text.len() as u64) < u64::from(spec.len)
        {
            let Some(next) = self.wait_for_sent(event, packet.ports, limit)? else { break };
            let end = sent.seg.seq + sent.seg.text.len() as u32;
            let whole = sent.seg.text.len() + next.seg.text.len();
            if next.seg.seq != end || next.seg.text.is_empty() || whole as u64 > u64::from(spec.len) {
                self.sent.push_front(next);
                break;
            }
            let text = std::mem::take(&mut sent.seg.text);
            let seq = sent.seg.seq;
            sent.seg = next.seg;
            sent.seg.seq = seq;
            sent.seg.text.splice(0..0, text);
            glued = true;
        }
        Ok(glued)
    }

    fn show(&self, seg: &OutSegment, syn_at: u32) -> String {
        match self.flows.iter().find(|f| f.tuple == seg.tuple) {
            Some(flow) => Shown::of_segment(seg, flow, syn_at).to_string(),
            None => format!("a segment from {} to {}", seg.tuple.local, seg.tuple.remote),
        }
    }
}

fn timed(t: Micros, text: &str, why: Option<String>) -> String {
    let why = why.map_or(String::new(), |w| format!("   ({w})"));
    format!("{} {text}{why}", show_time(t))
}

/// The script names the stack's timestamps: later echoes use these names.
pub(crate) fn learn_stamps(spec: &TcpSpec, seg: &OutSegment, flow: &mut Flow) {
    let wire = seg.opts.iter().find_map(|o| match o {
        Opt::Ts { val, .. } => Some(*val),
        _ => None,
    });
    if let (OptSpec::List(list), Some(wire)) = (&spec.opts, wire) {
        for opt in list {
            if let Opt::Ts { val, .. } = opt {
                flow.learn_stamp(*val, wire);
            }
        }
    }
}

/// A segment of the script with numbers of the wire.
pub(crate) fn segment_in(spec: &TcpSpec, flow: &mut Flow) -> Result<InSegment, String> {
    if spec.len > MOST_TEXT {
        return Err(format!("{} octets do not fit a packet", spec.len));
    }
    let syn = spec.flags.has(Flags::SYN);
    if syn && (!flow.knows_ours() || spec.flags.has(Flags::ACK)) {
        flow.peer_text = spec.seq.wrapping_add(1);
    }
    let place = spec.seq.wrapping_add(u32::from(syn)).wrapping_sub(flow.peer_text);
    let mut opts = Vec::new();
    if let OptSpec::List(list) = &spec.opts {
        for opt in list {
            opts.push(match opt {
                Opt::Sack(blocks) => {
                    let wire = |n: u32| flow.our_to_wire(n).raw();
                    Opt::Sack(blocks.iter().map(|(l, r)| (wire(*l), wire(*r))).collect())
                }
                Opt::Ts { val, ecr } => {
                    let wire = flow.echo_to_wire(*ecr);
                    let ecr =
                        wire.ok_or_else(|| format!("no TS val {ecr} was expected before: nothing to echo"))?;
                    Opt::Ts { val: *val, ecr }
                }
                other => other.clone(),
            });
        }
    }
    Ok(InSegment {
        tuple: flow.tuple,
        flags: spec.flags,
        seq: flow.peer_to_wire(spec.seq),
        ack: spec.ack.map_or(Seq::new(0), |a| flow.our_to_wire(a)),
        win: spec.win.unwrap_or(0),
        urg: spec.urg.unwrap_or(0),
        opts,
        text: seq::octets(place, spec.len as usize),
    })
}
