//! Training: objectives, examples as token trees, the update loop, checkpoints.

pub mod alerts;
pub mod checkpoint;
pub mod data;
pub mod examples;
pub mod trainer;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::lora::{Adapter, LINEARS};

/// What a run optimises (paper, sections 4.2 and 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The expert's actions only.
    Imitation,
    /// Implicit world modelling: first the next states of executed actions, the expert's included, then imitation on
    /// the same weights. The budget is *matched-total*: half of the updates each.
    WorldModel,
    /// Self-reflection: approved reflections, each ending on the expert's action, mixed with imitation.
    Reflection,
    /// All three at once. Not in the paper: it is how the embedded model was made, which must act, predict and explain.
    Joint,
}

impl Objective {
    /// The word used in commands, the store and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Imitation => "imitation",
            Self::WorldModel => "world-model",
            Self::Reflection => "reflection",
            Self::Joint => "joint",
        }
    }

    /// The objective of that word.
    pub fn from_word(word: &str) -> Result<Self> {
        let all = [Self::Imitation, Self::WorldModel, Self::Reflection, Self::Joint];
        all.into_iter().find(|o| o.word() == word).ok_or_else(|| {
            Error::new(format!("there is no objective `{word}`"))
                .hint("objectives: imitation, world-model, reflection, joint")
        })
    }

    /// How much each kind of target counts at update `step` of `steps`.
    pub fn mixture(self, step: u64, steps: u64) -> Mixture {
        match self {
            Self::WorldModel if step < steps / 2 => Mixture { action: 0.0, observation: 1.0, reflection: 0.0 },
            Self::Imitation | Self::WorldModel => Mixture { action: 1.0, observation: 0.0, reflection: 0.0 },
            Self::Reflection => Mixture { action: 1.0, observation: 0.0, reflection: 1.0 },
            Self::Joint => Mixture { action: 1.0, observation: 0.5, reflection: 0.3 },
        }
    }
}

/// Weight of each kind of target token in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mixture {
    /// Tokens of the expert's actions.
    pub action: f32,
    /// Tokens of next observations.
    pub observation: f32,
    /// Tokens of reflections and of the action that follows them.
    pub reflection: f32,
}

/// Everything that decides what a run does; stored with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is optimised.
    pub objective: Objective,
    /// Updates in all.
    pub steps: u64,
    /// Trees an update.
    pub batch: usize,
    /// Peak learning rate; warmed up over the first twentieth, then a cosine down to a tenth.
    pub rate: f64,
    /// Seed of the data order.
    pub seed: u64,
    /// Threads that each work on their own trees.
    pub workers: usize,
    /// Updates between checkpoints.
    pub save_every: u64,
    /// Only data of this suite, if named.
    pub suite: Option<String>,
    /// Only demonstrations of this split, if named: what is collected on the others is for testing.
    #[serde(default)]
    pub split: Option<String>,
    /// The rank of an adapter beside all linear layers, trained in place of the weights (its scale is 2).
    #[serde(default)]
    pub lora: Option<usize>,
    /// Tokens of one pass at most; an update's trees are packed into as many passes as they need.
    #[serde(default = "budget")]
    pub budget: usize,
    /// Compute layers again on the way back instead of keeping what they computed.
    #[serde(default)]
    pub recompute: bool,
    /// Bytes of memory that the run may take; without it, what the machine has free when it starts.
    #[serde(default)]
    pub memory_limit: Option<u64>,
}

fn budget() -> usize {
    2048
}

impl Plan {
    /// The usual plan for an objective.
    pub fn new(objective: Objective, steps: u64, seed: u64) -> Self {
        let (save_every, split) = ((steps / 4).max(25), Some("train".to_string()));
        Self {
            objective,
            steps,
            batch: 8,
            rate: 1e-3,
            seed,
            workers: 2,
            save_every,
            suite: None,
            split,
            lora: None,
            budget: budget(),
            recompute: false,
            memory_limit: None,
        }
    }

    /// A fresh adapter for a model, if the plan wants one.
    pub fn adapter(&self, config: &Config) -> Result<Option<Adapter>> {
        self.lora.map(|rank| Adapter::new(config, rank, 2.0 * rank as f64, &LINEARS, self.seed)).transpose()
    }

    /// The learning rate at an update.
    pub fn rate_at(&self, step: u64) -> f64 {
        let warm = (self.steps / 20).max(1);
        if step < warm {
            return self.rate * (step + 1) as f64 / warm as f64;
        }
        let share = (step - warm) as f64 / (self.steps.saturating_sub(warm)).max(1) as f64;
        self.rate * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_modelling_comes_before_imitation_within_one_budget() {
        let before = Objective::WorldModel.mixture(49, 100);
        let after = Objective::WorldModel.mixture(50, 100);
        assert_eq!((before.action > 0.0, before.observation > 0.0), (false, true));
        assert_eq!((after.action > 0.0, after.observation > 0.0), (true, false));
    }

    #[test]
    fn the_rate_rises_then_falls_and_never_leaves_its_bounds() {
        let plan = Plan::new(Objective::Imitation, 200, 1);
        let rates: Vec<f64> = (0..200).map(|step| plan.rate_at(step)).collect();
        assert!(rates.iter().all(|r| (0.0..=plan.rate * 1.000_001).contains(r)));
        assert!(rates[0] < rates[9] && rates[199] < 0.11 * plan.rate);
    }
}
