//! A group as one tree of tokens: what rollouts have in common stands in it once, and what each term
//! wants of an action is added up on that action's tokens.
//!
//! Where the policy is the softmax over a list, `π(a) = exp(l_a / τ) / Σ_b exp(l_b / τ)` with `l` the sum
//! over an action's tokens, and the ratio is that of whole actions. A term's part of the gradient is
//! `-c ∇ log π(a) = -(c / τ) Σ_b ([b = a] - π(b)) ∇ l_b`, so every token of action `b` gets the weight
//! `(c / τ) ([b = a] - π(b))`; weights of all terms add up. Where an action was written, the ratio is
//! that of each of its tokens. `c = scale · A · ρ`, and nothing where the ratio is clipped: each term is
//! clipped by the sign of its own advantage before anything is added, so a token that is shared by a
//! won and a lost rollout has exactly the gradient of both apart.

use std::collections::HashMap;

use super::estimate::{Rollout, Term};
use crate::agent::log_shares;
use crate::agent::prompt::Framing;
use crate::error::Result;
use crate::experience::Trajectory;
use crate::train::examples::{Example, Roles, TokenRole, trunk};
use crate::train::listing::choices;

/// The tokens of each action that could be done in a state, in the order of its list; of the one
/// that was written where there is no list.
pub type Actions = Vec<Vec<usize>>;

/// By step, the tokens of each action of its list, or of the one that was written where none of
/// these was chosen; none where a state is no target, or not all of its list fits.
pub(super) type Listed = Vec<Option<Actions>>;

/// A rollout of a policy that learns from its own choices: every action is a target, beside all
/// that could be done in its place.
fn rollout(
    framing: &Framing<'_>,
    trajectory: &Trajectory,
    context: usize,
) -> Result<Option<(Example, Listed)>> {
    // Where actions can be written, a list is not what is chosen from.
    let listed = (0..trajectory.steps.len()).all(|t| trajectory.forms_at(t).is_empty());
    let roles = Roles { actions: true, next_states: false, listed };
    let written = trunk(framing, trajectory, &[], roles, context)?;
    let Some((writer, states)) = written else { return Ok(None) };
    let mut found = choices(&writer.example, framing.act().len()).into_iter();
    let mut all = Vec::with_capacity(states.len());
    for (t, (place, step)) in states.iter().zip(&trajectory.steps).enumerate() {
        let is_alone = listed && t > 0 && place.0 == writer.opening;
        if !writer.fits[t] || is_alone {
            all.push(None);
            continue;
        }
        let Some(mut actions) = found.next() else { break };
        let list = trajectory.listed_at(t);
        let own = list.iter().position(|action| *action == step.action).filter(|_| listed);
        all.push(match own {
            Some(own) if actions.len() == list.len() => {
                // The tree has the one that was taken first.
                actions[..=own].rotate_left(1);
                Some(actions)
            }
            Some(_) => None,
            None => Some(vec![actions.swap_remove(0)]),
        });
    }
    Ok(Some((writer.example, all)))
}

/// A group's tree.
#[derive(Debug, Clone, Default)]
pub struct Grown {
    /// The tree; all tokens of actions are targets.
    pub example: Example,
    /// By rollout and step, where its actions stand; none where they do not fit into the context.
    pub states: Vec<Vec<Option<Actions>>>,
}

/// Grows the tree of some rollouts. None where a task is too long to be read.
pub fn grow(
    framing: &Framing<'_>,
    rollouts: &[&Trajectory],
    context: usize,
) -> Result<Option<Grown>> {
    let mut all = Vec::with_capacity(rollouts.len());
    for trajectory in rollouts {
        let Some(one) = rollout(framing, trajectory, context)? else { return Ok(None) };
        all.push(one);
    }
    Ok(Some(merged(all)))
}

/// One tree of several: what they have in common stands in it once.
pub(super) fn merged(all: Vec<(Example, Listed)>) -> Grown {
    let mut grown = Grown::default();
    let mut below: HashMap<(Option<usize>, u32, TokenRole), usize> = HashMap::new();
    for (own, mut states) in all {
        let mut place: Vec<usize> = Vec::with_capacity(own.tree.len());
        for (i, token) in own.tree.tokens.iter().enumerate() {
            let parent = own.tree.parents[i].map(|parent| place[parent]);
            let all = &mut grown.example;
            let at = *below.entry((parent, *token, own.kinds[i])).or_insert_with(|| {
                all.add(parent, &[*token], own.kinds[i]);
                all.tree.len() - 1
            });
            place.push(at);
        }
        for node in states.iter_mut().flatten().flatten().flatten() {
            *node = place[*node];
        }
        grown.states.push(states);
    }
    let example = &mut grown.example;
    for (weight, kind) in example.tree.weights.iter_mut().zip(&example.kinds) {
        *weight = if *kind == TokenRole::Action { 1.0 } else { 0.0 };
    }
    grown
}

/// What tokens cost (nats), by their places.
pub type Costs = HashMap<usize, f32>;

/// How terms become weights.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// How far a ratio may go down and up.
    pub clip: (f64, f64),
    /// What the distance from the start counts.
    pub kl: f64,
    /// Temperature of the policy.
    pub temperature: f64,
}

/// Sums over terms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Of all terms, what they add to the loss.
    pub loss: f64,
    /// Ratios.
    pub ratios: usize,
    /// Those that are clipped.
    pub clipped: usize,
    /// Of `p_ref / p - ln(p_ref / p) - 1`.
    pub kl: f64,
    /// The largest distance of a ratio from 1.
    pub off: f64,
    /// How far the probability that was drawn by is from the one that was asked for, as a ratio's
    /// distance from 1: playing and training are two implementations of one policy.
    pub played: f64,
    /// Terms whose state does not fit into the context.
    pub lost: usize,
}

impl Sums {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            ratios: self.ratios + other.ratios,
            clipped: self.clipped + other.clipped,
            kl: self.kl + other.kl,
            off: self.off.max(other.off),
            played: self.played.max(other.played),
            lost: self.lost + other.lost,
        }
    }
}

/// What is known of the policy beside the one that acted: as it is now, and as it was at the start of
/// the run. Nothing known of it now is: as it acted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// What tokens cost the policy that acted, where it was asked; else what it drew by stands.
    pub old: Option<&'a Costs>,
    /// What they cost now.
    pub new: Option<&'a Costs>,
    /// What they cost the start.
    pub start: Option<&'a Costs>,
}

/// The log-probability of each action under some costs.
pub fn logs(actions: &Actions, costs: &Costs, temperature: f64) -> Vec<f64> {
    let sum = |nodes: &Vec<usize>| -> f64 {
        let cost = |node: &usize| f64::from(costs.get(node).copied().unwrap_or_default());
        -nodes.iter().map(cost).sum::<f64>()
    };
    log_shares(&actions.iter().map(sum).collect::<Vec<_>>(), temperature)
}

impl Grown {
    /// Gives every token of an action the weight that the terms want of it.
    pub fn weigh(
        &mut self,
        terms: &[Term],
        rollouts: &[Rollout],
        known: Known<'_>,
        how: How,
    ) -> Sums {
        let Self { example, states } = self;
        example.tree.weights.fill(0.0);
        let mut sums = Sums::default();
        for term in terms.iter().filter(|term| term.scale != 0.0) {
            let Some(actions) = states[term.rollout].get(term.t).and_then(Option::as_ref) else {
                sums.lost += 1;
                continue;
            };
            let visit = &rollouts[term.rollout].visits[term.t];
            let weights = &mut example.tree.weights;
            if visit.logs.is_empty() {
                for (i, node) in actions[0].iter().enumerate() {
                    let log = |costs: Option<&Costs>| {
                        costs.and_then(|costs| costs.get(node)).map(|cost| -f64::from(*cost))
                    };
                    // Two rollouts may share a token that two minds wrote.
                    let written = visit.written.get(i).map(|logp| f64::from(*logp));
                    let old = written.or(log(known.old)).unwrap_or_default();
                    let new = log(known.new).unwrap_or(old);
                    let weight = surrogate(term, (old, new, log(known.start)), how, &mut sums);
                    weights[*node] += weight as f32;
                }
                continue;
            }
            let asked = |costs: &Costs| logs(actions, costs, how.temperature);
            // What is asked is compared with what was asked: playing rounds otherwise.
            let (old, new) = (known.old.map(asked), known.new.map(asked));
            let old = old.as_deref().unwrap_or(&visit.logs);
            let apart = (old[term.action] - visit.logs[term.action]).exp() - 1.0;
            sums.played = sums.played.max(apart.abs());
            let new = new.as_deref().unwrap_or(old);
            let start = known.start.map(|costs| asked(costs)[term.action]);
            let own = (old[term.action], new[term.action], start);
            let weight = surrogate(term, own, how, &mut sums) / how.temperature;
            for (b, nodes) in actions.iter().enumerate() {
                let is_it = if b == term.action { 1.0 } else { 0.0 };
                for node in nodes {
                    weights[*node] += (weight * (is_it - new[b].exp())) as f32;
                }
            }
        }
        sums
    }
}

/// What `∇ log π` of a choice counts, by its log-probability when it was made, now, and at the start.
fn surrogate(
    term: &Term,
    (old, new, start): (f64, f64, Option<f64>),
    how: How,
    sums: &mut Sums,
) -> f64 {
    let Term { advantage, scale, .. } = *term;
    // Beyond this nothing is told apart, and a product with 0 must be 0.
    let ratio = (new - old).clamp(-60.0, 60.0).exp();
    let (low, high) = (1.0 - how.clip.0, 1.0 + how.clip.1);
    let is_clipped = advantage > 0.0 && ratio > high || advantage < 0.0 && ratio < low;
    sums.ratios += 1;
    sums.clipped += usize::from(is_clipped);
    sums.off = sums.off.max((ratio - 1.0).abs());
    let kept = if is_clipped { ratio.clamp(low, high) } else { ratio };
    sums.loss -= scale * advantage * kept;
    let mut weight = if is_clipped { 0.0 } else { scale * advantage * ratio };
    if let Some(start) = start {
        let apart = (start - new).clamp(-60.0, 60.0);
        let distance = apart.exp() - apart - 1.0;
        sums.kl += distance;
        sums.loss += how.kl * scale * distance;
        weight -= how.kl * scale * (1.0 - apart.exp());
    }
    weight
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
