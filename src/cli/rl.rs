//! What `foretaste train` has for reinforcement learning alone.

use std::path::PathBuf;

use clap::Args;

use super::{number, real};
use crate::error::{Error, Result};
use crate::train::Objective;
use crate::train::rl::{Captured, Method, Rl};

/// What is played, and how it is learnt from (objective rl).
#[derive(Debug, Args)]
pub struct RlArgs {
    /// Of rl: how a choice's worth is estimated: expert-iteration, rloo, grpo, dr-grpo, dapo, gigpo,
    /// vine-ppo, tree, forks (default: forks)
    #[arg(long, value_parser = Method::from_name)]
    method: Option<Method>,
    /// Of rl: rollouts of each task from its beginning (default: 8, of methods that fork 4; --batch is the tasks of an update)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1024))]
    group: Option<usize>,
    /// Of rl: steps of an episode at most (default: 30)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=10_000))]
    limit: Option<usize>,
    /// Of rl: what a step later counts less, of gigpo (default: 0.95), vine-ppo, tree, forks (default: 1)
    #[arg(long, value_parser = real(0.0..=1.0))]
    gamma: Option<f64>,
    /// Of rl: how far a probability may go down and up within an update of several passes (default: the
    /// method's)
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"], value_parser = real(0.0..=100.0))]
    ratio: Option<Vec<f64>>,
    /// Of rl: what the distance from the start counts, k3 (default: the method's)
    #[arg(long, value_parser = real(0.0..=100.0))]
    kl: Option<f64>,
    /// Of rl: temperature of the policy that acts and is trained (default: 1)
    #[arg(long, value_parser = real(0.01..=100.0))]
    temperature: Option<f64>,
    /// Of rl: what an action costs that could not be sent (default: 0)
    #[arg(long, value_name = "COST", value_parser = real(0.0..=100.0))]
    invalid: Option<f64>,
    /// Of rl: steps of the optimiser over the same rollouts (default: 1)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=64))]
    passes: Option<usize>,
    /// Of rl: states of a rollout at which a method forks, at most (default: 2)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1000))]
    forks: Option<usize>,
    /// Of rl: actions, or continuations, at such a state (default: 3)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1000))]
    width: Option<usize>,
    /// Of rl: end once so many tokens were sampled, trained on, and with --kl read by the start
    #[arg(long, value_name = "N", value_parser = number::<u64>(1..=100_000_000_000))]
    tokens: Option<u64>,
    /// Of rl: games of the suite's split for evaluation that every validation plays (default: 40)
    #[arg(long, value_name = "GAMES", value_parser = number::<usize>(0..=100_000))]
    validation: Option<usize>,
    /// Of rl: groups of an update that are kept to be looked at (default: 2)
    #[arg(long, value_name = "N", value_parser = number::<usize>(0..=1000))]
    kept: Option<usize>,
    /// Of rl: the folder of the suite's games, where it needs one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Of rl: in place of playing, learn from what this agent of the gateway did and what it was worth; of
    /// dpo: from what a person prefers among the answers to its calls (foretaste gateway prefer)
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["group", "forks", "width", "data"])]
    pub(super) captured: Option<String>,
}

impl RlArgs {
    /// The settings of a run of that objective; an error for what means nothing there.
    pub fn settings(self, objective: Objective) -> Result<Option<Rl>> {
        let given = [
            (self.method.is_some(), "--method"),
            (self.group.is_some(), "--group"),
            (self.limit.is_some(), "--limit"),
            (self.gamma.is_some(), "--gamma"),
            (self.ratio.is_some(), "--ratio"),
            (self.kl.is_some(), "--kl"),
            (self.temperature.is_some(), "--temperature"),
            (self.invalid.is_some(), "--invalid"),
            (self.passes.is_some(), "--passes"),
            (self.forks.is_some(), "--forks"),
            (self.width.is_some(), "--width"),
            (self.tokens.is_some(), "--tokens"),
            (self.validation.is_some(), "--validation"),
            (self.kept.is_some(), "--kept"),
            (self.data.is_some(), "--data"),
            (self.captured.is_some() && objective != Objective::Dpo, "--captured"),
        ];
        if objective != Objective::Rl {
            return match given.iter().find(|(given, _)| *given) {
                None => Ok(None),
                Some((_, flag)) => {
                    let of = if *flag == "--captured" { "rl and dpo" } else { "rl" };
                    Err(Error::usage(format!("{flag} means nothing for {}", objective.as_str()))
                        .hint(format!("it is of --objective {of}")))
                }
            };
        }
        let method = if self.captured.is_some() { Method::Grpo } else { Method::Forks };
        let usual = Rl::new(self.method.unwrap_or(method));
        let plays_on = usual.method.forks();
        let several = self.captured.is_some() || self.passes.is_some_and(|passes| passes > 1);
        let idle = [
            (self.forks.is_some() && !plays_on, "--forks", "of methods that fork"),
            (self.width.is_some() && !plays_on, "--width", "of methods that fork"),
            (
                self.gamma.is_some() && usual.method.discount().is_none(),
                "--gamma",
                "of methods that count what comes after a state: gigpo, vine-ppo, tree, forks",
            ),
            (
                self.ratio.is_some() && !several,
                "--ratio",
                "of several --passes: in the first nothing has moved, and every ratio is 1",
            ),
        ];
        if let Some((_, flag, of)) = idle.iter().find(|(idle, ..)| *idle) {
            let method = usual.method.as_str();
            return Err(Error::usage(format!("{flag} means nothing for this run of {method}"))
                .hint(format!("it is {of}")));
        }
        let clip = self.ratio.map_or(usual.clip, |ratio| (ratio[0], ratio[1]));
        Ok(Some(Rl {
            group: self.group.unwrap_or(usual.group),
            limit: self.limit.unwrap_or(usual.limit),
            gamma: self.gamma.unwrap_or(usual.gamma),
            clip,
            kl: self.kl.unwrap_or(usual.kl),
            temperature: self.temperature.unwrap_or(usual.temperature),
            invalid: self.invalid.unwrap_or(usual.invalid),
            passes: self.passes.unwrap_or(usual.passes),
            forks: self.forks.unwrap_or(usual.forks),
            width: self.width.unwrap_or(usual.width),
            tokens: self.tokens,
            validation: self.validation.unwrap_or(match self.captured {
                Some(_) => 0,
                None => usual.validation,
            }),
            kept: self.kept.unwrap_or(usual.kept),
            data: self.data,
            method: usual.method,
            // Who that is, and the last call, are known where there is a store.
            captured: self.captured.map(|agent| Captured { agent, id: 0, upto: 0 }),
        }))
    }
}
