//! Writes the grid of `conform/`: every state, every kind of segment, every position, as scripts.
//!
//! `cargo run -p synfin-script --example grid -- conform` writes `grid/`, `linux/grid/` and `rfc/grid/` below that folder;
//! a test demands that what is there is what this writes.

use std::path::PathBuf;
use std::{env, fs, process};

mod make;

fn main() -> std::io::Result<()> {
    let Some(root) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: grid FOLDER");
        process::exit(2);
    };
    let files = make::files();
    for folder in make::FOLDERS {
        let folder = root.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    for (path, text) in &files {
        fs::write(root.join(path), text)?;
    }
    println!("{} scripts", files.len());
    Ok(())
}
