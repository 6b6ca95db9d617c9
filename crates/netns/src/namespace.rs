//! A private network namespace, and the kernel's settings in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use crate::{Error, Links};

/// The calling thread's network namespace. `/proc/self` would mean the main thread's.
const OWN: &str = "/proc/thread-self/ns/net";

/// Buckets of the private namespace's table of TCP sockets. The system's table has hundreds of thousands, and
/// listing sockets walks all of them; this keeps a listing at some microseconds.
const TCP_BUCKETS: u32 = 4096;

/// A network namespace of our own. This is a handle: threads in the namespace stay in it when the handle is dropped,
/// and the namespace vanishes with its last thread, socket and handle.
#[derive(Debug)]
pub struct Namespace {
    net: File,
    id: Id,
}

/// What tells namespaces apart: where their inode lives, and its number.
type Id = (u64, u64);

impl Namespace {
    /// Moves the calling thread, for good, into a new network namespace whose `lo` is up and which has nothing else.
    /// Threads that it starts afterwards are in it too; other threads are not.
    ///
    /// An ordinary user also gets a user namespace to have the rights (same uid and gid inside), for which the process must
    /// have one thread only. When that fails half-way, the process may be left in an empty network namespace.
    ///
    /// # Errors
    /// More than one thread as an ordinary user, namespaces refused or used up, no `/proc`.
    pub fn enter_private() -> Result<Namespace, Error> {
        match unshare(CloneFlags::CLONE_NEWNET) {
            Err(Errno::EPERM) => enter_as_user()?,
            result => result.map_err(refused("make a network namespace"))?,
        }
        // The size of the table is set by the namespace in which one is made: hence a second one, made by the first.
        // Kernels before 6.1 share one table; there the second namespace changes nothing.
        if write_setting(Path::new("/proc/sys/net/ipv4/tcp_child_ehash_entries"), &TCP_BUCKETS.to_string())
            .is_ok()
        {
            unshare(CloneFlags::CLONE_NEWNET).map_err(refused("make a network namespace"))?;
        }
        let namespace = Namespace::current()?;
        let mut links = Links::new()?;
        let lo = links.index("lo")?;
        links.set_up(lo).map_err(|e| match e {
            // Some systems grant a user namespace and withhold the rights in it.
            Error::NoPermission { .. } => {
                Error::Refused { step: "administer a network namespace of your own" }
            }
            e => e,
        })?;
        Ok(namespace)
    }

    /// Runs `work` on a new thread in a private namespace ([`Namespace::enter_private`]), and waits for it. The calling thread
    /// stays where it is. A panic of `work` goes on in the caller.
    ///
    /// # Errors
    /// As [`Namespace::enter_private`]; an ordinary user has one thread too many here.
    pub fn scope<R: Send>(work: impl FnOnce(&Namespace) -> R + Send) -> Result<R, Error> {
        std::thread::scope(|threads| {
            let worker = threads.spawn(|| Namespace::enter_private().map(|namespace| work(&namespace)));
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The namespace in which the calling thread is now.
    ///
    /// # Errors
    /// No `/proc`.
    pub fn current() -> Result<Namespace, Error> {
        let step = "open the network namespace in /proc";
        let net = File::open(OWN).map_err(Error::io(step))?;
        let id = id(&net.metadata().map_err(Error::io(step))?);
        Ok(Namespace { net, id })
    }

    /// Moves the calling thread into this namespace.
    ///
    /// # Errors
    /// No permission.
    pub fn enter(&self) -> Result<(), Error> {
        setns(&self.net, CloneFlags::CLONE_NEWNET)
            .map_err(|e| Error::io("enter the network namespace")(io::Error::from(e)))
    }

    /// Whether the calling thread is in this namespace.
    pub fn is_current(&self) -> bool {
        fs::metadata(OWN).is_ok_and(|m| id(&m) == self.id)
    }

    /// Reads the setting `name`, for example `net.ipv4.tcp_fin_timeout`, without the closing newline.
    ///
    /// # Errors
    /// No such setting; the calling thread is not in this namespace.
    pub fn setting(&self, name: &str) -> Result<String, Error> {
        let path = self.setting_path(name)?;
        let value = fs::read_to_string(path).map_err(because(name, "read a network setting"))?;
        Ok(value.trim_end().to_owned())
    }

    /// Writes the setting `name`, for example `net.ipv4.tcp_fin_timeout`. Where an interface's name has dots,
    /// separate with `/` instead.
    ///
    /// # Errors
    /// No such setting, no permission, a value that the kernel refuses; the calling thread is not in this namespace.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), Error> {
        let path = self.setting_path(name)?;
        write_setting(&path, value).map_err(because(name, "write a network setting"))
    }

    /// `/proc/sys/net` shows each thread the settings of its own namespace: outside, it would be another's.
    fn setting_path(&self, name: &str) -> Result<PathBuf, Error> {
        let separator = if name.contains('/') { '/' } else { '.' };
        let mut parts = name.split(separator);
        let mut path = PathBuf::from("/proc/sys/net");
        let bad = || Error::BadSetting { name: name.to_owned() };
        if parts.next() != Some("net") {
            return Err(bad());
        }
        for part in parts {
            if part.is_empty() || part == "." || part == ".." {
                return Err(bad());
            }
            path.push(part);
        }
        if self.is_current() { Ok(path) } else { Err(Error::Outside) }
    }
}

fn id(metadata: &fs::Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

fn write_setting(path: &Path, value: &str) -> io::Result<()> {
    // Never creates: a setting that is missing is an error.
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, value.as_bytes())
}

fn because(name: &str, step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => Error::NoSetting { name: name.to_owned() },
        _ => Error::io(step)(source),
    }
}

fn enter_as_user() -> Result<(), Error> {
    let threads = fs::read_dir("/proc/self/task").map_err(Error::io("count the process's threads"))?.count();
    if threads != 1 {
        return Err(Error::ManyThreads { threads });
    }
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(refused("make a user namespace"))?;
    // user_namespaces(7): without privilege, one's own ids only, and the groups only once setgroups is given up.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{uid} {uid} 1")),
        ("/proc/self/gid_map", format!("{gid} {gid} 1")),
    ];
    for (path, text) in maps {
        write_setting(Path::new(path), &text).map_err(|e| match e.kind() {
            io::ErrorKind::PermissionDenied => {
                Error::Refused { step: "have your own ids in a user namespace" }
            }
            _ => Error::Io { step: "map ids into a user namespace", source: e },
        })?;
    }
    Ok(())
}

fn refused(step: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| match errno {
        Errno::EPERM | Errno::EACCES => Error::Refused { step },
        Errno::ENOSPC | Errno::EUSERS => Error::Limit,
        errno => Error::Io { step, source: errno.into() },
    }
}

#[cfg(test)]
pub(crate) mod tests;
