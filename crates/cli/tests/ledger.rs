//! The RFC ledger (`docs/rfc-ledger.md`, `docs/rfc-ledger/`): all that it names is there, every requirement keyword of every
//! RFC has its row, and the overview adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "../examples/rfc_keywords.rs"]
mod rfc_keywords;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below `folder` whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().is_some_and(|p| p.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

// --- what is named -----------------------------------------------------------------------------------------------

/// What code, tests and scripts there are to name.
struct Names {
    /// Every module of the crates that the ledger speaks of, under all tails of its path, with its text.
    modules: BTreeMap<String, Vec<String>>,
    /// Functions that `cargo test` runs.
    tests: BTreeSet<String>,
    /// File names in conform/.
    scripts: BTreeSet<String>,
}

/// The identifier at the start of a text.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// The functions that follow a test attribute.
fn tests_in(source: &str) -> impl Iterator<Item = String> {
    let marks = ["#[test]", "#[tokio::test"];
    marks.into_iter().flat_map(move |mark| source.split(mark).skip(1)).filter_map(|rest| {
        let (_, name) = rest.split_once("fn ")?;
        Some(identifier(name).to_owned())
    })
}

impl Names {
    fn collect() -> Names {
        let crates = root().join("crates");
        let mut modules: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in ["wire", "tcp", "net", "rt"] {
            let src = crates.join(name).join("src");
            for file in files(&src, ".rs") {
                let inner = file.strip_prefix(&src).expect("it was found there").with_extension("");
                let mut path = vec![name.to_owned()];
                path.extend(inner.iter().map(|p| p.to_string_lossy().into_owned()).filter(|p| p != "mod"));
                if path.last().is_some_and(|p| p == "tests" || p == "lib") {
                    continue;
                }
                let text = read(&file);
                for from in 0..path.len() {
                    modules.entry(path[from..].join("::")).or_default().push(text.clone());
                }
            }
        }
        let tests =
            files(&crates, ".rs").iter().flat_map(|f| tests_in(&read(f)).collect::<Vec<_>>()).collect();
        let scripts = files(&root().join("conform"), ".pkt")
            .iter()
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect();
        Names { modules, tests, scripts }
    }

    /// Whether `module::item` names one thing in one module: a function, constant, type, field or setting.
    fn has_code(&self, name: &str) -> Result<(), String> {
        let (path, item) = name.rsplit_once("::").ok_or("not of the form module::item")?;
        let text = match self.modules.get(path).map(Vec::as_slice) {
            Some([text]) => text,
            Some(several) => return Err(format!("{} modules end in {path}", several.len())),
            None => return Err(format!("no module {path}")),
        };
        let is = |before: &str, after: char| {
            text.match_indices(&format!("{before}{item}")).any(|(at, found)| {
                text[at + found.len()..].chars().next().is_some_and(|c| match after {
                    ' ' => !c.is_alphanumeric() && c != '_',
                    after => c == after,
                })
            })
        };
        let kinds = ["fn ", "const ", "struct ", "enum ", "trait "];
        let found = kinds.iter().any(|kind| is(kind, ' ')) || is("pub ", ':');
        if found { Ok(()) } else { Err(format!("no {item} in {path}")) }
    }

    fn has_test(&self, name: &str) -> bool {
        if name.ends_with(".pkt") { self.scripts.contains(name) } else { self.tests.contains(name) }
    }
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

// --- the pages ---------------------------------------------------------------------------------------------------

/// One rule.
struct Row {
    /// Page and line, for messages.
    at: String,
    section: String,
    /// Keywords and how often; empty for a rule in plain words.
    levels: Vec<(String, u32)>,
    rule: String,
    state: String,
    code: Vec<String>,
    tests: Vec<String>,
    note: String,
}

const HEAD: &str = "| § | level | rule | state | code | tests | note |";

/// `MUST ×2, SHOULD` as keywords and numbers.
fn levels(cell: &str) -> Vec<(String, u32)> {
    if cell == "—" {
        return Vec::new();
    }
    let part = |p: &str| match p.split_once(" ×") {
        Some((word, n)) => (word.to_owned(), n.parse().unwrap_or_else(|_| panic!("{cell}: not a number"))),
        None => (p.to_owned(), 1),
    };
    cell.split(", ").map(part).collect()
}

/// The rows of every page, by RFC.
fn ledger() -> BTreeMap<String, Vec<Row>> {
    let mut pages = BTreeMap::new();
    for page in files(&root().join("docs/rfc-ledger"), ".md") {
        let name = page.file_stem().expect("a page has a name").to_string_lossy().into_owned();
        let rfc =
            name.strip_prefix("rfc").unwrap_or_else(|| panic!("{name}: whose page is this?")).to_owned();
        let text = read(&page);
        let mut rows = Vec::new();
        let table = text.lines().enumerate().skip_while(|(_, l)| *l != HEAD).skip(2);
        for (n, line) in table.take_while(|(_, l)| l.starts_with('|')) {
            let at = format!("{name}.md:{}", n + 1);
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [section, level, rule, state, code, tests, note] = cells[..] else {
                panic!("{at}: {} cells", cells.len());
            };
            let names = |cell: &str| quoted(cell).map(str::to_owned).collect();
            rows.push(Row {
                at,
                section: section.to_owned(),
                levels: levels(level),
                rule: rule.to_owned(),
                state: state.to_owned(),
                code: names(code),
                tests: names(tests),
                note: note.to_owned(),
            });
        }
        assert!(!rows.is_empty(), "{name}.md: no table with the head {HEAD}");
        assert_eq!(
            rows.len(),
            text.lines().filter(|l| l.starts_with('|')).count() - 2,
            "{name}.md: one table"
        );
        pages.insert(rfc, rows);
    }
    pages
}

#[test]
fn the_ledger_names_what_exists() {
    let names = Names::collect();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for row in ledger().values().flatten() {
        for code in &row.code {
            checked += 1;
            wrong.extend(names.has_code(code).err().map(|e| format!("{}: {code}: {e}", row.at)));
        }
        for test in &row.tests {
            checked += 1;
            if !names.has_test(test) {
                wrong.push(format!("{}: no test {test}", row.at));
            }
        }
        // Notes name settings and tests.
        for name in quoted(&row.note) {
            checked += 1;
            if !(names.has_test(name) || names.has_code(name).is_ok() || is_setting(&names, name)) {
                wrong.push(format!("{}: what is {name}?", row.at));
            }
        }
    }
    let overview = read(&root().join("docs/rfc-ledger.md"));
    for line in overview.lines().filter(|l| l.starts_with('|')) {
        for name in quoted(line) {
            checked += 1;
            if !(names.has_test(name) || names.has_code(name).is_ok()) {
                wrong.push(format!("rfc-ledger.md: no {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 1000, "only {checked} names were found");
}

/// A field of the settings, or one of Linux's habits.
fn is_setting(names: &Names, name: &str) -> bool {
    ["tcp::config", "net::config"].iter().any(|module| {
        names
            .modules
            .get(*module)
            .into_iter()
            .flatten()
            .any(|text| text.contains(&format!("pub {name}:")) || text.contains(&format!("    {name} = ")))
    })
}

/// What each state of a rule has to bring.
#[test]
fn every_row_says_what_its_state_needs() {
    let mut wrong = Vec::new();
    for row in ledger().values().flatten() {
        let (code, tests, note) = (!row.code.is_empty(), !row.tests.is_empty(), !row.note.is_empty());
        let good = match row.state.as_str() {
            "tested" => code && tests,
            // A note says why there is no test.
            "built" => code && !tests && note,
            // A note says what is missing.
            "partly" => code && note,
            // A note says why.
            "no" | "n/a" => !code && !tests && note,
            _ => false,
        };
        if !good || row.rule.is_empty() {
            wrong.push(format!("{}: {} with code {code}, tests {tests}, note {note}", row.at, row.state));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// --- the keywords ------------------------------------------------------------------------------------------------

type Keywords = BTreeMap<(String, String, String), u32>;

/// RFC, section and keyword, and how often: as they were counted in the texts.
fn counted() -> Keywords {
    let text = read(&root().join("docs/rfc-ledger/keywords.tsv"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [rfc, section, word, n] = cells[..] else { panic!("{line}: not four columns") };
        ((rfc.to_owned(), section.to_owned(), word.to_owned()), n.parse().expect("a number"))
    };
    text.lines().skip(1).map(row).collect()
}

/// The same as the rows of the pages have it.
fn answered() -> Keywords {
    let mut all = Keywords::new();
    for (rfc, rows) in ledger() {
        for row in rows {
            for (word, n) in row.levels {
                *all.entry((rfc.clone(), row.section.clone(), word)).or_default() += n;
            }
        }
    }
    all
}

#[test]
fn every_keyword_has_its_row() {
    let (counted, answered) = (counted(), answered());
    let mut wrong = Vec::new();
    for key in counted.keys().chain(answered.keys()).collect::<BTreeSet<_>>() {
        let (text, rows) = (counted.get(key).unwrap_or(&0), answered.get(key).unwrap_or(&0));
        if text != rows {
            let (rfc, section, word) = key;
            wrong
                .push(format!("RFC {rfc}, section {section}: {text} {word} in the text, {rows} in the rows"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counted.values().sum::<u32>() > 500);
}

#[test]
fn every_name_of_rfc_9293_has_its_row() {
    let pages = ledger();
    let rules: Vec<&str> = pages["9293"].iter().map(|r| r.rule.as_str()).collect();
    for (kind, last) in [("MUST", 69), ("SHLD", 31), ("MAY", 18), ("REC", 1)] {
        for n in 1..=last {
            let name = format!("{kind}-{n}");
            let has = |rule: &&&str| rule.split([',', '.']).any(|part| part.trim() == name);
            assert_eq!(rules.iter().filter(has).count(), 1, "rows for {name}");
        }
    }
}

/// With the texts at hand, `RFC_TEXTS=folder cargo test -p synfin-cli --test ledger` counts again.
#[test]
fn the_counts_are_those_of_the_texts() {
    let Some(folder) = env::var_os("RFC_TEXTS") else {
        println!("skipped: RFC_TEXTS names no folder with the texts of the RFCs");
        return;
    };
    let table = rfc_keywords::table(Path::new(&folder)).expect("every text can be read");
    assert_eq!(table, read(&root().join("docs/rfc-ledger/keywords.tsv")));
}

/// What counts and what does not, in a text made for it.
#[test]
fn counting_follows_its_rules() {
    let text = "\
RFC 9999                        Nothing                     January 2000

   The key words \"MUST\", \"MUST NOT\" and \"MAY\" mean what they mean. It MUST\n   NOT be so.

1.  First

   A MUST (MUST-1), a MUST-\n   2, a \"SHOULD\" and a SHOULD. It is NOT REQUIRED, MAYBE.

Someone                      Standards Track                   [Page 1]

1.10.  Tenth MAY

   REQUIRED and NOT RECOMMENDED.

Appendix A.  Last

   OPTIONAL
";
    let counts = rfc_keywords::count("9999", text);
    let found: Vec<String> =
        counts.iter().map(|((s, w), n)| format!("{} {w} {n}", rfc_keywords::name(s))).collect();
    assert_eq!(
        found,
        [
            "0 MUST NOT 1",
            "1 MUST 1",
            "1 NOT REQUIRED 1",
            "1 SHOULD 1",
            "1.10 MAY 1",
            "1.10 NOT RECOMMENDED 1",
            "1.10 REQUIRED 1",
            "A OPTIONAL 1",
        ]
    );
}

// --- the overview ------------------------------------------------------------------------------------------------

const STATES: [&str; 5] = ["tested", "built", "partly", "no", "n/a"];

/// The overview's lines as the pages make them: RFC, rules in each state, keywords in the text.
#[test]
fn the_overview_adds_up() {
    let overview = read(&root().join("docs/rfc-ledger.md"));
    let counted = counted();
    let mut want = Vec::new();
    let mut sum = [0; 6];
    for (rfc, rows) in ledger() {
        let states = STATES.map(|s| rows.iter().filter(|r| r.state == s).count() as u32);
        let keywords = counted.iter().filter(|((r, ..), _)| *r == rfc).map(|(_, n)| n).sum();
        let numbers = [states[0], states[1], states[2], states[3], states[4], keywords];
        sum.iter_mut().zip(numbers).for_each(|(s, n)| *s += n);
        want.push((format!("[{rfc}](rfc-ledger/rfc{rfc}.md)"), numbers));
    }
    want.push(("all".to_owned(), sum));
    let mut wrong = Vec::new();
    for (name, numbers) in want {
        let cells = numbers.map(|n| n.to_string()).join(" | ");
        let table = overview.lines().take_while(|l| !l.starts_with("## "));
        let lines: Vec<&str> = table.filter(|l| l.starts_with(&format!("| {name} |"))).collect();
        if !matches!(lines[..], [line] if line.ends_with(&format!("| {cells} |"))) {
            wrong.push(format!("| {name} | ... | {cells} |"));
        }
    }
    assert!(wrong.is_empty(), "docs/rfc-ledger.md has to say:\n{}", wrong.join("\n"));
}

/// Nobody has to search the pages for what is against a MUST.
#[test]
fn every_must_that_is_not_met_is_in_the_overview() {
    let overview = read(&root().join("docs/rfc-ledger.md"));
    let (_, section) = overview.split_once("## Not met\n").expect("the section");
    let listed: Vec<&str> = section.lines().take_while(|l| !l.starts_with("## ")).collect();
    let listed: Vec<&str> = listed.into_iter().filter(|l| l.starts_with('|')).skip(2).collect();
    let must =
        |(word, _): &(String, u32)| ["MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED"].contains(&&**word);
    let mut want = Vec::new();
    for (rfc, rows) in ledger() {
        for r in rows.iter().filter(|r| ["no", "partly"].contains(&&*r.state) && r.levels.iter().any(must)) {
            let link = format!("[{rfc}](rfc-ledger/rfc{rfc}.md)");
            want.push(format!("| {link} | {} | {} | {} | {} |", r.section, r.rule, r.state, r.note));
        }
    }
    assert!(listed == want, "docs/rfc-ledger.md has to list:\n{}\n", want.join("\n"));
}
