//! Choosing from the list: cross-entropy over what could be done in a state, in place of tokens.
//!
//! In a state with the admissible actions `a_1 … a_n` the policy is the softmax of their
//! log-probabilities, as it is where it acts (temperature 1): `p_j = exp(l_j) / Σ_k exp(l_k)`, `l_j`
//! the sum over the action's tokens, its end included. The loss of a state is `-ln p_e` of the
//! expert's action `e`, the loss of an update the mean over its states. It is the contrast of ACT
//! without a text: what else could be done is pushed down, and nothing of it need be executed. Not
//! in the paper; a control for what the alternatives' *outcomes* add.
//!
//! Its gradient is `Σ_j (p_j - [j = e]) ∇l_j`: so every token of action `j` counts with the weight
//! `[j = e] - p_j`, which may be negative, and the shares `p_j` come of a pass over the same trees
//! before. That pass is not among the tokens that a run counts.
//!
//! Preferences (direct preference optimisation, arXiv 2305.18290) stand beside it, since they read the
//! same trees: of every executed alternative `a` that is worse than the expert's action `e` the loss is
//! `-ln σ(m)`, `m = β ((l_e - l_e⁰) - (l_a - l_a⁰))`, where `l⁰` is what the run started from; that of
//! an update is the mean over its pairs. So every token of `e` counts with the weight `β σ(-m)`, and
//! every one of `a` with its negative.

use std::collections::HashMap;

use super::Mixture;
use super::examples::{Example, TokenRole};
use super::figures::{OF_LIST, OF_PAIRS};
use super::plan::Plan;
use super::source::{Batch, Source, Stored};
use super::update::{Metrics, costs};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::step::Net;
use crate::model::team::{Priority, Team};
use crate::model::weights::Trainable;

/// Batches of what is stored, with the weights that the policy gives the listed actions.
pub(super) struct Listing<'a> {
    stored: Stored<'a>,
    plan: &'a Plan,
    /// Tokens of a pass at most.
    budget: usize,
    /// Tokens that stand before an action.
    mark: usize,
    /// What is held out, with its lists.
    held_out: &'a [Example],
    by: By,
    team: Team,
}

/// What the expert's action is held against.
pub(super) enum By {
    /// All that could be done.
    List,
    /// What is worse, by how much likelier both have become since the start, times `beta`.
    Pairs {
        /// The start.
        start: Box<Trainable>,
        /// How much that counts.
        beta: f64,
    },
}

/// What the states of some trees come to, or their pairs.
#[derive(Default)]
struct States {
    count: u32,
    /// Sum of `-ln p_e`, or of `-ln σ(m)`.
    loss: f64,
    /// Those in which nothing is likelier than the expert's action; pairs whose `m` is above 0.
    agreed: u32,
    /// Sum of `m`.
    margin: f64,
}

impl States {
    /// Of a state with all that could be done, the expert's action first.
    fn choose(&mut self, actions: &[Vec<usize>], costs: &Costs, weights: &mut [f32]) {
        let shares = shares(actions, costs);
        self.count += 1;
        self.loss -= shares[0].max(f64::MIN_POSITIVE).ln();
        self.agreed += u32::from(shares[1..].iter().all(|other| *other <= shares[0]));
        for (j, (nodes, share)) in actions.iter().zip(&shares).enumerate() {
            let expert = if j == 0 { 1.0 } else { 0.0 };
            for node in nodes {
                weights[*node] = (expert - share) as f32;
            }
        }
    }

    /// Of a state with what is worse, the expert's action first, and what its tokens cost the start.
    fn prefer(
        &mut self,
        actions: &[Vec<usize>],
        (costs, start): (&Costs, &Costs),
        beta: f64,
        weights: &mut [f32],
    ) {
        let gained = |nodes: &Vec<usize>| log(nodes, costs) - log(nodes, start);
        let own = gained(&actions[0]);
        for other in &actions[1..] {
            let margin = beta * (own - gained(other));
            self.count += 1;
            // ln(1 + exp(-m)), of which neither end overflows.
            self.loss += (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
            self.agreed += u32::from(margin > 0.0);
            self.margin += margin;
            let weight = (beta / (1.0 + margin.exp())) as f32;
            for (nodes, weight) in [(&actions[0], weight), (other, -weight)] {
                for node in nodes {
                    weights[*node] += weight;
                }
            }
        }
    }
}

impl<'a> Listing<'a> {
    pub fn new(
        stored: Stored<'a>,
        plan: &'a Plan,
        (budget, mark): (usize, usize),
        held_out: &'a [Example],
        by: By,
    ) -> Result<Self> {
        let team = Team::new(plan.workers, Priority::Background)?;
        Ok(Self { stored, plan, budget, mark, held_out, by, team })
    }

    /// What the share is called in which the expert's action comes first.
    fn agreement(&self) -> &'static str {
        match self.by {
            By::List => "list_agreement",
            By::Pairs { .. } => "preferred",
        }
    }

    fn costs(&self, net: Net<'_>, trees: &[Example]) -> Result<Vec<Costs>> {
        costs(&self.team, net, self.budget, trees, &Cancel::default())
    }

    /// Gives the tokens of every action that is compared their weights.
    fn weigh(&self, net: Net<'_>, trees: &mut [Example]) -> Result<States> {
        let costs = self.costs(net, trees)?;
        let before = match &self.by {
            By::List => Vec::new(),
            By::Pairs { start, .. } => {
                self.costs(Net { products: self.plan.products, ..start.net() }, trees)?
            }
        };
        let mut states = States::default();
        for (i, (example, costs)) in trees.iter_mut().zip(costs).enumerate() {
            example.tree.weights.fill(0.0);
            // Where there is no choice there is nothing to learn.
            for actions in choices(example, self.mark).into_iter().filter(|all| all.len() > 1) {
                let weights = &mut example.tree.weights;
                match &self.by {
                    By::List => states.choose(&actions, &costs, weights),
                    By::Pairs { beta, .. } => {
                        states.prefer(&actions, (&costs, &before[i]), *beta, weights);
                    }
                }
            }
        }
        Ok(states)
    }
}

impl Source for Listing<'_> {
    fn batch(
        &mut self,
        stage: usize,
        update: u64,
        pass: usize,
        weights: &Trainable,
    ) -> Result<Batch> {
        let mut batch = self.stored.batch(stage, update, pass, weights)?;
        let net = Net { products: self.plan.products, ..weights.net() };
        let states = self.weigh(net, &mut batch.trees)?;
        // A tree without a choice is no target.
        batch.trees.retain(|example| example.tree.weights.iter().any(|weight| *weight != 0.0));
        let count = f64::from(states.count.max(1));
        batch.normaliser = count;
        batch.measured = vec![
            ("loss".into(), states.loss / count),
            (self.agreement().into(), f64::from(states.agreed) / count),
        ];
        if matches!(self.by, By::Pairs { .. }) {
            batch.measured.push(("margin".into(), states.margin / count));
        }
        Ok(batch)
    }

    fn measure(&self, weights: &Trainable) -> Result<Metrics> {
        let weighed = |example: &Example| example.weighed(&Mixture::IMITATION);
        let mut trees: Vec<Example> = self.held_out.iter().filter_map(weighed).collect();
        let states = self.weigh(weights.net(), &mut trees)?;
        let count = f64::from(states.count);
        Ok(if states.count == 0 {
            Metrics::new()
        } else {
            let loss = match self.by {
                By::List => OF_LIST,
                By::Pairs { .. } => OF_PAIRS,
            };
            vec![
                (loss.into(), states.loss / count),
                (format!("valid_{}", self.agreement()), f64::from(states.agreed) / count),
            ]
        })
    }

    fn held_out(&self) -> &[Example] {
        self.stored.held_out()
    }
}

/// What tokens cost (nats), by their places.
type Costs = HashMap<usize, f32>;

/// The log-probability of an action.
fn log(nodes: &[usize], costs: &Costs) -> f64 {
    nodes.iter().map(|node| -f64::from(costs.get(node).copied().unwrap_or_default())).sum()
}

/// The share of each action, by what its tokens cost.
fn shares(actions: &[Vec<usize>], costs: &Costs) -> Vec<f64> {
    let logs: Vec<f64> = actions.iter().map(|nodes| log(nodes, costs)).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    logs.iter().map(|log| (log - most).exp() / all).collect()
}

/// By state, the tokens of each action that can be done there, the trajectory's own first: a state
/// is the token before what stands before an action, `mark` tokens.
pub(super) fn choices(example: &Example, mark: usize) -> Vec<Vec<Vec<usize>>> {
    let (kinds, parents) = (&example.kinds, &example.tree.parents);
    let is_action = |i: usize| kinds[i] == TokenRole::Action;
    let mut found: Vec<Vec<Vec<usize>>> = Vec::new();
    // By state its place in `found`; by token the action that it is the last one of, so far.
    let mut of: HashMap<Option<usize>, usize> = HashMap::new();
    let mut ends: HashMap<usize, (usize, usize)> = HashMap::new();
    for i in (0..kinds.len()).filter(|i| is_action(*i)) {
        let above = parents[i];
        if let Some(place) = above.and_then(|above| ends.remove(&above)) {
            found[place.0][place.1].push(i);
            ends.insert(i, place);
            continue;
        }
        let state = (0..mark).fold(above, |at, _| at.and_then(|at| parents[at]));
        let place = *of.entry(state).or_insert_with(|| {
            found.push(Vec::new());
            found.len() - 1
        });
        found[place].push(vec![i]);
        ends.insert(i, (place, found[place].len() - 1));
    }
    found
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
