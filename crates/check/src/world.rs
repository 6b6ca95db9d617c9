//! Two ends and what is on its way between them: which steps are possible, what each does, what must hold after it.

use std::hash::{DefaultHasher, Hash, Hasher};

use synfin_tcp::CloseReason;
use synfin_wire::Instant;

use crate::app::Reading;
use crate::end::{End, Fault, Packet};
use crate::scenario::{Emission, Harm, Scenario};

/// Segments that may be on their way to one end; more means that answers are not bounded.
const MOST_IN_FLIGHT: usize = 24;
/// Losses and delays with which nobody may give up: every limit on tries in [`crate::scenario::small`] is larger.
const FEW: u8 = 2;
/// Exploration begins here: wrapping of the timestamp clock lies ahead.
const START: Instant = Instant::from_millis(u32::MAX as u64 - 2_000);

/// One step of the world. Ends are 0 and 1; a segment is named by the end it goes to and its place there.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// An application makes its next call.
    Call(usize),
    /// An application reads.
    Read(usize),
    /// A connection's sender gets its turn.
    Emit(usize),
    /// Time passes until an end's next deadline, and what is due there happens.
    Fire(usize),
    /// A segment arrives.
    Deliver(usize, usize),
    /// A segment arrives and will arrive again.
    Twice(usize, usize),
    /// A segment vanishes.
    Lose(usize, usize),
}

/// The whole state.
#[derive(Clone)]
pub struct World {
    /// The time.
    pub now: Instant,
    /// The ends.
    pub ends: [End; 2],
    /// What is on its way to each end. In order of sending where order counts, else sorted.
    pub net: [Vec<Packet>; 2],
    /// What the network may still do.
    pub harm: Harm,
}

impl World {
    /// Before anything happened.
    pub fn new(sc: &Scenario) -> World {
        World { now: START, ends: [End::new(0), End::new(1)], net: [Vec::new(), Vec::new()], harm: sc.harm }
    }

    /// Everything is over: no record, nothing on its way, both applications through.
    pub fn is_over(&self, sc: &Scenario) -> bool {
        self.ends.iter().all(|e| e.is_idle(sc)) && self.net.iter().all(Vec::is_empty)
    }

    /// Every possible step, always in the same order.
    pub fn actions(&self, sc: &Scenario, out: &mut Vec<Action>) {
        out.clear();
        for (e, end) in self.ends.iter().enumerate() {
            if end.can_call(sc) {
                out.push(Action::Call(e));
            }
            if sc.sides[e].reading == Reading::Late && end.wants_read() {
                out.push(Action::Read(e));
            }
            if sc.emission == Emission::Late && end.wants_emit() {
                out.push(Action::Emit(e));
            }
        }
        if self.is_quiet(sc) || self.harm.delays > 0 {
            let due = [0, 1].map(|e: usize| self.ends[e].deadline());
            let last = due[0].min(due[1]) + sc.late;
            for e in [0, 1] {
                if !due[e].is_never() && due[e] <= last {
                    out.push(Action::Fire(e));
                }
            }
        }
        let any_order = self.harm.overtakes == u8::MAX;
        for (to, net) in self.net.iter().enumerate() {
            for (i, p) in net.iter().enumerate() {
                let again = net[..i].iter().any(|q| q.bytes == p.bytes && q.born == p.born);
                if again {
                    continue;
                }
                if i == 0 || self.harm.overtakes > 0 || any_order {
                    out.push(Action::Deliver(to, i));
                    if self.harm.duplicates > 0 {
                        out.push(Action::Twice(to, i));
                    }
                }
                if self.harm.losses > 0 {
                    out.push(Action::Lose(to, i));
                }
            }
        }
    }

    /// Does one step.
    ///
    /// # Errors
    /// A property that does not hold.
    pub fn step(&mut self, sc: &Scenario, action: Action) -> Result<(), Fault> {
        self.ends.iter_mut().for_each(|e| e.sent.clear());
        match action {
            Action::Call(e) => self.ends[e].call(sc, self.now)?,
            Action::Read(e) => {
                self.ends[e].read(sc, self.now)?;
                // What reading makes due goes out now, and what waited for the end of the stream goes on.
                self.ends[e].settle_after_read(sc, self.now)?;
            }
            Action::Emit(e) => self.ends[e].emit(sc, self.now)?,
            Action::Fire(e) => self.fire(sc, e)?,
            Action::Deliver(to, i) | Action::Twice(to, i) => {
                if i > 0 && self.harm.overtakes != u8::MAX {
                    self.harm.overtakes -= 1;
                }
                let packet = if matches!(action, Action::Twice(..)) {
                    self.harm.duplicates -= 1;
                    self.net[to][i].clone()
                } else {
                    self.net[to].remove(i)
                };
                self.ends[to].deliver(sc, self.now, &packet)?;
            }
            Action::Lose(to, i) => {
                self.harm.losses -= 1;
                self.net[to].remove(i);
            }
        }
        for e in [0, 1] {
            let sent = self.ends[e].sent.clone();
            self.net[1 - e].extend(sent);
        }
        if self.harm.overtakes == u8::MAX {
            for net in &mut self.net {
                net.sort_by(|a, b| (&a.bytes, a.born).cmp(&(&b.bytes, b.born)));
            }
        }
        self.check(sc)
    }

    /// Nothing is on its way or about to be sent, no application is about to call: time may pass at no cost. A late reader sleeps.
    fn is_quiet(&self, sc: &Scenario) -> bool {
        let late = sc.emission == Emission::Late;
        let busy = |e: &End| e.can_call(sc) || (late && e.can_emit(sc, self.now));
        self.net.iter().all(Vec::is_empty) && !self.ends.iter().any(busy)
    }

    fn fire(&mut self, sc: &Scenario, e: usize) -> Result<(), Fault> {
        if !self.is_quiet(sc) {
            self.harm.delays -= 1;
        }
        self.now = self.now.max(self.ends[e].deadline());
        // No segment lives longer than MSL: what TIME_WAIT relies on (RFC 9293 3.4.2).
        let (now, msl) = (self.now, sc.cfg(0).msl);
        self.net.iter_mut().for_each(|net| net.retain(|p| now.since(p.born) <= msl));
        self.ends[e].fire(sc, now)
    }

    /// What holds in every state.
    fn check(&self, sc: &Scenario) -> Result<(), Fault> {
        for e in [0, 1] {
            if self.net[e].len() > MOST_IN_FLIGHT {
                return Err(format!("{} segments on their way to one end", self.net[e].len()));
            }
            let (me, peer) = (&self.ends[e], &self.ends[1 - e]);
            for life in &me.lives {
                let Some(of) = life.irs.and_then(|irs| sc.life_of(1 - e, irs)) else { continue };
                let Some(writer) = peer.lives.get(of) else {
                    return Err("a connection to a peer that never was".to_owned());
                };
                if life.read > writer.wrote {
                    return Err(format!("{} octets read, {} written", life.read, writer.wrote));
                }
                if life.eof && !(writer.closed && life.read == writer.wrote) {
                    return Err(format!("end of stream after {} of {} octets", life.read, writer.wrote));
                }
            }
            self.check_pair(sc, e)?;
            // Fewer segments were lost or late than any limit on tries.
            let little = sc.harm.losses + sc.harm.delays <= FEW && !peer.refused;
            if little && me.lives.iter().any(|l| l.end == Some(CloseReason::TimedOut)) {
                return Err("gives up although the network did next to nothing".to_owned());
            }
        }
        if self.is_over(sc) {
            return self.check_over();
        }
        Ok(())
    }

    /// What one end has sent and the other has taken fit together while both are open to each other.
    fn check_pair(&self, sc: &Scenario, e: usize) -> Result<(), Fault> {
        let (Some(a), Some(b)) = (self.ends[e].info(sc.cfg(e)), self.ends[1 - e].info(sc.cfg(1 - e))) else {
            return Ok(());
        };
        if !a.state.synchronized() || !b.state.synchronized() || a.irs != b.iss || b.irs != a.iss {
            return Ok(());
        }
        if a.snd_una.after(b.rcv_nxt) || b.rcv_nxt.after(a.snd_nxt) {
            return Err(format!(
                "SND.UNA {} <= peer's RCV.NXT {} <= SND.NXT {} does not hold",
                a.snd_una, b.rcv_nxt, a.snd_nxt
            ));
        }
        Ok(())
    }

    /// What holds when all is over: both agree, or one knows of an error; nothing is left.
    fn check_over(&self) -> Result<(), Fault> {
        for e in [0, 1] {
            let (me, peer) = (&self.ends[e], &self.ends[1 - e]);
            if me.pool_used() > 0 {
                return Err(format!("{} octets of buffers are left", me.pool_used()));
            }
            for life in me.lives.iter().filter(|l| l.end == Some(CloseReason::Done)) {
                // All that this end wrote was acknowledged: the peer read it, or says that it did not.
                let reader = peer.lives.iter().find(|l| l.irs == Some(life.iss) && life.irs == Some(l.iss));
                let Some(reader) = reader else {
                    return Err("closed well with a peer that was never open".to_owned());
                };
                if reader.end == Some(CloseReason::Done) && reader.read != life.wrote {
                    return Err(format!("both closed well, {} of {} octets read", reader.read, life.wrote));
                }
            }
        }
        Ok(())
    }

    /// Hash of everything that decides the future.
    pub fn fingerprint(&self, sc: &Scenario) -> u64 {
        let mut h = DefaultHasher::new();
        self.harm.hash(&mut h);
        for end in &self.ends {
            end.fingerprint(sc, self.now, &mut h);
            // How late it is already: that bounds how far the other may go ahead.
            self.now.since(end.deadline()).hash(&mut h);
        }
        for (to, net) in self.net.iter().enumerate() {
            net.len().hash(&mut h);
            net.iter().for_each(|p| p.fingerprint(sc.ts_offset(to), self.now, &mut h));
        }
        h.finish()
    }
}
