//! Settings of a stack's connections. Defaults are the documented ones; everything is data, nothing a feature flag.

use core::time::Duration;

use crate::cc::Choice;

/// Behaviours of Linux that differ from this project's reading of the RFCs, one bit each.
///
/// The RFC profile has none of them, [`Quirks::LINUX`] all. They are plain settings: one code path asks for the bit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Quirks(u64);

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Quirks {
            $($(#[$doc])* pub const $name: Quirks = Quirks(1 << $bit);)*
            /// What Linux does where a peer or test program can see it.
            pub const LINUX: Quirks = Quirks($(1 << $bit)|*);
        }
    };
}

quirks! {
    /// Passive SYN_RCVD: a SYN in the window is answered with RST and deletes the entry.
    SYN_RCVD_SYN_RESETS = 0;
    /// Crossing SYN_RCVD: a repeated SYN gets a bare ACK, not SYN,ACK.
    CROSSED_SYN_BARE_ACK = 1;
    /// Crossing SYN_RCVD: the sequence test comes before the acknowledgement test.
    SEQ_BEFORE_ACK = 2;
    /// SYN_SENT: text and FIN on the SYN,ACK are ignored.
    SYN_ACK_TEXT_IGNORED = 3;
    /// A segment outside the window with neither ACK, RST nor SYN gets no answer.
    NO_ACK_BIT_SILENT = 4;
    /// SEG.SEQ at the right edge counts as inside.
    RIGHT_EDGE_INSIDE = 5;
    /// Text beyond the right edge with a non-empty receive queue: the whole segment is dropped.
    BEYOND_EDGE_DROPS_ALL = 6;
    /// An old segment that ends at RCV.NXT moves CLOSING to TIME_WAIT without an answer.
    OLD_SEGMENT_SILENT_IN_CLOSING = 7;
    /// Text beyond the right edge with an empty receive queue is taken whole.
    BEYOND_EDGE_TAKEN = 8;
    /// CLOSE_WAIT, CLOSING, LAST_ACK: RST at RCV.NXT - 1 is accepted.
    RST_AT_FIN_ACCEPTED = 9;
    /// ESTABLISHED with SACK: RST at the right end of the highest block is accepted.
    RST_AT_SACK_ACCEPTED = 10;
    /// TIME_WAIT: RST at RCV.NXT deletes the record.
    RST_ENDS_TIME_WAIT = 11;
    /// TIME_WAIT: a new SYN needs SEG.SEQ > RCV.NXT.
    TIME_WAIT_SYN_STRICT = 12;
    /// TIME_WAIT: a pure ACK with an impossible number gets no answer.
    TIME_WAIT_BAD_ACK_SILENT = 13;
    /// TIME_WAIT: a pure ACK in the window but not at RCV.NXT is answered.
    TIME_WAIT_OFF_ACK_ANSWERED = 14;
    /// TIME_WAIT: any segment with ACK restarts 2 MSL.
    TIME_WAIT_ANY_RESTARTS = 15;
    /// A missing timestamp is no reason to drop.
    TIMESTAMP_MAY_MISS = 16;
    /// TS.Recent - 1 passes PAWS.
    PAWS_TOLERATES_ONE = 17;
    /// Text after close() resets whatever the ACK number.
    AFTER_CLOSE_ANY_ACK = 18;
    /// Window update rule: also when only the window grew at the same WL1.
    WINDOW_UPDATE_RULE = 19;
    /// Rate limits: pure duplicate SYN of a half-open record is limited too.
    DUPLICATE_SYN_LIMITED = 20;
    /// ICMP: any unreachable, time exceeded or parameter problem ends SYN_SENT at once.
    ICMP_ENDS_OPENING = 21;
    /// ICMP: transient errors delete a half-open record.
    ICMP_ENDS_HALF_OPEN = 22;
    /// ABORT in TIME_WAIT leaves the record.
    ABORT_KEEPS_TIME_WAIT = 23;
    /// shutdown(write) in SYN_RCVD sends FIN only when open.
    SHUTDOWN_WAITS_FOR_OPEN = 24;
    /// Closing a listener: half-open records stay silent and the next ACK meets RST.
    LISTENER_CLOSE_KEEPS_HALF_OPEN = 25;
    /// close() with unread text in CLOSING or LAST_ACK sends RST.
    UNREAD_RESETS_LATE_STATES = 26;
    /// Source port 0 is answered.
    PORT_ZERO_ANSWERED = 27;
    /// Reuse of TIME_WAIT: new ISS is old SND.NXT + 65,537.
    TIME_WAIT_REUSE_ISS = 28;
    /// An old segment with FIN at a zero window has its ACK field processed.
    ZERO_WINDOW_OLD_FIN_ACK = 29;
    /// ACKs follow the peer's pace: at once for the first segments, then with a learned delay or on the answer.
    ADAPTIVE_ACKS = 40;
    /// The receive buffer holds segments with their overhead: the window is a part of it, in whole segments at first,
    /// rounded up to the unit of the field, and reopened only when it at least doubles.
    RECV_OVERHEAD = 41;
    /// shutdown(read) discards nothing: what is queued, and what still comes, can be read.
    SHUT_READ_KEEPS = 42;
    /// Text that is too small to be sent is held back for one RTO, not for [`Config::sws_override`], when nothing is in
    /// flight.
    HELD_TEXT_WAITS_RTO = 43;
    /// Nagle's algorithm holds a small segment back only while another small one is in flight (Minshall's form).
    NAGLE_SMALL_ONLY = 44;
    /// A smaller path MTU is believed at once, whatever was acknowledged; one of 0 is taken for the smallest.
    PMTU_AT_ONCE = 45;
    /// R2 and the user timeout count from the first retransmission or probe; R2 is the time that so many doublings of
    /// [`Config::rto_min`] take.
    LIMITS_FROM_FIRST_TRY = 46;
    /// Keepalive that gives up sends RST; with a user timeout it gives up after that silence, not after so many probes.
    KEEPALIVE_RESETS = 47;
    /// A probe of a closed window is a segment without text before SND.UNA; what is in flight is retransmitted whole.
    PROBE_WITHOUT_TEXT = 48;
    /// An MSS option of 0 counts as none.
    MSS_ZERO_IS_NONE = 49;
    /// Congestion counts from cwnd, not from what is in flight; a timeout in fast recovery leaves ssthresh.
    CONGESTION_BY_CWND = 50;
    /// Without SACK recovery lasts until something above what was outstanding is acknowledged; the acknowledgement that ends
    /// it opens the window already; idling halves cwnd once for each RTO.
    RECOVERY_LIKE_LINUX = 52;
    /// The variance part of the RTO is never below its lower bound.
    RTO_MIN_BOUNDS_VARIANCE = 51;
}

impl Quirks {
    /// None: the RFC profile.
    pub const NONE: Quirks = Quirks(0);

    /// Whether all of `other` are on.
    #[inline]
    pub const fn has(self, other: Quirks) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Quirks) -> Quirks {
        Quirks(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Quirks) -> Quirks {
        Quirks(self.0 & !other.0)
    }
}

/// Keepalive times (RFC 9293 3.8.4).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the connection is given up.
    pub probes: u8,
}

impl Default for Keepalive {
    /// 2 h, 75 s, 10.
    fn default() -> Self {
        Keepalive { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 10 }
    }
}

/// Settings shared by all connections of a stack; some can be overridden per connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to follow Linux rather than the RFC text.
    pub quirks: Quirks,
    /// Maximum segment lifetime; TIME_WAIT lasts twice this (RFC 9293 3.4.2). 30 s.
    pub msl: Duration,
    /// RTO before the first sample (RFC 6298 2.1). 1 s.
    pub rto_initial: Duration,
    /// Lower bound of the RTO (RFC 6298 2.4). 1 s by the standard; practice goes down to 200 ms.
    pub rto_min: Duration,
    /// Upper bound of the RTO (RFC 6298 2.5). 60 s.
    pub rto_max: Duration,
    /// Retransmissions of a SYN before giving up (RFC 9293 MUST-23). 7.
    pub syn_retries: u8,
    /// Retransmissions of a SYN before the time between them grows; they come on top of `syn_retries`. 0.
    pub syn_linear: u8,
    /// Retransmissions of a SYN,ACK before the half-open record goes. 5.
    pub syn_ack_retries: u8,
    /// R1: retransmissions before the application is told (RFC 9293 SHLD-10). 3.
    pub r1: u8,
    /// R2: retransmissions of text before giving up; never before 100 s have passed (SHLD-11). 15.
    pub r2: u8,
    /// R2 for a connection that no application holds. 8.
    pub orphan_retries: u8,
    /// How long a connection that no application holds stays in FIN_WAIT_2. 60 s.
    pub fin_wait_2: Duration,
    /// Longest delay of an ACK (RFC 9293 MUST-40). 40 ms; zero acknowledges at once, more than 490 ms counts as that.
    pub delayed_ack: Duration,
    /// Shortest time between two challenge or duplicate ACKs of a connection (RFC 5961 7). 500 ms; below 1 ms counts as that.
    pub challenge_interval: Duration,
    /// Longest interval between zero-window probes (RFC 9293 SHLD-30). 60 s.
    pub persist_max: Duration,
    /// Unanswered zero-window probes before giving up; answered ones never count (MUST-37). 15.
    pub persist_retries: u8,
    /// While the stack's buffer memory is scarce (an eighth of its limit or less is left), a connection whose peer has
    /// kept its window closed for so long is reset at its next probe (RFC 6429 3). `None`: never. 60 s.
    pub zero_window_limit: Option<Duration>,
    /// Sender's silly-window override (RFC 9293 3.8.6.2.1: 0.1 to 1 s). 200 ms.
    pub sws_override: Duration,
    /// Keepalive times for connections that switch it on.
    pub keepalive: Keepalive,
    /// Largest receive buffer, in octets; the window offered never exceeds it. 256 KiB; 0 counts as 1.
    pub recv_buffer: u32,
    /// What a receive buffer may grow to later: decides the window scale with [`Config::recv_buffer`]. 0.
    pub recv_buffer_max: u32,
    /// Largest send buffer, in octets. 256 KiB; 0 counts as 1.
    pub send_buffer: u32,
    /// Offer timestamps (RFC 7323).
    pub timestamps: bool,
    /// Offer window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Offer SACK (RFC 2018).
    pub sack: bool,
    /// The rule for the congestion window; a connection can choose another.
    pub congestion_control: Choice,
    /// Segments that one acknowledgement counts for at most in slow start (RFC 3465 L, RFC 9406 4.2); 255: all of them, also after a timeout. 8.
    pub slow_start_limit: u8,
    /// Bring cwnd down to the initial window after idling longer than the RTO (RFC 5681 4.1).
    pub idle_restart: bool,
    /// Probe the tail of a flight before the retransmission timer runs out (RFC 8985 7).
    pub tail_loss_probe: bool,
    /// TLP.max_ack_delay: what a lone segment's probe waits longer (RFC 8985 7.2). 200 ms.
    pub max_ack_delay: Duration,
    /// What every other probe waits longer. 0.
    pub timer_slack: Duration,
    /// Find timeouts that came too early (RFC 5682).
    pub frto: bool,
    /// Whether a SACK tells of duplicates (RFC 2883). On.
    pub dsack: bool,
    /// Smallest segment size that a peer can ask for (CVE-2019-11479). 48.
    pub min_mss: u16,
    /// Most separate ranges in the reassembly queue of a connection. 4,096.
    pub max_ranges: u16,
    /// Largest segment that is offered and sent, whatever the MTU (RFC 9293 MUST-14 allows less). 65,535: no limit.
    pub mss_limit: u16,
    /// A handshake is complete for the application only when text comes: the bare ACK is ignored until the SYN,ACK was due
    /// again so many times. 0: off.
    pub defer_accept: u8,
    /// Traffic class octet of connections that set none: DSCP (RFC 9293 MUST-48). 0.
    pub tos: u8,
    /// Time to live or hop limit (RFC 9293 MUST-49). 64.
    pub ttl: u8,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            quirks: Quirks::NONE,
            msl: Duration::from_secs(30),
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_secs(1),
            rto_max: Duration::from_secs(60),
            syn_retries: 7,
            syn_linear: 0,
            syn_ack_retries: 5,
            r1: 3,
            r2: 15,
            orphan_retries: 8,
            fin_wait_2: Duration::from_secs(60),
            delayed_ack: Duration::from_millis(40),
            challenge_interval: Duration::from_millis(500),
            persist_max: Duration::from_secs(60),
            persist_retries: 15,
            zero_window_limit: Some(Duration::from_secs(60)),
            sws_override: Duration::from_millis(200),
            keepalive: Keepalive::default(),
            recv_buffer: 256 * 1024,
            recv_buffer_max: 0,
            send_buffer: 256 * 1024,
            timestamps: true,
            window_scaling: true,
            sack: true,
            congestion_control: Choice::default(),
            slow_start_limit: 8,
            idle_restart: true,
            tail_loss_probe: true,
            max_ack_delay: Duration::from_millis(200),
            timer_slack: Duration::ZERO,
            frto: true,
            dsack: true,
            min_mss: 48,
            max_ranges: 4096,
            mss_limit: u16::MAX,
            defer_accept: 0,
            tos: 0,
            ttl: 64,
        }
    }
}

impl Config {
    /// TIME_WAIT's length: 2 MSL.
    pub fn time_wait(&self) -> Duration {
        self.msl.saturating_mul(2)
    }

    /// Settings that answer like Linux, in behaviour and times.
    pub fn linux() -> Config {
        Config {
            quirks: Quirks::LINUX,
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            syn_retries: 6,
            syn_linear: 4,
            persist_max: Duration::from_secs(120),
            keepalive: Keepalive { probes: 9, ..Keepalive::default() },
            slow_start_limit: u8::MAX,
            timer_slack: Duration::from_millis(2),
            ..Config::default()
        }
    }

    /// The window scale shift to offer: the smallest that lets the receive buffer show (RFC 7323 2.2).
    pub fn recv_wscale(&self) -> u8 {
        let mut shift = 0;
        let most = self.window_of(self.recv_buffer).max(self.recv_buffer_max);
        while shift < 14 && (most >> shift) > u32::from(u16::MAX) {
            shift += 1;
        }
        shift
    }
}
