//! What is explored: two applications, settings, and how much the network may do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use synfin_tcp::cc::Choice;
use synfin_tcp::{Config, Connection, Cx, Keepalive};
use synfin_wire::{Addr, Endpoint, Seq, Tuple};

use crate::app::{Op, Reading};
use crate::end::ISS_STEP;

/// When a connection that has something to send sends it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Emission {
    /// In the same step, as a device that always has room lets it.
    AtOnce,
    /// At any time later, one segment at a time: a busy device.
    Late,
}

/// How often the network and the clock may do each kind of harm. What they do not do is deliver, once, before time
/// passes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub struct Harm {
    /// Segments that vanish.
    pub losses: u8,
    /// Segments that arrive once more.
    pub duplicates: u8,
    /// Times that a timer fires although something is still on its way, or an application is about to call.
    pub delays: u8,
    /// Segments that overtake; `u8::MAX`: any number.
    pub overtakes: u8,
}

impl Harm {
    /// These numbers, any order.
    pub const fn new(losses: u8, duplicates: u8, delays: u8) -> Harm {
        Harm { losses, duplicates, delays, overtakes: u8::MAX }
    }

    /// As this, with so many segments overtaking.
    pub const fn overtakes(self, overtakes: u8) -> Harm {
        Harm { overtakes, ..self }
    }
}

/// As the program's `--harm` takes it: losses/duplicates/delays/overtakes, the last a number or `any`.
impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/", self.losses, self.duplicates, self.delays)?;
        if self.overtakes == u8::MAX { f.write_str("any") } else { write!(f, "{}", self.overtakes) }
    }
}

impl FromStr for Harm {
    type Err = String;

    fn from_str(text: &str) -> Result<Harm, String> {
        let bad = || format!("{text}: harm is four numbers as in 1/0/2/any");
        let number = |n: &str| if n == "any" { Ok(u8::MAX) } else { n.parse().map_err(|_| bad()) };
        let [losses, duplicates, delays, overtakes] = text.split('/').collect::<Vec<_>>()[..] else {
            return Err(bad());
        };
        Ok(Harm::new(number(losses)?, number(duplicates)?, number(delays)?).overtakes(number(overtakes)?))
    }
}

/// One end of a scenario.
#[derive(Clone, Debug)]
pub struct Side {
    /// The application.
    pub ops: Vec<Op>,
    /// When it reads.
    pub reading: Reading,
    /// Settings of its stack.
    pub cfg: Config,
}

/// Every connection has it on.
const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(10), interval: Duration::from_secs(1), probes: 2 };

/// A bounded world to explore.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The two ends.
    pub sides: [Side; 2],
    /// First initial sequence numbers.
    pub iss: [u32; 2],
    /// MSS that both sides offer.
    pub mss: u16,
    /// Nagle's algorithm is off.
    pub nodelay: bool,
    /// When segments leave.
    pub emission: Emission,
    /// How far one end's timers may run ahead of the other's: a host may be slow.
    pub late: Duration,
    /// What the network may do.
    pub harm: Harm,
}

/// Settings under which the space of states stays small: one RTO, small buffers, no timestamps, no scaling.
pub fn small() -> Config {
    Config {
        rto_initial: Duration::from_secs(1),
        rto_min: Duration::from_secs(1),
        rto_max: Duration::from_secs(1),
        persist_max: Duration::from_secs(1),
        syn_retries: 2,
        syn_ack_retries: 2,
        r2: 3,
        orphan_retries: 3,
        persist_retries: 3,
        recv_buffer: 64,
        send_buffer: 64,
        timestamps: false,
        window_scaling: false,
        sack: false,
        // No clock and no rate in its state: equal windows have equal futures.
        congestion_control: Choice::Reno,
        ..Config::default()
    }
}

impl Scenario {
    /// Two applications under [`small`] settings and no harm.
    pub fn new(name: &str, a: &[Op], b: &[Op]) -> Scenario {
        let side = |ops: &[Op]| Side { ops: ops.to_vec(), reading: Reading::Eager, cfg: small() };
        Scenario {
            name: name.to_owned(),
            sides: [side(a), side(b)],
            iss: [1000, 5_000_000],
            mss: 100,
            nodelay: true,
            emission: Emission::AtOnce,
            late: Duration::from_secs(1),
            harm: Harm::new(0, 0, 0),
        }
    }

    /// With this much harm.
    #[must_use]
    pub fn harm(mut self, harm: Harm) -> Scenario {
        self.harm = harm;
        self
    }

    /// With a change to both ends' settings, which the name mentions.
    #[must_use]
    pub fn with(mut self, what: &str, change: impl Fn(&mut Config)) -> Scenario {
        self.name = format!("{}, {what}", self.name);
        self.sides.iter_mut().for_each(|s| change(&mut s.cfg));
        self
    }

    /// With a change to the scenario itself, which the name mentions.
    #[must_use]
    pub fn alter(mut self, what: &str, change: impl Fn(&mut Scenario)) -> Scenario {
        change(&mut self);
        self.name = format!("{}, {what}", self.name);
        self
    }

    /// An end's settings.
    pub fn cfg(&self, who: usize) -> &Config {
        &self.sides[who].cfg
    }

    /// A connection's name as an end sees it.
    pub fn tuple(&self, who: usize) -> Tuple {
        let end =
            |n: usize| Endpoint::new(Addr::v4([192, 0, 2, n as u8 + 1]), if n == 0 { 40_000 } else { 80 });
        Tuple { local: end(who), remote: end(1 - who) }
    }

    /// Offset of an end's timestamps: constant for a pair of endpoints.
    pub fn ts_offset(&self, who: usize) -> u32 {
        [77, u32::MAX - 500][who]
    }

    /// Options that an application sets on a new connection.
    pub fn prepare(&self, c: &mut Connection, cx: &Cx<'_>) {
        c.set_nodelay(self.nodelay);
        // Without it an end whose peer is gone, and whose RST was lost, waits for ever (RFC 9293 3.8.4).
        c.set_keepalive(cx, Some(KEEPALIVE));
    }

    /// Which of an end's connections has this initial sequence number.
    pub fn life_of(&self, who: usize, iss: Seq) -> Option<usize> {
        let ahead = iss.since(Seq::new(self.iss[who]));
        ahead.is_multiple_of(ISS_STEP).then_some((ahead / ISS_STEP) as usize)
    }
}
