//! What makes the updates of a run.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::number;
use crate::error::{Error, Result};
use crate::model::device::Device;
use crate::paths::read_text;
use crate::place::Place;
use crate::train::torchrun::Settings;

/// What makes updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// This program, in this process
    Here,
    /// transformers and PEFT under torchrun (docs/engines.md)
    Torchrun,
    /// candle, on a GPU where this build has one (docs/engines.md)
    Candle,
}

/// Arguments of `foretaste train` about its engine.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// What makes the updates
    #[arg(long, value_enum, default_value_t = Engine::Here, conflicts_with = "resume")]
    engine: Engine,
    /// Of candle: cpu, cuda, metal, or one of several (cuda:1; default: the best of this build);
    /// beside --resume, another one than before
    #[arg(long)]
    pub(super) device: Option<Place>,
    /// Of torchrun: how many processes
    #[arg(long, default_value_t = 1, value_parser = number::<usize>(1..=1024), conflicts_with = "resume")]
    processes: usize,
    /// Of torchrun: the Python that has torch (default: FORETASTE_PYTHON, else python3; with --ssh
    /// python3); beside --resume, another one than before
    #[arg(long)]
    pub(super) python: Option<String>,
    /// Of torchrun: the machine that does it, as ssh knows it
    #[arg(long, value_name = "HOST", conflicts_with = "resume")]
    ssh: Option<String>,
    /// Of torchrun: where the weights lie that are trained beside, a folder of that machine or a name of the hub; of
    /// --from only the shape and the tokenizer are read then (with --lora)
    #[arg(long, value_name = "FOLDER|NAME", conflicts_with = "resume")]
    weights: Option<String>,
    /// Of torchrun: more arguments of its trainer, `{"fsdp": "full_shard"}` or a file of them
    #[arg(long, value_name = "JSON|FILE", conflicts_with = "resume")]
    trainer_args: Option<String>,
}

/// A file of arguments has at most so many bytes.
const LARGEST: u64 = 1 << 20;

impl EngineArgs {
    /// The settings of torchrun or candle's device, where it is one of them.
    pub fn settings(self) -> Result<(Option<Settings>, Option<Place>)> {
        let refuse = |flag: &str, of: &str| {
            Err(Error::usage(format!("{flag} means nothing here"))
                .hint(format!("it is of --engine {of}")))
        };
        if self.device.is_some() && self.engine != Engine::Candle {
            return refuse("--device", "candle");
        }
        let given = [
            (self.processes != 1, "--processes"),
            (self.python.is_some(), "--python"),
            (self.ssh.is_some(), "--ssh"),
            (self.weights.is_some(), "--weights"),
            (self.trainer_args.is_some(), "--trainer-args"),
        ];
        if self.engine != Engine::Torchrun {
            let candle = self.engine == Engine::Candle;
            return match given.iter().find(|(given, _)| *given) {
                None => Ok((None, candle.then(|| self.device.unwrap_or_else(Device::best)))),
                Some((_, flag)) => refuse(flag, "torchrun"),
            };
        }
        let usual = Settings::new(self.processes, self.ssh);
        let trainer = self.trainer_args.as_deref().map(trainer).transpose()?;
        let settings = Settings {
            python: self.python.unwrap_or_else(|| usual.python.clone()),
            weights: self.weights,
            trainer: trainer.unwrap_or_default(),
            ..usual
        };
        Ok((Some(settings), None))
    }
}

fn trainer(said: &str) -> Result<Map<String, Value>> {
    let text = if said.trim_start().starts_with(['{', '[', '"']) {
        said.to_string()
    } else {
        let path = Path::new(said);
        read_text(path, LARGEST).map_err(|e| Error::io("reading", path, &e))?
    };
    serde_json::from_str(&text).map_err(|e| {
        Error::usage(format!("--trainer-args {said}: {e}"))
            .hint("an object with arguments of transformers' TrainingArguments")
    })
}
