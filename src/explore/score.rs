//! What a policy finds likely in a state that was passed already.

use super::evaluate::thought_of;
use crate::agent::{Agent, Among, Scores, weigh};
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

/// The policy's share of each action, and how it is known.
pub fn score_state(
    agent: &mut dyn Agent,
    of: &ScoreState,
    cancel: &Cancel,
) -> Result<(Vec<f64>, Scores)> {
    let thought = thought_of(agent, &of.state, of.think, cancel)?;
    let among = Among { state: &of.state, thought: thought.as_deref(), actions: &of.actions };
    shares_of(agent, among, of.seed, cancel)
}

/// The same of one state, after a thought if there was one.
pub(super) fn shares_of(
    agent: &mut dyn Agent,
    among: Among<'_>,
    seed: u64,
    cancel: &Cancel,
) -> Result<(Vec<f64>, Scores)> {
    let weighed = weigh(agent, &[among], seed, cancel)?;
    cancel.check()?;
    Ok((weighed.shares.into_iter().next().unwrap_or_default(), weighed.scores))
}
