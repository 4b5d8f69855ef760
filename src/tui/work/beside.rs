//! The thread of another mind, which Explore asks beside the one that answers.

use std::path::PathBuf;

use super::{Latest, Mailbox, Worker, minds};
use crate::agent;
use crate::budget;
use crate::control::Cancel;
use crate::error::Error;
use crate::explore::{Evaluated, look_beside};
use crate::guard::guarded;
use crate::model::team::{self, Priority};
use crate::store::Store;
use crate::tui::effect::BesideCmd;
use crate::tui::msg::Msg;
use crate::tui::screens::explore;
use crate::tui::screens::explore::beside::Told;

/// The handle of the thread. A newer command ends the one under way.
pub struct Beside {
    commands: Worker<(BesideCmd, Cancel)>,
    current: Latest,
}

impl Beside {
    /// Starts the thread.
    pub fn start(root: PathBuf, mail: Mailbox) -> Self {
        let own = mail.clone();
        let told = move |told: Told| mail.send(Msg::from(explore::Msg::Beside(told)));
        let mut mind = None;
        let each = move |(command, cancel): (BesideCmd, Cancel)| match command {
            BesideCmd::Load(None) => {
                mind = None;
                Ok(())
            }
            BesideCmd::Load(Some(name)) => {
                mind = None; // two of them need not be in memory together
                let open =
                    || agent::open(&Store::open(&root)?, Some(&name), None, Priority::Interactive);
                let loaded = budget::under(&cancel, || guarded("reading the other mind", open));
                match loaded {
                    Ok(loaded) => {
                        told(Told::Loaded(Some(minds(loaded.as_ref(), true))));
                        mind = Some(loaded);
                        Ok(())
                    }
                    // Another was named meanwhile, or nobody is wanted any more.
                    Err(error) if error.is_cancelled() => Ok(()),
                    Err(error) => {
                        told(Told::Loaded(None));
                        Err(error)
                    }
                }
            }
            BesideCmd::Look(_) if cancel.is_cancelled() => Ok(()),
            BesideCmd::Look(of) => {
                let Some(mind) = mind.as_mut() else {
                    return Err(Error::new("no other mind is loaded"));
                };
                let _waiting = team::interactive();
                let ticket = of.ticket;
                look_beside(mind.as_mut(), &of, &cancel, &mut |found| match found {
                    Evaluated::Shares(shares, scores) => {
                        told(Told::Scores(ticket, shares, scores));
                    }
                    Evaluated::Predicted(texts, complete) => {
                        told(Told::Predicted(ticket, texts, complete));
                    }
                    Evaluated::Thought(_) | Evaluated::Chosen(_) => {}
                })
            }
        };
        Self { commands: Worker::start("the other mind", &own, each), current: Latest::default() }
    }

    /// Hands it a command.
    pub fn send(&self, command: BesideCmd) {
        self.commands.send((command, self.current.renew()));
    }

    /// Ends what is under way: the program is left.
    pub fn end(&self) {
        self.current.renew();
    }
}
