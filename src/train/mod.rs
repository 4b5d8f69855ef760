//! Training: objectives, examples as token trees, the update loop, checkpoints.

pub mod alerts;
mod apart;
pub mod checkpoint;
mod command;
pub mod data;
pub mod elsewhere;
pub mod engine;
pub mod examples;
mod figures;
mod forecast;
mod listing;
mod missing;
mod plan;
mod preferred;
mod provenance;
pub mod rl;
mod run;
mod sets;
pub mod source;
mod stages;
mod start;
pub mod torchrun;
pub mod trainer;
mod tuning;
mod update;
mod vocabulary;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::selection::Carry;
pub use apart::goes_on_apart;
pub use command::command;
use examples::TokenRole;
pub use figures::{CheckpointFigures, RunFigures, best_of, figures, stage_ends};
pub use forecast::{Forecast, forecast};
pub use plan::{Budget, Found, Moments, Plan, Stage};
pub use preferred::Preferences;
pub use provenance::{Origin, Provenance, origin, provenance, recorded, trained_on, warnings};
pub use sets::{Sets, built_in, sets, usual_split, usual_start};
pub use tuning::{RUINOUS, Schedule, Tuning};
pub use vocabulary::texts;

/// What a run optimises (paper, sections 4.2 and 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The expert's actions only.
    Imitation,
    /// Implicit world modelling: first the next states of executed actions, the expert's included,
    /// then imitation on the same weights. [`Budget`] says how many updates each gets.
    WorldModel,
    /// Self-reflection: approved reflections, each ending on the expert's action, mixed with
    /// imitation.
    Reflection,
    /// World modelling, then reflection on the same weights: both uses of early experience, one
    /// after the other. Not in the paper, which never combines them.
    Both,
    /// The expert's action among all that could be done: cross-entropy over the list in place of
    /// tokens. Not in the paper: the contrast of alternatives without their outcomes.
    List,
    /// The expert's action above each executed alternative that is worse: direct preference
    /// optimisation (arXiv 2305.18290) with the run's start as its reference. Not in the paper: the
    /// contrast of alternatives by preference, without a text and without their outcomes.
    Dpo,
    /// All three at once. Not in the paper: it is how the embedded model was made, which must act,
    /// predict and explain.
    Joint,
    /// Reinforcement learning: what came of its own play, in groups of rollouts from exact forks
    /// ([`rl`]). The paper's fourth use of early experience is as a start for it.
    Rl,
}

impl Objective {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Imitation,
        Self::WorldModel,
        Self::Reflection,
        Self::Both,
        Self::List,
        Self::Dpo,
        Self::Joint,
        Self::Rl,
    ];

    /// The word used in commands, the store and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imitation => "imitation",
            Self::WorldModel => "world-model",
            Self::Reflection => "reflection",
            Self::Both => "both",
            Self::List => "list",
            Self::Dpo => "dpo",
            Self::Joint => "joint",
            Self::Rl => "rl",
        }
    }

    /// The objective of that word.
    pub fn from_name(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word).ok_or_else(|| {
            Error::usage(format!("there is no objective `{word}`"))
                .hint("objectives: imitation, world-model, reflection, both, list, dpo, joint, rl")
        })
    }

    /// The parts of the data that it has targets in.
    pub fn carry(self) -> Carry {
        Carry {
            branches: matches!(self, Self::WorldModel | Self::Both | Self::Dpo | Self::Joint),
            reflections: self.reflects() || self == Self::Joint,
        }
    }

    /// Whether it begins with a stage of world modelling.
    pub fn foresees_first(self) -> bool {
        matches!(self, Self::WorldModel | Self::Both)
    }

    /// Whether it holds an action against others that stand beside it.
    pub fn compares(self) -> bool {
        matches!(self, Self::List | Self::Dpo)
    }

    /// Whether it learns from stored text alone, so that another engine can be fed with it: nothing of it
    /// is weighed by the policy as it is.
    pub fn is_fed(self) -> bool {
        self != Self::Rl && !self.compares()
    }

    /// Whether what it makes is meant to think before it acts.
    pub fn reflects(self) -> bool {
        matches!(self, Self::Reflection | Self::Both)
    }
}

/// Weight of each kind of target token in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Tokens of the expert's actions.
    pub action: f32,
    /// Tokens of next observations.
    pub observation: f32,
    /// Tokens of reflections.
    pub reflection: f32,
    /// Tokens of the action that follows a reflection.
    pub conclusion: f32,
}

impl Mixture {
    /// Everything counts alike: what validation measures.
    pub const ALL: Self = Self { action: 1.0, observation: 1.0, reflection: 1.0, conclusion: 1.0 };
    /// Imitation: the expert's actions only.
    pub const IMITATION: Self =
        Self { action: 1.0, observation: 0.0, reflection: 0.0, conclusion: 0.0 };
    /// World modelling: next states only.
    pub const WORLD: Self =
        Self { action: 0.0, observation: 1.0, reflection: 0.0, conclusion: 0.0 };
    /// Reflections with the actions after them, and the expert's actions at the same states without
    /// one.
    pub const REFLECTION: Self =
        Self { action: 1.0, observation: 0.0, reflection: 1.0, conclusion: 1.0 };
    /// All at once.
    pub const JOINT: Self =
        Self { action: 1.0, observation: 0.5, reflection: 0.3, conclusion: 0.3 };

    /// The weight of a kind of token.
    pub fn of(&self, kind: TokenRole) -> f32 {
        match kind {
            TokenRole::Context => 0.0,
            TokenRole::Action => self.action,
            TokenRole::Observation => self.observation,
            TokenRole::Reflection => self.reflection,
            TokenRole::Conclusion => self.conclusion,
        }
    }
}
