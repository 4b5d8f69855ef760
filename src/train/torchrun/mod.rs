//! Updates made by another engine: transformers' trainer and PEFT under torchrun, on this machine or on
//! one that ssh reaches. It is fed with the tokens and weights of targets that the engine here would
//! compute (`rows`), told by lines what to do, and tells by lines what it did; its checkpoints become
//! ordinary ones. Curating and everything that is shown stay here.

mod coming;
mod engine;
mod job;
mod place;
mod rows;
mod told;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) use self::engine::{Torchrun, sweep};
use self::place::{at, at_home, ended};
use super::Plan;
use crate::agent::HubName;
use crate::error::{Error, Result};
use crate::model::away::Distant;
use crate::model::step::Products;
use crate::store::Store;
use crate::text::quoted;

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
    /// Where the weights that it starts from lie, on that machine: a folder, or their name of the hub. Without
    /// it they are taken there from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Arguments of transformers' trainer beside those that follow from the plan (`fsdp`, `deepspeed`,
    /// `bf16`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trainer: Map<String, Value>,
}

/// The folder of jobs in the data directory.
const FOLDER: &str = "torchrun";

/// What the job of a run is called, here and there: by its token too, since another store, or a restored
/// one, has runs of the same numbers.
fn job_of(store: &Store, run: i64) -> Result<String> {
    Ok(format!("run-{run}-{}", store.run_token(run)?.unwrap_or_default()))
}

/// The variable that names the Python.
pub const PYTHON: &str = "FORETASTE_PYTHON";

/// What has to be installed, as it was tested.
const PACKAGES: [(&str, &str); 4] =
    [("torch", "2.15"), ("transformers", "5.24"), ("accelerate", "1.15"), ("peft", "0.21")];

/// Arguments of the trainer that change where and how it computes, and nothing of what is learnt.
const KNOWN: [&str; 17] = [
    "fsdp",
    "fsdp_config",
    "deepspeed",
    "bf16",
    "fp16",
    "tf32",
    "torch_compile",
    "torch_compile_backend",
    "torch_compile_mode",
    "gradient_checkpointing_kwargs",
    "ddp_backend",
    "ddp_bucket_cap_mb",
    "ddp_broadcast_buffers",
    "ddp_find_unused_parameters",
    "ddp_timeout",
    "torch_empty_cache_steps",
    "use_cpu",
];

impl Settings {
    /// So many processes of the usual Python, here or there: what this machine calls its own says nothing
    /// of another.
    pub fn new(processes: usize, host: Option<String>) -> Self {
        let named = std::env::var(PYTHON).ok().filter(|named| !named.is_empty());
        let python = named.filter(|_| host.is_none()).unwrap_or_else(|| "python3".into());
        Self { processes, python, host, weights: None, trainer: Map::new() }
    }

    /// Refuses what means nothing, and what torchrun is not asked to do.
    pub(super) fn check(&self, plan: &Plan) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::usage(what).hint(hint.to_string()));
        if self.processes == 0 || self.processes > 1024 {
            return refuse(format!("{} processes", self.processes), "between 1 and 1,024");
        }
        if !plan.objective.is_fed() {
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
        if let Some(odd) = self.trainer.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return refuse(
                format!("`{odd}` among the trainer's arguments"),
                &format!(
                    "what is learnt follows from the plan (--rate, --batch, --decay, --clip, --save-every …); others \
                     may be {}",
                    KNOWN.join(", ")
                ),
            );
        }
        if let Some(folder) = &self.weights {
            if plan.lora.is_none() {
                return refuse(
                    "--weights without an adapter".into(),
                    "what is trained comes back here: --lora R, which is small",
                );
            }
            let named = HubName::parse(folder).is_some() && folder.matches('/').count() == 1;
            if !(folder.starts_with('/') || folder.starts_with("~/") || named) {
                return refuse(
                    format!("--weights {folder}"),
                    "a model's folder where it is trained, from / or ~/, or its name of the hub (ORG/NAME)",
                );
            }
        }
        if self.python.trim().is_empty() {
            return refuse("no Python for torchrun".into(), "--python PATH, or leave it out");
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

    /// Refuses a Python that lacks something, here or there, and weights that are not where they are said to be,
    /// before anything is made or sent.
    pub(super) fn ready(&self) -> Result<()> {
        self.installed()?;
        let folder = self.weights.as_deref().filter(|folder| folder.starts_with(['/', '~']));
        let Some(folder) = folder else { return Ok(()) };
        let line = format!("test -e {}/config.json && echo there || true", at_home(folder));
        if ended(at(self, &line))?.trim() == "there" {
            return Ok(());
        }
        let place = self.host.as_deref().unwrap_or("this machine");
        Err(Error::new(format!("--weights {folder}: no model folder is there on {place}")).hint(
            "the shell here may have put this machine's home in place of ~: quote it, '~/models/one'",
        ))
    }

    /// Where the weights lie that are trained beside, if they are not taken from here.
    pub fn away(&self) -> Option<Distant> {
        let folder = self.weights.clone()?;
        Some(Distant { host: self.host.clone(), folder, digest: None })
    }

    /// In words.
    pub fn in_words(&self) -> String {
        let at = self.host.as_ref().map_or(String::new(), |host| format!(" at {host}"));
        let processes = crate::text::counted(self.processes as u64, "process");
        let of =
            self.weights.as_ref().map_or(String::new(), |folder| format!(", weights of {folder}"));
        format!("torchrun, {processes}{at}{of}")
    }

    /// Which packages there are, or what is missing and the command that installs it.
    ///
    /// # Errors
    /// Where Python or a package is missing, or another machine cannot be reached.
    pub fn installed(&self) -> Result<String> {
        let names: Vec<String> = PACKAGES.iter().map(|(name, _)| format!("'{name}'")).collect();
        let code = format!(
            "import importlib.metadata as m\nfor n in [{}]:\n  try: print(n, m.version(n))\n  except m.PackageNotFoundError: print(n, '-')",
            names.join(", ")
        );
        let tested: Vec<String> =
            PACKAGES.iter().map(|(name, version)| format!("{name}=={version}.*")).collect();
        let of = match &self.host {
            Some(host) => format!("{} on {host}", self.python),
            None => self.python.clone(),
        };
        let at_host = self.host.as_ref().map_or(String::new(), |host| format!("on {host}: "));
        let install = format!(
            "{at_host}{} -m pip install {} (or name another Python: --python{})",
            self.python,
            tested.join(" "),
            if self.host.is_some() { String::new() } else { format!(", {PYTHON}") }
        );
        let line = format!("{} -c {} 2>/dev/null || true", at_home(&self.python), quoted(&code));
        let said = ended(at(self, &line)).map_err(|error| error.at("torchrun"))?;
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
            return Ok(format!("{} of {of}", said.trim().replace('\n', ", ")));
        }
        if said.trim().is_empty() {
            return Err(Error::new(format!("torchrun: {of} is no Python that can be started"))
                .hint(install));
        }
        Err(Error::new(format!("torchrun: {of} has no {}", missing.join(", "))).hint(install))
    }
}

/// Removes what a run that is deleted left on another machine; the command that does so where it could not be.
pub fn clear_far(store: &Store, run: i64) -> Option<String> {
    let config: Value = serde_json::from_str(&store.run_config(run).ok()?).ok()?;
    let of: Settings = serde_json::from_value(config["plan"]["torchrun"].clone()).ok()?;
    of.host.as_ref()?;
    let name = job_of(store, run).ok()?;
    let place = place::Place { folder: store.root().join(FOLDER).join(&name), of, name };
    // One that was left is saving still.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) && place.is_quiet().is_ok_and(|quiet| !quiet) {
        _ = place.ask_to_leave();
        std::thread::sleep(Duration::from_secs(1));
    }
    // Without its folder it would not hear that it should end.
    let left = place.is_quiet().unwrap_or_default() && place.clear_there().is_ok();
    (!left).then(|| place.clearing())
}
