//! Calls of a script, made through the shared object.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use libc::{c_int, pollfd};
use synfin_script::ast::{Call, Expr, What};
use synfin_script::call::{
    Wrong, arg, epoll_wrong, int, length, message, number, octets, poll_items, poll_wrong, socket_address,
    value, vector,
};
use synfin_script::host::Fields;
use synfin_script::setup::Family;
use synfin_script::{Script, Setup};
use synfin_wire::Endpoint;

use super::{Got, Tool, sockaddr_of};

/// How a reason begins that lies with the original program.
pub const CANNOT: &str = "the original cannot";

/// What it is when a script expects several segments as one packet without PSH, which Linux's packets carry.
pub const PUSHED: &str = "several segments that are asked for as one carry PSH";

/// What came of a call.
#[derive(Debug, Default)]
pub struct Came {
    pub value: i64,
    pub errno: Option<i32>,
    pub wrong: Vec<Wrong>,
    /// Port of a peer that was accepted.
    pub peer_port: Option<u16>,
    /// The value is a new descriptor, whose number a script cannot know.
    pub opened: bool,
    /// It cannot be made at all.
    pub impossible: Option<String>,
}

impl Came {
    pub fn impossible(why: String) -> Came {
        Came { impossible: Some(why), value: -1, ..Came::default() }
    }
}

impl From<Got> for Came {
    fn from(got: Got) -> Came {
        match got {
            Ok(value) => Came { value, ..Came::default() },
            Err(errno) => Came { value: -1, errno: Some(errno), ..Came::default() },
        }
    }
}

/// Descriptors and places in streams: shared by the two threads.
#[derive(Debug, Default)]
struct Files {
    live: BTreeMap<i64, i64>,
    read: BTreeMap<i64, u32>,
    written: BTreeMap<i64, u32>,
}

/// Makes calls.
#[derive(Clone)]
pub struct Caller {
    tool: Arc<Tool>,
    setup: Setup,
    files: Arc<Mutex<Files>>,
    /// Urgent octets leave the stream, and a peek may begin further on: then places cannot be told.
    no_places: bool,
}

type Made = Result<Came, String>;

impl Caller {
    pub fn new(tool: &Arc<Tool>, setup: &Setup, script: &Script) -> Caller {
        let no_places = script.events.iter().any(|e| match &e.what {
            What::Packet(_) => e.text.contains(" urg "),
            What::Call(_) => e.text.contains("MSG_OOB") || e.text.contains("SO_PEEK_OFF"),
            _ => false,
        });
        Caller { tool: Arc::clone(tool), setup: setup.clone(), files: Arc::default(), no_places }
    }

    fn live(&self, call: &Call, i: usize) -> Result<i64, String> {
        self.live_of(int(call, i)?)
    }

    /// The original makes no call with a number that is not in use.
    fn live_of(&self, fd: i64) -> Result<i64, String> {
        let live = self.files.lock().unwrap().live.get(&fd).copied();
        live.ok_or_else(|| format!("{CANNOT} call with a descriptor that is not open: {fd}"))
    }

    /// A new descriptor, under the number that the script gives it.
    fn opened(&self, call: &Call, got: Got) -> Made {
        let mut came = Came::from(got);
        if let (Ok(live), Ok(script)) = (got, number(&call.result)) {
            came.opened = script >= 0;
            let mut files = self.files.lock().unwrap();
            files.live.insert(script, live);
            files.read.insert(live, 0);
            files.written.insert(live, 0);
        }
        Ok(came)
    }

    fn address(&self, call: &Call, remote: bool) -> Result<Vec<u8>, String> {
        let addrs = self.setup.addrs;
        let at = match socket_address(arg(call, 1)?)? {
            Some(None) => return Ok(vec![0; 16]),
            Some(Some(at)) => at,
            None if remote => Endpoint::new(addrs.remote, addrs.connect_port),
            None => Endpoint::new(addrs.local, addrs.bind_port),
        };
        Ok(sockaddr_of(SocketAddr::from(at), self.setup.family != Family::V4))
    }

    fn text(&self, fd: i64, len: usize) -> Vec<u8> {
        octets(self.files.lock().unwrap().written.get(&fd).copied().unwrap_or(0), len)
    }

    fn wrote(&self, fd: i64, got: Got) -> Made {
        if let (Ok(n), Some(written)) = (got, self.files.lock().unwrap().written.get_mut(&fd)) {
            *written = written.wrapping_add(n as u32);
        }
        Ok(got.into())
    }

    fn was_read(&self, fd: i64, got: Result<Vec<u8>, i32>, flags: i64) -> Made {
        let text = match got {
            Ok(text) => text,
            Err(errno) => return Ok(Err(errno).into()),
        };
        let mut came = Came::from(Ok(text.len() as i64));
        let mut files = self.files.lock().unwrap();
        if let Some(read) = files.read.get_mut(&fd)
            && !self.no_places
        {
            if text != octets(*read, text.len()) {
                let (expected, actual) = ("those that were sent".to_string(), format!("{text:02x?}"));
                came.wrong.push(Wrong { what: "octets read".into(), expected, actual });
            }
            if flags & i64::from(libc::MSG_PEEK) == 0 {
                *read = read.wrapping_add(text.len() as u32);
            }
        }
        Ok(came)
    }

    /// Makes a call.
    pub fn call(&mut self, call: &Call) -> Made {
        let tool = Arc::clone(&self.tool);
        Ok(match call.name.as_str() {
            "socket" => return self.socket(call),
            "bind" => tool.bind(self.live(call, 0)?, &self.address(call, false)?).into(),
            "connect" => tool.connect(self.live(call, 0)?, &self.address(call, true)?).into(),
            "listen" => tool.listen(self.live(call, 0)?, int(call, 1)? as c_int).into(),
            "shutdown" => tool.shutdown(self.live(call, 0)?, int(call, 1)? as c_int).into(),
            "accept" => return self.accept(call),
            "close" => return self.close(call),
            "read" => {
                let fd = self.live(call, 0)?;
                return self.was_read(fd, tool.read(fd, length(call, 2)?), 0);
            }
            "recv" | "recvfrom" => {
                let (fd, len, flags) = (self.live(call, 0)?, length(call, 2)?, int(call, 3)?);
                let got = match call.name.as_str() {
                    "recv" => tool.recv(fd, len, flags as c_int),
                    _ => tool.recvfrom(fd, len, flags as c_int),
                };
                return self.was_read(fd, got, flags);
            }
            "readv" => {
                let fd = self.live(call, 0)?;
                return self.was_read(fd, tool.readv(fd, &lens(arg(call, 1)?)?), 0);
            }
            "recvmsg" => return self.recvmsg(call),
            "write" => {
                let (fd, len) = (self.live(call, 0)?, length(call, 2)?);
                return self.wrote(fd, tool.write(fd, &self.text(fd, len)));
            }
            "send" | "sendto" => {
                let (fd, len, flags) = (self.live(call, 0)?, length(call, 2)?, int(call, 3)? as c_int);
                let text = self.text(fd, len);
                let got = match call.name.as_str() {
                    "send" => tool.send(fd, &text, flags),
                    _ => tool.sendto(fd, &text, flags),
                };
                return self.wrote(fd, got);
            }
            "writev" => {
                let (fd, len) = (self.live(call, 0)?, vector(arg(call, 1)?)?);
                return self.wrote(fd, tool.writev(fd, &self.text(fd, len), &lens(arg(call, 1)?)?));
            }
            "sendmsg" => {
                let (fd, msg) = (self.live(call, 0)?, arg(call, 1)?);
                let (len, _) = message(msg)?;
                let lens = lens(msg.field("msg_iov").ok_or("msg_iov")?)?;
                return self.wrote(fd, tool.sendmsg(fd, &self.text(fd, len), &lens, int(call, 2)? as c_int));
            }
            "fcntl" => {
                let flags = if call.args.len() > 2 { int(call, 2)? } else { 0 };
                tool.fcntl(self.live(call, 0)?, int(call, 1)? as c_int, flags as c_int).into()
            }
            "ioctl" => return self.ioctl(call),
            "getsockopt" => return self.getsockopt(call),
            "setsockopt" => {
                let (level, name) = option(call)?;
                let mut value = memory(arg(call, 3)?.single())?;
                let len = call.args.get(4).and_then(|n| number(n).ok()).and_then(|n| usize::try_from(n).ok());
                value.truncate(len.unwrap_or(value.len()));
                tool.setsockopt(self.live(call, 0)?, level, name, &value).into()
            }
            "poll" => return self.poll(call),
            "epoll_create" => return self.opened(call, tool.epoll_create(1)),
            "epoll_ctl" => {
                let fd = self.live(call, 2)?;
                let events = match call.args.get(3).and_then(|e| e.field("events")) {
                    Some(events) => number(events)?,
                    None => 0,
                };
                // The original leaves the number of the descriptor to be found again.
                tool.epoll_ctl(self.live(call, 0)?, int(call, 1)? as c_int, fd, events as u32, fd as u64)
                    .into()
            }
            "epoll_wait" => return self.epoll_wait(call),
            "pipe" => return self.pipe(call),
            "splice" => {
                let (from, to) = (self.live(call, 0)?, self.live(call, 2)?);
                let flags = if call.args.len() > 5 { int(call, 5)? } else { 0 };
                let got = tool.splice(from, to, length(call, 4)?, flags as u32);
                if let (Ok(n), Some(read)) = (got, self.files.lock().unwrap().read.get_mut(&from)) {
                    *read = read.wrapping_add(n as u32);
                }
                return self.wrote(to, got);
            }
            other => return Err(format!("{CANNOT} call {other}")),
        })
    }

    fn socket(&mut self, call: &Call) -> Made {
        let domain = match (arg(call, 0)?, self.setup.family) {
            (Expr::Word(w), _) if w == "AF_INET6" => libc::AF_INET6,
            (Expr::Word(w), _) if w == "AF_INET" => libc::AF_INET,
            (_, Family::V4) => libc::AF_INET,
            _ => libc::AF_INET6,
        };
        let got = self.tool.socket(domain, int(call, 1)? as c_int, int(call, 2)? as c_int);
        self.opened(call, got)
    }

    fn accept(&mut self, call: &Call) -> Made {
        match self.tool.accept(self.live(call, 0)?) {
            Err(errno) => Ok(Err(errno).into()),
            Ok((fd, peer)) => {
                let mut came = self.opened(call, Ok(fd))?;
                let remote = IpAddr::from(self.setup.addrs.remote);
                let v6 = self.setup.family != Family::V4;
                let port = u16::from_be_bytes([peer[2], peer[3]]);
                came.peer_port = Some(port);
                let wanted = sockaddr_of(SocketAddr::new(remote, port), v6);
                if peer != wanted {
                    let (expected, actual) = (format!("{wanted:?}"), format!("{peer:?}"));
                    came.wrong.push(Wrong { what: "peer".into(), expected, actual });
                }
                Ok(came)
            }
        }
    }

    fn close(&mut self, call: &Call) -> Made {
        let fd = self.live(call, 0)?;
        let got = self.tool.close(fd);
        if got.is_ok() {
            self.files.lock().unwrap().live.retain(|_, live| *live != fd);
        }
        Ok(got.into())
    }

    fn recvmsg(&mut self, call: &Call) -> Made {
        let (fd, msg, flags) = (self.live(call, 0)?, arg(call, 1)?, int(call, 2)?);
        let lens = lens(msg.field("msg_iov").ok_or("msg_iov")?)?;
        let (got, msg_flags, control) = match self.tool.recvmsg(fd, &lens, flags as c_int) {
            Ok((text, flags, control)) => (Ok(text), Some(flags), control),
            Err(errno) => (Err(errno), None, Vec::new()),
        };
        let mut came = self.was_read(fd, got, flags)?;
        let (Some(msg_flags), Some(expected)) = (msg_flags, msg.field("msg_flags")) else { return Ok(came) };
        came.wrong.extend(Wrong::unless_same(
            "msg_flags",
            number(expected)?.to_string(),
            msg_flags.to_string(),
        ));
        if let Some(Expr::Array(messages)) = msg.field("msg_control") {
            // struct cmsghdr, an int, and what fills the last word.
            let mut wanted = Vec::new();
            for message in messages {
                let data = number(message.field("cmsg_data").ok_or("cmsg_data")?)? as i32;
                wanted.extend(20_usize.to_ne_bytes());
                [libc::SOL_TCP, 36, data, 0].iter().for_each(|n| wanted.extend(n.to_ne_bytes()));
            }
            came.wrong.extend(Wrong::unless_same(
                "msg_control",
                format!("{wanted:?}"),
                format!("{control:?}"),
            ));
        }
        Ok(came)
    }

    fn ioctl(&mut self, call: &Call) -> Made {
        let got = self.tool.ioctl(self.live(call, 0)?, int(call, 1)? as c_int);
        let Ok(answer) = got else { return Ok(got.into()) };
        let mut came = Came::from(Ok(0));
        if let expected @ (Expr::Int(_) | Expr::Word(_)) = arg(call, 2)?.single() {
            came.wrong = Wrong::unless_same("value", number(expected)?.to_string(), answer.to_string());
        }
        Ok(came)
    }

    fn getsockopt(&mut self, call: &Call) -> Made {
        let (level, name) = option(call)?;
        let fd = self.live(call, 0)?;
        let expected = arg(call, 3)?.single();
        let len =
            call.args.get(4).and_then(|n| number(n.single()).ok()).and_then(|n| usize::try_from(n).ok());
        let bytes = match self.tool.getsockopt(fd, level, name, len.unwrap_or(64)) {
            Ok(bytes) => bytes,
            Err(errno) => return Ok(Err(errno).into()),
        };
        let mut came = Came::from(Ok(0));
        if *expected != Expr::Ellipsis {
            let mut wanted = match expected {
                Expr::Word(w) if errno(w).is_some() => errno(w).unwrap_or(0).to_ne_bytes().to_vec(),
                other => memory(other)?,
            };
            if matches!(expected, Expr::Text(_)) {
                wanted.resize(16, 0);
            }
            wanted.truncate(len.unwrap_or(wanted.len()));
            came.wrong = Wrong::unless_same("value", format!("{wanted:?}"), format!("{bytes:?}"));
        }
        Ok(came)
    }

    fn poll(&mut self, call: &Call) -> Made {
        let items = poll_items(arg(call, 0)?)?;
        let mut asked = Vec::new();
        for (fd, events) in items {
            let fd = self.live_of(fd)? as c_int;
            asked.push(pollfd { fd, events: events as i16, revents: -1 });
        }
        let got = self.tool.poll(&mut asked, int(call, 2)? as c_int);
        let mut came = Came::from(got);
        if got.is_ok() {
            let told: Vec<i64> = asked.iter().map(|i| i64::from(i.revents)).collect();
            came.wrong = poll_wrong(arg(call, 0)?, &told)?;
        }
        Ok(came)
    }

    fn epoll_wait(&mut self, call: &Call) -> Made {
        let got = self.tool.epoll_wait(self.live(call, 0)?, int(call, 2)? as c_int, int(call, 3)? as c_int);
        let told = match got {
            Ok(told) => told,
            Err(errno) => return Ok(Err(errno).into()),
        };
        let mut came = Came::from(Ok(told.len() as i64));
        if !told.is_empty() {
            let files = self.files.lock().unwrap();
            let script = |live: u64| {
                files.live.iter().find(|(_, l)| **l == live as i64).map_or(-1, |(script, _)| *script)
            };
            let told: Vec<_> = told.iter().map(|(events, fd)| (script(*fd), i64::from(*events))).collect();
            came.wrong = epoll_wrong(arg(call, 1)?, &told)?;
        }
        Ok(came)
    }

    fn pipe(&mut self, call: &Call) -> Made {
        let Expr::Array(ends) = arg(call, 0)? else { return Err("pipe needs [a, b]".into()) };
        let made = match self.tool.pipe() {
            Ok(made) => made,
            Err(errno) => return Ok(Err(errno).into()),
        };
        for (script, live) in ends.iter().zip(made) {
            self.files.lock().unwrap().live.insert(number(script)?, live);
        }
        Ok(Ok(0).into())
    }

    /// What code sees: TCP_INFO through the function that is preloaded.
    pub fn tcp_info(&self, fd: Option<i64>) -> Result<Fields, String> {
        let live = self.live_of(fd.ok_or("the socket under test has no descriptor")?)?;
        let info = self
            .tool
            .shim_getsockopt(live, libc::SOL_TCP, libc::TCP_INFO, 4096)
            .map_err(|errno| format!("can't find getsockopt to get TCP info: {errno}"))?;
        if info.len() < 280 {
            return Err(format!("TCP_INFO of {} octets", info.len()));
        }
        let number = |at: usize, len: usize| {
            let mut octets = [0; 8];
            octets[..len].copy_from_slice(&info[at..at + len]);
            i64::from_le_bytes(octets)
        };
        let mut fields: Fields = INFO.iter().map(|(name, at, len)| (*name, number(*at, *len))).collect();
        fields.insert("tcpi_snd_wscale", number(6, 1) & 15);
        fields.insert("tcpi_rcv_wscale", number(6, 1) >> 4);
        Ok(fields)
    }

    /// Closes what is open, with the function that is preloaded.
    pub fn close_all(&self) {
        let files = self.files.lock().unwrap();
        for live in files.live.values() {
            assert_eq!(self.tool.shim_close(*live), Ok(0), "close of {live}");
        }
    }
}

fn lens(vector: &Expr) -> Result<Vec<usize>, String> {
    let Expr::Array(items) = vector else { return Err(format!("not a list of buffers: {vector}")) };
    items.iter().map(|item| self::vector(&Expr::Array(vec![item.clone()]))).collect()
}

/// The value of an option as C has it.
fn memory(given: &Expr) -> Result<Vec<u8>, String> {
    let part = |names: [&str; 2]| given.field(names[0]).or(given.field(names[1])).map_or(Ok(0), number);
    let struct_has = |name: &str| given.field(name).is_some();
    Ok(match given {
        Expr::Text(text) => text.as_bytes().to_vec(),
        Expr::Struct(_) if struct_has("tv_sec") || struct_has("tv_usec") => {
            let (secs, micros) = (part(["tv_sec", ""])?, part(["tv_usec", ""])?);
            [secs.to_ne_bytes(), micros.to_ne_bytes()].concat()
        }
        Expr::Struct(_) => {
            let (on, time) = (part(["onoff", "l_onoff"])? as i32, part(["linger", "l_linger"])? as i32);
            [on.to_ne_bytes(), time.to_ne_bytes()].concat()
        }
        Expr::Word(w) if value(w).is_none() => w.as_bytes().to_vec(),
        other => (number(other)? as i32).to_ne_bytes().to_vec(),
    })
}

/// linux/tcp.h, struct tcp_info: offset and octets of what scripts ask about.
const INFO: [(&str, usize, usize); 53] = [
    ("tcpi_state", 0, 1),
    ("tcpi_ca_state", 1, 1),
    ("tcpi_retransmits", 2, 1),
    ("tcpi_probes", 3, 1),
    ("tcpi_backoff", 4, 1),
    ("tcpi_options", 5, 1),
    ("tcpi_rto", 8, 4),
    ("tcpi_ato", 12, 4),
    ("tcpi_snd_mss", 16, 4),
    ("tcpi_rcv_mss", 20, 4),
    ("tcpi_unacked", 24, 4),
    ("tcpi_sacked", 28, 4),
    ("tcpi_lost", 32, 4),
    ("tcpi_retrans", 36, 4),
    ("tcpi_last_data_sent", 44, 4),
    ("tcpi_last_data_recv", 52, 4),
    ("tcpi_last_ack_recv", 56, 4),
    ("tcpi_pmtu", 60, 4),
    ("tcpi_rcv_ssthresh", 64, 4),
    ("tcpi_rtt", 68, 4),
    ("tcpi_rttvar", 72, 4),
    ("tcpi_snd_ssthresh", 76, 4),
    ("tcpi_snd_cwnd", 80, 4),
    ("tcpi_advmss", 84, 4),
    ("tcpi_reordering", 88, 4),
    ("tcpi_rcv_rtt", 92, 4),
    ("tcpi_rcv_space", 96, 4),
    ("tcpi_total_retrans", 100, 4),
    ("tcpi_pacing_rate", 104, 8),
    ("tcpi_bytes_acked", 120, 8),
    ("tcpi_bytes_received", 128, 8),
    ("tcpi_segs_out", 136, 4),
    ("tcpi_segs_in", 140, 4),
    ("tcpi_notsent_bytes", 144, 4),
    ("tcpi_min_rtt", 148, 4),
    ("tcpi_data_segs_in", 152, 4),
    ("tcpi_data_segs_out", 156, 4),
    ("tcpi_delivery_rate", 160, 8),
    ("tcpi_busy_time", 168, 8),
    ("tcpi_rwnd_limited", 176, 8),
    ("tcpi_sndbuf_limited", 184, 8),
    ("tcpi_delivered", 192, 4),
    ("tcpi_delivered_ce", 196, 4),
    ("tcpi_bytes_sent", 200, 8),
    ("tcpi_bytes_retrans", 208, 8),
    ("tcpi_dsack_dups", 216, 4),
    ("tcpi_reord_seen", 220, 4),
    ("tcpi_rcv_ooopack", 224, 4),
    ("tcpi_snd_wnd", 228, 4),
    ("tcpi_rcv_wnd", 232, 4),
    ("tcpi_delivered_e1_bytes", 252, 4),
    ("tcpi_delivered_e0_bytes", 256, 4),
    ("tcpi_delivered_ce_bytes", 260, 4),
];

/// Level and number of the option that a call names.
fn option(call: &Call) -> Result<(c_int, c_int), String> {
    const LEVELS: [(&str, c_int); 7] = [
        ("SOL_SOCKET", 1),
        ("SOL_TCP", 6),
        ("IPPROTO_TCP", 6),
        ("SOL_IP", 0),
        ("IPPROTO_IP", 0),
        ("SOL_IPV6", 41),
        ("IPPROTO_IPV6", 41),
    ];
    let level = match arg(call, 1)? {
        Expr::Word(word) => LEVELS.iter().find(|(n, _)| n == word).ok_or_else(|| format!("level {word}"))?.1,
        other => number(other)? as c_int,
    };
    let name = match arg(call, 2)? {
        Expr::Word(word) => {
            let known = |n: &c_int| synfin_sockopt::names_of(level, *n).is_some_and(|(_, name)| name == word);
            (0..256).find(known).ok_or_else(|| format!("option {word}"))?
        }
        other => number(other)? as c_int,
    };
    Ok((level, name))
}

/// errno.h
pub fn errno(name: &str) -> Option<i32> {
    const NUMBERS: [(&str, i32); 36] = [
        ("EPERM", 1),
        ("ENOENT", 2),
        ("EIO", 5),
        ("ENOMEM", 12),
        ("EACCES", 13),
        ("ESPIPE", 29),
        ("EDOM", 33),
        ("ENETDOWN", 100),
        ("ENOBUFS", 105),
        ("EHOSTDOWN", 112),
        ("EDESTADDRREQ", 89),
        ("EBADF", 9),
        ("EAGAIN", 11),
        ("EFAULT", 14),
        ("EEXIST", 17),
        ("EINVAL", 22),
        ("EPIPE", 32),
        ("ENONET", 64),
        ("EPROTO", 71),
        ("ENOTSOCK", 88),
        ("EMSGSIZE", 90),
        ("ENOPROTOOPT", 92),
        ("EOPNOTSUPP", 95),
        ("EAFNOSUPPORT", 97),
        ("EADDRINUSE", 98),
        ("EADDRNOTAVAIL", 99),
        ("ENETUNREACH", 101),
        ("ECONNABORTED", 103),
        ("ECONNRESET", 104),
        ("EISCONN", 106),
        ("ENOTCONN", 107),
        ("ETIMEDOUT", 110),
        ("ECONNREFUSED", 111),
        ("EHOSTUNREACH", 113),
        ("EALREADY", 114),
        ("EINPROGRESS", 115),
    ];
    NUMBERS.iter().find(|(n, _)| *n == name).map(|(_, number)| *number)
}
