//! What the documents name is there: links, and the programs that they show. The RFC ledger: `ledger.rs`.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files below `folder` whose names end so.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_str().is_some_and(|p| p.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// The documents: at the root and in docs/.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root())
        .expect("the root can be read")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    files(&root().join("docs"), ".md", &mut found);
    found.sort();
    found
}

/// What stands between each `open` and the `close` after it.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|(inside, _)| inside)
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for document in documents() {
        for link in between(&read(&document), "](", ")") {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = document.parent().expect("a document lies in a folder").join(file);
            assert!(target.exists(), "{}: no {file}", document.display());
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} links were found");
}

/// A program in README.md is the one that is compiled: the example named before it, without its heading comment.
#[test]
fn programs_in_the_readme_are_examples() {
    let readme = read(&root().join("README.md"));
    let mut checked = 0;
    for shown in between(&readme, "<!-- example: ", "\n```\n") {
        let (path, code) = shown.split_once(" -->\n```rust\n").expect("a Rust block follows the comment");
        let source = read(&root().join(path));
        let body: Vec<&str> = source.lines().skip_while(|l| l.starts_with("//!") || l.is_empty()).collect();
        assert_eq!(code, body.join("\n"), "README.md on the left, {path} on the right");
        checked += 1;
    }
    assert_eq!(checked, readme.matches("```rust").count(), "every Rust block of README.md is an example");
}
