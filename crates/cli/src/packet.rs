//! IP packets as TCP segments, for those who look on.

use synfin_explain::{Mark, Pair, Segment, Side, State};
use synfin_tcp::Why;
use synfin_wire::{Endpoint, ipv4, ipv6};

/// Octets of text that are kept to be quoted.
const QUOTED: usize = 64;
/// TCP's protocol number.
const TCP: u8 = 6;

/// A TCP segment in an IP packet.
#[derive(Copy, Clone, Debug)]
pub struct Packet<'a> {
    /// Where it comes from.
    pub src: Endpoint,
    /// Where it goes.
    pub dst: Endpoint,
    /// The segment.
    pub segment: synfin_wire::Segment<'a>,
}

impl<'a> Packet<'a> {
    /// `None` if this is not a whole TCP segment.
    pub fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let (src, dst, protocol, whole, payload) = if bytes.first()? >> 4 == 6 {
            let p = ipv6::Packet::parse(bytes).ok()?;
            (p.src, p.dst, p.protocol, p.fragment.is_none(), p.payload)
        } else {
            let p = ipv4::Packet::parse(bytes).ok()?;
            (p.src, p.dst, p.protocol, !p.more_fragments && p.frag_offset == 0, p.payload)
        };
        if protocol != TCP || !whole {
            return None;
        }
        let (ports, segment) = synfin_wire::Segment::parse(payload).ok()?;
        Some(Packet { src: Endpoint::new(src, ports.src), dst: Endpoint::new(dst, ports.dst), segment })
    }
}

/// The window scales of a connection (RFC 7323 2.2): what each end put into its SYN.
#[derive(Copy, Clone, Default, Debug)]
pub struct Scales(Pair<Option<u8>>);

impl Scales {
    /// The segment for a ladder, without times.
    pub fn segment(&mut self, from: Side, packet: &Packet<'_>) -> Segment {
        let seg = &packet.segment;
        let mut out = Segment::new(from, seg.flags, seg.seq, seg.ack.unwrap_or_default());
        let shift = if seg.ctl.syn() {
            *self.0.get_mut(from) = seg.opts.wscale;
            0
        } else {
            // Scaling is on only if both offered it.
            match (self.0.get(from), self.0.get(from.other())) {
                (Some(shift), Some(_)) => (*shift).min(14),
                _ => 0,
            }
        };
        out.window = Some(u32::from(seg.wnd) << shift);
        out.len = u32::try_from(seg.payload.len()).unwrap_or(u32::MAX);
        out.text = seg.payload.iter().take(QUOTED).copied().collect();
        out.options = seg.opts.to_string().trim_matches([' ', '<', '>']).to_owned();
        out
    }
}

/// What our stack's reason for sending says about a segment; `None`: nothing special.
pub fn mark(why: Why) -> Option<Mark> {
    use synfin_explain::Again;
    match why {
        Why::Timeout => Some(Mark::Retransmission(Again::Timer)),
        Why::FastRetransmit => Some(Mark::Retransmission(Again::Fast)),
        Why::TailLossProbe => Some(Mark::Retransmission(Again::Probe)),
        Why::WindowProbe => Some(Mark::WindowProbe),
        Why::Keepalive => Some(Mark::KeepAlive),
        _ => None,
    }
}

/// A state of our stack as ladders name it.
pub fn state_of(state: synfin_tcp::State) -> State {
    use synfin_tcp::State as Tcp;
    match state {
        Tcp::Closed => State::Closed,
        Tcp::Listen => State::Listen,
        Tcp::SynSent => State::SynSent,
        Tcp::SynReceived => State::SynRcvd,
        Tcp::Established => State::Established,
        Tcp::FinWait1 => State::FinWait1,
        Tcp::FinWait2 => State::FinWait2,
        Tcp::CloseWait => State::CloseWait,
        Tcp::Closing => State::Closing,
        Tcp::LastAck => State::LastAck,
        Tcp::TimeWait => State::TimeWait,
    }
}
