//! Two hosts joined by a cable in memory.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use synfin::link::{Caps, pipe::shared};
use synfin::{Net, SignalWait, StackConfig};

/// Longer than any test should take to get anywhere.
pub const LONG: Duration = Duration::from_secs(60);

pub const A4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const B4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const A6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
pub const B6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// The hosts A and B.
pub fn pair() -> (Net, Net) {
    pair_with(|_| {})
}

/// The hosts A and B with settings of their own.
pub fn pair_with(change: impl Fn(&mut StackConfig)) -> (Net, Net) {
    let (a, b) = shared::pair(Caps::plain(1500), 256);
    let start = |end: shared::End, v4: Ipv4Addr, v6: Ipv6Addr| {
        let wait = SignalWait::for_pipe(&end);
        Net::builder().address(v4, 24).address(v6, 64).configure(&change).start_with(end, wait).unwrap()
    };
    (start(a, A4, A6), start(b, B4, B6))
}

/// B's addresses at this port.
pub fn both_versions(port: u16) -> [SocketAddr; 2] {
    [(B4, port).into(), (B6, port).into()]
}

/// Octets that look random and are the same every time.
pub struct Pattern(u64);

impl Pattern {
    pub fn new(seed: u64) -> Pattern {
        Pattern(seed | 1)
    }

    pub fn fill(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }

    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let mut octets = vec![0; len];
        self.fill(&mut octets);
        octets
    }
}

/// The kind of an error that must be one.
pub fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}
