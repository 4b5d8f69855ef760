//! The models of a study: training them, and what each came to.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::jobs::{Cell, Data, Job, Task};
use super::work::{Event, folder};
use crate::agent;
use crate::collect::{self, Visiting};
use crate::control::{Control, Progress};
use crate::env::{Only, Suite};
use crate::episode::{Play, Scope, Teacher};
use crate::error::{Error, Result};
use crate::model::folder::{digest_of, read_whole};
use crate::model::team::Priority;
use crate::store::{RunStatus, Store, StudyJob};
use crate::train::{Objective, Plan, checkpoint, trainer};

/// The number of the checkpoint that a training ended on, if it is here.
pub(super) fn trained_model(store: &Store, job: &StudyJob) -> Result<Option<String>> {
    let Some(run) = job.run else { return Ok(None) };
    // What was trained elsewhere is trained here anew where it is needed, and may be half done.
    if store.run(run)?.status != RunStatus::Finished {
        return Ok(None);
    }
    let last = store.latest_checkpoint(Some(run))?;
    Ok(last.filter(|last| store.root().join(&last.folder).is_dir()).map(|last| last.id.to_string()))
}

/// Points of a curve that are kept with what came of a training.
const CURVE: usize = 100;

/// What came of an arm's first policy; null of the arms that have none.
pub(super) fn first_policy(store: &Store, cell: &Cell) -> Result<Value> {
    let job = Job::of(Task::Visit { cell: cell.clone() });
    let known = store.study_job(&job.name)?;
    let text = known.and_then(|known| known.result).unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// DAgger's first policy: trained on half of the games, it plays the other half, and the expert
/// answers as often in a game as its own demonstration of it has steps.
pub(super) fn visit(
    store: &mut Store,
    suite: &dyn Suite,
    job: &Job,
    cell: &Cell,
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Value> {
    // Ended while it visited, it is trained already.
    let begun = store.study_job(&job.name)?;
    let trained = begun.map(|known| trained_model(store, &known)).transpose()?.flatten();
    if trained.is_none() {
        train(store, suite, (job, cell), &cell.first_plan(), control, tell)?;
    }
    let run = store.study_job(&job.name)?.and_then(|known| known.run);
    let last = store.latest_checkpoint(run)?.map(|last| last.id.to_string());
    let mut agent = agent::open(store, last.as_deref(), Some(suite.name()), Priority::Background)?;
    let visitor = agent.name();
    let _held = agent::hold(store, &visitor);
    let Data { split, expert, share, .. } = &cell.data;
    let demonstrated = store.demonstrations(Some(suite.name()), Some(split))?;
    let steps: HashMap<String, usize> = demonstrated
        .into_iter()
        .filter(|demo| demo.actor == *expert)
        .map(|demo| (demo.task_id, demo.length))
        .collect();
    // Those of a first policy that was lost before it was done would count beside its own.
    for other in store.visits(Some(suite.name()), Some(split))? {
        if other.actor != visitor && !store.answers(other.id, Some(&cell.answers()))?.is_empty() {
            store.set_deleted(other.id, true)?;
        }
    }
    let half = cell.first_half();
    let tasks = suite.tasks(split)?.into_iter().map(|task| task.id);
    let others: Vec<String> =
        tasks.filter(|id| share.holds(suite.name(), id) && !half.holds(suite.name(), id)).collect();
    let only = Only { tasks: Some(&others), ..Only::of(suite) };
    let (split, seed) = (split.clone(), cell.seed);
    let scope = Scope { split, games: usize::MAX, seed, share: None };
    let visiting = Visiting {
        agent: agent.as_mut(),
        play: Play { temperature: VISITING, seed, ..Play::default() },
        teacher: Teacher::Suite(Some(expert)),
        pool: cell.answers(),
        answers: &|task| steps.get(task).copied().unwrap_or_default(),
    };
    let mut report = |_: Value, progress: Progress| tell(Event::Progress(&progress));
    collect::visits(store, &only, &scope, visiting, control, &mut report)?;
    let mut result = match run {
        Some(run) => summary(store, run)?,
        None => Value::default(),
    };
    let visits = store.visits(Some(suite.name()), Some(&cell.data.split))?;
    let own: Vec<_> = visits.into_iter().filter(|visit| visit.actor == visitor).collect();
    let wanted: usize = others.iter().filter_map(|task| steps.get(task)).sum();
    let mut answers = 0;
    for visit in &own {
        answers += store.answers(visit.id, Some(&cell.answers()))?.len();
    }
    // As many answers as the other arms have, or it is another comparison.
    if (answers as f64) < ENOUGH * wanted as f64 {
        return Err(Error::new(format!(
            "{expert} answered {answers} times where its demonstrations have {wanted} steps"
        ))
        .hint("DAgger needs an expert that can be asked anywhere: fair or planner"));
    }
    let won = own.iter().filter(|visit| visit.success).count();
    result["visits"] =
        json!({"games": own.len(), "answers": answers, "wanted": wanted, "won": won});
    Ok(result)
}

/// The share of the answers that were to be given, at least.
const ENOUGH: f64 = 0.9;

/// The temperature of a policy that visits.
const VISITING: f64 = 0.4;

/// Trains a cell by a plan, or goes on with it.
pub(super) fn train(
    store: &mut Store,
    suite: &dyn Suite,
    (job, cell): (&Job, &Cell),
    plan: &Plan,
    control: &Control,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Value> {
    let begun = store.study_job(&job.name)?.and_then(|known| known.run);
    let unfinished = begun.map(|run| store.run(run)).transpose()?;
    let unfinished = unfinished.filter(|run| run.status != RunStatus::Finished);
    let mut each = |event: trainer::Event<'_>| {
        if let trainer::Event::Update { progress, .. } = event {
            tell(Event::Progress(&progress));
        }
    };
    let run = if let Some(run) = unfinished {
        trainer::resume_in(store, Some(suite), run.id, control, &mut each)?
    } else {
        // Written down before it begins, so that a kill between the two leaves a run that the
        // job knows.
        let start = match cell.base() {
            Some(base) => checkpoint_of(store, &base)?,
            None => folder(store, &cell.data, cell.seed).display().to_string(),
        };
        let run = trainer::queue(store, plan, &start)?;
        store.set_study_run(&job.name, run)?;
        trainer::resume_in(store, Some(suite), run, control, &mut each)?
    };
    // Only what is tested is needed any more.
    let last = store.latest_checkpoint(Some(run))?.map(|saved| saved.id);
    let all = store.checkpoints()?;
    for saved in all.iter().filter(|saved| saved.run == run && Some(saved.id) != last) {
        checkpoint::remove(store, saved)?;
    }
    let mut result = summary(store, run)?;
    result["start"] = match cell.base() {
        None => json!(digest_of(&read_whole(&folder(store, &cell.data, cell.seed), None)?)?),
        Some(base) => {
            let trained = store.study_job(&Job::of(Task::Train { cell: base }).name)?;
            let run = trained.and_then(|known| known.run);
            json!(store.latest_checkpoint(run)?.and_then(|last| last.digest))
        }
    };
    if let Some(bridge) = &cell.rl {
        // All of them: what a program takes where nothing is said may be another tomorrow.
        result["rl"] = json!(bridge.settings());
    }
    result["weights"] = json!(store.latest_checkpoint(Some(run))?.and_then(|last| last.digest));
    Ok(result)
}

/// What a training came to.
fn summary(store: &Store, run: i64) -> Result<Value> {
    let row = store.run(run)?;
    let config: Value = serde_json::from_str(&row.config).unwrap_or_default();
    let mut totals = BTreeMap::new();
    for name in ["tokens", "tokens_unique"] {
        let points = store.metric(run, name)?;
        totals.insert(name, points.last().and_then(|point| point.value));
    }
    // Of a run that plays, how often it wins.
    let plays = row.objective == Objective::Rl.as_str();
    let loss = store.metric(run, if plays { "success" } else { "loss" })?;
    let every = loss.len().div_ceil(CURVE).max(1);
    let curve: Vec<(u64, f64)> = loss
        .chunks(every)
        .filter_map(|chunk| {
            let values: Vec<f64> = chunk.iter().filter_map(|point| point.value).collect();
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            Some((chunk.last()?.step, (mean * 1e4).round() / 1e4))
        })
        .collect();
    let wall = loss.last().map(|point| point.wall_ms).unwrap_or_default();
    Ok(json!({
        "updates": row.step,
        "stages": config["stages"],
        "data": config["data"],
        "digest": config["digest"],
        "warnings": config["warnings"],
        "tokens": totals,
        "training_seconds": wall as f64 / 1000.0,
        if plays { "success" } else { "loss" }: curve,
    }))
}

/// The checkpoint that a cell was trained to, by its number.
pub(super) fn checkpoint_of(store: &Store, cell: &Cell) -> Result<String> {
    let trained = store.study_job(&Job::of(Task::Train { cell: cell.clone() }).name)?;
    let model = trained.map(|known| trained_model(store, &known)).transpose()?.flatten();
    model.ok_or_else(|| Error::new("what was trained is not here any more"))
}
