//! The folder of a job: the script, the model that it starts from (or the tokenizer of one that lies where it
//! is trained), rows and settings.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Settings;
use super::rows::{Pass, Row, dealt, rows};
use crate::budget::work;
use crate::error::{Error, Result};
use crate::model::adamw::{BETA1, BETA2, EPS};
use crate::model::weights::Trainable;
use crate::paths::write_whole;
use crate::train::Mixture;
use crate::train::checkpoint::write_folder;
use crate::train::examples::Example;
use crate::train::plan::{Moments, Plan, Stage};
use crate::train::source::Source;

/// The script that makes the updates.
const SCRIPT: &str = include_str!("../../../assets/torchrun/train.py");

/// Where it writes its checkpoints.
pub(super) const OUT: &str = "out";

/// Where everything that it told is kept.
pub(super) const TOLD: &str = "told.jsonl";

/// What is held out, where anything is.
pub(super) const HELD: &str = "held.jsonl";

/// Shape and tokenizer of a model that is not sent.
pub(super) const SHAPE: &str = "shape";

/// The model that is.
pub(super) const MODEL: &str = "model";

/// What is learnt from.
pub(super) const ROWS: &str = "rows.jsonl";

/// What it wrote to standard error.
pub(super) const LOG: &str = "log.txt";

/// Padded tokens of a pass, where the plan names none.
const BUDGET: usize = 4096;

/// A job's folder, made.
pub(super) struct Job<'a> {
    folder: &'a Path,
    passes: Passes<'a>,
    /// Passes of a process in each update.
    accumulation: u64,
    adapter: bool,
    /// Whether anything is held out.
    held: bool,
    /// What tells the weights that lie elsewhere from others, where the start was trained beside them.
    digest: Option<String>,
}

impl<'a> Job<'a> {
    /// Makes the folder, as far as it is not there: `start` are the weights that the run began from, with
    /// its adapter if it trains one.
    pub fn prepare(
        folder: &'a Path,
        (plan, stages): (&'a Plan, &'a [Stage]),
        start: &Trainable,
        source: &mut dyn Source,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("creating", folder, &e))?;
        write(&folder.join("train.py"), SCRIPT.as_bytes())?;
        let model = folder.join(MODEL);
        if start.away.is_some() {
            // Which has to be the one there.
            let (shape, parts) = (folder.join(SHAPE), start.parts(false)?);
            std::fs::create_dir_all(&shape).map_err(|e| Error::io("creating", &shape, &e))?;
            write(&shape.join("config.json"), &parts.config)?;
            write(&shape.join("tokenizer.json"), &parts.tokenizer)?;
        } else if !model.exists() {
            let mut base = start.clone();
            base.adapter = None;
            write_folder(&model, &base.parts(false)?, &[], None)?;
        }
        let adapter = folder.join("adapter");
        let settings = adapter.join("adapter_config.json");
        if let Some(own) = start.adapter.as_ref().filter(|_| !settings.exists()) {
            let (said, tensors) = own.to_peft("model")?;
            std::fs::create_dir_all(&adapter).map_err(|e| Error::io("creating", &adapter, &e))?;
            write(&adapter.join("adapter_model.safetensors"), &tensors)?;
            // Once these are there, all of it is.
            write(&settings, &said)?;
        }
        let rows = folder.join(ROWS);
        let passes = Passes { plan, stages };
        let held = folder.join(HELD);
        if !held.exists() {
            passes.write_held(&held, source.held_out())?;
        }
        if !rows.exists() {
            passes.write(&rows, start, source)?;
        }
        let accumulation = passes.each(&rows)?;
        let (adapter, held) = (start.adapter.is_some(), held.exists());
        let digest = start.away.as_ref().and_then(|place| place.digest.clone());
        Ok(Self { folder, passes, accumulation, adapter, held, digest })
    }

    /// Whether anything is held out.
    pub fn holds_out(&self) -> bool {
        self.held
    }

    /// Says from which update it goes on.
    pub fn goes_on(&self, from: u64) -> Result<()> {
        let mut job = self.passes.job(self.accumulation, from);
        job["adapter"] = json!(self.adapter.then_some("adapter"));
        job["held"] = json!(self.held.then_some(HELD));
        job["digest"] = json!(self.digest);
        write(&self.folder.join("job.json"), job.to_string().as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, true, |file| {
        file.write_all(bytes).map_err(|e| Error::io("writing", path, &e))
    })
}

/// Writes a pass as a line.
fn line(out: &mut impl Write, path: &Path, pass: &Pass) -> Result<()> {
    serde_json::to_writer(&mut *out, pass)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .map_err(|e| Error::io("writing", path, &e))
}

/// The updates of a run, dealt out.
struct Passes<'a> {
    plan: &'a Plan,
    stages: &'a [Stage],
}

impl Passes<'_> {
    fn processes(&self) -> usize {
        self.plan.torchrun.as_ref().map_or(1, |of| of.processes)
    }

    fn updates(&self) -> u64 {
        self.stages.iter().map(|stage| stage.updates).sum()
    }

    /// Every update: its stage, and its place in it.
    fn all(&self) -> impl Iterator<Item = (usize, u64)> {
        let each = |(n, stage): (usize, &Stage)| (0..stage.updates).map(move |update| (n, update));
        let each: Vec<_> = self.stages.iter().enumerate().map(each).collect();
        each.into_iter().flatten()
    }

    /// The passes of an update.
    fn of(
        &self,
        (stage, update): (usize, u64),
        start: &Trainable,
        source: &mut dyn Source,
    ) -> Result<(Vec<Vec<Row>>, f64)> {
        work(1)?; // a place to be cancelled at
        let batch = source.batch(stage, update, 0, start)?;
        let all: Vec<Row> = batch.trees.iter().flat_map(rows).collect();
        let budget = self.plan.budget.unwrap_or(BUDGET);
        Ok((dealt(all, budget, self.processes()), batch.normaliser))
    }

    /// Writes them, a pass of a process a line: as many for each update as the largest needs.
    fn write(&self, path: &Path, start: &Trainable, source: &mut dyn Source) -> Result<()> {
        let mut most = self.processes();
        for place in self.all() {
            most = most.max(self.of(place, start, source)?.0.len());
        }
        write_whole(path, true, |out| {
            for place in self.all() {
                let (mut passes, normaliser) = self.of(place, start, source)?;
                passes.resize(most, Vec::new());
                for rows in passes {
                    line(out, path, &Pass { rows, normaliser })?;
                }
            }
            Ok(())
        })
    }

    /// Writes what is held out in the same way, if anything is.
    fn write_held(&self, path: &Path, held_out: &[Example]) -> Result<()> {
        let trees = held_out.iter().filter_map(|example| example.weighed(&Mixture::ALL));
        let all: Vec<Row> = trees.flat_map(|tree| rows(&tree)).collect();
        if all.is_empty() {
            return Ok(());
        }
        let passes = dealt(all, self.plan.budget.unwrap_or(BUDGET), self.processes());
        write_whole(path, true, |out| {
            passes.into_iter().try_for_each(|rows| line(out, path, &Pass { rows, normaliser: 1.0 }))
        })
    }

    /// Passes of a process in each update, by how many lines were written.
    fn each(&self, path: &Path) -> Result<u64> {
        let file = std::fs::File::open(path).map_err(|e| Error::io("reading", path, &e))?;
        let lines = std::io::BufReader::new(file).split(b'\n').count() as u64;
        let whole = self.updates() * self.processes() as u64;
        if whole == 0 || lines == 0 || !lines.is_multiple_of(whole) {
            return Err(Error::new(format!(
                "{}: {lines} passes for {} updates",
                path.display(),
                self.updates()
            ))
            .hint("remove that file: it is written again"));
        }
        Ok(lines / whole)
    }

    fn job(&self, accumulation: u64, resume: u64) -> Value {
        let (plan, of) = (self.plan, self.plan.torchrun.as_ref());
        let (mut rates, mut resets, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (n, stage) in self.stages.iter().enumerate() {
            if n > 0 && plan.moments == Moments::Reset {
                resets.push(rates.len() as u64);
            }
            rates.extend((0..stage.updates).map(|update| plan.rate_at(update, stage.updates)));
            ends.push(rates.len() as u64);
        }
        let updates = self.updates();
        let every = plan.save_interval(updates);
        let saves: Vec<u64> =
            (1..=updates).filter(|n| n.is_multiple_of(every) || ends.contains(n)).collect();
        json!({
            "model": MODEL, "away": of.and_then(|of| of.weights.as_deref()), "shape": SHAPE,
            "rows": ROWS,
            "out": OUT, "metrics": TOLD, "updates": updates, "accumulation": accumulation,
            "rates": rates, "saves": saves, "resets": resets, "clip": plan.tuning.clip,
            "decay": plan.tuning.decay, "betas": [BETA1, BETA2], "epsilon": EPS,
            "recompute": plan.recompute, "seed": plan.seed,
            "resume": (resume > 0).then(|| checkpoint(resume)),
            "args": of.map(|of| &of.trainer),
        })
    }
}

/// The script's own checkpoint of an update, within the folder of its job.
pub(super) fn checkpoint(step: u64) -> PathBuf {
    Path::new(OUT).join(format!("checkpoint-{step}"))
}

/// What of it there has to be to go on from it: optimiser and schedule too, unless another library keeps
/// them in its own way.
pub(super) fn needed(step: u64, of: &Settings) -> Vec<PathBuf> {
    let shared = ["fsdp", "deepspeed"].iter().any(|name| of.trainer.contains_key(*name));
    let names: &[&str] = if shared {
        &["trainer_state.json"]
    } else {
        &["trainer_state.json", "optimizer.pt", "scheduler.pt"]
    };
    names.iter().map(|name| checkpoint(step).join(name)).collect()
}
