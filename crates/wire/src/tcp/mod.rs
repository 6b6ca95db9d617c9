//! TCP segments: what a validated one looks like, how bytes become one, how one becomes bytes (RFC 9293 3.1).

mod emit;
mod options;
mod parse;

pub use emit::Head;
pub use options::{OptionsIn, OptionsOut, SackBlock, SackIter, Timestamps};
pub use parse::{Ports, Segment};

/// The one control function of a segment. RST wins over SYN and FIN; the pair SYN+FIN is kept apart because
/// states treat it differently.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum Control {
    /// Neither SYN nor FIN nor RST.
    #[default]
    None,
    /// Synchronise.
    Syn,
    /// Last octet of the stream.
    Fin,
    /// Reset, whatever else is set.
    Rst,
    /// Both SYN and FIN.
    SynFin,
}

impl Control {
    /// Whether SYN counts in sequence space.
    #[inline]
    pub const fn syn(self) -> bool {
        matches!(self, Control::Syn | Control::SynFin)
    }
    /// Whether FIN counts in sequence space.
    #[inline]
    pub const fn fin(self) -> bool {
        matches!(self, Control::Fin | Control::SynFin)
    }
    /// Whether this is a reset.
    #[inline]
    pub const fn rst(self) -> bool {
        matches!(self, Control::Rst)
    }
}

/// The flag octet of the header, plus the AE bit (RFC 9768) above it.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// Last octet of the stream.
    pub const FIN: Flags = Flags(0x01);
    /// Synchronise.
    pub const SYN: Flags = Flags(0x02);
    /// Reset.
    pub const RST: Flags = Flags(0x04);
    /// Push.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgement field is valid.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer is valid.
    pub const URG: Flags = Flags(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Flags = Flags(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Flags = Flags(0x80);
    /// Accurate ECN (RFC 9768), formerly NS.
    pub const AE: Flags = Flags(0x100);

    /// Whether all of `other` are set.
    #[inline]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[inline]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// This set without `other`.
    #[inline]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}
