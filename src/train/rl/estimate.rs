//! What each choice of a group was worth: one estimator over exact states and forks, of which the
//! named methods are settings ([`Method`] has their formulae).

use super::Method;
use super::credit::{by_actions, by_siblings, by_values, met};

/// A state of a rollout and what was chosen there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Visit {
    /// The world's own hash of the state.
    pub state: u64,
    /// Log-probability of each listed action, of the policy that acted; empty where the action was
    /// written.
    pub logs: Vec<f64>,
    /// What was chosen: its place in the list, or a number that stands for what was written.
    pub chosen: usize,
    /// What it was worth at once.
    pub reward: f64,
    /// Where it was written by somebody else: the log-probability of each token then.
    pub written: Vec<f32>,
}

/// Where a rollout left another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The rollout that it left, by its place in the group.
    pub of: usize,
    /// Before which step.
    pub at: usize,
    /// Whether its first action was given and not drawn.
    pub given: bool,
}

/// A rollout: its whole way, of which what stands before its fork is another's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rollout {
    /// Its steps.
    pub visits: Vec<Visit>,
    /// Whether it was won.
    pub won: bool,
    /// Where it begins, if not at the task's beginning.
    pub fork: Option<Fork>,
}

impl Rollout {
    /// The first step that is its own.
    pub fn own(&self) -> usize {
        self.fork.map_or(0, |fork| fork.at)
    }

    /// What it was worth.
    pub fn worth(&self) -> f64 {
        self.visits.iter().map(|visit| visit.reward).sum()
    }

    /// What came from each step on, a step later counting `gamma` less.
    pub fn returns(&self, gamma: f64) -> Vec<f64> {
        let mut after = 0.0;
        let mut returns: Vec<f64> = self
            .visits
            .iter()
            .rev()
            .map(|visit| {
                after = visit.reward + gamma * after;
                after
            })
            .collect();
        returns.reverse();
        returns
    }
}

/// Some rollouts of one task; those from its beginning come first.
pub type Group = [Rollout];

/// What a choice is to be worth to the gradient: the loss has
/// `-scale · min(ρ A, clip(ρ) A)` of it, `ρ` the ratio of its new probability to the old one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The rollout.
    pub rollout: usize,
    /// The step.
    pub t: usize,
    /// The action, by its place in the list of that state.
    pub action: usize,
    /// `A`.
    pub advantage: f64,
    /// What it counts.
    pub scale: f64,
}

/// What is common to the estimates of an update.
#[derive(Debug, Clone, Copy)]
pub struct Estimator {
    /// The method.
    pub method: Method,
    /// What a step later is worth less.
    pub gamma: f64,
    /// Steps of an episode at most: the constant by which summed steps are divided.
    pub limit: usize,
    /// Whether the distance from the start counts, which it does where nothing else is learnt too.
    pub holds: bool,
}

/// Smaller than this is nothing: groups whose advantages are all so teach nothing.
const NOTHING: f64 = 1e-9;

impl Estimator {
    /// The terms of each group of an update, scaled so that they add up to its loss. A group without
    /// spread has none.
    pub fn terms(&self, groups: &[Vec<Rollout>]) -> Vec<Vec<Term>> {
        let mut all: Vec<Vec<Term>> = groups.iter().map(|group| self.group(group)).collect();
        for terms in &mut all {
            if !self.holds && !has_spread(terms) {
                terms.clear();
            }
        }
        // Those without spread count: leaving them out would weigh the others by chance.
        let count = groups.len().max(1) as f64;
        for (group, terms) in groups.iter().zip(&mut all) {
            let roots = roots(group).count().max(1) as f64;
            for term in terms {
                let one = &group[term.rollout];
                let length = (one.visits.len() - one.own()).max(1) as f64;
                // GRPO and GiGPO average the steps of a rollout, then rollouts, then groups; all
                // others but DAPO and expert iteration divide by what an episode may have.
                term.scale *= match self.method {
                    Method::Grpo | Method::Gigpo => 1.0 / (length * roots * count),
                    Method::Dapo | Method::ExpertIteration => 1.0,
                    _ => 1.0 / (self.limit as f64 * roots * count),
                };
            }
        }
        if matches!(self.method, Method::Dapo | Method::ExpertIteration) {
            let count = all.iter().flatten().filter(|term| term.scale > 0.0).count().max(1) as f64;
            all.iter_mut().flatten().for_each(|term| term.scale /= count);
        }
        all
    }

    /// The terms of one group; what each counts is set by [`Self::terms`].
    fn group(&self, group: &Group) -> Vec<Term> {
        let returns: Vec<Vec<f64>> = group.iter().map(|one| one.returns(self.gamma)).collect();
        let episode = self.of_episodes(group);
        let mut terms = Vec::new();
        match self.method {
            Method::ExpertIteration
            | Method::Rloo
            | Method::Grpo
            | Method::DrGrpo
            | Method::Dapo => {
                for (i, worth) in episode.iter().enumerate() {
                    // What was not won is not imitated, which is not to say that it counts 0.
                    let scale = if self.method == Method::ExpertIteration && *worth <= 0.0 {
                        0.0
                    } else {
                        1.0
                    };
                    terms.extend(along(group, i, 0..group[i].visits.len(), |_| *worth, scale));
                }
            }
            Method::Gigpo => {
                let same = met(group, &returns, |visit, _| visit.state);
                for (i, worth) in episode.iter().enumerate() {
                    let of_state = |t: usize| {
                        let Some(found) = same.get(&group[i].visits[t].state) else { return 0.0 };
                        let all: Vec<f64> = found.iter().map(|met| met.value).collect();
                        normal(returns[i][t], &all)
                    };
                    terms.extend(along(
                        group,
                        i,
                        0..group[i].visits.len(),
                        |t| worth + of_state(t),
                        1.0,
                    ));
                }
            }
            Method::VinePpo => terms = by_values(group, &returns, self.gamma),
            Method::Tree => terms = by_siblings(group, &returns, self.gamma),
            Method::Forks => terms = by_actions(group, &returns),
        }
        terms
    }

    /// What each rollout from the beginning is worth beside the others.
    fn of_episodes(&self, group: &Group) -> Vec<f64> {
        if self.method == Method::ExpertIteration {
            return roots(group).map(|(_, one)| f64::from(u8::from(one.won))).collect();
        }
        let worth: Vec<f64> = roots(group).map(|(_, one)| one.worth()).collect();
        let (n, sum) = (worth.len() as f64, worth.iter().sum::<f64>());
        let each = |own: &f64| match self.method {
            Method::Grpo | Method::Dapo | Method::Gigpo => normal(*own, &worth),
            Method::DrGrpo => own - sum / n,
            _ if worth.len() < 2 => 0.0,
            _ => own - (sum - own) / (n - 1.0),
        };
        worth.iter().map(each).collect()
    }
}

/// Whether anything is to be learnt from some terms.
pub fn has_spread(terms: &[Term]) -> bool {
    terms.iter().any(|term| term.advantage.abs() >= NOTHING)
}

/// The rollouts from the beginning, with their places.
pub(super) fn roots(group: &Group) -> impl Iterator<Item = (usize, &Rollout)> {
    group.iter().enumerate().filter(|(_, one)| one.fork.is_none())
}

/// The chosen actions of some steps of a rollout.
pub(super) fn along(
    group: &Group,
    rollout: usize,
    steps: std::ops::Range<usize>,
    advantage: impl Fn(usize) -> f64,
    scale: f64,
) -> Vec<Term> {
    let term = |t: usize| Term {
        rollout,
        t,
        action: group[rollout].visits[t].chosen,
        advantage: advantage(t),
        scale,
    };
    steps.map(term).collect()
}

/// How far a value stands from the mean, in deviations; nothing where there is none.
fn normal(own: f64, all: &[f64]) -> f64 {
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n.max(1.0);
    let deviation = (all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n.max(1.0)).sqrt();
    if deviation < NOTHING { 0.0 } else { (own - mean) / deviation }
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
