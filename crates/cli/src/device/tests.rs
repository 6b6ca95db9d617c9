use super::*;

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

#[test]
fn the_neighbour_is_the_first_other_host() {
    for (ours, theirs) in [
        ("10.9.0.2/24", "10.9.0.1/24"),
        ("10.9.0.1/24", "10.9.0.2/24"),
        ("10.9.0.129/25", "10.9.0.130/25"),
        ("10.9.0.7/31", "10.9.0.6/31"),
        ("10.200.3.4/8", "10.0.0.1/8"),
        ("fd00:9::2/64", "fd00:9::1/64"),
        ("fd00:9::1/127", "fd00:9::/127"),
        ("fd00:9::5/126", "fd00:9::6/126"),
    ] {
        assert_eq!(neighbour(&cidr(ours)).unwrap(), cidr(theirs), "{ours}");
    }
    for alone in ["10.9.0.2/32", "fd00::1/128"] {
        assert!(matches!(neighbour(&cidr(alone)), Err(Failure::Bad(_))), "{alone}");
    }
}

#[test]
fn only_hosts_have_addresses() {
    for good in ["10.9.0.2/24", "10.9.0.0/31", "10.9.0.255/31", "10.9.0.0/32", "10.9.0.255/16", "fd00::/64"] {
        assert!(check_host(&cidr(good), "--address").is_ok(), "{good}");
    }
    for bad in ["10.9.0.255/24", "10.9.0.0/24", "127.0.0.1/8", "::1/128", "255.255.255.255/32"] {
        assert!(matches!(check_host(&cidr(bad), "--address"), Err(Failure::Bad(_))), "{bad}");
    }
}

#[test]
fn networks_hold_their_hosts() {
    assert!(same_network(&cidr("10.9.0.2/24"), &cidr("10.9.0.200/24")));
    assert!(!same_network(&cidr("10.9.0.2/24"), &cidr("10.9.1.2/24")));
    assert!(same_network(&cidr("10.9.0.2/0"), &cidr("192.168.0.1/24")));
    assert!(!same_network(&cidr("10.9.0.2/24"), &cidr("fd00::1/24")));
}
