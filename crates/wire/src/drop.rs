//! Why something that arrived was not used: one reason, one counter.

use core::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The reason for which a packet, a segment or a part of one was dropped.
        #[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum DropReason { $($(#[$doc])* $name,)* }

        impl DropReason {
            /// Every reason, in the order of its counter.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name,)*];

            /// A short lower-case phrase for people.
            pub const fn text(self) -> &'static str {
                match self { $(DropReason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// Shorter than its own headers say.
    Truncated = "shorter than its headers say",
    /// Neither IPv4 nor IPv6, or an IP header that contradicts itself.
    BadIpHeader = "malformed IP header",
    /// IPv4 header checksum is wrong (RFC 1122 3.2.1.2).
    BadIpChecksum = "wrong IP header checksum",
    /// Source route present; never followed (RFC 7126).
    SourceRoute = "source route",
    /// IPv6 extension headers too many, too long or forbidden.
    BadExtensionHeader = "unusable IPv6 extension header",
    /// The source is no unicast address (RFC 9293 MUST-63, RFC 1122 3.2.1.3).
    MartianSource = "impossible source address",
    /// The destination is not ours.
    NotOurs = "not addressed to us",
    /// Addressed to broadcast or multicast (RFC 9293 MUST-57).
    BroadcastDestination = "addressed to broadcast or multicast",
    /// No protocol of that number here.
    UnknownProtocol = "unknown IP protocol",
    /// A fragment kept or completed; the datagram goes on when whole.
    FragmentHeld = "fragment held for reassembly",
    /// A fragment that overlaps, overflows or is malformed (RFC 5722, 791).
    BadFragment = "malformed or overlapping fragment",
    /// The reassembly buffer's limit is reached.
    FragmentLimit = "fragment buffer limit",
    /// TCP data offset below 5 or beyond the segment (RFC 9293 3.1).
    BadTcpHeader = "malformed TCP header",
    /// TCP checksum is wrong (RFC 9293 MUST-3).
    BadTcpChecksum = "wrong TCP checksum",
    /// Source or destination port 0.
    PortZero = "port 0",
    /// Source and destination are the same and no connection to itself exists.
    Land = "source equals destination",
    /// No connection and no listener; answered with RST where allowed.
    NoConnection = "no such connection",
    /// RST for a record that does not exist or does not take it.
    RstIgnored = "RST not acceptable here",
    /// Nothing in this segment has a meaning in this state (RFC 9293 3.10.7).
    NotForThisState = "segment without meaning in this state",
    /// SYN together with FIN.
    SynFin = "SYN with FIN",
    /// The listener's SYN queue is full.
    SynQueueFull = "SYN queue full",
    /// The listener's accept queue is full.
    AcceptQueueFull = "accept queue full",
    /// An ACK that should have been a SYN cookie and is none.
    BadCookie = "not a valid SYN cookie",
    /// Outside the receive window (RFC 9293 3.10.7.4, first).
    OutOfWindow = "outside the window",
    /// In-window RST that is not exact (RFC 5961 3).
    RstNotExact = "RST in window but not exact",
    /// SYN on a synchronised connection (RFC 5961 4).
    SynInWindow = "SYN on an open connection",
    /// ACK field too old (RFC 5961 5).
    AckTooOld = "acknowledges too far back",
    /// ACK field beyond what was sent.
    AckTooNew = "acknowledges what was never sent",
    /// No ACK bit.
    NoAck = "no ACK bit",
    /// Timestamp older than the last (RFC 7323 5, PAWS).
    Paws = "old timestamp (PAWS)",
    /// Timestamps were negotiated and this segment has none (RFC 7323 3.2).
    NoTimestamp = "timestamp missing",
    /// Text that was already received.
    Duplicate = "already received",
    /// Text or FIN after the peer's FIN.
    AfterFin = "text after FIN",
    /// Text for an application that has closed (RFC 2525 2.17).
    AfterClose = "text after close",
    /// Text that does not fit the zero window.
    ZeroWindow = "receive window is zero",
    /// Memory or range limit of the reassembly queue.
    ReassemblyLimit = "reassembly limit",
    /// A limit on memory or records of the stack is reached.
    StackLimit = "stack limit reached",
    /// ICMP message that does not match a connection or its flight (RFC 5927).
    IcmpUnmatched = "ICMP for nothing in flight",
    /// Malformed or unsupported ICMP.
    BadIcmp = "malformed or unsupported ICMP",
    /// An answer was due but its rate limit said no.
    RateLimited = "answer rate-limited",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for DropReason {}

#[cfg(test)]
mod tests;
