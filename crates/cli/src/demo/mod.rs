//! `synfin demo`: one connection from SYN to FIN, every segment and both ends' states.

mod kernel;
mod own;
mod show;
mod story;
mod wire;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args as ClapArgs, ValueEnum};
use synfin_explain::{Format, Lang, Side};

use crate::error::Failure;
use crate::pcap::Capture;
use crate::signal;
use crate::terminal::{View, say};
use show::{Shared, Show, Tally};

/// The server's port.
const PORT: u16 = 8080;

#[derive(ClapArgs, Debug)]
#[group(skip)]
#[command(after_help = "\
Examples:
  synfin demo                        Linux's TCP connects to ours
  synfin demo --role client          ours connects to Linux's
  synfin demo --close-first server   the server closes first and keeps TIME_WAIT
  synfin demo --peer synfin          two of ours in memory; nothing of Linux, no rights needed
  synfin demo --lang zh --pcap demo.pcapng

With Linux as the peer a private network is made, which needs root or user namespaces and
/dev/net/tun. It vanishes at the end. Without them two of our stacks are shown instead.")]
pub struct Args {
    /// Whose TCP is at the other end
    #[arg(long, value_enum, value_name = "WHO", default_value_t = Peer::Linux)]
    peer: Peer,
    /// What our TCP is
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = Role::Server)]
    role: Role,
    /// Which end closes first
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = Role::Client)]
    close_first: Role,
    /// Use IPv6
    #[arg(long)]
    ipv6: bool,
    /// Keep the packets, as our end sees them, in a pcapng file for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// With two of ours: where all that is random comes from; the same seed, the same packets
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object a row instead
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Peer {
    /// The kernel's
    Linux,
    /// Ours too
    Synfin,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Role {
    /// It listens
    Server,
    /// It connects
    Client,
}

impl Role {
    fn side(self) -> Side {
        match self {
            Role::Client => Side::Left,
            Role::Server => Side::Right,
        }
    }
}

/// How a story ended.
struct Ended {
    tally: Tally,
    /// The kernel's states were concluded from its segments.
    inferred: bool,
}

/// What was asked for.
struct Plan {
    args: Args,
    capture: Arc<Mutex<Option<Capture>>>,
    /// Nanoseconds from 1970 to the time 0 of a story with Linux; one in virtual time begins in 1970.
    epoch: u64,
}

impl Plan {
    /// Our end: at it packets are captured.
    fn ours(&self) -> Side {
        self.args.role.side()
    }

    fn first_closer(&self) -> Side {
        self.args.close_first.side()
    }

    fn seed(&self) -> u64 {
        self.args.seed
    }

    /// The kernel's address and ours.
    fn addresses(&self) -> (IpAddr, IpAddr) {
        if self.args.ipv6 {
            ([0xfd00, 9, 0, 0, 0, 0, 0, 1].into(), [0xfd00, 9, 0, 0, 0, 0, 0, 2].into())
        } else {
            ([10, 9, 0, 1].into(), [10, 9, 0, 2].into())
        }
    }

    /// Writes the capture that was asked for, if any, once.
    fn write_capture(&self, show: &mut Show) -> Result<(), Failure> {
        write_capture(&self.capture, self.epoch, show)
    }

    /// From now on a signal ends the program in good order. Nothing outlives it but the capture.
    fn on_signal(&self, show: &Shared) {
        let (show, capture, epoch) = (show.clone(), Arc::clone(&self.capture), self.epoch);
        signal::once(move |number| {
            // The terminal shows ^C at the beginning of a row.
            eprintln!();
            if let Err(failure) = write_capture(&capture, epoch, &mut show.lock()) {
                failure.report();
            }
            std::process::exit(128 + number);
        });
    }
}

fn write_capture(capture: &Mutex<Option<Capture>>, epoch: u64, show: &mut Show) -> Result<(), Failure> {
    match capture.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(mut capture) => show.capture(&mut capture, epoch),
        None => Ok(()),
    }
}

/// Runs the command. To be called while the process has one thread.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut options = args.view.options(&io::stdout());
    if args.json {
        options.format = Format::Json;
    }
    let lang = options.lang;
    let mut plan = Plan { args, capture: Arc::default(), epoch: 0 };
    if let Some(path) = &plan.args.pcap {
        let name = if plan.ours() == Side::Left { "client" } else { "server" };
        let capture = Capture::create(path, name, "synfin demo")?;
        plan.capture = Arc::new(Mutex::new(Some(capture)));
    }
    let ended = match plan.args.peer {
        Peer::Synfin => own::run(&plan, options)?,
        Peer::Linux => match kernel::Ground::prepare(&plan) {
            Ok(ground) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                plan.epoch = u64::try_from(now.as_nanos()).unwrap_or_default();
                kernel::run(ground, &plan, options)?
            }
            Err(why) => {
                eprintln!("{}", instead(lang, &why));
                plan.args.peer = Peer::Synfin;
                own::run(&plan, options)?
            }
        },
    };
    say(&if plan.args.json { json_summary(&ended) } else { summary(&plan, lang, &ended) })
}

/// Why two of ours are shown instead of ours and Linux's.
fn instead(lang: Lang, why: &str) -> String {
    match lang {
        Lang::En => format!("No Linux peer here, so two synfin stacks in memory instead: {why}"),
        Lang::Zh => format!("这里不能用 Linux 作对端，改为内存中的两个 synfin 协议栈：{why}"),
    }
}

fn json_summary(ended: &Ended) -> String {
    let Tally { opening, data, closing, .. } = ended.tally;
    let certainty = if ended.inferred { "inferred" } else { "certain" };
    format!(
        "{{\"closing\":{closing},\"data\":{data},\"opening\":{opening},\"peer_states\":\"{certainty}\",\
         \"schema\":\"synfin.demo/1\",\"type\":\"summary\"}}\n"
    )
}

fn summary(plan: &Plan, lang: Lang, ended: &Ended) -> String {
    let Tally { opening, data, closing, .. } = ended.tally;
    let all = opening + data + closing;
    let Args { peer, role, close_first, ipv6, pcap, .. } = &plan.args;
    let client_first = *close_first == Role::Client;
    let virtual_time = *peer == Peer::Synfin;
    let mut next = Vec::new();
    if client_first {
        next.push("--close-first server");
    }
    if *role == Role::Server && !virtual_time {
        next.push("--role client");
    }
    if !ipv6 {
        next.push("--ipv6");
    }
    if lang == Lang::En {
        next.push("--lang zh");
    }
    let next = next.join("  ");
    match lang {
        Lang::En => {
            let who = if client_first { "client" } else { "server" };
            let wait = if virtual_time { "it kept" } else { "from here on it keeps" };
            let capture = match pcap {
                Some(path) => format!("Packets: {} (Wireshark shows a comment on each)", path.display()),
                None => "Packets: --pcap FILE keeps them for Wireshark, with a comment on each".into(),
            };
            format!(
                "\n{all} segments: {opening} to open, {data} to talk, {closing} to close. \
                 The {who} closed first:\n{wait} TIME_WAIT for 2 MSL, 60 s.\n\
                 Next:    synfin demo  {next}\n{capture}\n"
            )
        }
        Lang::Zh => {
            let who = if client_first { "客户端" } else { "服务器" };
            let wait = if virtual_time { "保持了" } else { "从此保持" };
            let capture = match pcap {
                Some(path) => format!("报文：{}（Wireshark 中每个报文都有注释）", path.display()),
                None => "报文：用 --pcap FILE 保存，供 Wireshark 打开，每个报文都有注释".into(),
            };
            format!(
                "\n共 {all} 个报文段：建立 {opening} 个，通话 {data} 个，关闭 {closing} 个。\
                 {who}先关闭：\n它{wait} TIME_WAIT 2 MSL，即 60 秒。\n\
                 下一步：synfin demo  {next}\n{capture}\n"
            )
        }
    }
}
