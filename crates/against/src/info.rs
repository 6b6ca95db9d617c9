//! `tcpi_...`: the kernel's struct tcp_info, by name.

use std::os::fd::BorrowedFd;

use synfin_script::host::Fields;
use synfin_sockopt::SockOpt;

/// The first octets, before the numbers of four octets begin.
const OCTETS: [&str; 6] =
    ["tcpi_state", "tcpi_ca_state", "tcpi_retransmits", "tcpi_probes", "tcpi_backoff", "tcpi_options"];
const FIRST_NUMBER: usize = 8;

/// What follows, in order, with sizes (linux/tcp.h). Eight octets stand where eight octets stand: no gaps but the ones named.
const NUMBERS: [(&str, usize); 60] = [
    ("tcpi_rto", 4),
    ("tcpi_ato", 4),
    ("tcpi_snd_mss", 4),
    ("tcpi_rcv_mss", 4),
    ("tcpi_unacked", 4),
    ("tcpi_sacked", 4),
    ("tcpi_lost", 4),
    ("tcpi_retrans", 4),
    ("tcpi_fackets", 4),
    ("tcpi_last_data_sent", 4),
    ("tcpi_last_ack_sent", 4),
    ("tcpi_last_data_recv", 4),
    ("tcpi_last_ack_recv", 4),
    ("tcpi_pmtu", 4),
    ("tcpi_rcv_ssthresh", 4),
    ("tcpi_rtt", 4),
    ("tcpi_rttvar", 4),
    ("tcpi_snd_ssthresh", 4),
    ("tcpi_snd_cwnd", 4),
    ("tcpi_advmss", 4),
    ("tcpi_reordering", 4),
    ("tcpi_rcv_rtt", 4),
    ("tcpi_rcv_space", 4),
    ("tcpi_total_retrans", 4),
    ("tcpi_pacing_rate", 8),
    ("tcpi_max_pacing_rate", 8),
    ("tcpi_bytes_acked", 8),
    ("tcpi_bytes_received", 8),
    ("tcpi_segs_out", 4),
    ("tcpi_segs_in", 4),
    ("tcpi_notsent_bytes", 4),
    ("tcpi_min_rtt", 4),
    ("tcpi_data_segs_in", 4),
    ("tcpi_data_segs_out", 4),
    ("tcpi_delivery_rate", 8),
    ("tcpi_busy_time", 8),
    ("tcpi_rwnd_limited", 8),
    ("tcpi_sndbuf_limited", 8),
    ("tcpi_delivered", 4),
    ("tcpi_delivered_ce", 4),
    ("tcpi_bytes_sent", 8),
    ("tcpi_bytes_retrans", 8),
    ("tcpi_dsack_dups", 4),
    ("tcpi_reord_seen", 4),
    ("tcpi_rcv_ooopack", 4),
    ("tcpi_snd_wnd", 4),
    ("tcpi_rcv_wnd", 4),
    ("tcpi_rehash", 4),
    ("tcpi_total_rto", 2),
    ("tcpi_total_rto_recoveries", 2),
    ("tcpi_total_rto_time", 4),
    ("tcpi_received_ce", 4),
    ("tcpi_delivered_e1_bytes", 4),
    ("tcpi_delivered_e0_bytes", 4),
    ("tcpi_delivered_ce_bytes", 4),
    ("tcpi_received_e1_bytes", 4),
    ("tcpi_received_e0_bytes", 4),
    ("tcpi_received_ce_bytes", 4),
    ("tcpi_accecn_fail_mode", 2),
    ("tcpi_accecn_opt_seen", 2),
];

/// What the kernel knows of a connection: as much as this kernel tells.
pub(crate) fn fields(socket: BorrowedFd<'_>) -> Fields {
    let mut fields = Fields::new();
    let mut info = [0; 512];
    let Some(option) = SockOpt::named("SOL_TCP", "TCP_INFO") else { return fields };
    let Ok(len) = option.get(socket, &mut info) else { return fields };
    let info = info.get(..len).unwrap_or_default();
    for (name, octet) in OCTETS.iter().zip(info) {
        fields.insert(name, i64::from(*octet));
    }
    if let [_, _, _, _, _, _, scales, bits, ..] = info {
        fields.insert("tcpi_snd_wscale", i64::from(scales & 0xf));
        fields.insert("tcpi_rcv_wscale", i64::from(scales >> 4));
        fields.insert("tcpi_delivery_rate_app_limited", i64::from(bits & 1));
        fields.insert("tcpi_fastopen_client_fail", i64::from(bits >> 1 & 3));
    }
    let mut rest = info.get(FIRST_NUMBER..).unwrap_or_default();
    for (name, size) in NUMBERS {
        let Some((octets, next)) = rest.split_at_checked(size) else { break };
        let mut whole = [0; 8];
        let place = if cfg!(target_endian = "little") { 0 } else { 8 - size };
        if let Some(part) = whole.get_mut(place..place + size) {
            part.copy_from_slice(octets);
        }
        fields.insert(name, u64::from_ne_bytes(whole).cast_signed());
        rest = next;
    }
    fields
}

#[cfg(test)]
mod tests;
