use super::*;

use crate::{Ending, LinkConfig, World, host};
use alloc::vec;
use synfin_wire::Addr;

const AT: Endpoint = Endpoint::new(Addr::v4([10, 0, 0, 2]), 80);

fn world() -> (World, crate::NodeId, crate::NodeId) {
    let mut world = World::new(1);
    let a = world.add_node("a", host(&[Addr::v4([10, 0, 0, 1])]));
    let b = world.add_node("b", host(&[AT.addr]));
    world.join(a, b, LinkConfig::default(), LinkConfig::default());
    (world, a, b)
}

#[test]
fn every_life_is_counted() {
    let (mut world, a, b) = world();
    let server = world.add_app(b, ChurnServer::new(vec![AT]));
    let client = world.add_app(a, Churn::new(vec![AT], 500, 7));
    assert_eq!(world.run_until(Instant::from_millis(50)), Ending::Time);
    let churn: &Churn = world.app(client).unwrap();
    assert!(!churn.is_over() && churn.open.len() == 7);
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let churn: &Churn = world.app(client).unwrap();
    assert!(churn.is_over());
    assert_eq!((churn.done(), churn.failures()), (500, &[][..]));
    let server: &ChurnServer = world.app(server).unwrap();
    assert_eq!((server.accepted(), server.open()), (500, 0));
}

#[test]
fn failures_are_told() {
    let (mut world, a, _) = world();
    let client = world.add_app(a, Churn::new(vec![AT], 3, 1));
    assert_eq!(world.run_until(Instant::NEVER), Ending::Idle);
    let churn: &Churn = world.app(client).unwrap();
    let refused = Failure::Ended(CloseReason::Refused);
    assert_eq!((churn.done(), churn.failures()), (0, &[(0, refused), (1, refused), (2, refused)][..]));
}
