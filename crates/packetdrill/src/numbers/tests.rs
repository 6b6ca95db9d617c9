use super::*;

#[test]
fn options_have_their_shapes() {
    assert_eq!(option(6, 1), Some(("SOL_TCP", "TCP_NODELAY", Shape::Int)));
    assert_eq!(option(1, 13), Some(("SOL_SOCKET", "SO_LINGER", Shape::Linger)));
    assert_eq!(option(1, 20), Some(("SOL_SOCKET", "SO_RCVTIMEO", Shape::Time)));
    assert_eq!(option(6, 13), Some(("SOL_TCP", "TCP_CONGESTION", Shape::Text)));
    assert_eq!(option(7, 7), None);
}

#[test]
fn errnos_are_linux_ones() {
    assert_eq!((errno("EAGAIN"), errno("ECONNREFUSED"), errno("ETIMEDOUT")), (11, 111, 110));
    assert_eq!(errno("no such"), libc::EIO);
}

/// Whatever the calls can say has its number: the names stand in their code.
#[test]
fn every_errno_of_the_calls_is_known() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../script/src");
    let mut files = vec![format!("{root}/sys.rs"), format!("{root}/sockets.rs")];
    let folder = std::fs::read_dir(format!("{root}/sys")).unwrap();
    files.extend(folder.map(|e| e.unwrap().path().display().to_string()));
    let mut names = std::collections::BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let errno = |w: &&str| w.len() > 3 && w.starts_with('E') && w.chars().all(|c| c.is_ascii_uppercase());
        names.extend(source.split('"').filter(errno).map(str::to_string));
    }
    assert!(names.len() > 20, "{names:?}");
    for name in names.iter().filter(|n| *n != "EIO") {
        assert_ne!(errno(name), libc::EIO, "{name}");
    }
}
