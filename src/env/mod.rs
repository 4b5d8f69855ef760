//! Worlds: what an environment, a suite of tasks and an expert are, and the suites this program knows.
//!
//! To add a suite, implement [`Environment`] for one running world and [`Suite`] for the family, and add a line to
//! [`open_suite`]. Everything else (alternatives, evaluation, screens) works on the traits.

pub mod alfworld;
mod expert;
pub mod household;
pub mod tw_pddl;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
pub use expert::{Advice, Expert, Experts, PLANNER, Silence};

/// How many steps an episode may take unless a command says otherwise (the original wrapper's default).
pub const STEP_LIMIT: usize = 50;

/// What the agent is shown at one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The text exactly as the environment gave it.
    pub observation: Arc<str>,
    /// The actions that can be sent now, where the environment lists them, in its order.
    pub admissible: Option<Arc<[Arc<str>]>>,
    /// Whether the episode is over.
    pub done: bool,
    /// Whether it ended in success.
    pub success: bool,
}

impl Turn {
    /// Whether an action can be sent now; any can where the environment has no list.
    pub fn admits(&self, action: &str) -> bool {
        self.admissible.as_ref().is_none_or(|list| list.iter().any(|known| **known == *action.trim()))
    }
}

/// One running world.
pub trait Environment: Send {
    /// The goal in words.
    fn task(&self) -> &str;

    /// What the agent is shown now.
    fn turn(&self) -> &Turn;

    /// Sends an action; an inadmissible one is answered as the environment answers it. Fails only when the world
    /// itself broke (a grammar without a rule, a lost connection), and then the world is not to be used further.
    fn step(&mut self, action: &str) -> Result<()>;

    /// An independent copy of the world as it is now: steps on one are never seen by the other. A remote world that
    /// cannot be copied replays its prefix in a fresh instance, verifies that every observation came out the same,
    /// and fails otherwise.
    fn fork(&self) -> Result<Box<dyn Environment>>;

    /// Equal for two states of the same task exactly when playing on cannot tell them apart (up to hash collisions).
    fn fingerprint(&self) -> u64;

    /// The world itself, for an expert or a measurement of its own suite that has to look under the hood.
    fn as_any(&self) -> &dyn Any;
}

/// One task of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskRef {
    /// Identifies the task within its suite.
    pub id: String,
    /// The kind of task ("pick_and_place_simple").
    pub kind: String,
}

/// A task opened at its start, with what the suite offers as its expert.
pub struct Opened {
    /// The running world.
    pub env: Box<dyn Environment>,
    /// Who knows what to do in it.
    pub experts: Experts,
    /// The task's suite, identifier and kind.
    pub suite: String,
    /// The task.
    pub task: TaskRef,
    /// How many steps an episode may take; actions that the environment refuses count as steps.
    pub limit: usize,
    /// What a person should know before playing it.
    pub warning: Option<String>,
}

/// A family of tasks.
pub trait Suite: Send + Sync {
    /// "household", "alfworld".
    fn name(&self) -> &'static str;

    /// The splits it has, the one for training first.
    fn splits(&self) -> Vec<String>;

    /// The tasks of a split, in a fixed order.
    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>>;

    /// Opens a task at its start.
    fn open(&self, id: &str) -> Result<Opened>;
}

/// The suite of that name; `data` is where its files are, for suites that have files.
pub fn open_suite(name: &str, data: Option<&Path>) -> Result<Arc<dyn Suite>> {
    match name {
        "household" => Ok(Arc::new(household::Household)),
        "alfworld" => Ok(Arc::new(alfworld::AlfWorld::open(data)?)),
        other => Err(Error::new(format!("there is no suite `{other}`")).hint("suites: household, alfworld")),
    }
}

/// Opens a single `game.tw-pddl` file.
pub fn open_game_file(path: &Path, suite: &str, task: TaskRef) -> Result<Opened> {
    open_game(&tw_pddl::game::Game::load(path)?, suite, task).map_err(|error| error.at(path.display()))
}

fn open_game(game: &Arc<tw_pddl::game::Game>, suite: &str, task: TaskRef) -> Result<Opened> {
    let env = tw_pddl::TwPddl::new(game)?;
    let warning = (!game.solvable).then(|| "the game's file says that it cannot be won (`solvable` is false)".to_string());
    let experts = tw_pddl::experts(game)?;
    Ok(Opened { env: Box::new(env), experts, suite: suite.into(), task, limit: STEP_LIMIT, warning })
}

/// A suite whose episodes may take another number of steps.
struct Limited {
    suite: Arc<dyn Suite>,
    limit: usize,
}

impl Suite for Limited {
    fn name(&self) -> &'static str {
        self.suite.name()
    }

    fn splits(&self) -> Vec<String> {
        self.suite.splits()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        self.suite.tasks(split)
    }

    fn open(&self, id: &str) -> Result<Opened> {
        Ok(Opened { limit: self.limit, ..self.suite.open(id)? })
    }
}

/// The same suite with that many steps an episode.
pub fn limited(suite: Arc<dyn Suite>, limit: usize) -> Arc<dyn Suite> {
    Arc::new(Limited { suite, limit })
}

/// The task with that identifier among a suite's splits, or an error that says how to list them.
fn unknown_task(suite: &str, id: &str) -> Error {
    Error::new(format!("suite {suite} has no task `{id}`"))
        .hint(format!("list them with: foretaste env list --suite {suite} --split SPLIT"))
}
