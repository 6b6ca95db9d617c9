//! Runs script files: `cargo run -p synfin-script --example script -- FILE...`

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(synfin_script::main_with(std::env::args().skip(1), &mut std::io::stdout().lock()))
}
