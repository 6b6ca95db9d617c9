//! Our stack as a host: the clock jumps from one thing that happens to the next.

use std::num::NonZeroU16;
use std::time::Duration;

use synfin_link::{Caps, RxFrame, RxMeta, TxMeta, TxSink};
use synfin_net::{Cidr, More, Secrets, Stack, StackConfig};
use synfin_tcp::State;
use synfin_wire::{Instant, Tuple};

use crate::ast::Call;
use crate::host::{Fields, Host, Micros, Returned, Sent, Turn};
use crate::profile::Profile;
use crate::setup::Setup;
use crate::sys::{Op, Progress, Ret, Sys, World};
use crate::sysctl;
use crate::trace::Trace;
use crate::wire;

/// When scripts begin: late enough for every clock of the stack to have an earlier value.
const START: Instant = Instant::from_millis(1_000_000);
/// `*`: waited for at most.
const PATIENCE: Micros = 1_000_000_000;
/// Timer turns of one script; a stack whose timers do not stop is broken.
const MOST_TURNS: u32 = 200_000;

/// Our stack, sockets over it, and virtual time.
pub(crate) struct StackHost {
    setup: Setup,
    profile: Profile,
    stack: Stack,
    trace: Trace,
    sys: Sys,
    now: Instant,
    sent: Vec<Sent>,
    waiting: Option<Op>,
    returned: Option<Result<Returned, String>>,
    turns: u32,
}

#[derive(Default)]
struct Sink(Vec<Vec<u8>>);

impl TxSink for Sink {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn push(&mut self, head: &[u8], payload: &[&[u8]], _: TxMeta) {
        let mut packet = head.to_vec();
        payload.iter().for_each(|p| packet.extend_from_slice(p));
        self.0.push(packet);
    }
}

fn at(micros: Micros) -> Instant {
    START + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn micros(t: Instant) -> Micros {
    i64::try_from(t.since(START).as_micros()).unwrap_or(i64::MAX)
}

impl StackHost {
    pub fn new(setup: &Setup, profile: &Profile) -> StackHost {
        let trace = Trace::new(setup.mtu);
        let config = StackConfig {
            tcp: profile.tcp.clone(),
            addrs: vec![Cidr { addr: setup.addrs.local, prefix: setup.prefix }],
            ..StackConfig::default()
        };
        let secrets = std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ 0x5a);
        let mut stack = Stack::new(config, Caps::plain(setup.mtu), Secrets(secrets));
        stack.set_probe(Some(Box::new(trace.clone())));
        StackHost {
            setup: setup.clone(),
            profile: profile.clone(),
            stack,
            trace,
            sys: Sys::default(),
            now: START,
            sent: Vec::new(),
            waiting: None,
            returned: None,
            turns: 0,
        }
    }

    fn world(&mut self) -> (&mut Sys, World<'_>) {
        let world = World {
            stack: &mut self.stack,
            now: self.now,
            profile: &self.profile,
            trace: &self.trace,
            addrs: &self.setup.addrs,
        };
        (&mut self.sys, world)
    }

    /// Takes what the stack wants to send now.
    fn pump(&mut self) {
        let mut sink = Sink::default();
        while self.stack.poll_transmit(self.now, 256, &mut sink) == More::Pending {}
        // One reason for each segment, in the same order; other packets have none.
        let mut whys = self.trace.take_whys();
        for packet in sink.0 {
            let why = if wire::is_tcp(&packet) { whys.pop_front() } else { None };
            let why = why.map(|w| format!("{w:?}"));
            self.sent.push(Sent { at: micros(self.now), packet, why });
        }
        let (sys, mut world) = self.world();
        sys.observe(&mut world);
    }

    /// Sends, lets a waiting call go on, and sends again what that made due.
    fn settle(&mut self) {
        self.pump();
        let Some(op) = self.waiting.take() else { return };
        let (sys, mut world) = self.world();
        match sys.attempt(&mut world, op) {
            Err(why) => self.returned = Some(Err(why)),
            Ok(Progress::Waits(op)) => {
                self.waiting = Some(op);
                self.pump();
            }
            Ok(Progress::Done(ret)) => {
                self.pump();
                self.returned = Some(Ok(self.with_time(ret)));
            }
        }
    }

    fn with_time(&self, ret: Ret) -> Returned {
        let errno = ret.errno.map(str::to_string);
        Returned { at: micros(self.now), value: ret.value, errno, wrong: ret.wrong }
    }
}

impl Host for StackHost {
    fn now(&self) -> Micros {
        micros(self.now)
    }

    fn begin(&mut self) {}

    fn turn(&mut self, to: Micros) -> Result<Turn, String> {
        let call = self.waiting.as_ref().map_or(Instant::NEVER, Sys::deadline);
        let next = self.stack.poll_timeout().min(call);
        if next > at(to) {
            self.now = self.now.max(at(to));
            return Ok(Turn::Nothing);
        }
        self.turns += 1;
        if self.turns > MOST_TURNS {
            return Err("the stack's timers do not come to rest".into());
        }
        self.now = self.now.max(next);
        self.stack.on_timeout(self.now);
        self.settle();
        Ok(Turn::Something)
    }

    fn patience(&self) -> Micros {
        PATIENCE
    }

    fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    fn call(&mut self, call: &Call, until: Option<Micros>) -> Result<Option<Returned>, String> {
        let (sys, mut world) = self.world();
        let op = sys.begin(&mut world, call)?;
        match sys.attempt(&mut world, op)? {
            Progress::Done(ret) => {
                self.pump();
                Ok(Some(self.with_time(ret)))
            }
            Progress::Waits(op) => {
                if until.is_some() {
                    self.waiting = Some(op);
                    self.settle();
                }
                Ok(None)
            }
        }
    }

    fn returned(&mut self) -> Result<Option<Returned>, String> {
        self.returned.take().transpose()
    }

    fn inject(
        &mut self,
        packet: &[u8],
        merged: Option<NonZeroU16>,
        errno: Option<&'static str>,
    ) -> Result<(), String> {
        if !wire::is_tcp(packet) {
            self.trace.set_icmp_errno(errno);
        }
        let frame = RxFrame { bytes: packet, meta: RxMeta { gro: merged, ..RxMeta::default() } };
        self.stack.on_packet(self.now, frame);
        self.settle();
        Ok(())
    }

    fn command(&mut self, command: &str) -> Result<Duration, String> {
        let pause = sysctl::run(command, &mut self.profile)?;
        *self.stack.tcp_config_mut() = self.profile.tcp.clone();
        Ok(pause)
    }

    fn info(&mut self) -> Fields {
        let (sys, mut world) = self.world();
        sys.tcp_info(&mut world).unwrap_or_default()
    }

    fn is_over(&mut self, tuple: &Tuple) -> bool {
        let mut state = None;
        self.stack.for_each_record(&mut |t, s| {
            if t == tuple {
                state = Some(s);
            }
        });
        matches!(state, None | Some(State::TimeWait))
    }

    fn said(&self) -> Vec<(Micros, String)> {
        self.trace.said().into_iter().map(|(t, said)| (micros(t), said)).collect()
    }

    fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.profile.notes);
        notes.extend(self.sys.take_notes());
        notes
    }
}
