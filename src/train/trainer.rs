//! The update loop.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use super::Plan;
use super::checkpoint;
use super::data::{Data, DataSummary};
use super::examples::{Example, Kind};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::memory;
use crate::model::pack::{self, Packing};
use crate::model::step::{Buffers, Net};
use crate::model::team::{Priority, Team};
use crate::model::tree::TokenTree;
use crate::model::weights::Trainable;
use crate::store::{RunStatus, Store};

/// Gradients are scaled down to this global norm.
const CLIP: f64 = 1.0;

/// What a run tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run exists and what it trains on.
    Begun {
        /// Row id of the run.
        run: i64,
        /// What it trains on.
        data: &'a DataSummary,
        /// What it needs.
        memory: memory::Plan,
    },
    /// An update is done and its metrics are in the store.
    Update {
        /// The update, counted from 1.
        step: u64,
        /// Metric names and values.
        metrics: &'a [(&'static str, f64)],
        /// How far the run is.
        progress: Progress,
    },
    /// A checkpoint is on disk and in the store.
    Saved {
        /// The update.
        step: u64,
        /// Its folder.
        folder: &'a Path,
    },
}

/// Sums over some trees.
#[derive(Debug, Default)]
struct Sums {
    grads: Buffers,
    /// Nats and tokens of actions, observations, reflections.
    nats: [f64; 3],
    counts: [f64; 3],
    loss: f64,
    weight: f64,
    tokens: usize,
}

impl Sums {
    /// Nats a token by kind, for the kinds that there are.
    fn means(&self, names: [&'static str; 3]) -> Vec<(&'static str, f64)> {
        let of = |slot: usize| self.nats[slot] / self.counts[slot];
        names.into_iter().enumerate().filter(|(slot, _)| self.counts[*slot] > 0.0).map(|(slot, n)| (n, of(slot))).collect()
    }
}

/// Sums over a batch in passes of at most `budget` tokens, with its gradients if they are asked for.
fn sums(team: &Team, net: Net<'_>, budget: usize, batch: &[Example], gradient: bool) -> Result<Sums> {
    let trees: Vec<&TokenTree> = batch.iter().map(|example| &example.tree).collect();
    let packing = Packing::new(&trees, budget);
    let done = team.run(|| pack::batch(net, &packing, trees.len(), gradient))?;
    let mut sums = Sums { grads: done.grads, ..Sums::default() };
    for (example, loss) in batch.iter().zip(done.losses) {
        if !loss.total.is_finite() {
            return Err(Error::new(format!("the loss on trajectory {} is not a number", example.trajectory)));
        }
        sums.loss += loss.total;
        sums.weight += f64::from(example.tree.weight());
        sums.tokens += example.tree.len();
        for (node, nats) in loss.nats {
            let slot = match example.kinds[node] {
                Kind::Action => 0,
                Kind::Observation => 1,
                Kind::Reflection => 2,
                Kind::Context => continue,
            };
            sums.nats[slot] += f64::from(nats);
            sums.counts[slot] += 1.0;
        }
    }
    Ok(sums)
}

/// Marks a run as alive for other programs: the lock goes with the process, however it ends.
pub fn lock_run(store: &Store, run: i64) -> Result<File> {
    let folder = store.root().join("runs");
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("creating", &folder, &e))?;
    let path = folder.join(format!("{run}.lock"));
    let file = File::create(&path).map_err(|e| Error::io("creating", &path, &e))?;
    file.try_lock()
        .map_err(|_| Error::new(format!("run {run} is being trained by another foretaste")).hint("stop it there first"))?;
    Ok(file)
}

/// Whether some process is training this run now.
pub fn is_alive(store: &Store, run: i64) -> bool {
    let path = store.root().join("runs").join(format!("{run}.lock"));
    File::open(path).is_ok_and(|file| file.try_lock().is_err())
}

/// What a run needs of memory; an error if that is more than it may take.
fn memory_plan(plan: &Plan, net: Net<'_>, data: &Data) -> Result<memory::Plan> {
    // A chain longer than the budget cannot be cut.
    let longest = |example: &Example| Packing::new(&[&example.tree], plan.budget).largest;
    let largest = data.train.iter().map(longest).max().unwrap_or_default();
    let tokens: usize = data.train.iter().map(|example| example.tree.len()).sum();
    let needed = memory::Plan::new(Net { recompute: plan.recompute, ..net }, largest.max(plan.budget.min(tokens)));
    if let Some(limit) = plan.memory_limit.or_else(memory::available) {
        needed.check(limit)?;
    }
    Ok(needed)
}

/// What a run would train on, take and cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What it trains on.
    pub data: DataSummary,
    /// Tokens of all its updates, about.
    pub tokens: u64,
    /// Memory it needs.
    pub memory: memory::Plan,
    /// Tokens a second of the newest run in the store, if there is one.
    pub speed: Option<f64>,
}

/// Works out a [`Forecast`]; an error says why the run cannot start.
pub fn forecast(store: &Store, plan: &Plan, start: Option<&str>) -> Result<Forecast> {
    let (parts, source) = checkpoint::find(store, start)?;
    let weights = Trainable::from_parts(&parts, &source)?;
    let data = Data::read(store, plan, &weights.tokenizer, weights.config.context)?;
    let fresh = plan.adapter(&weights.config)?;
    let memory = memory_plan(plan, Net { adapter: fresh.as_ref(), ..weights.net() }, &data)?;
    let mean = data.summary.tokens as f64 / data.summary.trees.max(1) as f64;
    let newest = store.runs()?.first().map(|run| run.id);
    let speeds = newest.map_or(Ok(Vec::new()), |run| store.metric(run, "tokens_per_s"))?;
    let recent: Vec<f64> = speeds.iter().rev().take(50).filter_map(|point| point.value).collect();
    let speed = (!recent.is_empty()).then(|| recent.iter().sum::<f64>() / recent.len() as f64);
    let tokens = (mean * plan.batch as f64 * plan.steps as f64) as u64;
    Ok(Forecast { data: data.summary, tokens, memory, speed })
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
    begin(store, None, plan, weights, start)?.work(store, control, each)
}

/// Writes down a run that waits for its turn ([`resume`] starts it): what a plan asks for, and what to start from.
pub fn queue(store: &Store, plan: &Plan, start: Option<&str>) -> Result<i64> {
    let config = serde_json::json!({"plan": plan});
    store.queue_run(plan.objective.word(), &config.to_string(), plan.seed, start.unwrap_or_default(), plan.steps)
}

/// A run at its beginning: a new one, or one that waited for its turn.
fn begin<'a>(store: &Store, queued: Option<i64>, plan: &'a Plan, mut weights: Trainable, start: &str) -> Result<Run<'a>> {
    let data = Data::read(store, plan, &weights.tokenizer, weights.config.context)?;
    weights.adapter = plan.adapter(&weights.config)?;
    let memory = memory_plan(plan, weights.net(), &data)?;
    let config = serde_json::json!({"plan": plan, "data": data.summary, "model": start});
    let id = match queued {
        Some(run) => store.begin_queued(run, &config.to_string(), start).map(|()| run)?,
        None => store.begin_run(plan.objective.word(), &config.to_string(), plan.seed, start, plan.steps)?,
    };
    let optimiser = AdamW::new(&weights.net().shapes());
    Ok(Run { id, plan, weights, optimiser, data, memory, step: 0 })
}

/// Goes on with a run from its newest checkpoint (or from its start, if it has none), or starts one that waited.
pub fn resume(store: &mut Store, run: i64, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<i64> {
    let row = store.run(run)?;
    if row.status == RunStatus::Finished {
        return Err(Error::new(format!("run {run} is finished")).hint("start another from it with --from CHECKPOINT"));
    }
    let config: serde_json::Value = serde_json::from_str(&row.config).map_err(|e| Error::new(format!("run {run}: {e}")))?;
    let plan: Plan = serde_json::from_value(config["plan"].clone())
        .map_err(|e| Error::new(format!("run {run} has no usable plan: {e}")))?;
    // A run that never began, whether it waits or was taken out of the queue, does not know its data yet.
    if config["data"].is_null() {
        let start = Some(row.start.as_str()).filter(|start| !start.is_empty());
        let begun = checkpoint::find(store, start).and_then(|(parts, source)| {
            let weights = Trainable::from_parts(&parts, &source)?;
            begin(store, Some(run), &plan, weights, &source)
        });
        // What cannot begin must not wait on: it would be the next one for ever.
        let failed = begun.as_ref().err().map(|error| error.message().to_string());
        if let Some(error) = failed {
            store.set_run(run, RunStatus::Failed, 0, Some(&error))?;
        }
        return begun?.work(store, control, each);
    }
    let saved = store.latest_checkpoint(Some(run))?;
    let (folder, step) = saved.map_or((None, 0), |saved| (Some(store.root().join(&saved.folder)), saved.step));
    // A checkpoint holds the weights; under an adapter they are those that the run started from.
    let parts = match &folder {
        Some(folder) if plan.lora.is_none() => crate::model::weights::Parts::read(folder)?,
        _ => checkpoint::named(store, &row.start)?,
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
    let data = Data::read(store, &plan, &weights.tokenizer, weights.config.context)?;
    let memory = memory_plan(&plan, weights.net(), &data)?;
    Run { id: run, plan: &plan, weights, optimiser, data, memory, step }.work(store, control, each)
}

/// A run under way, after so many updates.
struct Run<'a> {
    id: i64,
    plan: &'a Plan,
    weights: Trainable,
    optimiser: AdamW,
    data: Data,
    memory: memory::Plan,
    step: u64,
}

impl Run<'_> {
    /// Works to the end, or until it is cancelled; the store says how it ended.
    fn work(mut self, store: &mut Store, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<i64> {
        let _lock = lock_run(store, self.id)?;
        each(Event::Begun { run: self.id, data: &self.data.summary, memory: self.memory });
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

    fn updates(&mut self, store: &mut Store, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let plan = self.plan;
        let team = Team::new(plan.workers, Priority::Background)?;
        let meter = Meter::new(plan.objective.word(), self.step, plan.steps);
        let began = Instant::now();
        // Time goes on where it was, so that a resumed run's curve by minutes does not fold back.
        let earlier = store.metric(self.id, "loss")?;
        let before = earlier.iter().filter(|point| point.step <= self.step).map(|point| point.wall_ms).max();
        let counted = earlier.iter().rev().find(|point| point.step <= self.step).and_then(|point| point.tokens);
        let mut trained = counted.unwrap_or_default();
        while self.step < plan.steps {
            control.checkpoint()?;
            let (mut metrics, tokens) = self.update(&team)?;
            trained += tokens as f64;
            metrics.push(("tokens", trained));
            let saves = self.step.is_multiple_of(plan.save_every) || self.step == plan.steps;
            if saves {
                metrics.extend(self.validate(&team)?);
            }
            store.add_metrics(self.id, self.step, before.unwrap_or(0) + began.elapsed().as_millis() as i64, &metrics)?;
            each(Event::Update { step: self.step, metrics: &metrics, progress: meter.at(self.step) });
            if saves {
                self.save(store, each)?;
            }
        }
        Ok(())
    }

    /// One update: what it measured, and its tokens.
    fn update(&mut self, team: &Team) -> Result<(Vec<(&'static str, f64)>, usize)> {
        let (plan, started) = (self.plan, Instant::now());
        let batch = self.data.batch(plan, self.step);
        let place = |error: Error| {
            let ids: Vec<String> = batch.iter().map(|example| example.trajectory.to_string()).collect();
            let place = format!("update {} (trajectories {})", self.step + 1, ids.join(", "));
            error.at(place).hint("lower the learning rate with --rate; the last checkpoint is whole")
        };
        let net = Net { recompute: plan.recompute, ..self.weights.net() };
        let (shapes, total) = (net.shapes(), sums(team, net, plan.budget, &batch, true).map_err(place)?);
        let (scale, rate) = ((1.0 / total.weight.max(1.0)) as f32, plan.rate_at(self.step));
        let (optimiser, trained) = (&mut self.optimiser, self.weights.trained());
        let norm = team.run(|| optimiser.step(&shapes, trained, &total.grads, scale, rate, CLIP)).map_err(place)?;
        self.step += 1;
        let speed = total.tokens as f64 / started.elapsed().as_secs_f64();
        let loss = total.loss / total.weight.max(1.0);
        let mut metrics = vec![("loss", loss), ("rate", rate), ("norm", norm), ("tokens_per_s", speed)];
        metrics.extend(total.means(["loss_action", "loss_observation", "loss_reflection"]));
        Ok((metrics, total.tokens))
    }

    /// What held-out trees cost, by kind of token.
    fn validate(&self, team: &Team) -> Result<Vec<(&'static str, f64)>> {
        let mut held = self.data.held_out.clone();
        let all = super::Mixture { action: 1.0, observation: 1.0, reflection: 1.0 };
        held.retain_mut(|example| example.weigh(&all));
        held.truncate(32);
        let valid = sums(team, self.weights.net(), self.plan.budget, &held, false)?;
        Ok(valid.means(["valid_action", "valid_observation", "valid_reflection"]))
    }

    fn save(&self, store: &mut Store, each: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let folder = checkpoint::save(store, self.id, self.step, &self.weights, &self.optimiser)?;
        each(Event::Saved { step: self.step, folder: &folder });
        Ok(())
    }
}
