//! ICMP: echo, errors about our segments, and the errors that we send (RFC 792, 4443, 1122 3.2.2, 5927).

use synfin_tcp::{CloseReason, Quirks, SynRecord, Trigger};
use synfin_wire::icmp::{
    Message, Missing, Notice, QUOTE_V4, QUOTE_V6, echo_reply_v4, echo_reply_v6, unreachable_v4,
    unreachable_v6,
};
use synfin_wire::{Addr, DropReason, Endpoint, Seq, Tuple};

use crate::Stack;
use crate::ip_in::Datagram;
use crate::ip_out::header_len;
use crate::limiter::Permit;
use crate::records::Record;

impl Stack {
    /// An ICMP message for us alone arrived.
    pub(crate) fn icmp_in(&mut self, d: &Datagram<'_>) -> Result<(), DropReason> {
        let message = if d.src.is_v4() {
            Message::parse_v4(d.payload)?
        } else {
            Message::parse_v6(d.src, d.dst, d.payload)?
        };
        match message {
            Message::EchoRequest { body } => self.echo(d, body),
            Message::TcpError { notice, src, src_port, dst, dst_port, seq } => {
                let tuple =
                    Tuple { local: Endpoint::new(src, src_port), remote: Endpoint::new(dst, dst_port) };
                self.tcp_error(&tuple, notice, seq)
            }
            Message::Other => Err(DropReason::BadIcmp),
        }
    }

    /// RFC 1122 3.2.2.6, RFC 4443 4.2.
    fn echo(&mut self, d: &Datagram<'_>, body: &[u8]) -> Result<(), DropReason> {
        if self.limiters.echo.take(self.env.now) == Permit::Refused {
            return Err(DropReason::RateLimited);
        }
        // We send no fragments, so what was put together from some may be too long to go back.
        if body.len() + 4 + usize::from(header_len(d.src)) > usize::from(self.caps.mtu) {
            return Err(DropReason::StackLimit);
        }
        let (from, to) = (d.dst, d.src);
        let head = if to.is_v4() { echo_reply_v4(body) } else { echo_reply_v6(from, to, body) };
        self.queue_icmp(from, to, &head, body)
    }

    fn queue_icmp(&mut self, from: Addr, to: Addr, head: &[u8], body: &[u8]) -> Result<(), DropReason> {
        if self.replies.push_icmp(from, to, head, body) { Ok(()) } else { Err(DropReason::RateLimited) }
    }

    /// Tells the sender of `d` what is missing here (RFC 1122 3.2.2.1, RFC 4443 3.1, 3.4). What must not cause an error
    /// does not come here: errors, packets to or from many, fragments (RFC 1122 3.2.2).
    pub(crate) fn unreachable(&mut self, d: &Datagram<'_>, missing: Missing) {
        let Some(packet) = d.packet else { return };
        if self.limiters.icmp_errors.take(self.env.now) == Permit::Refused {
            self.env.counters.count_drop(DropReason::RateLimited);
            return;
        }
        let (from, to) = (d.dst, d.src);
        let most = if to.is_v4() { QUOTE_V4 } else { QUOTE_V6 };
        // What the device takes behind both headers.
        let room = usize::from(self.caps.mtu.saturating_sub(header_len(to) + 8));
        let quoted = packet.get(..most.min(room)).unwrap_or(packet);
        let head = if to.is_v4() {
            unreachable_v4(missing, quoted)
        } else {
            unreachable_v6(from, to, missing, quoted)
        };
        if let Err(why) = self.queue_icmp(from, to, &head, quoted) {
            self.env.counters.count_drop(why);
        }
    }

    /// An error about a segment of ours (RFC 5927 4: only if it can be).
    fn tcp_error(&mut self, tuple: &Tuple, notice: Notice, seq: Seq) -> Result<(), DropReason> {
        match self.records.find(tuple).1 {
            Some(Record::Connection(index)) => {
                let Some(slot) = self.records.conns.at_mut(index) else { return Ok(()) };
                let mut cx = self.env.cx();
                let verdict = slot.conn.on_icmp(&mut cx, notice, seq)?;
                let reply = cx.reply.take();
                self.settle(index, verdict, reply);
                Ok(())
            }
            Some(Record::HalfOpen(index)) => self.half_open_error(index, notice, seq),
            Some(Record::TimeWait(_)) | None => Err(DropReason::IcmpUnmatched),
        }
    }

    /// Passive SYN_RCVD: nobody to tell, but a hard error ends it (RFC 9293 SHLD-26; RFC 4987 3.3).
    fn half_open_error(&mut self, index: u32, notice: Notice, seq: Seq) -> Result<(), DropReason> {
        let iss = self.records.half_open.at(index).map(SynRecord::iss);
        if iss != Some(seq) {
            return Err(DropReason::IcmpUnmatched);
        }
        let linux = self.env.tcp.quirks.has(Quirks::ICMP_ENDS_HALF_OPEN);
        let ends = match notice {
            Notice::Refused { .. } => !linux,
            Notice::Unreachable { .. } | Notice::TimeExceeded { .. } | Notice::ParameterProblem { .. } => {
                linux
            }
            // The SYN,ACK is as small as it gets; RFC 9293 MUST-55.
            Notice::TooBig { .. } | Notice::SourceQuench => false,
        };
        if ends {
            let reason = if linux { CloseReason::Unreachable } else { CloseReason::Refused };
            self.forget_half_open(index, Trigger::RcvIcmp, reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
