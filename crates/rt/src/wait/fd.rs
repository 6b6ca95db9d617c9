//! Waiting for a device that is a file descriptor: `poll` on it and on a pipe.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Sending, Wait};

/// Waits for devices with a file descriptor.
#[derive(Debug)]
pub struct FdWait {
    reader: PipeReader,
    bell: Arc<Bell>,
}

/// The writing end of the pipe.
#[derive(Debug)]
struct Bell {
    writer: PipeWriter,
    /// An octet is in the pipe: a second one would say nothing new, and a pipe can be full.
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // It fails only when the reader is gone, and with it the shard.
            let _ = (&self.writer).write(&[1]);
        }
    }
}

impl FdWait {
    /// A pipe to be woken through.
    ///
    /// # Errors
    /// No file descriptors are left.
    pub fn new() -> io::Result<FdWait> {
        let (reader, writer) = io::pipe()?;
        Ok(FdWait { reader, bell: Arc::new(Bell { writer, rung: AtomicBool::new(false) }) })
    }
}

impl<D: AsFd> Wait<D> for FdWait {
    fn waker(&self) -> Waker {
        Arc::clone(&self.bell).into()
    }

    fn wait(&mut self, device: &D, sending: Sending, timeout: Option<Duration>) -> io::Result<()> {
        let interest = match sending {
            Sending::Idle => PollFlags::IN,
            Sending::Blocked => PollFlags::IN | PollFlags::OUT,
        };
        let mut fds = [PollFd::new(&self.reader, PollFlags::IN), PollFd::new(device, interest)];
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            // A signal: the caller looks around and comes back.
            Err(Errno::INTR) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
        let [bell, device] = fds.map(|fd| fd.revents());
        if device.contains(PollFlags::NVAL) {
            return Err(Errno::BADF.into());
        }
        if bell.contains(PollFlags::IN) {
            // Cleared before the pipe is emptied: whoever rings in between is heard by the next wait.
            self.bell.rung.store(false, Ordering::Release);
            let _ = self.reader.read(&mut [0; 64])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
