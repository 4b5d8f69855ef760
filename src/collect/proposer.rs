//! Drawing alternatives: draw by draw, so that a pool of K is the beginning of every larger one.

use std::collections::HashSet;

use crate::agent::Policy;
use crate::env::constant_actions;
use crate::error::Result;
use crate::experience::{Membership, POLICY, Trajectory, UNIFORM};
use crate::rng::Rng;

/// Where alternatives come from.
pub enum Proposer<'a> {
    /// Uniformly from the admissible list without replacement (what the paper does for world modelling).
    Uniform,
    /// Sampled from the policy at temperature 1 (for self-reflection).
    Policy {
        /// The policy.
        policy: &'a mut dyn Policy,
        /// Whether it thinks before each proposal.
        think: bool,
        /// Whether proposals that are not admissible are executed as they are. Otherwise each is replaced by a uniform
        /// draw from the list (paper, B.1 and B.6).
        keep_invalid: bool,
    },
}

impl Proposer<'_> {
    /// The pool that it fills unless another is named.
    pub fn pool(&self) -> &'static str {
        match self {
            Self::Uniform => UNIFORM,
            Self::Policy { .. } => POLICY,
        }
    }

    /// The model that is asked; empty where none is.
    pub fn model(&self) -> String {
        match self {
            Self::Uniform => String::new(),
            Self::Policy { policy, think, .. } => policy.name() + if *think { ", thinking" } else { "" },
        }
    }

    /// Draws number `have.len()` to `k - 1` in state `t` of a trajectory, each distinct from the expert's action and
    /// from those drawn before. Fewer where the list has no more; where nothing is listed, whatever a policy proposes.
    pub fn draw(
        &mut self,
        trajectory: &Trajectory,
        t: usize,
        (pool, have, k): (&str, &[String], usize),
        seed: u64,
    ) -> Result<Vec<(String, Membership)>> {
        let place = format!("alternatives {pool} {} {} {t}", trajectory.task_id, trajectory.actor);
        let expert = trajectory.steps.get(t).map(|step| step.action.as_str());
        let constant = constant_actions(&trajectory.suite);
        let listed = trajectory.admissible_at(t);
        let mut left: Vec<&String> = listed.iter().collect();
        left.retain(|action| Some(action.as_str()) != expert && !constant.contains(&action.as_str()));
        Rng::stream(seed, &place).shuffle(&mut left);
        let invalid = matches!(self, Self::Policy { keep_invalid: true, .. }) || listed.is_empty();
        if !invalid && left.iter().all(|action| have.contains(action)) {
            return Ok(Vec::new()); // there are no more: nobody need be asked
        }
        let model = self.model();
        let proposed: Vec<Option<String>> = match self {
            Self::Uniform => vec![None; k.saturating_sub(have.len())],
            Self::Policy { policy, think, .. } => {
                let seeds: Vec<u64> =
                    (have.len()..k).map(|rank| Rng::stream(seed, &format!("{place} {rank}")).next_u64()).collect();
                let state = trajectory.state(t);
                let mut proposed = Vec::with_capacity(seeds.len());
                if *think {
                    for seed in seeds {
                        let thought = policy.think(&state, 1.0, seed)?;
                        proposed.extend(policy.propose(&state, Some(&thought), 1.0, &[seed])?);
                    }
                } else {
                    proposed = policy.propose(&state, None, 1.0, &seeds)?;
                }
                proposed.into_iter().map(Some).collect()
            }
        };
        let mut taken: HashSet<String> = have.iter().cloned().collect();
        let mut drawn = Vec::new();
        for (i, action) in proposed.into_iter().enumerate() {
            let fits = |action: &String| {
                let there = left.contains(&action) || (invalid && !listed.contains(action) && !action.is_empty());
                there && Some(action.as_str()) != expert && !taken.contains(action)
            };
            let own = action.filter(fits).map(|action| (action, POLICY));
            let other = || left.iter().find(|action| !taken.contains(**action)).map(|action| ((*action).clone(), UNIFORM));
            let Some((action, source)) = own.or_else(other) else { continue };
            taken.insert(action.clone());
            let rank = have.len() + i;
            let (pool, source) = (pool.to_string(), source.to_string());
            drawn.push((action, Membership { pool, rank, source, model: model.clone() }));
        }
        Ok(drawn)
    }
}

#[cfg(test)]
#[path = "proposer_tests.rs"]
mod tests;
