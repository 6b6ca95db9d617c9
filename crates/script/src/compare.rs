//! The segment that a script expects against the one that came.

use std::fmt::Write as _;

use synfin_wire::{Flags, Seq};

use crate::ast::{EcnSpec, IpSpec, Opt, OptSpec, TcpSpec};
use crate::seq::{self, Flow};
use crate::wire::OutSegment;

/// A segment in a script's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub flags: Flags,
    pub seq: u32,
    pub len: u32,
    pub ack: Option<u32>,
    pub win: Option<u16>,
    pub urg: Option<u16>,
    pub opts: Option<Vec<Opt>>,
}

impl Shown {
    /// What the script says.
    pub fn of_spec(spec: &TcpSpec) -> Shown {
        Shown {
            flags: spec.flags,
            seq: spec.seq,
            len: spec.len,
            ack: spec.ack,
            win: spec.win,
            urg: spec.urg,
            opts: match &spec.opts {
                OptSpec::Any => None,
                OptSpec::List(list) => Some(list.clone()),
            },
        }
    }

    /// What came, in numbers of the flow; a first SYN counts from where the script counts it.
    pub fn of_segment(seg: &OutSegment, flow: &Flow, syn_at: u32) -> Shown {
        let ack = seg.flags.has(Flags::ACK).then(|| flow.peer_to_script(seg.ack));
        let opts = seg
            .opts
            .iter()
            .map(|o| match o {
                Opt::Sack(blocks) => {
                    let script = |n: u32| flow.peer_to_script(Seq::new(n));
                    Opt::Sack(blocks.iter().map(|(l, r)| (script(*l), script(*r))).collect())
                }
                Opt::Ts { val, ecr } => Opt::Ts { val: flow.stamp_to_script(*val), ecr: *ecr },
                other => other.clone(),
            })
            .collect();
        Shown {
            flags: seg.flags,
            seq: own_seq(seg, flow, syn_at),
            len: seg.text.len() as u32,
            ack,
            win: Some(seg.win),
            urg: seg.flags.has(Flags::URG).then_some(seg.urg),
            opts: Some(opts),
        }
    }
}

/// The sequence number in the script's count.
fn own_seq(seg: &OutSegment, flow: &Flow, syn_at: u32) -> u32 {
    if seg.flags.has(Flags::SYN) && (!flow.knows_ours() || flow.our_to_script(seg.seq) != syn_at) {
        // A new life: its number is what the script says it is.
        return syn_at;
    }
    // A reset for a segment without ACK has number 0 itself (RFC 9293 3.5.2 group 1).
    if seg.flags.has(Flags::RST.with(Flags::ACK))
        && seg.seq == Seq::new(0)
        && flow.our_to_script(seg.seq) != 0
    {
        return 0;
    }
    flow.our_to_script(seg.seq)
}

/// As a script writes it.
impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LETTERS: [(Flags, char); 9] = [
            (Flags::SYN, 'S'),
            (Flags::FIN, 'F'),
            (Flags::RST, 'R'),
            (Flags::PSH, 'P'),
            (Flags::URG, 'U'),
            (Flags::ECE, 'E'),
            (Flags::CWR, 'W'),
            (Flags::AE, 'A'),
            (Flags::ACK, '.'),
        ];
        f.write_str("> ")?;
        if self.flags == Flags::default() {
            f.write_char('-')?;
        }
        for (flag, letter) in LETTERS {
            if self.flags.has(flag) {
                f.write_char(letter)?;
            }
        }
        write!(f, " {}:{}({})", self.seq, self.seq.wrapping_add(self.len), self.len)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(win) = self.win {
            write!(f, " win {win}")?;
        }
        if let Some(urg) = self.urg {
            write!(f, " urg {urg}")?;
        }
        match &self.opts {
            None => f.write_str(" <...>"),
            Some(opts) if opts.is_empty() => Ok(()),
            Some(opts) => {
                f.write_str(" <")?;
                for (i, opt) in opts.iter().enumerate() {
                    if i > 0 {
                        f.write_char(',')?;
                    }
                    write_option(f, opt)?;
                }
                f.write_char('>')
            }
        }
    }
}

fn write_option(f: &mut std::fmt::Formatter<'_>, opt: &Opt) -> std::fmt::Result {
    let hex = |f: &mut std::fmt::Formatter<'_>, name: &str, octets: &[u8]| {
        write!(f, "{name} ")?;
        octets.iter().try_for_each(|o| write!(f, "{o:02x}"))
    };
    match opt {
        Opt::Eol => f.write_str("eol"),
        Opt::Nop => f.write_str("nop"),
        Opt::Mss(n) => write!(f, "mss {n}"),
        Opt::Wscale(n) => write!(f, "wscale {n}"),
        Opt::SackOk => f.write_str("sackOK"),
        Opt::Sack(blocks) => {
            f.write_str("sack")?;
            blocks.iter().try_for_each(|(l, r)| write!(f, " {l}:{r}"))
        }
        Opt::Ts { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
        Opt::Fo(cookie) => hex(f, "FO", cookie),
        Opt::FoExp(cookie) => hex(f, "FOEXP", cookie),
        Opt::Md5(digest) => hex(f, "md5", digest),
        Opt::AccEcn(kind, counters) => {
            let names = if *kind == 172 { ["e0b", "ceb", "e1b"] } else { ["e1b", "ceb", "e0b"] };
            f.write_str("ECN")?;
            names.iter().zip(counters).try_for_each(|(name, n)| write!(f, " {name} {n}"))
        }
        Opt::Other(kind, body) => hex(f, &format!("kind-{kind}"), body),
    }
}

/// What of a segment is checked beside its fields.
pub(crate) struct Limits {
    /// Microseconds per tick of timestamps, if their pace is checked.
    pub tick: Option<i64>,
    /// Microseconds by which it may be off.
    pub tolerance: i64,
    /// The segment is several that belong together: a device that cuts sets PSH on the last alone, Linux on all such.
    pub glued: bool,
}

/// The first thing that differs, in a phrase.
pub(crate) fn difference(
    spec: &TcpSpec,
    ip: &IpSpec,
    shown: &Shown,
    seg: &OutSegment,
    flow: &Flow,
    limits: &Limits,
) -> Option<&'static str> {
    let (mut want, mut got) = (spec.flags, shown.flags);
    if limits.glued {
        (want, got) = (want.without(Flags::PSH), got.without(Flags::PSH));
    }
    if want != got {
        return Some("flags");
    }
    if spec.seq != shown.seq {
        return Some("sequence number");
    }
    if spec.len != shown.len {
        return Some("length");
    }
    if spec.ack.is_some() && spec.flags.has(Flags::ACK) && spec.ack != shown.ack {
        return Some("acknowledgement number");
    }
    if spec.win.is_some() && spec.win != shown.win {
        return Some("window");
    }
    if spec.urg.is_some() && spec.urg != shown.urg {
        return Some("urgent pointer");
    }
    if let OptSpec::List(want) = &spec.opts
        && let Some(what) = options_differ(want, shown, seg, flow, limits)
    {
        return Some(what);
    }
    if ip.tos.is_some_and(|tos| tos != seg.tos & !3 && tos != seg.tos) {
        return Some("traffic class");
    }
    if ip.ttl.is_some_and(|ttl| ttl != seg.ttl) {
        return Some("time to live");
    }
    let ecn = seg.tos & 3;
    let ecn_right = match ip.ecn {
        EcnSpec::Unsaid => true,
        EcnSpec::None => ecn == 0,
        EcnSpec::Ect1 => ecn == 1,
        EcnSpec::Ect0 => ecn == 2,
        EcnSpec::Ect01 => ecn == 1 || ecn == 2,
        EcnSpec::Ce => ecn == 3,
    };
    if !ecn_right {
        return Some("ECN field");
    }
    let place = shown.seq.wrapping_add(u32::from(shown.flags.has(Flags::SYN))).wrapping_sub(flow.our_text);
    // Before the first SYN, or in one octet that repeats an old one, places cannot be told.
    if flow.knows_ours() && !shown.flags.has(Flags::SYN) && seg.text != seq::octets(place, seg.text.len()) {
        return Some("octets of text");
    }
    None
}

fn options_differ(
    want: &[Opt],
    shown: &Shown,
    seg: &OutSegment,
    flow: &Flow,
    limits: &Limits,
) -> Option<&'static str> {
    let got = shown.opts.as_deref().unwrap_or_default();
    if want.len() != got.len() {
        return Some("options");
    }
    for ((want, got), raw) in want.iter().zip(got).zip(&seg.opts) {
        match (want, got, raw) {
            (Opt::Ts { val, ecr }, Opt::Ts { ecr: echoed, .. }, Opt::Ts { val: wire, .. }) => {
                if ecr != echoed {
                    return Some("timestamp echo");
                }
                if let (Some(tick), Some((script, live))) = (limits.tick, flow.ticks_since_first(*val, *wire))
                    && (script - live).saturating_mul(tick).abs() > limits.tolerance.max(tick)
                {
                    return Some("timestamp");
                }
            }
            (want, got, _) if want == got => {}
            _ => return Some("options"),
        }
    }
    None
}
