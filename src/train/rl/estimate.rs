//! What each choice of a group was worth: one estimator over exact states and forks, of which the
//! named methods are settings ([`Method`] has their formulae).

use std::collections::HashMap;

use super::Method;

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
                let same = pooled(group, &returns, false);
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
            Method::VinePpo => terms = self.by_values(group, &returns),
            Method::Tree => terms = by_siblings(group, &returns, self.gamma),
            Method::Forks => terms = by_actions(group, &returns, &episode),
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

    /// VinePPO: the value of a state is the mean of fresh rollouts from it, of the beginning that of
    /// the other rollouts.
    fn by_values(&self, group: &Group, returns: &[Vec<f64>]) -> Vec<Term> {
        let starts: Vec<f64> =
            roots(group).filter_map(|(i, _)| returns[i].first().copied()).collect();
        let mut terms = Vec::new();
        for (i, root) in roots(group) {
            let mut values: HashMap<usize, Vec<f64>> = HashMap::new();
            for (j, fork) in forks_of(group, i) {
                values.entry(fork.at).or_default().extend(returns[j].get(fork.at));
            }
            let others = (starts.len() as f64 - 1.0).max(1.0);
            let own = returns[i].first().copied().unwrap_or_default();
            let mut ends: Vec<(usize, f64)> = values
                .iter()
                .filter(|(at, _)| **at > 0)
                .map(|(at, all)| (*at, all.iter().sum::<f64>() / all.len().max(1) as f64))
                .collect();
            ends.sort_unstable_by_key(|(at, _)| *at);
            ends.push((root.visits.len(), 0.0));
            let (mut from, mut value) = (0, (starts.iter().sum::<f64>() - own) / others);
            for (to, next) in ends {
                let mut gained = 0.0;
                for t in (from..to).rev() {
                    gained = root.visits[t].reward
                        + self.gamma * if t + 1 == to { next } else { gained };
                }
                let advantage = gained - value;
                terms.extend(along(group, i, from..to, |_| advantage, 1.0));
                (from, value) = (to, next);
            }
        }
        terms
    }
}

/// Whether anything is to be learnt from some terms.
pub fn has_spread(terms: &[Term]) -> bool {
    terms.iter().any(|term| term.advantage.abs() >= NOTHING)
}

/// The rollouts from the beginning, with their places.
fn roots(group: &Group) -> impl Iterator<Item = (usize, &Rollout)> {
    group.iter().enumerate().filter(|(_, one)| one.fork.is_none())
}

/// The rollouts that left one, with their places.
fn forks_of(group: &Group, of: usize) -> impl Iterator<Item = (usize, Fork)> {
    let forks = group.iter().enumerate().filter_map(|(j, one)| Some((j, one.fork?)));
    forks.filter(move |(_, fork)| fork.of == of)
}

/// The chosen actions of some steps of a rollout.
fn along(
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

/// A time that a state was met: by which rollout, what was chosen, and what came of that.
#[derive(Debug, Clone, Copy)]
struct Met {
    rollout: usize,
    action: usize,
    value: f64,
}

/// By state, the times that it was met. Actions that were given and not drawn say nothing of what the
/// policy does: they are left out unless asked for.
fn pooled(group: &Group, returns: &[Vec<f64>], with_given: bool) -> HashMap<u64, Vec<Met>> {
    let mut found: HashMap<u64, Vec<Met>> = HashMap::new();
    for (rollout, (one, returns)) in group.iter().zip(returns).enumerate() {
        let given = one.fork.filter(|fork| fork.given && !with_given).map(|fork| fork.at);
        for t in (one.own()..one.visits.len()).filter(|t| Some(*t) != given) {
            let visit = &one.visits[t];
            let met = Met { rollout, action: visit.chosen, value: returns[t] };
            found.entry(visit.state).or_default().push(met);
        }
    }
    found
}

/// How many there are, and the mean of what came of them.
fn mean<'a>(met: impl Iterator<Item = &'a Met>) -> Option<(f64, f64)> {
    let (n, sum) = met.fold((0.0, 0.0), |(n, sum), met| (n + 1.0, sum + met.value));
    (n > 0.0).then(|| (n, sum / n))
}

/// What rollout `i` is worth from a step on, its forks after it counted: where it is forked, the mean of
/// its own way on and of those that left it there. (A mean of all leaves alike would weigh ways by how
/// often they were forked later.)
fn below(group: &Group, returns: &[Vec<f64>], gamma: f64, i: usize, from: usize) -> f64 {
    let later = forks_of(group, i).map(|(_, fork)| fork.at).filter(|at| *at > from);
    let Some(at) = later.min() else {
        return returns[i].get(from).copied().unwrap_or_default();
    };
    let (mut sum, mut n) = (below(group, returns, gamma, i, at), 1.0);
    for (j, _) in forks_of(group, i).filter(|(_, fork)| fork.at == at) {
        sum += returns[j].get(at).copied().unwrap_or_default();
        n += 1.0;
    }
    let rewards = group[i].visits[from..at].iter().rev().map(|visit| visit.reward);
    rewards.fold(sum / n, |after, reward| reward + gamma * after)
}

/// Tree credit: the steps from a fork to the next count what they are worth ([`below`]) less the mean of
/// their siblings, who share what their parent counts.
fn by_siblings(group: &Group, returns: &[Vec<f64>], gamma: f64) -> Vec<Term> {
    let against = |own: f64, all: &[f64]| {
        let n = all.len() as f64 - 1.0;
        if n < 1.0 { 0.0 } else { own - (all.iter().sum::<f64>() - own) / n }
    };
    let tops: Vec<f64> = roots(group).map(|(i, _)| below(group, returns, gamma, i, 0)).collect();
    let mut terms = Vec::new();
    for ((i, root), top) in roots(group).zip(&tops) {
        let mut places: Vec<usize> =
            forks_of(group, i).map(|(_, fork)| fork.at).filter(|at| *at > 0).collect();
        places.sort_unstable();
        places.dedup();
        let mut advantage = against(*top, &tops);
        let (mut from, mut scale) = (0, 1.0);
        for at in places.into_iter().chain([root.visits.len()]) {
            terms.extend(along(group, i, from..at, |_| advantage, scale));
            if at < root.visits.len() {
                let left: Vec<usize> =
                    forks_of(group, i).filter(|(_, fork)| fork.at == at).map(|(j, _)| j).collect();
                let own = below(group, returns, gamma, i, at);
                let worth = |j: &usize| returns[*j].get(at).copied().unwrap_or_default();
                let all: Vec<f64> = std::iter::once(own).chain(left.iter().map(worth)).collect();
                scale /= all.len() as f64;
                for (j, value) in left.iter().zip(&all[1..]) {
                    let of_it = against(*value, &all);
                    let to = group[*j].visits.len();
                    terms.extend(along(group, *j, at..to, |_| of_it, scale));
                }
                advantage = against(own, &all);
            }
            from = at;
        }
    }
    terms
}

/// Ours: see [`Method::Forks`].
fn by_actions(group: &Group, returns: &[Vec<f64>], episode: &[f64]) -> Vec<Term> {
    let all = pooled(group, returns, true);
    let drawn = pooled(group, returns, false);
    let mut terms = Vec::new();
    for ((i, root), worth) in roots(group).zip(episode) {
        let mut at: HashMap<usize, Vec<usize>> = HashMap::new();
        for (j, fork) in forks_of(group, i) {
            let own = root.visits.get(fork.at).map(|visit| visit.chosen);
            // The rollout's own choice is the first of those drawn.
            let actions = at.entry(fork.at).or_insert_with(|| own.into_iter().collect());
            let action = group[j].visits[fork.at].chosen;
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
        for (t, visit) in root.visits.iter().enumerate() {
            let here = all.get(&visit.state).map_or(&[][..], Vec::as_slice);
            let mut own = *worth;
            if let Some(actions) = at.get(&t) {
                let compared = compared(i, t, visit, actions, here);
                if !compared.is_empty() {
                    terms.extend(compared);
                    continue;
                }
            }
            let others = drawn.get(&visit.state).into_iter().flatten();
            if let Some((n, value)) = mean(others.filter(|met| met.rollout != i)) {
                let here = n / (n + 2.0);
                own = (1.0 - here) * own + here * (returns[i][t] - value);
            }
            terms.push(Term { rollout: i, t, action: visit.chosen, advantage: own, scale: 1.0 });
        }
    }
    terms
}

/// The actions of a fork, each by its share among them: the gradient of all at once.
fn compared(rollout: usize, t: usize, visit: &Visit, actions: &[usize], here: &[Met]) -> Vec<Term> {
    let known: Vec<(usize, f64, f64)> = actions
        .iter()
        .filter_map(|action| {
            let share = visit.logs.get(*action)?.exp();
            let (_, q) = mean(here.iter().filter(|met| met.action == *action))?;
            Some((*action, share, q))
        })
        .collect();
    let all: f64 = known.iter().map(|(_, share, _)| share).sum();
    if known.len() < 2 || all <= 0.0 {
        return Vec::new();
    }
    let value: f64 = known.iter().map(|(_, share, q)| share / all * q).sum();
    known
        .into_iter()
        .map(|(action, share, q)| Term {
            rollout,
            t,
            action,
            advantage: q - value,
            scale: share / all,
        })
        .collect()
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
