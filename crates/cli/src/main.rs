//! The `synfin` program: watch TCP, serve, connect.
#![forbid(unsafe_code)]

mod connect;
mod demo;
mod device;
mod error;
mod packet;
mod pcap;
mod serve;
mod signal;
mod terminal;
mod trace;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use error::Failure;

/// TCP in user space, from SYN to FIN, made visible.
#[derive(Parser, Debug)]
#[command(
    name = "synfin",
    version,
    disable_help_subcommand = true,
    after_help = "\
Start here:
  synfin demo                          watch one connection between Linux's TCP and ours
  sudo synfin serve http .             serve a folder over our TCP; then: curl http://10.9.0.2:8080/
  sudo synfin connect 10.9.0.1 5000    connect to a program on this machine over our TCP

Each command explains itself: synfin COMMAND --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watch a connection open, talk, half-close and close, with both ends' states
    Demo(demo::Args),
    /// Serve files, echo and more over our TCP, to any program on this machine
    Serve(serve::Args),
    /// Connect over our TCP: standard input to the peer, the peer to standard output
    Connect(connect::Args),
}

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(Cli { command }) => match command {
            Command::Demo(args) => demo::run(args),
            Command::Serve(args) => serve::run(&args),
            Command::Connect(args) => connect::run(&args),
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
        _ => Err(Failure::Bad(one_line(&error.to_string()))),
    }
}

/// The error without its heading, its line breaks and the usage after it.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let wanted = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<&str> = wanted.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    format!("{} (see --help)", words.join(" "))
}
