//! `docs/linux-differences.md` and the comments of scripts tell of the same differences.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|e| e == "pkt") {
            found.push(path);
        }
    }
}

/// Codes in parentheses, as `(T2)`.
fn codes(reason: &str) -> impl Iterator<Item = &str> {
    let inside = reason.split('(').skip(1).filter_map(|rest| rest.split(')').next());
    inside.filter(|code| is_code(code))
}

fn is_code(word: &str) -> bool {
    let (letter, number) = word.split_at(word.len().min(1));
    letter.chars().all(|c| c.is_ascii_uppercase()) && !number.is_empty() && number.parse::<u8>().is_ok()
}

#[test]
fn page_and_scripts_agree() {
    let page = fs::read_to_string(root().join("docs/linux-differences.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let told: BTreeSet<&str> =
        rows.flat_map(|cell| cell.split(", ")).map(str::trim).filter(|w| is_code(w)).collect();
    let mut files = Vec::new();
    scripts(&root().join("conform"), &mut files);
    let mut used = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(reason) = synfin_script::parse(&text, &name).unwrap().differs else { continue };
        let mut named = false;
        for code in codes(&reason) {
            assert!(told.contains(code), "{}: the page does not tell of {code}", file.display());
            used.insert(code.to_string());
            named = true;
        }
        assert!(named || page.contains(&name), "{}: the page does not name it", file.display());
    }
    let idle: Vec<_> = told.iter().filter(|code| !used.contains(**code)).collect();
    assert!(idle.is_empty(), "no script shows {idle:?}");
}
