//! The update loop.

use std::path::Path;
use std::time::{Duration, Instant};

use super::checkpoint;
use super::data::{Data, DataSummary};
use super::examples::TARGETS;
use super::forecast::Passes;
use super::plan::{Moments, Plan, Stage};
use super::provenance::{recorded, warnings};
use super::update::{Sums, Update, validate};
use crate::agent::{self, Located};
use crate::budget::under;
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::memory;
use crate::model::step::Net;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::store::{NewRun, RunLock, RunStatus, Store};

/// What a run tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run exists and what it trains on.
    Begun {
        /// Row id of the run.
        run: i64,
        /// The model it started from.
        start: &'a str,
        /// What it trains on.
        data: &'a DataSummary,
        /// Its stages.
        stages: &'a [Stage],
        /// What it needs.
        memory: memory::Plan,
        /// What a person should know about it.
        warnings: &'a [String],
    },
    /// An update is done and its metrics are in the store.
    Update {
        /// The update, counted from 1.
        step: u64,
        /// Metric names and values.
        metrics: &'a [(String, f64)],
        /// How far the run is.
        progress: Progress,
    },
    /// A checkpoint is on disk and in the store.
    Saved {
        /// The update.
        step: u64,
        /// Its folder.
        folder: &'a Path,
        /// What stood in its place and was set aside.
        set_aside: Option<&'a Path>,
        /// Updates whose checkpoints were removed: nothing needs them any more.
        removed: &'a [u64],
    },
}

impl Event<'_> {
    /// What became of other checkpoints when one was saved, to stand after that; nothing of other events.
    pub fn besides(&self) -> String {
        let Event::Saved { set_aside, removed, .. } = self else { return String::new() };
        let mut text = String::new();
        if let Some(aside) = set_aside {
            text += &format!("; another run's stood in its place and is now {}", aside.display());
        }
        if !removed.is_empty() {
            let steps: Vec<String> = removed.iter().map(ToString::to_string).collect();
            text += &format!("; removed step {}, which nothing needs", steps.join(", "));
        }
        text
    }
}

/// Starts a run from `weights` (`start` names them) and trains it to the end, or until it is cancelled.
pub fn train(
    store: &mut Store,
    plan: &Plan,
    weights: Trainable,
    start: &str,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    under(&control.cancel, || begin(store, None, plan, weights, start))?.work(store, control, each)
}

/// Writes down a run that waits for its turn ([`resume`] starts it): what a plan asks for, and what to start from.
pub fn queue(store: &Store, plan: &Plan, start: Option<&str>) -> Result<i64> {
    let config = serde_json::json!({"plan": plan}).to_string();
    // A folder must be the same one wherever the run is started from later.
    let start = match agent::locate(store, start)? {
        _ if start.is_none() => String::new(), // the newest of that time
        Located::Recorded(saved) => saved.name(),
        Located::Folder(path) => std::fs::canonicalize(&path).unwrap_or(path).display().to_string(),
        Located::Embedded | Located::Novice => start.unwrap_or_default().to_string(),
    };
    let (objective, seed, steps) = (plan.objective.word(), plan.seed, plan.steps);
    store.queue_run(NewRun { objective, config: &config, seed, start: &start, steps })
}

/// What a run trains on, and in what parts.
struct Begun {
    data: Data,
    stages: Vec<Stage>,
    passes: Passes,
}

impl Begun {
    fn new(plan: &Plan, net: Net<'_>, data: Data, stages: Vec<Stage>) -> Result<Self> {
        let passes = Passes::new(plan, Net { recompute: plan.recompute, ..net }, &data, &stages)?;
        Ok(Self { data, stages, passes })
    }
}

/// A run at its beginning: a new one, or one that waited for its turn.
fn begin<'a>(
    store: &Store,
    queued: Option<(i64, RunLock)>,
    plan: &'a Plan,
    mut weights: Trainable,
    start: &str,
) -> Result<Run<'a>> {
    plan.check()?;
    let data = Data::choose(store, plan, &weights.tokenizer, weights.config.context)?;
    weights.adapter = plan.adapter(&weights.config)?;
    let stages = plan.stages(|mixture| data.found(mixture));
    let begun = Begun::new(plan, weights.net(), data, stages)?;
    let warnings = warnings(store, start, &begun.data.selection)?;
    let Begun { data, stages, passes } = &begun;
    let config = serde_json::json!({
        "plan": plan, "data": data.summary, "digest": data.name(), "stages": stages, "budget": passes.budget,
        "model": start, "warnings": warnings,
    })
    .to_string();
    let record = serde_json::to_string(&data.selection).map_err(|e| Error::new(format!("what is trained on: {e}")))?;
    let steps = stages.iter().map(|stage| stage.updates).sum();
    let (id, lock) = if let Some((run, lock)) = queued {
        store.begin_queued(run, &config, start, steps, &record)?;
        (run, lock)
    } else {
        let new = NewRun { objective: plan.objective.word(), config: &config, seed: plan.seed, start, steps };
        store.begin_run(new, &record)?
    };
    let optimiser = AdamW::new(&weights.net().shapes());
    Ok(Run { id, _lock: lock, plan, weights, optimiser, begun, start: start.to_string(), warnings, step: 0 })
}

/// Goes on with a run from its newest checkpoint (or from its start, if it has none), or starts one that waited. It
/// trains on exactly what it trained on before, whatever was collected or decided since.
pub fn resume(store: &mut Store, run: i64, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<i64> {
    store.run(run)?;
    let lock = store.own_run(run)?;
    go_on(store, (run, lock), control, each)
}

/// Starts the run that waits longest, if one does that nobody else has taken.
pub fn next_queued(store: &mut Store, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<Option<i64>> {
    let Some(claimed) = store.claim_queued()? else { return Ok(None) };
    go_on(store, claimed, control, each).map(Some)
}

/// Goes on with a run that is marked as this program's: how it stands is read only now, when nobody else changes it.
fn go_on(
    store: &mut Store,
    (run, lock): (i64, RunLock),
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    store.forget_requests(run)?;
    let row = store.run(run)?;
    if row.status == RunStatus::Finished {
        return Err(Error::new(format!("run {run} is finished")).hint("start another from it with --from CHECKPOINT"));
    }
    let config: serde_json::Value = serde_json::from_str(&row.config).map_err(|e| Error::new(format!("run {run}: {e}")))?;
    let plan = serde_json::from_value::<Plan>(config["plan"].clone());
    // A run that never began, whether it waits or was taken out of the queue, does not know its data yet.
    if config["data"].is_null() {
        let start = Some(row.start.as_str()).filter(|start| !start.is_empty());
        let plan = plan.map_err(|e| no_plan(run, &e));
        let begun = plan.as_ref().map_err(|e| Error::new(e.message())).and_then(|plan| {
            let (parts, source) = agent::find(store, start)?;
            let weights = Trainable::from_parts(&parts, &source)?;
            under(&control.cancel, || begin(store, Some((run, lock)), plan, weights, &source))
        });
        // What cannot begin must not wait on: it would be the next one for ever.
        let failed = begun.as_ref().err().filter(|error| !error.is_cancelled()).map(|error| error.message().to_string());
        if let Some(error) = failed {
            store.set_run(run, RunStatus::Failed, 0, Some(&error))?;
        }
        return begun?.work(store, control, each);
    }
    let plan = plan.map_err(|e| no_plan(run, &e))?;
    let selection = recorded(store, run)?.ok_or_else(|| {
        Error::new(format!("run {run} was begun by an older foretaste, which did not record what it trained on"))
            .hint("start another; its checkpoints can be started from with --from CHECKPOINT")
    })?;
    let stages: Vec<Stage> = serde_json::from_value(config["stages"].clone()).map_err(|e| no_plan(run, &e))?;
    let saved = store.latest_checkpoint(Some(run))?;
    let own = saved.as_ref().map(|saved| agent::read(store, saved)).transpose()?;
    let (folder, step) = saved.map_or((None, 0), |saved| (Some(store.root().join(&saved.folder)), saved.step));
    // A checkpoint holds the weights; under an adapter they are those that the run started from.
    let parts = match own {
        Some(parts) if plan.lora.is_none() => parts,
        _ => agent::named(store, &row.start)?,
    };
    let mut weights = Trainable::from_parts(&parts, &row.start)?;
    weights.adapter = match &folder {
        Some(folder) if plan.lora.is_some() => Some(checkpoint::adapter(folder, &weights.config)?),
        _ => plan.adapter(&weights.config)?,
    };
    let shapes = weights.net().shapes();
    let optimiser = match folder {
        Some(folder) => checkpoint::optimiser(&folder, &shapes)?,
        None => AdamW::new(&shapes),
    };
    let context = weights.config.context;
    let data = under(&control.cancel, || Data::read(store, &plan, selection, &weights.tokenizer, context))?;
    if config["digest"].as_str() != Some(data.name().as_str()) {
        return Err(Error::new(format!("what run {run} trains on reads differently now than when it began"))
            .hint("the store or the program changed; start another run"));
    }
    let begun = Begun::new(&plan, weights.net(), data, stages)?;
    let warnings = serde_json::from_value(config["warnings"].clone()).unwrap_or_default();
    Run { id: run, _lock: lock, plan: &plan, weights, optimiser, begun, start: row.start, warnings, step }
        .work(store, control, each)
}

fn no_plan(run: i64, why: &serde_json::Error) -> Error {
    Error::new(format!("run {run} has no usable plan: {why}"))
        .hint("it was written down by another version of foretaste; write it down again")
}

/// A run under way, after so many updates.
struct Run<'a> {
    id: i64,
    _lock: RunLock,
    plan: &'a Plan,
    weights: Trainable,
    optimiser: AdamW,
    begun: Begun,
    /// The model that it started from.
    start: String,
    warnings: Vec<String>,
    step: u64,
}

/// What was done so far, over all stages.
#[derive(Debug, Default)]
struct Realised {
    computed: f64,
    unique: f64,
    targets: [f64; 4],
}

impl Realised {
    /// As a run recorded it up to an update.
    fn read(store: &Store, run: i64, step: u64) -> Result<Self> {
        let last = |name: &str| -> Result<f64> {
            let points = store.metric(run, name)?;
            let before = points.iter().rev().find(|point| point.step <= step);
            Ok(before.and_then(|point| point.value).unwrap_or_default())
        };
        let mut targets = [0.0; 4];
        for (sum, (_, name)) in targets.iter_mut().zip(TARGETS) {
            *sum = last(&format!("targets_{name}"))?;
        }
        Ok(Self { computed: last("tokens")?, unique: last("tokens_unique")?, targets })
    }

    fn add(&mut self, sums: &Sums) {
        self.computed += sums.computed as f64;
        self.unique += sums.unique as f64;
        self.targets.iter_mut().zip(sums.counts).for_each(|(sum, count)| *sum += count);
    }

    fn metrics(&self) -> impl Iterator<Item = (String, f64)> + use<'_> {
        let targets = TARGETS.into_iter().zip(self.targets).filter(|(_, count)| *count > 0.0);
        let targets = targets.map(|((_, name), count)| (format!("targets_{name}"), count));
        [("tokens".to_string(), self.computed), ("tokens_unique".to_string(), self.unique)].into_iter().chain(targets)
    }
}

impl Run<'_> {
    /// Works to the end, or until it is cancelled; the store says how it ended.
    fn work(mut self, store: &mut Store, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<i64> {
        checkpoint::sweep(store)?;
        each(Event::Begun {
            run: self.id,
            start: &self.start,
            data: &self.begun.data.summary,
            stages: &self.begun.stages,
            memory: self.begun.passes.memory,
            warnings: &self.warnings,
        });
        store.set_run(self.id, RunStatus::Running, self.step, None)?;
        match self.updates(store, control, each) {
            Ok(()) => store.set_run(self.id, RunStatus::Finished, self.step, None)?,
            Err(error) if error.is_cancelled() => {
                // A clean stop keeps what was learned since the last checkpoint.
                let saved = store.latest_checkpoint(Some(self.id))?;
                if self.step > 0 && saved.is_none_or(|saved| saved.step != self.step) {
                    self.save(store, each)?;
                }
                store.set_run(self.id, RunStatus::Stopped, self.step, None)?;
                return Err(error);
            }
            Err(error) => {
                store.set_run(self.id, RunStatus::Failed, self.step, Some(error.message()))?;
                return Err(error);
            }
        }
        Ok(self.id)
    }

    /// Waits while paused, and fails once asked to end: here, or by another program through the store.
    fn safe_point(&self, store: &Store, control: &Control) -> Result<()> {
        loop {
            if store.stop_requested(self.id)? {
                control.cancel.cancel();
            }
            if !control.is_paused() || control.cancel.is_cancelled() {
                return control.cancel.check();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Saves what the weights are now, says so, and removes what nothing needs any more.
    fn save(&self, store: &Store, each: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let saved = checkpoint::save(store, self.id, self.step, &self.weights, &self.optimiser)?;
        let mut end = 0;
        let ends: Vec<u64> = self.begun.stages.iter().map(|stage| (end += stage.updates, end).1).collect();
        let removed = if self.plan.keep_all { Vec::new() } else { checkpoint::prune(store, self.id, &ends)? };
        each(Event::Saved {
            step: self.step,
            folder: &saved.folder,
            set_aside: saved.set_aside.as_deref(),
            removed: &removed,
        });
        Ok(())
    }

    fn updates(&mut self, store: &mut Store, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let plan = self.plan;
        let team = Team::new(plan.workers, Priority::Background)?;
        let steps = self.begun.stages.iter().map(|stage| stage.updates).sum();
        let meter = Meter::new(plan.objective.word(), self.step, steps);
        let began = Instant::now();
        // Time goes on where it was, so that a resumed run's curve by minutes does not fold back.
        let earlier = store.metric(self.id, "loss")?;
        let before = earlier.iter().filter(|point| point.step <= self.step).map(|point| point.wall_ms).max();
        let mut realised = Realised::read(store, self.id, self.step)?;
        let (mut start, Begun { data, stages, passes }) = (0, &self.begun);
        for (n, stage) in stages.iter().enumerate() {
            let mut epochs = data.epochs(plan.seed, stage);
            while self.step < start + stage.updates {
                self.safe_point(store, control)?;
                let within = self.step - start;
                if n > 0 && within == 0 && plan.moments == Moments::Reset {
                    self.optimiser = AdamW::new(&self.weights.net().shapes());
                }
                let batch = epochs.batch(within, plan.batch);
                let rate = plan.rate_at(within, stage.updates);
                let update =
                    Update { number: self.step + 1, batch: &batch, rate, budget: passes.budget, recompute: plan.recompute };
                let (mut metrics, sums) = update.run(&mut self.weights, &mut self.optimiser, &team, &control.cancel)?;
                metrics.push(("epochs".into(), ((within + 1) * plan.batch as u64) as f64 / stage.trees.max(1) as f64));
                self.step += 1;
                realised.add(&sums);
                metrics.extend(realised.metrics());
                let saves = self.step.is_multiple_of(plan.save_every) || self.step == start + stage.updates;
                if saves {
                    metrics.extend(validate(data, passes.budget, &self.weights, &team)?);
                }
                let wall = before.unwrap_or(0) + began.elapsed().as_millis() as i64;
                store.add_metrics(self.id, self.step, wall, &metrics)?;
                each(Event::Update { step: self.step, metrics: &metrics, progress: meter.at(self.step) });
                if saves {
                    self.save(store, each)?;
                }
            }
            start += stage.updates;
        }
        Ok(())
    }
}
