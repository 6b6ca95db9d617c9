//! What things weigh: sizes of records, memory of a connection in each phase, allocations of each measured call.

use std::mem::size_of;

use synfin_tcp::{Connection, SynRecord, TimeWait};
use synfin_wire::Instant;

use crate::case::Case;
use crate::clock::{Heap, Stopwatch};
use crate::host::{Host, MTU, Setup, Side, Smoltcp, Stamps, Synfin};
use crate::lane::Lane;
use crate::peer::{PORT, Peer};
use crate::stats::{number, render};

/// Sizes of the records, in octets.
pub fn sizes() -> String {
    let line = |name: &str, octets: usize| [name.to_owned(), octets.to_string()];
    render(&[
        ["record".to_owned(), "octets".to_owned()],
        line("synfin Connection", size_of::<Connection>()),
        line("synfin SynRecord (half-open)", size_of::<SynRecord>()),
        line("synfin TimeWait", size_of::<TimeWait>()),
        line("smoltcp tcp::Socket, buffers not counted", size_of::<smoltcp::socket::tcp::Socket<'_>>()),
    ])
}

/// The phase that connections are brought to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Phase {
    HalfOpen,
    Idle,
    TimeWait,
}

/// Heap octets of each of `n` connections, tables and slabs included; `n` is so large that pages half empty do not count.
fn memory<H: Host>(n: usize, phase: Phase, setup: &Setup, heap: fn() -> Heap) -> f64 {
    let mut host = H::new(setup);
    host.listen(PORT);
    let (mut out, now) = (Lane::new(MTU), Instant::from_millis(1000));
    let before = heap().live;
    for i in 0..n {
        let mut peer = Peer::new(1024 + i as u16, Stamps::Off);
        if phase == Phase::HalfOpen {
            peer.syn(now, &mut host, &mut out);
            continue;
        }
        let conn = peer.open(now, &mut host, &mut out);
        if phase == Phase::TimeWait {
            host.close(now, conn);
            host.egress(now, &mut out);
            peer.hear(&mut out);
            peer.ack(now, &mut host, &mut out);
            peer.fin(now, &mut host, &mut out);
            peer.hear(&mut out);
        }
    }
    let octets = heap().live.saturating_sub(before) as f64 / n as f64;
    drop(host);
    octets
}

/// Heap octets per connection in each phase, `n` of them.
pub fn memory_table(n: usize, heap: fn() -> Heap) -> String {
    let setup = Setup::default();
    let line = |name: &str, octets: f64| [name.to_owned(), number(octets)];
    // smoltcp walks all sockets for each packet: fewer of them tell the same.
    let few = n.min(500);
    render(&[
        ["heap octets for each".to_owned(), "octets".to_owned()],
        line("synfin, half-open", memory::<Synfin>(n, Phase::HalfOpen, &setup, heap)),
        line("synfin, established and idle", memory::<Synfin>(n, Phase::Idle, &setup, heap)),
        line("synfin, TIME_WAIT", memory::<Synfin>(n, Phase::TimeWait, &setup, heap)),
        line(
            "smoltcp, established and idle, buffers of 4,096 octets",
            memory::<Smoltcp>(few, Phase::Idle, &Setup { buffer: 4096, ..setup }, heap),
        ),
    ])
}

/// Allocator calls of each measured call.
pub fn allocations(cases: &[Case], n: impl Fn(Case, Side) -> usize, heap: fn() -> Heap) -> String {
    let mut lines = vec![["allocator calls for each".to_owned(), "synfin".to_owned(), "smoltcp".to_owned()]];
    for case in cases {
        let per_call = |side| {
            let mut subject = case.subject(side)?;
            let mut counter = Stopwatch::with_heap(heap);
            let times = subject.run(n(*case, side), &mut counter);
            Some(counter.take_calls() as f64 / times.max(1) as f64)
        };
        let cell = |side| per_call(side).map_or_else(|| "-".to_owned(), number);
        lines.push([case.name(), cell(Side::Synfin), cell(Side::Smoltcp)]);
    }
    render(&lines)
}
