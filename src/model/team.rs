//! The model's threads, and how background work gives way to a person.
//!
//! Training runs on a team of its own at the lowest priority. Besides, it asks
//! [`yield_to_interactive`] before each piece of work (some milliseconds): while a person waits for
//! an answer ([`interactive`]), it stands still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use rayon::{BroadcastContext, ThreadPool, ThreadPoolBuilder};

use super::at_hand::{AtHand, stay};
use crate::error::{Error, Result};

/// Whom a team works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A person who waits.
    Interactive,
    /// Nobody in particular: other work comes first.
    Background,
}

/// Threads that work on a model together.
#[derive(Debug)]
pub struct Team {
    pool: ThreadPool,
    priority: Priority,
}

impl Team {
    /// `threads` threads, at least one and at most 64.
    pub fn new(threads: usize, priority: Priority) -> Result<Self> {
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads.clamp(1, 64))
            .thread_name(|i| format!("model {i}"));
        let built = builder.start_handler(move |_| priority.apply()).build();
        built
            .map(|pool| Self { pool, priority })
            .map_err(|e| Error::new(format!("starting the model's threads: {e}")))
    }

    /// As many threads as there are cores.
    pub fn all(priority: Priority) -> Result<Self> {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from), priority)
    }

    /// Runs work that is parallel through rayon on these threads. It is always the first of them
    /// that leads: memory comes from a heap of the thread that asks for it, and a step that another
    /// thread led would leave its gigabyte in another heap, of no use to the next. The others stay
    /// at hand until it is done, those that come before it begins: who comes later may do so in the
    /// midst of a piece of this very work, and would wait there for what waits for that piece.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let work = Mutex::new(Some(work));
        let done = AtomicBool::new(false);
        let at_hand = Mutex::new(AtHand::Awaited(0));
        let lead = |thread: BroadcastContext<'_>| {
            if thread.index() > 0 {
                if AtHand::come(&at_hand) {
                    stay(&done, self.priority);
                }
                return None;
            }
            let _last = Done(&done);
            AtHand::wait(&at_hand, thread.num_threads() - 1);
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            work.map(|work| work())
        };
        let led = self.pool.broadcast(lead).into_iter().flatten().next();
        led.unwrap_or_else(|| unreachable!("every team has a first thread"))
    }
}

/// Says that all is done, also when the work panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Priority {
    /// Sets the calling thread's priority, where the system has one for threads.
    fn apply(self) {
        #[cfg(target_os = "linux")]
        if self == Self::Background {
            // A refusal only costs smoothness.
            _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
        }
    }
}

static WAITING: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

/// As long as this lives, background work in this process stands still.
#[derive(Debug)]
pub struct Waiting(());

/// A person waits for what is computed now.
pub fn interactive() -> Waiting {
    *WAITING.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    Waiting(())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *WAITING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        DONE.notify_all();
    }
}

/// Waits while somebody waits for an answer; called between pieces of background work.
pub fn yield_to_interactive() {
    let waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    drop(DONE.wait_while(waiting, |waiting| *waiting > 0).unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
#[path = "team_tests.rs"]
mod tests;
