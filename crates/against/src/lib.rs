//! Floor 5 of synfin: scripts in packetdrill's language, run against the kernel's own TCP.
//!
//! Each script gets a private network namespace with one TUN device. The script's packets are written to the device and
//! the kernel's are heard on it, calls are the system's, and time is real: [`Kernel`] is a [`synfin_script::Host`], so
//! what a script says is judged by the same engine as with our stack.
#![forbid(unsafe_code)]

mod address;
mod caller;
mod calls;
mod host;
mod info;
mod place;
mod tap;

use synfin_script::{Against, Options, Outcome, Script};

pub use host::Kernel;

/// `--against linux`.
#[derive(Copy, Clone, Debug, Default)]
pub struct Linux;

impl Against for Linux {
    fn prepare(&self) -> Result<(), String> {
        place::prepare()
    }

    fn run(&self, script: &Script, options: &Options) -> Outcome {
        let folder = std::path::Path::new(&script.file).parent().map(std::path::Path::to_path_buf);
        let run = || synfin_script::run_on(script, options, |setup| Kernel::new(setup, folder));
        match place::scope(run) {
            Ok(outcome) => outcome,
            Err(why) => Outcome::unusable(&script.file, 0, &why),
        }
    }
}
