//! What of the store an objective is trained on: chosen once, written down with the run, and read
//! again exactly so.
//!
//! Exports choose in the same way, so that what another engine is given is what a run here is
//! trained on.

mod criteria;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::agent::prompt::first_observation;
use crate::digest;
pub use crate::env::Share;
use crate::env::{constant_actions, instance};
use crate::error::{Error, Result};
use crate::experience::{
    ActionEffect, Branch, HUMAN, Trajectory, UNIFORM, is_answers, is_rationale,
};
use crate::store::{Approved, Candidate, Drawn, Store};
pub use criteria::{ALL, Criteria, HELD_OUT, LEAST_HELD_OUT};

/// Which parts of the data an objective has targets in, beside the expert's actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carry {
    /// Executed alternatives.
    pub branches: bool,
    /// Approved reflections.
    pub reflections: bool,
}

/// A trajectory with what of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The trajectory.
    pub trajectory: i64,
    /// Hash of the instance that its task is one of.
    pub instance: u64,
    /// Whether it is held out.
    pub held_out: bool,
    /// Whether the expert's steps are targets: not those on the way to a state that a person
    /// reflected on.
    pub demonstration: bool,
    /// The alternatives.
    pub branches: Vec<i64>,
    /// The reflections, and the version of each.
    pub reflections: Vec<(i64, i64)>,
    /// Of a visit, the expert's answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<i64>,
}

/// What was there and is not used, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Demonstrations with the same actions as another one of the same task and expert.
    pub duplicates: usize,
    /// Alternatives whose answer is the same in every state.
    pub constant: usize,
    /// Alternatives whose effect is not wanted.
    #[serde(default)]
    pub effects: usize,
    /// Alternatives that are not worse than the expert's action, where it is preferred to others.
    #[serde(default)]
    pub not_worse: usize,
    /// Refused actions beyond the share of them that is wanted.
    #[serde(default)]
    pub errors: usize,
    /// Visits of games that are held out.
    #[serde(default)]
    pub visits: usize,
    /// Visits in which only another expert answered.
    #[serde(default)]
    pub visits_of_others: usize,
    /// Visits with the same actions and answers as another one.
    #[serde(default)]
    pub visits_again: usize,
    /// Approved texts written without sight of any outcome.
    pub rationales: usize,
    /// Approved reflections of a state that has a newer one.
    pub superseded: usize,
    /// Explorations with approved reflections on another expert's actions.
    #[serde(default)]
    pub others: usize,
    /// Demonstrations that a person played, where an expert's are trained on.
    #[serde(default)]
    pub by_hand: usize,
    /// Games that the share would hold out, where they are too few: they are trained on.
    #[serde(default)]
    pub too_few: usize,
}

/// What is trained on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Trajectories by number, demonstrations first.
    pub items: Vec<Item>,
    /// What is not used.
    pub left_out: LeftOut,
}

/// The instance of a task, as a hash of what near copies share: the name that the suite gives it, or
/// its kind and what there is in the room, whatever the wording of the goal; without a room the goal.
pub fn instance_of(candidate: &Candidate) -> u64 {
    let Candidate { suite, task_id, kind, task, observation, .. } = candidate;
    if let Some(name) = instance(suite, task_id) {
        return digest::of([suite.as_str(), name]);
    }
    let room = first_observation(observation, task);
    let mut things: Vec<&str> =
        room.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if things.is_empty() {
        things.push(if task.trim().is_empty() { task_id } else { task.trim() });
    }
    things.sort_unstable();
    digest::of([suite.as_str(), kind.as_str()].into_iter().chain(things))
}

/// Whether an instance is among the held-out share. A smaller share is part of every larger one.
pub fn is_held_out(instance: u64, share: f64) -> bool {
    digest::is_within(instance, share)
}

/// The one of several that is meant: the named one, all if that is asked for, or the only one there
/// is.
fn only<'a>(
    candidates: &'a [Candidate],
    of: impl Fn(&'a Candidate) -> &'a str,
    named: Option<&str>,
    (what, flag): (&str, &str),
) -> Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for candidate in candidates {
        *counts.entry(of(candidate)).or_default() += 1;
    }
    if named.is_some() || counts.len() < 2 {
        return Ok(());
    }
    let list: Vec<String> =
        counts.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    let first = counts.keys().next().copied().unwrap_or_default();
    Err(Error::new(format!(
        "there are demonstrations of {} {what}: {}",
        counts.len(),
        list.join(", ")
    ))
    .hint(format!(
        "name one: {flag} {first} (in the program, in the form); they are never mixed unasked"
    )))
}

impl Selection {
    /// Chooses from the store.
    pub fn choose(store: &Store, criteria: &Criteria, carry: Carry) -> Result<Self> {
        criteria.check()?;
        let suite = criteria.suite.as_deref();
        let split = criteria.split.as_deref();
        let mut demos = store.candidates(suite, split)?;
        let of_share =
            |of: &Candidate| criteria.share.is_none_or(|share| share.holds(&of.suite, &of.task_id));
        demos.retain(of_share);
        only(&demos, |c| &c.suite, suite, ("suites", "--suite"))?;
        let expert = criteria.expert.as_deref();
        demos.retain(|demo| expert.is_none_or(|name| name == ALL || demo.actor == name));
        let mut selection = Self::default();
        // What a person played stands beside an expert's; it is mixed in when that is asked for.
        let by_hand = |demo: &Candidate| demo.actor == HUMAN;
        if expert.is_none() && !demos.iter().all(by_hand) {
            let before = demos.len();
            demos.retain(|demo| !by_hand(demo));
            selection.left_out.by_hand = before - demos.len();
        }
        only(&demos, |c| &c.actor, expert, ("experts", "--expert"))?;
        selection.left_out.duplicates = drop_duplicates(store, &mut demos)?;
        let share = criteria.held_out;
        let held: HashSet<u64> =
            demos.iter().map(instance_of).filter(|game| is_held_out(*game, share)).collect();
        let mut criteria = criteria.clone();
        if held.len() < LEAST_HELD_OUT {
            selection.left_out.too_few = held.len();
            criteria.held_out = 0.0;
        }
        let criteria = &criteria;
        for demo in &demos {
            selection.take(store, demo, criteria, carry, true)?;
        }
        if let Some(pool) = &criteria.visits {
            let imitated = expert.or(demos.first().map(|demo| demo.actor.as_str()));
            let suite = suite.or(demos.first().map(|demo| demo.suite.as_str()));
            let mut known = HashSet::new();
            for visit in store.visit_candidates(suite, split)? {
                let imitated = imitated.filter(|name| *name != ALL);
                selection.visit(store, &visit, (criteria, pool, imitated), carry, &mut known)?;
            }
        }
        if carry.reflections {
            // Whose actions they conclude on: never another expert's than those that are imitated,
            // unless asked to.
            let imitated = expert.or(demos.first().map(|demo| demo.actor.as_str()));
            let suite = suite.or(demos.first().map(|demo| demo.suite.as_str()));
            for exploration in store.reflected_explorations(suite, split)? {
                if !of_share(&exploration) {
                    continue;
                }
                if imitated.is_some_and(|name| name != ALL && exploration.actor != name) {
                    selection.left_out.others += 1;
                    continue;
                }
                selection.take(
                    store,
                    &exploration,
                    criteria,
                    Carry { branches: false, ..carry },
                    false,
                )?;
            }
        }
        Ok(selection)
    }

    fn take(
        &mut self,
        store: &Store,
        of: &Candidate,
        criteria: &Criteria,
        carry: Carry,
        demonstration: bool,
    ) -> Result<()> {
        let instance = instance_of(of);
        let held_out = is_held_out(instance, criteria.held_out);
        // What is held out is the same whatever is trained, so that validation means the same in
        // every run.
        let (carry, criteria) = if held_out {
            let fixed = Criteria {
                pool: UNIFORM.into(),
                k: None,
                rationales: false,
                writer: None,
                without: Vec::new(),
                errors: None,
                ..criteria.clone()
            };
            (Carry { branches: demonstration, reflections: true }, fixed)
        } else {
            (carry, criteria.clone())
        };
        let counted = self.left_out;
        let branches =
            if carry.branches { self.branches(store, of, &criteria)? } else { Vec::new() };
        let reflections =
            if carry.reflections { self.reflections(store, of, &criteria)? } else { Vec::new() };
        if held_out {
            self.left_out = counted;
        }
        if demonstration || !reflections.is_empty() {
            self.items.push(Item {
                trajectory: of.id,
                instance,
                held_out,
                demonstration,
                branches,
                reflections,
                answers: Vec::new(),
            });
        }
        Ok(())
    }

    /// Takes a visit with its answers by an expert (any, if none is named), unless the same is known.
    /// What is held out is so for visits too, and is not validated on: validation means the same in
    /// every run.
    fn visit(
        &mut self,
        store: &Store,
        of: &Candidate,
        (criteria, pool, expert): (&Criteria, &str, Option<&str>),
        carry: Carry,
        known: &mut HashSet<String>,
    ) -> Result<()> {
        let mut answers = store.answers(of.id, Some(pool))?;
        let any = !answers.is_empty();
        answers.retain(|drawn| expert.is_none_or(|name| drawn.branch.source == name));
        if answers.is_empty() {
            self.left_out.visits_of_others += usize::from(any);
            return Ok(());
        }
        let answer = |drawn: &Drawn| format!("{} {}", drawn.branch.t, drawn.branch.action);
        let given: Vec<String> = answers.iter().map(answer).collect();
        let told = [of.task_id.clone(), store.actions_of(of.id)?, given.join("\n")].join("\n\n");
        if !known.insert(told) {
            self.left_out.visits_again += 1;
            return Ok(());
        }
        let instance = instance_of(of);
        if is_held_out(instance, criteria.held_out) {
            self.left_out.visits += 1;
            return Ok(());
        }
        let answers: Vec<i64> = answers.iter().map(|drawn| drawn.branch.id).collect();
        let mut branches =
            if carry.branches { self.branches(store, of, criteria)? } else { Vec::new() };
        branches.retain(|branch| !answers.contains(branch));
        self.items.push(Item {
            trajectory: of.id,
            instance,
            held_out: false,
            demonstration: false,
            branches,
            reflections: Vec::new(),
            answers,
        });
        Ok(())
    }

    fn branches(&mut self, store: &Store, of: &Candidate, criteria: &Criteria) -> Result<Vec<i64>> {
        let pool = Some(criteria.pool.as_str()).filter(|pool| *pool != ALL);
        let constant = constant_actions(&of.suite);
        let mut taken = Vec::new();
        let mut refused = Vec::new();
        let mut seen = HashSet::new();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for Drawn { branch, place } in store.drawn(of.id, pool)? {
            if is_answers(&place.pool) || !seen.insert(branch.id) {
                continue; // it stands in several pools, or says what to do
            }
            if criteria.without.contains(&branch.effect) {
                self.left_out.effects += 1;
                continue;
            }
            if constant.contains(&branch.action.as_str()) {
                self.left_out.constant += 1;
                continue;
            }
            let count = counts.entry(branch.t).or_default();
            if criteria.k.is_none_or(|k| *count < k) {
                *count += 1;
                if branch.effect == ActionEffect::Error {
                    refused.push((place.rank, branch.t, branch.id));
                }
                taken.push(branch.id);
            }
        }
        if let Some(most) = criteria.errors {
            // The last drawn goes first, wherever in the trajectory.
            refused.sort_unstable();
            let stay = spared(taken.len(), refused.len(), most);
            let over: HashSet<i64> = refused.into_iter().skip(stay).map(|(.., id)| id).collect();
            self.left_out.errors += over.len();
            taken.retain(|id| !over.contains(id));
        }
        Ok(taken)
    }

    /// One approved reflection a state: two would count twice as much.
    fn reflections(
        &mut self,
        store: &Store,
        of: &Candidate,
        criteria: &Criteria,
    ) -> Result<Vec<(i64, i64)>> {
        // A person's own words stand before what was generated later.
        let mut newest: BTreeMap<usize, (bool, i64, i64)> = BTreeMap::new();
        for Approved { reflection, version, t, author, .. } in store.approved(of.id)? {
            if criteria.writer.as_ref().is_some_and(|writer| *writer != author) {
                continue;
            }
            if is_rationale(&author) && !criteria.rationales {
                self.left_out.rationales += 1;
            } else {
                let own = author == "you";
                let before = newest.get(&t).copied();
                self.left_out.superseded += usize::from(before.is_some());
                if before.is_none_or(|(theirs, ..)| own || !theirs) {
                    newest.insert(t, (own, reflection, version));
                }
            }
        }
        Ok(newest.into_values().map(|(_, reflection, version)| (reflection, version)).collect())
    }
}

/// How many of some refused actions stay, so that they are at most a share of what is left of all.
fn spared(all: usize, refused: usize, most: f64) -> usize {
    let others = (all - refused) as f64;
    let room =
        if most >= 1.0 { refused as f64 } else { (others * most / (1.0 - most) + 1e-9).floor() };
    (room as usize).min(refused)
}

/// Takes out demonstrations that repeat another one action by action (the one with most decisions
/// stays, as everywhere); returns how many.
fn drop_duplicates(store: &Store, demos: &mut Vec<Candidate>) -> Result<usize> {
    let again: HashSet<i64> = store.duplicates()?.into_iter().map(|one| one.trajectory).collect();
    let before = demos.len();
    demos.retain(|demo| !again.contains(&demo.id));
    Ok(before - demos.len())
}

/// An item with its texts, as they are in the store.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The trajectory.
    pub trajectory: Trajectory,
    /// The alternatives.
    pub branches: Vec<Branch>,
    /// The reflections.
    pub reflections: Vec<Approved>,
    /// Of a visit, what the expert would have done.
    pub answers: Vec<Branch>,
}

impl Item {
    /// Reads exactly this; an error says what is no longer there.
    pub fn read(&self, store: &Store) -> Result<Chosen> {
        let gone = |what: String| {
            Error::new(format!("{what} is no longer in the store")).hint(
                "the run cannot be repeated without it; start another, which trains on what there \
                 is now",
            )
        };
        let trajectory = store.trajectory_even_deleted(self.trajectory)?;
        let trajectory =
            trajectory.ok_or_else(|| gone(format!("trajectory {}", self.trajectory)))?;
        let none = self.branches.is_empty() && self.answers.is_empty();
        let all = if none { Vec::new() } else { store.branches(self.trajectory)? };
        let these = |ids: &[i64], what: &str| -> Result<Vec<Branch>> {
            let wanted: HashSet<i64> = ids.iter().copied().collect();
            let found: Vec<Branch> =
                all.iter().filter(|branch| wanted.contains(&branch.id)).cloned().collect();
            if found.len() < wanted.len() {
                return Err(gone(format!("{what} of trajectory {}", self.trajectory)));
            }
            Ok(found)
        };
        let branches = these(&self.branches, "an alternative")?;
        let answers = these(&self.answers, "an answer")?;
        let version = |(reflection, n): &(i64, i64)| {
            store
                .version(*reflection, *n)?
                .ok_or_else(|| gone(format!("version {n} of reflection {reflection}")))
        };
        let reflections = self.reflections.iter().map(version).collect::<Result<_>>()?;
        Ok(Chosen { trajectory, branches, reflections, answers })
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
