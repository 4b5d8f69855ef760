//! Where a model comes from, and what that means for what is measured with it.

use std::collections::HashSet;

use super::rl::source::tasks_of;
use super::{Objective, Plan};
use crate::env::Suite;
use crate::error::Result;
use crate::eval::Known;
use crate::gateway;
use crate::model::BuiltIn;
use crate::place::model_alone;
use crate::selection::{HELD_OUT, Item, Selection, instance_of, is_held_out};
use crate::store::Store;

/// The run that a model is a checkpoint of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The run.
    pub run: i64,
    /// What it optimises.
    pub objective: Objective,
    /// What the run started from.
    pub start: String,
    /// Digest of what it trains on, where that was recorded.
    pub record: Option<String>,
}

/// The origin of a model by the name that [`crate::agent::find`] gave it; none of one that no run
/// here made.
pub fn origin(store: &Store, source: &str) -> Result<Option<Origin>> {
    let number = model_alone(source).strip_prefix("run ").and_then(|rest| rest.split(' ').next());
    let Some(run) = number.and_then(|number| number.parse().ok()) else { return Ok(None) };
    let row = store.run(run)?;
    let config: serde_json::Value = serde_json::from_str(&row.config).unwrap_or_default();
    let record = config["digest"].as_str().map(str::to_string);
    Ok(Some(Origin {
        run,
        objective: Objective::from_name(&row.objective)?,
        start: row.start,
        record,
    }))
}

/// What a run trains on, as it was written down when it began.
pub fn recorded(store: &Store, run: i64) -> Result<Option<Selection>> {
    let Some(text) = store.run_data(run)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    Ok(Some(read.map_err(|e| {
        crate::error::Error::new(format!("what run {run} trains on cannot be read: {e}"))
    })?))
}

/// The runs that a model comes from, its own first, and what the last of them started from. A run
/// that a damaged row has start from itself ends the way.
fn lineage(store: &Store, source: &str) -> Result<(Vec<Origin>, String)> {
    let mut runs = Vec::<Origin>::new();
    let mut source = model_alone(source).to_string();
    while let Some(origin) =
        origin(store, &source)?.filter(|origin| runs.iter().all(|known| known.run != origin.run))
    {
        source.clone_from(&origin.start);
        runs.push(origin);
    }
    Ok((runs, source))
}

/// The trajectories that a model was trained on, by its own run or those that it goes back to, as
/// far as is known here: as recorded, and demonstrations of the games that an embedded model is
/// made on.
pub fn trained_on(store: &Store, source: &str) -> Result<HashSet<i64>> {
    let (runs, root) = lineage(store, source)?;
    let mut known = HashSet::new();
    for origin in runs {
        let record = recorded(store, origin.run)?.unwrap_or_default();
        known.extend(record.items.iter().filter(|item| !item.held_out).map(|item| item.trajectory));
    }
    if let Some(model) = BuiltIn::named(&root) {
        let games = store.candidates(Some(model.suite()), Some("train"))?;
        known.extend(
            games
                .iter()
                .filter(|game| !is_held_out(instance_of(game), HELD_OUT))
                .map(|game| game.id),
        );
    }
    Ok(known)
}

/// The games of a suite and split that a model was trained on, as far as is known here: those of
/// [`trained_on`], and the training games of its suite for what comes from an embedded model (but
/// for the usual held-out share, which only opening them would tell).
fn trained_games(
    store: &Store,
    source: &str,
    suite: &dyn Suite,
    split: &str,
) -> Result<HashSet<String>> {
    let ids = trained_on(store, source)?;
    // Whatever the split is called (a game may stand in several), and whatever they were: what a
    // policy visited was learnt from too.
    let mut games: HashSet<String> =
        store.tasks_of(suite.name(), ids.iter().copied())?.into_iter().collect();
    let (runs, root) = lineage(store, source)?;
    let model = BuiltIn::named(&root);
    if model.is_some_and(|model| suite.name() == model.suite()) {
        let all = suite.tasks(split)?.into_iter().map(|task| task.id);
        games.extend(all.filter(|id| id.starts_with("train/")));
    }
    // Whoever learnt by playing has played any of its games.
    let other = [Objective::Rl, Objective::Dpo];
    for origin in runs.iter().filter(|origin| other.contains(&origin.objective)) {
        let config = store.run(origin.run)?.config;
        let config: serde_json::Value = serde_json::from_str(&config).unwrap_or_default();
        let Ok(plan) = serde_json::from_value::<Plan>(config["plan"].clone()) else { continue };
        let mut captured = Vec::new();
        if let Some(of) = plan.rl.as_ref().and_then(|rl| rl.captured.as_ref()) {
            let (all, _) = gateway::rollouts(store, &store.agent(of.id)?, of.upto, None)?;
            captured.extend(all.into_iter().filter_map(|one| one.world));
        } else if let Some(of) = &plan.preferences {
            let (all, _) = gateway::preferred(store, &store.agent(of.id)?, of.upto)?;
            captured.extend(all.into_iter().filter_map(|one| one.world));
        } else if plan.rl.is_some() && plan.data.suite.as_deref() == Some(suite.name()) {
            let played = plan.data.split.as_deref().unwrap_or("train");
            games.extend(tasks_of(suite, &plan, played)?.into_iter().map(|task| task.id));
        }
        let own = captured.into_iter().filter(|(of, _)| of == suite.name());
        games.extend(own.map(|(_, task)| task));
    }
    Ok(games)
}

/// What a model's past means for an evaluation: how it is to be judged, and what goes on record.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Whether it thinks before it acts; of one that was trained on reflections first thinking,
    /// then acting at once.
    pub thinking: &'static [bool],
    /// What it was trained on.
    pub known: Known,
}

/// The same of the model of this name on a split.
pub fn provenance(
    store: &Store,
    source: &str,
    suite: &dyn Suite,
    split: &str,
) -> Result<Provenance> {
    let origin = origin(store, source)?;
    let reflects = origin.as_ref().is_some_and(|origin| origin.objective.reflects());
    let known = Known {
        record: origin.and_then(|origin| origin.record),
        games: trained_games(store, source, suite, split)?,
    };
    Ok(Provenance { thinking: if reflects { &[true, false] } else { &[false] }, known })
}

/// What a person should know about a run's start: that it was trained on the same already, itself
/// or what it came from, or on held-out instances; what is measured on those is not what it would
/// be on new ones.
pub fn warnings(store: &Store, source: &str, selection: &Selection) -> Result<Vec<String>> {
    let mut said = of_split(store, selection)?;
    if source.starts_with("run ") {
        let known = trained_on(store, source)?;
        let items: Vec<&Item> = selection.items.iter().filter(|item| !item.held_out).collect();
        let again = items.iter().filter(|item| known.contains(&item.trajectory)).count();
        if again > 0 {
            said.push(format!(
                "it starts from {source}, which was trained on {again} of these {} trajectories \
                 already (--from embedded, or a fresh model, starts anew)",
                items.len()
            ));
        }
    }
    said.extend(of_held_out(store, source, selection)?);
    Ok(said)
}

/// Splits other than `train` are there to judge models by.
fn of_split(store: &Store, selection: &Selection) -> Result<Vec<String>> {
    let trained = selection.items.iter().filter(|item| !item.held_out);
    let mut splits = store.splits_of(trained.map(|item| item.trajectory))?;
    let trains = ["train", "other_rooms"];
    splits.retain(|split| !trains.contains(&split.as_str()));
    let said = |split: String| {
        format!(
            "{split} is not a training split: success on its games says nothing once a model was \
             trained on them"
        )
    };
    Ok(splits.into_iter().map(said).collect())
}

/// The same about what is held out.
fn of_held_out(store: &Store, source: &str, selection: &Selection) -> Result<Vec<String>> {
    let held: HashSet<u64> =
        selection.items.iter().filter(|item| item.held_out).map(|item| item.instance).collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let said = |source: &str, seen: usize| {
        let count = held.len();
        format!(
            "the start model {source} was trained on {seen} of the {count} held-out instances: \
             valid_* will look better than on new games"
        )
    };
    let (runs, root) = lineage(store, source)?;
    let mut source = source.to_string();
    for origin in runs {
        if origin.objective == Objective::Rl {
            return Ok(vec![format!(
                "run {} learnt by playing any games of its split: valid_* may be on games it knows",
                origin.run
            )]);
        }
        let Some(record) = recorded(store, origin.run)? else {
            return Ok(vec![format!(
                "what run {} trained on was not recorded: valid_* may be on games it knows",
                origin.run
            )]);
        };
        let trained = record.items.iter().filter(|item| !item.held_out).map(|item| item.instance);
        let seen = trained.filter(|instance| held.contains(instance)).collect::<HashSet<_>>().len();
        if seen > 0 {
            return Ok(vec![said(&source, seen)]);
        }
        source = origin.start;
    }
    let Some(model) = BuiltIn::named(&root) else {
        return Ok(vec![format!(
            "what {root} was trained on is not known here: valid_* may be on games it knows"
        )]);
    };
    let mut known = HashSet::new();
    for item in selection.items.iter().filter(|item| item.held_out) {
        let of = store.trajectory_even_deleted(item.trajectory)?;
        let (suite, split) = of.map(|tr| (tr.suite, tr.split)).unwrap_or_default();
        if suite == model.suite() && split == "train" && !is_held_out(item.instance, HELD_OUT) {
            known.insert(item.instance);
        }
    }
    Ok(if known.is_empty() { Vec::new() } else { vec![said(&root, known.len())] })
}
