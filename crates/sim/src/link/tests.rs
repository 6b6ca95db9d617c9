use super::*;

use alloc::vec::Vec;

const MS: Duration = Duration::from_millis(1);

fn link(cfg: LinkConfig) -> Link {
    Link::new(cfg, Rng::new(1))
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn arrival(fate: Fate) -> Instant {
    match fate {
        Fate::Carried(a) | Fate::Doubled(a, _) => a.at,
        Fate::Lost(cause) => panic!("{cause}"),
    }
}

#[test]
fn delay_alone_is_exact() {
    let mut link = link(LinkConfig { delay: 7 * MS, ..LinkConfig::default() });
    for ms in 0..100 {
        let fate = link.offer(at(ms), &[0; 1500], Size::Packet);
        assert_eq!(fate, Fate::Carried(Arrival { at: at(ms + 7), flipped: None }));
    }
    assert_eq!(link.offer(at(100), &[0; 1501], Size::Packet), Fate::Lost(Cause::TooLong));
    assert_eq!(arrival(link.offer(at(100), &[0; 9000], Size::Super)), at(107));
}

#[test]
fn rate_spaces_packets_and_the_queue_is_bounded() {
    // 8 kbit/s: an octet a millisecond.
    let rate = NonZeroU64::new(8_000);
    let mut link = link(LinkConfig { delay: MS, rate, queue: 350, ..LinkConfig::default() });
    assert_eq!(arrival(link.offer(at(0), &[0; 100], Size::Packet)), at(101));
    assert_eq!(arrival(link.offer(at(0), &[0; 100], Size::Packet)), at(201));
    assert_eq!(arrival(link.offer(at(0), &[0; 150], Size::Packet)), at(351));
    assert_eq!(link.offer(at(0), &[0; 1], Size::Packet), Fate::Lost(Cause::QueueFull));
    // 50 octets have left.
    assert_eq!(link.offer(at(50), &[0; 51], Size::Packet), Fate::Lost(Cause::QueueFull));
    assert_eq!(arrival(link.offer(at(50), &[0; 50], Size::Packet)), at(401));
    assert_eq!(arrival(link.offer(at(1000), &[0; 10], Size::Packet)), at(1011));
}

#[test]
fn jitter_keeps_the_order_and_its_bound() {
    let mut link = link(LinkConfig { jitter: 50 * MS, ..LinkConfig::default() });
    let mut last = at(0);
    let mut spread = 0;
    for ms in 0..1000 {
        let got = arrival(link.offer(at(ms), &[0; 40], Size::Packet));
        assert!(got >= last && got >= at(ms + 10) && got <= at(ms + 60));
        spread = spread.max((got - at(ms + 10)).as_millis());
        last = got;
    }
    assert!(spread > 40);
}

#[test]
fn held_packets_are_overtaken() {
    let reorder = Reorder { chance: Ppm::percent(10), hold: 20 * MS };
    let mut link = link(LinkConfig { reorder, ..LinkConfig::default() });
    let arrivals: Vec<Instant> =
        (0..1000).map(|ms| arrival(link.offer(at(ms), &[0; 40], Size::Packet))).collect();
    let overtaken = arrivals.windows(2).filter(|w| w[1] < w[0]).count();
    assert!((60..130).contains(&overtaken), "{overtaken}");
    let late = arrivals.iter().zip(0..).filter(|(got, ms)| **got > at(*ms + 30)).count();
    assert_eq!(late, 0);
}

fn lost(link: &mut Link, n: u64) -> Vec<bool> {
    (0..n).map(|ms| link.offer(at(ms), &[0; 40], Size::Packet) == Fate::Lost(Cause::Wire)).collect()
}

#[test]
fn independent_loss_has_its_rate() {
    let mut link = link(LinkConfig { loss: Loss::Independent(Ppm::percent(5)), ..LinkConfig::default() });
    let count = lost(&mut link, 100_000).into_iter().filter(|l| *l).count();
    assert!((4_800..5_200).contains(&count), "{count}");
}

#[test]
fn burst_loss_comes_in_bursts() {
    let loss =
        Loss::Burst { enter: Ppm::percent(1), leave: Ppm::percent(25), good: Ppm::NEVER, bad: Ppm::ALWAYS };
    let mut link = link(LinkConfig { loss, ..LinkConfig::default() });
    let lost = lost(&mut link, 100_000);
    let count = lost.iter().filter(|l| **l).count();
    // In the long run bad 1/26 of the time; bursts of 4 on the average.
    assert!((3_400..4_300).contains(&count), "{count}");
    let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count();
    assert!((3 * bursts..5 * bursts).contains(&count), "{count} in {bursts}");
}

#[test]
fn listed_and_filtered_packets_are_lost() {
    let mut link = link(LinkConfig::default());
    link.drop_nth(2);
    link.set_filter(Some(Box::new(|offer| match offer.bytes {
        [9, ..] => Pass::Lost,
        _ if offer.now >= at(50) || offer.nth == 4 => Pass::Lost,
        _ => Pass::Through,
    })));
    let fates = [(0, 1), (1, 1), (2, 9), (3, 1), (4, 1), (50, 1)].map(|(ms, first)| {
        match link.offer(at(ms), &[first; 40], Size::Packet) {
            Fate::Lost(cause) => Some(cause),
            _ => None,
        }
    });
    let filter = Some(Cause::Filter);
    assert_eq!(fates, [None, Some(Cause::Listed), filter, filter, None, filter]);
    link.set_filter(None);
    assert_eq!(arrival(link.offer(at(60), &[9], Size::Packet)), at(70));
    assert_eq!(link.offered(), 7);
}

#[test]
fn duplicates_and_flipped_bits_have_their_rates() {
    let cfg = LinkConfig { duplicate: Ppm::percent(10), corrupt: Ppm::percent(20), ..LinkConfig::default() };
    let mut link = link(cfg);
    let (mut doubled, mut flipped) = (0, 0);
    for ms in 0..10_000 {
        let arrivals = match link.offer(at(ms), &[0; 40], Size::Packet) {
            Fate::Carried(a) => [Some(a), None],
            Fate::Doubled(a, b) => [Some(a), Some(b)],
            Fate::Lost(cause) => panic!("{cause}"),
        };
        doubled += u32::from(arrivals[1].is_some());
        for arrival in arrivals.into_iter().flatten() {
            assert!(arrival.flipped.is_none_or(|bit| bit < 320));
            flipped += u32::from(arrival.flipped.is_some());
        }
    }
    assert!((900..1100).contains(&doubled), "{doubled}");
    assert!((2050..2350).contains(&flipped), "{flipped}");
}
