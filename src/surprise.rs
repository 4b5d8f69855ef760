//! Where a model is most surprised: states of demonstrations in which its prediction was most wrong, or in which its
//! policy was most sure of another action than the expert's.

use serde::Serialize;

use crate::agent::local::LocalAgent;
use crate::agent::{Policy, WorldModel, likeliest, shares};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::experience::word_f1;
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surprises {
    /// The most surprising state first.
    pub states: Vec<Surprise>,
    /// Demonstrations that are left out: their first observation alone is longer than what the model reads.
    pub unread: usize,
}

/// The states of up to `games` demonstrations of a suite and split, the most surprising first. The predictions are
/// stored.
pub fn surprises(
    store: &mut Store,
    (suite, split): (&str, &str),
    games: usize,
    agent: &mut LocalAgent,
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
    let (mut found, mut unread) = (Vec::new(), 0);
    for (i, demo) in demos.iter().enumerate() {
        let trajectory = store.trajectory(demo.id)?;
        if !agent.reads(&trajectory.state(0))? {
            unread += 1;
            continue;
        }
        let mut foreseen = Vec::new();
        for (t, step) in trajectory.steps.iter().enumerate() {
            control.checkpoint()?;
            let state = trajectory.state(t);
            let predicted = agent.predict(&state, std::slice::from_ref(&step.action), &mut |_, _| true)?;
            let text = predicted.into_iter().next().unwrap_or_default();
            let right = word_f1(&text, &step.observation);
            let (action, model) = (step.action.clone(), agent.model().source.clone());
            foreseen.push(Prediction { trajectory: demo.id, t, action, model, text });
            let listed = trajectory.listed_at(t);
            let shares = shares(&agent.score(&state, None, listed)?);
            let other = likeliest(&shares).filter(|best| listed[*best] != step.action);
            found.push(Surprise {
                trajectory: demo.id,
                t,
                expert: step.action.clone(),
                instead: other.map(|best| listed[best].clone()),
                sure: other.map_or(0.0, |best| shares[best]),
                right,
            });
        }
        store.add_predictions(&foreseen)?;
        report(meter.at(i as u64 + 1));
    }
    found.sort_by(|a, b| b.size().total_cmp(&a.size()).then(a.trajectory.cmp(&b.trajectory)).then(a.t.cmp(&b.t)));
    Ok(Surprises { states: found, unread })
}
