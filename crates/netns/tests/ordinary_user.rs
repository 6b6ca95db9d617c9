//! A private namespace for an ordinary user, which needs a process of one thread: a test without the test harness.
//! Root starts it again as another user.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use synfin_netns::{Error, Namespace};

/// "nobody", on every Linux.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    if nix::unistd::geteuid().is_root() {
        let child = std::env::current_exe()
            .and_then(|exe| Command::new(exe).current_dir("/").uid(NOBODY).gid(NOBODY).status());
        return match child {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(e) => skipped(&format!("cannot start this test as another user: {e}")),
        };
    }
    let uid = nix::unistd::geteuid();
    match Namespace::enter_private() {
        Ok(namespace) => match works(&namespace) {
            Ok(()) if nix::unistd::geteuid() == uid => {
                println!("test an_ordinary_user_gets_a_namespace ... ok");
                ExitCode::SUCCESS
            }
            Ok(()) => panic!("the user id changed"),
            Err(e) => panic!("{e}"),
        },
        Err(e @ (Error::Refused { .. } | Error::Limit)) => skipped(&e.to_string()),
        Err(e) => panic!("{e}"),
    }
}

fn works(namespace: &Namespace) -> Result<(), Box<dyn std::error::Error>> {
    namespace.set_setting("net.ipv4.tcp_fin_timeout", "7")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    TcpStream::connect(listener.local_addr()?)?;
    // Threads come after the namespace.
    let inside = std::thread::scope(|s| s.spawn(|| namespace.is_current()).join());
    if inside.is_ok_and(|inside| inside) {
        Ok(())
    } else {
        Err(io::Error::other("a thread is elsewhere").into())
    }
}

fn skipped(reason: &str) -> ExitCode {
    println!("skipped: {reason}");
    ExitCode::SUCCESS
}
