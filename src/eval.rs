//! Playing games with a policy: success rate with its interval, and how right the predictions were on the way.

use serde::Serialize;

use crate::agent::local::LocalAgent;
use crate::agent::{Policy, WorldModel, likeliest, shares};
use crate::collect::{Scope, choose, step_of, trajectory_at};
use crate::control::{Control, Meter, Progress};
use crate::env::Suite;
use crate::error::Result;
use crate::experience::{Purpose, wilson, word_f1};
use crate::rng::Rng;
use crate::store::{EvalRow, Prediction, Store};

/// How to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Play {
    /// Temperature over the admissible list; 0 takes the likeliest action (the paper validates at 0.4).
    pub temperature: f64,
    /// Whether the outcome of every action taken is predicted first and compared.
    pub predict: bool,
}

/// One game played.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Game {
    /// The task.
    pub task_id: String,
    /// Its kind.
    pub kind: String,
    /// Whether it was won.
    pub success: bool,
    /// Steps taken.
    pub steps: usize,
    /// The stored trajectory.
    pub trajectory: i64,
}

/// The sum of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What played.
    pub checkpoint: String,
    /// Where.
    pub suite: String,
    /// The split.
    pub split: String,
    /// Games won.
    pub successes: u64,
    /// Games played.
    pub n: u64,
    /// Their ratio.
    pub rate: f64,
    /// Wilson 95 % interval of the ratio.
    pub interval: (f64, f64),
    /// Mean number of steps an episode.
    pub mean_steps: f64,
    /// Share of predictions that were the actual next observation to the letter, where predictions were asked for.
    pub prediction_exact: Option<f64>,
    /// Mean word F1 of the predictions.
    pub prediction_f1: Option<f64>,
    /// Number of predictions.
    pub predictions: u64,
}

/// Plays the games of a scope. Every game's trajectory is stored, and the result as a whole when all are played.
pub fn evaluate(
    store: &mut Store,
    suite: &dyn Suite,
    scope: &Scope,
    agent: &mut LocalAgent,
    play: Play,
    control: &Control,
    report: &mut dyn FnMut(&Game, Progress),
) -> Result<Summary> {
    let tasks = choose(suite, scope)?;
    let meter = Meter::new("games", 0, tasks.len() as u64);
    let checkpoint = agent.model().source.clone();
    let (mut successes, mut steps) = (0, 0);
    let (mut exact, mut f1, mut predictions) = (0u64, 0.0, 0u64);
    for (i, task) in tasks.iter().enumerate() {
        let mut opened = suite.open(&task.id)?;
        let mut rng = Rng::stream(scope.seed, &task.id);
        let mut foreseen = Vec::new();
        let mut trajectory = trajectory_at(&opened, &scope.split, Purpose::Evaluation, &checkpoint, scope.seed);
        while trajectory.steps.len() < opened.limit && !opened.env.turn().done {
            control.checkpoint()?;
            let t = trajectory.steps.len();
            let state = trajectory.state(t);
            let listed = trajectory.admissible_at(t).to_vec();
            let action = if listed.is_empty() {
                agent.propose(&state, 1, rng.next_u64())?.pop().unwrap_or_default()
            } else {
                listed[pick(&agent.score(&state, &listed)?, play.temperature, &mut rng)].clone()
            };
            let predicted = if play.predict {
                agent.predict(&state, std::slice::from_ref(&action), &mut |_, _| true)?.pop()
            } else {
                None
            };
            opened.env.step(&action)?;
            trajectory.steps.push(step_of(opened.env.as_ref(), &action, "policy"));
            if let Some(predicted) = predicted {
                let actual = &opened.env.turn().observation;
                predictions += 1;
                exact += u64::from(predicted.trim() == actual.trim());
                f1 += word_f1(&predicted, actual);
                foreseen.push(Prediction { trajectory: 0, t, action, model: checkpoint.clone(), text: predicted });
            }
        }
        successes += u64::from(trajectory.success());
        steps += trajectory.steps.len();
        let id = store.add_trajectory(&trajectory)?;
        for prediction in &mut foreseen {
            prediction.trajectory = id;
        }
        store.add_predictions(&foreseen)?;
        let game = Game {
            task_id: task.id.clone(),
            kind: task.kind.clone(),
            success: trajectory.success(),
            steps: trajectory.steps.len(),
            trajectory: id,
        };
        report(&game, meter.at(i as u64 + 1));
    }
    let n = tasks.len() as u64;
    let per_game = |x: f64| if n == 0 { 0.0 } else { x / n as f64 };
    let mean = |x: f64| (predictions > 0).then(|| x / predictions as f64);
    let summary = Summary {
        checkpoint,
        suite: suite.name().into(),
        split: scope.split.clone(),
        successes,
        n,
        rate: per_game(successes as f64),
        interval: wilson(successes, n),
        mean_steps: per_game(steps as f64),
        prediction_exact: mean(exact as f64),
        prediction_f1: mean(f1),
        predictions,
    };
    store.add_evaluation(&EvalRow {
        checkpoint: summary.checkpoint.clone(),
        suite: summary.suite.clone(),
        split: summary.split.clone(),
        seed: scope.seed,
        n,
        successes,
        mean_steps: summary.mean_steps,
    })?;
    Ok(summary)
}

/// An index drawn from log-probabilities at a temperature.
pub fn pick(scores: &[f64], temperature: f64, rng: &mut Rng) -> usize {
    let best = likeliest(scores).unwrap_or_default();
    if temperature <= 0.0 {
        return best;
    }
    let scaled: Vec<f64> = scores.iter().map(|score| score / temperature).collect();
    let mut left = rng.unit();
    for (i, share) in shares(&scaled).iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return i;
        }
    }
    best
}
