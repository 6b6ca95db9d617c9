//! Socket options. What the stack cannot do is refused by name, never taken and forgotten.

use std::time::Duration;

use synfin_net::Handle;
use synfin_tcp::{Keepalive, SoftError};

use super::{Called, Handed, Kind, Ret, Sys, Value, World, arg, int, seconds};
use crate::ast::{Call, Expr};
use crate::consts::number;

/// Options that leave no trace in the segments of a script: taken, and told with the outcome. The stack always sets DF, has
/// one queue and one device, and copies what it is given.
const WITHOUT_TRACE: [(&str, &str); 10] = [
    ("SOL_IP", "IP_MTU_DISCOVER"),
    ("SOL_IPV6", "IPV6_MTU_DISCOVER"),
    ("SOL_IP", "IP_RECVERR"),
    ("SOL_IPV6", "IPV6_RECVERR"),
    ("SOL_SOCKET", "SO_PRIORITY"),
    ("SOL_SOCKET", "SO_MARK"),
    ("SOL_SOCKET", "SO_BUSY_POLL"),
    ("SOL_SOCKET", "SO_INCOMING_CPU"),
    ("SOL_SOCKET", "SO_ZEROCOPY"),
    ("SOL_TCP", "TCP_NOTSENT_LOWAT"),
];

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
    /// Half of the receive buffer counts for the window, the rest for overhead (Linux).
    halved: bool,
    send_buffer: Option<u32>,
    tos: Option<u8>,
    ttl: Option<u8>,
}

impl Opts {
    /// The largest window that a receive buffer set by the program allows.
    pub fn window(&self) -> Option<u32> {
        self.recv_buffer.map(|n| if self.halved { n / 2 } else { n })
    }

    /// Everything that was set, onto a connection.
    pub fn apply(&self, handle: &mut Handle<'_>) {
        handle.configure(|conn, cx| {
            conn.set_nodelay(self.nodelay);
            let times = self.times.unwrap_or(cx.cfg.keepalive);
            conn.set_keepalive(cx, self.keepalive.then_some(times));
            conn.set_linger(self.linger);
            conn.set_user_timeout(self.user_timeout);
            if let Some(n) = self.window() {
                conn.set_recv_buffer(n);
            }
            if let Some(n) = self.send_buffer {
                conn.set_send_buffer(n);
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

fn named(call: &Call, i: usize) -> Called<&str> {
    match arg(call, i)? {
        Expr::Word(w) => Ok(w),
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
        let n = || number(&value);
        let factor = world.profile.buffer_factor;
        let now = world.now;
        let default_times = world.profile.tcp.keepalive;
        let Some(sock) = self.sock_mut(fd) else { return Ok(Ret::err("EBADF")) };
        let opts = &mut sock.opts;
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
                opts.halved = factor > 1;
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
                // What the stack runs.
                Expr::Text(t) | Expr::Word(t) if t == "reno" => {}
                other => return Err(format!("congestion control {other} is not supported")),
            },
            ("SOL_SOCKET", "SO_TIMESTAMP" | "SO_ZEROCOPY") if n()? == 0 => {}
            _ if WITHOUT_TRACE.contains(&(level.as_str(), name.as_str())) => {
                self.note(format!("{name}={value} is not modelled"));
                return Ok(Ret::ok(0));
            }
            _ => return Err(format!("socket option {level}, {name} is not supported")),
        }
        let (kind, opts) = (sock.kind, opts.clone());
        if let Kind::Conn(id) = kind
            && let Some(mut handle) = world.stack.conn(now, id)
        {
            opts.apply(&mut handle);
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
            ("SOL_TCP", "TCP_MAXSEG") => {
                match self.conn_id(fd).and_then(|id| world.stack.conn(world.now, id)) {
                    Some(handle) => i64::from(handle.info().mss),
                    None => 536,
                }
            }
            ("SOL_TCP", "TCP_CONGESTION") => return Some(Value::Text("reno")),
            _ => return None,
        };
        Some(Value::Number(value))
    }

    /// SO_ERROR: what ended the connection, or a soft error, once.
    fn pending_error(&mut self, world: &mut World<'_>, fd: i64) -> Option<&'static str> {
        let errno = self.take_error(world, fd);
        if errno.is_some() {
            return errno;
        }
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
