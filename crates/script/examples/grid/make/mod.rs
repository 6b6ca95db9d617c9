//! The grid: rows of the state table to scripts.

use std::collections::BTreeMap;

mod rows;
mod script;
mod words;

use rows::{Fate, Row};
use words::reason;

/// Where scripts go below `conform/`: both profiles, and what only one of them does.
pub const FOLDERS: [&str; 3] = ["grid", "linux/grid", "rfc/grid"];

/// Every script: its path below `conform/`, and its text.
pub fn files() -> BTreeMap<String, String> {
    let mut quiet: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for row in rows::wanted() {
        for (folder, row) in homes(row) {
            // Where the kernel answers otherwise the script stands alone, so that the reason can stand in it;
            // what leaves the state as it is has one for each state.
            let apart = match row.code.as_str() {
                "" => String::new(),
                code => format!("-linux-{}", code.to_lowercase()),
            };
            let stem = format!("{folder}/{}-{}", row.preset.name(), row.kind());
            if row.fate() == Fate::Stays {
                let name = match apart.as_str() {
                    "" => stem,
                    _ => format!("{folder}/{}-linux-differs", row.preset.name()),
                };
                quiet.entry(format!("{name}.pkt")).or_default().push(row);
            } else if row.tells_alone() {
                let path = format!("{stem}-{}{apart}.pkt", row.position());
                files.insert(path, script::alone(&row));
            }
        }
    }
    for (path, rows) in quiet {
        files.insert(path, script::in_a_row(&rows));
    }
    files
}

/// Where a row belongs, and as what: rows that Linux was measured to answer differently are two rows if the profile of that
/// name copies the answer, and one with a remark if it does not.
fn homes(row: Row) -> Vec<(&'static str, Row)> {
    if row.code.is_empty() {
        return vec![("grid", row)];
    }
    assert!(!reason(&row.code).is_empty(), "no reason for {}", row.code);
    match rows::as_linux(&row) {
        rows::Linux::SameHere => vec![("grid", Row { code: String::new(), ..row })],
        rows::Linux::NotCopied => vec![("grid", row)],
        rows::Linux::Copied(linux) => {
            vec![("linux/grid", Row { code: String::new(), ..*linux }), ("rfc/grid", row)]
        }
        rows::Linux::LeftOut => vec![("rfc/grid", row)],
    }
}
