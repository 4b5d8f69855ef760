//! The thread that writes calls down: those that wait together are one transaction, so that a
//! hundred agents wait for one disk, not for each other.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::Refused;
use crate::error::{Error, Kind, Result};
use crate::store::{NewCall, Store};

/// Calls that may wait to be written; who comes later is told to come again.
const WAITING: usize = 1024;

/// Calls of one transaction at most.
const TOGETHER: usize = 256;

/// Something to be written, and who waits for it.
enum Job {
    Call(Box<NewCall>, oneshot::Sender<Result<i64>>),
    Event {
        session: String,
        kind: String,
        value: Option<f64>,
        body: Value,
        done: oneshot::Sender<Result<i64>>,
    },
}

/// The way to the thread. It ends once all that was given to it is written.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(store: Store) -> Result<Self> {
        store.hasten()?;
        let (jobs, arriving) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("calls".into())
            .spawn(move || work(store, &arriving))
            .map_err(|e| Error::new(format!("the thread that writes calls: {e}")).of(Kind::Io))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn give(&self, job: Job) -> Result<(), Refused> {
        let Some(jobs) = &self.jobs else { return Err(closing()) };
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Refused::busy("more calls than can be written down"),
            TrySendError::Disconnected(_) => closing(),
        })
    }

    /// Writes a call down; when this returns, it survives a killed process.
    pub async fn call(&self, call: NewCall) -> Result<i64, Refused> {
        let (done, written) = oneshot::channel();
        self.give(Job::Call(Box::new(call), done))?;
        told(written.await)
    }

    /// Writes down what is told of a session.
    pub async fn event(
        &self,
        session: &str,
        (kind, value): (&str, Option<f64>),
        body: Value,
    ) -> Result<i64, Refused> {
        let (done, written) = oneshot::channel();
        let (session, kind) = (session.to_string(), kind.to_string());
        self.give(Job::Event { session, kind, value, body, done })?;
        told(written.await)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closing() -> Refused {
    Refused::with(503, "the gateway is closing")
}

fn told(written: Result<Result<i64>, oneshot::error::RecvError>) -> Result<i64, Refused> {
    match written {
        Ok(Ok(id)) => Ok(id),
        // What is not written down is not answered.
        Ok(Err(error)) => {
            Err(Refused::with(500, format!("the call cannot be written down: {error}")))
        }
        Err(_) => Err(closing()),
    }
}

/// How long nothing may come before the store's log is put in its place: a call that came meanwhile would
/// wait for it.
const QUIET: Duration = Duration::from_millis(200);

/// What comes next; the log is put in its place once nothing does. None where nobody can send any more.
fn next(store: &Store, arriving: &Receiver<Job>, written: &mut bool) -> Option<Job> {
    if *written {
        match arriving.recv_timeout(QUIET) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => *written = false,
        }
        // What cannot be put there now is put there later.
        let _ = store.settle();
    }
    arriving.recv().ok()
}

fn work(mut store: Store, arriving: &Receiver<Job>) {
    let mut written = false;
    while let Some(first) = next(&store, arriving, &mut written) {
        written = true;
        let jobs = std::iter::once(first).chain(arriving.try_iter()).take(TOGETHER);
        let (mut calls, mut waiting) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Call(call, done) => {
                    calls.push(*call);
                    waiting.push(done);
                }
                Job::Event { session, kind, value, body, done } => {
                    let written = store.add_session_event(&session, (&kind, value), &body);
                    let _ = done.send(written);
                }
            }
        }
        match store.add_calls(&calls) {
            Ok(ids) => waiting.into_iter().zip(ids).for_each(|(done, id)| {
                let _ = done.send(Ok(id));
            }),
            // One that cannot be written keeps no other from it.
            Err(_) => waiting.into_iter().zip(calls).for_each(|(done, call)| {
                let written = store.add_calls(&[call]);
                let _ = done.send(written.map(|ids| ids.first().copied().unwrap_or_default()));
            }),
        }
    }
}
