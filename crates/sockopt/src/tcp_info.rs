//! Linux's struct tcp_info (linux/tcp.h): where each number stands, for whoever reads a kernel's and whoever stands in for one.

/// Octets of the struct with everything up to the fields of Accurate ECN.
pub const LEN: usize = 280;

/// A field's name, its offset and its octets.
pub(crate) const PLACES: [(&str, usize, usize); 66] = [
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
    ("tcpi_total_rto", 240, 2),
    ("tcpi_total_rto_recoveries", 242, 2),
    ("tcpi_total_rto_time", 244, 4),
    ("tcpi_received_ce", 248, 4),
    ("tcpi_delivered_e1_bytes", 252, 4),
    ("tcpi_delivered_e0_bytes", 256, 4),
    ("tcpi_delivered_ce_bytes", 260, 4),
    ("tcpi_received_e1_bytes", 264, 4),
    ("tcpi_received_e0_bytes", 268, 4),
    ("tcpi_received_ce_bytes", 272, 4),
    ("tcpi_accecn_fail_mode", 276, 2),
    ("tcpi_accecn_opt_seen", 278, 2),
];

/// Offset of the octet that two window scale shifts share, and of the one that two facts share.
const SCALES: usize = 6;
const FACTS: usize = 7;

/// The numbers in what a kernel gave: as many as it knows.
pub fn read(info: &[u8]) -> impl Iterator<Item = (&'static str, i64)> + '_ {
    let numbers =
        PLACES.iter().filter_map(|(name, at, len)| Some((*name, number(info.get(*at..at + len)?)?)));
    let bits = match info.get(SCALES..=FACTS) {
        Some(&[scales, facts]) => Some([
            ("tcpi_snd_wscale", scales & 0xf),
            ("tcpi_rcv_wscale", scales >> 4),
            ("tcpi_delivery_rate_app_limited", facts & 1),
            ("tcpi_fastopen_client_fail", facts >> 1 & 3),
        ]),
        _ => None,
    };
    numbers.chain(bits.into_iter().flatten().map(|(name, n)| (name, i64::from(n))))
}

fn number(octets: &[u8]) -> Option<i64> {
    Some(match octets.len() {
        1 => i64::from(*octets.first()?),
        2 => i64::from(u16::from_ne_bytes(octets.try_into().ok()?)),
        4 => i64::from(u32::from_ne_bytes(octets.try_into().ok()?)),
        _ => i64::from_ne_bytes(octets.try_into().ok()?),
    })
}

/// The struct with these numbers. What is not known is 0; what is too large for its place is as large as can be.
pub fn write(value: impl Fn(&str) -> Option<i64>) -> [u8; LEN] {
    let mut info = [0; LEN];
    for (name, at, len) in PLACES {
        let value = value(name).unwrap_or(0).max(0);
        if let Some(place) = info.get_mut(at..at + len) {
            match len {
                1 => place.copy_from_slice(&u8::try_from(value).unwrap_or(u8::MAX).to_ne_bytes()),
                2 => place.copy_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_ne_bytes()),
                4 => place.copy_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes()),
                _ => place.copy_from_slice(&value.to_ne_bytes()),
            }
        }
    }
    let bits = |name: &str, most: i64| value(name).map_or(0, |n| n.clamp(0, most)) as u8;
    info[SCALES] = bits("tcpi_snd_wscale", 15) | bits("tcpi_rcv_wscale", 15) << 4;
    info[FACTS] = bits("tcpi_delivery_rate_app_limited", 1) | bits("tcpi_fastopen_client_fail", 3) << 1;
    info
}

#[cfg(test)]
mod tests;
