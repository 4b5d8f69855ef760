//! How noisy a method's gradient is in a real world: the same update made many times of fresh tasks and
//! rollouts with the weights as they are, and what its gradients have in common.
//!
//! With `g_i` the gradients of `N` independent updates, `S = mean_{i≠j} g_i·g_j` estimates `|E g|²` and
//! `E = mean_i |g_i|²` its expected square, both without bias. `S / E` is the share of a gradient that is
//! signal, and `T (E - S) / S` the tokens of an update as noisy as it is right, `T` the tokens that one
//! took (the gradient noise scale of McCandlish et al. 2018, 1812.06162, in tokens). Both are of a
//! method's own expected gradient, whatever that is: of one with bias it is not the policy's.

use serde::Serialize;

use super::source::Playing;
use super::{Method, Rl};
use crate::control::Control;
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::selection::Criteria;
use crate::train::source::Source as _;
use crate::train::update::sums;
use crate::train::{Objective, Plan};

/// Which updates are made.
#[derive(Debug, Clone)]
pub struct Updates {
    /// The split whose tasks are played.
    pub split: String,
    /// Tasks of an update.
    pub tasks: usize,
    /// Updates of each method.
    pub count: u64,
    /// The seed that draws tasks and rollouts: those of a method with the same are the same tasks.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
}

/// What was found of a method.
#[derive(Debug, Clone, Serialize)]
pub struct Noise {
    /// The method.
    pub method: Method,
    /// Independent updates.
    pub updates: usize,
    /// Tokens of one on average, sampled and trained on: without what a run of `--kl` has the start read
    /// and learns of groups without spread.
    pub tokens: f64,
    /// The mean success of its rollouts.
    pub success: f64,
    /// The mean share of groups that teach something.
    pub spread: f64,
    /// `S / E`.
    pub signal: f64,
    /// Its 95 % interval (jackknife over updates).
    pub signal_interval: (f64, f64),
    /// `T (E - S) / S`; none where no signal was found.
    pub noise_tokens: Option<f64>,
    /// Its interval, by that of the signal: without an end where that reaches 0, and none where it lies
    /// below.
    pub noise_tokens_interval: Option<(f64, Option<f64>)>,
}

/// Tokens of a pass at most.
const BUDGET: usize = 8192;

/// Measures a method. No weight changes; the distance from the start, which is nothing at the start, is
/// left out.
pub fn noise(
    suite: &dyn Suite,
    rl: &Rl,
    weights: &Trainable,
    updates: &Updates,
    control: &Control,
    told: &mut dyn FnMut(u64),
) -> Result<Noise> {
    let rl = Rl { kl: 0.0, validation: 0, kept: 0, passes: 1, ..rl.clone() };
    let Updates { split, tasks, count, seed, threads } = updates.clone();
    let data = Criteria {
        suite: Some(suite.name().to_string()),
        split: Some(split),
        ..Criteria::default()
    };
    let usual = Plan::new(Objective::Rl, count, seed);
    let plan = Plan { batch: tasks, workers: threads, data, rl: Some(rl.clone()), ..usual };
    plan.check()?;
    let team = Team::new(threads, Priority::Interactive)?;
    let mut playing = Playing::new(&plan, &rl, suite, None, BUDGET, control)?;
    let mut gradients: Vec<Vec<f32>> = Vec::new();
    let (mut tokens, mut success, mut spread) = (0.0, 0.0, 0.0);
    for update in 0..count {
        control.checkpoint()?;
        let batch = playing.batch(0, update, 0, weights)?;
        let of = sums(&team, weights.net(), BUDGET, &batch.trees, true, &control.cancel)?;
        let measured = |name: &str| {
            batch.measured.iter().find(|(known, _)| known == name).map_or(0.0, |(_, value)| *value)
        };
        tokens += (batch.computed + of.computed) as f64;
        success += measured("success");
        spread += measured("spread");
        gradients.push(of.grads.concat());
        told(update + 1);
    }
    let n = gradients.len() as f64;
    let (signal, signal_interval) = signal(&products(&gradients))
        .ok_or_else(|| Error::new("no update found anything to learn").hint("more --updates"))?;
    let tokens = tokens / n;
    let scale = |signal: f64| (signal > 0.0).then(|| tokens * (1.0 - signal).max(0.0) / signal);
    Ok(Noise {
        method: rl.method,
        updates: gradients.len(),
        tokens,
        success: success / n,
        spread: spread / n,
        signal,
        signal_interval,
        noise_tokens: scale(signal),
        noise_tokens_interval: scale(signal_interval.1)
            .map(|least| (least, scale(signal_interval.0))),
    })
}

/// `g_i · g_j` of all pairs.
fn products(gradients: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>()
    };
    let row = |a: &Vec<f32>| gradients.iter().map(|b| dot(a, b)).collect();
    gradients.iter().map(row).collect()
}

/// The share of signal in some gradients, by their products, and its 95 % interval; none where all are
/// nothing, or where there are fewer than three.
fn signal(products: &[Vec<f64>]) -> Option<(f64, (f64, f64))> {
    let n = products.len() as f64;
    let own: f64 = (0..products.len()).map(|i| products[i][i]).sum();
    let all: f64 = products.iter().flatten().sum();
    if products.len() < 3 || own <= 0.0 {
        return None;
    }
    let share = |all: f64, own: f64, n: f64| ((all - own) / (n * (n - 1.0))) / (own / n);
    let without: Vec<f64> = (0..products.len())
        .map(|i| {
            let row: f64 = products[i].iter().sum();
            share(all - 2.0 * row + products[i][i], own - products[i][i], n - 1.0)
        })
        .collect();
    let mean = without.iter().sum::<f64>() / n;
    let squares: f64 = without.iter().map(|one| (one - mean) * (one - mean)).sum();
    let error = (squares * (n - 1.0) / n).sqrt();
    let found = share(all, own, n);
    let ends = (found - 1.96 * error, found + 1.96 * error);
    error.is_finite().then_some((found, (ends.0, ends.1.min(1.0))))
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
