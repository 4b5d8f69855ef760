//! The reinforcement learning that a study goes on with.

use serde::{Deserialize, Serialize};

use crate::selection::Share;
use crate::train::rl::{Method, Rl};

/// Reinforcement learning that every arm's model goes on with, each by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// How a choice's worth is estimated.
    pub method: Method,
    /// Tokens after which it ends, sampled, trained on and read by the start: the same for every arm and method.
    pub tokens: u64,
    /// The learning rate, which does not fall.
    pub rate: f64,
    /// Tasks an update.
    #[serde(default = "eight")]
    pub tasks: usize,
    /// Rollouts of each; without it the method's usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// Steps of a rollout at most.
    #[serde(default = "thirty")]
    pub limit: usize,
    /// Temperature of who plays.
    #[serde(default = "one")]
    pub temperature: f64,
    /// Which games of the split are played.
    #[serde(default, skip_serializing_if = "Games::is_usual")]
    pub games: Games,
}

/// Which games of the split that is trained on reinforcement learning plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Games {
    /// Those of the demonstrations.
    #[default]
    Demonstrated,
    /// All of them: playing needs no demonstration.
    All,
}

impl Games {
    /// Whether nothing has to be said of it; lines from before it could be said have nothing.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks it")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Bridge {
    /// In words: the method, and where other games are played than those of the demonstrations.
    pub fn told(&self) -> String {
        let games = if self.games == Games::All { " (all games)" } else { "" };
        format!("{}{games}", self.method.as_str())
    }

    /// The share of the split that is played, of that of the demonstrations.
    pub fn share(&self, demonstrated: Share) -> Option<Share> {
        (self.games == Games::Demonstrated).then_some(demonstrated)
    }

    /// As a run has it.
    pub fn settings(&self) -> Rl {
        let usual = Rl::new(self.method);
        Rl {
            tokens: Some(self.tokens),
            group: self.group.unwrap_or(usual.group),
            limit: self.limit,
            temperature: self.temperature,
            validation: 0,
            kept: 0,
            ..usual
        }
    }
}

fn eight() -> usize {
    8
}

fn thirty() -> usize {
    30
}

fn one() -> f64 {
    1.0
}
