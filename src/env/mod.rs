//! Worlds: what an environment, a suite of tasks and an expert are, and the suites this program
//! knows.
//!
//! # Adding a suite
//!
//! 1. Implement [`Environment`] for one running world. It is used from one thread at a time and may
//!    be moved between threads; it is never called from the interface's thread, so it may take its
//!    time, but alternatives fork it at every state, so forks should be cheap.
//! 2. Implement [`Suite`]: names of splits (the one for training first), the tasks of a split in a
//!    fixed order *without opening them* (thousands are listed at once), and opening one. The same
//!    identifier must open the same world on every machine. A [`Turn`] says what can be sent: a
//!    list, forms of free text (`search[…]`), both, or nothing, which is not an empty list. It says
//!    what the step was worth, and whether an episode was cut off. Opening, stepping and forking
//!    are called under the cancel of whoever waits ([`crate::budget::under`]); what may take long
//!    looks at it ([`crate::budget::is_cancelled`]) and returns an error once it is asked for.
//! 3. Offer what [`Experts`] you can. None is fine: a person is the expert then. One that is called
//!    [`PLANNER`] is taken to know the world: its number of steps left is shown as the distance to
//!    the goal, and an action that it counts as the start of a shortest way is never argued
//!    against. An expert that looks under the hood gets its own world back with
//!    [`Environment::as_any`].
//! 4. Add a line to [`open_suite`] and a name to [`SUITES`]; where tasks come in near copies, say in [`instance`] what makes
//!    them one (held-out games are drawn by it); where an action has the same answer everywhere,
//!    list it in [`constant_actions`].
//!
//! Alternatives, evaluation, collection and screens work on the traits and need no change. The
//! tests in `tests/properties.rs` say what must hold of every world; run them on yours.

mod actions;
pub mod alfworld;
pub mod check;
mod expert;
pub mod foreign;
pub mod household;
mod only;
mod part;
mod share;
pub mod textcraft;
pub mod tw_pddl;
pub mod webshop;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
pub use actions::{Actions, Form};
pub use expert::{Advice, Expert, Experts, GivenAdvice, NoAdvice, PLANNER};
pub use only::Only;
pub use part::Part;
pub use share::Share;

/// How many steps an episode may take unless a command says otherwise (the original wrapper's
/// default).
pub const STEP_LIMIT: usize = 50;

/// What the agent is shown at one step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// The text exactly as the environment gave it.
    pub observation: Arc<str>,
    /// What can be sent now.
    pub actions: Actions,
    /// What the step that led here was worth; 0 at the start. A world without rewards of its own
    /// gives 1 for success.
    pub reward: f64,
    /// Whether the episode is over.
    pub done: bool,
    /// Whether it ended in success.
    pub success: bool,
    /// Whether it was cut off (a limit of steps or time) and did not come to an end by itself.
    pub truncated: bool,
}

impl Turn {
    /// Whether an action can be sent now.
    pub fn admits(&self, action: &str) -> bool {
        self.actions.admit(action)
    }
}

/// One running world, at one state of one episode.
///
/// An environment is a value: what it answers depends on what was stepped on it and on nothing
/// else. Randomness inside a world comes from a seed that is fixed when the task is opened, and a
/// fork continues with the same random state.
pub trait Environment: Send {
    /// The goal in words, without any phrase around it ("put a mug on the shelf."). Never changes.
    fn task(&self) -> &str;

    /// What the agent is shown now. Cheap: it is asked for many times a state.
    fn turn(&self) -> &Turn;

    /// Sends an action and moves on to the next turn.
    ///
    /// An action that the world does not admit is *not* an error: the world answers it as it
    /// answers such things ("Nothing happens."), and it counts as a step. An episode that is over
    /// may be stepped on if the world allows it.
    ///
    /// # Errors
    /// When the world itself broke: a grammar without a rule for what it must say, a lost
    /// connection, a remote that answers nonsense. The world is not to be used further then; its
    /// forks are not affected.
    fn step(&mut self, action: &str) -> Result<()>;

    /// An independent copy of the world as it is now: steps on one are never seen by the other, in
    /// any order and on any threads, and both go on exactly as a replay of their actions from the
    /// start would.
    ///
    /// # Errors
    /// A native world copies itself and never fails. One that says [`Forks::Replay`] is not asked:
    /// other instances are led along its way by [`crate::episode::Worlds`], which holds every
    /// observation against the recorded one.
    fn fork(&self) -> Result<Box<dyn Environment>>;

    /// What [`Self::fork`] costs. Where it is dear nobody forks to go on: worlds are stepped where
    /// they stand, and led along their way again when they are wanted elsewhere
    /// ([`crate::episode::Worlds`]).
    fn forks(&self) -> Forks {
        Forks::Native
    }

    /// Equal only for two states of the same task that playing on cannot tell apart (up to hash
    /// collisions); a world that can say more gives the same number to all of them. Steps taken and
    /// looks around do not count; whatever can still change an answer's meaning for the goal does.
    fn fingerprint(&self) -> u64;

    /// What the world is now, down to facts that nothing on the way may ever tell, as a number that
    /// is the same on every machine and in every release; none for a world that cannot say. Dear:
    /// it reads all there is.
    fn identity(&self) -> Option<u64> {
        None
    }

    /// What the end is worth and what that is made of, for people; none where the reward says it
    /// all, and before the end.
    fn worth(&self) -> Option<String> {
        None
    }

    /// The world itself, for an expert or a measurement of its own suite that has to look under the
    /// hood.
    fn as_any(&self) -> &dyn Any;
}

/// How a world is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forks {
    /// In this process, at next to no cost.
    Native,
    /// By another instance that is led along the same way, where there can be one at all.
    Replay,
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
    /// "household", "alfworld", "webshop".
    fn name(&self) -> &'static str;

    /// The splits it has, the one for training first.
    fn splits(&self) -> Vec<String>;

    /// The tasks of a split, in a fixed order, from names alone.
    ///
    /// # Errors
    /// For a split the suite does not have (the message lists those it has), or a folder that
    /// cannot be read.
    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>>;

    /// The split that a trained policy is evaluated on unless another is named: the last one.
    fn evaluated_on(&self) -> Option<String> {
        self.splits().pop()
    }

    /// Whether the same task and actions are answered alike: of a world that does not say so nothing
    /// of that kind is expected.
    fn repeats(&self) -> bool {
        true
    }

    /// Whether its tasks are some of another suite's of the same name: what is stored of the others is
    /// not meant.
    fn is_part(&self) -> bool {
        false
    }

    /// How many of its worlds may run at once; none if there is no such limit.
    fn instances(&self) -> Option<usize> {
        None
    }

    /// Opens a task at its start.
    ///
    /// # Errors
    /// For an identifier the suite does not know, and for a file that cannot be read or understood:
    /// the message names the file, the line and what was expected.
    fn open(&self, id: &str) -> Result<Opened>;
}

/// Actions of a suite that are answered with the same text in every state: nothing is learned from
/// trying them, and they would be a third of what a world model is trained on (`help` in ALFWorld;
/// common harnesses leave it out).
pub fn constant_actions(suite: &str) -> &'static [&'static str] {
    if suite == "alfworld" { &["help"] } else { &[] }
}

/// What a suite itself calls the instance that a task is one of, where its identifier tells: tasks
/// of one instance are near copies (ALFWorld's trials of one task in one room).
pub fn instance<'a>(suite: &str, task_id: &'a str) -> Option<&'a str> {
    // A game's folder; the product that a customer's wish was made from.
    ["alfworld", webshop::NAME].contains(&suite).then(|| task_id.split('/').nth(1)).flatten()
}

/// The suites of this program.
pub const SUITES: [&str; 4] = ["household", "alfworld", webshop::NAME, textcraft::NAME];

/// The suite that a person names on a command line: [`open_suite`], or a world of another program by
/// where it is (`cmd:…`). What a file or a store names is never taken for a command.
pub fn open_named(name: &str, data: Option<&Path>) -> Result<Arc<dyn Suite>> {
    match foreign::Spec::parse(name)? {
        Some(spec) => foreign_suite(spec, data),
        None => open_suite(name, data),
    }
}

fn foreign_suite(spec: foreign::Spec, data: Option<&Path>) -> Result<Arc<dyn Suite>> {
    if data.is_some() {
        return Err(Error::usage(format!("{}: --data is for suites of files", spec.described()))
            .hint("a world of another program is given what it needs on its own command line"));
    }
    Ok(Arc::new(foreign::Foreign::open(spec)?))
}

/// The suite of that name: of this program, or a world of `config.toml`; `data` is where its files
/// are, for suites that have files.
pub fn open_suite(name: &str, data: Option<&Path>) -> Result<Arc<dyn Suite>> {
    match name {
        "household" => Ok(Arc::new(household::Household)),
        "alfworld" => Ok(Arc::new(alfworld::AlfWorld::open(data)?)),
        webshop::NAME => Ok(Arc::new(webshop::WebShop::open(data)?)),
        textcraft::NAME => Ok(Arc::new(textcraft::TextCraft::open(data)?)),
        other => match foreign::Spec::named(other)? {
            Some(spec) => foreign_suite(spec, data),
            None if other.contains(':') => {
                Err(Error::usage(format!("`{other}` is a command here, and no name")).hint(
                    "give the world a name in config.toml: [worlds.NAME], suite = \"cmd:…\" (docs/worlds.md)",
                ))
            }
            None => Err(Error::usage(format!("there is no suite `{other}`")).hint(format!(
                "suites: {}; a world of your own is --suite cmd:…, or a [worlds.{other}] of \
                 config.toml (docs/worlds.md)",
                SUITES.join(", ")
            ))),
        },
    }
}

/// Opens a single `game.tw-pddl` file.
pub fn open_game_file(path: &Path, suite: &str, task: TaskRef) -> Result<Opened> {
    open_game(&tw_pddl::game::Game::load(path)?, suite, task)
        .map_err(|error| error.at(path.display()))
}

fn open_game(game: &Arc<tw_pddl::game::Game>, suite: &str, task: TaskRef) -> Result<Opened> {
    let env = tw_pddl::TwPddl::new(game)?;
    let warning = (game.solvable == Some(false))
        .then(|| "the game's file says that it cannot be won (`solvable` is false)".to_string());
    let experts = tw_pddl::experts(game)?;
    Ok(Opened {
        env: Box::new(env),
        experts,
        suite: suite.into(),
        task,
        limit: STEP_LIMIT,
        warning,
    })
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

    fn evaluated_on(&self) -> Option<String> {
        self.suite.evaluated_on()
    }

    fn repeats(&self) -> bool {
        self.suite.repeats()
    }

    fn instances(&self) -> Option<usize> {
        self.suite.instances()
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
