//! `synfin script FILE…`: runs script files and says how they ended.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::engine::{Leftover, Options, run_with};
use crate::parser::{Defines, parse_with};
use crate::profile::Profile;
use crate::report::{Outcome, junit};

/// How `synfin script` is called.
pub const USAGE: &str = "\
usage: synfin script [OPTION]... FILE...
  FILE                     a script, or a folder: every .pkt file below it
  --profile linux|rfc      which host the stack plays (linux)
  --jobs N                 scripts at a time (one per processor)
  --junit FILE             writes a JUnit report
  --tolerance_usecs N      by how much times may be off (4000)
  --strict                 segments that a script does not mention at its end are failures
  --quiet                  only failures and the sum
  --notes                  also what was recognised and is not modelled
  -D NAME=VALUE            replaces a word in every script
  --NAME=VALUE             any option that a script can have, for all of them";

/// Everything that the command line says.
#[derive(Clone, Debug)]
pub struct Command {
    /// Scripts and folders.
    pub files: Vec<PathBuf>,
    /// How each is run.
    pub options: Options,
    /// Words that are replaced.
    pub defines: Defines,
    /// How many at a time; 0: one per processor.
    pub jobs: usize,
    /// Where a JUnit report goes.
    pub junit: Option<PathBuf>,
    /// Leaves out the lines of scripts that pass.
    pub quiet: bool,
    /// Shows notes of scripts that pass too.
    pub notes: bool,
}

impl Default for Command {
    fn default() -> Self {
        Command {
            files: Vec::new(),
            options: Options::new(Profile::linux()),
            defines: Defines::new(),
            jobs: 0,
            junit: None,
            quiet: false,
            notes: false,
        }
    }
}

impl Command {
    /// Reads arguments; the program's own name is not among them.
    ///
    /// # Errors
    /// A message for the user.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
        let mut command = Command::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_string(), Some(value.to_string())),
                _ => (arg.clone(), None),
            };
            let mut value = || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--profile" => {
                    let value = value()?;
                    command.options.profile =
                        Profile::named(&value).ok_or(format!("no profile {value}: linux or rfc"))?;
                }
                "--jobs" => command.jobs = value()?.parse().map_err(|_| "--jobs needs a number")?,
                "--junit" => command.junit = Some(value()?.into()),
                "--strict" => command.options.leftover = Leftover::Refused,
                "--quiet" => command.quiet = true,
                "--notes" => command.notes = true,
                "-D" => {
                    let value = value()?;
                    let (name, value) = value.split_once('=').ok_or("-D needs NAME=VALUE")?;
                    command.defines.insert(name.into(), value.into());
                }
                _ if name.starts_with("--") => {
                    let value = match name.as_str() {
                        "--tolerance_usecs" => value()?,
                        _ => inline.clone().unwrap_or_default(),
                    };
                    command.options.extra.push((name.trim_start_matches("--").into(), value));
                }
                _ if name.starts_with('-') => return Err(format!("unknown option {name}")),
                _ => command.files.push(arg.into()),
            }
        }
        Ok(command)
    }

    /// Runs every script; outcomes come in the order of the files, whatever the number of jobs.
    pub fn run(&self) -> Vec<Outcome> {
        let files = self.scripts();
        let jobs = match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(files.len()).max(1) {
                scope.spawn(|| {
                    while let index = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(file) = files.get(index)
                    {
                        let outcome = self.run_file(file);
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn run_file(&self, file: &Path) -> Outcome {
        let name = file.display().to_string();
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return Outcome::unusable(&name, 0, &error.to_string()),
        };
        match parse_with(&text, &name, &self.defines) {
            Ok(script) => run_with(&script, &self.options),
            Err(error) => Outcome::unusable(&name, error.line, &error.message),
        }
    }

    /// The files, folders opened: in order, each folder sorted by name.
    fn scripts(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.files.iter().for_each(|f| collect(f, &mut found, 0));
        found
    }
}

/// Folders nested deeper than this are a loop.
const DEEPEST: u32 = 32;

fn collect(path: &Path, found: &mut Vec<PathBuf>, depth: u32) {
    if !path.is_dir() {
        found.push(path.into());
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut inside: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    inside.sort();
    for path in inside {
        let script = path.extension().is_some_and(|e| e == "pkt");
        if path.is_dir() && depth < DEEPEST || script {
            collect(&path, found, depth + 1);
        }
    }
}

/// Runs `synfin script` with these arguments. Returns the exit status: 0 if all passed, 1 if not, 2 if the arguments are
/// of no use.
pub fn main_with(args: impl IntoIterator<Item = String>, out: &mut dyn Write) -> u8 {
    let command = match Command::parse(args) {
        Ok(command) if !command.files.is_empty() => command,
        Ok(_) => return say(out, USAGE, 2),
        Err(message) => return say(out, &format!("{message}\n{USAGE}"), 2),
    };
    let outcomes = command.run();
    let mut text = String::new();
    for outcome in &outcomes {
        if !outcome.passed() || !command.quiet {
            text.push_str(&outcome.to_string());
            text.push('\n');
        }
        if command.notes {
            outcome.notes.iter().for_each(|note| text.push_str(&format!("     note      {note}\n")));
        }
    }
    let failed = outcomes.iter().filter(|o| !o.passed()).count();
    text.push_str(&format!(
        "{} scripts: {} passed, {failed} failed",
        outcomes.len(),
        outcomes.len() - failed
    ));
    if let Some(file) = &command.junit
        && let Err(error) = fs::write(file, junit(&outcomes))
    {
        text.push_str(&format!("\n{}: {error}", file.display()));
        return say(out, &text, 2);
    }
    say(out, &text, u8::from(failed > 0))
}

/// A reader who has gone is no reason to fail.
fn say(out: &mut dyn Write, text: &str, status: u8) -> u8 {
    let _ = writeln!(out, "{text}");
    status
}

#[cfg(test)]
mod tests;
