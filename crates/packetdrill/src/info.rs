//! Linux's struct tcp_info in memory.

use synfin_script::sockets::Sockets;

/// With everything up to the fields of Accurate ECN.
pub(crate) const LEN: usize = 280;

/// Where a field lies: offset and octets.
const PLACES: [(&str, usize, usize); 62] = [
    ("tcpi_state", 0, 1),
    ("tcpi_ca_state", 1, 1),
    ("tcpi_retransmits", 2, 1),
    ("tcpi_probes", 3, 1),
    ("tcpi_backoff", 4, 1),
    ("tcpi_options", 5, 1),
    ("tcpi_rto", 8, 4),
    ("tcpi_ato", 12, 4),
    ("tcpi_snd_mss", 16, 4),
    ("tcpi_rcv_mss", 20, 4),
    ("tcpi_unacked", 24, 4),
    ("tcpi_sacked", 28, 4),
    ("tcpi_lost", 32, 4),
    ("tcpi_retrans", 36, 4),
    ("tcpi_fackets", 40, 4),
    ("tcpi_last_data_sent", 44, 4),
    ("tcpi_last_ack_sent", 48, 4),
    ("tcpi_last_data_recv", 52, 4),
    ("tcpi_last_ack_recv", 56, 4),
    ("tcpi_pmtu", 60, 4),
    ("tcpi_rcv_ssthresh", 64, 4),
    ("tcpi_rtt", 68, 4),
    ("tcpi_rttvar", 72, 4),
    ("tcpi_snd_ssthresh", 76, 4),
    ("tcpi_snd_cwnd", 80, 4),
    ("tcpi_advmss", 84, 4),
    ("tcpi_reordering", 88, 4),
    ("tcpi_rcv_rtt", 92, 4),
    ("tcpi_rcv_space", 96, 4),
    ("tcpi_total_retrans", 100, 4),
    ("tcpi_pacing_rate", 104, 8),
    ("tcpi_max_pacing_rate", 112, 8),
    ("tcpi_bytes_acked", 120, 8),
    ("tcpi_bytes_received", 128, 8),
    ("tcpi_segs_out", 136, 4),
    ("tcpi_segs_in", 140, 4),
    ("tcpi_notsent_bytes", 144, 4),
    ("tcpi_min_rtt", 148, 4),
    ("tcpi_data_segs_in", 152, 4),
    ("tcpi_data_segs_out", 156, 4),
    ("tcpi_delivery_rate", 160, 8),
    ("tcpi_busy_time", 168, 8),
    ("tcpi_rwnd_limited", 176, 8),
    ("tcpi_sndbuf_limited", 184, 8),
    ("tcpi_delivered", 192, 4),
    ("tcpi_delivered_ce", 196, 4),
    ("tcpi_bytes_sent", 200, 8),
    ("tcpi_bytes_retrans", 208, 8),
    ("tcpi_dsack_dups", 216, 4),
    ("tcpi_reord_seen", 220, 4),
    ("tcpi_rcv_ooopack", 224, 4),
    ("tcpi_snd_wnd", 228, 4),
    ("tcpi_rcv_wnd", 232, 4),
    ("tcpi_rehash", 236, 4),
    ("tcpi_received_ce", 248, 4),
    ("tcpi_delivered_e1_bytes", 252, 4),
    ("tcpi_delivered_e0_bytes", 256, 4),
    ("tcpi_delivered_ce_bytes", 260, 4),
    ("tcpi_received_e1_bytes", 264, 4),
    ("tcpi_received_e0_bytes", 268, 4),
    ("tcpi_received_ce_bytes", 272, 4),
    ("tcpi_accecn_fail_mode", 276, 2),
];

/// TCP_CLOSE: what a socket without a connection is.
const CLOSE: u8 = 7;

/// TCP_INFO of a socket. What the stack does not know is 0.
pub(crate) fn tcp_info(sockets: &mut Sockets, fd: i64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let Some(fields) = sockets.tcp_info(fd) else {
        bytes[0] = CLOSE;
        return bytes;
    };
    for (name, at, len) in PLACES {
        let value = fields.get(name).copied().unwrap_or(0);
        // A count too large for its place stays as large as can be.
        let most = if len < 8 { (1_i64 << (8 * len)) - 1 } else { i64::MAX };
        let octets = value.clamp(0, most).to_le_bytes();
        if let (Some(place), Some(octets)) = (bytes.get_mut(at..at + len), octets.get(..len)) {
            place.copy_from_slice(octets);
        }
    }
    let shift = |name: &str| fields.get(name).map_or(0, |n| n.clamp(&0, &15).to_le_bytes()[0]);
    // Two bit fields share an octet.
    bytes[6] = shift("tcpi_snd_wscale") | shift("tcpi_rcv_wscale") << 4;
    bytes[7] = shift("tcpi_delivery_rate_app_limited") & 1;
    bytes
}

#[cfg(test)]
mod tests;
