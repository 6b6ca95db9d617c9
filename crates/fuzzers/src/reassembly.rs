//! Target `reassembly`: fragments of a few datagrams in any order against a map of octets.

use std::collections::BTreeMap;

use synfin_net::frag::{FragKey, FragLimits, MoreFragments, Reassembly};
use synfin_wire::{DropReason, Instant};

use crate::host::host;
use crate::input::Input;

/// More steps than this are left out: a run should take milliseconds.
const STEPS: usize = 150;

/// Most fragments of one datagram.
const MAX_PARTS: usize = 64;
/// Memory that no input reaches.
const AMPLE: FragLimits = FragLimits { memory: 1 << 30, per_source: 1 << 30 };
/// Memory that is reached at once.
const TIGHT: FragLimits = FragLimits { memory: 9000, per_source: 6000 };

/// What is known of one datagram.
#[derive(Debug)]
struct Known {
    /// Start and octets of each fragment.
    parts: Vec<(usize, Vec<u8>)>,
    total: Option<usize>,
    until: Instant,
    dead: bool,
}

#[derive(Debug, Default)]
struct Model(BTreeMap<FragKey, Known>);

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let limits = if u.one_in(3) { TIGHT } else { AMPLE };
    let (mut real, mut model) = (Reassembly::new(limits), Model::default());
    // Everything that ever came for a key, for when the limits make the real one forget.
    let mut seen: BTreeMap<FragKey, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
    let mut now = Instant::ZERO;
    for _ in 0..STEPS {
        if u.is_over() {
            break;
        }
        if u.one_in(16) {
            now += u.span();
            real.expire(now);
        }
        let key = key(&mut u);
        let (offset, more, payload) = fragment(&mut u);
        let got = real.push(now, key, offset, more, &payload);
        seen.entry(key).or_default().push((usize::from(offset), payload.clone()));
        let want = model.push(now, key, usize::from(offset), more, &payload);
        if limits == AMPLE {
            assert_eq!(got, want, "{key:?} {offset} {more:?} {} octets: {model:?}", payload.len());
        } else if let Ok(Some(whole)) = &got {
            made_of(whole, &seen[&key]);
        }
        assert!(real.memory() <= limits.memory, "{} octets held", real.memory());
        assert!(real.memory() == 0 || !real.next().is_never(), "held for ever");
    }
    real.expire(real.next().max(now + std::time::Duration::from_secs(61)));
    real.expire(now + std::time::Duration::from_secs(1 << 30));
    assert_eq!((real.memory(), real.next()), (0, Instant::NEVER), "left in the end");
}

fn key(u: &mut Input<'_>) -> FragKey {
    let which = u.octet();
    let version = if which & 1 == 0 { 4 } else { 6 };
    FragKey {
        src: host(version, 1 + (which >> 1 & 1)),
        dst: host(version, 9),
        protocol: if which & 4 == 0 { 6 } else { 17 },
        id: u32::from(which >> 3 & 1),
    }
}

fn fragment(u: &mut Input<'_>) -> (u16, MoreFragments, Vec<u8>) {
    let units = u.octet();
    let offset = if units >= 0xf8 { u.half() } else { u16::from(units & 0x3f) * 8 };
    let len = match u.below(6) {
        0..4 => 8,
        4 => 8 * u.below(32),
        _ => usize::from(u.half()),
    };
    // Mostly the octets that belong there, so that duplicates are exact.
    let salt = if u.one_in(16) { u.octet() } else { 0 };
    let payload = (0..len).map(|i| (usize::from(offset) + i) as u8 ^ salt).collect();
    let more = if u.one_in(4) { MoreFragments::Last } else { MoreFragments::Follow };
    (offset, more, payload)
}

impl Model {
    /// The rules of RFC 791, 5722, 6946 and 8200 4.5, by looking at every octet.
    fn push(
        &mut self,
        now: Instant,
        key: FragKey,
        start: usize,
        more: MoreFragments,
        payload: &[u8],
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let end = start + payload.len();
        let last = more == MoreFragments::Last;
        if payload.is_empty()
            || end > 65_535
            || !start.is_multiple_of(8)
            || !(last || payload.len().is_multiple_of(8))
        {
            return Err(DropReason::BadFragment);
        }
        if start == 0 && last {
            return Ok(Some(payload.to_vec()));
        }
        self.0.retain(|_, known| known.until > now);
        let life = std::time::Duration::from_secs(if key.src.is_v4() { 30 } else { 60 });
        let new = Known { parts: Vec::new(), total: None, until: now + life, dead: false };
        let known = self.0.entry(key).or_insert(new);
        if known.dead {
            return Err(DropReason::BadFragment);
        }
        let same = known.parts.iter().any(|(at, octets)| *at == start && octets == payload);
        if same && last == (known.total == Some(end)) {
            return Ok(None);
        }
        let overlaps = known.parts.iter().any(|(s, o)| *s < end && start < s + o.len());
        let furthest = known.parts.iter().map(|(s, o)| s + o.len()).max().unwrap_or(0);
        let contradicts = match (last, known.total) {
            (true, Some(_)) => true,
            (true, None) => furthest > end,
            // More follow, so the end cannot be the datagram's.
            (false, Some(total)) => end >= total,
            (false, None) => false,
        };
        if overlaps || contradicts {
            known.dead = true;
            return Err(DropReason::BadFragment);
        }
        if known.parts.len() >= MAX_PARTS {
            known.dead = true;
            return Err(DropReason::FragmentLimit);
        }
        known.parts.push((start, payload.to_vec()));
        if last {
            known.total = Some(end);
        }
        let Some(total) = known.total else { return Ok(None) };
        let mut whole = vec![None; total];
        for (at, octets) in &known.parts {
            octets.iter().enumerate().for_each(|(i, o)| whole[at + i] = Some(*o));
        }
        let Some(whole) = whole.into_iter().collect::<Option<Vec<u8>>>() else { return Ok(None) };
        self.0.remove(&key);
        Ok(Some(whole))
    }
}

/// Every octet came at its place in some fragment.
fn made_of(whole: &[u8], seen: &[(usize, Vec<u8>)]) {
    for (at, octet) in whole.iter().enumerate() {
        let came = seen.iter().any(|(s, o)| at.checked_sub(*s).and_then(|i| o.get(i)) == Some(octet));
        assert!(came, "octet {at} of {} came from nowhere", whole.len());
    }
}
