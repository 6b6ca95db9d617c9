//! One line for a packet: what traces, tests and pcapng comments show.

use core::fmt;

/// Displays an IP packet in one line, e.g. `10.9.0.1:4000 > 10.9.0.2:80 SYN seq=1 win=64240 <mss 1460>`. Bad packets say what is bad.
#[derive(Copy, Clone)]
pub struct Line<'a>(pub &'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("{:?}", f.width())
    }
}
