//! `foretaste bench noise`.

use clap::Args;
use serde_json::{Value, json};

use super::out::tell;
use super::{Common, SuiteArgs, interruptible, number, real};
use crate::agent;
use crate::error::Result;
use crate::model::weights::Trainable;
use crate::train::rl::noise::{Updates, noise};
use crate::train::rl::{Method, Rl};

/// Arguments of `foretaste bench noise`.
#[derive(Debug, Args)]
pub struct NoiseBench {
    #[command(flatten)]
    suite: SuiteArgs,
    /// The split
    #[arg(long, default_value = "train")]
    split: String,
    /// The policy: embedded, novice, a checkpoint, a folder
    #[arg(long, value_name = "CHECKPOINT", default_value = "novice")]
    from: String,
    /// A method, and others; all without it
    #[arg(long = "method", value_parser = Method::from_name)]
    methods: Vec<Method>,
    /// Updates of each method
    #[arg(long, default_value_t = 64, value_parser = number::<u64>(3..=4096))]
    updates: u64,
    /// Tasks of an update
    #[arg(long, default_value_t = 8, value_parser = number::<usize>(1..=1000))]
    tasks: usize,
    /// Rollouts of each task (default: 8, of methods that fork 4)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1024))]
    group: Option<usize>,
    /// States of a rollout at which a method forks, at most (default: 2)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1000))]
    forks: Option<usize>,
    /// Actions, or continuations, at such a state (default: 3)
    #[arg(long, value_name = "N", value_parser = number::<usize>(1..=1000))]
    width: Option<usize>,
    /// Steps of a rollout at most
    #[arg(long, default_value_t = 30, value_parser = number::<usize>(1..=10_000))]
    limit: usize,
    /// Temperature of the policy
    #[arg(long, default_value_t = 1.0, value_parser = real(0.01..=100.0))]
    temperature: f64,
    /// Seed that draws tasks and rollouts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = number::<usize>(1..=1024))]
    threads: usize,
}

impl NoiseBench {
    /// Measures one method after the other; `rows` is given each as it is found.
    pub fn run(self, common: &Common, rows: impl Fn(Vec<Value>)) -> Result<()> {
        let suite = self.suite.open()?;
        let control = interruptible()?;
        let (files, name) = agent::find(&common.store()?, Some(&self.from), None)?;
        let weights = Trainable::from_parts(&files, &name)?;
        let methods =
            if self.methods.is_empty() { Method::ALL.to_vec() } else { self.methods.clone() };
        for method in methods {
            let usual = Rl::new(method);
            let rl = Rl {
                group: self.group.unwrap_or(usual.group),
                forks: self.forks.unwrap_or(usual.forks),
                width: self.width.unwrap_or(usual.width),
                limit: self.limit,
                temperature: self.temperature,
                ..usual
            };
            let updates = Updates {
                split: self.split.clone(),
                tasks: self.tasks,
                count: self.updates,
                seed: self.seed,
                threads: self.threads,
            };
            let word = method.as_str();
            let mut told = |done| tell(&format!("{word}: update {done} of {}", self.updates));
            let found = noise(suite.as_ref(), &rl, &weights, &updates, &control, &mut told)?;
            let mut row = json!({ "model": name, "suite": suite.name(), "split": self.split });
            if let (Value::Object(row), Value::Object(found)) = (&mut row, json!(found)) {
                row.extend(found);
            }
            rows(vec![row]);
        }
        Ok(())
    }
}
