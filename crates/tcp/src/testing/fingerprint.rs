//! What decides a record's future, with times relative to now: two records with equal fingerprints behave alike from
//! here on. For exhaustive exploration, where equal futures are explored once.
//!
//! Every field is either fed to the hasher or named with the reason why it decides nothing, and no pattern here has a
//! `..`: a new field fails to compile until somebody has thought about it.

use core::hash::{Hash, Hasher};
use core::time::Duration;

use synfin_wire::Instant;

use crate::connection::{Rcv, Silence, Snd, Timers};
use crate::recv::RecvQueue;
use crate::recv::pace::Pace;
use crate::send::SendQueue;
use crate::send::log::{Entry, SentLog};
use crate::{Config, Connection, Quirks, SynRecord, TimeWait};

/// From this age on TS.Recent is older than every timestamp that can still arrive, as long as no segment lives for two
/// minutes (RFC 9293 3.4.2: MSL), and its echo is no round-trip sample. It means nothing only much later (RFC 7323 5.5).
const OLD_STAMP: Duration = Duration::from_secs(120);
/// Only whether text has waited at least this long matters (RFC 9293 SHLD-11).
const STALL: Duration = Duration::from_secs(100);

/// A deadline: how long until then. All that have passed are alike.
fn ahead(t: Instant, now: Instant) -> u64 {
    if t.is_never() { u64::MAX } else { t.nanos().saturating_sub(now.nanos()) }
}

/// A past time: how long ago, no longer than `most`.
fn ago(t: Instant, now: Instant, most: Duration) -> u64 {
    u64::try_from(now.since(t).min(most).as_nanos()).unwrap_or(u64::MAX)
}

/// A timestamp of the option that was taken `at`, relative to the clock it was read from (whose offset is constant).
fn stamp(val: u32, at: Instant, now: Instant) -> Option<u32> {
    (now.since(at) < OLD_STAMP).then(|| val.wrapping_sub(now.millis() as u32))
}

/// With equal bounds the RTO is one number: nothing depends on samples then.
fn constant_rto(cfg: &Config) -> bool {
    cfg.rto_min == cfg.rto_max
}

/// A connection. `now` is the time of the call that comes next at the earliest.
pub fn connection(c: &Connection, now: Instant, cfg: &Config, h: &mut impl Hasher) {
    let Connection {
        tuple: _, // one per exploration
        state,
        bits,
        iss,
        irs,
        snd,
        rcv,
        ts_offset,
        rto,
        rack,
        episode,
        disorder_at,
        tlp_end,
        cc,
        rates: _, // rules that keep no clock have none
        recover,
        limited_until,
        sample_at,
        timers,
        send,
        send_limit,
        log,
        recv,
        pace,
        dsack,
        dup_acks,
        probes,
        syn_retries,
        ack_why: _, // told to the probe
        ttl,
        tos,
        records,
        soft_error: _, // told to the application
        closed,
        claimed_mtu,
        proven_mss,
        retransmits: _, // counts
        delivered: _,
        dsacks: _,
        user_timeout,
        linger,
        keepalive,
    } = c;
    // Only Minshall's form of Nagle's algorithm asks for it.
    let small = if cfg.quirks.has(Quirks::NAGLE_SMALL_ONLY) { snd.small } else { *iss };
    let snd = Snd { small, ..*snd };
    (state, bits, iss, irs, snd, ts_offset, recover, limited_until).hash(h);
    // Rules keep times and rates; the explorations use the one that keeps none but what it hashes here.
    cc.fingerprint(h);
    (disorder_at, tlp_end, send_limit, dsack, dup_acks, probes, syn_retries, ttl, tos).hash(h);
    (closed, claimed_mtu, proven_mss, user_timeout, linger, records).hash(h);
    // Compared with these only, unless the RTO follows it.
    let most = cfg.r1.max(cfg.r2).max(cfg.orphan_retries);
    let tries = rto.tries();
    if constant_rto(cfg) { tries.min(most) } else { tries }.hash(h);
    if cfg.sack || !constant_rto(cfg) {
        rack.fingerprint(now, h);
    }
    if let Some(e) = episode.as_deref() {
        e.fingerprint(now, h);
    }
    receive_space(rcv, c.bits.has(crate::connection::Bits::TS_OK), now, h);
    if !constant_rto(cfg) {
        (rto, sample_at).hash(h);
    }
    if let Some(Silence { times: k, since, probes }) = keepalive.as_deref() {
        (k.idle, k.interval, k.probes, probes).hash(h);
        ago(*since, now, Duration::MAX).hash(h);
    }
    // Without a timer nothing waits, and what is sent next sets the time anew; before the handshake it is a sample.
    let waits = !c.timers.send.is_never() || !constant_rto(cfg) || *user_timeout != 0;
    times(timers, waits, now, cfg, h);
    send_queue(send, h);
    sent_log(log, now, cfg, h);
    recv_queue(recv, h);
    pace_of(pace, now, cfg, h);
}

/// Decides something only where it is learned.
fn pace_of(pace: &Pace, now: Instant, cfg: &Config, h: &mut impl Hasher) {
    if cfg.quirks.has(Quirks::ADAPTIVE_ACKS) {
        let Pace { last_text, ato, segment, short, quick, pushed, owed, pingpong } = pace;
        (ato, segment, short, quick, pushed, owed, pingpong).hash(h);
        ago(*last_text, now, cfg.rto_max + Duration::from_nanos(1)).hash(h);
    }
}

fn receive_space(rcv: &Rcv, ts: bool, now: Instant, h: &mut impl Hasher) {
    let Rcv {
        nxt,
        adv,
        last_ack_sent,
        up,
        buffer,
        limit,
        ssthresh,
        unacked,
        ts_recent,
        ts_recent_at,
        our_mss,
        seen_mss,
        wscale,
    } = rcv;
    (nxt, adv, last_ack_sent, up, buffer, limit, ssthresh, unacked, our_mss, seen_mss, wscale).hash(h);
    if ts {
        stamp(*ts_recent, *ts_recent_at, now).hash(h);
    }
}

fn times(t: &Timers, waits: bool, now: Instant, cfg: &Config, h: &mut impl Hasher) {
    let Timers {
        send,
        send_kind,
        rto_from,
        delayed_ack,
        fin_wait_2,
        stalled_since,
        first_try,
        last_sent,
        next_ac,
    } = t;
    if !send.is_never() {
        ago(*rto_from, now, cfg.rto_max).hash(h);
    }
    if cfg.quirks.has(Quirks::LIMITS_FROM_FIRST_TRY) {
        first_try.is_never().hash(h);
        ago(*first_try, now, Duration::MAX).hash(h);
    }
    (ahead(*send, now), send_kind, ahead(*delayed_ack, now), ahead(*fin_wait_2, now)).hash(h);
    if waits {
        ago(*stalled_since, now, if constant_rto(cfg) { STALL } else { Duration::MAX }).hash(h);
    }
    // Compared with the RTO only.
    ago(*last_sent, now, cfg.rto_max + Duration::from_nanos(1)).hash(h);
    ahead(*next_ac, now).hash(h);
}

fn send_queue(q: &SendQueue, h: &mut impl Hasher) {
    q.len().hash(h);
    q.slices(0, q.len()).for_each(|part| part.hash(h));
}

fn sent_log(log: &SentLog, now: Instant, cfg: &Config, h: &mut impl Hasher) {
    let SentLog {
        entries,
        again,
        total,
        sacked,
        lost,
        dup_acked,
        segments_sacked,
        fack,
        lost_from: _, // where to begin looking, not what is found
        once_from: _,
    } = log;
    (entries.len(), total, sacked, lost, dup_acked, segments_sacked).hash(h);
    if *sacked > 0 {
        fack.hash(h);
    }
    // Which sendings came before which decides what is lost (RFC 8985), without SACK only what stands in the entries.
    let timed = cfg.sack || !constant_rto(cfg);
    if timed {
        again.iter().for_each(|(seq, sent)| (seq, ago(*sent, now, Duration::MAX)).hash(h));
    }
    for Entry { seq, len, sent, mss, fate, retransmitted, pushed: _ } in entries {
        // What was pushed is pushed again: a peer here does not look at it.
        (seq, len, mss, fate, retransmitted).hash(h);
        if timed {
            ago(*sent, now, Duration::MAX).hash(h);
        }
    }
}

fn recv_queue(q: &RecvQueue, h: &mut impl Hasher) {
    let RecvQueue { bytes, read, next, ahead } = q;
    (read, next, ahead).hash(h);
    let readable = (0, q.readable() as usize);
    let held = ahead
        .iter()
        .flat_map(|a| a.ranges.iter())
        .map(|(from, to)| ((from - read) as usize, (to - from) as usize));
    for (at, len) in core::iter::once(readable).chain(held) {
        bytes.slices(at, len).for_each(|part| part.hash(h));
    }
}

/// A half-open record.
pub fn syn_record(r: &SynRecord, now: Instant, cfg: &Config, h: &mut impl Hasher) {
    let SynRecord {
        tuple: _,
        iss,
        irs,
        our_mss,
        peer_wnd,
        offer,
        ts_offset,
        retries,
        sent,
        deadline,
        next_ac,
        acked,
    } = r;
    (iss, irs, our_mss, peer_wnd, offer.peer_mss, offer.peer_wscale, offer.sack).hash(h);
    offer.ts_recent.map(|val| stamp(val, *sent, now)).hash(h);
    (ts_offset, retries, ahead(*deadline, now), ahead(*next_ac, now), acked).hash(h);
    ago(*sent, now, if constant_rto(cfg) { STALL } else { Duration::MAX }).hash(h);
}

/// A TIME_WAIT record.
pub fn time_wait(t: &TimeWait, now: Instant, h: &mut impl Hasher) {
    let TimeWait {
        tuple: _,
        snd_nxt,
        rcv_nxt,
        rcv_wnd,
        ack_floor,
        rcv_wscale,
        tos,
        ttl,
        ts_recent,
        ts_recent_at,
        ts_offset,
        expires,
        next_ac,
    } = t;
    (snd_nxt, rcv_nxt, rcv_wnd, ack_floor, rcv_wscale, tos, ttl, ts_offset).hash(h);
    if let Some(val) = ts_recent {
        stamp(*val, *ts_recent_at, now).hash(h);
    }
    (ahead(*expires, now), ahead(*next_ac, now)).hash(h);
}
