use super::*;

#[test]
fn options_have_their_shapes() {
    assert_eq!(option(6, 1), Some(("SOL_TCP", "TCP_NODELAY", Shape::Int)));
    assert_eq!(option(1, 13), Some(("SOL_SOCKET", "SO_LINGER", Shape::Linger)));
    assert_eq!(option(1, 20), Some(("SOL_SOCKET", "SO_RCVTIMEO", Shape::Time)));
    assert_eq!(option(6, 13), Some(("SOL_TCP", "TCP_CONGESTION", Shape::Text)));
    assert_eq!(option(7, 7), None);
}

#[test]
fn errnos_are_linux_ones() {
    assert_eq!((errno("EAGAIN"), errno("ECONNREFUSED"), errno("ETIMEDOUT")), (11, 111, 110));
    assert_eq!(errno("no such"), libc::EIO);
}
