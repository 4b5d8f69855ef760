//! What choices were worth where rollouts fork: values of states by fresh rollouts, siblings beside each
//! other, and all actions of a fork at once.

use std::collections::HashMap;
use std::hash::Hash;

use super::estimate::{Fork, Group, Term, Visit, along, roots};

/// The rollouts that left one, with their places.
fn forks_of(group: &Group, of: usize) -> impl Iterator<Item = (usize, Fork)> {
    let forks = group.iter().enumerate().filter_map(|(j, one)| Some((j, one.fork?)));
    forks.filter(move |(_, fork)| fork.of == of)
}

/// How many there are, and their mean.
fn mean(all: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (n, sum) = all.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    (n > 0.0).then(|| (n, sum / n))
}

/// What came of the other rollouts from the beginning; nothing where there is none.
fn of_others(group: &Group, returns: &[Vec<f64>], own: usize) -> Option<f64> {
    let others = roots(group).filter(|(j, _)| *j != own);
    Some(mean(others.filter_map(|(j, _)| returns[j].first().copied()))?.1)
}

/// VinePPO: the value of a state is the mean of fresh rollouts from it, of the beginning that of
/// the other rollouts.
pub(super) fn by_values(group: &Group, returns: &[Vec<f64>], gamma: f64) -> Vec<Term> {
    let mut terms = Vec::new();
    for (i, root) in roots(group) {
        let mut values: HashMap<usize, Vec<f64>> = HashMap::new();
        for (j, fork) in forks_of(group, i) {
            values.entry(fork.at).or_default().extend(returns[j].get(fork.at));
        }
        let known = values.into_iter().filter(|(at, _)| *at > 0);
        let mut ends: Vec<(usize, f64)> =
            known.filter_map(|(at, all)| Some((at, mean(all.into_iter())?.1))).collect();
        ends.sort_unstable_by_key(|(at, _)| *at);
        ends.push((root.visits.len(), 0.0));
        let (mut from, mut value) = (0, of_others(group, returns, i).unwrap_or_default());
        for (to, next) in ends {
            let rewards = root.visits[from..to].iter().rev().map(|visit| visit.reward);
            let gained = rewards.fold(next, |after, reward| reward + gamma * after);
            let advantage = gained - value;
            terms.extend(along(group, i, from..to, |_| advantage, 1.0));
            (from, value) = (to, next);
        }
    }
    terms
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
pub(super) fn by_siblings(group: &Group, returns: &[Vec<f64>], gamma: f64) -> Vec<Term> {
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

/// A time that a state was met: by which rollout, what was chosen, and what came of that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub rollout: usize,
    pub action: usize,
    /// Whether the action was given and not drawn.
    pub given: bool,
    pub value: f64,
}

/// The times that states were met, by what they are taken to be alike in.
pub(super) fn met<K: Eq + Hash>(
    group: &Group,
    returns: &[Vec<f64>],
    alike: impl Fn(&Visit, usize) -> K,
) -> HashMap<K, Vec<Met>> {
    let mut found: HashMap<K, Vec<Met>> = HashMap::new();
    for (rollout, (one, returns)) in group.iter().zip(returns).enumerate() {
        let given = one.fork.filter(|fork| fork.given).map(|fork| fork.at);
        let all = one.visits.iter().zip(returns).enumerate();
        for (t, (visit, value)) in all.skip(one.own()) {
            let (action, value) = (visit.chosen, *value);
            let met = Met { rollout, action, given: Some(t) == given, value };
            found.entry(alike(visit, t)).or_default().push(met);
        }
    }
    found
}

/// Ours: see [`super::Method::Forks`].
///
/// States are alike where the world's hash *and the step* are: with fewer steps left a state is worth
/// less, and of a rollout that comes back to a state, what came of the second time is part of the first.
pub(super) fn by_actions(group: &Group, returns: &[Vec<f64>]) -> Vec<Term> {
    let all = met(group, returns, |visit, t| (visit.state, t));
    let mut terms = Vec::new();
    for (i, root) in roots(group) {
        let start = of_others(group, returns, i);
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
            let here = all.get(&(visit.state, t)).map_or(&[][..], Vec::as_slice);
            if let Some(actions) = at.get(&t) {
                let compared = compared(i, t, visit, actions, here);
                if !compared.is_empty() {
                    terms.extend(compared);
                    continue;
                }
            }
            let own = returns[i][t];
            let mut advantage = start.map_or(0.0, |start| own - start);
            // Actions that were given say nothing of what the policy does here.
            let others = here.iter().filter(|met| met.rollout != i && !met.given);
            if let Some((n, value)) = mean(others.map(|met| met.value)) {
                let share = n / (n + 2.0);
                advantage = (1.0 - share) * advantage + share * (own - value);
            }
            terms.push(Term { rollout: i, t, action: visit.chosen, advantage, scale: 1.0 });
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
            let of_it = here.iter().filter(|met| met.action == *action);
            let (_, q) = mean(of_it.map(|met| met.value))?;
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
