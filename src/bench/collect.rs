//! How fast demonstrations and executed alternatives are collected and kept.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Sample, cpu_s};
use crate::collect::{Draw, branches, demonstrations};
use crate::control::{Control, Progress};
use crate::env::Suite;
use crate::episode::{Scope, Teacher};
use crate::error::{Error, Result};
use crate::store::Store;

/// Collects from games of a split with the suite's first expert and `k` uniform alternatives a
/// state, into a store that is thrown away; returns counts, and what a second and a million take.
pub fn run(suite: &dyn Suite, sample: &Sample, k: usize, control: &Control) -> Result<Value> {
    let place = tempfile::tempdir().map_err(|e| Error::new(format!("a temporary folder: {e}")))?;
    let mut store = Store::open(place.path())?;
    let split = sample.split.clone().unwrap_or_default();
    let scope = Scope { split, games: sample.games, seed: sample.seed, share: None };
    let quiet = &mut |_: Value, _: Progress| {};
    let began = Instant::now();
    demonstrations(&mut store, suite, &scope, Teacher::Suite(None), control, quiet)?;
    let shown = began.elapsed().as_secs_f64();
    let (began, cpu) = (Instant::now(), cpu_s());
    branches(&mut store, suite, &scope, Draw::uniform(k), control, quiet)?;
    let tried = began.elapsed().as_secs_f64();
    let counts = store.counts()?;
    let per_second = counts.branches as f64 / tried.max(1e-9);
    Ok(json!({
        "suite": suite.name(), "split": scope.split, "k": k,
        "demonstrations": counts.demonstrations, "states": counts.demonstration_steps,
        "alternatives": counts.branches,
        "demonstrations_per_s": counts.demonstrations as f64 / shown.max(1e-9),
        "alternatives_per_s": per_second,
        "minutes_a_million": 1e6 / per_second.max(1e-9) / 60.0,
        "busy_cores": cpu_s().zip(cpu).map(|(now, then)| (now - then) / tried.max(1e-9)),
    }))
}
