use core::time::Duration;

use alloc::vec::Vec;

use synfin_link::RxFrame;
use synfin_tcp::{Config, Shutdown};

use super::*;
use crate::testkit::*;

/// Two stacks on one lossless wire without delay.
struct Pair {
    client: Rig,
    server: Rig,
    l: ListenerId,
}

impl Pair {
    fn new(tcp: Config) -> Pair {
        let stack = |addr, addr6, salt| {
            let addrs = alloc::vec![Cidr { addr, prefix: 24 }, Cidr { addr: addr6, prefix: 64 }];
            let mut rig = Rig::with(StackConfig { tcp: tcp.clone(), addrs, ..StackConfig::default() });
            rig.stack = Stack::new(
                StackConfig { tcp: tcp.clone(), addrs: rig.stack.addrs().to_vec(), ..StackConfig::default() },
                Caps::plain(1500),
                secrets(salt),
            );
            rig
        };
        let (client, mut server) = (stack(PEER, PEER6, 1), stack(US, US6, 2));
        let l = server.listen_with(80, ListenOpts { backlog: 4096, ..ListenOpts::default() });
        Pair { client, server, l }
    }

    /// Packets both ways until nothing is left to send.
    fn exchange(&mut self) {
        loop {
            let (to_server, to_client) = (self.client.packets(), self.server.packets());
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
            to_server.iter().for_each(|p| self.server.stack.on_packet(self.server.now, RxFrame::plain(p)));
            to_client.iter().for_each(|p| self.client.stack.on_packet(self.client.now, RxFrame::plain(p)));
        }
    }

    fn wait(&mut self, d: Duration) {
        let until = self.client.now + d;
        loop {
            let next = self.client.stack.poll_timeout().min(self.server.stack.poll_timeout());
            if next > until {
                break;
            }
            for rig in [&mut self.client, &mut self.server] {
                rig.now = rig.now.max(next);
                rig.stack.on_timeout(rig.now);
            }
            self.exchange();
        }
        (self.client.now, self.server.now) = (until, until);
    }

    fn open(&mut self, to: Endpoint) -> (ConnId, ConnId) {
        let now = self.client.now;
        let client = self.client.stack.connect(now, to, ConnectOpts::default()).unwrap();
        self.exchange();
        let (server, _) = self.server.stack.accept(now, self.l).unwrap();
        (client, server)
    }
}

fn read_all(rig: &mut Rig, id: ConnId) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buf = [0; 8192];
    let mut handle = rig.stack.conn(rig.now, id).unwrap();
    while let Ok(n @ 1..) = handle.read(&mut buf) {
        got.extend_from_slice(&buf[..n]);
    }
    got
}

/// DESIGN 5, journey 4, in both orders, and by abort: every way to end, 100,000 lives, and nothing is left.
#[test]
fn a_hundred_thousand_lives_leave_nothing() {
    // A short wait, so that the ports of one client suffice.
    let tcp = Config { msl: Duration::from_millis(500), ..Config::default() };
    let mut pair = Pair::new(tcp);
    let now = |pair: &Pair| pair.client.now;
    for life in 0..100_000u32 {
        let (c, s) = pair.open(us(80));
        let t = now(&pair);
        pair.client.stack.conn(t, c).unwrap().write(b"ping").unwrap();
        pair.exchange();
        assert_eq!(read_all(&mut pair.server, s), b"ping");
        let (first, second) = if life % 2 == 0 {
            ((&mut pair.client, c), (&mut pair.server, s))
        } else {
            ((&mut pair.server, s), (&mut pair.client, c))
        };
        match life % 5 {
            0 => first.0.stack.conn(t, first.1).unwrap().abort(),
            1 => {
                // Both at once.
                first.0.stack.conn(t, first.1).unwrap().close();
                second.0.stack.conn(t, second.1).unwrap().close();
            }
            _ => {
                first.0.stack.conn(t, first.1).unwrap().shutdown(Shutdown::Write);
            }
        }
        pair.exchange();
        for (rig, id) in [(&mut pair.client, c), (&mut pair.server, s)] {
            if let Some(handle) = rig.stack.conn(t, id) {
                handle.close();
            }
        }
        pair.exchange();
        for rig in [&mut pair.client, &mut pair.server] {
            rig.events();
            assert_eq!(rig.stack.census().connections, 0, "life {life}");
        }
        pair.wait(Duration::from_millis(1));
    }
    pair.wait(Duration::from_secs(2));
    assert_eq!(pair.client.stack.census(), Census::default());
    assert_eq!(pair.server.stack.census(), Census { listeners: 1, ..Census::default() });
    for rig in [&pair.client, &pair.server] {
        assert!(rig.stack.records.demux.is_empty());
        assert!(rig.stack.wheel.is_empty());
        assert!(rig.stack.poll_timeout().is_never());
        let mut records = 0;
        rig.stack.for_each_record(&mut |_, state| records += u32::from(state != State::Listen));
        assert_eq!(records, 0);
    }
}

#[test]
fn a_megabyte_each_way_over_both_versions() {
    for addr in [US, US6] {
        let mut pair = Pair::new(Config::default());
        let at = Endpoint::new(addr, 81);
        pair.l = pair.server.stack.listen(at, ListenOpts::default()).unwrap();
        let (c, s) = pair.open(at);
        let data: Vec<u8> = (0..1_000_000u32).map(|i| (i ^ i >> 8) as u8).collect();
        let (mut up, mut down) = ((0, Vec::new()), (0, Vec::new()));
        for _ in 0..20_000 {
            let t = pair.client.now;
            up.0 += pair.client.stack.conn(t, c).unwrap().write(&data[up.0..]).unwrap_or(0);
            down.0 += pair.server.stack.conn(t, s).unwrap().write(&data[down.0..]).unwrap_or(0);
            pair.exchange();
            up.1.extend(read_all(&mut pair.server, s));
            down.1.extend(read_all(&mut pair.client, c));
            if up.1.len() == data.len() && down.1.len() == data.len() {
                break;
            }
            pair.wait(Duration::from_millis(1));
        }
        assert!(up.1 == data && down.1 == data, "{} {}", up.1.len(), down.1.len());
        pair.wait(Duration::from_secs(1));
        assert_eq!(pair.client.stack.census().buffers, 0);
        assert_eq!(pair.server.stack.census().buffers, 0);
    }
}

/// Same inputs, same bytes out.
#[test]
fn deterministic() {
    let run = || {
        let mut pair = Pair::new(Config::default());
        let mut bytes = Vec::new();
        for _ in 0..20 {
            let now = pair.client.now;
            pair.client.stack.connect(now, us(80), ConnectOpts::default()).unwrap();
            for p in pair.client.packets() {
                pair.server.stack.on_packet(now, RxFrame::plain(&p));
                bytes.extend(p);
            }
            bytes.extend(pair.server.packets().concat());
        }
        bytes
    };
    assert_eq!(run(), run());
}

#[test]
fn time_does_not_go_back() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    let (id, _) = rig.accept(l, 4000, 100);
    rig.stack.conn(rig.now, id).unwrap().write(b"x").unwrap();
    rig.sent();
    rig.stack.on_timeout(rig.now);
    let due = rig.stack.poll_timeout();
    rig.stack.on_timeout(secs(1));
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.stack.poll_timeout(), due);
}

#[test]
fn every_record_is_listed() {
    let mut rig = Rig::new();
    let l = rig.listen(80);
    rig.accept(l, 4000, 100);
    rig.send(4001, 80, &syn(100), &[]);
    rig.sent();
    rig.stack.connect(rig.now, peer(90), ConnectOpts { local: Some(us(5000)) }).unwrap();
    let mut seen = Vec::new();
    rig.stack.for_each_record(&mut |tuple, state| seen.push((tuple.local.port, tuple.remote.port, state)));
    let expect = [
        (80, 0, State::Listen),
        (80, 4001, State::SynReceived),
        (80, 4000, State::Established),
        (5000, 90, State::SynSent),
    ];
    assert_eq!(seen, expect);
}
