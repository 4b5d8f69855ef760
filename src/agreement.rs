//! How predictable an expert is: what a policy gives its actions in states of demonstrations that
//! it was not trained on.

use std::collections::HashSet;

use serde::Serialize;

use crate::agent::{Agent, Among, Ask, Scores, Weighed, weigh};
use crate::control::{Cancel, Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::experience::State;
use crate::model::sampler::Sampling;
use crate::rng::Rng;
use crate::store::Store;
use crate::train::trained_on;

/// A policy beside an expert's demonstrations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The policy.
    pub checkpoint: String,
    /// The expert.
    pub expert: String,
    /// Whether a thought, its likeliest words, came before every choice.
    pub think: bool,
    /// Demonstrations of it.
    pub demonstrations: usize,
    /// Those of them that the policy was trained on, or on their games, as far as is known here.
    pub trained_on: usize,
    /// Their states, as far as the expert's action is among the listed ones.
    pub states: usize,
    /// States that are left out: nothing is listed there, or not the expert's action.
    pub unlisted: usize,
    /// Demonstrations that are left out: their first observation alone is longer than what the
    /// policy reads.
    pub unread: usize,
    /// How the policy's probabilities are known: those of one kind are never compared with those of
    /// another.
    pub scores: Scores,
    /// Share of states in which the policy's likeliest admissible action is the expert's; where
    /// several are equally likely, one of them drawn at random would be.
    pub same: f64,
    /// Mean surprise at the expert's action in bits, renormalised over the admissible actions.
    pub bits: f64,
    /// The same if all admissible actions were equally likely.
    pub bits_uniform: f64,
}

/// Which demonstrations.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    /// The suite.
    pub suite: &'a str,
    /// The split.
    pub split: &'a str,
    /// Who demonstrated.
    pub expert: &'a str,
    /// At most so many.
    pub games: usize,
}

/// Scores stored demonstrations of an expert.
pub fn agreement(
    store: &Store,
    which: Which<'_>,
    policy: &mut dyn Agent,
    think: bool,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Agreement> {
    let Which { suite, split, expert, games } = which;
    let mut demos = store.demonstrations(Some(suite), Some(split))?;
    demos.retain(|demo| demo.actor == expert);
    demos.truncate(games);
    if demos.is_empty() {
        return Err(Error::new(format!(
            "there are no demonstrations of {suite} / {split} by {expert}"
        ))
        .hint(format!(
            "run: foretaste collect demos --suite {suite} --split {split} --expert {expert}"
        )));
    }
    let checkpoint = policy.name();
    let ids = trained_on(store, &checkpoint)?;
    let known: HashSet<String> = store.tasks_of(suite, ids.iter().copied())?.into_iter().collect();
    let meter = Meter::new("demonstrations", 0, demos.len() as u64);
    let mut states = 0;
    let mut unlisted = 0;
    let mut unread = 0;
    let mut same = 0.0;
    let mut bits = 0.0;
    let mut uniform = 0.0;
    let mut scores = None;
    for (i, demo) in demos.iter().enumerate() {
        let trajectory = store.trajectory(demo.id)?;
        if !policy.reads(&trajectory.state(0))? {
            unread += 1;
            continue;
        }
        let mut asked: Vec<Asked> = Vec::new();
        for (t, step) in trajectory.steps.iter().enumerate() {
            let listed = trajectory.listed_at(t).to_vec();
            match listed.iter().position(|action| *action == step.action) {
                Some(expert) => {
                    let seed = Rng::stream(0, &format!("{} {t}", trajectory.task_id)).next_u64();
                    asked.push(Asked { state: trajectory.state(t), listed, expert, seed });
                }
                None => unlisted += 1,
            }
        }
        for asked in asked.chunks(policy.can().at_once.max(1)) {
            control.checkpoint()?;
            let weighed = Asked::shares(asked, policy, think, &control.cancel)?;
            let kind = *scores.get_or_insert(weighed.scores);
            if kind != weighed.scores {
                return Err(mixed(&checkpoint, kind, weighed.scores));
            }
            for (Asked { listed, expert, .. }, shares) in asked.iter().zip(weighed.shares) {
                let best = shares.iter().copied().fold(0.0, f64::max);
                let ties = shares.iter().filter(|share| **share >= best).count();
                states += 1;
                same += if shares[*expert] >= best { 1.0 / ties as f64 } else { 0.0 };
                bits -= shares[*expert].max(f64::MIN_POSITIVE).log2();
                uniform += (listed.len() as f64).log2();
            }
        }
        report(meter.at(i as u64 + 1));
    }
    if states == 0 {
        let long = if unread > 0 {
            format!("; {unread} demonstrations are too long for it to read")
        } else {
            String::new()
        };
        return Err(Error::new(format!(
            "in none of {unlisted} states the expert's action is among the listed ones{long}"
        ))
        .hint("agreement needs a suite that lists admissible actions"));
    }
    let mean = |sum: f64| sum / f64::from(states);
    Ok(Agreement {
        checkpoint,
        expert: expert.to_string(),
        think,
        demonstrations: demos.len(),
        trained_on: demos.iter().filter(|demo| known.contains(&demo.task_id)).count(),
        states: states as usize,
        unlisted,
        unread,
        scores: scores.unwrap_or(policy.can().scores),
        same: mean(same),
        bits: mean(bits),
        bits_uniform: mean(uniform),
    })
}

/// Figures of two kinds make no mean.
fn mixed(name: &str, one: Scores, other: Scores) -> Error {
    Error::new(format!(
        "{name} scores some lists as {} and others as {}: figures of two kinds make no mean",
        one.describe(),
        other.describe()
    ))
    .hint("take a mind that scores lists of any length the same way: a local one, vLLM, llama.cpp")
}

/// A state in which the expert's action is listed.
struct Asked {
    state: State,
    listed: Vec<String>,
    /// The place of the expert's action in the list.
    expert: usize,
    seed: u64,
}

impl Asked {
    /// What a policy gives the listed actions of each state, after its likeliest thought if it is
    /// to think.
    fn shares(
        asked: &[Self],
        policy: &mut dyn Agent,
        think: bool,
        cancel: &Cancel,
    ) -> Result<Weighed> {
        let mut thoughts: Vec<Option<String>> = vec![None; asked.len()];
        if think {
            let seeds: Vec<[u64; 1]> = asked.iter().map(|asked| [asked.seed]).collect();
            let asks: Vec<Ask<'_>> = asked
                .iter()
                .zip(&seeds)
                .map(|(asked, seed)| Ask::about(&asked.state, seed))
                .collect();
            let written = policy.think(&asks, Sampling::GREEDY, cancel)?;
            thoughts =
                written.into_iter().map(|mut all| all.pop().map(|thought| thought.text)).collect();
        }
        let among: Vec<Among<'_>> = asked
            .iter()
            .zip(&thoughts)
            .map(|(asked, thought)| Among {
                state: &asked.state,
                thought: thought.as_deref(),
                actions: &asked.listed,
            })
            .collect();
        weigh(policy, &among, 0, cancel)
    }
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
