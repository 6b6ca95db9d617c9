//! `synfin script FILE…`: runs script files and says how they ended.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ast::Script;
use crate::engine::{Leftover, Options, run_with};
use crate::parser::{Defines, parse_with};
use crate::profile::Profile;
use crate::python::Foreign;
use crate::report::{FailureKind, Outcome, Verdict, junit};

/// How `synfin script` is called.
pub const USAGE: &str = "\
usage: synfin script [OPTION]... FILE...
  FILE                     a script, or a folder: every .pkt file below it
  --profile linux|rfc      which host the stack plays (linux)
  --against linux          the kernel's own sockets instead, in real time: needs root, or user namespaces and
                           /dev/net/tun; every script gets a network namespace of its own
  --retry N                with --against: how often a script that fails is tried again (2)
  --longest SECONDS        with --against: scripts that take longer are skipped (100)
  --jobs N                 scripts at a time (one per processor; with --against 8)
  --junit FILE             writes a JUnit report
  --tolerance_usecs N      by how much times may be off (4000; with --against 10000)
  --strict                 segments that a script does not mention at its end are failures
  --quiet                  only failures and the sum
  --notes                  also what was recognised and is not modelled
  -D NAME=VALUE            replaces a word in every script
  --NAME=VALUE             any option that a script can have, for all of them";

/// Something other than our stack that scripts can be run against.
pub trait Against: Sync {
    /// Gets ready, before any thread is started.
    ///
    /// # Errors
    /// Why it cannot be done on this machine.
    fn prepare(&self) -> Result<(), String>;

    /// Runs one script.
    fn run(&self, script: &Script, options: &Options) -> Outcome;
}

/// Everything that the command line says.
#[derive(Clone, Debug)]
pub struct Command {
    /// Runs scripts against the kernel.
    pub against: bool,
    /// How often a script is tried again against the kernel.
    pub retry: u32,
    /// The longest script that is tried against the kernel, in seconds.
    pub longest: u32,
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
            against: false,
            retry: 2,
            longest: 100,
            files: Vec::new(),
            options: Options { foreign: Foreign::Python, ..Options::new(Profile::linux()) },
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
                "--against" => match value()?.as_str() {
                    "linux" => command.against = true,
                    other => return Err(format!("--against {other}: only linux is known")),
                },
                "--retry" => command.retry = value()?.parse().map_err(|_| "--retry needs a number")?,
                "--longest" => command.longest = value()?.parse().map_err(|_| "--longest needs seconds")?,
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
        if command.against {
            command.options.tolerance = REAL_TOLERANCE;
            let given = command.options.extra.iter().any(|(name, _)| name == "tolerance_usecs");
            command.options.least_tolerance = if given { 0 } else { REAL_TOLERANCE };
        }
        Ok(command)
    }

    /// Runs every script with our stack; outcomes come in the order of the files, whatever the number of jobs.
    pub fn run(&self) -> Vec<Outcome> {
        self.run_each(&|script| run_with(script, &self.options))
    }

    /// Runs every script against something else; outcomes come in the order of the files.
    pub fn run_against(&self, other: &dyn Against) -> Vec<Outcome> {
        self.run_each(&|script| {
            let seconds = script.least_time() / 1_000_000;
            if seconds > i64::from(self.longest) {
                return Outcome::skipped(&script.file, format!("takes {seconds} seconds of real time"));
            }
            if script.options.iter().any(|o| o.name == "mss") {
                let why = "its segments come merged, and a plain device takes no such";
                return Outcome::skipped(&script.file, why.into());
            }
            let mut tries = 1;
            let mut outcome = as_documented(script, other.run(script, &self.options));
            while outcome.failed() && tries <= self.retry {
                tries += 1;
                outcome = as_documented(script, other.run(script, &self.options));
            }
            if tries > 1 {
                outcome.notes.push(format!("tried {tries} times"));
            }
            Outcome { tries, ..outcome }
        })
    }

    /// Scripts that take long begin first: with a real clock, whoever begins late decides when all is over.
    fn run_each(&self, run: &(dyn Fn(&Script) -> Outcome + Sync)) -> Vec<Outcome> {
        let scripts: Vec<_> = self.scripts().iter().map(|file| self.read(file)).collect();
        let jobs = match (self.jobs, self.against) {
            (0, true) => REAL_JOBS,
            (0, false) => std::thread::available_parallelism().map_or(1, usize::from),
            (n, _) => n,
        };
        let mut order: Vec<usize> = (0..scripts.len()).collect();
        if self.against {
            let time =
                |index: &usize| scripts.get(*index).and_then(|s| s.as_ref().ok()).map(Script::least_time);
            order.sort_by_key(|index| std::cmp::Reverse(time(index)));
        }
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(scripts.len()).max(1) {
                scope.spawn(|| {
                    while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed))
                        && let Some(script) = scripts.get(*index)
                    {
                        let outcome = match script {
                            Ok(script) => run(script),
                            Err(outcome) => outcome.clone(),
                        };
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((*index, outcome));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn read(&self, file: &Path) -> Result<Script, Outcome> {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|e| Outcome::unusable(&name, 0, &e.to_string()))?;
        parse_with(&text, &name, &self.defines).map_err(|e| Outcome::unusable(&name, e.line, &e.message))
    }

    /// The files, folders opened: in order, each folder sorted by name.
    fn scripts(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.files.iter().for_each(|f| collect(f, &mut found, 0));
        found
    }
}

/// A difference is no failure if the script tells of it.
fn as_documented(script: &Script, mut outcome: Outcome) -> Outcome {
    let Some(reason) = &script.differs else { return outcome };
    outcome.verdict = match outcome.verdict {
        Verdict::Fail(failure) if failure.kind == FailureKind::Differs => {
            Verdict::Differs(reason.clone(), failure)
        }
        Verdict::Pass => {
            outcome.notes.push("a difference is documented, and there is none here".into());
            Verdict::Pass
        }
        other => other,
    };
    outcome
}

/// By how many microseconds things may be off by a real clock.
const REAL_TOLERANCE: i64 = 10_000;
/// Scripts at a time by a real clock: they mostly wait.
const REAL_JOBS: usize = 8;
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

/// Runs `synfin script` with these arguments, with our stack. Returns the exit status: 0 if all passed, 1 if not, 2 if the
/// arguments are of no use.
pub fn main_with(args: impl IntoIterator<Item = String>, out: &mut dyn Write) -> u8 {
    main_against(args, out, None)
}

/// As [`main_with`], for a program that offers something else to run scripts against; 3 if this machine does not let it.
pub fn main_against(
    args: impl IntoIterator<Item = String>,
    out: &mut dyn Write,
    other: Option<&dyn Against>,
) -> u8 {
    let words: Vec<String> = args.into_iter().collect();
    let command = match Command::parse(words.iter().cloned()) {
        Ok(command) if !command.files.is_empty() => command,
        Ok(_) => return say(out, USAGE, 2),
        Err(message) => return say(out, &format!("{message}\n{USAGE}"), 2),
    };
    let outcomes = match (command.against, other) {
        (false, _) => command.run(),
        (true, None) => return say(out, "this program runs scripts against its own stack only", 2),
        (true, Some(other)) => match other.prepare() {
            Ok(()) => command.run_against(other),
            Err(why) => return say(out, &format!("scripts cannot be run against the kernel here: {why}"), 3),
        },
    };
    let mut text = String::new();
    for outcome in &outcomes {
        if outcome.failed() || !command.quiet {
            text.push_str(&outcome.to_string());
            text.push('\n');
        }
        if outcome.failed() {
            text.push_str(&format!("     again     {}\n", again(&words, &command.files, &outcome.file)));
        }
        if command.notes {
            outcome.notes.iter().for_each(|note| text.push_str(&format!("     note      {note}\n")));
        }
    }
    text.push_str(&sum(&outcomes));
    if let Some(file) = &command.junit
        && let Err(error) = fs::write(file, junit(&outcomes))
    {
        text.push_str(&format!("\n{}: {error}", file.display()));
        return say(out, &text, 2);
    }
    say(out, &text, u8::from(outcomes.iter().any(Outcome::failed)))
}

/// The command that runs one script as it was run among others: the same words but for files and what concerns all of them.
fn again(words: &[String], files: &[PathBuf], file: &str) -> String {
    let mut line = String::from("synfin script");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let of_all = ["--jobs", "--junit", "--quiet"].into_iter().find(|name| word.starts_with(name));
        match of_all {
            Some("--jobs" | "--junit") if !word.contains('=') => drop(words.next()),
            Some(_) => {}
            None if files.iter().any(|f| f.as_os_str() == word.as_str()) => {}
            None => line.push_str(&format!(" {}", quoted(word))),
        }
    }
    format!("{line} {}", quoted(file))
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// One line about all.
fn sum(outcomes: &[Outcome]) -> String {
    let count = |which: fn(&Outcome) -> bool| outcomes.iter().filter(|o| which(o)).count();
    let (passed, failed) = (count(Outcome::passed), count(Outcome::failed));
    let mut text = format!("{} scripts: {passed} passed, {failed} failed", outcomes.len());
    let differ = count(|o| matches!(o.verdict, Verdict::Differs(..)));
    let skipped = count(|o| matches!(o.verdict, Verdict::Skipped(_)));
    let again = count(|o| o.tries > 1);
    for (n, what) in [(differ, "differ as documented"), (skipped, "skipped"), (again, "tried more than once")]
    {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    text
}

/// A reader who has gone is no reason to fail.
fn say(out: &mut dyn Write, text: &str, status: u8) -> u8 {
    let _ = writeln!(out, "{text}");
    status
}

#[cfg(test)]
mod tests;
