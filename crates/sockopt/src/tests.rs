use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use super::{Queue, SockOpt, names_of, queue};

#[test]
fn options_are_set_and_read() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let option = SockOpt::named("SOL_TCP", "TCP_NODELAY").unwrap();
    assert_eq!(SockOpt::named("IPPROTO_TCP", "TCP_NODELAY"), Some(option));
    option.set(socket.as_fd(), &1_i32.to_ne_bytes()).unwrap();
    let mut value = [0; 4];
    assert_eq!(option.get(socket.as_fd(), &mut value).unwrap(), 4);
    assert_eq!(i32::from_ne_bytes(value), 1);
    let refused = option.set(socket.as_fd(), &[1]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn a_value_longer_than_the_room_is_cut() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = SockOpt::named("SOL_TCP", "TCP_CONGESTION").unwrap();
    let mut whole = [0; 16];
    let len = name.get(socket.as_fd(), &mut whole).unwrap();
    let mut start = [0xff; 4];
    assert_eq!(name.get(socket.as_fd(), &mut start[..2]).unwrap(), 2);
    assert!(len >= 2);
    assert_eq!((&start[..2], &start[2..]), (&whole[..2], &[0xff, 0xff][..]));
}

#[test]
fn options_that_hold_addresses_are_not_known() {
    assert_eq!(SockOpt::named("SOL_TCP", "TCP_ZEROCOPY_RECEIVE"), None);
    assert_eq!(SockOpt::named("SOL_SOCKET", "SO_ATTACH_FILTER"), None);
    assert_eq!(SockOpt::named("SOL_TCP", "SO_LINGER"), None);
    assert_eq!(SockOpt::unknown("SOL_TCP", 35), None);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = SockOpt::unknown("SOL_TCP", 9999).unwrap().set(socket.as_fd(), &[1; 4]).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ENOPROTOOPT));
}

#[test]
fn queues_tell_what_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut client, b"five!").unwrap();
    let mut first = [0];
    assert_eq!(server.peek(&mut first).unwrap(), 1);
    assert_eq!(queue(server.as_fd(), Queue::In).unwrap(), 5);
    assert_eq!(queue(server.as_fd(), Queue::Out).unwrap(), 0);
    assert_eq!(queue(server.as_fd(), Queue::NotSent).unwrap(), 0);
    assert_eq!(queue(server.as_fd(), Queue::AtMark).unwrap(), 0);
}

#[test]
fn numbers_have_names() {
    assert_eq!(names_of(libc::SOL_TCP, libc::TCP_NODELAY), Some(("SOL_TCP", "TCP_NODELAY")));
    assert_eq!(names_of(libc::SOL_SOCKET, libc::SO_LINGER), Some(("SOL_SOCKET", "SO_LINGER")));
    assert_eq!(names_of(libc::SOL_TCP, -1), None);
    let numbers = crate::names::OPTIONS;
    for (i, (level, name, number)) in numbers.iter().enumerate() {
        assert!(
            numbers[..i].iter().all(|(l, _, n)| (l, n) != (level, number)),
            "{name} has another's number"
        );
    }
}
