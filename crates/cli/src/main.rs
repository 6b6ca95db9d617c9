//! The `synfin` program: watch TCP, serve, connect.
#![forbid(unsafe_code)]

mod connect;
mod demo;
mod device;
mod error;
mod packet;
mod pcap;
mod script;
mod serve;
mod signal;
mod terminal;
mod trace;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Parser, Subcommand};

use error::Failure;

/// TCP in user space, from SYN to FIN, made visible.
#[derive(Parser, Debug)]
#[command(
    name = "synfin",
    version,
    disable_help_subcommand = true,
    disable_help_flag = true,
    after_help = "\
Start here:
  synfin demo                        watch a connection of Linux's TCP with ours
  sudo synfin serve http .           serve this folder over our TCP, and then
                                     in another terminal: curl 10.9.0.2:8080
  sudo synfin connect 10.9.0.1 5000  connect to a program on this machine

Each command explains itself: synfin COMMAND --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watch one connection from SYN to FIN, with both ends' states
    Demo(demo::Args),
    /// Serve files, echo and more over our TCP
    Serve(serve::Args),
    /// Connect over our TCP: input to the peer, the peer to output
    Connect(connect::Args),
    /// Run packetdrill scripts against our TCP, in virtual time
    Script(script::Args),
}

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(Cli { command, .. }) => match command {
            Command::Demo(args) => demo::run(args),
            Command::Serve(args) => serve::run(&args),
            Command::Connect(args) => connect::run(&args),
            Command::Script(args) => return script::run(args),
        },
        Err(error) => usage(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Help goes to standard output; what is wrong with the arguments is said in one line.
fn usage(error: clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.print().map_err(Failure::output),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Err(Failure::Bad(
            "no command given: try `synfin demo`, or `synfin --help` for all commands".into(),
        )),
        _ => Err(Failure::Bad(one_line(&error.to_string(), std::env::args().nth(1).as_deref()))),
    }
}

/// The error without its heading, its line breaks and the usage after it; the cure is the command's help.
fn one_line(text: &str, command: Option<&str>) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let wanted = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<&str> = wanted.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    let command = match command {
        Some(command @ ("demo" | "serve" | "connect" | "script")) => format!("{command} "),
        _ => String::new(),
    };
    format!("{}; see `synfin {command}--help`", words.join(" "))
}
