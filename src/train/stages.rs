//! The parts of a run, and how updates are shared out among them.

use serde::{Deserialize, Serialize};

use super::Mixture;

/// How many updates world modelling and what comes after it (imitation, or reflection) get, against
/// a run of that alone of as many `steps` (`method.md` 1.5 of the project's notes on the paper). Other objectives have one
/// stage of `steps` updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// The stage after it has all `steps`; world modelling comes before it (the authors'
    /// configurations).
    #[default]
    Stage2,
    /// Both stages together have `steps`; world modelling gets at most half of them.
    Total,
    /// Both stages together compute as many tokens as `steps` updates of the second; world
    /// modelling at most half.
    Tokens,
}

impl Budget {
    /// The word used in commands and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stage2 => "matched stage 2",
            Self::Total => "matched total",
            Self::Tokens => "matched tokens",
        }
    }
}

/// What becomes of the optimiser's moments where one stage ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Moments {
    /// They begin anew, as in two runs one after the other (the authors' configurations).
    #[default]
    Reset,
    /// They are kept.
    Keep,
}

/// A part of a run with one mixture and one schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What it is called ("world-model", "imitation").
    pub name: String,
    /// Its updates.
    pub updates: u64,
    /// What it optimises.
    pub mixture: Mixture,
    /// Trees that have a target in it: an epoch visits each once.
    pub trees: usize,
    /// Mean tokens of one of them; 0 where that is not known.
    #[serde(default)]
    pub tokens: f64,
}

impl Stage {
    /// What so many updates of some stages take together, by their tokens.
    pub fn work(stages: &[Self], updates: u64) -> f64 {
        let mut left = updates;
        let mut sum = 0.0;
        for stage in stages {
            let own = left.min(stage.updates);
            left -= own;
            sum += own as f64 * stage.tokens.max(1.0);
        }
        sum
    }

    /// How often it has been through its trees after so many of its updates.
    pub fn seen(&self, updates: u64, batch: usize) -> f64 {
        (updates * batch as u64) as f64 / self.trees.max(1) as f64
    }

    /// Whether the order of what it visits goes round so many times.
    pub fn epochs(&self, batch: usize) -> f64 {
        self.seen(self.updates, batch)
    }
}

/// What a mixture finds in the data: trees with a target, and the mean number of their tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Trees.
    pub trees: usize,
    /// Mean tokens of one.
    pub tokens: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_of_a_stage_count_by_what_they_take() {
        let stage = |updates, tokens| Stage {
            name: "s".into(),
            updates,
            mixture: Mixture::WORLD,
            trees: 3,
            tokens,
        };
        let both = [stage(10, 5.0), stage(20, 1.0)];
        let work = |updates| Stage::work(&both, updates);
        assert_eq!([0, 10, 12, 30, 99].map(|updates| work(updates) as u64), [0, 50, 52, 70, 70]);
        let meter = crate::control::Meter::new("s", 10, 30);
        // Half of what is left is done: as long again.
        let told = meter.after(5.0, 20, work);
        assert_eq!((told.rate, told.left_s), (2.0, Some(5.0)));
        assert_eq!(meter.after(5.0, 10, work).left_s, None);
        // Nothing can be said of it at once.
        let told = meter.after(0.01, 20, work);
        assert_eq!((told.line(), told.left_s), ("s 20/30".into(), None));
    }
}
