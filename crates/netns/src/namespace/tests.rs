use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::*;

/// Runs `work` in a private namespace; where that is not permitted, says why (past the test harness's capture).
pub(crate) fn private(work: impl FnOnce(&Namespace) + Send) {
    if let Err(e) = Namespace::scope(work) {
        skipped(&e.to_string());
    }
}

fn skipped(reason: &str) {
    io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}

const FIN_TIMEOUT: &str = "net.ipv4.tcp_fin_timeout";

#[test]
fn a_private_namespace_has_lo_up_and_nothing_else() {
    let outside = Namespace::current().unwrap();
    private(|ns| {
        assert!(ns.is_current() && !outside.is_current());
        let interfaces = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names: Vec<&str> =
            interfaces.lines().skip(2).filter_map(|l| l.split(':').next()).map(str::trim).collect();
        // Tunnel modules that are built in add their fallback devices, down, to every namespace.
        assert!(names.contains(&"lo") && !names.iter().any(|n| n.starts_with("eth")), "{names:?}");
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        }
        // A thread that starts here is here.
        std::thread::scope(|s| s.spawn(|| assert!(ns.is_current())).join().unwrap());
    });
    assert!(outside.is_current());
}

#[test]
fn a_thread_can_enter_a_namespace_that_another_made() {
    private(|ns| {
        let first = ns.setting("net.ipv4.ip_default_ttl").unwrap();
        ns.set_setting("net.ipv4.ip_default_ttl", "99").unwrap();
        Namespace::scope(|other| {
            assert_eq!(other.setting("net.ipv4.ip_default_ttl").unwrap(), first);
            assert!(matches!(ns.setting("net.ipv4.ip_default_ttl"), Err(Error::Outside)));
            ns.enter().unwrap();
            assert!(ns.is_current() && !other.is_current());
            assert_eq!(ns.setting("net.ipv4.ip_default_ttl").unwrap(), "99");
        })
        .unwrap();
    });
}

#[test]
fn settings_are_the_namespaces_own() {
    let outside = Namespace::current().unwrap();
    let before = outside.setting(FIN_TIMEOUT).unwrap();
    private(|ns| {
        ns.set_setting(FIN_TIMEOUT, "7").unwrap();
        assert_eq!(ns.setting(FIN_TIMEOUT).unwrap(), "7");
        assert_eq!(ns.setting("net/ipv4/tcp_fin_timeout").unwrap(), "7");
        assert!(matches!(outside.set_setting(FIN_TIMEOUT, "8"), Err(Error::Outside)));
        assert!(matches!(ns.set_setting(FIN_TIMEOUT, "seven"), Err(Error::Io { .. })));
        assert!(matches!(ns.set_setting("net.ipv4.tcp_no_such", "1"), Err(Error::NoSetting { .. })));
    });
    assert_eq!(outside.setting(FIN_TIMEOUT).unwrap(), before);
}

#[test]
fn only_network_settings_have_names_here() {
    let ns = Namespace::current().unwrap();
    for name in
        ["", "kernel.hostname", "net..ipv4", "net/../kernel/hostname", "net.ipv4.", "/net/ipv4", "net/./ipv4"]
    {
        assert!(matches!(ns.setting(name), Err(Error::BadSetting { .. })), "{name}");
        assert!(matches!(ns.set_setting(name, "1"), Err(Error::BadSetting { .. })), "{name}");
    }
}

#[test]
fn an_ordinary_user_is_told_about_threads() {
    if nix::unistd::geteuid().is_root() {
        return skipped("root needs no user namespace");
    }
    // The test harness has a thread of its own.
    let error = enter_as_user().unwrap_err();
    assert!(matches!(error, Error::ManyThreads { threads } if threads > 1), "{error}");
}
