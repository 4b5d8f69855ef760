//! The threads behind the screens: the world, the mind, the desk. The interface sends them commands and is sent
//! messages; it never waits for them.

pub mod desk;
pub mod jobs;
pub mod mind;
pub mod world;

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

/// Starts a thread that works off commands in order.
fn worker<C: Send + 'static>(name: &str, body: impl FnOnce(mpsc::Receiver<C>) + Send + 'static) -> mpsc::Sender<C> {
    let (tx, rx) = mpsc::channel();
    // A thread that cannot be started leaves a closed channel, and every command to it is dropped.
    _ = std::thread::Builder::new().name(name.into()).spawn(move || body(rx));
    tx
}
