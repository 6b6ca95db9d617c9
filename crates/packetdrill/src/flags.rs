//! `--so_flags`: what the original program does not tell by itself.

use std::path::PathBuf;
use std::time::Duration;

use synfin_script::Profile;

/// How time passes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Clock {
    /// It jumps to whatever happens next: a script takes as long as its computations.
    Virtual,
    /// As for everybody.
    Real,
}

/// Everything that can be said.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    pub profile: Profile,
    pub clock: Clock,
    /// Options as a script has them.
    pub options: Vec<(String, String)>,
    /// Where settings are read; `None`: nowhere.
    pub settings: Option<PathBuf>,
    /// So long is a packet waited for, at most, while the clock is real.
    pub patience: Duration,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            profile: Profile::linux(),
            clock: Clock::Virtual,
            options: Vec::new(),
            settings: Some("/proc/sys/net/ipv4".into()),
            patience: Duration::from_secs(130),
        }
    }
}

impl Flags {
    /// `name=value` with commas between them.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(text: &str) -> Result<Flags, String> {
        let mut flags = Flags::default();
        for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
            let (name, value) = item.split_once('=').ok_or_else(|| format!("{item}: no value"))?;
            let bad = || format!("{name}={value} is not understood");
            match name {
                "profile" => flags.profile = Profile::named(value).ok_or_else(bad)?,
                "clock" => {
                    flags.clock = match value {
                        "virtual" => Clock::Virtual,
                        "real" => Clock::Real,
                        _ => return Err(bad()),
                    }
                }
                "ver" => {
                    let version = match value {
                        "ipv4" | "ipv6" => value,
                        "mapped" => "ipv4-mapped-ipv6",
                        _ => return Err(bad()),
                    };
                    flags.options.push(("ip_version".into(), version.into()));
                }
                "local" => flags.options.push(("local_ip".into(), value.into())),
                "remote" => flags.options.push(("remote_ip".into(), value.into())),
                "mtu" | "mss" => flags.options.push((name.into(), value.into())),
                // The peer's side of the network needs no router here.
                "gateway" => {}
                "settings" => flags.settings = (value != "none").then(|| value.into()),
                "wait" => flags.patience = Duration::from_secs(value.parse().map_err(|_| bad())?),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests;
