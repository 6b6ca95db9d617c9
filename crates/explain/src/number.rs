//! Numbers for people: milliseconds with one decimal, spans with three digits, groups of thousands.

use alloc::format;
use alloc::string::{String, ToString};

/// A count with a comma between thousands: `83,984`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && digits.len().saturating_sub(i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A length in a label: above 99,999 in thousands, `146k`.
pub(crate) fn length(n: u32) -> String {
    if n > 99_999 { format!("{}k", (u64::from(n) + 500) / 1_000) } else { n.to_string() }
}

/// Nanoseconds as milliseconds with one decimal, in at most eight columns: beyond 999,999.9 ms as whole seconds.
pub(crate) fn clock(ns: u64) -> String {
    let tenths = ns.saturating_add(50_000) / 100_000;
    if tenths <= 9_999_999 {
        return format!("{}.{}", tenths / 10, tenths % 10);
    }
    let seconds = tenths / 10_000;
    if seconds <= 999_999 { format!("{seconds} s") } else { format!("{} d", seconds / 86_400) }
}

/// Nanoseconds since 1970 as the time of day in UTC.
pub(crate) fn time_of_day(ns: u64) -> String {
    let s = ns / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// A span with about three digits: `250 ms`, `1.02 s`, `12.3 s`, `2 h 0 min`.
pub(crate) fn span(ns: u64) -> String {
    let us = ns.saturating_add(500) / 1_000;
    let ms = ns.saturating_add(500_000) / 1_000_000;
    let hundredths = ns.saturating_add(5_000_000) / 10_000_000;
    let tenths = ns.saturating_add(50_000_000) / 100_000_000;
    let s = ns.saturating_add(500_000_000) / 1_000_000_000;
    match () {
        () if us < 10_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        () if ms < 1_000 => format!("{ms} ms"),
        () if hundredths < 1_000 => format!("{}.{:02} s", hundredths / 100, hundredths % 100),
        () if tenths < 1_000 => format!("{}.{} s", tenths / 10, tenths % 10),
        () if s < 600 => format!("{s} s"),
        () if s < 3_600 => format!("{} min", (s + 30) / 60),
        () => format!("{} h {} min", s / 3_600, s / 60 % 60),
    }
}
