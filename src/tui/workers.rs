//! What carries effects out: the threads behind the screens, and how they end.

use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use tokio::sync::mpsc::UnboundedReceiver;

use super::effect::{AgentsCmd, BesideCmd, Effect, MindCmd, StoreCmd, StudyCmd};
use super::msg::Msg;
use super::terminal::stream;
use super::work::Worker;
use super::work::beside::Beside;
use super::work::jobs::Jobs;
use super::work::mind::Mind;
use super::work::world::WorldThread;
use crate::console::tell;
use crate::error::{Error, Result};
use crate::text::clean;

/// The store and the world may take this long to finish what a person asked for: the store is
/// waited for ten seconds.
const LAST_WORDS: Duration = Duration::from_secs(13);

/// The threads that carry effects out.
pub struct Workers {
    /// The world of Explore.
    pub worlds: WorldThread,
    /// The model of Explore.
    pub mind: Mind,
    /// Another mind beside it.
    pub beside: Beside,
    /// The store.
    pub store: Worker<StoreCmd>,
    /// Studies.
    pub studies: Worker<StudyCmd>,
    /// Agents of others.
    pub agents: Worker<AgentsCmd>,
    /// Long work.
    pub jobs: Jobs,
}

impl Workers {
    /// Carries effects out, or hands them to who does.
    pub fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::World(command) => self.worlds.send(command),
                Effect::Mind(command) => self.mind.send(command),
                Effect::Beside(command) => self.beside.send(command),
                Effect::Store(command) => self.store.send(command),
                Effect::Study(command) => self.studies.send(command),
                Effect::Agents(command) => self.agents.send(command),
                Effect::Job(command) => self.jobs.obey(command),
                Effect::Copy(text) => {
                    // What is pasted somewhere else must not drive that either; columns stay
                    // columns.
                    let text = text.split('\t').map(clean).collect::<Vec<_>>().join("\t");
                    // A terminal that does not know OSC 52 ignores it.
                    _ = execute!(stream(), CopyToClipboard::to_clipboard_from(text));
                }
                // The loop's and the interface's own.
                Effect::Suite(suite) => {
                    self.mind.send(MindCmd::Suite(suite.0.name().to_string()));
                    self.beside.send(BesideCmd::Suite(suite.0.name().to_string()));
                    self.jobs.turn_to(suite);
                }
                Effect::Suspend
                | Effect::Edit(..)
                | Effect::Show(..)
                | Effect::Say(_)
                | Effect::AskCollect
                | Effect::Go(_) => {}
            }
        }
    }

    /// Lets the threads finish what was asked for, and ends the jobs; returns the run that goes on
    /// in a process of its own.
    ///
    /// # Errors
    /// Where the store refused something that a person asked for last, or a thread did not come to
    /// its end in time.
    pub fn leave(self, rx: &mut UnboundedReceiver<Msg>) -> Result<Option<i64>> {
        let began = Instant::now();
        self.jobs.cancel();
        self.mind.end();
        self.beside.end();
        let Self { worlds, store, jobs, .. } = self;
        let patient = store.wait(Duration::from_millis(400));
        if !patient {
            tell("waiting for the store…");
        }
        let done = (patient || store.wait(LAST_WORDS))
            & worlds.finish(LAST_WORDS.saturating_sub(began.elapsed()));
        let detached = jobs.finish();
        let mut refused = Vec::new();
        while let Ok(msg) = rx.try_recv() {
            if let Msg::Notice(notice) = msg
                && notice.bad
            {
                refused.push(notice.text);
            }
        }
        if !done {
            refused.push(format!(
                "what was asked for last was not finished in {} s",
                began.elapsed().as_secs()
            ));
        }
        match refused.split_first() {
            None => detached,
            Some((first, more)) => {
                for text in more {
                    tell(&format!("error: {text}"));
                }
                detached.and(Err(Error::new(first.clone())))
            }
        }
    }
}
