use super::*;

use crate::apps::Echo;
use crate::{Ending, LinkConfig, World, host};
use synfin_wire::Addr;

const AT: Endpoint = Endpoint::new(Addr::v4([10, 0, 0, 2]), 80);

/// Runs one conversation on a clean link and returns how it looks from both sides.
fn talk(client: Script, server: Script) -> (Report, Report) {
    let mut world = World::new(1);
    let a = world.add_node("a", host(&[Addr::v4([10, 0, 0, 1])]));
    let b = world.add_node("b", host(&[AT.addr]));
    world.join(a, b, LinkConfig::default(), LinkConfig::default());
    let served = world.add_app(b, Server::new(AT, move |_| server).with_limit(1));
    let asked = world.add_app(a, Client::new(AT, client));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let server = world.app::<Server>(served).unwrap();
    assert_eq!(server.accepted(), 1);
    (world.app::<Client>(asked).unwrap().report(), server.reports().next().unwrap())
}

#[test]
fn a_conversation_reports_what_happened() {
    let script = Script::new(1, 10_000, 20_000);
    let (client, server) = talk(script, script.mirrored());
    assert_eq!((client.outcome, client.sent, client.got), (Outcome::Done, 10_000, 20_000));
    assert_eq!((server.outcome, server.sent, server.got), (Outcome::Done, 20_000, 10_000));
    assert_eq!(client.tuple.map(Tuple::flipped), server.tuple);
    // One round trip for the SYN,ACK, half a one more for its ACK.
    assert_eq!(client.connected_at, Some(Instant::from_millis(20)));
    assert_eq!(server.connected_at, Some(Instant::from_millis(30)));
}

#[test]
fn wrong_missing_and_surplus_octets_are_found() {
    let client = Script::new(1, 0, 10_000);
    let mut server = client.mirrored();
    server.send_pattern = Pattern(99);
    assert!(matches!(talk(client, server).0.outcome, Outcome::Wrong(at) if at < 10));
    server = client.mirrored();
    server.send = 9_999;
    assert_eq!(talk(client, server).0.outcome, Outcome::Short(9_999));
    server.send = 10_001;
    let (client, server) = talk(client, server);
    assert_eq!(client.outcome, Outcome::Wrong(10_000));
    // The client aborts then.
    assert!(matches!(server.outcome, Outcome::Done | Outcome::Failed(CloseReason::Reset)), "{server:?}");
}

#[test]
fn a_slow_reader_gets_everything() {
    let client = Script { read_pause: Duration::from_secs(1), ..Script::new(1, 0, 1_000_000) };
    let (client, server) = talk(client, Script { read_pause: Duration::ZERO, ..client.mirrored() });
    assert_eq!((client.outcome, client.got, server.outcome), (Outcome::Done, 1_000_000, Outcome::Done));
    // 245 reads of up to 4,096 octets, a second after each.
    assert!(client.ended_at.unwrap() >= Instant::from_millis(244_000));
}

#[test]
fn half_closed_the_other_side_goes_on() {
    let client = Script::new(1, 10, 300_000);
    let server = Script { closing: Closing::After(Duration::from_secs(90)), ..client.mirrored() };
    let (client, server) = talk(client, server);
    assert_eq!((client.outcome, client.got, server.outcome), (Outcome::Done, 300_000, Outcome::Done));
    assert!(client.ended_at.unwrap() >= Instant::from_millis(90_000));
}

#[test]
fn an_open_that_is_refused_at_once_is_told() {
    let mut world = World::new(1);
    let a = world.add_node("a", host(&[Addr::v4([10, 0, 0, 1])]));
    let bad = Endpoint::new(AT.addr, 0);
    let app = world.add_app(a, Client::new(bad, Script::new(1, 1, 1)));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let report = world.app::<Client>(app).unwrap().report();
    assert_eq!(report.outcome, Outcome::NotOpened(ConnectError::InvalidRemote));
    assert_eq!(report.ended_at, Some(Instant::ZERO));
}

#[test]
fn listening_twice_is_an_error_that_shows() {
    let mut world = World::new(1);
    let b = world.add_node("b", host(&[AT.addr]));
    let apps = [world.add_app(b, Echo::new(AT)), world.add_app(b, Echo::new(AT))];
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let listeners: Vec<_> =
        apps.iter().map(|app| world.app::<Echo>(*app).unwrap().listener().unwrap()).collect();
    assert!(listeners[0].is_ok());
    assert_eq!(listeners[1], Err(ListenError::InUse));
}
