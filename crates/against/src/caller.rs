//! A thread that makes the calls of a script: one that blocks does not stop the clock.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::calls::Answer;

/// A call, ready to be made.
pub(crate) type Work = Box<dyn FnOnce() -> Answer + Send>;

/// A call that has returned.
pub(crate) struct Done {
    pub answer: Answer,
    pub at: Instant,
}

struct Shared {
    done: Mutex<Option<Done>>,
    /// Counts returns.
    bell: OwnedFd,
    /// The call is being made: from now on a sleeping thread is one that the call put to sleep.
    inside: AtomicBool,
}

/// The thread.
pub(crate) struct Caller {
    shared: Arc<Shared>,
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    /// Its number, for `/proc`.
    number: i32,
}

impl Caller {
    pub fn new() -> io::Result<Caller> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let shared = Arc::new(Shared { done: Mutex::new(None), bell, inside: AtomicBool::new(false) });
        let (work, jobs) = channel();
        let (tell, told) = channel();
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("caller".into()).spawn(move || {
            // Whoever waits for the number has not gone yet.
            let _ = tell.send(rustix::thread::gettid().as_raw_nonzero().get());
            serve(&inside, &jobs);
        })?;
        let number = told.recv().map_err(io::Error::other)?;
        Ok(Caller { shared, work: Some(work), thread: Some(thread), number })
    }

    /// Begins a call and waits until it has returned or sleeps; at most `patience`.
    pub fn begin(&self, work: Work, patience: Duration) -> Option<Done> {
        if let Some(sender) = &self.work {
            // The thread ends after its sender only.
            let _ = sender.send(work);
        }
        let begun = Instant::now();
        while begun.elapsed() < patience {
            self.ring(Duration::from_micros(200));
            if let Some(done) = self.take() {
                return Some(done);
            }
            if self.sleeps() {
                // It may have returned since.
                return self.take();
            }
        }
        self.take()
    }

    /// The call that has returned, if it has.
    pub fn take(&self) -> Option<Done> {
        let done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        if done.is_some() {
            let mut count = [0; 8];
            // Nothing to read is as good.
            let _ = rustix::io::read(&self.shared.bell, &mut count);
        }
        done
    }

    /// Waits for the bell.
    pub fn ring(&self, most: Duration) {
        let most = Timespec { tv_sec: most.as_secs().cast_signed(), tv_nsec: most.subsec_nanos().into() };
        // A signal is a reason to look, too.
        let _ = poll(&mut [PollFd::new(&self.shared.bell, PollFlags::IN)], Some(&most));
    }

    /// Whether the call sleeps inside the kernel.
    fn sleeps(&self) -> bool {
        if !self.shared.inside.load(Ordering::Acquire) {
            return false;
        }
        let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", self.number)).unwrap_or_default();
        // The state stands behind the name, which is in parentheses.
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('S'))
    }
}

impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }
}

/// Waits for the thread, which whoever drops this has set free; if it is not, it is left behind.
impl Drop for Caller {
    fn drop(&mut self) {
        self.work = None;
        let begun = Instant::now();
        while let Some(thread) = &self.thread {
            if thread.is_finished() {
                break;
            }
            if begun.elapsed() > Duration::from_secs(1) {
                self.thread = None;
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was told already.
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared, jobs: &Receiver<Work>) {
    while let Ok(work) = jobs.recv() {
        shared.inside.store(true, Ordering::Release);
        let answer = work();
        let at = Instant::now();
        shared.inside.store(false, Ordering::Release);
        *shared.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(Done { answer, at });
        let _ = rustix::io::write(&shared.bell, &1_u64.to_ne_bytes());
    }
}
