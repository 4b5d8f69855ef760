//! The planner: a shortest plan from any state, or the proof that there is none.
//!
//! The game is grounded once ([`ground`]); each question is an A* search ([`search`]) under an
//! admissible landmark heuristic ([`lmcut`]), so the plans are shortest, not just short. Such a
//! search was preferred to a greedy one with a relaxed-plan heuristic because the number of steps
//! left and the set of equally good actions are shown to people and decide what is taught, and only
//! shortest plans make them exact.

pub mod detours;
pub mod ground;
pub mod lmcut;
mod reach;
pub mod search;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;

use super::facts::FactSet;
use super::game::Game;
use super::world::World;
use crate::budget;
use crate::control::Cancel;
use crate::error::{Error, Result};
use detours::Detours;
use ground::{Bits, Task};
use search::{Found, shortest};

/// How long a search may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// States reached.
    pub nodes: usize,
    /// Time.
    pub time: Option<Duration>,
    /// Ends the search early.
    pub cancel: Option<Cancel>,
}

impl Limits {
    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// Whether a search that began then must end now.
    fn are_reached(&self, started: Instant) -> bool {
        self.is_cancelled() || self.time.is_some_and(|time| started.elapsed() > time)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 50_000, time: Some(Duration::from_secs(1)), cancel: None }
    }
}

/// Units of work for grounding a game: real ones take under a million.
const WORK: u64 = 100_000_000;

/// Plans for one game; made once and shared by its worlds.
#[derive(Debug)]
pub struct Planner {
    game: Arc<Game>,
    ready: OnceLock<Result<(Task, Detours)>>,
}

/// What the planner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Solution {
    /// A shortest way to the goal.
    Found {
        /// Its commands, each with how the world stands where it is given in.
        steps: Vec<(u64, Arc<str>)>,
        /// All admissible commands that start some shortest way; the plan's first among them.
        /// Complete only if it was asked for.
        starts: Vec<Arc<str>>,
    },
    /// There is no way to the goal.
    Unsolvable,
    /// No plan found within that many nodes.
    GaveUp(usize),
    /// The person asked to stop.
    Cancelled,
}

impl Planner {
    /// For a game; the work of grounding is done at the first question.
    pub fn new(game: Arc<Game>) -> Self {
        Self { game, ready: OnceLock::new() }
    }

    fn ready(&self) -> Result<&(Task, Detours)> {
        if self.ready.get().is_none() {
            let made = budget::within(WORK, "grounding the game for the planner", || {
                let task = Task::new(&self.game)?;
                let detours = Detours::new(&task);
                Ok((task, detours))
            });
            // What was left is asked for anew another time.
            if let Err(error) = &made
                && error.is_cancelled()
            {
                return Err(Error::cancelled());
            }
            _ = self.ready.set(made);
        }
        self.ready
            .get()
            .map_or_else(|| Err(Error::cancelled()), |ready| ready.as_ref().map_err(Clone::clone))
    }

    /// How many operators and bits the grounded game has.
    pub fn size(&self) -> Result<(usize, usize)> {
        self.ready().map(|(task, _)| (task.ops.len(), task.bits))
    }

    /// A shortest plan from the state of a world. With `all_starts` every command that starts one
    /// is found, which takes somewhat longer.
    pub fn plan(&self, world: &World, all_starts: bool, limits: &Limits) -> Result<Solution> {
        self.plan_from(world, world.fluents(), all_starts, limits)
    }

    /// The same as if only `fluents` held of what play can change; commands are those admissible in
    /// `world`.
    pub fn plan_from(
        &self,
        world: &World,
        fluents: &FactSet,
        all_starts: bool,
        limits: &Limits,
    ) -> Result<Solution> {
        let (task, detours) = self.ready()?;
        let start = task.state(fluents);
        let (ops, starts) =
            match shortest(task, detours.useful(&start), start.clone(), all_starts, limits) {
                Found::Solution { ops, starts } => (ops, starts),
                Found::Unsolvable => return Ok(Solution::Unsolvable),
                Found::GaveUp(nodes) => return Ok(Solution::GaveUp(nodes)),
                Found::Cancelled => return Ok(Solution::Cancelled),
            };
        let leads: Vec<Bits> = starts.iter().map(|op| task.after(&start, *op)).collect();
        let starts = Self::commands_to(task, world, &start, &leads);
        let mut steps = Vec::with_capacity(ops.len());
        let mut walk = world.clone();
        let mut state = start;
        for op in &ops {
            let next = task.after(&state, *op);
            let command = Self::commands_to(task, &walk, &state, std::slice::from_ref(&next))
                .into_iter()
                .next();
            let command = command.ok_or_else(|| {
                Error::new("the planner took a step that the world does not admit")
            })?;
            let here = walk.standing();
            walk.step(&command)?;
            steps.push((here, command));
            state = next;
        }
        Ok(Solution::Found { steps, starts })
    }

    /// The admissible commands that lead from `state` to one of `goals`.
    fn commands_to(task: &Task, world: &World, state: &[u64], goals: &[Bits]) -> Vec<Arc<str>> {
        let game = world.game();
        let operators = game.operators();
        let menu = world.menu();
        let goals: HashSet<&[u64], FixedState> = goals.iter().map(|goal| &**goal).collect();
        let leads = |id: &u32| {
            let operator = operators.get(*id);
            let params = game.domain.actions[usize::from(operator.action)].params.len();
            let op = task.number(operator.action, &operator.vars[..params], state);
            op.is_some_and(|op| goals.contains(&*task.after(state, op)))
        };
        let commands = menu.commands.iter().zip(&menu.operators);
        commands.filter(|(_, id)| leads(id)).map(|(command, _)| Arc::clone(command)).collect()
    }
}
