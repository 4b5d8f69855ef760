//! What of the store an objective is trained on: chosen once, written down with the run, and read
//! again exactly so.
//!
//! Exports choose in the same way, so that what another engine is given is what a run here is
//! trained on.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::agent::prompt::first_observation;
use crate::digest;
pub use crate::env::Share;
use crate::env::{constant_actions, instance};
use crate::error::{Error, Result};
use crate::experience::{Branch, HUMAN, Trajectory, UNIFORM, is_rationale};
use crate::store::{Approved, Candidate, Drawn, Store};

/// The share of instances that is held out unless a run asks for another.
pub const HELD_OUT: f64 = 0.05;

/// Fewer games than this are not held out at all: what a model costs on them says nothing.
pub const LEAST_HELD_OUT: usize = 10;

/// Which alternatives: a pool, or whatever was executed.
pub const ALL: &str = "all";

/// What may be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// Only this suite.
    pub suite: Option<String>,
    /// Only this split: what is collected on the others is for testing.
    pub split: Option<String>,
    /// Only demonstrations by this expert, or [`ALL`]; without it, there must be one only, beside
    /// what a person played, which is left out then.
    pub expert: Option<String>,
    /// Only tasks of this part of the split.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only texts by this writer, as it is recorded with them ("template").
    #[serde(default)]
    pub writer: Option<String>,
    /// The pool of alternatives, or [`ALL`].
    pub pool: String,
    /// At most so many alternatives a state, the first ones drawn.
    pub k: Option<usize>,
    /// Also texts that were written without sight of any outcome.
    pub rationales: bool,
    /// The share of instances that is kept out of training, for validation: none where that are
    /// fewer than [`LEAST_HELD_OUT`].
    pub held_out: f64,
}

impl Default for Criteria {
    fn default() -> Self {
        let suite = None;
        let split = Some("train".into());
        let expert = None;
        Self {
            suite,
            split,
            expert,
            share: None,
            writer: None,
            pool: UNIFORM.into(),
            k: None,
            rationales: false,
            held_out: HELD_OUT,
        }
    }
}

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
}

/// What was there and is not used, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Demonstrations with the same actions as another one of the same task and expert.
    pub duplicates: usize,
    /// Alternatives whose answer is the same in every state.
    pub constant: usize,
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

/// The instance of a task, as a hash of what near copies share: the name that the suite gives it,
/// or the kind of task and what there is in the room, whatever the order or the wording of the
/// goal.
pub fn instance_of(candidate: &Candidate) -> u64 {
    let Candidate { suite, task_id, kind, task, observation, .. } = candidate;
    if let Some(name) = instance(suite, task_id) {
        return digest::of([suite.as_str(), name]);
    }
    let room = first_observation(observation, task);
    let mut things: Vec<&str> =
        room.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
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

impl Criteria {
    /// Refuses numbers that mean nothing.
    pub fn check(&self) -> Result<()> {
        if (0.0..=0.5).contains(&self.held_out) {
            return self.share.map_or(Ok(()), |share| share.check());
        }
        Err(Error::new(format!("a held-out share of {}", self.held_out)).hint("between 0 and 0.5"))
    }
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
            });
        }
        Ok(())
    }

    fn branches(&mut self, store: &Store, of: &Candidate, criteria: &Criteria) -> Result<Vec<i64>> {
        let pool = Some(criteria.pool.as_str()).filter(|pool| *pool != ALL);
        let constant = constant_actions(&of.suite);
        let mut taken = Vec::new();
        let mut seen = HashSet::new();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for Drawn { branch, .. } in store.drawn(of.id, pool)? {
            if !seen.insert(branch.id) {
                continue; // it stands in several pools
            }
            if constant.contains(&branch.action.as_str()) {
                self.left_out.constant += 1;
                continue;
            }
            let count = counts.entry(branch.t).or_default();
            if criteria.k.is_none_or(|k| *count < k) {
                *count += 1;
                taken.push(branch.id);
            }
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
        let mut branches =
            if self.branches.is_empty() { Vec::new() } else { store.branches(self.trajectory)? };
        let wanted: HashSet<i64> = self.branches.iter().copied().collect();
        branches.retain(|branch| wanted.contains(&branch.id));
        if branches.len() < wanted.len() {
            return Err(gone(format!("an alternative of trajectory {}", self.trajectory)));
        }
        let version = |(reflection, n): &(i64, i64)| {
            store
                .version(*reflection, *n)?
                .ok_or_else(|| gone(format!("version {n} of reflection {reflection}")))
        };
        let reflections = self.reflections.iter().map(version).collect::<Result<_>>()?;
        Ok(Chosen { trajectory, branches, reflections })
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
