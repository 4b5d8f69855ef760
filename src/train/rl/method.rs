//! The named methods, as settings of one estimator.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How a choice's worth is estimated. `r_i` is what rollout `i` of a group of `G` was worth, `R_t` what
/// came after step `t`, a step later counting `γ` less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The steps of rollouts that were won are imitated (filtered behaviour cloning, ReST): the
    /// baseline of all others.
    ExpertIteration,
    /// REINFORCE against the mean of the other rollouts: `A = r_i - mean_{j≠i} r_j` (RLOO,
    /// 2402.14740). Unbiased.
    Rloo,
    /// `A = (r_i - mean r) / std r`, each rollout's steps averaged, ratio clipped at 0.2, k3 to the
    /// start with 0.04 (GRPO, 2402.03300). Favours short successes and long failures, and tasks that
    /// are nearly all won or lost.
    Grpo,
    /// `A = r_i - mean r`, steps summed and divided by a constant, no KL (Dr.GRPO, 2503.20783): RLOO
    /// times `(G - 1) / G`.
    DrGrpo,
    /// GRPO's `A`, one mean over all steps of the batch, ratio clipped at 0.2 and 0.28, no KL, and
    /// tasks are drawn until as many groups as asked for have spread (DAPO, 2503.14476).
    Dapo,
    /// GRPO's `A` of the episode, and beside it the same among all steps of the group that stand in
    /// *one state*, by `R_t` (GiGPO, 2505.10978); states are compared by the world's own hash, and
    /// rollouts count alike in the mean whatever their length.
    Gigpo,
    /// `A_t = r_t + γ V(s_{t+1}) - V(s_t)` with `V` the mean of fresh rollouts from a fork
    /// (VinePPO, 2410.01679). Where not every state is forked, of the steps between two forks
    /// together (SPO). Unbiased at `γ = 1`.
    VinePpo,
    /// A child of a fork against the mean of its siblings, each worth the mean of what its own
    /// children are worth, a leaf what it came to (TreeRPO, Tree-GRPO 2509.21240); the rollouts themselves are siblings at the root.
    Tree,
    /// Ours: at a fork `M` *distinct* actions, drawn without replacement, are each played on; `Q` is
    /// pooled over all that did this in this exact state at this step, `V = Σ π̃ Q` over these actions, and
    /// the gradient is that of all of them, `Σ π̃ (Q - V) ∇ log π`: no draw of an action is noise in
    /// it, and the episode's term, elsewhere `R_t` less the mean of the other rollouts, is left out
    /// there. Unbiased at `γ = 1` where a fork covers the list. In a state without a fork that `n`
    /// others met at this step, `R_t` less their mean stands with `n / (n + 2)` beside the episode's
    /// term with the rest.
    Forks,
}

impl Method {
    /// All of them, the simplest first.
    pub const ALL: [Self; 9] = [
        Self::ExpertIteration,
        Self::Rloo,
        Self::Grpo,
        Self::DrGrpo,
        Self::Dapo,
        Self::Gigpo,
        Self::VinePpo,
        Self::Tree,
        Self::Forks,
    ];

    /// The word used in commands, the store and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExpertIteration => "expert-iteration",
            Self::Rloo => "rloo",
            Self::Grpo => "grpo",
            Self::DrGrpo => "dr-grpo",
            Self::Dapo => "dapo",
            Self::Gigpo => "gigpo",
            Self::VinePpo => "vine-ppo",
            Self::Tree => "tree",
            Self::Forks => "forks",
        }
    }

    /// In a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::ExpertIteration => "imitates its own won rollouts",
            Self::Rloo => "each rollout against the mean of the others",
            Self::Grpo => "as published: by the group's mean and deviation",
            Self::DrGrpo => "GRPO without its two biases",
            Self::Dapo => "GRPO on groups with spread, clipped higher above",
            Self::Gigpo => "GRPO, and again among steps in the same state",
            Self::VinePpo => "values from fresh rollouts at forks",
            Self::Tree => "children of a fork against their siblings",
            Self::Forks => "distinct actions at exact forks, all in the gradient",
        }
    }

    /// The method of that word.
    pub fn from_name(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.into_iter().map(Self::as_str).collect();
            Error::usage(format!("there is no method `{word}`"))
                .hint(format!("methods: {}", all.join(", ")))
        })
    }

    /// The ratio's limits and the weight of the distance from the start, as published.
    pub(super) fn usual(self) -> ((f64, f64), f64) {
        match self {
            Self::Grpo => ((0.2, 0.2), 0.04),
            Self::Gigpo => ((0.2, 0.2), 0.01),
            Self::Dapo | Self::Forks => ((0.2, 0.28), 0.0),
            _ => ((0.2, 0.2), 0.0),
        }
    }

    /// What a step later is worth less, of methods that count what comes after a state. GiGPO's as
    /// published; at 1 the others are the gradient of success, without bias where they claim it.
    pub fn discount(self) -> Option<f64> {
        match self {
            Self::Gigpo => Some(0.95),
            Self::VinePpo | Self::Tree | Self::Forks => Some(1.0),
            _ => None,
        }
    }

    /// Whether it says something of a rollout only beside another of the same task.
    pub(super) fn compares_rollouts(self) -> bool {
        self != Self::ExpertIteration
    }

    /// Whether it plays on from states of its rollouts.
    pub fn forks(self) -> bool {
        matches!(self, Self::VinePpo | Self::Tree | Self::Forks)
    }

    /// Whether it takes other tasks in place of those whose rollouts all end alike.
    pub(super) fn draws_again(self) -> bool {
        self == Self::Dapo
    }
}
