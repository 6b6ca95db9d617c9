//! The rules of the house that a compiler does not know: which crate may depend on which, and what holds for all.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// Where a crate stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Place {
    /// May depend on crates of lower floors.
    Floor(u8),
    /// Helps to test and to demonstrate: depends on no crate of the house, and only the floors of programs depend on it.
    Helper,
    /// Measures, checks or fuzzes: may depend on every crate of a floor, and none on it.
    Beside,
}

/// What may use the helpers: the program, and parts of it that need a system below them.
const PROGRAMS: u8 = 5;
const TOP: u8 = 6;

/// The only crates whose code may be unsafe; each block has to argue why it is sound.
const UNSAFE: [&str; 2] = ["sockopt", "packetdrill"];

/// The house, by folder in `crates/`. A new crate needs its line here; a line may wait for its crate.
const HOUSE: [(&str, Place); 18] = [
    ("wire", Place::Floor(0)),
    ("tcp", Place::Floor(1)),
    ("link", Place::Floor(1)),
    ("net", Place::Floor(2)),
    ("tun", Place::Floor(2)),
    ("rt", Place::Floor(3)),
    ("sim", Place::Floor(3)),
    ("explain", Place::Floor(3)),
    ("synfin", Place::Floor(4)),
    ("script", Place::Floor(4)),
    ("against", Place::Floor(PROGRAMS)),
    ("packetdrill", Place::Floor(PROGRAMS)),
    ("cli", Place::Floor(TOP)),
    ("netns", Place::Helper),
    ("sockopt", Place::Helper),
    ("bench", Place::Beside),
    ("check", Place::Beside),
    ("fuzzers", Place::Beside),
];

/// Run without an operating system (no_std + alloc).
const CORE: [&str; 6] = ["wire", "tcp", "link", "net", "sim", "explain"];

/// All that the core takes from outside the house.
const CORE_TAKES: [&str; 2] = ["siphasher", "unicode-width"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn place(folder: &str) -> Option<Place> {
    HOUSE.iter().find(|(name, _)| *name == folder).map(|(_, place)| *place)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn manifest(folder: &str) -> Table {
    let path = crates().join(folder).join("Cargo.toml");
    read(&path).parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The folder of a package of the house.
fn folder_of(package: &str) -> Option<&str> {
    let folder = if package == "synfin" { package } else { package.strip_prefix("synfin-")? };
    Some(folder)
}

/// Packages that a manifest needs to be built: for every target, dev-dependencies left out.
fn needs(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(|t| t.as_table());
    let per_target = targets.into_iter().flat_map(|t| t.values()).filter_map(|t| t.as_table());
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(per_target) {
        for kind in ["dependencies", "build-dependencies"] {
            for (name, spec) in table.get(kind).and_then(|d| d.as_table()).into_iter().flatten() {
                // A renamed dependency says its real name inside.
                let renamed = spec.get("package").and_then(|p| p.as_str());
                found.push(renamed.unwrap_or(name).to_owned());
            }
        }
    }
    found
}

/// What is wrong with `from` depending on `to`.
fn objection(from: Place, to: Place) -> Option<&'static str> {
    match (from, to) {
        (_, Place::Beside) => Some("nothing depends on what measures, checks or fuzzes"),
        (Place::Beside, _) => None,
        (Place::Helper, _) => Some("a helper depends on no crate of the house"),
        (Place::Floor(PROGRAMS..), Place::Helper) => None,
        (Place::Floor(_), Place::Helper) => Some("helpers are for tests: make it a dev-dependency"),
        (Place::Floor(a), Place::Floor(b)) if a <= b => Some("only lower floors"),
        (Place::Floor(_), Place::Floor(_)) => None,
    }
}

/// Crates that are there, with their places.
fn house() -> impl Iterator<Item = (&'static str, Place)> {
    HOUSE.into_iter().filter(|(folder, _)| crates().join(folder).join("Cargo.toml").exists())
}

#[test]
fn every_crate_has_its_place() {
    for entry in fs::read_dir(crates()).expect("crates/ can be read") {
        let entry = entry.expect("crates/ can be read");
        if !entry.path().join("Cargo.toml").exists() {
            continue;
        }
        let folder = entry.file_name().into_string().expect("a folder with a plain name");
        assert!(place(&folder).is_some(), "crates/{folder} has no place in HOUSE: which floor is it on?");
        let manifest = manifest(&folder);
        let name = manifest["package"]["name"].as_str();
        assert_eq!(name.and_then(folder_of), Some(folder.as_str()), "the package of crates/{folder}");
    }
}

#[test]
fn crates_depend_on_lower_floors_only() {
    let mut wrong = Vec::new();
    for (from, from_place) in house() {
        for package in needs(&manifest(from)) {
            let Some(to) = folder_of(&package) else { continue };
            let to_place = place(to).unwrap_or_else(|| panic!("{from} depends on {package}: unknown crate"));
            if let Some(why) = objection(from_place, to_place) {
                wrong.push(format!("{from} -> {to}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rule_itself() {
    let (low, same, high) = (Place::Floor(1), Place::Floor(2), Place::Floor(3));
    assert_eq!(objection(same, low), None);
    assert!(objection(same, same).is_some());
    assert!(objection(same, high).is_some());
    assert!(objection(low, Place::Helper).is_some());
    assert_eq!(objection(Place::Floor(TOP), Place::Helper), None);
    assert_eq!(objection(Place::Floor(PROGRAMS), Place::Helper), None);
    assert!(objection(Place::Floor(PROGRAMS - 1), Place::Helper).is_some());
    assert!(objection(Place::Helper, low).is_some());
    assert!(objection(high, Place::Beside).is_some());
    assert_eq!(objection(Place::Beside, high), None);
    let table: Table = "
        [dependencies]
        synfin-wire.workspace = true
        w = { package = 'synfin-net', version = '1' }
        [target.'cfg(unix)'.dependencies]
        synfin-rt = '1'
        [dev-dependencies]
        synfin-cli = '1'
    "
    .parse()
    .expect("this is TOML");
    assert_eq!(needs(&table), ["synfin-wire", "synfin-net", "synfin-rt"]);
}

#[test]
fn the_core_takes_little_from_outside_and_needs_no_system() {
    for folder in CORE {
        for package in needs(&manifest(folder)) {
            let ours = folder_of(&package).is_some();
            assert!(ours || CORE_TAKES.contains(&package.as_str()), "{folder} depends on {package}");
        }
        let root = read(&crates().join(folder).join("src/lib.rs"));
        assert!(root.contains("#![no_std]"), "crates/{folder}/src/lib.rs lacks #![no_std]");
    }
}

#[test]
fn unsafe_code_is_forbidden_and_lints_are_shared() {
    for (folder, _) in house() {
        let roots = ["src/lib.rs", "src/main.rs"].map(|root| crates().join(folder).join(root));
        let mut roots = roots.iter().filter(|root| root.exists()).peekable();
        assert!(roots.peek().is_some(), "crates/{folder} has neither lib.rs nor main.rs");
        for root in roots {
            let rule = match UNSAFE.contains(&folder) {
                true => "#![deny(clippy::undocumented_unsafe_blocks)]",
                false => "#![forbid(unsafe_code)]",
            };
            assert!(read(root).lines().any(|line| line == rule), "{} lacks {rule}", root.display());
        }
        let lints = manifest(folder).get("lints").and_then(|l| l.get("workspace")?.as_bool());
        assert_eq!(lints, Some(true), "crates/{folder}/Cargo.toml does not take the workspace's lints");
    }
}
