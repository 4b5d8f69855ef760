//! How predictable an expert is: what a policy gives its actions in states of demonstrations that it was not trained on.

use serde::Serialize;

use crate::agent::local::LocalAgent;
use crate::agent::{Policy, shares};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::store::Store;

/// A policy beside an expert's demonstrations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The policy.
    pub checkpoint: String,
    /// The expert.
    pub expert: String,
    /// Demonstrations of it.
    pub demonstrations: usize,
    /// Their states.
    pub states: usize,
    /// Share of states in which the policy's likeliest admissible action is the expert's.
    pub same: f64,
    /// Mean surprise at the expert's action in bits, renormalised over the admissible actions.
    pub bits: f64,
    /// The same if all admissible actions were equally likely.
    pub bits_uniform: f64,
}

/// Scores up to `games` stored demonstrations of an expert.
pub fn agreement(
    store: &Store,
    (suite, split, expert): (&str, &str, &str),
    games: usize,
    agent: &mut LocalAgent,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Agreement> {
    let mut demos = store.demonstrations(Some(suite), Some(split))?;
    demos.retain(|demo| demo.actor == expert);
    demos.truncate(games);
    if demos.is_empty() {
        return Err(Error::new(format!("there are no demonstrations of {suite} / {split} by {expert}"))
            .hint(format!("run: foretaste collect demos --suite {suite} --split {split} --expert {expert}")));
    }
    let meter = Meter::new("demonstrations", 0, demos.len() as u64);
    let (mut states, mut same, mut bits, mut uniform) = (0, 0, 0.0, 0.0);
    for (i, demo) in demos.iter().enumerate() {
        let trajectory = store.trajectory(demo.id)?;
        for (t, step) in trajectory.steps.iter().enumerate() {
            control.checkpoint()?;
            let listed = trajectory.admissible_at(t).to_vec();
            let Some(expert) = listed.iter().position(|action| *action == step.action) else { continue };
            let shares = shares(&agent.score(&trajectory.state(t), &listed)?);
            states += 1;
            same += usize::from(shares.iter().all(|share| *share <= shares[expert]));
            bits -= shares[expert].max(f64::MIN_POSITIVE).log2();
            uniform += (listed.len() as f64).log2();
        }
        report(meter.at(i as u64 + 1));
    }
    let mean = |sum: f64| if states == 0 { 0.0 } else { sum / states as f64 };
    Ok(Agreement {
        checkpoint: agent.model().source.clone(),
        expert: expert.to_string(),
        demonstrations: demos.len(),
        states,
        same: mean(same as f64),
        bits: mean(bits),
        bits_uniform: mean(uniform),
    })
}
