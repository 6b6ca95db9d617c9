//! Counts the requirement keywords of RFCs, section by section, for `docs/rfc-ledger/keywords.tsv`.
//!
//! `cargo run -p synfin-cli --example rfc_keywords FOLDER` reads the plain-text RFCs in FOLDER, named as the RFC Editor
//! names them (`rfc9293.txt`), and prints the table.
//!
//! What counts: MUST, SHALL, SHOULD, MAY, REQUIRED, RECOMMENDED, OPTIONAL and their negations, in capitals. What does not:
//! a keyword in quotation marks, the sentence that explains the key words, the names of requirements (`MUST-1`), and the
//! tables at the end of RFC 9293 (appendix B) and RFC 1122 (4.2.5) that say everything again. Of RFC 1122 only section 4.2
//! is read: the rest is not about TCP.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// The RFCs of the ledger, each with the names that its text may have.
const TEXTS: [(&str, &[&str]); 18] = [
    ("1122", &["rfc1122.txt"]),
    ("1337", &["rfc1337.txt"]),
    ("2018", &["rfc2018.txt"]),
    ("2883", &["rfc2883.txt"]),
    ("3168", &["rfc3168.txt"]),
    ("4987", &["rfc4987.txt"]),
    ("5681", &["rfc5681.txt"]),
    ("5927", &["rfc5927.txt"]),
    ("5961", &["rfc5961.txt"]),
    ("6056", &["rfc6056.txt"]),
    ("6191", &["rfc6191.txt"]),
    ("6298", &["rfc6298.txt"]),
    ("6528", &["rfc6528.txt"]),
    ("6675", &["rfc6675.txt"]),
    ("7323", &["rfc7323.txt"]),
    ("8985", &["rfc8985.txt"]),
    ("9293", &["rfc9293.txt"]),
    // The last draft has the text of the RFC but for its editing.
    ("9438", &["rfc9438.txt", "draft-ietf-tcpm-rfc8312bis-15.txt"]),
];

/// Longer ones first: MUST NOT is not MUST.
const KEYWORDS: [&str; 12] = [
    "MUST NOT",
    "MUST",
    "SHALL NOT",
    "SHALL",
    "SHOULD NOT",
    "SHOULD",
    "NOT RECOMMENDED",
    "RECOMMENDED",
    "NOT REQUIRED",
    "REQUIRED",
    "MAY",
    "OPTIONAL",
];

/// How often each keyword stands in each section; sections in the order of their numbers.
pub type Counts = BTreeMap<(Vec<Part>, &'static str), u32>;

/// A part of a section's number: 10 comes after 9, appendices after all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// 1, 2, 3.
    Number(u32),
    /// A, B, C.
    Letter(String),
}

/// Whether a line belongs to the page and not to the text.
fn is_page_furniture(line: &str) -> bool {
    let year =
        line.rsplit(' ').next().is_some_and(|w| w.len() == 4 && (w.starts_with("19") || w.starts_with("20")));
    line.ends_with(']') && line.contains("[Page ")
        || (line.starts_with("RFC") || line.starts_with("Internet-Draft")) && year
}

/// The section that a heading opens. Headings stand at the margin; those of RFC 1122 are indented.
fn heading(line: &str, most_indent: usize) -> Option<Vec<Part>> {
    let text = line.trim_start();
    if line.len() - text.len() > most_indent || text.contains(" . .") || text.contains("....") {
        return None;
    }
    let (name, title) = match text.strip_prefix("Appendix ") {
        Some(rest) => rest.split_once([' ', ':'])?,
        None => text.split_once(' ')?,
    };
    let appendix = text.starts_with("Appendix ");
    let mut parts = Vec::new();
    for part in name.trim_end_matches('.').split('.') {
        parts.push(match part.parse() {
            Ok(n) => Part::Number(n),
            Err(_) if part.len() == 1 && part.chars().all(|c| c.is_ascii_uppercase()) => {
                Part::Letter(part.into())
            }
            Err(_) => return None,
        });
    }
    // "A word" is no heading; "A.1. Word" and "Appendix A. Word" are.
    let lettered = matches!(parts.first(), Some(Part::Letter(_)));
    (!title.trim().is_empty() && (!lettered || appendix || parts.len() > 1)).then_some(parts)
}

/// A text's sections with their lines in one line each.
fn sections(rfc: &str, text: &str) -> Vec<(Vec<Part>, String)> {
    let most_indent = if rfc == "1122" { 9 } else { 0 };
    let mut all = vec![(vec![Part::Number(0)], String::new())];
    for line in text.lines().map(|l| l.trim_matches('\u{c}').trim_end()).filter(|l| !is_page_furniture(l)) {
        if let Some(parts) = heading(line, most_indent) {
            all.push((parts, String::new()));
        }
        if let Some((_, body)) = all.last_mut() {
            body.push_str(line.trim_start());
            body.push(' ');
        }
    }
    all
}

/// Whether the ledger answers for this section.
fn counts(rfc: &str, section: &[Part]) -> bool {
    let begins = |with: &[u32]| {
        with.len() <= section.len() && with.iter().zip(section).all(|(n, p)| *p == Part::Number(*n))
    };
    match rfc {
        "1122" => begins(&[4, 2]) && !begins(&[4, 2, 5]),
        "9293" => section.first() != Some(&Part::Letter("B".into())),
        _ => true,
    }
}

/// The text without the sentences that explain the key words.
fn without_explanation(body: &str) -> String {
    let mut rest = body;
    let mut kept = String::new();
    while let Some(at) = ["The key words", "The keywords"].iter().filter_map(|w| rest.find(w)).min() {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        rest = from.find(". ").map_or("", |end| &from[end..]);
    }
    kept + rest
}

/// Counts the keywords of one RFC.
pub fn count(rfc: &str, text: &str) -> Counts {
    let mut found = Counts::new();
    for (section, body) in sections(rfc, text) {
        if !counts(rfc, &section) {
            continue;
        }
        let body = without_explanation(&body);
        let mut rest = body.as_str();
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            let word = KEYWORDS.iter().find(|k| rest.starts_with(**k));
            let after = word.and_then(|w| rest[w.len()..].chars().next()).unwrap_or(' ');
            let part_of_another = |c: char| c.is_alphanumeric() || matches!(c, '-' | '"' | '\'' | '_');
            let step = match word {
                Some(word) if !part_of_another(before) && !part_of_another(after) => {
                    *found.entry((section.clone(), word)).or_default() += 1;
                    word.len()
                }
                _ => c.len_utf8(),
            };
            before = rest[..step].chars().last().unwrap_or(' ');
            rest = &rest[step..];
        }
    }
    found
}

/// A section's number as RFCs write it.
pub fn name(section: &[Part]) -> String {
    let parts: Vec<String> = section
        .iter()
        .map(|p| match p {
            Part::Number(n) => n.to_string(),
            Part::Letter(l) => l.clone(),
        })
        .collect();
    parts.join(".")
}

/// The whole table for the texts in a folder.
///
/// # Errors
/// The name of a text that cannot be read.
pub fn table(folder: &Path) -> Result<String, String> {
    let mut out = String::from("rfc\tsection\tkeyword\tcount\n");
    for (rfc, names) in TEXTS {
        let bytes = names.iter().find_map(|n| fs::read(folder.join(n)).ok());
        let bytes = bytes.ok_or_else(|| format!("{}: no {}", folder.display(), names.join(" or ")))?;
        for ((section, word), n) in count(rfc, &String::from_utf8_lossy(&bytes)) {
            out.push_str(&format!("{rfc}\t{}\t{word}\t{n}\n", name(&section)));
        }
    }
    Ok(out)
}

#[allow(dead_code, reason = "the test that includes this file has a main of its own")]
fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("rfc_keywords: which folder has the texts?");
        return ExitCode::from(2);
    };
    match table(Path::new(&folder)) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("rfc_keywords: {e}");
            ExitCode::FAILURE
        }
    }
}
