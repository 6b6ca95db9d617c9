use super::*;
use synfin_script::Profile;

/// A fresh Linux changes nothing; a change and its undoing both arrive.
#[test]
fn only_changes_arrive() {
    let folder = std::env::temp_dir().join(format!("synfin-settings-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, value) in DEFAULTS {
        fs::write(folder.join(name), format!("{}\n", value.replace(' ', "\t"))).unwrap();
    }
    let mut sockets = Sockets::new(&Profile::linux(), &[]).unwrap();
    let mut settings = Settings::new(Some(folder.clone()));
    settings.refresh(&mut sockets);
    assert!(settings.known.is_empty());
    for value in ["0", "1"] {
        fs::write(folder.join("tcp_sack"), value).unwrap();
        settings.refresh(&mut sockets);
        assert_eq!(settings.known["tcp_sack"], value);
    }
    fs::remove_dir_all(&folder).unwrap();
    settings.refresh(&mut sockets);
    assert_eq!(settings.known["tcp_sack"], "1");
}

#[test]
fn names_are_in_order() {
    assert!(DEFAULTS.is_sorted());
}

/// Whatever a script's commands can change is read: the names stand in the code that scripts go through.
#[test]
fn nothing_that_counts_is_left_out() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../script/src/sysctl.rs");
    let source = fs::read_to_string(path).unwrap();
    let (_, function) = source.split_once("\nfn set(").unwrap();
    let (function, _) = function.split_once("\n}\n").unwrap();
    let plain = |w: &&str| w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let setting = |w: &&str| (w.starts_with("tcp_") || w.starts_with("ip_")) && plain(w);
    let names: Vec<_> = function.split('"').filter(setting).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(DEFAULTS.iter().any(|(known, _)| *known == name), "{name}");
    }
}
