//! The threads behind the screens: the world, the mind, the store. The interface sends them
//! commands and is sent messages; it never waits for them.

pub mod agents;
pub mod beside;
mod blaming;
mod choosing;
mod evaluating;
mod games;
pub mod jobs;
mod listing;
pub mod mind;
mod runs;
pub mod store;
pub mod studies;
pub mod world;

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::effect::Notice;
use super::msg::Msg;
use super::screens::explore::Minds;
use crate::agent::Agent;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::guard::guarded;

/// The cancel of what is under way; what comes after ends it.
#[derive(Default)]
struct Latest(Mutex<Cancel>);

impl Latest {
    /// That of what is under way.
    fn current(&self) -> Cancel {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it; the cancel of what comes now.
    fn renew(&self) -> Cancel {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.cancel();
        *current = Cancel::default();
        current.clone()
    }
}

/// Who a mind is, as Explore shows it.
fn minds(mind: &dyn Agent, named: bool) -> Minds {
    Minds { world: mind.world_name(), described: mind.described(), named }
}

/// Where threads send what they have to say.
#[derive(Debug, Clone)]
pub struct Mailbox(pub UnboundedSender<Msg>);

impl Mailbox {
    /// Sends a message; after the interface has gone nobody listens, which is fine.
    pub fn send(&self, msg: Msg) {
        _ = self.0.send(msg);
    }

    /// Says that something failed, unless it was only cancelled.
    pub fn failed(&self, error: &Error) {
        if !error.is_cancelled() {
            self.send(Msg::Notice(Notice::error(error)));
        }
    }
}

/// A thread that works off commands in order.
pub struct Worker<C> {
    commands: mpsc::Sender<Option<C>>,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + 'static> Worker<C> {
    /// Starts one. A command that fails is said to have, and so is one that breaks off: the next is
    /// done all the same.
    pub fn start(
        name: &'static str,
        mail: &Mailbox,
        mut each: impl FnMut(C) -> Result<()> + Send + 'static,
    ) -> Self {
        let (tx, rx) = mpsc::channel::<Option<C>>();
        let own = mail.clone();
        let body = move || {
            while let Ok(Some(command)) = rx.recv() {
                if let Err(error) = guarded(name, || each(command)) {
                    own.failed(&error);
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(body);
        if let Err(error) = &thread {
            mail.send(Msg::Broken(name, error.to_string()));
        }
        Self { commands: tx, thread: thread.ok() }
    }

    /// Hands it a command.
    pub fn send(&self, command: C) {
        _ = self.commands.send(Some(command));
    }

    /// Another door to it.
    pub fn door(&self) -> Door<C> {
        Door(self.commands.clone())
    }

    /// Waits until everything it was handed is done, for so long at most; whether it is. It takes
    /// no more afterwards.
    pub fn wait(&self, limit: Duration) -> bool {
        _ = self.commands.send(None);
        let started = Instant::now();
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if started.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

/// A door to a [`Worker`].
pub struct Door<C>(mpsc::Sender<Option<C>>);

impl<C> Door<C> {
    /// Hands it a command.
    pub fn send(&self, command: C) {
        _ = self.0.send(Some(command));
    }
}

/// Does something on a thread of its own, once; what goes wrong in it is said.
fn aside(name: &'static str, mail: &Mailbox, body: impl FnOnce() -> Result<()> + Send + 'static) {
    let own = mail.clone();
    let guarded = move || {
        if let Err(error) = guarded(name, body) {
            own.failed(&error);
        }
    };
    if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(guarded) {
        mail.send(Msg::Notice(Notice {
            text: format!("{name}: no thread could be started: {error}"),
            bad: true,
        }));
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
