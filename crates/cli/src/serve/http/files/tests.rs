use super::*;
use std::os::unix::fs::symlink;

/// A folder of its own for a test; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let dir = std::env::temp_dir().join(format!("synfin-files-{}-{name}", std::process::id()));
        fs::create_dir_all(dir.join("root/sub")).unwrap();
        fs::write(dir.join("secret"), "secret").unwrap();
        fs::write(dir.join("root/a.txt"), "text").unwrap();
        fs::write(dir.join("root/sub/<&>.html"), "page").unwrap();
        Folder(dir)
    }

    fn root(&self) -> Root {
        Root::open(&self.0.join("root")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn kind(found: &Found) -> String {
    match found {
        Found::File(resource) => format!("file {} {}", resource.len, resource.kind),
        Found::Listing(_) => "listing".into(),
        Found::Moved(to) => format!("moved {to}"),
        Found::Nothing => "nothing".into(),
    }
}

#[test]
fn paths_lead_to_files_and_folders() {
    let folder = Folder::new("found");
    let root = folder.root();
    for (path, what) in [
        ("/a.txt", "file 4 text/plain; charset=utf-8"),
        ("//./a.txt", "file 4 text/plain; charset=utf-8"),
        ("/a.txt/", "nothing"),
        ("/", "listing"),
        ("/sub", "moved /sub/"),
        ("//sub", "moved /sub/"),
        ("/sub/", "listing"),
        ("/none", "nothing"),
    ] {
        assert_eq!(kind(&root.find(path.as_bytes())), what, "{path}");
    }
    fs::write(folder.0.join("root/index.html"), "index").unwrap();
    assert_eq!(kind(&root.find(b"/")), "file 5 text/html; charset=utf-8");
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let folder = Folder::new("out");
    symlink(folder.0.join("secret"), folder.0.join("root/link")).unwrap();
    symlink(&folder.0, folder.0.join("root/up")).unwrap();
    symlink("a.txt", folder.0.join("root/inside")).unwrap();
    let root = folder.root();
    for path in ["/../secret", "/sub/../../secret", "/link", "/up/secret", "/up/", "/a.txt\0", "/.."] {
        assert_eq!(kind(&root.find(path.as_bytes())), "nothing", "{path:?}");
    }
    assert_eq!(kind(&root.find(b"/inside")), "file 4 text/plain; charset=utf-8");
}

#[test]
fn names_are_escaped_in_listings() {
    let folder = Folder::new("escape");
    let Found::Listing(page) = folder.root().find(b"/sub/") else { panic!("no listing") };
    assert!(page.contains("<a href=\"./%3C%26%3E.html\">&lt;&amp;&gt;.html</a>"), "{page}");
}
