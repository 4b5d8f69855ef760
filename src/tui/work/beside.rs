//! The thread of another mind, which Explore asks beside the one that answers.

use std::path::PathBuf;

use super::{Latest, Mailbox, Worker, minds};
use crate::agent;
use crate::budget;
use crate::control::Cancel;
use crate::explore::{Evaluated, look_beside};
use crate::guard::guarded;
use crate::model::team::{self, Priority};
use crate::store::Store;
use crate::tui::effect::BesideCmd;
use crate::tui::msg::Msg;
use crate::tui::screens::explore;
use crate::tui::screens::explore::beside::Told;

/// The handle of the thread. A newer mind ends the loading of another and whatever was asked of it; a
/// newer look ends the one under way, and never a loading.
pub struct Beside {
    commands: Worker<(BesideCmd, Cancel)>,
    loading: Latest,
    looking: Latest,
}

impl Beside {
    /// Starts the thread.
    pub fn start(root: PathBuf, mut suite: String, mail: Mailbox) -> Self {
        let own = mail.clone();
        let told = move |told: Told| mail.send(Msg::from(explore::Msg::Beside(told)));
        let mut mind = None;
        let each = move |(command, cancel): (BesideCmd, Cancel)| match command {
            BesideCmd::Suite(name) => {
                suite = name;
                Ok(())
            }
            BesideCmd::Load(_, None) => {
                mind = None;
                Ok(())
            }
            BesideCmd::Load(ticket, Some(name)) => {
                mind = None; // two of them need not be in memory together
                // Nothing named is the newest of the suite that is played.
                let (name, of) =
                    (Some(name.as_str()).filter(|n| !n.is_empty()), Some(suite.as_str()));
                let open = || agent::open(&Store::open(&root)?, name, of, Priority::Interactive);
                let loaded = budget::under(&cancel, || guarded("reading the other mind", open));
                match loaded {
                    Ok(loaded) => {
                        told(Told::Loaded(ticket, Some(minds(loaded.as_ref(), true))));
                        mind = Some(loaded);
                        Ok(())
                    }
                    // Another was named meanwhile, or nobody is wanted any more.
                    Err(error) if error.is_cancelled() => Ok(()),
                    Err(error) => {
                        told(Told::Loaded(ticket, None));
                        Err(error)
                    }
                }
            }
            BesideCmd::Look(_) if cancel.is_cancelled() => Ok(()),
            BesideCmd::Look(of) => {
                // Asked of one that was let go, or could not be loaded, which was said.
                let Some(mind) = mind.as_mut() else { return Ok(()) };
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
        let commands = Worker::start("the other mind", &own, each);
        Self { commands, loading: Latest::default(), looking: Latest::default() }
    }

    /// Hands it a command.
    pub fn send(&self, command: BesideCmd) {
        let cancel = match &command {
            BesideCmd::Suite(_) => Cancel::default(),
            BesideCmd::Load(..) => {
                self.looking.renew();
                self.loading.renew()
            }
            BesideCmd::Look(_) => self.looking.renew(),
        };
        self.commands.send((command, cancel));
    }

    /// Ends what is under way: the program is left.
    pub fn end(&self) {
        self.loading.renew();
        self.looking.renew();
    }
}
