//! What a record has that the same episode in a store lacks.

use std::collections::HashSet;

use super::super::now_ms;
use super::{Act, Placed, Record, Reflected};
use crate::experience::Verdict;

/// How the act is called that says how a reflection stood elsewhere, where no more is known of it.
const IMPORT: &str = "import";

/// What comes to a reflection that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoesOn {
    /// Which of the episode's reflections, in the order of their numbers.
    pub which: usize,
    /// The versions beyond those that it has, with when they were written.
    pub versions: Vec<((String, String), Option<i64>)>,
    /// The acts beyond those that it has.
    pub acts: Vec<Act>,
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
        new.predictions.retain(|p| {
            let mut there = known.predictions.iter();
            !there.any(|k| (k.t, &k.action, &k.model) == (p.t, &p.action, &p.model))
        });
        new.thoughts.retain(|thought| known.thoughts.iter().all(|k| k.t != thought.t));
        let mut lacking = Self { beside: new, goes_on: Vec::new(), differing: 0 };
        let mut free: Vec<usize> = (0..known.reflections.len()).collect();
        for reflected in std::mem::take(&mut lacking.beside.reflections) {
            let at = free.iter().position(|i| is_same_text(&known.reflections[*i], &reflected));
            let Some(which) = at.map(|at| free.remove(at)) else {
                lacking.beside.reflections.push(reflected);
                continue;
            };
            match beyond(&known.reflections[which], &reflected) {
                Some((versions, acts)) if versions.is_empty() && acts.is_empty() => {}
                Some((versions, acts)) => lacking.goes_on.push(GoesOn { which, versions, acts }),
                None => lacking.differing += 1,
            }
        }
        lacking
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        let Record { branches, pools, reflections, predictions, thoughts, .. } = &self.beside;
        branches.is_empty()
            && pools.is_empty()
            && reflections.is_empty()
            && predictions.is_empty()
            && thoughts.is_empty()
            && self.goes_on.is_empty()
    }
}

/// The places that alternatives do not have yet: behind those of a pool that is there, whose first
/// draws stay what they are.
fn places(known: &Record, mut new: Vec<Placed>) -> Vec<Placed> {
    new.retain(|p| {
        let same = |k: &Placed| (k.t, &k.action, &k.place.pool) == (p.t, &p.action, &p.place.pool);
        !known.pools.iter().any(same)
    });
    new.sort_by_key(|p| p.place.rank);
    for i in 0..new.len() {
        let of = |p: &&Placed| (p.t, &p.place.pool) == (new[i].t, &new[i].place.pool);
        if let Some(last) = known.pools.iter().filter(of).map(|k| k.place.rank).max() {
            new[i].place.rank = last + 1 + new[..i].iter().filter(of).count();
        }
    }
    new
}

fn is_same_text(a: &Reflected, b: &Reflected) -> bool {
    (a.t, &a.generator, a.versions.first()) == (b.t, &b.generator, b.versions.first())
}

type Beyond = (Vec<((String, String), Option<i64>)>, Vec<Act>);

/// What a reflection elsewhere has beyond the one here; none if each went its own way and they
/// stand differently.
fn beyond(known: &Reflected, new: &Reflected) -> Option<Beyond> {
    let acts = new.acts();
    let goes_on = |whole: (&[_], &[_]), part: (&[_], &[_])| {
        whole.0.starts_with(part.0) && whole.1.starts_with(part.1)
    };
    let here = (&known.versions[..], &known.history[..]);
    let there = (&new.versions[..], &acts[..]);
    if !goes_on(there, here) {
        let same = stands(known) == stands(new);
        return (same || goes_on(here, there)).then(Beyond::default);
    }
    let times = new.written_ms.iter().copied().map(Some).chain(std::iter::repeat(None));
    let versions = new.versions.iter().cloned().zip(times).skip(known.versions.len()).collect();
    Some((versions, acts.into_iter().skip(known.history.len()).collect()))
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
        }]
    }
}
