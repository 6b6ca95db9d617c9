//! Code that the small evaluator does not understand: python3 runs it, with all the code before it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::consts;
use crate::host::Fields;

/// Who runs code that is not understood here.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// Nobody: it is reported.
    Refused,
    /// python3, where it is installed.
    Python,
}

/// The code of a script so far, with what was known of the connection each time.
#[derive(Debug, Default)]
pub(crate) struct Python {
    program: String,
}

/// What became of it.
pub(crate) enum Ran {
    Held,
    /// The last thing that was said.
    Failed(String),
    /// There is no python3.
    Absent,
}

/// A string of Python.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

impl Python {
    /// One more piece of code, and what it can ask for.
    pub fn remember(&mut self, code: &str, fields: &Fields) {
        if self.program.is_empty() {
            self.program.push_str("import textwrap\nnames = {}\n");
            for (name, value) in consts::all() {
                self.program.push_str(&format!("names['{name}'] = {value}\n"));
            }
        }
        for (name, value) in fields {
            self.program.push_str(&format!("names['{name}'] = {value}\n"));
        }
        self.program.push_str(&format!("exec(textwrap.dedent({}), names)\n", quoted(code)));
    }

    /// Runs all of it.
    pub fn run(&self) -> Ran {
        let started = Command::new("python3")
            .args(["-I", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else { return Ran::Absent };
        if let Some(mut input) = child.stdin.take() {
            // One that ends before it has read everything says why.
            let _ = input.write_all(self.program.as_bytes());
        }
        match child.wait_with_output() {
            Ok(output) if output.status.success() => Ran::Held,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Ran::Failed(said.lines().last().unwrap_or("it failed").to_string())
            }
            Err(_) => Ran::Absent,
        }
    }
}

#[cfg(test)]
mod tests;
