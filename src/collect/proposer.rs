//! Drawing alternatives: draw by draw, so that a pool of K is the beginning of every larger one.

use std::collections::HashSet;

use super::perturbed::perturbed;
use crate::agent::{Agent, Ask};
use crate::control::Cancel;
use crate::env::{Form, constant_actions};
use crate::error::{Error, Result};
use crate::experience::{
    EXPLORED, MIXTURE, Membership, PERTURBED, POLICY, Trajectory, UNIFORM, is_answers,
};
use crate::model::sampler::Sampling;
use crate::rng::Rng;
use crate::selection::ALL;

/// How often a policy is asked for one draw, until it proposes an alternative: a good one mostly
/// proposes what the expert does.
const ATTEMPTS: usize = 8;

/// Where alternatives come from.
pub enum Proposer<'a> {
    /// Uniformly from the admissible list without replacement (what the paper does for world
    /// modelling), and from rules where the expert wrote free text.
    Uniform,
    /// Sampled from the policy at temperature 1 (for self-reflection).
    Policy {
        /// The policy.
        policy: &'a mut dyn Agent,
        /// Whether it thinks before each proposal.
        think: bool,
        /// Whether proposals that are not admissible are executed as they are. Otherwise, where
        /// none of a few samples is an alternative, a uniform draw from the list takes their place
        /// (paper, B.1 and B.6).
        keep_invalid: bool,
        /// Whether only every other draw is the policy's, and those between are uniform: what the
        /// policy never does is in the pool, too.
        mixed: bool,
    },
}

impl Proposer<'_> {
    /// The pool that it fills unless another is named.
    pub fn pool(&self) -> &'static str {
        match self {
            Self::Uniform => UNIFORM,
            Self::Policy { mixed: false, .. } => POLICY,
            Self::Policy { mixed: true, .. } => MIXTURE,
        }
    }

    /// Whether a draw of this number is the policy's.
    fn asks(&self, rank: usize) -> bool {
        match self {
            Self::Uniform => false,
            Self::Policy { mixed, .. } => !mixed || rank % 2 == 1,
        }
    }

    /// Refuses a pool that is named after something else.
    pub fn check_pool(&self, pool: &str) -> Result<()> {
        let reserved = [UNIFORM, POLICY, MIXTURE, EXPLORED, ALL]
            .iter()
            .any(|name| *name == pool && *name != self.pool());
        if reserved || is_answers(pool) || pool.trim().is_empty() {
            return Err(Error::new(format!("the pool `{pool}` cannot be filled in this way"))
                .hint(
                    "uniform, policy, mixture, explore, answers and all have their own meaning; name \
                     another",
                ));
        }
        Ok(())
    }

    /// The model that is asked; empty where none is.
    pub fn model(&self) -> String {
        match self {
            Self::Uniform => String::new(),
            Self::Policy { policy, think, .. } => {
                policy.name() + if *think { ", thinking" } else { "" }
            }
        }
    }

    /// Draws number `have.len()` to `k - 1` in state `t` of a trajectory, each distinct from what was
    /// done there, from the expert's action, and from those drawn before. Fewer where the list has no more; free text
    /// that a state takes, or of which nothing is said, is an alternative if a policy proposes it.
    pub fn draw(
        &mut self,
        (trajectory, t, expert): (&Trajectory, usize, Option<&str>),
        (pool, have, k): (&str, &[String], usize),
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Vec<(String, Membership)>> {
        let place = format!("alternatives {pool} {} {} {t}", trajectory.task_id, trajectory.actor);
        let own = trajectory.steps.get(t).map(|step| step.action.as_str());
        let is_done = |action: &str| Some(action) == own || Some(action) == expert;
        let constant = constant_actions(&trajectory.suite);
        let listed = trajectory.listed_at(t);
        let forms: Vec<Form> =
            trajectory.forms_at(t).iter().map(|form| Form::new(form.as_str())).collect();
        let written =
            perturbed(expert.or(own).unwrap_or_default(), listed, &forms, &trajectory.task);
        let mut left: Vec<&String> = listed.iter().chain(&written).collect();
        left.retain(|action| !is_done(action) && !constant.contains(&action.as_str()));
        Rng::stream(seed, &place).shuffle(&mut left);
        let unsaid = trajectory.admissible_at(t).is_none() && forms.is_empty();
        let invalid = matches!(self, Self::Policy { keep_invalid: true, .. }) || unsaid;
        if !invalid && forms.is_empty() && left.iter().all(|action| have.contains(action)) {
            return Ok(Vec::new()); // there are no more: nobody need be asked
        }
        let model = self.model();
        let ranks: Vec<usize> = (have.len()..k).filter(|rank| self.asks(*rank)).collect();
        // For each draw of the policy what it proposed, in order.
        let asked: Vec<Vec<String>> = match self {
            Self::Uniform => Vec::new(),
            Self::Policy { policy, think, .. } => {
                let state = trajectory.state(t);
                let how = Sampling::at(1.0);
                let seeds: Vec<Vec<u64>> = ranks
                    .iter()
                    .map(|rank| Rng::seeds(seed, &format!("{place} {rank}"), ATTEMPTS))
                    .collect();
                let mut thoughts: Vec<Option<String>> = vec![None; seeds.len()];
                if *think {
                    // Draws of their own: with those of the proposal a thought and the action after
                    // it would go together.
                    let own: Vec<Vec<u64>> = ranks
                        .iter()
                        .map(|rank| Rng::seeds(seed, &format!("{place} {rank} thought"), 1))
                        .collect();
                    let asks: Vec<Ask<'_>> =
                        own.iter().map(|seeds| Ask::about(&state, seeds)).collect();
                    let found =
                        policy.think(&asks, how, cancel)?.into_iter().map(|mut all| all.pop());
                    thoughts = found.map(|thought| thought.map(|thought| thought.text)).collect();
                }
                let asks: Vec<Ask<'_>> = seeds
                    .iter()
                    .zip(&thoughts)
                    .map(|(seeds, thought)| Ask {
                        state: &state,
                        thought: thought.as_deref(),
                        seeds,
                    })
                    .collect();
                let found = policy.act(&asks, how, cancel)?.into_iter();
                found
                    .map(|written| written.into_iter().map(|sample| sample.text).collect())
                    .collect()
            }
        };
        let mut taken: HashSet<String> = have.iter().cloned().collect();
        let mut drawn = Vec::new();
        let mut asked = asked.into_iter();
        for rank in have.len()..k {
            let attempts =
                if ranks.contains(&rank) { asked.next().unwrap_or_default() } else { Vec::new() };
            let fits = |action: &String| {
                let free = invalid || forms.iter().any(|form| form.admits(action));
                let there = left.contains(&action)
                    || (free && !listed.contains(action) && !action.is_empty());
                there && !is_done(action) && !taken.contains(action)
            };
            let own = attempts.into_iter().find(fits).map(|action| (action, POLICY));
            let other = || {
                left.iter().find(|action| !taken.contains(**action)).map(|action| {
                    let by_rule = written.contains(*action);
                    ((*action).clone(), if by_rule { PERTURBED } else { UNIFORM })
                })
            };
            let Some((action, source)) = own.or_else(other) else { continue };
            taken.insert(action.clone());
            let rank = have.len() + drawn.len(); // a draw of which nothing came leaves no gap
            let pool = pool.to_string();
            let source = source.to_string();
            drawn.push((action, Membership { pool, rank, source, model: model.clone() }));
        }
        Ok(drawn)
    }
}

#[cfg(test)]
#[path = "proposer_tests.rs"]
mod tests;
