//! What rules with a model of the path are told ([`Owner::Rule`]): starts, losses, samples of the delivery rate.

use alloc::boxed::Box;

use synfin_wire::Seq;

use super::Connection;
use super::ack::News;
use crate::Cx;
use crate::cc::{Owner, Start};
use crate::recovery::rate::Sampler;

impl Connection {
    /// Text or FIN is about to go out. Returns the octets that are in the network without it.
    pub(super) fn before_text(&mut self, cx: &Cx<'_>) -> u32 {
        let pipe = self.log.pipe();
        if self.cc.owner() == Owner::Connection {
            return pipe;
        }
        let rates = self.rates.get_or_insert_with(|| Box::new(Sampler::new(cx.now)));
        if self.log.is_empty() {
            self.cc.on_start(&Start {
                now: cx.now,
                mss: u32::from(self.snd.mss),
                srtt: self.rto.srtt(),
                nxt: self.snd.nxt,
                app_limited: rates.is_app_limited(),
            });
        }
        pipe
    }

    /// It went out, up to `end`; `before` octets were in the network then.
    pub(super) fn after_text(&mut self, cx: &Cx<'_>, end: Seq, before: u32) {
        if let Some(rates) = &mut self.rates {
            rates.on_send(cx.now, end, before, self.log.pipe());
        }
    }

    /// The application may have nothing more to send (draft-ietf-ccwg-bbr 4.1.2.4): asked before an acknowledgement is
    /// taken, and before the application writes.
    pub(super) fn check_app_limited(&mut self) {
        if self.rates.is_none() || self.unsent() > 0 || self.log.has_lost() {
            return;
        }
        let pipe = self.log.pipe();
        if pipe < self.cc.cwnd()
            && let Some(rates) = &mut self.rates
        {
            rates.mark_app_limited(pipe);
        }
    }

    /// So many octets were found lost.
    pub(super) fn note_lost(&mut self, cx: &Cx<'_>, octets: u32) {
        if octets > 0
            && let Some(rates) = &mut self.rates
        {
            let lost = rates.on_lost(cx.now, self.snd.una, octets, u32::from(self.snd.mss));
            self.cc.on_lost(&lost);
        }
    }

    /// The sample of an acknowledgement that delivered something, after all else that follows from it.
    pub(super) fn sample_rate(&mut self, cx: &Cx<'_>, news: &News, lost: u32) {
        let Some(rates) = &self.rates else { return };
        if news.delivery.octets == 0 {
            return;
        }
        let sack = self.bits.has(super::Bits::SACK_OK);
        let rate = rates.sample(news.delivery.octets, lost, self.log.pipe(), self.rack.min_rtt(), sack);
        if rate.is_some() {
            let ack = self.as_ack(cx, news, rate);
            self.cc.on_sample(&ack);
        }
    }
}
