//! How a run ended, in words for people and for machines.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// How a script ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The script.
    pub file: String,
    /// Whether everything happened as it says.
    pub verdict: Verdict,
    /// What was recognised and is not modelled.
    pub notes: Vec<String>,
    /// Time of the script that passed: virtual with our stack.
    pub elapsed: Duration,
    /// How often it was tried: once, unless a real clock was involved.
    pub tries: u32,
}

/// Whether everything happened as the script says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It did.
    Pass,
    /// It did not.
    Fail(Box<Failure>),
    /// It did not, and the script says why: the reason.
    Differs(String, Box<Failure>),
    /// It was not tried: why.
    Skipped(String),
}

/// What kind of failure.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// The script is not in the language.
    Script,
    /// The script asks for something that does not exist here.
    Unsupported,
    /// Something else happened.
    Differs,
    /// A real clock went on while the machine had no time for the script: nothing is known.
    Late,
}

/// Where and how a script failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// Line of the script.
    pub line: u32,
    /// That event's text.
    pub text: String,
    /// What is wrong, in a phrase.
    pub what: String,
    /// What the script wants.
    pub expected: String,
    /// What happened.
    pub actual: String,
    /// What the stack said last, oldest first: its reasons.
    pub said: Vec<String>,
}

impl Outcome {
    /// Whether the script passed.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    /// Whether it ended otherwise than it may.
    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }

    /// An outcome of a script that was not tried.
    pub fn skipped(file: &str, reason: String) -> Outcome {
        let verdict = Verdict::Skipped(reason);
        Outcome { file: file.into(), verdict, notes: Vec::new(), elapsed: Duration::ZERO, tries: 0 }
    }

    /// An outcome of a script that could not even begin.
    pub fn unusable(file: &str, line: u32, message: &str) -> Outcome {
        Outcome {
            file: file.into(),
            verdict: Verdict::Fail(Box::new(Failure {
                kind: FailureKind::Script,
                line,
                text: String::new(),
                what: message.into(),
                expected: String::new(),
                actual: String::new(),
                said: Vec::new(),
            })),
            notes: Vec::new(),
            elapsed: Duration::ZERO,
            tries: 1,
        }
    }
}

/// One line for a pass; for a failure both sides, one below the other, and the stack's reasons.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = match &self.verdict {
            Verdict::Pass => return write!(f, "ok   {}", self.file),
            Verdict::Differs(reason, failure) => {
                let (file, line, what) = (&self.file, failure.line, &failure.what);
                return write!(f, "diff {file}:{line}: {what}, as documented: {reason}");
            }
            Verdict::Skipped(reason) => return write!(f, "skip {}: {reason}", self.file),
            Verdict::Fail(failure) => failure,
        };
        write!(f, "FAIL {}:{}: {}", self.file, failure.line, failure.what)?;
        if !failure.text.is_empty() {
            write!(f, "\n     script    {}", failure.text)?;
        }
        if !failure.expected.is_empty() || !failure.actual.is_empty() {
            write!(f, "\n     expected  {}\n     actual    {}", failure.expected, failure.actual)?;
        }
        for said in &failure.said {
            write!(f, "\n     stack     {said}")?;
        }
        Ok(())
    }
}

/// Outcomes as a JUnit report.
pub fn junit(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|o| o.failed()).count();
    let skipped = outcomes.iter().filter(|o| matches!(o.verdict, Verdict::Skipped(_))).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String does not fail.
    let _ = writeln!(
        xml,
        "<testsuite name=\"synfin script\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">",
        outcomes.len()
    );
    for o in outcomes {
        let seconds = o.elapsed.as_secs();
        let micros = o.elapsed.subsec_micros();
        let _ = write!(xml, "  <testcase name=\"{}\" time=\"{seconds}.{micros:06}\"", escape(&o.file));
        match &o.verdict {
            Verdict::Pass => xml.push_str("/>\n"),
            Verdict::Differs(..) => {
                let text = escape(&o.to_string());
                let _ = writeln!(xml, ">\n    <system-out>{text}</system-out>\n  </testcase>");
            }
            Verdict::Skipped(reason) => {
                let reason = escape(reason);
                let _ = writeln!(xml, ">\n    <skipped message=\"{reason}\"/>\n  </testcase>");
            }
            Verdict::Fail(failure) => {
                let (what, text) = (escape(&failure.what), escape(&o.to_string()));
                let _ = writeln!(xml, ">\n    <failure message=\"{what}\">{text}</failure>\n  </testcase>");
            }
        }
    }
    xml.push_str("</testsuite>\n");
    xml
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
