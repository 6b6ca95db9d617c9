use super::*;

fn v4(a: u8, b: u8, c: u8, d: u8) -> Addr {
    Addr::v4([a, b, c, d])
}

fn v6(last: u8) -> Addr {
    let mut o = [0; 16];
    (o[0], o[1], o[15]) = (0x20, 0x01, last);
    Addr::v6(o)
}

fn routes() -> Routes {
    Routes::new(alloc::vec![
        Cidr { addr: v4(192, 168, 0, 1), prefix: 16 },
        Cidr { addr: v4(192, 168, 7, 1), prefix: 24 },
        Cidr { addr: v4(10, 0, 0, 1), prefix: 31 },
        Cidr { addr: v6(1), prefix: 64 },
    ])
}

#[test]
fn network_arithmetic() {
    let c = Cidr { addr: v4(10, 1, 2, 3), prefix: 20 };
    assert!(c.contains(v4(10, 1, 15, 255)) && !c.contains(v4(10, 1, 16, 0)) && !c.contains(v6(1)));
    assert_eq!(c.broadcast(), Some(v4(10, 1, 15, 255)));
    for prefix in [31, 32] {
        assert_eq!(Cidr { addr: v4(10, 1, 2, 3), prefix }.broadcast(), None);
    }
    let all = Cidr { addr: v4(10, 1, 2, 3), prefix: 0 };
    assert!(all.contains(v4(200, 0, 0, 1)));
    assert_eq!(all.broadcast(), Some(v4(255, 255, 255, 255)));
    assert!(Cidr { addr: v6(1), prefix: 0 }.contains(v6(9)));
    assert!(!Cidr { addr: v6(1), prefix: 128 }.contains(v6(9)));
}

#[test]
fn destinations() {
    let r = routes();
    assert_eq!(r.destination(v4(192, 168, 7, 1)), Destination::Ours);
    for many in [v4(192, 168, 7, 255), v4(192, 168, 255, 255), v4(255, 255, 255, 255), v4(224, 0, 0, 1)] {
        assert_eq!(r.destination(many), Destination::Many, "{many}");
    }
    assert_eq!(r.destination(v4(192, 168, 7, 2)), Destination::Other);
    assert_eq!(r.destination(v6(2)), Destination::Other);
}

#[test]
fn sources_from_outside() {
    let r = routes();
    let bad = [
        v4(0, 0, 0, 0),
        v4(0, 1, 2, 3),
        v4(127, 0, 0, 1),
        v4(224, 0, 0, 5),
        v4(240, 0, 0, 1),
        v4(255, 255, 255, 255),
        v4(192, 168, 7, 255),
        v4(10, 0, 0, 1),
        Addr::V6_UNSPECIFIED,
        "::1".parse::<core::net::IpAddr>().map(Addr::from).unwrap(),
        "ff02::1".parse::<core::net::IpAddr>().map(Addr::from).unwrap(),
        v6(1),
    ];
    for a in bad {
        assert!(!r.is_valid_source(a), "{a}");
    }
    for a in [v4(10, 0, 0, 0), v4(8, 8, 8, 8), v6(2)] {
        assert!(r.is_valid_source(a), "{a}");
    }
}

#[test]
fn remotes_of_an_active_open() {
    let r = routes();
    for a in
        [v4(0, 0, 0, 0), v4(255, 255, 255, 255), v4(192, 168, 7, 255), v4(239, 1, 1, 1), Addr::V6_UNSPECIFIED]
    {
        assert_eq!(r.check_remote(Endpoint::new(a, 80)), Err(ConnectError::InvalidRemote), "{a}");
    }
    assert_eq!(r.check_remote(Endpoint::new(v4(8, 8, 8, 8), 0)), Err(ConnectError::InvalidRemote));
    assert_eq!(r.check_remote(Endpoint::new(v4(192, 168, 7, 1), 80)), Ok(()));
}

#[test]
fn source_selection() {
    let r = routes();
    assert_eq!(r.source_for(v4(192, 168, 7, 9)), Some(v4(192, 168, 7, 1)));
    assert_eq!(r.source_for(v4(192, 168, 8, 9)), Some(v4(192, 168, 0, 1)));
    assert_eq!(r.source_for(v4(8, 8, 8, 8)), Some(v4(192, 168, 0, 1)));
    assert_eq!(r.source_for(v4(10, 0, 0, 1)), Some(v4(10, 0, 0, 1)));
    assert_eq!(r.source_for(v6(7)), Some(v6(1)));
    assert_eq!(Routes::new(alloc::vec![]).source_for(v6(7)), None);
}
