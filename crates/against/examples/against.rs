//! `synfin script` without the rest of the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (args, out) = (std::env::args().skip(1), &mut std::io::stdout().lock());
    ExitCode::from(synfin_script::main_against(args, out, Some(&synfin_against::Linux)))
}
