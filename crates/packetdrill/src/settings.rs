//! Settings of the system: scripts change them with commands of the shell, which the stack does not see. They are read where
//! the kernel shows them, whenever they may matter.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use synfin_script::sockets::Sockets;

/// Settings that scripts use, with the values of a freshly started Linux: those are what the profile already is.
const DEFAULTS: [(&str, &str); 46] = [
    ("ip_default_ttl", "64"),
    ("tcp_base_mss", "1024"),
    ("tcp_congestion_control", "cubic"),
    ("tcp_dsack", "1"),
    ("tcp_early_retrans", "3"),
    ("tcp_ecn", "2"),
    ("tcp_ecn_fallback", "1"),
    ("tcp_ecn_option", "2"),
    ("tcp_ecn_option_beacon", "3"),
    ("tcp_fastopen", "1"),
    ("tcp_fastopen_blackhole_timeout_sec", "0"),
    ("tcp_fastopen_key", "00000000-00000000-00000000-00000000"),
    ("tcp_fin_timeout", "60"),
    ("tcp_frto", "2"),
    ("tcp_invalid_ratelimit", "500"),
    ("tcp_keepalive_intvl", "75"),
    ("tcp_keepalive_probes", "9"),
    ("tcp_keepalive_time", "7200"),
    ("tcp_min_snd_mss", "48"),
    ("tcp_min_tso_segs", "2"),
    ("tcp_mtu_probing", "0"),
    ("tcp_notsent_lowat", "4294967295"),
    ("tcp_orphan_retries", "0"),
    ("tcp_pacing_ca_ratio", "120"),
    ("tcp_pacing_ss_ratio", "200"),
    ("tcp_recovery", "1"),
    ("tcp_reordering", "3"),
    ("tcp_retries1", "3"),
    ("tcp_retries2", "15"),
    ("tcp_rfc1337", "0"),
    ("tcp_rmem", "4096 131072 6291456"),
    ("tcp_rto_max_ms", "120000"),
    ("tcp_rto_min_us", "200000"),
    ("tcp_sack", "1"),
    ("tcp_shrink_window", "0"),
    ("tcp_slow_start_after_idle", "1"),
    ("tcp_syn_linear_timeouts", "4"),
    ("tcp_syn_retries", "6"),
    ("tcp_synack_retries", "5"),
    ("tcp_syncookies", "1"),
    ("tcp_thin_linear_timeouts", "0"),
    ("tcp_timestamps", "1"),
    ("tcp_tso_win_divisor", "3"),
    ("tcp_tw_reuse", "2"),
    ("tcp_window_scaling", "1"),
    ("tcp_wmem", "4096 16384 4194304"),
];

/// What was read last.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    folder: Option<PathBuf>,
    known: BTreeMap<&'static str, String>,
}

impl Settings {
    /// To be read in this folder; `None`: never.
    pub fn new(folder: Option<PathBuf>) -> Settings {
        Settings { folder, known: BTreeMap::new() }
    }

    /// Reads what there is; what has changed counts from now on.
    pub fn refresh(&mut self, sockets: &mut Sockets) {
        let Some(folder) = &self.folder else { return };
        for (name, default) in DEFAULTS {
            let Ok(text) = fs::read_to_string(folder.join(name)) else { continue };
            let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if self.known.get(name).map_or(default, String::as_str) == value {
                continue;
            }
            if let Err(why) = sockets.set(&format!("net.ipv4.{name}"), &value) {
                eprintln!("synfin: {why}");
            }
            self.known.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
