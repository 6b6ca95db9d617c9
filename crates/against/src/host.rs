//! The kernel as a host of scripts.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use synfin_link::{Device, TxMeta};
use synfin_netns::{Filter, KernelState, Namespace, tcp_sockets};
use synfin_script::Setup;
use synfin_script::ast::Call;
use synfin_script::host::{Fields, Host, Micros, Returned, Sent, Turn};
use synfin_script::sysctl::{self, Shell};
use synfin_tun::Tun;
use synfin_wire::{Addr, Endpoint, Tuple};

use crate::caller::{Caller, Done};
use crate::calls::{Calls, Judge, Prepared};
use crate::place::{self, DEVICE};
use crate::tap::Tap;

/// `*`: waited for at most.
const PATIENCE: Micros = 100_000_000;
/// A call that must not wait has as long as this to return, a call that may wait to fall asleep.
const PROMPT: Duration = Duration::from_millis(500);
/// So much is remembered for the reasons of a failure.
const REMEMBERED: usize = 12;

/// The kernel's sockets, in the network namespace of the thread that made this.
pub struct Kernel {
    setup: Setup,
    namespace: Namespace,
    tun: Tun,
    tap: Tap,
    calls: Calls,
    /// How the call that waits is judged when it returns.
    waiting: Option<Judge>,
    returned: Option<Result<Returned, String>>,
    caller: Caller,
    zero: Instant,
    /// The connection that a segment was written for last.
    last: Option<Tuple>,
    sent: Vec<Sent>,
    said: VecDeque<(Micros, String)>,
    notes: Vec<String>,
    /// Where commands are run.
    folder: Option<PathBuf>,
}

impl Kernel {
    /// In the calling thread's network namespace, which must have no such device yet.
    ///
    /// # Errors
    /// What cannot be set up, in words.
    pub fn new(setup: &Setup, folder: Option<PathBuf>) -> Result<Kernel, String> {
        let mut notes = Vec::new();
        if let Err(error) = synfin_sockopt::real_time() {
            notes.push(format!("times may be rough: {error}"));
        }
        let (namespace, tun) = place::device(setup)?;
        let tap = Tap::new().map_err(|e| format!("cannot listen to the device: {e}"))?;
        let caller = Caller::new().map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(Kernel {
            setup: setup.clone(),
            namespace,
            tun,
            tap,
            calls: Calls::new(setup),
            waiting: None,
            returned: None,
            caller,
            zero: Instant::now(),
            last: None,
            sent: Vec::new(),
            said: VecDeque::new(),
            notes,
            folder: folder.filter(|f| !f.as_os_str().is_empty()),
        })
    }

    fn micros(&self, at: Instant) -> Micros {
        Micros::try_from(at.saturating_duration_since(self.zero).as_micros()).unwrap_or(Micros::MAX)
    }

    /// Takes what the kernel sent.
    fn hear(&mut self) -> Result<(), String> {
        loop {
            match self.tap.next() {
                Ok(Some(heard)) => {
                    let at = Instant::now().checked_sub(heard.ago).map_or(0, |at| self.micros(at));
                    let ours = IpAddr::from(self.setup.addrs.local);
                    if is_tcp_from(&heard.packet, ours) {
                        self.say(at, "sent", heard.packet.len());
                        self.sent.push(Sent { at, packet: heard.packet, why: None });
                    }
                }
                Ok(None) => break,
                Err(errno) => return Err(format!("listening to the device: {errno}")),
            }
        }
        // The same packets wait in the device; there they are in the way only.
        self.tun.recv(&mut |_| {}).map_err(|e| e.to_string())?;
        Ok(())
    }

    fn say(&mut self, at: Micros, what: &str, len: usize) {
        let mut words = String::new();
        // Writing to a String does not fail.
        let _ = write!(words, "{what} a packet of {len} octets");
        if self.said.len() >= REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back((at, words));
    }

    fn judge(&mut self, judge: Judge, done: Done) -> Result<Returned, String> {
        let at = self.micros(done.at);
        self.calls.judge(judge, done.answer, at)
    }

    /// Takes the return of the waiting call.
    fn take_returned(&mut self) {
        if self.waiting.is_some()
            && let Some(done) = self.caller.take()
            && let Some(judge) = self.waiting.take()
        {
            self.returned = Some(self.judge(judge, done));
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.calls.wake_all();
    }
}

impl Host for Kernel {
    fn now(&self) -> Micros {
        self.micros(Instant::now())
    }

    fn begin(&mut self) {
        self.zero = Instant::now();
    }

    fn turn(&mut self, to: Micros) -> Result<Turn, String> {
        loop {
            self.take_returned();
            self.hear()?;
            if !self.sent.is_empty() || self.returned.is_some() {
                return Ok(Turn::Something);
            }
            let left = to.saturating_sub(self.now());
            if left <= 0 {
                return Ok(Turn::Nothing);
            }
            let left = Timespec { tv_sec: left / 1_000_000, tv_nsec: (left % 1_000_000) * 1_000 };
            let mut fds = [PollFd::new(&self.tap, PollFlags::IN), PollFd::new(&self.caller, PollFlags::IN)];
            // A signal is a reason to look, too.
            let _ = poll(&mut fds, Some(&left));
        }
    }

    fn patience(&self) -> Micros {
        PATIENCE
    }

    fn sent(&mut self) -> Vec<Sent> {
        if let Err(why) = self.hear() {
            self.notes.push(why);
        }
        std::mem::take(&mut self.sent)
    }

    fn call(&mut self, call: &Call, until: Option<Micros>) -> Result<Option<Returned>, String> {
        let (work, judge) = match self.calls.prepare(call)? {
            Prepared::AtOnce(mut ret) => {
                ret.at = self.now();
                return Ok(Some(ret));
            }
            Prepared::Work(work, judge) => (work, judge),
        };
        let mut done = self.caller.begin(work, PROMPT);
        if until.is_none() && done.is_none() {
            // Asleep is not for ever: the call may wait for a lock.
            self.caller.ring(PROMPT);
            done = self.caller.take();
        }
        match done {
            Some(done) => self.judge(judge, done).map(Some),
            None => {
                self.waiting = Some(judge);
                Ok(None)
            }
        }
    }

    fn returned(&mut self) -> Result<Option<Returned>, String> {
        self.take_returned();
        self.returned.take().transpose()
    }

    fn inject(
        &mut self,
        packet: &[u8],
        merged: Option<NonZeroU16>,
        _: Option<&'static str>,
    ) -> Result<(), String> {
        if merged.is_some() {
            return Err("merged segments cannot be written to the device".into());
        }
        let now = self.now();
        self.say(now, "got", packet.len());
        self.calls.note_urgent(packet);
        self.last = ends(packet);
        self.tun.tx().push(packet, &[], TxMeta::default());
        self.tun.flush().map_err(|e| e.to_string())?;
        match self.tun.waiting() {
            0 => Ok(()),
            _ => Err("the device did not take the packet".into()),
        }
    }

    fn command(&mut self, command: &str) -> Result<Duration, String> {
        let mut shell =
            Commands { namespace: &self.namespace, calls: &mut self.calls, folder: self.folder.as_ref() };
        if needs_shell(command) {
            return shell.shell(command).map(|()| Duration::ZERO);
        }
        sysctl::run(command, &mut shell)
    }

    fn info(&mut self) -> Fields {
        self.calls.info()
    }

    fn is_over(&mut self, tuple: &Tuple) -> bool {
        matches!(state_of(tuple), None | Some(KernelState::TimeWait))
    }

    fn said(&self) -> Vec<(Micros, String)> {
        self.said.iter().cloned().collect()
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

/// The state of a connection, if the kernel has one of these ends.
fn state_of(tuple: &Tuple) -> Option<KernelState> {
    let sockets = tcp_sockets(Filter::default()).ok()?;
    let same = |at: SocketAddr, end: Endpoint| at.ip() == IpAddr::from(end.addr) && at.port() == end.port;
    let found = sockets.iter().find(|s| same(s.local, tuple.local) && same(s.remote, tuple.remote));
    found.map(|s| s.state)
}

/// Ends of a segment that arrives, seen from the kernel.
fn ends(packet: &[u8]) -> Option<Tuple> {
    let (from, to, ports) = match packet.first()? >> 4 {
        4 => {
            let addr = |at: usize| Some(Addr::v4(packet.get(at..at + 4)?.try_into().ok()?));
            (addr(12)?, addr(16)?, 20)
        }
        _ => {
            let addr = |at: usize| Some(Addr::v6(packet.get(at..at + 16)?.try_into().ok()?));
            (addr(8)?, addr(24)?, 40)
        }
    };
    let port = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
    Some(Tuple { local: Endpoint::new(to, port(ports + 2)?), remote: Endpoint::new(from, port(ports)?) })
}

/// A segment from this address.
fn is_tcp_from(packet: &[u8], from: IpAddr) -> bool {
    const TCP: u8 = 6;
    match from {
        IpAddr::V4(from) => packet.get(9) == Some(&TCP) && packet.get(12..16) == Some(&from.octets()),
        IpAddr::V6(from) => packet.get(6) == Some(&TCP) && packet.get(8..24) == Some(&from.octets()),
    }
}

/// More than lines of words.
fn needs_shell(command: &str) -> bool {
    let plain = command.replace("$((", "");
    ["|", "$", "`", "for ", "while ", "if ", "<"].iter().any(|sign| plain.contains(sign))
}

/// Commands in the script's namespace.
struct Commands<'a> {
    namespace: &'a Namespace,
    calls: &'a mut Calls,
    folder: Option<&'a PathBuf>,
}

impl Commands<'_> {
    fn shell(&self, line: &str) -> Result<(), String> {
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("TUN_DEV", DEVICE);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        let output = command.output().map_err(|e| format!("{line}: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        Err(format!("command failed, {}: {line}: {said}", output.status))
    }
}

impl Shell for Commands<'_> {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let words: Vec<String> = sysctl::words(value)
            .iter()
            .map(|word| match (word.starts_with("$(("), sysctl::number(word)) {
                (true, Some(n)) => n.to_string(),
                _ => word.clone(),
            })
            .collect();
        let value = words.join(" ");
        let set = self.namespace.set_setting(name, &value);
        match (set, name) {
            (Ok(()), "net.ipv4.tcp_congestion_control") => self.calls.set_congestion(None),
            // The host may not allow it for whole namespaces; each socket may have it all the same.
            (Err(_), "net.ipv4.tcp_congestion_control") => self.calls.set_congestion(Some(value)),
            // A setting that this kernel has given up.
            (Err(synfin_netns::Error::NoSetting { .. }), "net.ipv4.tcp_fack") => {}
            (Err(error), _) => return Err(format!("{name}={value}: {error}")),
            (Ok(()), _) => {}
        }
        Ok(())
    }

    fn line(&mut self, line: &str, _: &[&str]) -> Result<(), String> {
        self.shell(line)
    }
}
