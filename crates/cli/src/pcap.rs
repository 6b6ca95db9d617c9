//! Captures that Wireshark reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use synfin_link::pcapng::{Direction, InterfaceId, Io, Packet, Section, Writer};

use crate::error::Failure;

/// A capture file with one point of capture.
pub struct Capture {
    writer: Writer<Io<BufWriter<File>>>,
    interface: InterfaceId,
}

impl Capture {
    /// Creates the file, over an older one if there is one.
    pub fn create(path: &Path, interface: &str, comment: &str) -> Result<Capture, Failure> {
        let bad = |e: io::Error| {
            Failure::Bad(format!(
                "cannot write the capture {}: {e}; name a file in a folder that you may write to",
                path.display()
            ))
        };
        let file = BufWriter::new(File::create(path).map_err(bad)?);
        let section = Section { application: concat!("synfin ", env!("CARGO_PKG_VERSION")), comment };
        let mut writer = Writer::new(Io(file), section).map_err(bad)?;
        let interface = writer.interface(interface).map_err(bad)?;
        let mut capture = Capture { writer, interface };
        capture.flush().map_err(bad)?;
        Ok(capture)
    }

    /// Records a packet at `nanos` since 1970.
    pub fn packet(
        &mut self,
        nanos: u64,
        direction: Direction,
        comment: &str,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.writer.packet(Packet { interface: self.interface, nanos, direction, comment, bytes })
    }

    /// Makes what was recorded readable for others.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().0.flush()
    }
}
