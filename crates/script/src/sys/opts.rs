//! Socket options. What the stack cannot do is refused by name, never taken and forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use synfin_net::Handle;
use synfin_tcp::cc::Choice;
use synfin_tcp::{Config, Keepalive, SoftError, State};

use super::{Called, Handed, Kind, Ret, Sys, Value, World, arg, int, seconds};
use crate::ast::{Call, Expr};
use crate::consts::number;
use crate::profile::{Profile, SendRoom};
use crate::sysctl;
use crate::tcpinfo;

/// Options that leave no trace in the segments of a script: taken, remembered, and told with the outcome. The stack always
/// sets DF, has one queue and one device, and copies what it is given.
const WITHOUT_TRACE: [(&str, &str); 25] = [
    ("SOL_IP", "IP_RECVTOS"),
    ("SOL_IP", "IP_RECVTTL"),
    ("SOL_IP", "IP_PKTINFO"),
    ("SOL_IP", "IP_BIND_ADDRESS_NO_PORT"),
    ("SOL_IPV6", "IPV6_V6ONLY"),
    ("SOL_IPV6", "IPV6_RECVTCLASS"),
    ("SOL_IPV6", "IPV6_AUTOFLOWLABEL"),
    ("SOL_IPV6", "IPV6_FLOWINFO_SEND"),
    ("SOL_SOCKET", "SO_PRIORITY"),
    ("SOL_SOCKET", "SO_MARK"),
    ("SOL_SOCKET", "SO_BUSY_POLL"),
    ("SOL_SOCKET", "SO_INCOMING_CPU"),
    ("SOL_SOCKET", "SO_BROADCAST"),
    ("SOL_SOCKET", "SO_DONTROUTE"),
    ("SOL_SOCKET", "SO_DEBUG"),
    ("SOL_SOCKET", "SO_TXREHASH"),
    ("SOL_SOCKET", "SO_MAX_PACING_RATE"),
    ("SOL_TCP", "TCP_THIN_LINEAR_TIMEOUTS"),
    ("SOL_TCP", "TCP_THIN_DUPACK"),
    ("SOL_TCP", "TCP_SAVE_SYN"),
    ("SOL_TCP", "TCP_FASTOPEN"),
    ("SOL_TCP", "TCP_FASTOPEN_CONNECT"),
    ("SOL_TCP", "TCP_FASTOPEN_NO_COOKIE"),
    ("SOL_TCP", "TCP_TX_DELAY"),
    ("SOL_TCP", "TCP_RTO_MAX_MS"),
];

/// TCP_DEFER_ACCEPT is given in seconds and kept in tries: 1 s after the first SYN,ACK, and twice as long after each
/// further one, up to `most` seconds.
fn tries_within(seconds: i64, most: i64) -> u8 {
    let (mut tries, mut period, mut timeout) = (0, 0, 1);
    while period < seconds && tries < u8::MAX {
        tries += 1;
        period += timeout;
        timeout = (timeout * 2).min(most);
    }
    tries
}

/// The other way round.
fn seconds_of(tries: u8, most: i64) -> i64 {
    let timeouts = std::iter::successors(Some(1_i64), |t| Some((t * 2).min(most)));
    timeouts.take(usize::from(tries)).sum()
}

/// What was set on a socket; a connection accepted from a listener begins with the listener's.
#[derive(Clone, Debug, Default)]
pub(super) struct Opts {
    pub reuse: bool,
    pub urgent_inline: bool,
    pub recv_timeout: Option<Duration>,
    pub send_timeout: Option<Duration>,
    pub syn_retries: Option<u8>,
    nodelay: bool,
    keepalive: bool,
    times: Option<Keepalive>,
    linger: Option<Duration>,
    user_timeout: Option<Duration>,
    /// As getsockopt shows it.
    recv_buffer: Option<u32>,
    send_buffer: Option<u32>,
    tos: Option<u8>,
    ttl: Option<u8>,
    cork: bool,
    max_segment: Option<u16>,
    window_clamp: Option<u32>,
    /// TCP_LINGER2 in seconds; -1: no FIN_WAIT_2 without a program.
    linger2: Option<i64>,
    /// In tries.
    defer_accept: u8,
    pub notsent_lowat: Option<u32>,
    pub recv_lowat: Option<usize>,
    /// Where the next MSG_PEEK begins; `None`: always at the next octet.
    pub peek_offset: Option<usize>,
    /// Reads tell how much is left.
    pub tell_queue: bool,
    /// ICMP errors end the wait of the program at once (IP_RECVERR).
    pub recverr: bool,
    mtu_discover: Option<i64>,
    congestion: Option<&'static str>,
    pub timestamping: bool,
    pub zero_copy: bool,
    /// What is only remembered.
    remembered: BTreeMap<(String, String), i64>,
}

impl Opts {
    /// The size of a send buffer that the program chose.
    pub fn send_buffer(&self) -> Option<u32> {
        self.send_buffer
    }

    /// What the stack has to know before a connection begins. One connection is under test: its limits are the stack's.
    pub fn prepare(&self, profile: &Profile, cfg: &mut Config) {
        cfg.syn_retries = self.syn_retries.unwrap_or(profile.tcp.syn_retries);
        if let Some(octets) = self.recv_buffer {
            (cfg.recv_buffer, cfg.recv_buffer_max) = (octets, 0);
        }
        if let Some(octets) = self.window_clamp {
            // What the window is made of: a part of the buffer, or all of it.
            let share = cfg.recv_buffer / cfg.window_of(cfg.recv_buffer).max(1);
            cfg.recv_buffer = cfg.recv_buffer.min(octets.saturating_mul(share.max(1)));
            cfg.recv_buffer_max = 0;
        }
        cfg.mss_limit = self.max_segment.unwrap_or(profile.tcp.mss_limit);
        cfg.defer_accept = self.defer_accept;
        let choice = self.congestion.and_then(Choice::by_name);
        cfg.congestion_control = choice.unwrap_or(profile.tcp.congestion_control);
        cfg.ttl = self.ttl.unwrap_or(profile.tcp.ttl);
        cfg.tos = self.tos.map_or(profile.tcp.tos, |tos| tos & !3);
        self.prepare_end(profile, cfg);
    }

    /// How long FIN_WAIT_2 lasts without a program.
    pub fn prepare_end(&self, profile: &Profile, cfg: &mut Config) {
        cfg.fin_wait_2 = match self.linger2 {
            Some(seconds) => secs(seconds.max(0)).min(profile.tcp.fin_wait_2.max(Duration::from_secs(120))),
            None => profile.tcp.fin_wait_2,
        };
    }

    /// Everything that was set, onto a connection.
    pub fn apply(&self, profile: &Profile, handle: &mut Handle<'_>) {
        handle.configure(|conn, cx| {
            if conn.nodelay() != self.nodelay {
                conn.set_nodelay(self.nodelay);
            }
            if let Some(choice) = self.congestion.and_then(Choice::by_name)
                && conn.congestion_control() != choice.name()
            {
                conn.set_congestion_control(choice);
            }
            if conn.cork() != self.cork {
                conn.set_cork(self.cork);
            }
            let times = self.times.unwrap_or(cx.cfg.keepalive);
            let times = self.keepalive.then_some(times);
            if conn.keepalive() != times {
                conn.set_keepalive(cx, times);
            }
            conn.set_linger(self.linger);
            conn.set_user_timeout(self.user_timeout);
            if let Some(n) = self.recv_buffer.filter(|n| *n != conn.recv_buffer()) {
                conn.set_recv_buffer(n);
            }
            if let Some(n) = self.window_clamp {
                conn.set_window_clamp(n);
            }
            match profile.send_room {
                SendRoom::Octets => {
                    if let Some(n) = self.send_buffer {
                        conn.set_send_buffer(n);
                    }
                }
                // Calls judge the room themselves.
                SendRoom::Chunks => conn.set_send_buffer(u32::MAX),
            }
            if let Some(tos) = self.tos {
                conn.set_dscp(tos >> 2);
            }
            if let Some(ttl) = self.ttl {
                conn.set_ttl(ttl);
            }
        });
    }
}

/// Name of an option whose number is none of those that have names.
const NOBODY_KNOWS: &str = "?";

/// A word; a number stands for an option that nobody knows.
fn named(call: &Call, i: usize) -> Called<&str> {
    match arg(call, i)? {
        Expr::Word(w) => Ok(w),
        Expr::Int(_) => Ok(NOBODY_KNOWS),
        other => Err(format!("an option's level and name have to be words here, not {other}")),
    }
}

/// Levels that mean the same.
fn level(word: &str) -> &str {
    match word {
        "IPPROTO_TCP" => "SOL_TCP",
        "IPPROTO_IP" => "SOL_IP",
        "IPPROTO_IPV6" => "SOL_IPV6",
        other => other,
    }
}

impl Sys {
    pub(super) fn setsockopt(&mut self, world: &mut World<'_>, call: &Call) -> Called<Ret> {
        let fd = int(call, 0)?;
        let (level, name) = (level(named(call, 1)?).to_string(), named(call, 2)?.to_string());
        let value = arg(call, 3)?.single().clone();
        if self.sock(fd).is_none() {
            return Ok(self.no_socket(fd));
        }
        if name == NOBODY_KNOWS {
            return Ok(Ret::err("ENOPROTOOPT"));
        }
        if value == Expr::Word("NULL".into()) {
            return Ok(Ret::err("EFAULT"));
        }
        if matches!(value, Expr::Int(_))
            && int(call, 4).is_ok_and(|len| (0..4).contains(&len))
            && level != "SOL_IP"
        {
            return Ok(Ret::err("EINVAL"));
        }
        let n = || number(&value);
        let factor = world.profile.buffer_factor;
        let now = world.now;
        let default_times = world.profile.tcp.keepalive;
        let rto_max = world.profile.tcp.rto_max.as_secs() as i64;
        let profile = world.profile;
        let Some(sock) = self.sock_mut(fd) else { return Ok(Ret::err("EBADF")) };
        let (kind, opts) = (sock.kind, &mut sock.opts);
        let mut quick = None;
        let times = opts.times.unwrap_or(default_times);
        let in_range = |n: i64, most: i64| (1..=most).contains(&n);
        match (level.as_str(), name.as_str()) {
            // A port in TIME_WAIT can be listened on here whatever this says.
            ("SOL_SOCKET", "SO_REUSEADDR" | "SO_REUSEPORT") => opts.reuse = n()? != 0,
            ("SOL_SOCKET", "SO_OOBINLINE") => opts.urgent_inline = n()? != 0,
            ("SOL_SOCKET", "SO_KEEPALIVE") => opts.keepalive = n()? != 0,
            ("SOL_SOCKET", "SO_LINGER") => {
                let on =
                    number(value.field("onoff").or(value.field("l_onoff")).ok_or("linger needs onoff")?)?;
                let time =
                    number(value.field("linger").or(value.field("l_linger")).ok_or("linger needs linger")?)?;
                opts.linger = if on != 0 { seconds(time) } else { None };
            }
            ("SOL_SOCKET", "SO_RCVBUF") => {
                opts.recv_buffer = Some(buffer(n()?, factor, 2304));
            }
            ("SOL_SOCKET", "SO_SNDBUF") => opts.send_buffer = Some(buffer(n()?, factor, 4608)),
            ("SOL_SOCKET", "SO_RCVTIMEO") => opts.recv_timeout = timeout(&value)?,
            ("SOL_SOCKET", "SO_SNDTIMEO") => opts.send_timeout = timeout(&value)?,
            // bind() to an address that is not there is what this allows; here it is.
            ("SOL_IP", "IP_FREEBIND") => {}
            ("SOL_IP", "IP_TOS") | ("SOL_IPV6", "IPV6_TCLASS") => {
                opts.tos = Some(u8::try_from(n()?).map_err(|_| "tos")?);
            }
            ("SOL_IP", "IP_TTL") | ("SOL_IPV6", "IPV6_UNICAST_HOPS") => match u8::try_from(n()?) {
                Ok(ttl) if ttl > 0 => opts.ttl = Some(ttl),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_NODELAY") => opts.nodelay = n()? != 0,
            ("SOL_TCP", "TCP_KEEPIDLE") => match n()? {
                s if in_range(s, 32_767) => opts.times = Some(Keepalive { idle: secs(s), ..times }),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_KEEPINTVL") => match n()? {
                s if in_range(s, 32_767) => opts.times = Some(Keepalive { interval: secs(s), ..times }),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_KEEPCNT") => match n()? {
                c if in_range(c, 127) => opts.times = Some(Keepalive { probes: c as u8, ..times }),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_SYNCNT") => match n()? {
                c if in_range(c, 127) => opts.syn_retries = Some(c as u8),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_USER_TIMEOUT") => match u64::try_from(n()?) {
                Ok(ms) => opts.user_timeout = (ms > 0).then(|| Duration::from_millis(ms)),
                Err(_) => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_CONGESTION") => match &value {
                Expr::Text(t) | Expr::Word(t) => match sysctl::congestion_control(t) {
                    Some(name) => {
                        opts.congestion = Some(name);
                        if Choice::by_name(name).is_none() {
                            self.note(format!("congestion control {name} is not modelled"));
                            return Ok(Ret::ok(0));
                        }
                    }
                    None => return Ok(Ret::err("ENOENT")),
                },
                other => return Err(format!("congestion control {other} is not supported")),
            },
            ("SOL_SOCKET", "SO_ZEROCOPY") => opts.zero_copy = n()? != 0,
            ("SOL_TCP", "TCP_CORK") => opts.cork = n()? != 0,
            ("SOL_TCP", "TCP_QUICKACK") => quick = Some(n()? != 0),
            ("SOL_TCP", "TCP_MAXSEG") => match n()? {
                0 => opts.max_segment = None,
                mss if (88..=32_767).contains(&mss) => opts.max_segment = u16::try_from(mss).ok(),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_WINDOW_CLAMP") => match u32::try_from(n()?) {
                Ok(0) if kind != Kind::Fresh => return Ok(Ret::err("EINVAL")),
                Ok(0) => opts.window_clamp = None,
                Ok(octets) => opts.window_clamp = Some(octets.max(1152)),
                Err(_) => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_TCP", "TCP_LINGER2") => {
                opts.linger2 = match n()? {
                    0 => None,
                    ..0 => Some(-1),
                    seconds => Some(seconds.min(120)),
                };
            }
            ("SOL_TCP", "TCP_DEFER_ACCEPT") => opts.defer_accept = tries_within(n()?, rto_max),
            ("SOL_TCP", "TCP_NOTSENT_LOWAT") => opts.notsent_lowat = Some(n()? as u32),
            ("SOL_TCP", "TCP_INQ") => match n()? {
                on @ (0 | 1) => opts.tell_queue = on != 0,
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_SOCKET", "SO_RCVLOWAT") => {
                // A negative value means as much as can be.
                let octets = usize::try_from(n()?).unwrap_or(i32::MAX as usize).max(1);
                opts.recv_lowat = Some(octets);
            }
            ("SOL_SOCKET", "SO_PEEK_OFF") => {
                opts.peek_offset = usize::try_from(n()?).ok();
            }
            ("SOL_SOCKET", "SO_TIMESTAMPING") => {
                opts.timestamping = n()? != 0;
                self.note(format!("{name}={value} is not modelled"));
                return Ok(Ret::ok(0));
            }
            ("SOL_IP", "IP_RECVERR") | ("SOL_IPV6", "IPV6_RECVERR") => opts.recverr = n()? != 0,
            ("SOL_IP", "IP_MTU_DISCOVER") | ("SOL_IPV6", "IPV6_MTU_DISCOVER") => match n()? {
                how @ 0..=5 => opts.mtu_discover = Some(how),
                _ => return Ok(Ret::err("EINVAL")),
            },
            ("SOL_SOCKET", "SO_TIMESTAMP" | "SO_TIMESTAMPNS") if n()? == 0 => {}
            (
                "SOL_SOCKET",
                "SO_ERROR" | "SO_TYPE" | "SO_PROTOCOL" | "SO_DOMAIN" | "SO_ACCEPTCONN" | "SO_SNDLOWAT",
            )
            | ("SOL_TCP", "TCP_INFO" | "TCP_CC_INFO") => return Ok(Ret::err("ENOPROTOOPT")),
            _ if WITHOUT_TRACE.contains(&(level.as_str(), name.as_str())) => {
                if let Ok(n) = number(&value) {
                    opts.remembered.insert((level, name.clone()), n);
                }
                self.note(format!("{name}={value} is not modelled"));
                return Ok(Ret::ok(0));
            }
            _ => return Err(format!("socket option {level}, {name} is not supported")),
        }
        let opts = opts.clone();
        opts.prepare_end(profile, world.stack.tcp_config_mut());
        if let Kind::Listening(_) = kind {
            opts.prepare(profile, world.stack.tcp_config_mut());
        }
        if let Kind::Conn(id) = kind
            && let Some(mut handle) = world.stack.conn(now, id)
        {
            opts.apply(profile, &mut handle);
            if let Some(on) = quick {
                handle.configure(|conn, _| conn.set_quick_ack(on));
            }
        }
        Ok(Ret::ok(0))
    }

    pub(super) fn getsockopt(&mut self, world: &mut World<'_>, call: &Call) -> Called<Ret> {
        let fd = int(call, 0)?;
        let (level, name) = (level(named(call, 1)?).to_string(), named(call, 2)?.to_string());
        let expected = arg(call, 3)?.single();
        if self.sock(fd).is_none() {
            return Ok(self.no_socket(fd));
        }
        if name == NOBODY_KNOWS {
            return Ok(Ret::err("ENOPROTOOPT"));
        }
        if *expected == Expr::Word("NULL".into()) {
            return Ok(Ret::err("EFAULT"));
        }
        let value = self
            .option(world, fd, &level, &name)
            .ok_or_else(|| format!("socket option {level}, {name} is not supported"))?;
        value.against(expected)
    }

    /// The value of an option; `None`: not supported.
    fn option(&mut self, world: &mut World<'_>, fd: i64, level: &str, name: &str) -> Option<Value> {
        if (level, name) == ("SOL_SOCKET", "SO_ERROR") {
            return Some(Value::Error(self.pending_error(world, fd)));
        }
        let sock = self.sock(fd)?;
        let opts = &sock.opts;
        let times = opts.times.unwrap_or(world.profile.tcp.keepalive);
        let tcp = &world.profile.tcp;
        let info = self
            .conn_id(fd)
            .and_then(|id| world.stack.conn(world.now, id))
            .map(|h| (h.info(), h.get().quick_ack()));
        let number_of = |d: Duration| d.as_secs() as i64;
        let value = match (level, name) {
            ("SOL_SOCKET", "SO_REUSEADDR" | "SO_REUSEPORT") => i64::from(opts.reuse),
            ("SOL_SOCKET", "SO_OOBINLINE") => i64::from(opts.urgent_inline),
            ("SOL_SOCKET", "SO_KEEPALIVE") => i64::from(opts.keepalive),
            ("SOL_SOCKET", "SO_TYPE") => 1,
            ("SOL_SOCKET", "SO_PROTOCOL") => 6,
            ("SOL_SOCKET", "SO_ACCEPTCONN") => i64::from(matches!(sock.kind, Kind::Listening(_))),
            ("SOL_SOCKET", "SO_RCVBUF") => i64::from(opts.recv_buffer.unwrap_or(world.profile.recv_sizes[1])),
            ("SOL_SOCKET", "SO_SNDBUF") => i64::from(opts.send_buffer.unwrap_or(world.profile.send_sizes[1])),
            ("SOL_SOCKET", "SO_LINGER") => return Some(Value::Linger(opts.linger)),
            ("SOL_IP", "IP_TOS") | ("SOL_IPV6", "IPV6_TCLASS") => i64::from(opts.tos.unwrap_or(0)),
            ("SOL_IP", "IP_TTL") | ("SOL_IPV6", "IPV6_UNICAST_HOPS") => {
                i64::from(opts.ttl.unwrap_or(tcp.ttl))
            }
            ("SOL_TCP", "TCP_NODELAY") => i64::from(opts.nodelay),
            ("SOL_TCP", "TCP_KEEPIDLE") => number_of(times.idle),
            ("SOL_TCP", "TCP_KEEPINTVL") => number_of(times.interval),
            ("SOL_TCP", "TCP_KEEPCNT") => i64::from(times.probes),
            ("SOL_TCP", "TCP_SYNCNT") => i64::from(opts.syn_retries.unwrap_or(tcp.syn_retries)),
            ("SOL_TCP", "TCP_USER_TIMEOUT") => opts.user_timeout.map_or(0, |t| t.as_millis() as i64),
            ("SOL_TCP", "TCP_MAXSEG") => match info {
                // Before the answer, what an option of every segment takes is already subtracted.
                Some((info, _)) if info.state == State::SynSent && tcp.timestamps => i64::from(info.mss) - 12,
                Some((info, _)) => i64::from(info.mss),
                None => i64::from(opts.max_segment.unwrap_or(536)),
            },
            ("SOL_TCP", "TCP_CONGESTION") => {
                return Some(Value::Text(opts.congestion.unwrap_or(world.profile.congestion)));
            }
            ("SOL_SOCKET", "SO_ZEROCOPY") => i64::from(opts.zero_copy),
            ("SOL_TCP", "TCP_CORK") => i64::from(opts.cork),
            ("SOL_TCP", "TCP_QUICKACK") => i64::from(info.is_none_or(|(_, quick)| quick)),
            ("SOL_TCP", "TCP_WINDOW_CLAMP") => i64::from(opts.window_clamp.unwrap_or(0)),
            ("SOL_TCP", "TCP_LINGER2") => opts.linger2.unwrap_or(number_of(tcp.fin_wait_2)),
            ("SOL_TCP", "TCP_DEFER_ACCEPT") => seconds_of(opts.defer_accept, tcp.rto_max.as_secs() as i64),
            ("SOL_TCP", "TCP_NOTSENT_LOWAT") => i64::from(opts.notsent_lowat.unwrap_or(0)),
            ("SOL_TCP", "TCP_INQ") => i64::from(opts.tell_queue),
            ("SOL_SOCKET", "SO_RCVLOWAT") => opts.recv_lowat.unwrap_or(1) as i64,
            ("SOL_SOCKET", "SO_PEEK_OFF") => opts.peek_offset.map_or(-1, |n| n as i64),
            ("SOL_SOCKET", "SO_SNDLOWAT") => 1,
            ("SOL_SOCKET", "SO_DOMAIN") => {
                if sock.v6 {
                    10
                } else {
                    2
                }
            }
            ("SOL_IP", "IP_RECVERR") | ("SOL_IPV6", "IPV6_RECVERR") => i64::from(opts.recverr),
            ("SOL_IP", "IP_MTU_DISCOVER") | ("SOL_IPV6", "IPV6_MTU_DISCOVER") => {
                opts.mtu_discover.unwrap_or(1)
            }
            ("SOL_IP", "IP_MTU") | ("SOL_IPV6", "IPV6_MTU") => tcpinfo::path_mtu(&info?.0, world),
            _ => *opts.remembered.get(&(level.to_string(), name.to_string()))?,
        };
        Some(Value::Number(value))
    }

    /// SO_ERROR: what ended the connection, or a soft error, once.
    fn pending_error(&mut self, world: &mut World<'_>, fd: i64) -> Option<&'static str> {
        let errno = self.take_error(world, fd);
        if errno.is_some() {
            return errno;
        }
        self.soft_error(world, fd)
    }

    /// With IP_RECVERR a soft error is one that the next call tells.
    pub(super) fn hear_errors(&mut self, world: &mut World<'_>) {
        let wants: Vec<i64> = self.fds.keys().copied().collect();
        for fd in wants {
            if self.sock(fd).is_some_and(|s| s.opts.recverr && s.pending.is_none())
                && let Some(errno) = self.soft_error(world, fd)
                && let Some(sock) = self.sock_mut(fd)
            {
                sock.pending = Some(errno);
            }
        }
    }

    /// A soft error, once.
    pub(super) fn soft_error(&mut self, world: &mut World<'_>, fd: i64) -> Option<&'static str> {
        let id = self.conn_id(fd)?;
        let icmp = world.trace.icmp_errno();
        let mut handle = world.stack.conn(world.now, id)?;
        handle.configure(|conn, _| conn.take_soft_error()).and_then(|soft| match soft {
            SoftError::Retransmitting => None,
            SoftError::ParameterProblem => Some("EPROTO"),
            SoftError::Refused => Some(icmp.unwrap_or("ECONNREFUSED")),
            _ => Some(icmp.unwrap_or("EHOSTUNREACH")),
        })
    }
}

impl Value {
    /// What getsockopt returns, judged by what a script expects.
    fn against(self, expected: &Expr) -> Called<Ret> {
        if *expected == Expr::Ellipsis {
            return Ok(Ret::ok(0).with(Handed::Value(self)));
        }
        let (what, wanted, actual) = match &self {
            Value::Number(n) => ("value", number(expected)?.to_string(), n.to_string()),
            Value::Text(t) => ("value", expected.to_string(), format!("\"{t}\"")),
            Value::Linger(linger) => {
                let show = |on: i64, time: i64| format!("{{onoff={on}, linger={time}}}");
                let on = number(expected.field("onoff").ok_or("linger needs onoff")?)?;
                let time = number(expected.field("linger").ok_or("linger needs linger")?)?;
                let actual = linger.map_or(show(0, 0), |t| show(1, t.as_secs() as i64));
                ("value", show(on, time), actual)
            }
            Value::Error(errno) => {
                let wanted = match expected {
                    Expr::Int(n) => errno_name(*n).map_or_else(|| n.to_string(), str::to_string),
                    other => other.to_string(),
                };
                ("SO_ERROR", wanted, errno.unwrap_or("0").into())
            }
        };
        Ok(Ret::handing(0, what, wanted, actual).with(Handed::Value(self)))
    }
}

/// Linux's number of an errno that a script may use instead of its name.
fn errno_name(n: i64) -> Option<&'static str> {
    [
        (11, "EAGAIN"),
        (32, "EPIPE"),
        (71, "EPROTO"),
        (92, "ENOPROTOOPT"),
        (101, "ENETUNREACH"),
        (103, "ECONNABORTED"),
        (104, "ECONNRESET"),
        (110, "ETIMEDOUT"),
        (111, "ECONNREFUSED"),
        (113, "EHOSTUNREACH"),
    ]
    .into_iter()
    .find(|(number, _)| *number == n)
    .map(|(_, name)| name)
}

fn secs(n: i64) -> Duration {
    seconds(n).unwrap_or_default()
}

/// The size that a value asks for, within bounds.
fn buffer(n: i64, factor: u32, least: u32) -> u32 {
    u32::try_from(n).unwrap_or(0).saturating_mul(factor).clamp(if factor > 1 { least } else { 1 }, 1 << 30)
}

/// `{tv_sec=1, tv_usec=0}`
fn timeout(value: &Expr) -> Called<Option<Duration>> {
    let part = |name: &str| value.field(name).map_or(Ok(0), number);
    let (secs, micros) = (part("tv_sec")?, part("tv_usec")?);
    let total = secs.checked_mul(1_000_000).and_then(|s| s.checked_add(micros)).ok_or("timeout")?;
    let total = u64::try_from(total).map_err(|_| "timeout")?;
    Ok((total > 0).then(|| Duration::from_micros(total)))
}
