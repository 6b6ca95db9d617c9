//! TIME_WAIT: enough to answer a repeated FIN and to judge a new SYN (RFC 9293 3.10.7.4, RFC 6191, RFC 1337).

use synfin_wire::{DropReason, Head, Instant, OptionsOut, Segment, Seq, Timestamps, Tuple};

use crate::config::Quirks;
use crate::connection::{limit_allows, paws_rejects};
use crate::event::Event;
use crate::{Config, Cx};

/// What is left of a connection that closed first.
#[derive(Clone, Debug)]
pub struct TimeWait {
    pub(crate) tuple: Tuple,
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    /// As offered last, in octets.
    pub(crate) rcv_wnd: u32,
    /// Lowest acceptable SEG.ACK (RFC 5961 5).
    pub(crate) ack_floor: Seq,
    pub(crate) rcv_wscale: u8,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    /// TS.Recent if timestamps were in use.
    pub(crate) ts_recent: Option<u32>,
    /// When TS.Recent was taken: it means nothing after 24 days (RFC 7323 5.5).
    pub(crate) ts_recent_at: Instant,
    pub(crate) ts_offset: u32,
    pub(crate) expires: Instant,
    pub(crate) next_ac: Instant,
}

// There may be as many as connections were closed in the last 2 MSL.
const _: () = assert!(size_of::<TimeWait>() <= 96);

/// What the stack does with a TIME_WAIT record after a segment.
#[must_use]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing changes; an answer may wait in [`Cx::reply`].
    Stay,
    /// As `Stay`, and 2 MSL start again: move the record to the end of the expiry queue.
    Restart,
    /// A SYN that may open a new connection (RFC 6191): if a listener takes it, replace the record; the new ISS must
    /// lie after `floor`. If none does, call [`TimeWait::refuse`].
    Reopen {
        /// Old SND.NXT.
        floor: Seq,
    },
    /// The record is no more (only with [`Quirks::RST_ENDS_TIME_WAIT`]).
    Delete,
    /// The segment was of no use.
    Drop(DropReason),
}

impl TimeWait {
    /// A segment for this 4-tuple arrived.
    pub fn on_segment(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Rest {
        cx.emit(&self.tuple, || Event::Received(seg));
        let rest = self.judge(cx, seg);
        let restart_any =
            cx.cfg.quirks.has(Quirks::TIME_WAIT_ANY_RESTARTS) && seg.ack.is_some() && !seg.ctl.rst();
        match rest {
            Rest::Drop(why) => {
                cx.dropped(&self.tuple, why);
                if restart_any { self.restart(cx) } else { rest }
            }
            Rest::Stay if restart_any => self.restart(cx),
            Rest::Restart => self.restart(cx),
            _ => rest,
        }
    }

    fn restart(&mut self, cx: &Cx<'_>) -> Rest {
        self.rest_again(cx.now, cx.cfg);
        Rest::Restart
    }

    fn judge(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Rest {
        let quirks = cx.cfg.quirks;
        if seg.ctl.rst() {
            // RFC 1337 F1: a stray RST must not end TIME_WAIT.
            if quirks.has(Quirks::RST_ENDS_TIME_WAIT) && seg.seq == self.rcv_nxt {
                return Rest::Delete;
            }
            return Rest::Drop(DropReason::RstIgnored);
        }
        if seg.ctl.syn() && seg.ack.is_none() {
            return self.judge_syn(cx, seg);
        }
        if let Some(recent) = self.ts_recent {
            match seg.opts.ts {
                None if !seg.ctl.syn() && !quirks.has(Quirks::TIMESTAMP_MAY_MISS) => {
                    return Rest::Drop(DropReason::NoTimestamp);
                }
                Some(ts) if paws_rejects(ts.val, recent, self.ts_recent_at, cx.now, quirks) => {
                    self.answer(cx, seg);
                    return Rest::Drop(DropReason::Paws);
                }
                _ => {}
            }
        }
        let len = seg.seq_len();
        let wnd = self.rcv_wnd;
        let nxt = self.rcv_nxt;
        let inside = match (len, wnd) {
            (0, 0) => seg.seq == nxt,
            (0, _) => seg.seq.within(nxt, wnd),
            (_, 0) => seg.seq == nxt,
            _ => {
                let last = seg.seq + (len - 1);
                seg.seq.within(nxt, wnd)
                    || last.within(nxt, wnd)
                    || (nxt.within(seg.seq, len) && last.at_or_after(nxt + wnd))
            }
        };
        if !inside {
            self.answer(cx, seg);
            // The peer's FIN again: our last ACK was lost; only this restarts 2 MSL (RFC 9293 3.10.7.4 eighth).
            let fin_again = seg.ctl.fin() && !seg.ctl.syn() && seg.seq + seg.payload.len() as u32 == nxt - 1;
            return if fin_again { Rest::Restart } else { Rest::Drop(DropReason::OutOfWindow) };
        }
        if seg.ctl.syn() {
            self.challenge(cx);
            return Rest::Drop(DropReason::SynInWindow);
        }
        let Some(ack) = seg.ack else {
            if wnd == 0 && len > 0 {
                self.challenge(cx);
            }
            return Rest::Drop(DropReason::NoAck);
        };
        if ack.before(self.ack_floor) || ack.after(self.snd_nxt) {
            // RFC 5961 5. Two ends in TIME_WAIT cannot answer each other for ever: answers carry good numbers.
            if !(quirks.has(Quirks::TIME_WAIT_BAD_ACK_SILENT) && len == 0 && seg.seq == nxt) {
                self.challenge(cx);
            }
            let new = ack.after(self.snd_nxt);
            return Rest::Drop(if new { DropReason::AckTooNew } else { DropReason::AckTooOld });
        }
        if len > 0 {
            cx.reply = Some(self.ack(cx));
            return Rest::Drop(DropReason::AfterFin);
        }
        if quirks.has(Quirks::TIME_WAIT_OFF_ACK_ANSWERED) && seg.seq != nxt {
            self.challenge(cx);
        }
        Rest::Stay
    }

    /// RFC 6191: may this SYN start a new connection on the same pair?
    fn judge_syn(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) -> Rest {
        let last =
            if cx.cfg.quirks.has(Quirks::TIME_WAIT_SYN_STRICT) { self.rcv_nxt } else { self.rcv_nxt - 1 };
        let beyond = seg.seq.after(last);
        let ts = seg.opts.ts.filter(|_| cx.cfg.timestamps).map(|t| Seq::new(t.val));
        let fresh = match (self.ts_recent.map(Seq::new), ts) {
            (Some(recent), Some(val)) => val.after(recent) || (val == recent && beyond),
            (None, Some(_)) => true,
            (_, None) => beyond,
        };
        if fresh && !seg.ctl.fin() {
            return Rest::Reopen { floor: self.snd_nxt };
        }
        self.challenge(cx);
        Rest::Drop(if seg.ctl.fin() { DropReason::SynFin } else { DropReason::SynInWindow })
    }

    /// A SYN that could have reopened found no listener: answer it with an ACK.
    pub fn refuse(&mut self, cx: &mut Cx<'_>) {
        self.challenge(cx);
        cx.dropped(&self.tuple, DropReason::SynInWindow);
    }

    /// The duplicate ACK for a segment outside the window: limited, but not for text or FIN.
    fn answer(&mut self, cx: &mut Cx<'_>, seg: &Segment<'_>) {
        if seg.seq_len() > 0 && !seg.ctl.syn() {
            cx.reply = Some(self.ack(cx));
        } else {
            self.challenge(cx);
        }
    }

    fn challenge(&mut self, cx: &mut Cx<'_>) {
        if limit_allows(&mut self.next_ac, cx) {
            cx.reply = Some(self.ack(cx));
        }
    }

    /// The SYN that reopened the pair turned out to be old: the record comes back for another 2 MSL (RFC 9293 MAY-2 (2)).
    pub fn rest_again(&mut self, now: Instant, cfg: &Config) {
        self.expires = now + cfg.time_wait();
    }

    /// The ACK of this record as it would be sent now.
    pub fn ack(&self, cx: &Cx<'_>) -> Head {
        let ts = self
            .ts_recent
            .map(|ecr| Timestamps { val: (cx.now.millis() as u32).wrapping_add(self.ts_offset), ecr });
        Head {
            seq: self.snd_nxt,
            ack: Some(self.rcv_nxt),
            wnd: u16::try_from(self.rcv_wnd >> self.rcv_wscale).unwrap_or(u16::MAX),
            opts: OptionsOut { ts, ..OptionsOut::default() },
            ..Head::default()
        }
    }

    /// When the record may go.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// Time to live or hop limit of its answers.
    pub fn ttl(&self) -> u8 {
        self.ttl
    }

    /// Traffic class octet of its answers.
    pub fn tos(&self) -> u8 {
        self.tos
    }

    /// Whether an active open of the same pair may take this record over now: timestamps were in use and at least
    /// one second has passed since 2 MSL began (the idea of RFC 6191). The new ISS must lie after the number returned.
    pub fn reusable(&self, now: Instant, cfg: &Config) -> Option<Seq> {
        let since = now.since(self.expires - cfg.time_wait());
        (self.ts_recent.is_some() && since.as_secs() >= 1).then_some(self.snd_nxt)
    }
}
