//! What a record has that the same episode in a store lacks.

use std::collections::{HashMap, HashSet};

use super::super::{Prediction, now_ms};
use super::{Act, Placed, Record, Reflected, Version};
use crate::experience::Verdict;

/// How the act is called that says how a reflection stood elsewhere, where no more is known of it.
const IMPORT: &str = "import";

/// What comes to a reflection that is there already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GoesOn {
    /// Which of the episode's reflections, in the order of their numbers.
    pub which: usize,
    /// The versions beyond those that it has, with when they were written.
    pub versions: Vec<Version>,
    /// The acts beyond those that it has.
    pub acts: Vec<Act>,
    /// Which of its acts, in their order, were taken back where they come from.
    pub undone: Vec<usize>,
    /// Whether it was decided otherwise here, and stays so.
    pub differs: bool,
}

impl GoesOn {
    fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.acts.is_empty() && self.undone.is_empty()
    }
}

/// What is to be added to an episode.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lacking {
    /// What is new beside it: alternatives, places in pools, reflections, predictions, thoughts.
    pub beside: Record,
    /// What comes to reflections that are there.
    pub goes_on: Vec<GoesOn>,
    /// Reflections that were decided otherwise in the store: they stay as they are.
    pub differing: usize,
}

impl Lacking {
    /// What `new` has beyond `known`, which is the same episode.
    pub fn of(known: &Record, mut new: Record) -> Self {
        let executed: HashSet<(usize, &str)> =
            known.branches.iter().map(|b| (b.t, b.action.as_str())).collect();
        new.branches.retain(|b| !executed.contains(&(b.t, b.action.as_str())));
        new.pools = places(known, new.pools);
        let of = |p: &Prediction| (p.t, p.action.clone(), p.model.clone());
        let expected: HashSet<_> = known.predictions.iter().map(of).collect();
        new.predictions.retain(|p| !expected.contains(&of(p)));
        let thought: HashSet<usize> = known.thoughts.iter().map(|k| k.t).collect();
        new.thoughts.retain(|one| !thought.contains(&one.t));
        new.origin = new.origin.filter(|_| known.origin.is_none());
        let mut lacking = Self { beside: new, goes_on: Vec::new(), differing: 0 };
        let mut free: Vec<usize> = (0..known.reflections.len()).collect();
        for reflected in std::mem::take(&mut lacking.beside.reflections) {
            let at = free.iter().position(|i| is_same_text(&known.reflections[*i], &reflected));
            let Some(which) = at.map(|at| free.remove(at)) else {
                lacking.beside.reflections.push(reflected);
                continue;
            };
            let more = beyond(&known.reflections[which], &reflected);
            lacking.differing += usize::from(more.differs);
            if !more.is_empty() {
                lacking.goes_on.push(GoesOn { which, ..more });
            }
        }
        lacking
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        let Record { branches, pools, reflections, predictions, thoughts, origin, .. } =
            &self.beside;
        branches.is_empty()
            && pools.is_empty()
            && reflections.is_empty()
            && predictions.is_empty()
            && thoughts.is_empty()
            && origin.is_none()
            && self.goes_on.is_empty()
    }
}

/// The places that alternatives do not have yet: behind those of a pool that is there, whose first
/// draws stay what they are.
fn places(known: &Record, mut new: Vec<Placed>) -> Vec<Placed> {
    let of = |p: &Placed| (p.t, p.action.clone(), p.place.pool.clone());
    let there: HashSet<_> = known.pools.iter().map(of).collect();
    new.retain(|p| !there.contains(&of(p)));
    new.sort_by_key(|p| p.place.rank);
    let mut next = HashMap::<_, usize>::new();
    for Placed { t, place, .. } in &known.pools {
        let next = next.entry((*t, place.pool.clone())).or_default();
        *next = (*next).max(place.rank.saturating_add(1));
    }
    for Placed { t, place, .. } in &mut new {
        if let Some(next) = next.get_mut(&(*t, place.pool.clone())) {
            place.rank = *next;
            *next = next.saturating_add(1);
        }
    }
    new
}

fn is_same_text(a: &Reflected, b: &Reflected) -> bool {
    (a.t, a.versions.first()) == (b.t, b.versions.first())
}

/// Whether two acts are the same, taken back or not.
fn is_same_act(a: &Act, b: &Act) -> bool {
    says_the_same(a, b) && a.version == b.version
}

/// Whether two acts are the same whichever version stands: what is beside a decision comes over to
/// the version that stands here.
fn says_the_same(a: &Act, b: &Act) -> bool {
    (&a.act, &a.note, a.created_ms) == (&b.act, &b.note, b.created_ms)
}

/// Whether an act leaves how a reflection stands as it is.
fn is_beside(act: &Act) -> bool {
    ["flag", "unflag", "note"].contains(&act.act.as_str()) || act.act.starts_with("second ")
}

/// What a reflection elsewhere has beyond the one here. Where one goes on from the other, that is
/// all that came later; where each went its own way, versions and what stands beside a decision
/// come over, and how it stands here stays.
fn beyond(known: &Reflected, new: &Reflected) -> GoesOn {
    let acts = new.acts();
    let begins = |whole: (&[_], &[Act]), part: (&[_], &[Act])| {
        whole.0.starts_with(part.0)
            && whole.1.len() >= part.1.len()
            && whole.1.iter().zip(part.1).all(|(a, b)| is_same_act(a, b))
    };
    let here = (&known.versions[..], &known.history[..]);
    let there = (&new.versions[..], &acts[..]);
    let written = new.written();
    if begins(there, here) {
        let both = acts.iter().zip(&known.history).enumerate();
        let undone = both.filter(|(_, (new, known))| new.undone && !known.undone);
        return GoesOn {
            undone: undone.map(|(i, _)| i).collect(),
            versions: written.skip(known.versions.len()).collect(),
            acts: acts.iter().skip(known.history.len()).cloned().collect(),
            ..GoesOn::default()
        };
    }
    if begins(here, there) {
        return GoesOn::default();
    }
    let is_new = |act: &&Act| {
        is_beside(act) && !act.undone && !known.history.iter().any(|own| says_the_same(own, act))
    };
    // A second opinion is about a text: where another one stands here it says nothing.
    let fits = |act: &&Act| {
        let text = |of: &Reflected, n: usize| of.versions.get(n.wrapping_sub(1)).cloned();
        !act.act.starts_with("second ") || text(new, act.version) == text(known, known.version)
    };
    let beside = |act: &Act| Act {
        verdict: known.verdict,
        reason: known.reason.clone(),
        version: known.version,
        ..act.clone()
    };
    GoesOn {
        versions: written.filter(|(text, _)| !known.versions.contains(text)).collect(),
        acts: acts.iter().filter(is_new).filter(fits).map(beside).collect(),
        differs: stands(known) != stands(new),
        ..GoesOn::default()
    }
}

/// The verdict, the code of a rejection, and the text that counts.
fn stands(of: &Reflected) -> (Verdict, Option<&str>, Option<&(String, String)>) {
    (of.verdict, of.reason.as_deref(), of.versions.get(of.version.wrapping_sub(1)))
}

impl Reflected {
    /// What was done about it: one act for how it stands, where no more is known.
    pub(super) fn acts(&self) -> Vec<Act> {
        let untouched = self.verdict == Verdict::Pending && self.version == 1;
        if !self.history.is_empty() || untouched {
            return self.history.clone();
        }
        vec![Act {
            act: IMPORT.into(),
            verdict: self.verdict,
            reason: self.reason.clone(),
            note: None,
            version: self.version,
            created_ms: now_ms(),
            undone: false,
            origin: None,
        }]
    }
}
