//! What the tests of the program share: starting it, and private networks to start it in.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use synfin_netns::Namespace;
use synfin_tun::Tun;

/// The program, in an English UTF-8 locale without colours.
pub fn synfin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synfin"));
    for name in ["LC_ALL", "LC_CTYPE", "LC_MESSAGES", "NO_COLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Output {
    synfin().args(args).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether a program can be started here.
pub fn have(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs `test` in a private network in which TUN devices can be made, or says why it cannot.
pub fn in_private_network(test: impl FnOnce(&Namespace) + Send) {
    let skipped = Namespace::scope(|namespace| match Tun::builder().name("probe").build() {
        Ok(tun) => {
            drop(tun);
            test(namespace);
            None
        }
        Err(e) => Some(e.to_string()),
    });
    match skipped {
        Ok(None) => {}
        Ok(Some(why)) => println!("skipped: {why}"),
        Err(why) => println!("skipped: {why}"),
    }
}

/// Waits until something is so, for five seconds at most.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(5), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder of its own for a test; removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let dir = std::env::temp_dir().join(format!("synfin-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Folder(dir)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A `synfin serve` that runs. It is asked to end when the test fails, too.
pub struct Serving {
    child: Child,
    rest: Option<JoinHandle<String>>,
    pub greeting: String,
}

impl Serving {
    /// Starts it and waits until it says that it serves.
    pub fn start(args: &[&str]) -> Serving {
        let mut child =
            synfin().arg("serve").args(args).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C") {
            assert_ne!(out.read_line(&mut greeting).unwrap(), 0, "it ended: {greeting}");
        }
        let rest = std::thread::spawn(move || {
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            rest
        });
        Serving { child, rest: Some(rest), greeting }
    }

    /// Asks it to end; gives what it printed since its greeting.
    pub fn stop(mut self) -> String {
        signal(&self.child, "INT");
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        self.rest.take().unwrap().join().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.rest.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to one process.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Our address in the tests' networks, as the program has it unless told.
pub const OURS: &str = "10.9.0.2";
pub const OURS_IPV6: &str = "fd00:9::2";

pub fn at(addr: &str, port: u16) -> SocketAddr {
    SocketAddr::new(addr.parse().unwrap(), port)
}
