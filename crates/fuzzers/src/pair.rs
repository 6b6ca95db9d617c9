//! Target `pair`: two stacks over a wire that the input makes lose, double, delay, reorder and corrupt packets and slip
//! in forged ones. What one application reads is what the other wrote, octet for octet; once the input is used up the
//! wire is perfect, and everything comes to its end.

mod app;
mod wire;

use std::time::Duration;

use synfin_link::Caps;
use synfin_net::{Census, Cidr, ConnectOpts, ListenOpts, StackConfig};
use synfin_wire::{Endpoint, Instant, Tuple};

use crate::host::{Host, Watch, Writer, tcp_config, tuple};
use crate::input::Input;
use app::{App, Ending};
use synfin_tcp::Quirks;
use wire::{Fault, Wire};

/// More events than this are a storm.
const EVENTS: usize = 50_000;
/// So many losses cannot end any connection: fewer than the retries of a SYN (RFC 9293 MUST-23 and defaults).
const HARMLESS: u32 = 4;
/// The ports of both ends.
const PORTS: (u16, u16) = (4000, 80);

struct End {
    host: Host,
    app: App,
}

struct World<'a> {
    u: Input<'a>,
    now: Instant,
    ends: [End; 2],
    wire: Wire,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut w = World::new(Input::new(data));
    w.open();
    for _ in 0..EVENTS {
        if !w.event() && w.all_left() {
            return w.verdict();
        }
    }
    panic!("it never ends: {:?} {:?}", w.ends[0].app, w.ends[1].app);
}

/// Settings of one end.
fn end(u: &mut Input<'_>, tuple: &Tuple) -> End {
    let caps = Caps {
        mtu: u.pick(&[1500, 1280, 9000, 65_535]),
        max_gso: u.pick(&[0, 65_535]),
        tx_checksum: u.one_in(2),
    };
    let prefix = if tuple.local.addr.is_v4() { 24 } else { 64 };
    let cfg = StackConfig {
        tcp: tcp_config(u),
        addrs: vec![Cidr { addr: tuple.local.addr, prefix }],
        ..StackConfig::default()
    };
    let app = App::new(u);
    let mut host = Host::with(cfg, caps, Instant::from_millis(1000), u.pick(&[Watch::Always, Watch::Never]));
    host.peer = Writer::Stack;
    End { host, app }
}

impl<'a> World<'a> {
    fn new(mut u: Input<'a>) -> World<'a> {
        let there = tuple(u.one_in(2), PORTS.0, PORTS.1);
        let mut ends = [end(&mut u, &there), end(&mut u, &there.flipped())];
        // A window of few octets takes a round trip for each: text in proportion keeps the run short.
        for i in 0..2 {
            let peer = &ends[1 - i].host.cfg.tcp;
            let most = peer.recv_buffer.min(ends[i].host.cfg.tcp.send_buffer).saturating_mul(64);
            ends[i].app.total = ends[i].app.total.min(most);
        }
        let wire = Wire::new(u.pick(&[10, 0, 1, 100]));
        World { u, now: Instant::from_millis(1000), ends, wire }
    }

    /// One end connects to the other, or both at once (RFC 9293 3.5, simultaneous open).
    fn open(&mut self) {
        let there = self.tuple(0);
        let crossing = self.u.one_in(4);
        for (i, from) in [(0, there), (1, there.flipped())] {
            let host = &mut self.ends[i].host;
            if i == 0 || crossing {
                let opts = ConnectOpts { local: Some(from.local) };
                let id = host.stack.connect(self.now, from.remote, opts).expect("a free pair");
                host.hold(id);
            } else {
                let at = Endpoint::new(from.local.addr, from.local.port);
                let l = host.stack.listen(at, ListenOpts::default()).expect("a free port");
                host.listeners.push(l);
            }
        }
    }

    fn tuple(&self, end: usize) -> Tuple {
        let v4 = self.ends[0].host.cfg.addrs[0].addr.is_v4();
        let there = tuple(!v4, PORTS.0, PORTS.1);
        if end == 0 { there } else { there.flipped() }
    }

    /// Everybody does what is due now, then time goes on to what comes next; false if nothing comes.
    fn event(&mut self) -> bool {
        for i in 0..2 {
            let End { host, app } = &mut self.ends[i];
            app.act(host);
            for packet in host.drain() {
                let fault = Fault::choose(&mut self.u);
                if matches!(fault, Fault::Forge) {
                    self.wire.forge(&mut self.u, &mut self.ends, self.now);
                }
                self.wire.send(&mut self.u, self.now, 1 - i, packet, fault);
            }
            self.ends[i].host.check();
        }
        let due = |e: &End| e.host.stack.poll_timeout().min(e.app.next_tick);
        let next = self.wire.next().min(due(&self.ends[0])).min(due(&self.ends[1]));
        if next.is_never() {
            return false;
        }
        self.now = self.now.max(next);
        for end in &mut self.ends {
            end.host.now = self.now;
        }
        while let Some((to, packet, gro)) = self.wire.take(self.now) {
            let meta = synfin_link::RxMeta { gro, ..Default::default() };
            self.ends[to].host.inject(&packet, meta, false);
        }
        for end in &mut self.ends {
            // When nothing of the stack's was due, no time passes for it that could make it so.
            if end.host.stack.poll_timeout() <= self.now {
                end.host.jump(Duration::ZERO);
            }
        }
        true
    }

    /// Nothing happens by itself any more: whoever still waits gives up. True if nobody does.
    fn all_left(&mut self) -> bool {
        let [a, b] = self.ends.each_mut().map(|e| e.app.give_up(&mut e.host));
        a && b
    }

    /// Nothing more will happen.
    fn verdict(&mut self) {
        let [a, b] = &mut self.ends;
        for end in [&mut *a, &mut *b] {
            for l in std::mem::take(&mut end.host.listeners) {
                end.host.stack.close_listener(end.host.now, l);
            }
            assert_eq!(end.host.stack.census(), Census::default(), "left in the end: {:?}", end.app);
        }
        let peaceful = a.app.ending == Ending::Orderly && b.app.ending == Ending::Orderly;
        // Without a reported error everything has to be there, whatever the wire did.
        let errors = a.app.error.is_some() || b.app.error.is_some();
        // Where R2 is a time, long round trips leave few tries: a few losses in a row are enough then.
        let by_time = [&*a, &*b].iter().any(|e| e.host.cfg.tcp.quirks.has(Quirks::LIMITS_FROM_FIRST_TRY));
        let harmless = self.wire.losses <= HARMLESS && !by_time;
        if peaceful && (harmless || !errors) {
            assert!(a.app.is_content() && b.app.is_content(), "{:?} {:?}", a.app, b.app);
        }
        for (reader, writer) in [(&a.app, &b.app), (&b.app, &a.app)] {
            assert!(reader.read <= writer.written, "more read than written: {reader:?} {writer:?}");
            // RFC 9293 3.10.7.4: the end of a stream is told behind all of its octets.
            if reader.saw_end && peaceful {
                assert_eq!(
                    (reader.read, writer.written),
                    (writer.total, writer.total),
                    "{reader:?} {writer:?}"
                );
            }
        }
    }
}
