//! Help, and what happens to bad input: one line that names cause and cure, status 2, nothing left behind.

mod common;

use common::{Folder, in_private_network, run, synfin, text};
use std::process::Command;

/// The line on standard error of a run that must end with status 2.
#[track_caller]
fn refusal(args: &[&str]) -> String {
    let output = run(args);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {line}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
    assert!(line.starts_with("synfin: "), "{args:?}: {line}");
    line
}

#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let line = refusal(args);
    for word in words {
        assert!(line.contains(word), "{args:?} says no {word:?}: {line}");
    }
}

#[test]
fn help_explains_every_command_within_80_columns() {
    let top = text(&run(&["--help"]).stdout);
    for word in ["demo", "serve", "connect", "synfin demo", "COMMAND --help"] {
        assert!(top.contains(word), "{top}");
    }
    for command in ["demo", "serve", "connect"] {
        for flag in ["--help", "-h"] {
            let output = synfin().env("COLUMNS", "80").args([command, flag]).output().unwrap();
            assert_eq!(output.status.code(), Some(0));
            let help = text(&output.stdout);
            assert!(help.contains("Examples:"), "{help}");
            let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(long, Vec::<&str>::new());
        }
    }
    assert_eq!(text(&run(&["--version"]).stdout), concat!("synfin ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_arguments() {
    refused(&[], &["no command", "synfin demo", "--help"]);
    refused(&["dmo"], &["dmo", "demo"]);
    refused(&["demo", "--pear", "linux"], &["--pear", "--peer", "synfin demo --help"]);
    refused(&["demo", "--peer", "bsd"], &["bsd", "linux, synfin"]);
    refused(&["demo", "--columns", "10"], &["60..=500"]);
    refused(&["demo", "--columns", "99999999999"], &["--columns"]);
    refused(&["demo", "--seed", "x"], &["--seed"]);
    refused(&["demo", "extra"], &["extra"]);
    refused(&["serve"], &["SERVICE", "synfin serve --help"]);
    refused(&["serve", "http"], &["needs a folder", "serve http ."]);
    refused(&["serve", "echo", "x"], &["takes no folder", "leave"]);
    refused(&["connect", "10.9.0.1"], &["PORT"]);
}

#[test]
fn ports_and_sizes_out_of_range() {
    for port in ["0", "65536", "-1", "http", ""] {
        refusal(&["serve", "echo", "--port", port]);
        refusal(&["connect", "10.9.0.1", port]);
    }
    refused(&["serve", "echo", "--port", "0"], &["1..=65535"]);
    refused(&["serve", "echo", "--mtu", "67"], &["68..=65535"]);
    refused(&["serve", "echo", "--mtu", "65536"], &["68..=65535"]);
    refused(&["connect", "10.9.0.1", "80", "--timeout", "0"], &["1..=600"]);
}

#[test]
fn addresses_that_no_host_has() {
    let serve = |address| ["serve", "echo", "--address", address];
    refused(&serve("10.9.0.255/24"), &["broadcast", "10.9.0.2/24"]);
    refused(&serve("10.9.0.0/24"), &["network", "10.9.0.2/24"]);
    refused(&serve("127.0.0.2/8"), &["loopback", "10.9.0.2/24"]);
    for bad in ["10.9.0.2", "10.9.0.2/33", "224.0.0.1/24", "0.0.0.0/0", "x/24", "fd00::1/129", "::/64"] {
        refused(&serve(bad), &["10.9.0.1/24"]);
    }
    refused(&serve("10.9.0.2/32"), &["leaves no address", "--peer-address"]);
    refused(
        &["serve", "echo", "--address", "10.9.0.2/24", "--peer-address", "10.9.0.2/24"],
        &["two ends", "different"],
    );
    refused(&["serve", "echo", "--address", "10.9.0.2/24", "--address", "10.9.0.2/16"], &["twice"]);
}

#[test]
fn peers_that_nobody_can_connect_to() {
    refused(&["connect", "255.255.255.255", "80"], &["broadcast"]);
    refused(&["connect", "224.0.0.1", "80"], &["multicast"]);
    refused(&["connect", "0.0.0.0", "80"], &["no address of a host"]);
    refused(&["connect", "127.0.0.1", "80"], &["loopback"]);
    refused(&["connect", "no-such-host.invalid", "80"], &["cannot find", "address"]);
}

#[test]
fn files_and_folders_that_cannot_be_used() {
    refused(&["serve", "http", "/no/such/folder"], &["/no/such/folder", "folder"]);
    refused(&["demo", "--peer", "synfin", "--pcap", "/no/such/folder/x"], &["/no/such/folder/x", "write"]);
    let folder = Folder::new("usage");
    refused(&["demo", "--peer", "synfin", "--pcap", &folder.path("")], &["write"]);
}

#[test]
fn devices_that_cannot_be_used() {
    in_private_network(|_| {
        refused(&["serve", "echo", "--tun", "lo"], &["lo", "another name"]);
        refused(&["serve", "echo", "--tun", "a/b"], &["a/b", "1 to 15"]);
        refused(&["serve", "echo", "--tun", "sixteen-letters-"], &["1 to 15"]);
        refused(&["serve", "echo", "--mtu", "600", "--address", "fd00:9::2/64"], &["--mtu 600", "1280"]);
        refused(&["connect", "10.9.0.2", "80"], &["our own address"]);
        refused(&["connect", "10.9.0.255", "80"], &["10.9.0.255"]);
        refused(&["connect", "fd00:9::1", "80"], &["IP version", "--address"]);

        let serving = common::Serving::start(&["echo"]);
        refused(&["serve", "discard"], &["in use", "another"]);
        refused(&["serve", "discard", "--peer-address", "10.9.0.7/24"], &["--peer-address", "leave it out"]);
        refused(&["serve", "discard", "--tun", "other"], &["10.9.0.2/24", "in use on synfin0", "--address"]);
        refused(&["serve", "discard", "--tun", "other", "--address", "10.9.0.1/16"], &["10.9.0.1", "in use"]);
        serving.stop();
        let links = Command::new("ip").args(["-brief", "link"]).output();
        if let Ok(links) = links {
            assert_eq!(text(&links.stdout).lines().count(), 1, "a device was left behind");
        }
    });
}

#[test]
fn no_permission_is_said_with_a_cure() {
    use std::os::unix::process::CommandExt;
    // "nobody" on every Linux; only root can become it, everybody else has no rights already.
    let mut command = synfin();
    if std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
        command.uid(65_534).gid(65_534);
    }
    let output = match command.args(["serve", "echo", "--tun", "noright0"]).output() {
        Ok(output) => output,
        Err(why) => return println!("skipped: cannot start the program as another user: {why}"),
    };
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    let no_driver = line.contains("/dev/net/tun is missing");
    assert!(no_driver || (line.contains("no permission") && line.contains("root")), "{line}");
}

#[test]
fn scripts_pass_and_fail_with_their_exit_status() {
    let conform = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conform/linux");
    let good =
        std::process::Command::new(env!("CARGO_BIN_EXE_synfin")).args(["script", conform]).output().unwrap();
    let text = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success() && text.contains(" 0 failed"), "{text}");
    let none = std::process::Command::new(env!("CARGO_BIN_EXE_synfin"))
        .args(["script", "no-such.pkt"])
        .output()
        .unwrap();
    assert!(!none.status.success());
}
