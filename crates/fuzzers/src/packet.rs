//! Target `packet`: octets as IP packets at a stack with listeners and connections in every phase.
//!
//! The input is a list: a control octet, a length octet, so many octets of a packet. The control octet's bits: make the
//! checksums right; the device vouches for them; sequence and acknowledgement number count from where the conversation
//! stands; time passes before; the application acts before; answers are counted; link-layer broadcast; a merged train.

use std::num::NonZeroU16;
use std::time::Duration;

use synfin_link::{Caps, ChecksumFact, RxMeta};
use synfin_net::{Cidr, ConnectOpts, ListenOpts, StackConfig};
use synfin_tcp::Shutdown;
use synfin_wire::{Addr, Endpoint, Instant, Tuple};

use crate::host::{Host, OURS, Watch, Writer, text_at, tuple};
use crate::input::Input;
use crate::packets::{ACK, Draft, FIN, SYN, repair, tcp_of};

/// More packets than this are left out.
const PACKETS: usize = 200;

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut u = Input::new(data);
    let mut host = scene();
    for _ in 0..PACKETS {
        if u.is_over() {
            break;
        }
        let control = u.octet();
        let len = usize::from(u.octet());
        if control & 8 != 0 {
            host.advance(u.span(), 40);
        }
        if control & 16 != 0 {
            act(&mut host, &mut u);
        }
        // Longer packets are rare enough to be made of what follows anyway.
        let mut packet = u.octets(if len == 255 { 1500 } else { len }).to_vec();
        if control & 4 != 0 {
            relate(&host, &mut packet);
        }
        if control & 1 != 0 {
            repair(&mut packet);
        }
        let checksum = if control & 2 != 0 { ChecksumFact::Trusted } else { ChecksumFact::Unchecked };
        let gro = if control & 128 != 0 { NonZeroU16::new(u.half()) } else { None };
        let meta = RxMeta { checksum, gro, link_broadcast: control & 64 != 0 };
        host.inject(&packet, meta, control & 32 != 0);
        host.check();
    }
    host.finish();
}

/// A stack with two listeners, and connections from peer ports 4000 on: established with text both ways, half-open,
/// TIME_WAIT, FIN_WAIT_2; and one that is opening, from port 40000 to port 80.
fn scene() -> Host {
    let addrs = vec![Cidr { addr: OURS[0], prefix: 24 }, Cidr { addr: OURS[1], prefix: 64 }];
    let cfg = StackConfig { addrs, ephemeral_ports: 40_000..=40_003, ..StackConfig::default() };
    let mut host = Host::with(cfg, Caps::plain(1500), Instant::from_millis(1000), Watch::Always);
    for (any, port) in [(Addr::V6_UNSPECIFIED, 80), (OURS[0], 81)] {
        let l = host.stack.listen(Endpoint::new(any, port), ListenOpts::default()).expect("a free port");
        host.listeners.push(l);
    }
    for v6 in [false, true] {
        for (port, phase) in [(4000, 0), (4001, 1), (4002, 2), (4003, 3)] {
            live(&mut host, tuple(v6, 80, port), phase);
        }
        let opts = ConnectOpts { local: Some(Endpoint::new(OURS[usize::from(v6)], 40_000)) };
        let to = tuple(v6, 0, 80).remote;
        let id = host.stack.connect(host.now, to, opts).expect("a free pair");
        host.hold(id);
    }
    host.drain();
    // What peers write from now on is anything.
    host.held.iter_mut().for_each(|held| held.read = None);
    host.check();
    host
}

/// Brings one connection into a phase.
fn live(host: &mut Host, tuple: Tuple, phase: u8) {
    host.ledger.lock().pages.entry(tuple).or_default().peer_iss = 1000;
    let syn = Draft {
        seq: 1000,
        flags: SYN,
        wnd: 65_535,
        options: vec![2, 4, 5, 0xb4, 1, 1, 4, 2],
        ..Draft::default()
    };
    put(host, syn, &tuple);
    if phase == 1 {
        return;
    }
    let (first, text) = (synfin_wire::Seq::new(1001), text_at(synfin_wire::Seq::new(1001), Writer::Peer, 40));
    answer(host, &tuple, first.raw(), ACK, text);
    host.accept();
    host.accept();
    let at = host.held.len() - 1;
    host.write(at, 100, false);
    host.drain();
    if phase == 0 {
        return;
    }
    let mut handle = host.stack.conn(host.now, host.held[at].id).expect("a connection in hand");
    handle.shutdown(Shutdown::Write);
    drop(handle);
    host.drain();
    let flags = if phase == 2 { ACK | FIN } else { ACK };
    answer(host, &tuple, first.raw() + 40, flags, Vec::new());
}

/// Acknowledges all that was sent.
fn answer(host: &mut Host, tuple: &Tuple, seq: u32, flags: u8, text: Vec<u8>) {
    let ack = host.ledger.lock().pages.get(tuple).map_or(0, |page| page.end.raw());
    put(host, Draft { seq, ack, flags, wnd: 65_535, text, ..Draft::default() }, tuple);
}

fn put(host: &mut Host, draft: Draft, tuple: &Tuple) {
    host.inject(&draft.packet(tuple), RxMeta::default(), false);
    host.drain();
}

/// One call.
fn act(host: &mut Host, u: &mut Input<'_>) {
    let at = u.below(host.held.len());
    match u.below(8) {
        0 => host.accept(),
        1 => host.write(at, 3000, false),
        2 => host.let_go(at, false),
        3 => host.let_go(at, true),
        4 => host.jump(Duration::from_secs(61)),
        _ => {
            // Nothing to read is as good as text here.
            let _ = host.read(at, 3000, false);
        }
    }
    host.held.iter_mut().for_each(|held| held.read = None);
}

/// Makes a segment's numbers relative to where its conversation stands.
fn relate(host: &Host, packet: &mut [u8]) {
    let Some((tuple, at)) = tcp_of(packet) else { return };
    let ledger = host.ledger.lock();
    let Some(page) = ledger.pages.get(&tuple) else { return };
    let base = [(at + 4, page.ack.map_or(page.peer_iss, |a| a.raw())), (at + 8, page.end.raw())];
    for (at, base) in base {
        if let Some(field) = packet.get_mut(at..at + 4) {
            let n = u32::from_be_bytes([field[0], field[1], field[2], field[3]]).wrapping_add(base);
            field.copy_from_slice(&n.to_be_bytes());
        }
    }
}
