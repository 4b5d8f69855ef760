//! How long an iteration takes: sampling, trees, and the update, each by itself.

use std::time::Instant;

use serde::Serialize;

use super::Rl;
use super::estimate::Term;
use super::sample::Sampler;
use super::tree::{How, Known, grow};
use crate::agent::{self, prompt::Framing};
use crate::control::Control;
use crate::env::{Suite, TaskRef};
use crate::error::{Error, Result};
use crate::model::adamw::AdamW;
use crate::model::step::Products;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;
use crate::train::source::Batch;
use crate::train::tuning::Tuning;
use crate::train::update::Update;

/// An iteration in figures.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timed {
    /// Rollouts, forks among them.
    pub episodes: usize,
    /// Steps that were played.
    pub steps: usize,
    /// Tokens that the trees have: what sampling has to compute, were nothing computed twice.
    pub tokens: usize,
    /// Tokens of the same rollouts one by one, each with all that could be done in its states.
    pub tokens_flat: usize,
    /// Seconds of playing.
    pub sample_s: f64,
    /// Seconds of writing the trees.
    pub grow_s: f64,
    /// Seconds of the update: forward, backward, optimiser.
    pub update_s: f64,
}

/// Plays some tasks as an update does and learns from all of them: advantages are 1 and -1 in turn,
/// so that every rollout is in the update, whatever the policy is.
pub fn timed(
    suite: &dyn Suite,
    (split, tasks): (&str, &[TaskRef]),
    rl: &Rl,
    weights: &mut Trainable,
    workers: usize,
    control: &Control,
) -> Result<Timed> {
    let mut found = Timed::default();
    let began = Instant::now();
    let mut agent = agent::local(weights.model("bench")?, Priority::Interactive)?;
    let sampler = Sampler { suite, split, rl, seed: 1 };
    let groups = sampler.sample(agent.as_mut(), tasks, 0, control)?;
    drop(agent);
    found.sample_s = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let tokenizer = weights.tokenizer.clone();
    let framing = Framing::new(&tokenizer)?;
    let context = weights.config.context;
    let mut trees = Vec::new();
    for group in &groups {
        let all: Vec<_> = group.trajectories.iter().collect();
        let grown = grow(&framing, &all, context)?;
        let mut grown =
            grown.ok_or_else(|| Error::new(format!("{}: too long to read", group.task.id)))?;
        found.tokens += grown.example.tree.len();
        for one in &all {
            let alone = grow(&framing, &[one], context)?;
            found.tokens_flat += alone.map_or(0, |alone| alone.example.tree.len());
        }
        let term = |rollout: usize, t: usize| Term {
            rollout,
            t,
            action: group.rollouts[rollout].visits[t].chosen,
            advantage: if rollout.is_multiple_of(2) { 1.0 } else { -1.0 },
            scale: 1e-3,
        };
        let mut terms = Vec::new();
        for (i, rollout) in group.rollouts.iter().enumerate() {
            found.episodes += 1;
            found.steps += rollout.visits.len() - rollout.own();
            if rollout.fork.is_none() {
                terms.extend((0..rollout.visits.len()).map(|t| term(i, t)));
            }
        }
        let how = How { clip: rl.clip, kl: 0.0, temperature: rl.temperature };
        grown.weigh(&terms, &group.rollouts, Known::default(), how);
        trees.extend(grown.example.cut(|node| grown.example.tree.weights[node]));
    }
    found.grow_s = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let batch = Batch::mean(trees);
    let batch = Batch { normaliser: 1.0, ..batch };
    let team = Team::new(workers, Priority::Interactive)?;
    let mut optimiser = AdamW::new(&weights.net().shapes());
    let update = Update {
        number: 1,
        batch: &batch,
        rate: 1e-4,
        tuning: Tuning::default(),
        budget: 8192,
        recompute: false,
        products: Products::F32,
    };
    update.run(weights, &mut optimiser, &team, &control.cancel)?;
    found.update_s = began.elapsed().as_secs_f64();
    Ok(found)
}
