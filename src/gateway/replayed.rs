//! A captured episode played again in the world that its agent says it played.

use std::collections::HashSet;

use crate::env::open_suite;
use crate::episode::{step_of, trajectory_at};
use crate::error::Result;
use crate::experience::{Purpose, Trajectory};

/// What the world says to it.
pub(super) enum Answer {
    /// The same at every step, and it is won: the episode as the world has it, with what could be done.
    Same(Box<Trajectory>),
    /// Something else, or it is not won; or there is no such world.
    Otherwise,
    /// It is a game that is for evaluation.
    ForEvaluation,
    /// Nothing: no world was named.
    Unknown,
}

/// Plays an episode again. Only worlds of this program are opened: what an agent names is no command.
pub(super) fn replayed(suite: &str, task: &str, read: &Trajectory) -> Answer {
    match again(suite, task, read) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::info!("{suite} {task}: {error}");
            Answer::Otherwise
        }
    }
}

/// The games of a suite that are for evaluation, so that nothing may learn from them; none of a suite
/// that is not known here.
pub(super) fn evaluation_games(suite: &str) -> HashSet<String> {
    let games = || -> Result<HashSet<String>> {
        let suite = open_suite(suite, None)?;
        let Some(split) = suite.evaluated_on() else { return Ok(HashSet::new()) };
        Ok(suite.tasks(&split)?.into_iter().map(|task| task.id).collect())
    };
    games().unwrap_or_default()
}

/// Whether two observations say the same: a tool may write spaces otherwise.
fn alike(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

fn again(suite: &str, task: &str, read: &Trajectory) -> Result<Answer> {
    let suite = open_suite(suite, None)?;
    let evaluated = suite.evaluated_on();
    let mut split = None;
    for name in suite.splits() {
        if suite.tasks(&name)?.iter().any(|known| known.id == task) {
            split = Some(name);
            break;
        }
    }
    let Some(split) = split else { return Ok(Answer::Otherwise) };
    if evaluated.as_deref() == Some(split.as_str()) {
        return Ok(Answer::ForEvaluation);
    }
    let mut opened = suite.open(task)?;
    let mut played = trajectory_at(&opened, &split, Purpose::Demonstration, read.seed);
    played.actor.clone_from(&read.actor);
    played.created_ms = read.created_ms;
    for step in &read.steps {
        if opened.env.turn().done {
            break;
        }
        opened.env.step(&step.action)?;
        let turn = opened.env.turn();
        if !step.observation.is_empty() && !alike(&step.observation, &turn.observation) {
            return Ok(Answer::Otherwise);
        }
        played.steps.push(step_of(turn, &step.action, &read.actor));
    }
    let won = played.success();
    Ok(if won { Answer::Same(Box::new(played)) } else { Answer::Otherwise })
}
