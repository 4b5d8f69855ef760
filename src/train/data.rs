//! What a run trains on: trees read from the store, and the batch of every update.

use super::examples::{Carry, Example, Kind, examples};
use super::{Objective, Plan};
use crate::agent::prompt::Framing;
use crate::error::{Error, Result};
use crate::model::tokenizer::Tokenizer;
use crate::rng::Rng;
use crate::store::Store;

/// What a training set consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DataSummary {
    /// Demonstrations.
    pub demonstrations: usize,
    /// Executed alternatives.
    pub branches: usize,
    /// Approved reflections.
    pub reflections: usize,
    /// Trees.
    pub trees: usize,
    /// Tokens, shared prefixes counted once.
    pub tokens: usize,
}

/// The trees a plan trains on, and those held out (every twentieth demonstration, once there are twenty).
pub struct Data {
    pub(super) train: Vec<Example>,
    pub(super) held_out: Vec<Example>,
    /// What they consist of.
    pub summary: DataSummary,
}

impl Data {
    /// Reads the store.
    pub fn read(store: &Store, plan: &Plan, tokenizer: &Tokenizer, context: usize) -> Result<Self> {
        let framing = Framing::new(tokenizer)?;
        let carry = Carry {
            branches: matches!(plan.objective, Objective::WorldModel | Objective::Joint),
            reflections: matches!(plan.objective, Objective::Reflection | Objective::Joint),
        };
        let demos = store.demonstrations(plan.suite.as_deref(), plan.split.as_deref())?;
        let mut data = Self { train: Vec::new(), held_out: Vec::new(), summary: DataSummary::default() };
        for (i, demo) in demos.iter().enumerate() {
            let trajectory = store.trajectory(demo.id)?;
            let branches = if carry.branches { store.branches(demo.id)? } else { Vec::new() };
            let reflections = if carry.reflections { store.approved(demo.id)? } else { Vec::new() };
            let trees = examples(&framing, &trajectory, &branches, &reflections, carry, context)?;
            data.summary.demonstrations += 1;
            data.summary.branches += branches.len();
            data.summary.reflections += reflections.len();
            data.summary.trees += trees.len();
            data.summary.tokens += trees.iter().map(|example| example.tree.len()).sum::<usize>();
            (if demos.len() >= 20 && i % 20 == 19 { &mut data.held_out } else { &mut data.train }).extend(trees);
        }
        if carry.reflections {
            // States that a person explored and reflected on: only the reflection is a target, not the way there.
            for id in store.reflected_explorations(plan.suite.as_deref(), plan.split.as_deref())? {
                let trajectory = store.trajectory(id)?;
                let reflections = store.approved(id)?;
                let mut trees = examples(&framing, &trajectory, &[], &reflections, carry, context)?;
                for kind in trees.iter_mut().flat_map(|tree| &mut tree.kinds) {
                    if *kind != Kind::Reflection {
                        *kind = Kind::Context;
                    }
                }
                data.summary.reflections += reflections.len();
                data.summary.trees += trees.len();
                data.summary.tokens += trees.iter().map(|example| example.tree.len()).sum::<usize>();
                data.train.extend(trees);
            }
        }
        let missing =
            |what: &str, command: &str| Err(Error::new(format!("there is nothing to train on: {what}")).hint(command));
        if data.summary.demonstrations == 0 {
            let split =
                plan.split.as_ref().map_or(String::new(), |split| format!(" of split {split} (--split takes others)"));
            let hint = "run: foretaste collect demos --suite household --split train --games 50";
            return missing(&format!("no demonstrations{split}"), hint);
        }
        if plan.objective == Objective::WorldModel && data.summary.branches == 0 {
            return missing("no executed alternatives", "run: foretaste collect branches (after collect demos)");
        }
        if plan.objective == Objective::Reflection && data.summary.reflections == 0 {
            return missing("no approved reflections", "collect reflections, then approve some in Curate");
        }
        Ok(data)
    }

    /// The trees of an update: consecutive in an order that the seed draws anew each epoch, so that it depends on the
    /// update's number only and a resumed run goes on where it was.
    pub(super) fn batch(&self, plan: &Plan, step: u64) -> Vec<Example> {
        let mixture = plan.objective.mixture(step, plan.steps);
        let mut picked = Vec::with_capacity(plan.batch);
        let mut at = step * plan.batch as u64;
        let mut order: (u64, Vec<usize>) = (u64::MAX, Vec::new());
        let mut tries = 0;
        while picked.len() < plan.batch && tries < plan.batch + 4 * self.train.len() {
            let epoch = at / self.train.len() as u64;
            if order.0 != epoch {
                order = (epoch, (0..self.train.len()).collect());
                Rng::stream(plan.seed ^ epoch, "order").shuffle(&mut order.1);
            }
            let mut example = self.train[order.1[(at % self.train.len() as u64) as usize]].clone();
            if example.weigh(&mixture) {
                picked.push(example);
            }
            at += 1;
            tries += 1;
        }
        picked
    }
}
