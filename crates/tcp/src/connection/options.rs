//! Options and the copy-out of a connection's variables.

use core::time::Duration;

use alloc::boxed::Box;
use synfin_wire::Tuple;

use super::{Bits, Connection, Info, Silence};
use crate::cc::{Algorithm, Choice};
use crate::error::SoftError;
use crate::state::State;
use crate::{Cx, Keepalive};

impl Connection {
    /// The connection's name.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// A copy of everything worth showing. RTO as the default bounds make it.
    pub fn info(&self, cx_cfg: &crate::Config) -> Info {
        Info {
            state: self.state,
            snd_una: self.snd.una,
            snd_nxt: self.snd.nxt,
            snd_wnd: self.snd.wnd,
            snd_max_wnd: self.snd.max_wnd,
            peer_mss: self.snd.peer_mss,
            rcv_ssthresh: self.rcv.ssthresh,
            rcv_mss: self.pace.segment,
            ato: self.pace.ato(),
            probes: self.probes,
            bytes_acked: self.snd.acked,
            bytes_received: if self.irs == self.rcv.nxt { 0 } else { self.rcv.nxt.since(self.irs + 1) },
            rcv_nxt: self.rcv.nxt,
            rcv_wnd: self.rcv_wnd(),
            iss: self.iss,
            irs: self.irs,
            mss: self.snd.mss,
            srtt: self.rto.srtt(),
            rttvar: self.rto.rttvar(),
            rto: self.rto.current(cx_cfg),
            cwnd: self.cc.cwnd(),
            ssthresh: self.cc.ssthresh(),
            flight: self.log.flight(),
            send_queue: self.send.len(),
            recv_queue: self.recv.readable(),
            retransmits: self.retransmits,
            phase: self.phase(),
            census: self.log.census(),
            delivered: self.delivered,
            dsacks: self.dsacks,
            reordering: self.rack.reordering(),
            reordering_seen: self.rack.reordering_seen(),
            min_rtt: self.rack.min_rtt(),
            backoff: self.rto.backoff(),
            tries: self.rto.tries(),
            timestamps: self.bits.has(Bits::TS_OK),
            sack: self.bits.has(Bits::SACK_OK),
            wscale: (self.rcv.wscale, self.snd.wscale),
            soft_error: self.soft_error,
        }
    }

    /// Another rule for the congestion window; the window stays as it is.
    pub fn set_congestion_control(&mut self, choice: Choice) {
        self.cc.follow(choice);
    }

    /// A rule of one's own for the congestion window; the window stays as it is.
    pub fn set_own_congestion_control(&mut self, rule: Box<dyn Algorithm>) {
        self.cc.follow_own(rule);
    }

    /// Name of the rule for the congestion window.
    pub fn congestion_control(&self) -> &'static str {
        self.cc.rule().name()
    }

    /// Nagle's algorithm off (`true`) or on (RFC 9293 MUST-17).
    pub fn set_nodelay(&mut self, on: bool) {
        if on {
            if !self.bits.has(Bits::NODELAY) && self.unsent() > 0 {
                // What waits goes now, whatever else holds it; what is written later is held as before.
                self.bits.set(Bits::SMALL_OK);
            }
            self.bits.set(Bits::NODELAY);
        } else {
            self.bits.clear(Bits::NODELAY);
        }
    }

    /// Holds segments below full size back (`true`) until it is off again, or for a while when nothing is in flight. A FIN
    /// and urgent text are not held.
    pub fn set_cork(&mut self, on: bool) {
        if on {
            self.bits.set(Bits::CORK);
        } else {
            self.bits.clear(Bits::CORK);
        }
    }

    /// Whether segments below full size are held back.
    pub fn cork(&self) -> bool {
        self.bits.has(Bits::CORK)
    }

    /// Announces that more text follows what is written next (`true`), or takes that back: a small segment waits for it, or
    /// until the peer sends something.
    pub fn set_more(&mut self, more: bool) {
        if more {
            self.bits.set(Bits::MORE);
        } else {
            self.bits.clear(Bits::MORE);
        }
    }

    /// Whether somebody waits for the handshake with text: the ACK that completes it rides on the text then
    /// ([`crate::Quirks::ADAPTIVE_ACKS`]).
    pub fn expect_text(&mut self, waits: bool) {
        if waits {
            self.bits.set(Bits::WRITER);
        } else {
            self.bits.clear(Bits::WRITER);
        }
    }

    /// What was written ends a record: no segment holds octets of this record and of what is written later.
    pub fn end_record(&mut self) {
        let end = self.queue_end();
        if end.after(self.snd.nxt) && !self.bits.has(Bits::FIN_QUEUED) {
            self.records.get_or_insert_default().push_back(end);
        }
    }

    /// Limits the window, whatever the receive buffer. What was offered is not taken back.
    pub fn set_window_clamp(&mut self, octets: u32) {
        self.rcv.limit = self.rcv.limit.min(octets);
        self.rcv.ssthresh = self.rcv.ssthresh.min(octets);
    }

    /// Whether Nagle's algorithm is off.
    pub fn nodelay(&self) -> bool {
        self.bits.has(Bits::NODELAY)
    }

    /// Keepalive on with these times (`None`: off), RFC 9293 MUST-24, MUST-27.
    pub fn set_keepalive(&mut self, cx: &Cx<'_>, times: Option<Keepalive>) {
        let since = self.keepalive.as_ref().map_or(cx.now, |k| k.since);
        self.keepalive = times.map(|times| Box::new(Silence { times, since, probes: 0 }));
    }

    /// Keepalive times if it is on.
    pub fn keepalive(&self) -> Option<Keepalive> {
        self.keepalive.as_ref().map(|k| k.times)
    }

    /// R2 as a time (RFC 9293 MUST-21, RFC 5482), from 1 ms: `None` means the default retry limits,
    /// `Some(Duration::MAX)` never.
    pub fn set_user_timeout(&mut self, timeout: Option<Duration>) {
        self.user_timeout = timeout.map_or(0, |t| u32::try_from(t.as_millis()).unwrap_or(u32::MAX).max(1));
    }

    /// The user timeout.
    pub fn user_timeout(&self) -> Option<Duration> {
        match self.user_timeout {
            0 => None,
            u32::MAX => Some(Duration::MAX),
            ms => Some(Duration::from_millis(u64::from(ms))),
        }
    }

    /// What [`Connection::close`] does: `Some(zero)` aborts; other values, in whole seconds rounded up, only bound how
    /// long a blocking close waits.
    pub fn set_linger(&mut self, linger: Option<Duration>) {
        self.linger = linger.map(|t| {
            let up = t.as_secs().saturating_add(u64::from(t.subsec_nanos() > 0));
            u16::try_from(up).unwrap_or(u16::MAX)
        });
    }

    /// The linger time.
    pub fn linger(&self) -> Option<Duration> {
        self.linger.map(|s| Duration::from_secs(u64::from(s)))
    }

    /// Largest receive buffer in octets. Growing takes effect at once; shrinking never takes back what was offered.
    pub fn set_recv_buffer(&mut self, octets: u32) {
        self.rcv.buffer = octets.clamp(1, 1 << 30);
        self.rcv.limit =
            if self.bits.has(Bits::OVERHEAD) { (self.rcv.buffer / 2).max(1) } else { self.rcv.buffer };
        self.consider_window_update();
    }

    /// ACKs go at once (`true`) or wait for an answer to ride on. Means something only where the pace is learned
    /// ([`crate::Quirks::ADAPTIVE_ACKS`]), and until the pace changes it.
    pub fn set_quick_ack(&mut self, on: bool) {
        self.pace.set_quick(on);
        if on {
            self.consider_window_update();
        }
    }

    /// Whether ACKs do not wait for an answer to ride on.
    pub fn quick_ack(&self) -> bool {
        !self.pace.in_pingpong()
    }

    /// Largest receive buffer in octets.
    pub fn recv_buffer(&self) -> u32 {
        self.rcv.buffer
    }

    /// Largest send buffer in octets.
    pub fn set_send_buffer(&mut self, octets: u32) {
        self.send_limit = octets.clamp(1, 1 << 30);
    }

    /// Largest send buffer in octets.
    pub fn send_buffer(&self) -> u32 {
        self.send_limit
    }

    /// Time to live or hop limit of this connection's packets.
    pub fn set_ttl(&mut self, ttl: u8) {
        self.ttl = ttl;
    }

    /// Time to live or hop limit.
    pub fn ttl(&self) -> u8 {
        self.ttl
    }

    /// Diffserv code point, 0 to 63 (RFC 9293 MUST-48); ECN bits stay.
    pub fn set_dscp(&mut self, dscp: u8) {
        self.tos = (dscp << 2) | (self.tos & 3);
    }

    /// The traffic class octet: DSCP and ECN bits.
    pub fn tos(&self) -> u8 {
        self.tos
    }

    /// Takes the last soft error (RFC 9293 SHLD-25).
    pub fn take_soft_error(&mut self) -> Option<SoftError> {
        self.soft_error.take()
    }

    /// Octets that wait behind a gap. Walks the ranges: for dumps and tests.
    pub fn held_octets(&self) -> u64 {
        self.recv.held().iter().map(|(a, b)| u64::from(b - a)).sum()
    }

    /// When the delayed ACK is due; never if none is.
    pub fn ack_deadline(&self) -> synfin_wire::Instant {
        self.timers.delayed_ack
    }
}
