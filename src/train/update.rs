//! One update: the sums over its trees, and the step of the optimiser that follows from them.

use std::collections::HashMap;
use std::time::Instant;

use super::examples::{Example, TARGETS};
use super::source::Batch;
use super::{Mixture, Tuning};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::adamw::{AdamW, Change};
use crate::model::pack::{self, Packing};
use crate::model::params::Buffers;
use crate::model::step::{Net, Products};
use crate::model::team::Team;
use crate::model::tree::TokenTree;
use crate::model::weights::Trainable;

/// What an update measured, by name.
pub type Metrics = Vec<(String, f64)>;

/// Sums over some trees.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Gradients, where they were asked for.
    pub grads: Buffers,
    /// Nats, tokens and weight of each kind of [`TARGETS`].
    nats: [f64; 4],
    pub counts: [f64; 4],
    weights: [f64; 4],
    loss: f64,
    weight: f64,
    /// What each target of each tree costs, by its place in the tree.
    pub by_node: Vec<Vec<(usize, f32)>>,
    /// Tokens of the trees.
    pub unique: usize,
    /// Tokens that were computed: fewer, for the last one of a branch is a target only.
    pub computed: usize,
}

impl Sums {
    /// Nats a token by kind, for the kinds that there are.
    fn means<'a>(&self, prefix: &'a str) -> impl Iterator<Item = (String, f64)> + use<'a> {
        let nats = self.nats;
        let counts = self.counts;
        let there = TARGETS.into_iter().enumerate().filter(move |(slot, _)| counts[*slot] > 0.0);
        there.map(move |(slot, (_, name))| (format!("{prefix}_{name}"), nats[slot] / counts[slot]))
    }

    /// The share of each kind in what is optimised, if there is more than one.
    fn shares(&self) -> impl Iterator<Item = (String, f64)> + use<> {
        let weights = self.weights;
        let weight = self.weight;
        let several = weights.iter().filter(|share| **share != 0.0).count() > 1 && weight > 0.0;
        let there = TARGETS
            .into_iter()
            .enumerate()
            .filter(move |(slot, _)| several && weights[*slot] != 0.0);
        there.map(move |(slot, (_, name))| (format!("share_{name}"), weights[slot] / weight))
    }
}

/// Sums over a batch in passes of at most `budget` tokens, with its gradients if they are asked
/// for.
pub(super) fn sums(
    team: &Team,
    net: Net<'_>,
    budget: usize,
    batch: &[Example],
    gradient: bool,
    cancel: &Cancel,
) -> Result<Sums> {
    let trees: Vec<&TokenTree> = batch.iter().map(|example| &example.tree).collect();
    let packing = Packing::new(&trees, budget);
    let done = team.run(|| pack::batch(net, &packing, trees.len(), gradient, cancel))?;
    let mut sums = Sums {
        grads: done.grads,
        unique: packing.tokens,
        computed: packing.computed,
        ..Sums::default()
    };
    for (example, loss) in batch.iter().zip(done.losses) {
        if !loss.total.is_finite() {
            return Err(Error::new(format!(
                "the loss on trajectory {} is not a number",
                example.trajectory
            )));
        }
        sums.loss += loss.total;
        sums.weight += example.tree.weight();
        for (node, nats) in &loss.nll {
            let Some(slot) = example.kinds[*node].slot() else { continue };
            sums.nats[slot] += f64::from(*nats);
            sums.counts[slot] += 1.0;
            sums.weights[slot] += f64::from(example.tree.weights[*node]);
        }
        sums.by_node.push(loss.nll);
    }
    Ok(sums)
}

/// What the targets of some trees cost (nats), by their places.
pub(super) fn costs(
    team: &Team,
    net: Net<'_>,
    budget: usize,
    trees: &[Example],
    cancel: &Cancel,
) -> Result<Vec<HashMap<usize, f32>>> {
    let found = sums(team, net, budget, trees, false, cancel)?;
    Ok(found.by_node.into_iter().map(|costs| costs.into_iter().collect()).collect())
}

/// An update about to be made.
pub(super) struct Update<'a> {
    /// Which one, counted from 1.
    pub number: u64,
    /// Its trees, and what the sum of their losses is divided by.
    pub batch: &'a Batch,
    /// Its learning rate.
    pub rate: f64,
    /// Decay and clipping.
    pub tuning: Tuning,
    /// Tokens of one pass at most.
    pub budget: usize,
    /// Compute layers again on the way back instead of keeping what they computed.
    pub recompute: bool,
    /// What the operands of products are.
    pub products: Products,
}

impl Update<'_> {
    /// Makes it: the loss is the sum over all target tokens of all its trees, by their weights,
    /// divided by the batch's normaliser. Cancelled, it has changed nothing.
    pub fn run(
        &self,
        weights: &mut Trainable,
        optimiser: &mut AdamW,
        team: &Team,
        cancel: &Cancel,
    ) -> Result<(Metrics, Sums)> {
        let started = Instant::now();
        if self.batch.trees.is_empty() && !self.batch.measured.is_empty() {
            // Nothing is to be learnt from what was measured: moments are not moved by it either.
            return Ok((self.batch.measured.clone(), Sums::default()));
        }
        let place = |error: Error| {
            let ids: Vec<String> =
                self.batch.trees.iter().map(|example| example.trajectory.to_string()).collect();
            let place = format!("update {} (trajectories {})", self.number, ids.join(", "));
            error
                .at(place)
                .hint("lower the learning rate with --rate; the last checkpoint is whole")
        };
        let net = Net { recompute: self.recompute, products: self.products, ..weights.net() };
        let shapes = net.shapes();
        let mut total =
            sums(team, net, self.budget, &self.batch.trees, true, cancel).map_err(place)?;
        let scale = (1.0 / self.batch.normaliser) as f32;
        let Tuning { decay, clip, .. } = self.tuning;
        let by = Change { scale, rate: self.rate, decay, clip };
        let trained = weights.trained();
        let norm =
            team.run(|| optimiser.step(&shapes, trained, &total.grads, by)).map_err(place)?;
        weights.workspace.keep(std::mem::take(&mut total.grads));
        let speed = total.computed as f64 / started.elapsed().as_secs_f64();
        let mut measured = self.batch.measured.clone();
        if measured.is_empty() {
            measured.push(("loss".into(), total.loss / self.batch.normaliser));
            measured.extend(total.means("loss"));
            measured.extend(total.shares());
        }
        let of_update = [("rate", self.rate), ("norm", norm), ("tokens_per_s", speed)];
        measured.extend(of_update.map(|(name, value)| (name.to_string(), value)));
        Ok((measured, total))
    }
}

/// What held-out trees cost, by kind of token.
pub(super) fn validate(
    held_out: &[Example],
    budget: usize,
    weights: &Trainable,
    team: &Team,
) -> Result<Metrics> {
    let held: Vec<Example> =
        held_out.iter().filter_map(|example| example.weighed(&Mixture::ALL)).collect();
    let valid = sums(team, weights.net(), budget, &held, false, &Cancel::default())?;
    Ok(valid.means("valid").collect())
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
