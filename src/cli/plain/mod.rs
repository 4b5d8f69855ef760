//! `foretaste --plain`: the program as plain lines and a prompt, for screen readers and slow lines.
//! The same sessions, store, models and commands as everywhere; nothing is ever drawn over.

mod commands;
mod curating;
mod exploring;
mod help;
mod tasks;
mod training;

use std::sync::Arc;

use super::out::{self, say};
use super::{Common, SuiteArgs};
use crate::agent::{self, Agent};
use crate::console;
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::explore::{Outcome, Session, Tried};
use crate::model::team::Priority;
use crate::paths;
use crate::store::Store;

/// A session in plain lines.
struct Plain {
    common: Common,
    opening: SuiteArgs,
    suite: Arc<dyn Suite>,
    store: Store,
    agent: Box<dyn Agent>,
    session: Session,
    split: String,
    /// The newest checkpoint that was looked for.
    newest: Option<i64>,
    /// What was executed in the current state.
    tried: Vec<Outcome>,
    /// What was executed and expected in all states of the task.
    all: Tried,
}

/// What a line comes to.
enum Next {
    /// The state is another, or is to be said again.
    Say,
    /// All was said.
    Stay,
    /// The program is left.
    Leave,
}

/// Reads lines until `quit` or the end of the input.
pub fn run(common: &Common, opening: &SuiteArgs, expert: Option<&str>) -> Result<()> {
    console::only_lines();
    let root = paths::data_dir(common.data_dir.clone())?;
    let common = Common { data_dir: Some(root.clone()), ..common.clone() };
    let suite = opening.open()?;
    let store = Store::open(&root)?;
    let agent = agent::open(&store, None, Some(suite.name()), Priority::Interactive)?;
    let split =
        suite.splits().first().cloned().ok_or_else(|| Error::new("the suite has no splits"))?;
    let first = suite.tasks(&split)?.first().map(|task| task.id.clone());
    let first = first.ok_or_else(|| Error::new(format!("split {split} has no tasks")))?;
    let session = Session::open(&suite, &split, &first, expert)?;
    let all = Tried { model: agent.name(), ..Tried::default() };
    let opening = opening.clone();
    let tried = Vec::new();
    let newest = newest(&store)?;
    let mut plain =
        Plain { common, opening, suite, store, agent, session, split, newest, tried, all };
    say("foretaste, plain. Type help for the words.");
    plain.say()?;
    while let Some(line) = ask("> ")? {
        let done = plain.obey(&line).and_then(|next| {
            if let Next::Say = next {
                plain.say()?;
            }
            Ok(next)
        });
        match done {
            Ok(Next::Leave) => break,
            Ok(_) => {}
            Err(error) => complain(&error),
        }
    }
    Ok(())
}

/// The number of the newest checkpoint.
fn newest(store: &Store) -> Result<Option<i64>> {
    Ok(store.checkpoints()?.first().map(|saved| saved.id))
}

/// Says what was wrong, and what to do about it, in a line.
fn complain(error: &Error) {
    let next = error.next_step().map(|next| format!("; {next}")).unwrap_or_default();
    say(&format!("error: {}{next}", error.message()));
}

/// Asks for a line; none at the end of the input.
fn ask(prompt: &str) -> Result<Option<String>> {
    out::ask(prompt);
    let line = paths::stdin_line().map_err(|e| Error::new(format!("reading stdin: {e}")))?;
    Ok(line.map(|line| line.trim().to_string()))
}

impl Plain {
    /// Carries a line out.
    fn obey(&mut self, line: &str) -> Result<Next> {
        // What the environment lists is an action, whatever else it could mean.
        if !line.is_empty() && self.session.view()?.admissible.iter().any(|known| known == line) {
            return self.step(line, crate::explore::HUMAN);
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("", _) => Ok(Next::Stay),
            ("quit" | "q", "") => Ok(Next::Leave),
            ("help" | "?", "") => {
                help::exploring();
                Ok(Next::Stay)
            }
            ("curate", "") => {
                let quit = curating::curate(&mut self.store)?;
                Ok(if quit { Next::Leave } else { Next::Say })
            }
            ("runs", "") => training::runs(&self.store).map(|()| Next::Stay),
            ("begin", run) => {
                training::begin(&self.store, training::number(run)?).map(|()| Next::Stay)
            }
            ("stop", run) => {
                training::stop(&self.store, training::number(run)?).map(|()| Next::Stay)
            }
            ("follow", run) => {
                training::follow(&self.store, training::number(run)?)?;
                self.renew()
            }
            ("use", model) => self.open_model(Some(model).filter(|model| !model.is_empty())),
            _ => match self.explore(line, word, rest) {
                Some(next) => next,
                None if commands::is_one(word) => {
                    commands::carry_out(&self.common, &self.opening, line)?;
                    self.renew()
                }
                None => {
                    Err(Error::new(format!("`{line}` is no word, no action here and no command"))
                        .hint("help lists the words, look the actions"))
                }
            },
        }
    }

    /// Lets the newest checkpoint answer, if a run has saved one since.
    fn renew(&mut self) -> Result<Next> {
        let newest = newest(&self.store)?;
        if newest == self.newest {
            return Ok(Next::Stay);
        }
        self.newest = newest;
        self.open_model(None)
    }

    /// Lets a model answer.
    fn open_model(&mut self, name: Option<&str>) -> Result<Next> {
        let suite = Some(self.suite.name());
        self.agent = agent::open(&self.store, name, suite, Priority::Interactive)?;
        self.all.model = self.agent.name();
        self.all.foreseen.clear();
        say(&format!("{} answers now.", self.agent.name()));
        Ok(Next::Stay)
    }
}
