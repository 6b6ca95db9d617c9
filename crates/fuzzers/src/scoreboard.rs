//! Target `scoreboard`: the log of what is in flight against one mark for each octet.

use std::time::Duration;
use synfin_tcp::send::log::{Delivery, Sending, SentLog};
use synfin_wire::{Instant, SackBlock, Seq};

use crate::input::Input;

/// More steps than this are left out: a run should take milliseconds.
const STEPS: usize = 150;

/// SND.UNA at the beginning: numbers wrap soon.
const BASE: Seq = Seq::new(u32::MAX - 3000);
/// Changes that may each make an entry; after so many everything is acknowledged. With 64 entries the log is free to count
/// only whole ones as SACKed, which octets cannot tell.
const PIECES: u32 = 62;
/// Most octets in flight.
const MOST: usize = 4000;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Fate {
    Flying,
    Sacked,
    Lost,
}

#[derive(Copy, Clone, Debug)]
struct Octet {
    fate: Fate,
    again: bool,
    sent: Instant,
}

/// Octets from SND.UNA to SND.NXT.
#[derive(Default)]
struct Model {
    una: u32,
    octets: Vec<Octet>,
    /// Without SACK: octets that duplicate acknowledgements say have left.
    left: u32,
    /// The latest sending of what was delivered (RFC 8985 RACK.segment).
    latest: Sending,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let mss = u.pick(&[500, 100, 8, 1]);
    let (mut log, mut model, mut now) = (SentLog::default(), Model::default(), Instant::ZERO);
    let mut pieces = 0;
    for _ in 0..STEPS {
        if u.is_over() {
            break;
        }
        now += Duration::from_millis(1);
        pieces += 2;
        if pieces > PIECES || model.octets.is_empty() {
            model.ack(&mut log, model.octets.len());
            pieces = 0;
        }
        let flight = model.octets.len();
        match u.below(12) {
            0..4 => {
                let len = match u.below(3) {
                    0 => mss,
                    1 => 1 + u32::from(u.octet()) % mss,
                    _ => mss * (2 + u32::from(u.octet()) % 8),
                };
                if flight + len as usize <= MOST {
                    log.push(BASE + model.una + flight as u32, len, mss as u16, now);
                    let octet = Octet { fate: Fate::Flying, again: false, sent: now };
                    model.octets.resize(flight + len as usize, octet);
                }
            }
            4..7 if flight > 0 => {
                let a = place(&mut u, flight, mss);
                let b = flight.min(a + 1 + place(&mut u, flight, mss));
                if a < b {
                    model.sack(&mut log, a, b);
                }
            }
            7 if flight > 0 => {
                let n = flight.min(1 + place(&mut u, flight, mss));
                model.ack(&mut log, n);
            }
            8 => model.find_lost(&mut log, Duration::from_millis(u64::from(u.octet()) / 8), now),
            9 => {
                log.mark_all_lost();
                model.octets.iter_mut().for_each(|o| o.fate = Fate::Lost);
                model.left = 0;
            }
            10 => model.send_again(&mut log, &mut u, mss, now),
            _ => model.oldest(&mut log, &mut u, mss),
        }
        model.check(&mut log);
    }
}

/// An offset below `flight`, mostly at a border of segments.
fn place(u: &mut Input<'_>, flight: usize, mss: u32) -> usize {
    let border = mss as usize * usize::from(u.octet()) % flight;
    if u.one_in(3) { (border + usize::from(u.octet())) % flight } else { border }
}

impl Model {
    fn at(&self, i: usize) -> Seq {
        BASE + self.una + i as u32
    }

    fn sack(&mut self, log: &mut SentLog, a: usize, b: usize) {
        let mut d = Delivery::default();
        log.sack(SackBlock { left: self.at(a), right: self.at(b) }, &mut d);
        let fresh = d.octets;
        self.note(&d);
        let new = self.octets[a..b].iter_mut().filter(|o| o.fate != Fate::Sacked);
        let count = new.map(|o| o.fate = Fate::Sacked).count();
        assert_eq!(fresh as usize, count, "newly SACKed in {a}..{b}");
    }

    fn ack(&mut self, log: &mut SentLog, n: usize) {
        let mut done = Delivery::default();
        log.ack(self.at(n), &mut done);
        let gone: Vec<Octet> = self.octets.drain(..n).collect();
        self.una += n as u32;
        let counted = self.left.min(n as u32);
        let lost = self.octets.iter().filter(|o| o.fate == Fate::Lost).count();
        self.left = (self.left - counted).min((self.octets.len() - lost) as u32);
        let fresh = gone.iter().filter(|o| o.fate != Fate::Sacked).count() as u32;
        assert_eq!(done.octets, fresh.saturating_sub(counted), "newly delivered");
        assert_eq!(done.retransmitted, gone.iter().any(|o| o.again), "retransmitted");
        // Karn (RFC 6298 3): no sample from what was sent twice; else from the latest that went whole.
        if done.retransmitted {
            assert_eq!(done.sample, None, "a sample from what was sent again");
        } else if let Some(sent) = done.sample {
            assert!(gone.iter().any(|o| o.sent == sent), "a sample of nothing that was acknowledged");
        }
        self.note(&done);
    }

    fn note(&mut self, d: &Delivery) {
        for s in [d.once, d.again].into_iter().flatten() {
            if s.after(self.latest) {
                self.latest = s;
            }
        }
    }

    /// RFC 8985 6.2 step 5, octet by octet: sent before the latest delivery, and `settle` ago. What was sent together is
    /// told apart by numbers.
    fn find_lost(&mut self, log: &mut SentLog, settle: Duration, now: Instant) {
        let (latest, first) = (self.latest, self.at(0));
        let mut marked = 0;
        for (i, o) in self.octets.iter_mut().enumerate() {
            let before = o.sent < latest.at
                || (o.sent == latest.at
                    && (first + i as u32).before(latest.end)
                    && (latest.again || !o.again));
            if o.fate == Fate::Flying && before && o.sent + settle <= now {
                o.fate = Fate::Lost;
                marked += 1;
            }
        }
        assert_eq!(log.find_lost(latest, settle, now).0, marked, "octets found lost");
    }

    /// What is lost goes again, wholly or in part; a last entry may grow.
    fn send_again(&mut self, log: &mut SentLog, u: &mut Input<'_>, mss: u32, now: Instant) {
        let Some((seq, len, last)) = log.next_lost() else { return };
        let first = seq.since(self.at(0)) as usize;
        let n = 1 + u32::from(u.octet()) * mss / 100;
        let room = (MOST - self.octets.len().min(MOST)) as u32;
        let n = if last { n.min(len + room) } else { n.min(len) };
        log.retransmitted(seq, n, mss as u16, now);
        let octet = Octet { fate: Fate::Flying, again: true, sent: now };
        let end = first + n as usize;
        self.octets[first..end.min(first + len as usize)].fill(octet);
        if end > self.octets.len() {
            self.octets.resize(end, octet);
        }
    }

    /// Calls about the oldest segment and about duplicate acknowledgements.
    fn oldest(&mut self, log: &mut SentLog, u: &mut Input<'_>, mss: u32) {
        if u.one_in(2) {
            let most = u32::from(u.half());
            log.count_dup_ack(mss, most);
            let lost = self.octets.iter().filter(|o| o.fate == Fate::Lost).count();
            self.left = (self.left + mss).min((self.octets.len() - lost) as u32).min(most);
            return;
        }
        // How far the oldest entry reaches is the log's business; what it marks is in one piece, flying before, from
        // the front on, and at most a segment.
        log.mark_first_lost(mss);
        let lost =
            log.next_lost().filter(|(seq, ..)| *seq == self.at(0)).map_or(0, |(_, len, _)| len as usize);
        for o in self.octets.iter_mut().take(lost) {
            assert_ne!(o.fate, Fate::Sacked, "SACKed octets are not lost");
            o.fate = Fate::Lost;
        }
    }

    fn check(&self, log: &mut SentLog) {
        let count = |fate| self.octets.iter().filter(|o| o.fate == fate).count() as u32;
        let flight = self.octets.len() as u32;
        assert_eq!(log.flight(), flight, "flight");
        assert_eq!(log.is_empty(), self.octets.is_empty());
        let gone = count(Fate::Sacked) + count(Fate::Lost) + self.left;
        assert_eq!(log.pipe(), flight.saturating_sub(gone), "pipe (RFC 6675 4)");
        assert_eq!(log.has_lost(), count(Fate::Lost) > 0, "anything lost");
        let first = self.octets.iter().position(|o| o.fate == Fate::Lost);
        let next = log.next_lost();
        assert_eq!(next.map(|(seq, ..)| seq), first.map(|i| self.at(i)), "the first lost octet");
        if let (Some((_, len, last)), Some(i)) = (next, first) {
            let end = i + len as usize;
            assert!(
                self.octets[i..end].iter().all(|o| o.fate == Fate::Lost),
                "{len} octets from {i} are not all lost"
            );
            assert_eq!(last, end == self.octets.len(), "the last entry");
        }
    }
}
