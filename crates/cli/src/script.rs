//! `synfin script`: packetdrill's language against our stack, in virtual time and without privileges; or against the kernel's.

use std::io;
use std::process::ExitCode;

/// Run packetdrill scripts against our TCP, in virtual time and without privileges
#[derive(clap::Args, Debug)]
#[command(after_help = synfin_script::USAGE)]
pub struct Args {
    /// Options and files, as listed below
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION|FILE", required = true)]
    arguments: Vec<String>,
}

/// Exit status 0 if every script passed, 1 if not, 2 if the arguments are of no use, 3 if the kernel's
/// sockets were asked for and cannot be had here.
pub fn run(args: Args) -> ExitCode {
    let (out, kernel) = (&mut io::stdout().lock(), synfin_against::Linux);
    synfin_script::main_against(args.arguments, out, Some(&kernel)).into()
}
