use synfin_wire::{Addr, Endpoint, Seq, Tuple};

use super::{Flow, octet, octets};

fn flow() -> Flow {
    let at = |o, port| Endpoint::new(Addr::v4(o), port);
    Flow::new(Tuple { local: at([1, 2, 3, 4], 5), remote: at([6, 7, 8, 9], 10) }, Seq::new(0xffff_fff0))
}

#[test]
fn numbers_translate_both_ways_across_the_wrap() {
    let mut f = flow();
    assert_eq!(f.peer_to_wire(0x20), Seq::new(0x10));
    assert_eq!(f.peer_to_script(Seq::new(0x10)), 0x20);
    assert!(!f.knows_ours());
    f.learn_ours(0, Seq::new(u32::MAX));
    assert_eq!(f.our_to_wire(1), Seq::new(0));
    assert_eq!(f.our_to_script(Seq::new(9)), 10);
}

#[test]
fn a_second_syn_begins_anew() {
    let mut f = flow();
    f.learn_ours(0, Seq::new(100));
    f.learn_ours(0, Seq::new(70_000));
    assert_eq!(f.our_to_script(Seq::new(70_001)), 1);
}

#[test]
fn echoes_are_of_what_was_seen() {
    let mut f = flow();
    assert_eq!(f.echo_to_wire(0), Some(0));
    assert_eq!(f.echo_to_wire(100), None);
    f.learn_stamp(100, 5_000);
    f.learn_stamp(130, 5_031);
    assert_eq!(f.echo_to_wire(100), Some(5_000));
    assert_eq!(f.ticks_since_first(130, 5_031), Some((30, 31)));
    assert_eq!(f.stamp_to_script(5_040), 140);
}

#[test]
fn octets_tell_their_place() {
    assert_eq!(octets(300, 4), [octet(300), octet(301), octet(302), octet(303)]);
    assert_ne!(octet(0), octet(1));
    assert_ne!(octets(0, 64), octets(256, 64));
}
