//! The language model as an agent: asked to act, to predict, and to explain.
//!
//! The three traits are what the rest of the program knows; [`local::LocalAgent`] answers them with a model in this
//! process, [`template::Template`] writes reflections with no model at all.

pub mod choosing;
pub mod local;
pub mod prompt;
pub mod template;

use crate::error::Result;
use crate::experience::{Branch, State};

/// Chooses actions, at once or after a thought: p(a | s), or p(c | s) and then p(a | s, c), which is what training on
/// reflections makes (paper, section 4.3).
pub trait Policy {
    /// What it goes by ("embedded", "run 3 step 200").
    fn name(&self) -> String;

    /// Whether what a state begins with (the task and the first observation) is short enough for it; later steps are left
    /// out where there is no room for them.
    fn reads(&self, _state: &State) -> Result<bool> {
        Ok(true)
    }

    /// What it thinks in this state, sampled at a temperature (0: the likeliest words).
    fn think(&mut self, state: &State, temperature: f64, seed: u64) -> Result<String>;

    /// Log-probability in nats of each action as a whole in this state, after the thought if there is one.
    fn score(&mut self, state: &State, thought: Option<&str>, actions: &[String]) -> Result<Vec<f64>>;

    /// Samples an action as free text for each of some seeds, at a temperature (0: the likeliest words), after the
    /// thought if there is one. The text of a seed does not depend on the others.
    fn propose(&mut self, state: &State, thought: Option<&str>, temperature: f64, seeds: &[u64]) -> Result<Vec<String>>;
}

/// Predicts what actions lead to.
pub trait WorldModel {
    /// The next observation after each action, the likeliest tokens. `each` sees the text of prediction `i` as it
    /// grows and ends the work by answering `false`.
    fn predict(
        &mut self,
        state: &State,
        actions: &[String],
        each: &mut (dyn FnMut(usize, &str) -> bool + Send),
    ) -> Result<Vec<String>>;
}

/// What acts and predicts.
pub trait Agent: Policy + WorldModel {}

impl<T: Policy + WorldModel> Agent for T {}

/// One state with everything that was executed in it, from which a reflection is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The state.
    pub state: State,
    /// The expert's action.
    pub action: String,
    /// What it led to.
    pub outcome: String,
    /// The executed alternatives that it is contrasted with; never empty.
    pub alternatives: Vec<Branch>,
    /// What else was executed here: alternatives that are as good, and those of other pools.
    pub others: Vec<Branch>,
    /// What could be done here, where it is listed.
    pub admissible: Vec<String>,
}

/// Explains why the expert's action is preferable.
pub trait Reflector {
    /// What the reflection is labelled with; of a writer that does not see outcomes, it begins with
    /// [`crate::experience::RATIONALE`].
    fn generator(&self) -> String;

    /// Whether the writer is given the executed outcomes. What it writes without them is a rationale: it cites nothing,
    /// and no run trains on it unless asked to.
    fn sees_outcomes(&self) -> bool;

    /// Writes the monologue.
    fn reflect(&mut self, case: &Case, seed: u64) -> Result<String>;
}

/// Who may write another attempt at a reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The model, at temperature 0.7.
    Model,
    /// The model, the likeliest words.
    Greedy,
    /// The model, at temperature 1.1.
    Bold,
    /// The template.
    Template,
}

impl Writer {
    /// All of them, with what a person should know.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Model, "the model in Explore, temperature 0.7: a rationale, it sees no outcome"),
        (Self::Greedy, "the same, its likeliest words"),
        (Self::Bold, "the same, temperature 1.1"),
        (Self::Template, "the template, from the executed outcomes"),
    ];
}

/// Turns log-probabilities of a closed list into shares that add up to one.
pub fn shares(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = scores.iter().map(|s| if top.is_finite() { (s - top).exp() } else { 1.0 }).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|r| if total > 0.0 { r / total } else { 0.0 }).collect()
}

/// The index of the largest of some scores; none of none.
pub fn likeliest(scores: &[f64]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_even_when_all_is_impossible() {
        assert!((shares(&[-1.0, -2.0, -900.0]).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(shares(&[f64::NEG_INFINITY; 2]), [0.5, 0.5]);
        assert!(shares(&[]).is_empty());
    }
}
