//! How fast weights are changed, and what holds them back.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A peak rate above this is refused: `AdamW` moves every weight by about the rate at each update,
/// and the weights of language models are of the order of 0.05.
pub const RUINOUS: f64 = 0.03;

/// How the learning rate falls after its warm-up, within a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
    /// It does not fall.
    Constant,
}

impl Schedule {
    /// The word used in commands and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Linear => "linear",
            Self::Constant => "constant",
        }
    }
}

/// What an update is made with besides its gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// How the rate falls.
    pub schedule: Schedule,
    /// The share of a stage's updates over which the rate rises to its peak.
    pub warmup: f64,
    /// What the rate falls to, as a share of its peak.
    pub floor: f64,
    /// Weight decay (decoupled, times the rate; gains of norms have none).
    pub decay: f64,
    /// Gradients are scaled down to this global norm.
    pub clip: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { schedule: Schedule::Cosine, warmup: 0.05, floor: 0.1, decay: 0.01, clip: 1.0 }
    }
}

impl Tuning {
    /// One rate from the first update to the last, whenever that is.
    pub fn steady() -> Self {
        Self { schedule: Schedule::Constant, warmup: 0.0, ..Self::default() }
    }

    /// The usual one: of a run that ends by its tokens nobody knows how many updates it makes, and a
    /// share of those that it might make would be all of the run.
    pub fn usual(by_tokens: bool) -> Self {
        if by_tokens { Self::steady() } else { Self::default() }
    }

    /// Refuses numbers that mean nothing.
    pub fn check(&self) -> Result<()> {
        let Self { warmup, floor, decay, clip, schedule } = *self;
        let usual = Self::default();
        let ranges = [
            ("a warm-up", warmup, 0.0..=1.0, "a share of the updates, from 0 to 1; usual: 0.05"),
            ("a floor of the rate", floor, 0.0..=1.0, "a share of its peak, from 0 to 1"),
            ("a weight decay", decay, 0.0..=10.0, "from 0 to 10; usual: 0.01 to 0.1"),
            ("clipping at", clip, 1e-6..=1e9, "a norm above 0; usual: 1"),
        ];
        if let Some((what, value, _, hint)) =
            ranges.into_iter().find(|(_, value, range, _)| !range.contains(value))
        {
            return Err(Error::new(format!("{what} of {value}")).hint(hint));
        }
        if schedule == Schedule::Constant && floor.to_bits() != usual.floor.to_bits() {
            return Err(Error::new("a floor (--floor) means nothing for a constant rate")
                .hint("leave it out"));
        }
        Ok(())
    }

    /// The share of the peak rate at an update of a stage, both counted from its beginning.
    pub fn share_at(&self, step: u64, updates: u64) -> f64 {
        // A share of a whole number of updates may fall short of it by rounding.
        let warm = ((updates as f64 * self.warmup + 1e-9) as u64).max(1);
        if step < warm {
            return (step + 1) as f64 / warm as f64;
        }
        let done = (step - warm) as f64 / (updates.saturating_sub(warm)).max(1) as f64;
        let done = done.min(1.0);
        let left = match self.schedule {
            Schedule::Constant => return 1.0,
            Schedule::Linear => 1.0 - done,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        };
        self.floor + (1.0 - self.floor) * left
    }
}

#[cfg(test)]
#[path = "tuning_tests.rs"]
mod tests;
