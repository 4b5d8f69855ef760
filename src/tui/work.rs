//! The threads behind the screens: the world, the mind, the desk. The interface sends them commands and is sent
//! messages; it never waits for them.

pub mod desk;
pub mod jobs;
pub mod mind;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::sync::mpsc::UnboundedSender;

use super::effect::Notice;
use super::msg::Msg;
use crate::error::Error;

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

/// Starts a thread that works off commands in order. If it breaks off, the interface is told and leaves: a screen
/// whose world or store no longer answers would be a lie.
fn worker<C: Send + 'static>(
    name: &'static str,
    mail: &Mailbox,
    body: impl FnOnce(mpsc::Receiver<C>) + Send + 'static,
) -> mpsc::Sender<C> {
    let (tx, rx) = mpsc::channel();
    let (mail, failed) = (mail.clone(), mail.clone());
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(|| body(rx))).is_err() {
            tracing::error!("the {name} thread broke off");
            mail.send(Msg::Broken(name));
        }
    };
    if std::thread::Builder::new().name(name.into()).spawn(guarded).is_err() {
        failed.send(Msg::Broken(name));
    }
    tx
}
