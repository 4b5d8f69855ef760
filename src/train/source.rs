//! Where the batches of a run come from.

use super::data::{Data, Epochs};
use super::examples::Example;
use super::plan::{Plan, Stage};
use super::rl::estimate::{Rollout, Term};
use super::update::Metrics;
use crate::error::Result;
use crate::experience::Trajectory;
use crate::model::weights::Trainable;

/// The trees of an update, and what the sum of their losses is divided by.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The trees; a target's weight may be negative (an action that turned out worse than
    /// expected).
    pub trees: Vec<Example>,
    /// What losses and gradients are divided by.
    pub normaliser: f64,
    /// What was measured in making it, by name. A `loss` among it is what is optimised: the trees'
    /// own then only have its gradient.
    pub measured: Metrics,
    /// Tokens that were computed in making it: what was sampled, and what other weights, or these in
    /// later passes, were asked about.
    pub computed: usize,
    /// Rollouts that are kept to be looked at.
    pub kept: Vec<KeptGroup>,
}

/// A group of rollouts with what each choice was worth.
#[derive(Debug, Clone, Default)]
pub struct KeptGroup {
    /// What happened in each.
    pub trajectories: Vec<Trajectory>,
    /// The same as it was estimated from.
    pub rollouts: Vec<Rollout>,
    /// What came of it.
    pub terms: Vec<Term>,
}

impl Batch {
    /// The mean over all target tokens by their weights, which is what supervised objectives
    /// optimise.
    pub fn mean(trees: Vec<Example>) -> Self {
        let weight: f64 = trees.iter().map(|example| example.tree.weight()).sum();
        let (normaliser, measured, kept) = (weight.max(1.0), Vec::new(), Vec::new());
        Self { trees, normaliser, measured, computed: 0, kept }
    }
}

/// Hands out the batches of a run's updates.
pub trait Source {
    /// Steps of the optimiser that an update makes, each with a batch of its own.
    fn passes(&self) -> usize {
        1
    }

    /// The batch of an update of a stage, both counted from 0, and of one of its passes, in their
    /// order. It may depend on the weights as they are now (a policy that is being trained samples
    /// what it learns from); asked again for the same update with the same weights, it is the same.
    fn batch(
        &mut self,
        stage: usize,
        update: u64,
        pass: usize,
        weights: &Trainable,
    ) -> Result<Batch>;

    /// What is held out: never in a batch.
    fn held_out(&self) -> &[Example];

    /// What the weights are worth on it by the measure that these batches optimise, where that is
    /// not the cost of tokens.
    fn measure(&self, _: &Trainable) -> Result<Metrics> {
        Ok(Metrics::new())
    }
}

/// Batches of what is stored, in epochs whose order follows from the plan's seed alone.
pub(super) struct Stored<'a> {
    plan: &'a Plan,
    data: &'a Data,
    epochs: Vec<Epochs<'a>>,
}

impl<'a> Stored<'a> {
    pub fn new(plan: &'a Plan, data: &'a Data, stages: &[Stage]) -> Self {
        Self {
            plan,
            data,
            epochs: stages.iter().map(|stage| data.epochs(plan.seed, stage)).collect(),
        }
    }
}

impl Source for Stored<'_> {
    fn batch(&mut self, stage: usize, update: u64, _: usize, _: &Trainable) -> Result<Batch> {
        let trees = self.epochs.get_mut(stage).map(|epochs| epochs.batch(update, self.plan.batch));
        Ok(Batch::mean(trees.unwrap_or_default()))
    }

    fn held_out(&self) -> &[Example] {
        &self.data.held_out
    }
}
