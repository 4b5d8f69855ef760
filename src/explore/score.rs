//! What a policy finds likely in a state that was passed already.

use super::evaluate::thought_of;
use crate::agent::{Agent, Among, weigh};
use crate::control::Cancel;
use crate::error::Result;
use crate::experience::State;

/// A state to be scored.
#[derive(Debug, Clone)]
pub struct ScoreState {
    /// The state.
    pub state: State,
    /// All admissible actions.
    pub actions: Vec<String>,
    /// Seed of the samples, where those are counted.
    pub seed: u64,
    /// Whether the policy thinks before it acts.
    pub think: bool,
}

/// The policy's share of each action.
pub fn score_state(agent: &mut dyn Agent, of: &ScoreState, cancel: &Cancel) -> Result<Vec<f64>> {
    let thought = thought_of(agent, &of.state, of.think, cancel)?;
    let among = Among { state: &of.state, thought: thought.as_deref(), actions: &of.actions };
    let weighed = weigh(agent, &[among], of.seed, cancel)?;
    cancel.check()?;
    Ok(weighed.shares.into_iter().next().unwrap_or_default())
}
