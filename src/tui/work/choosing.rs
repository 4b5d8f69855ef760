//! The world thread, choosing games: which there are, and going to one of them, of another suite
//! too.

use std::sync::Arc;

use super::world::World;
use crate::env::{SUITES, Suite, foreign, open_suite};
use crate::episode::{Worlds, way};
use crate::error::{Error, Result};
use crate::experience::{EXPERTS, HUMAN, POLICY};
use crate::tui::effect::{Notice, OpenSuite};
use crate::tui::msg::Msg;
use crate::tui::screens::explore;
use crate::tui::screens::explore::chooser::Games;

/// How the suite of something stored is opened.
fn reopened(suite: &str) -> String {
    let known = SUITES.contains(&suite)
        || foreign::all()
            .is_ok_and(|all| all.iter().any(|spec| spec.name.as_deref() == Some(suite)));
    if known {
        return format!("open it with: foretaste --suite {suite}");
    }
    format!("say where that world is in config.toml, [worlds.{suite}] (docs/worlds.md)")
}

impl World {
    /// The suite of that name: one that was open, or from where its files usually are.
    fn suite_of(&self, name: &str) -> Result<Arc<dyn Suite>> {
        let open = self.suites.iter().find(|suite| suite.name() == name);
        open.map_or_else(|| open_suite(name, None), |suite| Ok(Arc::clone(suite)))
    }

    /// The suites of this program, the worlds of `config.toml`, and those that are open.
    fn known_suites(&self) -> Vec<String> {
        let mut known = SUITES.map(str::to_string).to_vec();
        let named = foreign::all().unwrap_or_default().into_iter().filter_map(|spec| spec.name);
        let open = self.suites.iter().map(|suite| suite.name().to_string());
        for name in named.chain(open) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        known
    }

    /// Says which games there are in a split; where there are none it says why.
    pub(super) fn list(&self, suite: Option<String>, split: Option<String>) {
        let name = suite.unwrap_or_else(|| self.suite.name().to_string());
        let mut games = Games {
            suite: name.clone(),
            suites: self.known_suites(),
            experts: EXPERTS.map(str::to_string).to_vec(),
            ..Games::default()
        };
        let is_open = name == self.suite.name();
        let split = split.or_else(|| is_open.then(|| self.split.clone()));
        let found = self.suite_of(&name).and_then(|suite| {
            games.splits = suite.splits();
            games.split = split.or_else(|| games.splits.first().cloned()).unwrap_or_default();
            // What is open was read already, and on disk that takes a while.
            let is_read = is_open && games.split == self.split;
            if is_read { Ok(self.tasks.clone()) } else { suite.tasks(&games.split) }
        });
        match found {
            Ok(tasks) => games.tasks = tasks,
            Err(error) => games.why = Some(Notice::error(&error).text),
        }
        let is_open = is_open && games.split == self.split;
        self.mail.send(Msg::from(explore::Msg::Games(games, is_open)));
    }

    /// Opens a game, of another suite too.
    pub(super) fn choose(&mut self, suite: &str, split: String, id: &str) -> Result<()> {
        self.file_away()?;
        let suite = self.suite_of(suite)?;
        let tasks = suite.tasks(&split)?;
        if !tasks.iter().any(|task| task.id == id) {
            return Err(Error::new(format!("{} / {split} has no game {id}", suite.name())));
        }
        let another = suite.name() != self.suite.name();
        let before = std::mem::replace(&mut self.suite, Arc::clone(&suite));
        let session = match self.open(&split, id) {
            Ok(session) => session,
            Err(error) => {
                self.suite = before;
                return Err(error);
            }
        };
        self.take_up(session);
        (self.split, self.tasks) = (split, tasks);
        if another {
            if self.suites.iter().all(|known| known.name() != suite.name()) {
                self.suites.push(Arc::clone(&suite));
            }
            self.mail.send(Msg::Suite(OpenSuite(suite)));
        }
        self.list(None, None);
        Ok(())
    }

    /// Goes to a step of a stored trajectory, verified.
    pub(super) fn branch_off(&mut self, trajectory: i64, t: usize) -> Result<()> {
        let stored = self.store()?.trajectory(trajectory)?;
        if stored.suite != self.suite.name() {
            return Err(Error::new(format!(
                "trajectory {trajectory} was played in {}",
                stored.suite
            ))
            .hint(reopened(&stored.suite)));
        }
        self.file_away()?;
        self.make_room();
        let mut steps = stored.steps[..t.min(stored.steps.len())].to_vec();
        Worlds::of(self.suite.as_ref(), &stored)?.look(&way(&steps), |_, _| ())?;
        let (mut session, kept) = self.open(&stored.split, &stored.task_id)?;
        // A policy's steps are those of the model that played, whichever answers here now.
        for step in steps.iter_mut().filter(|step| step.source == POLICY && stored.actor != HUMAN) {
            step.source.clone_from(&stored.actor);
        }
        let walked = session.walk(&steps);
        if walked.is_err() && self.session.is_some() {
            self.games.put(session, kept);
            return walked;
        }
        if self.split != stored.split {
            self.split.clone_from(&stored.split);
            self.tasks = self.suite.tasks(&self.split)?;
        }
        self.take_up((session, kept));
        walked?;
        let text = format!(
            "on a fork of trajectory {trajectory} at step {t}; every observation was verified"
        );
        self.mail.send(Msg::Notice(Notice::info(text)));
        Ok(())
    }
}
