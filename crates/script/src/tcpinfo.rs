//! `tcpi_...`: what the stack knows of a connection, under the names and in the units of Linux's struct tcp_info.

use synfin_tcp::{Info, Phase, State};
use synfin_wire::{Instant, Tuple};

pub(crate) use crate::host::Fields;
use crate::sys::World;

/// Linux's number of a state.
pub(crate) fn state_number(state: State) -> i64 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        // The socket is closed; who waits is a record without one.
        State::TimeWait => 7,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

/// Linux's number of where loss recovery stands (2, CWR, does not occur without ECN).
fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Disorder => 1,
        Phase::Recovery => 3,
        Phase::Loss => 4,
        _ => 0,
    }
}

/// The MTU of the path as far as it is known: a smaller segment size than both sides take came from the path.
pub(crate) fn path_mtu(info: &Info, world: &World<'_>) -> i64 {
    let mtu = i64::from(world.trace.mtu());
    let headers = if world.addrs.local.is_v4() { 40 } else { 60 };
    let options = if info.timestamps { 12 } else { 0 };
    let segment = i64::from(info.mss) + options;
    let agreed = i64::from(info.peer_mss).min(mtu - headers);
    if segment < agreed { segment + headers } else { mtu }
}

/// Fields of a connection. Counts of segments are made from octets as Linux would count full segments.
pub(crate) fn fields(info: &Info, our_mss: u16, tuple: &Tuple, world: &World<'_>) -> Fields {
    let traffic = world.trace.traffic(tuple);
    let ago = |t: Option<Instant>| {
        let since = world.now.since(t.unwrap_or(world.now));
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    let mss = u32::from(info.mss).max(1);
    let micros = |d: std::time::Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    let scaled = info.wscale.0 > 0 || info.wscale.1 > 0;
    let options = i64::from(info.timestamps) | i64::from(info.sack) << 1 | i64::from(scaled) << 2;
    // Linux says "as large as can be" with this number.
    let ssthresh = if info.ssthresh > 0x3fff_ffff { 0x7fff_ffff } else { i64::from(info.ssthresh / mss) };
    Fields::from([
        ("tcpi_state", state_number(info.state)),
        ("tcpi_options", options),
        ("tcpi_snd_wscale", i64::from(info.wscale.1)),
        ("tcpi_rcv_wscale", i64::from(info.wscale.0)),
        ("tcpi_rto", micros(info.rto)),
        ("tcpi_snd_mss", i64::from(info.mss)),
        ("tcpi_advmss", i64::from(our_mss) - if info.timestamps { 12 } else { 0 }),
        ("tcpi_pmtu", path_mtu(info, world)),
        ("tcpi_rcv_mss", i64::from(info.rcv_mss)),
        ("tcpi_ato", micros(info.ato)),
        ("tcpi_probes", i64::from(info.probes)),
        ("tcpi_rcv_ssthresh", i64::from(info.rcv_ssthresh)),
        ("tcpi_rcv_space", i64::from(our_mss) * 10),
        ("tcpi_bytes_acked", i64::from(info.bytes_acked)),
        ("tcpi_bytes_received", i64::from(info.bytes_received)),
        ("tcpi_segs_in", i64::from(traffic.segs_in)),
        ("tcpi_segs_out", i64::from(traffic.segs_out)),
        ("tcpi_data_segs_in", i64::from(traffic.data_segs_in)),
        ("tcpi_data_segs_out", i64::from(traffic.data_segs_out)),
        ("tcpi_bytes_sent", traffic.bytes_sent as i64),
        ("tcpi_bytes_retrans", traffic.bytes_retrans as i64),
        ("tcpi_last_data_sent", ago(traffic.last_text_out)),
        ("tcpi_last_data_recv", ago(traffic.last_text_in)),
        ("tcpi_last_ack_sent", 0),
        ("tcpi_last_ack_recv", ago(traffic.last_ack_in)),
        ("tcpi_rtt", micros(info.srtt)),
        ("tcpi_rttvar", micros(info.rttvar)),
        ("tcpi_snd_cwnd", i64::from(info.cwnd / mss)),
        ("tcpi_snd_ssthresh", ssthresh),
        ("tcpi_ca_state", phase_number(info.phase)),
        ("tcpi_unacked", i64::from(info.census.out)),
        ("tcpi_sacked", i64::from(info.census.sacked)),
        // Linux counts what was lost until it is delivered, also after it was sent again.
        ("tcpi_lost", i64::from(info.census.lost + info.census.retransmitted)),
        ("tcpi_retrans", i64::from(info.census.retransmitted)),
        ("tcpi_reordering", i64::from(info.reordering)),
        ("tcpi_reord_seen", i64::from(info.reordering_seen)),
        ("tcpi_delivered", i64::from(info.delivered)),
        ("tcpi_dsack_dups", i64::from(info.dsacks)),
        ("tcpi_min_rtt", if info.min_rtt.is_zero() { i64::from(u32::MAX) } else { micros(info.min_rtt) }),
        ("tcpi_retransmits", i64::from(info.tries)),
        ("tcpi_backoff", i64::from(info.backoff)),
        ("tcpi_total_retrans", i64::from(info.retransmits)),
        ("tcpi_notsent_bytes", i64::from(info.send_queue.saturating_sub(info.flight))),
        ("tcpi_snd_wnd", i64::from(info.snd_wnd)),
        ("tcpi_rcv_wnd", i64::from(info.rcv_wnd)),
    ])
}
