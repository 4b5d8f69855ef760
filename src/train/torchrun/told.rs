//! What the script tells, as figures of a run.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::train::examples::TARGETS;
use crate::train::update::Metrics;

/// How a line begins that it tells.
const MARK: &str = "@foretaste ";

/// A line of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Told {
    /// It begins, or goes on, after so many updates.
    Begun {
        /// Processes.
        processes: usize,
        /// The version of torch.
        torch: String,
        /// What tells weights that are trained beside from others.
        weights: Option<String>,
    },
    /// An update was made.
    Update(Made),
    /// What is held out was measured.
    Measured(Measured),
    /// What is held out is being measured.
    Measuring {
        /// Passes that were made.
        done: u64,
        /// Of how many.
        passes: u64,
    },
    /// A checkpoint of its own is whole.
    Saved {
        /// The update.
        step: u64,
    },
    /// It is done, or was stopped.
    Ended,
}

/// An update.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Made {
    /// Counted from 1.
    pub step: u64,
    /// What was optimised; none where it is not a number.
    loss: Option<f64>,
    /// The learning rate.
    rate: f64,
    /// Of the gradients before they were cut.
    norm: Option<f64>,
    /// By kind of target: their nats, how many, and their weight.
    nats: [Option<f64>; 4],
    pub counts: [f64; 4],
    weights: [f64; 4],
    /// Tokens that were computed, paths of a tree apart, without what was padded.
    pub tokens: f64,
    /// How long it took.
    pub seconds: f64,
}

/// What is held out after an update: by kind of target its nats, and how many they are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Measured {
    /// The update; 0 is before the first.
    pub step: u64,
    nats: [Option<f64>; 4],
    counts: [f64; 4],
}

impl Measured {
    /// As the engine here names them; what is no number is left out.
    pub fn metrics(&self) -> Metrics {
        let of = |(slot, (_, name)): (usize, (_, &str))| {
            let count = Some(self.counts[slot]).filter(|count| *count > 0.0)?;
            Some((format!("valid_{name}"), self.nats[slot]? / count))
        };
        TARGETS.into_iter().enumerate().filter_map(of).collect()
    }
}

fn unread(why: &serde_json::Error, text: &str) -> Error {
    Error::new(format!("what torchrun told cannot be read: {why}: {text}"))
}

impl Told {
    /// Reads a line of standard output; none of one that others wrote.
    pub fn read(line: &str) -> Result<Option<Self>> {
        // What others wrote may stand before it in its line, and behind it.
        let Some((_, told)) = line.split_once(MARK) else { return Ok(None) };
        let first = serde_json::Deserializer::from_str(told).into_iter().next();
        first.transpose().map_err(|e| unread(&e, told))
    }

    /// Reads a line without its mark.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| unread(&e, text))
    }

    /// The update that it is about, if it is about one.
    pub fn step(&self) -> Option<u64> {
        match self {
            Self::Update(made) => Some(made.step),
            Self::Measured(measured) => Some(measured.step),
            Self::Saved { step } => Some(*step),
            Self::Begun { .. } | Self::Measuring { .. } | Self::Ended => None,
        }
    }

    /// In which order those about one update are told.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Begun { .. } | Self::Measuring { .. } => 0,
            Self::Update(_) => 1,
            Self::Saved { .. } => 2,
            Self::Measured(_) => 3,
            Self::Ended => 4,
        }
    }
}

impl Made {
    /// As the engine here names them.
    pub fn metrics(&self) -> Result<Metrics> {
        let Some(loss) = self.loss.filter(|loss| loss.is_finite()) else {
            return Err(Error::new(format!("the loss of update {} is not a number", self.step))
                .hint("lower the learning rate with --rate; the last checkpoint is whole"));
        };
        let mut metrics = vec![("loss".to_string(), loss)];
        let whole: f64 = self.weights.iter().sum();
        let several = self.weights.iter().filter(|weight| **weight != 0.0).count() > 1;
        for (slot, (_, name)) in TARGETS.into_iter().enumerate() {
            let count = self.counts[slot];
            if count > 0.0 {
                let nats = self.nats[slot].unwrap_or(f64::NAN);
                metrics.push((format!("loss_{name}"), nats / count));
            }
            if several && self.weights[slot] != 0.0 {
                metrics.push((format!("share_{name}"), self.weights[slot] / whole));
            }
        }
        let speed = self.tokens / self.seconds.max(1e-9);
        let more = [("rate", Some(self.rate)), ("norm", self.norm), ("tokens_per_s", Some(speed))];
        metrics
            .extend(more.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))));
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_are_passed_over_and_own_ones_read() {
        assert_eq!(Told::read("Loading weights: 100%\n").unwrap(), None);
        let saved =
            Told::read("Loading: 7% @foretaste {\"event\": \"saved\", \"step\": 10}\n").unwrap();
        assert_eq!(saved, Some(Told::Saved { step: 10 }));
        assert!(Told::read("@foretaste {\"event\": \"odd\"}").is_err());
    }

    #[test]
    fn an_update_has_the_figures_of_the_engine_here() {
        let line = "{\"event\": \"update\", \"step\": 3, \"loss\": 2.0, \"rate\": 0.1, \"norm\": 1.5, \
                    \"nats\": [6.0, 2.0, 0.0, 0.0], \"counts\": [3, 4, 0, 0], \"weights\": [3, 1, 0, 0], \
                    \"tokens\": 50, \"seconds\": 0.5}";
        let Told::Update(made) = Told::parse(line).unwrap() else { panic!() };
        let metrics = made.metrics().unwrap();
        let of = |name: &str| metrics.iter().find(|(own, _)| own == name).unwrap().1;
        assert_eq!((of("loss"), of("loss_action"), of("loss_observation")), (2.0, 2.0, 0.5));
        assert_eq!((of("share_action"), of("tokens_per_s"), of("norm")), (0.75, 100.0, 1.5));
        let broken = line.replace("\"loss\": 2.0", "\"loss\": null");
        let Told::Update(broken) = Told::parse(&broken).unwrap() else { panic!() };
        assert!(broken.metrics().is_err());
    }
}
