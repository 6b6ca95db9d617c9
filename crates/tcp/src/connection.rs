//! One connection from SYN_SENT to LAST_ACK: its variables and how they come to be.
//!
//! The send sequence space:
//!
//! ```text
//!      acknowledged   |    in flight (log)     | queued, may go | queued, may not yet
//!   ------------------+------------------------+----------------+--------------------
//!                  SND.UNA                  SND.NXT      SND.UNA+SND.WND
//! ```

use core::time::Duration;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use synfin_wire::{Head, Instant, SackBlock, Seq, Tuple};

use crate::bytes::Slices;
use crate::cc::Control;
use crate::error::{CloseReason, SoftError};
use crate::event::{Event, Why};
use crate::recovery::episode::Episode;
use crate::recovery::rack::Rack;
use crate::recovery::rate::Sampler;
use crate::recovery::rto::Rto;
use crate::recv::RecvQueue;
use crate::recv::pace::Pace;
use crate::send::SendQueue;
use crate::send::log::{Census, SentLog};
use crate::state::{State, Trigger};
use crate::syn::{SynOffer, SynRecord};
use crate::timewait::TimeWait;
use crate::{Config, Cx, Keepalive, Quirks};

mod ack;
mod api;
mod icmp;
mod input;
mod options;
mod output;
mod rates;
mod recovery;
mod text;
mod timers;
mod window;

pub use input::reset_for;
pub(crate) use input::{limit_allows, paws_rejects};

/// How a call ended for the record itself. The stack alone edits its tables.
#[must_use]
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Go on.
    Keep,
    /// TIME_WAIT: out of the demultiplexer, this small record in. The connection itself stays as a husk until its
    /// application lets it go (unread text may wait in it).
    Linger(TimeWait),
    /// CLOSED: out of the demultiplexer. A husk stays as above. A last RST may wait in [`Cx::reply`].
    Gone(CloseReason),
}

/// What a device and the fair queue allow one segment to be.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TxLimits {
    /// Octets of IP payload (TCP header and text) that one packet may hold without device segmentation.
    pub mtu_payload: u16,
    /// Most octets of text that the device cuts into segments itself; 0 if it does not.
    pub max_gso: u32,
}

/// One segment to be sent: a header, and text that stays in the send buffer.
#[derive(Clone, Debug)]
pub struct Transmit<'a> {
    /// The header.
    pub head: Head,
    /// The text.
    pub payload: Slices<'a>,
    /// Octets of text.
    pub len: u32,
    /// Text octets per segment if the device has to cut, else 0.
    pub gso: u16,
    /// Why it is sent.
    pub why: Why,
}

/// Which half of the connection the application closes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// No more reading: what arrives is acknowledged and discarded.
    Read,
    /// No more writing: FIN after the last octet.
    Write,
    /// Both.
    Both,
}

/// What the application can do now.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Readiness {
    /// A read would not block: text, end of stream or an error waits.
    pub readable: bool,
    /// A write would not block: room in the send buffer, or an error waits.
    pub writable: bool,
    /// The handshake is complete (stays set).
    pub connected: bool,
    /// All that was written, FIN included if closed, is acknowledged.
    pub drained: bool,
    /// Urgent octets are ahead of the reader.
    pub urgent: bool,
    /// The record is closed; nothing more will happen.
    pub closed: Option<CloseReason>,
}

/// Where loss recovery stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing points to a loss.
    Open,
    /// Something arrived out of order or twice.
    Disorder,
    /// Fast recovery (RFC 5681 3.2).
    Recovery,
    /// Recovery after a timeout (RFC 5681 3.1).
    Loss,
}

/// A copy of what a connection knows about itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Info {
    /// State.
    pub state: State,
    /// SND.UNA
    pub snd_una: Seq,
    /// SND.NXT
    pub snd_nxt: Seq,
    /// SND.WND in octets.
    pub snd_wnd: u32,
    /// The largest SND.WND so far.
    pub snd_max_wnd: u32,
    /// What the peer takes as the largest segment.
    pub peer_mss: u16,
    /// The window that the segments received so far have earned.
    pub rcv_ssthresh: u32,
    /// The peer's segment size as far as it shows.
    pub rcv_mss: u16,
    /// Delay of the next ACK where it is learned.
    pub ato: Duration,
    /// Keepalive or window probes that nothing has answered.
    pub probes: u8,
    /// Octets of ours that were acknowledged, FIN included, saturating.
    pub bytes_acked: u32,
    /// Octets received in order, FIN included, modulo 2^32.
    pub bytes_received: u32,
    /// RCV.NXT
    pub rcv_nxt: Seq,
    /// RCV.WND in octets.
    pub rcv_wnd: u32,
    /// Initial sequence numbers: ours, the peer's.
    pub iss: Seq,
    /// The peer's initial sequence number.
    pub irs: Seq,
    /// Effective send MSS in octets, options already subtracted.
    pub mss: u16,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Duration,
    /// Round-trip time variation.
    pub rttvar: Duration,
    /// Retransmission timeout, backoff included.
    pub rto: Duration,
    /// Congestion window in octets.
    pub cwnd: u32,
    /// Slow start threshold in octets.
    pub ssthresh: u32,
    /// Octets sent and not acknowledged.
    pub flight: u32,
    /// Octets waiting in the send buffer, sent or not.
    pub send_queue: u32,
    /// Octets in order that the application has not read.
    pub recv_queue: u32,
    /// Segments retransmitted so far.
    pub retransmits: u32,
    /// Where loss recovery stands.
    pub phase: Phase,
    /// Segments in flight by fate.
    pub census: Census,
    /// Segments delivered so far, the SYN included.
    pub delivered: u32,
    /// D-SACKs received so far (RFC 2883).
    pub dsacks: u32,
    /// Segments by which delivery was seen out of order; 3 before that.
    pub reordering: u16,
    /// Whether delivery out of order was ever seen (RFC 8985 RACK.reordering_seen).
    pub reordering_seen: bool,
    /// Least round-trip time; zero before the first sample.
    pub min_rtt: Duration,
    /// How often the retransmission timeout is doubled.
    pub backoff: u8,
    /// Timeouts in a row that nothing answered.
    pub tries: u8,
    /// Timestamps, SACK in use.
    pub timestamps: bool,
    /// SACK in use.
    pub sack: bool,
    /// Window scale shifts: ours, the peer's.
    pub wscale: (u8, u8),
    /// The last soft error, if any.
    pub soft_error: Option<SoftError>,
}

/// The variables of the send sequence space (RFC 9293 3.3.1).
#[derive(Copy, Clone, Debug, Hash)]
pub(crate) struct Snd {
    /// Oldest unacknowledged number.
    pub una: Seq,
    /// Next number to send; retransmissions do not move it back.
    pub nxt: Seq,
    /// Window of the peer in octets.
    pub wnd: u32,
    /// Largest window that the peer ever offered.
    pub max_wnd: u32,
    /// SEG.SEQ of the last window update.
    pub wl1: Seq,
    /// SEG.ACK of the last window update.
    pub wl2: Seq,
    /// One past the last urgent octet, while `URG_SENDING`.
    pub up: Seq,
    /// Octets acknowledged after the SYN, FIN included, saturating: bounds the acceptable ACK field (RFC 5961 5).
    pub acked: u32,
    /// Effective send MSS: options that every segment carries are subtracted.
    pub mss: u16,
    /// What the peer said, or the default (RFC 9293 MUST-15).
    pub peer_mss: u16,
    /// The end of the last segment that was sent below full size.
    pub small: Seq,
    /// The peer's shift.
    pub wscale: u8,
}

/// The variables of the receive sequence space (RFC 9293 3.3.1).
#[derive(Copy, Clone, Debug)]
pub(crate) struct Rcv {
    /// Next number expected.
    pub nxt: Seq,
    /// Right edge that was offered at most: RCV.NXT + RCV.WND. Never moves left (RFC 9293 SHLD-14).
    pub adv: Seq,
    /// RCV.NXT in the last segment sent (RFC 7323 Last.ACK.sent).
    pub last_ack_sent: Seq,
    /// One past the last urgent octet, while `URG_RECEIVING`.
    pub up: Seq,
    /// Largest buffer in octets.
    pub buffer: u32,
    /// The window that the buffer allows.
    pub limit: u32,
    /// The window that the segments seen so far have earned: no larger one is offered.
    pub ssthresh: u32,
    /// Octets received since the last ACK was sent.
    pub unacked: u32,
    /// TS.Recent (RFC 7323 4.3).
    pub ts_recent: u32,
    /// When TS.Recent was taken.
    pub ts_recent_at: Instant,
    /// Largest segment that our side takes, as offered.
    pub our_mss: u16,
    /// Largest segment seen: what "full-sized" means for delayed ACKs.
    pub seen_mss: u16,
    /// Our shift.
    pub wscale: u8,
}

/// Facts about a connection, one bit each.
#[derive(Copy, Clone, Debug, Default, Hash)]
pub(crate) struct Bits(u64);

impl Bits {
    /// SYN_RCVD was reached from SYN_SENT (RFC 9293 MUST-11).
    pub const ACTIVE: Bits = Bits(1);
    /// SYN or SYN,ACK has to go out.
    pub const SYN_DUE: Bits = Bits(1 << 1);
    /// An ACK has to go out now; `ack_why` says why.
    pub const ACK_NOW: Bits = Bits(1 << 2);
    /// Nagle's algorithm is off.
    pub const NODELAY: Bits = Bits(1 << 3);
    /// SACK was agreed.
    pub const SACK_OK: Bits = Bits(1 << 4);
    /// Timestamps were agreed (RFC 7323 Snd.TS.OK).
    pub const TS_OK: Bits = Bits(1 << 5);
    /// The application closed our direction: FIN follows the last octet.
    pub const FIN_QUEUED: Bits = Bits(1 << 6);
    /// FIN was sent: it is SND.NXT - 1.
    pub const FIN_SENT: Bits = Bits(1 << 7);
    /// No application holds this connection.
    pub const ORPHAN: Bits = Bits(1 << 8);
    /// The application reads no more: text is acknowledged and discarded.
    pub const SHUT_READ: Bits = Bits(1 << 9);
    /// The peer's FIN was taken in order.
    pub const PEER_FIN: Bits = Bits(1 << 10);
    /// Urgent text lies ahead of the reader.
    pub const URG_RECEIVING: Bits = Bits(1 << 11);
    /// Urgent text is unacknowledged or unsent.
    pub const URG_SENDING: Bits = Bits(1 << 12);
    /// A zero-window probe has to go out.
    pub const PROBE_DUE: Bits = Bits(1 << 13);
    /// A keepalive probe has to go out.
    pub const KEEPALIVE_DUE: Bits = Bits(1 << 14);
    /// The override timer allows one small segment.
    pub const SMALL_OK: Bits = Bits(1 << 15);
    /// Fast recovery until `recover` is acknowledged.
    pub const RECOVERY: Bits = Bits(1 << 16);
    /// Recovery after a timeout until `recover` is acknowledged.
    pub const LOSS: Bits = Bits(1 << 17);
    /// The next retransmission goes out whatever cwnd says.
    pub const RETRANSMIT_NOW: Bits = Bits(1 << 18);
    /// ESTABLISHED was reached.
    pub const CONNECTED: Bits = Bits(1 << 19);
    /// The segment that comes next was already shown to the probe, by the half-open record.
    pub const SHOWN: Bits = Bits(1 << 21);
    /// The pool had no memory for a write: not writable until something is acknowledged.
    pub const STARVED: Bits = Bits(1 << 22);
    /// A window probe is in flight or was refused.
    pub const PROBED: Bits = Bits(1 << 20);
    /// Urgent text appeared or its end advanced since the application was last told.
    pub const URG_NEWS: Bits = Bits(1 << 23);
    /// Slow start after a timeout, until ssthresh is reached (RFC 3465 2.3).
    pub const AFTER_TIMEOUT: Bits = Bits(1 << 24);
    /// The receive buffer holds overhead too (see `Quirks::RECV_OVERHEAD`).
    pub const OVERHEAD: Bits = Bits(1 << 31);
    /// The application holds small segments back until it says otherwise.
    pub const CORK: Bits = Bits(1 << 30);
    /// The user timeout counts from the first retransmission or probe (see `Quirks::LIMITS_FROM_FIRST_TRY`).
    pub const FIRST_TRY: Bits = Bits(1 << 33);
    /// A writer waits for the handshake.
    pub const WRITER: Bits = Bits(1 << 34);
    /// More text was announced: a small segment waits for it, or for the peer.
    pub const MORE: Bits = Bits(1 << 29);
    /// A tail loss probe has to go out (RFC 8985 7.3).
    pub const TLP_DUE: Bits = Bits(1 << 25);
    /// The tail loss probe in flight repeated text (RFC 8985 TLP.is_retrans).
    pub const TLP_AGAIN: Bits = Bits(1 << 26);
    /// A round-trip sample was taken since the last tail loss probe.
    pub const SAMPLED: Bits = Bits(1 << 27);
    /// F-RTO: new text before anything is repeated, until the next acknowledgement (RFC 5682 3.1 (2b)).
    pub const NEW_FIRST: Bits = Bits(1 << 28);
    /// Something arrived out of order or twice: what is sent meanwhile is limited transmit's (RFC 3042).
    pub const DISORDER: Bits = Bits(1 << 32);

    #[inline]
    pub fn has(self, b: Bits) -> bool {
        self.0 & b.0 != 0
    }
    #[inline]
    pub fn set(&mut self, b: Bits) {
        self.0 |= b.0;
    }
    #[inline]
    pub fn clear(&mut self, b: Bits) {
        self.0 &= !b.0;
    }
    /// Clears and tells whether it was set.
    #[inline]
    pub fn take(&mut self, b: Bits) -> bool {
        let had = self.has(b);
        self.clear(b);
        had
    }
}

/// What the sender's one timer is for: these exclude each other.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub(crate) enum SendTimer {
    Retransmit,
    Persist,
    SwsOverride,
    /// RFC 8985 7.2 PTO.
    TailProbe,
    /// RFC 8985 6.2 step 5.
    Reordering,
}

/// Deadlines; [`Instant::NEVER`] when off.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Timers {
    pub send: Instant,
    pub send_kind: SendTimer,
    /// When the retransmission timer was last started (RFC 6298 5.1, 5.3), whichever timer stands in for it now.
    pub rto_from: Instant,
    pub delayed_ack: Instant,
    pub fin_wait_2: Instant,
    /// When the oldest unacknowledged octet began to wait: last progress, or first sent.
    pub stalled_since: Instant,
    /// When the first retransmission or probe since the last progress was sent; never: none was.
    pub first_try: Instant,
    /// When text was last sent (RFC 5681 4.1).
    pub last_sent: Instant,
    /// No duplicate or challenge ACK before this (RFC 5961 7).
    pub next_ac: Instant,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) tuple: Tuple,
    pub(crate) state: State,
    pub(crate) bits: Bits,
    pub(crate) iss: Seq,
    pub(crate) irs: Seq,
    pub(crate) snd: Snd,
    pub(crate) rcv: Rcv,
    pub(crate) ts_offset: u32,
    pub(crate) rto: Rto,
    pub(crate) rack: Rack,
    /// The response to congestion that is under way.
    pub(crate) episode: Option<Box<Episode>>,
    /// SND.NXT when the present disorder began, while `DISORDER`.
    pub(crate) disorder_at: Seq,
    /// SND.NXT when the tail loss probe in flight was sent (RFC 8985 TLP.end_seq).
    pub(crate) tlp_end: Option<Seq>,
    pub(crate) cc: Control,
    /// Samples of the delivery rate, for rules that want them.
    pub(crate) rates: Option<Box<Sampler>>,
    /// SND.NXT when the last recovery began (RFC 6582, 6675).
    pub(crate) recover: Seq,
    /// Up to here the congestion window was the limit when it was sent.
    pub(crate) limited_until: Seq,
    /// One round-trip sample per round: the next when this is acknowledged.
    pub(crate) sample_at: Seq,
    pub(crate) timers: Timers,
    pub(crate) send: SendQueue,
    pub(crate) send_limit: u32,
    pub(crate) log: SentLog,
    pub(crate) recv: RecvQueue,
    pub(crate) pace: Pace,
    /// The duplicate to report next (RFC 2883).
    pub(crate) dsack: Option<SackBlock>,
    pub(crate) dup_acks: u8,
    pub(crate) probes: u8,
    pub(crate) syn_retries: u8,
    pub(crate) ack_why: Why,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) soft_error: Option<SoftError>,
    pub(crate) closed: Option<CloseReason>,
    /// MTU from an ICMP message that waits for a timeout to confirm it (RFC 5927 7.2); 0: none.
    pub(crate) claimed_mtu: u16,
    /// Largest segment that the peer acknowledged.
    pub(crate) proven_mss: u16,
    pub(crate) retransmits: u32,
    /// Segments delivered, the SYN included.
    pub(crate) delivered: u32,
    /// D-SACKs received.
    pub(crate) dsacks: u32,
    /// User timeout in milliseconds; 0: the retry limits; `u32::MAX`: never.
    pub(crate) user_timeout: u32,
    /// Ends of records in the text that was never sent: no segment goes beyond one. `None`: there are none.
    #[expect(clippy::box_collection, reason = "one word: there may be millions, and few mark records")]
    pub(crate) records: Option<Box<VecDeque<Seq>>>,
    /// Linger in seconds.
    pub(crate) linger: Option<u16>,
    /// `None`: keepalive is off.
    pub(crate) keepalive: Option<Box<Silence>>,
}

// There may be millions: whoever makes one larger does so on purpose.
const _: () = assert!(size_of::<Connection>() <= 632);

/// What keepalive watches (RFC 9293 3.8.4).
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    pub times: Keepalive,
    /// When the last segment arrived, or keepalive was switched on.
    pub since: Instant,
    /// Probes that nothing has answered.
    pub probes: u8,
}

/// The default MSS if the peer's SYN names none (RFC 9293 MUST-15).
pub(crate) fn default_mss(tuple: &Tuple) -> u16 {
    if tuple.remote.addr.is_v4() { 536 } else { 1220 }
}

/// The window in a SYN: never scaled (RFC 7323 2.2).
pub(crate) fn syn_window(limit: u32) -> u16 {
    u16::try_from(limit.max(1)).unwrap_or(u16::MAX)
}

impl Connection {
    /// Active open: SYN_SENT. `our_mss` is what our side takes (interface MTU less headers).
    pub fn open(tuple: Tuple, iss: Seq, ts_offset: u32, our_mss: u16, cx: &mut Cx<'_>) -> Connection {
        let mut c = Connection::blank(tuple, iss, ts_offset, our_mss, cx);
        c.bits.set(Bits::ACTIVE);
        c.bits.set(Bits::SYN_DUE);
        c.timers.send = cx.now + c.rto.current(cx.cfg);
        c.step(cx, Trigger::Connect);
        c
    }

    /// Passive open completed: ESTABLISHED is reached when the completing segment goes through
    /// [`Connection::on_segment`], which the caller does next.
    pub fn promote(rec: &SynRecord, cx: &mut Cx<'_>) -> Connection {
        let mut c = Connection::blank(rec.tuple, rec.iss, rec.ts_offset, rec.our_mss, cx);
        c.state = State::SynReceived;
        c.bits.set(Bits::SHOWN);
        c.take_peer_syn(rec.irs, &rec.offer, cx);
        c.snd.wnd = u32::from(rec.peer_wnd);
        c.snd.max_wnd = c.snd.wnd;
        c.syn_retries = rec.retries;
        c.rcv.ts_recent_at = rec.sent;
        c.timers.stalled_since = rec.sent;
        c.timers.next_ac = rec.next_ac;
        c
    }

    /// A record in CLOSED that knows only our side.
    fn blank(tuple: Tuple, iss: Seq, ts_offset: u32, our_mss: u16, cx: &Cx<'_>) -> Connection {
        let cfg = cx.cfg;
        let peer_mss = default_mss(&tuple);
        let our_mss = our_mss.min(cfg.mss_limit);
        let mut bits = Bits::default();
        if cfg.quirks.has(Quirks::RECV_OVERHEAD) {
            bits.set(Bits::OVERHEAD);
        }
        if cfg.quirks.has(Quirks::LIMITS_FROM_FIRST_TRY) {
            bits.set(Bits::FIRST_TRY);
        }
        Connection {
            tuple,
            state: State::Closed,
            bits,
            iss,
            irs: Seq::default(),
            snd: Snd {
                una: iss,
                nxt: iss + 1,
                wnd: 0,
                max_wnd: 0,
                wl1: Seq::default(),
                wl2: iss,
                up: iss,
                small: iss,
                acked: 0,
                mss: peer_mss.min(our_mss),
                peer_mss,
                wscale: 0,
            },
            rcv: Rcv {
                nxt: Seq::default(),
                adv: Seq::default(),
                last_ack_sent: Seq::default(),
                up: Seq::default(),
                buffer: cfg.recv_buffer,
                limit: cfg.window_of(cfg.recv_buffer.max(1)),
                ssthresh: cfg.first_window(cfg.recv_buffer, our_mss),
                unacked: 0,
                ts_recent: 0,
                ts_recent_at: cx.now,
                our_mss,
                seen_mss: 0,
                wscale: 0,
            },
            ts_offset,
            rto: Rto::default(),
            rack: Rack::default(),
            episode: None,
            rates: None,
            disorder_at: iss,
            tlp_end: None,
            cc: Control::new(cfg.congestion_control, u32::from(peer_mss)),
            recover: iss,
            limited_until: iss,
            sample_at: iss,
            timers: Timers {
                send: Instant::NEVER,
                send_kind: SendTimer::Retransmit,
                rto_from: cx.now,
                delayed_ack: Instant::NEVER,
                fin_wait_2: Instant::NEVER,
                stalled_since: cx.now,
                first_try: Instant::NEVER,
                last_sent: cx.now,
                next_ac: Instant::ZERO,
            },
            send: SendQueue::default(),
            send_limit: cfg.send_buffer.max(1),
            log: SentLog::default(),
            recv: RecvQueue::default(),
            pace: Pace::default(),
            dsack: None,
            dup_acks: 0,
            probes: 0,
            syn_retries: 0,
            ack_why: Why::Ack,
            ttl: cfg.ttl,
            tos: cfg.tos,
            soft_error: None,
            closed: None,
            claimed_mtu: 0,
            proven_mss: 0,
            retransmits: 0,
            delivered: 0,
            dsacks: 0,
            user_timeout: 0,
            records: None,
            linger: None,
            keepalive: None,
        }
    }

    /// The peer's SYN was taken: its number and what was agreed.
    pub(crate) fn take_peer_syn(&mut self, irs: Seq, offer: &SynOffer, cx: &Cx<'_>) {
        self.irs = irs;
        // Our SYN offered a window without knowing where it begins; the half-open record offered the whole buffer.
        let options = if offer.ts_recent.is_some() { 12 } else { 0 };
        if !self.bits.has(Bits::ACTIVE) {
            let mss = self.rcv.our_mss.saturating_sub(options);
            self.rcv.ssthresh = cx.cfg.first_window(self.rcv.buffer, mss).min(self.rcv.limit);
        }
        // The SYN could not say more than its field holds; where overhead counts, more was meant.
        let meant = self.bits.has(Bits::OVERHEAD) && offer.peer_wscale.is_some();
        let offered = match self.bits.has(Bits::ACTIVE) {
            _ if meant => self.rcv.ssthresh.max(self.rcv_wnd()),
            true => self.rcv_wnd(),
            false => syn_window(self.rcv.ssthresh).into(),
        };
        self.rcv.nxt = irs + 1;
        self.rcv.last_ack_sent = self.rcv.nxt;
        self.rcv.adv = self.rcv.nxt + offered;
        self.snd.wl1 = irs;
        if let Some(shift) = offer.peer_wscale {
            self.snd.wscale = shift;
            self.rcv.wscale = cx.cfg.recv_wscale();
        }
        if offer.sack {
            self.bits.set(Bits::SACK_OK);
        }
        if let Some(val) = offer.ts_recent {
            self.bits.set(Bits::TS_OK);
            self.rcv.ts_recent = val;
            self.rcv.ts_recent_at = cx.now;
        }
        self.snd.peer_mss = offer.peer_mss;
        self.set_mss(offer.peer_mss.min(self.rcv.our_mss), cx.cfg);
        self.pace.begin(self.snd.mss, self.rcv.our_mss, self.rcv.ssthresh);
        self.cc.begin(u32::from(self.snd.mss));
    }

    /// Effective send MSS from the largest segment that path and peer take (RFC 9293 MUST-16, RFC 6691).
    pub(crate) fn set_mss(&mut self, mss: u16, cfg: &Config) {
        let options = if self.bits.has(Bits::TS_OK) { 12 } else { 0 };
        self.snd.mss = mss.max(cfg.min_mss).saturating_sub(options).max(8);
    }

    /// Moves through the state table and tells the probe. A trigger without meaning changes nothing.
    pub(crate) fn step(&mut self, cx: &mut Cx<'_>, by: Trigger) {
        let from = self.state;
        if let Some(to) = from.on(by) {
            self.state = to;
            cx.emit(&self.tuple, || Event::State { from, to, by });
        }
    }

    /// Ends the record: CLOSED by `by`, for `reason`.
    pub(crate) fn end(&mut self, cx: &mut Cx<'_>, by: Trigger, reason: CloseReason) -> Verdict {
        self.step(cx, by);
        self.closed = Some(reason);
        self.send.clear(cx.pool);
        self.log.clear();
        self.recv.forget_held();
        self.stop_timers();
        cx.emit(&self.tuple, || Event::Closed(reason));
        Verdict::Gone(reason)
    }

    /// TIME_WAIT was reached: everything but the small record is at rest (RFC 9293 3.10.7.4: other timers off).
    pub(crate) fn rest(&mut self, cx: &mut Cx<'_>) -> Verdict {
        self.send.clear(cx.pool);
        self.log.clear();
        self.recv.forget_held();
        let tw = TimeWait {
            tuple: self.tuple,
            snd_nxt: self.snd.nxt,
            rcv_nxt: self.rcv.nxt,
            rcv_wnd: self.rcv_wnd(),
            ack_floor: self.ack_floor(),
            rcv_wscale: self.rcv.wscale,
            ts_recent: self.bits.has(Bits::TS_OK).then_some(self.rcv.ts_recent),
            ts_recent_at: self.rcv.ts_recent_at,
            ts_offset: self.ts_offset,
            expires: cx.now + cx.cfg.time_wait(),
            next_ac: self.timers.next_ac,
            tos: self.tos,
            ttl: self.ttl,
        };
        // The FIN that brought us here is acknowledged from the small record.
        if self.bits.take(Bits::ACK_NOW) {
            cx.reply = Some(tw.ack(cx));
        }
        self.stop_timers();
        Verdict::Linger(tw)
    }

    pub(crate) fn stop_timers(&mut self) {
        self.timers.send = Instant::NEVER;
        self.timers.delayed_ack = Instant::NEVER;
        self.timers.fin_wait_2 = Instant::NEVER;
        self.bits.clear(Bits::ACK_NOW);
        self.bits.clear(Bits::SYN_DUE);
        self.bits.clear(Bits::PROBE_DUE);
        self.bits.clear(Bits::KEEPALIVE_DUE);
    }

    /// RCV.WND in octets.
    #[inline]
    pub(crate) fn rcv_wnd(&self) -> u32 {
        self.rcv.adv.since(self.rcv.nxt)
    }

    /// Lowest acceptable SEG.ACK: SND.UNA - min(MAX.SND.WND, octets acknowledged) (RFC 5961 5).
    #[inline]
    pub(crate) fn ack_floor(&self) -> Seq {
        self.snd.una - self.snd.max_wnd.min(self.snd.acked)
    }

    /// Whether our SYN is acknowledged.
    #[inline]
    pub(crate) fn syn_acked(&self) -> bool {
        self.snd.una != self.iss || self.snd.acked > 0
    }

    /// Sequence number of the first octet in the send queue.
    #[inline]
    pub(crate) fn queue_start(&self) -> Seq {
        if self.syn_acked() { self.snd.una } else { self.iss + 1 }
    }

    /// One past the last octet in the send queue: the number of our FIN, if there will be one.
    #[inline]
    pub(crate) fn queue_end(&self) -> Seq {
        self.queue_start() + self.send.len()
    }

    /// Octets in the send queue that were never sent.
    #[inline]
    pub(crate) fn unsent(&self) -> u32 {
        if self.bits.has(Bits::FIN_SENT) { 0 } else { self.queue_end().since(self.snd.nxt) }
    }

    /// TSval (RFC 7323 5.4): milliseconds with an offset of this pair of endpoints.
    #[inline]
    pub(crate) fn ts_now(&self, now: Instant) -> u32 {
        (now.millis() as u32).wrapping_add(self.ts_offset)
    }
}

#[cfg(test)]
mod tests;
