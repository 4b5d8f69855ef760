//! Measurements of this program by itself: the figures that the docs quote, as commands that anyone
//! can run again.

pub mod agent;
pub mod collect;
pub mod env;
pub mod experts;
pub mod gateway;
pub mod infer;
pub mod plan;
pub mod rl;
pub mod rollouts;
mod stub;
pub mod train;
#[cfg(feature = "bench-ui")]
pub mod ui;

use std::collections::HashSet;
use std::sync::Arc;

use crate::env::{Environment, Suite, TaskRef};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// What went wrong beside what is measured.
fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(format!("{what}: {error}"))
}

/// Which games to measure on.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The split; all splits without it.
    pub split: Option<String>,
    /// At most how many games, drawn from the seed.
    pub games: usize,
    /// The seed, also of whatever else is random in the measurement.
    pub seed: u64,
}

impl Sample {
    /// All games of the splits, in their order.
    fn all(&self, suite: &dyn Suite) -> Result<Vec<TaskRef>> {
        let splits =
            self.split.as_ref().map_or_else(|| suite.splits(), |split| vec![split.clone()]);
        let all = splits.iter().map(|split| suite.tasks(split)).collect::<Result<Vec<_>>>()?;
        // A split may be a part of another one.
        let mut seen = HashSet::new();
        Ok(all.concat().into_iter().filter(|task| seen.insert(task.id.clone())).collect())
    }

    /// The drawn ones among them.
    fn draw(&self, mut all: Vec<TaskRef>) -> Vec<TaskRef> {
        Rng::stream(self.seed, "bench").shuffle(&mut all);
        all.truncate(self.games);
        all
    }
}

/// Any action that can be sent now: of the list, or where it is empty of a form, with a word of the
/// task in it.
fn any_action(env: &dyn Environment, rng: &mut Rng) -> Option<Arc<str>> {
    let actions = &env.turn().actions;
    if let Some(listed) = rng.pick(actions.list()) {
        return Some(listed.clone());
    }
    let form = rng.pick(actions.forms())?.as_str();
    let words: Vec<&str> = env.task().split_whitespace().collect();
    Some(form.replace('…', rng.pick(&words)?).into())
}

/// The most memory this process ever held, in MB; none where the system does not say.
pub fn peak_rss_mb() -> Option<f64> {
    status_mb("VmHWM:")
}

/// The memory this process holds now, in MB.
pub fn rss_mb() -> Option<f64> {
    status_mb("VmRSS:")
}

fn status_mb(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// Processor seconds this process has used, user and system together.
pub fn cpu_s() -> Option<f64> {
    used(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

fn used(stat: &str) -> Option<f64> {
    // Fields 14 and 15, in hundredths of a second; counted after the name, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
}

/// The same of this process's threads of a name.
pub fn thread_cpu_s(name: &str) -> Option<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        // One may end meanwhile.
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        if stat.split_once('(').is_some_and(|(_, rest)| rest.starts_with(&format!("{name})"))) {
            sum += used(&stat)?;
        }
    }
    Some(sum)
}

/// The middle of a list of figures; 0 for an empty one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Median, 90th and 99th percentile, and maximum of a list of figures.
pub fn spread(mut figures: Vec<f64>) -> serde_json::Value {
    figures.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| quantile(&figures, share);
    serde_json::json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}

/// The figure of a sorted list that such a share of it lies below; none of an empty one.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get((share * sorted.len().saturating_sub(1) as f64).round() as usize).copied()
}
