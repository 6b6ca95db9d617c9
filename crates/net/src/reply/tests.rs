use super::*;
use crate::testkit::{PEER, US, peer, us};

fn tcp(port: u16) -> TcpReply {
    let tuple = Tuple { local: us(80), remote: peer(port) };
    let ip = IpFields { ttl: 64, tos: 0, flow: 0 };
    TcpReply { tuple, head: Head::default(), why: Why::ResetReply, ip }
}

#[test]
fn strays_are_bounded_ends_of_connections_are_not() {
    let mut r = Replies::new(1024);
    assert!((0..1024).all(|port| r.push_tcp(tcp(port), Cause::Stray)));
    assert!(!r.push_tcp(tcp(1024), Cause::Stray));
    assert!(!r.push_icmp(US, PEER, &[], &[]));
    assert!(r.push_tcp(tcp(1025), Cause::Connection));
    for port in (0..1024).chain([1025]) {
        assert_eq!(r.next_destination(), Some(PEER));
        assert!(matches!(r.pop(), Some(Reply::Tcp(t)) if t.tuple.remote.port == port));
    }
    assert!(r.pop().is_none() && r.is_empty());
}

#[test]
fn buffers_come_back_empty() {
    let mut r = Replies::new(1024);
    for round in 0..3u8 {
        assert!(r.push_icmp(US, PEER, &[round], b"body"));
        let Some(Reply::Icmp(i)) = r.pop() else { panic!("an ICMP message was queued") };
        assert_eq!(i.message, [&[round][..], b"body"].concat());
        r.recycle(i.message);
        assert_eq!(r.spare.len(), 1);
    }
}
