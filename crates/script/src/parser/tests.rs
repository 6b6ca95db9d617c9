use synfin_wire::Flags;

use super::{Defines, parse, parse_with};
use crate::ast::{Body, Direction, EcnSpec, Expr, Opt, OptSpec, Packet, What, When};

fn packet(text: &str) -> Packet {
    let script = parse(text, "t").unwrap();
    match script.events.into_iter().next().unwrap().what {
        What::Packet(p) => p,
        other => panic!("{other:?}"),
    }
}

fn call(text: &str) -> crate::ast::Call {
    let script = parse(text, "t").unwrap();
    match script.events.into_iter().next().unwrap().what {
        What::Call(c) => c,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_form_of_time() {
    let text = "0.5 > . 1:1(0) ack 1\n+.1 > . 1:1(0) ack 1\n* > . 1:1(0) ack 1\n\
                1~2 > . 1:1(0) ack 1\n+0~+.25 > . 1:1(0) ack 1\n+0...0.3 read(4, ..., 10) = 10";
    let script = parse(text, "t").unwrap();
    let when: Vec<_> = script.events.iter().map(|e| e.when).collect();
    assert_eq!(
        when,
        [
            When::Absolute(500_000),
            When::Relative(100_000),
            When::Any,
            When::AbsoluteRange(1_000_000, 2_000_000),
            When::RelativeRange(0, 250_000),
            When::Relative(0),
        ]
    );
    assert_eq!(script.events[5].until, Some(300_000));
    assert_eq!(script.events[5].line, 6);
}

#[test]
fn a_syn_with_options() {
    let p =
        packet("+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>\n+0 < . 1:1(0) ack 1 win 9");
    assert_eq!(p.dir, Direction::In);
    let Body::Tcp(t) = p.body else { panic!() };
    assert_eq!((t.flags, t.seq, t.len, t.ack, t.win), (Flags::SYN, 0, 0, None, Some(32792)));
    let list = vec![Opt::Mss(1000), Opt::SackOk, Opt::Nop, Opt::Nop, Opt::Nop, Opt::Wscale(7)];
    assert_eq!(t.opts, OptSpec::List(list));
}

#[test]
fn flags_of_every_kind() {
    for (text, flags) in [
        ("P.", Flags::PSH.with(Flags::ACK)),
        ("SEWA", Flags::SYN.with(Flags::ECE).with(Flags::CWR).with(Flags::AE)),
        ("FR.", Flags::FIN.with(Flags::RST).with(Flags::ACK)),
        ("U.", Flags::URG.with(Flags::ACK)),
        (".5", Flags::ACK.with(Flags::AE).with(Flags::ECE)),
        ("P.3", Flags::PSH.with(Flags::ACK).with(Flags::CWR).with(Flags::ECE)),
        ("-", Flags::default()),
    ] {
        let ack = if flags.has(Flags::ACK) { " ack 1" } else { "" };
        let Body::Tcp(t) = packet(&format!("+0 < {text} 1:11(10){ack} win 5")).body else { panic!() };
        assert_eq!(t.flags, flags, "{text}");
        assert_eq!(t.len, 10);
    }
}

#[test]
fn options_that_have_arguments() {
    let text = "+0 > . 1:1(0) ack 1 <nop,nop,TS val 5 ecr 6,nop,nop,sack 1:2 3:4>\n\
                +0 > S 0:0(0) <FO,nop,nop,FOEXP 0a1b,md5 00ff,ECN e1b 1 ceb 0 e0b 2,eol>\n\
                +0 > . 1:1(0) ack 1 <...>\n+0 > . 1:1(0) ack 1";
    let script = parse(text, "t").unwrap();
    let opts: Vec<_> = script
        .events
        .into_iter()
        .map(|e| match e.what {
            What::Packet(Packet { body: Body::Tcp(t), .. }) => t.opts,
            other => panic!("{other:?}"),
        })
        .collect();
    let ts = Opt::Ts { val: 5, ecr: 6 };
    let sack = Opt::Sack(vec![(1, 2), (3, 4)]);
    assert_eq!(opts[0], OptSpec::List(vec![Opt::Nop, Opt::Nop, ts, Opt::Nop, Opt::Nop, sack]));
    assert_eq!(
        opts[1],
        OptSpec::List(vec![
            Opt::Fo(vec![]),
            Opt::Nop,
            Opt::Nop,
            Opt::FoExp(vec![0x0a, 0x1b]),
            Opt::Md5(vec![0, 0xff]),
            Opt::AccEcn(174, vec![1, 0, 2]),
            Opt::Eol,
        ])
    );
    assert_eq!(opts[2], OptSpec::Any);
    assert_eq!(opts[3], OptSpec::List(vec![]));
}

#[test]
fn headers_in_front() {
    assert_eq!(packet("+0 < [ect0] . 1:1(0) ack 1 win 5").ip.ecn, EcnSpec::Ect0);
    assert_eq!(packet("+0 < [tos 0x10, ttl 3] . 1:1(0) ack 1 win 5").ip.ttl, Some(3));
    assert_eq!(packet("+0 < 5001 > 8080: . 1:1(0) ack 1 win 5").ports, Some((5001, 8080)));
    let p = packet("+0 < ipv6 2::2222 > 1::1111: gre: . 1:1001(1000) ack 1 win 123");
    assert_eq!(p.outer.len(), 2);
    let p = packet(
        "+0 > ipv4 2.2.2.2 > 1.1.1.1: gre:\n mpls (label 0, tc 0, ttl 0) (label 5, tc 7, [S], ttl 2): . 1:1(0) ack 1",
    );
    assert_eq!(p.outer.len(), 3);
}

#[test]
fn icmp_messages() {
    let Body::Icmp(m) = packet("+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]").body else {
        panic!()
    };
    assert_eq!((m.kind.as_str(), m.code.as_deref(), m.mtu), ("unreachable", Some("frag_needed"), Some(1200)));
    assert_eq!(m.quoted, Some((1, 1460)));
    let Body::Icmp(m) = packet("+0 < icmp unreachable [5000:6000(1000)]").body else { panic!() };
    assert_eq!((m.code, m.mtu, m.quoted), (None, None, Some((5000, 1000))));
    let Body::Icmp(m) = packet("+0 < icmp type 2 mtu 1280 [1:11(10)]").body else { panic!() };
    assert_eq!((m.kind.as_str(), m.mtu), ("2", Some(1280)));
}

#[test]
fn calls_and_their_arguments() {
    let c = call("0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3");
    assert_eq!(c.name, "socket");
    let kind = Expr::Or(vec![Expr::Word("SOCK_STREAM".into()), Expr::Word("SOCK_NONBLOCK".into())]);
    assert_eq!(c.args, [Expr::Ellipsis, kind, Expr::Word("IPPROTO_TCP".into())]);
    assert_eq!(c.result, Expr::Int(3));

    let c = call("+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)");
    assert_eq!((c.result, c.errno.as_deref()), (Expr::Int(-1), Some("EINPROGRESS")));
    assert_eq!(c.note.as_deref(), Some("Operation now in progress"));

    let c = call("+0 fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)");
    assert_eq!(c.result, Expr::Int(0x802));

    let c = call("+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0");
    assert_eq!(c.args[3].field("onoff"), Some(&Expr::Int(1)));

    let c =
        call("+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=0}, 0) = 30");
    let Some(Expr::Array(iov)) = c.args[1].field("msg_iov") else { panic!("{c:?}") };
    assert_eq!(iov.len(), 2);

    let c = call("+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1");
    let Expr::Array(fds) = &c.args[0] else { panic!() };
    assert_eq!(fds[0].field("fd"), Some(&Expr::Int(4)));

    let text =
        "+0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}, 16) = 0";
    let c = call(text);
    assert_eq!(c.args[1].field("sin_port"), Some(&Expr::Apply("htons".into(), vec![Expr::Int(80)])));
}

#[test]
fn options_commands_and_code() {
    let text = "--tolerance_usecs=10000 --ip_version=ipv4\n--local_ip=fd3d:a::1\n--init_scripts=\"a b\"\n\
                `./defaults.sh\nsysctl -q a=b`\n+0 %{ assert tcpi_rtt > 5 }%\n+.1 `sleep 1`";
    let script = parse(text, "t").unwrap();
    let options: Vec<_> = script.options.iter().map(|o| (o.name.as_str(), o.value.as_str())).collect();
    assert_eq!(
        options,
        [
            ("tolerance_usecs", "10000"),
            ("ip_version", "ipv4"),
            ("local_ip", "fd3d:a::1"),
            ("init_scripts", "a b")
        ]
    );
    assert!(matches!(&script.events[0].what, What::Command(c) if c.contains("sysctl")));
    assert!(matches!(&script.events[1].what, What::Code(c) if c.contains("assert")));
    assert_eq!(script.events.len(), 3);
}

#[test]
fn definitions_replace_words() {
    let defines =
        Defines::from([("COOKIE".to_string(), "0aff".to_string()), ("LEVEL".into(), "SOL_IP".into())]);
    let text = "+0 < S 0:0(0) win 5 <FO COOKIE>\n+0 f(LEVEL) = 0";
    let script = parse_with(text, "t", &defines).unwrap();
    let What::Packet(Packet { body: Body::Tcp(t), .. }) = &script.events[0].what else { panic!() };
    assert_eq!(t.opts, OptSpec::List(vec![Opt::Fo(vec![0x0a, 0xff])]));
    let What::Call(c) = &script.events[1].what else { panic!() };
    assert_eq!(c.args, [Expr::Word("SOL_IP".into())]);
}

#[test]
fn errors_name_their_line() {
    for (text, line) in [
        ("\n+0 < S 0:0(0) win 5 <mss>", 2),
        ("+0 nothing", 1),
        ("\n\n+0 < . 1:11(5) ack 1 win 5", 3),
        ("+0 < Q 1:1(0) win 5", 1),
        ("+0 < . 1:1(0) ack 1 win 70000", 1),
        ("+0~+1 read(3, ..., 1) = 1", 1),
        ("+0 < . 1:1(0) ack 1 win 5 <...>", 1),
        (&format!("+0 f({}", "[".repeat(100_000)), 1),
    ] {
        let error = parse(text, "t").unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
    }
}

#[test]
fn a_known_difference_is_told() {
    let script = parse("0 close(3) = 0\n  // linux differs: it waits  \n", "t.pkt").unwrap();
    assert_eq!(script.differs.as_deref(), Some("it waits"));
    assert_eq!(parse("// linux does the same\n0 close(3) = 0", "t.pkt").unwrap().differs, None);
}
