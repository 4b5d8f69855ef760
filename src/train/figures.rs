//! What lists of runs and checkpoints show beside their names.

use std::collections::HashMap;

use serde::Serialize;

use super::Stage;
use super::checkpoint::disk_use;
use crate::agent::lies_at;
use crate::error::Result;
use crate::store::{Checkpoint, MetricPoint, Store};

/// What the held-out games cost is this metric: nats a token of the expert's actions.
const VALIDATION: &str = "valid_action";

/// Of a run that optimises shares of the list, it is this one: nats a state.
pub(super) const OF_LIST: &str = "valid_list";

/// Of a run that prefers actions to others, it is this one: nats a pair.
pub(super) const OF_PAIRS: &str = "valid_pairs";

/// Of a run that plays, it is this one: the share of validation games that are lost.
pub(super) const OF_PLAY: &str = "valid_lost";

/// Tokens that a run has computed so far, those that it sampled among them.
pub(super) const TOKENS: &str = "tokens";

/// What the held-out games cost in a run by update, by the measure that it optimises.
pub fn validation(store: &Store, run: i64) -> Result<Vec<MetricPoint>> {
    let of_play = store.metric(run, OF_PLAY)?;
    if !of_play.is_empty() {
        return Ok(of_play);
    }
    let of_pairs = store.metric(run, OF_PAIRS)?;
    if !of_pairs.is_empty() {
        return Ok(of_pairs);
    }
    let of_list = store.metric(run, OF_LIST)?;
    let of_tokens = store.metric(run, VALIDATION)?;
    // A run of an older program that was gone on with has it from there on only.
    let first = |points: &[MetricPoint]| points.first().map(|point| point.step);
    let whole = first(&of_list) <= first(&of_tokens);
    Ok(if of_list.is_empty() || !whole { of_tokens } else { of_list })
}

/// A run in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFigures {
    /// The newest loss.
    pub loss: Option<f64>,
    /// The least that the held-out games cost at a checkpoint, and its update.
    pub best: Option<(u64, f64)>,
    /// What they cost before the first update.
    pub start: Option<f64>,
}

/// A checkpoint in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckpointFigures {
    /// The checkpoint.
    pub id: i64,
    /// What the held-out games cost with it.
    pub validation: Option<f64>,
    /// Whether none of its run's costs less.
    pub is_best: bool,
    /// Bytes of its files; none where they are gone.
    pub bytes: Option<u64>,
    /// Where the model lies that it is an adapter beside, if that is not in its folder.
    pub away: Option<String>,
}

/// What the held-out games cost at the checkpoints of a run, of those where that was measured.
fn validated(points: &[MetricPoint], own: &[&Checkpoint]) -> HashMap<u64, f64> {
    let measured = points.iter().filter_map(|point| Some((point.step, point.value?)));
    measured.filter(|(step, _)| own.iter().any(|saved| saved.step == *step)).collect()
}

fn best(validated: &HashMap<u64, f64>) -> Option<(u64, f64)> {
    // Of equal ones the earlier: it took less.
    let order = |a: &(u64, f64), b: &(u64, f64)| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0));
    validated.iter().map(|(step, cost)| (*step, *cost)).min_by(order)
}

/// The best checkpoint of a run on its held-out games: its update, and what they cost.
pub fn best_of(store: &Store, run: i64) -> Result<Option<(u64, f64)>> {
    let all = store.checkpoints()?;
    let own: Vec<&Checkpoint> = all.iter().filter(|saved| saved.run == run).collect();
    Ok(best(&validated(&validation(store, run)?, &own)))
}

/// The updates at which the stages of a run end, as it was planned.
pub fn stage_ends(store: &Store, run: i64) -> Result<Vec<u64>> {
    let config: serde_json::Value =
        serde_json::from_str(&store.run(run)?.config).unwrap_or_default();
    let stages: Vec<Stage> = serde_json::from_value(config["stages"].clone()).unwrap_or_default();
    let mut end = 0;
    Ok(stages
        .iter()
        .map(|stage| {
            end += stage.updates;
            end
        })
        .collect())
}

/// Every run and every checkpoint in figures, runs by number.
pub fn figures(store: &Store) -> Result<(HashMap<i64, RunFigures>, Vec<CheckpointFigures>)> {
    let all = store.checkpoints()?;
    let mut runs = HashMap::new();
    let mut checkpoints = Vec::new();
    for run in store.runs()? {
        let own: Vec<&Checkpoint> = all.iter().filter(|saved| saved.run == run.id).collect();
        let valid = validation(store, run.id)?;
        let validated = validated(&valid, &own);
        let best = best(&validated);
        let start = valid.first().filter(|point| point.step == 0).and_then(|point| point.value);
        let loss = store.newest_metric(run.id, "loss")?;
        runs.insert(run.id, RunFigures { loss, best, start });
        checkpoints.extend(own.iter().map(|saved| {
            let folder = store.root().join(&saved.folder);
            CheckpointFigures {
                id: saved.id,
                validation: validated.get(&saved.step).copied(),
                is_best: best.is_some_and(|(step, _)| step == saved.step),
                bytes: folder.is_dir().then(|| disk_use(&folder)),
                away: lies_at(&folder).map(|place| place.to_string()),
            }
        }));
    }
    Ok((runs, checkpoints))
}
