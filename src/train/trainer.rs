//! The update loop.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use super::checkpoint;
use super::examples::{Carry, Example, Kind, examples};
use super::{Objective, Plan};
use crate::agent::prompt::Framing;
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::memory;
use crate::model::pack::{self, Packing};
use crate::model::step::{Buffers, Net};
use crate::model::team::{Priority, Team};
use crate::model::tokenizer::Tokenizer;
use crate::model::tree::TokenTree;
use crate::model::weights::Trainable;
use crate::rng::Rng;
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

/// What a training set consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DataSummary {
    /// Demonstrations.
    pub demonstrations: usize,
    /// Executed alternatives.
    pub branches: usize,
    /// Approved reflections.
    pub reflections: usize,
    /// Trees.
    pub trees: usize,
    /// Tokens, shared prefixes counted once.
    pub tokens: usize,
}

/// The trees a plan trains on, and those held out (every twentieth demonstration, once there are twenty).
pub struct Data {
    train: Vec<Example>,
    held_out: Vec<Example>,
    /// What they consist of.
    pub summary: DataSummary,
}

impl Data {
    /// Reads the store.
    pub fn read(store: &Store, plan: &Plan, tokenizer: &Tokenizer, context: usize) -> Result<Self> {
        let framing = Framing::new(tokenizer)?;
        let carry = Carry {
            branches: matches!(plan.objective, Objective::WorldModel | Objective::Joint),
            reflections: matches!(plan.objective, Objective::Reflection | Objective::Joint),
        };
        let demos = store.demonstrations(plan.suite.as_deref(), plan.split.as_deref())?;
        let mut data = Self { train: Vec::new(), held_out: Vec::new(), summary: DataSummary::default() };
        for (i, demo) in demos.iter().enumerate() {
            let trajectory = store.trajectory(demo.id)?;
            let branches = if carry.branches { store.branches(demo.id)? } else { Vec::new() };
            let reflections = if carry.reflections { store.approved(demo.id)? } else { Vec::new() };
            let trees = examples(&framing, &trajectory, &branches, &reflections, carry, context)?;
            data.summary.demonstrations += 1;
            data.summary.branches += branches.len();
            data.summary.reflections += reflections.len();
            data.summary.trees += trees.len();
            data.summary.tokens += trees.iter().map(|example| example.tree.len()).sum::<usize>();
            (if demos.len() >= 20 && i % 20 == 19 { &mut data.held_out } else { &mut data.train }).extend(trees);
        }
        if carry.reflections {
            // States that a person explored and reflected on: only the reflection is a target, not the way there.
            for id in store.reflected_explorations(plan.suite.as_deref(), plan.split.as_deref())? {
                let trajectory = store.trajectory(id)?;
                let reflections = store.approved(id)?;
                let mut trees = examples(&framing, &trajectory, &[], &reflections, carry, context)?;
                for kind in trees.iter_mut().flat_map(|tree| &mut tree.kinds) {
                    if *kind != Kind::Reflection {
                        *kind = Kind::Context;
                    }
                }
                data.summary.reflections += reflections.len();
                data.summary.trees += trees.len();
                data.summary.tokens += trees.iter().map(|example| example.tree.len()).sum::<usize>();
                data.train.extend(trees);
            }
        }
        let missing =
            |what: &str, command: &str| Err(Error::new(format!("there is nothing to train on: {what}")).hint(command));
        if data.summary.demonstrations == 0 {
            let split =
                plan.split.as_ref().map_or(String::new(), |split| format!(" of split {split} (--split takes others)"));
            let hint = "run: foretaste collect demos --suite household --split train --games 50";
            return missing(&format!("no demonstrations{split}"), hint);
        }
        if plan.objective == Objective::WorldModel && data.summary.branches == 0 {
            return missing("no executed alternatives", "run: foretaste collect branches (after collect demos)");
        }
        if plan.objective == Objective::Reflection && data.summary.reflections == 0 {
            return missing("no approved reflections", "collect reflections, then approve some in Curate");
        }
        Ok(data)
    }

    /// The trees of an update: consecutive in an order that the seed draws anew each epoch, so that it depends on the
    /// update's number only and a resumed run goes on where it was.
    fn batch(&self, plan: &Plan, step: u64) -> Vec<Example> {
        let mixture = plan.objective.mixture(step, plan.steps);
        let mut picked = Vec::with_capacity(plan.batch);
        let mut at = step * plan.batch as u64;
        let mut order: (u64, Vec<usize>) = (u64::MAX, Vec::new());
        let mut tries = 0;
        while picked.len() < plan.batch && tries < plan.batch + 4 * self.train.len() {
            let epoch = at / self.train.len() as u64;
            if order.0 != epoch {
                order = (epoch, (0..self.train.len()).collect());
                Rng::stream(plan.seed ^ epoch, "order").shuffle(&mut order.1);
            }
            let mut example = self.train[order.1[(at % self.train.len() as u64) as usize]].clone();
            if example.weigh(&mixture) {
                picked.push(example);
            }
            at += 1;
            tries += 1;
        }
        picked
    }
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
    fn mean(&self, slot: usize) -> Option<f64> {
        (self.counts[slot] > 0.0).then(|| self.nats[slot] / self.counts[slot])
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
    mut weights: Trainable,
    start: &str,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    let data = Data::read(store, plan, &weights.tokenizer, weights.config.context)?;
    let fresh = plan.adapter(&weights.config)?;
    memory_plan(plan, Net { adapter: fresh.as_ref(), ..weights.net() }, &data)?;
    let config = serde_json::json!({"plan": plan, "data": data.summary, "model": start});
    let run = store.begin_run(plan.objective.word(), &config.to_string(), plan.seed, start, plan.steps)?;
    weights.adapter = fresh;
    let optimiser = AdamW::new(&weights.net().shapes());
    go_on(store, run, plan, &mut weights, optimiser, 0, &data, control, each)
}

/// Goes on with a run from its newest checkpoint (or from its start, if it has none).
pub fn resume(store: &mut Store, run: i64, control: &Control, each: &mut dyn FnMut(Event<'_>)) -> Result<i64> {
    let row = store.run(run)?;
    if row.status == RunStatus::Finished {
        return Err(Error::new(format!("run {run} is finished")).hint("start another from it with --from CHECKPOINT"));
    }
    let config: serde_json::Value = serde_json::from_str(&row.config).map_err(|e| Error::new(format!("run {run}: {e}")))?;
    let plan: Plan = serde_json::from_value(config["plan"].clone())
        .map_err(|e| Error::new(format!("run {run} has no usable plan: {e}")))?;
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
    go_on(store, run, &plan, &mut weights, optimiser, step, &data, control, each)
}

#[expect(clippy::too_many_arguments, reason = "one private function that `train` and `resume` share")]
fn go_on(
    store: &mut Store,
    run: i64,
    plan: &Plan,
    weights: &mut Trainable,
    mut optimiser: AdamW,
    from: u64,
    data: &Data,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    let _lock = lock_run(store, run)?;
    let memory = memory_plan(plan, weights.net(), data)?;
    each(Event::Begun { run, data: &data.summary, memory });
    store.set_run(run, RunStatus::Running, from, None)?;
    let mut step = from;
    let ended = updates(store, run, plan, weights, &mut optimiser, &mut step, data, control, each);
    match ended {
        Ok(()) => store.set_run(run, RunStatus::Finished, step, None)?,
        Err(error) if error.is_cancelled() => {
            // A clean stop keeps what was learned since the last checkpoint.
            if store.latest_checkpoint(Some(run))?.is_none_or(|saved| saved.step != step) && step > 0 {
                let folder = checkpoint::save(store, run, step, weights, &optimiser)?;
                each(Event::Saved { step, folder: &folder });
            }
            store.set_run(run, RunStatus::Stopped, step, None)?;
            return Err(error);
        }
        Err(error) => {
            store.set_run(run, RunStatus::Failed, step, Some(error.message()))?;
            return Err(error);
        }
    }
    Ok(run)
}

#[expect(clippy::too_many_arguments, reason = "the body of `go_on`, apart so that every way out is handled in one place")]
fn updates(
    store: &mut Store,
    run: i64,
    plan: &Plan,
    weights: &mut Trainable,
    optimiser: &mut AdamW,
    step: &mut u64,
    data: &Data,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let team = Team::new(plan.workers, Priority::Background)?;
    let meter = Meter::new(plan.objective.word(), *step, plan.steps);
    let (began, shapes) = (Instant::now(), weights.net().shapes());
    // Time goes on where it was, so that a resumed run's curve by minutes does not fold back.
    let before = store.metric(run, "loss")?.iter().filter(|point| point.step <= *step).map(|point| point.wall_ms).max();
    while *step < plan.steps {
        control.checkpoint()?;
        let started = Instant::now();
        let batch = data.batch(plan, *step);
        let place = |error: Error| {
            let ids: Vec<String> = batch.iter().map(|example| example.trajectory.to_string()).collect();
            let place = format!("update {} (trajectories {})", *step + 1, ids.join(", "));
            error.at(place).hint("lower the learning rate with --rate; the last checkpoint is whole")
        };
        let net = Net { recompute: plan.recompute, ..weights.net() };
        let total = sums(&team, net, plan.budget, &batch, true).map_err(place)?;
        let scale = (1.0 / total.weight.max(1.0)) as f32;
        let rate = plan.rate_at(*step);
        let norm =
            team.run(|| optimiser.step(&shapes, weights.trained(), &total.grads, scale, rate, CLIP)).map_err(place)?;
        *step += 1;
        let speed = total.tokens as f64 / started.elapsed().as_secs_f64();
        let mut metrics =
            vec![("loss", total.loss / total.weight.max(1.0)), ("rate", rate), ("norm", norm), ("tokens_per_s", speed)];
        let means = [("loss_action", 0), ("loss_observation", 1), ("loss_reflection", 2)];
        metrics.extend(means.iter().filter_map(|(name, slot)| Some((*name, total.mean(*slot)?))));
        if (*step).is_multiple_of(plan.save_every) || *step == plan.steps {
            let mut held = data.held_out.clone();
            let all = super::Mixture { action: 1.0, observation: 1.0, reflection: 1.0 };
            held.retain_mut(|example| example.weigh(&all));
            held.truncate(32);
            let valid = sums(&team, weights.net(), plan.budget, &held, false)?;
            let names = [("valid_action", 0), ("valid_observation", 1), ("valid_reflection", 2)];
            metrics.extend(names.iter().filter_map(|(name, slot)| Some((*name, valid.mean(*slot)?))));
        }
        store.add_metrics(run, *step, before.unwrap_or(0) + began.elapsed().as_millis() as i64, &metrics)?;
        each(Event::Update { step: *step, metrics: &metrics, progress: meter.at(*step) });
        if (*step).is_multiple_of(plan.save_every) || *step == plan.steps {
            let folder = checkpoint::save(store, run, *step, weights, optimiser)?;
            each(Event::Saved { step: *step, folder: &folder });
        }
    }
    Ok(())
}
