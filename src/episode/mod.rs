//! Episodes: a world and what happens in it. Playing one, trying an action, leading a world along
//! what was recorded, and many worlds at once under one mind. Collecting, evaluating and exploring
//! stand on this.

mod policy;
mod roll_out;
mod trial;
mod worlds;

pub use policy::{Play, pick};
pub use roll_out::{
    Acted, Begun, Broken, BrokenOff, Ended, Played, Player, Told, at_once, roll_out, together, wins,
};
pub use trial::{ExpertBaseline, Trial, try_action};
pub use worlds::{Executed, Leg, Worlds, way};

use crate::control::Cancel;
use crate::env::{Environment, Expert, Experts, NoAdvice, Opened, Share, Suite, TaskRef, Turn};
use crate::error::{Error, Kind, Result};
use crate::experience::{Purpose, State, Step, Trajectory};
use crate::rng::Rng;

/// Which tasks a job covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The split.
    pub split: String,
    /// How many games.
    pub games: usize,
    /// The seed that chooses them, and of whatever is random below.
    pub seed: u64,
    /// Only tasks of this part of the split.
    pub share: Option<Share>,
}

/// The tasks of a scope: the split's in an order drawn from the seed.
pub fn choose(suite: &dyn Suite, scope: &Scope) -> Result<Vec<TaskRef>> {
    let mut tasks = suite.tasks(&scope.split)?;
    if tasks.is_empty() {
        return Err(Error::new(format!("{} / {} has no games", suite.name(), scope.split)).hint(
            "see what there is with: foretaste env list; of alfworld name the folder that has \
             train/, valid_seen/ with --data",
        ));
    }
    if let Some(share) = scope.share {
        tasks.retain(|task| share.holds(suite.name(), &task.id));
    }
    Rng::stream(scope.seed, &scope.split).shuffle(&mut tasks);
    tasks.truncate(scope.games);
    Ok(tasks)
}

/// The step that led to a turn.
pub fn step_of(turn: &Turn, action: &str, source: &str) -> Step {
    let (admissible, free) = turn.actions.texts();
    Step {
        action: action.to_string(),
        source: source.to_string(),
        observation: turn.observation.to_string(),
        admissible,
        free,
        reward: turn.reward,
        done: turn.done,
        success: turn.success,
        truncated: turn.truncated,
    }
}

/// An episode under way: a world, and what happened in it so far.
pub struct Episode {
    /// The world.
    pub env: Box<dyn Environment>,
    /// Who knows what to do in it.
    pub experts: Experts,
    /// How many steps it may take.
    pub limit: usize,
    /// What happened.
    pub trajectory: Trajectory,
}

impl Episode {
    /// A task at its start.
    pub fn open(
        suite: &dyn Suite,
        split: &str,
        id: &str,
        purpose: Purpose,
        seed: u64,
    ) -> Result<Self> {
        let opened = suite.open(id)?;
        let trajectory = trajectory_at(&opened, split, purpose, seed);
        let Opened { env, experts, limit, .. } = opened;
        Ok(Self { env, experts, limit, trajectory })
    }

    /// Whether no further step can be taken.
    pub fn is_over(&self) -> bool {
        self.env.turn().done || self.trajectory.steps.len() >= self.limit
    }

    /// The state that it is in, as a policy is shown it.
    pub fn state(&self) -> State {
        self.trajectory.state(self.trajectory.steps.len())
    }

    /// Takes a step. One that the limit makes the last is cut off.
    pub fn act(&mut self, action: &str, source: &str) -> Result<()> {
        self.env.step(action).map_err(|error| error.or_of(Kind::World))?;
        let mut step = step_of(self.env.turn(), action, source);
        step.truncated |= !step.done && self.trajectory.steps.len() + 1 >= self.limit;
        self.trajectory.steps.push(step);
        Ok(())
    }

    /// Lets someone demonstrate to the end; why not, if it does not get there.
    pub fn demonstrate(
        &mut self,
        teacher: Teacher<'_>,
        cancel: &Cancel,
    ) -> Result<Result<(), NoAdvice>> {
        let Self { env, experts, limit, trajectory } = self;
        let expert = teacher.expert(experts)?;
        trajectory.actor = expert.name().to_string();
        let steps = &mut trajectory.steps;
        follow(env.as_mut(), expert, *limit, cancel, |env, action| {
            steps.push(step_of(env.turn(), action, expert.name()));
        })
    }
}

/// A trajectory without steps, at the start of an opened task; nobody has acted yet.
pub fn trajectory_at(opened: &Opened, split: &str, purpose: Purpose, seed: u64) -> Trajectory {
    let turn = opened.env.turn();
    let (admissible, free) = turn.actions.texts();
    Trajectory {
        id: 0,
        suite: opened.suite.clone(),
        split: split.to_string(),
        task_id: opened.task.id.clone(),
        kind: opened.task.kind.clone(),
        task: opened.env.task().to_string(),
        purpose,
        actor: String::new(),
        seed,
        observation: turn.observation.to_string(),
        admissible,
        free,
        steps: Vec::new(),
        created_ms: 0,
        world: opened.env.identity(),
    }
}

/// Plays an expert until the goal is reached; the reason if it does not get there.
pub fn follow(
    env: &mut dyn Environment,
    expert: &dyn Expert,
    limit: usize,
    cancel: &Cancel,
    mut each: impl FnMut(&dyn Environment, &str),
) -> Result<Result<(), NoAdvice>> {
    for _ in 0..limit {
        if env.turn().success {
            return Ok(Ok(()));
        }
        if env.turn().done {
            let reward = env.turn().reward;
            let why = format!("the episode ended and was not won (reward {reward:.2})");
            return Ok(Err(NoAdvice::Other(why)));
        }
        let advice = match expert.advise(env, cancel) {
            Ok(advice) => advice,
            Err(NoAdvice::Cancelled) => return Err(Error::cancelled()),
            Err(why) => return Ok(Err(why)),
        };
        env.step(&advice.action).map_err(|error| error.or_of(Kind::World))?;
        each(env, &advice.action);
    }
    let late = || NoAdvice::Other(format!("the goal was not reached within {limit} steps"));
    Ok(if env.turn().success { Ok(()) } else { Err(late()) })
}

/// Who demonstrates.
#[derive(Clone, Copy)]
pub enum Teacher<'a> {
    /// The suite's expert of that name, or the one it puts first.
    Suite(Option<&'a str>),
    /// Someone else, like a person at the keyboard.
    Other(&'a dyn Expert),
}

impl<'a> Teacher<'a> {
    /// The expert for an opened task.
    pub fn expert<'b>(&self, experts: &'b Experts) -> Result<&'b dyn Expert>
    where
        'a: 'b,
    {
        match self {
            Self::Suite(name) => experts.get(*name),
            Self::Other(expert) => Ok(*expert),
        }
    }
}
