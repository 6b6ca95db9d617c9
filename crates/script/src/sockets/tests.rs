//! A short life through calls, packets and a clock from outside.

use super::*;
use crate::ast::{Expr, Field};

fn word(w: &str) -> Expr {
    Expr::Word(w.into())
}

fn call(name: &str, args: Vec<Expr>, result: i64) -> Call {
    Call { name: name.into(), args, result: Expr::Int(result), errno: None, note: None }
}

fn done(begun: Result<Begun, String>) -> Reply {
    match begun {
        Ok(Begun::Done(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

fn sockets() -> Sockets {
    Sockets::new(&Profile::linux(), &[]).unwrap()
}

fn address(family: &str, port: i64, addr: &str) -> Expr {
    let field = |name: &str, value| Field { name: Some(name.into()), count: None, value };
    Expr::Struct(vec![
        field("sa_family", word(family)),
        field("sin_port", Expr::Int(port)),
        field("sin_addr", Expr::Text(addr.into())),
    ])
}

/// A listener on `addr` sees its own address without having been told.
#[test]
fn first_address_bound_is_ours() {
    let mut sockets = sockets();
    let here: std::net::IpAddr = "192.168.77.5".parse().unwrap();
    let socket = call("socket", vec![word("AF_INET"), word("SOCK_STREAM"), Expr::Int(0)], 70);
    assert_eq!(done(sockets.call(&socket, &[])).value, 70);
    sockets.settle(here.into());
    let bind = |addr| call("bind", vec![Expr::Int(70), address("AF_INET", 8080, addr), Expr::Ellipsis], 0);
    assert_eq!(done(sockets.call(&bind("192.168.0.1"), &[])).errno, Some("EADDRNOTAVAIL"));
    assert_eq!(done(sockets.call(&bind("192.168.77.5"), &[])).value, 0);
    // Settled once and for all.
    sockets.settle("192.168.0.1".parse::<std::net::IpAddr>().unwrap().into());
    assert_eq!(sockets.stack.addrs()[0].addr, here.into());
}

#[test]
fn a_connection_is_opened_and_given_up() {
    let mut sockets = sockets();
    done(sockets.call(&call("socket", vec![word("AF_INET"), Expr::Int(1), Expr::Int(6)], 9), &[]));
    let connect = call("connect", vec![Expr::Int(9), address("AF_INET", 80, "192.0.2.1"), Expr::Ellipsis], 0);
    let Ok(Begun::Waits(mut pending)) = sockets.call(&connect, &[]) else { panic!("connect does not wait") };
    assert_eq!(sockets.tcp_info(9).unwrap()["tcpi_state"], 2);
    let mut syns = 0;
    let reply = loop {
        while let Some(sent) = sockets.sent() {
            assert_eq!((sent.at, sent.why.is_some()), (sockets.now(), true));
            syns += 1;
        }
        let next = sockets.next().min(Sockets::gives_up(&pending));
        sockets.turn(next);
        match sockets.go_on(pending).unwrap() {
            Begun::Done(reply) => break reply,
            Begun::Waits(again) => pending = again,
        }
    };
    let tcp = Profile::linux().tcp;
    assert_eq!((reply.errno, syns), (Some("ETIMEDOUT"), 1 + u32::from(tcp.syn_retries + tcp.syn_linear)));
}

/// What the program writes is what is sent, octet by octet.
#[test]
fn options_and_octets_come_out() {
    let mut sockets = sockets();
    done(sockets.call(&call("socket", vec![word("AF_INET"), Expr::Int(1), Expr::Int(6)], 9), &[]));
    let ask = |name: &str| {
        call("getsockopt", vec![Expr::Int(9), word("SOL_SOCKET"), word(name), Expr::Ellipsis], 0)
    };
    assert_eq!(done(sockets.call(&ask("SO_TYPE"), &[])).handed, Handed::Value(Value::Number(1)));
    assert_eq!(done(sockets.call(&ask("SO_ERROR"), &[])).handed, Handed::Value(Value::Error(None)));
    assert_eq!(done(sockets.call(&ask("SO_LINGER"), &[])).handed, Handed::Value(Value::Linger(None)));
    assert!(sockets.call(&ask("SO_NO_SUCH"), &[]).is_err());
    let pipe = call("pipe", vec![Expr::Array(vec![Expr::Int(20), Expr::Int(21)])], 0);
    done(sockets.call(&pipe, &[]));
    let write = call("write", vec![Expr::Int(21), Expr::Ellipsis, Expr::Int(5)], 5);
    assert_eq!(done(sockets.call(&write, b"hello")).value, 5);
    let read = call("read", vec![Expr::Int(20), Expr::Ellipsis, Expr::Int(9)], 5);
    assert_eq!(done(sockets.call(&read, &[])).handed, Handed::Octets(b"hello".to_vec()));
}

/// Settings and errors of ICMP have the words of a script.
#[test]
fn settings_are_those_of_scripts() {
    let mut sockets = sockets();
    assert!(sockets.set("net.ipv4.tcp_sack", "0").is_ok());
    assert!(!sockets.stack.tcp_config_mut().sack);
    assert!(sockets.set("net.ipv4.no_such", "0").is_err());
}

#[test]
fn icmp_errors_have_an_errno() {
    let v4 = |kind: u8, code: u8| {
        let (src, dst) = (Addr::v4([192, 0, 2, 1]), Addr::v4([192, 168, 0, 1]));
        let head = ipv4::Head { src, dst, protocol: 1, ttl: 64, tos: 0 }.emit(8);
        [&head[..], &[kind, code, 0, 0, 0, 0, 0, 0]].concat()
    };
    assert_eq!(icmp_errno(&v4(3, 3)), Some(Some("ECONNREFUSED")));
    assert_eq!(icmp_errno(&v4(3, 1)), Some(Some("EHOSTUNREACH")));
    assert_eq!(icmp_errno(&v4(3, 7)), Some(Some("EHOSTDOWN")));
    assert_eq!(icmp_errno(&v4(4, 0)), Some(None));
    assert_eq!(icmp_errno(&v4(8, 0)), None, "an echo request is no error");
    assert_eq!(icmp_errno(&[]), None);
}
