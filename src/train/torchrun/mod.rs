//! Updates made by another engine: transformers' trainer and PEFT under torchrun, on this machine or on
//! one that ssh reaches. It is fed with the tokens and weights of targets that the engine here would
//! compute (`rows`), told by lines what to do, and tells by lines what it did; its checkpoints become
//! ordinary ones. Curating, held-out measures and everything that is shown stay here.

mod engine;
mod job;
mod place;
mod rows;
mod told;

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) use self::engine::Torchrun;
use super::{Objective, Plan};
use crate::error::{Error, Result};
use crate::model::step::Products;

/// How a run's updates are made by torchrun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Processes, each on a device of its own where there are GPUs.
    pub processes: usize,
    /// The Python that has torch, transformers, accelerate and peft.
    pub python: String,
    /// The machine, as ssh knows it; without it this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Arguments of transformers' trainer beside those that follow from the plan (`fsdp`, `deepspeed`,
    /// `bf16`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trainer: Map<String, Value>,
}

/// The variable that names the Python.
pub const PYTHON: &str = "FORETASTE_PYTHON";

/// What has to be installed, as it was tested.
const PACKAGES: [(&str, &str); 4] =
    [("torch", "2.15"), ("transformers", "5.24"), ("accelerate", "1.15"), ("peft", "0.21")];

/// Arguments of the trainer that follow from the plan.
const OWN: [&str; 22] = [
    "output_dir",
    "max_steps",
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "gradient_checkpointing",
    "logging_steps",
    "save_strategy",
    "save_steps",
    "remove_unused_columns",
    "dataloader_num_workers",
    "seed",
    "report_to",
    "resume_from_checkpoint",
];

impl Settings {
    /// So many processes of the usual Python here.
    pub fn new(processes: usize) -> Self {
        let python = std::env::var(PYTHON).ok().filter(|named| !named.is_empty());
        let python = python.unwrap_or_else(|| "python3".into());
        Self { processes, python, host: None, trainer: Map::new() }
    }

    /// Refuses what means nothing, and what torchrun is not asked to do.
    pub(super) fn check(&self, plan: &Plan) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::usage(what).hint(hint.to_string()));
        if self.processes == 0 || self.processes > 1024 {
            return refuse(format!("{} processes", self.processes), "between 1 and 1,024");
        }
        if plan.objective == Objective::Rl || plan.objective.compares() {
            return refuse(
                format!("torchrun (--engine) for {}", plan.objective.as_str()),
                "it learns from stored text; what is weighed by the policy itself is computed here",
            );
        }
        if plan.products != Products::F32 {
            return refuse(
                "rounded operands (--bf16) under torchrun".into(),
                "--trainer-args FILE with {\"bf16\": true} is how its own are rounded",
            );
        }
        if plan.validate_every.is_some() || plan.memory_limit.is_some() {
            return refuse(
                "--validate-every or --memory-limit under torchrun".into(),
                "what is held out is measured at its checkpoints (--save-every); what it needs it knows itself",
            );
        }
        if let Some(own) = self.trainer.keys().find(|name| OWN.contains(&name.as_str())) {
            return refuse(
                format!("`{own}` among the trainer's arguments"),
                "it follows from the plan (--rate, --batch, --decay, --clip, --save-every …)",
            );
        }
        if let Some(host) =
            self.host.as_ref().filter(|host| host.starts_with('-') || host.is_empty())
        {
            return refuse(
                format!("a host called `{host}`"),
                "USER@NAME, or a name of ~/.ssh/config",
            );
        }
        Ok(())
    }

    /// In words.
    pub fn in_words(&self) -> String {
        let at = self.host.as_ref().map_or(String::new(), |host| format!(" at {host}"));
        format!("torchrun, {} processes{at}", self.processes)
    }

    /// Which packages there are here, or what is missing and the command that installs it.
    ///
    /// # Errors
    /// Where Python or a package is missing.
    pub fn installed(&self) -> Result<String> {
        let names: Vec<String> = PACKAGES.iter().map(|(name, _)| format!("'{name}'")).collect();
        let code = format!(
            "import importlib.metadata as m\nfor n in [{}]:\n  try: print(n, m.version(n))\n  except m.PackageNotFoundError: print(n, '-')",
            names.join(", ")
        );
        let tested: Vec<String> =
            PACKAGES.iter().map(|(name, version)| format!("{name}=={version}.*")).collect();
        let install = format!(
            "{} -m pip install {} (or name another Python: --python, {PYTHON})",
            self.python,
            tested.join(" ")
        );
        let mut command = Command::new(&self.python);
        command.args(["-c", &code]).stdin(Stdio::null()).stderr(Stdio::null());
        let said = command.output().map_err(|e| {
            Error::new(format!("torchrun: {} cannot be started: {e}", self.python))
                .hint(install.clone())
        })?;
        let said = String::from_utf8_lossy(&said.stdout).to_string();
        let missing: Vec<&str> = PACKAGES
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| {
                let own = |line: &str| {
                    line.split_once(' ').is_some_and(|(of, version)| of == *name && version != "-")
                };
                !said.lines().any(own)
            })
            .collect();
        if missing.is_empty() {
            return Ok(format!("{} of {}", said.trim().replace('\n', ", "), self.python));
        }
        Err(Error::new(format!("torchrun: {} has no {}", self.python, missing.join(", ")))
            .hint(install))
    }
}
