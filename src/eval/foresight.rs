//! How right a world model is, on a fixed set of transitions: whoever plays, every model is asked
//! the same.
//!
//! Predictions along a policy's own games would measure where it goes as much as what it foresees:
//! the same model is "right" more often the better it plays.

use serde::Serialize;

use crate::agent::prompt::{rightness, told};
use crate::agent::{Agent, Among};
use crate::collect::Proposer;
use crate::control::{Control, Meter, Progress};
use crate::env::Suite;
use crate::episode::{Broken, BrokenOff, Episode, Scope, Teacher, Worlds, choose, try_action, way};
use crate::error::{Error, Result};
use crate::experience::{ActionEffect, Purpose, State, Trajectory, UNIFORM};

/// Figures of some transitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Part {
    /// Games that have such transitions.
    pub games: usize,
    /// Transitions.
    pub transitions: usize,
    /// Share of predictions that are the next observation to the letter, the mean over games.
    pub exact: f64,
    /// Mean word F1, the mean over games.
    pub f1: f64,
}

/// How right predictions are, each game counting the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Foresight {
    /// Of all transitions.
    pub all: Part,
    /// Of those after which the world is another one.
    pub changed: Part,
    /// Of those that were refused or changed nothing.
    pub unchanged: Part,
    /// Games that their world broke off: they are not in these means.
    pub broke_off: u64,
}

/// Sums over the transitions of a game, by whether they changed the world.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: usize,
    exact: usize,
    f1: f64,
}

/// The transitions of a game: each of an expert's steps, and `k` uniformly drawn alternatives
/// beside each.
struct Asked {
    trajectory: Trajectory,
    /// State, action, what came, whether the world is another one then.
    transitions: Vec<Vec<(String, String, bool)>>,
}

/// Asks for the transitions of the games of a scope: the suite's first expert's steps, and `k`
/// alternatives of each state drawn uniformly by the scope's seed.
pub fn foresight(
    suite: &dyn Suite,
    scope: &Scope,
    k: usize,
    model: &mut dyn Agent,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Foresight> {
    let tasks = choose(suite, scope)?;
    let meter = Meter::new("predictions", 0, tasks.len() as u64);
    let mut games: Vec<[Sums; 2]> = Vec::new();
    let mut broken_off = BrokenOff::default();
    for (i, task) in tasks.iter().enumerate() {
        control.checkpoint()?;
        // As in an evaluation, a world that fails says nothing of the others.
        let asked = match transitions(suite, scope, &task.id, k, control) {
            Ok(asked) => asked,
            Err(why) => {
                broken_off.add(Broken::of(&task.id, why)?, games.len() as u64)?;
                continue;
            }
        };
        let mut sums = [Sums::default(); 2];
        let states: Vec<State> =
            (0..asked.transitions.len()).map(|t| asked.trajectory.state(t)).collect();
        let actions: Vec<Vec<String>> = asked
            .transitions
            .iter()
            .map(|here| here.iter().map(|(action, ..)| action.clone()).collect())
            .collect();
        let asks: Vec<Among<'_>> =
            states.iter().zip(&actions).map(|(state, actions)| Among::of(state, actions)).collect();
        let mut predicted = Vec::with_capacity(asks.len());
        for asks in asks.chunks(model.can().at_once.max(1)) {
            control.checkpoint()?;
            predicted.extend(model.predict(asks, &control.cancel, &mut |_, _, _| {})?);
        }
        for (text, (_, actual, changed)) in
            predicted.iter().flatten().zip(asked.transitions.iter().flatten())
        {
            let text = text.trim();
            let actual = told(actual).trim();
            let sum = &mut sums[usize::from(*changed)];
            sum.count += 1;
            sum.exact += usize::from(text == actual);
            sum.f1 += rightness(text, actual);
        }
        games.push(sums);
        report(meter.at(i as u64 + 1));
    }
    let broke_off = broken_off.count;
    broken_off.first(games.len() as u64)?;
    if games.iter().flatten().all(|sum| sum.count == 0) {
        return Err(Error::new(
            "there is nothing to predict: the suite offers no expert that plays these games",
        ));
    }
    let both = |sums: &[Sums; 2]| Sums {
        count: sums[0].count + sums[1].count,
        exact: sums[0].exact + sums[1].exact,
        f1: sums[0].f1 + sums[1].f1,
    };
    Ok(Foresight {
        all: part(games.iter().map(both)),
        changed: part(games.iter().map(|sums| sums[1])),
        unchanged: part(games.iter().map(|sums| sums[0])),
        broke_off,
    })
}

fn part(games: impl Iterator<Item = Sums>) -> Part {
    let mut part = Part::default();
    for sums in games.filter(|sums| sums.count > 0) {
        part.games += 1;
        part.transitions += sums.count;
        part.exact += sums.exact as f64 / sums.count as f64;
        part.f1 += sums.f1 / sums.count as f64;
    }
    let mean = |sum: f64| if part.games == 0 { 0.0 } else { sum / part.games as f64 };
    Part { exact: mean(part.exact), f1: mean(part.f1), ..part }
}

fn transitions(
    suite: &dyn Suite,
    scope: &Scope,
    task: &str,
    k: usize,
    control: &Control,
) -> Result<Asked> {
    let mut episode = Episode::open(suite, &scope.split, task, Purpose::Evaluation, scope.seed)?;
    episode.demonstrate(Teacher::Suite(None), &control.cancel)?.ok();
    let trajectory = episode.trajectory;
    drop(episode.env); // there may be no room for two
    let mut worlds = Worlds::of(suite, &trajectory)?;
    let way = way(&trajectory.steps);
    let mut transitions = Vec::with_capacity(trajectory.steps.len());
    for (t, step) in trajectory.steps.iter().enumerate() {
        let drawn = Proposer::Uniform.draw(
            (&trajectory, t, None),
            (UNIFORM, &[], k),
            scope.seed,
            &control.cancel,
        )?;
        let actions =
            std::iter::once(step.action.clone()).chain(drawn.into_iter().map(|(action, _)| action));
        let tried = actions.map(|action| {
            let tried = try_action(&mut worlds, &way[..t], &action, None, false)?;
            let changed = !matches!(tried.effect, ActionEffect::NoOp | ActionEffect::Error);
            Ok((action, tried.turn.observation.to_string(), changed))
        });
        transitions.push(tried.collect::<Result<_>>()?);
    }
    drop(way);
    Ok(Asked { trajectory, transitions })
}
