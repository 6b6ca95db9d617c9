//! Commands of a script: settings become ours, what is not understood is said.

use std::time::Duration;

use synfin_tcp::Quirks;
use synfin_tcp::cc::Choice;

use crate::profile::Profile;

/// What the usual `defaults.sh` of script collections sets.
const USUAL_DEFAULTS: [(&str, &str); 22] = [
    ("tcp_rmem", "4096 540000 15728640"),
    ("tcp_wmem", "4096 262144 4194304"),
    ("tcp_timestamps", "1"),
    ("tcp_syn_retries", "5"),
    ("tcp_synack_retries", "5"),
    ("tcp_frto", "2"),
    ("tcp_sack", "1"),
    ("tcp_dsack", "1"),
    ("tcp_fack", "0"),
    ("tcp_reordering", "3"),
    ("tcp_congestion_control", "cubic"),
    ("tcp_slow_start_after_idle", "0"),
    ("tcp_early_retrans", "4"),
    ("tcp_recovery", "1"),
    ("tcp_tso_win_divisor", "3"),
    ("tcp_ecn", "0"),
    ("tcp_pacing_ss_ratio", "200"),
    ("tcp_pacing_ca_ratio", "120"),
    ("tcp_notsent_lowat", "4294967295"),
    ("tcp_fastopen", "0x3"),
    ("tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"),
    ("tcp_syncookies", "1"),
];

/// What the commands of a script act on.
pub trait Shell {
    /// Sets `net.ipv4.tcp_sack` or another setting.
    ///
    /// # Errors
    /// There is none of this name, or it cannot have this value.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String>;

    /// Does any other line; its words come without redirections.
    ///
    /// # Errors
    /// It is not understood, or failed.
    fn line(&mut self, line: &str, words: &[&str]) -> Result<(), String>;
}

impl Shell for Profile {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name.strip_prefix("net.ipv4.") {
            Some(short) => set(short, value, self)?,
            None => return Err(format!("setting not understood: {name}={value}")),
        }
        self.apply_sizes();
        Ok(())
    }

    fn line(&mut self, line: &str, words: &[&str]) -> Result<(), String> {
        match words {
            // A stack in a script begins without memory of other connections, and has no queue below it.
            [.., "tcp_metrics", "flush"] | [.., "tcp_metrics", "flush", "all"] => Ok(()),
            ["tc", "qdisc", "add", "dev", "tun0", "root", "pfifo"] => Ok(()),
            // Counters begin at zero with each script; asking for one is another matter.
            ["nstat", "-n"] if line.trim_end() == "nstat -n" => Ok(()),
            _ => Err(unknown(line)),
        }
    }
}

/// Does what the lines of a command ask for; returns for how long they sleep.
///
/// # Errors
/// A line that is not understood: it is named, nothing is skipped silently.
pub fn run(command: &str, shell: &mut dyn Shell) -> Result<Duration, String> {
    let joined = command.replace("\\\n", " ");
    let mut pause = Duration::ZERO;
    for line in joined.lines().flat_map(|l| l.split(';')).flat_map(|l| l.split("&&")) {
        let line = line.split_once(" #").map_or(line, |(before, _)| before).trim();
        if !line.is_empty() && !line.starts_with('#') {
            match line.strip_prefix("sleep ") {
                Some(time) => pause += seconds(time.trim()).ok_or_else(|| unknown(line))?,
                None => run_line(line, shell)?,
            }
        }
    }
    Ok(pause)
}

fn run_line(line: &str, shell: &mut dyn Shell) -> Result<(), String> {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| !is_redirection(w)).collect();
    let Some((program, args)) = words.split_first() else { return Ok(()) };
    let base = program.rsplit('/').next().unwrap_or(program);
    match base {
        "defaults.sh" if args.is_empty() => {
            USUAL_DEFAULTS.iter().try_for_each(|(name, value)| shell.set(&format!("net.ipv4.{name}"), value))
        }
        "set_sysctls.py" => args.iter().try_for_each(|a| assignment(a, line, shell)),
        "sysctl" => {
            let settings = args.iter().filter(|a| !a.starts_with('-'));
            settings.into_iter().try_for_each(|a| assignment(a, line, shell))
        }
        // Nothing survives a script here, so nothing has to be restored.
        _ if base.starts_with("sysctl_restore") => Ok(()),
        "echo" => match line.split_once('>') {
            Some((_, path)) if path.trim().starts_with("/proc/sys/net/") => {
                let value: Vec<&str> = args.iter().copied().filter(|a| !a.starts_with("/proc")).collect();
                shell.set(&setting(path.trim()), &value.join(" "))
            }
            _ => shell.line(line, &words),
        },
        "true" | ":" => Ok(()),
        _ => shell.line(line, &words),
    }
}

/// `1` or `0.25`, up to a year.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = fraction.len() <= 6 && fraction.chars().all(|c| c.is_ascii_digit());
    let micros: u64 = if digits { format!("{fraction:0<6}").parse().ok()? } else { return None };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    (whole <= 31_536_000).then(|| Duration::from_secs(whole) + Duration::from_micros(micros))
}

fn unknown(line: &str) -> String {
    format!("command not understood: {line}")
}

fn is_redirection(word: &str) -> bool {
    matches!(word, ">" | "2>" | "/dev/null" | ">/dev/null" | "2>/dev/null" | "2>&1" | "&>/dev/null")
}

/// Words of a line: blanks inside quotes and `$((..))` do not divide.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut depth) = (None, 0_u32);
    for c in line.chars() {
        match c {
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c if c.is_whitespace() && quote.is_none() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                match c {
                    '(' => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.push(c);
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `net.ipv4.name=value` or `/proc/sys/net/ipv4/name=value`
fn assignment(text: &str, line: &str, shell: &mut dyn Shell) -> Result<(), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| unknown(line))?;
    shell.set(&setting(name), value)
}

/// A setting's name, whether it is written as a name or as a path.
fn setting(name: &str) -> String {
    name.trim_start_matches("/proc/sys/").replace('/', ".")
}

/// A number, in hexadecimal or as a product in `$((..))`.
pub fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix("$((").and_then(|t| t.strip_suffix("))")) {
        return inside.split('*').try_fold(1_i64, |n, factor| n.checked_mul(number(factor)?));
    }
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn sizes(value: &str) -> Option<[u32; 3]> {
    let all: Option<Vec<u32>> = words(value).iter().map(|w| u32::try_from(number(w)?).ok()).collect();
    all?.try_into().ok()
}

/// Settings that exist, do nothing here, and change nothing that a connection of a script shows when they have these values.
const SAME: [(&str, &[&str]); 10] = [
    ("tcp_fack", &["0"]),
    ("tcp_reordering", &["3"]),
    ("tcp_ecn", &["0"]),
    ("tcp_window_clamp", &["0"]),
    ("tcp_autocorking", &["0"]),
    ("tcp_mtu_probing", &["0"]),
    ("tcp_tw_reuse", &["0", "1", "2"]),
    ("tcp_no_metrics_save", &["0", "1"]),
    ("tcp_notsent_lowat", &["4294967295", "-1"]),
    ("tcp_shrink_window", &["0"]),
];

/// Settings of Linux that have no counterpart; the outcome tells that they were asked for.
const UNMODELLED: [&str; 49] = [
    "tcp_abort_on_overflow",
    "tcp_max_syn_backlog",
    "tcp_max_orphans",
    "tcp_max_tw_buckets",
    "tcp_challenge_ack_limit",
    "tcp_app_win",
    "tcp_adv_win_scale",
    "tcp_pingpong_thresh",
    "tcp_backlog_ack_defer",
    "tcp_reflect_tos",
    "tcp_stdurg",
    "tcp_low_latency",
    "tcp_thin_dupack",
    "tcp_workaround_signed_windows",
    "tcp_mtu_probe_floor",
    "tcp_probe_interval",
    "tcp_probe_threshold",
    "tcp_tw_reuse_delay",
    "tcp_plb_enabled",
    "tcp_comp_sack_slack_ns",
    "tcp_comp_sack_rtt_percent",
    "ip_no_pmtu_disc",
    "tcp_fack",
    "tcp_reordering",
    "tcp_max_reordering",
    "tcp_congestion_control",
    "tcp_allowed_congestion_control",
    "tcp_recovery",
    "tcp_tso_win_divisor",
    "tcp_tso_rtt_log",
    "tcp_min_tso_segs",
    "tcp_ecn",
    "tcp_ecn_fallback",
    "tcp_ecn_option",
    "tcp_ecn_option_beacon",
    "tcp_pacing_ss_ratio",
    "tcp_pacing_ca_ratio",
    "tcp_fastopen",
    "tcp_fastopen_key",
    "tcp_fastopen_blackhole_timeout_sec",
    "tcp_mtu_probing",
    "tcp_base_mss",
    "tcp_autocorking",
    "tcp_limit_output_bytes",
    "tcp_thin_linear_timeouts",
    "tcp_comp_sack_nr",
    "tcp_comp_sack_delay_ns",
    "tcp_moderate_rcvbuf",
    "tcp_shrink_window",
];

/// The name of a congestion control that a system may have, whether or not the stack has it.
pub(crate) fn congestion_control(name: &str) -> Option<&'static str> {
    ["reno", "cubic", "bbr", "dctcp", "vegas"].into_iter().find(|known| *known == name)
}

/// One setting of `net.ipv4`.
fn set(name: &str, value: &str, profile: &mut Profile) -> Result<(), String> {
    let bad = || format!("value not understood: {name}={value}");
    let n = || number(value).ok_or_else(bad);
    let octet = || number(value).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad);
    let time = |unit: Duration| {
        let n = number(value).and_then(|n| u32::try_from(n).ok()).ok_or_else(bad);
        n.map(|n| unit.saturating_mul(n))
    };
    let (second, milli) = (Duration::from_secs(1), Duration::from_millis(1));
    let tcp = &mut profile.tcp;
    match name {
        "tcp_timestamps" => tcp.timestamps = n()? != 0,
        "tcp_sack" => tcp.sack = n()? != 0,
        "tcp_window_scaling" => tcp.window_scaling = n()? != 0,
        "tcp_rmem" => profile.recv_sizes = sizes(value).ok_or_else(bad)?,
        "tcp_wmem" => profile.send_sizes = sizes(value).ok_or_else(bad)?,
        "tcp_syn_retries" => tcp.syn_retries = octet()?,
        "tcp_synack_retries" => tcp.syn_ack_retries = octet()?,
        "tcp_syn_linear_timeouts" => tcp.syn_linear = octet()?,
        "tcp_notsent_lowat" => profile.notsent_lowat = n()? as u32,
        "tcp_dsack" => tcp.dsack = n()? != 0,
        "tcp_frto" => tcp.frto = n()? != 0,
        "tcp_early_retrans" => tcp.tail_loss_probe = n()? >= 3,
        "tcp_slow_start_after_idle" => tcp.idle_restart = n()? != 0,
        "tcp_congestion_control" => {
            profile.congestion = congestion_control(value).ok_or_else(bad)?;
            match Choice::by_name(value) {
                Some(choice) => tcp.congestion_control = choice,
                None => profile.notes.push(format!("{name}={value} is not modelled")),
            }
        }
        "tcp_retries1" => tcp.r1 = octet()?,
        "tcp_retries2" => tcp.r2 = octet()?,
        "tcp_orphan_retries" => tcp.orphan_retries = octet()?,
        "tcp_fin_timeout" => tcp.fin_wait_2 = time(second)?,
        "tcp_keepalive_time" => tcp.keepalive.idle = time(second)?,
        "tcp_keepalive_intvl" => tcp.keepalive.interval = time(second)?,
        "tcp_keepalive_probes" => tcp.keepalive.probes = octet()?,
        "tcp_invalid_ratelimit" => tcp.challenge_interval = time(milli)?,
        "tcp_rto_max_ms" => tcp.rto_max = time(milli)?,
        "tcp_rto_min_us" => tcp.rto_min = time(Duration::from_micros(1))?,
        "tcp_min_snd_mss" => tcp.min_mss = n()?.try_into().map_err(|_| bad())?,
        "ip_default_ttl" => tcp.ttl = octet()?,
        "tcp_rfc1337" => {
            tcp.quirks = match n()? {
                0 => tcp.quirks.with(Quirks::RST_ENDS_TIME_WAIT),
                _ => tcp.quirks.without(Quirks::RST_ENDS_TIME_WAIT),
            }
        }
        "tcp_syncookies" => match n()? {
            0 => profile.cookies = false,
            1 => profile.cookies = true,
            _ => profile.notes.push(format!("{name}={value} is not modelled")),
        },
        _ if SAME.iter().any(|(known, values)| *known == name && values.contains(&value)) => {}
        _ if UNMODELLED.contains(&name) => {
            let note = format!("{name}={value} is not modelled");
            if !profile.notes.contains(&note) {
                profile.notes.push(note);
            }
        }
        _ => return Err(format!("setting not understood: {name}={value}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
