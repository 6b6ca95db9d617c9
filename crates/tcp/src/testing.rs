//! Records in any state that the standard's variables can describe, for tests that start in mid-life.

pub mod fingerprint;

use synfin_wire::{Instant, Seq, Tuple};

use crate::connection::{Bits, syn_window};
use crate::{Connection, Cx, State, SynOffer, SynRecord, TimeWait};

/// A transmission control block as RFC 9293 3.3.1 names its variables.
#[derive(Copy, Clone, Debug)]
pub struct Preset {
    /// The connection's name.
    pub tuple: Tuple,
    /// State; `SynReceived` with `active` false makes a [`SynRecord`], `TimeWait` a [`TimeWait`].
    pub state: State,
    /// SYN_RCVD was reached from SYN_SENT.
    pub active: bool,
    /// ISS
    pub iss: Seq,
    /// IRS
    pub irs: Seq,
    /// SND.UNA
    pub snd_una: Seq,
    /// SND.NXT
    pub snd_nxt: Seq,
    /// SND.WND
    pub snd_wnd: u32,
    /// The largest SND.WND so far.
    pub max_snd_wnd: u32,
    /// RCV.NXT
    pub rcv_nxt: Seq,
    /// RCV.WND
    pub rcv_wnd: u32,
    /// Our FIN is SND.NXT - 1.
    pub fin_sent: bool,
    /// Octets acknowledged after the SYN.
    pub acked: u64,
    /// TS.Recent and when it was taken, if timestamps are in use.
    pub ts: Option<(u32, Instant)>,
}

impl Preset {
    /// A connection in SYN_SENT, active SYN_RCVD or a synchronised state.
    pub fn connection(&self, cx: &mut Cx<'_>) -> Connection {
        let mut c = Connection::open(self.tuple, self.iss, 0, 1460, cx);
        // The SYN is out, and offered a window.
        c.bits.clear(Bits::SYN_DUE);
        c.rcv.adv = c.rcv.nxt + u32::from(syn_window(c.rcv.ssthresh));
        c.snd.nxt = self.snd_nxt;
        if self.state == State::SynSent {
            // Text that rides on the SYN.
            let text = self.snd_nxt.since(self.iss + 1);
            if text > 0 {
                c.send.write(cx.pool, &alloc::vec![0; text as usize], u32::MAX);
                c.log.push(self.iss + 1, text, c.snd.mss, cx.now);
            }
            return c;
        }
        let offer = SynOffer { peer_mss: 1460, ts_recent: self.ts.map(|t| t.0), ..SynOffer::default() };
        c.take_peer_syn(self.irs, &offer, cx);
        if let Some((_, at)) = self.ts {
            c.rcv.ts_recent_at = at;
        }
        c.state = self.state;
        c.snd.una = self.snd_una;
        c.snd.wnd = self.snd_wnd;
        c.snd.max_wnd = self.max_snd_wnd;
        c.snd.wl1 = self.rcv_nxt - 1;
        c.snd.wl2 = self.snd_una;
        c.snd.acked = u32::try_from(self.acked).unwrap_or(u32::MAX);
        c.recover = self.snd_una;
        c.rcv.nxt = self.rcv_nxt;
        c.rcv.last_ack_sent = self.rcv_nxt;
        c.rcv.adv = self.rcv_nxt + self.rcv_wnd;
        c.rcv.limit = self.rcv_wnd;
        c.rcv.ssthresh = self.rcv_wnd;
        c.rcv.buffer = self.rcv_wnd;
        if matches!(self.state, State::CloseWait | State::Closing | State::LastAck) {
            c.bits.set(Bits::PEER_FIN);
        }
        if self.fin_sent {
            c.bits.set(Bits::FIN_SENT);
            c.bits.set(Bits::FIN_QUEUED);
        }
        if self.state == State::SynReceived {
            return c;
        }
        c.bits.set(Bits::CONNECTED);
        let flight = self.snd_nxt.since(self.snd_una);
        if flight > 0 {
            let text = flight - u32::from(self.fin_sent);
            let zeros = alloc::vec![0; text as usize];
            c.send.write(cx.pool, &zeros, u32::MAX);
            c.log.push(self.snd_una, flight, c.snd.mss, cx.now);
            c.restart_send_timer(cx);
        } else {
            c.timers.send = Instant::NEVER;
        }
        c
    }

    /// A half-open record.
    pub fn syn_record(&self, cx: &Cx<'_>) -> SynRecord {
        let offer = SynOffer { peer_mss: 1460, ts_recent: self.ts.map(|t| t.0), ..SynOffer::default() };
        let mut rec = SynRecord::from_offer(self.tuple, self.iss, self.irs, 1460, 8000, offer, 0, cx);
        if let Some((_, at)) = self.ts {
            rec.sent = at;
        }
        rec
    }

    /// A TIME_WAIT record.
    pub fn time_wait(&self, cx: &Cx<'_>) -> TimeWait {
        let acked = u32::try_from(self.acked).unwrap_or(u32::MAX);
        TimeWait {
            tuple: self.tuple,
            snd_nxt: self.snd_nxt,
            rcv_nxt: self.rcv_nxt,
            rcv_wnd: self.rcv_wnd,
            ack_floor: self.snd_una - self.max_snd_wnd.min(acked),
            rcv_wscale: 0,
            tos: 0,
            ttl: 64,
            ts_recent: self.ts.map(|t| t.0),
            ts_recent_at: self.ts.map_or(cx.now, |t| t.1),
            ts_offset: 0,
            expires: cx.now + cx.cfg.time_wait(),
            next_ac: Instant::ZERO,
        }
    }
}
