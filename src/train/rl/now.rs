//! What the policy would do now in the states of a rollout that it learnt from, beside what it would
//! have done when the rollout was drawn.

use crate::agent::{self, Agent, Among, log_shares, scores_of};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::Trajectory;
use crate::model::team::Priority;
use crate::store::{RolloutRow, Store};

/// Shares of the listed actions by state, at the temperature that the run plays at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Now {
    /// Whose: the newest checkpoint of the run that learnt from the rollout.
    pub policy: String,
    /// By state, in the order of its list; empty where nothing is listed.
    pub shares: Vec<Vec<f32>>,
}

/// Asks the newest checkpoint of the run that learnt from a rollout.
///
/// # Errors
/// Where the run has saved none yet.
pub fn now(
    store: &Store,
    row: &RolloutRow,
    trajectory: &Trajectory,
    cancel: &Cancel,
) -> Result<Now> {
    let run = row.run;
    let saved = store.latest_checkpoint(Some(run))?.ok_or_else(|| {
        Error::new(format!("run {run} has saved no checkpoint yet"))
            .hint("what its policy would do now is known from its first one on")
    })?;
    let config: serde_json::Value = serde_json::from_str(&store.run(run)?.config)
        .map_err(|e| Error::new(format!("the settings of run {run}: {e}")))?;
    let temperature = config["plan"]["rl"]["temperature"].as_f64().unwrap_or(1.0);
    let name = saved.name();
    let mut policy = agent::open(store, Some(&name), None, Priority::Interactive)?;
    let shares = of_states(policy.as_mut(), trajectory, temperature, cancel)?;
    Ok(Now { policy: name, shares })
}

fn of_states(
    policy: &mut dyn Agent,
    trajectory: &Trajectory,
    temperature: f64,
    cancel: &Cancel,
) -> Result<Vec<Vec<f32>>> {
    let mut found = Vec::with_capacity(trajectory.steps.len());
    for t in 0..trajectory.steps.len() {
        cancel.check()?;
        let list = trajectory.listed_at(t);
        let state = trajectory.state(t);
        let scores = if list.is_empty() {
            None
        } else {
            scores_of(policy, &[Among::of(&state, list)], cancel)?
        };
        let shares = scores.and_then(|mut all| all.pop()).unwrap_or_default();
        found.push(log_shares(&shares, temperature).iter().map(|log| log.exp() as f32).collect());
    }
    Ok(found)
}
