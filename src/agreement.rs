//! How predictable an expert is: what a policy gives its actions in states of demonstrations that it was not trained on.

use std::collections::HashSet;

use serde::Serialize;

use crate::agent::{Policy, shares};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
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
    /// Demonstrations that are left out: their first observation alone is longer than what the policy reads.
    pub unread: usize,
    /// Share of states in which the policy's likeliest admissible action is the expert's; where several are equally
    /// likely, one of them drawn at random would be.
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
    policy: &mut dyn Policy,
    think: bool,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Agreement> {
    let Which { suite, split, expert, games } = which;
    let mut demos = store.demonstrations(Some(suite), Some(split))?;
    demos.retain(|demo| demo.actor == expert);
    demos.truncate(games);
    if demos.is_empty() {
        return Err(Error::new(format!("there are no demonstrations of {suite} / {split} by {expert}"))
            .hint(format!("run: foretaste collect demos --suite {suite} --split {split} --expert {expert}")));
    }
    let checkpoint = policy.name();
    let ids = trained_on(store, &checkpoint)?;
    let seen = store.candidates(Some(suite), Some(split))?.into_iter().filter(|demo| ids.contains(&demo.id));
    let known: HashSet<String> = seen.map(|demo| demo.task_id).collect();
    let meter = Meter::new("demonstrations", 0, demos.len() as u64);
    let (mut states, mut unlisted, mut unread) = (0, 0, 0);
    let (mut same, mut bits, mut uniform) = (0.0, 0.0, 0.0);
    for (i, demo) in demos.iter().enumerate() {
        let trajectory = store.trajectory(demo.id)?;
        if !policy.reads(&trajectory.state(0))? {
            unread += 1;
            continue;
        }
        for (t, step) in trajectory.steps.iter().enumerate() {
            control.checkpoint()?;
            let listed = trajectory.listed_at(t).to_vec();
            let Some(expert) = listed.iter().position(|action| *action == step.action) else {
                unlisted += 1;
                continue;
            };
            let state = trajectory.state(t);
            let seed = Rng::stream(0, &format!("{} {t}", trajectory.task_id)).next_u64();
            let thought = if think { Some(policy.think(&state, 0.0, seed)?) } else { None };
            let shares = shares(&policy.score(&state, thought.as_deref(), &listed)?);
            let best = shares.iter().copied().fold(0.0, f64::max);
            let ties = shares.iter().filter(|share| **share >= best).count();
            states += 1;
            same += if shares[expert] >= best { 1.0 / ties as f64 } else { 0.0 };
            bits -= shares[expert].max(f64::MIN_POSITIVE).log2();
            uniform += (listed.len() as f64).log2();
        }
        report(meter.at(i as u64 + 1));
    }
    if states == 0 {
        let long =
            if unread > 0 { format!("; {unread} demonstrations are too long for it to read") } else { String::new() };
        return Err(Error::new(format!("in none of {unlisted} states the expert's action is among the listed ones{long}"))
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
        same: mean(same),
        bits: mean(bits),
        bits_uniform: mean(uniform),
    })
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
