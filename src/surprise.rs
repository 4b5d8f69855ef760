//! Where a model is most surprised: states of demonstrations in which its prediction was most
//! wrong, or in which its policy was most sure of another action than the expert's.

use serde::Serialize;

use crate::agent::prompt::rightness;
use crate::agent::{Agent, Among, Scores, argmax, weigh};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::experience::{State, Step, Trajectory};
use crate::store::{Prediction, Store};

/// A state of a demonstration as a model sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surprise {
    /// The demonstration.
    pub trajectory: i64,
    /// The state's index.
    pub t: usize,
    /// The expert's action.
    pub expert: String,
    /// The policy's likeliest admissible action, if it is another one.
    pub instead: Option<String>,
    /// How sure it is of that; 0 where it agrees.
    pub sure: f64,
    /// Word F1 of the predicted next state of the expert's action.
    pub right: f64,
}

impl Surprise {
    /// How surprising: the larger of how wrong the prediction and how sure the disagreement is.
    pub fn size(&self) -> f64 {
        self.sure.max(1.0 - self.right)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Surprises {
    /// The most surprising state first.
    pub states: Vec<Surprise>,
    /// Demonstrations that are left out: their first observation alone is longer than what the
    /// model reads.
    pub unread: usize,
    /// How the policy's probabilities are known.
    pub scores: Scores,
}

/// The states of up to `games` demonstrations of a suite and split, the most surprising first. The
/// predictions are stored.
pub fn surprises(
    store: &mut Store,
    (suite, split): (&str, &str),
    games: usize,
    agent: &mut dyn Agent,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Surprises> {
    let mut demos = store.demonstrations(Some(suite), Some(split))?;
    demos.truncate(games);
    if demos.is_empty() {
        return Err(Error::new(format!("there are no demonstrations of {suite} / {split}"))
            .hint(format!("run: foretaste collect demos --suite {suite} --split {split}")));
    }
    let meter = Meter::new("surprises", 0, demos.len() as u64);
    let mut found = Vec::new();
    let mut unread = 0;
    let mut scores = agent.can().scores;
    for (i, demo) in demos.iter().enumerate() {
        let trajectory = store.trajectory(demo.id)?;
        if !agent.reads(&trajectory.state(0))? {
            unread += 1;
            continue;
        }
        let states: Vec<State> = (0..trajectory.steps.len()).map(|t| trajectory.state(t)).collect();
        let ways = states.iter().zip(&trajectory.steps).enumerate();
        let ways: Vec<(usize, (&State, &Step))> = ways.collect();
        let mut foreseen = Vec::new();
        for part in ways.chunks(agent.can().at_once.max(1)) {
            control.checkpoint()?;
            let of = |actions: fn(&Trajectory, usize) -> &[String]| -> Vec<Among<'_>> {
                part.iter()
                    .map(|(t, (state, _))| Among::of(state, actions(&trajectory, *t)))
                    .collect()
            };
            let taken = of(|trajectory, t| std::slice::from_ref(&trajectory.steps[t].action));
            let predicted = agent.predict(&taken, &control.cancel, &mut |_, _, _| {})?;
            let weighed = weigh(agent, &of(Trajectory::listed_at), 0, &control.cancel)?;
            // Where some had to be counted, all are taken for counted.
            scores = if weighed.scores == Scores::Frequency { weighed.scores } else { scores };
            for (((t, (_, step)), texts), shares) in part.iter().zip(predicted).zip(weighed.shares)
            {
                let t = *t;
                let text = texts.into_iter().next().unwrap_or_default();
                let right = rightness(&text, &step.observation);
                foreseen.push(Prediction {
                    trajectory: demo.id,
                    t,
                    action: step.action.clone(),
                    model: agent.world_name(),
                    text,
                    created_ms: 0,
                });
                let listed = trajectory.listed_at(t);
                let other = argmax(&shares).filter(|best| listed[*best] != step.action);
                found.push(Surprise {
                    trajectory: demo.id,
                    t,
                    expert: step.action.clone(),
                    instead: other.map(|best| listed[best].clone()),
                    sure: other.map_or(0.0, |best| shares[best]),
                    right,
                });
            }
        }
        store.add_predictions(&foreseen)?;
        report(meter.at(i as u64 + 1));
    }
    found.sort_by(|a, b| {
        b.size().total_cmp(&a.size()).then(a.trajectory.cmp(&b.trajectory)).then(a.t.cmp(&b.t))
    });
    Ok(Surprises { states: found, unread, scores })
}
