//! RFC 9293 MUST-18 to 29: retransmission, congestion control, giving up, keepalive (sections 3.8.1 to 3.8.4).

mod rig;

use std::time::Duration;

use rig::*;
use synfin_tcp::cc::Choice;
use synfin_tcp::{CloseReason, Config, Keepalive, SoftError, State, TimerKind};

/// RFC 6298 section 2 in plain arithmetic, seconds.
struct Model {
    srtt: f64,
    rttvar: f64,
}

impl Model {
    fn sample(&mut self, r: f64) {
        if self.srtt == 0.0 {
            *self = Model { srtt: r, rttvar: r / 2.0 };
        } else {
            self.rttvar = 0.75 * self.rttvar + 0.25 * (self.srtt - r).abs();
            self.srtt = 0.875 * self.srtt + 0.125 * r;
        }
    }
    fn rto(&self, min: f64) -> f64 {
        (self.srtt + (4.0 * self.rttvar).max(0.001)).max(min)
    }
}

fn close_to(a: Duration, want: f64) -> bool {
    (a.as_secs_f64() - want).abs() <= 0.001 + want / 1000.0
}

#[test]
fn must_18_rto_follows_rfc_6298() {
    let mut r = Rig::with(|c| c.tcp.rto_min = ms(1));
    let mut model = Model { srtt: 0.0, rttvar: 0.0 };
    r.open(Offer { rtt: ms(200), ..PLAIN });
    model.sample(0.2);
    assert!(close_to(r.info().srtt, 0.2) && close_to(r.info().rttvar, 0.1), "{:?}", r.info());
    assert!(close_to(r.info().rto, 0.6), "{:?}", r.info());
    // Round trips of 20 to 420 ms in no order.
    let mut seed = 7u64;
    for _ in 0..200 {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let rtt = 20 + seed / (1 << 33) % 400;
        // Never so long that the timer runs out before the ACK comes.
        let rtt = rtt.min((model.rto(0.001) * 1000.0) as u64 - 2);
        assert_eq!(r.write(b"x").len(), 1);
        r.advance(ms(rtt));
        none(&r.send(Seg::new()));
        model.sample(rtt as f64 / 1000.0);
        let info = r.info();
        assert!(close_to(info.srtt, model.srtt), "{info:?} {}", model.srtt);
        assert!(close_to(info.rttvar, model.rttvar), "{info:?} {}", model.rttvar);
        assert!(close_to(info.rto, model.rto(0.001)), "{info:?} {}", model.rto(0.001));
    }
    // (2.4): at least one second by default.
    let mut r = Rig::connected(Offer { rtt: ms(20), ..PLAIN });
    assert_eq!(r.info().rto, s(1));
}

#[test]
fn must_18_karn_takes_no_sample_from_a_retransmitted_segment() {
    let mut r = Rig::connected(Offer { rtt: ms(200), ..PLAIN });
    let before = r.info();
    r.write(b"x");
    assert_eq!(r.advance(s(1)).len(), 1);
    r.advance(ms(100));
    none(&r.send(Seg::new()));
    assert_eq!((r.info().srtt, r.info().rttvar), (before.srtt, before.rttvar));
}

/// RFC 5681's own rule, and text enough for it.
fn wide_reno() -> Rig {
    Rig::with(|c| {
        c.tcp.send_buffer = 1 << 20;
        c.tcp.congestion_control = Choice::Reno;
        c.tcp.tail_loss_probe = false;
        // Everything arrives here: F-RTO would find that the timeout was none.
        c.tcp.frto = false;
    })
}

#[test]
fn must_19_slow_start_and_congestion_avoidance() {
    let mut r = wide_reno();
    r.accept_peer(WIDE);
    assert_eq!(r.info().cwnd, 14_600);
    // Slow start: as many octets more as were acknowledged, at most 2 SMSS per ACK.
    let outs = r.write(&text(200_000));
    assert_eq!(outs.len(), 10);
    r.send(Seg::new().ack(1460));
    assert_eq!(r.info().cwnd, 14_600 + 1460);
    r.send(Seg::new().ack(2 * 1460));
    assert_eq!(r.info().cwnd, 14_600 + 2 * 1460);
    // Timeout: one segment, half of the flight as threshold.
    let flight = r.info().flight;
    let outs = r.advance(s(1));
    expect(&outs, &["ACK seq=2920 ack=0 len=1460"]);
    let info = r.info();
    assert_eq!((info.cwnd, info.ssthresh), (1460, flight / 2));
    // Slow start up to the threshold, then one segment per window.
    let mut last = info.cwnd;
    let mut grew = Vec::new();
    for _ in 0..60 {
        r.send(Seg::new());
        let info = r.info();
        grew.push((last, info.cwnd - last));
        last = info.cwnd;
    }
    let ssthresh = r.info().ssthresh;
    for (cwnd, by) in grew {
        let most = if cwnd < ssthresh { 2 * 1460 } else { 1460 };
        assert!(by <= most, "from {cwnd} by {by}, threshold {ssthresh}");
    }
    assert!(last > ssthresh && last < ssthresh + 60 * 1460 / 2, "{last}");
}

#[test]
fn must_19_congestion_avoidance_adds_one_segment_per_window() {
    let mut r = wide_reno();
    r.accept_peer(WIDE);
    r.write(&text(500_000));
    r.advance(s(1));
    while r.info().cwnd < r.info().ssthresh || r.info().flight > r.info().cwnd {
        r.send(Seg::new());
    }
    // Each window of acknowledgements, one ACK per segment, adds one segment.
    for _ in 0..3 {
        let (start, end) = (r.info().cwnd, r.side().rcv);
        let from = r.info().flight as i32;
        let mut at = end - from;
        while at < end {
            at = (at + 1460).min(end);
            r.send(Seg::new().ack(at));
        }
        let grown = r.info().cwnd - start;
        assert!([0, 1460, 2920].contains(&grown), "{start} grew by {grown}");
    }
}

#[test]
fn must_19_timeouts_back_off_exponentially() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    let start = r.now;
    let outs = r.advance(s(300));
    assert_eq!(Rig::times(&outs, start), [1, 3, 7, 15, 31, 63, 123, 183, 243].map(|n| n * 1000));
    assert!(outs.iter().all(|o| o.brief() == "ACK seq=0 ack=0 len=1"), "{}", lines(&outs));
}

#[test]
fn must_20_r1_gives_notice_and_r2_closes() {
    let mut r = Rig::established(PLAIN);
    r.write(b"x");
    r.seen();
    let start = r.now;
    r.advance(s(3600));
    let seen = r.seen();
    let notices: Vec<u64> = seen
        .iter()
        .filter(|(_, s)| *s == Seen::Soft(SoftError::Retransmitting))
        .map(|(t, _)| t.since(start).as_secs())
        .collect();
    // R1 = 3 retransmissions: one notice per episode, at the third one.
    assert_eq!(notices, [7]);
    assert_eq!(r.state(), State::Closed);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
    let over = seen.iter().find(|(_, s)| *s == Seen::Closed(CloseReason::TimedOut)).expect("closed").0;
    assert!(over.since(start) >= s(100), "R2 is at least 100 s");
    // Another episode gives another notice.
    let mut r = Rig::established(PLAIN);
    // The timeout stays doubled until a sample (RFC 6298 5.7): the second takes longer.
    for wait in [20, 200] {
        r.write(b"x");
        r.advance(s(wait));
        none(&r.send(Seg::new()));
    }
    assert_eq!(r.count_seen(&Seen::Soft(SoftError::Retransmitting)), 2);
}

#[test]
fn must_21_the_application_sets_r2() {
    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_user_timeout(Some(s(5))));
    r.write(b"x");
    r.advance(s(5) - ms(1));
    assert_eq!(r.state(), State::Established);
    r.advance(ms(2));
    assert_eq!(r.state(), State::Closed);
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));

    let mut r = Rig::established(PLAIN);
    r.handle().configure(|c, _| c.set_user_timeout(Some(Duration::MAX)));
    r.write(b"x");
    r.advance(s(3600));
    assert_eq!(r.state(), State::Established);
    assert!(!r.advance(s(120)).is_empty(), "still trying");
}

#[test]
fn must_22_syn_retransmission_follows_the_same_rules() {
    let mut r = Rig::new();
    let start = r.now;
    let first = r.connect();
    r.seen();
    let outs = r.advance(s(400));
    assert_eq!(Rig::times(&outs, start), [1, 3, 7, 15, 31, 63, 123].map(|n| n * 1000));
    for o in &outs {
        assert_eq!(
            (o.brief(), o.mss, o.wscale, o.sack_ok),
            (first.brief(), first.mss, first.wscale, first.sack_ok)
        );
        assert_eq!(o.raw_seq, first.raw_seq);
    }
    let seen = r.seen();
    let at = |what| seen.iter().find(|(_, s)| *s == what).map(|(t, _)| t.since(start).as_secs());
    assert_eq!(at(Seen::Soft(SoftError::Retransmitting)), Some(7));
    assert_eq!(at(Seen::Closed(CloseReason::TimedOut)), Some(183));
    assert_eq!(r.closed(), Some(CloseReason::TimedOut));
}

#[test]
fn must_23_r2_for_syn_is_at_least_three_minutes() {
    let mut r = Rig::new();
    r.connect();
    r.advance(s(180));
    assert_eq!(r.state(), State::SynSent);
    r.advance(s(10));
    assert_eq!(r.state(), State::Closed);
    // The application may give up earlier.
    let mut r = Rig::new();
    r.connect();
    r.handle().configure(|c, _| c.set_user_timeout(Some(s(10))));
    r.advance(s(10) - ms(1));
    assert_eq!(r.state(), State::SynSent);
    r.advance(ms(2));
    assert_eq!((r.state(), r.closed()), (State::Closed, Some(CloseReason::TimedOut)));
}

fn keepalive(r: &mut Rig, times: Option<Keepalive>) {
    r.handle().configure(|c, cx| c.set_keepalive(cx, times));
}

#[test]
fn must_24_keepalive_is_switched_per_connection() {
    let mut r = Rig::established(PLAIN);
    let one_side = r.at;
    r.peer(4001);
    r.accept_peer(PLAIN);
    let k = Keepalive { idle: s(30), interval: s(10), probes: 3 };
    keepalive(&mut r, Some(k));
    let outs = r.advance(s(30));
    assert_eq!(one(&outs).tuple.remote.port, 4001);
    none(&r.send(Seg::new()));
    keepalive(&mut r, None);
    none(&r.advance(s(300)));
    r.speak_for(one_side);
    assert_eq!(r.state(), State::Established);
}

#[test]
fn must_25_keepalive_is_off_by_default() {
    let mut r = Rig::established(PLAIN);
    none(&r.advance(s(24 * 3600)));
    assert_eq!(r.state(), State::Established);
}

#[test]
fn must_26_probes_only_when_idle() {
    let mut r = Rig::established(PLAIN);
    keepalive(&mut r, Some(Keepalive::default()));
    none(&r.advance(s(7199)));
    none(&r.send(Seg::new()));
    none(&r.advance(s(7199)));
    expect(&r.advance(s(1)), &["ACK seq=-1 ack=0"]);
    none(&r.send(Seg::new()));
    // Text in flight: retransmissions, no probes.
    r.handle().configure(|c, _| c.set_user_timeout(Some(Duration::MAX)));
    r.write(b"x");
    let outs = r.advance(s(8000));
    assert!(outs.iter().all(|o| o.seq == 0 && o.text.len() == 1), "{}", lines(&outs));
}

#[test]
fn must_27_the_interval_is_configurable() {
    let mut r = Rig::established(PLAIN);
    keepalive(&mut r, Some(Keepalive { idle: s(30), interval: s(5), probes: 4 }));
    let start = r.now;
    let outs = r.advance(s(49));
    assert_eq!(Rig::times(&outs, start), [30_000, 35_000, 40_000, 45_000]);
    assert_eq!(r.state(), State::Established);
    r.advance(s(2));
    assert_eq!((r.state(), r.closed()), (State::Closed, Some(CloseReason::TimedOut)));
}

#[test]
fn must_28_the_default_interval_is_two_hours() {
    assert_eq!(Config::default().keepalive.idle, s(7200));
    let mut r = Rig::established(PLAIN);
    keepalive(&mut r, Some(Keepalive::default()));
    none(&r.advance(s(7200) - ms(1)));
    assert_eq!(r.advance(ms(2)).len(), 1);
}

#[test]
fn must_29_one_lost_probe_does_not_kill() {
    let mut r = Rig::established(PLAIN);
    keepalive(&mut r, Some(Keepalive::default()));
    let start = r.now;
    // The tenth and last probe is answered.
    assert_eq!(r.advance(s(7880)).len(), 10);
    none(&r.send(Seg::new()));
    assert_eq!(r.advance(s(7200)).len(), 1);
    assert_eq!(r.state(), State::Established);
    // Ten unanswered ones are the end.
    let mut r2 = Rig::established(PLAIN);
    keepalive(&mut r2, Some(Keepalive::default()));
    let start2 = r2.now;
    assert_eq!(start, start2);
    let outs = r2.advance(s(7949));
    let want: Vec<u64> = (0..10).map(|n| (7200 + 75 * n) * 1000).collect();
    assert_eq!(Rig::times(&outs, start2), want);
    assert_eq!(r2.state(), State::Established);
    none(&r2.advance(s(2)));
    assert_eq!((r2.state(), r2.closed()), (State::Closed, Some(CloseReason::TimedOut)));
    assert_eq!(r2.count_seen(&Seen::Timer(TimerKind::Keepalive)), 11);
}
