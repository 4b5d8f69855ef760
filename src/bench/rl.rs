//! An iteration of reinforcement learning: rollouts of some tasks, and the update that learns from
//! all of them.

use serde_json::{Value, json};

use super::{cpu_s, peak_rss_mb};
use crate::control::Control;
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::model::BuiltIn;
use crate::model::config::Config;
use crate::model::kernels::forms;
use crate::model::weights::{ModelFiles, Trainable};
use crate::rng::Rng;
use crate::train::rl::timed::timed;
use crate::train::rl::{Method, Rl};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Layers and width of a fresh model.
    pub shape: (usize, usize),
    /// A model in its place, whose rollouts differ as those of a run do: a fresh one mostly takes the
    /// shortest action.
    pub from: Option<(ModelFiles, String)>,
    /// The split.
    pub split: String,
    /// Tasks.
    pub tasks: usize,
    /// Rollouts of each.
    pub group: usize,
    /// Steps of a rollout at most.
    pub limit: usize,
    /// Threads.
    pub threads: usize,
}

/// A model of a shape that knows nothing, with the tokens of the first one here.
fn fresh((layers, hidden): (usize, usize)) -> Result<Trainable> {
    let own = BuiltIn::ALL[0];
    let known = Trainable::from_parts(&own.files(), own.name())?;
    let vocab = known.tokenizer.vocab();
    let config = Config { context: known.config.context, ..Config::small(layers, hidden, vocab)? };
    Trainable::fresh(&config, known.tokenizer, 1)
}

/// Measures one iteration; rollouts of a fresh model mostly last as long as they may.
pub fn run(suite: &dyn Suite, options: &Options, control: &Control) -> Result<Value> {
    let mut weights = match &options.from {
        Some((files, name)) => Trainable::from_parts(files, name)?,
        None => fresh(options.shape)?,
    };
    let mut tasks = suite.tasks(&options.split)?;
    Rng::stream(1, "bench").shuffle(&mut tasks);
    tasks.truncate(options.tasks);
    if tasks.is_empty() {
        return Err(Error::new(format!("{} / {} has no games", suite.name(), options.split)));
    }
    let (group, limit) = (options.group, options.limit);
    let (layers, hidden) = options.shape;
    let named = options.from.as_ref().map(|(_, name)| name.clone());
    let model = named.unwrap_or_else(|| format!("small:{layers}x{hidden}"));
    let rl = Rl { group, limit, ..Rl::new(Method::Rloo) };
    let before = cpu_s();
    let of = (options.split.as_str(), &tasks[..]);
    let found = timed(suite, of, &rl, &mut weights, options.threads, control)?;
    let cpu = cpu_s().zip(before).map(|(after, before)| after - before);
    let seconds = found.sample_s + found.grow_s + found.update_s;
    let mut out = json!({
        "args": {
            "model": model, "suite": suite.name(), "split": options.split,
            "tasks": tasks.len(), "group": group, "limit": limit, "threads": options.threads,
        },
        "iteration_s": seconds,
        "steps_per_s": found.steps as f64 / found.sample_s,
        "cpu_s": cpu,
        "units": forms::in_words(),
        "peak_rss_mb": peak_rss_mb(),
    });
    if let (Value::Object(out), Value::Object(found)) = (&mut out, json!(found)) {
        out.extend(found);
    }
    Ok(out)
}
