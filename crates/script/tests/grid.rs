//! The grid of `conform/` is what its generator writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[path = "../examples/grid/make/mod.rs"]
mod make;

#[test]
fn the_grid_is_what_the_generator_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conform");
    let mut found = BTreeMap::new();
    for folder in make::FOLDERS {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().display());
            found.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    let made = make::files();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&made));
    for (name, text) in &made {
        assert_eq!(&found[name], text, "{name}: run `cargo run -p synfin-script --example grid -- conform`");
    }
    assert!(made.len() > 450, "only {} scripts", made.len());
}
