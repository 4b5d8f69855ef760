//! Old and new beside each other: what stretches of sessions were worth by who answered an agent in them.

use std::collections::{BTreeMap, BTreeSet};

use super::stretches::{of, stretches};
use crate::error::Result;
use crate::experience::{newcombe, wilson};
use crate::store::{AgentRow, Called, Store};
use crate::text::{counted, percent};

/// How it went where one mind answered an agent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Side {
    /// The mind.
    pub mind: String,
    /// Episodes: stretches of sessions that a reward is about.
    pub episodes: u64,
    /// How many were worth at least what counts as a success.
    pub won: u64,
    /// Their share, and its interval (Wilson, 95 %).
    pub interval: (f64, f64),
    /// What they were worth on average.
    pub mean: f64,
    /// Of which splits the games were, where their agent said so.
    pub splits: BTreeMap<String, u64>,
}

/// All sides, and what is in none of them.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Sides {
    /// By the names of the minds.
    pub sides: Vec<Side>,
    /// Episodes that several minds answered in.
    pub mixed: u64,
    /// Sessions, or ends of them, that nobody said the worth of.
    pub unrewarded: u64,
}

/// How sessions are called in which texts are tried.
pub const TRIALS: &str = "trials-";

/// What counts as a success.
const SUCCESS: f64 = 1.0;

/// Where the split of a game stands in its name.
fn split_of(task: &str) -> String {
    task.split_once('/').map_or_else(|| "no split".into(), |(split, _)| split.to_string())
}

impl Side {
    /// The share of episodes that were won.
    fn share(&self) -> f64 {
        self.won as f64 / self.episodes.max(1) as f64
    }

    /// In words.
    fn told(&self) -> String {
        let (low, high) = self.interval;
        let splits = self.splits.iter().map(|(split, n)| format!("{n} {split}"));
        let splits: Vec<String> = splits.collect();
        format!(
            "{}  {} of {} = {} [{}, {}], mean reward {:.3} (games: {})",
            self.mind,
            self.won,
            counted(self.episodes, "episode"),
            percent(self.share()),
            percent(low),
            percent(high),
            self.mean,
            splits.join(", ")
        )
    }
}

impl Sides {
    /// In words, a line each; of two sides also how they differ.
    pub fn told(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.sides.iter().map(Side::told).collect();
        if lines.is_empty() {
            lines.push("no episode with a reward".into());
        }
        if let [a, b] = &self.sides[..] {
            let (low, high) = newcombe((b.share(), b.interval), (a.share(), a.interval));
            lines.push(format!(
                "{} less {}: {:+.1} points [{:+.1}, {:+.1}] (Newcombe, 95 %)",
                b.mind,
                a.mind,
                100.0 * (b.share() - a.share()),
                100.0 * low,
                100.0 * high
            ));
            if a.splits != b.splits && a.splits.keys().ne(b.splits.keys()) {
                lines.push("they did not play games of the same splits: --split NAME compares those of one".into());
            }
        }
        if self.mixed > 0 {
            lines.push(format!(
                "left out: {} that several minds answered in",
                counted(self.mixed, "episode")
            ));
        }
        if self.unrewarded > 0 {
            lines.push(format!(
                "left out: {} that nobody said the worth of",
                counted(self.unrewarded, "session")
            ));
        }
        lines
    }
}

/// How it went by who answered an agent; only in games of a split, if one is named.
pub fn sides(store: &Store, agent: &AgentRow, split: Option<&str>) -> Result<Sides> {
    let which = Called { agent: Some(agent.id), ..Called::default() };
    let mut sessions: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    // Also those that failed: a mind that breaks off where it is hard is none the better for it.
    for call in store.calls(&which)? {
        // What a text was chosen by says nothing of how good it is.
        if call.session.starts_with(TRIALS) {
            continue;
        }
        sessions.entry(call.session).or_default().push((call.id, call.mind));
    }
    let mut found = Sides::default();
    let mut by: BTreeMap<String, (Vec<f64>, BTreeMap<String, u64>)> = BTreeMap::new();
    for (session, calls) in sessions {
        let worth = stretches(store, &session)?;
        let mut minds: BTreeMap<Option<i64>, BTreeSet<String>> = BTreeMap::new();
        for (id, mind) in calls {
            minds.entry(of(&worth, id).map(|stretch| stretch.upto)).or_default().insert(mind);
        }
        for (upto, minds) in minds {
            let Some(stretch) = upto.and_then(|upto| of(&worth, upto)) else {
                found.unrewarded += u64::from(split.is_none());
                continue;
            };
            let its = stretch.world.as_ref().map(|(_, task)| split_of(task));
            if split.is_some() && its.as_deref() != split {
                continue;
            }
            let mut minds = minds.into_iter();
            match (minds.next(), minds.next()) {
                (Some(mind), None) => {
                    let side = by.entry(mind).or_default();
                    side.0.push(stretch.reward);
                    *side.1.entry(its.unwrap_or_else(|| "not said".into())).or_default() += 1;
                }
                _ => found.mixed += 1,
            }
        }
    }
    let side = |(mind, (rewards, splits)): (String, (Vec<f64>, BTreeMap<String, u64>))| {
        let episodes = rewards.len() as u64;
        let won = rewards.iter().filter(|reward| **reward >= SUCCESS).count() as u64;
        let mean = rewards.iter().sum::<f64>() / (episodes.max(1) as f64) + 0.0;
        Side { mind, episodes, won, interval: wilson(won, episodes), mean, splits }
    };
    found.sides = by.into_iter().map(side).collect();
    Ok(found)
}
