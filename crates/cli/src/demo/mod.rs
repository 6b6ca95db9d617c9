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
use synfin_explain::{Format, Lang, Options, Side};

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
  synfin demo                       Linux's TCP connects to ours
  synfin demo --role client         ours connects to Linux's
  synfin demo --close-first server  the server closes first: it has TIME_WAIT
  synfin demo --peer synfin         two of ours in memory, no Linux in between
  synfin demo --lang zh --pcap demo.pcapng

With Linux as the peer it makes a private network, which needs root, or user
namespaces and /dev/net/tun. The network vanishes at the end. Where that is not
permitted, two of our stacks in memory are shown instead.")]
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
    /// Keep the packets in a pcapng file for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// With --peer synfin: same seed, same packets
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// One JSON object a row
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Peer {
    Linux,
    Synfin,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Role {
    Server,
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

/// Who is asked for Linux's states.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Asks {
    /// The kernel.
    Kernel,
    /// Nobody: they are concluded.
    Nobody,
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

    /// What is going to be seen.
    fn introduction(&self, lang: Lang, asks: Asks) -> String {
        let Args { peer, role, seed, json, .. } = &self.args;
        let (ms, ours_listens) = (wire::DELAY.as_millis(), *role == Role::Server);
        match (peer, lang) {
            _ if *json => String::new(),
            (Peer::Linux, Lang::En) => {
                let (linux, ours) = if ours_listens { ("client", "server") } else { ("server", "client") };
                let told = match asks {
                    Asks::Kernel => "by its kernel (sock_diag)",
                    Asks::Nobody => "are concluded (no sock_diag here)",
                };
                format!(
                    "Linux's TCP is the {linux}, ours (synfin) the {ours}; {ms} ms from end to end.\n\
                     Our states are told by our stack, Linux's {told}.\n\n"
                )
            }
            (Peer::Linux, Lang::Zh) => {
                let (linux, ours) =
                    if ours_listens { ("客户端", "服务器") } else { ("服务器", "客户端") };
                let told = match asks {
                    Asks::Kernel => "由其内核（sock_diag）报告",
                    Asks::Nobody => "由其报文段推断（此处没有 sock_diag）",
                };
                format!(
                    "Linux 的 TCP 作{linux}，我们的（synfin）作{ours}；线路单向 {ms} ms。\n\
                     我们的状态由协议栈报告，Linux 的状态{told}。\n\n"
                )
            }
            (Peer::Synfin, Lang::En) => {
                format!("Two synfin stacks in memory, in virtual time, {ms} ms apart (seed {seed}).\n\n")
            }
            (Peer::Synfin, Lang::Zh) => {
                format!("内存中的两个 synfin 协议栈，虚拟时间，单向 {ms} ms（种子 {seed}）。\n\n")
            }
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
        Peer::Synfin => run_own(&plan, options)?,
        Peer::Linux => match kernel::Ground::prepare(&plan) {
            Ok(ground) => {
                say(&plan.introduction(lang, ground.asks()))?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                plan.epoch = u64::try_from(now.as_nanos()).unwrap_or_default();
                kernel::run(ground, &plan, options)?
            }
            Err(why) => {
                eprintln!("{}", instead(lang, &why));
                plan.args.peer = Peer::Synfin;
                run_own(&plan, options)?
            }
        },
    };
    say(&if plan.args.json { json_summary(&ended) } else { summary(&plan, lang, &ended) })
}

fn run_own(plan: &Plan, options: Options) -> Result<Ended, Failure> {
    say(&plan.introduction(options.lang, Asks::Nobody))?;
    own::run(plan, options)
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
    // In virtual time the wait is over by now.
    let over = *peer == Peer::Synfin;
    let candidates = [
        (*peer == Peer::Linux && *role == Role::Server, "--role client"),
        (client_first, "--close-first server"),
        (!ipv6, "--ipv6"),
        (lang == Lang::En, "--lang zh"),
    ];
    let next: Vec<&str> =
        candidates.into_iter().filter(|(fits, _)| *fits).map(|(_, option)| option).collect();
    let next = next.join(", ");
    match lang {
        Lang::En => {
            let who = if client_first { "client" } else { "server" };
            let wait = if over { "it kept" } else { "from now on it keeps" };
            let capture = match pcap {
                Some(path) => format!("{} (in Wireshark each has a comment)", path.display()),
                None => "--pcap FILE keeps them for Wireshark, each with a comment".into(),
            };
            format!(
                "\n{all} segments: {opening} to open, {data} to talk, {closing} to close.\n\
                 The {who} closed first: {wait} TIME_WAIT for 2 MSL (60 s).\n\
                 Next:    synfin demo with {next}\nPackets: {capture}\n"
            )
        }
        Lang::Zh => {
            let who = if client_first { "客户端" } else { "服务器" };
            let wait = if over { "它保持了" } else { "从此保持" };
            let capture = match pcap {
                Some(path) => format!("{}（在 Wireshark 中每个报文都有注释）", path.display()),
                None => "加 --pcap FILE 可保存，在 Wireshark 中每个报文都有注释".into(),
            };
            format!(
                "\n共 {all} 个报文段：建立 {opening} 个，通话 {data} 个，关闭 {closing} 个。\n\
                 {who}先关闭：{wait} TIME_WAIT 2 MSL（60 秒）。\n\
                 下一步：synfin demo 加 {next}\n报文：  {capture}\n"
            )
        }
    }
}
