//! ICMP errors (RFC 9293 3.9.2.2, RFC 5927, RFC 5461, RFC 1191, RFC 8201).

use synfin_wire::icmp::Notice;
use synfin_wire::{DropReason, Seq};

use super::{Bits, Connection, Verdict};
use crate::error::{CloseReason, SoftError};
use crate::event::Event;
use crate::state::{State, Trigger};
use crate::{Cx, Quirks};

/// Smallest path MTU that is believed for IPv4: below it fragments would be cheaper.
const MIN_MTU_V4: u32 = 552;
/// RFC 8200 5.
const MIN_MTU_V6: u32 = 1280;
/// Likely next MTUs when an old router does not say (RFC 1191 7.1).
const PLATEAUS: [u32; 6] = [32_000, 17_914, 8_166, 4_352, 1_492, 1_006];

impl Connection {
    /// An ICMP error that quotes this 4-tuple and `seq` (RFC 5927 checks happen here).
    ///
    /// # Errors
    /// `IcmpUnmatched` if the quoted number is not in flight.
    pub fn on_icmp(&mut self, cx: &mut Cx<'_>, notice: Notice, seq: Seq) -> Result<Verdict, DropReason> {
        // RFC 5927 4.1: only an error about something in flight can be real.
        if !(seq.at_or_after(self.snd.una) && seq.before(self.snd.nxt)) {
            return Err(DropReason::IcmpUnmatched);
        }
        let opening = matches!(self.state, State::SynSent | State::SynReceived);
        let any = opening && cx.cfg.quirks.has(Quirks::ICMP_ENDS_OPENING);
        let soft = match notice {
            // RFC 9293 MUST-55: as if it had not come.
            Notice::SourceQuench => return Ok(Verdict::Keep),
            Notice::TooBig { mtu } => {
                self.on_too_big(cx, mtu);
                return Ok(Verdict::Keep);
            }
            // RFC 9293 SHLD-26 while opening; RFC 5927 5.2 once synchronised.
            Notice::Refused { .. } if opening => {
                return Ok(self.end(cx, Trigger::RcvIcmp, CloseReason::Refused));
            }
            Notice::Refused { .. } => SoftError::Refused,
            Notice::Unreachable { .. } => SoftError::HostUnreachable,
            Notice::TimeExceeded { .. } => SoftError::TimeExceeded,
            Notice::ParameterProblem { .. } => SoftError::ParameterProblem,
        };
        if any {
            return Ok(self.end(cx, Trigger::RcvIcmp, CloseReason::Unreachable));
        }
        self.soft_error = Some(soft);
        cx.emit(&self.tuple, || Event::SoftError(soft));
        Ok(Verdict::Keep)
    }

    /// Octets of IP and TCP header without options.
    fn headers(&self) -> u32 {
        if self.tuple.remote.addr.is_v4() { 40 } else { 60 }
    }

    /// Packet too big: lower the segment size at once if larger ones were never acknowledged, else wait for a timeout
    /// to confirm the claim (RFC 5927 7.2).
    fn on_too_big(&mut self, cx: &mut Cx<'_>, mtu: u32) {
        let now = u32::from(self.snd.mss) + self.headers() + if self.bits.has(Bits::TS_OK) { 12 } else { 0 };
        let v4 = self.tuple.remote.addr.is_v4();
        if !v4 && mtu < MIN_MTU_V6 {
            // RFC 8201 4: never below the minimum link MTU, and no atomic fragments either.
            return;
        }
        let mtu = match mtu {
            0 if !cx.cfg.quirks.has(Quirks::PMTU_AT_ONCE) => {
                PLATEAUS.into_iter().find(|p| *p < now).unwrap_or(MIN_MTU_V4)
            }
            m => m.max(if v4 { MIN_MTU_V4 } else { MIN_MTU_V6 }),
        };
        if mtu >= now {
            return;
        }
        self.claimed_mtu = mtu as u16;
        if u32::from(self.proven_mss) < u32::from(self.snd.mss) || cx.cfg.quirks.has(Quirks::PMTU_AT_ONCE) {
            self.apply_claimed_mtu(cx);
        }
    }

    /// Takes the claimed MTU: what is in flight goes again in smaller segments, without a congestion response
    /// (RFC 1191 6.5).
    pub(super) fn apply_claimed_mtu(&mut self, cx: &Cx<'_>) {
        let mtu = u32::from(core::mem::take(&mut self.claimed_mtu));
        let Some(mss) = mtu.checked_sub(self.headers()).filter(|m| *m > 0) else { return };
        let before = u64::from(self.snd.mss.max(1));
        self.set_mss(mss as u16, cx.cfg);
        // RFC 5681 3.1: the window stays the same number of segments.
        let w = &mut self.cc.window;
        w.cwnd = (u64::from(w.cwnd) * u64::from(self.snd.mss) / before) as u32;
        self.proven_mss = 0;
        if self.bits.has(Bits::CONNECTED) {
            self.log.mark_all_lost();
            self.bits.set(Bits::RETRANSMIT_NOW);
        }
    }
}
