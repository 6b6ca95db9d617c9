use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::string::ToString;

use proptest::prelude::*;

use super::*;

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn both_versions_keep_their_octets_and_names() {
    assert_eq!(Addr::v4([10, 9, 0, 1]).as_v4(), Some([10, 9, 0, 1]));
    assert_eq!(addr("2001:db8::1").as_v4(), None);
    assert_eq!(Addr::v4([10, 9, 0, 1]).to_string(), "10.9.0.1");
    assert_eq!(addr("2001:db8::1").to_string(), "2001:db8::1");
    assert_eq!(std::format!("{:?}", addr("::1")), "::1");
    // RFC 4291 2.5.5.2
    assert_eq!(Addr::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 1]), Addr::v4([10, 9, 0, 1]));
    assert_eq!(Addr::from(std::net::Ipv4Addr::LOCALHOST), addr("127.0.0.1"));
    assert_eq!(Addr::from(std::net::Ipv6Addr::LOCALHOST), addr("::1"));
}

#[test]
fn kinds_of_addresses() {
    for (text, unspecified, multicast, loopback, broadcast) in [
        ("0.0.0.0", true, false, false, false),
        ("::", true, false, false, false),
        ("0.0.0.1", false, false, false, false),
        ("223.255.255.255", false, false, false, false),
        ("224.0.0.0", false, true, false, false),
        ("239.255.255.255", false, true, false, false),
        ("240.0.0.0", false, false, false, false),
        ("255.255.255.255", false, false, false, true),
        ("126.255.255.255", false, false, false, false),
        ("127.0.0.0", false, false, true, false),
        ("127.255.255.255", false, false, true, false),
        ("128.0.0.0", false, false, false, false),
        ("ff00::", false, true, false, false),
        ("ff02::1", false, true, false, false),
        ("fe80::1", false, false, false, false),
        ("::1", false, false, true, false),
        ("::2", false, false, false, false),
        // Not IPv4: the prefix of IPv4-mapped addresses has sixteen ones.
        ("::7f00:1", false, false, false, false),
    ] {
        let a = addr(text);
        assert_eq!(a.is_unspecified(), unspecified, "{text}");
        assert_eq!(a.is_multicast(), multicast, "{text}");
        assert_eq!(a.is_loopback(), loopback, "{text}");
        assert_eq!(a.is_limited_broadcast(), broadcast, "{text}");
    }
    assert_eq!(addr("10.0.0.1").unspecified_like(), addr("0.0.0.0"));
    assert_eq!(addr("fe80::1").unspecified_like(), addr("::"));
    assert!(Addr::V4_UNSPECIFIED.is_v4() && !Addr::V6_UNSPECIFIED.is_v4());
}

#[test]
fn endpoints_and_tuples_have_names_and_order() {
    let (a, b) = (Endpoint::new(addr("10.9.0.1"), 4000), Endpoint::new(addr("2001:db8::2"), 80));
    assert_eq!((a.to_string(), b.to_string()), ("10.9.0.1:4000".into(), "[2001:db8::2]:80".into()));
    let t = Tuple { local: a, remote: b };
    assert_eq!(t.to_string(), "10.9.0.1:4000 <-> [2001:db8::2]:80");
    assert_eq!(t.flipped(), Tuple { local: b, remote: a });
    assert_eq!(t.flipped().flipped(), t);
    assert_eq!(BTreeSet::from([t, t.flipped(), t]).len(), 2);
}

proptest! {
    #[test]
    fn std_types_come_back(octets: [u8; 16], v4: [u8; 4], port: u16) {
        for a in [Addr::v6(octets), Addr::v4(v4)] {
            prop_assert_eq!(Addr::from(IpAddr::from(a)), a);
            let e = Endpoint::new(a, port);
            prop_assert_eq!(Endpoint::from(SocketAddr::from(e)), e);
            prop_assert_eq!(e.to_string().parse::<SocketAddr>().unwrap(), SocketAddr::from(e));
        }
    }
}
