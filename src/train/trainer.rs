//! How a run begins, goes on and waits for its turn. Around its engine stands what `run.rs` has.

use super::checkpoint;
use super::data::Data;
use super::elsewhere::Elsewhere;
use super::engine::{Local, Realised};
use super::forecast::Passes;
use super::listing::{By, Listing};
use super::plan::{Plan, Stage};
use super::provenance::{recorded, warnings};
use super::rl;
use super::rl::captured::{Again, Read};
use super::rl::source::{Playing, tasks_of};
pub use super::run::Event;
use super::run::Run;
use super::source::Stored;
use super::torchrun::{self, Torchrun};
use crate::agent::prompt::Framing;
use crate::agent::{self, Located};
use crate::budget::under;
use crate::control::Control;
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::step::Net;
use crate::model::weights::Trainable;
use crate::store::{NewRun, RunLock, RunStatus, Store};

/// Starts a run from `weights` (`start` names them) and trains it to the end, or until it is
/// cancelled.
pub fn train(
    store: &mut Store,
    plan: &Plan,
    weights: Trainable,
    start: &str,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    train_in(store, None, plan, weights, start, control, each)
}

/// The same in a program that has a suite open: what is played is played there, if it is of that
/// name.
pub fn train_in(
    store: &mut Store,
    open: Option<&dyn Suite>,
    plan: &Plan,
    weights: Trainable,
    start: &str,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    let ready = under(&control.cancel, || begin(store, None, (plan, open), weights, start))?;
    ready.work(store, control, each)
}

/// Writes down a run that waits for its turn ([`resume`] starts it): what a plan asks for, and what
/// to start from.
pub fn queue(store: &Store, plan: &Plan, start: &str) -> Result<i64> {
    plan.open_device()?;
    let config = serde_json::json!({"plan": plan}).to_string();
    // A folder must be the same one wherever the run is started from later.
    let start = match agent::locate(store, Some(start), None)? {
        _ if start == agent::NEWEST => String::new(), // the newest of that time
        Located::Recorded(saved) => saved.name(),
        Located::Folder(path) => std::fs::canonicalize(&path).unwrap_or(path).display().to_string(),
        Located::Hub(known, _) => known,
        Located::BuiltIn(_) => start.to_string(),
        Located::Endpoint(mind) => return Err(agent::no_weights(&mind.name)),
    };
    let objective = plan.objective.as_str();
    let seed = plan.seed;
    let steps = plan.steps;
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
    (plan, open): (&'a Plan, Option<&'a dyn Suite>),
    mut weights: Trainable,
    start: &str,
) -> Result<Ready<'a>> {
    plan.check()?;
    plan.torchrun.as_ref().map_or(Ok(()), torchrun::Settings::ready)?;
    let data = Data::choose(store, plan, &weights.tokenizer, weights.config.context)?;
    plan.equip(&mut weights)?;
    weights.device = plan.open_device()?;
    let mut stages = plan.stages(|mixture| data.found(mixture));
    let (mut played, mut worth) = (Vec::new(), None);
    if let Some(of) = &plan.rl {
        // What cannot be played is said before there is a run.
        let trees = if of.captured.is_some() {
            let reader = (&*weights.tokenizer, weights.config.context);
            let read = Read::of(store, of, reader, start, None)?;
            worth = Some(read.worth.clone());
            played.clone_from(&read.warnings);
            read.tasks()
        } else {
            let other = rl::suite(plan, of, open)?;
            let suite = other.as_deref().or(open).ok_or_else(no_suite)?;
            let split = plan.data.split.as_deref().unwrap_or_default();
            played = rl::warnings(plan, suite);
            tasks_of(suite, plan, split)?.len()
        };
        for stage in &mut stages {
            stage.trees = trees;
        }
    }
    let begun = Begun::new(plan, weights.net(), data, stages)?;
    let mut warnings = [played, warnings(store, start, &begun.data.selection)?].concat();
    warnings.extend(plan.slow());
    let Begun { data, stages, passes } = &begun;
    let config = serde_json::json!({
        "plan": plan, "data": data.summary, "digest": data.name(), "stages": stages,
        "budget": passes.budget,
        "model": start, "warnings": warnings, "worth": worth,
    })
    .to_string();
    let record = serde_json::to_string(&data.selection)
        .map_err(|e| Error::new(format!("what is trained on: {e}")))?;
    let steps = stages.iter().map(|stage| stage.updates).sum();
    let (id, lock) = if let Some((run, lock)) = queued {
        store.begin_queued(run, &config, start, steps, &record)?;
        (run, lock)
    } else {
        let new = NewRun {
            objective: plan.objective.as_str(),
            config: &config,
            seed: plan.seed,
            start,
            steps,
        };
        store.begin_run(new, &record)?
    };
    let optimiser = AdamW::new(&weights.net().shapes());
    Ok(Ready {
        id,
        lock,
        open,
        plan,
        weights,
        optimiser,
        begun,
        start: start.to_string(),
        warnings,
        step: 0,
    })
}

/// Goes on with a run from its newest checkpoint (or from its start, if it has none), or starts one
/// that waited. It trains on exactly what it trained on before, whatever was collected or decided
/// since.
pub fn resume(
    store: &mut Store,
    run: i64,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    resume_in(store, None, run, control, each)
}

/// The same in a program that has a suite open.
pub fn resume_in(
    store: &mut Store,
    open: Option<&dyn Suite>,
    run: i64,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    store.run(run)?;
    let lock = store.own_run(run)?;
    go_on(store, open, (run, lock), control, each)
}

/// Starts the run that waits longest, if one does that nobody else has taken.
pub fn next_queued(
    store: &mut Store,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<Option<i64>> {
    let Some(claimed) = store.claim_queued()? else { return Ok(None) };
    go_on(store, None, claimed, control, each).map(Some)
}

/// [`resume`] by something else, which is written down once it is known to be there.
///
/// # Errors
/// Where the run is not of that engine; nothing is changed then.
pub fn resume_elsewhere(
    store: &mut Store,
    run: i64,
    by: &Elsewhere,
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    store.run(run)?;
    let lock = store.own_run(run)?;
    by.write_down(store, run)?;
    go_on(store, None, (run, lock), control, each)
}

/// Goes on with a run that is marked as this program's: how it stands is read only now, when nobody
/// else changes it.
fn go_on(
    store: &mut Store,
    open: Option<&dyn Suite>,
    (run, lock): (i64, RunLock),
    control: &Control,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<i64> {
    store.forget_requests(run)?;
    let row = store.run(run)?;
    if row.status == RunStatus::Finished {
        return Err(Error::new(format!("run {run} is finished"))
            .hint("start another from it with --from CHECKPOINT"));
    }
    let config: serde_json::Value =
        serde_json::from_str(&row.config).map_err(|e| Error::new(format!("run {run}: {e}")))?;
    let plan = serde_json::from_value::<Plan>(config["plan"].clone());
    // A run that never began, whether it waits or was taken out of the queue, does not know its
    // data yet.
    if config["data"].is_null() {
        let start = Some(row.start.as_str()).filter(|start| !start.is_empty());
        let plan = plan.map_err(|e| no_plan(run, &e));
        let begun = plan.as_ref().map_err(|e| Error::new(e.message())).and_then(|plan| {
            let (parts, source) = agent::find(store, start, None)?;
            let weights = plan.start(&parts, &source)?;
            under(&control.cancel, || {
                begin(store, Some((run, lock)), (plan, open), weights, &source)
            })
        });
        // What cannot begin must not wait on: it would be the next one for ever.
        let failed = begun
            .as_ref()
            .err()
            .filter(|error| !error.is_cancelled())
            .map(|error| error.message().to_string());
        if let Some(error) = failed {
            store.set_run(run, RunStatus::Failed, 0, Some(&error))?;
        }
        return begun?.work(store, control, each);
    }
    let plan = plan.map_err(|e| no_plan(run, &e))?;
    let selection = recorded(store, run)?.ok_or_else(|| {
        Error::new(format!(
            "run {run} was begun by an older foretaste, which did not record what it trained on"
        ))
        .hint("start another; its checkpoints can be started from with --from CHECKPOINT")
    })?;
    let stages: Vec<Stage> =
        serde_json::from_value(config["stages"].clone()).map_err(|e| no_plan(run, &e))?;
    let saved = store.latest_checkpoint(Some(run))?;
    let own = saved.as_ref().map(|saved| agent::read(store, saved)).transpose()?;
    let (folder, step) =
        saved.map_or((None, 0), |saved| (Some(store.root().join(&saved.folder)), saved.step));
    // A checkpoint holds the weights; under an adapter they are those that the run started from.
    let parts = match own {
        Some(parts) if plan.lora.is_none() => parts,
        _ => agent::named(store, &row.start)?,
    };
    let mut weights = plan.start(&parts, &row.start)?;
    match &folder {
        Some(folder) if plan.lora.is_some() => {
            weights.adapter = Some(checkpoint::adapter(folder, &weights.config)?);
        }
        _ => plan.equip(&mut weights)?,
    }
    weights.device = plan.open_device()?;
    let shapes = weights.net().shapes();
    let optimiser = match folder {
        Some(folder) if plan.torchrun.is_none() => checkpoint::optimiser(&folder, &shapes)?,
        _ => AdamW::new(&shapes),
    };
    let context = weights.config.context;
    let data = under(&control.cancel, || {
        Data::read(store, &plan, selection, &weights.tokenizer, context)
    })?;
    if config["digest"].as_str() != Some(data.name().as_str()) {
        return Err(Error::new(format!(
            "what run {run} trains on reads differently now than when it began"
        ))
        .hint("the store or the program changed; start another run"));
    }
    let begun = Begun::new(&plan, weights.net(), data, stages)?;
    let warnings = serde_json::from_value(config["warnings"].clone()).unwrap_or_default();
    Ready {
        id: run,
        lock,
        open,
        plan: &plan,
        weights,
        optimiser,
        begun,
        start: row.start,
        warnings,
        step,
    }
    .work(store, control, each)
}

/// The model that a run is held against: the one that it started from, computed where it is.
fn beginning(store: &Store, plan: &Plan, start: &str) -> Result<Trainable> {
    let mut weights = Trainable::from_parts(&agent::named(store, start)?, start)?;
    weights.device = plan.open_device()?;
    Ok(weights)
}

fn no_suite() -> Error {
    Error::new("no suite is open to be played")
}

fn no_plan(run: i64, why: &serde_json::Error) -> Error {
    Error::new(format!("run {run} has no usable plan: {why}"))
        .hint("it was written down by another version of foretaste; write it down again")
}

/// A run that is ready to go on, after so many updates.
struct Ready<'a> {
    id: i64,
    lock: RunLock,
    /// The suite that is open here.
    open: Option<&'a dyn Suite>,
    plan: &'a Plan,
    weights: Trainable,
    optimiser: AdamW,
    begun: Begun,
    /// The model that it started from.
    start: String,
    warnings: Vec<String>,
    step: u64,
}

impl Ready<'_> {
    /// Works to the end, or until it is cancelled; the store says how it ended.
    fn work(
        self,
        store: &mut Store,
        control: &Control,
        each: &mut dyn FnMut(Event<'_>),
    ) -> Result<i64> {
        let Self {
            id,
            lock,
            open,
            plan,
            weights,
            optimiser,
            begun: Begun { data, stages, passes },
            start,
            warnings,
            step,
        } = self;
        checkpoint::sweep(store)?;
        each(Event::Begun {
            run: id,
            start: &start,
            plan,
            data: &data.summary,
            stages: &stages,
            memory: passes.memory,
            warnings: &warnings,
        });
        if let Some(of) = &plan.torchrun {
            let how = (plan, of, &stages[..]);
            let mut engine = Torchrun::new(store, id, how, weights, step)?;
            let mut stored = Stored::new(plan, &data, &stages);
            let run = Run::new(store, control, each, id, lock, plan, &stages, step)?;
            return run.work(&mut engine, &mut stored);
        }
        let realised = Realised::read(store, id, step)?;
        let mut engine =
            Local { plan, stages: &stages, budget: passes.budget, weights, optimiser, realised };
        if let Some(of) = &plan.rl {
            let from = if of.kl > 0.0 { Some(beginning(store, plan, &start)?) } else { None };
            if of.captured.is_some() {
                let reader = (&*engine.weights.tokenizer, engine.weights.config.context);
                let config: serde_json::Value =
                    serde_json::from_str(&store.run(id)?.config).unwrap_or_default();
                // As it was when the run began, whatever was said since.
                let worth = serde_json::from_value(config["worth"].clone()).ok();
                let read = Read::of(store, of, reader, &start, worth.as_ref())?;
                let mut again = Again::new(plan, of, read, from, passes.budget, control)?;
                let run = Run::new(store, control, each, id, lock, plan, &stages, step)?;
                return run.work(&mut engine, &mut again);
            }
            let other = rl::suite(plan, of, open)?;
            let suite = other.as_deref().or(open).ok_or_else(no_suite)?;
            let mut playing = Playing::new(plan, of, suite, from, passes.budget, control)?;
            let run = Run::new(store, control, each, id, lock, plan, &stages, step)?;
            return run.work(&mut engine, &mut playing);
        }
        let mut stored = Stored::new(plan, &data, &stages);
        if plan.objective.compares() {
            let mark = Framing::new(&engine.weights.tokenizer)?.act().len();
            let limits = (passes.budget, mark);
            let by = match plan.beta {
                Some(beta) => {
                    let start = Box::new(beginning(store, plan, &start)?);
                    By::Pairs { start, beta }
                }
                None => By::List,
            };
            let mut listing = Listing::new(stored, plan, limits, &data.held_lists, by)?;
            let run = Run::new(store, control, each, id, lock, plan, &stages, step)?;
            return run.work(&mut engine, &mut listing);
        }
        let run = Run::new(store, control, each, id, lock, plan, &stages, step)?;
        run.work(&mut engine, &mut stored)
    }
}
